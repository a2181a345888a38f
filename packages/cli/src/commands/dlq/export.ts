/**
 * `prodigy dlq export`.
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
import * as DeadLetterExport from "../../Render/DeadLetterExport.ts"
import * as LettersJson from "../../Render/DeadLettersJson.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const format = Flag.value("format", {
  value: "FORMAT",
  description: "json or csv (by the ending of FILE, else json)",
  read: Flag.oneOf(["json", "csv"] as const),
  otherwise: null
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqExport = CommandTree.leaf({
  name: "export",
  summary: "Write all dead letters of a job to a file, resolved ones too",
  args: { file: Flag.argument("FILE", "Where to; it must not exist yet") },
  flags: { jobId: own.jobId, format, force: own.force, path: flags.path, json: flags.json },
  json: JsonOutput.document(LettersJson.Exported),
  examples: [{ line: "prodigy dlq export failed.csv", does: "a table for spreadsheets" }],
  handler: ({ args, flags: { force, format, jobId, json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const file = yield* flags.project(args.file)
      const projectPath = yield* flags.project(path)
      const found = yield* (yield* DeadLetters).all({ projectPath, job: jobId })
      const how = format ?? (/\.csv$/i.test(file) ? "csv" : "json")
      let letters = 0
      const counted = { ...found, letters: Stream.tap(found.letters, () => Effect.sync(() => void (letters += 1))) }
      const text = how === "csv" ? DeadLetterExport.csv(counted) : DeadLetterExport.json(counted)
      yield* OutputFile.write(file, text, { overwrite: force })
      const damaged = yield* found.damaged
      if (json) {
        const value = {
          ...LettersJson.jobOf(found.job),
          file,
          format: how,
          letters,
          damaged: LettersJson.pathsOf(damaged)
        }
        yield* screen.data(yield* Json.render(LettersJson.Exported, value))
      } else {
        const many = Text.count(letters, "dead letter")
        const of = found.job === null ? "" : ` of job ${found.job.jobId}`
        yield* screen.note(`Wrote ${many}${of} to ${Text.clean(file)}.`)
      }
      yield* DamagedLetters.say(damaged)
    })
})
