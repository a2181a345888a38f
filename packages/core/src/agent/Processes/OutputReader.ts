/**
 * Reads the two output streams of a child as one sequence of pieces, as slowly as they are taken.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Readable } from "node:stream"
import type { Piece } from "../Output.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface OutputReader {
  /** A piece that is there already, or null. */
  readonly ready: () => Piece | null
  /** The next piece; null when both streams have ended. Interrupting it loses nothing. */
  readonly next: Effect.Effect<Piece | null>
  /** Stops reading: whoever still writes gets EPIPE. */
  readonly close: Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (stdout: Readable, stderr: Readable): OutputReader => {
  let wake = () => {}
  const streams = [open("stdout", stdout, () => wake()), open("stderr", stderr, () => wake())]
  const take = (): Piece | null | undefined => {
    for (const [index, stream] of streams.entries()) {
      const piece = stream.take()
      if (piece === null) continue
      // The other one is asked first next time: a busy stream does not starve it.
      if (index === 0) streams.reverse()
      return piece
    }
    return streams.every((stream) => stream.isEnded()) ? null : undefined
  }
  return {
    ready: () => take() ?? null,
    next: Effect.async<Piece | null>((resume) => {
      const attempt = () => {
        const piece = take()
        if (piece === undefined) return
        wake = () => {}
        resume(Effect.succeed(piece))
      }
      wake = attempt
      attempt()
      return Effect.sync(() => {
        wake = () => {}
      })
    }),
    close: Effect.sync(() => {
      stdout.destroy()
      stderr.destroy()
    })
  }
}

const open = (name: Piece["stream"], stream: Readable, onChange: () => void) => {
  let ended = false
  const end = () => {
    ended = true
    onChange()
  }
  stream.on("readable", onChange)
  stream.once("end", end)
  stream.once("close", end)
  // A broken pipe ends the output; how the process ended is told by its exit.
  stream.on("error", end)
  return {
    take: (): Piece | null => {
      const bytes: Buffer | null = stream.read()
      return bytes === null ? null : { stream: name, bytes }
    },
    isEnded: () => ended
  }
}
