/**
 * The files of a worktree as a tree.
 *
 * Owns that everything in it which is not ignored is in the tree, repositories inside it included: those that are
 * submodules as a link to a commit which `Submodules` keeps, all others as their files. Does not own what becomes of the
 * tree.
 *
 * Crash guarantee: none is needed; the worktree is as it was, but for its index.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type { JobId } from "../domain/JobId.ts"
import type { SessionId } from "../domain/SessionId.ts"
import { GitError } from "./Git.ts"
import type { Repository, RepositoryError } from "./Repository.ts"
import * as Submodules from "./Submodules.ts"
import { WorkspaceError } from "./Workspace.ts"
import * as Worktree from "./Worktree.ts"

/**
 * What is in a worktree. `unfit` says, in words, what makes the tree nobody's result: it links to what others cannot get,
 * or has files where a submodule belongs. `refused` is why something of it could not be taken, or not be kept.
 *
 * @since 0.1.0
 * @category models
 */
export interface Snapshot {
  readonly tree: string
  readonly unfit: ReadonlyArray<string>
  /** Repositories whose files are in the tree although the index linked to them. */
  readonly replaced: ReadonlyArray<string>
  readonly refused: RepositoryError | null
}

/**
 * How a snapshot is taken.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** An index to go by other than the worktree's own. */
  readonly index?: string | undefined
  /** Commit that the work began at: what it links to is no work. */
  readonly base: string | null
  /** By whose name the commits in submodules are kept; null: they are not. */
  readonly whose: JobId | SessionId | null
  /** Takes what can be taken when git refuses some file. Default: fails. */
  readonly partial?: boolean | undefined
}

/**
 * The tree of everything in a worktree that is not ignored.
 *
 * @since 0.1.0
 * @category combinators
 */
export const take = Effect.fnUntraced(function* (
  repository: Repository,
  worktree: Worktree.Worktree,
  options: Options
): Effect.fn.Return<Snapshot, RepositoryError, FileSystem.FileSystem> {
  return yield* takeIn({ repository, worktree, store: repository.commonDir }, options)
})

/**
 * As `take`, leaving the worktree's own index as it is. `commit` is taken for the index when there is none.
 *
 * @since 0.1.0
 * @category combinators
 */
export const takeAside = (
  repository: Repository,
  worktree: Worktree.Worktree,
  commit: string,
  options: Omit<Options, "index">
) => aside(worktree, commit, repository, (index) => take(repository, worktree, { ...options, index }))

/**
 * The tree of a snapshot. Fails when what is to be merged links to what others cannot get: the tree itself with
 * `autoCommit`, else what was committed, if anything was.
 *
 * @since 0.1.0
 * @category combinators
 */
export const treeOf = (
  { replaced, tree, unfit }: Snapshot,
  options: {
    readonly autoCommit: boolean
    readonly hasCommits: boolean
    readonly operation: string
    readonly path: string
  }
): Effect.Effect<string, WorkspaceError> => {
  const { autoCommit, hasCommits, operation, path } = options
  const linked = replaced.map((name) => `${name} is a repository of its own, and was committed as a link to it`)
  const detail = autoCommit ? unfit : hasCommits ? [...unfit, ...linked] : []
  return detail.length === 0
    ? Effect.succeed(tree)
    : new WorkspaceError({ operation, reason: "checkout_damaged", path, detail: detail.join("; ") })
}

/**
 * Works with a copy of a worktree's index. It lies beside the index, so that it goes with the worktree when a crash has
 * left it there. When git cannot use it, as it was cut short by a crash or an agent, it is that of `commit`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const aside = <A, E, R>(
  worktree: Worktree.Worktree,
  commit: string,
  repository: Repository,
  use: (index: string) => Effect.Effect<A, E, R>
): Effect.Effect<A, E | RepositoryError, R | FileSystem.FileSystem> => {
  const index = `${worktree.admin}/prodigy-index`
  const removed = Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.forEach([index, `${index}.lock`], (path) => fs.remove(path, { force: true }), { discard: true })
  )
  const copied = Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const original = `${worktree.admin}/index`
    const { mtime } = yield* fs.stat(original)
    yield* fs.copyFile(original, index)
    // Git looks into files that are no older than their index: a change in that second may show by nothing else.
    if (Option.isSome(mtime)) yield* fs.utimes(index, mtime.value, mtime.value)
  })
  const read = repository.run(["read-tree", commit], Worktree.at(worktree, index))
  return removed.pipe(
    Effect.zipRight(Effect.catchAll(copied, () => read)),
    Effect.zipRight(use(index)),
    // Half an index is not always told from a whole one, but nothing comes of it.
    Effect.catchIf(isRefusal, () => removed.pipe(Effect.zipRight(read), Effect.zipRight(use(index)))),
    Effect.ensuring(Effect.ignoreLogged(removed))
  )
}

const isGitError = Schema.is(GitError)
const isRefusal = (error: unknown): error is GitError => isGitError(error) && error.reason === "failed"

/** `store`: where those who take up the tree have their repository; submodules of theirs are below it. */
interface Where {
  readonly repository: Repository
  readonly worktree: Worktree.Worktree
  readonly store: string
}

