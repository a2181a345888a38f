/**
 * Checkpoints: snapshots of a job's state, so that a resume folds only the journal's tail.
 *
 * Owns the checkpoint files, their checksum and their retention. Crash guarantee: a checkpoint is there whole or not at
 * all; a damaged one is found by its checksum and the one before it is used.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { JobId } from "../domain/JobId.ts"
import type { JobState } from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

/**
 * Which phase a snapshot was taken in or after; it decides the file's name.
 *
 * @since 0.1.0
 * @category models
 */
export type Kind = "setup" | "map" | "reduce"

/**
 * A snapshot: `state` is the fold of the journal up to and with `state.seq`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Checkpoint {
  readonly id: string
  readonly kind: Kind
  readonly created_at: string
  readonly path: string
  readonly state: JobState
}

/**
 * @since 0.1.0
 * @category services
 */
export class CheckpointStore extends Context.Tag("@prodigy/core/storage/CheckpointStore")<
  CheckpointStore,
  {
    /** Writes a snapshot, then removes what is beyond the retention (never the newest of its kind). */
    readonly save: (
      repo: RepoName,
      jobId: JobId,
      kind: Kind,
      state: JobState
    ) => Effect.Effect<Checkpoint, StorageError>

    /** The newest valid snapshot (null: none), and the damaged ones that were passed over. */
    readonly latest: (
      repo: RepoName,
      jobId: JobId
    ) => Effect.Effect<
      { readonly checkpoint: Checkpoint | null; readonly damaged: ReadonlyArray<DamagedFile> },
      StorageError
    >
  }
>() {}
