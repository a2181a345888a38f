/**
 * What every `SessionStore` does.
 *
 * @since 0.1.0
 */
import type { Owner } from "@prodigy/core/domain/Owner"
import { canBecome, type Session, Status } from "@prodigy/core/domain/Session"
import { AtomicFile, DamagedFile } from "@prodigy/core/storage/AtomicFile"
import { ProcessTable } from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Samples from "../Samples.ts"

/** Same host and pid, started at another time: another process, long gone. */
const dead = Effect.map(ProcessTable, ({ self }): Owner => ({ ...self, started_at: `${self.started_at}0` }))

const uuid = (n: number) => `0194${String(n).padStart(4, "0")}-0000-7000-8000-000000000000`

/** A lock file as a holder leaves it. */
const lockText = (owner: Owner, token: string) =>
  StoredJson.seal(JSON.stringify({ v: 1, owner, acquired_at: "2026-01-02T03:04:05.000Z", token }))

const progressed = (session: Session): Session => ({
  ...session,
  timings: { ...session.timings, count: (session.timings["count"] ?? 0) + 1 }
})

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(
  name: string,
  layer: Layer.Layer<SessionStore | AtomicFile | ProcessTable | ProdigyHome, E>
): void => {
  const session = Samples.session()
  const pathOf = Effect.map(ProdigyHome, (home) => home.session(session.id))
  const locks = Effect.gen(function* () {
    const names = yield* (yield* AtomicFile).list((yield* ProdigyHome).sessions)
    return names.filter((found) => found.includes(".lock"))
  })

  describe(`SessionStore (${name})`, () => {
    it.effect("creates a session once", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        assert.isTrue(yield* store.create(session))
        assert.isFalse(yield* store.create({ ...session, status: "Failed" }))
        assert.deepStrictEqual(yield* store.get(session.id), session)
      }).pipe(Effect.provide(layer))
    )

    it.effect("is made again where it is lost or damaged, and a damaged one is kept beside it", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        const file = yield* AtomicFile
        const path = (yield* ProdigyHome).session(session.id)
        assert.isNull(yield* store.restore(session))
        const changed = yield* store.update(session.id, (before) => ({ ...before, error: "no" }))
        assert.isNull(yield* store.restore(session))
        assert.deepStrictEqual(yield* store.get(session.id), changed)
        for (const aside of [`${path}.damaged`, `${path}.damaged-2`]) {
          yield* file.replace(path, `{ "${aside}`)
          assert.strictEqual(yield* store.restore(session), aside)
          assert.strictEqual(yield* file.read(aside), `{ "${aside}`)
          assert.deepStrictEqual(yield* store.get(session.id), session)
        }
        assert.strictEqual((yield* store.list).sessions.length, 1)
        assert.deepStrictEqual((yield* store.list).damaged, [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("says that a session is not there", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        assert.strictEqual((yield* Effect.flip(store.get(session.id)))._tag, "SessionNotFound")
        assert.strictEqual((yield* Effect.flip(store.update(session.id, progressed)))._tag, "SessionNotFound")
        assert.deepStrictEqual(yield* store.list, { sessions: [], damaged: [] })
      }).pipe(Effect.provide(layer))
    )

    it.effect("changes what it is told to, stamps the time and keeps the id", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        yield* store.create(session)
        yield* TestClock.setTime(Date.UTC(2026, 5, 1))
        const other = Samples.session(2).id
        const changed = yield* store.update(session.id, (before) => ({ ...before, id: other, error: "no disk" }))
        assert.deepStrictEqual(changed, { ...session, error: "no disk", updated_at: "2026-06-01T00:00:00.000Z" })
        assert.deepStrictEqual(yield* store.get(session.id), changed)
        assert.deepStrictEqual(yield* locks, [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("allows the legal transitions and refuses every other, changing nothing", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        let n = 0
        for (const from of Status.literals) {
          for (const to of Status.literals) {
            const fresh = Samples.session(++n, { status: from })
            yield* store.create(fresh)
            const result = yield* Effect.either(store.update(fresh.id, (before) => ({ ...before, status: to })))
            const stored = yield* store.get(fresh.id)
            if (canBecome(from, to)) {
              assert.strictEqual(stored.status, to)
            } else {
              assert.isTrue(result._tag === "Left" && result.left._tag === "IllegalTransition")
              assert.deepStrictEqual(stored, fresh)
            }
          }
        }
        assert.deepStrictEqual(yield* locks, [])
      }).pipe(Effect.provide(layer))
    )

    it.live("loses no update of concurrent fibers", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        yield* store.create(session)
        yield* Effect.all(
          Array.from({ length: 20 }, () => store.update(session.id, progressed)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual((yield* store.get(session.id)).timings["count"], 20)
      }).pipe(Effect.provide(layer))
    )

    it.live("lets go of its lock when the change throws or is interrupted", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        yield* store.create(session)
        yield* Effect.exit(
          store.update(session.id, () => {
            throw new Error("a bug")
          })
        )
        const running = yield* Effect.fork(Effect.forever(store.update(session.id, progressed)))
        yield* Effect.repeat(Effect.yieldNow(), { times: 50 })
        yield* Fiber.interrupt(running)
        assert.deepStrictEqual(yield* locks, [])
        yield* store.update(session.id, progressed)
      }).pipe(Effect.provide(layer))
    )

    it.live("takes over the lock of a dead process, also when who took it over died in the middle", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        const file = yield* AtomicFile
        const path = `${yield* pathOf}.lock`
        const gone = yield* dead
        yield* store.create(session)
        yield* file.createExclusively(path, lockText(gone, uuid(1)))
        yield* file.createExclusively(`${path}.${uuid(1)}`, lockText(gone, uuid(2)))
        yield* file.createExclusively(`${path}.${uuid(1)}.${uuid(2)}`, lockText(gone, uuid(3)))
        yield* store.update(session.id, progressed)
        assert.strictEqual((yield* store.get(session.id)).timings["count"], 1)
        assert.deepStrictEqual(yield* locks, [])
      }).pipe(Effect.provide(layer))
    )

    it.live("waits for a live process to leave", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        const file = yield* AtomicFile
        const path = `${yield* pathOf}.lock`
        yield* store.create(session)
        yield* file.createExclusively(path, lockText((yield* ProcessTable).self, uuid(1)))
        let left = false
        const update = yield* Effect.fork(
          store.update(session.id, (before) => {
            assert.isTrue(left)
            return progressed(before)
          })
        )
        // Reads of the disk: time in which a writer that does not wait would have been through.
        yield* Effect.repeat(store.list, { times: 20 })
        left = true
        yield* file.remove(path)
        assert.strictEqual((yield* Fiber.join(update)).timings["count"], 1)
      }).pipe(Effect.provide(layer))
    )

    it.live("does not touch what it cannot understand in place of a lock", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        const file = yield* AtomicFile
        const path = `${yield* pathOf}.lock`
        yield* store.create(session)
        for (const content of ["", "{", lockText((yield* ProcessTable).self, "../../x")]) {
          yield* file.replace(path, content)
          const error = yield* Effect.flip(store.update(session.id, progressed))
          assert.instanceOf(error, DamagedFile)
          assert.strictEqual(error.path, path)
          assert.strictEqual(yield* file.read(path), content)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("lists the newest first, damaged files apart", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        const file = yield* AtomicFile
        const home = yield* ProdigyHome
        for (const n of [2, 10, 1, 3, 4, 5]) yield* store.create(Samples.session(n))
        yield* file.replace(home.session(Samples.session(3).id), "{}")
        yield* file.replace(
          home.session(Samples.session(4).id),
          StoredJson.seal(JSON.stringify({ v: 1, ...Samples.session(5) }))
        )
        const listed = yield* store.list
        assert.deepStrictEqual(
          listed.sessions.map((entry) => entry.session.id),
          [10, 5, 2, 1].map((n) => Samples.session(n).id)
        )
        assert.sameMembers(
          listed.damaged.map((error) => error.path),
          [3, 4].map((n) => home.session(Samples.session(n).id))
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("shows as interrupted what is under way without a living owner", () =>
      Effect.gen(function* () {
        const store = yield* SessionStore
        const { self } = yield* ProcessTable
        const gone = yield* dead
        const shown = (changes: Partial<Session>) =>
          Effect.map(store.show(Samples.session(1, changes)), (listed) => listed.shown)
        for (const status of ["Initializing", "Running"] as const) {
          assert.strictEqual(yield* shown({ status, owner: gone }), "Interrupted")
          assert.strictEqual(yield* shown({ status, owner: self }), status)
          assert.strictEqual(yield* shown({ status, owner: { ...gone, host: "elsewhere" } }), status)
          assert.strictEqual(yield* shown({ status, owner: null }), status)
        }
        for (const status of ["Paused", "Completed", "Failed", "Cancelled"] as const) {
          assert.strictEqual(yield* shown({ status, owner: gone }), status)
        }
        yield* store.create(Samples.session(1, { owner: gone }))
        assert.strictEqual((yield* store.list).sessions[0]?.shown, "Interrupted")
      }).pipe(Effect.provide(layer))
    )

    const text = JSON.stringify({ v: 1, ...session })
    const damage: ReadonlyArray<readonly [string, string]> = [
      ["nothing", ""],
      ["half a session", text.slice(0, 60)],
      ["a status that there is not", text.replace('"Running"', '"Dancing"')],
      ["an id that is a path", text.replace(`"${session.id}"`, '"../../x"')],
      ["another session", JSON.stringify({ v: 1, ...Samples.session(2) })],
      ["another format version", text.replace('"v":1', '"v":9')],
      ["no format version", JSON.stringify(session)]
    ]
    for (const [what, content] of damage) {
      it.effect(`names the file that holds ${what}, and leaves it as it is`, () =>
        Effect.gen(function* () {
          const store = yield* SessionStore
          const file = yield* AtomicFile
          const path = yield* pathOf
          yield* file.replace(path, content)
          for (const error of [
            yield* Effect.flip(store.get(session.id)),
            yield* Effect.flip(store.update(session.id, progressed))
          ]) {
            assert.instanceOf(error, DamagedFile)
            assert.strictEqual(error.path, path)
          }
          assert.strictEqual(yield* file.read(path), content)
          assert.isFalse(yield* store.create(session))
        }).pipe(Effect.provide(layer))
      )
    }
  })
}
