/**
 * Quoted strings, as expressions and paths write them.
 *
 * Owns the escapes: `\\`, `\"`, `\'`, `\n`, `\r`, `\t` and `\uXXXX`. Any other backslash stands for itself, so that a
 * regular expression such as `"^\d+\.ts$"` needs no doubling.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type * as Scan from "./Scan.ts"

/**
 * Reads the quoted string that opens at `start`; `end` is the offset after its closing quote.
 *
 * @since 0.1.0
 * @category parsing
 */
export const scan = (
  text: string,
  start: number
): Either.Either<{ readonly value: string; readonly end: number }, Scan.Failure> => {
  const quote = text[start]
  let value = ""
  let at = start + 1
  while (at < text.length) {
    const char = text.charAt(at)
    if (char === quote) {
      return Either.right({ value, end: at + 1 })
    }
    if (char !== "\\") {
      value += char
      at += 1
      continue
    }
    const escape = readEscape(text, at)
    value += escape.value
    at = escape.end
  }
  return Either.left({ offset: start, detail: `unterminated string: no closing ${quote}` })
}

/**
 * Writes a string in double quotes, so that `scan` gives it back.
 *
 * @since 0.1.0
 * @category rendering
 */
export const format = (value: string): string =>
  `"${value.replace(/["\\]/g, "\\$&").replace(/\n/g, "\\n").replace(/\r/g, "\\r").replace(/\t/g, "\\t")}"`

const plainEscapes: Readonly<Record<string, string>> = {
  "\\": "\\",
  '"': '"',
  "'": "'",
  n: "\n",
  r: "\r",
  t: "\t"
}

const readEscape = (text: string, at: number): { readonly value: string; readonly end: number } => {
  const next = text.charAt(at + 1)
  const plain = Object.hasOwn(plainEscapes, next) ? plainEscapes[next] : undefined
  if (plain !== undefined) {
    return { value: plain, end: at + 2 }
  }
  const hex = next === "u" ? /^[0-9a-fA-F]{4}/.exec(text.slice(at + 2, at + 6)) : null
  return hex === null
    ? { value: "\\", end: at + 1 }
    : { value: String.fromCharCode(Number.parseInt(hex[0], 16)), end: at + 6 }
}
