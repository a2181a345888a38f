/**
 * Paths into a JSON value: `a.b`, `a[0]`, `a.0`, `a[-1]`, `a["odd key"]`, `$.a`.
 *
 * The one path grammar of templates, expressions, `sort_by`, `distinct` and `item_id`:
 *
 * ```text
 * path    = ( name | "$" ) segment*
 * segment = "." ( name | number ) | "[" integer "]" | "[" quoted "]"
 * name    = letter or "_", then letters, digits, "_" and inner "-"
 * ```
 *
 * A `-` between two characters of a name belongs to the name (`steps.run-tests.output`). `.0` and `[0]` both address
 * the first element of an array or the key `"0"` of an object; negative indexes count from the end of an array.
 *
 * Does not know variables: which value a path starts from is the caller's business.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Json } from "../domain/WorkItem.ts"
import * as QuotedText from "./QuotedText.ts"
import * as Scan from "./Scan.ts"

/**
 * A parsed path. `rooted` when it was written with `$`.
 *
 * @since 0.1.0
 * @category models
 */
export interface ValuePath {
  readonly rooted: boolean
  readonly segments: ReadonlyArray<string | number>
}

/**
 * Reads a whole text as a path. The error is a sentence for people.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): Either.Either<ValuePath, string> => {
  const result = scan(text, 0)
  if (Either.isLeft(result)) {
    return Either.left(`${result.left.detail} (column ${result.left.offset + 1})`)
  }
  const { end, path } = result.right
  return end === text.length
    ? Either.right(path)
    : Either.left(`unexpected ${QuotedText.format(text.slice(end, end + 20))} after the path (column ${end + 1})`)
}

/**
 * Reads the longest path that starts at an offset; `end` is the offset after it.
 *
 * @since 0.1.0
 * @category parsing
 */
export const scan = (
  text: string,
  start: number
): Either.Either<{ readonly path: ValuePath; readonly end: number }, Scan.Failure> => {
  const rooted = text[start] === "$"
  const first = rooted ? "$" : nameAt(text, start)
  if (first === "") {
    return Either.left({ offset: start, detail: "expected a path such as a.b, a[0] or $.a" })
  }
  const segments: Array<string | number> = rooted ? [] : [first]
  let end = start + first.length
  while (text[end] === "." || text[end] === "[") {
    const segment = text[end] === "." ? scanMember(text, end + 1) : scanBracket(text, end)
    if (Either.isLeft(segment)) {
      return Either.left(segment.left)
    }
    segments.push(segment.right.segment)
    end = segment.right.end
  }
  return Either.right({ path: { rooted, segments }, end })
}

/**
 * The name that starts at an offset; empty when none does.
 *
 * @since 0.1.0
 * @category parsing
 */
export const nameAt = (text: string, start: number): string => Scan.match(namePattern, text, start)

/**
 * The value a path leads to; `undefined` when there is none. Sees own keys only.
 *
 * @since 0.1.0
 * @category getters
 */
export const get = (path: ValuePath, value: Json): Json | undefined => getSegments(path.segments, value)

/**
 * The same path as seen from an item: the optional prefixes `$.` and `item.` are dropped.
 *
 * @since 0.1.0
 * @category combinators
 */
export const relativeToItem = (path: ValuePath): ValuePath =>
  !path.rooted && path.segments[0] === "item"
    ? { rooted: true, segments: path.segments.slice(1) }
    : { rooted: true, segments: path.segments }

/**
 * Writes a path, so that `parse` gives it back.
 *
 * @since 0.1.0
 * @category rendering
 */
export const format = (path: ValuePath): string => {
  let text = path.rooted ? "$" : ""
  for (const [index, segment] of path.segments.entries()) {
    if (index === 0 && !path.rooted) {
      text += String(segment)
    } else if (typeof segment === "number") {
      text += `[${segment}]`
    } else {
      text += isName(segment) ? `.${segment}` : `[${QuotedText.format(segment)}]`
    }
  }
  return text
}

const namePattern = /[\p{L}_](?:-?[\p{L}\p{M}\p{N}_])*/uy
const memberPattern = /[\p{L}\p{N}_](?:-?[\p{L}\p{M}\p{N}_])*/uy
const indexPattern = /-?[0-9]+/y

const isName = (text: string): boolean => text !== "" && Scan.match(namePattern, text, 0) === text

type Scanned = Either.Either<{ readonly segment: string | number; readonly end: number }, Scan.Failure>

const scanMember = (text: string, start: number): Scanned => {
  const member = Scan.match(memberPattern, text, start)
  if (member === "") {
    return Either.left({ offset: start, detail: "expected a name or a number after the dot" })
  }
  const index = Number(member)
  const segment = Number.isSafeInteger(index) && String(index) === member ? index : member
  return Either.right({ segment, end: start + member.length })
}

const scanBracket = (text: string, open: number): Scanned => {
  const start = open + 1
  const close = (segment: string | number, end: number): Scanned =>
    text[end] === "]"
      ? Either.right({ segment, end: end + 1 })
      : Either.left({ offset: end, detail: "expected ] to close the [ of the path" })
  if (text[start] === '"' || text[start] === "'") {
    return Either.flatMap(QuotedText.scan(text, start), ({ end, value }) => close(value, end))
  }
  const digits = Scan.match(indexPattern, text, start)
  const index = Number(digits)
  if (digits === "" || !Number.isSafeInteger(index)) {
    return Either.left({ offset: start, detail: `expected an index such as [0] or a quoted key such as ["a b"]` })
  }
  // -0 is the first element, like 0
  return close(index === 0 ? 0 : index, start + digits.length)
}

const getSegments = (segments: ReadonlyArray<string | number>, value: Json): Json | undefined => {
  let current: Json | undefined = value
  for (const segment of segments) {
    current = getMember(segment, current)
    if (current === undefined) {
      return undefined
    }
  }
  return current
}

const isArray = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

const getMember = (segment: string | number, value: Json): Json | undefined => {
  if (typeof value !== "object" || value === null) {
    return undefined
  }
  if (isArray(value)) {
    return typeof segment === "number" ? value.at(segment) : undefined
  }
  const key = String(segment)
  return Object.hasOwn(value, key) ? value[key] : undefined
}
