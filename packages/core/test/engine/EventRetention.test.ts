import { assert, describe, it } from "@effect/vitest"
import { EventRetention, type Request } from "@prodigy/core/engine/EventRetention"
import { Events } from "@prodigy/core/engine/Events"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { gunzipSync } from "node:zlib"
import { existsSync, readFileSync, statSync, utimesSync } from "node:fs"
import {
  countOf,
  elsewhere,
  here,
  type Job,
  layerDisk,
  layerLossy,
  layerMemory,
  names,
  nowhere,
  numbered,
  other,
  pathOf,
  record,
  write
} from "./EventSamples.ts"

const asked = (changes: Partial<Request>): Request => ({
  scope: { _tag: "Repository", projectPath: here },
  beforeMillis: null,
  maxEvents: null,
  maxBytes: null,
  archive: false,
  ...changes
})

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index)

const counts = (job: Job) =>
  Effect.gen(function* () {
    const scope = { _tag: "Job", projectPath: nowhere, id: job.jobId } as const
    const filter = { types: [], agent: null, sinceMillis: null }
    const { damage, events } = yield* (yield* Events).list({ scope, filter, limit: 1_000 })
    assert.strictEqual(damage.count, 0)
    return events.map(countOf)
  })

const plan = (changes: Partial<Request>) => Effect.flatMap(EventRetention, ({ plan }) => plan(asked(changes)))
const clean = (changes: Partial<Request>) =>
  Effect.flatMap(EventRetention, ({ apply, plan }) => Effect.flatMap(plan(asked(changes)), apply))

