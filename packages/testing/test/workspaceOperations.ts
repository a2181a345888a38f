/** Sequences of operations on a workspace, and what each of them came to, in words that git and a model of it share. */
import { createHash } from "node:crypto"
import type { PlatformError } from "@effect/platform/Error"
import type * as FileSystem from "@effect/platform/FileSystem"
import * as AgentId from "@prodigy/core/domain/AgentId"
import { JobId } from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as RefName from "@prodigy/core/workspace/RefName"
import type {
  AgentWork,
  Checkout,
  MergeConflict,
  Project,
  SessionWorkspace,
  Workspace,
  WorkspaceError
} from "@prodigy/core/workspace/Workspace"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Scope from "effect/Scope"

/** One of the two that are compared. */
export interface Side {
  /** Path of the project; the storage is beside it. */
  readonly root: string
  readonly workspace: typeof Workspace.Service
  readonly fs: FileSystem.FileSystem
  /** `git add --all && git commit`; null when there was nothing to commit. */
  readonly commit: (path: string, message: string) => Effect.Effect<string | null, WorkspaceError>
  /** A commit on a branch that is checked out nowhere. */
  readonly push: (
    branch: string,
    files: Readonly<Record<string, string | null>>
  ) => Effect.Effect<string, WorkspaceError>
  readonly deleteBranch: (branch: string) => Effect.Effect<void, WorkspaceError>
  readonly refs: () => Readonly<Record<string, string>>
  readonly readCommit: (id: string) =>
    | {
        readonly parents: ReadonlyArray<string>
        readonly tree: Readonly<Record<string, string>>
        readonly message: string
      }
    | undefined
  readonly filesIn: (path: string) => Readonly<Record<string, string>> | null
}

interface Options {
  readonly hasJob: boolean
  readonly target: string | null
  readonly maxParallel: number
}

interface Context {
  readonly side: Side
  readonly options: Options
  readonly base: string
  readonly jobId: JobId | null
  readonly sessionId: SessionId.SessionId
  project: Project
  session: { readonly workspace: SessionWorkspace; readonly scope: Scope.CloseableScope } | null
  /** Attempts under way, the oldest first. */
  held: Array<{ readonly checkout: Checkout; readonly work: AgentWork }>
  /** Those given back, to ask for what is not there any more. */
  past: Array<{ readonly checkout: Checkout; readonly work: AgentWork }>
  /** What was collected. */
  readonly tips: Array<{ readonly work: AgentWork; readonly tip: string; readonly branch: string | null }>
  /** The session's branch as it was last seen. */
  known: string | null
  fingerprint: string | null
  /** Whether the first worktree, which git makes in the background, is there for sure. */
  isSettled: boolean
}

interface Operation {
  readonly name: string
  readonly run: (context: Context) => Effect.Effect<unknown, WorkspaceError | MergeConflict | PlatformError>
}

export interface Sequence {
  readonly options: Options
  readonly operations: ReadonlyArray<Operation>
}

const jobId = JobId.make("mapreduce-20260102_030405")

/**
 * Versions of one file differ in the same lines, and files in all of theirs: so a merge of two versions conflicts for git too, and
 * no file is taken for another one renamed.
 */
const contentOf = (path: string, version: number): string =>
  [`${path}\\n${path} one\\n`, `${path}\\n${path} two\\n`, `${path}\\n${path} three\\n${path} 3`, ""][
    version
  ]!.replaceAll("\\n", "\n")

/** Of the first commit. */
export const files: Readonly<Record<string, string>> = Object.fromEntries(
  ["a", "b", "d/a", "d/b"].map((path) => [path, contentOf(path, 0)])
)

/** Plays operations; of each what it came to, and what was there after it. */
export const play = (side: Side, { operations, options }: Sequence) =>
  Effect.gen(function* () {
    const main = side.refs()["refs/heads/main"] ?? ""
    const project = { root: side.root, checkout: side.root, head: main, branch: "main", rootCommit: main }
    const context: Context = {
      side,
      options,
      base: project.head,
      jobId: options.hasJob ? jobId : null,
      sessionId: options.hasJob ? SessionId.fromJob(jobId) : SessionId.SessionId.make("session-4f3e2d1c"),
      project,
      session: null,
      held: [],
      past: [],
      tips: [],
      known: null,
      fingerprint: null,
      isSettled: true
    }
    const names = namesOf(side)
    const outcomes: Array<unknown> = [names({ project })]
    for (const { name, run } of operations) {
      const outcome = yield* Effect.either(run(context))
      context.known = side.refs()[RefName.ofBranch(RefName.sessionBranch(context.sessionId))] ?? context.known
      const left = state(context)
      outcomes.push(names({ name, outcome: Either.match(outcome, { onLeft: facts, onRight: (value) => value }), left }))
    }
    yield* die(context)
    return outcomes
  })

