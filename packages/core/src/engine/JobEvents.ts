/**
 * The events that follow from a journal entry.
 *
 * Pure. Events tell what happened; they are never read to decide anything.
 *
 * @since 0.1.0
 */
import * as DateTime from "effect/DateTime"
import * as Option from "effect/Option"
import * as ErrorSignature from "../domain/ErrorSignature.ts"
import type { JournalEntry } from "../domain/JobRecord.ts"
import type { JobState } from "../domain/JobState.ts"
import type { NewEvent } from "../storage/EventLog.ts"

/**
 * When the job and its phases began, for the durations in events. Milliseconds.
 *
 * @since 0.1.0
 * @category models
 */
export interface Times {
  readonly job: number
  readonly phase: number
}

/**
 * The events of one entry. `state` is the state right after it, `now` the time of the entry.
 *
 * @since 0.1.0
 * @category projections
 */
export const fromEntry = (
  entry: JournalEntry,
  state: JobState,
  options: {
    readonly times: Times
    readonly now: number
    readonly maxParallel: number
    readonly setupSteps: number
    readonly reduceSteps: number
  }
): ReadonlyArray<NewEvent> => {
  const { record } = entry
  const duration_ms = options.now - options.times.phase
  switch (record.type) {
    case "job_started":
      return [
        {
          event_type: "job_started",
          session_id: record.session_id,
          workflow_name: record.workflow_name,
          max_parallel: options.maxParallel
        },
        ...(options.setupSteps === 0 ? [] : [{ event_type: "setup_phase_started" as const }])
      ]
    case "setup_completed":
      return options.setupSteps === 0 ? [] : [{ event_type: "setup_phase_completed", duration_ms }]
    case "items_selected":
      return [{ event_type: "map_phase_started", total_items: record.total }]
    case "item_started":
      return [
        {
          event_type: "agent_started",
          agent_id: record.agent_id,
          item_id: record.item_id,
          attempt: record.attempt
        }
      ]
    case "item_completed":
      return [
        {
          event_type: "agent_completed",
          agent_id: record.agent_id,
          item_id: record.item_id,
          attempt: record.attempt,
          duration_ms: record.duration_ms,
          commits: record.tip === null ? [] : [record.tip],
          ...(record.log === null ? {} : { json_log_location: record.log })
        }
      ]
    case "item_failed": {
      const failed: NewEvent = {
        event_type: "agent_failed",
        agent_id: record.agent_id,
        item_id: record.item_id,
        attempt: record.attempt,
        duration_ms: record.duration_ms,
        error: record.failure.message,
        error_type: record.failure.cause.error_type,
        failure_reason: record.disposition,
        ...(record.failure.log === null ? {} : { json_log_location: record.failure.log })
      }
      switch (record.disposition) {
        case "skip":
          return [failed]
        case "put_back":
        case "retry":
          return [
            failed,
            {
              event_type: "agent_retrying",
              agent_id: record.agent_id,
              item_id: record.item_id,
              attempt: record.attempt + 1,
              delay_ms: record.retry_at === undefined ? 0 : Math.max(0, millisOf(record.retry_at) - options.now)
            }
          ]
        case "dead_letter":
          return [
            failed,
            {
              event_type: "dlq_item_added",
              item_id: record.item_id,
              error_signature: ErrorSignature.fromFailure(record.failure),
              failure_count: record.attempt
            }
          ]
      }
    }
    // falls through: every disposition above returns
    case "merge_started":
    case "stopping":
    case "finished":
    case "reduce_step_completed":
      return []
    case "item_merged":
      return record.commit === null
        ? []
        : [
            {
              event_type: "worktree_merged",
              agent_id: record.agent_id,
              item_id: record.item_id,
              commit: record.commit
            }
          ]
    case "map_completed": {
      const { dead_lettered, merged, skipped } = state.counts
      const completed: NewEvent = {
        event_type: "map_phase_completed",
        duration_ms,
        successful: merged,
        failed: dead_lettered,
        skipped
      }
      return options.reduceSteps === 0 ? [completed] : [completed, { event_type: "reduce_phase_started" }]
    }
    case "reduce_completed":
      return options.reduceSteps === 0 ? [] : [{ event_type: "reduce_phase_completed", duration_ms }]
    case "job_completed":
      return [
        {
          event_type: "job_completed",
          duration_ms: options.now - options.times.job,
          total_items: state.total ?? 0,
          success_count: state.counts.merged,
          failure_count: state.counts.dead_lettered,
          skipped_count: state.counts.skipped
        }
      ]
    case "job_failed":
      return [
        {
          event_type: "job_failed",
          phase: record.phase,
          error: record.failure.message,
          failure_reason: state.stopping?.by === "policy" ? "stopped_by_policy" : record.failure.cause.error_type
        }
      ]
    case "job_paused":
      return [{ event_type: "job_paused", reason: record.reason }]
    case "job_cancelled":
      return [{ event_type: "job_cancelled", reason: record.reason }]
    case "job_resumed":
      return [resumed(state)]
    case "items_requeued":
      return [resumed(state), { event_type: "dlq_items_reprocessed", count: record.indexes.length }]
    case "quota_reached":
      return [{ event_type: "quota_reached", until: record.until, error: record.failure.message }]
    case "quota_over":
      return [{ event_type: "quota_over" }]
    case "breaker_opened":
      return [{ event_type: "circuit_breaker_changed", state: "open", failures: record.failures, until: record.until }]
    case "breaker_half_opened":
      return [{ event_type: "circuit_breaker_changed", state: "half_open", failures: state.failures_in_row }]
    case "breaker_closed":
      return [{ event_type: "circuit_breaker_changed", state: "closed", failures: 0 }]
  }
}

const resumed = (state: JobState): NewEvent => ({
  event_type: "job_resumed",
  session_id: state.session_id ?? "",
  pending_items: state.counts.pending
})

const millisOf = (at: string): number =>
  Option.match(DateTime.make(at), { onNone: () => 0, onSome: DateTime.toEpochMillis })
