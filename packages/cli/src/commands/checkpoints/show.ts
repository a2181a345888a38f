/**
 * `prodigy checkpoints show`.
 *
 * @since 0.1.0
 */
import { Checkpoints } from "@prodigy/core/engine/Checkpoints"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Render from "../../Render/Checkpoints.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandCheckpointsShow = CommandTree.leaf({
  name: "show",
  summary: "Show what a checkpoint holds",
  args: {
    id: Flag.argument("ID", "A checkpoint (id, its beginning, file), or a session or job: its newest valid one")
  },
  flags: { path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.CheckpointShow),
  examples: [{ line: "prodigy checkpoints show latest", does: "the newest of this repository's latest job" }],
  handler: ({ args: { id }, flags: { json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const checkpoints = yield* Checkpoints
      const content = yield* checkpoints.show({ projectPath: yield* flags.project(path), id })
      yield* screen.data(
        json
          ? yield* Json.render(Json.CheckpointShow, content)
          : "completed" in content
            ? Render.workflowContent(content, screen.dataStyle)
            : Render.content(content, screen.dataStyle)
      )
    })
})
