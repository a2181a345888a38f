/**
 * The worktrees of sessions, for people: what there is, what can go, what can be merged.
 *
 * Owns which worktrees a command means and that nobody is at work in one that is touched: everything is done under the
 * lock of its session, and nothing is done to a session that is driven or can be resumed. What is safe to remove is git's
 * answer (`Worktrees`). Also owns the registry of orphans after a job: who removes one takes it off the list.
 *
 * Crash guarantee: see `Worktrees.remove`; a list of orphans that names one which is gone is put right by the next call.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { AgentId } from "../domain/AgentId.ts"
import { didYouMean } from "../domain/DidYouMean.ts"
import { JobId } from "../domain/JobId.ts"
import { Finish } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { ItemId } from "../domain/WorkItem.ts"
import { AtomicFile, type DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock } from "../storage/ResumeLock.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import { WorkflowStore } from "../storage/WorkflowStore.ts"
import { type Project, Workspace, WorkspaceError } from "../workspace/Workspace.ts"
import { type Found, type RepositoryWorktrees, Worktrees } from "../workspace/Worktrees.ts"
import { AmbiguousId, IdNotFound, Inspect, type InspectError } from "./Inspect.ts"
import * as RunView from "./RunView.ts"
import * as Standing from "./Standing.ts"

/**
 * One worktree, as it is listed. `unmerged` and `uncommitted` are null where a process is at work in it, and where it is
 * not ours to look into.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Entry = Schema.Struct({
  name: Schema.String,
  path: Schema.String,
  role: Schema.Literal("session", "agent", "foreign"),
  session_id: Schema.NullOr(SessionId),
  job_id: Schema.NullOr(JobId),
  agent_id: Schema.NullOr(AgentId),
  item_id: Schema.NullOr(ItemId),
  attempt: Schema.NullOr(Schema.Int),
  branch: Schema.NullOr(Schema.String),
  base: Schema.NullOr(Schema.String),
  session: Schema.NullOr(Standing.Standing).annotations({ description: "null: it belongs to none" }),
  unmerged: Schema.NullOr(Schema.Int).annotations({ description: "commits that are in no branch of yours" }),
  uncommitted: Schema.NullOr(Schema.Int).annotations({ description: "files; ignored ones do not count" }),
  directory: Schema.Boolean.annotations({ description: "whether its directory is there" }),
  registered: Schema.Boolean.annotations({ description: "whether git knows it" }),
  locked: Schema.NullOr(Schema.String).annotations({ description: "the reason given to git worktree lock" }),
  used_at: Schema.NullOr(Timestamp.Timestamp)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Entry extends Schema.Schema.Type<typeof Entry> {}

/**
 * What was removed, and what was kept and why.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Cleaning = Schema.Struct({
  removed: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      path: Schema.String,
      rescued: Schema.Array(Schema.String).annotations({ description: "refs that now hold what was in it alone" }),
      branches: Schema.Array(Schema.String).annotations({ description: "branches that went with it" })
    })
  ),
  kept: Schema.Array(
    Schema.Struct({
      name: Schema.String,
      path: Schema.String,
      reason: Schema.String,
      forceable: Schema.Boolean.annotations({ description: "--force would have removed it" }),
      driven: Schema.Boolean.annotations({ description: "a process is at work on its session" })
    })
  )
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Cleaning extends Schema.Schema.Type<typeof Cleaning> {}

type Removed = Cleaning["removed"][number]
type Kept = Cleaning["kept"][number]

/**
 * What became of a session's branch that was to be merged.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Merged = Schema.Struct({
  session_id: SessionId,
  branch: Schema.String,
  finish: Schema.NullOr(Finish).annotations({ description: "null: it was not tried" }),
  skipped: Schema.NullOr(Schema.String).annotations({ description: "why it was not tried" }),
  uncommitted: Schema.NullOr(Schema.Int).annotations({ description: "files that are in its worktree only" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Merged extends Schema.Schema.Type<typeof Merged> {}

/**
 * The one worktree that was named could not be removed. It is as it was.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorktreeKept extends Schema.TaggedError<WorktreeKept>(
  "@prodigy/core/engine/SessionWorktrees/WorktreeKept"
)("WorktreeKept", {
  name: Schema.String,
  path: Schema.String,
  reason: Schema.String,
  forceable: Schema.Boolean,
  driven: Schema.Boolean
}) {
  override get message() {
    return `Worktree ${this.name} was kept: ${this.reason}.`
  }
}

/**
 * Branches that were to be merged wait for a person, or for whoever drives their session.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotMerged extends Schema.TaggedError<NotMerged>("@prodigy/core/engine/SessionWorktrees/NotMerged")(
  "NotMerged",
  { branches: Schema.NonEmptyArray(Schema.String), driven: Schema.Boolean }
) {
  override get message() {
    const [first, ...others] = this.branches
    return others.length === 0 ? `${first} was not merged.` : `${this.branches.length} branches were not merged.`
  }
}

/**
 * What is still to be merged of what was to be; null: nothing. Sessions that were passed over do not count, unless they
 * were named.
 *
 * @since 0.1.0
 * @category conversions
 */
