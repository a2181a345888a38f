/**
 * The workspace without git: branches, commits and merges as plain data, worktrees on the simulated disk.
 *
 * A model of what `GitWorkspace` promises; a property test compares the two (`test/MemoryWorkspace.test.ts`). A commit is its
 * parents and the content of every file; a merge compares whole files, and two sides that changed one file to different contents
 * conflict. Every operation is one step of the machine and durable when it returns, as git's are by its own syncs. What is in a
 * worktree is files: what a step writes there and does not sync, a power cut may take.
 *
 * Not modelled: merges within a file, renames, binary files, ignored files, modes and links; staged changes, detached HEADs,
 * merges and branches that steps and agents make themselves; hooks; and everything of the user's but one checkout on one branch,
 * the commits of other branches, and what is uncommitted.
 *
 * @since 0.1.0
 */
import * as Digest from "@prodigy/core/domain/Digest"
import type { Kept } from "@prodigy/core/domain/DeadLetter"
import type { JobId } from "@prodigy/core/domain/JobId"
import type { Finish } from "@prodigy/core/domain/JobRecord"
import type { SessionId } from "@prodigy/core/domain/SessionId"
import { ProdigyHome, type RepoPaths } from "@prodigy/core/storage/ProdigyHome"
import * as CommitMessage from "@prodigy/core/workspace/CommitMessage"
import * as GitFinish from "@prodigy/core/workspace/GitFinish"
import * as RefName from "@prodigy/core/workspace/RefName"
import {
  type AgentWork,
  type Checkout,
  type Cleaned,
  type Collected,
  MergeConflict,
  type Project,
  type Recorded,
  type SessionWorkspace,
  Workspace,
  WorkspaceError
} from "@prodigy/core/workspace/Workspace"
import * as WorktreePool from "@prodigy/core/workspace/WorktreePool"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Layer from "effect/Layer"
import * as MemoryCheckout from "./MemoryCheckout.ts"
import * as MemoryGit from "./MemoryGit.ts"
import { Errno } from "./SimulatedDisk.ts"
import { type Machine, SimulatedMachine } from "./SimulatedMachine.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type Tree = MemoryGit.Tree

/**
 * @since 0.1.0
 * @category models
 */
export type Commit = MemoryGit.Commit

/**
 * @since 0.1.0
 * @category models
 */
export type Git = MemoryGit.Git

const name = "git"

/**
 * Makes the repository of a machine: one checkout with one branch and one commit. Once for each machine.
 *
 * @since 0.1.0
 * @category constructors
 */
export const init = (options: {
  readonly root: string
  readonly branch?: string
  readonly files: Tree
}): Effect.Effect<Git, never, SimulatedMachine> =>
  Effect.map(SimulatedMachine, ({ disk, world }) => {
    const branch = options.branch ?? "main"
    const git = MemoryGit.draft({
      root: options.root,
      branch,
      commits: HashMap.empty(),
      refs: {},
      sessions: {},
      agents: {}
    })
    git.refs[RefName.ofBranch(branch)] = MemoryGit.commit(git, { parents: [], tree: options.files, message: "start" })
    MemoryCheckout.bring(disk, options.root, options.files)
    world.set(name, Object.freeze(git))
    return git
  })

/**
 * The repository as it is now.
 *
 * @since 0.1.0
 * @category getters
 */
export const repository: Effect.Effect<Git, never, SimulatedMachine> = Effect.map(SimulatedMachine, ({ world }) =>
  gitOf(world)
)

/**
 * The commits that a ref leads to, the newest first, each once.
 *
 * @since 0.1.0
 * @category getters
 */
export const history: (git: Git, ref: string) => ReadonlyArray<Commit> = MemoryGit.history

/**
 * Commits everything in a checkout, as an agent or the user does by `git add --all && git commit`. The commit's id; null when
 * there is nothing to commit. `path` is that of a worktree: the user's, a session's or an agent's.
 *
 * @since 0.1.0
 * @category programs
 */
export const commit = (options: {
  readonly path: string
  readonly message: string
}): Effect.Effect<string | null, WorkspaceError, SimulatedMachine> =>
  Effect.flatMap(SimulatedMachine, (machine) =>
    changing(machine, "commit", options.path, (git) => {
      const { path } = options
      const branch = path === git.root ? git.branch : (git.sessions[path] ?? git.agents[path]?.attempt)?.branch
      const at = branch === undefined ? undefined : MemoryGit.tipOf(git, branch)
      if (branch === undefined || at === undefined)
        return failed("commit", "not_a_repository", path, "it is no worktree")
      const tree = MemoryCheckout.read(machine.disk, path)
      const session = git.sessions[path]
      if (session !== undefined) git.sessions[path] = { ...session, index: tree }
      if (MemoryGit.sameTree(tree, MemoryGit.treeAt(git, at))) return Either.right(null)
      const id = MemoryGit.commit(git, { parents: [at], tree, message: options.message })
      git.refs[RefName.ofBranch(branch)] = id
      return Either.right(id)
    })
  )

