/**
 * One git repository: resolving names, making commits and moving refs without a process for each.
 *
 * Owns the processes that answer (`cat-file`, `hash-object`, `update-ref`), the identity our commits carry, and the
 * semaphore under which worktrees are made and removed. Does not own any worktree.
 *
 * Crash guarantee: a commit that `commit` returned and a transaction for which `updateRefs` returned true survive a
 * power loss. A transaction is done completely or not at all as long as the machine stays up; git itself moves several
 * refs one by one, so that a power loss may leave the first of them moved.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import type * as PlatformError from "@effect/platform/Error"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import { Git, GitError, type GitOptions, type GitOutput, retryWhileLocked } from "./Git.ts"

/**
 * What is to become of one ref. `to: null` deletes it; `from: null` demands that there is none; without `from` it is
 * moved from wherever it is.
 *
 * @since 0.1.0
 * @category models
 */
export interface RefUpdate {
  readonly ref: string
  readonly to: string | null
  readonly from?: string | null | undefined
}

/**
 * What can go wrong below the workspace.
 *
 * @since 0.1.0
 * @category errors
 */
export type RepositoryError = GitError | PlatformError.PlatformError

/**
 * @since 0.1.0
 * @category models
 */
export interface Repository {
  /** Where commands about the repository as a whole run. */
  readonly root: string
  /** The directory that all its worktrees share. */
  readonly commonDir: string
  /** A file of ours alone, for what git reads from files only. It is worth nothing between two calls. */
  readonly scratch: string

  readonly run: (args: ReadonlyArray<string>, options: GitOptions) => Effect.Effect<GitOutput, GitError>

  /** Whether git, where the user or an agent runs it, marks files so that it looks at them no more. */
  readonly ignoresStat: boolean

  /**
   * Commits or trees by name, null for a name that is not there and for no name. Names are refs and ids of ours, never
   * user input, and always whole: git takes any other word for a branch that may have that name.
   */
  readonly resolve: <const Names extends ReadonlyArray<string | null>>(
    ...names: Names
  ) => Effect.Effect<{ readonly [Index in keyof Names]: string | null }, GitError>

  /** Makes a commit, durably. */
  readonly commit: (commit: {
    readonly tree: string
    readonly parents: ReadonlyArray<string>
    readonly message: string
  }) => Effect.Effect<string, RepositoryError>

  /** Moves refs in one transaction, durably. False, and nothing is moved, when one is not where `from` says. */
  readonly updateRefs: (updates: ReadonlyArray<RefUpdate>) => Effect.Effect<boolean, GitError>

  /** Runs what makes or removes worktrees: one at a time. */
  readonly alone: <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>
}

