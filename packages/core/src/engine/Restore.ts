/**
 * The state of a job as its files tell it: the newest valid checkpoint and the journal's tail.
 *
 * Pure reading; nothing is written. What a checkpoint lacks or has lost the journal gives, which is the truth. A journal
 * that was cut off at the end of a line looks like a younger one; the summary, which is written after the records that it
 * stands for, tells the difference.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { JobId } from "../domain/JobId.ts"
import type { JournalEntry } from "../domain/JobRecord.ts"
import * as JobState from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import { type Checkpoint, CheckpointStore } from "../storage/CheckpointStore.ts"
import { JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"

/**
 * What was found.
 *
 * @since 0.1.0
 * @category models
 */
export interface Restored {
  readonly state: JobState.JobState
  /** The checkpoint that was started from; null when the whole journal was folded. */
  readonly checkpoint: Checkpoint | null
  /** Checkpoints that were passed over. */
  readonly damaged: ReadonlyArray<DamagedFile>
  /** What is to be said of damage that did no harm. */
  readonly warnings: ReadonlyArray<string>
}

/**
 * Restores a job's state. A journal that does not hold what a checkpoint or the summary was made of, or a record that
 * does not fit, is damage, with its line.
 *
 * @since 0.1.0
 * @category restoring
 */
export const state = Effect.fn("Restore.state")(function* (
  repo: RepoName,
  jobId: JobId
): Effect.fn.Return<Restored, StorageError | DamagedFile, CheckpointStore | JobStore | Journal | ProdigyHome> {
  const checkpoints = yield* CheckpointStore
  const journal = yield* Journal
  const path = (yield* ProdigyHome).repo(repo).job(jobId).journal
  // Before the journal: the job may be running.
  const summary = yield* Effect.either((yield* JobStore).loadSummary(repo, jobId))
  if (Either.isLeft(summary) && summary.left._tag === "StorageError") return yield* summary.left
  const { checkpoint, damaged } = yield* checkpoints.latest(repo, jobId)
  const start = checkpoint?.state ?? JobState.empty
  const restored = yield* Stream.runFoldEffect(journal.read(repo, jobId, start.seq), start, (now, entry) =>
    applied(path, now, entry)
  )
  const recorded = Either.isRight(summary) ? (summary.right?.seq ?? 0) : 0
  if (recorded > restored.seq) return yield* cutOff(path, recorded, restored.seq)
  const instead = checkpoint === null ? "The whole journal was used." : "An older checkpoint and the journal were used."
  const warnings = [
    ...damaged.map(({ message }) => `${message} ${instead}`),
    ...(Either.isLeft(summary) ? [`${summary.left.message} It is only a summary, and is written anew.`] : [])
  ]
  return { state: restored, checkpoint, damaged, warnings }
})

const cutOff = (path: string, expected: number, actual: number) =>
  new DamagedFile({
    path,
    line: actual,
    expected: `at least ${expected} entries, as many as job-state.json was written after`,
    actual: `${actual} entries`
  })

const applied = (path: string, now: JobState.JobState, entry: JournalEntry) =>
  Either.mapLeft(
    JobState.apply(now, entry.record),
    (misfit) => new DamagedFile({ path, line: entry.seq, expected: misfit.expected, actual: misfit.actual })
  )
