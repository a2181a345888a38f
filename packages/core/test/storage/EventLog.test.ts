import type { EventRecord } from "@prodigy/core/domain/Event"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as Compression from "@prodigy/core/storage/Compression"
import * as CompressionNode from "@prodigy/core/storage/Compression/Node"
import * as EventLog from "@prodigy/core/storage/EventLog"
import * as EventWriter from "@prodigy/core/storage/EventWriter"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Samples from "@prodigy/testing/Samples"
import { suite } from "@prodigy/testing/suite/EventLogSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = EventLog.layer.pipe(Layer.provide(IdGenerator.layer), Layer.provide(ProcessTable.layerMemory))
const layerMemory = Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerMemory, Compression.layerMemory))

suite("memory", layerMemory)
suite("disk", Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerDisk, CompressionNode.layer)))

/** A disk that can be full. Every append that fails leaves nothing behind, as `AtomicFile` promises. */
class Disk extends Context.Tag("test/Disk")<Disk, { full: boolean; refused: number }>() {}

const layerFull = Layer.provideMerge(
  layer,
  Layer.effect(
    AtomicFile.AtomicFile,
    Effect.gen(function* () {
      const disk = yield* Disk
      const file = yield* AtomicFile.AtomicFile
      const unlessFull = <A, R>(self: Effect.Effect<A, AtomicFile.StorageError, R>, path: string) =>
        Effect.suspend(() => {
          if (!disk.full) return self
          disk.refused++
          return new AtomicFile.StorageError({ operation: "write", path, reason: "no_space", detail: "no space left" })
        })
      return {
        ...file,
        createExclusively: (path, content) => unlessFull(file.createExclusively(path, content), path),
        appender: (path) =>
          Effect.map(unlessFull(file.appender(path), path), (appender) => ({
            ...appender,
            append: (lines) => unlessFull(appender.append(lines), path)
          }))
      }
    })
  )
).pipe(
  Layer.provideMerge(TemporaryHome.layerMemory),
  Layer.provideMerge(Compression.layerMemory),
  Layer.provideMerge(Layer.sync(Disk, () => ({ full: false, refused: 0 })))
)

const jobId = Samples.jobId()
const numbered = (count: number): EventLog.NewEvent => ({ event_type: "dlq_items_reprocessed", count })
const open = Effect.flatMap(EventLog.EventLog, (log) =>
  log.open({ repo: Samples.repo, jobId, correlationId: "session-x" })
)
const all = Effect.gen(function* () {
  const log = yield* EventLog.EventLog
  return yield* Effect.forEach(yield* Stream.runCollect(log.read(Samples.repo, jobId)), (entry) => entry)
})
const counts = (records: ReadonlyArray<EventRecord>) =>
  records.map((record) => ("count" in record.event ? record.event.count : undefined))

describe("EventLog", () => {
  it.scoped("writes an event one second later at most, and not before", () =>
    Effect.gen(function* () {
      const log = yield* open
      yield* log.emit([numbered(1)])
      yield* TestClock.adjust("999 millis")
      assert.deepStrictEqual(counts(yield* all), [])
      yield* TestClock.adjust("1 millis")
      assert.deepStrictEqual(counts(yield* all), [1])
      yield* TestClock.adjust("400 millis")
      yield* log.emit([numbered(2)])
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(counts(yield* all), [1, 2])
    }).pipe(Effect.provide(layerMemory))
  )

  it.scoped("does not wait for the second to pass when a megabyte is waiting", () =>
    Effect.gen(function* () {
      const log = yield* open
      const reason = "x".repeat(300_000)
      yield* log.emit(Array.from({ length: 4 }, () => ({ event_type: "job_paused" as const, reason })))
      yield* TestClock.adjust(0)
      assert.strictEqual((yield* all).length, 4)
    }).pipe(Effect.provide(layerMemory))
  )

  it.scoped("keeps events through a full disk, each once and in order", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      const log = yield* open
      yield* log.emit([numbered(0)])
      yield* TestClock.adjust("1 seconds")
      disk.full = true
      for (const count of [1, 2, 3]) {
        yield* log.emit([numbered(count)])
        yield* TestClock.adjust("1 seconds")
      }
      assert.strictEqual(disk.refused, 3)
      assert.strictEqual((yield* Effect.flip(log.flush)).reason, "no_space")
      assert.deepStrictEqual(counts(yield* all), [0])
      yield* log.emit([numbered(4)])
      disk.full = false
      yield* TestClock.adjust("1 seconds")
      assert.deepStrictEqual(counts(yield* all), [0, 1, 2, 3, 4])
    }).pipe(Effect.provide(layerFull))
  )

  it.scoped("drops the oldest events of a long outage, stays bounded, and says how many", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      const log = yield* open
      disk.full = true
      const reason = "x".repeat(1024 * 1024)
      const total = 40
      for (let count = 0; count < total; count++) {
        yield* log.emit([{ event_type: "job_paused", reason }, numbered(count)])
        yield* TestClock.adjust("1 seconds")
      }
      disk.full = false
      yield* log.flush
      const read = yield* all
      const kept = read.slice(0, -1)
      const last = read.at(-1)?.event
      assert.deepInclude(last, { event_type: "events_dropped", count: 2 * total - kept.length })
      assert.isAtMost(kept.filter((record) => record.event.event_type === "job_paused").length, 16)
      assert.isAtLeast(kept.length, 16)
      const numbers = counts(kept.filter((record) => record.event.event_type !== "job_paused"))
      assert.deepStrictEqual(
        numbers,
        Array.from({ length: numbers.length }, (_, index) => total - numbers.length + index)
      )
      assert.isBelow(EventWriter.bufferCharsMax, total * reason.length)
      yield* log.flush
      assert.strictEqual((yield* all).length, read.length)
    }).pipe(Effect.provide(layerFull))
  )

  it.effect("ends its scope when the disk is still full, and refuses to open on a full disk", () =>
    Effect.gen(function* () {
      const disk = yield* Disk
      yield* Effect.scoped(
        Effect.gen(function* () {
          const log = yield* open
          yield* log.emit([numbered(1)])
          disk.full = true
        })
      )
      assert.strictEqual((yield* Effect.flip(Effect.scoped(open))).reason, "no_space")
      disk.full = false
      assert.deepStrictEqual(counts(yield* all), [])
    }).pipe(Effect.provide(layerFull))
  )

  it.effect("ignores files in a job's directory that are not event files", () =>
    Effect.gen(function* () {
      const file = yield* AtomicFile.AtomicFile
      const { events } = (yield* ProdigyHome.ProdigyHome).repo(Samples.repo).job(jobId)
      yield* file.replace(`${events}/notes.txt`, "mine")
      assert.deepStrictEqual(yield* all, [])
      assert.deepStrictEqual(yield* (yield* EventLog.EventLog).jobs(Samples.repo), [])
    }).pipe(Effect.provide(layerMemory))
  )
})