/**
 * Opens a repository. `creation` is shared by all who use the repository in this process.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.fn("Repository.make")(function* (options: {
  readonly root: string
  readonly commonDir: string
  readonly creation: Effect.Semaphore
  readonly scratch: string
}): Effect.fn.Return<Repository, RepositoryError, Git | FileSystem.FileSystem | Scope.Scope> {
  const git = yield* Git
  const fs = yield* FileSystem.FileSystem
  const cwd = options.root
  const path = options.scratch
  yield* Effect.addFinalizer(() => Effect.ignoreLogged(fs.remove(path, { force: true })))
  const oneCommit = yield* Effect.makeSemaphore(1)
  const names = yield* git.dialogue(["cat-file", "--batch-check=%(objectname)"], { cwd })
  const objects = yield* git.dialogue(["hash-object", "-t", "commit", "-w", "--no-filters", "--stdin-paths"], { cwd })
  const refs = yield* git.dialogue(["-c", "core.logAllRefUpdates=false", "update-ref", "--stdin"], { cwd })
  const author = yield* identity(git, cwd, "GIT_AUTHOR_IDENT")
  const committer = yield* identity(git, cwd, "GIT_COMMITTER_IDENT")
  // All values: ours is the last of them.
  const set = ["config", "--type=bool", "--get-all", "core.ignoreStat"]
  const ignoresStat = yield* git.run(set, { cwd, reads: true })

  const resolve = <const Names extends ReadonlyArray<string | null>>(...asked: Names) => {
    const known = asked.filter((name) => name !== null)
    const answers =
      known.length === 0 ? Effect.succeed([]) : names.ask(known.map((name) => `${name}\n`).join(""), known.length)
    return Effect.map(answers, (lines) => {
      const rest = lines.values()
      const found = (line: string | undefined) => (line !== undefined && isObjectId(line) ? line : null)
      return asked.map((name) => (name === null ? null : found(rest.next().value))) as unknown as {
        readonly [Index in keyof Names]: string | null
      }
    })
  }

  const commit: Repository["commit"] = Effect.fnUntraced(function* ({ message, parents, tree }) {
    const now = Math.floor((yield* Clock.currentTimeMillis) / 1000)
    const header = [
      `tree ${tree}`,
      ...parents.map((parent) => `parent ${parent}`),
      `author ${author.name} ${now} ${author.zone}`,
      `committer ${committer.name} ${now} ${committer.zone}`
    ]
    const [id] = yield* Effect.uninterruptible(
      oneCommit.withPermits(1)(
        Effect.zipRight(
          fs.writeFileString(path, `${header.join("\n")}\n\n${message}`),
          retryWhileLocked(objects.ask(`${path}\n`, 1))
        )
      )
    )
    return id !== undefined && isObjectId(id) ? id : yield* unexpected(cwd, "hash-object", id ?? "")
  })

  const holds = (updates: ReadonlyArray<RefUpdate>) =>
    Effect.map(resolve(...updates.map(({ ref }) => ref)), (found) =>
      updates.every(({ from }, index) => from === undefined || (found[index] ?? null) === from)
    )

  const updateRefs: Repository["updateRefs"] = (updates) =>
    refs.ask(`start\n${updates.map(line).join("")}prepare\ncommit\n`, 3).pipe(
      retryWhileLocked,
      Effect.as(true),
      Effect.catchAll((error) =>
        // The process says why in words only; where the refs are is the fact that decides.
        Effect.flatMap(holds(updates), (still) => (still ? Effect.fail(error) : Effect.succeed(false)))
      )
    )

  return {
    root: options.root,
    commonDir: options.commonDir,
    scratch: path,
    run: git.run,
    ignoresStat: ignoresStat.stdout.split("\n").includes("true"),
    resolve,
    commit,
    updateRefs,
    alone: options.creation.withPermits(1)
  }
})

/**
 * Whether a text is an object id, of either hash.
 *
 * @since 0.1.0
 * @category refinements
 */
export const isObjectId = (text: string): boolean => /^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(text)

const zeros = "0".repeat(40)

const line = ({ from, ref, to }: RefUpdate): string => {
  const old = from === undefined ? "" : ` ${from ?? zeros.padEnd((to ?? zeros).length, "0")}`
  return to === null ? `delete ${ref}${old}\n` : `update ${ref} ${to}${old}\n`
}

/** The user's name and address, or ours when none is configured: git's guess from the host would be worse than both. */
const identity = (git: typeof Git.Service, cwd: string, variable: string) =>
  Effect.map(
    git.run(["-c", "user.useConfigOnly=true", "var", variable], { cwd, reads: true, expect: [0, 128] }),
    (output) => {
      const match = /^(.*>) \d+ ([+-]\d{4})$/.exec(output.stdout.trim())
      return match === null
        ? { name: "Prodigy <prodigy@localhost>", zone: "+0000" }
        : { name: match[1] ?? "", zone: match[2] ?? "+0000" }
    }
  )

const unexpected = (cwd: string, command: string, answer: string) =>
  new GitError({ args: [command], cwd, reason: "failed", exitCode: 0, stderr: `unexpected answer: ${answer}` })
