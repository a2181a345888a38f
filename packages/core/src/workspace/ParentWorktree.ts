/**
 * The session's own worktree, where setup and reduce run, and all steps of a standard workflow.
 *
 * Owns its files: that they follow the branch when merges have moved it, and what becomes of changes that a phase leaves
 * uncommitted. Does not own the merges.
 *
 * Crash guarantee: opening again finds it or makes it. `synced` in its record says which commit its files are of, so that
 * a sync or a seal that was cut short is done again, to the same end.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type { JobId } from "../domain/JobId.ts"
import type { SessionId } from "../domain/SessionId.ts"
import { AtomicFile, type StorageError } from "../storage/AtomicFile.ts"
import type { RepoPaths } from "../storage/ProdigyHome.ts"
import * as CommitMessage from "./CommitMessage.ts"
import * as Leftovers from "./Leftovers.ts"
import * as RefName from "./RefName.ts"
import type { Repository, RepositoryError } from "./Repository.ts"
import * as Snapshot from "./Snapshot.ts"
import * as Submodules from "./Submodules.ts"
import { type Checkout, type Recorded, WorkspaceError } from "./Workspace.ts"
import * as Worktree from "./Worktree.ts"
import * as WorktreeRecord from "./WorktreeRecord.ts"

/**
 * What can go wrong in the parent worktree.
 *
 * @since 0.1.0
 * @category errors
 */
export type ParentError = RepositoryError | StorageError | WorkspaceError

/**
 * @since 0.1.0
 * @category models
 */
