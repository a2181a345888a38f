/**
 * A session: one execution of a workflow, as it is listed and shown.
 *
 * Owns the shape and the legal transitions. The truth about a job is its journal; a session is the summary of it for
 * people, kept in one file.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { JobId } from "./JobId.ts"
import { Owner } from "./Owner.ts"
import { SessionId } from "./SessionId.ts"
import { Timestamp } from "./Timestamp.ts"
import { Usage } from "./Usage.ts"

/**
 * @since 0.1.0
 * @category schemas
 */
export const Status = Schema.Literal("Initializing", "Running", "Paused", "Completed", "Failed", "Cancelled")

/**
 * @since 0.1.0
 * @category models
 */
export type Status = typeof Status.Type

/**
 * Where a run is, as the states of jobs and of standard workflows have it.
 *
 * @since 0.1.0
 * @category models
 */
export type RunStatus = "new" | "running" | "paused" | "completed" | "failed" | "cancelled"

/**
 * What a session says of it. While a run waits for the quota it is running: somebody drives it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const statusOf = (run: RunStatus): Status => {
  switch (run) {
    case "new":
      return "Initializing"
    case "running":
      return "Running"
    case "paused":
      return "Paused"
    case "completed":
      return "Completed"
    case "failed":
      return "Failed"
    case "cancelled":
      return "Cancelled"
  }
}

/**
 * @since 0.1.0
 * @category schemas
 */
export const Progress = Schema.Union(
  Schema.Struct({
    kind: Schema.tag("workflow"),
    current_step: Schema.NonNegativeInt,
    total_steps: Schema.NonNegativeInt,
    completed_steps: Schema.NonNegativeInt,
    iteration: Schema.optional(Schema.NonNegativeInt).annotations({ description: "where more than one was asked for" }),
    iterations: Schema.optional(Schema.NonNegativeInt),
    value: Schema.optional(Schema.NonNegativeInt).annotations({
      description: "where the steps run for values, from 1"
    }),
    values: Schema.optional(Schema.NonNegativeInt)
  }),
  Schema.Struct({
    kind: Schema.tag("mapreduce"),
    phase: Schema.String,
    total: Schema.NullOr(Schema.NonNegativeInt).annotations({ description: "null until the items are selected" }),
    completed: Schema.NonNegativeInt.annotations({ description: "items done for good, merged where there was work" }),
    failed: Schema.NonNegativeInt.annotations({ description: "items in the dead letter queue" }),
    skipped: Schema.NonNegativeInt,
    in_progress: Schema.NonNegativeInt
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Progress = typeof Progress.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const Session = Schema.Struct({
  id: SessionId,
  session_type: Schema.Literal("Workflow", "MapReduce"),
  status: Status,
  started_at: Timestamp,
  updated_at: Timestamp,
  completed_at: Schema.NullOr(Timestamp),
  workflow: Schema.Struct({
    name: Schema.String,
    path: Schema.String,
    hash: Schema.String.annotations({ description: "sha256 of the file's text, hex" })
  }),
  repository: Schema.Struct({ name: Schema.String, path: Schema.String }),
  worktree: Schema.NullOr(
    Schema.Struct({ path: Schema.String, branch: Schema.String, target_branch: Schema.NullOr(Schema.String) })
  ),
  job_id: Schema.NullOr(JobId),
  checkpoints: Schema.Array(Schema.Struct({ id: Schema.String, created_at: Timestamp, phase: Schema.String })),
  timings: Schema.Record({ key: Schema.String, value: Schema.JsonNumber }).annotations({
    description: "milliseconds by phase"
  }),
  progress: Progress,
  cost: Usage,
  error: Schema.NullOr(Schema.String),
  outcome: Schema.NullOr(Schema.String).annotations({
    description: "what became of the work in one sentence: merged into main, waiting on a branch, …"
  }),
  owner: Schema.NullOr(Owner)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Session extends Schema.Schema.Type<typeof Session> {}

const legal: Readonly<Record<Status, ReadonlyArray<Status>>> = {
  Initializing: ["Running", "Completed", "Failed", "Cancelled"],
  Running: ["Paused", "Completed", "Failed", "Cancelled"],
  Paused: ["Running", "Completed", "Failed", "Cancelled"],
  // When dead letters of a completed job are tried again.
  Completed: ["Running"],
  Failed: ["Running"],
  Cancelled: []
}

/**
 * Whether a session may go from one status to another. Staying is always legal.
 *
 * @since 0.1.0
 * @category predicates
 */
export const canBecome = (from: Status, to: Status): boolean => from === to || legal[from].includes(to)
