/**
 * `sort_by`: `path [ASC|DESC] [NULLS FIRST|LAST], …`.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { Json } from "../../domain/WorkItem.ts"
import * as JsonValue from "../JsonValue.ts"
import * as QuotedText from "../QuotedText.ts"
import * as Scan from "../Scan.ts"
import * as ValuePath from "../ValuePath.ts"

/**
 * One key to sort by.
 *
 * @since 0.1.0
 * @category models
 */
export interface SortKey {
  readonly path: ValuePath.ValuePath
  readonly descending: boolean
  readonly nullsFirst: boolean
}

/**
 * Reads the keys. Words in capitals or not.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): Either.Either<ReadonlyArray<SortKey>, Scan.Failure> =>
  Either.gen(function* () {
    const keys: Array<SortKey> = []
    let at = Scan.skipSpace(text, 0)
    for (;;) {
      const { end, path } = yield* ValuePath.scan(text, at)
      const direction = word(text, end, /(?:asc|desc)\b/iy)
      const nulls = word(text, direction.end, /nulls\s+(?:first|last)\b/iy)
      keys.push({
        path: ValuePath.relativeToItem(path),
        descending: direction.text === "desc",
        nullsFirst: nulls.text.endsWith("first")
      })
      at = Scan.skipSpace(text, nulls.end)
      if (at === text.length) {
        return keys
      }
      if (text[at] !== ",") {
        const found = QuotedText.format(text.slice(at, at + 20))
        const detail = `expected ASC, DESC, NULLS FIRST, NULLS LAST or a comma, found ${found}`
        return yield* Either.left({ offset: at, detail })
      }
      at = Scan.skipSpace(text, at + 1)
    }
  })

/**
 * Sorts items: stable, and by the first key that tells two apart. Null and missing values stand first or last whatever
 * the direction; the others in the order of `JsonValue.compare`.
 *
 * @since 0.1.0
 * @category sorting
 */
export const sort = (items: ReadonlyArray<Json>, keys: ReadonlyArray<SortKey>): ReadonlyArray<Json> =>
  items
    .map((item) => ({ item, values: keys.map(({ path }) => ValuePath.get(path, item) ?? null) }))
    .sort((left, right) => compareValues(left.values, right.values, keys))
    .map(({ item }) => item)

const compareValues = (left: ReadonlyArray<Json>, right: ReadonlyArray<Json>, keys: ReadonlyArray<SortKey>): number => {
  for (const [index, key] of keys.entries()) {
    const order = compareKey(left[index] ?? null, right[index] ?? null, key)
    if (order !== 0) {
      return order
    }
  }
  return 0
}

const compareKey = (left: Json, right: Json, key: SortKey): number => {
  if (left === null || right === null) {
    return left === right ? 0 : (left === null) === key.nullsFirst ? -1 : 1
  }
  return key.descending ? JsonValue.compare(right, left) : JsonValue.compare(left, right)
}

/** A word after some space, in lower case; nothing, and the same offset, when another thing stands there. */
const word = (text: string, at: number, pattern: RegExp): { readonly text: string; readonly end: number } => {
  const start = Scan.skipSpace(text, at)
  const found = Scan.match(pattern, text, start)
  return found === "" ? { text: "", end: at } : { text: found.toLowerCase(), end: start + found.length }
}
