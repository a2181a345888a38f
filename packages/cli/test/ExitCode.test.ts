import { AgentMissing } from "@prodigy/core/agent/Agent"
import { JobId } from "@prodigy/core/domain/JobId"
import { NotCancellable, OwnerStays } from "@prodigy/core/engine/Cancel"
import { AlreadyCancelled } from "@prodigy/core/engine/MapReduce"
import { AmbiguousId, IdInvalid, IdNotFound, SessionLost } from "@prodigy/core/engine/Inspect"
import { Unhealthy } from "@prodigy/core/engine/Doctor"
import { NotMerged, WorktreeKept } from "@prodigy/core/engine/SessionWorktrees"
import { DamageFound } from "@prodigy/core/engine/Checkpoints"
import { CheckpointUnusable } from "@prodigy/core/engine/Restore"
import { NotRemoved } from "@prodigy/core/engine/SessionClean"
import { NoCurrentWorkflow, SeveralToResume } from "@prodigy/core/engine/Resume"
import { RevisionRefused } from "@prodigy/core/engine/Revision"
import { DamagedFile, StorageError } from "@prodigy/core/storage/AtomicFile"
import { RepoNameError } from "@prodigy/core/storage/ProdigyHome"
import { ResumeLockHeld } from "@prodigy/core/storage/ResumeLock"
import { WorkflowInvalid } from "@prodigy/core/workflow/WorkflowFile"
import { WorkItemsError } from "@prodigy/core/workflow/WorkItems"
import { WorkspaceError } from "@prodigy/core/workspace/Workspace"
import { assert, describe, it } from "@effect/vitest"
import { type CommandError, fromError, fromReport } from "../src/ExitCode.ts"
import { failure, warned } from "../src/Render/Failure.ts"
import { plain } from "../src/Render/Style.ts"
import { RunEnded } from "../src/RunEnded.ts"
import { OutputClosed } from "../src/Screen.ts"
import { UsageError } from "../src/UsageError.ts"
import { WorkflowUnreadable } from "../src/WorkflowUnreadable.ts"
import { counts, jobId, report, sessionId, waiting } from "./values.ts"

const workspace = (reason: WorkspaceError["reason"]) =>
  new WorkspaceError({ operation: "find the project", reason, path: "/x", detail: "no" })

const cases: ReadonlyArray<readonly [CommandError, number]> = [
  [new UsageError({ what: "No.", suggestions: [], command: "prodigy" }), 2],
  [new WorkflowUnreadable({ path: "x.yml", detail: "no", suggestions: [] }), 2],
  [new WorkflowInvalid({ path: "x.yml", problems: [{ line: 1, column: 2, message: "m", hint: null, frame: "" }] }), 2],
  [new WorkItemsError({ option: "input", reason: "not_found", where: "x", detail: "no" }), 2],
  [new AgentMissing({ agent: "claude", command: "claude", detail: "no" }), 2],
  [new RepoNameError({ path: "/", detail: "no" }), 2],
  [workspace("not_a_repository"), 2],
  [workspace("no_commits"), 2],
  [workspace("git_missing"), 2],
  [workspace("git_too_old"), 2],
  [workspace("unknown_base"), 2],
  [workspace("command_failed"), 1],
  [workspace("locked"), 1],
  [workspace("checkout_damaged"), 1],
  [new StorageError({ operation: "write", path: "/x", reason: "no_space", detail: "no" }), 1],
  [new DamagedFile({ path: "/x", line: 3, expected: "a", actual: "b" }), 1],
  [new DamageFound({ damaged: 2, repairable: 1, jobs: [JobId.make("mapreduce-1")] }), 1],
  [
    new CheckpointUnusable({
      job_id: JobId.make("mapreduce-1"),
      text: "x",
      reason: "unknown",
      detail: null,
      candidates: []
    }),
    2
  ],
  [
    new CheckpointUnusable({
      job_id: JobId.make("mapreduce-1"),
      text: "x",
      reason: "damaged",
      detail: "y",
      candidates: ["z"]
    }),
    1
  ],
  [new ResumeLockHeld({ id: JobId.make("j"), path: "/x", holder: null, here: true }), 5],
  [new IdNotFound({ kind: "job", text: "x", job: null, suggestions: [] }), 2],
  [new SessionLost({ session_id: sessionId }), 1],
  [new AmbiguousId({ text: "x", candidates: ["xa", "xb"] }), 2],
  [new IdInvalid({ text: "../x", expected: "an id" }), 2],
  [new AlreadyCancelled({ session_id: sessionId }), 2],
  [new NotCancellable({ session_id: sessionId }), 2],
  [new NotRemoved({ sessions: [sessionId] }), 1],
  [new OwnerStays({ session_id: sessionId, pid: 7, waited_ms: 60_000 }), 5],
  [new NoCurrentWorkflow({ session_id: sessionId, path: "x.yml" }), 2],
  [new RevisionRefused({ job_id: jobId, path: "x.yml", changes: "items", done: "3 are selected" }), 2],
  [new SeveralToResume({ sessions: [sessionId] }), 2],
  [
    new WorktreeKept({ name: "w", path: "/w", reason: "it has 1 file not committed", forceable: true, driven: false }),
    1
  ],
  [new WorktreeKept({ name: "w", path: "/w", reason: "it is driven", forceable: false, driven: true }), 5],
  [new Unhealthy({ errors: 1 }), 1],
  [new NotMerged({ branches: ["prodigy-s"], driven: false }), 6],
  [new NotMerged({ branches: ["prodigy-s", "prodigy-t"], driven: true }), 5],
  [new RunEnded({ report: waiting("conflict"), allowFailed: false }), 6],
  [new OutputClosed({ code: "EPIPE" }), 141],
  [new OutputClosed({ code: "ENOSPC" }), 1]
]

