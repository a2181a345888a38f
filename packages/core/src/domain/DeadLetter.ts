/**
 * A dead letter: an item that failed for good, with everything needed to understand it and to try it again.
 *
 * @since 0.1.0
 */
import * as Arr from "effect/Array"
import * as Schema from "effect/Schema"
import { AgentId } from "./AgentId.ts"
import * as Failure from "./Failure.ts"
import { Timestamp } from "./Timestamp.ts"
import { ItemId, Json } from "./WorkItem.ts"

/**
 * One failed attempt. `error_type` is the cause's name; `exit_code` stands where the cause is `CommandFailed`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FailedAttempt = Schema.Struct({
  attempt_number: Schema.Int,
  timestamp: Timestamp,
  error_type: Schema.String,
  cause: Failure.Cause,
  error_message: Schema.String,
  error_context: Schema.Array(Schema.String),
  stack_trace: Schema.optional(Schema.String),
  agent_id: AgentId,
  step_failed: Schema.NullOr(Schema.String),
  exit_code: Schema.optional(Schema.Int),
  duration_ms: Schema.JsonNumber,
  json_log_location: Schema.optional(Schema.String),
  output_tail: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export interface FailedAttempt extends Schema.Schema.Type<typeof FailedAttempt> {}

/**
 * Where a failed attempt's work is kept. Every field is a fact read back from git after it was kept.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Kept = Schema.Struct({
  worktree_path: Schema.optional(Schema.String),
  branch_name: Schema.optional(Schema.String).annotations({ description: "branch with what the agent committed" }),
  tip: Schema.optional(Schema.String).annotations({ description: "commit at the branch's end" }),
  uncommitted_changes: Schema.optional(Schema.String).annotations({
    description: "rescue ref that holds what was not committed"
  }),
  error_logs: Schema.optional(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Kept extends Schema.Schema.Type<typeof Kept> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const DeadLetter = Schema.Struct({
  item_id: ItemId,
  item_index: Schema.NonNegativeInt,
  item_data: Json,
  first_attempt: Timestamp,
  last_attempt: Timestamp,
  failure_count: Schema.Int,
  failure_history: Schema.NonEmptyArray(FailedAttempt),
  error_signature: Schema.String,
  reprocess_eligible: Schema.Boolean,
  manual_review_required: Schema.Boolean,
  worktree_artifacts: Kept,
  status: Schema.Literal("failed", "retrying", "resolved"),
  retried_at: Schema.optional(Schema.Array(Timestamp)).annotations({
    description: "when it was taken out of the queue to be tried again, oldest first"
  }),
  resolved_at: Schema.optional(Timestamp),
  resolved_by: Schema.optional(Schema.Struct({ agent_id: AgentId, attempt_number: Schema.Int })).annotations({
    description: "the attempt that succeeded"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface DeadLetter extends Schema.Schema.Type<typeof DeadLetter> {}

/**
 * A failure as it stands in a dead letter's history.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attempt = (options: {
  readonly failure: Failure.Failure
  readonly agentId: AgentId
  readonly attempt: number
  readonly at: string
  readonly durationMillis: number
}): FailedAttempt => ({
  attempt_number: options.attempt,
  timestamp: options.at,
  error_type: options.failure.cause.error_type,
  cause: options.failure.cause,
  error_message: options.failure.message,
  error_context: options.failure.context,
  agent_id: options.agentId,
  step_failed: options.failure.step,
  ...(options.failure.cause.error_type === "CommandFailed" ? { exit_code: options.failure.cause.exit_code } : {}),
  duration_ms: options.durationMillis,
  ...(options.failure.log === null ? {} : { json_log_location: options.failure.log }),
  output_tail: options.failure.output_tail
})

/**
 * A dead letter after one more failure: history grows, is never overwritten. Appending the same attempt twice changes
 * nothing, so that a repeated write after a crash is harmless.
 *
 * @since 0.1.0
 * @category combinators
 */
export const append = (
  previous: DeadLetter | undefined,
  item: { readonly index: number; readonly id: ItemId; readonly data: Json },
  failed: FailedAttempt,
  errorSignature: string,
  kept: Kept
): DeadLetter => {
  const history = previous?.failure_history ?? []
  const known = history.some(
    (entry) => entry.attempt_number === failed.attempt_number && entry.agent_id === failed.agent_id
  )
  if (previous !== undefined && known) return previous
  return {
    item_id: item.id,
    item_index: item.index,
    item_data: item.data,
    first_attempt: previous?.first_attempt ?? failed.timestamp,
    last_attempt: failed.timestamp,
    failure_count: history.length + 1,
    failure_history: Arr.append(history, failed),
    error_signature: errorSignature,
    reprocess_eligible: previous?.reprocess_eligible ?? true,
    manual_review_required: failed.error_type === "MergeConflict",
    worktree_artifacts: kept,
    status: "failed",
    ...(previous?.retried_at === undefined ? {} : { retried_at: previous.retried_at })
  }
}

/**
 * A dead letter whose item is being tried again since `at`. What is newer than that stays as it is.
 *
 * @since 0.1.0
 * @category combinators
 */
export const retrying = (letter: DeadLetter, at: string): DeadLetter => {
  const before = letter.retried_at ?? []
  const isNewer = letter.last_attempt > at || (letter.resolved_at ?? "") > at
  const status = isNewer ? letter.status : "retrying"
  if (before.includes(at)) return status === letter.status ? letter : { ...letter, status }
  return { ...letter, status, retried_at: [...before, at] }
}

/**
 * A dead letter whose item was done after all, at `at`, by an attempt.
 *
 * @since 0.1.0
 * @category combinators
 */
export const resolved = (letter: DeadLetter, at: string, by: NonNullable<DeadLetter["resolved_by"]>): DeadLetter =>
  letter.status === "resolved" || letter.last_attempt > at
    ? letter
    : { ...letter, status: "resolved", resolved_at: at, resolved_by: by }

/**
 * A dead letter whose item is not tried again after all, because nobody goes on with its job.
 *
 * @since 0.1.0
 * @category combinators
 */
export const givenBack = (letter: DeadLetter): DeadLetter =>
  letter.status === "retrying" ? { ...letter, status: "failed" } : letter

/**
 * A dead letter that cannot be tried again: its item was given up in another way since.
 *
 * @since 0.1.0
 * @category combinators
 */
export const closed = (letter: DeadLetter): DeadLetter => ({ ...letter, reprocess_eligible: false })

/**
 * What a filter over dead letters knows by name: the letter, its last failure, and its item as `item`.
 *
 * @since 0.1.0
 * @category conversions
 */
export const fields = (letter: DeadLetter): Readonly<Record<string, Json>> => {
  const [first] = letter.failure_history
  const last = letter.failure_history.at(-1) ?? first
  return {
    item: letter.item_data,
    item_id: letter.item_id,
    item_index: letter.item_index,
    status: letter.status,
    failure_count: letter.failure_count,
    retries: letter.retried_at?.length ?? 0,
    first_attempt: letter.first_attempt,
    last_attempt: letter.last_attempt,
    reprocess_eligible: letter.reprocess_eligible,
    manual_review_required: letter.manual_review_required,
    error_signature: letter.error_signature,
    error_type: last.error_type,
    error_message: last.error_message,
    exit_code: last.exit_code ?? null,
    step_failed: last.step_failed,
    duration_ms: last.duration_ms,
    output_tail: last.output_tail,
    error_types: letter.failure_history.map(({ error_type }) => error_type)
  }
}
