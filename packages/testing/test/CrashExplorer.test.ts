/** The explorer itself: what it takes for a crash is what a crash in earnest leaves. */
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as Effect from "effect/Effect"

const directory = "/notes"
const path = `${directory}/a`

/** Three notes, each acknowledged; a carelessly written one is not on the disk when that is said. */
const notes = (careless: number): CrashExplorer.Scenario<{ acknowledged: number }, unknown> => ({
  witness: () => ({ acknowledged: 0 }),
  prepare: () => Effect.flatMap(FileSystem.FileSystem, (fs) => fs.makeDirectory(directory)),
  run: (witness) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* fs.open(path, { flag: "a" })
      yield* (yield* fs.open(directory, { flag: "r" })).sync
      for (const number of [1, 2, 3]) {
        yield* file.writeAll(new TextEncoder().encode(`note ${number}\n`))
        if (number !== careless) yield* file.sync
        witness.acknowledged = number
      }
    }).pipe(Effect.scoped),
  recover: () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      if (!(yield* fs.exists(path))) return
      const file = yield* fs.open(path, { flag: "a" })
      const text = yield* fs.readFileString(path)
      yield* file.truncate(text.lastIndexOf("\n") + 1)
      yield* file.sync
    }).pipe(Effect.scoped),
  check: ({ acknowledged }) =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const text = (yield* fs.exists(path)) ? yield* fs.readFileString(path) : ""
      assert.match(text, /^(note \d\n)*$/)
      assert.isAtLeast(text.split("\n").length - 1, acknowledged)
    })
})

const options = { ...CrashExplorer.exhaustive, violationsMax: 1_000 }
const firstLine = (text: string) => text.split("\n")[0] ?? ""

describe("CrashExplorer", () => {
  it.effect("finds nothing where nothing is wrong, also when the recovery crashes", () =>
    Effect.gen(function* () {
      const { calls, points, states, violations } = yield* CrashExplorer.explore(notes(0), {
        ...options,
        alsoRecovery: 1
      })
      assert.deepStrictEqual(violations, [])
      assert.isAbove(points, calls)
      assert.isAbove(points, states)
    })
  )

  for (const careless of [0, 2])
    it.effect(`judges as crashes in earnest do, at every call, when note ${careless} is not synced`, () =>
      Effect.gen(function* () {
        const { calls, violations } = yield* CrashExplorer.explore(notes(careless), options)
        const failures = new Map<string, string>()
        for (let at = 1; at <= calls + 1; at += 1)
          for (const bytes of [0, 3, 7])
            for (const cut of ["lost", "kept", "chance 1"]) {
              const why = yield* CrashExplorer.replay(notes(careless), options, [{ at, bytes, cut }])
              if (why !== null) failures.set(`${at} ${bytes} ${cut}`, firstLine(why))
            }
        // Of those that leave the same, the explorer tells the first.
        for (const { at, cause } of violations) {
          const crash = at[0]!
          const key = `${crash.at} ${crash.bytes} ${crash.cut}`
          if (crash.cut !== "chance 2" && [0, 3, 7].includes(crash.bytes))
            assert.strictEqual(failures.get(key), firstLine(cause), key)
        }
        assert.deepStrictEqual(new Set(violations.map(({ cause }) => firstLine(cause))), new Set(failures.values()))
        assert.strictEqual(failures.size > 0, careless > 0)
      })
    )

  it.effect("replays crashes of recoveries too", () =>
    Effect.gen(function* () {
      const forgetful = { ...notes(0), recover: () => careless }
      const { violations } = yield* CrashExplorer.explore(forgetful, { ...options, alsoRecovery: 1 })
      const twice = violations.filter(({ at }) => at.length === 2)
      assert.isAbove(twice.length, 0)
      for (const { at } of twice) assert.isNotNull(yield* CrashExplorer.replay(forgetful, options, at))
    })
  )
})

/** A recovery that has all notes in its hands only, for a while. */
const careless = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  if (!(yield* fs.exists(path))) return
  const text = yield* fs.readFileString(path)
  yield* fs.truncate(path, 0)
  const file = yield* fs.open(path, { flag: "a" })
  yield* file.writeAll(new TextEncoder().encode(text.slice(0, text.lastIndexOf("\n") + 1)))
  yield* file.sync
}).pipe(Effect.scoped)
