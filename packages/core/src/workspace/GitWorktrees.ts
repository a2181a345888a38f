/**
 * `Worktrees` on git.
 *
 * Owns which worktrees are ours, what would be lost with one, and the order of its removal. A worktree is ours by its
 * record or its name, and as long as it is not one of another repository. Does not own how a worktree is taken away: see
 * `Worktree`; nor how what is uncommitted becomes a tree: see `Leftovers`.
 *
 * Crash guarantee: rescue refs are on disk before anything is removed, the branch goes after the directory, and the
 * record last, so that a removal which was cut short is found again and ends the same.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as PlatformError from "@effect/platform/Error"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { JobId } from "../domain/JobId.ts"
import * as SessionIds from "../domain/SessionId.ts"
import { SessionId } from "../domain/SessionId.ts"
import type { RepoPaths } from "../storage/ProdigyHome.ts"
import * as CommitMessage from "./CommitMessage.ts"
import * as Leftovers from "./Leftovers.ts"
import * as RefName from "./RefName.ts"
import type { Repository, RepositoryError } from "./Repository.ts"
import * as Snapshot from "./Snapshot.ts"
import * as Submodules from "./Submodules.ts"
import * as Worktree from "./Worktree.ts"
import * as WorktreeRecord from "./WorktreeRecord.ts"
import type { Found, Removal, Work } from "./Worktrees.ts"

/**
 * Where to look: the repository, and the directory of its worktrees as git writes it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly repository: Repository
  readonly paths: RepoPaths
}

/**
 * See `RepositoryWorktrees.list`.
 *
 * @since 0.1.0
 * @category getters
 */
export const list = Effect.fn("GitWorktrees.list")(function* (
  place: Place
): Effect.fn.Return<ReadonlyArray<Found>, PlatformError.PlatformError, FileSystem.FileSystem> {
  const { paths, repository } = place
  const names = new Set<string>()
  for (const name of yield* namesIn(paths.worktrees)) if (!name.startsWith(".")) names.add(name)
  for (const name of yield* namesIn(`${paths.worktrees}/.metadata`)) {
    const [, stem] = /^([^.].*)\.json$/.exec(name) ?? []
    if (stem !== undefined) names.add(stem)
  }
  for (const id of yield* namesIn(`${repository.commonDir}/worktrees`)) {
    const back = yield* readOrNull(`${repository.commonDir}/worktrees/${id}/gitdir`)
    const [, name] = new RegExp(`^${escaped(paths.worktrees)}/([^/]+)/\\.git\n?$`).exec(back ?? "") ?? []
    if (name !== undefined && !name.startsWith(".")) names.add(name)
  }
  return yield* Effect.forEach([...names].toSorted(), (name) => find(place, name))
})

/**
 * See `RepositoryWorktrees.find`.
 *
 * @since 0.1.0
 * @category getters
 */
export const find = Effect.fnUntraced(function* (
  { paths, repository }: Place,
  name: string
): Effect.fn.Return<Found, PlatformError.PlatformError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const path = `${paths.worktrees}/${name}`
  const record = yield* WorktreeRecord.read(paths.worktreeMetadata(name))
  const isLink = Option.isSome(yield* Effect.option(fs.readLink(path)))
  const info = isLink ? Option.none() : yield* Effect.option(fs.stat(path))
  const hasDirectory = Option.exists(info, ({ type }) => type === "Directory")
  const worktree = isLink ? null : yield* Worktree.registered(repository, path)
  const inTheWay = isLink || (Option.isSome(info) && !hasDirectory)
  const ids = idsOf(name, record)
  const isForeign = ids === null || inTheWay || (worktree === null && (yield* isOfAnother(path)))
  const facts = {
    name,
    path,
    branch: worktree === null ? (record?.branch ?? null) : yield* Worktree.branch(worktree),
    base: record?.base ?? null,
    hasDirectory,
    isRegistered: worktree !== null,
    locked: worktree === null ? null : ((yield* readOrNull(`${worktree.admin}/locked`))?.trim() ?? null),
    usedMillis: yield* usedMillis([
      path,
      paths.worktreeMetadata(name),
      ...(worktree === null ? [] : [`${worktree.admin}/HEAD`, `${worktree.admin}/index`])
    ])
  }
  if (isForeign) {
    const nobody = { sessionId: null, jobId: null, agentId: null, itemId: null, attempt: null }
    return { ...facts, ...nobody, role: "foreign", base: null }
  }
  const of = record?.role === "agent" ? record : null
  return { ...facts, ...ids, agentId: of?.agent ?? null, itemId: of?.item ?? null, attempt: of?.attempt ?? null }
})

