/**
 * `prodigy dlq stats`.
 *
 * @since 0.1.0
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as DamagedLetters from "../../DamagedLetters.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { noLetters, stats as render } from "../../Render/DeadLetters.ts"
import * as LettersJson from "../../Render/DeadLettersJson.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

const workflowId = Flag.value("workflow-id", {
  value: "ID",
  description: "Only this job (or session)",
  read: Flag.text,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqStats = CommandTree.leaf({
  name: "stats",
  summary: "Count the dead letters of this repository's jobs",
  args: {},
  flags: { workflowId, path: flags.path, json: flags.json },
  json: JsonOutput.document(LettersJson.Stats),
  examples: [{ line: "prodigy dlq stats", does: "each job of this repository that has some" }],
  handler: ({ flags: { json, path, workflowId } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const projectPath = yield* flags.project(path)
      const { damaged, jobs, total } = yield* (yield* DeadLetters).stats({ projectPath, job: workflowId })
      if (json) {
        const value = { jobs, total, damaged: LettersJson.pathsOf(damaged) }
        yield* screen.data(yield* Json.render(LettersJson.Stats, value))
      } else if (jobs.length === 0) yield* screen.note(noLetters(null, null, false))
      else yield* screen.data(render(jobs, total, { style: screen.dataStyle, columns: yield* screen.dataColumns }))
      yield* DamagedLetters.say(damaged)
    })
})
