/**
 * The submodules of a worktree: repositories of their own, whose commits git keeps in a directory that is removed with
 * the worktree.
 *
 * Owns which there are, and that no commit of theirs is lost: those that no remote of the submodule has are fetched into
 * the user's own repository of it, where what links to them finds them; or, when the user has not set it up, into the
 * repository around it, where nobody would look for them. That is told. Does not own what is not committed: see
 * `Snapshot`.
 *
 * Crash guarantee: the refs that keep commits are on disk when `keep` returns; keeping again is keeping once.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import type { JobId } from "../domain/JobId.ts"
import type { SessionId } from "../domain/SessionId.ts"
import { GitError } from "./Git.ts"
import * as RefName from "./RefName.ts"
import type { Repository, RepositoryError } from "./Repository.ts"

/**
 * A submodule that is set up in a worktree. `id` is what the worktree's index links to, `known` what the work began at.
 *
 * @since 0.1.0
 * @category models
 */
export interface CheckedOut {
  readonly name: string
  readonly path: string
  readonly directory: string
  readonly gitdir: string
  readonly head: string
  readonly id: string | null
  readonly known: string | null
}

/**
 * The names of the submodules that `.gitmodules` declares, by their paths; none when it cannot be read.
 *
 * @since 0.1.0
 * @category getters
 */
export const declared = Effect.fnUntraced(function* (
  repository: Repository,
  top: string
): Effect.fn.Return<ReadonlyMap<string, string>, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(`${top}/.gitmodules`))) return new Map()
  const { stdout } = yield* repository.run(
    ["config", "-z", "--file", `${top}/.gitmodules`, "--get-regexp", "^submodule\\..*\\.path$"],
    { cwd: top, reads: true, expect: [0, 1, 3, 128] }
  )
  return new Map(
    stdout.split("\0").flatMap((entry) => {
      const [, name, path] = /^submodule\.([^]*)\.path\n([^]*)$/.exec(entry) ?? []
      // As git has it: names are paths below `modules`, and lead nowhere else.
      if (name === undefined || path === undefined || name.split("/").includes("..")) return []
      return [[path.replace(/\/$/, ""), name] as const]
    })
  )
})

/**
 * The repository whose worktree a directory is, and its HEAD; null when there is none, or none with a commit.
 *
 * @since 0.1.0
 * @category getters
 */
export const find = Effect.fnUntraced(function* (
  repository: Repository,
  directory: string
): Effect.fn.Return<Pick<CheckedOut, "gitdir" | "head"> | null, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const link = `${directory}/.git`
  const info = yield* Effect.option(fs.stat(link))
  if (Option.isNone(info)) return null
  const text = info.value.type === "Directory" ? null : yield* Effect.orElseSucceed(fs.readFileString(link), () => "")
  const named = text === null ? link : /^gitdir: (.+)$/m.exec(text)?.[1]
  if (named === undefined) return null
  const gitdir = yield* Effect.option(fs.realPath(named.startsWith("/") ? named : `${directory}/${named}`))
  if (Option.isNone(gitdir)) return null
  const [head] = yield* idsOf(repository, gitdir.value, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], absent)
  return head === undefined ? null : { gitdir: gitdir.value, head }
})

/**
 * The names in a directory; none when it is no directory.
 *
 * @since 0.1.0
 * @category getters
 */
export const namesIn = (path: string): Effect.Effect<ReadonlyArray<string>, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.readDirectory(path), () => []))

/**
 * Where a repository has that of a submodule, be it set up or not.
 *
 * @since 0.1.0
 * @category getters
 */
export const storeOf = (store: string, name: string): string => `${store}/modules/${name}`

/**
 * The commit of a tree on top of a submodule's HEAD; HEAD when that has the tree. Made again it is the same commit, as it
 * has the time of HEAD.
 *
 * @since 0.1.0
 * @category combinators
 */
