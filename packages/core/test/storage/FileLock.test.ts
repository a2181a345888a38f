import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { Owner } from "@prodigy/core/domain/Owner"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"

const path = "/locks/a.lock"
const host = "here"
const dead: Owner = { pid: 99, host, started_at: "9" }
const token = "01940000-0000-7000-8000-000000000000"

/** The locks of one process among others; `lookUp` runs before the process looks another one up. */
const processOf = (pid: number, lookUp: Effect.Effect<void> = Effect.void) => {
  const one = (n: number): Owner => ({ pid: n, host, started_at: "1" })
  const table = Layer.map(ProcessTable.layerTest({ self: one(pid), others: [one(1), one(2), one(3)] }), (context) => {
    const real = Context.get(context, ProcessTable.ProcessTable)
    return Context.make(ProcessTable.ProcessTable, {
      ...real,
      lookUp: (owner: Owner) => Effect.zipRight(lookUp, real.lookUp(owner))
    })
  })
  return Effect.map(Layer.build(FileLock.layer), Context.get(FileLock.FileLock)).pipe(
    Effect.provide(Layer.merge(table, IdGenerator.layer))
  )
}

const leaveDeadLock = Effect.gen(function* () {
  const file = yield* AtomicFile.AtomicFile
  const text = yield* FileLock.document.encode({ owner: dead, acquired_at: "2026-01-02T03:04:05.000Z", token })
  yield* file.replace(path, text)
})

/** A section that says when it is in, and stays until it is told to leave. */
const section = (trace: Array<string>, name: string) =>
  Effect.gen(function* () {
    const entered = yield* Deferred.make<void>()
    const leave = yield* Deferred.make<void>()
    const run = Effect.gen(function* () {
      trace.push(`${name} in`)
      yield* Deferred.succeed(entered, undefined)
      yield* Deferred.await(leave)
      trace.push(`${name} out`)
    })
    return { entered: Deferred.await(entered), leave: Deferred.succeed(leave, undefined), run }
  })

describe("FileLock", () => {
  it.scoped("lets in one process at a time", () =>
    Effect.gen(function* () {
      const trace: Array<string> = []
      const [one, two] = [yield* processOf(1), yield* processOf(2)]
      const first = yield* section(trace, "first")
      const second = yield* section(trace, "second")
      const a = yield* Effect.fork(one.withLock(path)(first.run))
      yield* first.entered
      const b = yield* Effect.fork(two.withLock(path)(second.run))
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(trace, ["first in"])
      yield* first.leave
      yield* Fiber.join(a)
      yield* second.leave
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(b)
      assert.deepStrictEqual(trace, ["first in", "first out", "second in", "second out"])
      assert.deepStrictEqual(yield* (yield* AtomicFile.AtomicFile).list("/locks"), [])
    }).pipe(Effect.provide(AtomicFile.layerMemory))
  )

  it.scoped("keeps out a rival that saw a dead holder and comes too late to follow it", () =>
    Effect.gen(function* () {
      const trace: Array<string> = []
      const late = yield* Deferred.make<void>()
      const looking = yield* Deferred.make<void>()
      const rival = yield* processOf(1, Effect.zipRight(Deferred.succeed(looking, undefined), Deferred.await(late)))
      const quick = yield* processOf(2)
      yield* leaveDeadLock
      const slow = yield* section(trace, "slow")
      const fast = yield* section(trace, "fast")
      const b = yield* Effect.fork(rival.withLock(path)(slow.run))
      yield* Deferred.await(looking)
      const a = yield* Effect.fork(quick.withLock(path)(fast.run))
      yield* fast.entered
      yield* Deferred.succeed(late, undefined)
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(trace, ["fast in"])
      yield* fast.leave
      yield* Fiber.join(a)
      yield* slow.leave
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.join(b)
      assert.deepStrictEqual(trace, ["fast in", "fast out", "slow in", "slow out"])
    }).pipe(Effect.provide(AtomicFile.layerMemory))
  )

  it.scoped("lets exactly one of many rivals at a time follow a dead holder", () =>
    Effect.gen(function* () {
      let inside = 0
      let runs = 0
      const work = Effect.gen(function* () {
        assert.strictEqual(++inside, 1)
        yield* Effect.yieldNow()
        inside--
        runs++
      })
      yield* leaveDeadLock
      const fibers = yield* Effect.forEach([1, 2, 3], (pid) =>
        Effect.flatMap(processOf(pid, Effect.yieldNow()), (lock) => Effect.fork(lock.withLock(path)(work)))
      )
      yield* Effect.repeatN(TestClock.adjust("100 millis"), 20)
      yield* Fiber.joinAll(fibers)
      assert.strictEqual(runs, 3)
    }).pipe(Effect.provide(AtomicFile.layerMemory))
  )

  it.scoped("does not remove a lock that is no longer its own", () =>
    Effect.gen(function* () {
      const file = yield* AtomicFile.AtomicFile
      const lock = yield* processOf(1)
      yield* lock.withLock(path)(leaveDeadLock)
      assert.include(yield* file.read(path), token)
    }).pipe(Effect.provide(AtomicFile.layerMemory))
  )

  it.scoped("can be interrupted while it waits, and leaves nothing behind", () =>
    Effect.gen(function* () {
      const file = yield* AtomicFile.AtomicFile
      const trace: Array<string> = []
      const [one, two] = [yield* processOf(1), yield* processOf(2)]
      const first = yield* section(trace, "first")
      const a = yield* Effect.fork(one.withLock(path)(first.run))
      yield* first.entered
      const b = yield* Effect.fork(two.withLock(path)(Effect.die("never")))
      yield* TestClock.adjust("1 seconds")
      yield* Fiber.interrupt(b)
      yield* first.leave
      yield* Fiber.join(a)
      assert.deepStrictEqual(yield* file.list("/locks"), [])
    }).pipe(Effect.provide(AtomicFile.layerMemory))
  )
})
