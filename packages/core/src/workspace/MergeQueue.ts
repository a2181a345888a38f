/**
 * Merges agents' tips into the parent branch: one at a time, without a working tree.
 *
 * Owns that a tip is merged exactly once. `merge-tree` makes the merged tree, a merge commit is made of it, and one
 * transaction moves the parent branch from where it was and deletes the agent's branch. Does not own the order, which is
 * the engine's, nor the parent's files.
 *
 * Crash guarantee: the parent branch is at a whole merge or where it was. After a crash, calling again with the same tip
 * finds the merge that was made, or makes it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { JobId } from "../domain/JobId.ts"
import * as CommitMessage from "./CommitMessage.ts"
import * as RefName from "./RefName.ts"
import type { RefUpdate, Repository, RepositoryError } from "./Repository.ts"
import type { WorktreePool } from "./WorktreePool.ts"
import { type AgentWork, MergeConflict, WorkspaceError } from "./Workspace.ts"

/**
 * How often a merge is made again because somebody else has moved the parent branch.
 *
 * @since 0.1.0
 * @category models
 */
export const attemptsMax = 20

/**
 * @since 0.1.0
 * @category models
 */
export interface MergeQueue {
  /** See `SessionWorkspace.integrate`. */
  readonly integrate: (
    work: AgentWork,
    tip: string,
    branch: string | null
  ) => Effect.Effect<{ readonly commit: string }, MergeConflict | WorkspaceError | RepositoryError>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("MergeQueue.make")(function* (options: {
  readonly repository: Repository
  readonly jobId: JobId
  readonly parentBranch: string
  readonly pool: Pick<WorktreePool, "baseOf" | "forget">
}) {
  const { jobId, pool, repository } = options
  const parentRef = RefName.ofBranch(options.parentBranch)
  const one = yield* Effect.makeSemaphore(1)

  const mergeOnce = Effect.fnUntraced(function* (work: AgentWork, tip: string, branch: string | null) {
    const branchRef = branch === null ? parentRef : RefName.ofBranch(branch)
    const [parent, tree, branchTip] = yield* repository.resolve(parentRef, `${tip}^{tree}`, branchRef)
    if (parent === null || tree === null) return yield* gone(repository, parent === null ? parentRef : tip)
    // Only the tip is merged: a branch that has moved on since is somebody's work and stays.
    const deleted: ReadonlyArray<RefUpdate> =
      branch !== null && branchTip === tip ? [{ ref: branchRef, to: null, from: tip }] : []

    const relation = yield* relate(repository, parent, tip, pool.baseOf(tip))
    if (relation === "merged") {
      if (deleted.length > 0) yield* repository.updateRefs(deleted)
      return { commit: yield* mergeOf(repository, parent, tip) }
    }
    const commit = yield* repository.commit({
      tree: relation === "ahead" ? tree : yield* mergeTrees(repository, parent, tip, branch),
      parents: [parent, tip],
      message: CommitMessage.merge(jobId, work)
    })
    const moved = yield* repository.updateRefs([{ ref: parentRef, to: commit, from: parent }, ...deleted])
    return moved ? { commit } : null
  })

  const integrate: MergeQueue["integrate"] = Effect.fnUntraced(function* (work, tip, branch) {
    for (let attempt = 1; attempt <= attemptsMax; attempt++) {
      const merged = yield* mergeOnce(work, tip, branch)
      if (merged === null) continue
      pool.forget(tip)
      return merged
    }
    return yield* new WorkspaceError({
      operation: `merge ${branch ?? tip}`,
      reason: "locked",
      path: repository.root,
      detail: `${options.parentBranch} was moved by somebody else ${attemptsMax} times`
    })
  })

  return {
    integrate: (work, tip, branch) => one.withPermits(1)(Effect.uninterruptible(integrate(work, tip, branch)))
  } satisfies MergeQueue
})

/**
 * How a tip stands to the parent: in it already, straight ahead of it, or apart. A tip that we have just made on `base`
 * cannot be in the parent, and is straight ahead when the parent still is at `base`: no process has to be asked.
 */
const relate = Effect.fnUntraced(function* (
  repository: Repository,
  parent: string,
  tip: string,
  base: string | undefined
) {
  if (base !== undefined) return base === parent ? "ahead" : "apart"
  const { stdout } = yield* repository.run(["merge-base", parent, tip], {
    cwd: repository.root,
    reads: true,
    // 1: no history in common, such as an orphan branch. `mergeTrees` says so.
    expect: [0, 1]
  })
  return stdout.trim() === tip ? "merged" : stdout.trim() === parent ? "ahead" : "apart"
})

/**
 * The tree of a merge. Fails with the paths that conflict.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mergeTrees = Effect.fnUntraced(function* (
  repository: Repository,
  into: string,
  tip: string,
  branch: string | null
): Effect.fn.Return<string, MergeConflict | RepositoryError> {
  const { exitCode, stdout } = yield* repository.run(
    ["merge-tree", "--write-tree", "--name-only", "--no-messages", "-z", "--allow-unrelated-histories", into, tip],
    { cwd: repository.root, expect: [0, 1] }
  )
  const [tree, ...paths] = stdout.split("\0").filter((field) => field !== "")
  if (exitCode === 0 && tree !== undefined) return tree
  return yield* new MergeConflict({ branch, tip, paths: Array.from(new Set(paths)) })
})

/**
 * The merge commit that brought a tip into the parent; the tip itself when no merge did.
 *
 * @since 0.1.0
 * @category getters
 */
export const mergeOf = Effect.fnUntraced(function* (repository: Repository, parent: string, tip: string) {
  const { stdout } = yield* repository.run(
    ["rev-list", "--min-parents=2", "--parents", "--ancestry-path", `${tip}..${parent}`],
    { cwd: repository.root, reads: true }
  )
  const merge = stdout.split("\n").find((line) => line.split(" ").slice(2).includes(tip))
  return merge?.split(" ")[0] ?? tip
})

const gone = (repository: Repository, name: string) =>
  new WorkspaceError({
    operation: "merge",
    reason: "checkout_damaged",
    path: repository.root,
    detail: `${name} is gone`
  })
