/**
 * Everything that is recorded of a job, read for comparison.
 *
 * Owns what is read, and in which order: what is derived before what it is derived from, so that beside a run nothing says more
 * than what is read after it. Writes nothing, takes no lock. What must hold is `JobInvariants`'.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import type { DeadLetter } from "../domain/DeadLetter.ts"
import type { DeadLetterSummary } from "../domain/DeadLetterSummary.ts"
import type { EventRecord } from "../domain/Event.ts"
import type { JobId } from "../domain/JobId.ts"
import type { JournalEntry } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { Session } from "../domain/Session.ts"
import * as SessionId from "../domain/SessionId.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import { AtomicFile, type DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import type { CheckpointStore } from "../storage/CheckpointStore.ts"
import * as DeadLetterIndex from "../storage/DeadLetterIndex.ts"
import { DeadLetterQueue } from "../storage/DeadLetterQueue.ts"
import { EventLog } from "../storage/EventLog.ts"
import { type JobFile, JobStore, type JobSummary } from "../storage/JobStore.ts"
import type { Journal } from "../storage/Journal.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock } from "../storage/ResumeLock.ts"
import { type Mapping, SessionJobIndex } from "../storage/SessionJobIndex.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import * as TemporaryName from "../storage/TemporaryName.ts"
import { type Holdings, Workspace } from "../workspace/Workspace.ts"
import * as JobCheck from "./JobCheck.ts"

/**
 * What is recorded of a job. What could not be read is in `damaged`, and null or left out here.
 *
 * @since 0.1.0
 * @category models
 */
