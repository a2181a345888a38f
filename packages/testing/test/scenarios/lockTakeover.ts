/**
 * The lock of a job changes hands: from nobody, from a dead owner, from a file that nobody can read. One process takes it,
 * works and gives it back, and is killed at any call of that. Then two come at the same time.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as FileLock from "@prodigy/core/storage/FileLock"
import { GlobalStorage } from "@prodigy/core/storage/GlobalStorage"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import type * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as Samples from "@prodigy/testing/Samples"
import { SimulatedMachine } from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Scope from "effect/Scope"
import * as assert from "node:assert/strict"
import { leftovers } from "./leftovers.ts"

const jobId = Samples.jobId()
const sessionId = SessionId.fromJob(jobId)

/** Who was in. */
export interface Witness {
  readonly entered: Array<string>
  /** Who is in now, and was ever at one time. */
  inside: number
  most: number
}

/** What is there before. */
export interface Before {
  readonly name: string
  readonly prepare: Effect.Effect<unknown, unknown, CrashExplorer.Environment>
}

const home = ProdigyHome.layer({ root: TestProdigy.places.home })

/** The lock as process `self` of this start of the machine has it, beside living rivals. */
const processOf = (self: string, rivals: ReadonlyArray<string>) =>
  Layer.unwrapEffect(
    Effect.map(
      Effect.flatMap(SimulatedMachine, ({ boot }) => boot),
      ({ number }) => {
        const owner = (name: string) => ({
          pid: number * 100 + name.charCodeAt(0),
          host: "simulated",
          started_at: `${number}/${name}`
        })
        const table = ProcessTable.layerTest({ self: owner(self), others: rivals.map(owner) })
        return ResumeLock.layer.pipe(
          Layer.provideMerge(FileLock.layer),
          Layer.provide(home),
          Layer.provide(Layer.provide(AtomicFile.layer, TemporaryName.layerWriter)),
          Layer.provide([table, IdGenerator.layerSeeded]),
          Layer.fresh
        )
      }
    )
  )

const acquire = Effect.flatMap(ResumeLock.ResumeLock, (lock) => lock.acquire({ jobId, sessionId, force: false }))

/** Gets in, however long somebody else is there, works, and goes out. */
const enter = (name: string, rivals: ReadonlyArray<string>, witness: Witness) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    // Longer than a file that cannot be read is waited for; who waits for ever is blocked.
    yield* acquire.pipe(
      Effect.retry({
        while: ({ _tag }) => _tag === "ResumeLockHeld",
        schedule: Schedule.intersect(Schedule.spaced(ResumeLock.damagedMillisMax / 4), Schedule.recurs(8))
      })
    )
    witness.inside += 1
    witness.most = Math.max(witness.most, witness.inside)
    witness.entered.push(name)
    for (let turn = 0; turn < 3; turn += 1) yield* fs.exists("/elsewhere")
    const lock = yield* ResumeLock.ResumeLock
    yield* lock.check(jobId)
    witness.inside -= 1
  }).pipe(Effect.scoped, Effect.provide(processOf(name, rivals)))

/** A lock that is taken and never given back: the machine is restarted. */
const taken = Effect.flatMap(Scope.make(), (scope) => Scope.extend(acquire, scope)).pipe(
  Effect.provide(processOf("Z", []))
)
const lockFile = (content: string) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const { resumeLock, resumeLocks } = yield* ProdigyHome.ProdigyHome
    yield* fs.makeDirectory(resumeLocks, { recursive: true })
    yield* fs.writeFileString(resumeLock(jobId), content)
  }).pipe(Effect.provide(Layer.provide(home, AtomicFile.layer)))
/** The guard of an owner who died while he changed the lock. */
const guard = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const { resumeLockGuard, resumeLocks } = yield* ProdigyHome.ProdigyHome
  yield* fs.makeDirectory(resumeLocks, { recursive: true })
  const text = yield* FileLock.document.encode({
    owner: { pid: 7, host: "simulated", started_at: "0" },
    acquired_at: "2026-01-02T03:04:05.000Z",
    token: "5b1f64c8-3bd1-4c0e-8c4b-3f5d5e1a2b3c"
  })
  yield* fs.writeFileString(resumeLockGuard(jobId), text)
}).pipe(Effect.provide(Layer.provide(home, AtomicFile.layer)))

const sweep = Effect.flatMap(GlobalStorage, (storage) => storage.sweep(Samples.repo, jobId))

/** What may be there before. */
export const befores: ReadonlyArray<Before> = [
  { name: "nobody's", prepare: Effect.void },
  { name: "a dead owner's", prepare: taken },
  { name: "a dead owner's, whose guard is another dead one's", prepare: Effect.zipRight(taken, guard) },
  { name: "an empty file", prepare: lockFile("") },
  { name: "a file that no lock is", prepare: lockFile("{") },
  { name: "an empty file, whose guard is a dead one's", prepare: Effect.zipRight(lockFile(""), guard) }
]

/** One process takes the lock of a job, and after its crash two others do. */
export const scenario = ({ prepare }: Before): CrashExplorer.Scenario<Witness, unknown> => ({
  witness: () => ({ entered: [], inside: 0, most: 0 }),
  prepare: () => prepare,
  run: (witness) => enter("A", [], witness),
  recover: (witness) =>
    Effect.suspend(() => {
      // Those who were in are dead, and those who come do not know of it.
      witness.inside = 0
      witness.entered.length = 0
      return Effect.all([enter("B", ["C"], witness), enter("C", ["B"], witness)], { concurrency: 2 })
    }),
  check: (witness) =>
    Effect.gen(function* () {
      assert.equal(witness.most, 1, "two were in at one time")
      assert.equal(witness.inside, 0)
      assert.deepStrictEqual(witness.entered.toSorted(), ["B", "C"])
      const lock = yield* ResumeLock.ResumeLock
      assert.equal(yield* lock.holder(jobId), null)
      yield* Effect.scoped(acquire)
      // Nothing of it is left.
      yield* Effect.provide(sweep, TestProdigy.layerBoot())
      assert.deepStrictEqual(yield* leftovers, [])
    }).pipe(Effect.provide(processOf("D", [])))
})
