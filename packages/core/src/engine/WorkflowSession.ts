/**
 * What the session's file says of a standard workflow.
 *
 * Owns how a workflow's state shows in it. Does not own the state (`WorkflowState`), nor when it is written (`WorkflowRun`).
 *
 * @since 0.1.0
 */
import { type Session, statusOf } from "../domain/Session.ts"
import * as Usage from "../domain/Usage.ts"
import * as WorkflowState from "../domain/WorkflowState.ts"
import type { SessionFile } from "../storage/WorkflowStore.ts"
import * as RunView from "./RunView.ts"

/**
 * The session before its first step.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (file: SessionFile, owner: Session["owner"]): Session => ({
  id: file.session_id,
  session_type: "Workflow",
  status: "Initializing",
  started_at: file.created_at,
  updated_at: file.created_at,
  completed_at: null,
  workflow: { name: file.workflow.name, path: file.workflow_source.path, hash: file.workflow_source.sha256 },
  repository: { name: file.repository.name, path: file.repository.path },
  worktree: null,
  job_id: null,
  checkpoints: [],
  timings: {},
  progress: progressOf(file, WorkflowState.empty),
  cost: Usage.none,
  error: null,
  outcome: null,
  owner
})

/**
 * A session as its state is now; `saved`: the checkpoint that was just written; null for none, when nothing is left to do. Only
 * then it is completed: until then whoever finds it goes on with it.
 *
 * @since 0.1.0
 * @category updating
 */
export const update = (
  session: Session,
  file: SessionFile,
  state: WorkflowState.WorkflowState,
  saved: {
    readonly at: string
    readonly checkpointId: string
    readonly timings: Readonly<Record<string, number>>
  } | null
): Session => {
  const ending = state.status === "completed" && saved !== null
  const over = !ending && (state.status === "completed" || state.status === "failed" || state.status === "cancelled")
  return {
    ...session,
    // Done for good before, with nothing of it left: it stays that.
    status: ending ? (session.status === "Completed" ? "Completed" : "Running") : statusOf(state.status),
    completed_at: over ? (saved?.at ?? session.completed_at ?? session.updated_at) : null,
    checkpoints:
      saved === null ? session.checkpoints : [{ id: saved.checkpointId, created_at: saved.at, phase: state.phase }],
    timings: { ...session.timings, ...saved?.timings },
    progress: progressOf(file, state),
    cost: state.usage,
    error: state.failure?.message ?? null,
    outcome: RunView.outcomeNow(state, session.outcome)
  }
}

const progressOf = (file: SessionFile, state: WorkflowState.WorkflowState): Session["progress"] => {
  const { iterations, values } = file.options
  return {
    kind: "workflow",
    current_step: Math.min(state.next_step + 1, file.workflow.steps.length),
    total_steps: file.workflow.steps.length,
    completed_steps: state.next_step,
    ...(iterations > 1 ? { iteration: state.iteration, iterations } : {}),
    ...(values === null ? {} : { value: state.value + 1, values: values.list.length })
  }
}
