/**
 * Git commands: run with a known environment, their exit codes checked, other processes' locks waited for.
 *
 * Owns the environment and settings of every git process of ours, what counts as another process's lock, and the retry.
 * Does not own what is run, nor processes: `GitProcess` is their port, `Git/Node` its adapter.
 *
 * Settings of every command: no hooks of the user run (they are for what the user does; the command we print for a
 * merge by hand runs them), nothing is signed, no maintenance starts, no monitor daemon, no submodule is touched, no
 * change is overlooked to be faster, and objects and refs are synced to disk. What the user says about content (line
 * ends, filters, attributes, what is ignored) and about the file system (modes, symlinks) holds for us as well.
 *
 * Crash guarantee: git's own, made stricter by `core.fsync`: when a command has succeeded, the objects and refs that it
 * wrote survive a power loss.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as ProcessRecord from "../storage/ProcessRecord.ts"

/**
 * Oldest git with `merge-tree --write-tree`.
 *
 * @since 0.1.0
 * @category models
 */
export const versionMin = [2, 38] as const

/**
 * Bytes of output that a command may have. What we read is lists of paths and ids.
 *
 * @since 0.1.0
 * @category models
 */
export const outputBytesMax = 256 * 1024 * 1024

/**
 * How long a command is tried again while another process holds a lock.
 *
 * @since 0.1.0
 * @category models
 */
export const lockWaitMillis = 15_000

/**
 * A git command did not end as expected. `exitCode` is null when it did not run.
 *
 * @since 0.1.0
 * @category errors
 */
export class GitError extends Schema.TaggedError<GitError>("@prodigy/core/workspace/Git/GitError")("GitError", {
  args: Schema.Array(Schema.String),
  cwd: Schema.String,
  reason: Schema.Literal("missing", "no_directory", "locked", "output_too_large", "failed"),
  exitCode: Schema.NullOr(Schema.Int),
  stderr: Schema.String
}) {
  override get message() {
    return `git ${this.args.join(" ")} in ${this.cwd} ended with ${this.exitCode ?? this.reason}: ${this.stderr.trim()}`
  }
}

/**
 * One command for `GitProcess`.
 *
 * @since 0.1.0
 * @category models
 */
export interface GitRequest {
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** The whole environment. */
  readonly env: Readonly<Record<string, string>>
  readonly stdin?: string | undefined
  /** A second command, run when the first has exited with 0; its output follows. Not together with `stdin`. */
  readonly next?: ReadonlyArray<string> | undefined
}

/**
 * @since 0.1.0
 * @category models
 */
export interface GitOutput {
  readonly exitCode: number
  readonly stdout: string
  /** The end of it. */
  readonly stderr: string
}

/**
 * A git process that answers lines to lines, such as `cat-file --batch-check`. It starts with the first question and
 * again after it has died; questions are asked one after the other.
 *
 * @since 0.1.0
 * @category models
 */
export interface Dialogue {
  /** Writes `text` and waits for `lines` lines. When the process dies instead, its exit is the error. */
  readonly ask: (text: string, lines: number) => Effect.Effect<ReadonlyArray<string>, GitError>
}

/**
 * The processes under `Git`.
 *
 * @since 0.1.0
 * @category services
 */
export class GitProcess extends Context.Tag("@prodigy/core/workspace/Git/GitProcess")<
  GitProcess,
  {
    /** The environment that the program was started with. */
    readonly environment: Readonly<Record<string, string>>
    /** Runs to the end, whatever the exit code. Interruption ends the process. */
    readonly run: (request: GitRequest) => Effect.Effect<GitOutput, GitError>
    readonly dialogue: (request: GitRequest) => Effect.Effect<Dialogue, never, Scope.Scope>
  }
>() {}

/**
 * @since 0.1.0
 * @category models
 */
