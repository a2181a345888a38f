/**
 * The dead letter queue: items that failed for good, one file each.
 *
 * Owns `dlq/{repo}/{job}/items/`. The directory is the index, so that the ten-thousandth letter costs what the first did.
 * Crash guarantee: a letter is there whole, old or new, never a mixture.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Stream from "effect/Stream"
import type { DeadLetter } from "../domain/DeadLetter.ts"
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class DeadLetterQueue extends Context.Tag("@prodigy/core/storage/DeadLetterQueue")<
  DeadLetterQueue,
  {
    /** Writes a letter, durably. */
    readonly put: (repo: RepoName, jobId: JobId, letter: DeadLetter) => Effect.Effect<void, StorageError>
    readonly get: (
      repo: RepoName,
      jobId: JobId,
      itemId: ItemId
    ) => Effect.Effect<DeadLetter | null, StorageError | DamagedFile>
    /** False when there was none. */
    readonly remove: (repo: RepoName, jobId: JobId, itemId: ItemId) => Effect.Effect<boolean, StorageError>
    /** The letters of a job, by file name, one in memory at a time. */
    readonly stream: (repo: RepoName, jobId: JobId) => Stream.Stream<DeadLetter, StorageError | DamagedFile>
    readonly count: (repo: RepoName, jobId: JobId) => Effect.Effect<number, StorageError>
    /** Jobs that have letters, oldest first. */
    readonly jobs: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobId>, StorageError>
  }
>() {}
