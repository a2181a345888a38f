/**
 * `prodigy dlq inspect`.
 *
 * @since 0.1.0
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { deadLetter as render } from "../../Render/DeadLetters.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqInspect = CommandTree.leaf({
  name: "inspect",
  summary: "Show why an item failed, and where its work is kept",
  args: { item: Flag.argument("ITEM", "The id of an item, or the beginning of one") },
  flags: { jobId: flags.jobId, path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.Letter),
  examples: [{ line: "prodigy dlq inspect item_7", does: "item_7 of this repository's latest job" }],
  handler: ({ args: { item }, flags: { jobId, json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const inspect = yield* Inspect
      const { letter } = yield* inspect.deadLetter({ projectPath: yield* flags.project(path), job: jobId, item })
      yield* screen.data(json ? yield* Json.render(Json.Letter, letter) : render(letter, screen.dataStyle))
    })
})
