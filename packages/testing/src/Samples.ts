/**
 * Stored things as tests want them: valid, small, and different where a test says so.
 *
 * @since 0.1.0
 */
import type { Origin } from "@prodigy/core/agent/Origin"
import * as AgentId from "@prodigy/core/domain/AgentId"
import * as DeadLetter from "@prodigy/core/domain/DeadLetter"
import * as ErrorSignature from "@prodigy/core/domain/ErrorSignature"
import * as Failure from "@prodigy/core/domain/Failure"
import * as JobId from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import type { Session } from "@prodigy/core/domain/Session"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId, type Json } from "@prodigy/core/domain/WorkItem"

/**
 * @since 0.1.0
 * @category samples
 */
export const repo: RepoName = RepoName.make("my-repo")

/**
 * The first step of a workflow's setup.
 *
 * @since 0.1.0
 * @category samples
 */
export const origin: Origin = { phase: "setup", step: "step", item: null, attempt: 1, tryNumber: 1 }

/**
 * The n-th job of a day, from 1.
 *
 * @since 0.1.0
 * @category samples
 */
export const jobId = (n = 1): JobId.JobId => JobId.fromTime(Date.UTC(2026, 0, 2, 3, 4, 5), n)

/**
 * A running MapReduce session of the n-th job, started n seconds into the day.
 *
 * @since 0.1.0
 * @category samples
 */
export const session = (n = 1, changes: Partial<Session> = {}): Session => {
  const at = Timestamp.fromMillis(Date.UTC(2026, 0, 2, 3, 4, 5) + n * 1_000)
  return {
    id: SessionId.fromJob(jobId(n)),
    session_type: "MapReduce",
    status: "Running",
    started_at: at,
    updated_at: at,
    completed_at: null,
    workflow: { name: "migrate", path: "/home/dana/migrate.yml", hash: "a".repeat(64) },
    repository: { name: repo, path: "/home/dana/my-repo" },
    worktree: { path: "/w/session", branch: "prodigy-session", target_branch: "main" },
    job_id: jobId(n),
    checkpoints: [],
    timings: {},
    progress: { kind: "mapreduce", phase: "map", total: 400, completed: 0, failed: 0, skipped: 0, in_progress: 10 },
    cost: Usage.none,
    error: null,
    outcome: null,
    owner: null,
    ...changes
  }
}

/**
 * The letter of an item that failed once.
 *
 * @since 0.1.0
 * @category samples
 */
export const deadLetter = (itemId: string, data: Json = { path: itemId }, index = 0): DeadLetter.DeadLetter => {
  const failure = Failure.make({ error_type: "CommandFailed", exit_code: 2 }, "npm test: exit code 2", {
    step: "npm test",
    output_tail: "1 failing\n"
  })
  return DeadLetter.append(
    undefined,
    { index, id: ItemId.make(itemId), data },
    DeadLetter.attempt({
      failure,
      agentId: AgentId.fromItem(jobId(), index),
      attempt: 1,
      at: "2026-01-02T03:04:05.678Z",
      durationMillis: 1_234
    }),
    ErrorSignature.fromFailure(failure),
    { branch_name: "prodigy-kept", tip: "0123456789abcdef0123456789abcdef01234567" }
  )
}