/** Whose a worktree is, by its record, else by its name; null: it is none of ours. */
const idsOf = (name: string, record: WorktreeRecord.WorktreeRecord | null) => {
  if (record?.role === "agent") {
    return { role: "agent" as const, sessionId: SessionIds.fromJob(record.job), jobId: record.job }
  }
  if (record !== null) return { role: "session" as const, sessionId: record.session, jobId: record.job }
  const [, agentJob] = /^mapreduce-agent-(mapreduce-\d{8}_\d{6}(?:_\d+)?)_\d+$/.exec(name) ?? []
  if (isJobId(agentJob)) return { role: "agent" as const, sessionId: SessionIds.fromJob(agentJob), jobId: agentJob }
  const [, of] = /^session-((?:mapreduce|workflow)-\d{8}_\d{6}(?:_\d+)?)$/.exec(name) ?? []
  if (of === undefined || !isSessionId(name)) return null
  const jobId = isJobId(of) && of.startsWith("mapreduce-") ? of : null
  return { role: "session" as const, sessionId: name, jobId }
}

const isJobId = Schema.is(JobId)
const isSessionId = Schema.is(SessionId)

/** A directory whose link leads to a repository that is there and has not ours to do with it. */
const isOfAnother = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const info = yield* Effect.option(fs.stat(`${path}/.git`))
  if (Option.isNone(info)) return false
  if (info.value.type === "Directory") return true
  const [, admin] = /^gitdir: (.+)$/m.exec((yield* readOrNull(`${path}/.git`)) ?? "") ?? []
  return admin !== undefined && (yield* Effect.orElseSucceed(fs.exists(`${admin}/HEAD`), () => true))
})

// -----------------------------------------------------------------------------
// what would be lost
// -----------------------------------------------------------------------------

/**
 * See `RepositoryWorktrees.work`.
 *
 * @since 0.1.0
 * @category getters
 */
export const work = Effect.fn("GitWorktrees.work")(function* (
  place: Place,
  found: Found
): Effect.fn.Return<Work, RepositoryError, FileSystem.FileSystem> {
  if (found.role === "foreign") return { unmerged: null, uncommitted: null }
  const stands = yield* standing(place, found)
  const unmerged = yield* Effect.reduce(yield* unsafeTips(place, found, stands), 0, (sum, tip) =>
    Effect.map(countUnsafe(place, found, tip), (count) => sum + count)
  )
  return { unmerged, uncommitted: yield* countUncommitted(place, found, stands) }
})

interface Standing {
  readonly worktree: Worktree.Worktree | null
  /** Commit of its HEAD; of its branch where git knows it no more. */
  readonly head: string | null
  /** The branches that belong to it and are there: its session's own, and the one that is checked out. */
  readonly branches: ReadonlyArray<{ readonly name: string; readonly tip: string }>
  /** Given back, or never given to anybody: no file of it is work. */
  readonly isIdle: boolean
}

const standing = Effect.fnUntraced(function* (
  { paths, repository }: Place,
  found: Found
): Effect.fn.Return<Standing, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const worktree = yield* Worktree.registered(repository, found.path)
  const { base, branch: checkedOut, role, sessionId } = found
  const own = role === "session" && sessionId !== null ? RefName.sessionBranch(sessionId) : null
  const names = [...new Set([checkedOut, own].flatMap((name) => name ?? []))]
  const [at, started] = yield* repository.resolve(worktree?.head ?? null, base)
  const tips = yield* repository.resolve(...names.map(RefName.ofBranch))
  const branches = names.flatMap((name, index) => {
    const tip = tips[index]
    return tip == null ? [] : [{ name, tip }]
  })
  const head = at ?? branches[0]?.tip ?? started
  if (found.role !== "agent" || worktree === null) return { worktree, head, branches, isIdle: false }
  const record = yield* WorktreeRecord.read(paths.worktreeMetadata(found.name))
  const branch = yield* Worktree.branch(worktree)
  const isGiven = yield* fs.exists(`${worktree.admin}/index`)
  const isIdle = record?.role === "agent" && record.status === "idle" && record.branch === branch
  return { worktree, head, branches, isIdle: isIdle || (branch === null && !isGiven) }
})

