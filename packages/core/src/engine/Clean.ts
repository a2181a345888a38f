/**
 * Making room: removing what runs left, component by component, and saying what stays and why.
 *
 * Owns what of each component may go, and the order in which several are cleaned. Nothing of a session that is driven or can
 * be resumed goes, by no option (`Standing`); everything is removed under the lock of its session. Worktrees, sessions and
 * events have rules of their own: `SessionWorktrees`, `SessionClean`, `EventRetention`.
 *
 * Crash guarantee: each removal is one of a whole that can be found and removed again; cleaning again does what is left. The
 * state of a job loses first what a resume would start from, so that nothing half removed is ever gone on with.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { lastChange } from "../domain/DeadLetterSummary.ts"
import { JobId } from "../domain/JobId.ts"
import { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { AtomicFile, type DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import { DeadLetterQueue } from "../storage/DeadLetterQueue.ts"
import { ProdigyHome, type RepoNameError } from "../storage/ProdigyHome.ts"
import { ResumeLock } from "../storage/ResumeLock.ts"
import { SessionJobIndex } from "../storage/SessionJobIndex.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import { TranscriptStore } from "../storage/TranscriptStore.ts"
import { Workspace } from "../workspace/Workspace.ts"
import { EventRetention } from "./EventRetention.ts"
import { Inspect, type InspectError } from "./Inspect.ts"
import { SessionClean } from "./SessionClean.ts"
import { SessionWorktrees } from "./SessionWorktrees.ts"
import * as Standing from "./Standing.ts"

/**
 * What can be cleaned, in the order in which all of it is: a session goes when its worktrees have gone, and state that
 * belongs to no session last.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Part = Schema.Literal("worktrees", "sessions", "logs", "events", "dlq", "state")

/**
 * @since 0.1.0
 * @category models
 */
export type Part = typeof Part.Type

const what = {
  part: Part,
  repository: RepoName,
  name: Schema.String.annotations({ description: "a worktree, a session, a job, a file or a directory" })
}

/**
 * What was removed, what was kept and why, and what was to be removed and could not be.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Result = Schema.Struct({
  removed: Schema.Array(
    Schema.Struct({
      ...what,
      detail: Schema.NullOr(Schema.String),
      rescued: Schema.Array(Schema.String).annotations({ description: "refs that keep work which was there only" })
    })
  ),
  kept: Schema.Array(Schema.Struct({ ...what, reason: Schema.String })),
  failed: Schema.Array(Schema.Struct({ ...what, error: Schema.String }))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Result extends Schema.Schema.Type<typeof Result> {}

type Removed = Result["removed"][number]
type Kept = Result["kept"][number]
type Failed = Result["failed"][number]
type One = Removed | Kept | Failed

/**
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly projectPath: string
  readonly allRepos: boolean
  readonly parts: ReadonlyArray<Part>
  /** What was used since then stays. Milliseconds since 1970. */
  readonly beforeMillis: number
  /** Also worktrees with work that is nowhere else, which rescue refs keep, and dead letters that are not resolved. */
  readonly force: boolean
  readonly dryRun: boolean
}

/**
 * @since 0.1.0
 * @category services
 */
export class Clean extends Context.Tag("@prodigy/core/engine/Clean")<
  Clean,
  {
    /** Cleans. What is too young is not told of; everything else that stays is. */
    readonly clean: (request: Request) => Effect.Effect<Result, InspectError>
  }
>() {}

