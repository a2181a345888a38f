/**
 * Events: the observable history of a job, in the event log.
 *
 * Owns the kinds and their fields. Events are for people and tools; no decision is taken from them. Kinds that this
 * version does not know are kept as they are.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { Timestamp } from "./Timestamp.ts"

const types = new Set<string>()

/**
 * The names of the kinds that this version knows.
 *
 * @since 0.1.0
 * @category models
 */
export const knownTypes: ReadonlySet<string> = types

const fields = new Set<string>(["event_type", "job_id"])

/**
 * The names of the fields that those kinds have.
 *
 * @since 0.1.0
 * @category models
 */
export const knownFields: ReadonlySet<string> = fields

const kind = <const Type extends string, const Fields extends Schema.Struct.Fields>(type: Type, own: Fields) => {
  types.add(type)
  for (const name of Object.keys(own)) fields.add(name)
  return Schema.Struct({ event_type: Schema.tag(type), job_id: Schema.String, ...own })
}

const agent = { agent_id: Schema.String, item_id: Schema.String, attempt: Schema.Int }
const duration = { duration_ms: Schema.JsonNumber }
const commits = { commits: Schema.Array(Schema.String) }
const log = { json_log_location: Schema.optional(Schema.String) }

/**
 * The kinds this version knows.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Known = Schema.Union(
  kind("job_started", { session_id: Schema.String, workflow_name: Schema.String, max_parallel: Schema.Int }),
  kind("job_completed", {
    ...duration,
    total_items: Schema.Int,
    success_count: Schema.Int,
    failure_count: Schema.Int,
    skipped_count: Schema.Int
  }),
  kind("job_failed", { phase: Schema.String, error: Schema.String, failure_reason: Schema.String }),
  kind("job_paused", { reason: Schema.String }),
  kind("job_resumed", { session_id: Schema.String, pending_items: Schema.Int }),
  kind("job_cancelled", { reason: Schema.String }),
  kind("setup_phase_started", {}),
  kind("setup_phase_completed", duration),
  kind("map_phase_started", { total_items: Schema.Int }),
  kind("map_phase_completed", { ...duration, successful: Schema.Int, failed: Schema.Int, skipped: Schema.Int }),
  kind("reduce_phase_started", {}),
  kind("reduce_phase_completed", duration),
  kind("agent_started", agent),
  kind("agent_progress", { ...agent, step: Schema.String, step_index: Schema.Int, step_total: Schema.Int }),
  kind("agent_completed", { ...agent, ...duration, ...commits, ...log }),
  kind("agent_failed", {
    ...agent,
    ...duration,
    error: Schema.String,
    error_type: Schema.String,
    failure_reason: Schema.String,
    ...log
  }),
  kind("agent_retrying", { ...agent, delay_ms: Schema.JsonNumber }),
  kind("circuit_breaker_changed", {
    state: Schema.Literal("closed", "open", "half_open"),
    failures: Schema.Int,
    until: Schema.optional(Timestamp)
  }),
  kind("quota_reached", { until: Timestamp, error: Schema.String }),
  kind("quota_over", {}),
  kind("checkpoint_created", { checkpoint_id: Schema.String, phase: Schema.String, seq: Schema.Int }),
  kind("checkpoint_loaded", { checkpoint_id: Schema.String, seq: Schema.Int }),
  kind("checkpoint_failed", { path: Schema.String, error: Schema.String }),
  kind("worktree_created", { path: Schema.String, branch: Schema.String }),
  kind("worktree_merged", {
    agent_id: Schema.String,
    item_id: Schema.String,
    commit: Schema.String
  }),
  kind("worktree_cleaned", { path: Schema.String }),
  kind("worktree_orphaned", { path: Schema.String, error: Schema.String }),
  kind("events_dropped", { count: Schema.Int }),
  kind("queue_depth_changed", { pending: Schema.Int, running: Schema.Int, merging: Schema.Int }),
  kind("memory_pressure", { rss_bytes: Schema.JsonNumber }),
  kind("dlq_item_added", { item_id: Schema.String, error_signature: Schema.String, failure_count: Schema.Int }),
  kind("dlq_item_removed", { item_id: Schema.String }),
  kind("dlq_items_reprocessed", { count: Schema.Int }),
  kind("dlq_items_evicted", { count: Schema.Int }),
  kind("dlq_analysis_generated", { patterns: Schema.Int }),
  kind("claude_session_started", { ...agent, claude_session_id: Schema.String, model: Schema.String }),
  kind("claude_message", { ...agent, role: Schema.String, text: Schema.String }),
  kind("claude_tool_invoked", { ...agent, tool: Schema.String, summary: Schema.String }),
  kind("claude_token_usage", {
    ...agent,
    input_tokens: Schema.JsonNumber,
    output_tokens: Schema.JsonNumber,
    cache_tokens: Schema.JsonNumber,
    usd: Schema.JsonNumber
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Known = typeof Known.Type

/**
 * A kind of another version: kept with all its fields. A known kind with wrong fields is not one: it is damage.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Unknown = Schema.Struct(
  {
    event_type: Schema.String.pipe(
      Schema.filter((type) => !knownTypes.has(type) || "the fields that this kind of event has")
    ),
    job_id: Schema.String
  },
  { key: Schema.String, value: Schema.Unknown }
)

/**
 * @since 0.1.0
 * @category schemas
 */
export const EventRecord = Schema.Struct({
  v: Schema.Literal(1),
  id: Schema.String.annotations({ description: "UUIDv7: ids of one job sort in the order they were written" }),
  timestamp: Timestamp,
  correlation_id: Schema.String.annotations({ description: "the session's id" }),
  event: Schema.Union(Known, Unknown),
  metadata: Schema.Struct({ host: Schema.String, pid: Schema.Int })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface EventRecord extends Schema.Schema.Type<typeof EventRecord> {}
