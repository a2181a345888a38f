import * as AgentId from "@prodigy/core/domain/AgentId"
import { JobId } from "@prodigy/core/domain/JobId"
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import * as Failure from "@prodigy/core/domain/Failure"
import * as Usage from "@prodigy/core/domain/Usage"
import * as WorkflowState from "@prodigy/core/domain/WorkflowState"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { assert, describe, it } from "vitest"
import * as Check from "../chaos/Check.ts"
import type { Evidence, WorkflowEvidence } from "../chaos/Evidence.ts"
import * as Scenario from "../chaos/Scenario.ts"

const jobId = JobId.make("mapreduce-20260102_030405")
const commit = "0".repeat(40)
const items = Scenario.items(10)
const isLetter = (item: Scenario.Item) => item.kind === "fail" || item.kind === "conflict"
const isMerged = (item: Scenario.Item) => !isLetter(item) && item.kind !== "none"

const records: ReadonlyArray<JobRecord> = [
  ...items.flatMap((item, index): ReadonlyArray<JobRecord> => {
    const attempt = {
      index,
      item_id: ItemId.make(item.id),
      agent_id: AgentId.fromItem(jobId, index),
      attempt: 1,
      duration_ms: 1,
      usage: Usage.none
    }
    return isLetter(item)
      ? [
          {
            type: "item_failed",
            ...attempt,
            failure: Failure.make({ error_type: "Unknown" }, "no"),
            kept: {},
            disposition: "dead_letter"
          }
        ]
      : [{ type: "item_completed", ...attempt, tip: commit, branch: null, commits: 1, result: null, log: null }]
  }),
  ...[0, 1, 2].map((step): JobRecord => ({ type: "reduce_step_completed", step, variables: {}, usage: Usage.none })),
  { type: "reduce_completed" }
]

const counts = { ...JobState.empty.counts, merged: 8, dead_lettered: 2 }

/** What a round leaves that violated nothing. */
const sound: Evidence = {
  items,
  reduceSteps: 3,
  kills: [{ run: 1, done: ["setup:0", "item:i0"] }],
  began: [
    { what: "setup:0", run: 1 },
    ...items.map((item, index) => ({ what: `item:${item.id}`, run: index < 5 ? 1 : 2 })),
    { what: "reduce:0", run: 2 }
  ],
  records,
  state: {
    ...JobState.empty,
    status: "completed",
    counts,
    finish: { outcome: "merged", target: "main", commit }
  },
  session: { status: "Completed", worktree: null, progress: { completed: 8, failed: 2, skipped: 0 } },
  merges: items.filter(isMerged).map(({ id }) => id),
  letters: items.filter(isLetter).map(({ id }) => id),
  files: new Map([
    ...items.filter(isMerged).map((item) => [Scenario.fileOf(item).path, Scenario.fileOf(item).content] as const),
    ...[0, 1, 2].map((step) => [`reduce-${step}.txt`, `step ${step}: 8 v7\n`] as const)
  ]),
  fsck: [],
  head: commit,
  target: commit,
  status: [],
  worktrees: [],
  orphans: [],
  branches: [],
  processes: [],
  locks: [],
  temporaries: [],
  unborn: []
}

const cases: ReadonlyArray<readonly [name: string, doctored: Partial<Evidence>, says: RegExp]> = [
  ["an item merged twice", { merges: [...sound.merges, "i0"] }, /^i0 \(plain\) is merged 2 times and in the dead/],
  ["an item merged nowhere", { merges: sound.merges.slice(1) }, /^i0 \(plain\) is merged 0 times and in the dead/],
  ["an item both merged and a dead letter", { merges: [...sound.merges, "i2"] }, /^i2 \(fail\) is merged 1 times and/],
  ["a dead letter without a record", { letters: [...sound.letters, "i0"] }, /^i0 \(plain\) has 0 records of failure/],
  ["a record without a dead letter", { letters: ["i2"] }, /^i6 \(conflict\) has 1 records of failure and 0 dead/],
  ["a merge without its file", { files: new Map([...sound.files, ["made/i0.txt", ""]]) }, /of the merged i0 holds ""/],
  [
    "a file without its merge",
    { files: new Map([...sound.files, ["made/i2.txt", "x"]]) },
    /^made\/i2.txt of i2, which is/
  ],
  [
    "an item that ran again",
    { began: [...sound.began, { what: "item:i0", run: 2 }] },
    /^item:i0 was recorded done before/
  ],
  [
    "setup that ran again",
    { began: [...sound.began, { what: "setup:0", run: 3 }] },
    /^setup:0 was recorded done before/
  ],
  ["an item that never ran", { began: sound.began.filter(({ what }) => what !== "item:i4") }, /^i4 never ran$/],
  ["reduce that ended twice", { records: [...records, { type: "reduce_completed" }] }, /^reduce ended 2 times$/],
  [
    "a reduce step not recorded",
    { records: records.filter((one) => !("step" in one)) },
    /^reduce step 0 is recorded 0/
  ],
  ["a journal that does not fold", { state: "Record 3 does not fit." }, /^Record 3 does not fit\.$/],
  [
    "a job that is not done",
    { state: { ...JobState.empty, status: "running" } },
    /^the journal folds to a running job$/
  ],
  ["a session that runs", { session: { ...sound.session, status: "Running" } }, /^the session is Running$/],
  [
    "a session that counts otherwise",
    { session: { ...sound.session, progress: { completed: 7, failed: 2, skipped: 0 } } },
    /^the session counts 7 merged, 2 failed, 0 skipped; the journal 8, 2, 0$/
  ],
  ["a checkout that is not at the target", { head: "1".repeat(40) }, /^the checkout is at 1+, the target at 0+$/],
  ["a changed file", { status: [" M shared.txt"] }, /^the checkout is not clean:  M shared\.txt$/],
  ["a broken object", { fsck: ["missing blob 1"] }, /^git fsck: missing blob 1$/],
  ["a worktree", { worktrees: ["session-x"] }, /^a worktree is left: session-x$/],
  ["an orphan", { orphans: ["a: no"] }, /^a worktree could not be removed: a: no$/],
  ["a merged branch", { branches: ["prodigy-x"] }, /^a merged branch is left: prodigy-x$/],
  ["a process", { processes: ["17 sleep"] }, /^a process is left: 17 sleep$/],
  ["a lock", { locks: ["x.lock"] }, /^a lock is left: x\.lock$/],
  ["a temporary file", { temporaries: ["x.tmp"] }, /^a temporary file is left: x\.tmp$/]
]