type CleanError = InspectError | StorageError | DamagedFile | RepoNameError

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const events = yield* EventRetention
  const files = yield* AtomicFile
  const home = yield* ProdigyHome
  const index = yield* SessionJobIndex
  const inspect = yield* Inspect
  const letters = yield* DeadLetterQueue
  const lock = yield* ResumeLock
  const sessionClean = yield* SessionClean
  const sessions = yield* SessionStore
  const transcripts = yield* TranscriptStore
  const workspaces = yield* Workspace
  const worktrees = yield* SessionWorktrees
  const sources = yield* Effect.context<Standing.Sources>()

  const standingOf = (whose: Standing.Whose, holds: boolean) => Effect.provide(Standing.of(whose, { holds }), sources)

  /** Does something to what a session left, if nobody needs it, under its lock; a dry run takes none. */
  const ifFree = Effect.fnUntraced(function* (
    whose: Standing.Whose,
    keep: (reason: string) => Kept,
    dryRun: boolean,
    remove: Effect.Effect<ReadonlyArray<One>, StorageError | DamagedFile>
  ): Effect.fn.Return<ReadonlyArray<One>, StorageError | DamagedFile> {
    const { jobId, sessionId } = whose
    const refusal = Standing.refusal(yield* standingOf(whose, false), sessionId)
    if (refusal !== null) return [keep(refusal)]
    if (dryRun) return yield* remove
    const locked = Effect.gen(function* () {
      yield* lock.acquire({ jobId, sessionId, force: false })
      const now = Standing.refusal(yield* standingOf(whose, true), sessionId)
      return now === null ? yield* remove : [keep(now)]
    })
    return yield* Effect.scoped(locked).pipe(
      Effect.catchTag("ResumeLockHeld", ({ holder }) =>
        Effect.succeed([keep(Standing.refusal(Standing.driven(holder), sessionId) ?? "it is held")])
      )
    )
  })

  const isOld = (path: string, { beforeMillis }: Request) =>
    Effect.map(files.modifiedAt(path), (at) => at !== null && at < beforeMillis)

  // ---------------------------------------------------------------------------
  // the parts
  // ---------------------------------------------------------------------------

  const cleanWorktrees = Effect.fnUntraced(function* (repo: RepoName, request: Request) {
    const claim = yield* home.claimOf(repo)
    const project = claim === null ? Option.none() : yield* Effect.option(workspaces.find(claim.path))
    if (Option.isNone(project)) {
      const names = (yield* files.list(home.repo(repo).worktrees)).filter((name) => !name.startsWith("."))
      const reason = `its repository cannot be found${claim === null ? "" : ` at ${claim.path}`}`
      return names.map((name): One => ({ part: "worktrees", repository: repo, name, reason }))
    }
    const { kept, removed } = yield* worktrees.cleanRepository({ ...request, project: project.value, repo })
    return [
      ...removed.map(({ name, rescued }): One => ({
        part: "worktrees",
        repository: repo,
        name,
        detail: null,
        rescued
      })),
      ...kept.map(({ name, reason }): One => ({ part: "worktrees", repository: repo, name, reason }))
    ]
  })

  const cleanLogs = Effect.fnUntraced(function* (repo: RepoName, request: Request) {
    const found: Array<One> = []
    for (const [sessionId, directories] of yield* transcripts.directories(repo)) {
      const old = yield* Effect.filter(directories, (directory) => isOld(directory, request))
      if (old.length === 0) continue
      const whose = { repo, sessionId, jobId: SessionIds.jobOf(sessionId) }
      const base = { part: "logs" as const, repository: repo }
      const remove = Effect.forEach(old, (directory) =>
        Effect.as(request.dryRun ? Effect.void : files.removeTree(directory), {
          ...base,
          name: directory,
          detail: sessionId,
          rescued: []
        })
      )
      found.push(...(yield* ifFree(whose, (reason) => ({ ...base, name: sessionId, reason }), request.dryRun, remove)))
    }
    return found
  })

  const cleanLetters = Effect.fnUntraced(function* (repo: RepoName, request: Request) {
    const before = Timestamp.fromMillis(request.beforeMillis)
    const found: Array<One> = []
    for (const jobId of yield* letters.jobs(repo)) {
      const base = { part: "dlq" as const, repository: repo, name: jobId }
      const remove = Effect.gen(function* () {
        const found = yield* letters.summaries(repo, jobId)
        const all = found.letters.filter((letter) => lastChange(letter) < before)
        const meant = all.filter(({ status }) => request.force || status === "resolved")
        if (meant.length > 0 && !request.dryRun) {
          yield* letters.remove(
            repo,
            jobId,
            meant.map((letter) => letter.item_id)
          )
        }
        const left = all.length - meant.length
        return [
          ...found.damaged.map(({ message }) => ({ ...base, reason: message })),
          ...(meant.length === 0 ? [] : [{ ...base, detail: count(meant.length, "dead letter"), rescued: [] }]),
          ...(left === 0
            ? []
            : [{ ...base, reason: `${count(left, "dead letter")} not resolved: prodigy dlq retry ${jobId}` }])
        ]
      })
      const whose = { repo, sessionId: SessionIds.fromJob(jobId), jobId }
      found.push(...(yield* ifFree(whose, (reason) => ({ ...base, reason }), request.dryRun, remove)))
    }
    return found
  })

  /** Why the state of a session that is over is still needed; null: it is not. */
  const stateNeeded = Effect.fnUntraced(function* ({ jobId, repo, sessionId }: Standing.Whose, force: boolean) {
    if ((yield* files.list(home.repo(repo).worktrees)).includes(sessionId)) {
      return "its worktree is still there: prodigy worktree clean, or prodigy worktree merge"
    }
    if (force) return null
    const session = yield* Effect.option(sessions.get(sessionId))
    if (Option.exists(session, ({ outcome }) => outcome?.startsWith("waiting on branch") === true)) {
      return "its work waits to be merged; --force removes what is stored of it, the branch stays"
    }
    if (jobId === null) return null
    const found = yield* letters.summaries(repo, jobId)
    // It may be one that is still to be tried again.
    const [damaged] = found.damaged
    if (damaged !== undefined) return damaged.message
    const open = found.letters.filter(({ status }) => status !== "resolved").length
    return open === 0 ? null : `${count(open, "dead letter")} could be tried again: prodigy dlq retry ${jobId}`
  })

  const removeState = Effect.fnUntraced(function* ({ jobId, repo, sessionId }: Standing.Whose) {
    const paths = home.repo(repo)
    const job = jobId === null ? null : paths.job(jobId)
    // Without it nothing is gone on with.
    yield* files.remove(job?.jobFile ?? paths.workflowSession(sessionId))
    const trees = [
      ...(job === null || jobId === null ? [] : [job.directory, paths.mapping(jobId)]),
      paths.workflowCheckpoint(sessionId),
      paths.workflowCheckpointCopy(sessionId),
      paths.processes(sessionId),
      paths.mapping(sessionId)
    ]
    yield* Effect.forEach(trees, files.removeTree, { discard: true })
  })

  const cleanState = Effect.fnUntraced(function* (repo: RepoName, request: Request) {
    const paths = home.repo(repo)
    const jobIds = (yield* files.list(paths.jobs)).filter(Schema.is(JobId))
    const workflows = (yield* files.list(paths.checkpoints)).flatMap((name) => {
      const [, id] = /^(.+)\.(?:workflow|checkpoint|checkpoint\.copy)\.json$/.exec(name) ?? []
      return Schema.is(SessionId)(id) ? [id] : []
    })
    const stale = (yield* index.list(repo)).flatMap(({ job_id }) => (jobIds.includes(job_id) ? [] : [job_id]))
    const all = [
      ...[...jobIds, ...stale].map((jobId) => ({ jobId, sessionId: SessionIds.fromJob(jobId), name: jobId as string })),
      ...[...new Set(workflows)].map((sessionId) => ({ jobId: null, sessionId, name: sessionId as string }))
    ]
    const found: Array<One> = []
    for (const { jobId, name, sessionId } of all) {
      const whose = { repo, jobId, sessionId }
      const base = { part: "state" as const, repository: repo, name }
      const places = [
        ...(jobId === null ? [] : [paths.job(jobId).journal, paths.job(jobId).directory, paths.mapping(jobId)]),
        paths.workflowCheckpoint(sessionId),
        paths.workflowSession(sessionId)
      ]
      const times = (yield* Effect.forEach(places, files.modifiedAt)).flatMap((at) => at ?? [])
      if (times.some((at) => at >= request.beforeMillis)) continue
      const remove = Effect.gen(function* () {
        const needed = yield* stateNeeded(whose, request.force)
        if (needed !== null) return [{ ...base, reason: needed }]
        if (!request.dryRun) yield* removeState(whose)
        return [{ ...base, detail: null, rescued: [] }]
      })
      found.push(...(yield* ifFree(whose, (reason) => ({ ...base, reason }), request.dryRun, remove)))
    }
    return found
  })

  const cleanEvents = Effect.fnUntraced(function* (request: Request) {
    const { allRepos, beforeMillis, projectPath } = request
    const plan = yield* events.plan({
      scope: allRepos ? { _tag: "Everything" } : { _tag: "Repository", projectPath },
      beforeMillis,
      maxEvents: null,
      maxBytes: null,
      archive: false
    })
    const refusals = new Map<JobId, string | null>()
    for (const { job_id: jobId, repo } of plan.steps) {
      if (refusals.has(jobId)) continue
      const sessionId = SessionIds.fromJob(jobId)
      refusals.set(jobId, Standing.refusal(yield* standingOf({ repo, sessionId, jobId }, false), sessionId))
    }
    const steps = plan.steps.filter(({ job_id }) => refusals.get(job_id) === null)
    const report = request.dryRun ? { done: steps, failed: [] } : yield* events.apply({ ...plan, steps })
    const keptOf = (repository: RepoName, name: string, reason: string): One => ({
      part: "events",
      repository,
      name,
      reason
    })
    const refused = new Map(
      plan.steps.flatMap(({ job_id, repo }) => {
        const reason = refusals.get(job_id) ?? null
        return reason === null ? [] : [[job_id, keptOf(repo, job_id, reason)]]
      })
    )
    return [
      ...report.done.map(({ job_id, path, repo }): One => ({
        part: "events",
        repository: repo,
        name: path,
        detail: job_id,
        rescued: []
      })),
      ...refused.values(),
      ...plan.live.map(({ job_id, repo }) => keptOf(repo, job_id, "its session is being driven")),
      ...report.failed.map(({ error, step }): One => ({
        part: "events",
        repository: step.repo,
        name: step.path,
        error
      }))
    ]
  })

  const cleanSessions = Effect.fnUntraced(function* (request: Request) {
    const { allRepos, beforeMillis, dryRun, projectPath } = request
    const { damaged, entries } = yield* sessionClean.clean({
      projectPath,
      allRepos,
      beforeMillis,
      dryRun,
      all: false,
      only: null
    })
    const told = entries.flatMap(({ detail, left, reason, removed, repository, session_id }): ReadonlyArray<One> => {
      if (!Schema.is(RepoName)(repository) || reason === "too_young") return []
      const base = { part: "sessions" as const, repository, name: session_id }
      if (reason === "failed") return [{ ...base, error: detail ?? "It cannot be removed." }]
      return [
        removed
          ? { ...base, detail: null, rescued: left }
          : { ...base, reason: detail ?? reason?.replaceAll("_", " ") ?? "it cannot be removed" }
      ]
    })
    yield* Effect.forEach(damaged, ({ message }) => Effect.logWarning(message), { discard: true })
    return told
  })

  const clean = Effect.fn("Clean.clean")(function* (request: Request): Effect.fn.Return<Result, CleanError> {
    const here = request.allRepos ? null : yield* inspect.repository(request)
    const repos = request.allRepos ? yield* home.repoNames : here === null ? [] : [here]
    const each = (of: (repo: RepoName, request: Request) => Effect.Effect<ReadonlyArray<One>, CleanError>) =>
      Effect.map(
        Effect.forEach(repos, (repo) => of(repo, request)),
        (found) => found.flat()
      )
    const all: Array<One> = []
    for (const part of Part.literals) {
      if (!request.parts.includes(part) || repos.length === 0) continue
      switch (part) {
        case "worktrees":
          all.push(...(yield* each(cleanWorktrees)))
          break
        case "sessions":
          all.push(...(yield* cleanSessions(request)))
          break
        case "logs":
          all.push(...(yield* each(cleanLogs)))
          break
        case "events":
          all.push(...(yield* cleanEvents(request)))
          break
        case "dlq":
          all.push(...(yield* each(cleanLetters)))
          break
        case "state":
          all.push(...(yield* each(cleanState)))
          break
      }
    }
    return {
      removed: all.flatMap((one) => ("rescued" in one ? [one] : [])),
      kept: all.flatMap((one) => ("reason" in one ? [one] : [])),
      failed: all.flatMap((one) => ("error" in one ? [one] : []))
    }
  })

  return Clean.of({ clean })
})

const count = (amount: number, noun: string): string => `${amount} ${noun}${amount === 1 ? "" : "s"}`

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Clean,
  never,
  | DeadLetterQueue
  | EventRetention
  | Inspect
  | SessionClean
  | SessionJobIndex
  | SessionWorktrees
  | Standing.Sources
  | TranscriptStore
  | Workspace
> = Layer.effect(Clean, make)
