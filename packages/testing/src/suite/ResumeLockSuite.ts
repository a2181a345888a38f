/**
 * What every `ResumeLock` does.
 *
 * @since 0.1.0
 */
import type { Owner } from "@prodigy/core/domain/Owner"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ProcessTable } from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { damagedMillisMax, type Lease, ResumeLock } from "@prodigy/core/storage/ResumeLock"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { assert, describe, it } from "@effect/vitest"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Samples from "../Samples.ts"

const jobId = Samples.jobId()
const sessionId = SessionId.fromJob(jobId)

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(
  name: string,
  layer: Layer.Layer<ResumeLock | AtomicFile | ProcessTable | ProdigyHome, E>
): void => {
  const acquire = (force = false) => Effect.flatMap(ResumeLock, (lock) => lock.acquire({ jobId, sessionId, force }))
  const refusal = Effect.flatMap(Effect.scoped(Effect.flip(acquire())), (error) =>
    error._tag === "ResumeLockHeld" ? Effect.succeed(error) : Effect.fail(error)
  )
  const path = Effect.map(ProdigyHome, (home) => home.resumeLock(jobId))
  const write = (text: string) =>
    Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) => files.replace(file, text))
  const stored = Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) => files.read(file))
  /** What stays behind: nothing, after a release. */
  const remains = Effect.flatMap(Effect.all([AtomicFile, ProdigyHome]), ([files, home]) => files.list(home.resumeLocks))
  /** The lock of another process, as it stands on disk. */
  const leaseOf = (changes: Partial<Lease>) =>
    Effect.map(ProcessTable, ({ self }): Lease => ({
      v: 1,
      job_id: jobId,
      session_id: sessionId,
      process_id: self.pid,
      process_started_at: self.started_at,
      hostname: self.host,
      acquired_at: "2026-01-02T03:04:05.000Z",
      token: "another",
      ...changes
    }))
  const leave = (changes: Partial<Lease>) => Effect.tap(leaseOf(changes), (lease) => write(textOf(lease)))
  const textOf = (lease: Lease) => `${StoredJson.seal(JSON.stringify(lease))}\n`
  /** The session as its file tells of it, driven by `owner`. */
  const leaveSession = (owner: Owner | null, status: "Running" | "Paused" = "Running") =>
    Effect.flatMap(Effect.all([AtomicFile, ProdigyHome]), ([files, home]) =>
      files.replace(home.session(sessionId), JSON.stringify({ v: 1, id: sessionId, status, owner }))
    )
  /** Sets the clock to where a lock file written by now is old. */
  const age = Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) =>
    Effect.flatMap(files.modifiedAt(file), (at) => TestClock.setTime((at ?? 0) + damagedMillisMax + 1000))
  )
  /** Same host and pid, started at another time: another process, long gone. */
  const leaveDead = Effect.flatMap(ProcessTable, ({ self }) => leave({ process_started_at: `${self.started_at}0` }))

  describe(`ResumeLock (${name})`, () => {
    it.effect("holds the lock until its scope closes", () =>
      Effect.gen(function* () {
        const lock = yield* ResumeLock
        const { self } = yield* ProcessTable
        assert.isNull(yield* lock.holder(jobId))
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { lease, overridden } = yield* acquire()
            assert.isNull(overridden)
            assert.strictEqual(lease.process_id, self.pid)
            assert.strictEqual(lease.hostname, self.host)
            assert.deepStrictEqual(yield* lock.holder(jobId), lease)
            assert.strictEqual(yield* stored, textOf(lease))
          })
        )
        assert.isNull(yield* lock.holder(jobId))
        assert.deepStrictEqual(yield* remains, [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("refuses a second owner, saying who, where and since when", () =>
      Effect.gen(function* () {
        const { lease } = yield* acquire()
        const error = yield* refusal
        assert.deepStrictEqual(error.holder, lease)
        assert.isTrue(error.here)
        for (const part of [String(lease.process_id), lease.hostname, lease.acquired_at]) {
          assert.include(error.message, part)
        }
        assert.isNotNull(yield* stored)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("releases when its owner fails, dies or is interrupted", () =>
      Effect.gen(function* () {
        yield* Effect.exit(Effect.scoped(Effect.zipRight(acquire(), Effect.fail("failed"))))
        assert.deepStrictEqual(yield* remains, [])
        yield* Effect.exit(Effect.scoped(Effect.zipRight(acquire(), Effect.die("died"))))
        assert.deepStrictEqual(yield* remains, [])
        const held = yield* Deferred.make<void>()
        const fiber = yield* Effect.fork(
          Effect.scoped(Effect.zipRight(Effect.zipRight(acquire(), Deferred.succeed(held, undefined)), Effect.never))
        )
        yield* Deferred.await(held)
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        assert.deepStrictEqual(yield* remains, [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("takes over from a dead process", () =>
      Effect.gen(function* () {
        yield* leaveDead
        assert.isNull(yield* Effect.flatMap(ResumeLock, (lock) => lock.holder(jobId)))
        const { lease, overridden } = yield* acquire()
        assert.isNull(overridden)
        assert.strictEqual(yield* stored, textOf(lease))
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("lets exactly one of many rivals take over", () =>
      Effect.gen(function* () {
        for (let round = 0; round < 5; round++) {
          yield* leaveDead
          const tries = yield* Effect.scoped(
            Effect.all(
              Array.from({ length: 20 }, () => Effect.either(acquire())),
              { concurrency: "unbounded" }
            )
          )
          const won = tries.filter(Either.isRight)
          assert.strictEqual(won.length, 1)
          assert.deepStrictEqual(yield* remains, [])
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("holds against us what another host holds", () =>
      Effect.gen(function* () {
        const lease = yield* leave({ hostname: "elsewhere", process_id: 1 })
        const error = yield* refusal
        assert.deepStrictEqual(error.holder, lease)
        assert.isFalse(error.here)
        assert.deepStrictEqual(yield* Effect.flatMap(ResumeLock, (lock) => lock.holder(jobId)), lease)
      }).pipe(Effect.provide(layer))
    )

    it.effect("overrides by force and says what", () =>
      Effect.gen(function* () {
        const other = yield* leave({ hostname: "elsewhere" })
        const { lease, overridden } = yield* acquire(true)
        assert.deepStrictEqual(overridden, other)
        assert.strictEqual(yield* stored, textOf(lease))
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("does not release a lock that somebody took from it by force", () =>
      Effect.gen(function* () {
        const theirs = yield* Effect.scoped(
          Effect.gen(function* () {
            yield* acquire()
            return yield* leave({ hostname: "elsewhere" })
          })
        )
        assert.strictEqual(yield* stored, textOf(theirs))
      }).pipe(Effect.provide(layer))
    )

    for (const text of ["", "{", "null", `{"v":2}`, "\u0000"]) {
      it.effect(`holds a lock file that says ${JSON.stringify(text)} until it is old`, () =>
        Effect.gen(function* () {
          yield* write(text)
          // A disk has a clock of its own, so the time is counted from when the file was written.
          const writtenAt = yield* Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) =>
            files.modifiedAt(file)
          )
          yield* TestClock.setTime((writtenAt ?? 0) + damagedMillisMax)
          const error = yield* refusal
          assert.isNull(error.holder)
          assert.include(error.message, yield* path)
          yield* TestClock.adjust("1 second")
          yield* acquire()
        }).pipe(Effect.scoped, Effect.provide(layer))
      )
    }

    it.effect("never takes a lock from a process that is seen to live, by force neither", () =>
      Effect.gen(function* () {
        const { lease } = yield* acquire()
        const error = yield* Effect.flip(Effect.scoped(acquire(true)))
        assert.strictEqual(error._tag, "ResumeLockHeld")
        if (error._tag === "ResumeLockHeld") assert.deepStrictEqual(error.holder, lease)
        assert.strictEqual(yield* stored, textOf(lease))
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("does not take a digit that has changed for another process", () =>
      Effect.gen(function* () {
        const { self } = yield* ProcessTable
        const lease = yield* leaseOf({ hostname: "elsewhere" })
        // As if the holder were here, and dead.
        yield* write(
          textOf(lease)
            .replace(`"elsewhere"`, JSON.stringify(self.host))
            .replace(/"another"/, `"anothes"`)
        )
        assert.isNull((yield* refusal).holder)
      }).pipe(Effect.provide(layer))
    )

    it.effect("holds an old damaged lock file for the session's owner as long as that lives, by force too", () =>
      Effect.gen(function* () {
        const { self } = yield* ProcessTable
        yield* write("")
        yield* leaveSession(self)
        yield* age
        assert.isNull((yield* refusal).holder)
        assert.strictEqual((yield* Effect.flip(Effect.scoped(acquire(true))))._tag, "ResumeLockHeld")
        yield* leaveSession({ ...self, started_at: `${self.started_at}0` })
        yield* Effect.scoped(acquire())
        yield* write("")
        yield* age
        yield* leaveSession(self, "Paused")
        yield* acquire()
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("holds an old damaged lock file for an owner on another host until force is used", () =>
      Effect.gen(function* () {
        const { self } = yield* ProcessTable
        yield* write("")
        yield* leaveSession({ ...self, host: "elsewhere" })
        yield* age
        assert.isFalse((yield* refusal).here)
        yield* acquire(true)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("tells its owner that it was taken by force, and by whom; nothing else takes it from him", () =>
      Effect.gen(function* () {
        const lock = yield* ResumeLock
        yield* lock.check(jobId)
        yield* acquire()
        yield* lock.check(jobId)
        yield* write("{")
        yield* lock.check(jobId)
        yield* Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) => files.remove(file))
        yield* lock.check(jobId)
        const theirs = yield* leave({ hostname: "elsewhere" })
        const error = yield* Effect.flip(lock.check(jobId))
        assert.strictEqual(error._tag, "ResumeLockLost")
        if (error._tag === "ResumeLockLost") assert.deepStrictEqual(error.holder, theirs)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("takes a damaged lock file by force", () =>
      Effect.gen(function* () {
        yield* write("{")
        const { overridden } = yield* acquire(true)
        assert.isNull(overridden)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("locks jobs one by one", () =>
      Effect.gen(function* () {
        const lock = yield* ResumeLock
        yield* acquire()
        const other = Samples.jobId(2)
        yield* lock.acquire({ jobId: other, sessionId: SessionId.fromJob(other), force: false })
        assert.strictEqual((yield* remains).length, 2)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )
  })
}