export interface JobEvidence {
  readonly jobId: JobId
  readonly sessionId: SessionId.SessionId
  /** Somebody who lives held the job while it was looked at, or something of it changed meanwhile. */
  readonly isDriven: boolean
  /** Null: the job was claimed and never begun. */
  readonly job: JobFile | null
  readonly files: JobCheck.Examination
  /** The entries that fit, without what items answered and printed. */
  readonly entries: ReadonlyArray<JournalEntry>
  readonly summary: JobSummary | null
  readonly session: Session | null
  readonly mappings: { readonly ofSession: Mapping | null; readonly ofJob: Mapping | null }
  readonly letters: ReadonlyArray<DeadLetter>
  /** As `DeadLetterIndex.Content`. */
  readonly index: ReadonlyMap<ItemId, DeadLetterSummary | null>
  readonly damaged: ReadonlyArray<DamagedFile>
  /** Those that tell of outcomes, in their order; null: they were not asked for. */
  readonly events: {
    readonly told: ReadonlyArray<EventRecord["event"]>
    /** Lines that cannot be read. */
    readonly damaged: number
  } | null
  /** Null: the repository could not be asked. */
  readonly git: (Holdings & { readonly hasAgentWorktrees: boolean }) | null
  /** Locks, and temporary files in the job's own directories. */
  readonly leftBehind: ReadonlyArray<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export type Sources =
  | AtomicFile
  | CheckpointStore
  | DeadLetterQueue
  | EventLog
  | FileSystem.FileSystem
  | JobStore
  | Journal
  | ProdigyHome
  | ResumeLock
  | SessionJobIndex
  | SessionStore
  | Workspace

/**
 * Reads what is recorded of a job. `events`: its events too, of which there may be very many.
 *
 * @since 0.1.0
 * @category reading
 */
export const gather = Effect.fn("JobEvidence.gather")(function* (options: {
  readonly repo: RepoName
  readonly jobId: JobId
  readonly events: boolean
}): Effect.fn.Return<JobEvidence, StorageError, Sources> {
  const { jobId, repo } = options
  const files = yield* AtomicFile
  const home = yield* ProdigyHome
  const store = yield* JobStore
  const sessionId = SessionId.fromJob(jobId)
  const paths = home.repo(repo).job(jobId)
  const damaged: Array<DamagedFile> = []
  const whole = <A, R>(
    read: Effect.Effect<A, StorageError | DamagedFile, R>
  ): Effect.Effect<A | null, StorageError, R> =>
    Effect.catchTag(read, "DamagedFile", (error) => Effect.sync(() => (damaged.push(error), null)))

  const before = yield* standing(repo, jobId)
  // `JobCheck` tells of damage to these two.
  const job = yield* Effect.catchTags(store.load(repo, jobId), {
    DamagedFile: () => Effect.succeed(null),
    JobNotFound: () => Effect.succeed(null)
  })
  const summary = yield* Effect.catchTag(store.loadSummary(repo, jobId), "DamagedFile", () => Effect.succeed(null))
  const session = yield* whole(
    Effect.catchTag((yield* SessionStore).get(sessionId), "SessionNotFound", () => Effect.succeed(null))
  )
  const mappings = yield* whole((yield* SessionJobIndex).look(repo, { sessionId, jobId }))
  const index = yield* DeadLetterIndex.read(files, paths.deadLetterIndex)
  if (index.damage !== null) damaged.push(index.damage)
  const letters: Array<DeadLetter> = []
  yield* Stream.runForEach((yield* DeadLetterQueue).each(repo, jobId), (letter) =>
    Effect.sync(() => void (Either.isRight(letter) ? letters.push(letter.right) : damaged.push(letter.left)))
  )
  const events = options.events ? yield* eventsOf(repo, jobId) : null
  const git = job === null ? null : yield* gitOf(repo, job)
  const entries: Array<JournalEntry> = []
  const examination = yield* JobCheck.examine(repo, jobId, (entry) => void entries.push(small(entry)))
  const leftBehind = yield* leftBehindOf(repo, jobId)
  const after = yield* standing(repo, jobId)
  return {
    jobId,
    sessionId,
    isDriven: before.holder !== null || after.holder !== null || before.stamp !== after.stamp,
    job,
    files: examination,
    entries,
    summary,
    session,
    mappings: mappings ?? { ofSession: null, ofJob: null },
    letters,
    index: index.letters,
    damaged,
    events,
    git,
    leftBehind
  }
})

/** Who drives the job, and what changes whenever somebody did. */
const standing = Effect.fnUntraced(function* (repo: RepoName, jobId: JobId) {
  const files = yield* AtomicFile
  const home = yield* ProdigyHome
  const paths = home.repo(repo).job(jobId)
  const stamp = yield* Effect.all([
    files.read(home.session(SessionId.fromJob(jobId))),
    files.read(home.resumeLock(jobId)),
    files.info(paths.journal),
    files.info(paths.deadLetterIndex)
  ])
  return { holder: yield* (yield* ResumeLock).holder(jobId), stamp: JSON.stringify(stamp) }
})

/** Kinds of events that tell of outcomes. */
const outcomes: ReadonlySet<string> = new Set([
  "job_started",
  "agent_completed",
  "agent_failed",
  "worktree_merged",
  "dlq_item_added",
  "dlq_items_evicted",
  "events_dropped",
  "job_completed",
  "job_failed",
  "job_paused",
  "job_cancelled"
])

const eventsOf = Effect.fnUntraced(function* (repo: RepoName, jobId: JobId) {
  const told: Array<EventRecord["event"]> = []
  let damaged = 0
  yield* Stream.runForEach((yield* EventLog).read(repo, jobId), (entry) =>
    Effect.sync(() => {
      if (Either.isLeft(entry)) damaged += 1
      else if (outcomes.has(entry.right.event.event_type)) told.push(entry.right.event)
    })
  )
  return { told, damaged }
})

/** What cannot be asked is not known: the repository may be gone, or the commit that the job began at. */
const gitOf = Effect.fnUntraced(
  function* (repo: RepoName, { base_commit, job_id, repository, session_id, target_branch }: JobFile) {
    const workspaces = yield* Workspace
    const project = yield* workspaces.find(repository.checkout)
    const session = { sessionId: session_id, jobId: job_id, base: base_commit, target: target_branch }
    const holdings = yield* workspaces.holdings(project, session)
    return { ...holdings, hasAgentWorktrees: yield* workspaces.hasAgentWorktrees(project, repo, job_id) }
  },
  Effect.catchTag("WorkspaceError", () => Effect.succeed(null))
)

/** What items answered and printed is none of the comparison, and may be most of a journal. */
const small = (entry: JournalEntry): JournalEntry => {
  const { record } = entry
  switch (record.type) {
    case "item_completed":
      return { ...entry, record: { ...record, result: null } }
    case "item_failed":
      return { ...entry, record: { ...record, failure: { ...record.failure, output_tail: "" } } }
    default:
      return entry
  }
}

const leftBehindOf = Effect.fnUntraced(function* (repo: RepoName, jobId: JobId) {
  const files = yield* AtomicFile
  const fs = yield* FileSystem.FileSystem
  const home = yield* ProdigyHome
  const paths = home.repo(repo).job(jobId)
  const found: Array<string> = []
  for (const directory of [paths.directory, paths.events, paths.queue, paths.deadLetters]) {
    const names = yield* Effect.orElseSucceed(fs.readDirectory(directory), () => [])
    found.push(...names.filter(TemporaryName.isTemporary).map((name) => `${directory}/${name}`))
  }
  const session = home.session(SessionId.fromJob(jobId))
  for (const path of [home.resumeLock(jobId), home.resumeLockGuard(jobId), `${session}.lock`]) {
    if ((yield* files.modifiedAt(path)) !== null) found.push(path)
  }
  return found
})
