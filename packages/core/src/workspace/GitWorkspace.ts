/**
 * The workspace on git.
 *
 * Owns finding the project, and putting the parts of a session's workspace together: `ParentWorktree`, `WorktreePool`,
 * `MergeQueue`, `GitFinish`, `Cleanup`, and `GitWorktrees` for those who look from outside. Git's errors become `WorkspaceError` here and nowhere else.
 *
 * Crash guarantee: whatever a member returned survives a power loss; see the parts. Opening a session again after a crash
 * finds its branch and worktree, and rescues what was in the agents' worktrees, before anything else is done.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as PlatformError from "@effect/platform/Error"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import { AtomicFile, type StorageError } from "../storage/AtomicFile.ts"
import { DiskSync } from "../storage/DiskSync.ts"
import { ProdigyHome, type RepoPaths } from "../storage/ProdigyHome.ts"
import * as Changes from "./Changes.ts"
import * as Cleanup from "./Cleanup.ts"
import * as CommitMessage from "./CommitMessage.ts"
import { Git, type GitError, versionMin } from "./Git.ts"
import * as GitFinish from "./GitFinish.ts"
import * as GitWorktrees from "./GitWorktrees.ts"
import * as MergeQueue from "./MergeQueue.ts"
import * as ParentWorktree from "./ParentWorktree.ts"
import * as RefName from "./RefName.ts"
import * as Repository from "./Repository.ts"
import * as StaleLocks from "./StaleLocks.ts"
import { type Holdings, type Project, type SessionWorkspace, Workspace, WorkspaceError } from "./Workspace.ts"
import * as WorktreePool from "./WorktreePool.ts"
import { type RepositoryWorktrees, Worktrees } from "./Worktrees.ts"

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Workspace | Worktrees,
  never,
  Git | ProdigyHome | AtomicFile | DiskSync | FileSystem.FileSystem
> = Layer.effectContext(
  Effect.gen(function* () {
    // Nothing else of whoever builds the layer, least of all the scope: a session has that of whoever opens it.
    const context = Context.pick(
      Git,
      ProdigyHome,
      AtomicFile,
      DiskSync,
      FileSystem.FileSystem
    )(yield* Effect.context<Git | ProdigyHome | AtomicFile | DiskSync | FileSystem.FileSystem>())
    const creations = new Map<string, Effect.Semaphore>()
    const workspace = Workspace.of({
      find: (path) => Effect.provide(find(path), context),
      resolve: (project, commitish) => Effect.provide(resolve(project, commitish), context),
      files: (project, commit) => Effect.provide(files(project, commit), context),
      isTaken: (project, sessionId) => Effect.provide(isTaken(project, sessionId), context),
      hasAgentWorktrees: (project, repo, jobId) => Effect.provide(hasAgentWorktrees(project, repo, jobId), context),
      leftovers: (project, session) => Effect.provide(leftovers(project, session), context),
      holdings: (project, session) => Effect.provide(holdings(project, session), context),
      open: (options) => Effect.provide(open(creations, options), context)
    })
    const worktrees = Worktrees.of({
      version: Effect.provide(version, context),
      open: (options) => Effect.provide(openWorktrees(creations, options), context)
    })
    return Context.make(Workspace, workspace).pipe(Context.add(Worktrees, worktrees))
  })
)

type Open = Parameters<(typeof Workspace.Service)["open"]>[0]

const find = Effect.fn("GitWorkspace.find")(function* (
  path: string
): Effect.fn.Return<Project, WorkspaceError, Git | FileSystem.FileSystem> {
  const git = yield* Git
  const fs = yield* FileSystem.FileSystem
  const operation = "work"
  const refuse = (reason: WorkspaceError["reason"], detail: string) =>
    new WorkspaceError({ operation, reason, path, detail })
  const ask = (...args: ReadonlyArray<string>) =>
    Effect.map(git.run(args, { cwd: path, reads: true, expect: [0, 1, 128] }), ({ exitCode, stderr, stdout }) => ({
      exitCode,
      stderr: stderr.trim(),
      answer: stdout.replace(/\n$/, "")
    }))

  return yield* Effect.gen(function* () {
    yield* checkVersion(git, path)
    const top = yield* ask("rev-parse", "--show-toplevel")
    if (top.exitCode !== 0) {
      const bare = yield* ask("rev-parse", "--is-bare-repository")
      const none = top.stderr.includes("not a git repository") ? "it is not in a git repository" : top.stderr
      return yield* refuse("not_a_repository", bare.answer === "true" ? "it is a bare repository" : none)
    }
    const head = yield* ask("rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    if (head.exitCode !== 0) return yield* refuse("no_commits", "the repository has no commits yet")
    const branch = yield* ask("symbolic-ref", "--quiet", "--short", "HEAD")
    const roots = yield* ask("rev-list", "--max-parents=0", "HEAD")
    const checkout = yield* fs.realPath(top.answer)
    return {
      root: yield* mainWorktree(git, fs, checkout),
      checkout,
      head: head.answer,
      branch: branch.exitCode === 0 ? branch.answer : null,
      rootCommit: roots.answer.split("\n").at(-1) ?? ""
    }
  }).pipe(Effect.mapError(convert(operation, path, "not_a_repository")))
})

/** The directory that holds the main worktree, or the repository itself when that is bare. */
const mainWorktree = Effect.fnUntraced(function* (
  git: typeof Git.Service,
  fs: FileSystem.FileSystem,
  checkout: string
) {
  const { stdout } = yield* git.run(["rev-parse", "--path-format=absolute", "--git-dir", "--git-common-dir"], {
    cwd: checkout,
    reads: true
  })
  const [own, common] = stdout.split("\n")
  if (own === common || common === undefined) return checkout
  if (common.endsWith("/.git")) return yield* fs.realPath(common.slice(0, -"/.git".length))
  // The repository of a submodule names its worktree in its settings.
  const named = yield* git.run(["config", "--type=path", "--get", "core.worktree"], {
    cwd: common,
    reads: true,
    expect: [0, 1]
  })
  const worktree = named.stdout.trim()
  return yield* fs.realPath(worktree === "" ? common : worktree.startsWith("/") ? worktree : `${common}/${worktree}`)
})

