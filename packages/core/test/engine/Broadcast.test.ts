import { assert, describe, it } from "@effect/vitest"
import * as Broadcast from "@prodigy/core/engine/Broadcast"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"

/** Takes so many values of it, listening when this is done. */
const listen = <A>(broadcast: Broadcast.Broadcast<A>, count: number) =>
  Effect.fork(Stream.runCollect(Stream.take(broadcast.values, count))).pipe(Effect.zipLeft(settled))

const settled = Effect.repeatN(Effect.yieldNow(), 20)

describe("Broadcast", () => {
  it.effect("gives to each listener what comes from then on, in order", () =>
    Effect.gen(function* () {
      const broadcast = yield* Broadcast.make<number>(8)
      yield* broadcast.publish([1])
      const first = yield* listen(broadcast, 4)
      yield* broadcast.publish([2, 3])
      const second = yield* listen(broadcast, 2)
      yield* broadcast.publish([4, 5])
      assert.deepStrictEqual([...(yield* Fiber.join(first))], [2, 3, 4, 5])
      assert.deepStrictEqual([...(yield* Fiber.join(second))], [4, 5])
    })
  )

  it.effect("waits for nobody: a listener that is far behind loses the oldest", () =>
    Effect.gen(function* () {
      const broadcast = yield* Broadcast.make<number>(8)
      const seen: Array<number> = []
      const listener = yield* Effect.fork(
        Stream.runForEach(Stream.take(broadcast.values, 4), (value) =>
          Effect.zipRight(
            Effect.sync(() => seen.push(value)),
            Effect.repeatN(Effect.yieldNow(), 100)
          )
        )
      )
      yield* settled
      for (let value = 0; value < 100; value++) yield* broadcast.publish([value])
      yield* Fiber.join(listener)
      assert.isAbove(seen.at(-1) ?? 0, 80, String(seen))
    })
  )
})
