/**
 * `prodigy dlq analyze`.
 *
 * @since 0.1.0
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as CommandTree from "../../CommandTree.ts"
import * as DamagedLetters from "../../DamagedLetters.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as OutputFile from "../../OutputFile.ts"
import { analysis as render, nextOf, noLetters } from "../../Render/DeadLetters.ts"
import * as LettersJson from "../../Render/DeadLettersJson.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const exported = Flag.value("export", {
  value: "FILE",
  description: "Write the analysis to a file too, as --json prints it",
  read: Flag.text,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqAnalyze = CommandTree.leaf({
  name: "analyze",
  summary: "Group the dead letters of a job by what they have in common",
  args: {},
  flags: { jobId: own.jobId, exported, force: own.force, path: flags.path, json: flags.json },
  json: JsonOutput.document(LettersJson.Analysis),
  examples: [{ line: "prodigy dlq analyze --export analysis.json", does: "which failures there are, and how many" }],
  handler: ({ flags: { exported, force, jobId, json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const projectPath = yield* flags.project(path)
      const { analysis, damaged, job } = yield* (yield* DeadLetters).analyze({ projectPath, job: jobId })
      const next = job === null ? [] : nextOf(analysis, job)
      const value = { ...LettersJson.jobOf(job), ...analysis, damaged: LettersJson.pathsOf(damaged), next }
      const text = yield* Json.render(LettersJson.Analysis, value)
      if (exported !== null) {
        const file = yield* flags.project(exported)
        yield* OutputFile.write(file, Stream.make(`${text}\n`), { overwrite: force })
      }
      if (json) yield* screen.data(text)
      else if (job === null || analysis.total === 0) yield* screen.note(noLetters(job, null, false))
      else yield* screen.data(render(analysis, job, { style: screen.dataStyle, columns: yield* screen.dataColumns }))
      yield* DamagedLetters.say(damaged)
    })
})
