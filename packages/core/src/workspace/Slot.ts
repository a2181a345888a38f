/**
 * A slot: an agent worktree that is used for one item after another.
 *
 * Owns that a slot handed out holds exactly what a fresh worktree would. How:
 * - files are brought to the new tree through an index of our own, beside the worktree. The agent's index, with whatever
 *   flags hide a change from git, is thrown away; every file whose status data is not as we left it is written anew;
 * - what an agent left in the worktree's administrative directory (a merge, a rebase, a lock, settings of its own) is
 *   removed, or the slot is made anew when what identifies the worktree was changed;
 * - when it is handed out, git is asked what differs from our index. What that does not know, ignored or not, nested
 *   repositories and empty directories included, is removed, and git asked again. If a difference is left, the slot is
 *   made anew.
 *
 * Files may be brought to a tree long before the slot is handed out. HEAD follows only then, when the files are whole.
 *
 * What worktrees of a repository share is not reset: configuration, hooks, branches and stashes that an agent made. Nor
 * are permissions that git does not record, on files whose content is right: it knows only `executable`.
 *
 * Making or resetting a slot may be interrupted, which stops git in the middle of its files: the slot is then worth
 * nothing, and whoever has its name makes it anew or removes it.
 *
 * Crash guarantee: a slot whose HEAD is detached and which has no index of its own was never handed out. Nothing else is
 * needed: a slot of a dead process is rescued and removed, never reused.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as RefName from "./RefName.ts"
import type { Repository, RepositoryError } from "./Repository.ts"
import * as Worktree from "./Worktree.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Slot {
  readonly worktree: Worktree.Worktree
  /** Our index of the worktree. */
  readonly index: string
  /** The files that identify the worktree and its settings, as they were when it was made. */
  readonly identity: string
}

/**
 * Makes a slot with the files of a commit. It is not on a branch yet: see `handOut`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (
  repository: Repository,
  paths: { readonly worktree: string; readonly index: string },
  commit: string
): Effect.fn.Return<Slot, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(paths.index, { force: true })
  yield* fs.remove(`${paths.index}.lock`, { force: true })
  yield* Worktree.remove(repository, paths.worktree)
  const worktree = yield* Worktree.add(repository, paths.worktree, commit)
  const slot = { worktree, index: paths.index, identity: yield* identify(worktree) }
  yield* bring(repository, slot, commit)
  return slot
})

/**
 * Removes what an item left in the slot's administrative directory. False when the slot has to be made anew.
 *
 * @since 0.1.0
 * @category combinators
 */
export const clear = Effect.fnUntraced(function* (slot: Slot): Effect.fn.Return<boolean, never, FileSystem.FileSystem> {
  if ((yield* identify(slot.worktree)) !== slot.identity) return false
  return yield* scrub(slot.worktree).pipe(
    Effect.as(true),
    // Whatever cannot be removed, a new worktree is the answer; if that cannot be made either, `make` says why.
    Effect.orElseSucceed(() => false)
  )
})

/**
 * Brings the files of a cleared slot to a tree, or to that of a commit. What the tree does not know stays.
 *
 * @since 0.1.0
 * @category combinators
 */
export const bring = (repository: Repository, slot: Slot, tree: string): Effect.Effect<void, RepositoryError> =>
  Effect.asVoid(repository.run(["read-tree", "--reset", "-u", tree], { ...ours(slot), abandonable: true }))

/**
 * Puts a slot with the files of `tip` on a new branch there. It is for the next item then.
 *
 * @since 0.1.0
 * @category combinators
 */
export const handOut = Effect.fnUntraced(function* (
  repository: Repository,
  slot: Slot,
  branch: string,
  tip: string
): Effect.fn.Return<void, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const ref = RefName.ofBranch(branch)
  // HEAD first: a branch that no HEAD names would be found by nobody after a crash.
  const head = ["-c", "core.logAllRefUpdates=false", "symbolic-ref", "HEAD", ref]
  yield* repository.run(head, Worktree.at(slot.worktree))
  yield* repository.updateRefs([{ ref, to: tip }])
  // By another name, so that a crash leaves no half of it: see `Leftovers.aside`.
  const copy = `${slot.worktree.admin}/prodigy-index`
  yield* fs.copyFile(slot.index, copy)
  yield* fs.rename(copy, `${slot.worktree.admin}/index`)
})

/**
 * As `handOut`, of a slot that was used and cleared, with whatever is in its files. False when it cannot be made as a
 * fresh worktree would be. `ready` tells that its files were brought to the tree of `tip`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reuse = Effect.fnUntraced(function* (
  repository: Repository,
  slot: Slot,
  next: { readonly branch: string; readonly tip: string; readonly ready: boolean }
): Effect.fn.Return<boolean, never, FileSystem.FileSystem> {
  const look = Effect.map(repository.run(differences, { ...ours(slot), reads: true }), ({ stdout }) => stdout === "")
  const reset = Effect.gen(function* () {
    if (!next.ready) yield* bring(repository, slot, next.tip)
    const [clean] = yield* Effect.all([look, handOut(repository, slot, next.branch, next.tip)], { concurrency: 2 })
    if (clean) return true
    yield* repository.run(["clean", "-ffdxq"], { ...ours(slot), abandonable: true })
    return yield* look
  })
  // As in `clear`.
  return yield* Effect.orElseSucceed(reset, () => false)
})

/** Lists what differs from our index: tracked files that do, and, ignored or not, any other file or directory. */
const differences = ["ls-files", "-z", "--modified", "--deleted", "--others", "--directory"]

const ours = (slot: Slot) => Worktree.at(slot.worktree, slot.index)

/** What git itself puts into the administrative directory of a new worktree. */
const fresh = new Set(["HEAD", "ORIG_HEAD", "commondir", "config.worktree", "gitdir", "index", "info", "logs"])

const scrub = Effect.fnUntraced(function* (
  worktree: Worktree.Worktree
): Effect.fn.Return<void, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const names = yield* fs.readDirectory(worktree.admin)
  yield* Effect.forEach(
    names.filter((name) => !fresh.has(name)),
    (name) => fs.remove(`${worktree.admin}/${name}`, { recursive: true, force: true }),
    { discard: true }
  )
})

/**
 * `modules` says that submodules were set up; those directories hold repositories of their own, and `clean` does not
 * look into them.
 */
const identify = Effect.fnUntraced(function* (
  worktree: Worktree.Worktree
): Effect.fn.Return<string, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const { admin, path } = worktree
  const files = [
    `${path}/.git`,
    `${admin}/gitdir`,
    `${admin}/commondir`,
    `${admin}/config.worktree`,
    `${admin}/info/sparse-checkout`
  ]
  // One after the other: this goes on beside a merge, which should not have to wait for it.
  const texts = yield* Effect.forEach(files, (file) => Effect.orElseSucceed(fs.readFileString(file), () => null))
  return JSON.stringify([...texts, yield* Effect.orElseSucceed(fs.exists(`${admin}/modules`), () => true)])
})
