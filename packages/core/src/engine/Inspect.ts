/**
 * Looking at what runs left behind: sessions and jobs, found by the ids that people type.
 *
 * Owns what an id means (a session id, a job id, the beginning of one, or `latest`), what stands for "this repository's
 * latest job", and the filters of listings. Reads only; makes and repairs nothing, so that it is safe beside a run.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import { didYouMean } from "../domain/DidYouMean.ts"
import { byTime, type JobId, stamp } from "../domain/JobId.ts"
import { RepoName } from "../domain/RepoName.ts"
import * as SafeName from "../domain/SafeName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome, type RepoNameError } from "../storage/ProdigyHome.ts"
import { SessionJobIndex } from "../storage/SessionJobIndex.ts"
import { type Listed, SessionStore } from "../storage/SessionStore.ts"
import { WorkflowStore } from "../storage/WorkflowStore.ts"
import { Workspace, type WorkspaceError } from "../workspace/Workspace.ts"

/**
 * Nothing goes by that id. `text` is `latest` when nothing was recorded yet; `job` is the one that was searched.
 *
 * @since 0.1.0
 * @category errors
 */
export class IdNotFound extends Schema.TaggedError<IdNotFound>("@prodigy/core/engine/Inspect/IdNotFound")(
  "IdNotFound",
  {
    kind: Schema.Literal(
      "session",
      "job",
      "dead letter",
      "event type",
      "event field",
      "agent",
      "checkpoint",
      "item",
      "worktree"
    ),
    text: Schema.String,
    job: Schema.NullOr(Schema.String),
    suggestions: Schema.Array(Schema.String)
  }
) {
  override get message() {
    if (this.text === "latest" && this.job === null) return `No ${this.kind} is recorded yet.`
    const where = this.job === null ? "" : ` in job ${this.job}`
    return `There is no ${this.kind} "${this.text}"${where}.`
  }
}

/**
 * The beginning of an id fits more than one.
 *
 * @since 0.1.0
 * @category errors
 */
export class AmbiguousId extends Schema.TaggedError<AmbiguousId>("@prodigy/core/engine/Inspect/AmbiguousId")(
  "AmbiguousId",
  { text: Schema.String, candidates: Schema.Array(Schema.String) }
) {
  override get message() {
    return `"${this.text}" is the beginning of ${this.candidates.length} ids.`
  }
}

/**
 * A text that cannot be an id. It was not used in any path.
 *
 * @since 0.1.0
 * @category errors
 */
export class IdInvalid extends Schema.TaggedError<IdInvalid>("@prodigy/core/engine/Inspect/IdInvalid")("IdInvalid", {
  text: Schema.String,
  expected: Schema.String
}) {
  override get message() {
    return `"${this.text}" is not an id: expected ${this.expected}.`
  }
}

/**
 * The statuses a listing can be filtered by.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Shown = Schema.Literal(
  "Initializing",
  "Running",
  "Paused",
  "Completed",
  "Failed",
  "Cancelled",
  "Interrupted"
)

/**
 * @since 0.1.0
 * @category models
 */
export type Shown = typeof Shown.Type

/**
 * A job, and whose it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface JobRef {
  readonly repo: RepoName
  readonly jobId: JobId
  readonly sessionId: SessionIds.SessionId
}

/**
 * A session, whatever became of its file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Known {
  readonly repo: RepoName
  readonly sessionId: SessionIds.SessionId
  /** Null: the session of a standard workflow. */
  readonly jobId: JobId | null
  /** Null when the session's file is lost or damaged: what it runs, or a mapping, tells of it. */
  readonly listed: Listed | null
}

/**
 * The session's file is gone; what it runs and how far it is are stored all the same.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionLost extends Schema.TaggedError<SessionLost>("@prodigy/core/engine/Inspect/SessionLost")(
  "SessionLost",
  { session_id: SessionIds.SessionId }
) {
  override get message() {
    return `The file of session ${this.session_id} is lost; the rest of the session is not.`
  }
}

/**
 * What looking something up may fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type InspectError =
  | IdNotFound
  | AmbiguousId
  | IdInvalid
  | SessionLost
  | WorkspaceError
  | RepoNameError
  | StorageError
  | DamagedFile

/**
 * @since 0.1.0
 * @category services
 */
