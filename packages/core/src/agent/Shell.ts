/**
 * Shell scripts: run by an interpreter in a directory, streamed to a log, stopped as a whole process tree.
 *
 * Owns the port, what an outcome is, and how a script gets to its interpreter. `Processes` starts and stops; `ShellText`
 * (workflow room) makes scripts safe.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Origin from "./Origin.ts"
import type { Truncated } from "./Output.ts"
import { Processes, SpawnError } from "./Processes.ts"

export {
  /**
   * @since 0.1.0
   * @category errors
   */
  SpawnError
} from "./Processes.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface ShellRequest {
  readonly origin: Origin.Origin
  readonly script: string
  /** Interpreter command, such as `bash` or `bash -e`, split at spaces; `sh` when null. */
  readonly interpreter: string | null
  readonly cwd: string
  /** Added to the environment that the program was given. */
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMillis: number | null
  /** File that gets all output as it comes; created with its directories. */
  readonly log: string
  /** Called with all of standard output, piece by piece; nothing more is read until it returns. */
  readonly onStdout?: ((bytes: Uint8Array) => Effect.Effect<void>) | undefined
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
  readonly truncated: Truncated
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

/**
 * Scripts by real processes. A script is an argument of its interpreter (`sh -c`, `node -e`); one that is too long for
 * that, or whose interpreter is not known to take one, is a file beside the log, removed afterwards.
 *
 * Nothing is added to a script: it ends as its last command does, unless it says `set -e` or asks for `bash -e`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ShellRunner, never, Processes | FileSystem.FileSystem | Path.Path> = Layer.effect(
  ShellRunner,
  Effect.gen(function* () {
    const processes = yield* Processes
    const fileSystem = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const run = Effect.fn("ShellRunner.run")(function* (request: ShellRequest) {
      yield* Effect.annotateCurrentSpan(Origin.attributes(request.origin))
      const [command = "sh", ...options] = (request.interpreter ?? "sh").split(" ").filter((word) => word !== "")
      const flag = flagOf(command)
      const script =
        flag !== null && new TextEncoder().encode(request.script).length < argumentBytesMax
          ? // A script that begins like an option would be taken for one.
            [flag, /^[-+]/.test(request.script) ? `\n${request.script}` : request.script]
          : [yield* scriptFile(fileSystem, path, request, command)]
      const { onStdout } = request
      const {
        stoppedBy,
        survivors: _,
        ...outcome
      } = yield* processes.run({
        command,
        args: [...options, ...script],
        cwd: request.cwd,
        env: request.env,
        stdin: null,
        log: request.log,
        timeoutMillis: request.timeoutMillis,
        onOutput:
          onStdout === undefined
            ? undefined
            : ({ bytes, stream }) => (stream === "stdout" ? onStdout(bytes) : Effect.void)
      })
      return { ...outcome, timedOut: stoppedBy === "timeout" }
    }, Effect.scoped)
    return ShellRunner.of({ run })
  })
)

/** Linux takes 128 KiB in one argument, whatever the total. */
const argumentBytesMax = 64 * 1024

/** The option by which an interpreter takes a script as an argument; null when it is not known. */
const flagOf = (command: string): "-c" | "-e" | null => {
  const name = command.slice(command.lastIndexOf("/") + 1)
  if (/^(sh|bash|dash|zsh|ksh|ash|fish|python[\d.]*)$/.test(name)) return "-c"
  return /^(node|bun|perl|ruby|lua)$/.test(name) ? "-e" : null
}

const scriptFile = (fileSystem: FileSystem.FileSystem, path: Path.Path, request: ShellRequest, command: string) => {
  const file = `${request.log}.script`
  return Effect.acquireRelease(
    fileSystem
      .makeDirectory(path.dirname(file), { recursive: true, mode: 0o700 })
      .pipe(Effect.zipRight(fileSystem.writeFileString(file, request.script, { mode: 0o600 })), Effect.as(file)),
    // The script is in the workflow file too: one that stays behind costs a file, not the step.
    () =>
      Effect.catchAll(fileSystem.remove(file, { force: true }), (cause) =>
        Effect.logWarning("A script file stays behind", { file, cause })
      )
  ).pipe(
    Effect.mapError(
      (cause) =>
        new SpawnError({
          command,
          cwd: request.cwd,
          reason: cause._tag === "SystemError" && cause.reason === "PermissionDenied" ? "permission" : "other",
          detail: `its script cannot be written: ${cause.message}`
        })
    )
  )
}
