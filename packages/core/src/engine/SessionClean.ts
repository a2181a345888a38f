/**
 * Removing sessions that nobody needs any more, with everything that belongs to them alone.
 *
 * Owns what may go. What is completed or cancelled, merged, and without unresolved dead letters goes; with `all`, so does
 * what could still be resumed (it is cancelled first), what is not merged and what failed: branches and rescue refs with
 * such work stay in the repository and are named. What a process drives never goes. Does not own what belongs to a
 * session (`SessionFiles`), nor how one that is not over is ended (`MapReduce.cancel`, `WorkflowRun.cancel`).
 *
 * Crash guarantee: a session that is not over is cancelled, by its journal or checkpoint, before anything of it is removed;
 * from then on see `SessionFiles`. Cleaning again does what is left.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { DeadLetter } from "../domain/DeadLetter.ts"
import type { JobId } from "../domain/JobId.ts"
import { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import type { DamagedFile } from "../storage/AtomicFile.ts"
import { DeadLetterQueue } from "../storage/DeadLetterQueue.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock } from "../storage/ResumeLock.ts"
import { SessionFiles } from "../storage/SessionFiles.ts"
import { type Listed, SessionStore } from "../storage/SessionStore.ts"
import { TranscriptStore } from "../storage/TranscriptStore.ts"
import { type SessionFileNotFound, WorkflowStore } from "../storage/WorkflowStore.ts"
import { type Project, Workspace } from "../workspace/Workspace.ts"
import { Inspect, type InspectError, Shown } from "./Inspect.ts"
import { type CancelError, MapReduce } from "./MapReduce.ts"
import type { AnyReport } from "./Runner.ts"
import { WorkflowRun } from "./WorkflowRun.ts"

/**
 * Why a session stays. All but `under_way`, `too_young` and `failed` can be gone over by `all`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Reason = Schema.Literal(
  "under_way",
  "too_young",
  "not_over",
  "unmerged",
  "dead_letters",
  "orphans",
  "no_repository",
  "failed"
)

/**
 * What becomes of one session.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Entry = Schema.Struct({
  session_id: SessionId,
  repository: Schema.String,
  workflow_name: Schema.String,
  status: Shown,
  updated_at: Schema.String,
  removed: Schema.Boolean.annotations({ description: "it is gone; in a dry run: it would be" }),
  reason: Schema.NullOr(Reason).annotations({ description: "why it stays; null when it goes" }),
  detail: Schema.NullOr(Schema.String),
  left: Schema.Array(Schema.String).annotations({
    description: "branches and rescue refs with work that is not merged: they stay in the repository"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Entry extends Schema.Schema.Type<typeof Entry> {}

/**
 * Which sessions may go.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly projectPath: string
  /** Sessions of all repositories, not only of the one around `projectPath`. */
  readonly allRepos: boolean
  /** Not changed since then, in milliseconds since 1970; null: however young. */
  readonly beforeMillis: number | null
  /** Also what can still be resumed, is not merged, or has dead letters that are not resolved. */
  readonly all: boolean
  /** Changes nothing: says what would be removed. */
  readonly dryRun: boolean
  /** Only these, because only these were shown; null: all that may go. */
  readonly only: ReadonlySet<SessionId> | null
}

/**
 * What was done, newest session first.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result {
  readonly entries: ReadonlyArray<Entry>
  /** Session files that cannot be read; they stay. */
  readonly damaged: ReadonlyArray<DamagedFile>
}

/**
 * Sessions that were to be removed are still there, or something of them is.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotRemoved extends Schema.TaggedError<NotRemoved>("@prodigy/core/engine/SessionClean/NotRemoved")(
  "NotRemoved",
  { sessions: Schema.NonEmptyArray(SessionId) }
) {
  override get message() {
    const [first] = this.sessions
    return this.sessions.length === 1
      ? `${first} was not removed.`
      : `${this.sessions.length} sessions were not removed.`
  }
}

/**
 * @since 0.1.0
 * @category services
 */
export class SessionClean extends Context.Tag("@prodigy/core/engine/SessionClean")<
  SessionClean,
  {
    /**
     * Removes the sessions that may go, one after another. One that cannot be removed stays, with the reason `failed`, and
     * stops nothing. Of sessions that `only` does not name, nothing is told.
     */
    readonly clean: (request: Request) => Effect.Effect<Result, InspectError>
  }
>() {}

interface Candidate {
  readonly listed: Listed
  readonly repo: RepoName
  /** Null: the session of a standard workflow. */
  readonly jobId: JobId | null
  readonly sessionId: SessionId
}

/** Why a session stays, and what of it stays in the repository. */
interface Verdict {
  readonly reason: typeof Reason.Type | null
  readonly detail: string | null
  readonly left: ReadonlyArray<string>
}