export const notMerged = (merged: ReadonlyArray<Merged>, options: { readonly isNamed: boolean }): NotMerged | null => {
  const waiting = merged.filter(({ finish }) => (finish === null ? options.isNamed : finish.outcome === "waiting"))
  const [first, ...others] = waiting.map(({ branch }) => branch)
  if (first === undefined) return null
  return new NotMerged({ branches: [first, ...others], driven: waiting.every(({ finish }) => finish === null) })
}

/**
 * What the commands about worktrees may fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type WorktreesError = InspectError | WorktreeKept | NotMerged

/**
 * Which worktrees are meant; all conditions hold.
 *
 * @since 0.1.0
 * @category models
 */
export interface Selection {
  /** A worktree, a session, a job, the beginning of one, or `latest`; null: all. */
  readonly id: string | null
  /** Of a job: by its id, or its session's. */
  readonly job: string | null
  readonly mapReduceOnly: boolean
  /** Those with nothing to lose; others are not even named. */
  readonly mergedOnly: boolean
  /** Those last used before. */
  readonly beforeMillis: number | null
}

/**
 * How to clean.
 *
 * @since 0.1.0
 * @category models
 */
export interface How {
  readonly force: boolean
  readonly dryRun: boolean
}

/**
 * @since 0.1.0
 * @category services
 */
export class SessionWorktrees extends Context.Tag("@prodigy/core/engine/SessionWorktrees")<
  SessionWorktrees,
  {
    /** The worktrees of the repository around `projectPath` that lie in the storage. */
    readonly list: (options: { readonly projectPath: string }) => Effect.Effect<ReadonlyArray<Entry>, InspectError>

    /**
     * Removes those that are meant and that nobody needs. Work that is nowhere else keeps a worktree, unless `force`: then
     * rescue refs hold it. What was named by itself and is kept is an error.
     */
    readonly clean: (
      options: { readonly projectPath: string; readonly select: Selection } & How
    ) => Effect.Effect<Cleaning, WorktreesError>

    /**
     * Removes what should have gone when its session ended: agents' worktrees, those that a job has listed because their
     * removal failed, and those of sessions of which nothing is stored any more. Of one job, or of the repository.
     */
    readonly cleanOrphaned: (
      options: { readonly projectPath: string; readonly job: string | null } & How
    ) => Effect.Effect<Cleaning, WorktreesError>

    /** The worktrees that `cleanOrphaned` would look at, and entries of lists of orphans that name nothing any more. */
    readonly orphans: (options: {
      readonly project: Project
      readonly repo: RepoName
    }) => Effect.Effect<
      { readonly worktrees: ReadonlyArray<Found>; readonly stale: ReadonlyArray<string> },
      WorkspaceError | StorageError | DamagedFile
    >

    /** As `clean`, for one repository that was found already. */
    readonly cleanRepository: (
      options: { readonly project: Project; readonly repo: RepoName; readonly beforeMillis: number } & How
    ) => Effect.Effect<Cleaning, WorkspaceError | StorageError | DamagedFile>

    /**
     * Merges the branch of a session that nobody drives into its target, or (id null) those of all sessions that are over.
     * The worktree stays; `clean` removes it.
     */
    readonly merge: (options: {
      readonly projectPath: string
      readonly id: string | null
    }) => Effect.Effect<ReadonlyArray<Merged>, InspectError>
  }
