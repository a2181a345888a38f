/**
 * Processes: started in a group of their own, their output streamed to a file, stopped with everything they started.
 *
 * Owns the port, what a request and an outcome are, and what the environment of a process is made of. `Processes/Node`
 * is the adapter. Does not own what is run: see `Shell` and `Claude`.
 *
 * What is guaranteed when `run` ends, however it ends (exit, time limit, interruption):
 *
 * - Everywhere: no live process of the group is left. A child that holds the output open does not delay the outcome for
 *   ever.
 * - On Linux also: nothing is left that moved to a group of its own (same session), or to a session of its own and kept
 *   the variable `PRODIGY_SPAWN_ID` (`setsid`, double forks). Not found is a process that left the session *and* wiped
 *   its environment; and, after a normal exit, one that left the group while all process ids were given out once around.
 * - A process that nobody may signal, or that the kernel does not let die, is named in `survivors`.
 *
 * Crash guarantee: none of its own. A process whose owner was killed by SIGKILL goes on, and the next owner stops it:
 * what is started for a run carries the run's token from before it exists, and is written down (`ProcessRecord`).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as ProcessRecord from "../storage/ProcessRecord.ts"
import type { Piece, Truncated } from "./Output.ts"

/**
 * The process could not be started at all: no program, no directory, no resources, arguments that are too long.
 *
 * @since 0.1.0
 * @category errors
 */
export class SpawnError extends Schema.TaggedError<SpawnError>("@prodigy/core/agent/Processes/SpawnError")(
  "SpawnError",
  {
    command: Schema.String,
    cwd: Schema.String,
    reason: Schema.Literal("not_found", "permission", "resources", "too_long", "directory", "other"),
    detail: Schema.String
  }
) {
  override get message() {
    return `Could not start ${this.command} in ${this.cwd}: ${this.detail}`
  }
}

/**
 * A process that was started. `spawnId` is in the environment of everything it starts; `startedAt` tells it from a later
 * process of the same pid, in the platform's own terms (Linux: clock ticks since boot), and is null where unknown.
 *
 * @since 0.1.0
 * @category models
 */
export interface Spawned {
  readonly pid: number
  readonly spawnId: string
  readonly startedAt: string | null
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ProcessRequest {
  readonly command: string
  readonly args: ReadonlyArray<string>
  readonly cwd: string
  /** Added to the environment that the program was given, or taken from it (`undefined`); see `environment`. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Given on standard input, which is then closed. Null: nothing to read from the start. */
  readonly stdin: string | Uint8Array | null
  /** File that gets all output as it comes; created with its directories. Null: none. */
  readonly log: string | null
  /** `lines` writes whole lines only, so that lines of the two streams never mix. Default `bytes`. */
  readonly logBy?: "bytes" | "lines" | undefined
  readonly timeoutMillis: number | null
  /** When it completes the process is stopped, as by a time limit; the outcome says `request`. */
  readonly stopWhen?: Effect.Effect<void> | undefined
  /** Called once it runs, before anything is waited for. */
  readonly onSpawn?: ((spawned: Spawned) => Effect.Effect<void>) | undefined
  /** Called with every piece of output, in order; nothing more is read until it returns. */
  readonly onOutput?: ((piece: Piece) => Effect.Effect<void>) | undefined
}

/**
 * How a process ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface ProcessOutcome {
  /** Exit code; 128 + n when killed by signal n. */
  readonly exitCode: number
  /** Such as `SIGKILL`; null when it exited by itself. */
  readonly signal: string | null
  /** Why it was stopped; null when nobody stopped it. */
  readonly stoppedBy: "timeout" | "request" | null
  /** The first `CaptureBytesMax` bytes. */
  readonly stdout: string
  readonly stderr: string
  readonly truncated: Truncated
  /** The last `TailBytesMax` bytes of both streams, as they came. */
  readonly tail: string
  readonly durationMillis: number
  /** Pids that could not be stopped: nobody may signal them, or the kernel keeps them. Nearly always empty. */
  readonly survivors: ReadonlyArray<number>
}

/**
 * @since 0.1.0
 * @category services
 */
export class Processes extends Context.Tag("@prodigy/core/agent/Processes")<
  Processes,
  {
    /**
     * Runs a program to its end. Any exit is an outcome; it fails only when nothing was started. Being interrupted, or
     * reaching a time limit, sends INT, TERM and KILL with `KillGraceMillis` between them, and returns when all are gone.
     */
    readonly run: (request: ProcessRequest) => Effect.Effect<ProcessOutcome, SpawnError>
  }
>() {}

/**
 * The complete environment of a process: what the program was given, without the variables by which git is told of
 * another repository (a program started by a git hook has them), then the request's, then
 * `PRODIGY_AUTOMATION=true` and its mark: the token of the run, if there is one, and the spawn id, behind those of the
 * programs above it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const environment = (
  given: Readonly<Record<string, string | undefined>>,
  added: Readonly<Record<string, string | undefined>>,
  mark: string
): Record<string, string> => {
  const result: Record<string, string> = {}
  const inherited = Object.entries(given).filter(([name]) => !repositoryVariables.has(name) && !(name in added))
  for (const [name, value] of [...inherited, ...Object.entries(added)]) {
    if (value !== undefined) result[name] = value
  }
  result["PRODIGY_AUTOMATION"] = "true"
  return { ...result, ...ProcessRecord.marked(given, mark) }
}

/** `git rev-parse --local-env-vars` without the ones that carry settings: people set `GIT_CONFIG_*` on purpose. */
const repositoryVariables = new Set([
  "GIT_ALTERNATE_OBJECT_DIRECTORIES",
  "GIT_COMMON_DIR",
  "GIT_DIR",
  "GIT_GRAFT_FILE",
  "GIT_IMPLICIT_WORK_TREE",
  "GIT_INDEX_FILE",
  "GIT_INTERNAL_SUPER_PREFIX",
  "GIT_NAMESPACE",
  "GIT_NO_REPLACE_OBJECTS",
  "GIT_OBJECT_DIRECTORY",
  "GIT_PREFIX",
  "GIT_QUARANTINE_PATH",
  "GIT_REPLACE_REF_BASE",
  "GIT_SHALLOW_FILE",
  "GIT_WORK_TREE"
])