export class Inspect extends Context.Tag("@prodigy/core/engine/Inspect")<
  Inspect,
  {
    /** The name that the repository around `projectPath` holds; null when nothing of it is recorded. */
    readonly repository: (options: {
      readonly projectPath: string
    }) => Effect.Effect<RepoName | null, WorkspaceError | RepoNameError | StorageError | DamagedFile>

    /**
     * Sessions, newest first: those of the repository around `projectPath`, or all. `total` counts before `limit`.
     * Damaged files are listed apart and stop nothing.
     */
    readonly sessions: (filter: {
      readonly projectPath: string
      readonly allRepos: boolean
      readonly status: Shown | null
      readonly limit: number
    }) => Effect.Effect<
      {
        readonly sessions: ReadonlyArray<Listed>
        readonly total: number
        readonly damaged: ReadonlyArray<DamagedFile>
      },
      WorkspaceError | RepoNameError | StorageError | DamagedFile
    >

    /**
     * The session that `id` means. Only `latest` needs a repository around `projectPath`. A whole id means that session
     * or job and no other, whether or not its file is there; so does the beginning of an id that fits only it.
     */
    readonly known: (options: {
      readonly projectPath: string
      readonly id: string
    }) => Effect.Effect<Known, InspectError>

    /** As `known`; fails with `SessionLost` or `DamagedFile` when that session's file is not there to be read. */
    readonly session: (options: {
      readonly projectPath: string
      readonly id: string
    }) => Effect.Effect<Listed, InspectError>

    /** The job that `id` means. */
    readonly job: (options: {
      readonly projectPath: string
      readonly id: string
    }) => Effect.Effect<JobRef, InspectError>
  }
>() {}

/**
 * What `latest` is typed as.
 *
 * @since 0.1.0
 * @category models
 */
export const latest = "latest"

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const workspace = yield* Workspace
  const home = yield* ProdigyHome
  const store = yield* SessionStore
  const index = yield* SessionJobIndex
  const jobs = yield* JobStore
  const workflows = yield* WorkflowStore

  const repoOf = Effect.fnUntraced(function* (projectPath: string) {
    const project = yield* workspace.find(projectPath)
    return yield* home.findRepoName({ path: project.root, rootCommit: project.rootCommit })
  })

  /** As `repoOf`, for lookups to which a repository only gives preference. */
  const repoIfAny = (projectPath: string) =>
    Effect.catchTag(repoOf(projectPath), "WorkspaceError", () => Effect.succeed(null))

  const sessions = Effect.fn("Inspect.sessions")(function* (filter: Parameters<Inspect["Type"]["sessions"]>[0]) {
    const repo = filter.allRepos ? null : yield* repoOf(filter.projectPath)
    const { damaged, sessions } = yield* store.list
    const fitting = sessions.filter(
      ({ session, shown }) =>
        (filter.allRepos || session.repository.name === repo) && (filter.status === null || shown === filter.status)
    )
    return { sessions: fitting.slice(0, filter.limit), total: fitting.length, damaged }
  })

  /**
   * Every session that something tells of: its own file, what it runs, or a mapping. Newest first. A session whose file
   * is lost or damaged is one of them, so that nothing else is taken for it.
   */
  const everything = Effect.gen(function* () {
    const { damaged, sessions } = yield* store.list
    const found = new Map<string, Candidate>()
    for (const listed of sessions) {
      const { id, job_id: jobId, repository } = listed.session
      const repo = isRepoName(repository.name) ? repository.name : null
      found.set(`${repository.name}/${id}`, { repo, sessionId: id, jobId, listed, damaged: null })
    }
    const files = new Map(damaged.map((file) => [file.path, file]))
    const takeIn = (repo: RepoName | null, sessionId: SessionIds.SessionId, jobId: JobId | null) => {
      const key = `${repo}/${sessionId}`
      const path = home.session(sessionId)
      if (!found.has(key)) found.set(key, { repo, sessionId, jobId, listed: null, damaged: files.get(path) ?? null })
    }
    for (const repo of yield* home.repoNames) {
      const jobIds = [...(yield* jobs.list(repo)), ...(yield* index.jobs(repo))]
      for (const jobId of jobIds) takeIn(repo, SessionIds.fromJob(jobId), jobId)
      for (const sessionId of yield* workflows.list(repo)) takeIn(repo, sessionId, null)
    }
    const ids = new Set([...found.values()].map(({ sessionId }) => sessionId))
    for (const { path } of damaged) {
      const id = /([^/]+)\.json$/.exec(path)?.[1]
      if (id !== undefined && isSessionId(id) && !ids.has(id)) takeIn(null, id, SessionIds.jobOf(id))
    }
    return [...found.values()].toSorted(newestFirst)
  })

  /** The session or job that a text means, whatever became of the session's file. */
  const find = Effect.fnUntraced(function* (options: {
    readonly projectPath: string
    readonly id: string
    readonly kind: "session" | "job"
  }) {
    const { id: text, kind, projectPath } = options
    const repo = yield* text === latest ? repoOf(projectPath) : repoIfAny(projectPath)
    const candidates = yield* everything
    return yield* pick(kind === "job" ? candidates.filter(({ jobId }) => jobId !== null) : candidates, {
      kind,
      text,
      repo,
      repoOf: (candidate) => candidate.repo,
      idsOf: ({ jobId, sessionId }) => (jobId === null ? [sessionId] : [sessionId, jobId])
    })
  })

  const known = Effect.fn("Inspect.known")(function* (options: { readonly projectPath: string; readonly id: string }) {
    const { damaged, repo, ...found } = yield* find({ ...options, kind: "session" })
    if (repo !== null) return { ...found, repo }
    // Nothing but a file that cannot be read tells of it.
    return yield* damaged ?? new IdNotFound({ kind: "session", text: options.id, job: null, suggestions: [] })
  })

  const session = Effect.fn("Inspect.session")(function* (options: {
    readonly projectPath: string
    readonly id: string
  }) {
    const { damaged, listed, sessionId } = yield* find({ ...options, kind: "session" })
    return listed ?? (yield* damaged ?? new SessionLost({ session_id: sessionId }))
  })

  const job = Effect.fn("Inspect.job")(function* (options: { readonly projectPath: string; readonly id: string }) {
    const { damaged, jobId, repo, sessionId } = yield* find({ ...options, kind: "job" })
    if (jobId !== null && repo !== null) return { repo, jobId, sessionId }
    return yield* damaged ?? new IdNotFound({ kind: "job", text: options.id, job: null, suggestions: [] })
  })

  return {
    repository: ({ projectPath }: { readonly projectPath: string }) => repoOf(projectPath),
    sessions,
    known,
    session,
    job
  }
})