/** Steps 0 and 1 are recorded when process 1 is killed in step 2. */
const soundWorkflow: WorkflowEvidence = {
  ...sound,
  session: { status: "Completed", worktree: null, progress: {} },
  steps: 4,
  kills: [{ run: 1, done: ["step:0", "step:1"] }],
  began: [
    ...[0, 1, 2].map((step) => ({ what: `step:${step}`, run: 1 })),
    ...[2, 3].map((step) => ({ what: `step:${step}`, run: 2 }))
  ],
  state: {
    ...WorkflowState.empty,
    status: "completed",
    finish: { outcome: "merged", target: "main", commit }
  },
  files: new Map([
    ["step-0.txt", "step 0\n"],
    ["step-1.txt", "step 1 1\n"],
    ["step-2.txt", "step 2 1 1\n"],
    ["step-3.txt", "step 3 1 1 2\n"]
  ])
}

const workflowCases: ReadonlyArray<
  readonly [name: string, doctored: (sound: WorkflowEvidence) => Partial<WorkflowEvidence>, says: RegExp]
> = [
  [
    "a recorded step that ran again",
    ({ began }) => ({ began: [...began.slice(0, 3), { what: "step:1", run: 2 }, ...began.slice(3)] }),
    /^process 2 ran step:1, step:2, step:3 instead of step:2, step:3, step:4$/
  ],
  ["a step that was left out", ({ began }) => ({ began: began.slice(0, 4) }), /^step 3 never ran$/],
  [
    "a step that ran twice in one process",
    ({ began }) => ({ began: [...began, { what: "step:3", run: 2 }] }),
    /^process 2 ran step:2, step:3, step:3 instead of step:2, step:3, step:4$/
  ],
  [
    "a variable of an attempt that was not recorded",
    ({ files }) => ({ files: new Map([...files, ["step-3.txt", "step 3 1 1 1\n"]]) }),
    /^step-3\.txt holds "step 3 1 1 1\\n" in the target/
  ],
  [
    "a checkpoint that is not at the end",
    () => ({ state: { ...WorkflowState.empty, status: "running" } }),
    /^the checkpoint tells of a running session$/
  ],
  [
    "a merge that is not told",
    ({ state }) => ({
      state: state === null ? null : { ...state, finish: { outcome: "nothing_to_merge", target: "main" } }
    }),
    /^the final merge is recorded as nothing_to_merge$/
  ],
  ["a worktree", () => ({ worktrees: ["session-x"] }), /^a worktree is left: session-x$/]
]

describe("the checks of chaos", () => {
  it("find nothing where nothing is wrong", () => {
    assert.deepStrictEqual(Check.violations(sound), [])
  })

  it.each(cases)("find %s", (_name, doctored, says) => {
    const found = Check.violations({ ...sound, ...doctored })
    assert.isTrue(
      found.some((violation) => says.test(violation)),
      found.join("\n")
    )
  })

  it("find nothing where nothing is wrong with a standard workflow", () => {
    assert.deepStrictEqual(Check.workflowViolations(soundWorkflow), [])
  })

  it.each(workflowCases)("find %s of a standard workflow", (_name, doctored, says) => {
    const found = Check.workflowViolations({ ...soundWorkflow, ...doctored(soundWorkflow) })
    assert.isTrue(
      found.some((violation) => says.test(violation)),
      found.join("\n")
    )
  })
})
