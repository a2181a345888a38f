/**
 * Shell scripts: run by an interpreter in a directory, streamed to a log, stopped as a whole process tree.
 *
 * Owns the port and what an outcome is. `Processes` starts and stops; `ShellText` (workflow room) makes scripts safe.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * The process could not be started at all: no interpreter, no directory, no resources.
 *
 * @since 0.1.0
 * @category errors
 */
export class SpawnError extends Schema.TaggedError<SpawnError>("@prodigy/core/agent/Shell/SpawnError")("SpawnError", {
  command: Schema.String,
  cwd: Schema.String,
  reason: Schema.Literal("not_found", "permission", "resources", "directory", "other"),
  detail: Schema.String
}) {
  override get message() {
    return `Could not start ${this.command} in ${this.cwd}: ${this.detail}`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface ShellRequest {
  readonly script: string
  /** Interpreter command; `sh` when null. */
  readonly interpreter: string | null
  readonly cwd: string
  /** Added to the environment that the program was given. */
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMillis: number | null
  /** File that gets all output as it comes; created with its directories. */
  readonly log: string
}

/**
 * How a process ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface ShellOutcome {
  /** Exit code; 128 + n when killed by signal n. */
  readonly exitCode: number
  /** Such as `SIGKILL`; null when it exited by itself. */
  readonly signal: string | null
  readonly timedOut: boolean
  /** The first `CaptureBytesMax` bytes. */
  readonly stdout: string
  readonly stderr: string
  readonly truncated: boolean
  /** The last `TailBytesMax` bytes of both streams, as they came. */
  readonly tail: string
  readonly durationMillis: number
}

/**
 * @since 0.1.0
 * @category services
 */
export class ShellRunner extends Context.Tag("@prodigy/core/agent/Shell/ShellRunner")<
  ShellRunner,
  {
    /**
     * Runs a script to its end. A non-zero exit is an outcome, not an error. When this returns, is interrupted or times
     * out, no process of the script's group is left. Fails only when nothing could be started.
     */
    readonly run: (request: ShellRequest) => Effect.Effect<ShellOutcome, SpawnError>
  }
>() {}