/**
 * A commit that somebody else pushes to a branch which is checked out nowhere. One that is not there is made from the user's.
 *
 * @since 0.1.0
 * @category programs
 */
export const push = (options: {
  readonly branch: string
  /** Contents by path; null removes. */
  readonly files: Readonly<Record<string, string | null>>
  readonly message: string
}): Effect.Effect<string, WorkspaceError, SimulatedMachine> =>
  Effect.flatMap(SimulatedMachine, (machine) =>
    changing(machine, "push", options.branch, (git) => {
      const at = MemoryGit.tipOf(git, options.branch) ?? headOf(git)
      const tree = { ...MemoryGit.treeAt(git, at) }
      for (const [path, content] of Object.entries(options.files)) MemoryGit.put(tree, path, content ?? undefined)
      const id = MemoryGit.commit(git, { parents: [at], tree, message: options.message })
      git.refs[RefName.ofBranch(options.branch)] = id
      return Either.right(id)
    })
  )

/**
 * Deletes a branch, as the user may. A session's is made again when the session is opened, where that is known to be safe.
 *
 * @since 0.1.0
 * @category programs
 */
export const deleteBranch = (branch: string): Effect.Effect<void, WorkspaceError, SimulatedMachine> =>
  Effect.flatMap(SimulatedMachine, (machine) =>
    changing(machine, "branch", branch, (git) => {
      delete git.refs[RefName.ofBranch(branch)]
      return Either.void
    })
  )

/**
 * The workspace of the machine's repository, for the program that runs now.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Workspace, never, SimulatedMachine | ProdigyHome> = Layer.effect(
  Workspace,
  Effect.gen(function* () {
    const machine = yield* SimulatedMachine
    const { step } = yield* machine.boot
    const home = yield* ProdigyHome
    const running: Machine = { ...machine, boot: Effect.succeed(yield* machine.boot) }
    const look = <A, E = never>(method: string, path: string, answer: (git: Git) => Either.Either<A, E>) =>
      Effect.zipRight(
        step({ method: `git ${method}`, path, bytes: 0 }),
        Effect.suspend(() => answer(gitOf(machine.world)))
      )
    const model: Model = {
      machine,
      look,
      change: (method, path, change) => changing(running, method, path, change)
    }

    return Workspace.of({
      find: (path) =>
        look("find", path, (git) => {
          const within = path === git.root || path.startsWith(`${git.root}/`)
          return within && MemoryCheckout.kindOf(machine.disk, path) === "directory"
            ? Either.right(projectOf(git))
            : failed("find a repository", "not_a_repository", path, "there is none")
        }),
      resolve: (project, commitish) =>
        look("rev-parse", project.root, (git) => {
          const known = commitish === "HEAD" ? headOf(git) : MemoryGit.commitAt(git, commitish)?.id
          const id = MemoryGit.tipOf(git, commitish) ?? git.refs[commitish] ?? known
          return id !== undefined
            ? Either.right(id)
            : failed("read a commit", "unknown_base", project.root, `${commitish} is none`)
        }),
      files: (project, commit) =>
        look("ls-tree", project.root, (git) => {
          const tree = MemoryGit.commitAt(git, commit)?.tree
          return tree !== undefined
            ? Either.right(Object.keys(tree).toSorted())
            : failed("list the files", "command_failed", project.root, `${commit} is no commit`)
        }),
      isTaken: (project, sessionId) =>
        look("for-each-ref", project.root, (git) =>
          Either.right(MemoryGit.tipOf(git, RefName.sessionBranch(sessionId)) !== undefined)
        ),
      hasAgentWorktrees: (project, _, jobId) =>
        look("worktree list", project.root, (git) => Either.right(slotsOf(git, jobId).length > 0)),
      leftovers: (project, { jobId, sessionId, target }) =>
        look("for-each-ref", project.root, (git) => {
          const into = (target === null ? undefined : MemoryGit.tipOf(git, target)) ?? project.head
          const own = RefName.ofBranch(RefName.sessionBranch(sessionId))
          const branches = [...(own in git.refs ? [own] : []), ...(jobId === null ? [] : agentRefs(git, jobId))]
          return Either.right({
            unmerged: branches
              .toSorted()
              .filter((ref) => !MemoryGit.isAncestor(git, git.refs[ref] ?? "", into))
              .map(short),
            rescues: refsBelow(git, RefName.rescues(jobId ?? sessionId))
          })
        }),
      holdings: (project, { base, jobId, sessionId, target }) =>
        look("log", project.root, (git) => {
          const own = RefName.ofBranch(RefName.sessionBranch(sessionId))
          const agents = jobId === null ? [] : agentRefs(git, jobId)
          const rescues = refsBelow(git, RefName.rescues(jobId ?? sessionId))
          const refs = [own, ...agents, ...rescues].flatMap((ref) => {
            const commit = git.refs[ref]
            return commit === undefined ? [] : [[ref, commit] as const]
          })
          const tips = [git.refs[own], target === null ? undefined : MemoryGit.tipOf(git, target)]
          const commits = new Set(
            tips.flatMap((tip) => (tip === undefined ? [] : MemoryGit.beyond(git, base, tip).map(({ id }) => id)))
          )
          return Either.right({
            refs: new Map(refs),
            commits,
            merges: [...commits].flatMap((commit) => {
              const { message = "", parents = [] } = MemoryGit.commitAt(git, commit) ?? {}
              const value = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(message)?.[1]
              const isMerge = parents.length > 1 && value("Prodigy-Job") === jobId
              const itemId = isMerge ? CommitMessage.itemOf(value("Prodigy-Item") ?? "") : null
              return itemId === null ? [] : [{ commit, itemId }]
            })
          })
        }),
      open: (options) => open(model, { ...options, paths: home.repo(options.repo), recorded: options.recorded ?? null })
    })
  })
)

// -----------------------------------------------------------------------------
// steps
// -----------------------------------------------------------------------------

interface Model {
  readonly machine: Machine
  /** One step of the machine that changes nothing. */
  readonly look: <A, E = never>(
    method: string,
    path: string,
    answer: (git: Git) => Either.Either<A, E>
  ) => Effect.Effect<A, E>
  /** One step of the machine, and then all of the change at once; nothing of it in the repository when it fails. */
  readonly change: <A, E = never>(
    method: string,
    path: string,
    change: (git: MemoryGit.Draft) => Either.Either<A, E>
  ) => Effect.Effect<A, E | WorkspaceError>
}