/** Where the agents' unused worktrees are is nobody's matter: git makes them ready in the background. */
const state = ({ held, sessionId, side }: Context) => ({
  refs: side.refs(),
  project: side.filesIn(side.root),
  session: side.filesIn(worktreeOf(side, sessionId)),
  held: held.map(({ checkout }) => [checkout.path, side.filesIn(checkout.path)])
})

const worktreeOf = ({ root }: Side, name: string) => `${root.replace(/project$/, "home")}/worktrees/project/${name}`

const facts = (error: WorkspaceError | MergeConflict | PlatformError) =>
  error._tag === "WorkspaceError"
    ? { failed: error.reason }
    : error._tag === "MergeConflict"
      ? { conflict: error.paths, branch: error.branch, tip: error.tip }
      : { failed: error._tag }

/** Puts what a commit is in the place of its id: its subject, and a digest of its files, message and history. */
const namesOf = (side: Side) => {
  const known = new Map<string, string>()
  const nameOf = (id: string): string => {
    const found = known.get(id)
    if (found !== undefined) return found
    const commit = side.readCommit(id)
    const facts = commit && [Object.entries(commit.tree).toSorted(), commit.message.trim(), commit.parents.map(nameOf)]
    const digest = createHash("sha256").update(JSON.stringify(facts)).digest("hex").slice(0, 8)
    const name = commit === undefined ? "no commit" : `<${commit.message.split("\n")[0]} ${digest}>`
    known.set(id, name)
    known.set(id.slice(0, 12), name)
    return name
  }
  const inText = (text: string) =>
    text.replaceAll(/\b[0-9a-f]{40}\b/g, nameOf).replaceAll(/\b[0-9a-f]{12}\b/g, (id) => known.get(id) ?? id)
  const inValue = (value: unknown): unknown => {
    if (typeof value === "string") return inText(value)
    if (value instanceof Map || value instanceof Set) return inValue([...value])
    if (Array.isArray(value)) return value.map(inValue)
    if (typeof value !== "object" || value === null) return value
    return Object.fromEntries(
      Object.entries(value)
        .map(([key, child]) => [inText(key), inValue(child)] as const)
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
    )
  }
  return (value: unknown) => {
    // Names of refs have the beginning of an id only.
    for (const id of Object.values(side.refs())) nameOf(id)
    return inValue(value)
  }
}

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

const die = (context: Context) =>
  Effect.suspend(() => {
    const { session } = context
    context.session = null
    context.held = []
    context.past = []
    context.fingerprint = null
    return session === null ? Effect.void : Scope.close(session.scope, Exit.void)
  })

const inSession =
  <A, E>(use: (session: SessionWorkspace, context: Context) => Effect.Effect<A, E>) =>
  (context: Context): Effect.Effect<A | "no session", E> =>
    context.session === null ? Effect.succeed("no session") : use(context.session.workspace, context)

const inAttempt = <A, E>(
  at: number,
  use: (session: SessionWorkspace, attempt: Context["held"][number], context: Context) => Effect.Effect<A, E>
) =>
  inSession((session, context): Effect.Effect<A | "no attempt", E> => {
    const attempt = context.held.at(at % Math.max(1, context.held.length))
    return attempt === undefined ? Effect.succeed("no attempt") : use(session, attempt, context)
  })

const workOf = (index: number, attempt: number): AgentWork => ({
  agentId: AgentId.fromItem(jobId, index),
  itemId: ItemId.make(`item_${index}`),
  itemIndex: index,
  attempt
})