export const commit = Effect.fnUntraced(function* (
  repository: Repository,
  { gitdir, head, tree }: { readonly gitdir: string; readonly head: string; readonly tree: string }
): Effect.fn.Return<string, RepositoryError> {
  const [headTree, time] = yield* idsOf(repository, gitdir, ["show", "-s", "--format=%T%n%ct", head])
  if (headTree === tree) return head
  const date = `${time} +0000`
  const { exitCode, stdout } = yield* repository.run(["-c", "user.useConfigOnly=true", "var", "GIT_COMMITTER_IDENT"], {
    cwd: repository.root,
    reads: true,
    expect: [0, 128]
  })
  const [, name, email] = (exitCode === 0 ? /^(.*) <(.*)> \d+ \S+$/.exec(stdout.trim()) : null) ?? []
  const who = { name: name ?? "Prodigy", email: email ?? "prodigy@localhost" }
  const made = yield* repository.run(["commit-tree", tree, "-p", head, "-m", "Prodigy: left uncommitted"], {
    cwd: gitdir,
    env: {
      GIT_DIR: gitdir,
      GIT_WORK_TREE: gitdir,
      GIT_AUTHOR_NAME: who.name,
      GIT_AUTHOR_EMAIL: who.email,
      GIT_AUTHOR_DATE: date,
      GIT_COMMITTER_NAME: who.name,
      GIT_COMMITTER_EMAIL: who.email,
      GIT_COMMITTER_DATE: date
    }
  })
  return made.stdout.trim()
})

/**
 * Moves a submodule that is set up from one commit to another, as files move with a branch; one that stands elsewhere
 * stays there. False when it cannot be moved.
 *
 * @since 0.1.0
 * @category combinators
 */
export const move = Effect.fnUntraced(function* (
  repository: Repository,
  { directory, from, store, to }: Readonly<Record<"directory" | "from" | "store" | "to", string>>
): Effect.fn.Return<boolean, RepositoryError, FileSystem.FileSystem> {
  const found = yield* find(repository, directory)
  if (found === null || found.head !== from) return true
  const env = { GIT_DIR: found.gitdir, GIT_WORK_TREE: directory }
  const tried = { cwd: directory, env, expect: [0, 1, 128] }
  const local = { ...tried, env: { ...env, GIT_ALLOW_PROTOCOL: "file" } }
  for (const [source, how] of [
    [store, local],
    ["origin", tried]
  ] as const) {
    const [there] = yield* idsOf(
      repository,
      found.gitdir,
      ["rev-parse", "--verify", "--quiet", `${to}^{commit}`],
      absent
    )
    if (there === undefined) yield* repository.run(["-c", "protocol.version=2", "fetch", ...quietly, source, to], how)
  }
  const { exitCode } = yield* repository.run(["checkout", "--quiet", "--detach", to], tried)
  return exitCode === 0
})

/**
 * Whether a submodule has conflicts that are not resolved.
 *
 * @since 0.1.0
 * @category getters
 */
export const hasConflicts = (repository: Repository, gitdir: string) =>
  Effect.map(idsOf(repository, gitdir, ["ls-files", "--unmerged"]), (entries) => entries.length > 0)

/**
 * As `keep`, of a worktree whose files are gone.
 *
 * @since 0.1.0
 * @category combinators
 */
export const keepLeft = (repository: Repository, admin: string, whose: JobId | SessionId) =>
  keep(repository, { admin, store: repository.commonDir, whose }, { checkedOut: [], declared: new Map(), links: [] })

/**
 * Keeps the commits of all submodules of a worktree that no remote of theirs has, also of those that are not checked out
 * any more. Says why what the worktree links to cannot be had by others.
 *
 * @since 0.1.0
 * @category combinators
 */