/** Commits of the worktree that have commits which nobody else has. */
const unsafeTips = Effect.fnUntraced(function* (
  place: Place,
  found: Found,
  { branches, head }: Standing
): Effect.fn.Return<ReadonlyArray<string>, RepositoryError> {
  const tips = [...new Set([...(head === null ? [] : [head]), ...branches.map(({ tip }) => tip)])]
  const unsafe = yield* Effect.filter(tips, (tip) => Effect.map(countUnsafe(place, found, tip), (count) => count > 0))
  // One that another one holds needs no name of its own.
  return yield* Effect.filter(unsafe, (tip) =>
    Effect.map(
      Effect.exists(unsafe, (other) =>
        other === tip ? Effect.succeed(false) : Leftovers.isAncestor(place.repository, tip, other)
      ),
      (held) => !held
    )
  )
})

/** Commits that no branch of the user's has; the branches that we make count for nothing, but the one an agent's went to. */
const countUnsafe = ({ repository }: Place, found: Found, tip: string) => {
  const own = found.role === "agent" && found.sessionId !== null ? RefName.sessionBranch(found.sessionId) : null
  const elsewhere =
    own === null
      ? Effect.succeed([])
      : Effect.map(repository.resolve(RefName.ofBranch(own)), ([commit]) => (commit === null ? [] : [commit]))
  return Effect.flatMap(elsewhere, (others) =>
    Effect.map(
      repository.run(["rev-list", "--count", tip, "--not", "--exclude=prodigy-*", "--branches", ...others], {
        cwd: repository.root,
        reads: true
      }),
      ({ stdout }) => Number(stdout)
    )
  )
}

const countUncommitted = Effect.fnUntraced(function* (
  place: Place,
  found: Found,
  stands: Standing
): Effect.fn.Return<number | null, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const { head, isIdle, worktree } = stands
  const { repository } = place
  if (isIdle) return 0
  if (worktree !== null && found.hasDirectory && head !== null) {
    const count = (index?: string) =>
      Effect.map(
        repository.run(
          ["status", "--porcelain", "-z", "--no-renames", "--untracked-files=all", "--ignore-submodules=none"],
          {
            ...Worktree.at(worktree, index),
            reads: true
          }
        ),
        ({ stdout }) => stdout.split("\0").length - 1
      )
    if (yield* fs.exists(`${worktree.admin}/index`)) return yield* count()
    return yield* Snapshot.aside(worktree, head, repository, count)
  }
  const left = yield* trees(place, found, stands)
  const [known] = yield* repository.resolve(head === null ? null : `${head}^{tree}`)
  const counts = yield* Effect.forEach(left, (tree) =>
    known === null ? countFiles(repository, tree) : countDifferences(repository, known, tree)
  )
  return Math.max(0, ...counts)
})

const countDifferences = (repository: Repository, from: string, to: string) =>
  Effect.map(
    repository.run(["diff-tree", "-r", "-z", "--no-renames", "--name-only", from, to], {
      cwd: repository.root,
      reads: true
    }),
    ({ stdout }) => stdout.split("\0").length - 1
  )

const countFiles = (repository: Repository, tree: string) =>
  Effect.map(
    repository.run(["ls-tree", "-r", "-z", "--name-only", tree], { cwd: repository.root, reads: true }),
    ({ stdout }) => stdout.split("\0").length - 1
  )

/**
 * What the worktree holds and no commit of it does: the tree of its files, and that of its index where that is a third
 * thing.
 */
const trees = Effect.fnUntraced(function* (
  place: Place,
  found: Found,
  { head, isIdle, worktree }: Standing
): Effect.fn.Return<ReadonlyArray<string>, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const { repository } = place
  if (isIdle) return []
  const [known, empty] = yield* repository.resolve(head === null ? null : `${head}^{tree}`, emptyTree)
  const isNew = (tree: string | null, index: number, all: ReadonlyArray<string | null>): tree is string =>
    tree !== null && tree !== known && (known !== null || tree !== empty) && all.indexOf(tree) === index
  if (worktree === null) {
    return found.hasDirectory ? [yield* strayFiles(place, found, head)].filter(isNew) : []
  }
  const whose = found.jobId ?? found.sessionId
  if (!found.hasDirectory && whose !== null) yield* Submodules.keepLeft(repository, worktree.admin, whose)
  const staged = (yield* fs.exists(`${worktree.admin}/index`)) ? yield* indexTree(repository, worktree) : null
  const files = found.hasDirectory
    ? yield* head === null
        ? strayFiles(place, found, head)
        : Effect.map(Snapshot.takeAside(repository, worktree, head, sinceOf(found, head)), ({ tree }) => tree)
    : null
  return [files, staged].filter(isNew)
})

