import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { assert, describe, it } from "@effect/vitest"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as FaultyFileSystem from "@prodigy/testing/FaultyFileSystem"
import * as SimulatedFileSystem from "@prodigy/testing/SimulatedFileSystem"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"

const { delayed, fails, ignored, nth, short, torn } = FaultyFileSystem
const writes = ({ method }: FaultyFileSystem.Call) => method === "writeAll"

/** Files on a simulated disk with faults, and the disk to look at. */
const withFaults = <A, E>(
  rule: FaultyFileSystem.Rule,
  program: (
    files: AtomicFile.AtomicFile["Type"],
    fs: FileSystem.FileSystem,
    machine: SimulatedMachine.Machine
  ) => Effect.Effect<A, E>
) =>
  Effect.gen(function* () {
    const files = yield* AtomicFile.AtomicFile
    const fs = yield* FileSystem.FileSystem
    return yield* program(files, fs, yield* SimulatedMachine.SimulatedMachine)
  }).pipe(
    Effect.provide(
      Layer.provideMerge(AtomicFile.layer, Layer.merge(FaultyFileSystem.layer(rule), Path.layer)).pipe(
        Layer.provideMerge(SimulatedFileSystem.layer),
        Layer.provideMerge(SimulatedMachine.layer)
      )
    )
  )

describe("FaultyFileSystem", () => {
  for (const code of ["ENOSPC", "EIO", "EACCES", "EMFILE"])
    for (const method of ["open", "writeAll", "sync", "rename"])
      it.effect(`leaves the old file and no other when ${method} fails with ${code}`, () =>
        withFaults(
          // The first call of each is of "old"; of opens and syncs there are those of directories too.
          nth(
            2,
            (call) => call.method === method && (call.flag === null || call.flag === "wx" || call.flag === "w"),
            fails(code)
          ),
          (files, _, { disk }) =>
            Effect.gen(function* () {
              yield* files.claimDirectory("/store")
              yield* files.replace("/store/file", "old")
              const error = yield* Effect.flip(files.replace("/store/file", "new"))
              assert.strictEqual(error._tag, "StorageError")
              assert.strictEqual(error.reason, reasons[code])
              assert.include(error.message, "/store/file")
              assert.deepStrictEqual(disk.tree(), [
                ["/store", null],
                ["/store/file", "old"]
              ])
            })
        )
      )

  it.effect("tears a write: what was acknowledged before stays, and the next line stands by itself", () =>
    withFaults(nth(2, writes, torn(4, "ENOSPC")), (files) =>
      Effect.scoped(
        Effect.gen(function* () {
          const journal = yield* files.appender("/journal")
          yield* journal.append(["first"])
          assert.strictEqual((yield* Effect.flip(journal.append(["second"]))).reason, "no_space")
          yield* journal.append(["third"])
          assert.deepStrictEqual(yield* files.readLines("/journal"), { lines: ["first", "third"], tornBytes: 0 })
        })
      )
    )
  )

  it.effect("shortens a write, which is then gone on with", () =>
    withFaults(nth(1, writes, short(2)), (files) =>
      Effect.gen(function* () {
        yield* files.replace("/file", "abcdef")
        assert.strictEqual(yield* files.read("/file"), "abcdef")
      })
    )
  )

  it.effect("says how much of a short write was written", () =>
    withFaults(
      nth(1, ({ method }) => method === "write", short(2)),
      (_, fs) =>
        Effect.scoped(
          Effect.gen(function* () {
            const file = yield* fs.open("/file", { flag: "w" })
            assert.strictEqual(yield* file.write(new TextEncoder().encode("abcdef")), FileSystem.Size(2))
            assert.strictEqual(yield* fs.readFileString("/file"), "ab")
          })
        )
    )
  )

  it.effect("delays a call by the clock", () =>
    withFaults(nth(1, writes, delayed("1 minute")), (files, fs) =>
      Effect.gen(function* () {
        const writing = yield* Effect.fork(files.replace("/file", "late"))
        yield* TestClock.adjust("59 seconds")
        assert.isFalse(yield* fs.exists("/file"))
        yield* TestClock.adjust("1 second")
        yield* Fiber.join(writing)
        assert.strictEqual(yield* files.read("/file"), "late")
      })
    )
  )

  it.effect("lies for a disk, but not where something is to be given", () =>
    withFaults(
      FaultyFileSystem.anyOf(
        nth(1, ({ method }) => method === "remove", ignored),
        nth(2, ({ method }) => method === "readFile", ignored)
      ),
      (files, fs) =>
        Effect.gen(function* () {
          yield* files.replace("/file", "stays")
          yield* fs.remove("/file")
          assert.strictEqual(yield* files.read("/file"), "stays")
          const exit = yield* Effect.exit(fs.readFile("/file"))
          assert.include(String(exit), "cannot be ignored")
        })
    )
  )

  it.effect("shows every call to the rule, in order, with its path and what it would write", () => {
    const calls: Array<string> = []
    return withFaults(
      ({ bytes, flag, index, method, path }) => {
        calls.push(`${index} ${method} ${path.replace(/tmp-.*/, "tmp")} ${flag} ${bytes}`)
        return null
      },
      (files) =>
        Effect.map(files.replace("/file", "abc"), () =>
          assert.deepStrictEqual(calls, [
            "0 open /.prodigy-tmp wx 0",
            "1 writeAll /.prodigy-tmp wx 3",
            "2 sync /.prodigy-tmp wx 0",
            "3 rename /.prodigy-tmp null 0",
            "4 open / r 0",
            "5 sync / r 0"
          ])
        )
    )
  })
})

const reasons: Readonly<Record<string, string>> = {
  ENOSPC: "no_space",
  EIO: "io",
  EACCES: "permission",
  EMFILE: "too_many_files"
}