export const keep = Effect.fnUntraced(function* (
  repository: Repository,
  /** `store`: the repository that holds those of the user's submodules. */
  { admin, store, whose }: { readonly admin: string; readonly store: string; readonly whose: JobId | SessionId },
  found: {
    /** `commit`: what it stands for, with what was not committed. */
    readonly checkedOut: ReadonlyArray<CheckedOut & { readonly commit: string }>
    readonly declared: ReadonlyMap<string, string>
    readonly links: ReadonlyArray<{ readonly id: string; readonly path: string }>
  }
): Effect.fn.Return<ReadonlyArray<string>, RepositoryError, FileSystem.FileSystem> {
  const unfit: Array<string> = []
  for (const { commit, gitdir, id, known, name, path } of found.checkedOut) {
    const linked = id === null ? [commit] : [commit, id]
    unfit.push(...(yield* keepOne(repository, { gitdir, name, path, store, whose, known, linked })))
  }
  const paths = new Map([...found.declared].map(([path, name]) => [name, path]))
  for (const { gitdir, name } of yield* gitdirsIn(`${admin}/modules`)) {
    if (found.checkedOut.some((one) => one.gitdir === gitdir)) continue
    const path = paths.get(name) ?? name
    const linked = found.links.flatMap((link) => (link.path === path ? [link.id] : []))
    unfit.push(...(yield* keepOne(repository, { gitdir, name, path, store, whose, known: null, linked })))
    const below = { admin: gitdir, store: storeOf(store, name), whose }
    yield* keep(repository, below, { checkedOut: [], declared: new Map(), links: [] })
  }
  return unfit
})

const keepOne = Effect.fnUntraced(function* (
  repository: Repository,
  submodule: {
    readonly gitdir: string
    readonly name: string
    readonly path: string
    readonly store: string
    readonly whose: JobId | SessionId
    readonly known: string | null
    readonly linked: ReadonlyArray<string>
  }
): Effect.fn.Return<ReadonlyArray<string>, RepositoryError, FileSystem.FileSystem> {
  const { gitdir, known, linked, name, path, store, whose } = submodule
  const fs = yield* FileSystem.FileSystem
  const ends = yield* idsOf(repository, gitdir, ["for-each-ref", "--format=%(objectname)", "refs/heads", "refs/stash"])
  const head = yield* idsOf(repository, gitdir, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], absent)
  const published = ["--not", "--remotes", ...(known === null ? [] : [known])]
  const own = yield* Effect.filter([...new Set([...linked, ...head, ...ends])], (tip) =>
    Effect.map(
      idsOf(repository, gitdir, ["rev-list", "--max-count=1", "--ignore-missing", tip, ...published]),
      (ids) => ids.length > 0
    )
  )
  const theirs = storeOf(store, name)
  const isSetUp = yield* fs.exists(`${theirs}/HEAD`)
  const around = (yield* fs.exists(`${store}/HEAD`)) ? store : repository.commonDir
  const target = isSetUp ? theirs : around
  const refs = yield* Effect.forEach(own, (tip) =>
    fetch(repository, { from: gitdir, to: target, tip, whose, path, isSetUp })
  )
  const unfit: Array<string> = []
  if (!isSetUp && linked.some((id) => own.includes(id))) {
    unfit.push(
      `the submodule ${path} has commits that no remote of it has, and ${repository.root} has not set it up; they are kept on ${refs.join(", ")} in ${target}: run git submodule update --init there, or push them in a step`
    )
  }
  const [commit] = linked
  if (known !== null && commit !== undefined && !(yield* follows(repository, gitdir, { known, commit, own }))) {
    unfit.push(
      `the submodule ${path} is at ${commit}, which does not come from ${known} that it was to be at; see whether git submodule update fails, as it does for commits that no remote has without --reference ${theirs}`
    )
  }
  return unfit
})

/**
 * Whether a submodule went on from where the project has it. A set-up that failed leaves it at some other commit, and
 * that would undo what others did. Who goes back on purpose has the commit that they come from.
 */
