/**
 * A worktree on disk: made, looked at, removed.
 *
 * Owns the pairing of a worktree with its administrative directory in the repository. Does not own what is in it, nor
 * when it is reused: see `WorktreePool`.
 *
 * Crash guarantee: a worktree that was being made or removed is found as a directory that is not whole; `find` answers
 * null for it, and `remove` takes it away.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type { Repository, RepositoryError } from "./Repository.ts"

/**
 * A worktree of a repository.
 *
 * @since 0.1.0
 * @category models
 */
export interface Worktree {
  readonly path: string
  /** Its directory in the repository: `HEAD`, `index` and what operations under way leave there. */
  readonly admin: string
  /** Its HEAD as a name that resolves from everywhere in the repository. */
  readonly head: string
}

/**
 * Where a command about a worktree runs. Git is told where its repository is and never looks for one: an agent may have
 * removed the link, and the storage may lie inside another repository of the user's.
 *
 * @since 0.1.0
 * @category getters
 */
export const at = (
  worktree: Worktree,
  index?: string | undefined
): { readonly cwd: string; readonly env: Readonly<Record<string, string>> } => ({
  cwd: worktree.path,
  env: {
    GIT_DIR: worktree.admin,
    GIT_WORK_TREE: worktree.path,
    ...(index === undefined ? {} : { GIT_INDEX_FILE: index })
  }
})

/**
 * The worktree at a path; null when there is none, or not a whole one, of this repository.
 *
 * @since 0.1.0
 * @category constructors
 */
export const find = Effect.fnUntraced(function* (
  repository: Repository,
  path: string
): Effect.fn.Return<Worktree | null, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const link = yield* readOrNull(fs, `${path}/.git`)
  const admin = link === null ? undefined : /^gitdir: (.+)$/m.exec(link)?.[1]
  const id = admin?.startsWith(`${repository.commonDir}/worktrees/`) === true ? admin.split("/").at(-1) : undefined
  if (admin === undefined || id === undefined) return null
  const back = yield* readOrNull(fs, `${admin}/gitdir`)
  const head = yield* readOrNull(fs, `${admin}/HEAD`)
  if (back?.trim() !== `${path}/.git` || head === null) return null
  return { path, admin, head: `worktrees/${id}/HEAD` }
})

/**
 * As `find`, also of a worktree whose own link to the repository is gone: the repository still knows where it was.
 *
 * @since 0.1.0
 * @category constructors
 */
export const registered = Effect.fnUntraced(function* (
  repository: Repository,
  path: string
): Effect.fn.Return<Worktree | null, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const found = yield* find(repository, path)
  if (found !== null) return found
  const directory = `${repository.commonDir}/worktrees`
  // No directory: no worktrees. Git names them after the last part of the path, with a number behind it if need be.
  const ids = yield* Effect.orElseSucceed(fs.readDirectory(directory), () => [])
  const name = path.slice(path.lastIndexOf("/") + 1)
  for (const id of ids.filter((id) => id.startsWith(name))) {
    const admin = `${directory}/${id}`
    const back = yield* readOrNull(fs, `${admin}/gitdir`)
    // Git names the entry before it says there where the worktree is.
    const begun = back === null && id === name
    if (begun || back?.trim() === `${path}/.git`) return { path, admin, head: `worktrees/${id}/HEAD` }
  }
  return null
})

/**
 * Whether git can work in a worktree: it is not while it is being made or removed, and then holds no work either.
 *
 * @since 0.1.0
 * @category getters
 */
export const isWhole = Effect.fnUntraced(function* (
  worktree: Worktree
): Effect.fn.Return<boolean, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const files = yield* Effect.forEach(["HEAD", "commondir", "gitdir"], (name) =>
    readOrNull(fs, `${worktree.admin}/${name}`)
  )
  return files.every((text) => text !== null)
})

/**
 * Makes a worktree at `path`, its HEAD detached at `commit`, without files. A directory that is in the way and is not a
 * worktree is what a crash left of one, and is removed first.
 *
 * @since 0.1.0
 * @category constructors
 */
export const add = Effect.fnUntraced(function* (
  repository: Repository,
  path: string,
  commit: string
): Effect.fn.Return<Worktree, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const made = yield* repository.alone(
    Effect.gen(function* () {
      const left = yield* registered(repository, path)
      if (left !== null) yield* fs.remove(left.admin, { recursive: true, force: true })
      yield* fs.remove(path, { recursive: true, force: true })
      yield* fs.makeDirectory(path, { recursive: true, mode: 0o700 })
      // Twice `--force`: the path may still be registered for a worktree that is gone.
      yield* repository.run(
        ["worktree", "add", "--force", "--force", "--quiet", "--no-checkout", "--detach", path, commit],
        {
          cwd: repository.root
        }
      )
      return yield* find(repository, path)
    })
  )
  if (made !== null) return made
  return yield* Effect.dieMessage(`git made a worktree at ${path} that does not point back`)
})

/**
 * Removes a worktree and all it holds, whole or not. Fails when something of it cannot be removed.
 *
 * @since 0.1.0
 * @category combinators
 */
export const remove = Effect.fnUntraced(function* (
  repository: Repository,
  path: string
): Effect.fn.Return<void, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  yield* Effect.uninterruptible(
    repository.alone(
      Effect.gen(function* () {
        const worktree = yield* registered(repository, path)
        yield* Effect.catchAll(fs.remove(path, { recursive: true, force: true }), () =>
          Effect.zipRight(makeWritable(path), fs.remove(path, { recursive: true, force: true }))
        )
        // Only this one's: `worktree prune` would also forget worktrees of the user's on a disk that is away.
        if (worktree !== null) yield* fs.remove(worktree.admin, { recursive: true, force: true })
      })
    )
  )
})

/** Directories that an agent made read-only keep their entries from being removed. */
const makeWritable = (path: string): Effect.Effect<void, never, FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const info = yield* fs.stat(path)
    if (info.type !== "Directory") return
    yield* fs.chmod(path, 0o700)
    for (const name of yield* fs.readDirectory(path)) {
      const entry = `${path}/${name}`
      const link = yield* Effect.option(fs.readLink(entry))
      if (link._tag === "None") yield* makeWritable(entry)
    }
    // What cannot be changed here makes the removal that follows fail, and that failure is the one to report.
  }).pipe(Effect.catchAll(() => Effect.void))

/**
 * The branch that is checked out; null when HEAD is detached.
 *
 * @since 0.1.0
 * @category getters
 */
export const branch = Effect.fnUntraced(function* (
  worktree: Worktree
): Effect.fn.Return<string | null, never, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const head = yield* readOrNull(fs, `${worktree.admin}/HEAD`)
  return /^ref: refs\/heads\/(.+)$/m.exec(head ?? "")?.[1] ?? null
})

/** A file that is not there, or cannot be read, says the same here: this is no worktree of ours. */
const readOrNull = (fs: FileSystem.FileSystem, path: string): Effect.Effect<string | null> =>
  Effect.orElseSucceed(fs.readFileString(path), () => null)
