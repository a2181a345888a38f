/**
 * What is written once for a job: its claim, its plan, its items; and the summary that listings read.
 *
 * Owns `job.json`, `work-items.jsonl`, `results.jsonl` and `job-state.json`. The journal is `Journal`'s.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Stream from "effect/Stream"
import { JobId } from "../domain/JobId.ts"
import * as JobState from "../domain/JobState.ts"
import { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import { Timestamp } from "../domain/Timestamp.ts"
import { ItemId, Json, type WorkItem } from "../domain/WorkItem.ts"
import { Workflow } from "../workflow/Workflow.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

/**
 * `job.json`: the workflow as it was, and what the run was asked to do.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobFile = Schema.Struct({
  v: Schema.Literal(1),
  job_id: JobId,
  session_id: SessionId,
  created_at: Timestamp,
  repository: Schema.Struct({ name: RepoName, path: Schema.String, checkout: Schema.String }),
  base_commit: Schema.String,
  target_branch: Schema.NullOr(Schema.String),
  workflow: Workflow,
  workflow_source: Schema.Struct({ path: Schema.String, text: Schema.String, sha256: Schema.String }),
  options: Schema.Struct({
    max_parallel: Schema.Int,
    approve: Schema.Literal("yes", "ask", "not_asked").annotations({ description: "how the final merge is approved" }),
    parameters: Schema.Record({ key: Schema.String, value: Schema.String })
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface JobFile extends Schema.Schema.Type<typeof JobFile> {}

/**
 * `job-state.json`: a small summary. Never read to decide anything.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobSummary = Schema.Struct({
  v: Schema.Literal(1),
  job_id: JobId,
  session_id: SessionId,
  phase: Schema.String,
  status: Schema.String,
  total: Schema.NullOr(Schema.Int),
  counts: JobState.Counts,
  started_at: Timestamp,
  updated_at: Timestamp
})

/**
 * @since 0.1.0
 * @category models
 */
export interface JobSummary extends Schema.Schema.Type<typeof JobSummary> {}

/**
 * One line of `results.jsonl`: an item as the reduce phase sees it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ItemResult = Schema.Struct({
  item_id: ItemId,
  item_index: Schema.Int,
  status: Schema.Literal("success", "failed", "skipped"),
  agent_id: Schema.String,
  commits: Schema.Int,
  duration_ms: Schema.Number,
  output: Json,
  error: Schema.NullOr(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface ItemResult extends Schema.Schema.Type<typeof ItemResult> {}

/**
 * No job of that id is stored for the repository.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobNotFound extends Schema.TaggedError<JobNotFound>("@prodigy/core/storage/JobStore/JobNotFound")(
  "JobNotFound",
  { repo: RepoName, job_id: JobId }
) {
  override get message() {
    return `There is no job ${this.job_id} of repository ${this.repo}.`
  }
}

/**
 * @since 0.1.0
 * @category services
 */
export class JobStore extends Context.Tag("@prodigy/core/storage/JobStore")<
  JobStore,
  {
    /** Claims a job id for now's second (`_2`, `_3`, … on a clash): no other process ever gets the same one. */
    readonly claim: (repo: RepoName) => Effect.Effect<JobId, StorageError>
    readonly save: (file: JobFile) => Effect.Effect<void, StorageError>
    readonly load: (repo: RepoName, jobId: JobId) => Effect.Effect<JobFile, JobNotFound | StorageError | DamagedFile>
    /** Ids of the repository's jobs, oldest first. */
    readonly list: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobId>, StorageError>

    readonly saveItems: (
      repo: RepoName,
      jobId: JobId,
      items: ReadonlyArray<WorkItem>
    ) => Effect.Effect<void, StorageError>
    /** The job's items; null when they were not selected yet. */
    readonly loadItems: (
      repo: RepoName,
      jobId: JobId
    ) => Effect.Effect<ReadonlyArray<WorkItem> | null, StorageError | DamagedFile>

    /** Writes the results file as they come (constant memory) and gives its path. */
    readonly saveResults: (
      repo: RepoName,
      jobId: JobId,
      results: Stream.Stream<ItemResult, StorageError | DamagedFile>
    ) => Effect.Effect<string, StorageError | DamagedFile>

    readonly saveSummary: (repo: RepoName, summary: JobSummary) => Effect.Effect<void, StorageError>
    readonly loadSummary: (repo: RepoName, jobId: JobId) => Effect.Effect<JobSummary | null, StorageError | DamagedFile>
  }
>() {}