export interface ParentWorktree {
  readonly checkout: Checkout
  readonly worktree: Worktree.Worktree
  readonly tip: Effect.Effect<string, ParentError>
  /** See `SessionWorkspace.syncParent`. */
  readonly sync: Effect.Effect<void, ParentError>
  readonly sealSetup: (options: { readonly autoCommit: boolean }) => Effect.Effect<void, ParentError>
  readonly sealReduce: (options: { readonly autoCommit: boolean }) => Effect.Effect<void, ParentError>
  /** See `SessionWorkspace.sealSteps`. */
  readonly sealSteps: Effect.Effect<void, ParentError>
  /** See `SessionWorkspace.fingerprint`. */
  readonly fingerprint: Effect.Effect<string, ParentError>
  /** Removes the worktree; what is uncommitted in it goes to a rescue ref first. */
  readonly remove: Effect.Effect<void, ParentError>
  /** Leaves the worktree for a later merge. */
  readonly retain: Effect.Effect<void, ParentError>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const open = Effect.fn("ParentWorktree.open")(function* (options: {
  readonly repository: Repository
  readonly jobId: JobId | null
  readonly sessionId: SessionId
  readonly paths: RepoPaths
  readonly base: string
  readonly target: string | null
  /** See `Workspace.open`; null when nothing is. */
  readonly recorded: Recorded | null
}): Effect.fn.Return<ParentWorktree, ParentError, FileSystem.FileSystem | AtomicFile> {
  const { jobId, paths, repository, sessionId } = options
  const origin = { jobId, sessionId }
  const whose = jobId ?? sessionId
  const context = yield* Effect.context<FileSystem.FileSystem | AtomicFile>()
  const branch = RefName.sessionBranch(sessionId)
  const ref = RefName.ofBranch(branch)
  const path = paths.worktree(sessionId)
  const recordPath = paths.worktreeMetadata(sessionId)
  const { filled, isNewBranch, worktree } = yield* findOrMake(repository, { ...options, path, branch })

  // What was recorded of a branch that is gone says nothing of the one that is made in its place.
  const found = isNewBranch ? null : yield* WorktreeRecord.read(recordPath)
  let record: WorktreeRecord.ParentRecord =
    found?.role === "parent"
      ? { ...found, path, status: "open", synced: filled ?? found.synced }
      : {
          role: "parent",
          v: 1,
          path,
          branch,
          base: options.base,
          job: jobId,
          session: sessionId,
          status: "open",
          synced: filled ?? options.base,
          setup: null
        }
  const remember = (change: Partial<Pick<WorktreeRecord.ParentRecord, "synced" | "setup" | "status">>) =>
    Effect.suspend(() => {
      record = { ...record, ...change }
      return WorktreeRecord.writeDurably(recordPath, record)
    })
  yield* remember({})

  const tip = Effect.flatMap(repository.resolve(ref), ([commit]) =>
    commit !== null
      ? Effect.succeed(commit)
      : new WorkspaceError({
          operation: "read the session's branch",
          reason: "checkout_damaged",
          path,
          detail: `${branch} is gone`
        })
  )
  const here = Worktree.at(worktree)

  const since = () => ({ base: record.synced, whose })

  /** The tree of a phase's end, unless what is to be merged links to what others cannot get. */
  const fit = (
    taken: Snapshot.Snapshot,
    operation: string,
    how: { readonly autoCommit: boolean; readonly at: string }
  ) => Snapshot.treeOf(taken, { autoCommit: how.autoCommit, hasCommits: how.at !== record.synced, operation, path })

  /** Puts a tree of uncommitted changes on a rescue ref. */
  const keep = Effect.fnUntraced(function* (phase: "setup" | "reduce" | "parent", tree: string, parent: string) {
    const commit = yield* repository.commit({
      tree,
      parents: [parent],
      message: CommitMessage.phase(origin, `left uncommitted (${phase})`)
    })
    const kept = RefName.phaseRescue(whose, phase, commit)
    yield* repository.updateRefs([{ ref: kept, to: commit }])
    return { commit, kept }
  })

  /** Commits a tree that holds the worktree's index on top of the branch. */
  const commitOnTop = Effect.fnUntraced(function* (name: string, tree: string, parent: string) {
    const commit = yield* repository.commit({ tree, parents: [parent], message: CommitMessage.phase(origin, name) })
    if (yield* repository.updateRefs([{ ref, to: commit, from: parent }])) return commit
    return yield* new WorkspaceError({
      operation: `commit what ${name} left`,
      reason: "locked",
      path,
      detail: `${branch} was moved meanwhile`
    })
  })

  /** Setup's leftovers that are as setup left them go back, in the index, to what the branch has. */
  const withoutSetup = Effect.fnUntraced(function* (
    tree: string,
    commit: string,
    where: ReturnType<typeof Worktree.at>
  ) {
    if (record.setup === null) return tree
    const [left, changed, differing] = yield* Effect.all([
      differences(repository, `${record.setup}^`, record.setup),
      differences(repository, record.setup, tree),
      differences(repository, commit, record.setup)
    ])
    const entries = [...left.keys()].flatMap((name) => {
      const entry = differing.get(name)
      return entry === undefined || changed.has(name) ? [] : [`${entry}\t${name}\0`]
    })
    if (entries.length === 0) return tree
    yield* repository.run(["update-index", "-z", "--index-info"], { ...where, stdin: entries.join("") })
    return (yield* repository.run(["write-tree"], where)).stdout.trim()
  })

  const sealSetup = Effect.fnUntraced(function* ({ autoCommit }: { readonly autoCommit: boolean }) {
    const commit = yield* tip
    const [treeAtTip] = yield* repository.resolve(`${commit}^{tree}`)
    if (autoCommit) {
      const taken = yield* Snapshot.take(repository, worktree, since())
      const tree = yield* fit(taken, "end the setup phase", { autoCommit, at: commit })
      const synced = tree === treeAtTip ? commit : yield* commitOnTop("setup", tree, commit)
      return yield* remember({ synced, setup: null })
    }
    const taken = yield* Snapshot.takeAside(repository, worktree, commit, since())
    const tree = yield* fit(taken, "end the setup phase", { autoCommit, at: commit })
    const setup = tree === treeAtTip ? null : (yield* keep("setup", tree, commit)).commit
    yield* remember({ synced: commit, setup })
  })

  const commitLeft = Effect.fnUntraced(function* (name: string) {
    const commit = yield* tip
    const [treeAtTip] = yield* repository.resolve(`${commit}^{tree}`)
    const taken = yield* Snapshot.take(repository, worktree, since())
    const all = yield* fit(taken, "commit what was left uncommitted", { autoCommit: true, at: commit })
    const tree = yield* withoutSetup(all, commit, here)
    yield* remember({ synced: tree === treeAtTip ? commit : yield* commitOnTop(name, tree, commit) })
  })

  const sealReduce = Effect.fnUntraced(function* ({ autoCommit }: { readonly autoCommit: boolean }) {
    const commit = yield* tip
    const [treeAtTip] = yield* repository.resolve(`${commit}^{tree}`)
    if (autoCommit) return yield* commitLeft("reduce")
    const tree = yield* Snapshot.aside(worktree, commit, repository, (index) =>
      Snapshot.take(repository, worktree, { ...since(), index }).pipe(
        Effect.flatMap((taken) => fit(taken, "end the reduce phase", { autoCommit, at: commit })),
        Effect.flatMap((all) => withoutSetup(all, commit, Worktree.at(worktree, index)))
      )
    )
    if (tree !== treeAtTip) {
      const { kept } = yield* keep("reduce", tree, commit)
      yield* Effect.logWarning(`What the reduce phase left uncommitted is kept on ${kept}.`)
    }
    yield* remember({ synced: commit })
  })

  const sync = Effect.gen(function* () {
    const commit = yield* tip
    if ((yield* Worktree.branch(worktree)) !== branch) {
      yield* rescueAll
      yield* repository.run(["checkout", "--quiet", "--force", branch], here)
      yield* moveSubmodules(record.synced, commit)
      return yield* remember({ synced: commit })
    }
    if (record.synced === commit) return
    yield* repository.run(["update-index", "-q", "--refresh"], { ...here, expect: [0, 1] })
    const moved = yield* moveFiles(record.synced, commit)
    if (!moved) {
      const kept = yield* rescueAll
      yield* Effect.logWarning(
        `Uncommitted files of ${path} stood in the way of merged ones; they are kept on ${kept}.`
      )
      yield* makeWay(record.synced, commit)
      if (!(yield* moveFiles(record.synced, commit)))
        yield* repository.run(["read-tree", "--reset", "-u", commit], here)
    }
    yield* moveSubmodules(record.synced, commit)
    yield* remember({ synced: commit })
  })

  /** Steps may have left the session's branch: it follows where it can, so that what they committed is in the merge. */
  const follow = Effect.gen(function* () {
    const on = yield* Worktree.branch(worktree)
    if (on === branch) return
    const commit = yield* tip
    const [head] = yield* repository.resolve(worktree.head)
    if (head !== null && (yield* Leftovers.isAncestor(repository, commit, head))) {
      yield* repository.updateRefs([{ ref, to: head, from: commit }])
      return yield* repository.run(["symbolic-ref", "HEAD", ref], here)
    }
    if (head !== null && (yield* Leftovers.isAncestor(repository, head, commit))) return yield* sync
    return yield* new WorkspaceError({
      operation: `commit what the steps left`,
      reason: "checkout_damaged",
      path,
      detail: `they left it on ${on ?? head ?? "no commit"}, which does not come from ${branch}; merge it into ${branch} there`
    })
  })

  const sealSteps = Effect.zipRight(follow, commitLeft("what the steps left"))

  const fingerprint = Effect.gen(function* () {
    const [head] = yield* repository.resolve(worktree.head)
    const commit = head ?? (yield* tip)
    const { tree } = yield* Snapshot.takeAside(repository, worktree, commit, { ...since(), whose: null })
    return `${commit} ${tree}`
  })

  const moveFiles = (from: string, to: string) =>
    Effect.map(
      repository.run(["read-tree", "-m", "-u", from, to], { ...here, expect: [0, 128] }),
      ({ exitCode }) => exitCode === 0
    )

  /** Submodules that are set up follow as files do: left behind, they would be taken for a change. */
  const moveSubmodules = Effect.fnUntraced(function* (from: string, to: string) {
    const fs = yield* FileSystem.FileSystem
    if (!(yield* fs.exists(`${worktree.admin}/modules`))) return
    const before = yield* differences(repository, from, to)
    const after = yield* differences(repository, to, from)
    const names = yield* Submodules.declared(repository, path)
    for (const [name, entry] of after) {
      const [mode, id] = entry.split(" ")
      const [modeBefore, idBefore] = before.get(name)?.split(" ") ?? []
      if (mode !== "160000" || modeBefore !== mode || id === undefined || idBefore === undefined) continue
      const store = Submodules.storeOf(repository.commonDir, names.get(name) ?? name)
      if (yield* Submodules.move(repository, { directory: `${path}/${name}`, from: idBefore, store, to: id })) continue
      return yield* new WorkspaceError({
        operation: "bring the session's files up to date",
        reason: "checkout_damaged",
        path,
        detail: `the submodule ${name} cannot be brought to ${id}, which items have linked it to; check that commit out there`
      })
    }
  })

  /** Puts only those uncommitted files back that the move would change. */
  const makeWay = Effect.fnUntraced(function* (from: string, to: string) {
    const fs = yield* FileSystem.FileSystem
    const moving = yield* differences(repository, from, to)
    for (const [name, entry] of moving) {
      if (entry.startsWith("0 ")) yield* fs.remove(`${path}/${name}`, { recursive: true, force: true })
    }
    const tracked = [...moving].filter(([, entry]) => !entry.startsWith("0 ")).map(([name]) => `${name}\0`)
    const entries = [...moving].map(([name, entry]) => `${entry}\t${name}\0`)
    yield* repository.run(["update-index", "-z", "--index-info"], { ...here, stdin: entries.join("") })
    yield* repository.run(["checkout-index", "--force", "-z", "--stdin"], { ...here, stdin: tracked.join("") })
    yield* repository.run(["update-index", "-q", "--refresh"], { ...here, expect: [0, 1] })
  })

  /** Says where everything uncommitted is kept; null when there is nothing. */
  const rescueAll = Effect.gen(function* () {
    const [synced] = yield* repository.resolve(`${record.synced}^{tree}`)
    const { all, rest } = yield* Snapshot.aside(
      worktree,
      record.synced,
      repository,
      Effect.fnUntraced(function* (index: string) {
        const { tree } = yield* Snapshot.take(repository, worktree, { ...since(), index })
        return { all: tree, rest: yield* withoutSetup(tree, record.synced, Worktree.at(worktree, index)) }
      })
    )
    if (all === synced) return null
    if (rest === synced && record.setup !== null) return RefName.phaseRescue(whose, "setup", record.setup)
    return (yield* keep("parent", all, record.synced)).kept
  })

  const remove = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    yield* rescueAll
    yield* Worktree.remove(repository, path)
    yield* fs.remove(repository.scratch, { force: true })
    yield* fs.remove(recordPath, { force: true })
  })

