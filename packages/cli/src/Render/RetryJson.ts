/**
 * What `dlq retry --json` prints.
 *
 * @since 0.1.0
 */
import { RetryPlan } from "@prodigy/core/engine/DeadLetterRetry"
import * as Schema from "effect/Schema"

/**
 * `dlq retry --dry-run --json`, and `dlq retry --json` where nothing is taken; otherwise the report of a run.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Plan = Schema.parseJson(RetryPlan)
