import { NodeContext } from "@effect/platform-node"
import { SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { suite } from "@prodigy/testing/suite/AtomicFileSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TemporaryHome from "./TemporaryHome.ts"

suite("memory", TemporaryHome.layerMemory)
suite("disk", TemporaryHome.layerDisk)

describe("AtomicFile on a disk", () => {
  it.effect("keeps files and directories to their owner", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile.AtomicFile
      const fs = yield* FileSystem.FileSystem
      const { root } = yield* ProdigyHome
      yield* files.replace(`${root}/a/b/replaced`, "x")
      yield* files.createExclusively(`${root}/a/b/created`, "x")
      yield* Effect.scoped(files.appender(`${root}/a/b/appended`))
      yield* files.claimDirectory(`${root}/a/b/claimed`)
      const mode = (path: string) => Effect.map(fs.stat(`${root}${path}`), (info) => (info.mode & 0o777).toString(8))
      for (const directory of ["", "/a", "/a/b", "/a/b/claimed"]) assert.strictEqual(yield* mode(directory), "700")
      for (const file of ["replaced", "created", "appended"]) assert.strictEqual(yield* mode(`/a/b/${file}`), "600")
    }).pipe(Effect.provide(TemporaryHome.layerDisk))
  )

  it.effect("leaves no temporary file and lists none", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile.AtomicFile
      const fs = yield* FileSystem.FileSystem
      const { root } = yield* ProdigyHome
      yield* files.replace(`${root}/a`, "x")
      yield* files.createExclusively(`${root}/b`, "x")
      yield* files.createExclusively(`${root}/b`, "y")
      assert.deepStrictEqual((yield* fs.readDirectory(root)).toSorted(), ["a", "b"])
      yield* fs.writeFileString(`${root}/.prodigy-tmp-left-by-a-crash`, "half")
      assert.deepStrictEqual(yield* files.list(root), ["a", "b"])
    }).pipe(Effect.provide(TemporaryHome.layerDisk))
  )

  it.effect("spoils only the line whose bytes are not UTF-8", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile.AtomicFile
      const fs = yield* FileSystem.FileSystem
      const { root } = yield* ProdigyHome
      yield* files.replace(`${root}/lines`, `"\uFFFD"\n`)
      const bytes = [0x22, 0xc3, 0x22, 10, 0x22, 0x7a, 0x22, 10]
      yield* fs.writeFile(`${root}/lines`, Uint8Array.from([...(yield* fs.readFile(`${root}/lines`)), ...bytes]))
      const expected = [`"\uFFFD"`, `"\u0000"`, `"z"`]
      assert.deepStrictEqual((yield* files.readLines(`${root}/lines`)).lines, expected)
      assert.deepStrictEqual(
        Chunk.toReadonlyArray(yield* Stream.runCollect(files.streamLines(`${root}/lines`))),
        expected
      )
    }).pipe(Effect.provide(TemporaryHome.layerDisk))
  )

  it.effect("says what stands in the way", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile.AtomicFile
      const { root } = yield* ProdigyHome
      yield* files.replace(`${root}/file`, "x")
      const error = yield* Effect.flip(files.replace(`${root}/file/below`, "x"))
      assert.strictEqual(error.reason, "io")
      assert.include(error.detail, "ENOTDIR")
      const impossible = yield* Effect.flip(files.replace("/proc/none/file", "x"))
      assert.strictEqual(impossible.reason, "not_found")
      assert.include(impossible.message, "Could not write /proc/none/file")
    }).pipe(Effect.provide(TemporaryHome.layerDisk))
  )
})

/** What the next operations on open files do, one entry each: nothing, or an error; a write may be short before it. */
interface Script {
  write: Array<{ readonly bytes: number; readonly code: string } | null>
  sync: Array<string | null>
  truncate: Array<string | null>
}

const failure = (method: string, code: string) =>
  new SystemError({
    module: "FileSystem",
    method,
    reason: "Unknown",
    description: `${code}: made to fail`,
    cause: Object.assign(new Error(code), { code })
  })

/** A file system whose open files follow a script. */
const scripted = (script: Script) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => {
      const follow = (method: "sync" | "truncate", self: ReturnType<FileSystem.File["truncate"]>) =>
        Effect.suspend(() => {
          const code = script[method].shift() ?? null
          return code === null ? self : failure(method, code)
        })
      const wrap = (file: FileSystem.File): FileSystem.File =>
        new Proxy(file, {
          get: (target, key) => {
            if (key === "sync") return follow("sync", target.sync)
            if (key === "truncate") return (size: number) => follow("truncate", target.truncate(size))
            if (key === "writeAll") {
              return (bytes: Uint8Array) =>
                Effect.suspend(() => {
                  const step = script.write.shift() ?? null
                  if (step === null) return target.writeAll(bytes)
                  const short = step.bytes === 0 ? Effect.void : target.writeAll(bytes.subarray(0, step.bytes))
                  return Effect.zipRight(short, failure("writeAll", step.code))
                })
            }
            const value: unknown = Reflect.get(target, key)
            return typeof value === "function" ? value.bind(target) : value
          }
        })
      return { ...fs, open: (path, options) => Effect.map(fs.open(path, options), wrap) }
    })
  )

