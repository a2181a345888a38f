/**
 * `prodigy sessions show`.
 *
 * @since 0.1.0
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Json from "../../Render/Json.ts"
import { session as render, sessionJson } from "../../Render/Sessions.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandSessionsShow = CommandTree.leaf({
  name: "show",
  summary: "Show one session",
  args: { id: Flag.argument("ID", "A session, a job, the beginning of either, or latest") },
  flags: { path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.SessionShow),
  examples: [{ line: "prodigy sessions show latest", does: "this repository's latest session" }],
  handler: ({ args: { id }, flags: { json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const inspect = yield* Inspect
      const listed = yield* inspect.session({ projectPath: yield* flags.project(path), id })
      const nowMillis = yield* Clock.currentTimeMillis
      yield* screen.data(
        json
          ? yield* Json.render(Json.SessionShow, sessionJson(listed))
          : render(listed, { nowMillis, style: screen.dataStyle })
      )
    })
})
