/** Values of core, made by hand. */
import type { DeadLetter } from "@prodigy/core/domain/DeadLetter"
import { AgentId } from "@prodigy/core/domain/AgentId"
import type { EventRecord } from "@prodigy/core/domain/Event"
import type { Cause } from "@prodigy/core/domain/Failure"
import { JobId } from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import type { Session } from "@prodigy/core/domain/Session"
import { SessionId } from "@prodigy/core/domain/SessionId"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import type { Plan, RunReport } from "@prodigy/core/engine/MapReduce"
import type { AgentView, RunView } from "@prodigy/core/engine/Progress"
import type { Step } from "@prodigy/core/workflow/Workflow"

export const jobId = JobId.make("mapreduce-20260131_080000")
export const sessionId = SessionId.make("session-mapreduce-20260131_080000")
const repo = RepoName.make("shop")
export const startedAt = "2026-01-31T08:00:00.000Z"
export const startedAtMillis = 1_769_846_400_000

export const counts = { pending: 0, running: 0, unmerged: 0, merged: 0, dead_lettered: 0, skipped: 0 }

export const report: RunReport = {
  job_id: jobId,
  session_id: sessionId,
  repository: "shop",
  workflow_name: "migrate",
  status: "completed",
  phase: "finish",
  total: 3,
  counts: { ...counts, merged: 3 },
  usage: Usage.none,
  duration_ms: 64_000,
  finish: { outcome: "merged", target: "main", commit: "1234567890abcdef1234567890abcdef12345678" },
  failure: null,
  stopped_by_policy: false,
  waiting: null,
  branch: `prodigy-${sessionId}`,
  worktree: "/home/dana/.prodigy/worktrees/shop/s",
  kept: [],
  orphans: [],
  warnings: []
}

export const waiting = (reason: "declined" | "not_asked" | "conflict" | "dirty_target" | "no_target_branch") => ({
  ...report,
  finish: {
    outcome: "waiting" as const,
    target: reason === "no_target_branch" ? null : "main",
    branch: `prodigy-${sessionId}`,
    reason,
    paths: reason === "conflict" || reason === "dirty_target" ? ["src/a.ts"] : [],
    command: `git merge prodigy-${sessionId}`
  }
})

export const letter = (id: string, cause: Cause = { error_type: "CommandFailed", exit_code: 3 }): DeadLetter => ({
  item_id: ItemId.make(id),
  item_index: 0,
  item_data: { path: "src/a.ts" },
  first_attempt: startedAt,
  last_attempt: startedAt,
  failure_count: 1,
  failure_history: [
    {
      attempt_number: 1,
      timestamp: startedAt,
      error_type: cause.error_type,
      cause,
      error_message: "The script exited with 3.",
      error_context: [],
      agent_id: AgentId.make(`${jobId}_agent_0`),
      step_failed: "shell: npm test",
      duration_ms: 1500,
      json_log_location: "/logs/a.log",
      output_tail: "one\n\u001b[31mtwo\u001b[0m\n"
    }
  ],
  error_signature: "CommandFailed:3|shell: npm test|The script exited with <n>.",
  reprocess_eligible: true,
  manual_review_required: false,
  worktree_artifacts: { branch_name: "prodigy-agent-0", uncommitted_changes: "refs/prodigy/rescue/j/i/1" },
  status: "failed"
})

export const event = (fields: EventRecord["event"]): EventRecord => ({
  v: 1,
  id: "0194b9c0-0000-7000-8000-000000000000",
  timestamp: startedAt,
  correlation_id: sessionId,
  event: fields,
  metadata: { host: "h", pid: 1 }
})

export const session: Session = {
  id: sessionId,
  session_type: "MapReduce",
  status: "Completed",
  started_at: startedAt,
  updated_at: startedAt,
  completed_at: "2026-01-31T08:05:00.000Z",
  workflow: { name: "migrate", path: "migrate.yml", hash: "00" },
  repository: { name: "shop", path: "/work/shop" },
  worktree: { path: "/w", branch: `prodigy-${sessionId}`, target_branch: "main" },
  job_id: jobId,
  checkpoints: [],
  timings: { map: 61_000 },
  progress: { kind: "mapreduce", phase: "finish", total: 10, completed: 9, failed: 1, skipped: 0, in_progress: 0 },
  cost: { ...Usage.none, usd: 4.2 },
  error: null,
  outcome: "merged into main",
  owner: null
}

export const agentView = (id: string, more: Partial<AgentView> = {}): AgentView => ({
  agentId: AgentId.make(`${jobId}_agent_0`),
  itemId: ItemId.make(id),
  index: 0,
  attempt: 1,
  step: "shell: npm test",
  stepIndex: 1,
  stepTotal: 3,
  retry: null,
  startedAtMillis,
  lastActivityMillis: startedAtMillis,
  ...more
})

export const view: RunView = {
  jobId,
  sessionId,
  workflowName: "migrate",
  phase: "map",
  status: "running",
  waiting: null,
  total: 40,
  counts: { ...counts, pending: 18, running: 2, merged: 18, dead_lettered: 2 },
  startedAtMillis,
  mapStartedAtMillis: startedAtMillis,
  mapStartedWith: 0,
  usage: { ...Usage.none, usd: 1.5 },
  agents: [],
  phaseStep: null,
  phaseRetry: null
}

const step = (name: string): Step => ({
  action: { kind: "shell", script: name, interpreter: null },
  id: null,
  name,
  line: 1,
  when: null,
  timeout_ms: null,
  retry: null,
  capture: null,
  output_file: null,
  env: {},
  working_dir: null,
  commit_required: false,
  allow_failure: false,
  on_failure: null,
  on_success: []
})

const phase = (steps: ReadonlyArray<Step>) => ({ steps, timeout_ms: null, auto_commit: true, capture_outputs: {} })

export const plan: Plan = {
  request: {
    workflowPath: "migrate.yml",
    workflowText: "",
    projectPath: "/work/shop",
    maxParallel: null,
    base: null,
    approve: "not_asked",
    parameters: {},
    waitsForQuota: true
  },
  workflow: {
    name: "migrate",
    description: null,
    checkpoint: null,
    env: {},
    setup: phase([step("shell: npm ci")]),
    map: {
      selection: {
        source: { kind: "items", items: [] },
        input_format: null,
        json_path: null,
        filter: null,
        sort_by: null,
        distinct: null,
        offset: 0,
        max_items: null,
        item_id: null
      },
      agent_template: [step("shell: convert")],
      max_parallel: 2,
      agent_timeout_ms: null,
      auto_commit: true,
      failure_policy: {
        on_item_failure: "dlq",
        handler: null,
        retry: null,
        circuit_breaker: null,
        max_failures: null,
        failure_threshold: null
      }
    },
    reduce: phase([])
  },
  warnings: [],
  project: {
    root: "/work/shop",
    checkout: "/work/shop",
    head: "1234567890abcdef1234567890abcdef12345678",
    branch: "main",
    rootCommit: "00"
  },
  repo,
  base: "1234567890abcdef1234567890abcdef12345678",
  target: "main",
  maxParallel: 2,
  items: {
    _tag: "Known",
    items: [
      { index: 0, id: ItemId.make("a"), data: { path: "src/a.ts" } },
      { index: 1, id: ItemId.make("b\u001b[2J"), data: { path: "src/b.ts" } },
      { index: 2, id: ItemId.make("c"), data: null }
    ]
  },
  preview: [{ step: step("shell: convert"), text: "convert 'src/a.ts'\nnpm test" }]
}
