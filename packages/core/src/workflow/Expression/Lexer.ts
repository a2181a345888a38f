/**
 * From the text of an expression to its tokens, one at a time.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as QuotedText from "../QuotedText.ts"
import * as Scan from "../Scan.ts"
import * as ValuePath from "../ValuePath.ts"

/**
 * A token and where it stands. A `word` is a keyword, or a name right before a parenthesis.
 *
 * @since 0.1.0
 * @category models
 */
export type Token = { readonly offset: number; readonly end: number } & (
  | { readonly kind: "number"; readonly value: number }
  | { readonly kind: "string"; readonly value: string }
  | { readonly kind: "path"; readonly path: ValuePath.ValuePath }
  | { readonly kind: "word"; readonly text: string }
  | { readonly kind: "symbol"; readonly text: string }
  | { readonly kind: "end" }
)

/**
 * Names that cannot start a path.
 *
 * @since 0.1.0
 * @category constants
 */
export const keywords: ReadonlySet<string> = new Set([
  "and",
  "or",
  "not",
  "in",
  "is",
  "null",
  "true",
  "false",
  "contains",
  "starts_with",
  "ends_with",
  "matches"
])

/**
 * Reads the first token at or after an offset.
 *
 * @since 0.1.0
 * @category parsing
 */
export const next = (text: string, from: number): Either.Either<Token, Scan.Failure> => {
  const offset = Scan.skipSpace(text, from)
  const char = text.charAt(offset)
  if (char === "") {
    return Either.right({ kind: "end", offset, end: offset })
  }
  if (char === '"' || char === "'") {
    return string(text, offset)
  }
  if (char === "$") {
    return dollar(text, offset)
  }
  if (char >= "0" && char <= "9") {
    return number(text, offset)
  }
  const name = ValuePath.nameAt(text, offset)
  return name === "" ? symbol(text, offset) : word(text, offset, name)
}

const numberPattern = /[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/y
const wordPattern = /[\p{L}\p{M}\p{N}_]*/uy
const symbolPattern = /\|\||&&|==|!=|<=|>=|[!<>+\-*/%()[\],]/y
const templatePattern = /^\$\{[^{}]*\}$/

/** What people write in other languages, and what it is here. */
const foreign: ReadonlyArray<readonly [string, string]> = [
  ["===", "=="],
  ["!==", "!="],
  ["<>", "!="],
  ["=~", "matches"],
  ["=", "=="],
  ["&", "&&"],
  ["|", "||"]
]

type Result = Either.Either<Token, Scan.Failure>

const fail = (offset: number, detail: string): Result => Either.left({ offset, detail })

const string = (text: string, offset: number): Result =>
  Either.flatMap(QuotedText.scan(text, offset), ({ end, value }) =>
    templatePattern.test(value)
      ? fail(offset, `this is the text ${value}, not a value: write ${value} without the quotes`)
      : Either.right({ kind: "string", value, offset, end } as const)
  )

const number = (text: string, offset: number): Result => {
  const digits = Scan.match(numberPattern, text, offset)
  const end = offset + digits.length
  const value = Number(digits)
  if (!Number.isFinite(value)) {
    return fail(offset, `the number ${digits} is too large`)
  }
  return Scan.match(wordPattern, text, end) === "" && text[end] !== "."
    ? Either.right({ kind: "number", value, offset, end })
    : fail(end, `unexpected ${QuotedText.format(text.charAt(end))} in a number`)
}

/** `$.a` and `$` are paths from the root; `$a` and `${a}` are the path `a`. */
const dollar = (text: string, offset: number): Result => {
  if (text[offset + 1] !== "{") {
    const named = ValuePath.nameAt(text, offset + 1) !== ""
    return path(text, offset, named ? offset + 1 : offset)
  }
  return Either.flatMap(ValuePath.scan(text, offset + 2), ({ end, path }) =>
    text[end] === "}"
      ? Either.right({ kind: "path", path, offset, end: end + 1 } as const)
      : fail(end, "expected } here: in an expression only a path may stand in ${…}")
  )
}

const path = (text: string, offset: number, start: number): Result =>
  Either.map(ValuePath.scan(text, start), ({ end, path }) => ({ kind: "path", path, offset, end }) as const)

const word = (text: string, offset: number, name: string): Result => {
  const end = offset + name.length
  const isCall = text.charAt(Scan.skipSpace(text, end)) === "("
  return keywords.has(name) || isCall
    ? Either.right({ kind: "word", text: name, offset, end })
    : path(text, offset, offset)
}

const symbol = (text: string, offset: number): Result => {
  const mistake = foreign.find(([written]) => text.startsWith(written, offset))
  const found = Scan.match(symbolPattern, text, offset)
  if (mistake !== undefined && mistake[0].length > found.length) {
    return fail(offset, `unexpected ${mistake[0]}: did you mean ${mistake[1]}?`)
  }
  return found === ""
    ? fail(offset, `unexpected character ${QuotedText.format(String.fromCodePoint(text.codePointAt(offset) ?? 0))}`)
    : Either.right({ kind: "symbol", text: found, offset, end: offset + found.length })
}
