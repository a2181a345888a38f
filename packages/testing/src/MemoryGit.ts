/**
 * A git repository as plain data: commits, refs, and the merges of whole files.
 *
 * Owns the history and how two commits are merged. A commit is its parents and the content of every file. What is in a
 * worktree is `MemoryCheckout`'s; what Prodigy does with both, `MemoryWorkspace`'s.
 *
 * A `Git` is never changed: a change is made on a `Draft` of it and published as the next one. So copies of a machine share it.
 *
 * @since 0.1.0
 */
import * as Digest from "@prodigy/core/domain/Digest"
import type { JobId } from "@prodigy/core/domain/JobId"
import * as RefName from "@prodigy/core/workspace/RefName"
import type { AgentWork, Changes } from "@prodigy/core/workspace/Workspace"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"

/**
 * Content of files by path from the top level.
 *
 * @since 0.1.0
 * @category models
 */
export type Tree = Readonly<Record<string, string>>

/**
 * `number` counts commits from 0, in the order they were made; `depth` is more than that of any parent.
 *
 * @since 0.1.0
 * @category models
 */
export interface Commit {
  readonly id: string
  readonly number: number
  readonly depth: number
  readonly parents: ReadonlyArray<string>
  readonly tree: Tree
  readonly message: string
}

/**
 * The worktree of a session, by what `GitWorkspace` keeps of it: its record and its index.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionWorktree {
  readonly branch: string
  readonly base: string
  /** Commit whose files it has, apart from leftovers. */
  readonly synced: string
  /** Commit with what setup left uncommitted. */
  readonly setup: string | null
  /** What git takes for tracked in it. */
  readonly index: Tree
}

/**
 * An agent's worktree. `attempt` is null in one that nobody had yet.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentWorktree {
  readonly jobId: JobId
  readonly attempt: {
    readonly branch: string
    readonly base: string
    readonly work: AgentWork
    readonly state: "running" | "idle"
  } | null
}

/**
 * A repository: one checkout of the user's at `root`, on one branch. Refs are full names to commits, worktrees by path.
 *
 * @since 0.1.0
 * @category models
 */
export interface Git {
  readonly root: string
  readonly branch: string
  readonly commits: HashMap.HashMap<string, Commit>
  readonly refs: Readonly<Record<string, string>>
  readonly sessions: Readonly<Record<string, SessionWorktree>>
  readonly agents: Readonly<Record<string, AgentWorktree>>
}

/**
 * The next state of a repository, in the making.
 *
 * @since 0.1.0
 * @category models
 */
