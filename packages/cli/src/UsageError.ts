/**
 * A command line that cannot be understood.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * `what` says what is wrong in one sentence; `command` is the command line so far, for the pointer to its help.
 *
 * @since 0.1.0
 * @category errors
 */
export class UsageError extends Schema.TaggedError<UsageError>("@prodigy/cli/UsageError")("UsageError", {
  what: Schema.String,
  suggestions: Schema.Array(Schema.String),
  command: Schema.String
}) {
  override get message() {
    return this.what
  }
}
