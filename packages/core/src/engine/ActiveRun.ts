/**
 * What the parts of the engine share while a job runs.
 *
 * @since 0.1.0
 */
import type * as Ref from "effect/Ref"
import type { OpenPool } from "../agent/AgentPool.ts"
import type { Policy } from "../domain/JobDecision.ts"
import * as Retry from "../domain/Retry.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { Usage } from "../domain/Usage.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import { ItemId } from "../domain/WorkItem.ts"
import type { OpenEventLog } from "../storage/EventLog.ts"
import type { OpenJournal } from "../storage/Journal.ts"
import type { JobFile } from "../storage/JobStore.ts"
import type { RunTranscripts } from "../storage/TranscriptStore.ts"
import * as RetrySyntax from "../workflow/RetrySyntax.ts"
import type { ItemRetry } from "../workflow/Workflow.ts"
import type { SessionWorkspace } from "../workspace/Workspace.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface ActiveRun {
  readonly repo: RepoName
  readonly job: JobFile
  readonly policy: Policy
  readonly workspace: SessionWorkspace
  readonly transcripts: RunTranscripts
  readonly journal: OpenJournal
  readonly events: OpenEventLog
  readonly pool: OpenPool
  /** What agents used that were interrupted: no record of their end tells it. */
  readonly lost: Ref.Ref<Usage>
  /** The job's items; empty until they are selected. Set once. */
  readonly items: { current: ReadonlyArray<WorkItem> }
}

/**
 * What an invocation says about failures, over what the workflow says.
 *
 * @since 0.1.0
 * @category models
 */
export interface Overrides {
  /** Most times a failed item is tried again. */
  readonly maxRetries: number | null
  readonly waitsForQuota: boolean
}

/**
 * The policy of a job, from its workflow.
 *
 * @since 0.1.0
 * @category constructors
 */
export const policyOf = (job: JobFile, overrides: Overrides): Policy => {
  const { circuit_breaker, failure_threshold, handler, max_failures, on_item_failure, retry } =
    job.workflow.map.failure_policy
  return {
    maxParallel: job.options.max_parallel,
    reduceSteps: job.workflow.reduce.steps.length,
    retry: retryOf(retry, overrides.maxRetries),
    onItemFailure: on_item_failure,
    whenHandled: handler === null || handler.outcome === "complete" ? null : handler.outcome,
    maxFailures: max_failures,
    failureThreshold: failure_threshold,
    breaker:
      circuit_breaker === null
        ? null
        : {
            failureThreshold: circuit_breaker.failure_threshold,
            successThreshold: circuit_breaker.success_threshold,
            timeoutMillis: circuit_breaker.timeout_ms,
            halfOpenRequests: circuit_breaker.half_open_requests
          },
    waitsForQuota: overrides.waitsForQuota
  }
}

const retryOf = (retry: ItemRetry | null, maxRetries: number | null): Policy["retry"] => {
  const wanted = retry ?? (maxRetries === null ? null : RetrySyntax.itemDefault)
  if (wanted === null) return null
  const attempts = maxRetries === null ? wanted.times.attempts : maxRetries + 1
  return {
    times: { ...wanted.times, attempts },
    retries: (failure) => Retry.isRetried(wanted.retry_on, failure)
  }
}

/**
 * The id of an item by its index. An index beyond the items is a defect; the state machine never asks for one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const itemIdOf = (run: ActiveRun, index: number): ItemId =>
  run.items.current[index]?.id ?? ItemId.make(`item_${index}`)
