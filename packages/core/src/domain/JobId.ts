/**
 * The id of a job, the MapReduce part of a session.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import { SafeName } from "./SafeName.ts"

/**
 * `mapreduce-YYYYMMDD_HHMMSS` in UTC, with `_2`, `_3`, … on a clash. Safe as one component of a path.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobId = SafeName.pipe(Schema.brand("@prodigy/core/domain/JobId"))

/**
 * @since 0.1.0
 * @category models
 */
export type JobId = typeof JobId.Type

/**
 * The id for a job started at the given UTC time; `clash` counts from 1, the first try.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromTime = (epochMillis: number, clash: number): JobId =>
  JobId.make(`mapreduce-${stamp(epochMillis)}${clash > 1 ? `_${clash}` : ""}`)

/**
 * `YYYYMMDD_HHMMSS` in UTC, the form times have in ids and file names.
 *
 * @since 0.1.0
 * @category encoding
 */
export const stamp = (epochMillis: number): string =>
  DateTime.formatIso(DateTime.unsafeMake(epochMillis)).slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "_")

/**
 * Oldest first, for job ids and for file names that carry a stamp: `…_10` comes after `…_2`, and both after the name
 * without a count.
 *
 * @since 0.1.0
 * @category ordering
 */
export const byTime: Order.Order<string> = Order.mapInput(Order.string, (name) =>
  name.replaceAll(/\d+/g, (digits) => digits.padStart(16, "0"))
)
