/**
 * `prodigy sessions cancel`.
 *
 * @since 0.1.0
 */
import { Cancel } from "@prodigy/core/engine/Cancel"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import { confirm } from "../../Confirm.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Json from "../../Render/Json.ts"
import { cancelled, cancelQuestion } from "../../Render/Sessions.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

const yes = Flag.on("yes", { alias: "y", description: "Cancel without asking" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandSessionsCancel = CommandTree.leaf({
  name: "cancel",
  summary: "End a session for good; work that is not merged stays on branches",
  args: { id: Flag.argument("ID", "A session, a job, the beginning of either, or latest") },
  flags: { yes, path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.Cancelled),
  examples: [{ line: "prodigy sessions cancel latest", does: "end this repository's latest session for good" }],
  handler: ({ args: { id }, flags: given }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const cancel = yield* Cancel
      const target = yield* cancel.find({ projectPath: yield* flags.project(given.path), id })
      const options = { yes: given.yes, command: "prodigy sessions cancel" }
      if (!(yield* confirm(cancelQuestion(target), options))) return yield* screen.note("Nothing was cancelled.")
      const done = yield* cancel.cancel(target)
      yield* screen.data(
        given.json ? yield* Json.render(Json.Cancelled, Json.cancelledJson(done)) : cancelled(done, screen.dataStyle)
      )
    }).pipe(Effect.catchTag("AlreadyCancelled", (error) => Effect.flatMap(Screen, ({ note }) => note(error.message))))
})
