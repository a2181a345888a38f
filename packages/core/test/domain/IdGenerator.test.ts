import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"

const v7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/

const ids = (count: number) =>
  Effect.flatMap(IdGenerator.IdGenerator, (generator) => Effect.replicateEffect(generator.uuid, count))

const sorted = (made: ReadonlyArray<string>) => {
  assert.deepStrictEqual(made, [...made].sort())
  assert.strictEqual(new Set(made).size, made.length)
}

describe("IdGenerator", () => {
  it.effect("makes UUIDs of version 7 that carry the clock's time", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_767_225_600_123)
      for (const id of yield* ids(100)) {
        assert.match(id, v7)
        assert.strictEqual(Number.parseInt(id.replaceAll("-", "").slice(0, 12), 16), 1_767_225_600_123)
      }
    }).pipe(Effect.provide(IdGenerator.layer))
  )

  it.effect("makes unique ids that sort in the order they were made, more than a millisecond's counter holds", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(1_000)
      sorted(yield* ids(10_000))
    }).pipe(Effect.provide(IdGenerator.layer))
  )

  it.effect("keeps the order when the clock is set back", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(5_000)
      const before = yield* ids(10)
      yield* TestClock.setTime(1_000)
      const after = yield* ids(10)
      yield* TestClock.setTime(6_000)
      sorted([...before, ...after, ...(yield* ids(10))])
    }).pipe(Effect.provide(IdGenerator.layer))
  )

  it.effect("keeps ids of concurrent fibers unique", () =>
    Effect.gen(function* () {
      const made = yield* Effect.all(
        Array.from({ length: 50 }, () => ids(20)),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(new Set(made.flat()).size, 1_000)
    }).pipe(Effect.provide(IdGenerator.layerSeeded))
  )

  it.effect("repeats itself under one seed and differs under another", () =>
    Effect.gen(function* () {
      const run = (seed: string) =>
        ids(20).pipe(Effect.provide(IdGenerator.layerSeeded), Effect.withRandom(Random.make(seed)))
      assert.deepStrictEqual(yield* run("a"), yield* run("a"))
      assert.notDeepEqual(yield* run("a"), yield* run("b"))
      sorted(yield* run("a"))
    })
  )
})
