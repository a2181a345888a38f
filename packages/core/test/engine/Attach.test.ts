import { assert, describe, it } from "@effect/vitest"
import { Attach, type Snapshot } from "@prodigy/core/engine/Attach"
import { Progress } from "@prodigy/core/engine/Progress"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository } from "./Bench.ts"

const watch = (projectPath: string) =>
  Effect.flatMap(Attach, (attach) => attach.watch({ projectPath, id: "latest" })).pipe(
    // The run was only just started.
    Effect.retry(Schedule.spaced("20 millis"))
  )

const isJob = (snapshot: Snapshot) => snapshot.session_type === "MapReduce"

describe("Attach", () => {
  it.live("sees what agents are at while they are, and how the job ended", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        const go = join(project, "..", "go")
        const running = yield* Effect.fork(
          run(`name: slow
map:
  input: { items: [0, 1] }
  max_parallel: 2
  agent_template: [{ shell: "until [ -e '${go}' ]; do sleep 0.05; done; echo x > \\"made-\${item}\\"" }]
`)
        )
        const { live, snapshots } = yield* watch(project)
        assert.isTrue(live)
        const seen = Chunk.toReadonlyArray(
          yield* Stream.runCollect(
            Stream.tap(snapshots, (snapshot) =>
              Effect.sync(() => {
                const agents = isJob(snapshot) ? snapshot.agents : []
                if (agents.length === 2 && agents.every(({ step }) => step.startsWith("shell: "))) writeFileSync(go, "")
              })
            )
          )
        )
        yield* Fiber.join(running)
        const last = seen.at(-1)
        assert.strictEqual(last?.status, "Completed")
        assert.deepStrictEqual(last !== undefined && isJob(last) ? [last.counts.merged, last.agents] : null, [2, []])
        // It is the same view as in the process that runs it.
        assert.strictEqual((yield* (yield* Progress).view)?.status, "completed")
        const again = Chunk.toReadonlyArray(yield* Stream.runCollect((yield* watch(project)).snapshots))
        assert.deepStrictEqual(
          again.map((snapshot) => ({ ...snapshot, at: "" })),
          last === undefined ? [] : [{ ...last, at: "" }]
        )
      })
    )
  )

  it.live("sees the steps of a standard workflow, and the one that failed", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        yield* runAny('name: steps\ncommands:\n  - shell: "true"\n  - shell: "exit 3"\n')
        const { live, snapshots } = yield* watch(project)
        assert.isFalse(live)
        const [only, ...others] = Chunk.toReadonlyArray(yield* Stream.runCollect(snapshots))
        assert.deepStrictEqual([others.length, only?.status], [0, "Failed"])
        assert.deepInclude(only?.session_type === "Workflow" ? only.step : null, { number: 2, total: 2 })
      })
    )
  )
})