const sinceOf = ({ jobId, sessionId }: Found, head: string | null) => ({ base: head, whose: jobId ?? sessionId })

const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"

/** The index as a tree; null while it holds a conflict, which is no tree: its sides are commits. */
const indexTree = (repository: Repository, worktree: Worktree.Worktree) =>
  Effect.map(
    repository.run(["write-tree"], {
      cwd: repository.root,
      env: { GIT_DIR: worktree.admin },
      expect: [0, 128]
    }),
    ({ exitCode, stdout }) => (exitCode === 0 ? stdout.trim() : null)
  )

/** The files of a directory that git knows nothing of any more, by way of an index of ours, as a tree. */
const strayFiles = Effect.fnUntraced(function* (
  { paths, repository }: Place,
  found: Found,
  head: string | null
): Effect.fn.Return<string, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const admin = `${paths.worktrees}/.metadata/.${found.name}.stray`
  const made = Effect.gen(function* () {
    yield* fs.remove(admin, { recursive: true, force: true })
    yield* fs.makeDirectory(admin, { recursive: true, mode: 0o700 })
    // As git makes one: what it needs to find the repository, and no more.
    yield* fs.writeFileString(`${admin}/HEAD`, `${head ?? "ref: refs/heads/prodigy-none"}\n`)
    yield* fs.writeFileString(`${admin}/commondir`, `${repository.commonDir}\n`)
    const worktree = { path: found.path, admin, head: "null" }
    const index = `${admin}/index`
    if (head !== null) yield* repository.run(["read-tree", head], Worktree.at(worktree, index))
    return yield* Effect.map(
      Snapshot.take(repository, worktree, { index, ...sinceOf(found, head) }),
      ({ tree }) => tree
    )
  })
  return yield* Effect.ensuring(made, Effect.ignoreLogged(fs.remove(admin, { recursive: true, force: true })))
})

// -----------------------------------------------------------------------------
// removing
// -----------------------------------------------------------------------------

/**
 * See `RepositoryWorktrees.consider`.
 *
 * @since 0.1.0
 * @category getters
 */
export const consider = Effect.fn("GitWorktrees.consider")(function* (
  place: Place,
  found: Found,
  options: { readonly force: boolean }
): Effect.fn.Return<Removal, RepositoryError, FileSystem.FileSystem> {
  const refusal = refuse(found)
  if (refusal !== null) return refusal
  const { uncommitted, unmerged } = yield* work(place, found)
  if (options.force || (uncommitted === 0 && unmerged === 0)) return { _tag: "Removed", rescued: [], branches: [] }
  return { _tag: "Kept", reason: describe({ uncommitted, unmerged }), forceable: true }
})

/**
 * See `RepositoryWorktrees.remove`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const remove = Effect.fn("GitWorktrees.remove")(function* (
  place: Place,
  found: Found,
  options: { readonly force: boolean }
): Effect.fn.Return<Removal, RepositoryError, FileSystem.FileSystem> {
  const considered = yield* consider(place, found, options)
  if (considered._tag === "Kept") return considered
  const { paths, repository } = place
  const stands = yield* standing(place, found)
  const left = yield* trees(place, found, stands)
  const tips = yield* unsafeTips(place, found, stands)
  // Something was written since it was looked at.
  if (!options.force && left.length + tips.length > 0) {
    return { _tag: "Kept", reason: "it was changed meanwhile", forceable: true }
  }
  const rescued = yield* rescue(place, found, stands, { left, tips })
  yield* Worktree.remove(repository, found.path)
  const branches = yield* removeBranches(place, stands)
  const fs = yield* FileSystem.FileSystem
  const record = paths.worktreeMetadata(found.name)
  const stem = record.replace(/\.json$/, "")
  for (const path of [`${stem}.index`, `${stem}.index.lock`, `${stem}.commit`, `${record}.tmp`, record]) {
    yield* fs.remove(path, { force: true })
  }
  return { _tag: "Removed", rescued, branches }
}, Effect.uninterruptible)

const refuse = (found: Found): Extract<Removal, { readonly _tag: "Kept" }> | null => {
  const kept = (reason: string) => ({ _tag: "Kept" as const, reason, forceable: false })
  if (found.role === "foreign") return kept("it is not one of ours")
  if (found.locked === null) return null
  return kept(`it is locked${found.locked === "" ? "" : ` (${found.locked})`}; git worktree unlock ${found.path}`)
}

/**
 * What would be lost, in words.
 *
 * @since 0.1.0
 * @category conversions
 */