export interface GitOptions {
  readonly cwd: string
  readonly stdin?: string | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
  /** Exit codes that are answers. Default: 0. */
  readonly expect?: ReadonlyArray<number> | undefined
  /**
   * A command that is run right after it, when it has succeeded, in the same turn; its output follows, the exit code is
   * the last one's. Both are done again when a lock is in the way of either. Not together with `stdin`.
   */
  readonly next?: ReadonlyArray<string> | undefined
  /** Changes nothing: takes no optional locks, and may be interrupted. */
  readonly reads?: boolean | undefined
  /** Interruption stops it half-way: whoever asks for it throws away what it was making. */
  readonly abandonable?: boolean | undefined
}

/**
 * @since 0.1.0
 * @category services
 */
export class Git extends Context.Tag("@prodigy/core/workspace/Git")<
  Git,
  {
    /**
     * Runs a command. Fails unless it exits as expected. A lock of another process is waited for, `lockWaitMillis` at
     * most. A command that changes something is not interrupted half-way, unless it is `abandonable`.
     */
    readonly run: (args: ReadonlyArray<string>, options: GitOptions) => Effect.Effect<GitOutput, GitError>

    /** A process that answers, for as long as the scope is open. */
    readonly dialogue: (
      args: ReadonlyArray<string>,
      options: { readonly cwd: string }
    ) => Effect.Effect<Dialogue, never, Scope.Scope>
  }
>() {}

const settings: ReadonlyArray<string> = [
  "core.hooksPath=/dev/null",
  "core.fsmonitor=false",
  "core.fsync=loose-object,reference",
  "core.fsyncMethod=fsync",
  "core.filesRefLockTimeout=2000",
  "core.packedRefsTimeout=5000",
  // The index of a worktree is copied: it has to be one file.
  "core.splitIndex=false",
  "core.quotePath=false",
  // Changed files are found whatever the user has set to make git look less closely.
  "core.ignoreStat=false",
  "core.trustctime=true",
  "core.checkStat=default",
  "sparse.expectFilesOutsideOfPatterns=false",
  "diff.ignoreSubmodules=none",
  // What is a warning to the user, or nothing, must not end a command of ours.
  "core.safecrlf=false",
  "diff.orderFile=/dev/null",
  "safe.bareRepository=all",
  // What is read is read as it was written.
  "i18n.logOutputEncoding=UTF-8",
  "log.showSignature=false",
  "color.ui=never",
  "commit.gpgSign=false",
  "gc.auto=0",
  "maintenance.auto=false",
  "submodule.recurse=false",
  // How we know a worktree of ours: by the links between it and the repository, as paths.
  "worktree.useRelativePaths=false"
].flatMap((setting) => ["-c", setting])

/** Variables of git that say who the user is and how to reach things; the others would move our commands elsewhere. */
const kept =
  /^GIT_(AUTHOR_\w+|COMMITTER_\w+|SSH\w*|ASKPASS|EXEC_PATH|ALLOW_PROTOCOL|CEILING_DIRECTORIES|CONFIG_(GLOBAL|SYSTEM|NOSYSTEM|COUNT|KEY_\d+|VALUE_\d+))$/

/**
 * The environment of our git processes, made from the program's: without `GIT_DIR`, `GIT_INDEX_FILE` and their like.
 *
 * @since 0.1.0
 * @category constructors
 */
export const environment = (inherited: Readonly<Record<string, string>>): Readonly<Record<string, string>> => ({
  ...Object.fromEntries(Object.entries(inherited).filter(([name]) => !name.startsWith("GIT_") || kept.test(name))),
  LC_ALL: "C",
  // Set to its default, so that commands that read and commands that write differ in a value and never in a name.
  GIT_OPTIONAL_LOCKS: "1",
  GIT_TERMINAL_PROMPT: "0",
  GIT_EDITOR: "true",
  GIT_MERGE_AUTOEDIT: "no"
})

/**
 * What git says (with `LC_ALL=C`) when another process holds a lock, or is just making a worktree: 2.39 then finds that
 * worktree's directory without its `commondir`. The exit code does not tell these from other failures, so this one list
 * of git's own lines does.
 */