>() {}

interface Repository {
  readonly project: Project
  readonly repo: RepoName
}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const home = yield* ProdigyHome
  const inspect = yield* Inspect
  const jobs = yield* JobStore
  const lock = yield* ResumeLock
  const sessions = yield* SessionStore
  const workflows = yield* WorkflowStore
  const workspaces = yield* Workspace
  const worktrees = yield* Worktrees
  const files = yield* AtomicFile
  const sources = yield* Effect.context<Standing.Sources>()

  const standingOf = (whose: Standing.Whose, holds: boolean) => Effect.provide(Standing.of(whose, { holds }), sources)

  /** Null when nothing of the repository is stored. */
  const repositoryAt = Effect.fnUntraced(function* (projectPath: string) {
    const project = yield* workspaces.find(projectPath)
    const repo = yield* home.findRepoName({ path: project.root, rootCommit: project.rootCommit })
    return repo === null ? null : { project, repo }
  })

  // ---------------------------------------------------------------------------
  // looking
  // ---------------------------------------------------------------------------

  const entryOf = Effect.fnUntraced(function* (open: RepositoryWorktrees, repo: RepoName, found: Found) {
    const { jobId, sessionId } = found
    const session = sessionId === null ? null : yield* standingOf({ repo, sessionId, jobId }, false)
    const isIdle = session !== null && session.use !== "driven"
    const { uncommitted, unmerged } = isIdle ? yield* open.work(found) : { unmerged: null, uncommitted: null }
    const entry: Entry = {
      name: found.name,
      path: found.path,
      role: found.role,
      session_id: sessionId,
      job_id: jobId,
      agent_id: found.agentId,
      item_id: found.itemId,
      attempt: found.attempt,
      branch: found.branch,
      base: found.base,
      session,
      unmerged,
      uncommitted,
      directory: found.hasDirectory,
      registered: found.isRegistered,
      locked: found.locked,
      used_at: found.usedMillis === null ? null : Timestamp.fromMillis(found.usedMillis)
    }
    return entry
  })

  const list = Effect.fn("SessionWorktrees.list")(function* ({ projectPath }: { readonly projectPath: string }) {
    const repository = yield* repositoryAt(projectPath)
    if (repository === null) return []
    const open = yield* worktrees.open(repository)
    return yield* Effect.forEach(yield* open.list, (found) => entryOf(open, repository.repo, found))
  }, Effect.scoped)

  /** Worktrees by a text that a person typed: the name of one, or the id of a session or job. */
  const named = Effect.fnUntraced(function* (projectPath: string, all: ReadonlyArray<Found>, text: string) {
    const exact = all.filter(({ name }) => name === text)
    if (exact.length > 0) return exact
    const session = yield* Effect.either(inspect.session({ projectPath, id: text }))
    if (session._tag === "Right") {
      const { id } = session.right.session
      const of = all.filter(({ sessionId }) => sessionId === id)
      if (of.length > 0) return of
    }
    const begun = all.filter(({ name }) => name.startsWith(text))
    if (begun.length === 1) return begun
    if (begun.length > 1) {
      return yield* new AmbiguousId({ text, candidates: begun.slice(0, candidatesMax).map(({ name }) => name) })
    }
    if (session._tag === "Left" && session.left._tag !== "IdNotFound") return yield* Effect.fail(session.left)
    const names = all.flatMap(({ name, sessionId }) => [name, ...(sessionId === null ? [] : [sessionId])])
    return yield* new IdNotFound({ kind: "worktree", text, job: null, suggestions: didYouMean(text, new Set(names)) })
  })

  /** The job of an id; one that only its worktrees or its list of orphans tell of counts too. */
  const jobOf = Effect.fnUntraced(function* (
    projectPath: string,
    repo: RepoName,
    all: ReadonlyArray<Found>,
    text: string
  ) {
    const own = all.find(({ jobId, sessionId }) => jobId === text || (jobId !== null && sessionId === text))
    if (own !== undefined && own.jobId !== null) return own.jobId
    const listed = (yield* orphanLists(repo)).find((jobId) => jobId === text)
    return listed ?? (yield* inspect.job({ projectPath, id: text })).jobId
  })

  const orphanLists = (repo: RepoName) =>
    Effect.map(files.list(home.repo(repo).orphanLists), (names) =>
      names.flatMap((name) => {
        const stem = name.endsWith(".json") ? name.slice(0, -".json".length) : ""
        return isJobId(stem) ? [stem] : []
      })
    )

  // ---------------------------------------------------------------------------
  // removing
  // ---------------------------------------------------------------------------

  const keptOf = ({ name, path }: Found, reason: string, more: { forceable: boolean; driven: boolean }): Kept => ({
    name,
    path,
    reason,
    ...more
  })

  /** One worktree, nobody but us being able to drive its session. */
  const removeOne = Effect.fnUntraced(function* (
    open: RepositoryWorktrees,
    name: string,
    how: How,
    mergedOnly: boolean
  ) {
    const found = yield* open.find(name)
    const outcome = yield* (how.dryRun ? open.consider : open.remove)(found, { force: how.force && !mergedOnly })
    if (outcome._tag === "Kept") return keptOf(found, outcome.reason, { forceable: outcome.forceable, driven: false })
    const removed: Removed = { name, path: found.path, rescued: outcome.rescued, branches: outcome.branches }
    return removed
  })

  /** Those of one session, under its lock. Looking alone takes no lock. */
  const removeOf = Effect.fnUntraced(function* (
    open: RepositoryWorktrees,
    whose: Standing.Whose,
    meant: ReadonlyArray<Found>,
    how: How,
    mergedOnly: boolean
  ) {
    const keepAll = (standing: Standing.Standing) => {
      const reason = Standing.refusal(standing, whose.sessionId)
      if (reason === null) return null
      return meant.map((found) => keptOf(found, reason, { forceable: false, driven: standing.use === "driven" }))
    }
    const before = keepAll(yield* standingOf(whose, false))
    if (before !== null) return before
    const all = Effect.forEach(meant, ({ name }) => removeOne(open, name, how, mergedOnly))
    if (how.dryRun) return yield* all
    const { jobId, sessionId } = whose
    return yield* lock.acquire({ jobId, sessionId, force: false }).pipe(
      Effect.zipRight(standingOf(whose, true)),
      Effect.flatMap((standing) => {
        const kept = keepAll(standing)
        return kept === null ? all : Effect.succeed(kept)
      }),
      Effect.catchTag("ResumeLockHeld", ({ holder }) => Effect.succeed(keepAll(Standing.driven(holder)) ?? []))
    )
  }, Effect.scoped)

  const isRemoved = (one: Removed | Kept): one is Removed => "rescued" in one

  const removeAll = Effect.fnUntraced(function* (
    open: RepositoryWorktrees,
    repo: RepoName,
    meant: ReadonlyArray<Found>,
    how: How,
    mergedOnly = false
  ) {
    const foreign = meant.filter(({ sessionId }) => sessionId === null)
    const bySession = new Map<SessionId, Array<Found>>()
    for (const found of meant) {
      if (found.sessionId !== null) bySession.set(found.sessionId, [...(bySession.get(found.sessionId) ?? []), found])
    }
    const outcomes = yield* Effect.forEach([...bySession], ([sessionId, of]) => {
      const jobId = of.find((found) => found.jobId !== null)?.jobId ?? null
      // Agents first: their session's branch is what says that their work is safe.
      const ordered = [...of].sort((a, b) => a.role.localeCompare(b.role))
      return removeOf(open, { repo, sessionId, jobId }, ordered, how, mergedOnly)
    })
    const notOurs = foreign.map((found) => keptOf(found, "it is not one of ours", { forceable: false, driven: false }))
    const all = [...outcomes.flat(), ...notOurs]
    const cleaning: Cleaning = {
      removed: all.filter(isRemoved),
      kept: all.flatMap((one) => (isRemoved(one) || (mergedOnly && one.forceable) ? [] : [one]))
    }
    if (!how.dryRun) yield* unlist(repo, new Set(cleaning.removed.map(({ path }) => path)))
    return cleaning
  })

  /** Takes what was removed off the lists of orphans. */
  const unlist = Effect.fnUntraced(function* (repo: RepoName, gone: ReadonlySet<string>) {
    if (gone.size === 0) return
    for (const jobId of yield* orphanLists(repo)) {
      const listed = yield* jobs.loadOrphans(repo, jobId)
      const left = listed.filter(({ path }) => !gone.has(path))
      if (left.length < listed.length) yield* jobs.saveOrphans(repo, jobId, left)
    }
  })

  const clean = Effect.fn("SessionWorktrees.clean")(function* ({
    projectPath,
    select,
    ...how
  }: Parameters<SessionWorktrees["Type"]["clean"]>[0]) {
    const repository = yield* repositoryAt(projectPath)
    if (repository === null) {
      if (select.id === null && select.job === null) return none
      return yield* new IdNotFound({
        kind: "worktree",
        text: select.id ?? select.job ?? "",
        job: null,
        suggestions: []
      })
    }
    const { repo } = repository
    const open = yield* worktrees.open(repository)
    const all = yield* open.list
    const byId = select.id === null ? all : yield* named(projectPath, all, select.id)
    const jobId = select.job === null ? null : yield* jobOf(projectPath, repo, all, select.job)
    const meant = byId.filter(
      (found) =>
        (jobId === null || found.jobId === jobId) &&
        (!select.mapReduceOnly || found.jobId !== null) &&
        (select.beforeMillis === null || (found.usedMillis !== null && found.usedMillis < select.beforeMillis)) &&
        // What is not ours is kept anyway, and is of interest only to who names it.
        (found.role !== "foreign" || select.id !== null)
    )
    const cleaning = yield* removeAll(open, repo, meant, how, select.mergedOnly)
    const [kept] = cleaning.kept
    if (select.id !== null && cleaning.removed.length === 0 && kept !== undefined) return yield* new WorktreeKept(kept)
    return cleaning
  }, Effect.scoped)

  // ---------------------------------------------------------------------------
  // orphans
  // ---------------------------------------------------------------------------

  /** Whether a worktree should have gone with the end of its session. */
  const isOrphan = Effect.fnUntraced(function* (repo: RepoName, found: Found, listed: ReadonlySet<string>) {
    const { jobId, role, sessionId } = found
    if (role === "foreign" || sessionId === null) return false
    const { use } = yield* standingOf({ repo, sessionId, jobId }, false)
    if (use === "driven" || use === "unreadable") return false
    if (use === "gone" || listed.has(found.path)) return true
    // A session that can be resumed rescues its agents' work then, each by its attempt.
    return use === "over" && role === "agent"
  })

  const listedPaths = (repo: RepoName, jobIds: ReadonlyArray<JobId>) =>
    Effect.map(
      Effect.forEach(jobIds, (jobId) => jobs.loadOrphans(repo, jobId)),
      (lists) => new Set(lists.flat().map(({ path }) => path))
    )

  const orphansIn = Effect.fnUntraced(function* (open: RepositoryWorktrees, repo: RepoName, jobId: JobId | null) {
    const all = yield* open.list
    const listed = yield* listedPaths(repo, jobId === null ? yield* orphanLists(repo) : [jobId])
    const of = jobId === null ? all : all.filter((found) => found.jobId === jobId)
    const orphaned = yield* Effect.filter(of, (found) => isOrphan(repo, found, listed))
    const there = new Set(all.map(({ path }) => path))
    return { worktrees: orphaned, stale: [...listed].filter((path) => !there.has(path)), of }
  })

  const orphans = Effect.fn("SessionWorktrees.orphans")(function* ({ project, repo }: Repository) {
    return yield* orphansIn(yield* worktrees.open({ project, repo }), repo, null)
  }, Effect.scoped)

  const cleanOrphaned = Effect.fn("SessionWorktrees.cleanOrphaned")(function* ({
    job,
    projectPath,
    ...how
  }: Parameters<SessionWorktrees["Type"]["cleanOrphaned"]>[0]) {
    const repository = yield* repositoryAt(projectPath)
    if (repository === null) {
      if (job === null) return none
      return yield* new IdNotFound({ kind: "job", text: job, job: null, suggestions: [] })
    }
    const { repo } = repository
    const open = yield* worktrees.open(repository)
    const jobId = job === null ? null : yield* jobOf(projectPath, repo, yield* open.list, job)
    const { of, stale, worktrees: orphaned } = yield* orphansIn(open, repo, jobId)
    const cleaning = yield* removeAll(open, repo, orphaned, how)
    if (!how.dryRun) yield* unlist(repo, new Set(stale))
    // A job that was asked for by name is told why what it has is kept.
    const others = jobId === null ? [] : of.filter((found) => found.role === "agent" && !orphaned.includes(found))
    const refused = yield* removeAll(open, repo, others, { ...how, dryRun: true })
    return {
      removed: [...cleaning.removed, ...stale.map((path) => ({ name: nameOf(path), path, rescued: [], branches: [] }))],
      kept: [...cleaning.kept, ...refused.kept]
    }
  }, Effect.scoped)

  const cleanRepository = Effect.fn("SessionWorktrees.cleanRepository")(function* ({
    beforeMillis,
    project,
    repo,
    ...how
  }: Parameters<SessionWorktrees["Type"]["cleanRepository"]>[0]) {
    const open = yield* worktrees.open({ project, repo })
    const meant = (yield* open.list).filter(
      ({ role, usedMillis }) => role !== "foreign" && usedMillis !== null && usedMillis < beforeMillis
    )
    return yield* removeAll(open, repo, meant, how)
  }, Effect.scoped)

  // ---------------------------------------------------------------------------
  // merging
  // ---------------------------------------------------------------------------

  /** Where a session began, and where its work was to go. */
  const startOf = ({
    jobId,
    repo,
    sessionId
  }: Standing.Whose): Effect.Effect<Start | null, StorageError | DamagedFile> =>
    jobId === null
      ? workflows.load(repo, sessionId).pipe(
          Effect.map(start),
          Effect.catchTag("SessionFileNotFound", () => Effect.succeed(null))
        )
      : jobs.load(repo, jobId).pipe(
          Effect.map(start),
          Effect.catchTag("JobNotFound", () => Effect.succeed(null))
        )

  const mergeOne = Effect.fnUntraced(function* (
    open: RepositoryWorktrees,
    whose: Standing.Whose,
    found: Found | null,
    isNamed: boolean
  ): Effect.fn.Return<Merged, WorkspaceError | StorageError | DamagedFile> {
    const { jobId, sessionId } = whose
    const branch = found?.branch ?? `prodigy-${sessionId}`
    const skip = (skipped: string): Merged => ({
      session_id: sessionId,
      branch,
      finish: null,
      skipped,
      uncommitted: null
    })
    const standing = yield* standingOf(whose, false)
    const reason = standing.use === "resumable" && isNamed ? null : Standing.refusal(standing, sessionId)
    if (reason !== null) return skip(reason)
    const merged = Effect.gen(function* () {
      yield* lock.acquire({ jobId, sessionId, force: false })
      const began = yield* startOf(whose)
      const base = found?.base ?? began?.base ?? ""
      const finish = yield* open.merge({ sessionId, jobId, branch, base, target: began?.target ?? null })
      const uncommitted = found === null ? 0 : (yield* open.work(found)).uncommitted
      const outcome = RunView.outcomeOf(finish) ?? null
      yield* sessions
        .update(sessionId, (session) => ({ ...session, outcome }))
        .pipe(
          // Its file is a summary; the merge is made.
          Effect.catchTags({
            SessionNotFound: () => Effect.void,
            IllegalTransition: () => Effect.void,
            DamagedFile: ({ message }) => Effect.logWarning(message)
          })
        )
      return { session_id: sessionId, branch, finish, skipped: null, uncommitted }
    })
    return yield* Effect.scoped(merged).pipe(
      Effect.catchTag("ResumeLockHeld", ({ holder }) =>
        Effect.succeed(skip(Standing.refusal(Standing.driven(holder), sessionId) ?? ""))
      )
    )
  })

  /** The session whose branch is meant, and its worktree. One whose worktree is gone still has its branch. */
  const mergeable = Effect.fnUntraced(function* (
    projectPath: string,
    repo: RepoName,
    all: ReadonlyArray<Found>,
    id: string
  ) {
    const meant = yield* Effect.either(named(projectPath, all, id))
    if (meant._tag === "Left") {
      const { session } = yield* Effect.mapError(inspect.session({ projectPath, id }), () => meant.left)
      return { found: null, whose: { repo, sessionId: session.id, jobId: session.job_id } }
    }
    const parent = meant.right.find(({ role }) => role === "session")
    if (parent !== undefined && parent.sessionId !== null) {
      return { found: parent, whose: { repo, sessionId: parent.sessionId, jobId: parent.jobId } }
    }
    const [other] = meant.right
    const isAgents = other?.role === "agent" && other.branch !== null
    return yield* new WorkspaceError({
      operation: "merge a worktree",
      reason: "command_failed",
      path: other?.path ?? "",
      detail: isAgents
        ? `it is an agent's; its branch is merged by hand: git merge ${other.branch}`
        : "it is not the worktree of a session"
    })
  })

  const merge = Effect.fn("SessionWorktrees.merge")(function* ({
    id,
    projectPath
  }: Parameters<SessionWorktrees["Type"]["merge"]>[0]) {
    const repository = yield* repositoryAt(projectPath)
    if (repository === null) {
      if (id === null) return []
      return yield* new IdNotFound({ kind: "worktree", text: id, job: null, suggestions: [] })
    }
    const { repo } = repository
    const open = yield* worktrees.open(repository)
    const all = yield* open.list
    if (id !== null) {
      const { found, whose } = yield* mergeable(projectPath, repo, all, id)
      return [yield* mergeOne(open, whose, found, true)]
    }
    const parents = all.flatMap((found) =>
      found.role === "session" && found.sessionId !== null ? [{ found, sessionId: found.sessionId }] : []
    )
    return yield* Effect.forEach(parents, ({ found, sessionId }) =>
      mergeOne(open, { repo, sessionId, jobId: found.jobId }, found, false)
    )
  }, Effect.scoped)

  return SessionWorktrees.of({ list, clean, cleanOrphaned, orphans, cleanRepository, merge })
})

const none: Cleaning = { removed: [], kept: [] }

interface Start {
  readonly base: string
  readonly target: string | null
}

const start = (file: { readonly base_commit: string; readonly target_branch: string | null }): Start => ({
  base: file.base_commit,
  target: file.target_branch
})

/** Most candidates that an ambiguous name lists. */
const candidatesMax = 10

const isJobId = Schema.is(JobId)

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  SessionWorktrees,
  never,
  Inspect | Standing.Sources | WorkflowStore | Workspace | Worktrees
> = Layer.effect(SessionWorktrees, make)
