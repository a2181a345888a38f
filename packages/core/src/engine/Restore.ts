/**
 * The state of a job as its files tell it: a checkpoint, the newest valid one if nothing else is asked for, and the
 * journal's tail. Whichever it is, the state is the same: the journal is folded to its end.
 *
 * Pure reading; nothing is written. What a checkpoint lacks or has lost the journal gives, which is the truth. A journal
 * that was cut off at the end of a line looks like a younger one; the summary, which is written after the records that it
 * stands for, tells the difference.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { JobId } from "../domain/JobId.ts"
import type { JournalEntry } from "../domain/JobRecord.ts"
import * as JobState from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import { DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import { type Checkpoint, CheckpointStore } from "../storage/CheckpointStore.ts"
import { type JobFile, JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import type { Recorded } from "../workspace/Workspace.ts"

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
  /** Records that were followed for certain: the summary was written after them. */
  readonly followed: number
  /** What is to be said of damage that did no harm. */
  readonly warnings: ReadonlyArray<string>
}

/**
 * A checkpoint that was asked for is not there, is damaged, or is not the only one of that name. `candidates` are those
 * that the job has, the newest first.
 *
 * @since 0.1.0
 * @category errors
 */
export class CheckpointUnusable extends Schema.TaggedError<CheckpointUnusable>(
  "@prodigy/core/engine/Restore/CheckpointUnusable"
)("CheckpointUnusable", {
  job_id: JobId,
  text: Schema.String,
  reason: Schema.Literal("unknown", "ambiguous", "damaged"),
  detail: Schema.NullOr(Schema.String),
  candidates: Schema.Array(Schema.String)
}) {
  override get message() {
    switch (this.reason) {
      case "unknown":
        return `Job ${this.job_id} has no checkpoint "${this.text}".`
      case "ambiguous":
        return `"${this.text}" is the beginning of several checkpoints of job ${this.job_id}.`
      case "damaged":
        return `Checkpoint "${this.text}" of job ${this.job_id} cannot be used. ${this.detail ?? ""}`.trim()
    }
  }
}

/**
 * Restores a job's state: from its newest valid checkpoint, or the one that `from` says (an id, the unique beginning of
 * one, the name of its file, or `latest`). A journal that does not hold what a checkpoint or the summary was made of, or a
 * record that does not fit, is damage, with its line.
 *
 * @since 0.1.0
 * @category restoring
 */
export const state = Effect.fn("Restore.state")(function* (
  repo: RepoName,
  jobId: JobId,
  from: string | null = null
): Effect.fn.Return<
  Restored,
  StorageError | DamagedFile | CheckpointUnusable,
  CheckpointStore | JobStore | Journal | ProdigyHome
> {
  const checkpoints = yield* CheckpointStore
  const journal = yield* Journal
  const path = (yield* ProdigyHome).repo(repo).job(jobId).journal
  // Before the journal: the job may be running.
  const summary = yield* Effect.either((yield* JobStore).loadSummary(repo, jobId))
  if (Either.isLeft(summary) && summary.left._tag === "StorageError") return yield* summary.left
  const { checkpoint, damaged } = yield* from === null ? checkpoints.latest(repo, jobId) : chosen(repo, jobId, from)
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
  return { state: restored, checkpoint, damaged, followed: recorded, warnings }
})

/**
 * What the journal tells of the session's branch, for when that is gone: where the last merge left it. Nothing where
 * nothing was put on it yet, or when it is in its target.
 *
 * @since 0.1.0
 * @category restoring
 */
