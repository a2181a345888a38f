/**
 * A dead letter in short: what listings, statistics and analyses need of it, without the item's data and the history.
 *
 * Everything in it is taken from the letter, which stays the truth.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { DeadLetter } from "./DeadLetter.ts"
import { Timestamp } from "./Timestamp.ts"

/**
 * @since 0.1.0
 * @category schemas
 */
export const DeadLetterSummary = Schema.Struct({
  item_id: DeadLetter.fields.item_id,
  item_index: DeadLetter.fields.item_index,
  status: DeadLetter.fields.status,
  reprocess_eligible: Schema.Boolean,
  manual_review_required: Schema.Boolean,
  failure_count: Schema.Int,
  first_attempt: Timestamp,
  last_attempt: Timestamp,
  resolved_at: Schema.optional(Timestamp),
  error_type: Schema.String.annotations({ description: "of the last attempt" }),
  error_signature: Schema.String,
  refs: Schema.Array(Schema.String).annotations({
    description: "branch and rescue ref with the work of the last attempt"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface DeadLetterSummary extends Schema.Schema.Type<typeof DeadLetterSummary> {}

/**
 * @since 0.1.0
 * @category constructors
 */
export const fromLetter = (letter: DeadLetter): DeadLetterSummary => {
  const last = letter.failure_history.at(-1) ?? letter.failure_history[0]
  const { branch_name, uncommitted_changes } = letter.worktree_artifacts
  return {
    item_id: letter.item_id,
    item_index: letter.item_index,
    status: letter.status,
    reprocess_eligible: letter.reprocess_eligible,
    manual_review_required: letter.manual_review_required,
    failure_count: letter.failure_count,
    first_attempt: letter.first_attempt,
    last_attempt: letter.last_attempt,
    ...(letter.resolved_at === undefined ? {} : { resolved_at: letter.resolved_at }),
    error_type: last.error_type,
    error_signature: letter.error_signature,
    refs: [branch_name, uncommitted_changes].filter((ref) => ref !== undefined)
  }
}

/**
 * When something of it last changed: an attempt, or its resolution.
 *
 * @since 0.1.0
 * @category getters
 */
export const lastChange = ({ last_attempt, resolved_at }: DeadLetterSummary): string =>
  resolved_at !== undefined && resolved_at > last_attempt ? resolved_at : last_attempt

/**
 * Whether `dlq retry` takes it without force.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isEligible = (letter: DeadLetterSummary): boolean =>
  letter.status === "failed" && letter.reprocess_eligible