/** Writes a file, or removes it (null), whatever is there. */
const change = ({ fs }: Side, directory: string, path: string, content: string | null) =>
  Effect.gen(function* () {
    const names = path.split("/")
    for (let depth = 1; depth < names.length; depth++) {
      const parent = `${directory}/${names.slice(0, depth).join("/")}`
      const info = yield* Effect.option(fs.stat(parent))
      if (info._tag === "Some" && info.value.type !== "Directory") yield* fs.remove(parent)
    }
    yield* fs.remove(`${directory}/${path}`, { recursive: true, force: true })
    if (content === null) return
    yield* fs.makeDirectory(`${directory}/${names.slice(0, -1).join("/")}`, { recursive: true })
    yield* fs.writeFileString(`${directory}/${path}`, content)
  })

const path = FastCheck.oneof(
  { weight: 8, arbitrary: FastCheck.constantFrom("a", "b", "d/a", "d/b", "n", "e/n") },
  { weight: 1, arbitrary: FastCheck.constantFrom("d", "a/x", "n/x") }
)
const edit = FastCheck.record({
  path,
  version: FastCheck.oneof(
    { weight: 4, arbitrary: FastCheck.nat(3) },
    { weight: 1, arbitrary: FastCheck.constant(null) }
  )
}).map(({ path, version }) => ({ path, content: version === null ? null : contentOf(path, version) }))
const edits = FastCheck.array(edit, { minLength: 1, maxLength: 3 })
/** Of the attempts under way; -1 is the one that began last. */
const at = FastCheck.constantFrom(-1, -1, 0, 1)
const flag = FastCheck.boolean()

type Edits = ReadonlyArray<{ readonly path: string; readonly content: string | null }>

const changeAll = (side: Side, directory: string, edits: Edits) =>
  Effect.forEach(edits, ({ content, path }) => change(side, directory, path, content), { discard: true })

const show = (edits: Edits) => edits.map(({ content, path }) => `${path}=${JSON.stringify(content)}`).join(",")

const constant = (name: string, run: Operation["run"]) => FastCheck.constant({ name, run })

const looks: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  FastCheck.constantFrom("", "/d", "/nowhere", "-other").map((below) => ({
    name: `find ${below}`,
    run: ({ side }: Context) => side.workspace.find(`${side.root}${below}`)
  })),
  FastCheck.constantFrom("HEAD", "main", "other", "refs/heads/main", "nothing", "base", "prodigy-session-x").map(
    (name) => ({
      name: `resolve ${name}`,
      run: ({ base, project, side }: Context) => side.workspace.resolve(project, name === "base" ? base : name)
    })
  ),
  constant("files", ({ known, project, side }) => side.workspace.files(project, known ?? project.head)),
  constant("isTaken", ({ project, sessionId, side }) => side.workspace.isTaken(project, sessionId)),
  constant("leftovers", ({ jobId, options: { target }, project, sessionId, side }) =>
    side.workspace.leftovers(project, { jobId, sessionId, target })
  ),
  constant("holdings", ({ base, jobId, options: { target }, project, sessionId, side }) =>
    Effect.map(side.workspace.holdings(project, { base, jobId, sessionId, target }), ({ commits, merges, refs }) => ({
      refs: Object.fromEntries(refs),
      commits: Object.fromEntries([...commits].map((id) => [id, merges.find(({ commit }) => commit === id)?.itemId]))
    }))
  ),
  constant("hasAgentWorktrees", ({ isSettled, project, side }) =>
    isSettled
      ? side.workspace.hasAgentWorktrees(project, RepoName.make("project"), jobId)
      : Effect.succeed("being made")
  ),
  constant(
    "tip",
    inSession((session) => session.tip)
  ),
  constant(
    "head of the session",
    inSession((session) => session.head(session.parent))
  ),
  constant(
    "preview",
    inSession((session) => session.preview)
  ),
  constant(
    "changes of the session",
    inSession((session, { base, known }) => session.changes(session.parent, base, known ?? base))
  ),
  constant(
    "fingerprint",
    inSession((session, context) =>
      Effect.map(session.fingerprint, (now) => {
        const before = context.fingerprint
        context.fingerprint = now
        return before === null ? "first" : before === now ? "same" : "changed"
      })
    )
  ),
  at.map((at) => ({
    name: `head ${at}`,
    run: inAttempt(at, (session, { checkout }) => session.head(checkout))
  })),
  at.map((at) => ({
    name: `changes ${at}`,
    run: inAttempt(at, (session, { checkout }) =>
      Effect.flatMap(session.head(checkout), (head) => session.changes(checkout, checkout.base, head))
    )
  }))
)

