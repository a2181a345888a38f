/**
 * The variables that every step of a run can use.
 *
 * Pure: from a job and its place in the run to a scope. What the author wrote and what we count is `author`; items,
 * captures and outputs are `data`.
 *
 * @since 0.1.0
 */
import type { Json, WorkItem } from "../domain/WorkItem.ts"
import type { JobFile } from "../storage/JobStore.ts"
import * as Variables from "../workflow/Variables.ts"

/**
 * The scope of a phase's steps: environment, parameters, project, workflow, session and job.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (job: JobFile, worktree: string, captures: Readonly<Record<string, Json>>): Variables.Scope => ({
  author: {
    ...job.workflow.env,
    ...job.options.parameters,
    PROJECT_ROOT: job.repository.path,
    WORKTREE: worktree,
    workflow: { name: job.workflow.name, id: job.session_id },
    session: { id: job.session_id },
    job: { id: job.job_id },
    env: job.workflow.env
  },
  data: captures
})

/**
 * The scope of an agent: a phase's, with its item.
 *
 * @since 0.1.0
 * @category constructors
 */
export const forItem = (
  scope: Variables.Scope,
  item: WorkItem,
  options: { readonly total: number; readonly attempt: number }
): Variables.Scope =>
  Variables.extend(scope, {
    author: { item_index: item.index, item_total: options.total, attempt: options.attempt },
    data: { item: item.data, item_id: item.id }
  })

/**
 * The environment of every process of a run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const environment = (job: JobFile, worktree: string): Readonly<Record<string, string>> => ({
  ...job.workflow.env,
  PRODIGY_AUTOMATION: "true",
  PRODIGY_JOB_ID: job.job_id,
  PRODIGY_SESSION_ID: job.session_id,
  PROJECT_ROOT: job.repository.path,
  WORKTREE: worktree
})
