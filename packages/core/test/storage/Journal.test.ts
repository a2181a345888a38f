import { JournalEntry } from "@prodigy/core/domain/JobRecord"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as Journal from "@prodigy/core/storage/Journal"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import * as Samples from "@prodigy/testing/Samples"
import { suite } from "@prodigy/testing/suite/JournalSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TemporaryHome from "./TemporaryHome.ts"

suite("memory", Layer.provideMerge(Journal.layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(Journal.layer, TemporaryHome.layerDisk))

describe("Journal", () => {
  const codec = StoredJson.sealed(JournalEntry, "a journal entry")

  it.effect.prop(
    "every entry is one line that decodes to itself",
    { entry: JournalEntry },
    ({ entry }) =>
      Effect.gen(function* () {
        const text = yield* codec.encode(entry)
        assert.notInclude(text, "\n")
        const again = yield* codec.decode(text, { path: "journal.jsonl", line: 1 })
        assert.strictEqual(yield* codec.encode(again), text)
      }),
    { fastCheck: { numRuns: 200 } }
  )

  it.effect("leaves no gap behind an append that failed, also for those that were waiting", () =>
    Effect.gen(function* () {
      let failures = 1
      /** Files in memory whose first append fails after others have come in behind it. */
      const failing = Layer.effect(
        AtomicFile.AtomicFile,
        Effect.map(AtomicFile.AtomicFile, (files) => ({
          ...files,
          appender: (path: string) =>
            Effect.map(files.appender(path), (appender) => ({
              ...appender,
              append: (lines: ReadonlyArray<string>) =>
                Effect.zipRight(
                  Effect.yieldNow(),
                  failures-- > 0
                    ? new AtomicFile.StorageError({ operation: "append", path, reason: "no_space", detail: "ENOSPC" })
                    : appender.append(lines)
                )
            }))
        }))
      )
      const layer = Journal.layer.pipe(Layer.provide(failing), Layer.provideMerge(TemporaryHome.layerMemory))
      yield* Effect.gen(function* () {
        const service = yield* Journal.Journal
        const journal = yield* service.open(Samples.repo, Samples.jobId(), 0)
        const results = yield* Effect.forEach(
          Array.from({ length: 5 }),
          () => Effect.either(journal.append([{ type: "map_completed" }])),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(results.filter((result) => result._tag === "Left").length, 1)
        yield* journal.append([{ type: "reduce_completed" }])
        const read = yield* Stream.runCollect(service.read(Samples.repo, Samples.jobId(), 0))
        assert.deepStrictEqual(
          Chunk.toReadonlyArray(read).map((entry) => entry.seq),
          [1, 2, 3, 4, 5]
        )
      }).pipe(Effect.scoped, Effect.provide(layer))
    })
  )
})
