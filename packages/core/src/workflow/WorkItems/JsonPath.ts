/**
 * JSONPath (RFC 9535), with patterns that run in linear time.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { FilterFunction, JSONValue } from "json-p3"
import { FunctionExpressionType, JSONPathEnvironment, JSONPathError } from "json-p3"
import { RE2JS } from "re2js"
import type { Json } from "../../domain/WorkItem.ts"
import * as JsonValue from "../JsonValue.ts"
import { depthMax } from "./Decode.ts"

/**
 * A compiled path: the elements it selects, or what stopped it.
 *
 * @since 0.1.0
 * @category models
 */
export type JsonPath = (input: Json) => Either.Either<ReadonlyArray<Json>, string>

/**
 * What is wrong with a path; `offset` when that is known.
 *
 * @since 0.1.0
 * @category errors
 */
export interface Failure {
  readonly offset: number | undefined
  readonly detail: string
}

/**
 * Longest text of a path.
 *
 * @since 0.1.0
 * @category constants
 */
export const charsMax = 4096

/**
 * Compiles a path.
 *
 * @since 0.1.0
 * @category parsing
 */
export const compile = (path: string): Either.Either<JsonPath, Failure> => {
  if (path.length > charsMax) {
    return Either.left({ offset: undefined, detail: `the path has more than ${charsMax} characters` })
  }
  return Either.map(
    Either.try({
      try: () => environment().compile(path),
      catch: (error) => failure(path, error)
    }),
    (query): JsonPath =>
      (input) =>
        Either.try({
          // Lazily: the eager query passes all nodes as arguments of one call, which ends at about 100 000.
          try: () => elements(Array.from(query.lazyQuery(toLibrary(input)), (node) => fromLibrary(node.value))),
          catch: (error) => failure(path, error).detail
        })
  )
}

/** A path that selects exactly one array yields its elements. */
const elements = (values: ReadonlyArray<Json>): ReadonlyArray<Json> => {
  const [only] = values
  return values.length === 1 && only !== undefined && JsonValue.isArray(only) ? only : values
}

/** The library's type has mutable arrays, but it only reads. */
const toLibrary = (value: Json): JSONValue => value as JSONValue

/** What a query selects are parts of its input, so they are JSON. */
const fromLibrary = (value: JSONValue): Json => value as Json

const failure = (path: string, error: unknown): Failure => {
  const message = error instanceof Error ? error.message : String(error)
  return error instanceof JSONPathError && path !== ""
    ? // the library appends an excerpt of the path and the offset
      { offset: error.token.index, detail: message.replace(/ \('[^]*':\d+\)$/, "") }
    : { offset: undefined, detail: path === "" ? "the path is empty" : message }
}

/** Patterns kept compiled, so that a path over many elements compiles its own but once. */
const patternsMax = 64

const environment = (): JSONPathEnvironment => {
  const environment = new JSONPathEnvironment({ maxRecursionDepth: depthMax + 1 })
  environment.functionRegister.set(
    "match",
    patternFunction((pattern, text) => pattern.matches(text))
  )
  environment.functionRegister.set(
    "search",
    patternFunction((pattern, text) => pattern.matcher(text).find())
  )
  return environment
}

/** The library would run patterns in backtracking time. One that cannot be read matches nothing, as the RFC says. */
const patternFunction = (test: (pattern: RE2JS, text: string) => boolean): FilterFunction => {
  const patterns = new Map<string, RE2JS | null>()
  const compiled = (source: string): RE2JS | null => {
    const known = patterns.get(source)
    if (known !== undefined) {
      return known
    }
    const pattern = compilePattern(source)
    if (patterns.size >= patternsMax) {
      patterns.clear()
    }
    patterns.set(source, pattern)
    return pattern
  }
  return {
    argTypes: [FunctionExpressionType.ValueType, FunctionExpressionType.ValueType],
    returnType: FunctionExpressionType.LogicalType,
    call: (text: unknown, source: unknown) => {
      const pattern = typeof text === "string" && typeof source === "string" ? compiled(source) : null
      return pattern !== null && typeof text === "string" && test(pattern, text)
    }
  }
}

const compilePattern = (source: string): RE2JS | null => {
  try {
    return RE2JS.compile(source)
  } catch {
    return null
  }
}
