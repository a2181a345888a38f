import { assert, describe, it } from "@effect/vitest"
import * as JobState from "@prodigy/core/domain/JobState"
import { CheckpointStore } from "@prodigy/core/storage/CheckpointStore"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { EventLog } from "@prodigy/core/storage/EventLog"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { Journal } from "@prodigy/core/storage/Journal"
import { RepoName } from "@prodigy/core/domain/RepoName"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import { inRepository } from "./Bench.ts"

describe("MapReduce", () => {
  it.live("leaves journal, checkpoint, events, session and letters that agree with its report", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: agree
map:
  input: { items: [a, b, c] }
  max_parallel: 2
  agent_template:
    - shell: echo "\${item}" > "\${item}.txt"
    - shell: exit 9
      when: item == 'b'
reduce:
  - shell: echo "\${map.successful}/\${map.total} \${map.failed}" > summary.txt
`)
        assert.strictEqual(report.status, "completed")
        assert.deepStrictEqual(git("show", "main:summary.txt"), "2/3 1")
        const [repo, jobId] = [RepoName.make(report.repository), report.job_id]

        const entries = yield* Stream.runCollect((yield* Journal).read(repo, jobId, 0))
        const state = [...entries].reduce(
          (now, entry) => Either.getOrThrow(JobState.apply(now, entry.record)),
          JobState.empty
        )
        assert.deepStrictEqual(state.counts, report.counts)
        assert.strictEqual(state.status, "completed")
        const { checkpoint, damaged } = yield* (yield* CheckpointStore).latest(repo, jobId)
        assert.deepStrictEqual(damaged, [])
        assert.strictEqual(checkpoint?.state.seq, state.seq)
        const summary = yield* (yield* JobStore).loadSummary(repo, jobId)
        assert.deepStrictEqual(summary?.counts, report.counts)

        const session = yield* (yield* SessionStore).get(report.session_id)
        assert.strictEqual(session.status, "Completed")
        assert.isNull(session.worktree)
        assert.include(session.outcome ?? "", "merged into main")
        const letter = yield* (yield* DeadLetterQueue).get(repo, jobId, entries.pipe(failedItem))
        assert.strictEqual(letter?.item_data, "b")
        assert.strictEqual(letter?.failure_history[0].exit_code, 9)
        assert.isNull(yield* (yield* ResumeLock).holder(jobId))

        const events = yield* Stream.runCollect((yield* EventLog).read(repo, jobId))
        const kinds = [...events].map((entry) => Either.getOrThrow(entry).event.event_type)
        const count = (kind: string) => kinds.filter((one) => one === kind).length
        assert.deepStrictEqual(
          ["agent_started", "agent_completed", "agent_failed", "worktree_merged", "dlq_item_added"].map(count),
          [3, 2, 1, 2, 1]
        )
        assert.isBelow(kinds.indexOf("job_started"), kinds.indexOf("agent_started"))
        assert.isBelow(kinds.indexOf("map_phase_completed"), kinds.indexOf("reduce_phase_completed"))
        assert.strictEqual(count("job_completed"), 1)
      })
    )
  )

  it.live("runs reduce and succeeds with a warning when there are no items", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: none
map:
  input: { items: [] }
  agent_template:
    - shell: "false"
reduce:
  - shell: echo "\${map.total}" > total.txt
`)
        assert.strictEqual(report.status, "completed")
        assert.strictEqual(report.total, 0)
        assert.include(report.warnings.join(), "no items")
        assert.strictEqual(git("show", "main:total.txt"), "0")
      })
    )
  )

  it.live("skips failed items when the workflow says so, and writes no letter for them", () =>
    inRepository(({ run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: skip
map:
  input: { items: [1, 2] }
  on_item_failure: skip
  agent_template:
    - shell: exit 1
      when: item == 2
`)
        assert.strictEqual(report.status, "completed")
        assert.deepStrictEqual([report.counts.merged, report.counts.skipped, report.counts.dead_lettered], [1, 1, 0])
        const queue = yield* DeadLetterQueue
        assert.strictEqual(yield* queue.count(RepoName.make(report.repository), report.job_id), 0)
      })
    )
  )

  it.live("stops by policy: what was merged stays on the session's branch, the target is not touched", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const before = git("rev-parse", "main")
        const report = yield* run(`
name: stop
map:
  input: { items: [1, 2, 3, 4] }
  max_parallel: 1
  on_item_failure: stop
  agent_template:
    - shell: echo x > "made-\${item}"
    - shell: exit 1
      when: item == 2
`)
        assert.strictEqual(report.status, "failed")
        assert.isTrue(report.stopped_by_policy)
        assert.include(report.failure?.message ?? "", "on_item_failure: stop")
        assert.deepStrictEqual([report.counts.merged, report.counts.dead_lettered, report.counts.pending], [1, 1, 2])
        assert.strictEqual(git("rev-parse", "main"), before)
        assert.include(git("ls-tree", "--name-only", report.branch), "made-1")
        const session = yield* (yield* SessionStore).get(report.session_id)
        assert.strictEqual(session.status, "Failed")
        assert.include(session.error ?? "", "on_item_failure: stop")
      })
    )
  )

  it.live("fails in setup before any item, with the step's failure", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: bad-setup
setup:
  - shell: echo made > made.txt
  - shell: echo broken >&2; exit 4
    name: prepare
map:
  input: { items: [1] }
  agent_template:
    - shell: "true"
`)
        assert.strictEqual(report.status, "failed")
        assert.strictEqual(report.phase, "setup")
        assert.strictEqual(report.failure?.step, "prepare")
        assert.deepStrictEqual(report.failure?.cause, { error_type: "CommandFailed", exit_code: 4 })
        assert.isNull(report.total)
        assert.strictEqual(git("worktree", "list").split("\n").length, 2)
      })
    )
  )

  it.live("fails in reduce with the merged items kept on the session's branch", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: bad-reduce
map:
  input: { items: [1] }
  agent_template:
    - shell: echo x > made
reduce:
  - shell: exit 2
`)
        assert.strictEqual(report.status, "failed")
        assert.strictEqual(report.phase, "reduce")
        assert.strictEqual(report.counts.merged, 1)
        assert.include(git("ls-tree", "--name-only", report.branch), "made")
        assert.notInclude(git("ls-tree", "--name-only", "main"), "made")
      })
    )
  )

  it.live("gives setup's captures to agents and reduce, and an agent's timeout its type", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: captures
setup:
  commands:
    - shell: echo v1
      capture: release
  capture_outputs: { tag: "tag-\${release}" }
map:
  input: { items: [1, 2] }
  agent_timeout_secs: 4
  agent_template:
    - shell: echo "\${release} \${tag}" > "made-\${item}"
    - shell: sleep 60
      name: slow
      when: item == 2
reduce:
  - shell: echo "\${tag}" > reduced
`)
        assert.strictEqual(git("show", "main:made-1"), "v1 tag-v1")
        assert.strictEqual(git("show", "main:reduced"), "tag-v1")
        assert.strictEqual(report.counts.dead_lettered, 1)
        const queue = yield* DeadLetterQueue
        const letters = yield* Stream.runCollect(queue.stream(RepoName.make(report.repository), report.job_id))
        const [letter] = [...letters]
        assert.deepStrictEqual(letter?.failure_history[0].cause, {
          error_type: "Timeout",
          timeout_ms: 4000,
          scope: "agent"
        })
        assert.strictEqual(letter?.failure_history[0].step_failed, "slow")
        // What it had made is kept.
        const rescue = letter?.worktree_artifacts.uncommitted_changes ?? ""
        assert.strictEqual(git("show", `${rescue}:made-2`), "v1 tag-v1")
      })
    )
  )
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const failedItem = (entries: Iterable<{ readonly record: { readonly type: string } }>) => {
  for (const { record } of entries) {
    if (record.type === "item_failed" && "item_id" in record) return record.item_id as never
  }
  throw new Error("no item failed")
}
