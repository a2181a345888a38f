/**
 * Who drives a job: a process, named so that a reused pid is not mistaken for it.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * @since 0.1.0
 * @category schemas
 */
export const Owner = Schema.Struct({
  pid: Schema.Int,
  host: Schema.String,
  started_at: Schema.String.annotations({
    description:
      "when that process started, in the platform's own terms (Linux: boot id and clock ticks): compared for equality only"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Owner extends Schema.Schema.Type<typeof Owner> {}
