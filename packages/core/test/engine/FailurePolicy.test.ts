/**
 * What a job does about failures, on real git, with a clock that only the test moves.
 */
import { assert, describe, it } from "@effect/vitest"
import type { Agent, AgentReply } from "@prodigy/core/agent/Agent"
import type { EventRecord } from "@prodigy/core/domain/Event"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { Journal } from "@prodigy/core/storage/Journal"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import type { JobId } from "@prodigy/core/domain/JobId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { Progress } from "@prodigy/core/engine/Progress"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Queue from "effect/Queue"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { type Bench, inRepository, repo, type Services } from "./Bench.ts"

describe("what a job does about failures", () => {
  it.effect("tries a failed item again after the delays of its retry, and merges it when it succeeds", () =>
    watching(({ next, git, run }) =>
      Effect.gen(function* () {
        const running = yield* Effect.fork(
          run(
            retrying(`
    - shell: |
        echo x >> "$PROJECT_ROOT/../tries"
        [ "$(wc -l < "$PROJECT_ROOT/../tries")" -ge 3 ]
    - shell: cp "$PROJECT_ROOT/../tries" tries.txt`)
          )
        )
        for (const [attempt, delay] of [
          [2, 60_000],
          [3, 120_000]
        ] as const) {
          const event = yield* next("agent_retrying")
          assert.deepInclude(event, { event_type: "agent_retrying", attempt, delay_ms: delay })
          yield* TestClock.adjust(delay)
        }
        const report = yield* Fiber.join(running)
        assert.strictEqual(report.status, "completed")
        assert.strictEqual(report.counts.merged, 1)
        assert.strictEqual(git("show", "main:tries.txt"), "x\nx\nx")
        assert.deepStrictEqual(yield* starts(report.job_id), [0, 60_000, 180_000])
        assert.isNull(yield* letter(report.job_id, "item_0"))
      })
    )
  )

  it.effect("keeps every attempt in the history of a dead letter when all of them failed", () =>
    watching(({ next, run }) =>
      Effect.gen(function* () {
        const running = yield* Effect.fork(run(retrying("\n    - shell: exit ${attempt}")))
        for (const delay of [60_000, 120_000]) {
          yield* next("agent_retrying")
          yield* TestClock.adjust(delay)
        }
        const report = yield* Fiber.join(running)
        assert.strictEqual(report.counts.dead_lettered, 1)
        const found = yield* letter(report.job_id, "item_0")
        assert.deepStrictEqual(
          found?.failure_history.map(({ attempt_number, exit_code }) => [attempt_number, exit_code]),
          [
            [1, 1],
            [2, 2],
            [3, 3]
          ]
        )
      })
    )
  )

  it.effect("remembers over an interruption how often an item failed and when it is due", () =>
    watching(({ next, resume, run }) =>
      Effect.gen(function* () {
        const running = yield* Effect.fork(run(retrying("\n    - shell: exit 1")))
        const event = yield* next("agent_retrying")
        yield* Fiber.interrupt(running)
        const jobId = event.job_id as JobId
        yield* TestClock.adjust(20_000)
        const resumed = yield* Effect.fork(resume(jobId))
        yield* next("job_resumed")
        yield* TestClock.adjust(40_000)
        yield* next("agent_retrying")
        yield* TestClock.adjust(120_000)
        const report = yield* Fiber.join(resumed)
        assert.strictEqual(report.counts.dead_lettered, 1)
        assert.deepStrictEqual(yield* starts(jobId), [0, 60_000, 180_000])
        assert.strictEqual((yield* letter(jobId, "item_0"))?.failure_count, 3)
      })
    )
  )

  it.effect("waits an hour for the quota without counting the attempt, over an interruption too", () => {
    let calls = 0
    const agent = ScriptedAgent.layer(() =>
      Effect.gen(function* () {
        calls += 1
        const at = (yield* Clock.currentTimeMillis) + 3_600_000
        return calls === 1 ? quotaUntil(at) : {}
      })
    )
    return watching(
      ({ next, resume, run }) =>
        Effect.gen(function* () {
          const running = yield* Effect.fork(run(prompting))
          const event = yield* next("quota_reached")
          assert.deepInclude(event, { until: "1970-01-01T01:00:00.000Z" })
          const jobId = event.job_id as JobId
          yield* TestClock.adjust("30 minutes")
          yield* Fiber.interrupt(running)
          const resumed = yield* Effect.fork(resume(jobId))
          yield* next("job_resumed")
          const view = yield* Effect.flatMap(Progress, (progress) => progress.view)
          assert.strictEqual(view?.waiting, "waiting until 1970-01-01T01:00:00.000Z for the agent's quota")
          yield* TestClock.adjust("30 minutes")
          const report = yield* Fiber.join(resumed)
          assert.strictEqual(report.status, "completed")
          assert.strictEqual(report.counts.merged, 2)
          assert.strictEqual(calls, 3)
          assert.deepStrictEqual(yield* starts(jobId), [0, 3_600_000, 3_600_000])
        }),
      agent
    )
  })

  it.effect("ends paused instead of waiting when it is told to, and says until when", () =>
    inRepository(
      ({ run }) =>
        Effect.gen(function* () {
          const report = yield* run(prompting, { waitsForQuota: false })
          assert.strictEqual(report.status, "paused")
          assert.strictEqual(report.waiting, "waiting until 1970-01-01T00:10:00.000Z for the agent's quota")
          assert.strictEqual(report.counts.pending, 2)
          const session = yield* (yield* SessionStore).get(report.session_id)
          assert.strictEqual(session.status, "Paused")
        }),
      ScriptedAgent.layer(() => Effect.succeed(quotaUntil(600_000)))
    )
  )

  it.effect("waits for the quota in the reduce phase too, then runs its step again", () => {
    let calls = 0
    const agent = ScriptedAgent.layer(() => Effect.sync(() => (++calls === 1 ? quotaUntil(600_000) : {})))
    return watching(
      ({ next, run }) =>
        Effect.gen(function* () {
          const running = yield* Effect.fork(
            run("name: r\nmap: {input: {items: [a]}, agent_template: [shell: 'true']}\nreduce: [claude: /sum]")
          )
          yield* next("quota_reached")
          yield* TestClock.adjust("10 minutes")
          assert.strictEqual((yield* Fiber.join(running)).status, "completed")
          assert.strictEqual(calls, 2)
        }),
      agent
    )
  })

  it.effect("opens the circuit breaker for its timeout, and lets a few through afterwards", () =>
    watching(({ next, run }) =>
      Effect.gen(function* () {
        const running = yield* Effect.fork(
          run(`
name: breaker
circuit_breaker: { failure_threshold: 2, success_threshold: 1, timeout: 5m, half_open_requests: 1 }
map:
  input: { items: [0, 0, 1, 1] }
  max_parallel: 1
  agent_template:
    - shell: '[ "\${item}" = 1 ]'
`)
        )
        const states: Array<unknown> = []
        const turn = Effect.map(next("circuit_breaker_changed"), (event) =>
          states.push("state" in event ? event.state : null)
        )
        yield* turn
        yield* TestClock.adjust("5 minutes")
        yield* turn
        yield* turn
        const report = yield* Fiber.join(running)
        assert.deepStrictEqual(states, ["open", "half_open", "closed"])
        assert.deepStrictEqual(yield* starts(report.job_id), [0, 0, 300_000, 300_000])
      })
    )
  )

  it.live("hands a failed item to the handler in its worktree, and takes what it made when it is to complete", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: handler
map:
  input: { items: [a, b] }
  max_parallel: 2
  on_item_failure:
    outcome: complete
    steps:
      - shell: '[ "\${item}" = a ] && echo "\${error.message}" >> half'
  agent_template:
    - shell: echo half > half; exit 7
`)
        assert.deepInclude(report.counts, { merged: 1, dead_lettered: 1 })
        assert.match(git("show", "main:half"), /^half\nThe command exited with code 7/)
        const found = yield* letter(report.job_id, "item_1")
        assert.strictEqual(found?.failure_history[0].exit_code, 7)
        assert.match(found?.failure_history[0].error_context.join() ?? "", /on_item_failure failed too/)
      })
    )
  )

  it.live("leaves an item in the dead letter queue after a handler that only tells of it", () =>
    inRepository(({ run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: tells
map:
  input: { items: [a] }
  on_item_failure: [shell: 'true']
  agent_template: [shell: 'exit 7']
`)
        assert.strictEqual(report.counts.dead_lettered, 1)
      })
    )
  )

  it.live("tries dead letters again on request: the history grows, a success resolves them, nothing else runs", () =>
    inRepository(({ git, resume, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: again
map:
  input: { items: [a, b, c] }
  agent_template:
    - shell: |
        echo "\${item}" >> "$PROJECT_ROOT/../ran"
        [ "\${item}" = a ] || [ \${attempt} = 3 ] || { [ "\${item}" = c ] && [ \${attempt} = 2 ]; } || exit 1
    - shell: echo "\${item}" > "\${item}.txt"
reduce:
  - shell: echo reduced >> reduced.txt
`)
        assert.deepInclude(report.counts, { merged: 1, dead_lettered: 2 })
        const second = yield* resume(report.job_id, { retryFailed: true })
        assert.deepInclude(second.counts, { merged: 2, dead_lettered: 1 })
        assert.strictEqual((yield* letter(report.job_id, "item_2"))?.status, "resolved")
        const still = yield* letter(report.job_id, "item_1")
        assert.strictEqual(still?.status, "failed")
        assert.deepStrictEqual(
          still?.failure_history.map(({ attempt_number }) => attempt_number),
          [1, 2]
        )
        const third = yield* resume(report.job_id, { retryFailed: true })
        assert.deepInclude(third.counts, { merged: 3, dead_lettered: 0 })
        assert.strictEqual((yield* letter(report.job_id, "item_1"))?.status, "resolved")
        assert.strictEqual(git("show", "main:b.txt"), "b")
        assert.strictEqual(git("show", "main:reduced.txt"), "reduced")
      })
    )
  )
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const retrying = (steps: string) => `
name: retrying
map:
  input: { items: [a] }
  retry: { attempts: 3, backoff: linear, initial_delay: 1m, max_delay: 5m }
  agent_template:${steps}
`

const prompting = `
name: prompting
map:
  input: { items: [a, b] }
  max_parallel: 1
  agent_template:
    - claude: /fix
`

const quotaUntil = (millis: number): Partial<AgentReply> => ({
  outcome: { _tag: "QuotaExceeded", resetsAt: new Date(millis).toISOString(), message: "used up" }
})

interface Watched extends Bench {
  /** The next event of a kind, from where the one before was. */
  readonly next: (kind: string) => Effect.Effect<EventRecord["event"] & { readonly job_id: string }>
}

/** As `inRepository`, with an ear on the events. */
const watching = <A, E>(use: (bench: Watched) => Effect.Effect<A, E, Services>, agent?: Layer.Layer<Agent>) =>
  inRepository(
    (bench) =>
      Effect.scoped(
        Effect.gen(function* () {
          const seen = yield* Queue.unbounded<EventRecord>()
          const { events } = yield* Progress
          yield* Effect.forkScoped(Stream.runForEach(events, (event) => Queue.offer(seen, event)))
          yield* Effect.yieldNow()
          const next: Watched["next"] = (kind) =>
            Effect.repeat(
              Effect.map(Queue.take(seen), ({ event }) => event),
              { until: (event) => event.event_type === kind }
            )
          return yield* use({ ...bench, next })
        })
      ),
    agent
  )

/** When each attempt was recorded as started, in milliseconds of the test's clock. */
const starts = (jobId: JobId) =>
  Effect.gen(function* () {
    const entries = yield* Stream.runCollect((yield* Journal).read(repo, jobId, 0))
    return Chunk.toReadonlyArray(entries).flatMap(({ at, record }) =>
      record.type === "item_started" ? [Date.parse(at)] : []
    )
  })

const letter = (jobId: JobId, item: string) =>
  Effect.flatMap(DeadLetterQueue, (queue) => queue.get(repo, jobId, ItemId.make(item)))
