/**
 * What a session leaves in git when it is over.
 *
 * Owns which worktrees and branches are removed: worktrees after their work is safe, branches when the branch they went
 * to has all of theirs. Rescue refs are never removed here. Does not own the registry of orphans.
 *
 * It does not fail: what cannot be removed is an orphan or stays, and that is said.
 *
 * Crash guarantee: every step can be done again; cleaning twice is cleaning once.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { JobId } from "../domain/JobId.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { ParentWorktree } from "./ParentWorktree.ts"
import * as RefName from "./RefName.ts"
import type { Repository, RepositoryError } from "./Repository.ts"
import type { Cleaned, Orphan } from "./Workspace.ts"
import type { WorktreePool } from "./WorktreePool.ts"

/**
 * See `SessionWorkspace.clean`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const clean = Effect.fn("Cleanup.clean")(function* (
  session: {
    readonly repository: Repository
    readonly jobId: JobId | null
    readonly sessionId: SessionId
    readonly target: string | null
    readonly pool: WorktreePool
    readonly parent: ParentWorktree
  },
  options: { readonly keepParent: boolean }
): Effect.fn.Return<Cleaned> {
  const { jobId, parent, pool, repository, sessionId, target } = session
  const whose = jobId ?? sessionId
  const slots = yield* pool.close
  const removed = [...slots.removed]
  const orphans: Array<Orphan> = [...slots.orphans]

  const parentRef = RefName.ofBranch(parent.checkout.branch)
  const none = { merged: [], apart: [] }
  const agents = jobId === null ? none : yield* orStays(branchesOf(repository, jobId, parentRef), none)
  const branches = yield* deleteRefs(repository, agents.merged)
  const kept = [...agents.apart.map(([ref]) => ref), ...(yield* rescues(repository, whose))]

  if (options.keepParent) {
    yield* Effect.catchAll(parent.retain, (error) => Effect.logWarning(error.message))
    return { removedWorktrees: removed, removedBranches: branches, kept: kept.map(short), orphans }
  }
  const gone = yield* Effect.match(parent.remove, {
    onSuccess: () => {
      removed.push(parent.checkout.path)
      return true
    },
    onFailure: (error) => {
      orphans.push({ path: parent.checkout.path, agentId: null, itemId: null, error: error.message })
      return false
    }
  })
  const own = gone ? yield* ownBranch(repository, parentRef, target) : { deleted: [], kept: [parentRef] }
  // Removing the parent worktree may have made one more.
  const refs = new Set([...kept, ...own.kept, ...(yield* rescues(repository, whose))])
  return {
    removedWorktrees: removed,
    removedBranches: [...branches, ...own.deleted].map(short),
    kept: [...refs].map(short),
    orphans
  }
})

type Named = readonly [ref: string, commit: string]

/** The agents' branches: those whose commits are all in the session's branch, and the others. */
const branchesOf = Effect.fnUntraced(function* (repository: Repository, jobId: JobId, parentRef: string) {
  const pattern = `${RefName.ofBranch(RefName.agentBranchPrefix(jobId))}*`
  const [all, apart] = yield* Effect.all([
    list(repository, [pattern]),
    list(repository, [`--no-merged=${parentRef}`, pattern])
  ])
  const refs = new Set(apart.map(([ref]) => ref))
  return { merged: all.filter(([ref]) => !refs.has(ref)), apart }
})

const ownBranch = Effect.fnUntraced(function* (repository: Repository, ref: string, target: string | null) {
  const merged =
    target === null ? [] : yield* orStays(list(repository, [`--merged=${RefName.ofBranch(target)}`, ref]), [])
  const deleted = yield* deleteRefs(repository, merged)
  return { deleted, kept: deleted.length === 0 ? [ref] : [] }
})

const rescues = (repository: Repository, whose: JobId | SessionId) =>
  Effect.map(orStays(list(repository, [RefName.rescues(whose)]), []), (refs) => refs.map(([ref]) => ref))

const list = (repository: Repository, args: ReadonlyArray<string>) =>
  Effect.map(
    repository.run(["for-each-ref", "--format=%(refname) %(objectname)", ...args], {
      cwd: repository.root,
      reads: true
    }),
    ({ stdout }) =>
      stdout
        .split("\n")
        .filter(Boolean)
        .map((line): Named => [line.slice(0, line.lastIndexOf(" ")), line.slice(line.lastIndexOf(" ") + 1)])
  )

/** One by one: a branch that somebody moves meanwhile is theirs, and keeps none of the others. */
const deleteRefs = (repository: Repository, refs: ReadonlyArray<Named>) =>
  Effect.map(
    Effect.filter(refs, ([ref, commit]) => orStays(repository.updateRefs([{ ref, to: null, from: commit }]), false)),
    (deleted) => deleted.map(([ref]) => short(ref))
  )

/** What cannot be listed or deleted stays, and that is always safe: the outcome of the session stands. */
const orStays = <A>(effect: Effect.Effect<A, RepositoryError>, otherwise: A): Effect.Effect<A> =>
  Effect.catchAll(effect, (error) =>
    Effect.as(Effect.logWarning(`Not everything could be cleaned up: ${error.message}`), otherwise)
  )

const short = (ref: string): string => ref.replace(/^refs\/heads\//, "")
