/**
 * Runs a MapReduce workflow: setup, items, map, reduce, finish.
 *
 * Owns the driving of the state machine (`JobState`) and the order "record, then effect". Does not own storage formats,
 * git or processes; it knows their ports.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AgentMissing } from "../agent/Agent.ts"
import { Failure } from "../domain/Failure.ts"
import { JobId } from "../domain/JobId.ts"
import { Finish } from "../domain/JobRecord.ts"
import { Counts } from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import { Usage } from "../domain/Usage.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import type { RepoNameError } from "../storage/ProdigyHome.ts"
import type { ResumeLockHeld } from "../storage/ResumeLock.ts"
import type { Step, Workflow } from "../workflow/Workflow.ts"
import type { Problem, WorkflowInvalid } from "../workflow/WorkflowFile.ts"
import type { WorkItemsError } from "../workflow/WorkItems.ts"
import type { Project, WorkspaceError } from "../workspace/Workspace.ts"

/**
 * What a caller asks for.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunRequest {
  /** Path of the workflow file, for messages and for the job file. */
  readonly workflowPath: string
  readonly workflowText: string
  /** Any path in the project. */
  readonly projectPath: string
  /** Overrides the workflow's `max_parallel`. */
  readonly maxParallel: number | null
  /** Commit-ish to start from; null: HEAD of the user's checkout. */
  readonly base: string | null
  /** How the final merge is approved: `ask` asks through `Approval`. */
  readonly approve: "yes" | "ask" | "not_asked"
  readonly parameters: Readonly<Record<string, string>>
}

/**
 * A request that was checked: everything that can be known before anything is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Plan {
  readonly request: RunRequest
  readonly workflow: Workflow
  readonly warnings: ReadonlyArray<Problem>
  readonly project: Project
  /** The repository's name; null when it holds none yet (one is claimed by `run`). */
  readonly repo: RepoName | null
  readonly base: string
  readonly target: string | null
  readonly maxParallel: number
  /** The items, when they can be known without running anything; else why not. */
  readonly items:
    | { readonly _tag: "Known"; readonly items: ReadonlyArray<WorkItem> }
    | { readonly _tag: "Later"; readonly reason: string }
  /** The agent's steps, with their texts filled in for the first known item. */
  readonly preview: ReadonlyArray<{ readonly step: Step; readonly text: string }>
}

/**
 * How a run ended.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RunReport = Schema.Struct({
  job_id: JobId,
  session_id: SessionId,
  repository: Schema.String,
  workflow_name: Schema.String,
  status: Schema.Literal("completed", "failed", "paused"),
  phase: Schema.String,
  total: Schema.NullOr(Schema.Int),
  counts: Counts,
  usage: Usage,
  duration_ms: Schema.Number,
  finish: Schema.NullOr(Finish),
  failure: Schema.NullOr(Failure),
  /** True when the failure policy stopped the job. */
  stopped_by_policy: Schema.Boolean,
  branch: Schema.String,
  worktree: Schema.String,
  kept: Schema.Array(Schema.String),
  orphans: Schema.Array(Schema.String),
  warnings: Schema.Array(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RunReport extends Schema.Schema.Type<typeof RunReport> {}

/**
 * Why a request cannot be run. Nothing was made.
 *
 * @since 0.1.0
 * @category errors
 */
export type PlanError =
  | WorkflowInvalid
  | WorkspaceError
  | WorkItemsError
  | AgentMissing
  | RepoNameError
  | StorageError
  | DamagedFile

/**
 * Why a run could not go on, when it is not a failure of the workflow's own (those are in the report).
 *
 * @since 0.1.0
 * @category errors
 */
export type RunError = WorkspaceError | StorageError | DamagedFile | RepoNameError | ResumeLockHeld

/**
 * @since 0.1.0
 * @category services
 */
export class MapReduce extends Context.Tag("@prodigy/core/engine/MapReduce")<
  MapReduce,
  {
    /** Checks a request. Makes nothing, in storage or in git. */
    readonly plan: (request: RunRequest) => Effect.Effect<Plan, PlanError>

    /**
     * Runs a plan to its end. A workflow that fails is a report with status `failed`, not an error. Interruption stops
     * the agents, records the pause and gives up the lock before it returns.
     */
    readonly run: (plan: Plan) => Effect.Effect<RunReport, RunError>
  }
>() {}
