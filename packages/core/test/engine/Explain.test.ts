import { assert, describe, it } from "@effect/vitest"
import * as AgentId from "@prodigy/core/domain/AgentId"
import * as Failure from "@prodigy/core/domain/Failure"
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { Explain } from "@prodigy/core/engine/Explain"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { Journal } from "@prodigy/core/storage/Journal"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Effect from "effect/Effect"
import { inRepository, repo } from "./Bench.ts"

const job = JobSamples.jobFile()
const owner = { pid: 4711, host: "night", started_at: "1" }

/** Writes the job of the samples with two items and this journal, as a process that is gone left it. */
const written = Effect.fnUntraced(function* (records: ReadonlyArray<JobRecord>) {
  const jobs = yield* JobStore
  yield* jobs.save({ ...job, repository: { ...job.repository, name: repo } })
  const items = ["a", "b"].map((id, index) => ({ id: ItemId.make(id), index, data: null }))
  yield* jobs.saveItems(repo, job.job_id, items)
  const journal = yield* (yield* Journal).open(repo, job.job_id, 0)
  yield* journal.append(records)
}, Effect.scoped)

const begun: ReadonlyArray<JobRecord> = [
  { type: "job_started", job_id: job.job_id, session_id: job.session_id, workflow_name: "migrate", owner },
  { type: "setup_completed", variables: {}, usage: Usage.none },
  { type: "items_selected", total: 2 }
]

const attempt = (attempt: number) => ({
  index: 0,
  item_id: ItemId.make("a"),
  agent_id: AgentId.fromItem(job.job_id, 0),
  attempt
})

const quota = Failure.make({ error_type: "QuotaExceeded" }, "The quota is used up.")

describe("Explain", () => {
  it.live("says why an item was tried again and given up, and how the job ended", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        yield* run(`name: odd
map:
  input: { items: [0, 1, 2] }
  agent_template: [{ shell: 'test "\${item}" != 1 && echo x > "made-\${item}"' }]
  retry: { attempts: 2, initial_delay: 1ms }
`)
        const ask = (item: string | null) =>
          Effect.flatMap(Explain, (explain) => explain.explain({ projectPath: project, id: "latest", item }))
        const failed = yield* ask("item_1")
        assert.strictEqual(failed.status, "dead_lettered")
        assert.deepStrictEqual(failed.item, { id: "item_1", index: 1, attempts: 2 })
        assert.match(failed.conclusion, /dead letter queue after 2 attempts: .*All 2 attempts are used\.$/)
        assert.deepStrictEqual(
          failed.story.map(({ what }) => what.replace(/ at 2.*/, "")),
          [
            "attempt 1 started",
            "attempt 1 failed, and is tried again",
            "attempt 2 started",
            "attempt 2 failed for good: to the dead letter queue"
          ]
        )
        assert.match(failed.story[1]?.because ?? "", /It was failure 1; 2 attempts are allowed\.$/)
        const merged = yield* ask("item_2")
        assert.match(merged.conclusion, /^It is done after 1 attempt, and merged as [0-9a-f]{12}\.$/)
        const whole = yield* ask(null)
        assert.match(whole.conclusion, /^It is done: merged into main as [0-9a-f]{12}, but 1 item failed for good\.$/)
        assert.deepStrictEqual(
          whole.story.filter(({ item_id }) => item_id !== null).map(({ item_id }) => item_id),
          ["item_1"]
        )
        const unknown = yield* Effect.flip(ask("item_9"))
        assert.strictEqual(unknown.message, `There is no item "item_9" in job ${whole.job_id}.`)
        assert.strictEqual((yield* Effect.flip(ask("item_")))._tag, "AmbiguousId")
      })
    )
  )

  it.live("says why the workflow stopped a job, and why an item was never started", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        yield* run(`name: stops
error_policy: { on_item_failure: stop }
map:
  input: { items: [0, 1] }
  max_parallel: 1
  agent_template: [{ shell: "false" }]
`)
        const ask = (item: string | null) =>
          Effect.flatMap(Explain, (explain) => explain.explain({ projectPath: project, id: "latest", item }))
        assert.match((yield* ask(null)).conclusion, /^It failed in phase map: .*item_0/)
        assert.match((yield* ask("item_1")).conclusion, /^It was not started yet, and none is started any more: /)
        assert.match((yield* ask("item_0")).conclusion, /The workflow has no retry for items\.$/)
      })
    )
  )

  it.live("says that an item was put back because its process ended, or because of the quota", () =>
    inRepository(({ project }) =>
      Effect.gen(function* () {
        yield* written([
          ...begun,
          { type: "item_started", ...attempt(1) },
          { type: "job_resumed", owner: { ...owner, pid: 4712 } },
          { type: "item_started", ...attempt(2) },
          {
            type: "item_failed",
            ...attempt(2),
            failure: quota,
            kept: {},
            duration_ms: 5,
            usage: Usage.none,
            disposition: "put_back"
          },
          { type: "quota_reached", phase: "map", until: "2026-01-31T09:00:00.000Z", failure: quota, usage: Usage.none }
        ])
        const ask = (item: string | null) =>
          Effect.flatMap(Explain, (explain) => explain.explain({ projectPath: project, id: job.job_id, item }))
        const item = yield* ask("a")
        assert.deepStrictEqual(
          item.story.map(({ because, what }) => [what, because]),
          [
            ["attempt 1 started", null],
            ["put back: it was running", "the process that drove the job had ended"],
            ["attempt 2 started", "an earlier attempt did not end well"],
            [
              "attempt 2 put back, as if this attempt had not been",
              "The quota is used up. That is not the item's own fault."
            ]
          ]
        )
        assert.include(item.conclusion, "the job waits until 2026-01-31T09:00:00.000Z for the agent's quota")
        const whole = yield* ask(null)
        const resumed = whole.story.find(({ what }) => what.startsWith("resumed"))
        assert.strictEqual(resumed?.what, "resumed by process 4712 on night; 1 item that it had at work put back")
        assert.include(whole.conclusion, "waits until 2026-01-31T09:00:00.000Z for the agent's quota")
      })
    )
  )

  it.live("tells the steps of a standard workflow, and which one failed", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        yield* runAny('name: steps\ncommands:\n  - shell: "true"\n  - shell: "exit 3"\n')
        const explain = yield* Explain
        const told = yield* explain.explain({ projectPath: project, id: "latest", item: null })
        assert.strictEqual(told.status, "failed")
        assert.match(told.conclusion, /^It failed: .*exit/)
        assert.deepStrictEqual(
          told.story.map(({ what }) => what),
          ["step 1 done: shell: true", "step 2 failed: shell: exit 3"]
        )
        const error = yield* Effect.flip(explain.explain({ projectPath: project, id: "latest", item: "x" }))
        assert.strictEqual(error._tag, "IdNotFound")
      })
    )
  )
})