export interface Draft extends Git {
  commits: HashMap.HashMap<string, Commit>
  readonly refs: Record<string, string>
  readonly sessions: Record<string, SessionWorktree>
  readonly agents: Record<string, AgentWorktree>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const draft = (git: Git): Draft => ({
  ...git,
  refs: { ...git.refs },
  sessions: { ...git.sessions },
  agents: { ...git.agents }
})

/**
 * Adds a commit. Ids count on, so that two commits of one content differ as they do in git, by their time.
 *
 * @since 0.1.0
 * @category combinators
 */
export const commit = (draft: Draft, facts: Pick<Commit, "parents" | "tree" | "message">): string => {
  const number = HashMap.size(draft.commits)
  const depth = 1 + Math.max(0, ...facts.parents.map((id) => commitAt(draft, id)?.depth ?? 0))
  const id = Digest.sha256(`${number}\n${facts.parents.join(" ")}\n${facts.message}`).slice(0, 40)
  draft.commits = HashMap.set(draft.commits, id, { id, number, depth, ...facts })
  return id
}

/**
 * @since 0.1.0
 * @category getters
 */
export const commitAt = (git: Git, id: string): Commit | undefined =>
  Option.getOrUndefined(HashMap.get(git.commits, id))

/**
 * The files of a commit; none of one that is not there.
 *
 * @since 0.1.0
 * @category getters
 */
export const treeAt = (git: Git, id: string): Tree => commitAt(git, id)?.tree ?? {}

/**
 * The commit at the end of a branch.
 *
 * @since 0.1.0
 * @category getters
 */
export const tipOf = (git: Git, branch: string): string | undefined => git.refs[RefName.ofBranch(branch)]

/**
 * @since 0.1.0
 * @category refinements
 */
export const sameTree = (one: Tree, other: Tree): boolean =>
  one === other ||
  (Object.keys(one).length === Object.keys(other).length && Object.keys(one).every((path) => one[path] === other[path]))

/**
 * Paths whose contents differ, sorted.
 *
 * @since 0.1.0
 * @category getters
 */
export const differing = (one: Tree, other: Tree): ReadonlyArray<string> =>
  pathsOf(one, other).filter((path) => one[path] !== other[path])

const pathsOf = (...trees: ReadonlyArray<Tree>): ReadonlyArray<string> =>
  [...new Set(trees.flatMap((tree) => Object.keys(tree)))].toSorted()

/**
 * The commits that a ref leads to, the newest first, each once.
 *
 * @since 0.1.0
 * @category getters
 */
export const history = (git: Git, ref: string): ReadonlyArray<Commit> => {
  const tip = git.refs[ref]
  return tip === undefined ? [] : beyond(git, null, tip).toReversed()
}

/**
 * The first commit that a commit comes from.
 *
 * @since 0.1.0
 * @category getters
 */
export const rootOf = (git: Git, id: string): string => {
  let at = commitAt(git, id)
  while (at?.parents[0] !== undefined) at = commitAt(git, at.parents[0])
  return at?.id ?? ""
}

/**
 * Commits of `to` that are not of `from`, the oldest first.
 *
 * @since 0.1.0
 * @category getters
 */
export const beyond = (git: Git, from: string | null, to: string): ReadonlyArray<Commit> => {
  const found: Array<Commit> = []
  paint(git, from === null ? [] : [from], [to], (commit, sides) => {
    if (sides === "both") return true
    if (sides === "second") found.push(commit)
    return false
  })
  return found.toSorted((a, b) => a.number - b.number)
}

/**
 * Whether one commit is in the history of another.
 *
 * @since 0.1.0
 * @category refinements
 */
export const isAncestor = (git: Git, ancestor: string, id: string): boolean => {
  const depth = commitAt(git, ancestor)?.depth
  if (depth === undefined) return false
  const seen = new Set<string>()
  const rest = [id]
  for (let at = rest.pop(); at !== undefined; at = rest.pop()) {
    if (at === ancestor) return true
    const commit = commitAt(git, at)
    if (commit === undefined || commit.depth <= depth || seen.has(at)) continue
    seen.add(at)
    rest.push(...commit.parents)
  }
  return false
}

/**
 * The merge that brought a tip in below `into`; the tip itself when none did.
 *
 * @since 0.1.0
 * @category getters
 */
export const mergeOf = (git: Git, into: string, tip: string): string =>
  beyond(git, tip, into).findLast(({ parents }) => parents.slice(1).includes(tip))?.id ?? tip

/**
 * The newest commit that both come from.
 *
 * @since 0.1.0
 * @category getters
 */
export const mergeBase = (git: Git, one: string, other: string): string | undefined => {
  let found: string | undefined
  paint(git, [one], [other], ({ id }, sides) => {
    if (sides === "both") found ??= id
    return sides === "both"
  })
  return found
}

/**
 * Goes back in history from two sides, children before their parents, and tells of each commit from which side it was come to.
 * What `visit` answers true to is gone through no further; the walk ends when nothing else is left.
 */
const paint = (
  git: Git,
  first: ReadonlyArray<string>,
  second: ReadonlyArray<string>,
  visit: (commit: Commit, sides: "first" | "second" | "both") => boolean
): void => {
  const open = new Map<string, { readonly commit: Commit; mark: number }>()
  // Whatever is below one that both come to, both come to as well.
  const shared = new Set<string>()
  const reach = (id: string, mark: number) => {
    const there = open.get(id)
    if (there !== undefined) there.mark |= mark
    const commit = there === undefined ? commitAt(git, id) : undefined
    if (commit !== undefined) open.set(id, { commit, mark })
  }
  for (const id of first) reach(id, 1)
  for (const id of second) reach(id, 2)
  while (open.size > 0) {
    let next: { readonly commit: Commit; mark: number } | undefined
    let alive = false
    for (const entry of open.values()) {
      if (next === undefined || entry.commit.depth > next.commit.depth) next = entry
      alive ||= !shared.has(entry.commit.id)
    }
    if (next === undefined || !alive) return
    const { commit, mark } = next
    open.delete(commit.id)
    const done = shared.has(commit.id) || visit(commit, mark === 3 ? "both" : mark === 1 ? "first" : "second")
    for (const parent of commit.parents) {
      reach(parent, mark)
      if (done) shared.add(parent)
    }
  }
}

/**
 * Two commits as one tree, or the paths that conflict. Files are compared whole. A file where the other side has a directory is
 * moved out of its way, as git does, and conflicts under the name that it has then.
 *
 * @since 0.1.0
 * @category combinators
 */
export const mergeTrees = (
  git: Git,
  into: string,
  tip: string
):
  | { readonly _tag: "Merged"; readonly tree: Tree }
  | { readonly _tag: "Conflict"; readonly paths: ReadonlyArray<string> } => {
  const common = mergeBase(git, into, tip)
  const base = common === undefined ? {} : treeAt(git, common)
  const [ours, theirs] = [treeAt(git, into), treeAt(git, tip)]
  const tree: Record<string, string> = {}
  const conflicts = new Set<string>()
  for (const path of pathsOf(base, ours, theirs)) {
    const [our, their] = [ours[path], theirs[path]]
    // What both have added is merged on top of nothing.
    const was = base[path] ?? (our !== undefined && their !== undefined ? "" : undefined)
    if (our !== their && our !== was && their !== was) conflicts.add(path)
    const content = our === was ? their : our
    if (content !== undefined) tree[path] = content
  }
  const directories = new Set([...Object.keys(tree), ...conflicts].flatMap(above))
  for (const path of [...Object.keys(tree), ...conflicts])
    if (directories.has(path)) {
      conflicts.delete(path)
      conflicts.add(`${path}~${Object.keys(ours).some((other) => other.startsWith(`${path}/`)) ? tip : into}`)
    }
  return conflicts.size > 0 ? { _tag: "Conflict", paths: [...conflicts].toSorted() } : { _tag: "Merged", tree }
}

/**
 * The directories that a path is in, the uppermost first.
 *
 * @since 0.1.0
 * @category getters
 */
export const above = (path: string): ReadonlyArray<string> => {
  const names = path.split("/")
  return names.slice(1).map((_, index) => names.slice(0, index + 1).join("/"))
}

/**
 * A tree with one file more, or changed. It takes the place of whatever is in its way.
 *
 * @since 0.1.0
 * @category combinators
 */
export const put = (tree: Record<string, string>, path: string, content: string | undefined): void => {
  if (content === undefined) return void delete tree[path]
  for (const directory of above(path)) delete tree[directory]
  for (const other of Object.keys(tree)) if (other.startsWith(`${path}/`)) delete tree[other]
  tree[path] = content
}

/**
 * What changed between two commits.
 *
 * @since 0.1.0
 * @category getters
 */
export const changes = (git: Git, from: string, to: string): Changes => {
  const [before, after] = [treeAt(git, from), treeAt(git, to)]
  const changed = differing(before, after)
  let insertions = 0
  let deletions = 0
  for (const path of changed) {
    const [old, now] = [linesOf(before[path]), linesOf(after[path])]
    const kept = linesKept(old, now)
    insertions += now.length - kept
    deletions += old.length - kept
  }
  return {
    filesAdded: changed.filter((path) => before[path] === undefined),
    filesModified: changed.filter((path) => before[path] !== undefined && after[path] !== undefined),
    filesDeleted: changed.filter((path) => after[path] === undefined),
    commits: beyond(git, from, to).map(({ id }) => id),
    insertions,
    deletions
  }
}

const linesOf = (text: string | undefined): ReadonlyArray<string> => text?.match(/[^\n]*\n|[^\n]+$/g) ?? []

/** How many lines two texts have in common, in order. */
const linesKept = (one: ReadonlyArray<string>, other: ReadonlyArray<string>): number => {
  let row = Array.from({ length: other.length + 1 }, () => 0)
  for (const line of one) {
    const next = [0]
    for (const [index, candidate] of other.entries())
      next.push(line === candidate ? (row[index] ?? 0) + 1 : Math.max(row[index + 1] ?? 0, next[index] ?? 0))
    row = next
  }
  return row.at(-1) ?? 0
}
