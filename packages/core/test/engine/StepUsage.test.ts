import { assert, describe, it } from "@effect/vitest"
import type { AgentEvent } from "@prodigy/core/agent/Agent"
import * as Usage from "@prodigy/core/domain/Usage"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import { inRepository } from "./Bench.ts"

const used = { input_tokens: 50_000, output_tokens: 9_000, cache_tokens: 7, usd: 0 }

/** An agent that tells what it used, and then goes on until somebody ends it. */
const endless = (told: Effect.Effect<unknown> = Effect.void) =>
  ScriptedAgent.layer((request) => {
    const events: ReadonlyArray<AgentEvent> = [{ _tag: "Used", usage: used }]
    return Effect.forEach(events, request.onEvent).pipe(Effect.zipRight(told), Effect.zipRight(Effect.never))
  })

describe("what an agent used that was stopped", () => {
  it.live("counts when the time of its item is over", () =>
    inRepository(
      ({ run }) =>
        Effect.gen(function* () {
          const report = yield* run(`
name: slow-item
map:
  input: { items: [a, b] }
  max_parallel: 2
  agent_timeout_secs: 0.3
  agent_template:
    - claude: go on
`)
          assert.strictEqual(report.counts.dead_lettered, 2)
          assert.deepStrictEqual(report.usage, Usage.add(used, used))
        }),
      endless()
    )
  )

  it.live("counts when the time of its phase is over", () =>
    inRepository(
      ({ run }) =>
        Effect.gen(function* () {
          const report = yield* run(`
name: slow-setup
setup:
  timeout: 300ms
  steps:
    - claude: go on
map:
  input: { items: [a] }
  agent_template:
    - shell: "true"
`)
          assert.strictEqual(report.status, "failed")
          assert.deepStrictEqual(report.usage, used)
        }),
      endless()
    )
  )

  for (const [phase, workflow] of [
    ["its map phase", "  agent_template:\n    - claude: go on"],
    ["its setup", "  agent_template:\n    - shell: 'true'\nsetup:\n  - claude: go on"]
  ] as const) {
    it.live(`counts when a job is interrupted in ${phase}, once, over its resume too`, () =>
      Effect.gen(function* () {
        const started = yield* Effect.makeLatch()
        yield* inRepository(
          ({ resume, run }) =>
            Effect.gen(function* () {
              const sessions = yield* SessionStore
              const interrupted = Effect.gen(function* () {
                const running = yield* Effect.fork(
                  run(`name: interrupted\nmap:\n  input: { items: [a] }\n${workflow}\n`)
                )
                yield* started.await
                yield* Fiber.interrupt(running)
                const [listed] = (yield* sessions.list).sessions
                assert.strictEqual(listed?.session.status, "Paused")
                assert.deepStrictEqual(listed?.session.cost, used)
                return listed!.session.job_id!
              })
              const jobId = yield* interrupted
              yield* started.close
              const again = yield* Effect.fork(resume(jobId))
              yield* started.await
              yield* Fiber.interrupt(again)
              const [listed] = (yield* sessions.list).sessions
              assert.deepStrictEqual(listed?.session.cost, Usage.add(used, used))
            }),
          endless(started.open)
        )
      })
    )
  }

  it.live("counts when a standard workflow is interrupted", () =>
    Effect.gen(function* () {
      const started = yield* Effect.makeLatch()
      yield* inRepository(
        ({ runAny }) =>
          Effect.gen(function* () {
            const running = yield* Effect.fork(
              runAny(`
name: interrupted
commands:
  - claude: go on
`)
            )
            yield* started.await
            yield* Fiber.interrupt(running)
            const [listed] = (yield* (yield* SessionStore).list).sessions
            assert.strictEqual(listed?.session.status, "Paused")
            assert.deepStrictEqual(listed?.session.cost, used)
          }),
        endless(started.open)
      )
    })
  )
})