const takeIn: (where: Where, options: Options) => Effect.Effect<Snapshot, RepositoryError, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (where, options) {
    const { repository, worktree } = where
    const fs = yield* FileSystem.FileSystem
    const here = Worktree.at(worktree, options.index)
    const { refused, tree, unborn } = yield* addAll(repository, here, options)
    const setUp = yield* fs.exists(`${worktree.admin}/modules`)
    const index = yield* Effect.option(fs.readFile(options.index ?? `${worktree.admin}/index`))
    if (!setUp && unborn.length === 0 && Option.isSome(index) && !mayLink(index.value)) {
      return { tree, unfit: [], replaced: [], refused }
    }
    const declared = yield* Submodules.declared(repository, worktree.path)
    const links = yield* linksOf(repository, here)
    const unfit: Array<string> = []
    const replaced: Array<string> = []
    const checkedOut: Array<Submodules.CheckedOut> = []
    for (const { id, path } of [...links, ...unborn.map((path) => ({ id: null, path }))]) {
      const directory = `${worktree.path}/${path}`
      const name = declared.get(path) ?? null
      const found = name === null ? null : yield* Submodules.find(repository, directory)
      const known = id === null ? null : yield* idAt(repository, here, options.base, path)
      if (found !== null && name !== null) {
        checkedOut.push({ ...found, name, path, directory, id, known })
      } else if ((yield* Submodules.namesIn(directory)).length > 0) {
        yield* replace(where, here, path)
        if (id !== null) replaced.push(path)
        if (name !== null)
          unfit.push(`the submodule ${path} is not set up, and has files; run git submodule update --init`)
      } else if (name === null && id !== known) {
        unfit.push(`${path} links to a commit of a repository that is gone`)
      }
    }
    let unkept: RepositoryError | null = null
    const stand: Array<Submodules.CheckedOut & { readonly commit: string }> = []
    for (const submodule of checkedOut) {
      const commit = yield* commitOf(where, submodule, options)
      unfit.push(...commit.unfit)
      stand.push({ ...submodule, commit: commit.id })
      if (commit.id === submodule.id) continue
      yield* repository.run(["update-index", "--add", "--cacheinfo", `160000,${commit.id},${submodule.path}`], here)
    }
    if (options.whose !== null) {
      const at = { admin: worktree.admin, store: where.store, whose: options.whose }
      const keeping = Submodules.keep(repository, at, { checkedOut: stand, declared, links })
      const kept = yield* Effect.either(keeping)
      if (kept._tag === "Right") unfit.push(...kept.right)
      else if (options.partial === true) unkept = kept.left
      else return yield* kept.left
    }
    return { tree: yield* writeTree(repository, here), unfit, replaced, refused: refused ?? unkept }
  })

type Here = ReturnType<typeof Worktree.at>

// What the index names was there before or has just been added; looking for every object again takes time.
const writes = ["write-tree", "--missing-ok"]

const writeTree = (repository: Repository, here: Here) =>
  Effect.map(repository.run(writes, here), ({ stdout }) => stdout.trim())

// `--sparse`: also what was written outside of a sparse checkout.
const adds = ["-c", "advice.addEmbeddedRepo=false", "add", "--sparse", "--all"]

/** Adds everything. A repository without a commit is refused by git; those are named instead. */
const addAll = Effect.fnUntraced(function* (
  repository: Repository,
  here: Here,
  options: Pick<Options, "partial">
): Effect.fn.Return<
  { readonly tree: string; readonly unborn: ReadonlyArray<string>; readonly refused: GitError | null },
  GitError
> {
  if (repository.ignoresStat) {
    yield* repository.run(["update-index", "-q", "--really-refresh"], { ...here, expect: [0, 1] })
  }
  const added = yield* Effect.either(repository.run(adds, { ...here, next: writes }))
  if (added._tag === "Right") return { tree: added.right.stdout.trim(), unborn: [], refused: null }
  const failure = added.left
  if (failure.reason !== "failed") return yield* failure
  const again = yield* repository.run([...adds, "--ignore-errors"], { ...here, expect: [0, 1, 128] })
  const unborn = [...again.stderr.matchAll(/^error: '(.+)\/' does not have a commit checked out$/gm)].map(
    ([, path = ""]) => path
  )
  const others = again.stderr.split("\n").filter((line) => line.startsWith("error: ")).length - unborn.length
  const isWhole = again.exitCode !== 128 && others === 0
  if (again.exitCode === 128 || (!isWhole && options.partial !== true)) return yield* failure
  return { tree: yield* writeTree(repository, here), unborn, refused: isWhole ? null : failure }
})

/**
 * Whether an index may hold a link to a commit: none does without the bytes of that mode. Entries may be elsewhere when
 * it says that it is split, or sparse.
 */
