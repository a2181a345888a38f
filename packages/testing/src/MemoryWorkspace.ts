/**
 * The workspace without git: branches, commits and merges as plain data, worktrees on the simulated disk.
 *
 * A small model of what `GitWorkspace` promises. A commit is its parents and the content of every file; a merge compares whole
 * files, and two sides that changed one file to different contents conflict. Every operation is one step of the machine and
 * durable when it returns, as git's are by its own syncs. What is in a worktree is files: what a step writes there and does
 * not sync, a power cut may take.
 *
 * Not modelled: ignored files, modes and links, detached HEADs and branches that agents make themselves, renames, hooks, and
 * everything of the user's but one checkout with one branch.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as Digest from "@prodigy/core/domain/Digest"
import type { Kept } from "@prodigy/core/domain/DeadLetter"
import type { JobId } from "@prodigy/core/domain/JobId"
import type { Finish } from "@prodigy/core/domain/JobRecord"
import type { SessionId } from "@prodigy/core/domain/SessionId"
import { ProdigyHome, type RepoPaths } from "@prodigy/core/storage/ProdigyHome"
import * as CommitMessage from "@prodigy/core/workspace/CommitMessage"
import * as RefName from "@prodigy/core/workspace/RefName"
import {
  type AgentWork,
  type Checkout,
  MergeConflict,
  type Project,
  type SessionWorkspace,
  Workspace,
  WorkspaceError
} from "@prodigy/core/workspace/Workspace"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { SimulatedMachine } from "./SimulatedMachine.ts"

/**
 * Content of files by path from the top level.
 *
 * @since 0.1.0
 * @category models
 */
export type Tree = Readonly<Record<string, string>>

/**
 * @since 0.1.0
 * @category models
 */
export interface Commit {
  readonly id: string
  readonly parents: ReadonlyArray<string>
  readonly tree: Tree
  readonly message: string
}

/**
 * A repository as plain data. `refs` are full names to commits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Git {
  readonly root: string
  readonly branch: string
  readonly commits: Record<string, Commit>
  readonly refs: Record<string, string>
  /** The commits that the files of sessions' worktrees are of, by path. */
  readonly synced: Record<string, string>
  /** Agent worktrees that are in use, by path. */
  readonly agents: Record<
    string,
    { branch: string; base: string; work: AgentWork; jobId: JobId; state: "running" | "idle" }
  >
}

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
    const git: Git = { root: options.root, branch, commits: {}, refs: {}, synced: {}, agents: {} }
    const first = commitTo(git, { parents: [], tree: options.files, message: "start" })
    git.refs[RefName.ofBranch(branch)] = first.id
    place(disk, options.root, {}, options.files)
    world.set(name, git)
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
export const history = (git: Git, ref: string): ReadonlyArray<Commit> => {
  const seen = new Set<string>()
  const found: Array<Commit> = []
  const visit = (id: string | undefined) => {
    const commit = id === undefined ? undefined : git.commits[id]
    if (commit === undefined || seen.has(commit.id)) return
    seen.add(commit.id)
    found.push(commit)
    for (const parent of commit.parents) visit(parent)
  }
  visit(git.refs[ref])
  return found
}