export const describe = ({ uncommitted, unmerged }: Work): string => {
  const many = (count: number, what: string) => `${count} ${what}${count === 1 ? "" : "s"}`
  const parts = [
    ...(unmerged === null
      ? ["commits that cannot be counted"]
      : unmerged > 0
        ? [`${many(unmerged, "commit")} not merged`]
        : []),
    ...(uncommitted === null
      ? ["files that cannot be compared"]
      : uncommitted > 0
        ? [`${many(uncommitted, "file")} not committed`]
        : [])
  ]
  return parts.length === 0 ? "nothing is lost with it" : `it has ${parts.join(" and ")}`
}

/** Puts what only this worktree has on refs, durably, and says which. */
const rescue = Effect.fnUntraced(function* (
  place: Place,
  found: Found,
  { head }: Standing,
  what: { readonly left: ReadonlyArray<string>; readonly tips: ReadonlyArray<string> }
): Effect.fn.Return<ReadonlyArray<string>, RepositoryError, FileSystem.FileSystem> {
  const { repository } = place
  const { jobId, sessionId } = found
  const whose = jobId ?? sessionId
  if (whose === null || sessionId === null) return []
  const kept: Array<string> = []
  const [files, staged] = what.left
  const message = CommitMessage.phase({ jobId, sessionId }, `left uncommitted in ${found.name}`)
  if (files !== undefined) {
    const parents = head === null ? [] : [head]
    const index = staged === undefined ? [] : [yield* repository.commit({ tree: staged, parents, message })]
    const commit = yield* repository.commit({ tree: files, parents: [...parents, ...index], message })
    kept.push(RefName.phaseRescue(whose, "worktree", commit))
    yield* repository.updateRefs([{ ref: RefName.phaseRescue(whose, "worktree", commit), to: commit }])
  }
  for (const tip of what.tips) {
    yield* syncCommits(repository, tip)
    // What was left uncommitted is on top of HEAD, and holds it.
    if (files !== undefined && tip === head) continue
    kept.push(RefName.phaseRescue(whose, "branch", tip))
    yield* repository.updateRefs([{ ref: RefName.phaseRescue(whose, "branch", tip), to: tip }])
  }
  return kept
})

/** Commits of an agent's own git need not be on disk yet. */
const syncCommits = (repository: Repository, tip: string) =>
  Effect.flatMap(
    repository.run(["rev-list", "--objects", "--no-object-names", tip, "--not", "--exclude=prodigy-*", "--branches"], {
      cwd: repository.root,
      reads: true
    }),
    ({ stdout }) => Leftovers.syncObjects(repository, stdout.split("\n").filter(Boolean))
  )

/** The branches that we made for it go with it, unless somebody else has one checked out or has moved it. */
const removeBranches = (
  { repository }: Place,
  { branches }: Standing
): Effect.Effect<ReadonlyArray<string>, RepositoryError> =>
  Effect.map(
    Effect.filter(
      branches.filter(({ name }) => name.startsWith("prodigy-")),
      ({ name, tip }) => {
        const ref = RefName.ofBranch(name)
        return Effect.flatMap(
          repository.run(["for-each-ref", "--format=%(worktreepath)", ref], { cwd: repository.root, reads: true }),
          ({ stdout }) =>
            stdout.trim() === "" ? repository.updateRefs([{ ref, to: null, from: tip }]) : Effect.succeed(false)
        )
      }
    ),
    (deleted) => deleted.map(({ name }) => name)
  )

// -----------------------------------------------------------------------------
// files
// -----------------------------------------------------------------------------

/** No directory: no names. */
const namesIn = (
  path: string
): Effect.Effect<ReadonlyArray<string>, PlatformError.PlatformError, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.catchIf(
      fs.readDirectory(path),
      (error) => error._tag === "SystemError" && error.reason === "NotFound",
      () => Effect.succeed([])
    )
  )

const readOrNull = (path: string): Effect.Effect<string | null, never, FileSystem.FileSystem> =>
  Effect.flatMap(FileSystem.FileSystem, (fs) => Effect.orElseSucceed(fs.readFileString(path), () => null))

const usedMillis = (paths: ReadonlyArray<string>) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    Effect.map(
      Effect.forEach(paths, (path) => Effect.option(fs.stat(path))),
      (found) => {
        const times = found.flatMap((info) =>
          Option.match(
            Option.flatMap(info, ({ mtime }) => mtime),
            { onNone: () => [], onSome: (at) => [at.getTime()] }
          )
        )
        return times.length === 0 ? null : Math.max(...times)
      }
    )
  )

const escaped = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&")
