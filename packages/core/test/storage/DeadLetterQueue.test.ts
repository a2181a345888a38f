import * as DeadLetterSummary from "@prodigy/core/domain/DeadLetterSummary"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as Samples from "@prodigy/testing/Samples"
import { suite } from "@prodigy/testing/suite/DeadLetterQueueSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TemporaryHome from "./TemporaryHome.ts"

suite("memory", Layer.provideMerge(DeadLetterQueue.layer, TemporaryHome.layerMemory))
suite("disk", Layer.provideMerge(DeadLetterQueue.layer, TemporaryHome.layerDisk))

describe("DeadLetterQueue", () => {
  it.effect("says in short what its letters say after a crash at any write", () =>
    Effect.gen(function* () {
      const run = (crashAt: number, lost: boolean) =>
        Effect.gen(function* () {
          const writes = yield* crashing(scenario, { crashAt, lost })
          yield* check
          // What comes after the crash goes on from what it left.
          yield* Effect.provide(scenario, DeadLetterQueue.layer)
          yield* check
          return writes
        }).pipe(Effect.provide(TemporaryHome.layerMemory))
      const writes = yield* run(Number.POSITIVE_INFINITY, false)
      for (let crashAt = 1; crashAt <= writes; crashAt++) {
        for (const lost of [true, false]) yield* run(crashAt, lost)
      }
      assert.isAbove(writes, 10)
    })
  )

  it.effect("writes the same for the hundredth letter as for the first", () =>
    Effect.gen(function* () {
      const queue = yield* DeadLetterQueue.DeadLetterQueue
      const file = yield* AtomicFile
      const { deadLetterIndex } = (yield* ProdigyHome).repo(repo).job(jobId)
      const size = Effect.map(file.read(deadLetterIndex), (text) => text?.length ?? 0)
      const grown: Array<number> = []
      for (let index = 100; index < 200; index++) {
        const before = yield* size
        yield* queue.put(repo, jobId, Samples.deadLetter(`item_${index}`, null, index))
        grown.push((yield* size) - before)
      }
      assert.strictEqual(new Set(grown).size, 1)
    }).pipe(Effect.provide(Layer.provideMerge(DeadLetterQueue.layer, TemporaryHome.layerMemory)))
  )
})

const { repo } = Samples
const jobId = Samples.jobId()

const scenario = Effect.gen(function* () {
  const queue = yield* DeadLetterQueue.DeadLetterQueue
  for (const id of ["a", "b"]) yield* queue.put(repo, jobId, Samples.deadLetter(id))
  for (const status of ["retrying", "resolved"] as const) {
    yield* queue.put(repo, jobId, { ...Samples.deadLetter("b"), status })
  }
  yield* queue.remove(repo, jobId, [ItemId.make("a")])
  yield* queue.put(repo, jobId, { ...Samples.deadLetter("a"), status: "retrying" })
  yield* queue.reindex(repo, jobId)
})

const check = Effect.gen(function* () {
  const queue = yield* DeadLetterQueue.DeadLetterQueue
  const { damaged, letters } = yield* queue.summaries(repo, jobId)
  assert.deepStrictEqual(damaged, [])
  const said = [...(yield* Stream.runCollect(queue.stream(repo, jobId)))].map(DeadLetterSummary.fromLetter)
  const byId = (a: { readonly item_id: string }, b: { readonly item_id: string }) => (a.item_id < b.item_id ? -1 : 1)
  assert.deepStrictEqual(letters.toSorted(byId), said.toSorted(byId))
}).pipe(Effect.provide(DeadLetterQueue.layer))

/** Runs until the n-th write, which is lost or done, and gives how many there were. Nothing is done after it. */
const crashing = (
  program: Effect.Effect<void, unknown, DeadLetterQueue.DeadLetterQueue>,
  options: { readonly crashAt: number; readonly lost: boolean }
) =>
  Effect.gen(function* () {
    const real = yield* AtomicFile
    let writes = 0
    const write = <A, E, R>(effect: Effect.Effect<A, E, R>): Effect.Effect<A, E, R> =>
      Effect.suspend(() => {
        writes += 1
        if (writes < options.crashAt) return effect
        return writes === options.crashAt && !options.lost ? Effect.zipRight(effect, crash) : crash
      })
    const crash = Effect.dieMessage("crash")
    const files = AtomicFile.of({
      ...real,
      replace: (path, content) => write(real.replace(path, content)),
      replaceLines: (path, lines) => write(real.replaceLines(path, lines)),
      remove: (path) => write(real.remove(path)),
      appender: (path) =>
        Effect.map(write(real.appender(path)), (appender) => ({
          ...appender,
          append: (lines) => write(appender.append(lines)),
          hand: (lines) => write(appender.hand(lines))
        }))
    })
    const home = yield* ProdigyHome
    const context = Context.add(Context.make(AtomicFile, files), ProdigyHome, home)
    yield* Effect.exit(Effect.provide(program, Layer.provide(DeadLetterQueue.layer, Layer.succeedContext(context))))
    return writes
  })