const follows = Effect.fnUntraced(function* (
  repository: Repository,
  gitdir: string,
  at: { readonly known: string; readonly commit: string; readonly own: ReadonlyArray<string> }
): Effect.fn.Return<boolean, RepositoryError> {
  const { commit, known, own } = at
  if (commit === known) return true
  const how = { cwd: gitdir, env: { GIT_DIR: gitdir, GIT_WORK_TREE: gitdir }, reads: true, expect: absent }
  const descends = yield* repository.run(["merge-base", "--is-ancestor", known, commit], how)
  if (descends.exitCode === 0) return true
  const has = yield* repository.run(["cat-file", "-e", `${known}^{commit}`], how)
  return has.exitCode === 0 && !own.includes(commit)
})

const quietly = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head", "--no-auto-maintenance"]

/** The submodule's own setting names a directory that may be gone. */
const served = ["--upload-pack", "git --work-tree=. upload-pack"]

/** Brings a commit, with all that it needs, into another repository, on a ref that keeps it there. Says the ref. */
const fetch = Effect.fnUntraced(function* (
  repository: Repository,
  {
    from,
    isSetUp,
    path,
    tip,
    to,
    whose
  }: Readonly<Record<"from" | "path" | "tip" | "to", string>> & {
    readonly isSetUp: boolean
    readonly whose: JobId | SessionId
  }
): Effect.fn.Return<string, RepositoryError, FileSystem.FileSystem> {
  const ref = RefName.phaseRescue(whose, "submodule", tip)
  const fs = yield* FileSystem.FileSystem
  const isThere = Effect.map(
    idsOf(repository, to, ["for-each-ref", "--format=%(objectname)", ref]),
    ([there]) => there === tip
  )
  if (yield* isThere) return ref
  // What a shallow clone gives makes the one that takes it shallow: only one that is so already may be.
  const how = (yield* fs.exists(`${to}/shallow`)) ? ["--update-shallow"] : []
  const args = ["fetch", ...quietly, ...served, ...how, from, `+${tip}:${ref}`]
  const { stderr } = yield* repository.run(["-c", "protocol.version=2", ...args], {
    cwd: to,
    env: { GIT_DIR: to, GIT_ALLOW_PROTOCOL: "file" }
  })
  // A refused ref is no failure to git.
  if (!(yield* isThere)) return yield* new GitError({ args, cwd: to, reason: "failed", exitCode: 0, stderr })
  const push = isSetUp ? ": push it before what links to it" : ""
  yield* Effect.logWarning(`What was done in the submodule ${path} is kept on ${ref} in ${to}${push}.`)
  return ref
})

/** The repositories of submodules below a directory; their names are paths. */
const gitdirsIn: (
  modules: string,
  prefix?: string
) => Effect.Effect<ReadonlyArray<{ readonly gitdir: string; readonly name: string }>, never, FileSystem.FileSystem> =
  Effect.fnUntraced(function* (modules, prefix = "") {
    const fs = yield* FileSystem.FileSystem
    const found: Array<{ readonly gitdir: string; readonly name: string }> = []
    for (const entry of yield* namesIn(modules)) {
      const gitdir = `${modules}/${entry}`
      const name = `${prefix}${entry}`
      const isRepository = yield* Effect.orElseSucceed(fs.exists(`${gitdir}/HEAD`), () => false)
      found.push(...(isRepository ? [{ gitdir, name }] : yield* gitdirsIn(gitdir, `${name}/`)))
    }
    return found
  })

const absent = [0, 1, 128]

/** What a command that reads says, one id a line. Exit codes other than 0 stand for nothing. */
const idsOf = (
  repository: Repository,
  gitdir: string,
  args: ReadonlyArray<string>,
  expect: ReadonlyArray<number> = [0]
) =>
  Effect.map(
    // The submodule's own setting names a directory that may be gone.
    repository.run(args, { cwd: gitdir, env: { GIT_DIR: gitdir, GIT_WORK_TREE: gitdir }, reads: true, expect }),
    ({ exitCode, stdout }) => (exitCode === 0 ? stdout.split("\n").filter(Boolean) : [])
  )