const deletesSession: Operation = {
  name: "somebody deletes the branch of a session that is not open",
  run: ({ sessionId, session, side }) =>
    session === null ? side.deleteBranch(RefName.sessionBranch(sessionId)) : Effect.void
}

const removesSession: Operation = {
  name: "somebody removes the worktree of a session that is not open",
  run: ({ sessionId, session, side }) =>
    session === null ? side.fs.remove(worktreeOf(side, sessionId), { recursive: true, force: true }) : Effect.void
}

const userChanges = (edits: Edits): Operation => ({
  name: `the user changes ${show(edits)}`,
  run: ({ side }) => changeAll(side, side.root, edits)
})

const userCommits = (edits: Edits): Operation => ({
  name: `the user commits ${show(edits)}`,
  run: ({ side }) => Effect.zipRight(changeAll(side, side.root, edits), side.commit(side.root, "user"))
})

const somebodyPushes = (edits: Edits): Operation => ({
  name: `somebody pushes ${show(edits)}`,
  run: ({ side }) => side.push("other", Object.fromEntries(edits.map(({ content, path }) => [path, content])))
})

const users: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  edits.map(userChanges),
  edits.map(userCommits),
  edits.map(somebodyPushes),
  constant("somebody deletes the other branch", ({ side }) => side.deleteBranch("other")),
  FastCheck.constantFrom(deletesSession, removesSession),
  constant("the user looks again", (context) =>
    Effect.map(context.side.workspace.find(context.side.root), (project) => void (context.project = project))
  )
)

const acquire = (index: number, attempt: number, edits: Edits): Operation => ({
  name: `acquire ${index}.${attempt} and change ${show(edits)}`,
  run: inSession((session, context) =>
    Effect.gen(function* () {
      const work = workOf(index, attempt)
      const isFull = context.held.length >= context.options.maxParallel && context.jobId !== null
      if (isFull || context.held.some(({ work }) => work.itemIndex === index)) return "taken"
      const checkout = yield* session.acquire(work)
      context.isSettled = true
      context.held.push({ checkout, work })
      const fresh = context.side.filesIn(checkout.path)
      yield* changeAll(context.side, checkout.path, edits)
      return { checkout, fresh }
    })
  )
})

const acquires = FastCheck.tuple(FastCheck.nat(2), FastCheck.constantFrom(1, 1, 1, 2), edits).map(
  ([index, attempt, edits]) => acquire(index, attempt, edits)
)

const changes = (at: number, edits: Edits): Operation => ({
  name: `${at} changes ${show(edits)}`,
  run: inAttempt(at, (_, { checkout }, { side }) => changeAll(side, checkout.path, edits))
})

const commits = (at: number): Operation => ({
  name: `${at} commits`,
  run: inAttempt(at, (_, { checkout }, { side }) =>
    // Nobody is at work in a worktree any more whose branch is merged, or deleted as it is empty.
    side.filesIn(checkout.path) === null || side.refs()[RefName.ofBranch(checkout.branch)] === undefined
      ? Effect.succeed("gone")
      : side.commit(checkout.path, "own")
  )
})

const removes = (at: number): Operation => ({
  name: `${at} removes its worktree`,
  run: inAttempt(at, (_, { checkout }, { side }) => side.fs.remove(checkout.path, { recursive: true, force: true }))
})

const collect = (at: number, autoCommit: boolean): Operation => ({
  name: `collect ${at} ${autoCommit}`,
  run: inAttempt(at, (session, { checkout, work }, context) =>
    Effect.map(session.collect(checkout, work, { autoCommit }), (collected) => {
      if (collected.tip !== null) context.tips.push({ work, tip: collected.tip, branch: collected.branch })
      return collected
    })
  )
})

const rescue = (at: number): Operation => ({
  name: `rescue ${at}`,
  run: inAttempt(at, (session, { checkout, work }) => session.rescue(checkout, work))
})

const release = (at: number): Operation => ({
  name: `release ${at}`,
  run: inAttempt(at, (session, attempt, context) => {
    context.held = context.held.filter((other) => other !== attempt)
    context.past.push(attempt)
    return session.release(attempt.checkout)
  })
})

