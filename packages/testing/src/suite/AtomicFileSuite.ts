/**
 * What every `AtomicFile` does.
 *
 * @since 0.1.0
 */
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<AtomicFile | ProdigyHome, E>): void => {
  /** A path two directories deep that do not exist yet. */
  const at = (file: string) => Effect.map(ProdigyHome, ({ root }) => `${root}/some/where/${file}`)
  const directory = Effect.map(ProdigyHome, ({ root }) => `${root}/some/where`)

  describe(`AtomicFile (${name})`, () => {
    it.effect("replaces a whole file and makes the directories above it", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("a.json")
        assert.isNull(yield* files.read(file))
        yield* files.replace(file, "one, longer")
        yield* files.replace(file, "two: é, 😀\n")
        assert.strictEqual(yield* files.read(file), "two: é, 😀\n")
        assert.deepStrictEqual(yield* files.list(yield* directory), ["a.json"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("removes a directory with all that is in it, a file, or nothing", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const { root } = yield* ProdigyHome
        for (const name of ["tree/a", "tree/b/c", "tree-2"]) yield* files.replace(`${root}/${name}`, "x")
        yield* files.removeTree(`${root}/tree`)
        assert.isNull(yield* files.read(`${root}/tree/b/c`))
        assert.deepStrictEqual(yield* files.list(root), ["tree-2"])
        yield* files.removeTree(`${root}/tree`)
        yield* files.removeTree(`${root}/tree-2`)
        assert.deepStrictEqual(yield* files.list(root), [])
        assert.isTrue(yield* files.claimDirectory(`${root}/tree`))
      }).pipe(Effect.provide(layer))
    )

    it.effect("writes an empty file, which is not the same as none", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("empty")
        yield* files.replace(file, "")
        assert.strictEqual(yield* files.read(file), "")
        assert.deepStrictEqual(yield* files.readLines(file), { lines: [], tornBytes: 0 })
        assert.deepStrictEqual(yield* files.readLines(yield* at("none")), { lines: [], tornBytes: 0 })
      }).pipe(Effect.provide(layer))
    )

    it.effect("replaces a file by lines as they come", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("items.jsonl")
        yield* files.replaceLines(file, Stream.map(Stream.range(1, 3000), String))
        const { lines, tornBytes } = yield* files.readLines(file)
        assert.strictEqual(tornBytes, 0)
        assert.deepStrictEqual(
          lines,
          Array.from({ length: 3000 }, (_, index) => String(index + 1))
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("leaves the old file when the lines fail half way", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("items.jsonl")
        yield* files.replace(file, "old\n")
        const lines = Stream.concat(Stream.map(Stream.range(1, 3000), String), Stream.fail("no more" as const))
        assert.strictEqual(yield* Effect.flip(files.replaceLines(file, lines)), "no more")
        assert.strictEqual(yield* files.read(file), "old\n")
        assert.deepStrictEqual(yield* files.list(yield* directory), ["items.jsonl"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("leaves the old file when the writer is interrupted", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("items.jsonl")
        yield* files.replace(file, "old\n")
        const lines = Stream.concat(Stream.map(Stream.range(1, 3000), String), Stream.never)
        const fiber = yield* Effect.fork(files.replaceLines(file, lines))
        yield* Effect.yieldNow()
        assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
        assert.strictEqual(yield* files.read(file), "old\n")
        assert.deepStrictEqual(yield* files.list(yield* directory), ["items.jsonl"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("lets exactly one of many rivals create a file", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("claim")
        const rivals = Array.from({ length: 20 }, (_, index) => `rival ${index}`)
        const won = yield* Effect.filter(rivals, (rival) => files.createExclusively(file, rival), {
          concurrency: "unbounded"
        })
        assert.strictEqual(won.length, 1)
        assert.strictEqual(yield* files.read(file), won[0])
        assert.isFalse(yield* files.createExclusively(file, "late"))
        assert.deepStrictEqual(yield* files.list(yield* directory), ["claim"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("lets exactly one of many rivals claim a directory", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const claimed = yield* at("job")
        const results = yield* Effect.all(
          Array.from({ length: 20 }, () => files.claimDirectory(claimed)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(results.filter((won) => won).length, 1)
        assert.deepStrictEqual(yield* files.list(yield* directory), ["job"])
        assert.deepStrictEqual(yield* files.list(claimed), [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("removes a file once", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("a")
        assert.isFalse(yield* files.remove(file))
        yield* files.replace(file, "x")
        assert.isTrue(yield* files.remove(file))
        assert.isFalse(yield* files.remove(file))
        assert.isNull(yield* files.read(file))
        assert.isNull(yield* files.modifiedAt(file))
      }).pipe(Effect.provide(layer))
    )

    it.effect("sets a file aside under a name that nobody has", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("one")
        assert.isNull(yield* files.setAside(file))
        for (const content of ["first", "second", "third"]) {
          yield* files.replace(file, content)
          const aside = yield* files.setAside(file)
          assert.strictEqual(yield* files.read(aside ?? ""), content)
          assert.isNull(yield* files.read(file))
        }
        assert.deepStrictEqual(
          (yield* files.list(yield* directory)).filter((name) => name.startsWith("one")),
          ["one.damaged", "one.damaged-2", "one.damaged-3"]
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("lists what is directly in a directory, sorted", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        assert.deepStrictEqual(yield* files.list(yield* directory), [])
        yield* files.replace(yield* at("b"), "")
        yield* files.replace(yield* at("a/deeper"), "")
        yield* files.replace(`${yield* directory}-beside`, "")
        assert.deepStrictEqual(yield* files.list(yield* directory), ["a", "b"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("appends whole lines, in the order of the calls", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("journal.jsonl")
        const expected = Array.from({ length: 100 }, (_, index) => `line ${index}`)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            yield* Effect.forEach(expected, (line) => appender.append([line]), { concurrency: "unbounded" })
            assert.deepStrictEqual((yield* files.readLines(file)).lines, expected)
            yield* appender.append(["two", "at once"])
            yield* appender.append([])
          })
        )
        assert.deepStrictEqual((yield* files.readLines(file)).lines, [...expected, "two", "at once"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("writes buffered lines with the next append, a flush, or the end of the scope", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("events.jsonl")
        const lines = Effect.map(files.readLines(file), (read) => read.lines)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            yield* appender.buffer(["é"])
            assert.deepStrictEqual(yield* lines, [])
            assert.strictEqual(yield* appender.size, 3)
            yield* appender.append(["b"])
            assert.deepStrictEqual(yield* lines, ["é", "b"])
            yield* appender.buffer(["c"])
            yield* appender.flush
            assert.deepStrictEqual(yield* lines, ["é", "b", "c"])
            assert.strictEqual(yield* appender.size, 7)
            yield* appender.buffer(["d"])
          })
        )
        assert.deepStrictEqual(yield* lines, ["é", "b", "c", "d"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("cuts a torn last line off, for readers and before it appends", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("journal.jsonl")
        yield* files.replace(file, `one\ntwo\nthré${"x".repeat(200_000)}`)
        assert.deepStrictEqual(yield* files.readLines(file), { lines: ["one", "two"], tornBytes: 200_005 })
        assert.deepStrictEqual(Chunk.toReadonlyArray(yield* Stream.runCollect(files.streamLines(file))), ["one", "two"])
        yield* Effect.scoped(Effect.flatMap(files.appender(file), (appender) => appender.append(["three"])))
        assert.strictEqual(yield* files.read(file), "one\ntwo\nthree\n")
      }).pipe(Effect.provide(layer))
    )

    it.effect("cuts off a file that is one torn line", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("journal.jsonl")
        yield* files.replace(file, "torn")
        yield* Effect.scoped(Effect.flatMap(files.appender(file), (appender) => appender.append(["one"])))
        assert.strictEqual(yield* files.read(file), "one\n")
      }).pipe(Effect.provide(layer))
    )

    it.effect("streams lines of every length, empty ones too", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("lines")
        const expected = ["", "é", "x".repeat(65_535), "", "😀".repeat(50_000), "y".repeat(65_536), "end", ""]
        yield* files.replaceLines(file, Stream.fromIterable(expected))
        const streamed = Chunk.toReadonlyArray(yield* Stream.runCollect(files.streamLines(file)))
        assert.isTrue(streamed.length === expected.length && streamed.every((line, index) => line === expected[index]))
        assert.deepStrictEqual((yield* files.readLines(file)).lines, expected)
        assert.strictEqual(yield* Stream.runCount(files.streamLines(yield* at("none"))), 0)
      }).pipe(Effect.provide(layer))
    )

    it.effect("has the whole of an append whose caller was interrupted", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("journal.jsonl")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            const fibers = yield* Effect.forEach(Array.from({ length: 10 }), (_, index) =>
              Effect.fork(appender.append([`a ${index}`, `b ${index}`]))
            )
            yield* Effect.yieldNow()
            yield* Fiber.interruptAll(fibers)
            yield* appender.append(["last"])
          })
        )
        const { lines, tornBytes } = yield* files.readLines(file)
        assert.strictEqual(tornBytes, 0)
        assert.strictEqual(lines.at(-1), "last")
        const pairs = lines.filter((line) => line.startsWith("a "))
        assert.deepStrictEqual(
          lines.slice(0, -1),
          pairs.flatMap((line) => [line, line.replace("a", "b")])
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("refuses to write a line feed inside a line", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("journal.jsonl")
        yield* Effect.scoped(
          Effect.gen(function* () {
            const appender = yield* files.appender(file)
            assert.isTrue(Exit.isFailure(yield* Effect.exit(appender.append(["fine", "a\nb"]))))
            yield* appender.append(["c"])
          })
        )
        assert.strictEqual(yield* files.read(file), "c\n")
      }).pipe(Effect.provide(layer))
    )

    it.effect("refuses to append after its scope", () =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const file = yield* at("journal.jsonl")
        const appender = yield* Effect.scoped(files.appender(file))
        const error = yield* Effect.flip(appender.append(["late"]))
        assert.strictEqual(error._tag, "StorageError")
        assert.strictEqual(yield* files.read(file), "")
      }).pipe(Effect.provide(layer))
    )
  })
}