const checkVersion = Effect.fnUntraced(function* (git: typeof Git.Service, path: string) {
  const { stdout } = yield* git.run(["version"], { cwd: path, reads: true })
  const [, major, minor] = /(\d+)\.(\d+)/.exec(stdout) ?? []
  const [majorMin, minorMin] = versionMin
  if (Number(major) > majorMin || (Number(major) === majorMin && Number(minor) >= minorMin)) {
    return stdout.trim().replace(/^git version /, "")
  }
  return yield* new WorkspaceError({
    operation: "use git",
    reason: "git_too_old",
    path,
    detail: `git ${majorMin}.${minorMin} or newer is needed, and this is ${stdout.trim()}`
  })
})

const version = Effect.flatMap(Git, (git) => checkVersion(git, "/")).pipe(
  Effect.mapError((error) => convert("use git", "/")(error))
)

const resolve = Effect.fn("GitWorkspace.resolve")(function* (
  project: Project,
  commitish: string
): Effect.fn.Return<string, WorkspaceError, Git> {
  const git = yield* Git
  const operation = `find the commit ${commitish}`
  const { exitCode, stdout } = yield* git
    .run(["rev-parse", "--verify", "--quiet", "--end-of-options", `${commitish}^{commit}`], {
      cwd: project.checkout,
      reads: true,
      expect: [0, 1, 128]
    })
    .pipe(Effect.mapError(convert(operation, project.checkout)))
  if (exitCode === 0) return stdout.trim()
  return yield* new WorkspaceError({
    operation,
    reason: "unknown_base",
    path: project.checkout,
    detail: "it is not a commit, branch or tag of this repository"
  })
})

const files = Effect.fn("GitWorkspace.files")(function* (
  project: Project,
  commit: string
): Effect.fn.Return<ReadonlyArray<string>, WorkspaceError, Git> {
  const git = yield* Git
  const { stdout } = yield* git
    .run(["ls-tree", "-r", "-z", "--full-tree", "--name-only", commit], { cwd: project.root, reads: true })
    .pipe(Effect.mapError(convert("list the files", project.root)))
  return stdout.split("\0").filter(Boolean)
})

const isTaken = (project: Project, sessionId: SessionId) =>
  resolve(project, RefName.ofBranch(RefName.sessionBranch(sessionId))).pipe(
    Effect.as(true),
    Effect.catchIf(
      ({ reason }) => reason === "unknown_base",
      () => Effect.succeed(false)
    )
  )

