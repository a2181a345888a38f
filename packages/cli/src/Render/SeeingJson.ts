/**
 * What `--json` prints of the commands that tell how a job goes and why.
 *
 * @since 0.1.0
 */
import { Timestamp } from "@prodigy/core/domain/Timestamp"
import * as Attach from "@prodigy/core/engine/Attach"
import * as Explain from "@prodigy/core/engine/Explain"
import * as Schema from "effect/Schema"

/**
 * `explain --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Explanation = Schema.parseJson(Explain.Explanation)

/**
 * `progress --json`: one line at once, one for each change, one at the end.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Snapshot = Schema.parseJson(Attach.Snapshot)

const log = {
  path: Schema.String,
  item_id: Schema.NullOr(Schema.String).annotations({ description: "null: no step of an item" }),
  name: Schema.String.annotations({ description: "the step, as the file's name tells it" }),
  kind: Schema.Literal("agent", "shell").annotations({ description: "what an agent streamed, or a command's output" })
}

/**
 * `logs --json`: one line for each line of a transcript, as it was written.
 *
 * @since 0.1.0
 * @category schemas
 */
export const LogLine = Schema.parseJson(Schema.Struct({ ...log, line: Schema.String }))

/**
 * `logs --summary --json`: one line for each transcript.
 *
 * @since 0.1.0
 * @category schemas
 */
export const LogSummary = Schema.parseJson(Schema.Struct({ ...log, bytes: Schema.Int, modified_at: Timestamp }))
