/**
 * Text for terminals: its width, its shortening, and the making harmless of what came from outside.
 *
 * @since 0.1.0
 */

const segmenter = new Intl.Segmenter("en", { granularity: "grapheme" })
// oxlint-disable-next-line no-control-regex -- colour codes begin with one
const escapes = /\u001b\[[0-9;?]*[A-Za-z]/g
// oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
const control = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]/g
const ascii = /^[\u0020-\u007e]*$/
const wide =
  /\p{Emoji_Presentation}|\ufe0f|[\u1100-\u115f\u2e80-\u303e\u3041-\u33ff\u3400-\u4dbf\u4e00-\u9fff\ua000-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{20000}-\u{3fffd}]/u
const invisible = /^[\p{Mn}\p{Me}\p{Cf}]+$/u

const named: Readonly<Record<string, string>> = { "\n": "\\n", "\r": "\\r", "\t": "\\t", "\u001b": "\\e" }

/**
 * Data on one line with every control character spelled out: item ids, outputs and messages cannot move the cursor,
 * change colours, reorder text or break lines.
 *
 * @since 0.1.0
 * @category encoding
 */
export const clean = (text: string): string =>
  text.replaceAll(control, (char) => named[char] ?? `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`)

/**
 * As `clean`, keeping the lines.
 *
 * @since 0.1.0
 * @category encoding
 */
export const cleanLines = (text: string): ReadonlyArray<string> => text.trimEnd().split(/\r?\n/).map(clean)

/**
 * One line of a program's output: without colour codes, with its indentation, and with every other control character
 * spelled out.
 *
 * @since 0.1.0
 * @category encoding
 */
export const outputLine = (text: string): string => clean(text.replaceAll(escapes, "").replaceAll("\t", "    "))

/**
 * A text without colour codes and the space around it.
 *
 * @since 0.1.0
 * @category encoding
 */
export const plain = (text: string): string => text.replaceAll(escapes, "").trim()

/**
 * Columns that a text takes on a terminal. Colour codes take none.
 *
 * @since 0.1.0
 * @category measuring
 */
export const width = (text: string): number => {
  const visible = text.replaceAll(escapes, "")
  if (ascii.test(visible)) return visible.length
  let columns = 0
  for (const { segment } of segmenter.segment(visible)) columns += widthOf(segment)
  return columns
}

const widthOf = (grapheme: string): number => (wide.test(grapheme) ? 2 : invisible.test(grapheme) ? 0 : 1)

/**
 * At most `columns` columns of a text without colour codes, ending in `…` when something was cut off.
 *
 * @since 0.1.0
 * @category shortening
 */
export const shorten = (text: string, columns: number): string => {
  if (width(text) <= columns) return text
  if (columns < 1) return ""
  let kept = ""
  let taken = 0
  for (const { segment } of segmenter.segment(text)) {
    taken += widthOf(segment)
    if (taken > columns - 1) break
    kept += segment
  }
  return `${kept}…`
}

/**
 * A text filled up with spaces on the right.
 *
 * @since 0.1.0
 * @category layout
 */
export const padEnd = (text: string, columns: number): string => text + " ".repeat(Math.max(0, columns - width(text)))

/**
 * A text filled up with spaces on the left.
 *
 * @since 0.1.0
 * @category layout
 */
export const padStart = (text: string, columns: number): string => " ".repeat(Math.max(0, columns - width(text))) + text

/**
 * How long: `850ms`, `12s`, `3m 04s`, `2h 05m`, `3d 4h`.
 *
 * @since 0.1.0
 * @category formatting
 */
export const duration = (millis: number): string => {
  if (millis < 1000) return `${Math.max(0, Math.round(millis))}ms`
  const seconds = Math.floor(millis / 1000)
  if (seconds < 60) return `${seconds}s`
  const two = (value: number) => String(value).padStart(2, "0")
  const minutes = Math.floor(seconds / 60)
  if (minutes < 60) return `${minutes}m ${two(seconds % 60)}s`
  const hours = Math.floor(minutes / 60)
  return hours < 48 ? `${hours}h ${two(minutes % 60)}m` : `${Math.floor(hours / 24)}d ${hours % 24}h`
}

/**
 * How long something has gone on that still does: as `duration`, in whole seconds, so that it does not flicker.
 *
 * @since 0.1.0
 * @category formatting
 */
export const elapsed = (millis: number): string => (millis < 1000 ? "0s" : duration(millis))

/**
 * How long ago, roughly: `now`, `12s`, `3m`, `2h`, `3d`.
 *
 * @since 0.1.0
 * @category formatting
 */
export const age = (millis: number): string => {
  const seconds = Math.floor(millis / 1000)
  if (seconds < 1) return "now"
  if (seconds < 60) return `${seconds}s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m`
  return seconds < 172_800 ? `${Math.floor(seconds / 3600)}h` : `${Math.floor(seconds / 86_400)}d`
}

/**
 * Dollars: `$0.42`, `$12.30`; four places below a cent.
 *
 * @since 0.1.0
 * @category formatting
 */
export const dollars = (usd: number): string => `$${usd > 0 && usd < 0.01 ? usd.toFixed(4) : usd.toFixed(2)}`

/**
 * A size: `512 B`, `1.4 KiB`, `12 MiB`.
 *
 * @since 0.1.0
 * @category formatting
 */
export const bytes = (amount: number): string => {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"]
  let rest = amount
  let unit = 0
  while (rest >= 1024 && unit < units.length - 1) {
    rest /= 1024
    unit += 1
  }
  return `${unit === 0 || rest >= 10 ? Math.round(rest) : rest.toFixed(1)} ${units[unit]}`
}

/**
 * A number with its noun: `1 item`, `3 items`.
 *
 * @since 0.1.0
 * @category formatting
 */
export const count = (amount: number, noun: string): string => `${amount} ${noun}${amount === 1 ? "" : "s"}`

/**
 * An argument as a shell takes it, for commands that people copy. Control characters are spelled out in `$'…'`.
 *
 * @since 0.1.0
 * @category encoding
 */
export const shellWord = (text: string): string => {
  if (/^[A-Za-z0-9_./:@%+=-]+$/.test(text)) return text
  const cleaned = clean(text)
  return cleaned === text
    ? `'${text.replaceAll("'", "'\\''")}'`
    : `$'${clean(text.replaceAll("\\", "\\\\").replaceAll("'", "\\'"))}'`
}

/**
 * An item id as an argument of a command: one that looks like a flag goes behind `--`.
 *
 * @since 0.1.0
 * @category encoding
 */
export const itemArgument = (id: string): string => (id.startsWith("-") ? `-- ${shellWord(id)}` : shellWord(id))

/**
 * A note that a listing was cut.
 *
 * @since 0.1.0
 * @category formatting
 */
export const more = (shown: number, total: number): string => `${shown} of ${total} shown; --limit ${total} shows all.`
