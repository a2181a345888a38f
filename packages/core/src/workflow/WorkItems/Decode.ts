/**
 * The formats of an input.
 *
 * @since 0.1.0
 */
import { CsvError, parse as parseCsvRows } from "csv-parse/sync"
import * as Either from "effect/Either"
import * as Yaml from "yaml"
import type { Json } from "../../domain/WorkItem.ts"
import * as CodeFrame from "../CodeFrame.ts"
import * as JsonText from "../JsonText.ts"
import * as JsonValue from "../JsonValue.ts"
import type { InputFormat } from "../Workflow.ts"

/**
 * What is wrong with a text, and where when that is known.
 *
 * @since 0.1.0
 * @category errors
 */
export interface Failure {
  readonly detail: string
  readonly line?: number | undefined
  readonly column?: number | undefined
}

/**
 * Deepest nesting of arrays and objects in an input.
 *
 * @since 0.1.0
 * @category constants
 */
export const depthMax = 256

/**
 * Reads a text in a format.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (text: string, format: InputFormat): Either.Either<Json, Failure> =>
  Either.flatMap(decoders[format](text.startsWith("\uFEFF") ? text.slice(1) : text), checked)

type Result = Either.Either<Json, Failure>

const failAt = (text: string, offset: number, detail: string): Failure => ({
  ...CodeFrame.position(CodeFrame.sourceText(text), offset),
  detail
})

const empty: Failure = { detail: "the input is empty" }

const linesOf = (text: string): ReadonlyArray<string> => text.split(/\r?\n/)

const decodeJson = (text: string): Result =>
  text.trim() === ""
    ? Either.left(empty)
    : Either.mapLeft(parseJson(text), ({ detail, offset }) => failAt(text, offset, detail))

/** Refuses whole numbers that JavaScript would round: an item with another id is another item. */
const parseJson = (text: string) =>
  Either.flatMap(JsonText.parse(text), (value) => {
    for (const { 0: literal, index: offset } of text.matchAll(stringOrLongNumber)) {
      const detail = literal.startsWith('"') ? undefined : rounded(literal)
      if (detail !== undefined) return Either.left({ detail, offset })
    }
    return Either.right(value)
  })

const stringOrLongNumber = /"(?:[^"\\]|\\.)*"|(?<![0-9.eE+-])-?[0-9]{16,}(?![0-9.eE])/g

/** What is to be said of a whole number that would be given to agents with other digits; undefined when it would not. */
const rounded = (literal: string): string | undefined => {
  const value = Number(literal)
  return !Number.isFinite(value) || BigInt(literal).toString() === String(value)
    ? undefined
    : `the number ${literal} has too many digits and would become ${value}: write it in quotes, as a text`
}

const decodeJsonLines = (text: string): Result => {
  const values: Array<Json> = []
  for (const [index, line] of linesOf(text).entries()) {
    if (line.trim() === "") {
      continue
    }
    const value = parseJson(line)
    if (Either.isLeft(value)) {
      return Either.left({ ...failAt(line, value.left.offset, value.left.detail), line: index + 1 })
    }
    values.push(value.right)
  }
  return Either.right(values)
}

const decodeYaml = (text: string): Result => {
  const document = Yaml.parseDocument(text, {
    version: "1.2",
    schema: "core",
    resolveKnownTags: false,
    prettyErrors: false,
    logLevel: "error"
  })
  const [error] = document.errors
  if (error !== undefined) {
    return Either.left(failAt(text, error.pos[0], yamlReason(error.message)))
  }
  if (document.contents === null) {
    return Either.left(empty)
  }
  let failure: Failure | undefined
  Yaml.visit(document, {
    Scalar: (_, { range, source, value }) => {
      const detail = typeof value === "number" && /^[-+]?[0-9]{16,}$/.test(source ?? "") ? rounded(source!) : undefined
      if (detail === undefined) return undefined
      failure = failAt(text, range?.[0] ?? 0, detail)
      return Yaml.visit.BREAK
    }
  })
  if (failure !== undefined) return Either.left(failure)
  return Either.try({
    try: (): Json => document.toJS(),
    catch: (error) => ({ detail: yamlReason(error instanceof Error ? error.message : String(error)) })
  })
}

const yamlReason = (message: string): string =>
  message.startsWith("Maximum call stack") ? `nested more than ${depthMax} deep` : message

/** A table with a header becomes objects of strings. */
const decodeCsv = (text: string): Result =>
  Either.flatMap(csvRows(text), ([header, ...rows]) => {
    if (header === undefined) {
      return Either.left(empty)
    }
    const unnamed = header.findIndex((name) => name.trim() === "")
    if (unnamed !== -1) {
      return Either.left({ detail: `field ${unnamed + 1} of the header has no name`, line: 1 })
    }
    const repeated = header.find((name, index) => header.indexOf(name) !== index)
    return repeated === undefined
      ? Either.right(rows.map((row) => Object.fromEntries(header.map((name, index) => [name, row[index] ?? ""]))))
      : Either.left({ detail: `the header names ${JSON.stringify(repeated)} twice`, line: 1 })
  })

const csvRows = (text: string): Either.Either<ReadonlyArray<ReadonlyArray<string>>, Failure> =>
  Either.try({
    try: () => parseCsvRows(text, { skip_empty_lines: true }),
    catch: (error) =>
      error instanceof CsvError && typeof error["lines"] === "number"
        ? { detail: error.message.replace(/ (?:on|at) line \d+/, ""), line: error["lines"] }
        : { detail: error instanceof Error ? error.message : String(error) }
  })

const decoders: Readonly<Record<InputFormat, (text: string) => Result>> = {
  json: decodeJson,
  jsonl: decodeJsonLines,
  yaml: decodeYaml,
  csv: decodeCsv,
  lines: (text) => Either.right(linesOf(text).filter((line) => line.trim() !== ""))
}

/** Refuses what text can say and JSON cannot hold, or what is nested beyond reason. */
const checked = (value: Json): Result => {
  if (JsonValue.isDeeperThan(value, depthMax)) {
    return Either.left({ detail: `nested more than ${depthMax} deep` })
  }
  return isFinite(value)
    ? Either.right(value)
    : Either.left({ detail: "a number in it is infinite, too large or not a number" })
}

/** Recursion is bounded by `depthMax`, which was checked before. */
const isFinite = (value: Json): boolean => {
  if (typeof value === "number") {
    return Number.isFinite(value)
  }
  if (typeof value !== "object" || value === null) {
    return true
  }
  return JsonValue.isArray(value) ? value.every(isFinite) : Object.values(value).every(isFinite)
}
