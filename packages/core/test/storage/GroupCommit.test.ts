import * as GroupCommit from "@prodigy/core/storage/GroupCommit"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"

/** Commits that take a turn of the scheduler each, and remember their batches. */
const recording = (failing: (batch: number) => boolean = () => false) => {
  const batches: Array<ReadonlyArray<number>> = []
  const group = GroupCommit.make<number, string>((items) =>
    Effect.gen(function* () {
      batches.push([...items])
      const batch = batches.length
      yield* Effect.yieldNow()
      if (failing(batch)) return yield* Effect.fail(`batch ${batch}`)
    })
  )
  return { batches, group }
}

const numbers = Array.from({ length: 200 }, (_, index) => index)

describe("GroupCommit", () => {
  it.effect("commits every item once, in the order of the calls", () =>
    Effect.gen(function* () {
      const { batches, group } = recording()
      yield* Effect.forEach(numbers, group.submit, { concurrency: "unbounded" })
      assert.deepStrictEqual(batches.flat(), numbers)
      assert.strictEqual(batches.length, 2)
    })
  )

  it.effect("keeps on grouping when every caller comes again", () =>
    Effect.gen(function* () {
      const { batches, group } = recording()
      yield* Effect.forEach(numbers, group.submit, { concurrency: 16 })
      assert.strictEqual(batches.flat().length, numbers.length)
      // Two groups of callers may take turns; one caller at a time would be 185 batches.
      assert.isAtMost(batches.length, 2 + 2 * Math.ceil(numbers.length / 16))
    })
  )

  it.effect("tells everyone the outcome of his own batch", () =>
    Effect.gen(function* () {
      const { group } = recording((batch) => batch === 2)
      const exits = yield* Effect.forEach([1, 2, 3], (item) => Effect.exit(group.submit(item)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(exits, [Exit.void, Exit.fail("batch 2"), Exit.fail("batch 2")])
      yield* group.submit(4)
    })
  )

  it.effect("tells the callers of a commit that died", () =>
    Effect.gen(function* () {
      const group = GroupCommit.make<number, never>((items) =>
        items.includes(2) ? Effect.zipRight(Effect.yieldNow(), Effect.die("defect")) : Effect.yieldNow()
      )
      const exits = yield* Effect.forEach([1, 2, 3], (item) => Effect.exit(group.submit(item)), {
        concurrency: "unbounded"
      })
      assert.deepStrictEqual(exits, [Exit.void, Exit.die("defect"), Exit.die("defect")])
      yield* group.submit(1)
    })
  )

  it.effect("takes offered items along with the next batch", () =>
    Effect.gen(function* () {
      const { batches, group } = recording()
      yield* group.offer(1)
      assert.deepStrictEqual(batches, [])
      yield* group.submit(2)
      yield* group.offer(3)
      yield* group.flush
      assert.deepStrictEqual(batches, [[1, 2], [3]])
    })
  )

  it.effect("commits what an interrupted caller handed in, and serves the others", () =>
    Effect.gen(function* () {
      const gate = yield* Deferred.make<void>()
      const committed: Array<number> = []
      const group = GroupCommit.make<number, never>((items) =>
        Effect.map(Deferred.await(gate), () => void committed.push(...items))
      )
      const fibers = yield* Effect.forEach([1, 2, 3], (item) => Effect.fork(group.submit(item)))
      yield* Effect.yieldNow()
      yield* Fiber.interruptAllAs(fibers.slice(0, 2), fibers[0]!.id()).pipe(Effect.fork)
      yield* Effect.yieldNow()
      yield* Deferred.succeed(gate, undefined)
      yield* Fiber.join(fibers[2]!)
      assert.deepStrictEqual(committed, [1, 2, 3])
    })
  )
})