const useReleased = (at: number): Operation => ({
  name: `use ${at} after its release`,
  run: inSession((session, { held, past }) =>
    Effect.gen(function* () {
      const attempt = past[at % Math.max(1, past.length)]
      if (attempt === undefined || held.some(({ checkout }) => checkout.path === attempt.checkout.path)) return "none"
      yield* session.release(attempt.checkout)
      const head = yield* session.head(attempt.checkout)
      return [head, yield* session.collect(attempt.checkout, attempt.work, { autoCommit: true })]
    })
  )
})

const integrate = (back: number): Operation => ({
  name: `integrate the last but ${back}`,
  run: inSession((session, { tips }): Effect.Effect<unknown, WorkspaceError | MergeConflict> => {
    const done = tips[tips.length - 1 - (back % Math.max(1, tips.length))]
    return done === undefined ? Effect.succeed("nothing") : session.integrate(done.work, done.tip, done.branch)
  })
})

const attempts: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 4, arbitrary: acquires },
  { weight: 2, arbitrary: FastCheck.tuple(at, edits).map(([at, edits]) => changes(at, edits)) },
  { weight: 2, arbitrary: at.map(commits) },
  { weight: 1, arbitrary: at.map(removes) },
  { weight: 4, arbitrary: FastCheck.tuple(at, flag).map(([at, autoCommit]) => collect(at, autoCommit)) },
  { weight: 2, arbitrary: at.map(rescue) },
  { weight: 3, arbitrary: at.map(release) },
  { weight: 1, arbitrary: at.map(useReleased) },
  { weight: 4, arbitrary: FastCheck.nat(5).map(integrate) }
)

/** An attempt from its beginning to its end: most of what is asked in no order comes to nothing. */
const wholeAttempt = FastCheck.record({
  acquire: acquires,
  own: FastCheck.subarray([0, 1]),
  edits,
  end: FastCheck.constantFrom(collect(-1, true), collect(-1, true), collect(-1, false), rescue(-1)),
  after: FastCheck.constantFrom([release(-1), integrate(0)], [integrate(0), release(-1)], [release(-1)], [])
}).map(({ acquire, after, edits, end, own }) => [
  acquire,
  ...(own.includes(0) ? [commits(-1)] : []),
  ...(own.includes(1) ? [changes(-1, edits)] : []),
  end,
  ...after
])

/** Other edits of some of the same files. */
const rivals = edits.chain((edits) =>
  FastCheck.tuple(
    FastCheck.constant(edits),
    FastCheck.tuple(edit, FastCheck.nat(3)).map(([other, version]) => [
      other,
      ...edits.slice(0, 1).map(({ path }) => ({ path, content: contentOf(path, version) }))
    ])
  )
)

/** Two attempts at one time, which may conflict. */
const twoAttempts = rivals.map(([first, second]) => {
  const done = [collect(-1, true), release(-1)]
  return [acquire(0, 1, first), acquire(1, 1, second), ...done, ...done, integrate(0), integrate(1)]
})

const open = (recorded: "nothing" | "part" | "whole" | "unknown"): Operation => ({
  name: `open, ${recorded} recorded`,
  run: (context) =>
    Effect.gen(function* () {
      yield* die(context)
      const { base, jobId, known, options, project, sessionId, side } = context
      const isNew = side.filesIn(worktreeOf(side, sessionId)) === null
      const commit = recorded === "unknown" ? null : (known ?? base)
      const scope = yield* Scope.make()
      context.isSettled &&= !isNew || jobId === null
      const workspace = yield* side.workspace
        .open({
          project,
          repo: RepoName.make("project"),
          sessionId,
          jobId,
          base,
          target: options.target,
          maxParallel: options.maxParallel,
          recorded: recorded === "nothing" ? undefined : { commit, whole: recorded === "whole" }
        })
        .pipe(
          Scope.extend(scope),
          Effect.tapError(() => Scope.close(scope, Exit.void))
        )
      context.session = { workspace, scope }
      return workspace.parent
    })
})

const opening = FastCheck.constantFrom(open("nothing"), open("part"), open("whole"), open("unknown"))

const dies: Operation = { name: "the process dies", run: die }

const stepChange = (edits: Edits): Operation => ({
  name: `a step changes ${show(edits)}`,
  run: inSession((session, { side }) => changeAll(side, session.parent.path, edits))
})

const stepChanges = edits.map(stepChange)

