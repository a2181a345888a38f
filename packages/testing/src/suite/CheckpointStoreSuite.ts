/**
 * What every `CheckpointStore` does.
 *
 * @since 0.1.0
 */
import * as JobState from "@prodigy/core/domain/JobState"
import { CheckpointsMax } from "@prodigy/core/domain/Limits"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { CheckpointStore } from "@prodigy/core/storage/CheckpointStore"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Samples from "../Samples.ts"

const jobId = Samples.jobId()

/** A state in the middle of the map phase, different for every seq. */
const stateAt = (seq: number): JobState.JobState => ({
  ...JobState.empty,
  seq,
  status: "running",
  phase: "map",
  job_id: jobId,
  total: 3,
  next: 2,
  items: HashMap.make<ReadonlyArray<readonly [number, JobState.ItemState]>>(
    [0, { is: "merged", attempt: 1, commit: null }],
    [1, { is: "completed", attempt: 2, failures: 1, lost: 0, tip: "a".repeat(40), branch: "prodigy-x" }]
  ),
  merge_queue: Chunk.make(1),
  counts: { ...JobState.empty.counts, pending: 1, unmerged: 1, merged: 1 },
  variables: { "2": "two", one: ["é", null, { deep: true }] }
})

const comparable = (state: JobState.JobState | undefined) =>
  state && {
    ...state,
    items: HashMap.toEntries(state.items).toSorted(([a], [b]) => a - b),
    requeued: Chunk.toReadonlyArray(state.requeued),
    delayed: [...state.delayed],
    merge_queue: Chunk.toReadonlyArray(state.merge_queue)
  }

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<CheckpointStore | AtomicFile | ProdigyHome, E>): void => {
  const save = (kind: "setup" | "map" | "reduce", seq: number) =>
    Effect.flatMap(CheckpointStore, (store) => store.save(Samples.repo, jobId, kind, stateAt(seq)))
  const latest = Effect.flatMap(CheckpointStore, (store) => store.latest(Samples.repo, jobId))
  const kept = Effect.flatMap(CheckpointStore, (store) =>
    Effect.flatMap(store.list(Samples.repo, jobId), (files) =>
      Effect.forEach(files, (file) => Effect.map(store.load(file), (found) => `${file.kind} ${found?.state.seq}`))
    )
  )
  const names = Effect.flatMap(Effect.all([AtomicFile, ProdigyHome]), ([files, home]) =>
    files.list(home.repo(Samples.repo).job(jobId).directory)
  )

  describe(`CheckpointStore (${name})`, () => {
    it.effect("has none before the first", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* latest, { checkpoint: null, damaged: [] })
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives back the state that was saved", () =>
      Effect.gen(function* () {
        const saved = yield* save("map", 7)
        const { checkpoint, damaged } = yield* latest
        assert.deepStrictEqual(damaged, [])
        assert.strictEqual(checkpoint?.id, saved.id)
        assert.strictEqual(checkpoint?.path, saved.path)
        assert.strictEqual(checkpoint?.kind, "map")
        assert.strictEqual(checkpoint?.created_at, saved.created_at)
        assert.deepStrictEqual(comparable(checkpoint?.state), comparable(saved.state))
      }).pipe(Effect.provide(layer))
    )

    it.effect("names its files by phase, time and seq", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, 5))
        yield* save("setup", 2)
        yield* save("map", 7)
        yield* save("reduce", 9)
        assert.deepStrictEqual(yield* names, [
          "map-checkpoint-20260102_030405-000000000007.json",
          "reduce-checkpoint-v1-20260102_030405-000000000009.json",
          "setup-checkpoint.json"
        ])
      }).pipe(Effect.provide(layer))
    )

    it.effect("takes the newest by its seq, whatever the clock said", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 2))
        yield* save("setup", 2)
        yield* save("map", 9)
        yield* save("map", 10)
        yield* TestClock.setTime(Date.UTC(2025, 0, 2))
        yield* save("reduce", 11)
        assert.strictEqual((yield* latest).checkpoint?.state.seq, 11)
      }).pipe(Effect.provide(layer))
    )

    it.effect("falls back over damaged ones, and names them", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        yield* save("setup", 2)
        const good = yield* save("map", 5)
        const damages: ReadonlyArray<(text: string) => string> = [
          () => "",
          (text) => text.slice(0, text.length / 2),
          (text) => text.replace(`"next":2`, `"next":3`),
          (text) => text.replace(`"v":1`, `"v":2`),
          (text) => text.replace(/"checksum":"./, `"checksum":"x`),
          (text) => text.replace(`"kind":"map"`, `"kind":"reduce"`),
          () => "[]"
        ]
        const paths: Array<string> = []
        for (const [index, damage] of damages.entries()) {
          const { path } = yield* save("map", 10 + index)
          paths.unshift(path)
          const text = yield* files.read(path)
          assert.notStrictEqual(damage(text ?? ""), text)
          yield* files.replace(path, damage(text ?? ""))
        }
        const { checkpoint, damaged } = yield* latest
        assert.strictEqual(checkpoint?.id, good.id)
        assert.deepStrictEqual(
          damaged.map((error) => error.path),
          paths
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("has none when all are damaged", () =>
      Effect.gen(function* () {
        const { path } = yield* save("setup", 2)
        yield* Effect.flatMap(AtomicFile, (files) => files.replace(path, "{}"))
        const { checkpoint, damaged } = yield* latest
        assert.isNull(checkpoint)
        assert.strictEqual(damaged.length, 1)
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps the newest of each kind", () =>
      Effect.gen(function* () {
        yield* save("setup", 1)
        for (let seq = 2; seq < 8; seq++) yield* save("map", seq)
        yield* save("reduce", 8)
        assert.deepStrictEqual(
          (yield* names).map((found) => found.replace(/-\d{8}_\d{6}-0*/, " ")),
          ["map-checkpoint 6.json", "map-checkpoint 7.json", "reduce-checkpoint-v1 8.json", "setup-checkpoint.json"]
        )
      }).pipe(Effect.provideService(CheckpointsMax, 2), Effect.provide(layer))
    )

    it.effect("removes what is too old, the newest of each kind never", () =>
      Effect.gen(function* () {
        const store = yield* CheckpointStore
        const week = { max: null, ageMillisMax: null }
        yield* TestClock.setTime(Date.UTC(2026, 0, 2))
        yield* save("setup", 1)
        yield* save("map", 2)
        yield* save("map", 3)
        yield* TestClock.adjust("6 days")
        yield* save("reduce", 4)
        yield* store.save(Samples.repo, jobId, "map", stateAt(5), week)
        assert.strictEqual((yield* store.list(Samples.repo, jobId)).length, 5)
        yield* TestClock.adjust("2 days")
        yield* store.save(Samples.repo, jobId, "map", stateAt(6), week)
        assert.deepStrictEqual(yield* kept, ["map 6", "map 5", "reduce 4", "setup 1"])
        yield* TestClock.adjust("2 hours")
        yield* store.save(Samples.repo, jobId, "map", stateAt(7), { max: null, ageMillisMax: 3_600_000 })
        assert.deepStrictEqual(yield* kept, ["map 7", "reduce 4", "setup 1"])
        yield* TestClock.adjust("30 days")
        yield* save("reduce", 8)
        assert.deepStrictEqual(yield* kept, ["reduce 8", "map 7", "setup 1"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps as many as it is told", () =>
      Effect.gen(function* () {
        const store = yield* CheckpointStore
        for (let seq = 1; seq < 6; seq++) {
          yield* store.save(Samples.repo, jobId, "map", stateAt(seq), { max: 3, ageMillisMax: null })
        }
        assert.deepStrictEqual(yield* kept, ["map 5", "map 4", "map 3"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("loads, removes and sets aside one of those it lists", () =>
      Effect.gen(function* () {
        const store = yield* CheckpointStore
        const files = yield* AtomicFile
        const saved = yield* save("map", 1)
        yield* save("map", 2)
        const [newest, oldest] = yield* store.list(Samples.repo, jobId)
        assert.strictEqual((yield* store.load(oldest!))?.id, saved.id)
        assert.strictEqual((yield* store.load(oldest!))?.bytes, saved.bytes)
        assert.isTrue(yield* store.remove(oldest!))
        assert.isFalse(yield* store.remove(oldest!))
        assert.isNull(yield* store.load(oldest!))
        yield* files.replace(newest!.path, "{")
        assert.strictEqual((yield* Effect.flip(store.load(newest!)))._tag, "DamagedFile")
        const aside = yield* store.setAside(newest!)
        assert.strictEqual(yield* files.read(aside ?? ""), "{")
        assert.deepStrictEqual(yield* kept, [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("never removes the newest, and no file that is not its own", () =>
      Effect.gen(function* () {
        const home = yield* ProdigyHome
        const foreign = `${home.repo(Samples.repo).job(jobId).directory}/map-checkpoint-notes.json`
        yield* Effect.flatMap(AtomicFile, (files) => files.replace(foreign, "mine"))
        yield* save("map", 1)
        yield* save("map", 2)
        assert.strictEqual((yield* names).length, 2)
        assert.strictEqual((yield* latest).checkpoint?.state.seq, 2)
        assert.include(yield* names, "map-checkpoint-notes.json")
      }).pipe(Effect.provideService(CheckpointsMax, 0), Effect.provide(layer))
    )
  })
}
