/**
 * What `--json` prints: one schema for each command, through which the value is encoded.
 *
 * @since 0.1.0
 */
import * as Session from "@prodigy/core/domain/Session"
import * as WorkItem from "@prodigy/core/domain/WorkItem"
import * as Checkpoints from "@prodigy/core/engine/Checkpoints"
import { SessionId } from "@prodigy/core/domain/SessionId"
import type * as Cancel from "@prodigy/core/engine/Cancel"
import * as Inspect from "@prodigy/core/engine/Inspect"
import * as MapReduce from "@prodigy/core/engine/MapReduce"
import * as WorkflowRun from "@prodigy/core/engine/WorkflowRun"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * The report of a MapReduce workflow; it has a `job_id`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const MapReduceReport = Schema.parseJson(MapReduce.RunReport)

/**
 * The report of a standard workflow: `"session_type": "Workflow"`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorkflowReport = Schema.parseJson(WorkflowRun.WorkflowReport)

/**
 * What `run --json` and `resume --json` print at the end.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Report = Schema.parseJson(Schema.Union(WorkflowRun.WorkflowReport, MapReduce.RunReport))

/**
 * `run --dry-run --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Plan = Schema.parseJson(
  Schema.Struct({
    workflow_name: Schema.String,
    workflow_path: Schema.String,
    repository: Schema.Struct({ name: Schema.NullOr(Schema.String), path: Schema.String }),
    base: Schema.String,
    target: Schema.NullOr(Schema.String),
    max_parallel: Schema.Int,
    items: Schema.NullOr(Schema.Array(WorkItem.WorkItem)).annotations({ description: "null: known only after setup" }),
    items_later: Schema.NullOr(Schema.String).annotations({ description: "why the items are not known yet" }),
    steps: Schema.Array(Schema.Struct({ name: Schema.String, text: Schema.String })),
    warnings: Schema.Array(Schema.String)
  })
)

/**
 * `run --dry-run --json` of a standard workflow.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorkflowPlan = Schema.parseJson(
  Schema.Struct({
    session_type: Schema.tag("Workflow"),
    workflow_name: Schema.String,
    workflow_path: Schema.String,
    repository: Schema.Struct({ name: Schema.NullOr(Schema.String), path: Schema.String }),
    base: Schema.String,
    target: Schema.NullOr(Schema.String),
    iterations: Schema.Int.annotations({ description: "at most so many, for each value" }),
    values: Schema.NullOr(Schema.Array(Schema.String)).annotations({ description: "null: the steps run once" }),
    steps: Schema.Array(Schema.Struct({ name: Schema.String, text: Schema.String })),
    warnings: Schema.Array(Schema.String)
  })
)

/**
 * `sessions show --json`: a session with the status it is shown with.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SessionShown = Schema.Struct({ ...Session.Session.fields, shown: Inspect.Shown })

/**
 * `sessions show --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SessionShow = Schema.parseJson(SessionShown)

/**
 * `sessions list --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Sessions = Schema.parseJson(
  Schema.Struct({ total: Schema.Int, sessions: Schema.Array(SessionShown), damaged: Schema.Array(Schema.String) })
)

/**
 * `sessions cancel --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Cancelled = Schema.parseJson(
  Schema.Struct({
    session_id: SessionId,
    stopped: Schema.NullOr(Schema.Int).annotations({ description: "the process that drove it" }),
    kept: Schema.Array(Schema.String).annotations({ description: "branches and rescue refs with work not merged" }),
    orphans: Schema.Array(Schema.String).annotations({ description: "worktrees that could not be removed" }),
    warnings: Schema.Array(Schema.String)
  })
)

/**
 * What was cancelled, for `--json`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cancelledJson = ({ report, sessionId, stopped }: Cancel.Cancelled) => ({
  session_id: sessionId,
  stopped,
  kept: report?.kept ?? [],
  orphans: report?.orphans ?? [],
  warnings: report?.warnings ?? []
})

/**
 * `checkpoints list --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CheckpointList = Schema.parseJson(
  Schema.Struct({ total: Schema.Int, checkpoints: Schema.Array(Checkpoints.Entry) })
)

/**
 * `checkpoints show --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CheckpointShow = Schema.parseJson(Schema.Union(Checkpoints.Content, Checkpoints.WorkflowContent))

/**
 * `checkpoints mapreduce --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CheckpointJobs = Schema.parseJson(Schema.Struct({ jobs: Schema.Array(Checkpoints.Overview) }))

/**
 * `checkpoints validate --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CheckpointReports = Schema.parseJson(Schema.Struct({ jobs: Schema.Array(Checkpoints.Report) }))

/**
 * `checkpoints clean --json` and `checkpoints delete --json`; `dry_run`: nothing was removed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CheckpointRemoval = Schema.parseJson(
  Schema.Struct({ dry_run: Schema.Boolean, ...Checkpoints.Removal.fields })
)

/**
 * A value as JSON text on one line. A value of ours that does not fit its schema is a defect.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = <A>(schema: Schema.Schema<A, string>, value: A): Effect.Effect<string> =>
  Effect.orDie(Schema.encode(schema)(value))