describe("ExitCode", () => {
  it("tells scripts apart what happened", () => {
    for (const [error, code] of cases) assert.strictEqual(fromError(error).code, code, error._tag)
  })

  it("says what to do next after every error that is said", () => {
    for (const [error] of cases) {
      const text = failure(error, plain)
      if (text === "") continue
      assert.isNotNull(fromError(error).hint, error._tag)
      assert.isAtLeast(text.split("\n").length, 2, error._tag)
      assert.notMatch(text, /_tag|Cause|\bat .*:\d+:\d+\)/, error._tag)
    }
  })

  it("says what is wrong in a workflow, place by place", () => {
    const error = new WorkflowInvalid({
      path: "wf.yml",
      problems: [
        { line: 3, column: 5, message: 'unknown key "stepz"', hint: 'Did you mean "steps"?', frame: "> 3 | stepz:\n" },
        { line: 9, column: 1, message: "no items", hint: null, frame: "" }
      ]
    })
    assert.strictEqual(
      failure(error, plain),
      `wf.yml:3:5: error: unknown key "stepz"
  > 3 | stepz:
  Did you mean "steps"?

wf.yml:9:1: error: no items

2 problems in wf.yml. Nothing was started.`
    )
  })

  it("points to the list of the job that was searched", () => {
    const error = new IdNotFound({ kind: "dead letter", text: "src/a", job: "mapreduce-1", suggestions: [] })
    assert.strictEqual(
      failure(error, plain),
      `error: There is no dead letter "src/a" in job mapreduce-1.\n  See: prodigy dlq list --job-id mapreduce-1`
    )
  })

  it("says on one line what is in a damaged file, harmlessly", () => {
    const error = new DamagedFile({ path: "/x.json", line: 0, expected: "a session", actual: '{\n  "v": \u001b[31m1' })
    const line = '/x.json is damaged: expected a session, found { "v": \\e[31m1.'
    assert.strictEqual(warned(error, plain), `warning: ${line}`)
    assert.strictEqual(failure(error, plain).split("\n")[0], `error: ${line}`)
  })

  it("says nothing when the reader has gone, and something when the disk is full", () => {
    assert.strictEqual(failure(new OutputClosed({ code: "EPIPE" }), plain), "")
    assert.strictEqual(
      failure(new OutputClosed({ code: "ENOSPC" }), plain),
      "error: Could not write to the standard output: no space is left.\n  Check where the output goes."
    )
  })

  it("says what stands in the way without the texts of Node and git", () => {
    const detail = "ENOTDIR: not a directory, open '/x/y/z.json'"
    const storage = new StorageError({ operation: "read", path: "/x/y/z.json", reason: "io", detail })
    assert.strictEqual(
      failure(storage, plain),
      "error: Could not read /x/y/z.json: not a directory.\n  Check that PRODIGY_HOME is a directory, or set it to another one."
    )
    const input = new WorkItemsError({ option: "input", reason: "not_found", where: "a.txt", detail: "No a.txt." })
    assert.strictEqual(input.message, "map.input: No a.txt")
  })

  it("is 0 for a run that worked, merged or with nothing to merge", () => {
    assert.strictEqual(fromReport(report, false), 0)
    assert.strictEqual(fromReport({ ...report, finish: { outcome: "nothing_to_merge", target: "main" } }, false), 0)
  })

  it("is 3 for dead letters, 0 when they are allowed", () => {
    const letters = { ...report, counts: { ...counts, dead_lettered: 1 } }
    assert.strictEqual(fromReport(letters, false), 3)
    assert.strictEqual(fromReport(letters, true), 0)
  })

  it("is 6 for every merge that waits, dead letters or not", () => {
    for (const reason of ["declined", "not_asked", "conflict", "dirty_target", "no_target_branch"] as const) {
      assert.strictEqual(fromReport(waiting(reason), false), 6, reason)
      assert.strictEqual(fromReport({ ...waiting(reason), counts: { ...counts, dead_lettered: 1 } }, true), 6, reason)
    }
  })

  it("is 1 for failed, 4 for stopped by policy or paused", () => {
    assert.strictEqual(fromReport({ ...report, status: "failed" }, true), 1)
    assert.strictEqual(fromReport({ ...report, status: "failed", stopped_by_policy: true }, true), 4)
    assert.strictEqual(fromReport({ ...report, status: "paused" }, true), 4)
  })
})
