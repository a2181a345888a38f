/**
 * `prodigy checkpoints list`.
 *
 * @since 0.1.0
 */
import { Checkpoints } from "@prodigy/core/engine/Checkpoints"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Render from "../../Render/Checkpoints.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandCheckpointsList = CommandTree.leaf({
  name: "list",
  aliases: ["ls"],
  summary: "List checkpoints, the newest first, and whether they are whole",
  args: { id: own.job },
  flags: { limit: flags.limit(50), path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.CheckpointList),
  examples: [{ line: "prodigy checkpoints list latest", does: "those of this repository's latest job" }],
  handler: ({ args: { id }, flags: { json, limit, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const checkpoints = yield* Checkpoints
      const { entries, total } = yield* checkpoints.list({ projectPath: yield* flags.project(path), id, limit })
      if (json) return yield* screen.data(yield* Json.render(Json.CheckpointList, { total, checkpoints: entries }))
      if (entries.length === 0) return yield* screen.note("There are no checkpoints.")
      const nowMillis = yield* Clock.currentTimeMillis
      const columns = yield* screen.dataColumns
      yield* screen.data(Render.list(entries, { nowMillis, columns, style: screen.dataStyle }))
      if (total > entries.length) yield* screen.note(Text.more(entries.length, total))
    })
})
