/**
 * What dead letters have in common: counts, patterns of failure, and when they happened. Pure.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { type DeadLetterSummary, isEligible } from "./DeadLetterSummary.ts"
import * as Timestamp from "./Timestamp.ts"
import { ItemId } from "./WorkItem.ts"

const Count = Schema.NonNegativeInt

/**
 * Letters with one error type; `unresolved` of them are not resolved.
 *
 * @since 0.1.0
 * @category schemas
 */
export const TypeCount = Schema.Struct({ error_type: Schema.String, count: Count, unresolved: Count })

/**
 * @since 0.1.0
 * @category schemas
 */
export const Stats = Schema.Struct({
  total: Count,
  failed: Count,
  retrying: Count,
  resolved: Count,
  eligible: Count.annotations({ description: "failed ones that dlq retry takes" }),
  manual_review: Count.annotations({ description: "not resolved, and a person has to look" }),
  attempts: Count.annotations({ description: "failed attempts of all of them" }),
  oldest: Schema.NullOr(Timestamp.Timestamp).annotations({ description: "first attempt of any" }),
  newest: Schema.NullOr(Timestamp.Timestamp).annotations({ description: "last attempt of any" }),
  error_types: Schema.Array(TypeCount)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Stats extends Schema.Schema.Type<typeof Stats> {}

/**
 * Letters of one signature.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Pattern = Schema.Struct({
  signature: Schema.String,
  error_type: Schema.String,
  count: Count,
  unresolved: Count,
  first: Timestamp.Timestamp.annotations({ description: "the earliest last attempt of its items" }),
  last: Timestamp.Timestamp,
  samples: Schema.Array(ItemId).annotations({ description: "items of it, those that are not resolved first" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Pattern extends Schema.Schema.Type<typeof Pattern> {}

/**
 * Last attempts in spans of equal length.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Times = Schema.Struct({
  span_ms: Count,
  spans: Schema.Array(Schema.Struct({ from: Timestamp.Timestamp, count: Count }))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Times extends Schema.Schema.Type<typeof Times> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const Analysis = Schema.Struct({
  total: Count,
  unresolved: Count,
  patterns: Schema.Array(Pattern).annotations({ description: "most unresolved items first" }),
  error_types: Schema.Array(TypeCount),
  times: Times
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Analysis extends Schema.Schema.Type<typeof Analysis> {}

/**
 * Items that a pattern names.
 *
 * @since 0.1.0
 * @category models
 */
export const samplesMax = 5

/**
 * Spans of time that an analysis has at most.
 *
 * @since 0.1.0
 * @category models
 */
export const spansMax = 24

/**
 * @since 0.1.0
 * @category constructors
 */
export const stats = (letters: ReadonlyArray<DeadLetterSummary>): Stats => {
  const count = (holds: (letter: DeadLetterSummary) => boolean) =>
    letters.reduce((sum, letter) => sum + (holds(letter) ? 1 : 0), 0)
  return {
    total: letters.length,
    failed: count(({ status }) => status === "failed"),
    retrying: count(({ status }) => status === "retrying"),
    resolved: count(isResolved),
    eligible: count(isEligible),
    manual_review: count((letter) => letter.manual_review_required && !isResolved(letter)),
    attempts: letters.reduce((sum, letter) => sum + letter.failure_count, 0),
    oldest: extreme(letters, ({ first_attempt }) => first_attempt, earlier),
    newest: extreme(letters, ({ last_attempt }) => last_attempt, later),
    error_types: errorTypes(letters)
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const analyze = (letters: ReadonlyArray<DeadLetterSummary>): Analysis => ({
  total: letters.length,
  unresolved: letters.filter((letter) => !isResolved(letter)).length,
  patterns: groups(letters, ({ error_signature }) => error_signature).map(([signature, [first, ...others]]) => {
    const all = [first, ...others]
    return {
      signature,
      error_type: first.error_type,
      count: all.length,
      unresolved: unresolved(all),
      first: all.map(({ last_attempt }) => last_attempt).reduce(earlier),
      last: all.map(({ last_attempt }) => last_attempt).reduce(later),
      samples: [...all.filter((letter) => !isResolved(letter)), ...all.filter(isResolved)]
        .slice(0, samplesMax)
        .map(({ item_id }) => item_id)
    }
  }),
  error_types: errorTypes(letters),
  times: times(letters.map(({ last_attempt }) => millisOf(last_attempt)))
})

/**
 * Moments in at most `spansMax` spans of one round length, without a gap, from the first to the last.
 *
 * @since 0.1.0
 * @category constructors
 */
export const times = (millis: ReadonlyArray<number>): Times => {
  const [least, most] = millis.reduce(
    ([least, most], at) => [Math.min(least, at), Math.max(most, at)],
    [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  )
  if (millis.length === 0) return { span_ms: spanMillis[0], spans: [] }
  const span = spanFor(least, most)
  const from = Math.floor(least / span)
  const counts = Array.from({ length: Math.floor(most / span) - from + 1 }, () => 0)
  for (const at of millis) {
    const index = Math.floor(at / span) - from
    counts[index] = (counts[index] ?? 0) + 1
  }
  return {
    span_ms: span,
    spans: counts.map((count, index) => ({ from: Timestamp.fromMillis((from + index) * span), count }))
  }
}

const minute = 60_000
const hour = 60 * minute
const day = 24 * hour
const spanMillis = [minute, 5 * minute, 15 * minute, hour, 6 * hour, day, 7 * day, 28 * day] as const

const spanFor = (least: number, most: number): number => {
  const fits = (span: number) => Math.floor(most / span) - Math.floor(least / span) < spansMax
  const found = spanMillis.find(fits)
  if (found !== undefined) return found
  let span: number = 28 * day
  while (!fits(span)) span *= 2
  return span
}

const isResolved = ({ status }: DeadLetterSummary): boolean => status === "resolved"

const unresolved = (letters: ReadonlyArray<DeadLetterSummary>): number =>
  letters.reduce((sum, letter) => sum + (isResolved(letter) ? 0 : 1), 0)

const errorTypes = (letters: ReadonlyArray<DeadLetterSummary>): Stats["error_types"] =>
  groups(letters, ({ error_type }) => error_type).map(([error_type, all]) => ({
    error_type,
    count: all.length,
    unresolved: unresolved(all)
  }))

type Group = readonly [DeadLetterSummary, ...ReadonlyArray<DeadLetterSummary>]

/** Letters by a key; the key with the most unresolved ones first, then with the most, then by its name. */
const groups = (
  letters: ReadonlyArray<DeadLetterSummary>,
  keyOf: (letter: DeadLetterSummary) => string
): ReadonlyArray<readonly [key: string, letters: Group]> => {
  const found = new Map<string, [DeadLetterSummary, ...Array<DeadLetterSummary>]>()
  for (const letter of letters) {
    const group = found.get(keyOf(letter))
    if (group === undefined) found.set(keyOf(letter), [letter])
    else group.push(letter)
  }
  return [...found]
    .map(([key, group]) => ({ key, group, open: unresolved(group) }))
    .sort((a, b) => b.open - a.open || b.group.length - a.group.length || (a.key < b.key ? -1 : 1))
    .map(({ group, key }) => [key, group] as const)
}

const earlier = (a: string, b: string): string => (a < b ? a : b)
const later = (a: string, b: string): string => (a > b ? a : b)

const extreme = (
  letters: ReadonlyArray<DeadLetterSummary>,
  of: (letter: DeadLetterSummary) => string,
  choose: (a: string, b: string) => string
): string | null =>
  letters.reduce<string | null>((found, letter) => (found === null ? of(letter) : choose(found, of(letter))), null)

const millisOf = (timestamp: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(timestamp))
