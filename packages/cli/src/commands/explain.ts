/**
 * `prodigy explain`.
 *
 * @since 0.1.0
 */
import { Explain } from "@prodigy/core/engine/Explain"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import { explanation } from "../Render/Explain.ts"
import * as Json from "../Render/Json.ts"
import * as SeeingJson from "../Render/SeeingJson.ts"
import { Screen } from "../Screen.ts"
import * as flags from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandExplain = CommandTree.leaf({
  name: "explain",
  summary: "Say why a job stopped, and what became of an item",
  args: {
    id: Flag.argument("ID", "A session, a job, the beginning of either, or latest"),
    item: Flag.optionalArgument("ITEM", "An item's id, or the beginning of one; left out: the whole job")
  },
  flags: { path: flags.path, json: flags.json },
  json: JsonOutput.document(SeeingJson.Explanation),
  examples: [
    { line: "prodigy explain latest", does: "why this repository's latest job is as it is" },
    { line: "prodigy explain latest item_7", does: "what became of item_7, and why" }
  ],
  handler: ({ args: { id, item }, flags: { json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const explain = yield* Explain
      const told = yield* explain.explain({ projectPath: yield* flags.project(path), id, item })
      yield* screen.data(json ? yield* Json.render(SeeingJson.Explanation, told) : explanation(told, screen.dataStyle))
    })
})
