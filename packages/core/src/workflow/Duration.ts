/**
 * Durations as workflow authors write them: `30` (seconds), `"30s"`, `"10m"`, `"1h30m"`, `"500ms"`, `"1d"`.
 *
 * Owns the notation. Does not own where a duration may stand.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"

/**
 * The longest duration, just under 25 days: what a timer can hold.
 *
 * @since 0.1.0
 * @category models
 */
export const millisMax = 2_147_483_647

/**
 * The forms that are understood, for hints.
 *
 * @since 0.1.0
 * @category models
 */
export const forms = '30 (seconds), "30s", "10m" or "1h30m"'

/**
 * Reads a text into milliseconds; a bare number is seconds. The left side says what is wrong with it.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (text: string): Either.Either<number, string> => {
  const trimmed = text.trim()
  if (/^\d+(\.\d+)?$/.test(trimmed)) return fromSeconds(Number(trimmed))
  if (!/^(\d+(\.\d+)?(ms|s|m|h|d))+$/.test(trimmed)) return Either.left("is not a duration")
  let millis = 0
  let largest = Number.POSITIVE_INFINITY
  for (const [, amount, , unit] of trimmed.matchAll(/(\d+(\.\d+)?)(ms|s|m|h|d)/g)) {
    const size = unitMillis[unit ?? ""] ?? Number.NaN
    if (!(size < largest)) return Either.left("names its units out of order or twice")
    largest = size
    millis += Number(amount) * size
  }
  return check(millis)
}

/**
 * A number of seconds as milliseconds.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fromSeconds = (seconds: number): Either.Either<number, string> => check(seconds * 1000)

const unitMillis: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 }

const check = (millis: number): Either.Either<number, string> => {
  if (!(millis > 0)) return Either.left("must be longer than nothing")
  const whole = Math.ceil(millis - 1e-6)
  return whole > millisMax ? Either.left("is longer than 24 days") : Either.right(Math.max(1, whole))
}