export const branch = Effect.fn("Restore.branch")(function* (
  { job_id: jobId, repository, workflow }: JobFile,
  { finish, phase, reduce_steps_done: reduced, status }: JobState.JobState
): Effect.fn.Return<Recorded | undefined, StorageError | DamagedFile, Journal> {
  const isMerged = status === "completed" && finish?.outcome !== "waiting"
  if (isMerged || phase === "setup") return undefined
  const entries = (yield* Journal).read(repository.name, jobId, 0)
  const commit = yield* Stream.runFold(entries, null, (found: string | null, { record }) =>
    record.type === "item_merged" ? (record.commit ?? found) : found
  )
  if (commit === null && workflow.setup.steps.length === 0 && phase === "map") return undefined
  return { commit, whole: phase === "map" || (phase === "reduce" && reduced === 0) }
})

/** The checkpoint that was asked for. Damaged ones are known by the names of their files. */
const chosen = Effect.fnUntraced(function* (repo: RepoName, jobId: JobId, from: string) {
  const store = yield* CheckpointStore
  const stored: Array<{ readonly name: string; readonly found: Either.Either<Checkpoint, DamagedFile> }> = []
  for (const file of yield* store.list(repo, jobId)) {
    const found = yield* store.load(file).pipe(
      Effect.map((checkpoint) => (checkpoint === null ? null : Either.right(checkpoint))),
      Effect.catchTag("DamagedFile", (error) => Effect.succeed(Either.left(error)))
    )
    if (found !== null) stored.push({ name: file.name, found })
  }
  const unusable = (reason: CheckpointUnusable["reason"], detail: string | null = null) =>
    new CheckpointUnusable({
      job_id: jobId,
      text: from,
      reason,
      detail,
      candidates: stored.flatMap(({ found }) => (Either.isRight(found) ? [nameOf(found.right)] : []))
    })
  const idIs = (fits: (id: string) => boolean) =>
    stored.filter(({ found }) => Either.isRight(found) && fits(found.right.id))
  const latest = stored.filter(({ found }) => Either.isRight(found)).slice(0, 1)
  const ways = [
    from === "latest" ? latest : [],
    stored.filter(({ name }) => name === from || name === `${from}.json`),
    idIs((id) => id === from),
    from === "" ? [] : idIs((id) => id.startsWith(from))
  ]
  const [one, ...others] = ways.find((fitting) => fitting.length > 0) ?? []
  if (one === undefined) return yield* unusable("unknown")
  if (others.length > 0) return yield* unusable("ambiguous")
  if (Either.isLeft(one.found)) return yield* unusable("damaged", one.found.left.message)
  return { checkpoint: one.found.right, damaged: [] }
})

/** A checkpoint as people choose one. */
const nameOf = ({ id, kind, state: { seq } }: Checkpoint): string => `${id} (${kind}, ${seq} records)`

const cutOff = (path: string, expected: number, actual: number) =>
  new DamagedFile({
    path,
    line: actual,
    expected: `at least ${expected} entries, as many as job-state.json was written after`,
    actual: `${actual} entries`
  })

/**
 * The state after one more entry of the journal at `path`. A record that does not fit is damage.
 *
 * @since 0.1.0
 * @category restoring
 */
export const applied = (path: string, now: JobState.JobState, entry: JournalEntry) =>
  Either.mapLeft(
    JobState.apply(now, entry.record),
    (misfit) => new DamagedFile({ path, line: entry.seq, expected: misfit.expected, actual: misfit.actual })
  )

/**
 * The job's items; none before they are selected. A list that is shorter or longer than the journal says is damage: the
 * file was put into place whole.
 *
 * @since 0.1.0
 * @category restoring
 */
export const items = Effect.fn("Restore.items")(function* (
  repo: RepoName,
  jobId: JobId,
  total: number | null
): Effect.fn.Return<ReadonlyArray<WorkItem>, StorageError | DamagedFile, JobStore | ProdigyHome> {
  const found = (yield* (yield* JobStore).loadItems(repo, jobId)) ?? []
  if (total === null || found.length === total) return found
  return yield* new DamagedFile({
    path: (yield* ProdigyHome).repo(repo).job(jobId).workItems,
    line: found.length,
    expected: `${total} items, as the journal says`,
    actual: `${found.length}`
  })
})
