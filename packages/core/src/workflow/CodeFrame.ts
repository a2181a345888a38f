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
  return { line: index + 1, column: Array.from(source.text.slice(source.starts[index] ?? 0, at)).length + 1 }
}

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
  const last = Math.min(lastLineIndex(source), Math.max(marked, marked + contextLines))
  const digits = String(Math.max(last, marked) + 1).length
  const out: Array<string> = []
  for (let index = first; index <= Math.max(last, marked); index++) {
    const line = lineAt(source, index)
    const gutter = `${String(index + 1).padStart(digits)} |`
    if (index !== marked) {
      out.push(`  ${gutter} ${cut(cells(line), 0).text}`.trimEnd())
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

const widthOf = (line: ReadonlyArray<Cell>): number => line.reduce((sum, cell) => sum + cell.width, 0)

const cut = (line: ReadonlyArray<Cell>, first: number): { readonly text: string; readonly shown: number } => {
  let text = first > 0 ? "\u2026" : ""
  let width = text.length
  let index = first
  for (; index < line.length; index++) {
    const cell = line[index]
    if (cell === undefined || width + cell.width > widthMax) break
    text += cell.text
    width += cell.width
  }
  return { text: index < line.length ? `${text}\u2026` : text, shown: index }
}

const draw = (line: string, from: number, to: number) => {
  const all = cells(line)
  const indexOf = (offset: number) => {
    const found = all.findIndex((cell) => cell.offset >= offset)
    return found === -1 ? all.length : found
  }
  const spot = indexOf(from)
  const first = widthOf(all) > widthMax && widthOf(all.slice(0, spot)) > widthMax / 2 ? Math.max(0, spot - 30) : 0
  const { shown, text } = cut(all, first)
  const end = Math.min(shown, indexOf(from + line.slice(from, to).trimEnd().length))
  return {
    text,
    column: (first > 0 ? 1 : 0) + widthOf(all.slice(first, spot)),
    width: Math.max(1, widthOf(all.slice(spot, Math.max(spot, end))))
  }
}
