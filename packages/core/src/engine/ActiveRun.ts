/**
 * What the parts of the engine share while a job runs.
 *
 * @since 0.1.0
 */
import type { OpenPool } from "../agent/AgentPool.ts"
import type { Policy } from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import { ItemId } from "../domain/WorkItem.ts"
import type { OpenEventLog } from "../storage/EventLog.ts"
import type { OpenJournal } from "../storage/Journal.ts"
import type { JobFile } from "../storage/JobStore.ts"
import type { RunTranscripts } from "../storage/TranscriptStore.ts"
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
  /** The job's items; empty until they are selected. Set once. */
  readonly items: { current: ReadonlyArray<WorkItem> }
}

/**
 * The policy of a job, from its workflow.
 *
 * @since 0.1.0
 * @category constructors
 */
export const policyOf = (job: JobFile): Policy => ({
  maxParallel: job.options.max_parallel,
  reduceSteps: job.workflow.reduce.steps.length,
  onItemFailure: job.workflow.map.failure_policy.on_item_failure,
  maxFailures: job.workflow.map.failure_policy.max_failures,
  failureThreshold: job.workflow.map.failure_policy.failure_threshold
})

/**
 * The id of an item by its index. An index beyond the items is a defect; the state machine never asks for one.
 *
 * @since 0.1.0
 * @category combinators
 */
export const itemIdOf = (run: ActiveRun, index: number): ItemId =>
  run.items.current[index]?.id ?? ItemId.make(`item_${index}`)