const lockLines: ReadonlyArray<RegExp> = [
  /^(?:fatal|error): (?:.*: )?Unable to create '.*\.lock': File exists/m,
  /^(?:fatal|error): could not lock config file .*: File exists/m,
  /^(?:fatal|error): failed to read .*\/commondir\b/m,
  /^Another git process seems to be running in this repository/m
]

/**
 * Whether the end of a failed command's error output tells of another process's lock.
 *
 * @since 0.1.0
 * @category refinements
 */
export const tellsOfLock = (exitCode: number, stderr: string): boolean =>
  exitCode > 0 && lockLines.some((line) => line.test(stderr))

const untilFree = Schedule.exponential("10 millis", 1.5).pipe(
  Schedule.union(Schedule.spaced("500 millis")),
  Schedule.jittered,
  Schedule.upTo(lockWaitMillis)
)

/**
 * Tries again while another process holds a lock.
 *
 * @since 0.1.0
 * @category combinators
 */
export const retryWhileLocked = <A, E extends { readonly _tag: string }, R>(
  self: Effect.Effect<A, E | GitError, R>
): Effect.Effect<A, E | GitError, R> =>
  Effect.retry(self, { schedule: untilFree, while: (error) => isGitError(error) && error.reason === "locked" })

const isGitError = Schema.is(GitError)

const make = Effect.gen(function* () {
  const processes = yield* GitProcess
  const env = environment(processes.environment)
  /** By the token of the run; there is one run at a time, as a rule. */
  let marked = { token: null as string | null, env }
  const envOf = (token: string | null) => {
    if (marked.token !== token) {
      const mark = token === null ? {} : ProcessRecord.marked(env, `${token}/${ProcessRecord.gitMark}`)
      marked = { token, env: { ...env, ...mark } }
    }
    return marked.env
  }

  const once = Effect.fnUntraced(function* (args: ReadonlyArray<string>, options: GitOptions) {
    const base = envOf((yield* ProcessRecord.RunMark).token)
    const reads = options.reads === true ? { GIT_OPTIONAL_LOCKS: "0" } : {}
    const request: GitRequest = {
      args: [...settings, ...args],
      cwd: options.cwd,
      env: options.reads === undefined && options.env === undefined ? base : { ...base, ...reads, ...options.env },
      stdin: options.stdin,
      next: options.next === undefined ? undefined : [...settings, ...options.next]
    }
    const running = processes.run(request)
    const ran = options.reads === true || options.abandonable === true ? running : Effect.uninterruptible(running)
    const output = yield* Effect.mapError(ran, (error) => withArgs(error, args))
    if ((options.expect ?? [0]).includes(output.exitCode)) return output
    return yield* new GitError({
      args,
      cwd: options.cwd,
      reason: tellsOfLock(output.exitCode, output.stderr) ? "locked" : "failed",
      exitCode: output.exitCode,
      stderr: output.stderr
    })
  })

  return Git.of({
    run: (args, options) => retryWhileLocked(once(args, options)),
    dialogue: (args, options) =>
      Effect.gen(function* () {
        const { token } = yield* ProcessRecord.RunMark
        const request = { args: [...settings, ...args], cwd: options.cwd, env: envOf(token) }
        const dialogue = yield* processes.dialogue(request)
        return {
          ask: (text, lines) => Effect.mapError(dialogue.ask(text, lines), (error) => classify(withArgs(error, args)))
        } satisfies Dialogue
      })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Git, never, GitProcess> = Layer.effect(Git, make)

/** The settings are the same for every command and would only hide the command in a message. */
const withArgs = (error: GitError, args: ReadonlyArray<string>): GitError =>
  new GitError({ args, cwd: error.cwd, reason: error.reason, exitCode: error.exitCode, stderr: error.stderr })

const classify = (error: GitError): GitError =>
  error.reason === "failed" && error.exitCode !== null && tellsOfLock(error.exitCode, error.stderr)
    ? new GitError({ ...error, args: error.args, reason: "locked" })
    : error