const mayLink = (index: Uint8Array): boolean =>
  holds(index, [0x00, 0x00, 0xe0, 0x00], 2) ||
  holds(index, [0x6c, 0x69, 0x6e, 0x6b], 0) ||
  holds(index, [0x73, 0x64, 0x69, 0x72], 0)

/** Looks for the byte at `rare` first. */
const holds = (bytes: Uint8Array, wanted: ReadonlyArray<number>, rare: number): boolean => {
  for (let at = bytes.indexOf(wanted[rare]!); at >= 0; at = bytes.indexOf(wanted[rare]!, at + 1)) {
    if (wanted.every((byte, index) => bytes[at - rare + index] === byte)) return true
  }
  return false
}

/** The entries of the index that link to a commit. */
const linksOf = (repository: Repository, here: Here) =>
  Effect.map(repository.run(["ls-files", "--stage", "-z"], { ...here, reads: true }), ({ stdout }) =>
    stdout.split("\0").flatMap((line) => {
      const [, id, path] = /^160000 (\S+) \d\t([^]*)$/.exec(line) ?? []
      return id === undefined || path === undefined ? [] : [{ id, path }]
    })
  )

/** What a commit has at a path. */
const idAt = (repository: Repository, here: Here, commit: string | null, path: string) =>
  commit === null
    ? Effect.succeed(null)
    : Effect.map(
        repository.run(["rev-parse", "--verify", "--quiet", "--end-of-options", `${commit}:${path}`], {
          ...here,
          reads: true,
          expect: [0, 1, 128]
        }),
        ({ exitCode, stdout }) => (exitCode === 0 ? stdout.trim() : null)
      )

/**
 * Puts the files of a directory into the index, repositories in it included, instead of whatever is there: a link to a
 * commit that only exists in a directory about to be cleaned would be worth nothing.
 */
const replace = Effect.fnUntraced(function* (
  where: Where,
  here: Here,
  path: string
): Effect.fn.Return<void, RepositoryError, FileSystem.FileSystem> {
  const { repository } = where
  const tree = yield* filesOf(where, `${where.worktree.path}/${path}`, 0)
  const literally = ["--literal-pathspecs", "rm", "-r", "--cached", "--sparse", "--force", "--quiet"]
  yield* repository.run([...literally, "--ignore-unmatch", "--", path], here)
  yield* repository.run(["read-tree", `--prefix=${path}/`, tree], here)
})

/** The tree of a directory, taken as the worktree of our own repository, which never looks into a `.git`. */
const filesOf: (
  where: Where,
  directory: string,
  depth: number
) => Effect.Effect<string, RepositoryError, FileSystem.FileSystem> = Effect.fnUntraced(
  function* (where, directory, depth) {
    const { repository, worktree } = where
    const inner = Worktree.at({ ...worktree, path: directory }, `${worktree.admin}/nested-index-${depth}`)
    yield* repository.run(["read-tree", "--empty"], inner)
    const { unborn } = yield* addAll(repository, inner, {})
    const links = yield* linksOf(repository, inner)
    for (const path of [...links.map((link) => link.path), ...unborn]) {
      const tree = yield* filesOf(where, `${directory}/${path}`, depth + 1)
      yield* repository.run(["update-index", "--force-remove", "--", path], inner)
      yield* repository.run(["read-tree", `--prefix=${path}/`, tree], inner)
    }
    return yield* writeTree(repository, inner)
  }
)

/**
 * The commit that a submodule stands for: its HEAD, or one on top of it with what is not committed. Where the worktree's
 * own index is brought to its files, so is that of the submodule, and its HEAD.
 */
const commitOf = Effect.fnUntraced(function* (
  { repository, store }: Where,
  { directory, gitdir, head, name, path }: Submodules.CheckedOut,
  options: Options
): Effect.fn.Return<
  { readonly id: string; readonly unfit: ReadonlyArray<string> },
  RepositoryError,
  FileSystem.FileSystem
> {
  const fs = yield* FileSystem.FileSystem
  const worktree = { path: directory, admin: gitdir, head: "HEAD" }
  const inner = { repository, worktree, store: Submodules.storeOf(store, name) }
  const how = { base: head, whose: options.whose, partial: options.partial }
  const conflicts = (yield* Submodules.hasConflicts(repository, gitdir))
    ? [`conflicts are not resolved in the submodule ${path}`]
    : []
  const isOwn = options.index === undefined && conflicts.length === 0 && !(yield* fs.exists(`${gitdir}/index.lock`))
  const taken = isOwn
    ? yield* takeIn(inner, how)
    : yield* aside(worktree, head, repository, (index) => takeIn(inner, { ...how, index }))
  const id = yield* Submodules.commit(repository, { gitdir, head, tree: taken.tree })
  if (isOwn && id !== head) yield* repository.run(["update-ref", "HEAD", id, head], Worktree.at(worktree))
  return { id, unfit: [...conflicts, ...taken.unfit] }
})