const changing = <A, E = never>(
  machine: Machine,
  method: string,
  path: string,
  change: (git: MemoryGit.Draft) => Either.Either<A, E>
): Effect.Effect<A, E | WorkspaceError> =>
  Effect.flatMap(machine.boot, ({ step }) =>
    Effect.zipRight(
      step({ method: `git ${method}`, path, bytes: 0 }),
      Effect.suspend((): Effect.Effect<A, E | WorkspaceError> => {
        const draft = MemoryGit.draft(gitOf(machine.world))
        try {
          const outcome = change(draft)
          if (Either.isRight(outcome)) machine.world.set(name, Object.freeze(draft))
          return outcome
        } catch (error) {
          // Such as a full disk. Anything else is a defect of the model.
          if (error instanceof Errno) return failed(method, "command_failed", path, error.message)
          throw error
        }
      })
    )
  )

const failed = (operation: string, reason: WorkspaceError["reason"], path: string, detail: string) =>
  Either.left(new WorkspaceError({ operation, reason, path, detail }))

const gitOf = (world: Map<string, unknown>): Git => {
  const git = world.get(name)
  if (git === undefined) throw new Error("This machine has no repository: MemoryWorkspace.init makes it.")
  return git as Git
}

const headOf = (git: Git): string => MemoryGit.tipOf(git, git.branch) ?? ""

const projectOf = (git: Git): Project => ({
  root: git.root,
  checkout: git.root,
  head: headOf(git),
  branch: git.branch,
  rootCommit: MemoryGit.rootOf(git, headOf(git))
})

