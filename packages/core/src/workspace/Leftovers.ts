/**
 * What an attempt leaves behind: commits, and files that are not committed.
 *
 * Owns how an attempt ends: its leftovers are committed or rescued, its tip is found wherever the agent has put it, and
 * nothing that it committed loses its last name. Does not own the worktree's next use.
 *
 * Crash guarantee: what `collect` and `rescue` return survives a power loss, commits of the agent's own included. A
 * crash before they return leaves everything in the worktree, and a second call does what is left to do.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type { Kept } from "../domain/DeadLetter.ts"
import type { JobId } from "../domain/JobId.ts"
import * as CommitMessage from "./CommitMessage.ts"
import * as RefName from "./RefName.ts"
import type { RefUpdate, Repository, RepositoryError } from "./Repository.ts"
import * as Snapshot from "./Snapshot.ts"
import * as Submodules from "./Submodules.ts"
import { type AgentWork, type Checkout, type Collected, WorkspaceError } from "./Workspace.ts"
import * as Worktree from "./Worktree.ts"

/**
 * The checkout of an attempt that has ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ended {
  readonly repository: Repository
  readonly jobId: JobId
  readonly worktree: Worktree.Worktree
  readonly checkout: Checkout
  readonly work: AgentWork
}

/**
 * A collected attempt. `ours` is true when the tip is the commit that we made on top of the base.
 *
 * @since 0.1.0
 * @category models
 */
export interface CollectedTip extends Collected {
  readonly ours: boolean
}

/**
 * Ends a successful attempt. See `SessionWorkspace.collect`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const collect = Effect.fnUntraced(function* (
  ended: Ended,
  options: { readonly autoCommit: boolean }
): Effect.fn.Return<CollectedTip, RepositoryError | WorkspaceError, FileSystem.FileSystem> {
  const { jobId, repository, work } = ended
  const fs = yield* FileSystem.FileSystem
  const stood = yield* standing(ended)
  const names = yield* fs.readDirectory(ended.worktree.admin)
  const merging = yield* mergeHeads(ended, names)
  // The attempt's processes are gone: a lock on its index is what a killed one left. Their index is not used again.
  const since = { base: ended.checkout.base, whose: jobId }
  const taken = names.includes("index.lock")
    ? yield* Snapshot.takeAside(repository, ended.worktree, stood.commit, since)
    : yield* Snapshot.take(repository, ended.worktree, since)
  const tree = yield* Snapshot.treeOf(taken, {
    autoCommit: options.autoCommit,
    hasCommits: stood.commit !== ended.checkout.base,
    operation,
    path: ended.worktree.path
  })
  if (tree === stood.tree) return { ...(yield* settle(ended, stood, stood.commit)), ours: false }
  if (!options.autoCommit) {
    const ref = yield* keep(ended, tree, stood.commit)
    yield* Effect.logWarning(`${work.agentId} left uncommitted changes; they are kept on ${ref}.`)
    return { ...(yield* settle(ended, stood, stood.commit)), ours: false }
  }
  const tip = yield* repository.commit({
    tree,
    parents: [stood.commit, ...merging],
    message: CommitMessage.leftovers(jobId, work)
  })
  const ours = stood.commit === ended.checkout.base && merging.length === 0
  return { ...(yield* settle(ended, stood, tip)), ours }
})

/**
 * Ends a failed attempt. See `SessionWorkspace.rescue`. The worktree and its index are not touched.
 *
 * @since 0.1.0
 * @category combinators
 */
