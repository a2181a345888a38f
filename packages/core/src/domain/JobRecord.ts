/**
 * Journal records: every state transition of a job. The state of a job is the fold of them (`JobState`).
 *
 * Fields are spelled as they stand on disk.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { AgentId } from "./AgentId.ts"
import { Kept } from "./DeadLetter.ts"
import { Failure } from "./Failure.ts"
import { JobId } from "./JobId.ts"
import { Owner } from "./Owner.ts"
import { SessionId } from "./SessionId.ts"
import { Timestamp } from "./Timestamp.ts"
import { Usage } from "./Usage.ts"
import { ItemId, Json } from "./WorkItem.ts"

const record = <const Type extends string, const Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ type: Schema.tag(type), ...fields })

const item = { index: Schema.NonNegativeInt, item_id: ItemId }
const attempt = { ...item, agent_id: AgentId, attempt: Schema.Int }
const commit = Schema.String.pipe(Schema.pattern(/^[0-9a-f]{40}([0-9a-f]{24})?$/))

/**
 * What becomes of an item whose attempt failed: it failed for good (`dead_letter`, `skip`), is tried again (`retry`), or
 * goes back as if it had not been tried (`put_back`), because the failure is not its own.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Disposition = Schema.Literal("dead_letter", "skip", "retry", "put_back")

/**
 * @since 0.1.0
 * @category models
 */
export type Disposition = typeof Disposition.Type

/**
 * How a session ended up in its target.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Finish = Schema.Union(
  Schema.Struct({ outcome: Schema.tag("merged"), target: Schema.String, commit }),
  Schema.Struct({ outcome: Schema.tag("nothing_to_merge"), target: Schema.String }),
  Schema.Struct({
    outcome: Schema.tag("waiting"),
    target: Schema.NullOr(Schema.String),
    branch: Schema.String,
    reason: Schema.Literal("declined", "not_asked", "conflict", "dirty_target", "no_target_branch"),
    paths: Schema.Array(Schema.String).annotations({ description: "the files that stand in the way" }),
    command: Schema.String.annotations({ description: "what to type to merge by hand" })
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Finish = typeof Finish.Type

/**
 * Variables with the values that steps captured.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Variables = Schema.Record({ key: Schema.String, value: Json })

/**
 * @since 0.1.0
 * @category models
 */
export type Variables = typeof Variables.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Phase = Schema.Literal("setup", "select", "map", "reduce", "finish")

/**
 * @since 0.1.0
 * @category models
 */
export type Phase = typeof Phase.Type

/**
 * Who stops a job: the workflow's failure policy, or what the job stands on (disk, git).
 *
 * @since 0.1.0
 * @category schemas
 */
export const StoppedBy = Schema.Literal("policy", "environment")

/**
 * @since 0.1.0
 * @category models
 */
export type StoppedBy = typeof StoppedBy.Type

/**
 * What a retry of dead letters was asked to do; it holds for that retry only.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RetryTerms = Schema.Struct({
  filter: Schema.NullOr(Schema.String).annotations({ description: "what the letters were chosen by" }),
  max_parallel: Schema.Int.pipe(Schema.positive()),
  agent_timeout_ms: Schema.NullOr(Schema.JsonNumber).annotations({ description: "null: as the workflow says" }),
  reduce: Schema.Boolean.annotations({ description: "the reduce phase begins anew afterwards" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RetryTerms extends Schema.Schema.Type<typeof RetryTerms> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const JobRecord = Schema.Union(
  record("job_started", { job_id: JobId, session_id: SessionId, workflow_name: Schema.String, owner: Owner }),
  record("setup_completed", { variables: Variables, usage: Usage }),
  record("items_selected", { total: Schema.NonNegativeInt }),
  record("item_started", attempt),
  record("item_completed", {
    ...attempt,
    tip: Schema.NullOr(commit).annotations({ description: "null when the agent made no commit" }),
    branch: Schema.NullOr(Schema.String),
    commits: Schema.NonNegativeInt,
    duration_ms: Schema.JsonNumber,
    usage: Usage,
    result: Json.annotations({
      description: "what the reduce phase sees of the item: last output and captures, bounded"
    }),
    log: Schema.NullOr(Schema.String)
  }),
  record("item_failed", {
    ...attempt,
    failure: Failure,
    kept: Kept,
    duration_ms: Schema.JsonNumber,
    usage: Usage,
    disposition: Disposition,
    retry_at: Schema.optional(Timestamp).annotations({
      description: "when it is tried again, with `retry` and `put_back`; at once when it is absent"
    })
  }),
  record("merge_started", { ...item, tip: commit }),
  record("item_merged", { ...item, agent_id: AgentId, commit: Schema.NullOr(commit) }),
  record("stopping", { reason: Schema.String, by: StoppedBy, failure: Schema.NullOr(Failure) }),
  record("breaker_opened", { until: Timestamp, failures: Schema.Int }),
  record("breaker_half_opened", {}),
  record("breaker_closed", {}),
  record("quota_reached", { phase: Phase, until: Timestamp, failure: Failure, usage: Usage }),
  record("quota_over", {}),
  record("map_completed", {}),
  record("reduce_step_completed", { step: Schema.NonNegativeInt, variables: Variables, usage: Usage }),
  record("reduce_completed", {}),
  record("finished", { finish: Finish }),
  record("job_completed", {}),
  record("job_failed", { phase: Phase, failure: Failure, usage: Usage }),
  record("job_paused", {
    reason: Schema.String,
    usage: Schema.optional(Usage).annotations({
      description: "of what was under way and has no other record of its end; absent when that was nothing"
    })
  }),
  record("job_cancelled", { reason: Schema.String }),
  record("job_resumed", { owner: Owner }),
  record("items_requeued", {
    owner: Owner,
    indexes: Schema.Array(Schema.NonNegativeInt).annotations({
      description: "dead-lettered items that are tried again; the job is resumed with it"
    }),
    retry: Schema.optional(RetryTerms).annotations({
      description: "only these items run, and those of an earlier retry that was interrupted; no others"
    })
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type JobRecord = typeof JobRecord.Type

/**
 * @since 0.1.0
 * @category models
 */
export type JobRecordOf<Type extends JobRecord["type"]> = Extract<JobRecord, { readonly type: Type }>

/**
 * One line of `journal.jsonl`. `seq` counts from 1 without gaps.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JournalEntry = Schema.Struct({
  v: Schema.Literal(1),
  seq: Schema.Int.pipe(Schema.positive()),
  at: Timestamp,
  record: JobRecord
})

/**
 * @since 0.1.0
 * @category models
 */
export interface JournalEntry extends Schema.Schema.Type<typeof JournalEntry> {}
