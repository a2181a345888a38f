/**
 * What the commands about events print with `--json`.
 *
 * @since 0.1.0
 */
import { EventRecord } from "@prodigy/core/domain/Event"
import * as EventRetention from "@prodigy/core/engine/EventRetention"
import { type Hit, Stats } from "@prodigy/core/engine/Events"
import * as Schema from "effect/Schema"

/**
 * A line of `events list --json` and `events follow --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventLine = Schema.parseJson(EventRecord)

/**
 * `events stats --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventStats = Schema.parseJson(Stats)

/**
 * A line of `events search --json`: the event, and where it fits.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SearchLine = Schema.parseJson(
  Schema.Struct({
    ...EventRecord.fields,
    matches: Schema.Array(
      Schema.Struct({
        field: Schema.String,
        text: Schema.String.annotations({ description: "the field's whole value" }),
        start: Schema.Int.annotations({ description: "where the first match in it begins, in UTF-16 units" }),
        end: Schema.Int
      })
    )
  })
)

/**
 * What was found, for `--json`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const searchJson = ({ matches, record }: Hit) => ({ ...record, matches })

/**
 * `events clean --json`; `dry_run`: nothing was done, `steps` is what would be.
 *
 * @since 0.1.0
 * @category schemas
 */
export const EventClean = Schema.parseJson(
  Schema.Struct({
    dry_run: Schema.Boolean,
    ...EventRetention.Plan.fields,
    ...EventRetention.Report.fields,
    freed_bytes: Schema.Int.annotations({ description: "of what was done" })
  })
)

/**
 * A plan, and what was done of it, for `--json`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cleanJson = (plan: EventRetention.Plan, report: EventRetention.Report | null) => {
  const { done, failed } = report ?? { done: [], failed: [] }
  return {
    dry_run: report === null,
    ...plan,
    done,
    failed,
    freed_bytes: done.reduce((sum, { bytes, bytes_after }) => sum + bytes - bytes_after, 0)
  }
}
