/**
 * The bounds of the system, each a reference that a program may override.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"

/**
 * Bytes of a step's output kept in memory for `capture`, which fails beyond it, and for `*.output`. The whole output is in the log file.
 *
 * @since 0.1.0
 * @category references
 */
export class CaptureBytesMax extends Context.Reference<CaptureBytesMax>()(
  "@prodigy/core/domain/Limits/CaptureBytesMax",
  {
    defaultValue: () => 1024 * 1024
  }
) {}

/**
 * Bytes of the end of a failed step's output kept in the journal and the dead letter.
 *
 * @since 0.1.0
 * @category references
 */
export class TailBytesMax extends Context.Reference<TailBytesMax>()("@prodigy/core/domain/Limits/TailBytesMax", {
  defaultValue: () => 4096
}) {}

/**
 * Free bytes under which a disk counts as full, 64 MiB: what fails there does not fail by its own doing.
 *
 * @since 0.1.0
 * @category references
 */
export class FullDiskBytes extends Context.Reference<FullDiskBytes>()("@prodigy/core/domain/Limits/FullDiskBytes", {
  defaultValue: () => 64 * 1024 * 1024
}) {}

/**
 * Milliseconds between INT, TERM and KILL when a process group is stopped.
 *
 * @since 0.1.0
 * @category references
 */
export class KillGraceMillis extends Context.Reference<KillGraceMillis>()(
  "@prodigy/core/domain/Limits/KillGraceMillis",
  {
    defaultValue: () => 2_000
  }
) {}

/**
 * Bytes after which the event log starts a new file: 100 MiB.
 *
 * @since 0.1.0
 * @category references
 */
export class EventFileBytesMax extends Context.Reference<EventFileBytesMax>()(
  "@prodigy/core/domain/Limits/EventFileBytesMax",
  { defaultValue: () => 100 * 1024 * 1024 }
) {}

/**
 * Items between two checkpoints of a running map phase.
 *
 * @since 0.1.0
 * @category references
 */
export class CheckpointIntervalItems extends Context.Reference<CheckpointIntervalItems>()(
  "@prodigy/core/domain/Limits/CheckpointIntervalItems",
  { defaultValue: () => 100 }
) {}

/**
 * Milliseconds between two checkpoints of a running map phase: 5 minutes.
 *
 * @since 0.1.0
 * @category references
 */
export class CheckpointIntervalMillis extends Context.Reference<CheckpointIntervalMillis>()(
  "@prodigy/core/domain/Limits/CheckpointIntervalMillis",
  { defaultValue: () => 300_000 }
) {}

/**
 * How much the journal must have grown since the last checkpoint, in sizes of that checkpoint, before the next interval
 * counts: all snapshots of a running map phase but the last together stay below half of the journal.
 *
 * @since 0.1.0
 * @category references
 */
export class CheckpointGrowthMin extends Context.Reference<CheckpointGrowthMin>()(
  "@prodigy/core/domain/Limits/CheckpointGrowthMin",
  { defaultValue: () => 2 }
) {}

/**
 * Milliseconds that a checkpoint is kept: 7 days; the newest of a phase is never removed.
 *
 * @since 0.1.0
 * @category references
 */
export class CheckpointAgeMillisMax extends Context.Reference<CheckpointAgeMillisMax>()(
  "@prodigy/core/domain/Limits/CheckpointAgeMillisMax",
  { defaultValue: () => 7 * 24 * 3_600_000 }
) {}

/**
 * Checkpoints kept of one phase; the newest is never removed.
 *
 * @since 0.1.0
 * @category references
 */
export class CheckpointsMax extends Context.Reference<CheckpointsMax>()("@prodigy/core/domain/Limits/CheckpointsMax", {
  defaultValue: () => 10
}) {}