export const rescue = Effect.fnUntraced(function* (
  ended: Ended
): Effect.fn.Return<Kept, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const stood = yield* standing(ended)
  if (!(yield* fs.exists(ended.worktree.path))) return yield* rescueCommits(ended, stood)
  const { refused, tree } = yield* Snapshot.takeAside(ended.repository, ended.worktree, stood.commit, {
    base: ended.checkout.base,
    whose: ended.jobId,
    partial: true
  })
  const uncommitted = tree === stood.tree ? null : yield* keep(ended, tree, stood.commit)
  const { branch, tip } = yield* settle(ended, stood, stood.commit)
  // What could be kept is. The rest is only in the worktree, which must not be cleaned.
  if (refused !== null) return yield* refused
  return {
    ...(branch === null ? {} : { branch_name: branch }),
    ...(tip === null ? {} : { tip }),
    ...(uncommitted === null ? {} : { uncommitted_changes: uncommitted })
  }
})

/** The agent has removed its worktree, its HEAD perhaps with it: what it committed is all that there is. */
const rescueCommits = Effect.fnUntraced(function* (
  ended: Ended,
  stood: Standing
): Effect.fn.Return<Kept, RepositoryError, FileSystem.FileSystem> {
  yield* Submodules.keepLeft(ended.repository, ended.worktree.admin, ended.jobId)
  const commit = stood.commit === ended.checkout.base ? (stood.branchTip ?? stood.commit) : stood.commit
  const { branch, tip } = yield* settle(ended, { ...stood, commit }, commit)
  return branch === null || tip === null ? {} : { branch_name: branch, tip }
})

interface Standing {
  /** Commit that HEAD is at; the base when HEAD has none. */
  readonly commit: string
  readonly tree: string
  /** Commit that the agent's branch is at. */
  readonly branchTip: string | null
}

/** Where the agent has left HEAD and its branch. */
const standing = Effect.fnUntraced(function* ({
  checkout,
  repository,
  worktree
}: Ended): Effect.fn.Return<Standing, RepositoryError> {
  const [head, headTree, branchTip, baseTree] = yield* repository.resolve(
    worktree.head,
    `${worktree.head}^{tree}`,
    RefName.ofBranch(checkout.branch),
    `${checkout.base}^{tree}`
  )
  // HEAD has no commit on an orphan branch, or when its branch was deleted because the attempt had no commits.
  if (head !== null && headTree !== null) return { commit: head, tree: headTree, branchTip }
  return { commit: checkout.base, tree: baseTree ?? "", branchTip }
})

/**
 * Puts the agent's branch at the tip, or deletes it when there is no commit. A branch whose commits are not all in the
 * tip is kept under another name first.
 */
const settle = Effect.fnUntraced(function* (
  ended: Ended,
  { branchTip, commit }: Standing,
  tip: string
): Effect.fn.Return<Collected, RepositoryError, FileSystem.FileSystem> {
  const { checkout, jobId, repository, work } = ended
  const ref = RefName.ofBranch(checkout.branch)
  const commits = yield* countCommits(ended, commit, tip)
  const to = commits === 0 ? null : tip
  const displaced =
    branchTip !== null &&
    branchTip !== commit &&
    branchTip !== checkout.base &&
    !(yield* isAncestor(repository, branchTip, tip))
      ? [{ ref: RefName.displaced(jobId, work.itemId, work.attempt, branchTip), to: branchTip }]
      : []
  const updates: ReadonlyArray<RefUpdate> = [...displaced, ...(to === branchTip ? [] : [{ ref, to, from: branchTip }])]
  if (updates.length > 0 && !(yield* repository.updateRefs(updates))) {
    // Only a process that the agent has left behind moves its branch now: look again.
    return yield* settle(ended, { commit, tree: "", branchTip: (yield* repository.resolve(ref))[0] }, tip)
  }
  for (const { ref } of displaced) {
    yield* Effect.logWarning(`${work.agentId} ended away from its branch; the branch's commits are kept on ${ref}.`)
  }
  return { tip: to, branch: to === null ? null : checkout.branch, commits }
})

