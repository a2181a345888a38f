/**
 * What `--json` prints of the commands that tell how a job goes and why.
 *
 * @since 0.1.0
 */
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