for (const [name, layer] of [
  ["memory", layerMemory],
  ["disk", layerDisk]
] as const) {
  describe(`EventRetention (${name})`, () => {
    it.effect("archives what was written, and every reader still reads it, in its place", () =>
      Effect.gen(function* () {
        const job = yield* record(here, 1)
        yield* write(job, upTo(20).map(numbered), 1_000)
        const before = yield* names(job)
        assert.isAbove(before.length, 2)
        const report = yield* clean({ archive: true })
        assert.deepStrictEqual(report.failed, [])
        assert.strictEqual(report.done.length, before.length)
        assert.deepStrictEqual(
          yield* names(job),
          before.map((file) => `${file}.gz`)
        )
        yield* write(job, [numbered(20)])
        assert.deepStrictEqual(yield* counts(job), upTo(21))
        // What is archived already is left alone.
        assert.strictEqual((yield* plan({ archive: true })).steps.length, 1)
      }).pipe(Effect.provide(layer))
    )

    it.effect("says what it would do, and does nothing by that", () =>
      Effect.gen(function* () {
        const job = yield* record(here, 1)
        yield* write(job, upTo(20).map(numbered), 1_000)
        const before = yield* names(job)
        const planned = yield* plan({ maxEvents: 5 })
        assert.isAbove(planned.steps.length, 0)
        assert.deepStrictEqual(yield* names(job), before)
        const { apply } = yield* EventRetention
        const { done } = yield* apply(planned)
        assert.deepStrictEqual(
          done.map(({ action, path }) => [action, path]),
          planned.steps.map(({ action, path }) => [action, path])
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps the newest events of all jobs together, to the very event", () =>
      Effect.gen(function* () {
        const old = yield* record(here, 1)
        const young = yield* record(here, 2)
        const foreign = yield* record(elsewhere, 3)
        for (const job of [old, young, foreign]) {
          yield* TestClock.adjust("1 minute")
          yield* write(job, upTo(10).map(numbered))
        }
        yield* age(old, 3)
        yield* age(young, 2)
        yield* clean({ maxEvents: 12 })
        assert.deepStrictEqual(yield* counts(old), [8, 9])
        assert.deepStrictEqual(yield* counts(young), upTo(10))
        yield* clean({ maxEvents: 4 })
        assert.deepStrictEqual(yield* names(old), [])
        assert.deepStrictEqual(yield* counts(young), [6, 7, 8, 9])
        assert.deepStrictEqual(yield* counts(foreign), upTo(10))
        yield* clean({ maxEvents: 1, scope: { _tag: "Everything" } })
        assert.deepStrictEqual(yield* names(young), [])
        assert.deepStrictEqual(yield* counts(foreign), [9])
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps no more bytes than asked for", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const job = yield* record(here, 1)
        yield* write(job, upTo(10).map(numbered))
        const [only = ""] = yield* names(job)
        const { bytes = 0 } = (yield* file.info(yield* pathOf(job, only))) ?? {}
        yield* clean({ maxBytes: bytes })
        assert.strictEqual((yield* counts(job)).length, 10)
        yield* clean({ maxBytes: bytes - 1 })
        assert.strictEqual((yield* counts(job)).length, 9)
        yield* clean({ maxBytes: 10 })
        assert.deepStrictEqual(yield* names(job), [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("removes archives by the same rules", () =>
      Effect.gen(function* () {
        const job = yield* record(here, 1)
        yield* write(job, upTo(10).map(numbered))
        yield* clean({ archive: true })
        yield* write(job, [numbered(10)])
        yield* age(job, 1)
        yield* clean({ maxEvents: 10 })
        assert.deepStrictEqual(yield* counts(job), [10])
      }).pipe(Effect.provide(layer))
    )

    it.scoped("touches nothing of a job that somebody drives, and does not count it", () =>
      Effect.gen(function* () {
        const locked = yield* record(here, 1)
        const underWay = yield* record(here, 2, { status: "Running", owner: other })
        const dead = yield* record(here, 3, { status: "Running", owner: { ...other, pid: 8 } })
        for (const job of [locked, underWay, dead]) yield* write(job, upTo(3).map(numbered))
        yield* (yield* ResumeLock).acquire({ ...locked, force: false })
        for (const archive of [true, false]) {
          const planned = yield* plan({ archive, beforeMillis: Number.MAX_SAFE_INTEGER, maxEvents: 0 })
          assert.deepStrictEqual(
            planned.live.map(({ job_id }) => job_id),
            [locked.jobId, underWay.jobId]
          )
          assert.deepStrictEqual(
            planned.steps.map(({ job_id }) => job_id),
            [dead.jobId]
          )
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect(
      "leaves a job alone that is driven by the time the plan is carried out, and goes on with the others",
      () =>
        Effect.gen(function* () {
          const { apply } = yield* EventRetention
          const lock = yield* ResumeLock
          const [first, second] = [yield* record(here, 1), yield* record(here, 2)]
          for (const job of [first, second]) yield* write(job, [numbered(1)])
          const planned = yield* plan({ archive: true })
          const report = yield* Effect.scoped(Effect.zipRight(lock.acquire({ ...first, force: false }), apply(planned)))
          assert.deepStrictEqual(
            report.failed.map(({ error, step }) => [step.job_id, error.includes("is driven by process 1")]),
            [[first.jobId, true]]
          )
          assert.deepStrictEqual(
            report.done.map(({ job_id }) => job_id),
            [second.jobId]
          )
          assert.isFalse((yield* names(first)).some((file) => file.endsWith(".gz")))
          assert.isNull(yield* lock.holder(second.jobId))
        }).pipe(Effect.provide(layer))
    )

    it.effect("leaves a file alone that is not as it was planned", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const { apply } = yield* EventRetention
        const job = yield* record(here, 1)
        yield* write(job, [numbered(1)])
        const planned = yield* plan({ beforeMillis: Number.MAX_SAFE_INTEGER })
        const path = planned.steps[0]?.path ?? ""
        const text = (yield* file.read(path)) ?? ""
        yield* file.replace(path, text + text)
        const { done, failed } = yield* apply(planned)
        assert.deepStrictEqual(done, [])
        assert.include(failed[0]?.error, "it has changed since")
        assert.strictEqual(yield* file.read(path), text + text)
      }).pipe(Effect.provide(layer))
    )

    it.effect("reads the file, not its archive, where a crash left both, and archives it again", () =>
      Effect.gen(function* () {
        const file = yield* AtomicFile
        const job = yield* record(here, 1)
        yield* write(job, upTo(3).map(numbered))
        const [only = ""] = yield* names(job)
        yield* file.replace(yield* pathOf(job, `${only}.gz`), "half an archive")
        assert.deepStrictEqual(yield* counts(job), [0, 1, 2])
        yield* clean({ archive: true })
        assert.deepStrictEqual(yield* names(job), [`${only}.gz`])
        assert.deepStrictEqual(yield* counts(job), [0, 1, 2])
      }).pipe(Effect.provide(layer))
    )

    it.effect("finds nothing to do where there are no events, and in a repository without runs", () =>
      Effect.gen(function* () {
        assert.deepStrictEqual((yield* plan({ archive: true })).steps, [])
        yield* record(here, 1)
        assert.deepStrictEqual((yield* plan({ archive: true, maxEvents: 0 })).steps, [])
        const none = yield* Effect.flip(plan({ scope: { _tag: "Job", projectPath: here, id: "mapreduce-1999" } }))
        assert.strictEqual(none._tag, "IdNotFound")
      }).pipe(Effect.provide(layer))
    )
  })
}

/** Sets the files of a job so many minutes back, where there is a disk. */
const age = (job: Job, minutes: number) =>
  Effect.gen(function* () {
    for (const file of yield* names(job)) {
      const path = yield* pathOf(job, file)
      const at = 1_767_323_045 - 60 * minutes
      if (existsSync(path)) utimesSync(path, at, at)
    }
  })

describe("EventRetention", () => {
  it.effect("writes real gzip, much smaller, as old as the file was", () =>
    Effect.gen(function* () {
      const job = yield* record(here, 1)
      yield* write(job, upTo(2_000).map(numbered))
      yield* age(job, 1)
      const [only = ""] = yield* names(job)
      const path = yield* pathOf(job, only)
      const text = readFileSync(path, "utf8")
      const { done } = yield* clean({ archive: true })
      assert.strictEqual(gunzipSync(readFileSync(`${path}.gz`)).toString("utf8"), text)
      assert.isBelow(done[0]?.bytes_after ?? text.length, text.length / 5)
      assert.strictEqual(done[0]?.bytes_after, statSync(`${path}.gz`).size)
      assert.strictEqual(statSync(`${path}.gz`).mtimeMs, (1_767_323_045 - 60) * 1_000)
      assert.strictEqual(statSync(`${path}.gz`).mode & 0o777, 0o600)
    }).pipe(Effect.provide(layerDisk))
  )

  it.effect("removes a file only when its archive was read back and is the same", () =>
    Effect.gen(function* () {
      const job = yield* record(here, 1)
      yield* write(job, upTo(3).map(numbered))
      const before = yield* names(job)
      const { apply } = yield* EventRetention
      const planned = yield* plan({ archive: true })
      const { failed } = yield* apply(planned)
      assert.include(failed[0]?.error, "what it holds is not what the file holds")
      assert.deepStrictEqual(yield* names(job), before)
      assert.deepStrictEqual(yield* counts(job), [0, 1, 2])
    }).pipe(Effect.provide(layerLossy))
  )
})