const hasAgentWorktrees = Effect.fn("GitWorkspace.hasAgentWorktrees")(function* (
  project: Project,
  repo: RepoName,
  jobId: JobId
): Effect.fn.Return<boolean, WorkspaceError, Git | ProdigyHome | FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  return yield* Effect.gen(function* () {
    const paths = yield* worktreePaths(fs, (yield* ProdigyHome).repo(repo))
    return (yield* WorktreePool.slots(paths, yield* commonDirOf(project.root), jobId)).length > 0
  }).pipe(Effect.mapError(convert("look for agent worktrees", project.root)))
})

const leftovers = Effect.fn("GitWorkspace.leftovers")(function* (
  project: Project,
  { jobId, sessionId, target }: Parameters<(typeof Workspace.Service)["leftovers"]>[1]
): Effect.fn.Return<Effect.Effect.Success<ReturnType<(typeof Workspace.Service)["leftovers"]>>, WorkspaceError, Git> {
  const git = yield* Git
  const list = (...args: ReadonlyArray<string>) =>
    git.run(["for-each-ref", "--format=%(refname)", ...args], { cwd: project.root, reads: true }).pipe(
      Effect.map(({ stdout }) => stdout.split("\n").filter((ref) => ref !== "")),
      Effect.mapError(convert("look for what is not merged", project.root))
    )
  const branch = target === null ? null : RefName.ofBranch(target)
  const there = branch !== null && (yield* list(branch)).includes(branch)
  const agents = jobId === null ? [] : [`${RefName.agentBranchPrefix(jobId)}*`]
  const own = [RefName.sessionBranch(sessionId), ...agents].map(RefName.ofBranch)
  const unmerged = yield* list(`--no-merged=${there ? branch : project.head}`, ...own)
  const rescues = yield* list(RefName.rescues(jobId ?? sessionId))
  return { unmerged: unmerged.map((ref) => ref.replace(/^refs\/heads\//, "")), rescues }
})

const holdings = Effect.fn("GitWorkspace.holdings")(function* (
  project: Project,
  { base, jobId, sessionId, target }: Parameters<(typeof Workspace.Service)["holdings"]>[1]
): Effect.fn.Return<Holdings, WorkspaceError, Git> {
  const git = yield* Git
  const own = RefName.ofBranch(RefName.sessionBranch(sessionId))
  const agents = jobId === null ? [] : [`${RefName.ofBranch(RefName.agentBranchPrefix(jobId))}*`]
  const targets = target === null ? [] : [RefName.ofBranch(target)]
  const lines = (...args: ReadonlyArray<string>) =>
    git.run(args, { cwd: project.root, reads: true }).pipe(
      Effect.map(({ stdout }) => stdout.split("\n").filter((line) => line !== "")),
      Effect.mapError(convert("look for what is held", project.root))
    )
  const found = yield* lines(
    "for-each-ref",
    "--format=%(refname) %(objectname)",
    own,
    ...targets,
    ...agents,
    RefName.rescues(jobId ?? sessionId)
  )
  const refs = new Map(
    found.map((line) => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)])
  )
  const tips = [own, ...targets].flatMap((ref) => refs.get(ref) ?? [])
  for (const ref of targets) refs.delete(ref)
  if (tips.length === 0) return { refs, commits: new Set(), merges: [] }
  const trailer = (key: string) => `%(trailers:key=${key},valueonly,separator=)`
  const logged = yield* lines(
    "log",
    `--format=%H%x09%P%x09${trailer("Prodigy-Job")}%x09${trailer("Prodigy-Item")}`,
    ...tips,
    `^${base}`,
    "--"
  )
  const commits = logged.map((line) => line.split("\t"))
  return {
    refs,
    commits: new Set(commits.flatMap(([commit = ""]) => commit)),
    merges: commits.flatMap(([commit = "", parents = "", job, item = ""]) => {
      const itemId = parents.includes(" ") && job === jobId ? CommitMessage.itemOf(item) : null
      return itemId === null ? [] : [{ commit, itemId }]
    })
  }
})

const open = Effect.fn("GitWorkspace.open")(function* (
  creations: Map<string, Effect.Semaphore>,
  options: Open
): Effect.fn.Return<
  SessionWorkspace,
  WorkspaceError,
  Git | ProdigyHome | AtomicFile | DiskSync | FileSystem.FileSystem | Scope.Scope
> {
  const { jobId, maxParallel, project, sessionId, target } = options
  const disk = yield* DiskSync
  const fs = yield* FileSystem.FileSystem
  const opened = Effect.gen(function* () {
    const paths = yield* worktreePaths(fs, (yield* ProdigyHome).repo(options.repo))
    const scratch = paths.worktreeMetadata(sessionId).replace(/\.json$/, ".commit")
    const repository = yield* openRepository(creations, project.root, scratch)
    yield* StaleLocks.remove({ repository, jobId, sessionId, path: paths.worktree(sessionId) })
    const opens = ParentWorktree.open({
      repository,
      jobId,
      sessionId,
      paths,
      base: options.base,
      target,
      recorded: options.recorded ?? null
    })
    if (jobId === null) {
      const parent = yield* opens
      const refuse = WorktreePool.refusal(project.root)
      const queue: MergeQueue.MergeQueue = { integrate: () => refuse }
      return { repository, parent, pool: WorktreePool.none(refuse), queue }
    }
    const parentBranch = RefName.sessionBranch(sessionId)
    const isNew = !(yield* fs.exists(paths.worktree(sessionId)))
    const opening = yield* Effect.fork(opens)
    const pool = yield* Effect.onError(
      WorktreePool.make({
        repository,
        jobId,
        paths,
        parentBranch,
        parentOpened: Fiber.join(opening),
        maxParallel,
        first: isNew ? options.base : null
      }),
      () => Fiber.interrupt(opening)
    )
    const parent = yield* Fiber.join(opening)
    const queue = yield* MergeQueue.make({ repository, jobId, parentBranch, pool })
    return { repository, parent, pool, queue }
  })
  const { parent, pool, queue, repository } = yield* Effect.mapError(
    opened,
    convert("open the session's workspace", project.root)
  )

  const session: GitFinish.Session = {
    repository,
    origin: { jobId, sessionId },
    checkout: project.checkout,
    branch: parent.checkout.branch,
    base: parent.checkout.base,
    target
  }
  const inParent = <A, R>(operation: string, effect: Effect.Effect<A, Below, R>) =>
    Effect.mapError(effect, convert(operation, parent.checkout.path))
  const inRoot = <A, R>(operation: string, effect: Effect.Effect<A, Below, R>) =>
    Effect.mapError(effect, convert(operation, project.root))
  const withFiles = Effect.provideService(FileSystem.FileSystem, fs)
  const headOf = (path: string) => (path === parent.checkout.path ? parent.worktree : undefined)

  return {
    parent: parent.checkout,
    tip: inParent("read the session's branch", parent.tip),
    acquire: (work) => inRoot("hand out an agent worktree", pool.acquire(work)),
    head: (checkout) => {
      const worktree = pool.worktree(checkout) ?? headOf(checkout.path)
      return Effect.flatMap(
        worktree === undefined ? Effect.succeed([null] as const) : repository.resolve(worktree.head),
        ([commit]) => Effect.succeed(commit ?? checkout.base)
      ).pipe(Effect.mapError(convert("read HEAD", checkout.path)))
    },
    changes: (checkout, from, to) =>
      Effect.mapError(Changes.between(repository, from, to), convert("read the changes", checkout.path)),
    collect: (checkout, work, how) =>
      Effect.uninterruptible(pool.collect(checkout, work, how)).pipe(
        Effect.mapError(convert("commit what the agent left", checkout.path))
      ),
    rescue: (checkout, work) =>
      Effect.uninterruptible(pool.rescue(checkout, work)).pipe(
        Effect.mapError(convert("keep what the agent left", checkout.path))
      ),
    release: pool.release,
    integrate: (work, tip, branch) =>
      Effect.mapError(queue.integrate(work, tip, branch), (error) =>
        error._tag === "MergeConflict" ? error : convert(`merge ${branch ?? tip}`, project.root)(error)
      ),
    syncParent: inParent("bring the session's files up to date", parent.sync),
    sealSetup: (how) => inParent("end the setup phase", parent.sealSetup(how)),
    sealReduce: (how) => inParent("end the reduce phase", parent.sealReduce(how)),
    sealSteps: inParent("commit what the steps left", parent.sealSteps),
    flush: inParent("put what the steps left on the disk", disk.flush([parent.checkout.path, repository.commonDir])),
    fingerprint: inParent("look at the session's files", parent.fingerprint),
    preview: inRoot("look at the session's changes", GitFinish.preview(session)),
    finish: ({ approved }) =>
      inRoot(`merge ${session.branch}`, withFiles(Effect.uninterruptible(GitFinish.finish(session, approved)))),
    clean: (how) => Effect.uninterruptible(Cleanup.clean({ repository, jobId, sessionId, target, pool, parent }, how))
  }
})

const openWorktrees = Effect.fn("GitWorkspace.openWorktrees")(function* (
  creations: Map<string, Effect.Semaphore>,
  { project, repo }: Parameters<(typeof Worktrees.Service)["open"]>[0]
): Effect.fn.Return<RepositoryWorktrees, WorkspaceError, Git | ProdigyHome | FileSystem.FileSystem | Scope.Scope> {
  const fs = yield* FileSystem.FileSystem
  const place = yield* Effect.gen(function* () {
    const paths = withWorktrees(
      (yield* ProdigyHome).repo(repo),
      yield* canonical(fs, (yield* ProdigyHome).repo(repo).worktrees)
    )
    const scratch = `${yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-" })}/commit`
    return { repository: yield* openRepository(creations, project.root, scratch), paths }
  }).pipe(Effect.mapError(convert("look at the worktrees", project.root)))
  const about = <A>(operation: string, path: string, effect: Effect.Effect<A, Below, FileSystem.FileSystem>) =>
    Effect.provideService(Effect.mapError(effect, convert(operation, path)), FileSystem.FileSystem, fs)
  return {
    list: about("list the worktrees", project.root, GitWorktrees.list(place)),
    find: (name) => about("look at a worktree", project.root, GitWorktrees.find(place, name)),
    work: (found) => about("look at a worktree", found.path, GitWorktrees.work(place, found)),
    consider: (found, how) => about("look at a worktree", found.path, GitWorktrees.consider(place, found, how)),
    remove: (found, how) => about("remove a worktree", found.path, GitWorktrees.remove(place, found, how)),
    merge: ({ jobId, sessionId, ...session }) =>
      about(
        `merge ${session.branch}`,
        project.root,
        Effect.uninterruptible(
          GitFinish.finish(
            { ...session, repository: place.repository, origin: { jobId, sessionId }, checkout: project.checkout },
            "yes"
          )
        )
      )
  }
})

const commonDirOf = Effect.fnUntraced(function* (root: string) {
  const git = yield* Git
  const fs = yield* FileSystem.FileSystem
  const { stdout } = yield* git.run(["rev-parse", "--path-format=absolute", "--git-common-dir"], {
    cwd: root,
    reads: true
  })
  return yield* fs.realPath(stdout.replace(/\n$/, ""))
})

const openRepository = Effect.fnUntraced(function* (
  creations: Map<string, Effect.Semaphore>,
  root: string,
  scratch: string
) {
  const commonDir = yield* commonDirOf(root)
  const creation = creations.get(commonDir) ?? Effect.unsafeMakeSemaphore(1)
  creations.set(commonDir, creation)
  return yield* Repository.make({ root, commonDir, creation, scratch })
})

/** Git writes canonical paths into its files; ours have to be the same to be compared with them. */
const worktreePaths = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, paths: RepoPaths) {
  yield* fs.makeDirectory(`${paths.worktrees}/.metadata`, { recursive: true, mode: 0o700 })
  return withWorktrees(paths, yield* fs.realPath(paths.worktrees))
})

