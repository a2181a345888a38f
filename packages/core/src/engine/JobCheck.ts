/**
 * Whether the files of a job hold what they should.
 *
 * Reads everything that a resume would trust and proves it: every line of the journal in its order, that each record fits the
 * one before it and the items, and that each checkpoint equals the fold of the journal up to its seq. Writes nothing.
 * Safe beside a run: what is derived is read before what it is derived from.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Digest from "../domain/Digest.ts"
import type { JobId } from "../domain/JobId.ts"
import type { JournalEntry } from "../domain/JobRecord.ts"
import * as JobState from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import { DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import { CheckpointStore, type StoredFile } from "../storage/CheckpointStore.ts"
import { JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import * as Restore from "./Restore.ts"

/**
 * What was found about one file. `unproved`: it is whole, and the journal that could prove it is damaged.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FileCheck = Schema.Struct({
  file: Schema.String.annotations({ description: "name in the job's directory" }),
  path: Schema.String,
  status: Schema.Literal("ok", "absent", "damaged", "unproved"),
  problem: Schema.NullOr(Schema.String),
  repairable: Schema.Boolean.annotations({ description: "a resume can do without it, once it is set aside" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface FileCheck extends Schema.Schema.Type<typeof FileCheck> {}

/**
 * A checkpoint with what was found about it. `id` and `seq` are null when it cannot be read.
 *
 * @since 0.1.0
 * @category models
 */
export interface CheckedSnapshot {
  readonly stored: StoredFile
  readonly id: string | null
  readonly seq: number | null
  readonly check: FileCheck
}

/**
 * All that was found about a job's files.
 *
 * @since 0.1.0
 * @category models
 */
export interface Examination {
  /** The fold of the journal, as far as it could be read. */
  readonly state: JobState.JobState
  readonly journal: FileCheck
  readonly jobFile: FileCheck
  readonly items: FileCheck
  readonly summary: FileCheck
  /** The newest first. */
  readonly snapshots: ReadonlyArray<CheckedSnapshot>
}

/**
 * Examines the files of a job. `follow` is told of each entry that fits, with the state after it.
 *
 * @since 0.1.0
 * @category checking
 */
export const examine = Effect.fn("JobCheck.examine")(function* (
  repo: RepoName,
  jobId: JobId,
  follow: (entry: JournalEntry, state: JobState.JobState) => void = () => {}
): Effect.fn.Return<Examination, StorageError, CheckpointStore | JobStore | Journal | ProdigyHome> {
  const store = yield* JobStore
  const paths = (yield* ProdigyHome).repo(repo).job(jobId)
  const jobFile = yield* attempt(Effect.catchTag(store.load(repo, jobId), "JobNotFound", () => Effect.succeed(null)))
  const items = yield* attempt(store.loadItems(repo, jobId))
  const summary = yield* attempt(store.loadSummary(repo, jobId))
  const snapshots = yield* digests(repo, jobId)
  const { damage, found, short, state } = yield* fold(repo, jobId, {
    path: paths.journal,
    items: Either.getOrElse(items, () => null),
    expected: Either.isRight(summary) ? (summary.right?.seq ?? 0) : 0,
    follow,
    wanted: new Set(snapshots.flatMap(({ digest }) => (digest === null ? [] : [digest.seq])))
  })
  return {
    state,
    journal: damage === null ? fine(paths.journal) : damaged(damage, short),
    jobFile: checkOf(paths.jobFile, jobFile),
    items: checkOf(paths.workItems, yield* attempt(Restore.items(repo, jobId, state?.total ?? null))),
    summary: checkOf(paths.jobState, summary, true),
    snapshots: snapshots.map((snapshot) => proved(snapshot, { found, state, journalDamaged: damage !== null }))
  }
})

const attempt = <A, R>(self: Effect.Effect<A, DamagedFile | StorageError, R>) =>
  Effect.map(self, Either.right).pipe(
    Effect.catchTag("DamagedFile", (error) => Effect.succeed(Either.left(error))),
    Effect.map((found): Either.Either<A, DamagedFile> => found)
  )

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

const fine = (path: string): FileCheck => ({
  file: nameOf(path),
  path,
  status: "ok",
  problem: null,
  repairable: false
})

const damaged = (error: DamagedFile, repairable: boolean): FileCheck => ({
  file: nameOf(error.path),
  path: error.path,
  status: "damaged",
  problem: error.message,
  repairable
})

const checkOf = (path: string, read: Either.Either<unknown, DamagedFile>, repairable = false): FileCheck =>
  Either.isLeft(read)
    ? damaged(read.left, repairable)
    : { ...fine(path), status: read.right === null ? "absent" : "ok" }

// -----------------------------------------------------------------------------
// the journal
// -----------------------------------------------------------------------------

