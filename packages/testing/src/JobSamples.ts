/**
 * Job files as tests want them: valid and small.
 *
 * @since 0.1.0
 */
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import type { ItemResult, JobFile, JobSummary, Revision } from "@prodigy/core/storage/JobStore"
import type { Action, Phase, Step, Workflow } from "@prodigy/core/workflow/Workflow"
import * as Samples from "./Samples.ts"

/**
 * A step with nothing set but its action, on the first line of the file.
 *
 * @since 0.1.0
 * @category samples
 */
export const step = (action: Action, options: Partial<Step> = {}): Step => ({
  action,
  id: null,
  name: action.kind,
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
  on_success: [],
  ...options
})

/**
 * @since 0.1.0
 * @category samples
 */
export const shell = (script: string, options: Partial<Step> = {}): Step =>
  step({ kind: "shell", script, interpreter: null }, options)

/**
 * As a workflow file has it on a line.
 *
 * @since 0.1.0
 * @category samples
 */
export const shellAt = (script: string, line: number): Step => shell(script, { name: `shell: ${script}`, line })

const phase = (steps: ReadonlyArray<Step>): Phase => ({
  steps,
  timeout_ms: null,
  auto_commit: true,
  capture_outputs: {}
})

/**
 * @since 0.1.0
 * @category samples
 */
export const workflow: Workflow = {
  name: "migrate",
  description: null,
  checkpoint: null,
  env: { LANG: "C" },
  setup: phase([shellAt("ls src > files", 4)]),
  map: {
    selection: {
      source: { kind: "path_or_command", text: "items.json" },
      input_format: null,
      json_path: "$.items[*]",
      filter: null,
      sort_by: null,
      distinct: null,
      offset: 0,
      max_items: null,
      item_id: "path"
    },
    agent_template: [shellAt("echo ${item.path}", 12)],
    max_parallel: 10,
    agent_timeout_ms: 600_000,
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
  reduce: phase([shellAt("echo done", 15)])
}

/**
 * The plan of the n-th job.
 *
 * @since 0.1.0
 * @category samples
 */
export const jobFile = (n = 1): JobFile => ({
  v: 1,
  job_id: Samples.jobId(n),
  session_id: SessionId.fromJob(Samples.jobId(n)),
  created_at: "2026-01-02T03:04:05.000Z",
  repository: { name: Samples.repo, path: "/home/dana/my-repo", checkout: "/home/dana/my-repo" },
  base_commit: "0123456789abcdef0123456789abcdef01234567",
  target_branch: "main",
  workflow,
  workflow_source: { path: "/home/dana/migrate.yml", text: "name: migrate\n", sha256: "a".repeat(64) },
  options: { max_parallel: 10, approve: "ask", parameters: { ticket: "T-1" } }
})

/**
 * The n-th workflow that the first job was gone on with.
 *
 * @since 0.1.0
 * @category samples
 */
export const revision = (n: number): Omit<Revision, "v" | "revision"> => ({
  job_id: Samples.jobId(),
  adopted_at: "2026-01-02T03:24:05.000Z",
  seq: 10 * n,
  workflow: { ...workflow, description: `version ${n}` },
  workflow_source: { path: "migrate.yml", file: "/home/dana/migrate.yml", text: `# ${n}\n`, sha256: "b".repeat(64) },
  max_parallel: n
})

/**
 * @since 0.1.0
 * @category samples
 */
export const summary = (n = 1): JobSummary => ({
  v: 1,
  job_id: Samples.jobId(n),
  session_id: SessionId.fromJob(Samples.jobId(n)),
  seq: 871,
  phase: "map",
  status: "running",
  total: 400,
  counts: { pending: 100, running: 10, unmerged: 1, merged: 280, dead_lettered: 9, skipped: 0 },
  started_at: "2026-01-02T03:04:05.000Z",
  updated_at: "2026-01-02T03:14:05.000Z"
})

/**
 * @since 0.1.0
 * @category samples
 */
export const itemResult = (index: number): ItemResult => ({
  item_id: ItemId.make(`item_${index}`),
  item_index: index,
  status: "success",
  agent_id: `${Samples.jobId()}_agent_${index}`,
  commits: 1,
  duration_ms: 1_234,
  output: { text: `did ${index}` },
  error: null
})