  const provide = <A, E>(effect: Effect.Effect<A, E, FileSystem.FileSystem | AtomicFile>) =>
    Effect.provide(Effect.uninterruptible(effect), context)
  return {
    checkout: { path, branch, base: record.base },
    worktree,
    tip,
    sync: provide(sync),
    sealSetup: (how) => provide(sealSetup(how)),
    sealReduce: (how) => provide(sealReduce(how)),
    sealSteps: provide(sealSteps),
    fingerprint: provide(fingerprint),
    remove: provide(remove),
    retain: provide(remember({ status: "kept" }))
  }
})

const findOrMake = Effect.fnUntraced(function* (
  repository: Repository,
  at: {
    readonly path: string
    readonly branch: string
    readonly base: string
    readonly target: string | null
    readonly recorded: Recorded | null
  }
): Effect.fn.Return<
  {
    readonly worktree: Worktree.Worktree
    readonly isNewBranch: boolean
    /** The commit whose files a new worktree has; null for one that was there. */
    readonly filled: string | null
  },
  ParentError,
  FileSystem.FileSystem
> {
  const found = yield* Worktree.find(repository, at.path)
  const [head, existing] = yield* repository.resolve(found?.head ?? "HEAD", RefName.ofBranch(at.branch))
  if (found !== null && head !== null && existing !== null) return { worktree: found, isNewBranch: false, filled: null }
  const commit = existing ?? (yield* lastKnown(repository, at))
  const worktree = yield* Worktree.add(repository, at.path, commit)
  const how = existing === null ? ["--no-track", "-b", at.branch, commit] : [at.branch]
  yield* repository.run(["checkout", "--quiet", "--force", ...how], Worktree.at(worktree))
  return { worktree, isNewBranch: existing === null, filled: commit }
})

