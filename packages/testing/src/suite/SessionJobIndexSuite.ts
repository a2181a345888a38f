/**
 * What every `SessionJobIndex` does.
 *
 * @since 0.1.0
 */
import * as SessionId from "@prodigy/core/domain/SessionId"
import { AtomicFile, DamagedFile } from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { type Mapping, SessionJobIndex } from "@prodigy/core/storage/SessionJobIndex"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Samples from "../Samples.ts"

const mapping = (n: number): Mapping => ({
  session_id: SessionId.fromJob(Samples.jobId(n)),
  job_id: Samples.jobId(n),
  workflow_name: "migrate",
  created_at: `2026-01-02T03:04:${String(60 - n).padStart(2, "0")}.000Z`
})

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<SessionJobIndex | AtomicFile | ProdigyHome, E>): void => {
  const { repo } = Samples
  const one = mapping(1)
  const halves = [one.session_id, one.job_id] as const

  describe(`SessionJobIndex (${name})`, () => {
    it.effect("leads from a session to its job and back", () =>
      Effect.gen(function* () {
        const index = yield* SessionJobIndex
        yield* index.put(repo, mapping(2))
        yield* index.put(repo, one)
        for (const half of halves) assert.deepStrictEqual(yield* index.find(repo, half), one)
        assert.isNull(yield* index.find(repo, Samples.jobId(3)))
      }).pipe(Effect.provide(layer))
    )

    it.effect("writes the same into both files", () =>
      Effect.gen(function* () {
        const index = yield* SessionJobIndex
        const file = yield* AtomicFile
        const paths = (yield* ProdigyHome).repo(repo)
        yield* index.put(repo, one)
        const [a, b] = yield* Effect.forEach(halves, (half) => file.read(paths.mapping(half)))
        assert.isString(a)
        assert.strictEqual(a, b)
      }).pipe(Effect.provide(layer))
    )

    for (const [missing, kept] of [
      [0, 1],
      [1, 0]
    ] as const) {
      it.effect(`completes a pair that lacks its ${missing === 0 ? "session" : "job"} half when it is looked up`, () =>
        Effect.gen(function* () {
          const index = yield* SessionJobIndex
          const file = yield* AtomicFile
          const paths = (yield* ProdigyHome).repo(repo)
          for (const asked of halves) {
            yield* index.put(repo, one)
            yield* file.remove(paths.mapping(halves[missing]))
            assert.deepStrictEqual(yield* index.find(repo, asked), one)
            const both = yield* Effect.forEach([halves[missing], halves[kept]], (half) =>
              file.read(paths.mapping(half))
            )
            assert.isNotNull(both[0])
            assert.strictEqual(both[0], both[1])
          }
        }).pipe(Effect.provide(layer))
      )
    }

    it.effect("lists every mapping once, oldest first, also one of which a half is missing", () =>
      Effect.gen(function* () {
        const index = yield* SessionJobIndex
        const file = yield* AtomicFile
        assert.deepStrictEqual(yield* index.list(repo), [])
        for (const n of [1, 2, 3]) yield* index.put(repo, mapping(n))
        yield* file.remove((yield* ProdigyHome).repo(repo).mapping(mapping(2).session_id))
        assert.deepStrictEqual(yield* index.list(repo), [3, 2, 1].map(mapping))
      }).pipe(Effect.provide(layer))
    )

    const damage: ReadonlyArray<readonly [string, string]> = [
      ["half a file", `{"v": 1, "session_id": "sess`],
      ["a job id that is a path", JSON.stringify({ v: 1, ...one, job_id: "../../etc" })],
      ["the mapping of another pair", JSON.stringify({ v: 1, ...mapping(2) })],
      ["no format version", JSON.stringify(one)]
    ]
    for (const [what, content] of damage) {
      it.effect(`names the file that holds ${what}`, () =>
        Effect.gen(function* () {
          const index = yield* SessionJobIndex
          const file = yield* AtomicFile
          const path = (yield* ProdigyHome).repo(repo).mapping(one.job_id)
          yield* file.replace(path, content)
          for (const error of [
            yield* Effect.flip(index.find(repo, one.job_id)),
            yield* Effect.flip(index.list(repo))
          ]) {
            assert.instanceOf(error, DamagedFile)
            assert.strictEqual(error.path, path)
          }
        }).pipe(Effect.provide(layer))
      )
    }
  })
}
