/**
 * `prodigy checkpoints clean`.
 *
 * @since 0.1.0
 */
import { Checkpoints } from "@prodigy/core/engine/Checkpoints"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Json from "../../Render/Json.ts"
import * as RemoveCheckpoints from "../../RemoveCheckpoints.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const olderThan = Flag.value("older-than", {
  value: "TIME",
  description: "Those made before then: 12h, 3d, 2w ago, or a time (7d)",
  read: Flag.moment,
  otherwise: { _tag: "Ago", millis: 7 * 86_400_000 }
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandCheckpointsClean = CommandTree.leaf({
  name: "clean",
  summary: "Remove old checkpoints of this repository's jobs",
  args: {},
  flags: { olderThan, dryRun: own.dryRun, yes: own.yes, force: own.force, path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.CheckpointRemoval),
  examples: [{ line: "prodigy checkpoints clean --older-than 30d --dry-run", does: "show what would go" }],
  handler: ({ flags: { olderThan, path, ...options } }) =>
    Effect.gen(function* () {
      const checkpoints = yield* Checkpoints
      const projectPath = yield* flags.project(path)
      const beforeMillis = Flag.millisOf(olderThan, yield* Clock.currentTimeMillis)
      yield* RemoveCheckpoints.run(
        (dryRun) => checkpoints.clean({ projectPath, beforeMillis, force: options.force, dryRun }),
        { ...options, command: "prodigy checkpoints clean" }
      )
    })
})