describe("AtomicFile on a disk that fails", () => {
  const within = <A, E>(
    body: (
      files: AtomicFile.AtomicFile["Type"],
      script: Script,
      root: string
    ) => Effect.Effect<A, E, FileSystem.FileSystem>
  ) =>
    Effect.gen(function* () {
      const script: Script = { write: [], sync: [], truncate: [] }
      const fs = yield* FileSystem.FileSystem
      const root = yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-test-" })
      const layer = AtomicFile.layer.pipe(Layer.provide(scripted(script)), Layer.provide(NodeContext.layer))
      return yield* Effect.flatMap(AtomicFile.AtomicFile, (files) => body(files, script, root)).pipe(
        Effect.provide(layer)
      )
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))

  it.effect("acknowledges nothing of a failed append, and starts the next one on a line of its own", () =>
    within((files, script, root) =>
      Effect.gen(function* () {
        const file = `${root}/journal`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            yield* appender.append(["one"])
            script.write = [{ bytes: 5, code: "ENOSPC" }]
            const error = yield* Effect.flip(appender.append(["two, half written"]))
            assert.strictEqual(error.reason, "no_space")
            assert.strictEqual(yield* appender.size, 4)
            assert.strictEqual(yield* files.read(file), "one\n")
            yield* appender.append(["three"])
          })
        )
        assert.strictEqual(yield* files.read(file), "one\nthree\n")
      })
    )
  )

  it.effect("cuts a half line before the next append when it could not cut it at once", () =>
    within((files, script, root) =>
      Effect.gen(function* () {
        const file = `${root}/journal`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            yield* appender.append(["one"])
            script.write = [{ bytes: 5, code: "EIO" }]
            script.truncate = ["EIO"]
            assert.strictEqual((yield* Effect.flip(appender.append(["two, half written"]))).reason, "io")
            assert.strictEqual(yield* files.read(file), "one\ntwo, ")
            yield* appender.append(["three"])
          })
        )
        assert.strictEqual(yield* files.read(file), "one\nthree\n")
      })
    )
  )

  it.effect("does not acknowledge what was written and not synced", () =>
    within((files, script, root) =>
      Effect.gen(function* () {
        const file = `${root}/journal`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            script.sync = ["EIO"]
            yield* Effect.flip(appender.append(["one"]))
            assert.strictEqual(yield* files.read(file), "")
          })
        )
      })
    )
  )

  it.effect("hands lines to the operating system without a sync, and syncs them with the next append", () =>
    within((files, script, root) =>
      Effect.gen(function* () {
        const file = `${root}/processes`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            script.sync = ["EIO"]
            yield* appender.hand(["one"])
            assert.strictEqual(yield* files.read(file), "one\n")
            yield* Effect.flip(appender.append(["two"]))
            assert.strictEqual(yield* files.read(file), "one\n")
            yield* appender.append(["three"])
            assert.strictEqual(yield* files.read(file), "one\nthree\n")
          })
        )
      })
    )
  )

  it.effect("keeps buffered lines for the flush after the one that failed", () =>
    within((files, script, root) =>
      Effect.gen(function* () {
        const file = `${root}/events`
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            yield* appender.buffer(["one"])
            script.write = [{ bytes: 2, code: "ENOSPC" }]
            yield* Effect.flip(appender.flush)
            yield* appender.buffer(["two"])
            assert.strictEqual(yield* appender.size, 8)
            yield* appender.flush
            assert.strictEqual(yield* appender.size, 8)
          })
        )
        assert.strictEqual(yield* files.read(file), "one\ntwo\n")
      })
    )
  )

  it.effect("leaves the old content and no temporary file when a replace fails", () =>
    within((files, script, root) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const file = `${root}/session.json`
        yield* files.replace(file, "old")
        script.write = [{ bytes: 1, code: "EDQUOT" }]
        assert.strictEqual((yield* Effect.flip(files.replace(file, "new"))).reason, "no_space")
        script.sync = ["EROFS"]
        assert.strictEqual((yield* Effect.flip(files.replace(file, "new"))).reason, "read_only")
        assert.strictEqual(yield* files.read(file), "old")
        assert.deepStrictEqual(yield* fs.readDirectory(root), ["session.json"])
      }).pipe(Effect.provide(NodeContext.layer))
    )
  )

  it.effect("creates nothing when the content could not be made durable", () =>
    within((files, script, root) =>
      Effect.gen(function* () {
        script.sync = ["EMFILE"]
        const error = yield* Effect.flip(files.createExclusively(`${root}/lock`, "x"))
        assert.strictEqual(error.reason, "too_many_files")
        assert.isNull(yield* files.read(`${root}/lock`))
        assert.isTrue(yield* files.createExclusively(`${root}/lock`, "x"))
      })
    )
  )
})
