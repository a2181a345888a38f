/**
 * The file that gets all output of a process, as it comes.
 *
 * Crash guarantee: what was written when the program died is there; nothing is synced.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import * as NodePath from "node:path"
import { isExhausted, reasonOf } from "../../storage/AtomicFile.ts"
import * as Output from "../Output.ts"
import { type ProcessRequest, SpawnError } from "../Processes.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface LogFile {
  /** Appends a piece. Never fails: a file that can no longer be written is left as it is, and that is logged. */
  readonly write: (piece: Output.Piece) => Effect.Effect<void>
  /** Writes what was held back. */
  readonly finish: Effect.Effect<void>
}

/**
 * Opens the log of a request for appending, 0600, its directories 0700; closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const open = Effect.fnUntraced(function* (
  fileSystem: FileSystem.FileSystem,
  request: ProcessRequest
): Effect.fn.Return<LogFile, SpawnError, Scope.Scope> {
  const path = request.log
  if (path === null) return { write: () => Effect.void, finish: Effect.void }
  const file = yield* fileSystem.makeDirectory(NodePath.dirname(path), { recursive: true, mode: 0o700 }).pipe(
    Effect.zipRight(fileSystem.open(path, { flag: "a", mode: 0o600 })),
    Effect.mapError((cause) => {
      const why = reasonOf(cause)
      const reason = isExhausted(why) ? "resources" : why === "permission" ? "permission" : "other"
      const detail = `its log cannot be written: ${cause.message}`
      return new SpawnError({ command: request.command, cwd: request.cwd, reason, detail })
    })
  )
  let writable = true
  const write = (bytes: Uint8Array) =>
    writable && bytes.length > 0
      ? Effect.catchAll(file.writeAll(bytes), (cause) => {
          // A full disk does not end the work of a paid agent: its transcript is cut short, and that is said.
          writable = false
          return Effect.logWarning(`The log ${path} is cut short: ${cause.description ?? cause.message}.`)
        })
      : Effect.void
  if (request.logBy !== "lines") return { write: (piece) => write(piece.bytes), finish: Effect.void }
  const lines = Output.makeWholeLines(heldBytesMax)
  return {
    write: (piece) => write(lines.add(piece)),
    finish: Effect.suspend(() => write(lines.rest()))
  }
})

/** Bytes of a line that is waited for before its beginning is written. */
const heldBytesMax = 1024 * 1024
