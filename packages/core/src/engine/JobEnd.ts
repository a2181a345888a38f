/**
 * The end of a job's run: what of it is removed, and what is told.
 *
 * Does not own the order in which things end (`MapReduce`), nor how worktrees are removed (`Workspace`).
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as JobState from "../domain/JobState.ts"
import type { SessionWorkspace } from "../workspace/Workspace.ts"
import type { ActiveRun } from "./ActiveRun.ts"
import type { Recorder } from "./JobRecorder.ts"
import type { RunReport } from "./MapReduce.ts"
import * as RunView from "./RunView.ts"

/** What cleaning says. */
type Cleaned = Effect.Effect.Success<ReturnType<SessionWorkspace["clean"]>>

/**
 * Whether the parent worktree stays: its work is not in the target.
 *
 * @since 0.1.0
 * @category predicates
 */
export const keepsParent = (state: JobState.JobState): boolean =>
  state.status !== "cancelled" &&
  (state.status !== "completed" || state.finish === null || state.finish.outcome === "waiting")

/**
 * Removes what is not needed any more. The parent worktree stays while its work is not in the target.
 *
 * @since 0.1.0
 * @category cleaning
 */
export const cleanUp = (workspace: SessionWorkspace, recorder: Recorder, state: JobState.JobState) =>
  Effect.gen(function* () {
    const cleaned = yield* workspace.clean({ keepParent: keepsParent(state) })
    yield* recorder.emit([
      ...cleaned.removedWorktrees.map((path) => ({ event_type: "worktree_cleaned" as const, path })),
      ...cleaned.orphans.map(({ error, path }) => ({ event_type: "worktree_orphaned" as const, path, error }))
    ])
    return cleaned
  })

/**
 * How a run ended.
 *
 * @since 0.1.0
 * @category constructors
 */
export const report = (
  run: ActiveRun,
  state: JobState.JobState,
  options: {
    readonly cleaned: Cleaned
    readonly warnings: ReadonlyArray<string>
    readonly durationMillis: number
  }
): RunReport => ({
  job_id: run.job.job_id,
  session_id: run.job.session_id,
  repository: run.repo,
  workflow_name: run.job.workflow.name,
  status: state.status === "new" || state.status === "running" ? "failed" : state.status,
  phase: state.phase,
  total: state.total,
  counts: state.counts,
  usage: state.usage,
  duration_ms: options.durationMillis,
  finish: state.finish,
  failure: state.failure,
  stopped_by_policy: state.stopping?.by === "policy",
  waiting: state.quota === null ? null : RunView.waitingOf(state.quota),
  branch: run.workspace.parent.branch,
  worktree: run.workspace.parent.path,
  kept: options.cleaned.kept,
  orphans: options.cleaned.orphans.map((orphan) => orphan.path),
  warnings: options.warnings
})
