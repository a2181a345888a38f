/**
 * `prodigy dlq list`.
 *
 * @since 0.1.0
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { deadLetters as render } from "../../Render/DeadLetters.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

const all = Flag.on("all", { description: "Resolved ones too" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqList = CommandTree.leaf({
  name: "list",
  aliases: ["ls"],
  summary: "List the items of a job that failed for good",
  args: {},
  flags: { jobId: flags.jobId, all, limit: flags.limit(50), path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.DeadLetters),
  examples: [{ line: "prodigy dlq list", does: "dead letters of this repository's latest job" }],
  handler: ({ flags: { all, jobId, json, limit, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const inspect = yield* Inspect
      const projectPath = yield* flags.project(path)
      const { job, letters, total } = yield* inspect.deadLetters({ projectPath, job: jobId, all, limit })
      if (json) {
        const value = { job_id: job.jobId, session_id: job.sessionId, total, dead_letters: letters }
        return yield* screen.data(yield* Json.render(Json.DeadLetters, value))
      }
      if (letters.length === 0) return yield* screen.note(`No dead letters of job ${job.jobId}.`)
      const columns = yield* screen.dataColumns
      yield* screen.data(render(letters, { style: screen.dataStyle, columns }))
      if (total > letters.length) yield* screen.note(Text.more(letters.length, total))
    })
})
