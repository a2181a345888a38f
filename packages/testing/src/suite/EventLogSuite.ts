/**
 * What every `EventLog` does.
 *
 * @since 0.1.0
 */
import type { EventRecord } from "@prodigy/core/domain/Event"
import { EventFileBytesMax } from "@prodigy/core/domain/Limits"
import { AtomicFile, DamagedFile } from "@prodigy/core/storage/AtomicFile"
import { EventLog, type NewEvent } from "@prodigy/core/storage/EventLog"
import * as EventReader from "@prodigy/core/storage/EventReader"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as Samples from "../Samples.ts"

const numbered = (count: number): NewEvent => ({ event_type: "dlq_items_reprocessed", count })
const countOf = (record: EventRecord) => ("count" in record.event ? record.event.count : undefined)
const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

const line = (event: unknown, changes: object = {}) =>
  JSON.stringify({
    v: 1,
    id: "01940000-0000-7000-8000-000000000000",
    timestamp: "2026-01-02T03:04:05.000Z",
    correlation_id: "session-x",
    event,
    metadata: { host: "h", pid: 1 },
    ...changes
  })

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<EventLog | AtomicFile | ProdigyHome, E>): void => {
  const { repo } = Samples
  const jobId = Samples.jobId()
  const open = Effect.flatMap(EventLog, (log) => log.open({ repo, jobId, correlationId: "session-x" }))
  const all = Effect.gen(function* () {
    const log = yield* EventLog
    return yield* Effect.forEach(yield* Stream.runCollect(log.read(repo, jobId)), (entry) => entry)
  })
  const paths = Effect.map(ProdigyHome, (home) => home.repo(repo).job(jobId))
  const names = Effect.flatMap(paths, ({ events }) => Effect.flatMap(AtomicFile, (file) => file.list(events)))

  /** Follows the log into `seen`; damage is a failure. */
  const follow = (live: Effect.Effect<boolean>, seen: Array<unknown>) =>
    Effect.flatMap(EventLog, (log) =>
      Stream.runForEach(log.follow(repo, jobId, live), (entry) =>
        Effect.map(entry, (record) => void seen.push(countOf(record)))
      )
    )
  /** Lets a follower look some times; what it waits for besides is the disk. */
  const looks = (times: number) =>
    Effect.repeatN(
      Effect.zipRight(
        TestClock.adjust(EventReader.lookMillis),
        Effect.promise(() => new Promise((resolve) => setImmediate(resolve)))
      ),
      times
    )
  const until = (reached: () => boolean): Effect.Effect<void> =>
    Effect.suspend(() => (reached() ? Effect.void : Effect.zipRight(looks(1), until(reached))))

  describe(`EventLog (${name})`, () => {
    it.scoped("gives events back in order, as they were told when they were emitted", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, 5))
        const log = yield* open
        const emitted = [
          ...(yield* log.emit([numbered(0), { event_type: "job_paused", reason: 'a "b"\n\u2028é🦀\ud800' }])),
          ...(yield* log.emit([])),
          ...(yield* log.emit(upTo(2_500).map(numbered)))
        ]
        yield* log.flush
        const read = yield* all
        assert.deepStrictEqual(read, emitted)
        const ids = read.map((record) => record.id)
        assert.deepStrictEqual(ids, ids.toSorted())
        assert.strictEqual(new Set(ids).size, 2_502)
        assert.strictEqual(read[0]?.event.job_id, jobId)
        assert.strictEqual(read[0]?.timestamp, "2026-01-02T03:04:05.000Z")
        assert.deepStrictEqual(yield* names, ["events-20260102_030405.jsonl"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("has written everything when its scope closes, also by interruption", () =>
      Effect.gen(function* () {
        const emitted = yield* Deferred.make<void>()
        yield* Effect.scoped(Effect.flatMap(open, (log) => log.emit(upTo(3).map(numbered))))
        const running = yield* Effect.fork(
          Effect.scoped(
            Effect.gen(function* () {
              const log = yield* open
              yield* log.emit(upTo(3).map(numbered))
              yield* Deferred.succeed(emitted, undefined)
              return yield* Effect.never
            })
          )
        )
        yield* Deferred.await(emitted)
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual((yield* all).map(countOf), [0, 1, 2, 0, 1, 2])
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps its order over reopening, in the same second and with a clock that was set back", () =>
      Effect.gen(function* () {
        let count = 0
        for (const second of [5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 5, 2, 7, 6]) {
          yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, second))
          yield* Effect.scoped(Effect.flatMap(open, (log) => log.emit([numbered(count++)])))
        }
        assert.deepStrictEqual((yield* all).map(countOf), upTo(count))
        assert.include(yield* names, "events-20260102_030405_12.jsonl")
        assert.include(yield* names, "events-20260102_030407_2.jsonl")
      }).pipe(Effect.provide(layer))
    )

    it.scoped("starts a new file when one is full, and stays within the bound", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const { events } = yield* paths
        const log = yield* Effect.provideService(open, EventFileBytesMax, 1_000)
        for (const n of upTo(10)) {
          yield* log.emit([numbered(3 * n), numbered(3 * n + 1), numbered(3 * n + 2)])
          if (n % 2 === 0) yield* log.flush
        }
        yield* log.flush
        assert.deepStrictEqual((yield* all).map(countOf), upTo(30))
        const found = yield* names
        assert.isAbove(found.length, 5)
        for (const path of found) {
          const text = (yield* file.read(`${events}/${path}`)) ?? ""
          assert.isAtMost(new TextEncoder().encode(text).length, 1_000)
          assert.isTrue(text.endsWith("\n"))
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("has written everything when its scope closes, also after it started new files", () =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const log = yield* Effect.provideService(open, EventFileBytesMax, 1_000)
            yield* log.emit(upTo(10).map(numbered))
            yield* log.flush
            yield* log.emit([numbered(10)])
          })
        )
        assert.deepStrictEqual((yield* all).map(countOf), upTo(11))
      }).pipe(Effect.provide(layer))
    )

    it.scoped("gives an event that is larger than a whole file a file of its own", () =>
      Effect.gen(function* () {
        const log = yield* Effect.provideService(open, EventFileBytesMax, 1_000)
        const reason = "é".repeat(2_000)
        yield* log.emit([numbered(0), { event_type: "job_paused", reason }, numbered(1)])
        yield* log.flush
        const read = yield* all
        assert.deepStrictEqual(read.map(countOf), [0, undefined, 1])
        assert.propertyVal(read[1]?.event, "reason", reason)
        assert.strictEqual((yield* names).length, 3)
      }).pipe(Effect.provide(layer))
    )

    it.scoped("keeps the events of concurrent fibers whole, each fiber's in order", () =>
      Effect.gen(function* () {
        const log = yield* open
        yield* Effect.forEach(
          upTo(10),
          (fiber) =>
            Effect.forEach(upTo(50), (n) =>
              Effect.zipRight(log.emit([numbered(fiber * 1_000 + n)]), n % 10 === 0 ? log.flush : Effect.yieldNow())
            ),
          { concurrency: "unbounded" }
        )
        yield* log.flush
        const read = yield* all
        assert.strictEqual(read.length, 500)
        for (const fiber of upTo(10)) {
          const own = read.map((record) => countOf(record) as number).filter((n) => Math.floor(n / 1_000) === fiber)
          assert.deepStrictEqual(
            own,
            upTo(50).map((n) => fiber * 1_000 + n)
          )
        }
        const ids = read.map((record) => record.id)
        assert.deepStrictEqual(ids, ids.toSorted())
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps kinds that it does not know", () =>
      Effect.gen(function* () {
        const event = { event_type: "teleported", job_id: "j", to: [{ x: 1 }] }
        yield* (yield* AtomicFile).replace((yield* paths).eventFile("20260102_030405"), `${line(event)}\n`)
        assert.deepStrictEqual((yield* all)[0]?.event, event)
      }).pipe(Effect.provide(layer))
    )

    it.effect.prop(
      "cuts the torn last line of each file, wherever it was torn",
      [FastCheck.nat({ max: 100 })],
      ([tear]) =>
        Effect.gen(function* () {
          const file = yield* AtomicFile
          const { eventFile } = yield* paths
          const whole = line({ event_type: "dlq_items_evicted", job_id: "j", count: 1 })
          const torn = whole.slice(0, tear % whole.length)
          yield* file.replace(eventFile("20260102_030405"), `${whole}\n${torn}`)
          yield* file.replace(eventFile("20260102_030406"), torn)
          yield* file.replace(eventFile("20260102_030407"), `${whole}\n${whole}\n${torn}`)
          assert.strictEqual((yield* all).length, 3)
        }).pipe(Effect.provide(layer)),
      { fastCheck: { numRuns: 20 } }
    )

    const good = line({ event_type: "dlq_items_evicted", job_id: "j", count: 1 })
    const damage: ReadonlyArray<readonly [string, string]> = [
      ["half an event in the middle", good.slice(0, 50)],
      ["an empty line in the middle", ""],
      ["two events in one line", good + good],
      ["a known kind with a wrong field", line({ event_type: "dlq_items_evicted", job_id: "j", count: "1" })],
      ["a known kind that lacks a field", line({ event_type: "dlq_items_evicted", job_id: "j" })],
      ["an event of another format version", line({ event_type: "x", job_id: "j" }, { v: 2 })],
      ["another JSON value", "null"]
    ]
    for (const [what, bad] of damage) {
      it.effect(`names file and line of ${what}, after giving what was before`, () =>
        Effect.gen(function* () {
          const file = yield* AtomicFile
          const { eventFile } = yield* paths
          yield* file.replace(eventFile("20260102_030405"), `${good}\n`)
          const path = eventFile("20260102_030405_2")
          yield* file.replace(path, `${good}\n${bad}\n${good}\n`)
          const error = yield* Effect.flip(all)
          assert.instanceOf(error, DamagedFile)
          assert.strictEqual(error.path, path)
          assert.strictEqual(error.line, 2)
          const log = yield* EventLog
          const first = yield* Stream.runCount(Stream.take(log.read(repo, jobId), 1))
          assert.strictEqual(first, 1)
        }).pipe(Effect.provide(layer))
      )
    }

    it.effect("names a damaged line and gives the events behind it", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const log = yield* EventLog
        const { eventFile } = yield* paths
        yield* file.replace(eventFile("20260102_030405"), `${good}\n${good.slice(0, 50)}\n${good}\n`)
        yield* file.replace(eventFile("20260102_030406"), `${good}\n`)
        const entries = yield* Stream.runCollect(log.read(repo, jobId))
        const told = [...entries].map((entry) => (Either.isRight(entry) ? "event" : entry.left.line))
        assert.deepStrictEqual(told, ["event", 2, "event", "event"])
        const followed = yield* Stream.runCollect(log.follow(repo, jobId, Effect.succeed(false)))
        assert.deepStrictEqual([...followed], [...entries])
      }).pipe(Effect.provide(layer))
    )

    it.scoped("is followed from before its first file, across new files, each event once, until nobody writes", () =>
      Effect.gen(function* () {
        const live = yield* Ref.make(true)
        const seen: Array<unknown> = []
        const following = yield* Effect.fork(follow(Ref.get(live), seen))
        yield* looks(2)
        const log = yield* Effect.provideService(open, EventFileBytesMax, 1_000)
        for (const n of upTo(8)) {
          yield* log.emit(upTo(5).map((index) => numbered(5 * n + index)))
          yield* log.flush
          if (n % 3 === 0) yield* until(() => seen.length === 5 * (n + 1))
        }
        assert.isAbove((yield* names).length, 5)
        yield* until(() => seen.length === 40)
        yield* log.emit([numbered(40)])
        yield* log.flush
        yield* Ref.set(live, false)
        yield* until(() => seen.length === 41)
        yield* Effect.raceFirst(Fiber.join(following), Effect.forever(looks(1)))
        assert.deepStrictEqual(seen, upTo(41))
      }).pipe(Effect.provide(layer))
    )

    it.scoped("is followed to its end when nobody writes it, also when there is nothing", () =>
      Effect.gen(function* () {
        const seen: Array<unknown> = []
        yield* follow(Effect.succeed(false), seen)
        assert.deepStrictEqual(seen, [])
        for (const n of upTo(3)) {
          yield* Effect.scoped(Effect.flatMap(open, (log) => log.emit([numbered(2 * n), numbered(2 * n + 1)])))
        }
        yield* follow(Effect.succeed(false), seen)
        assert.deepStrictEqual(seen, upTo(6))
      }).pipe(Effect.provide(layer))
    )

    it.scoped("waits for the rest of a line that is being written, and says nothing of it", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const { eventFile } = yield* paths
        const lines = upTo(3).map((count) => `${line({ event_type: "dlq_items_evicted", job_id: "j", count })}\n`)
        const text = lines.join("")
        const live = yield* Ref.make(true)
        const seen: Array<unknown> = []
        const following = yield* Effect.fork(follow(Ref.get(live), seen))
        const behindFirst = (lines[0] ?? "").length
        for (const end of [10, behindFirst + 40, text.length - 1]) {
          yield* file.replace(eventFile("20260102_030405"), text.slice(0, end))
          yield* looks(2)
        }
        yield* until(() => seen.length === 2)
        yield* file.replace(eventFile("20260102_030405"), text)
        yield* until(() => seen.length === 3)
        // A writer that dies in the middle of a line leaves it torn: nobody waits for that.
        yield* file.replace(eventFile("20260102_030405"), text + text.slice(0, 20))
        yield* Ref.set(live, false)
        yield* Effect.raceFirst(Fiber.join(following), Effect.forever(looks(1)))
        assert.deepStrictEqual(seen, upTo(3))
      }).pipe(Effect.provide(layer))
    )

    it.scoped("gives no event twice when a writer takes lines back that a full disk cut, and writes them again", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const { eventFile } = yield* paths
        const lines = upTo(6).map(
          (count) =>
            `${line({ event_type: "dlq_items_evicted", job_id: "j", count }, { id: `01940000-0000-7000-8000-00000000000${count}` })}\n`
        )
        const live = yield* Ref.make(true)
        const seen: Array<unknown> = []
        const following = yield* Effect.fork(follow(Ref.get(live), seen))
        yield* file.replace(eventFile("20260102_030405"), lines.slice(0, 4).join(""))
        yield* until(() => seen.length === 4)
        yield* file.replace(eventFile("20260102_030405"), lines.slice(0, 2).join(""))
        yield* looks(2)
        yield* file.replace(eventFile("20260102_030405"), lines.join(""))
        yield* until(() => seen.length === 6)
        yield* Ref.set(live, false)
        yield* Effect.raceFirst(Fiber.join(following), Effect.forever(looks(1)))
        assert.deepStrictEqual(seen, upTo(6))
      }).pipe(Effect.provide(layer))
    )

    it.effect("lists the jobs that have events, oldest first", () =>
      Effect.gen(function* () {
        const log = yield* EventLog
        assert.deepStrictEqual(yield* log.jobs(repo), [])
        for (const n of [10, 2, 1]) {
          yield* Effect.scoped(log.open({ repo, jobId: Samples.jobId(n), correlationId: "session-x" }))
        }
        assert.deepStrictEqual(
          yield* log.jobs(repo),
          [1, 2, 10].map((n) => Samples.jobId(n))
        )
        assert.deepStrictEqual(yield* all, [])
      }).pipe(Effect.provide(layer))
    )
  })
}
