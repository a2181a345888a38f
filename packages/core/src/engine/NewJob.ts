/**
 * What is written of a job when it is claimed: its file and its session.
 *
 * Pure. A session's file that was lost is made again from the job's.
 *
 * @since 0.1.0
 */
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { Session } from "../domain/Session.ts"
import * as SessionId from "../domain/SessionId.ts"
import * as Usage from "../domain/Usage.ts"
import type { JobFile } from "../storage/JobStore.ts"
import type { Plan } from "./MapReduce.ts"
import * as Planning from "./Planning.ts"

/**
 * @since 0.1.0
 * @category constructors
 */
export const file = (plan: Plan, repo: RepoName, jobId: JobId, at: string): JobFile => ({
  v: 1,
  job_id: jobId,
  session_id: SessionId.fromJob(jobId),
  created_at: at,
  repository: { name: repo, path: plan.project.root, checkout: plan.project.checkout },
  base_commit: plan.base,
  target_branch: plan.target,
  workflow: plan.workflow,
  workflow_source: Planning.sourceOf(plan.request),
  options: {
    max_parallel: plan.maxParallel,
    approve: plan.request.approve,
    parameters: plan.request.parameters
  }
})

/**
 * The session of a job, before anything of it is done.
 *
 * @since 0.1.0
 * @category constructors
 */
export const session = (job: JobFile, owner: Session["owner"]): Session => ({
  id: job.session_id,
  session_type: "MapReduce",
  status: "Initializing",
  started_at: job.created_at,
  updated_at: job.created_at,
  completed_at: null,
  workflow: { name: job.workflow.name, path: job.workflow_source.path, hash: job.workflow_source.sha256 },
  repository: { name: job.repository.name, path: job.repository.path },
  worktree: null,
  job_id: job.job_id,
  checkpoints: [],
  timings: {},
  progress: { kind: "mapreduce", phase: "setup", total: null, completed: 0, failed: 0, skipped: 0, in_progress: 0 },
  cost: Usage.none,
  error: null,
  outcome: null,
  owner
})