/** Commits beyond the base. Those that the agent made are brought to disk here: its git need not have done so. */
const countCommits = Effect.fnUntraced(function* (
  { checkout, repository }: Ended,
  commit: string,
  tip: string
): Effect.fn.Return<number, RepositoryError, FileSystem.FileSystem> {
  const own = tip === commit ? 0 : 1
  if (commit === checkout.base) return own
  const options = { cwd: repository.root, reads: true }
  const range = `${checkout.base}..${commit}`
  const objects = yield* repository.run(["rev-list", "--objects", "--no-object-names", range], options)
  yield* syncObjects(repository, objects.stdout.split("\n").filter(Boolean))
  const counted = yield* repository.run(["rev-list", "--count", range], options)
  return Number(counted.stdout) + own
})

/**
 * Brings objects to disk. Those in packs were synced when the pack was made.
 *
 * @since 0.1.0
 * @category combinators
 */
export const syncObjects = Effect.fnUntraced(function* (
  repository: Repository,
  ids: ReadonlyArray<string>
): Effect.fn.Return<void, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const sync = (path: string) =>
    Effect.scoped(Effect.flatMap(fs.open(path, { flag: "r" }), (file) => file.sync)).pipe(
      Effect.catchIf(
        (error) => error._tag === "SystemError" && error.reason === "NotFound",
        () => Effect.void
      )
    )
  const directories = new Set(ids.map((id) => `${repository.commonDir}/objects/${id.slice(0, 2)}`))
  const files = ids.map((id) => `${repository.commonDir}/objects/${id.slice(0, 2)}/${id.slice(2)}`)
  yield* Effect.forEach([...files, ...directories], sync, { concurrency: 8, discard: true })
})

/** Puts a tree on the attempt's rescue ref, as a commit on top of what was committed. Says the ref. */
const keep = Effect.fnUntraced(function* (
  { jobId, repository, work }: Ended,
  tree: string,
  parent: string
): Effect.fn.Return<string, RepositoryError> {
  const ref = RefName.rescue(jobId, work.itemId, work.attempt)
  const [old, oldTree] = yield* repository.resolve(ref, `${ref}^{tree}`)
  if (oldTree === tree) return ref
  const commit = yield* repository.commit({
    tree,
    parents: [parent],
    message: CommitMessage.leftovers(jobId, work)
  })
  const free = old === null ? ref : `${ref}-${commit.slice(0, 12)}`
  yield* repository.updateRefs([{ ref: free, to: commit }])
  return free
})

/**
 * The other parents of a merge that the agent has resolved but not committed. Fails when it has not resolved it: a
 * commit of conflict markers is nobody's result.
 */
const mergeHeads = Effect.fnUntraced(function* (
  { repository, worktree }: Ended,
  names: ReadonlyArray<string>
): Effect.fn.Return<ReadonlyArray<string>, RepositoryError | WorkspaceError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  if (!names.some((name) => underWay.has(name))) return []
  const unmerged = yield* repository.run(["diff", "--name-only", "--diff-filter=U", "-z"], {
    ...Worktree.at(worktree),
    reads: true
  })
  if (unmerged.stdout !== "") {
    return yield* new WorkspaceError({
      operation,
      reason: "checkout_damaged",
      path: worktree.path,
      detail: `conflicts are not resolved in ${unmerged.stdout.split("\0").filter(Boolean).join(", ")}`
    })
  }
  if (!names.includes("MERGE_HEAD")) return []
  return (yield* fs.readFileString(`${worktree.admin}/MERGE_HEAD`)).split("\n").filter(Boolean)
})

const operation = "commit what the agent left"

const underWay = new Set([
  "MERGE_HEAD",
  "CHERRY_PICK_HEAD",
  "REVERT_HEAD",
  "rebase-merge",
  "rebase-apply",
  "AUTO_MERGE"
])

/**
 * Whether one commit is in the history of another.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isAncestor = (repository: Repository, ancestor: string, commit: string) =>
  ancestor === commit
    ? Effect.succeed(true)
    : Effect.map(
        repository.run(["merge-base", "--is-ancestor", ancestor, commit], {
          cwd: repository.root,
          reads: true,
          expect: [0, 1]
        }),
        ({ exitCode }) => exitCode === 0
      )
