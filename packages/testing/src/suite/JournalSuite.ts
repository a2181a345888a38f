/**
 * What every `Journal` does.
 *
 * @since 0.1.0
 */
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as AgentId from "@prodigy/core/domain/AgentId"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { Journal } from "@prodigy/core/storage/Journal"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Samples from "../Samples.ts"

const jobId = Samples.jobId()

const started = (index: number): JobRecord => ({
  type: "item_started",
  index,
  item_id: ItemId.make(`item "${index}"\n😀`),
  agent_id: AgentId.fromItem(jobId, index),
  attempt: 1
})

const unsealed = (seq: number) =>
  `{"v":1,"seq":${seq},"at":"2026-01-02T03:04:05.000Z","record":{"type":"map_completed"}}`
const line = (seq: number) => StoredJson.seal(unsealed(seq))

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<Journal | AtomicFile | ProdigyHome, E>): void => {
  const path = Effect.map(ProdigyHome, (home) => home.repo(Samples.repo).job(jobId).journal)
  const open = (after: number) => Effect.flatMap(Journal, (journal) => journal.open(Samples.repo, jobId, after))
  const readAll = (after: number) =>
    Effect.flatMap(Journal, (journal) => Stream.runCollect(journal.read(Samples.repo, jobId, after))).pipe(
      Effect.map(Chunk.toReadonlyArray)
    )
  const write = (text: string) =>
    Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) => files.replace(file, text))

  describe(`Journal (${name})`, () => {
    it.effect("reads back what was appended, with seqs from 1", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* readAll(0), [])
        const appended = yield* Effect.scoped(
          Effect.gen(function* () {
            const journal = yield* open(0)
            const first = yield* journal.append([started(0), started(1)])
            assert.deepStrictEqual(yield* journal.append([]), [])
            return [...first, ...(yield* journal.append([started(2)]))]
          })
        )
        assert.deepStrictEqual(
          appended.map((entry) => entry.seq),
          [1, 2, 3]
        )
        assert.deepStrictEqual(
          appended.map((entry) => entry.record),
          [started(0), started(1), started(2)]
        )
        assert.deepStrictEqual(yield* readAll(0), appended)
        assert.deepStrictEqual(yield* readAll(2), appended.slice(2))
        assert.deepStrictEqual(yield* readAll(3), [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("goes on behind the last record when it is opened again", () =>
      Effect.gen(function* () {
        yield* Effect.scoped(Effect.flatMap(open(0), (journal) => journal.append([started(0)])))
        yield* Effect.scoped(Effect.flatMap(open(1), (journal) => journal.append([started(1)])))
        assert.deepStrictEqual(
          (yield* readAll(0)).map((entry) => [entry.seq, entry.record]),
          [
            [1, started(0)],
            [2, started(1)]
          ]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives concurrent appends seqs without gaps, in the order of the file", () =>
      Effect.gen(function* () {
        const appended = yield* Effect.scoped(
          Effect.gen(function* () {
            const journal = yield* open(0)
            return yield* Effect.forEach(
              Array.from({ length: 60 }, (_, index) => index),
              (index) => journal.append([started(index), started(index + 1000)]),
              { concurrency: "unbounded" }
            )
          })
        )
        const read = yield* readAll(0)
        assert.deepStrictEqual(
          read.map((entry) => entry.seq),
          Array.from({ length: 120 }, (_, index) => index + 1)
        )
        for (const [first, second] of appended) {
          assert.strictEqual(second!.seq, first!.seq + 1)
          assert.deepStrictEqual(read[first!.seq - 1], first)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("cuts a torn last record off and writes the next one in its place", () =>
      Effect.gen(function* () {
        yield* write(`${line(1)}\n${line(2)}\n${line(3).slice(0, 30)}`)
        assert.deepStrictEqual(
          (yield* readAll(0)).map((entry) => entry.seq),
          [1, 2]
        )
        yield* Effect.scoped(Effect.flatMap(open(2), (journal) => journal.append([started(0)])))
        assert.deepStrictEqual(
          (yield* readAll(0)).map((entry) => entry.seq),
          [1, 2, 3]
        )
      }).pipe(Effect.provide(layer))
    )

    const damage: ReadonlyArray<readonly [what: string, lines: ReadonlyArray<string>, line: number, actual: RegExp]> = [
      ["a gap", [line(1), line(3)], 2, /^seq 3$/],
      ["a repeated seq", [line(1), line(2), line(2)], 3, /^seq 2$/],
      ["a journal that starts late", [line(2)], 1, /^seq 2$/],
      ["a line that is no JSON", [line(1), "{", line(3)], 2, /^\{$/],
      ["an empty line", [line(1), "", line(3)], 2, /^nothing$/],
      ["half a line inside", [line(1), `${line(2).slice(0, 20)}${line(2)}`], 2, /"seq":2/],
      ["another version", [line(1).replace(`"v":1`, `"v":2`)], 1, /^v: Expected 1, actual 2/],
      ["an unknown record", [line(1).replace("map_completed", "map_invented")], 1, /^record\.type: /],
      [
        "a record with a wrong field",
        [line(1).replace(`"map_completed"`, `"items_selected","total":"9"`)],
        1,
        /^record\.total: /
      ],
      ["a digit that became another", [line(1).replace("03:04:05", "03:04:15")], 1, /^checksum [0-9a-f]{8}$/],
      ["a line without its checksum", [unsealed(1)], 1, /^none$/],
      ["bytes lost inside a string", [line(1).replace("map_completed", "map_comple\u0000ted")], 1, /map_comple/]
    ]
    for (const [what, lines, at, actual] of damage) {
      it.effect(`fails on ${what}, saying where`, () =>
        Effect.gen(function* () {
          yield* write(lines.map((text) => `${text}\n`).join(""))
          const seen: Array<number> = []
          const journal = yield* Journal
          const result = yield* Effect.either(
            Stream.runForEach(journal.read(Samples.repo, jobId, 0), (entry) =>
              Effect.sync(() => void seen.push(entry.seq))
            )
          )
          const error = Either.getOrThrowWith(Either.flip(result), () => new Error("was read without an error"))
          assert.strictEqual(error._tag, "DamagedFile")
          if (error._tag !== "DamagedFile") return
          assert.strictEqual(error.path, yield* path)
          assert.strictEqual(error.line, at)
          assert.match(error.actual, actual)
          assert.strictEqual(seen.length, at - 1)
        }).pipe(Effect.provide(layer))
      )
    }

    it.effect("fails when the journal ends before what a checkpoint holds", () =>
      Effect.gen(function* () {
        yield* write(`${line(1)}\n`)
        assert.deepStrictEqual(yield* readAll(1), [])
        const error = yield* Effect.flip(readAll(2))
        assert.strictEqual(error._tag, "DamagedFile")
        assert.include(error.message, "at least 2 entries")
      }).pipe(Effect.provide(layer))
    )

    it.effect("finds damage also before the first entry that is asked for", () =>
      Effect.gen(function* () {
        yield* write(`${line(1).replace("03:04:05", "03:04:15")}\n${line(2)}\n${line(3)}\n`)
        const error = yield* Effect.flip(readAll(2))
        assert.deepInclude(error, { _tag: "DamagedFile", line: 1 })
      }).pipe(Effect.provide(layer))
    )

    it.effect("tolerates fields that it does not know", () =>
      Effect.gen(function* () {
        yield* write(`${StoredJson.seal(unsealed(1).replace(`"seq":1`, `"seq":1,"later":{"x":1}`))}\n`)
        const [entry] = yield* readAll(0)
        assert.deepStrictEqual(entry, {
          v: 1,
          seq: 1,
          at: "2026-01-02T03:04:05.000Z",
          record: { type: "map_completed" }
        })
      }).pipe(Effect.provide(layer))
    )
  })
}
