/**
 * Which events are meant: filters, and regular expressions over their fields.
 *
 * Pure. Expressions are RE2's, which takes time in proportion to the text, whatever the expression: a search can be slow and
 * never hangs.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { RE2JS } from "re2js"
import type { EventRecord } from "../domain/Event.ts"

/**
 * A text that is not a regular expression.
 *
 * @since 0.1.0
 * @category errors
 */
export class SearchInvalid extends Schema.TaggedError<SearchInvalid>("@prodigy/core/engine/EventQuery/SearchInvalid")(
  "SearchInvalid",
  {
    expression: Schema.String,
    position: Schema.Int.annotations({ description: "of the character at which it goes wrong, from 1" }),
    detail: Schema.String
  }
) {
  override get message() {
    return `"${this.expression}" is not a regular expression: ${this.detail}, at character ${this.position}.`
  }
}

/**
 * Passes events of one of the types (none: of any), of an agent or item, from a moment on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Filter {
  readonly types: ReadonlyArray<string>
  /** The id of an agent or of an item. */
  readonly agent: string | null
  readonly sinceMillis: number | null
}

/**
 * @since 0.1.0
 * @category predicates
 */
export const passes =
  (filter: Filter) =>
  (record: EventRecord): boolean => {
    if (filter.types.length > 0 && !filter.types.includes(record.event.event_type)) return false
    if (filter.agent !== null && !isOf(record, filter.agent)) return false
    return filter.sinceMillis === null || millisOf(record.timestamp) >= filter.sinceMillis
  }

/**
 * Whose an event is; null where it is nobody's. Kinds of other versions hold fields of any type.
 *
 * @since 0.1.0
 * @category getters
 */
export const whoOf = ({ event }: EventRecord): { readonly agentId: string | null; readonly itemId: string | null } => ({
  agentId: "agent_id" in event && typeof event.agent_id === "string" ? event.agent_id : null,
  itemId: "item_id" in event && typeof event.item_id === "string" ? event.item_id : null
})

const isOf = (record: EventRecord, agent: string): boolean => {
  const { agentId, itemId } = whoOf(record)
  return agentId === agent || itemId === agent
}

const millisOf = (timestamp: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(timestamp))

/**
 * A value of an event: text, number or truth value, and where it stands. The elements of a list have the list's name.
 *
 * @since 0.1.0
 * @category models
 */
export interface Leaf {
  readonly field: string
  readonly text: string
}

/**
 * All values of an event. Those of `event` stand under their own names, the others as in the record: `error`,
 * `commits`, `timestamp`, `metadata.host`.
 *
 * @since 0.1.0
 * @category getters
 */
export const leavesOf = (record: EventRecord): ReadonlyArray<Leaf> => {
  const { event, ...rest } = record
  const found: Array<Leaf> = []
  collect("", event, found)
  collect("", rest, found)
  return found
}

const collect = (field: string, value: unknown, into: Array<Leaf>): void => {
  if (value === null || value === undefined) return
  if (Array.isArray(value)) return value.forEach((element) => collect(field, element, into))
  if (typeof value !== "object") return void into.push({ field, text: String(value) })
  for (const [name, inner] of Object.entries(value)) collect(field === "" ? name : `${field}.${name}`, inner, into)
}

/** What a search looks at when no field is named: everything but what every event has. */
const alwaysThere: ReadonlySet<string> = new Set([
  "v",
  "id",
  "timestamp",
  "correlation_id",
  "metadata.host",
  "metadata.pid"
])

/**
 * Whether a field that was asked for is `field`, or holds it.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isIn = (asked: string, field: string): boolean => field === asked || field.startsWith(`${asked}.`)

/**
 * The first place in a value that an expression fits: from `start` to before `end`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Match extends Leaf {
  readonly start: number
  readonly end: number
}

/**
 * Reads an expression into a function that gives an event's matches; none: it does not fit. `fields` empty: all fields,
 * but those that every event has.
 *
 * @since 0.1.0
 * @category constructors
 */
export const matcher = (
  expression: string,
  fields: ReadonlyArray<string>
): Either.Either<(record: EventRecord) => ReadonlyArray<Match>, SearchInvalid> => {
  const compiled = compile(expression)
  if (Either.isLeft(compiled)) {
    const position = positionOf(expression, compiled.left) + 1
    return Either.left(new SearchInvalid({ expression, position, detail: compiled.left.description }))
  }
  const isAsked = (field: string) =>
    fields.length === 0 ? !alwaysThere.has(field) : fields.some((asked) => isIn(asked, field))
  return Either.right((record) =>
    leavesOf(record).flatMap((leaf) => {
      if (!isAsked(leaf.field)) return []
      const found = compiled.right.matcher(leaf.text)
      return found.find() ? [{ ...leaf, start: found.start(), end: found.end() }] : []
    })
  )
}

interface Refusal {
  readonly description: string
  /** The part of the expression that the library names. */
  readonly part: string
}

const compile = (expression: string): Either.Either<RE2JS, Refusal> =>
  Either.try({
    try: () => RE2JS.compile(expression),
    // The library tells an expression that it cannot compile by throwing.
    catch: (cause) => {
      const [, description, part] = /: (.*): `([\s\S]*)`$/.exec(cause instanceof Error ? cause.message : "") ?? []
      return { description: description ?? "it cannot be compiled", part: part ?? expression }
    }
  })

/** The library does not say where; its verdicts on the beginnings of the expression do. */
const positionOf = (expression: string, { description, part }: Refusal): number => {
  const beginnings = Array.from({ length: expression.length }, (_, length) => expression.slice(0, length))
  if (description.startsWith("missing closing )")) {
    return beginnings.findLastIndex((beginning) => Either.isRight(compile(beginning)))
  }
  // Of one that is too many, the library names the whole expression.
  const isWhole = description.startsWith("unexpected )")
  const first =
    beginnings.find((beginning) =>
      Either.match(compile(beginning), {
        onLeft: (other) => other.description === description && (isWhole || other.part === part),
        onRight: () => false
      })
    ) ?? expression
  return isWhole ? first.length - 1 : Math.max(0, first.lastIndexOf(part))
}