/**
 * The workspace of the machine's repository, for the program that runs now.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Workspace, never, SimulatedMachine | FileSystem.FileSystem | ProdigyHome> =
  Layer.effect(
    Workspace,
    Effect.gen(function* () {
      const machine = yield* SimulatedMachine
      const { step } = yield* machine.boot
      const home = yield* ProdigyHome
      const fs = yield* FileSystem.FileSystem
      /** One step of the machine, and then all of the change at once. */
      const git = <A, E = never>(method: string, path: string, change: (git: Git) => Effect.Effect<A, E>) =>
        Effect.zipRight(
          step({ method: `git ${method}`, path, bytes: 0 }),
          Effect.suspend(() => change(gitOf(machine.world)))
        )
      const at: Model = { git, machine, fs }

      return Workspace.of({
        find: (path) =>
          git("find", path, (git) => {
            const within = path === git.root || path.startsWith(`${git.root}/`)
            return within
              ? Effect.succeed(projectOf(git))
              : Effect.fail(
                  new WorkspaceError({
                    operation: "find a repository",
                    reason: "not_a_repository",
                    path,
                    detail: "there is none"
                  })
                )
          }),
        resolve: (project, commitish) =>
          git("rev-parse", project.root, (git) => {
            const id = git.refs[RefName.ofBranch(commitish)] ?? git.refs[commitish] ?? git.commits[commitish]?.id
            if (commitish === "HEAD") return Effect.succeed(headOf(git))
            return id !== undefined
              ? Effect.succeed(id)
              : Effect.fail(
                  new WorkspaceError({
                    operation: "read a commit",
                    reason: "unknown_base",
                    path: project.root,
                    detail: `${commitish} is none`
                  })
                )
          }),
        files: (project, commit) =>
          git("ls-tree", project.root, (git) =>
            Effect.succeed(Object.keys(git.commits[commit]?.tree ?? {}).toSorted())
          ),
        isTaken: (project, sessionId) =>
          git("for-each-ref", project.root, (git) =>
            Effect.succeed(git.refs[RefName.ofBranch(RefName.sessionBranch(sessionId))] !== undefined)
          ),
        hasAgentWorktrees: (project, _, jobId) =>
          git("worktree list", project.root, (git) =>
            Effect.succeed(Object.values(git.agents).some((agent) => agent.jobId === jobId))
          ),
        leftovers: (project, { jobId, sessionId, target }) =>
          git("for-each-ref", project.root, (git) => {
            const into = (target === null ? undefined : git.refs[RefName.ofBranch(target)]) ?? headOf(git)
            const merged = ancestors(git, into)
            const own = RefName.ofBranch(RefName.sessionBranch(sessionId))
            const agents = jobId === null ? null : RefName.ofBranch(RefName.agentBranchPrefix(jobId))
            const refs = Object.keys(git.refs)
            return Effect.succeed({
              unmerged: refs
                .filter((ref) => ref === own || (agents !== null && ref.startsWith(agents)))
                .filter((ref) => !merged.has(git.refs[ref] ?? ""))
                .map((ref) => ref.replace(/^refs\/heads\//, "")),
              rescues: refs.filter((ref) => ref.startsWith(RefName.rescues(jobId ?? sessionId)))
            })
          }),
        holdings: (project, { base, jobId, sessionId, target }) =>
          git("log", project.root, (git) => {
            const own = RefName.ofBranch(RefName.sessionBranch(sessionId))
            const agents = jobId === null ? null : RefName.ofBranch(RefName.agentBranchPrefix(jobId))
            const rescues = RefName.rescues(jobId ?? sessionId)
            const isOurs = (ref: string) =>
              ref === own || (agents !== null && ref.startsWith(agents)) || ref.startsWith(rescues)
            const tips = [own, ...(target === null ? [] : [RefName.ofBranch(target)])].flatMap(
              (ref) => git.refs[ref] ?? []
            )
            const commits = new Set(tips.flatMap((tip) => between(git, base, tip)))
            return Effect.succeed({
              refs: new Map(Object.entries(git.refs).filter(([ref]) => isOurs(ref))),
              commits,
              merges: [...commits].flatMap((commit) => {
                const { message = "", parents = [] } = git.commits[commit] ?? {}
                const value = (key: string) => new RegExp(`^${key}: (.*)$`, "m").exec(message)?.[1]
                const isMerge = parents.length > 1 && value("Prodigy-Job") === jobId
                const itemId = isMerge ? CommitMessage.itemOf(value("Prodigy-Item") ?? "") : null
                return itemId === null ? [] : [{ commit, itemId }]
              })
            })
          }),
        open: ({ base, jobId, maxParallel, project, repo, sessionId, target }) =>
          open(at, { base, jobId, maxParallel, project, paths: home.repo(repo), sessionId, target })
      })
    })
  )

// -----------------------------------------------------------------------------
// the session
// -----------------------------------------------------------------------------

interface Model {
  readonly git: <A, E = never>(
    method: string,
    path: string,
    change: (git: Git) => Effect.Effect<A, E>
  ) => Effect.Effect<A, E>
  readonly machine: SimulatedMachine["Type"]
  readonly fs: FileSystem.FileSystem
}

