/**
 * The lines around a spot in a text, with the spot marked.
 *
 * Owns lines, columns and their drawing: tabs, wide and invisible characters. Does not own what is said about the spot.
 *
 * @since 0.1.0
 */

/**
 * A text with the offsets at which its lines start.
 *
 * @since 0.1.0
 * @category models
 */
export interface SourceText {
  readonly text: string
  readonly starts: ReadonlyArray<number>
}

/**
 * A place for people: both 1-based, columns counted in characters (code points), a tab being one.
 *
 * @since 0.1.0
 * @category models
 */
export interface Position {
  readonly line: number
  readonly column: number
}

/**
 * Lines shown before and after the marked one.
 *
 * @since 0.1.0
 * @category models
 */
export const contextLines = 2

/**
 * Terminal columns of source shown of a line; longer lines are cut around the spot.
 *
 * @since 0.1.0
 * @category models
 */
export const widthMax = 100

/**
 * @since 0.1.0
 * @category constructors
 */
export const sourceText = (text: string): SourceText => {
  const starts = [0]
  for (let at = text.indexOf("\n"); at !== -1; at = text.indexOf("\n", at + 1)) starts.push(at + 1)
  return { text, starts }
}

/**
 * The line and column of an offset (in UTF-16 units, as JavaScript counts).
 *
 * @since 0.1.0
 * @category positions
 */
export const position = (source: SourceText, offset: number): Position => {
  const at = Math.min(Math.max(0, offset), source.text.length)
  const index = lineIndex(source, at)
  let column = 1
  for (let unit = source.starts[index] ?? 0; unit < at; unit++) {
    if (!isTrailing(source.text, unit)) column++
  }
  return { line: index + 1, column }
}

/**
 * The 1-based line of an offset.
 *
 * @since 0.1.0
 * @category positions
 */
export const line = (source: SourceText, offset: number): number => lineIndex(source, offset) + 1

/**
 * Draws the lines around `start`, with `^` under what of `start` to `end` is on its line (at least one).
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (source: SourceText, start: number, end: number): string => {
  const at = Math.min(Math.max(0, start), source.text.length)
  const marked = lineIndex(source, at)
  const first = Math.max(0, marked - contextLines)
  const last = Math.max(marked, Math.min(lastLineIndex(source), marked + contextLines))
  const digits = String(last + 1).length
  const out: Array<string> = []
  for (let index = first; index <= last; index++) {
    const line = lineAt(source, index)
    const gutter = `${String(index + 1).padStart(digits)} |`
    if (index !== marked) {
      out.push(`  ${gutter} ${shown(line)}`.trimEnd())
      continue
    }
    const from = at - (source.starts[index] ?? 0)
    const spot = draw(line, from, Math.max(from, end - (source.starts[index] ?? 0)))
    out.push(`> ${gutter} ${spot.text}`.trimEnd())
    out.push(`  ${" ".repeat(digits)} | ${" ".repeat(spot.column)}${"^".repeat(spot.width)}`)
  }
  return out.join("\n")
}

interface Cell {
  readonly text: string
  readonly width: number
  readonly offset: number
}

const wide =
  /\p{Emoji_Presentation}|[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6]|[\u{20000}-\u{3FFFD}]/u
const combining = /\p{Mn}|\p{Me}|\u200D/u
// Control characters would act on the terminal and bidirectional ones would reorder what is shown.
const invisible = /\p{Cc}|\p{Cf}|\p{Cs}|\p{Zl}|\p{Zp}/u
const tabWidth = 4

const lineIndex = (source: SourceText, offset: number): number => {
  let low = 0
  let high = source.starts.length - 1
  while (low < high) {
    const middle = Math.ceil((low + high) / 2)
    if ((source.starts[middle] ?? 0) <= offset) low = middle
    else high = middle - 1
  }
  return low
}

const lastLineIndex = (source: SourceText): number => {
  const last = source.starts.length - 1
  return last > 0 && source.starts[last] === source.text.length ? last - 1 : last
}

const lineAt = (source: SourceText, index: number): string => {
  const next = source.starts[index + 1]
  return source.text.slice(source.starts[index] ?? 0, next === undefined ? undefined : next - 1).replace(/\r$/, "")
}

const cells = (line: string): Array<Cell> => {
  const out: Array<Cell> = []
  let offset = 0
  let column = 0
  for (const char of line) {
    const cell = cellOf(char, offset, column)
    out.push(cell)
    offset += char.length
    column += cell.width
  }
  return out
}

const cellOf = (char: string, offset: number, column: number): Cell => {
  if (char === "\t") {
    const width = tabWidth - (column % tabWidth)
    return { text: " ".repeat(width), width, offset }
  }
  if (combining.test(char)) return { text: char, width: 0, offset }
  if (invisible.test(char)) return { text: "\u00B7", width: 1, offset }
  return { text: char, width: wide.test(char) ? 2 : 1, offset }
}

/** Whether a UTF-16 unit is the second half of a character. */
const isTrailing = (text: string, unit: number): boolean => unit > 0 && (text.codePointAt(unit - 1) ?? 0) > 0xffff

const widthOf = (line: ReadonlyArray<Cell>): number => line.reduce((sum, cell) => sum + cell.width, 0)

const fit = (line: ReadonlyArray<Cell>, width: number): ReadonlyArray<Cell> => {
  let total = 0
  const end = line.findIndex((cell) => (total += cell.width) > width)
  return end === -1 ? line : line.slice(0, end)
}

const textOf = (line: ReadonlyArray<Cell>): string => line.map((cell) => cell.text).join("")

const shown = (line: string): string => {
  const all = cells(line.slice(0, 4 * widthMax))
  const kept = fit(all, widthMax)
  return kept.length < all.length || line.length > 4 * widthMax ? `${textOf(kept)}\u2026` : textOf(kept)
}

const draw = (line: string, from: number, to: number) => {
  let first = line.length > widthMax && from > widthMax / 2 ? from - 30 : 0
  if (isTrailing(line, first)) first--
  const window = line.slice(first, first + 4 * widthMax)
  const all = cells(window)
  const kept = fit(all, widthMax)
  const cut = kept.length < all.length || first + window.length < line.length
  const end = from + line.slice(from, to).trimEnd().length
  const before = kept.filter((cell) => first + cell.offset < from)
  const marked = kept.filter((cell) => first + cell.offset >= from && first + cell.offset < end)
  return {
    text: `${first > 0 ? "\u2026" : ""}${textOf(kept)}${cut ? "\u2026" : ""}`,
    column: (first > 0 ? 1 : 0) + widthOf(before),
    width: Math.max(1, widthOf(marked))
  }
}
