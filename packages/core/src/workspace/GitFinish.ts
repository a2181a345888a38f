/**
 * The last merge: the session's branch into the user's target branch.
 *
 * Owns that nothing of the user's is ever overwritten, and what is told when the merge has to wait. The target is moved
 * in the worktree where it is checked out, by `git merge --ff-only` with everything that would overwrite switched off;
 * checked out nowhere, its ref is moved from where it was. A target that has moved on gets a merge commit, made without
 * a working tree. Hooks of the user do not run; they do when the printed command is typed instead.
 *
 * Crash guarantee: git's own for a fast-forward. The target is at the session's work or where it was; a checkout whose
 * fast-forward was cut short has some new files beside the old ones, and `finish` again, or the printed command, says
 * which.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type { Finish } from "../domain/JobRecord.ts"
import * as CommitMessage from "./CommitMessage.ts"
import type { GitError } from "./Git.ts"
import { isAncestor } from "./Leftovers.ts"
import { attemptsMax, mergeOf, mergeTrees } from "./MergeQueue.ts"
import * as RefName from "./RefName.ts"
import type { Repository, RepositoryError } from "./Repository.ts"
import { WorkspaceError } from "./Workspace.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Session {
  readonly repository: Repository
  readonly origin: CommitMessage.Origin
  /** The user's checkout. */
  readonly checkout: string
  readonly branch: string
  readonly base: string
  readonly target: string | null
}

/**
 * See `SessionWorkspace.finish`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const finish = Effect.fn("GitFinish.finish")(function* (
  session: Session,
  approved: "yes" | "declined" | "not_asked"
): Effect.fn.Return<Finish, RepositoryError | WorkspaceError, FileSystem.FileSystem> {
  const { repository, target } = session
  for (let attempt = 1; attempt <= attemptsMax; attempt++) {
    const [tip, at] = yield* repository.resolve(
      RefName.ofBranch(session.branch),
      target === null ? null : RefName.ofBranch(target)
    )
    if (tip === null) return yield* failed(session, `${session.branch} is gone`)
    if (target === null || at === null) return waiting(session, "no_target_branch", [], null)
    if (yield* isAncestor(repository, tip, at)) {
      if (tip === session.base) return { outcome: "nothing_to_merge", target }
      // Merged before, and perhaps not recorded. The user may have gone on from there.
      return { outcome: "merged", target, commit: yield* mergeOf(repository, at, tip) }
    }
    const place = yield* placeOf(repository, target)
    if (approved !== "yes") return waiting(session, approved, [], place)
    const to = yield* merged(session, target, at, tip)
    if (typeof to !== "string") return waiting(session, "conflict", to, place)
    const outcome = yield* move(session, target, { from: at, to }, place)
    if (outcome !== "again") return outcome
  }
  return yield* failed(session, `${target} was moved by somebody else ${attemptsMax} times`)
})

/**
 * See `SessionWorkspace.preview`.
 *
 * @since 0.1.0
 * @category getters
 */
export const preview = Effect.fn("GitFinish.preview")(function* ({
  base,
  branch,
  repository,
  target
}: Session): Effect.fn.Return<
  { readonly target: string | null; readonly commits: number; readonly files: number },
  RepositoryError
> {
  const [at] = yield* repository.resolve(target === null ? null : RefName.ofBranch(target))
  const from = at ?? base
  const options = { cwd: repository.root, reads: true }
  const commits = yield* repository.run(["rev-list", "--count", `${from}..${RefName.ofBranch(branch)}`], options)
  const files = yield* repository.run(
    ["diff", "--name-only", "--no-renames", "-z", `${from}...${RefName.ofBranch(branch)}`],
    options
  )
  return {
    target: at === null ? null : target,
    commits: Number(commits.stdout),
    files: files.stdout.split("\0").length - 1
  }
})

/** The commit for the target to move to, or the paths that conflict. */
const merged = Effect.fnUntraced(function* (session: Session, target: string, at: string, tip: string) {
  const { branch, origin, repository } = session
  if (yield* isAncestor(repository, at, tip)) return tip
  const tree = yield* Effect.catchTag(mergeTrees(repository, at, tip, branch), "MergeConflict", (conflict) =>
    Effect.succeed(conflict.paths)
  )
  if (typeof tree !== "string") return tree
  return yield* repository.commit({ tree, parents: [at, tip], message: CommitMessage.finish(origin, branch, target) })
})

/** Where a branch is checked out. `busy`: by a rebase that will want to find it where it was. */
type Place = { readonly path: string; readonly busy: boolean } | null

const move = Effect.fnUntraced(function* (
  session: Session,
  target: string,
  step: { readonly from: string; readonly to: string },
  place: Place
): Effect.fn.Return<Finish | "again", RepositoryError | WorkspaceError, FileSystem.FileSystem> {
  const { repository } = session
  const ref = RefName.ofBranch(target)
  const done: Finish = { outcome: "merged", target, commit: step.to }
  if (place === null) {
    // Not through `updateRefs`: a branch of the user's keeps its log.
    const refusal = yield* attempt(repository, repository.root, [
      "update-ref",
      "-m",
      `prodigy: merge ${session.branch}`,
      ref,
      step.to,
      step.from
    ])
    if (refusal === null) return done
    const [now] = yield* repository.resolve(ref)
    return now === step.from ? yield* refused(session, refusal) : "again"
  }
  if (place.busy) return waiting(session, "dirty_target", [], place)
  // A strategy of the user's may be one that never fast-forwards: his branch would take none of the session's files.
  const refusal = yield* attempt(repository, place.path, [
    `--config-env=branch.${target}.mergeOptions=${noOptions}`,
    "merge",
    "--ff-only",
    "--strategy=ort",
    "--no-overwrite-ignore",
    "--no-autostash",
    "--no-squash",
    "--no-stat",
    "--no-verify-signatures",
    "--quiet",
    step.to
  ])
  const [now] = yield* repository.resolve(ref)
  if (now === step.to) return done
  if (now !== step.from) return "again"
  const paths = refusal?.reason === "locked" ? [] : yield* inTheWay(repository, place.path, step)
  return paths.length > 0 ? waiting(session, "dirty_target", paths, place) : yield* refused(session, refusal)
})

