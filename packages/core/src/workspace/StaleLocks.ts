/**
 * Lock files of git's that a git of ours has left behind when it was killed.
 *
 * Owns which of them are ours to remove: those of the session's own refs (its branch, its agents' branches, its rescue
 * refs) and of its own worktree. Never one that the user's git may hold: that of another branch or worktree, or of
 * `packed-refs`, is waited for like any other. The caller has seen to it that no process of an earlier owner is left.
 *
 * Crash guarantee: removing them again does no harm.
 *
 * @since 0.1.0
 */
import type * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type { JobId } from "../domain/JobId.ts"
import type { SessionId } from "../domain/SessionId.ts"
import * as RefName from "./RefName.ts"
import type { Repository } from "./Repository.ts"
import * as Worktree from "./Worktree.ts"

/**
 * Removes the locks of a session, and gives their paths. `path` is its worktree's.
 *
 * @since 0.1.0
 * @category combinators
 */
export const remove = Effect.fn("StaleLocks.remove")(function* (session: {
  readonly repository: Repository
  readonly jobId: JobId | null
  readonly sessionId: SessionId
  readonly path: string
}): Effect.fn.Return<ReadonlyArray<string>, PlatformError.PlatformError, FileSystem.FileSystem> {
  const { jobId, path, repository, sessionId } = session
  const fs = yield* FileSystem.FileSystem
  // No directory, no locks: refs may all be packed.
  const below = (directory: string, recursive: boolean) =>
    Effect.map(
      Effect.orElseSucceed(fs.readDirectory(directory, { recursive }), () => []),
      (names) => names.filter((name) => name.endsWith(".lock")).map((name) => `${directory}/${name}`)
    )
  const heads = `${repository.commonDir}/refs/heads`
  const own = `${heads}/${RefName.sessionBranch(sessionId)}.lock`
  const agents = jobId === null ? undefined : `${heads}/${RefName.agentBranchPrefix(jobId)}`
  const branches = (yield* below(heads, false)).filter(
    (lock) => lock === own || (agents !== undefined && lock.startsWith(agents))
  )
  const rescues = yield* below(
    `${repository.commonDir}/${RefName.rescues(jobId ?? sessionId).replace(/\/$/, "")}`,
    true
  )
  const worktree = yield* Worktree.registered(repository, path)
  const inWorktree = worktree === null ? [] : yield* below(worktree.admin, false)
  const locks = [...branches, ...rescues, ...inWorktree]
  yield* Effect.forEach(locks, (lock) => fs.remove(lock, { force: true }), { discard: true })
  if (locks.length > 0) {
    yield* Effect.logDebug(`Locks that a git of an earlier process has left were removed: ${locks.join(", ")}.`)
  }
  return locks
})