const withWorktrees = (paths: RepoPaths, worktrees: string): RepoPaths => ({
  ...paths,
  worktrees,
  worktree: (name) => `${worktrees}/${name}`
})

/** As `realPath`, also for what is not there: below the first directory that is. */
const canonical = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string> =>
  Effect.catchAll(fs.realPath(path), () => {
    const at = path.lastIndexOf("/")
    return at <= 0
      ? Effect.succeed(path)
      : Effect.map(canonical(fs, path.slice(0, at)), (above) => `${above}${path.slice(at)}`)
  })

type Below = GitError | PlatformError.PlatformError | StorageError | WorkspaceError

/** What goes wrong below, as what a caller would act on. */
const convert =
  (operation: string, path: string, otherwise: WorkspaceError["reason"] = "command_failed") =>
  (error: Below): WorkspaceError => {
    if (error._tag === "WorkspaceError") return error
    const [reason, detail] =
      error._tag === "GitError"
        ? [reasonOf(error, otherwise), detailOf(error)]
        : (["command_failed", error.message] as const)
    return new WorkspaceError({ operation, reason, path, detail })
  }

const reasonOf = (error: GitError, otherwise: WorkspaceError["reason"]): WorkspaceError["reason"] => {
  switch (error.reason) {
    case "missing":
      return "git_missing"
    case "locked":
      return "locked"
    default:
      return otherwise
  }
}

const detailOf = (error: GitError): string => {
  if (error.reason === "missing") return "git is not installed, or not on the PATH"
  return error.reason === "no_directory" ? "there is no such directory" : error.message
}
