import { assert, describe, it } from "@effect/vitest"
import { lineCharsMax, Logs } from "@prodigy/core/engine/Logs"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository } from "./Bench.ts"

const all = { id: "latest", item: null, latest: false }

describe("Logs", () => {
  it.live("follows what is printed while it is, each line once, to the unfinished last one", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        const go = join(project, "..", "go")
        const running = yield* Effect.fork(
          run(`name: talks
map:
  input: { items: [7] }
  agent_template: [{ shell: "echo first; until [ -e '${go}' ]; do sleep 0.05; done; printf 'a\\nlast'" }]
`)
        )
        const logs = yield* Logs
        const seen = yield* logs.follow({ ...all, projectPath: project }).pipe(
          Stream.tap(({ text }) => Effect.sync(() => (text === "first" ? writeFileSync(go, "") : undefined))),
          Stream.runCollect,
          // The run was only just started.
          Effect.retry({ while: ({ _tag }) => _tag === "IdNotFound", schedule: Schedule.spaced("20 millis") })
        )
        yield* Fiber.join(running)
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(seen).map(({ log, text }) => [log.itemId, text]),
          [
            ["item_0", "first"],
            ["item_0", "a"],
            ["item_0", "last"]
          ]
        )
      })
    )
  )

  it.live("finds the transcripts of one item, of the phases and the latest, and breaks endless lines", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        const long = `printf '%${lineCharsMax + 5}s' ''`
        yield* run(`name: talks
setup: [{ shell: "echo before" }]
map:
  input: { items: [0, 1] }
  max_parallel: 1
  agent_template: [{ shell: "${long}; printf 'say-\${item}'" }]
`)
        const logs = yield* Logs
        const list = (query: { readonly item?: string; readonly latest?: boolean }) =>
          Effect.map(logs.list({ ...all, ...query, projectPath: project }), (found) => found.logs)
        assert.deepStrictEqual(
          (yield* list({})).map(({ itemId }) => itemId).toSorted(),
          ["item_0", "item_1", null].toSorted()
        )
        const [only, ...others] = yield* list({ item: "item_1" })
        assert.deepStrictEqual([only?.itemId, others.length], ["item_1", 0])
        assert.strictEqual((yield* list({ latest: true })).length, 1)
        if (only === undefined) return
        const lines = Chunk.toReadonlyArray(yield* Stream.runCollect(logs.read(only)))
        assert.deepStrictEqual(
          lines.map(({ text }) => text.length),
          [lineCharsMax, "     say-1".length]
        )
        const unknown = yield* Effect.flip(list({ item: "item_2" }))
        assert.strictEqual(unknown._tag, "IdNotFound")
      })
    )
  )
})
