/**
 * Text as it stands in files: UTF-8, lines that end in a line feed.
 *
 * Owns how bytes become text and text bytes, and what a whole line is. Bytes that are not UTF-8 come out as U+0000, which
 * no JSON text contains: whoever decodes the text finds the damage. Opens no file.
 *
 * @since 0.1.0
 */
import * as Stream from "effect/Stream"

/**
 * The byte that ends a line.
 *
 * @since 0.1.0
 * @category constants
 */
export const lineFeed = 10

const encoder = new TextEncoder()
const strict = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
const lenient = new TextDecoder("utf-8", { ignoreBOM: true })

/**
 * @since 0.1.0
 * @category encoding
 */
export const encode = (text: string): Uint8Array => encoder.encode(text)

/**
 * @since 0.1.0
 * @category decoding
 */
export const decode = (bytes: Uint8Array): string => {
  try {
    return strict.decode(bytes)
  } catch {
    return lenient.decode(bytes).replaceAll("\uFFFD", "\u0000")
  }
}

/**
 * Bytes that a text takes.
 *
 * @since 0.1.0
 * @category measuring
 */
export const byteLength = (text: string): number => encoder.encode(text).length

/**
 * The text of lines, each with its line feed.
 *
 * @since 0.1.0
 * @category encoding
 */
export const fromLines = (lines: ReadonlyArray<string>): string => (lines.length === 0 ? "" : `${lines.join("\n")}\n`)

/**
 * The lines of a text that ends in a line feed.
 *
 * @since 0.1.0
 * @category decoding
 */
export const toLines = (text: string): ReadonlyArray<string> => (text.length === 0 ? [] : text.slice(0, -1).split("\n"))

/**
 * @since 0.1.0
 * @category encoding
 */
export const encodeLines = (lines: ReadonlyArray<string>): Uint8Array => encoder.encode(fromLines(lines))

/**
 * The lines of bytes that end in a line feed. Bytes that are not UTF-8 spoil only the line they are in.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decodeLines = (bytes: Uint8Array): ReadonlyArray<string> => {
  const text = decode(bytes)
  if (!text.includes("\u0000")) return toLines(text)
  const lines: Array<string> = []
  for (let start = 0; start < bytes.length;) {
    const end = bytes.indexOf(lineFeed, start)
    lines.push(decode(bytes.subarray(start, end)))
    start = end + 1
  }
  return lines
}

/**
 * One array of all bytes; the only part itself when there is one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const concat = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  const [first] = parts
  if (first !== undefined && parts.length === 1) return first
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    all.set(part, offset)
    offset += part.length
  }
  return all
}

/**
 * Lines that came together, and the bytes that they take.
 *
 * @since 0.1.0
 * @category models
 */
export interface Block {
  readonly lines: ReadonlyArray<string>
  readonly bytes: number
}

/**
 * The whole lines of a file's bytes, as they come. What is behind the last line feed is left out.
 *
 * @since 0.1.0
 * @category decoding
 */
export const blocks = <E, R>(bytes: Stream.Stream<Uint8Array, E, R>): Stream.Stream<Block, E, R> =>
  Stream.suspend(() => {
    let torn: Array<Uint8Array> = []
    return Stream.mapConcat(bytes, (block) => {
      const end = block.lastIndexOf(lineFeed) + 1
      if (end === 0) {
        torn.push(block)
        return []
      }
      const whole = concat([...torn, block.subarray(0, end)])
      torn = end < block.length ? [block.subarray(end)] : []
      return [{ lines: decodeLines(whole), bytes: whole.length }]
    })
  })