interface Open {
  readonly project: Project
  readonly paths: RepoPaths
  readonly sessionId: SessionId
  readonly jobId: JobId | null
  readonly base: string
  readonly target: string | null
  readonly maxParallel: number
}

const open = (model: Model, options: Open): Effect.Effect<SessionWorkspace, WorkspaceError> =>
  Effect.gen(function* () {
    const { fs, git, machine } = model
    const { jobId, maxParallel, paths, project, sessionId, target } = options
    const { disk } = machine
    const branch = RefName.sessionBranch(sessionId)
    const ref = RefName.ofBranch(branch)
    const path = paths.worktree(sessionId)
    const origin = { jobId, sessionId }
    const whose = jobId ?? sessionId

    /** Content of a worktree, as files. */
    const found = (directory: string) => Effect.mapError(readTree(fs, directory), unreadable(directory))
    yield* git("worktree add", path, (git) =>
      Effect.sync(() => {
        git.refs[ref] ??= options.base
        if (exists(disk, path)) return
        place(disk, path, {}, treeAt(git, git.refs[ref]))
        git.synced[path] = git.refs[ref]
      })
    )
    // What a dead process left of agents: kept where it is not empty, and gone.
    const left = yield* git("worktree list", project.root, (git) =>
      Effect.succeed(Object.entries(git.agents).filter(([, agent]) => agent.jobId === jobId))
    )
    for (const [place, agent] of left) {
      if (agent.state === "running") yield* rescueOf(place, agent.work, agent.branch, agent.base)
      yield* removeAgent(place)
    }

    const base = yield* git("merge-base", path, (git) => Effect.succeed(git.refs[ref] ?? options.base))
    const parent: Checkout = { path, branch, base: left.length === 0 ? base : options.base }
    const permits = yield* Effect.makeSemaphore(Math.max(1, maxParallel))
    const merging = yield* Effect.makeSemaphore(1)
    const slots = Array.from({ length: maxParallel }, (_, index) => paths.worktree(`agent-${index}`))

    const tip = git("rev-parse", path, (git) => Effect.succeed(git.refs[ref] ?? options.base))

    function removeAgent(place: string) {
      return git("worktree remove", place, (git) =>
        Effect.sync(() => {
          delete git.agents[place]
          removeAll(disk, place)
        })
      )
    }

    function rescueOf(
      place: string,
      work: AgentWork,
      branch: string,
      base: string
    ): Effect.Effect<Kept, WorkspaceError> {
      return Effect.flatMap(found(place), (tree) =>
        git("rescue", place, (git) =>
          Effect.sync(() => {
            const tip = git.refs[RefName.ofBranch(branch)] ?? base
            const kept: { branch_name?: string; tip?: string; uncommitted_changes?: string } = {}
            if (tip !== base) Object.assign(kept, { branch_name: branch, tip })
            else delete git.refs[RefName.ofBranch(branch)]
            if (!sameTree(tree, treeAt(git, tip)) && jobId !== null) {
              const commit = commitTo(git, { parents: [tip], tree, message: CommitMessage.leftovers(jobId, work) })
              const rescue = RefName.rescue(jobId, work.itemId, work.attempt)
              git.refs[rescue] = commit.id
              kept.uncommitted_changes = rescue
            }
            return kept
          })
        )
      )
    }

    const sealInto = (message: string) =>
      Effect.flatMap(found(path), (tree) =>
        git("commit", path, (git) =>
          Effect.sync(() => {
            const at = git.refs[ref] ?? options.base
            const setup = setupOf(git, whose)
            const kept = withoutSetup(tree, setup, treeAt(git, at))
            if (!sameTree(kept, treeAt(git, at)))
              git.refs[ref] = commitTo(git, {
                parents: [at],
                tree: kept,
                message: CommitMessage.phase(origin, message)
              }).id
            git.synced[path] = git.refs[ref] ?? options.base
          })
        )
      )

    const keepAside = (phase: "setup" | "reduce") =>
      Effect.flatMap(found(path), (tree) =>
        git("rescue", path, (git) =>
          Effect.sync(() => {
            const at = git.refs[ref] ?? options.base
            if (sameTree(tree, treeAt(git, at))) return
            const message = CommitMessage.phase(origin, `left uncommitted (${phase})`)
            const commit = commitTo(git, { parents: [at], tree, message })
            git.refs[RefName.phaseRescue(whose, phase, commit.id)] = commit.id
          })
        )
      )

    return {
      parent,
      tip,
      acquire: (work) =>
        Effect.uninterruptibleMask((restore) =>
          Effect.zipRight(
            restore(permits.take(1)),
            git("worktree add", path, (git) =>
              Effect.sync((): Checkout => {
                const place_ =
                  slots.find((slot) => git.agents[slot]?.state !== "running") ?? paths.worktree(work.agentId)
                const base = git.refs[ref] ?? options.base
                const agentBranch = RefName.agentBranch(work.agentId, work.attempt)
                git.refs[RefName.ofBranch(agentBranch)] = base
                removeAll(disk, place_)
                place(disk, place_, {}, treeAt(git, base))
                if (jobId !== null) git.agents[place_] = { branch: agentBranch, base, work, jobId, state: "running" }
                return { path: place_, branch: agentBranch, base }
              })
            ).pipe(Effect.onError(() => permits.release(1)))
          )
        ),
      head: (checkout) =>
        git("rev-parse", checkout.path, (git) =>
          Effect.succeed(git.refs[RefName.ofBranch(checkout.branch)] ?? checkout.base)
        ),
      changes: (checkout, from, to) => git("diff", checkout.path, (git) => Effect.succeed(changesOf(git, from, to))),
      collect: (checkout, work, { autoCommit }) =>
        Effect.flatMap(found(checkout.path), (tree) =>
          git("commit", checkout.path, (git) =>
            Effect.sync(() => {
              const agentRef = RefName.ofBranch(checkout.branch)
              const at = git.refs[agentRef] ?? checkout.base
              if (!sameTree(tree, treeAt(git, at)) && jobId !== null) {
                const commit = commitTo(git, { parents: [at], tree, message: CommitMessage.leftovers(jobId, work) })
                git.refs[autoCommit ? agentRef : RefName.rescue(jobId, work.itemId, work.attempt)] = commit.id
              }
              const tip = git.refs[agentRef] ?? checkout.base
              if (tip === checkout.base) {
                delete git.refs[agentRef]
                return { tip: null, branch: null, commits: 0 }
              }
              return { tip, branch: checkout.branch, commits: between(git, checkout.base, tip).length }
            })
          )
        ),
      rescue: (checkout, work) => rescueOf(checkout.path, work, checkout.branch, checkout.base),
      release: (checkout) =>
        Effect.zipRight(
          git("worktree reset", checkout.path, (git) =>
            Effect.sync(() => {
              const agent = git.agents[checkout.path]
              if (agent !== undefined) agent.state = "idle"
            })
          ),
          permits.release(1)
        ),
      integrate: (work, tip, agentBranch) =>
        merging.withPermits(1)(
          git("merge", path, (git) => {
            const into = git.refs[ref] ?? options.base
            const agentRef = agentBranch === null ? null : RefName.ofBranch(agentBranch)
            const done = () => {
              if (agentRef !== null && git.refs[agentRef] === tip) delete git.refs[agentRef]
            }
            if (ancestors(git, into).has(tip)) {
              done()
              const merge = between(git, tip, into).find((id) => git.commits[id]?.parents[1] === tip)
              return Effect.succeed({ commit: merge ?? tip })
            }
            const merged = mergeTrees(git, into, tip)
            if (merged._tag === "Conflict")
              return Effect.fail(new MergeConflict({ branch: agentBranch, tip, paths: merged.paths }))
            const message = jobId === null ? "Merge" : CommitMessage.merge(jobId, work)
            const commit = commitTo(git, { parents: [into, tip], tree: merged.tree, message })
            git.refs[ref] = commit.id
            done()
            return Effect.succeed({ commit: commit.id })
          })
        ),
      // Uncommitted files that are not in the way stay; one that is would be rescued, and none of the model's is.
      syncParent: git("checkout", path, (git) =>
        Effect.sync(() => {
          const next = git.refs[ref] ?? options.base
          place(disk, path, treeAt(git, git.synced[path]), treeAt(git, next))
          git.synced[path] = next
        })
      ),
      sealSetup: ({ autoCommit }) => (autoCommit ? sealInto("setup") : keepAside("setup")),
      sealReduce: ({ autoCommit }) => (autoCommit ? sealInto("reduce") : keepAside("reduce")),
      sealSteps: sealInto("what the steps left"),
      fingerprint: Effect.flatMap(found(path), (tree) =>
        git("status", path, (git) =>
          Effect.succeed(`${git.refs[ref] ?? ""} ${Digest.sha256(JSON.stringify(Object.entries(tree).toSorted()))}`)
        )
      ),
      preview: git("diff", path, (git) => {
        const to = target === null ? undefined : git.refs[RefName.ofBranch(target)]
        const from = to ?? options.base
        const tip = git.refs[ref] ?? options.base
        const files = new Set([...Object.keys(treeAt(git, from)), ...Object.keys(treeAt(git, tip))])
        return Effect.succeed({
          target: to === undefined ? null : target,
          commits: between(git, from, tip).length,
          files: [...files].filter((file) => treeAt(git, from)[file] !== treeAt(git, tip)[file]).length
        })
      }),
      finish: ({ approved }) =>
        git("merge", project.root, (git) =>
          Effect.sync((): Finish => {
            const command = `git -C ${project.root} merge ${branch}`
            const wait = (
              reason: Extract<Finish, { readonly outcome: "waiting" }>["reason"],
              paths: ReadonlyArray<string> = []
            ): Finish => ({
              outcome: "waiting",
              target,
              branch,
              reason,
              paths,
              command
            })
            const targetRef = target === null ? null : RefName.ofBranch(target)
            const into = targetRef === null ? undefined : git.refs[targetRef]
            if (target === null || targetRef === null || into === undefined) return wait("no_target_branch")
            const tip = git.refs[ref] ?? options.base
            if (ancestors(git, into).has(tip)) {
              if (tip === options.base) return { outcome: "nothing_to_merge", target }
              const merge = between(git, tip, into).find((id) => git.commits[id]?.parents[1] === tip)
              return { outcome: "merged", target, commit: merge ?? tip }
            }
            if (approved !== "yes") return wait(approved)
            const before = treeAt(git, into)
            let to = tip
            if (!ancestors(git, tip).has(into)) {
              const merged = mergeTrees(git, into, tip)
              if (merged._tag === "Conflict") return wait("conflict", merged.paths)
              const message = CommitMessage.finish(origin, branch, target)
              to = commitTo(git, { parents: [into, tip], tree: merged.tree, message }).id
            }
            git.refs[targetRef] = to
            if (target === git.branch) place(disk, git.root, before, treeAt(git, to))
            return { outcome: "merged", target, commit: to }
          })
        ),
      clean: ({ keepParent }) =>
        git("worktree remove", project.root, (git) =>
          Effect.sync(() => {
            const removedWorktrees: Array<string> = []
            const removedBranches: Array<string> = []
            for (const slot of Object.keys(git.agents))
              if (git.agents[slot]?.jobId === jobId) {
                removeAll(disk, slot)
                delete git.agents[slot]
                removedWorktrees.push(slot)
              }
            for (const agentRef of Object.keys(git.refs)) {
              if (jobId === null || !agentRef.startsWith(RefName.ofBranch(RefName.agentBranchPrefix(jobId)))) continue
              if (!ancestors(git, git.refs[ref] ?? "").has(git.refs[agentRef] ?? "")) continue
              delete git.refs[agentRef]
              removedBranches.push(agentRef.slice("refs/heads/".length))
            }
            if (!keepParent) {
              removeAll(disk, path)
              removedWorktrees.push(path)
              const into = target === null ? undefined : git.refs[RefName.ofBranch(target)]
              if (into !== undefined && ancestors(git, into).has(git.refs[ref] ?? "")) {
                delete git.refs[ref]
                removedBranches.push(branch)
              }
            }
            const kept = Object.keys(git.refs).filter(
              (other) =>
                other.startsWith(RefName.rescues(whose)) ||
                (jobId !== null && other.startsWith(RefName.ofBranch(RefName.agentBranchPrefix(jobId)))) ||
                (!keepParent && other === ref)
            )
            return {
              removedWorktrees,
              removedBranches,
              kept: kept.map((other) => other.replace(/^refs\/heads\//, "")),
              orphans: []
            }
          })
        )
    }
  })

const unreadable = (path: string) => (error: PlatformError) =>
  new WorkspaceError({ operation: "read a worktree", reason: "command_failed", path, detail: error.message })

// -----------------------------------------------------------------------------
// commits
// -----------------------------------------------------------------------------

const gitOf = (world: Map<string, unknown>): Git => {
  const git = world.get(name)
  if (git === undefined) throw new Error("This machine has no repository: MemoryWorkspace.init makes it.")
  return git as Git
}

const headOf = (git: Git): string => git.refs[RefName.ofBranch(git.branch)] ?? ""

const projectOf = (git: Git): Project => ({
  root: git.root,
  checkout: git.root,
  head: headOf(git),
  branch: git.branch,
  rootCommit: history(git, RefName.ofBranch(git.branch)).at(-1)?.id ?? ""
})

/** Ids count on, so that two commits of one content differ as they do in git, by their time. */
const commitTo = (git: Git, facts: Omit<Commit, "id">): Commit => {
  const count = Object.keys(git.commits).length
  const id = Digest.sha256(JSON.stringify([count, facts.parents, facts.message, Object.entries(facts.tree)])).slice(
    0,
    40
  )
  const commit = { id, ...facts }
  git.commits[id] = commit
  return commit
}

const treeAt = (git: Git, id: string | undefined): Tree => (id === undefined ? {} : (git.commits[id]?.tree ?? {}))

const sameTree = (one: Tree, other: Tree): boolean =>
  Object.keys(one).length === Object.keys(other).length && Object.keys(one).every((path) => one[path] === other[path])

/** A commit and all that it comes from. */
const ancestors = (git: Git, id: string): ReadonlySet<string> => {
  const seen = new Set<string>()
  const rest = [id]
  for (let at = rest.pop(); at !== undefined; at = rest.pop()) {
    if (seen.has(at)) continue
    seen.add(at)
    rest.push(...(git.commits[at]?.parents ?? []))
  }
  return seen
}

/** Commits of `to` that are not of `from`. */
const between = (git: Git, from: string, to: string): ReadonlyArray<string> => {
  const known = ancestors(git, from)
  return [...ancestors(git, to)].filter((id) => !known.has(id))
}

/** The newest commit that both come from: the one that all other common ones are ancestors of. */
const mergeBase = (git: Git, one: string, other: string): string | undefined => {
  const theirs = ancestors(git, other)
  const common = [...ancestors(git, one)].filter((id) => theirs.has(id))
  return common.find((id) => common.every((older) => ancestors(git, id).has(older))) ?? common[0]
}

const mergeTrees = (
  git: Git,
  into: string,
  tip: string
):
  | { readonly _tag: "Merged"; readonly tree: Tree }
  | { readonly _tag: "Conflict"; readonly paths: ReadonlyArray<string> } => {
  const base = treeAt(git, mergeBase(git, into, tip))
  const [ours, theirs] = [treeAt(git, into), treeAt(git, tip)]
  const paths = [...new Set([...Object.keys(base), ...Object.keys(ours), ...Object.keys(theirs)])].toSorted()
  const conflicts = paths.filter(
    (path) => ours[path] !== theirs[path] && ours[path] !== base[path] && theirs[path] !== base[path]
  )
  if (conflicts.length > 0) return { _tag: "Conflict", paths: conflicts }
  const tree: Record<string, string> = {}
  for (const path of paths) {
    const content = ours[path] === base[path] ? theirs[path] : ours[path]
    if (content !== undefined) tree[path] = content
  }
  return { _tag: "Merged", tree }
}

const changesOf = (git: Git, from: string, to: string) => {
  const [before, after] = [treeAt(git, from), treeAt(git, to)]
  const lines = (text: string | undefined) =>
    text === undefined || text === "" ? 0 : text.replace(/\n$/, "").split("\n").length
  const changed = [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter((path) => before[path] !== after[path])
    .toSorted()
  return {
    filesAdded: changed.filter((path) => before[path] === undefined),
    filesModified: changed.filter((path) => before[path] !== undefined && after[path] !== undefined),
    filesDeleted: changed.filter((path) => after[path] === undefined),
    commits: between(git, from, to),
    insertions: changed.reduce((sum, path) => sum + lines(after[path]), 0),
    deletions: changed.reduce((sum, path) => sum + lines(before[path]), 0)
  }
}

/** What setup left uncommitted, on its rescue ref. */
const setupOf = (git: Git, whose: JobId | SessionId): Tree => {
  const ref = Object.keys(git.refs).find((ref) => ref.startsWith(`${RefName.rescues(whose)}+setup/`))
  const commit = ref === undefined ? undefined : git.commits[git.refs[ref] ?? ""]
  if (commit === undefined) return {}
  const before = treeAt(git, commit.parents[0])
  return Object.fromEntries(Object.entries(commit.tree).filter(([path, content]) => before[path] !== content))
}

/** Files that are as setup left them go back to what the branch has. */
const withoutSetup = (tree: Tree, setup: Tree, branch: Tree): Tree => {
  const kept: Record<string, string> = {}
  for (const [path, content] of Object.entries(tree)) {
    const committed = branch[path]
    if (setup[path] !== content) kept[path] = content
    else if (committed !== undefined) kept[path] = committed
  }
  return kept
}

// -----------------------------------------------------------------------------
// worktrees on the disk
// -----------------------------------------------------------------------------

type Disk = SimulatedMachine["Type"]["disk"]

const exists = (disk: Disk, path: string): boolean => {
  try {
    disk.lstat(path)
    return true
  } catch {
    return false
  }
}

const make = (disk: Disk, path: string): void => {
  if (path === "" || path === "/" || exists(disk, path)) return
  make(disk, path.slice(0, path.lastIndexOf("/")))
  disk.makeDirectory(path, 0o755, 0)
  sync(disk, path.slice(0, path.lastIndexOf("/")) || "/")
}

const sync = (disk: Disk, path: string): void => {
  const fd = disk.open(
    path,
    { read: true, write: false, append: false, create: false, exclusive: false, truncate: false },
    0,
    0
  )
  disk.sync(fd)
  disk.close(fd)
}

/** Brings the files of a directory from one tree to another, durably. */
const place = (disk: Disk, directory: string, from: Tree, to: Tree): void => {
  make(disk, directory)
  for (const path of Object.keys(from))
    if (to[path] === undefined && exists(disk, `${directory}/${path}`)) disk.unlink(`${directory}/${path}`, 0)
  for (const [path, content] of Object.entries(to)) {
    if (from[path] === content) continue
    const file = `${directory}/${path}`
    const parent = file.slice(0, file.lastIndexOf("/"))
    make(disk, parent)
    const access = { read: false, write: true, append: false, create: true, exclusive: false, truncate: true }
    const fd = disk.open(file, access, 0o644, 0)
    if (content !== "") disk.write(fd, new TextEncoder().encode(content), 0, 0)
    disk.sync(fd)
    disk.close(fd)
    sync(disk, parent)
  }
  sync(disk, directory)
}

const removeAll = (disk: Disk, path: string): void => {
  if (!exists(disk, path)) return
  if (disk.lstat(path).type !== "Directory") return disk.unlink(path, 0)
  for (const child of disk.readDirectory(path)) removeAll(disk, `${path}/${child}`)
  disk.removeDirectory(path, 0)
  sync(disk, path.slice(0, path.lastIndexOf("/")) || "/")
}

const readTree = (fs: FileSystem.FileSystem, directory: string): Effect.Effect<Tree, PlatformError> =>
  Effect.gen(function* () {
    const tree: Record<string, string> = {}
    for (const path of (yield* fs.readDirectory(directory, { recursive: true })).toSorted()) {
      const file = `${directory}/${path}`
      if ((yield* fs.stat(file)).type === "File") tree[path] = yield* fs.readFileString(file)
    }
    return tree
  })
