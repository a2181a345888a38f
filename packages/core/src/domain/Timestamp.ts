/**
 * Times as they stand in every file: RFC 3339, UTC, milliseconds.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * @since 0.1.0
 * @category schemas
 */
export const Timestamp = Schema.String.pipe(
  Schema.pattern(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/, { message: () => "an RFC 3339 time in UTC" })
)

/**
 * @since 0.1.0
 * @category constructors
 */
export const fromMillis = (epochMillis: number): string => DateTime.formatIso(DateTime.unsafeMake(epochMillis))

/**
 * The clock's time.
 *
 * @since 0.1.0
 * @category constructors
 */
export const now: Effect.Effect<string> = Effect.map(Clock.currentTimeMillis, fromMillis)
