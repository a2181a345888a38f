/**
 * `prodigy checkpoints`.
 *
 * @since 0.1.0
 */
import type { Path } from "@effect/platform/Path"
import type { Checkpoints, CheckpointsError, DamageFound } from "@prodigy/core/engine/Checkpoints"
import * as CommandTree from "../CommandTree.ts"
import { commandCheckpointsClean } from "./checkpoints/clean.ts"
import { commandCheckpointsDelete } from "./checkpoints/delete.ts"
import { commandCheckpointsList } from "./checkpoints/list.ts"
import { commandCheckpointsMapreduce } from "./checkpoints/mapreduce.ts"
import { commandCheckpointsShow } from "./checkpoints/show.ts"
import { commandCheckpointsValidate } from "./checkpoints/validate.ts"
import type { OutputClosed, Screen } from "../Screen.ts"
import type { UsageError } from "../UsageError.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandCheckpoints = CommandTree.group<
  CheckpointsError | DamageFound | OutputClosed | UsageError,
  Checkpoints | Path | Screen
>({
  name: "checkpoints",
  summary: "Look at, prove and clear away checkpoints",
  examples: [...commandCheckpointsList.examples, ...commandCheckpointsValidate.examples],
  children: [
    commandCheckpointsList,
    commandCheckpointsShow,
    commandCheckpointsValidate,
    commandCheckpointsClean,
    commandCheckpointsDelete,
    commandCheckpointsMapreduce
  ]
})
