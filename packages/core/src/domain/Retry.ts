/**
 * How often something that failed is tried again, how long is waited before, and which failures it is done for: what a
 * `retry` says, for steps and for items.
 *
 * Pure: the random share that jitter needs is given by the caller.
 *
 * @since 0.1.0
 */
import { RE2JS } from "re2js"
import * as Schema from "effect/Schema"
import type { Failure } from "./Failure.ts"

const millis = Schema.NonNegative.pipe(Schema.finite())

/**
 * A try that is waited for, or was begun: its number, counted from 1, of how many, and when it begins.
 *
 * @since 0.1.0
 * @category models
 */
export interface NextTry {
  readonly number: number
  readonly of: number
  readonly atMillis: number
}

/**
 * How the delay grows. The delay before retry n (n = 1 for the second attempt), before the cap and jitter:
 * - `fixed`: `delay_ms`;
 * - `linear`: `initial_ms + (n - 1) * increment_ms`;
 * - `exponential`: `initial_ms * multiplier ^ (n - 1)`;
 * - `fibonacci`: `initial_ms * F(n)`, F being 1, 1, 2, 3, 5, …;
 * - `custom`: the n-th of `delays_ms`, the last one from there on.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Backoff = Schema.Union(
  Schema.Struct({ kind: Schema.tag("fixed"), delay_ms: millis }),
  Schema.Struct({ kind: Schema.tag("linear"), initial_ms: millis, increment_ms: millis }),
  Schema.Struct({
    kind: Schema.tag("exponential"),
    initial_ms: millis,
    multiplier: Schema.Number.pipe(Schema.finite(), Schema.greaterThanOrEqualTo(1))
  }),
  Schema.Struct({ kind: Schema.tag("fibonacci"), initial_ms: millis }),
  Schema.Struct({ kind: Schema.tag("custom"), delays_ms: Schema.NonEmptyArray(millis) })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Backoff = typeof Backoff.Type

/**
 * `attempts` counts all of them, the first included, which has no delay. No delay is longer than `max_delay_ms`.
 * With `jitter` j (0 to 1) a delay d becomes a random one between d(1 - j) and d(1 + j).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Retry = Schema.Struct({
  attempts: Schema.Int.pipe(Schema.positive()),
  backoff: Backoff,
  max_delay_ms: millis,
  jitter: Schema.Number.pipe(Schema.between(0, 1))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Retry extends Schema.Schema.Type<typeof Retry> {}

/**
 * A kind of failure that is tried again: a word, or an RE2 pattern that is found in the failure's message or in the last
 * lines of its output. A word fits what the failure itself says, never words in its text.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RetryOn = Schema.Union(
  Schema.Literal("network", "timeout", "server_error", "rate_limit"),
  Schema.Struct({ pattern: Schema.String })
)

/**
 * @since 0.1.0
 * @category models
 */
export type RetryOn = typeof RetryOn.Type

/**
 * Milliseconds to wait before retry `n` (from 1). `random` is at least 0 and below 1. Total, finite, never negative.
 *
 * @since 0.1.0
 * @category combinators
 */
export const delayMillis = (retry: Retry, n: number, random: number): number => {
  const capped = Math.min(uncapped(retry.backoff, n), retry.max_delay_ms)
  const spread = capped * (1 - retry.jitter + 2 * retry.jitter * random)
  return Math.round(Math.min(spread, retry.max_delay_ms))
}

/**
 * Whether a failure is one that `on` is about; with an empty `on` every failure is, except one that would be the same the
 * next time (`Failure.nature`). A used up quota is never: the whole job waits for it, and no try is spent on it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isRetried = (on: ReadonlyArray<RetryOn>, failure: Failure): boolean => {
  if (failure.cause.error_type === "QuotaExceeded" || failure.nature === "lasting") return false
  return on.length === 0 || on.some((kind) => fits(kind, failure))
}

const fits = (kind: RetryOn, failure: Failure): boolean => {
  switch (kind) {
    case "network":
    case "server_error":
      return failure.nature === kind
    case "timeout":
      return failure.cause.error_type === "Timeout" || failure.nature === "timeout"
    case "rate_limit":
      return failure.cause.error_type === "QuotaExceeded"
    default:
      return isFound(kind.pattern, `${failure.message}\n${failure.output_tail}`)
  }
}

/** In time linear in the text. Patterns were checked with the workflow; one that cannot be read any more finds nothing. */
const isFound = (pattern: string, text: string): boolean => {
  try {
    return RE2JS.compile(pattern).matcher(text).find()
  } catch {
    return false
  }
}

const uncapped = (backoff: Backoff, n: number): number => {
  switch (backoff.kind) {
    case "fixed":
      return backoff.delay_ms
    case "linear":
      return backoff.initial_ms + (n - 1) * backoff.increment_ms
    case "exponential":
      // 0 × Infinity is not a number: without a first delay there is none later.
      return backoff.initial_ms === 0 ? 0 : backoff.initial_ms * backoff.multiplier ** (n - 1)
    case "fibonacci":
      return backoff.initial_ms === 0 ? 0 : backoff.initial_ms * fibonacci(n)
    case "custom":
      return backoff.delays_ms[Math.min(n, backoff.delays_ms.length) - 1] ?? 0
  }
}

const fibonacci = (n: number): number => {
  let [current, next] = [1, 1]
  // The numbers beyond this index are Infinity, whatever n.
  for (let index = 1; index < Math.min(n, 1500); index++) [current, next] = [next, current + next]
  return current
}

/**
 * A share from 0 to below 1 that depends on the text alone, evenly spread: random enough for jitter, and the same
 * whenever a decision is made again. FNV-1a, 32 bits, with the finalizer of MurmurHash3.
 *
 * @since 0.1.0
 * @category combinators
 */
export const shareOf = (text: string): number => {
  let hash = 0x811c9dc5
  for (let index = 0; index < text.length; index++) hash = Math.imul(hash ^ text.charCodeAt(index), 0x01000193)
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32
}
