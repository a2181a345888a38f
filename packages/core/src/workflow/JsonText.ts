/**
 * JSON text that people and programs write, read with errors that name the place.
 *
 * `JSON.parse` does not always say where a text goes wrong, so a text that it refuses is scanned once more for the spot.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Json } from "../domain/WorkItem.ts"
import * as Scan from "./Scan.ts"

/**
 * Parses a text.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): Either.Either<Json, Scan.Failure> =>
  Either.try({ try: (): Json => JSON.parse(text), catch: () => locate(text) })

type Expected = "value" | "value or ]" | "key" | "key or }" | "colon" | "comma" | "end"

interface Scanner {
  readonly text: string
  readonly open: Array<"[" | "{">
  at: number
  expected: Expected
}

/** Finds the first offset at which a text stops being JSON. */
const locate = (text: string): Scan.Failure => {
  const scanner: Scanner = { text, open: [], at: 0, expected: "value" }
  for (;;) {
    scanner.at += Scan.match(spacePattern, text, scanner.at).length
    const failure = step(scanner)
    if (failure !== undefined) {
      return failure
    }
  }
}

const spacePattern = /[ \t\n\r]*/y
const scalarPattern = /(?:true|false|null|-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)(?![\w.+-])/y
const wordPattern = /[\w.+-]+/y
// oxlint-disable-next-line no-control-regex -- what a JSON string may not hold is exactly these
const plainPattern = /[^"\\\u0000-\u001f]*/y
const escapePattern = /\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y

const expectations: Readonly<Record<Expected, string>> = {
  value: "a value",
  "value or ]": "a value or ]",
  key: "a key in double quotes",
  "key or }": "a key in double quotes or }",
  colon: "a colon after the key",
  comma: "a comma or the closing bracket",
  end: "the end of the text"
}

const unexpected = (scanner: Scanner): Scan.Failure => {
  const { at, expected, text } = scanner
  const found =
    at >= text.length ? "the end" : Scan.match(wordPattern, text, at).slice(0, 20) || JSON.stringify(text[at])
  return { offset: at, detail: `expected ${expectations[expected]}, found ${found}` }
}

const step = (scanner: Scanner): Scan.Failure | undefined => {
  const char = scanner.text.charAt(scanner.at)
  const inside = scanner.open.at(-1)
  switch (scanner.expected) {
    case "value":
      return value(scanner, char)
    case "value or ]":
      return char === "]" ? close(scanner) : value(scanner, char)
    case "key or }":
      return char === "}" ? close(scanner) : key(scanner, char)
    case "key":
      return key(scanner, char)
    case "colon":
      return char === ":" ? move(scanner, 1, "value") : unexpected(scanner)
    case "comma":
      if (char === ",") {
        return move(scanner, 1, inside === "[" ? "value" : "key")
      }
      return char === (inside === "[" ? "]" : "}") ? close(scanner) : unexpected(scanner)
    case "end":
      return unexpected(scanner)
  }
}

const move = (scanner: Scanner, length: number, expected: Expected): undefined => {
  scanner.at += length
  scanner.expected = expected
}

const afterValue = (scanner: Scanner): Expected => (scanner.open.length === 0 ? "end" : "comma")

const close = (scanner: Scanner): undefined => {
  scanner.open.pop()
  return move(scanner, 1, afterValue(scanner))
}

const key = (scanner: Scanner, char: string): Scan.Failure | undefined =>
  char === '"' ? string(scanner, "colon") : unexpected(scanner)

const value = (scanner: Scanner, char: string): Scan.Failure | undefined => {
  if (char === "[" || char === "{") {
    scanner.open.push(char)
    return move(scanner, 1, char === "[" ? "value or ]" : "key or }")
  }
  if (char === '"') {
    return string(scanner, afterValue(scanner))
  }
  const scalar = Scan.match(scalarPattern, scanner.text, scanner.at)
  return scalar === "" ? unexpected(scanner) : move(scanner, scalar.length, afterValue(scanner))
}

const string = (scanner: Scanner, expected: Expected): Scan.Failure | undefined => {
  const { text } = scanner
  const start = scanner.at
  for (let at = start + 1; ;) {
    at += Scan.match(plainPattern, text, at).length
    if (at >= text.length) {
      return { offset: start, detail: "unterminated string" }
    }
    if (text[at] === '"') {
      return move(scanner, at + 1 - start, expected)
    }
    const escape = Scan.match(escapePattern, text, at)
    if (escape === "") {
      const detail = text[at] === "\\" ? "unknown escape in a string" : "control character in a string"
      return { offset: at, detail }
    }
    at += escape.length
  }
}
