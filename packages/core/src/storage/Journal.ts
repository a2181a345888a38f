/**
 * The journal: the truth about a job.
 *
 * Owns `journal.jsonl`, its line format and its order (`seq` from 1 without gaps). Crash guarantee: a record whose append
 * returned is there after any crash; a record whose append did not return is there whole or not at all.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { JobId } from "../domain/JobId.ts"
import type { JobRecord, JournalEntry } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

/**
 * A journal open for writing, by the one owner of the job.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenJournal {
  /** Appends records durably, in order, all or a prefix of them; gives the entries with their seq and time. */
  readonly append: (records: ReadonlyArray<JobRecord>) => Effect.Effect<ReadonlyArray<JournalEntry>, StorageError>
}

/**
 * @since 0.1.0
 * @category services
 */
export class Journal extends Context.Tag("@prodigy/core/storage/Journal")<
  Journal,
  {
    /** Opens for appending behind the last whole record. `after` is the seq of that record, 0 for a new journal. */
    readonly open: (
      repo: RepoName,
      jobId: JobId,
      after: number
    ) => Effect.Effect<OpenJournal, StorageError, Scope.Scope>

    /** Entries with a seq above `after`, in order. Fails on a gap, a repeated seq or a line that is no record. */
    readonly read: (
      repo: RepoName,
      jobId: JobId,
      after: number
    ) => Stream.Stream<JournalEntry, StorageError | DamagedFile>
  }
>() {}
