/**
 * What every `ProcessRecord` does.
 *
 * @since 0.1.0
 */
import * as SessionId from "@prodigy/core/domain/SessionId"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { endedLinesMax, ProcessRecord } from "@prodigy/core/storage/ProcessRecord"
import { ProcessTable } from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Samples from "../Samples.ts"

const { repo } = Samples
const sessionId = SessionId.fromJob(Samples.jobId())
const uuid = "01890a5d-ac96-774b-bcce-b302099a8057"

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(
  name: string,
  layer: Layer.Layer<ProcessRecord | AtomicFile | ProcessTable | ProdigyHome, E>
): void => {
  const open = Effect.flatMap(ProcessRecord, (records) => records.open(repo, sessionId))
  const find = Effect.flatMap(ProcessRecord, (records) => records.find(repo, sessionId))
  const pids = Effect.map(find, (found) => found?.processes.map(({ pid }) => pid))
  const path = Effect.map(ProdigyHome, (home) => home.repo(repo).processes(sessionId))
  const lines = Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) => files.readLines(file))
  const write = (text: string) =>
    Effect.flatMap(Effect.all([AtomicFile, path]), ([files, file]) => files.replace(file, text))
  const at = "2026-01-02T03:04:05.000Z"
  /** The record of a process that is long dead. */
  const runLine = (changes: { readonly session?: string } = {}) =>
    Effect.map(ProcessTable, ({ self }) => {
      const owner = { pid: 999_999_999, host: self.host, started_at: `${self.started_at}0` }
      const session_id = changes.session ?? sessionId
      return StoredJson.seal(JSON.stringify({ v: 1, type: "run", session_id, owner, token: uuid, at }))
    })
  const lineOf = (version: number) =>
    StoredJson.seal(JSON.stringify({ v: version, type: "process", pid: 12, started_at: "34", at }))
  const processLine = lineOf(1)

  describe(`ProcessRecord (${name})`, () => {
    it.effect("tells of a run, and of each process it starts, until the run has ended", () =>
      Effect.gen(function* () {
        assert.isNull(yield* find)
        yield* Effect.scoped(
          Effect.gen(function* () {
            const { self } = yield* ProcessTable
            const mark = yield* open
            const empty = yield* find
            assert.strictEqual(empty?.run.token, mark.token)
            assert.deepStrictEqual(empty?.run.owner, self)
            assert.deepStrictEqual(empty?.processes, [])
            yield* mark.started({ pid: 11, startedAt: "100" })
            yield* mark.started({ pid: 12, startedAt: null })
            assert.deepStrictEqual(
              (yield* find)?.processes.map(({ pid, started_at }) => [pid, started_at]),
              [
                [11, "100"],
                [12, null]
              ]
            )
            yield* mark.ended(11)
            yield* mark.ended(12)
          })
        )
        assert.isNull(yield* find)
        const files = yield* AtomicFile
        assert.isNull(yield* files.read(yield* path))
      }).pipe(Effect.provide(layer))
    )

    it.effect("goes on telling of what could not be stopped when the run has ended", () =>
      Effect.gen(function* () {
        yield* Effect.scoped(
          Effect.gen(function* () {
            const mark = yield* open
            for (const pid of [11, 12, 13]) yield* mark.started({ pid, startedAt: "100" })
            yield* mark.ended(11)
            yield* mark.ended(13)
          })
        )
        assert.deepStrictEqual(yield* pids, [12])
      }).pipe(Effect.provide(layer))
    )

    it.effect("stays small however many processes start and end, and always tells of those that run", () =>
      Effect.gen(function* () {
        const mark = yield* open
        yield* mark.started({ pid: 1, startedAt: "1" })
        let most = 0
        for (let pid = 2; pid < 5 * endedLinesMax; pid++) {
          yield* mark.started({ pid, startedAt: String(pid) })
          if (pid % 64 === 0) {
            most = Math.max(most, (yield* lines).lines.length)
            assert.includeMembers((yield* pids)?.slice() ?? [], [1, pid])
          }
          yield* mark.ended(pid)
        }
        assert.isAtMost(most, endedLinesMax + 4)
        assert.isAbove(most, endedLinesMax / 2)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("gives each run a token of its own, in the place of the one before", () =>
      Effect.gen(function* () {
        yield* write(`${yield* runLine()}\n${processLine}\n`)
        assert.deepStrictEqual(yield* pids, [12])
        const mark = yield* open
        assert.notStrictEqual(mark.token, uuid)
        assert.deepStrictEqual(yield* pids, [])
        assert.strictEqual((yield* find)?.run.token, mark.token)
      }).pipe(Effect.scoped, Effect.provide(layer))
    )

    it.effect("cuts a torn last line off", () =>
      Effect.gen(function* () {
        yield* write(`${yield* runLine()}\n${processLine}\n${processLine.slice(0, 20)}`)
        assert.deepStrictEqual(yield* pids, [12])
      }).pipe(Effect.provide(layer))
    )

    it.effect("never takes a record that lost its first line for none", () =>
      Effect.gen(function* () {
        for (const text of ["", "{"]) {
          yield* write(text)
          const error = yield* Effect.flip(find)
          assert.strictEqual(error._tag, "DamagedFile")
          assert.include(error.message, ".jsonl:1 is damaged")
        }
      }).pipe(Effect.provide(layer))
    )

    for (const [what, first, second] of [
      ["a first line that is no run", processLine, processLine],
      ["a line that is no process", null, "{}"],
      ["a line of a later version", null, lineOf(2)],
      ["a line of which a digit has changed", null, processLine.replace(`"pid":12`, `"pid":13`)],
      ["bytes that are no text", null, "\u0000"],
      ["a run in the place of a process", null, null]
    ] as const) {
      it.effect(`fails on ${what}, saying where`, () =>
        Effect.gen(function* () {
          const run = yield* runLine()
          yield* write(`${first ?? run}\n${second ?? run}\n`)
          const error = yield* Effect.flip(find)
          assert.strictEqual(error._tag, "DamagedFile")
          assert.include(error.message, `${yield* path}:${first === null ? 2 : 1}`)
        }).pipe(Effect.provide(layer))
      )
    }

    it.effect("fails on the record of another session", () =>
      Effect.gen(function* () {
        yield* write(`${yield* runLine({ session: "session-mapreduce-20200101_000000" })}\n`)
        assert.include((yield* Effect.flip(find)).message, "session-mapreduce-20200101_000000")
      }).pipe(Effect.provide(layer))
    )
  })
}
