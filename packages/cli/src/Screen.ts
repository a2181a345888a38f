/**
 * The terminal, or what stands in for it: data on standard output, everything else on standard error.
 *
 * Owns where text goes, the colours, and the block of lines that is redrawn at the foot of a terminal while other lines
 * pass above it. Does not own what is said.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Option from "effect/Option"
import { type Style, style } from "./Render/Style.ts"
import * as Text from "./Render/Text.ts"

/**
 * Standard output takes no more. That its reader has gone (`prodigy events list | head`) is no error and leaves nothing to
 * say; a full disk is one.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutputClosed extends Data.TaggedError("OutputClosed")<{ readonly code: string }> {
  /** Whether there was somebody who read. */
  get readerGone() {
    return readerGone.has(this.code)
  }

  override get message() {
    return `Could not write to the standard output: ${this.code === "ENOSPC" ? "no space is left" : this.code}.`
  }
}

const readerGone: ReadonlySet<string> = new Set(["EPIPE", "ECONNRESET", "EIO", "ERR_STREAM_DESTROYED"])

/**
 * @since 0.1.0
 * @category services
 */
export class Screen extends Context.Tag("@prodigy/cli/Screen")<
  Screen,
  {
    /** Style for `data`. */
    readonly dataStyle: Style
    /** Style for `note` and `block`. */
    readonly noteStyle: Style
    /** Columns for `data`; null when it does not go to a terminal: nothing is shortened then. */
    readonly dataColumns: Effect.Effect<number | null>
    /** Room for `block`; null when there is no terminal: no block then. */
    readonly blockSize: Effect.Effect<{ readonly columns: number; readonly rows: number } | null>
    /** Whether there is a person to ask. */
    readonly canAsk: boolean
    /** Writes lines to standard output. */
    readonly data: (text: string) => Effect.Effect<void, OutputClosed>
    /** Writes lines to standard error, above the block. */
    readonly note: (text: string) => Effect.Effect<void>
    /** Sets the lines at the foot of the terminal; none takes the block away. */
    readonly block: (lines: ReadonlyArray<string>) => Effect.Effect<void>
    /** Asks for one line, the block being away meanwhile. None when standard input ends. */
    readonly ask: (question: string) => Effect.Effect<Option.Option<string>>
  }
>() {}

/**
 * What a screen needs of the platform.
 *
 * @since 0.1.0
 * @category models
 */
export interface Device {
  readonly dataIsTerminal: boolean
  readonly noteIsTerminal: boolean
  readonly inputIsTerminal: boolean
  readonly env: Readonly<Record<string, string | undefined>>
  readonly dataColumns: () => number
  readonly noteSize: () => { readonly columns: number; readonly rows: number }
  /** Is told, once, what to write before an end that waits for nothing: it takes away the block that is there then. */
  readonly atEnd: (leave: () => string) => void
  /** Null, or the error's code. */
  readonly writeData: (text: string) => Effect.Effect<string | null>
  readonly writeNote: (text: string) => Effect.Effect<void>
  readonly readLine: Effect.Effect<Option.Option<string>>
}

/**
 * Whether to use colours: `NO_COLOR` and `FORCE_COLOR` (not empty) go before what the output is.
 *
 * @since 0.1.0
 * @category predicates
 */
export const useColours = (isTerminal: boolean, env: Device["env"]): boolean => {
  const set = (name: string) => (env[name] ?? "") !== ""
  if (set("NO_COLOR")) return false
  if (set("FORCE_COLOR")) return env["FORCE_COLOR"] !== "0"
  return isTerminal && env["TERM"] !== "dumb"
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer = (device: Device): Layer.Layer<Screen> =>
  Layer.effect(
    Screen,
    Effect.gen(function* () {
      let drawn = nothing
      let asking = false
      const turn = yield* Effect.makeSemaphore(1)
      const hasBlock = device.noteIsTerminal && device.env["TERM"] !== "dumb"

      // One write per change, so that no half-drawn state is ever seen; wrapping is off while the block is drawn. The
      // cursor waits on a row of its own below it: for the `^C` that a terminal echoes, and for what a shell says when
      // this process is killed.
      const change = (
        above: string,
        next: (before: ReadonlyArray<string>) => ReadonlyArray<string>
      ): Effect.Effect<void> =>
        Effect.suspend(() => {
          const before = drawn
          const size = device.noteSize()
          // Higher, the block would scroll at each drawing.
          const lines = asking ? [] : next(before.lines).slice(0, Math.max(0, size.rows - 1))
          drawn = { lines, columns: size.columns }
          const block = lines.length === 0 ? "" : `\u001b[?7l${lines.join("\n")}\n\u001b[?7h`
          const text = erase(before, size) + above + block
          return text === "" ? Effect.void : device.writeNote(text)
        }).pipe(Effect.uninterruptible, turn.withPermits(1))

      device.atEnd(() => erase(drawn, device.noteSize()))

      return {
        dataStyle: style(useColours(device.dataIsTerminal, device.env)),
        noteStyle: style(useColours(device.noteIsTerminal, device.env)),
        dataColumns: Effect.sync(() => (device.dataIsTerminal ? device.dataColumns() : null)),
        blockSize: Effect.sync(() => (hasBlock ? device.noteSize() : null)),
        canAsk: device.inputIsTerminal && device.noteIsTerminal,
        data: (text) =>
          Effect.flatMap(device.writeData(ended(text)), (code) =>
            code === null ? Effect.void : new OutputClosed({ code })
          ),
        note: (text) => change(ended(text), (before) => before),
        block: (lines) =>
          Effect.suspend(() =>
            !hasBlock || asking || sameLines(lines, drawn.lines) ? Effect.void : change("", () => lines)
          ),
        ask: (question) =>
          Effect.acquireUseRelease(
            Effect.sync(() => void (asking = true)),
            () =>
              change("", () => []).pipe(Effect.zipRight(device.writeNote(question)), Effect.zipRight(device.readLine)),
            () => Effect.sync(() => void (asking = false))
          )
      }
    })
  )

/** The block as it was drawn, and how wide the terminal was then. */
interface Drawn {
  readonly lines: ReadonlyArray<string>
  readonly columns: number
}

const nothing: Drawn = { lines: [], columns: 0 }

const sameLines = (a: ReadonlyArray<string>, b: ReadonlyArray<string>): boolean =>
  a.length === b.length && a.every((line, index) => line === b[index])

/**
 * Clears from the row below the block back to its first line. A terminal that became narrower since has wrapped its
 * lines; what had not fitted was cut off. Each row is cleared by itself: a terminal that is told to clear all from its
 * first row on may keep what it showed, and would keep every drawing.
 */
const erase = (drawn: Drawn, size: { readonly columns: number; readonly rows: number }): string => {
  if (drawn.lines.length === 0) return ""
  const rowsOf = (line: string) => Math.ceil(Math.min(Text.width(line), drawn.columns) / Math.max(1, size.columns))
  const above = drawn.lines.reduce((sum, line) => sum + Math.max(1, rowsOf(line)), 0)
  return `\r\u001b[2K${"\u001b[A\u001b[2K".repeat(Math.max(0, Math.min(above, size.rows - 1)))}\u001b[J`
}

const ended = (text: string): string => (text === "" || text.endsWith("\n") ? text : `${text}\n`)
