/**
 * What the commands about sessions print with `--json`, beside what `Json` has.
 *
 * @since 0.1.0
 */
import { Entry } from "@prodigy/core/engine/SessionClean"
import * as Schema from "effect/Schema"

/**
 * `sessions clean --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SessionRemoval = Schema.parseJson(
  Schema.Struct({
    dry_run: Schema.Boolean,
    sessions: Schema.Array(Entry).annotations({ description: "newest first: what goes, and what stays and why" }),
    damaged: Schema.Array(Schema.String).annotations({ description: "session files that cannot be read; they stay" })
  })
)
