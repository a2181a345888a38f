/**
 * A slot: an agent worktree that is used for one item after another.
 *
 * Owns that a slot handed out holds exactly what a fresh worktree would. How:
 * - files are brought to the new tip through an index of our own, beside the worktree. The agent's index, with whatever
 *   flags hide a change from git, is thrown away; every file whose status data is not as we left it is written anew;
 * - what our index does not know, ignored or not, nested repositories and empty directories included, is removed;
 * - what an agent left in the worktree's administrative directory (a merge, a rebase, a lock, settings of its own) is
 *   removed, or the slot is made anew when what identifies the worktree was changed;
 * - then git has been asked whether any difference is left. If so the slot is made anew.
 *
 * What worktrees of a repository share is not reset: configuration, hooks, branches and stashes that an agent made. Nor
 * are permissions that git does not record, on files whose content is right: it knows only `executable`.
 *
 * Making or resetting a slot may be interrupted, which stops git in the middle of its files: the slot is then worth
 * nothing, and whoever has its name makes it anew or removes it.
 *
 * Crash guarantee: none needed. A slot of a dead process is rescued and removed, never reused.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
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
 * Makes a slot with the files of `tip`, on a new branch.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fnUntraced(function* (
  repository: Repository,
  paths: { readonly worktree: string; readonly index: string },
  branch: string,
  tip: string
): Effect.fn.Return<Slot, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  yield* fs.remove(paths.index, { force: true })
  yield* fs.remove(`${paths.index}.lock`, { force: true })
  yield* Worktree.remove(repository, paths.worktree)
  const worktree = yield* Worktree.add(repository, paths.worktree, tip)
  const slot = { worktree, index: paths.index, identity: yield* identify(worktree) }
  yield* checkOut(repository, slot, branch, tip)
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
 * Brings a cleared slot to `tip` on a new branch. False when it cannot be made as a fresh worktree would be.
 *
 * @since 0.1.0
 * @category combinators
 */
export const reuse = Effect.fnUntraced(function* (
  repository: Repository,
  slot: Slot,
  branch: string,
  tip: string
): Effect.fn.Return<boolean, never, FileSystem.FileSystem> {
  const reset = Effect.gen(function* () {
    const left = yield* checkOut(repository, slot, branch, tip)
    if (left === "") return true
    yield* repository.run(["clean", "-ffdxq"], { ...ours(slot), abandonable: true })
    const { stdout } = yield* repository.run(differences, { ...ours(slot), reads: true })
    return stdout === ""
  })
  // As in `clear`.
  return yield* Effect.orElseSucceed(reset, () => false)
})

/** Brings the files to `tip` on a new branch; what differs from it then, as `differences` lists it. */
const checkOut = Effect.fnUntraced(function* (
  repository: Repository,
  slot: Slot,
  branch: string,
  tip: string
): Effect.fn.Return<string, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  // The branch is new and at a commit that is safe already: nothing is lost with it, so its ref need not be synced.
  // Nor need it have a log, which would be one more file to make and to delete for every item.
  const cheap = ["-c", "core.fsync=loose-object", "-c", "core.logAllRefUpdates=false"]
  const checkout = [...cheap, "checkout", "--quiet", "--force", "--no-track", "-B", branch, tip]
  const { stdout } = yield* repository.run(checkout, { ...ours(slot), next: differences, abandonable: true })
  yield* fs.copyFile(slot.index, `${slot.worktree.admin}/index`)
  return stdout
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
  const texts = yield* Effect.forEach(files, (file) => Effect.orElseSucceed(fs.readFileString(file), () => null), {
    concurrency: "unbounded"
  })
  return JSON.stringify([...texts, yield* Effect.orElseSucceed(fs.exists(`${admin}/modules`), () => true)])
})
