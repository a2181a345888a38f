/**
 * What `clean --json` prints.
 *
 * @since 0.1.0
 */
import * as Clean from "@prodigy/core/engine/Clean"
import * as Schema from "effect/Schema"

/**
 * `clean PART --json`; `dry_run`: nothing was removed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CleanResult = Schema.parseJson(Schema.Struct({ dry_run: Schema.Boolean, ...Clean.Result.fields }))
