/**
 * The journal: the truth about a job.
 *
 * Owns `journal.jsonl`, its line format and its order (`seq` from 1 without gaps). Crash guarantee: a record whose append
 * returned is there after any crash; a record whose append did not return is there whole or not at all. Every line is
 * sealed (`StoredJson`): one that has changed on the disk is named, never folded.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { JobId } from "../domain/JobId.ts"
import { type JobRecord, JournalEntry } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import {
  type Appender,
  AtomicFile,
  DamagedFile,
  layerMemory as filesInMemory,
  type StorageError
} from "./AtomicFile.ts"
import * as GroupCommit from "./GroupCommit.ts"
import { ProdigyHome } from "./ProdigyHome.ts"
import type { ResumeLockLost } from "./ResumeLock.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * A journal open for writing, by the one owner of the job.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenJournal {
  /**
   * Appends records durably, in order, all or a prefix of them; gives the entries with their seq and time. Concurrent
   * calls share one write and one sync. After a failure none of the call's records has a seq, and the next append goes on
   * behind the last record acknowledged.
   */
  readonly append: (
    records: ReadonlyArray<JobRecord>
  ) => Effect.Effect<ReadonlyArray<JournalEntry>, StorageError | ResumeLockLost>
  /** Bytes of the file. */
  readonly size: Effect.Effect<number>
}

/**
 * Milliseconds for which the owner of a journal takes it for granted that the job is still his.
 *
 * @since 0.1.0
 * @category models
 */
export const checkMillisMax = 200

/**
 * A journal that asks whether the job is still ours before it writes: two owners in one journal would spoil it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const guarded = (
  journal: OpenJournal,
  check: Effect.Effect<void, ResumeLockLost | StorageError>
): OpenJournal => {
  let checkedAt = Number.NEGATIVE_INFINITY
  return {
    ...journal,
    append: Effect.fnUntraced(function* (records) {
      const now = yield* Clock.currentTimeMillis
      if (now - checkedAt >= checkMillisMax) {
        yield* check
        checkedAt = now
      }
      return yield* journal.append(records)
    })
  }
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

    /**
     * Entries with a seq above `after`, in order, in constant memory. Fails on a gap, a repeated seq, a line that is no
     * record, and when the journal ends before `after`. Of entries up to `after` only the seal is looked at.
     */
    readonly read: (
      repo: RepoName,
      jobId: JobId,
      after: number
    ) => Stream.Stream<JournalEntry, StorageError | DamagedFile>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const files = yield* AtomicFile
  const home = yield* ProdigyHome
  const pathOf = (repo: RepoName, jobId: JobId) => home.repo(repo).job(jobId).journal
  return Journal.of({
    open: Effect.fn("Journal.open")(function* (repo, jobId, after) {
      return openAt(yield* files.appender(pathOf(repo, jobId)), after)
    }),
    read: (repo, jobId, after) => {
      const path = pathOf(repo, jobId)
      return entries(path, files.streamLines(path), after)
    }
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Journal, never, AtomicFile | ProdigyHome> = Layer.effect(Journal, make)

/**
 * `layer` over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Journal, never, ProdigyHome> = Layer.provide(layer, filesInMemory)

const codec = StoredJson.sealed(JournalEntry, "a journal entry of version 1")

interface Submission {
  readonly records: ReadonlyArray<JobRecord>
  entries: ReadonlyArray<JournalEntry>
}

/**
 * Seqs are given when a batch is written, not when it is asked for: a batch that fails leaves no gap behind for the ones
 * that were already waiting.
 */
const openAt = (file: Appender, after: number): OpenJournal => {
  let last = after
  const commit = Effect.fnUntraced(function* (batch: ReadonlyArray<Submission>) {
    const at = yield* Timestamp.now
    const lines: Array<string> = []
    for (const submission of batch) {
      const first = last + lines.length + 1
      submission.entries = submission.records.map((record, index) => ({ v: 1, seq: first + index, at, record }))
      for (const entry of submission.entries) lines.push(yield* codec.encode(entry))
    }
    yield* file.append(lines)
    last += lines.length
  })
  const group = GroupCommit.make(commit)

  return {
    append: Effect.fnUntraced(function* (records) {
      const submission: Submission = { records, entries: [] }
      yield* group.submit(submission)
      return submission.entries
    }),
    size: file.size
  }
}

/** Line n holds the entry of seq n: that is what "without gaps" means on disk. */
const entries = (
  path: string,
  lines: Stream.Stream<string, StorageError>,
  after: number
): Stream.Stream<JournalEntry, StorageError | DamagedFile> =>
  Stream.suspend(() => {
    let count = 0
    const read = Stream.filterMapEffect(lines, (text) => {
      count += 1
      return count > after || !StoredJson.isSealed(text)
        ? Option.some(decodeAt(text, { path, line: count }))
        : Option.none()
    })
    const complete = Effect.suspend(() =>
      count >= after
        ? Effect.void
        : new DamagedFile({ path, line: count, expected: `at least ${after} entries`, actual: `${count} entries` })
    )
    return Stream.concat(read, Stream.execute(complete))
  })

const decodeAt = (text: string, place: StoredJson.Place) =>
  Effect.filterOrFail(
    codec.decode(text, place),
    (entry) => entry.seq === place.line,
    (entry) => new DamagedFile({ ...place, expected: `seq ${place.line}`, actual: `seq ${entry.seq}` })
  )
