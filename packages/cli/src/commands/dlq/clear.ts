/**
 * `prodigy dlq clear`.
 *
 * @since 0.1.0
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as RemoveDeadLetters from "../../RemoveDeadLetters.ts"
import * as LettersJson from "../../Render/DeadLettersJson.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const all = Flag.on("all", { description: "Also those that are not resolved; branches with work of theirs stay" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqClear = CommandTree.leaf({
  name: "clear",
  summary: "Remove the resolved dead letters of a job",
  args: { job: Flag.argument("JOB", "A job, a session, the beginning of either, or latest") },
  flags: { all, dryRun: own.dryRun, yes: own.yes, path: flags.path, json: flags.json },
  json: JsonOutput.document(LettersJson.Removal),
  examples: [{ line: "prodigy dlq clear latest", does: "what was done after all" }],
  handler: ({ args: { job }, flags: { all, path, ...options } }) =>
    Effect.gen(function* () {
      const letters = yield* DeadLetters
      const projectPath = yield* flags.project(path)
      yield* RemoveDeadLetters.run((dryRun) => letters.clear({ projectPath, job, all, dryRun }), {
        ...options,
        command: "prodigy dlq clear"
      })
    })
})