/**
 * Reads the storage that is given.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Inspect,
  never,
  JobStore | ProdigyHome | SessionJobIndex | SessionStore | WorkflowStore | Workspace
> = Layer.effect(Inspect, make)

/** Most candidates that an ambiguous id lists. */
const shownMax = 10

interface Candidate {
  /** Null: its file is damaged, or names no repository, and nothing else tells of it. */
  readonly repo: RepoName | null
  readonly sessionId: SessionIds.SessionId
  readonly jobId: JobId | null
  readonly listed: Listed | null
  readonly damaged: DamagedFile | null
}

const isRepoName = Schema.is(RepoName)
const isSessionId = Schema.is(SessionIds.SessionId)

/**
 * By the second in the id, which is there when the file is not; in one second by the time in the file, then by the count in
 * the id.
 */
const newestFirst: Order.Order<Candidate> = Order.reverse(
  Order.combineAll([
    Order.mapInput(Order.string, (candidate: Candidate) => claimOf(candidate).slice(0, "YYYYMMDD_HHMMSS".length)),
    Order.mapInput(Order.string, ({ listed }: Candidate) => listed?.session.started_at ?? ""),
    Order.mapInput(byTime, (candidate: Candidate) => claimOf(candidate)),
    Order.mapInput(Order.string, ({ sessionId }: Candidate) => sessionId)
  ])
)

const claimOf = ({ listed, sessionId }: Candidate): string =>
  SessionIds.isWhole(sessionId) || listed === null
    ? SessionIds.claimedAt(sessionId)
    : stamp(millisOf(listed.session.started_at))

/**
 * The one value that a text means: by its whole id, else by the unique beginning of one; values of `repo` come before those
 * of other repositories. `values` are newest first.
 */
const pick = <Value>(
  values: ReadonlyArray<Value>,
  how: {
    readonly kind: "session" | "job"
    readonly text: string
    readonly repo: RepoName | null
    readonly repoOf: (value: Value) => string | null
    readonly idsOf: (value: Value) => ReadonlyArray<string>
  }
): Effect.Effect<Value, IdNotFound | AmbiguousId | IdInvalid> => {
  const { idsOf, kind, repo, text } = how
  const here = values.filter((value) => how.repoOf(value) === repo)
  if (text === latest) {
    const first = here[0]
    return first === undefined ? new IdNotFound({ kind, text, job: null, suggestions: [] }) : Effect.succeed(first)
  }
  if (!SafeName.isSafe(text)) {
    return new IdInvalid({ text, expected: "a session id, a job id, the beginning of one, or latest" })
  }
  const begins = (id: string) => id.startsWith(text)
  const tests = [(id: string) => id === text, ...(SessionIds.isWhole(text) ? [] : [begins])]
  for (const fits of tests) {
    for (const among of [here, values]) {
      const found = among.filter((value) => idsOf(value).some(fits))
      if (found.length === 1 && found[0] !== undefined) return Effect.succeed(found[0])
      if (found.length > 1) {
        const candidates = found.slice(0, shownMax).map((value) => idsOf(value).find(fits) ?? text)
        return new AmbiguousId({ text, candidates })
      }
    }
  }
  return new IdNotFound({ kind, text, job: null, suggestions: didYouMean(text, [latest, ...values.flatMap(idsOf)]) })
}

const millisOf = (timestamp: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(timestamp))
