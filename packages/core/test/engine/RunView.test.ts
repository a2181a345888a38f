import { assert, describe, it } from "@effect/vitest"
import type { NextTry } from "@prodigy/core/domain/Retry"
import { Progress } from "@prodigy/core/engine/Progress"
import { WorkflowProgress } from "@prodigy/core/engine/WorkflowProgress"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import { inRepository } from "./Bench.ts"

const failing = "{ shell: 'exit 7', retry: { attempts: 3, backoff: fixed, initial_delay: 1h } }"

const phaseRetry = Effect.map(
  Effect.flatMap(Progress, ({ view }) => view),
  (view) => view?.phaseRetry ?? null
)
const agentRetry = Effect.map(
  Effect.flatMap(Progress, ({ view }) => view),
  (view) => view?.agents[0]?.retry ?? null
)
const stepRetry = Effect.map(
  Effect.flatMap(WorkflowProgress, ({ view }) => view),
  (view) => view?.retry ?? null
)

describe("the view of a run", () => {
  const job = "map:\n  input: { items: [0] }\n  agent_template:"
  const cases: ReadonlyArray<[string, string, Effect.Effect<NextTry | null, never, Progress | WorkflowProgress>]> = [
    ["setup", `name: w\nmode: mapreduce\nsetup: [${failing}]\n${job} [{ shell: 'true' }]`, phaseRetry],
    ["an agent", `name: w\nmode: mapreduce\n${job} [${failing}]`, agentRetry],
    ["a standard workflow", `name: w\nsteps: [${failing}]`, stepRetry]
  ]
  for (const [where, workflow, retry] of cases) {
    it.live(`says that a step of ${where} waits for another try`, () =>
      inRepository(({ runAny }) =>
        Effect.gen(function* () {
          const running = yield* Effect.fork(runAny(workflow))
          yield* Effect.repeat(retry, { schedule: Schedule.spaced("10 millis"), until: (seen) => seen !== null })
          assert.deepInclude(yield* retry, { number: 2, of: 3 })
          yield* Fiber.interrupt(running)
        })
      )
    )
  }
})