const sync: Operation = { name: "syncParent", run: inSession((session) => session.syncParent) }

const sealSetup = (autoCommit: boolean): Operation => ({
  name: `sealSetup ${autoCommit}`,
  run: inSession((session) => session.sealSetup({ autoCommit }))
})

const sealReduce = (autoCommit: boolean): Operation => ({
  name: `sealReduce ${autoCommit}`,
  run: inSession((session) => session.sealReduce({ autoCommit }))
})

const seal = FastCheck.constantFrom(sealSetup(true), sealSetup(false), sealReduce(true), sealReduce(false), {
  name: "sealSteps",
  run: inSession((session) => session.sealSteps)
})

const finish = FastCheck.constantFrom("yes", "yes", "yes", "declined", "not_asked").map((approved): Operation => ({
  name: `finish ${approved}`,
  run: inSession((session) => session.finish({ approved: approved as "yes" }))
}))

const phases: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 3, arbitrary: stepChanges },
  constant(
    "a step commits",
    inSession((session, { side }) => side.commit(session.parent.path, "step"))
  ),
  { weight: 3, arbitrary: FastCheck.constant(sync) },
  { weight: 4, arbitrary: seal },
  { weight: 3, arbitrary: finish }
)

const wholePhase = FastCheck.tuple(stepChanges, seal).map((operations) => [...operations])
/** A session that is gone on with in a new process, after somebody has been at it. */
const again = FastCheck.tuple(FastCheck.constantFrom("branch", "worktree", "both", "nothing"), users, opening).map(
  ([removed, user, open]) => [
    dies,
    ...(removed === "branch" || removed === "both" ? [deletesSession] : []),
    ...(removed === "worktree" || removed === "both" ? [removesSession] : []),
    user,
    open
  ]
)

/** What setup leaves uncommitted stays out of what is committed later. */
const wholeSetup = FastCheck.tuple(rivals, flag).map(([[first, second], autoCommit]) => [
  stepChange(first),
  sealSetup(false),
  stepChange(second.slice(0, 1)),
  sealReduce(autoCommit)
])

/** The end of a session, while the user changes or commits what it has changed. */
const wholeEnd = FastCheck.record({
  edits: rivals,
  seal,
  user: FastCheck.constantFrom(userChanges, userCommits, somebodyPushes),
  finish,
  again: finish
}).map(({ again, edits: [first, second], finish, seal, user }) => [
  sync,
  stepChange(first),
  seal,
  user(second),
  finish,
  again
])

const ends: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  { weight: 3, arbitrary: opening },
  FastCheck.constant(dies),
  flag.map((keepParent) => ({
    name: `clean ${keepParent}`,
    run: inSession((session, context) =>
      Effect.gen(function* () {
        const cleaned = yield* session.clean({ keepParent })
        context.isSettled = true
        yield* die(context)
        const left = yield* context.side.workspace.hasAgentWorktrees(context.project, RepoName.make("project"), jobId)
        return { ...cleaned, left }
      })
    )
  }))
)

const one = (operation: FastCheck.Arbitrary<Operation>) => operation.map((operation) => [operation])

export const sequence: FastCheck.Arbitrary<Sequence> = FastCheck.record({
  options: FastCheck.record({
    hasJob: FastCheck.constantFrom(true, true, true, true, false),
    target: FastCheck.constantFrom("main", "main", "main", "other", null),
    maxParallel: FastCheck.integer({ min: 1, max: 3 })
  }),
  operations: FastCheck.array(
    FastCheck.oneof(
      { weight: 3, arbitrary: FastCheck.tuple(looks, looks) },
      { weight: 2, arbitrary: one(users) },
      { weight: 3, arbitrary: one(attempts) },
      { weight: 4, arbitrary: wholeAttempt },
      { weight: 2, arbitrary: twoAttempts },
      { weight: 3, arbitrary: one(phases) },
      { weight: 1, arbitrary: wholePhase },
      { weight: 2, arbitrary: wholeSetup },
      { weight: 3, arbitrary: wholeEnd },
      { weight: 1, arbitrary: again },
      { weight: 1, arbitrary: one(ends) }
    ),
    { minLength: 1, maxLength: 3 }
  )
}).map(({ operations, options }) => ({ options, operations: [open("nothing"), ...operations.flat()] }))