const goes = (left: ReadonlyArray<string>): Verdict => ({ reason: null, detail: null, left })
const stays = (reason: typeof Reason.Type, detail: string, left: ReadonlyArray<string> = []): Verdict => ({
  reason,
  detail,
  left
})

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const engine = yield* MapReduce
  const files = yield* SessionFiles
  const home = yield* ProdigyHome
  const inspect = yield* Inspect
  const letters = yield* DeadLetterQueue
  const lock = yield* ResumeLock
  const sessions = yield* SessionStore
  const standard = yield* WorkflowRun
  const store = yield* JobStore
  const transcripts = yield* TranscriptStore
  const workflows = yield* WorkflowStore
  const workspaces = yield* Workspace

  /** The repository that a session is of; null when it is not where it was. */
  const projectOf = Effect.fnUntraced(function* ({ listed, repo }: Candidate) {
    const project = yield* workspaces.find(listed.session.repository.path).pipe(
      Effect.map((found): Project | null => found),
      Effect.catchIf(
        ({ reason }) => reason === "not_a_repository",
        () => Effect.succeed(null)
      )
    )
    if (project === null) return null
    const name = yield* home.findRepoName({ path: project.root, rootCommit: project.rootCommit })
    return name === repo ? project : null
  })

  /** What it runs was written, so that it can be ended by its engine. */
  const isWritten = ({ jobId, repo, sessionId }: Candidate) =>
    jobId === null
      ? Effect.map(workflows.list(repo), (ids) => ids.includes(sessionId))
      : Effect.map(store.list(repo), (ids) => ids.includes(jobId))

  /** The branch that its work goes to, as far as anything tells. */
  const targetOf = Effect.fnUntraced(function* ({ jobId, listed, repo, sessionId }: Candidate) {
    const stored: Effect.Effect<{ readonly target_branch: string | null }, unknown> =
      jobId === null ? workflows.load(repo, sessionId) : store.load(repo, jobId)
    return yield* stored.pipe(
      Effect.map(({ target_branch }) => target_branch),
      Effect.orElseSucceed(() => listed.session.worktree?.target_branch ?? null)
    )
  })

  const leftoversOf = Effect.fnUntraced(function* (candidate: Candidate, project: Project) {
    const { jobId, sessionId } = candidate
    return yield* workspaces.leftovers(project, { sessionId, jobId, target: yield* targetOf(candidate) })
  })

  /** Whether a session may go, by its own file and its lock. */
  const judgeItself = Effect.fnUntraced(function* (candidate: Candidate, { all, beforeMillis }: Request) {
    const { jobId, listed, sessionId } = candidate
    const { session, shown } = listed
    const holder = yield* lock.holder(jobId ?? sessionId)
    if (shown === "Running" || shown === "Initializing" || holder !== null) {
      return stays("under_way", "a process drives it")
    }
    if (beforeMillis !== null && millisOf(session.updated_at) >= beforeMillis) {
      return stays("too_young", `it changed at ${session.updated_at}`)
    }
    if (shown === "Completed" || shown === "Cancelled" || all) return null
    // One that died before it was written what it runs cannot be gone on with.
    const canGoOn = listed.session.status !== "Initializing" || (yield* isWritten(candidate))
    return !canGoOn ? null : stays("not_over", `it is ${shown.toLowerCase()} and can be resumed`)
  })

  /** Whether it may go, by what it has left. With `all` nothing keeps it. */
  const judgeWork = Effect.fnUntraced(function* (candidate: Candidate, { all }: Request) {
    const { jobId, listed, repo } = candidate
    const project = yield* projectOf(candidate)
    const { rescues, unmerged } =
      project === null ? { rescues: [], unmerged: [] } : yield* leftoversOf(candidate, project)
    const left = [...unmerged, ...rescues]
    if (all) return goes(left)
    const open = ({ status }: DeadLetter) => status !== "resolved"
    const unresolved = jobId === null ? 0 : yield* Stream.runCount(Stream.filter(letters.stream(repo, jobId), open))
    if (unresolved > 0) {
      return stays("dead_letters", `${unresolved} dead ${unresolved === 1 ? "letter is" : "letters are"} not resolved`)
    }
    const orphans = jobId === null ? [] : yield* store.loadOrphans(repo, jobId)
    if (orphans.length > 0) return stays("orphans", `${orphans.map(({ path }) => path).join(", ")}: not removed`)
    if (unmerged.length > 0) return stays("unmerged", `${unmerged.join(", ")}: not merged`, left)
    // Its worktree goes when it is merged: then the repository has nothing more to tell.
    return project === null && listed.session.worktree !== null
      ? stays("no_repository", `${listed.session.repository.path} is not there to tell what is merged`)
      : goes(left)
  })

  /**
   * Ends a session that is not over, and removes the worktrees of one that is, or of which nothing else is left. Null when
   * there is nothing to do, or nowhere; else the paths that could not be removed.
   */
  const endIt = Effect.fnUntraced(function* (candidate: Candidate, project: Project | null) {
    const { jobId, listed, repo, sessionId } = candidate
    if (project === null) return null
    if (listed.session.status !== "Completed" && (yield* isWritten(candidate))) {
      const ending: Effect.Effect<AnyReport, CancelError | SessionFileNotFound> =
        jobId === null
          ? standard.cancel({ repo, sessionId })
          : engine.cancel({ repo, jobId, reason: "removed by the user" })
      const ended = yield* Effect.catchTags(ending, {
        AlreadyCancelled: () => Effect.succeed(null),
        // Its session's file was behind; what is left of it is removed like that of any other.
        AlreadyCompleted: () => Effect.succeed(null),
        // Nobody can go on with it either.
        DamagedFile: () => Effect.succeed(null)
      })
      if (ended !== null) return ended.orphans
    }
    if (listed.session.worktree === null) return null
    const target = yield* targetOf(candidate)
    return yield* Effect.scoped(
      Effect.gen(function* () {
        yield* lock.acquire({ jobId, sessionId, force: false })
        const base = project.head
        const workspace = yield* workspaces.open({ project, repo, sessionId, jobId, base, target, maxParallel: 1 })
        const { orphans } = yield* workspace.clean({ keepParent: false })
        return orphans.map(({ path }) => path)
      })
    )
  })

  /** Removes a session that may go: why it is not gone, or what is left of its work. */
  const remove = Effect.fnUntraced(function* (candidate: Candidate, directories: ReadonlyArray<string>) {
    const { jobId, listed, repo, sessionId } = candidate
    const project = yield* projectOf(candidate)
    const orphans = yield* endIt(candidate, project)
    if (orphans !== null && orphans.length > 0) return stays("failed", `${orphans.join(", ")} could not be removed`)
    // Ending it may have made rescue refs.
    const found = project === null ? null : yield* leftoversOf(candidate, project)
    yield* lock.acquire({ jobId, sessionId, force: false })
    // Judged before it was ours alone.
    const now = yield* sessions.get(sessionId)
    if (orphans === null && now.updated_at !== listed.session.updated_at) {
      return stays("too_young", `it changed at ${now.updated_at}`)
    }
    yield* files.remove({ repo, sessionId, jobId, transcripts: directories })
    return goes(found === null ? [] : [...found.unmerged, ...found.rescues])
  }, Effect.scoped)

  const one = Effect.fnUntraced(function* (
    candidate: Candidate,
    request: Request,
    directories: ReadonlyMap<SessionId, ReadonlyArray<string>>
  ) {
    const verdict = yield* Effect.catchAll(
      Effect.flatMap(judgeItself(candidate, request), (kept) =>
        kept === null ? judgeWork(candidate, request) : Effect.succeed(kept)
      ),
      failed
    )
    if (verdict.reason !== null) return entryOf(candidate, verdict, false)
    if (request.dryRun) return entryOf(candidate, verdict, true)
    const mine = directories.get(candidate.sessionId) ?? []
    const done = yield* Effect.catchAll(remove(candidate, mine), failed)
    return entryOf(candidate, done, done.reason === null)
  })

  return SessionClean.of({
    clean: Effect.fn("SessionClean.clean")(function* (request) {
      const { allRepos, dryRun, only, projectPath } = request
      const filter = { projectPath, allRepos, status: null, limit: Number.MAX_SAFE_INTEGER }
      const { damaged, sessions } = yield* inspect.sessions(filter)
      const candidates = sessions.flatMap((listed) => candidateOf(listed) ?? [])
      const meant = candidates.filter(({ sessionId }) => only === null || only.has(sessionId))
      const repos = dryRun ? [] : [...new Set(meant.map(({ repo }) => repo))]
      const maps = yield* Effect.forEach(repos, transcripts.directories)
      const directories = new Map(maps.flatMap((map) => [...map]))
      return { entries: yield* Effect.forEach(meant, (candidate) => one(candidate, request, directories)), damaged }
    })
  })
})

const isRepoName = Schema.is(RepoName)

const candidateOf = (listed: Listed): Candidate | null => {
  const { id: sessionId, job_id: jobId, repository } = listed.session
  return isRepoName(repository.name) ? { listed, repo: repository.name, jobId, sessionId } : null
}

const failed = (error: { readonly message: string }) => Effect.succeed(stays("failed", error.message))

const entryOf = ({ listed: { session, shown } }: Candidate, verdict: Verdict, removed: boolean): Entry => ({
  session_id: session.id,
  repository: session.repository.name,
  workflow_name: session.workflow.name,
  status: shown,
  updated_at: session.updated_at,
  removed,
  ...verdict
})

const millisOf = (timestamp: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(timestamp))

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  SessionClean,
  never,
  | DeadLetterQueue
  | Inspect
  | JobStore
  | MapReduce
  | ProdigyHome
  | ResumeLock
  | SessionFiles
  | SessionStore
  | TranscriptStore
  | WorkflowRun
  | WorkflowStore
  | Workspace
> = Layer.effect(SessionClean, make)