const short = (ref: string): string => ref.replace(/^refs\/heads\//, "")

const refsBelow = (git: Git, prefix: string): ReadonlyArray<string> =>
  Object.keys(git.refs)
    .filter((ref) => ref.startsWith(prefix))
    .toSorted()

const agentRefs = (git: Git, jobId: JobId) => refsBelow(git, RefName.ofBranch(RefName.agentBranchPrefix(jobId)))

/** Paths of a job's agent worktrees, by the number in their names. */
const slotsOf = (git: Git, jobId: JobId | null): ReadonlyArray<string> =>
  Object.keys(git.agents)
    .filter((path) => git.agents[path]?.jobId === jobId)
    .toSorted((a, b) => Number(a.slice(a.lastIndexOf("_") + 1)) - Number(b.slice(b.lastIndexOf("_") + 1)))

// -----------------------------------------------------------------------------
// the session
// -----------------------------------------------------------------------------

interface Open {
  readonly project: Project
  readonly paths: RepoPaths
  readonly sessionId: SessionId
  readonly jobId: JobId | null
  readonly base: string
  readonly target: string | null
  readonly maxParallel: number
  readonly recorded: Recorded | null
}

const open = (model: Model, options: Open): Effect.Effect<SessionWorkspace, WorkspaceError> =>
  Effect.gen(function* () {
    const { jobId, paths, project, sessionId, target } = options
    const path = paths.worktree(sessionId)
    const isNew = MemoryCheckout.kindOf(model.machine.disk, path) === "nothing"
    const parent = parentOf(model, options, yield* openParent(model, options))
    const pool = jobId === null ? noPool(project.root) : yield* poolOf(model, { ...options, jobId }, isNew)
    return {
      parent: parent.checkout,
      tip: parent.tip,
      ...pool.members,
      head: (checkout) =>
        model.look("rev-parse", checkout.path, (git) => {
          const used = pool.holds(checkout) || checkout.path === path
          return Either.right((used ? MemoryGit.tipOf(git, checkout.branch) : undefined) ?? checkout.base)
        }),
      changes: (checkout, from, to) =>
        model.look("diff", checkout.path, (git) => Either.right(MemoryGit.changes(git, from, to))),
      syncParent: parent.sync,
      sealSetup: parent.sealSetup,
      sealReduce: parent.sealReduce,
      sealSteps: parent.sealSteps,
      flush: model.look("sync", path, () => {
        model.machine.disk.syncAll()
        return Either.right(undefined)
      }),
      fingerprint: parent.fingerprint,
      ...finishing(model, { ...parent.checkout, project, target, origin: { jobId, sessionId } }),
      clean: ({ keepParent }) =>
        Effect.gen(function* () {
          const removed = yield* pool.close
          const merged = yield* model.change("branch", path, (git) =>
            Either.right(deleteMerged(git, parent.ref, jobId))
          )
          const rescues = model.look("for-each-ref", path, (git) =>
            Either.right(refsBelow(git, RefName.rescues(jobId ?? sessionId)))
          )
          const before = yield* rescues
          const gone = keepParent ? { branches: [], kept: [] } : yield* parent.remove(target)
          // Removing the worktree may have made one more.
          const kept = new Set([...merged.apart, ...before, ...gone.kept, ...(yield* rescues)])
          return {
            removedWorktrees: keepParent ? removed : [...removed, path],
            removedBranches: [...merged.deleted, ...gone.branches].map(short),
            kept: Array.from(kept, short),
            orphans: []
          } satisfies Cleaned
        }).pipe(Effect.orDie)
    }
  })

/** Deletes the agents' branches that are in the session's; those that are not are `apart`. */
const deleteMerged = (git: MemoryGit.Draft, parentRef: string, jobId: JobId | null) => {
  const into = git.refs[parentRef]
  const [deleted, apart]: [Array<string>, Array<string>] = [[], []]
  for (const ref of jobId === null ? [] : agentRefs(git, jobId)) {
    const isMerged = into !== undefined && MemoryGit.isAncestor(git, git.refs[ref] ?? "", into)
    ;(isMerged ? deleted : apart).push(ref)
    if (isMerged) delete git.refs[ref]
  }
  return { deleted, apart }
}

// -----------------------------------------------------------------------------
// the session's own worktree
// -----------------------------------------------------------------------------

/** Finds the session's worktree, or makes it, and its branch; see `Workspace.open`. */
const openParent = ({ change, machine }: Model, options: Open): Effect.Effect<Checkout, WorkspaceError> => {
  const { paths, recorded, sessionId, target } = options
  const path = paths.worktree(sessionId)
  const branch = RefName.sessionBranch(sessionId)
  return change("worktree add", path, (git) => {
    const found = git.sessions[path]
    const tip = MemoryGit.tipOf(git, branch)
    if (found !== undefined && tip !== undefined && MemoryCheckout.kindOf(machine.disk, path) === "directory")
      return Either.right({ path, branch, base: found.base })
    const into = target === null ? undefined : MemoryGit.tipOf(git, target)
    const last = recorded?.commit == null ? undefined : MemoryGit.commitAt(git, recorded.commit)?.id
    const isSafe =
      last !== undefined && (recorded?.whole === true || (into !== undefined && MemoryGit.isAncestor(git, last, into)))
    if (tip === undefined && recorded !== null && !isSafe)
      return failed("open the session's branch", "checkout_damaged", path, `${branch} is gone`)
    const commit = tip ?? (recorded === null ? options.base : (last ?? options.base))
    const tree = MemoryGit.treeAt(git, commit)
    MemoryCheckout.bring(machine.disk, path, tree)
    git.refs[RefName.ofBranch(branch)] = commit
    const before = tip === undefined ? undefined : found
    const base = before?.base ?? options.base
    git.sessions[path] = { branch, base, synced: commit, setup: before?.setup ?? null, index: tree }
    return Either.right({ path, branch, base })
  })
}

const parentOf = ({ change, look, machine: { disk } }: Model, options: Open, checkout: Checkout) => {
  const { jobId, sessionId } = options
  const { branch, path } = checkout
  const origin = { jobId, sessionId }
  const whose = jobId ?? sessionId
  const ref = RefName.ofBranch(branch)

  /** A change of the worktree: `tip` is its branch's, `files` what it holds, `record` what is kept of it. */
  const inWorktree = <A>(
    method: string,
    work: (at: {
      readonly git: MemoryGit.Draft
      readonly tip: string
      readonly files: Tree
      readonly record: MemoryGit.SessionWorktree
    }) => A
  ) =>
    change(method, path, (git) => {
      const tip = git.refs[ref]
      const record = git.sessions[path]
      if (tip === undefined || record === undefined)
        return failed("read the session's branch", "checkout_damaged", path, `${branch} is gone`)
      return Either.right(work({ git, tip, record, files: MemoryCheckout.read(disk, path) }))
    })

  /** Puts a tree of uncommitted changes on a rescue ref. */
  const keep = (git: MemoryGit.Draft, phase: "setup" | "reduce" | "parent", tree: Tree, parent: string): string => {
    const message = CommitMessage.phase(origin, `left uncommitted (${phase})`)
    const commit = MemoryGit.commit(git, { parents: [parent], tree, message })
    git.refs[RefName.phaseRescue(whose, phase, commit)] = commit
    return commit
  }

  const commitLeft = (name: string, setup: (record: MemoryGit.SessionWorktree) => string | null) =>
    inWorktree("commit", ({ files, git, record, tip }) => {
      const at = MemoryGit.treeAt(git, tip)
      const tree = withoutSetup(git, setup(record), files, at)
      const message = CommitMessage.phase(origin, name)
      const synced = MemoryGit.sameTree(tree, at) ? tip : MemoryGit.commit(git, { parents: [tip], tree, message })
      git.refs[ref] = synced
      git.sessions[path] = { ...record, synced, setup: setup(record), index: tree }
    })

  /** Keeps everything uncommitted, as far as it is not that of setup, which is kept already. */
  const rescueAll = (git: MemoryGit.Draft, record: MemoryGit.SessionWorktree, files: Tree) => {
    const synced = MemoryGit.treeAt(git, record.synced)
    if (MemoryGit.sameTree(files, synced)) return
    if (record.setup !== null && MemoryGit.sameTree(withoutSetup(git, record.setup, files, synced), synced)) return
    keep(git, "parent", files, record.synced)
  }

  return {
    checkout,
    ref,
    tip: look("rev-parse", path, ({ refs }) => {
      const tip = refs[ref]
      return tip !== undefined
        ? Either.right(tip)
        : failed("read the session's branch", "checkout_damaged", path, `${branch} is gone`)
    }),
    sync: inWorktree("checkout", ({ files, git, record, tip }) => {
      if (record.synced === tip) return
      const trees = { from: MemoryGit.treeAt(git, record.synced), to: MemoryGit.treeAt(git, tip) }
      let index = MemoryCheckout.move(disk, path, { ...trees, index: record.index })
      if (index === null) {
        rescueAll(git, record, files)
        index = makeWay(disk, path, { ...trees, index: record.index })
      }
      git.sessions[path] = { ...record, synced: tip, index }
    }),
    sealSetup: ({ autoCommit }: { readonly autoCommit: boolean }) =>
      autoCommit
        ? commitLeft("setup", () => null)
        : inWorktree("rescue", ({ files, git, record, tip }) => {
            const isClean = MemoryGit.sameTree(files, MemoryGit.treeAt(git, tip))
            git.sessions[path] = { ...record, synced: tip, setup: isClean ? null : keep(git, "setup", files, tip) }
          }),
    sealReduce: ({ autoCommit }: { readonly autoCommit: boolean }) =>
      autoCommit
        ? commitLeft("reduce", ({ setup }) => setup)
        : inWorktree("rescue", ({ files, git, record, tip }) => {
            const at = MemoryGit.treeAt(git, tip)
            const tree = withoutSetup(git, record.setup, files, at)
            if (!MemoryGit.sameTree(tree, at)) keep(git, "reduce", tree, tip)
            git.sessions[path] = { ...record, synced: tip }
          }),
    sealSteps: commitLeft("what the steps left", ({ setup }) => setup),
    fingerprint: look("status", path, (git) => {
      const tree = Object.entries(MemoryCheckout.read(disk, path)).toSorted()
      return Either.right(`${git.refs[ref] ?? ""} ${Digest.sha256(JSON.stringify(tree))}`)
    }),
    /** Removes the worktree, and the branch when the target has all of it. */
    remove: (target: string | null) =>
      change("worktree remove", path, (git) => {
        const record = git.sessions[path]
        if (record !== undefined && MemoryCheckout.kindOf(disk, path) === "directory")
          rescueAll(git, record, MemoryCheckout.read(disk, path))
        MemoryCheckout.removeAll(disk, path)
        delete git.sessions[path]
        const into = target === null ? undefined : MemoryGit.tipOf(git, target)
        const isMerged = into !== undefined && MemoryGit.isAncestor(git, git.refs[ref] ?? "", into)
        if (isMerged) delete git.refs[ref]
        return Either.right({ branches: isMerged ? [ref] : [], kept: isMerged ? [] : [ref] })
      })
  }
}

/** Setup's leftovers that are as setup left them go back to what the branch has. */
const withoutSetup = (git: Git, setup: string | null, files: Tree, branch: Tree): Tree => {
  const commit = setup === null ? undefined : MemoryGit.commitAt(git, setup)
  if (commit === undefined) return files
  const tree = { ...files }
  for (const path of MemoryGit.differing(MemoryGit.treeAt(git, commit.parents[0] ?? ""), commit.tree))
    if (files[path] === commit.tree[path] && branch[path] !== commit.tree[path]) MemoryGit.put(tree, path, branch[path])
  return tree
}

/** Moves files and index over uncommitted ones that are in the way: `ParentWorktree` has kept them. */
const makeWay = (
  disk: Machine["disk"],
  path: string,
  { from, index, to }: { readonly index: Tree; readonly from: Tree; readonly to: Tree }
): Tree => {
  const moving = MemoryGit.differing(from, to)
  const back = { ...index }
  const restored = new Map<string, string>()
  for (const file of moving) {
    const content = from[file]
    if (content === undefined) MemoryCheckout.removeAll(disk, `${path}/${file}`)
    else restored.set(file, content)
    MemoryGit.put(back, file, content)
  }
  MemoryCheckout.apply(disk, path, restored)
  const moved = MemoryCheckout.move(disk, path, { index: back, from, to })
  if (moved !== null) return moved
  const gone = Object.keys(back).filter((file) => to[file] === undefined)
  MemoryCheckout.apply(disk, path, new Map([...gone.map((file) => [file, null] as const), ...Object.entries(to)]))
  return to
}

// -----------------------------------------------------------------------------
// agents
// -----------------------------------------------------------------------------

type AgentMembers = Pick<SessionWorkspace, "acquire" | "collect" | "rescue" | "release" | "integrate">

interface Pool {
  readonly members: AgentMembers
  readonly holds: (checkout: Checkout) => boolean
  /** Removes all agent worktrees, and says which. */
  readonly close: Effect.Effect<ReadonlyArray<string>, WorkspaceError>
}

const noPool = (root: string): Pool => {
  const refuse = WorktreePool.refusal(root)
  return {
    members: {
      acquire: () => refuse,
      collect: () => refuse,
      rescue: () => refuse,
      release: () => Effect.void,
      integrate: () => refuse
    },
    holds: () => false,
    close: Effect.succeed([])
  }
}

const poolOf = (
  { change, look, machine: { disk } }: Model,
  options: Open & { readonly jobId: JobId },
  isNew: boolean
): Effect.Effect<Pool, WorkspaceError> =>
  Effect.gen(function* () {
    const { jobId, paths, project, sessionId } = options
    const parentRef = RefName.ofBranch(RefName.sessionBranch(sessionId))
    const permits = yield* Effect.makeSemaphore(options.maxParallel)
    const held = new Map<string, AgentWork>()
    /** Paths of those given back, the last one first to be handed out again. */
    const idle: Array<string> = []
    let made = 0
    const newSlot = () => paths.worktree(WorktreePool.slotName(jobId, made++))

    const remove = (path: string, before: (git: MemoryGit.Draft) => void = () => {}) =>
      change("worktree remove", path, (git) => {
        before(git)
        delete git.agents[path]
        MemoryCheckout.removeAll(disk, path)
        return Either.void
      })

    /** Puts uncommitted work on the attempt's rescue ref, and says which. */
    const keep = (git: MemoryGit.Draft, work: AgentWork, tree: Tree, parent: string): string => {
      const ref = RefName.rescue(jobId, work.itemId, work.attempt)
      const old = git.refs[ref]
      if (old !== undefined && MemoryGit.sameTree(MemoryGit.treeAt(git, old), tree)) return ref
      const commit = MemoryGit.commit(git, { parents: [parent], tree, message: CommitMessage.leftovers(jobId, work) })
      const free = old === undefined ? ref : `${ref}-${commit.slice(0, 12)}`
      git.refs[free] = commit
      return free
    }

    /** Puts the agent's branch at the tip, or deletes it when there is no commit beyond the base. */
    const settle = (git: MemoryGit.Draft, { base, branch }: Checkout, tip: string): Collected => {
      const commits = MemoryGit.beyond(git, base, tip).length
      if (commits > 0) git.refs[RefName.ofBranch(branch)] = tip
      else delete git.refs[RefName.ofBranch(branch)]
      return { tip: commits > 0 ? tip : null, branch: commits > 0 ? branch : null, commits }
    }

    const rescue = (git: MemoryGit.Draft, checkout: Checkout, work: AgentWork): Kept => {
      const at = MemoryGit.tipOf(git, checkout.branch) ?? checkout.base
      const isThere = MemoryCheckout.kindOf(disk, checkout.path) === "directory"
      const tree = isThere ? MemoryCheckout.read(disk, checkout.path) : MemoryGit.treeAt(git, at)
      const uncommitted = MemoryGit.sameTree(tree, MemoryGit.treeAt(git, at)) ? null : keep(git, work, tree, at)
      const { branch, tip } = settle(git, checkout, at)
      return {
        ...(branch === null ? {} : { branch_name: branch }),
        ...(tip === null ? {} : { tip }),
        ...(uncommitted === null ? {} : { uncommitted_changes: uncommitted })
      }
    }

    /** A change of a worktree that is handed out. */
    const inHeld = <A>(
      method: string,
      { path }: Checkout,
      work: (git: MemoryGit.Draft) => Either.Either<A, WorkspaceError>
    ) =>
      change(method, path, (git) =>
        held.has(path)
          ? work(git)
          : failed("use an agent worktree", "checkout_damaged", path, "it was given back already")
      )

    /** What a dead process left: kept where its branch is still there, which it is not when it is merged or empty. */
    const left = yield* look("worktree list", project.root, (git) => Either.right(slotsOf(git, jobId)))
    for (const path of left)
      yield* remove(path, (git) => {
        const attempt = git.agents[path]?.attempt
        if (attempt?.state !== "running" || MemoryGit.tipOf(git, attempt.branch) === undefined) return
        rescue(git, { path, branch: attempt.branch, base: attempt.base }, attempt.work)
      })
    if (isNew) {
      const first = newSlot()
      yield* change("worktree add", first, (git) => {
        MemoryCheckout.bring(disk, first, MemoryGit.treeAt(git, options.base))
        git.agents[first] = { jobId, attempt: null }
        return Either.void
      })
      idle.push(first)
    }

    const take = (work: AgentWork) =>
      Effect.suspend(() => {
        const path = idle.pop() ?? newSlot()
        const taken = change("worktree add", path, (git) => {
          const tip = git.refs[parentRef]
          if (tip === undefined)
            return failed(
              "hand out an agent worktree",
              "checkout_damaged",
              project.root,
              "the session's branch is gone"
            )
          const branch = RefName.agentBranch(work.agentId, work.attempt)
          const old = MemoryGit.tipOf(git, branch)
          // The name may be taken: by an attempt whose start was not recorded before a crash.
          if (old !== undefined && !MemoryGit.isAncestor(git, old, tip))
            git.refs[RefName.displaced(jobId, work.itemId, work.attempt, old)] = old
          MemoryCheckout.bring(disk, path, MemoryGit.treeAt(git, tip))
          git.refs[RefName.ofBranch(branch)] = tip
          git.agents[path] = { jobId, attempt: { branch, base: tip, work, state: "running" } }
          held.set(path, work)
          return Either.right({ path, branch, base: tip })
        })
        return Effect.onError(taken, () => Effect.sync(() => void idle.push(path)))
      })

    const release = ({ path }: { readonly path: string }) =>
      Effect.suspend(() => {
        if (!held.delete(path)) return Effect.void
        return change("worktree reset", path, (git) => {
          const agent = git.agents[path]
          if (agent?.attempt != null) git.agents[path] = { jobId, attempt: { ...agent.attempt, state: "idle" } }
          idle.push(path)
          return Either.void
        }).pipe(Effect.orDie, Effect.zipRight(permits.release(1)), Effect.asVoid, Effect.uninterruptible)
      })

    const integrate = (
      git: MemoryGit.Draft,
      work: AgentWork,
      tip: string,
      branch: string | null
    ): Either.Either<{ readonly commit: string }, MergeConflict | WorkspaceError> => {
      const into = git.refs[parentRef]
      if (into === undefined || MemoryGit.commitAt(git, tip) === undefined)
        return failed("merge", "checkout_damaged", project.root, `${into === undefined ? parentRef : tip} is gone`)
      const done = (commit: string) => {
        if (branch !== null && MemoryGit.tipOf(git, branch) === tip) delete git.refs[RefName.ofBranch(branch)]
        return Either.right({ commit })
      }
      if (MemoryGit.isAncestor(git, tip, into)) return done(MemoryGit.mergeOf(git, into, tip))
      const merged = MemoryGit.mergeTrees(git, into, tip)
      if (merged._tag === "Conflict") return Either.left(new MergeConflict({ branch, tip, paths: merged.paths }))
      const message = CommitMessage.merge(jobId, work)
      const commit = MemoryGit.commit(git, { parents: [into, tip], tree: merged.tree, message })
      git.refs[parentRef] = commit
      return done(commit)
    }

    return {
      holds: ({ path }) => held.has(path),
      members: {
        acquire: (work) =>
          Effect.uninterruptibleMask((restore) =>
            Effect.zipRight(
              restore(permits.take(1)),
              Effect.onError(take(work), () => permits.release(1))
            )
          ),
        collect: (checkout, work, { autoCommit }) =>
          inHeld("commit", checkout, (git) => {
            if (MemoryCheckout.kindOf(disk, checkout.path) !== "directory")
              return failed("commit what the agent left", "command_failed", checkout.path, "there is no such directory")
            const at = MemoryGit.tipOf(git, checkout.branch) ?? checkout.base
            const tree = MemoryCheckout.read(disk, checkout.path)
            if (MemoryGit.sameTree(tree, MemoryGit.treeAt(git, at))) return Either.right(settle(git, checkout, at))
            if (!autoCommit) {
              keep(git, work, tree, at)
              return Either.right(settle(git, checkout, at))
            }
            const message = CommitMessage.leftovers(jobId, work)
            return Either.right(settle(git, checkout, MemoryGit.commit(git, { parents: [at], tree, message })))
          }),
        rescue: (checkout, work) => inHeld("rescue", checkout, (git) => Either.right(rescue(git, checkout, work))),
        release,
        integrate: (work, tip, branch) =>
          change("merge", paths.worktree(sessionId), (git) => integrate(git, work, tip, branch))
      },
      close: Effect.gen(function* () {
        for (const [path, work] of held) {
          yield* change("rescue", path, (git) => {
            const attempt = git.agents[path]?.attempt
            if (attempt != null) rescue(git, { ...attempt, path }, work)
            return Either.void
          })
          yield* release({ path })
        }
        const removed = idle.splice(0)
        for (const path of removed) yield* remove(path)
        return removed
      })
    }
  })

// -----------------------------------------------------------------------------
// the last merge
// -----------------------------------------------------------------------------

interface Finishing extends Checkout {
  readonly project: Project
  readonly target: string | null
  readonly origin: CommitMessage.Origin
}

const finishing = (
  { change, look, machine: { disk } }: Model,
  { base, branch, origin, path, project, target }: Finishing
): Pick<SessionWorkspace, "preview" | "finish"> => {
  const intoOf = (git: Git) => (target === null ? undefined : MemoryGit.tipOf(git, target))

  const finish = (git: MemoryGit.Draft, approved: "yes" | "declined" | "not_asked") => {
    const [tip, into] = [MemoryGit.tipOf(git, branch), intoOf(git)]
    if (tip === undefined) return failed(`merge ${branch}`, "command_failed", project.root, `${branch} is gone`)
    const isCheckedOut = target === git.branch
    const wait = (
      reason: Extract<Finish, { readonly outcome: "waiting" }>["reason"],
      paths: ReadonlyArray<string> = [],
      place = isCheckedOut ? git.root : null
    ) => {
      const command = GitFinish.commandFor({ branch, target, checkout: project.checkout }, place)
      return Either.right<Finish>({ outcome: "waiting", target, branch, reason, paths, command })
    }
    if (target === null || into === undefined) return wait("no_target_branch", [], null)
    if (MemoryGit.isAncestor(git, tip, into))
      return Either.right<Finish>(
        tip === base
          ? { outcome: "nothing_to_merge", target }
          : { outcome: "merged", target, commit: MemoryGit.mergeOf(git, into, tip) }
      )
    if (approved !== "yes") return wait(approved)
    let to = tip
    if (!MemoryGit.isAncestor(git, into, tip)) {
      const merged = MemoryGit.mergeTrees(git, into, tip)
      if (merged._tag === "Conflict") return wait("conflict", merged.paths)
      const message = CommitMessage.finish(origin, branch, target)
      to = MemoryGit.commit(git, { parents: [into, tip], tree: merged.tree, message })
    }
    const trees = { from: MemoryGit.treeAt(git, into), to: MemoryGit.treeAt(git, to) }
    if (isCheckedOut && MemoryCheckout.move(disk, git.root, { ...trees, index: trees.from }) === null) {
      const paths = inTheWay(disk, git.root, trees)
      return paths.length > 0
        ? wait("dirty_target", paths)
        : failed(`merge ${branch} into ${target}`, "command_failed", project.root, "git refused")
    }
    git.refs[RefName.ofBranch(target)] = to
    return Either.right<Finish>({ outcome: "merged", target, commit: to })
  }

  return {
    preview: look("diff", path, (git) => {
      const into = intoOf(git)
      const [from, tip] = [into ?? base, MemoryGit.tipOf(git, branch)]
      if (tip === undefined)
        return failed("look at the session's changes", "command_failed", project.root, `${branch} is gone`)
      const common = MemoryGit.treeAt(git, MemoryGit.mergeBase(git, from, tip) ?? "")
      return Either.right({
        target: into === undefined ? null : target,
        commits: MemoryGit.beyond(git, from, tip).length,
        files: MemoryGit.differing(common, MemoryGit.treeAt(git, tip)).length
      })
    }),
    finish: ({ approved }) => change("merge", project.root, (git) => finish(git, approved))
  }
}

/** Files of the user's that a move would change or overwrite; every changed file when it is none of those. */
const inTheWay = (
  disk: Machine["disk"],
  root: string,
  { from, to }: { readonly from: Tree; readonly to: Tree }
): ReadonlyArray<string> => {
  const files = MemoryCheckout.read(disk, root)
  const dirty = Object.keys(from)
    .filter((path) => files[path] !== from[path])
    .toSorted()
  const found = new Set<string>()
  for (const path of MemoryGit.differing(from, to)) {
    for (const file of dirty)
      if (file === path || file.startsWith(`${path}/`) || path.startsWith(`${file}/`)) found.add(file)
    if (from[path] !== undefined) continue
    for (const part of [...MemoryGit.above(path), path]) {
      const kind = MemoryCheckout.kindOf(disk, `${root}/${part}`)
      if (kind === "file" || (kind === "directory" && part === path)) found.add(part)
    }
  }
  return found.size > 0 ? [...found].toSorted() : dirty
}