/** Where a branch that is not there is to be made: work that is recorded done is never left out in silence. */
const lastKnown = Effect.fnUntraced(function* (
  repository: Repository,
  { base, branch, path, recorded, target }: Parameters<typeof findOrMake>[1]
): Effect.fn.Return<string, RepositoryError | WorkspaceError> {
  if (recorded === null) return base
  const [commit, at] = yield* repository.resolve(
    recorded.commit === null ? null : `${recorded.commit}^{commit}`,
    target === null ? null : RefName.ofBranch(target)
  )
  const known =
    commit !== null && (recorded.whole || (at !== null && (yield* Leftovers.isAncestor(repository, commit, at))))
  if (known) {
    yield* Effect.logWarning(`${branch} was gone; it was made again at ${commit}, the last commit that is recorded.`)
    return commit
  }
  return yield* new WorkspaceError({
    operation: "open the session's branch",
    reason: "checkout_damaged",
    path,
    detail: `${branch} is gone, and with it work that is recorded done; put it back where it was (git branch ${branch} COMMIT): at ${commit ?? base} or a commit that came after it`
  })
})

/** Paths that differ, with mode and id that they have on the first side, as `update-index --index-info` takes them. */
const differences = (repository: Repository, first: string, second: string) =>
  Effect.map(
    repository.run(["diff-tree", "-r", "-z", "--no-renames", "--ignore-submodules=none", first, second], {
      cwd: repository.root,
      reads: true
    }),
    ({ stdout }): ReadonlyMap<string, string> => {
      const fields = stdout.split("\0")
      const entries = new Map<string, string>()
      for (let index = 0; index + 1 < fields.length; index += 2) {
        const [mode, , id] = (fields[index] ?? "").slice(1).split(" ")
        entries.set(fields[index + 1] ?? "", `${mode === "000000" ? "0" : mode} ${id}`)
      }
      return entries
    }
  )