/** A variable that is empty. A setting's name may hold what `-c` would take for its end. */
const noOptions = "PRODIGY_NO_OPTIONS"

/** What git answers when it does not do it, a lock of another process waited for; null when it does. */
const attempt = (repository: Repository, cwd: string, args: ReadonlyArray<string>) =>
  repository.run(args, { cwd, env: { [noOptions]: "" } }).pipe(
    Effect.as(null),
    Effect.catchIf(
      (error) => error.reason === "failed" || error.reason === "locked",
      (error) => Effect.succeed(error)
    )
  )

/** Files of the user's that a move would change or overwrite; every changed file when it is none of those. */
const inTheWay = Effect.fnUntraced(function* (
  repository: Repository,
  path: string,
  step: { readonly from: string; readonly to: string }
): Effect.fn.Return<ReadonlyArray<string>, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const options = { cwd: path, reads: true }
  const changed = yield* repository.run(["diff", "--name-only", "--no-renames", "-z", "HEAD"], options)
  const dirty = changed.stdout.split("\0").filter(Boolean)
  const moving = yield* repository.run(["diff", "--name-status", "--no-renames", "-z", step.from, step.to], options)
  const fields = moving.stdout.split("\0")
  const found = new Set<string>()
  for (let index = 0; index + 1 < fields.length; index += 2) {
    const name = fields[index + 1] ?? ""
    for (const file of dirty) if (touches(file, name)) found.add(file)
    if (fields[index] !== "A") continue
    const parts = name.split("/")
    for (let depth = 1; depth <= parts.length; depth++) {
      const part = parts.slice(0, depth).join("/")
      const info = yield* Effect.option(fs.stat(`${path}/${part}`))
      if (info._tag === "Some" && (depth === parts.length || info.value.type !== "Directory")) found.add(part)
    }
  }
  return found.size > 0 ? [...found].toSorted() : dirty
})

const touches = (one: string, other: string): boolean =>
  one === other || one.startsWith(`${other}/`) || other.startsWith(`${one}/`)

const placeOf = Effect.fnUntraced(function* (
  repository: Repository,
  branch: string
): Effect.fn.Return<Place, RepositoryError, FileSystem.FileSystem> {
  const fs = yield* FileSystem.FileSystem
  const ref = RefName.ofBranch(branch)
  const { stdout } = yield* repository.run(["worktree", "list", "--porcelain", "-z"], {
    cwd: repository.root,
    reads: true
  })
  for (const block of stdout.split("\0\0")) {
    const lines = block.split("\0")
    const path = lines.find((line) => line.startsWith("worktree "))?.slice("worktree ".length)
    if (path === undefined || !(yield* Effect.orElseSucceed(fs.exists(path), () => false))) continue
    if (lines.includes(`branch ${ref}`)) return { path, busy: false }
    if (lines.includes("detached") && (yield* rebases(repository, path, ref))) return { path, busy: true }
  }
  return null
})

const rebases = Effect.fnUntraced(function* (repository: Repository, path: string, ref: string) {
  const fs = yield* FileSystem.FileSystem
  const { stdout } = yield* repository.run(["rev-parse", "--absolute-git-dir"], { cwd: path, reads: true })
  for (const kind of ["rebase-merge", "rebase-apply"]) {
    const name = yield* Effect.option(fs.readFileString(`${stdout.trim()}/${kind}/head-name`))
    if (name._tag === "Some" && name.value.trim() === ref) return true
  }
  return false
})

const waiting = (
  session: Session,
  reason: Extract<Finish, { readonly outcome: "waiting" }>["reason"],
  paths: ReadonlyArray<string>,
  place: Place
): Finish => ({
  outcome: "waiting",
  target: session.target,
  branch: session.branch,
  reason,
  paths,
  command: commandFor(session, place?.path ?? null)
})

/**
 * What to type to merge by hand, when the target is checked out at a path, or nowhere.
 *
 * @since 0.1.0
 * @category getters
 */
export const commandFor = (
  { branch, checkout, target }: Pick<Session, "branch" | "checkout" | "target">,
  place: string | null
): string => {
  const merge = (path: string) => `git -C ${quote(path)} merge ${quote(branch)}`
  if (place !== null) return merge(place)
  return target === null ? merge(checkout) : `git -C ${quote(checkout)} switch ${quote(target)} && ${merge(checkout)}`
}

const quote = (text: string): string => (/^[\w./@%+=:,-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`)

const refused = (session: Session, refusal: GitError | null) =>
  failed(session, refusal?.stderr.trim() ?? "", refusal?.reason === "locked" ? "locked" : "command_failed")

const failed = (session: Session, detail: string, reason: WorkspaceError["reason"] = "command_failed") =>
  new WorkspaceError({
    operation: `merge ${session.branch} into ${session.target ?? "the target branch"}`,
    reason,
    path: session.repository.root,
    detail
  })
