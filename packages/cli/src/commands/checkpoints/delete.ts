/**
 * `prodigy checkpoints delete`.
 *
 * @since 0.1.0
 */
import { Checkpoints } from "@prodigy/core/engine/Checkpoints"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Json from "../../Render/Json.ts"
import * as RemoveCheckpoints from "../../RemoveCheckpoints.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandCheckpointsDelete = CommandTree.leaf({
  name: "delete",
  summary: "Remove one checkpoint",
  args: { id: Flag.argument("CHECKPOINT", "Its id, the beginning of it, or its file: JOB/FILE") },
  flags: { dryRun: own.dryRun, yes: own.yes, force: own.force, path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.CheckpointRemoval),
  examples: [{ line: "prodigy checkpoints delete 0199c0de", does: "the one whose id begins so" }],
  handler: ({ args: { id }, flags: { path, ...options } }) =>
    Effect.gen(function* () {
      const checkpoints = yield* Checkpoints
      const projectPath = yield* flags.project(path)
      yield* RemoveCheckpoints.run((dryRun) => checkpoints.remove({ projectPath, id, force: options.force, dryRun }), {
        ...options,
        command: "prodigy checkpoints delete"
      })
    })
})