interface Against {
  readonly path: string
  /** Null when they are not selected yet, or cannot be read. */
  readonly items: ReadonlyArray<WorkItem> | null
  /** Entries that must be there. */
  readonly expected: number
  readonly follow: (entry: JournalEntry, state: JobState.JobState) => void
  /** Seqs of which the digest of the state is asked for. */
  readonly wanted: ReadonlySet<number>
}

/** Folds the journal as far as it can be read. */
const fold = Effect.fnUntraced(function* (repo: RepoName, jobId: JobId, against: Against) {
  const journal = yield* Journal
  const state = yield* Ref.make(JobState.empty)
  const found = new Map<number, string>()
  const misfit = (entry: JournalEntry, expected: string, actual: string) =>
    new DamagedFile({ path: against.path, line: entry.seq, expected, actual })
  const step = Effect.fnUntraced(function* (entry: JournalEntry) {
    const { record } = entry
    if (record.type === "job_started" && record.job_id !== jobId) {
      return yield* misfit(entry, `job ${jobId}`, `job ${record.job_id}`)
    }
    if ("item_id" in record && against.items !== null && against.items[record.index]?.id !== record.item_id) {
      return yield* misfit(entry, `item ${against.items[record.index]?.id ?? "in the list"}`, `item ${record.item_id}`)
    }
    const next = JobState.apply(yield* Ref.get(state), record)
    if (Either.isLeft(next)) return yield* misfit(entry, next.left.expected, next.left.actual)
    yield* Ref.set(state, next.right)
    against.follow(entry, next.right)
    if (against.wanted.has(next.right.seq)) found.set(next.right.seq, yield* digestOf(next.right))
  })
  const read = yield* attempt(Stream.runForEach(journal.read(repo, jobId, 0), step))
  const reached = yield* Ref.get(state)
  const short = Either.isRight(read) && reached.seq < against.expected
  const damage = Either.isLeft(read)
    ? read.left
    : short
      ? new DamagedFile({
          path: against.path,
          line: reached.seq,
          expected: `at least ${against.expected} entries, as many as job-state.json was written after`,
          actual: `${reached.seq} entries`
        })
      : null
  return { state: reached, found, damage, short }
})

/** What two states have in common when they are the same, in whatever order their items came in. */
const digestOf = (state: JobState.JobState): Effect.Effect<string> =>
  Effect.orDie(
    Effect.map(encodeState(state), (encoded) => {
      const items = encoded.items.toSorted(([a], [b]) => a - b)
      return Digest.sha256(JSON.stringify({ ...encoded, items }))
    })
  )

const encodeState = Schema.encode(JobState.JobState)

// -----------------------------------------------------------------------------
// checkpoints
// -----------------------------------------------------------------------------

interface Digested {
  readonly stored: StoredFile
  readonly digest: { readonly id: string; readonly seq: number; readonly sha256: string } | null
  readonly damage: DamagedFile | null
}

/** The checkpoints one by one, so that only one state is in memory at a time. */
const digests = Effect.fnUntraced(function* (repo: RepoName, jobId: JobId) {
  const store = yield* CheckpointStore
  const all: Array<Digested> = []
  for (const stored of yield* store.list(repo, jobId)) {
    const loaded = yield* attempt(store.load(stored))
    if (Either.isLeft(loaded)) all.push({ stored, digest: null, damage: loaded.left })
    else if (loaded.right !== null) {
      const { id, state } = loaded.right
      all.push({ stored, digest: { id, seq: state.seq, sha256: yield* digestOf(state) }, damage: null })
    }
  }
  return all
})

/** Compares a checkpoint with the fold of the journal up to its seq. */
const proved = (
  { damage, digest, stored }: Digested,
  journal: {
    readonly found: ReadonlyMap<number, string>
    readonly state: JobState.JobState
    readonly journalDamaged: boolean
  }
): CheckedSnapshot => {
  const known = { stored, id: digest?.id ?? null, seq: digest?.seq ?? null }
  if (digest === null) {
    const problem = damage === null ? fine(stored.path) : damaged(damage, true)
    return { ...known, check: problem }
  }
  const refuse = (expected: string, actual: string) => ({
    ...known,
    check: damaged(new DamagedFile({ path: stored.path, line: 0, expected, actual }), true)
  })
  const sha256 = journal.found.get(digest.seq)
  if (sha256 === digest.sha256) return { ...known, check: fine(stored.path) }
  if (sha256 !== undefined) return refuse(`the state after record ${digest.seq} of the journal`, "another state")
  if (digest.seq === 0) return refuse("a state after some record", "the state before the first one")
  if (!journal.journalDamaged) {
    return refuse(`at most ${journal.state.seq} records, as many as the journal has`, `${digest.seq} records`)
  }
  const problem = `The journal is damaged before record ${digest.seq}, so it could not be compared.`
  return { ...known, check: { ...fine(stored.path), status: "unproved", problem } }
}
