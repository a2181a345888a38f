/**
 * What every `DeadLetterQueue` does.
 *
 * @since 0.1.0
 */
import type { DeadLetter } from "@prodigy/core/domain/DeadLetter"
import * as DeadLetterSummary from "@prodigy/core/domain/DeadLetterSummary"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { AtomicFile, DamagedFile } from "@prodigy/core/storage/AtomicFile"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { assert, describe, it } from "@effect/vitest"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as Samples from "../Samples.ts"

/** Ids that a careless file name would merge, lose or let out of the directory. */
const hostileIds = [
  "../../x",
  "..",
  ".",
  "a/b",
  "a%2Fb",
  "a\\b",
  "a\nb",
  "a b",
  "a\u0000b",
  "-rf",
  "x".repeat(300),
  `${"x".repeat(300)}y`,
  "x".repeat(4096),
  "🦀",
  "é",
  "e\u0301",
  "\ud800",
  "\ud801",
  "\udc00\ud800",
  "\ufffd",
  "__proto__",
  "con.json",
  ".prodigy-tmp-1",
  "item_1.json"
]

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<DeadLetterQueue | AtomicFile | ProdigyHome, E>): void => {
  const jobId = Samples.jobId()
  const { repo } = Samples
  const all = Effect.gen(function* () {
    const queue = yield* DeadLetterQueue
    return Chunk.toReadonlyArray(yield* Stream.runCollect(queue.stream(repo, jobId)))
  })
  const pathOf = (itemId: string) =>
    Effect.map(ProdigyHome, (home) => home.repo(repo).job(jobId).deadLetter(ItemId.make(itemId)))
  const ids = (letters: ReadonlyArray<DeadLetter>) => letters.map((letter): string => letter.item_id)

  describe(`DeadLetterQueue (${name})`, () => {
    it.effect("gives a letter back as it was put, and the last one that was put", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        const letter = Samples.deadLetter(
          "a",
          JSON.parse(`{"deep": [1, null, {"": "é\\u0000"}], "__proto__": {"x": 1}}`)
        )
        yield* queue.put(repo, jobId, letter)
        const got = yield* queue.get(repo, jobId, letter.item_id)
        assert.deepStrictEqual(got, letter)
        assert.strictEqual(JSON.stringify(got), JSON.stringify(letter))
        const retrying = { ...letter, status: "retrying" as const }
        yield* queue.put(repo, jobId, retrying)
        assert.deepStrictEqual(yield* all, [retrying])
      }).pipe(Effect.provide(layer))
    )

    it.effect.prop(
      "keeps any item data",
      [FastCheck.jsonValue().map((value) => JSON.stringify(value)), FastCheck.string({ minLength: 1, unit: "binary" })],
      ([data, id]) =>
        Effect.gen(function* () {
          const queue = yield* DeadLetterQueue
          const letter = Samples.deadLetter(id, JSON.parse(data))
          yield* queue.put(repo, jobId, letter)
          assert.deepStrictEqual(yield* queue.get(repo, jobId, letter.item_id), letter)
        }).pipe(Effect.provide(layer)),
      { fastCheck: { numRuns: 25 } }
    )

    it.effect("knows nothing of items and jobs that never failed", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        assert.isNull(yield* queue.get(repo, jobId, ItemId.make("a")))
        assert.strictEqual(yield* queue.remove(repo, jobId, [ItemId.make("a")]), 0)
        assert.strictEqual(yield* queue.count(repo, jobId), 0)
        assert.deepStrictEqual(yield* all, [])
        assert.deepStrictEqual(yield* queue.summaries(repo, jobId), { letters: [], damaged: [], unindexed: 0 })
        assert.deepStrictEqual(yield* queue.jobs(repo), [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("never lets two items share a letter, and never leaves its directory", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        const file = yield* AtomicFile
        const home = yield* ProdigyHome
        for (const id of hostileIds) yield* queue.put(repo, jobId, Samples.deadLetter(id))
        for (const id of hostileIds) {
          const letter = yield* queue.get(repo, jobId, ItemId.make(id))
          assert.strictEqual(letter?.item_id, id, JSON.stringify(id.slice(0, 20)))
        }
        assert.strictEqual(yield* queue.count(repo, jobId), hostileIds.length)
        assert.sameMembers(ids(yield* all), hostileIds)
        const names = yield* file.list(home.repo(repo).job(jobId).deadLetters)
        assert.strictEqual(names.length, hostileIds.length)
        for (const found of names) assert.match(found, /^[A-Za-z0-9_%-][A-Za-z0-9._%~-]{0,127}\.json$/)
      }).pipe(Effect.provide(layer))
    )

    it.effect("removes exactly the letter that it is told to", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        for (const id of ["a", "a/b", "a%2Fb"]) yield* queue.put(repo, jobId, Samples.deadLetter(id))
        assert.strictEqual(yield* queue.remove(repo, jobId, [ItemId.make("a/b"), ItemId.make("none")]), 1)
        assert.strictEqual(yield* queue.remove(repo, jobId, [ItemId.make("a/b")]), 0)
        assert.sameMembers(ids(yield* all), ["a", "a%2Fb"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("leaves out, in the middle of a stream, what was removed since it began", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        for (const id of ["a", "b", "c"]) yield* queue.put(repo, jobId, Samples.deadLetter(id))
        const seen = yield* queue.stream(repo, jobId).pipe(
          Stream.tap((letter) =>
            letter.item_id === "a" ? queue.remove(repo, jobId, [ItemId.make("b")]) : Effect.void
          ),
          Stream.runCollect
        )
        assert.deepStrictEqual(ids(Chunk.toReadonlyArray(seen)), ["a", "c"])
      }).pipe(Effect.provide(layer))
    )

    it.effect("lists the jobs that have letters, oldest first", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        for (const n of [10, 2, 1, 3]) yield* queue.put(repo, Samples.jobId(n), Samples.deadLetter("a"))
        yield* queue.remove(repo, Samples.jobId(3), [ItemId.make("a")])
        assert.deepStrictEqual(
          yield* queue.jobs(repo),
          [1, 2, 10].map((n) => Samples.jobId(n))
        )
      }).pipe(Effect.provide(layer))
    )

    /** What is said in short, beside what the letters say; and how many letters had to be read for it. */
    const inShort = Effect.gen(function* () {
      const queue = yield* DeadLetterQueue
      const { damaged, letters, unindexed } = yield* queue.summaries(repo, jobId)
      assert.deepStrictEqual(damaged, [])
      const byId = (a: { readonly item_id: string }, b: { readonly item_id: string }) =>
        a.item_id < b.item_id ? -1 : 1
      assert.deepStrictEqual(letters.toSorted(byId), (yield* all).map(DeadLetterSummary.fromLetter).toSorted(byId))
      return { ids: letters.map(({ item_id }): string => item_id), unindexed }
    })
    const indexPath = Effect.map(ProdigyHome, (home) => home.repo(repo).job(jobId).deadLetterIndex)

    it.effect("says in short what each letter says, in the order of the items, without reading any", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        for (const [index, id] of [...hostileIds.entries()].toReversed()) {
          yield* queue.put(repo, jobId, Samples.deadLetter(id, null, index))
        }
        assert.deepStrictEqual(yield* inShort, { ids: hostileIds, unindexed: 0 })
      }).pipe(Effect.provide(layer))
    )

    it.effect.prop(
      "says in short what each letter says, whatever became of them",
      [
        FastCheck.array(
          FastCheck.tuple(
            FastCheck.constantFrom("a", "b", "c", "d"),
            FastCheck.constantFrom(
              ...(["failed", "retrying", "resolved", "removed", "reindexed", "index lost"] as const)
            )
          ),
          { minLength: 1, maxLength: 8 }
        )
      ],
      ([changes]) =>
        Effect.gen(function* () {
          const queue = yield* DeadLetterQueue
          for (const [id, change] of changes) {
            if (change === "removed") yield* queue.remove(repo, jobId, [ItemId.make(id)])
            else if (change === "reindexed") yield* queue.reindex(repo, jobId)
            else if (change === "index lost")
              yield* Effect.flatMap(AtomicFile, (file) => Effect.flatMap(indexPath, file.remove))
            else yield* queue.put(repo, jobId, { ...Samples.deadLetter(id), status: change })
          }
          yield* inShort
        }).pipe(Effect.provide(layer)),
      { fastCheck: { numRuns: 8 } }
    )

    const spoiled: ReadonlyArray<readonly [string, (text: string) => string]> = [
      ["that is empty", () => ""],
      ["that is torn", (text) => text.slice(0, -10)],
      ["with a letter changed", (text) => text.replace('"failed"', '"foiled"')],
      ["with a status that fits, but was not written", (text) => text.replace('"failed"', '"resolved"')],
      ["with a line that is no JSON", (text) => `${text}x\n`],
      ["with an empty line", (text) => `\n${text}`],
      ["of another version", (text) => text.replaceAll('{"v":1', '{"v":2')],
      ["with bytes that are no text", (text) => `${text}\u0000\n`]
    ]
    for (const [what, spoil] of spoiled) {
      it.effect(`believes the letters, and not an index ${what}; and makes it anew`, () =>
        Effect.gen(function* () {
          const queue = yield* DeadLetterQueue
          const file = yield* AtomicFile
          for (const id of ["a", "b", "c"]) yield* queue.put(repo, jobId, Samples.deadLetter(id))
          yield* queue.put(repo, jobId, { ...Samples.deadLetter("b"), status: "retrying" })
          yield* file.replace(yield* indexPath, spoil((yield* file.read(yield* indexPath)) ?? ""))
          assert.isAbove((yield* inShort).unindexed, 0)
          yield* queue.reindex(repo, jobId)
          assert.strictEqual((yield* inShort).unindexed, 0)
          yield* queue.put(repo, jobId, Samples.deadLetter("d"))
          assert.strictEqual((yield* inShort).unindexed, 0)
          assert.strictEqual((yield* file.readLines(yield* indexPath)).lines.length, 4)
        }).pipe(Effect.provide(layer))
      )
    }

    it.effect("names letters that cannot be read apart from the others, and keeps them when others are removed", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        const file = yield* AtomicFile
        for (const id of ["a", "b"]) yield* queue.put(repo, jobId, Samples.deadLetter(id))
        const path = yield* pathOf("c")
        yield* file.replace(path, "{")
        assert.strictEqual(yield* queue.remove(repo, jobId, [ItemId.make("a")]), 1)
        const { damaged, letters } = yield* queue.summaries(repo, jobId)
        assert.deepStrictEqual(
          damaged.map((error) => error.path),
          [path]
        )
        assert.deepStrictEqual(
          letters.map(({ item_id }) => item_id),
          ["b"]
        )
        assert.strictEqual(yield* queue.count(repo, jobId), 2)
      }).pipe(Effect.provide(layer))
    )

    it.effect("tolerates fields that a later version added", () =>
      Effect.gen(function* () {
        const queue = yield* DeadLetterQueue
        const file = yield* AtomicFile
        const letter = Samples.deadLetter("a")
        yield* file.replace(yield* pathOf("a"), StoredJson.seal(JSON.stringify({ v: 1, ...letter, mood: "sad" })))
        assert.deepStrictEqual(yield* queue.get(repo, jobId, letter.item_id), letter)
      }).pipe(Effect.provide(layer))
    )

    const letter = Samples.deadLetter("a")
    const damage: ReadonlyArray<readonly [string, string]> = [
      ["an empty file", ""],
      ["half a file", JSON.stringify({ v: 1, ...letter }).slice(0, 100)],
      ["bytes that are no text", "\u0000"],
      ["another JSON value", "[]"],
      ["a letter without its history", JSON.stringify({ v: 1, ...letter, failure_history: [] })],
      ["a letter with a wrong field", JSON.stringify({ v: 1, ...letter, failure_count: "1" })],
      ["a letter without format version", JSON.stringify(letter)],
      ["a letter of another format version", JSON.stringify({ ...letter, v: 2 })],
      ["the letter of another item", JSON.stringify({ v: 1, ...Samples.deadLetter("b") })]
    ]
    for (const [what, content] of damage) {
      it.effect(`names the file that holds ${what}`, () =>
        Effect.gen(function* () {
          const queue = yield* DeadLetterQueue
          const file = yield* AtomicFile
          const path = yield* pathOf("a")
          yield* file.replace(path, content)
          for (const error of [
            yield* Effect.flip(queue.get(repo, jobId, letter.item_id)),
            yield* Effect.flip(Stream.runDrain(queue.stream(repo, jobId)))
          ]) {
            assert.instanceOf(error, DamagedFile)
            assert.strictEqual(error.path, path)
          }
          assert.strictEqual(yield* queue.count(repo, jobId), 1)
        }).pipe(Effect.provide(layer))
      )
    }
  })
}
