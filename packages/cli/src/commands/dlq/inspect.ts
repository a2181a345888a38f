/**
 * `prodigy dlq inspect`.
 *
 * @since 0.1.0
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { deadLetter as render } from "../../Render/DeadLetters.ts"
import * as LettersJson from "../../Render/DeadLettersJson.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqInspect = CommandTree.leaf({
  name: "inspect",
  summary: "Show why an item failed, and where its work is kept",
  args: { item: Flag.argument("ITEM", "The id of an item, or the beginning of one") },
  flags: { jobId: own.jobId, path: flags.path, json: flags.json },
  json: JsonOutput.document(LettersJson.Letter),
  examples: [{ line: "prodigy dlq inspect item_7", does: "item_7 of the latest job with dead letters" }],
  handler: ({ args: { item }, flags: { jobId, json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const projectPath = yield* flags.project(path)
      const { job, letter } = yield* (yield* DeadLetters).inspect({ projectPath, job: jobId, item })
      if (jobId === null && !json) yield* screen.note(`Job ${job.jobId}`)
      yield* screen.data(json ? yield* Json.render(LettersJson.Letter, letter) : render(letter, screen.dataStyle))
    })
})
