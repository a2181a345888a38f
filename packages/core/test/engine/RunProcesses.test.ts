import { assert, describe, it } from "@effect/vitest"
import { type Reaped, Reaper } from "@prodigy/core/agent/Reaper"
import type { Owner } from "@prodigy/core/domain/Owner"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as RunProcesses from "@prodigy/core/engine/RunProcesses"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as ProcessRecord from "@prodigy/core/storage/ProcessRecord"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import * as Samples from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"

const { repo } = Samples
const sessionId = SessionId.fromJob(Samples.jobId())
const self: Owner = { pid: 10, host: "here", started_at: "boot/1/10" }
const rival: Owner = { pid: 11, host: "here", started_at: "boot/1/11" }
const dead: Owner = { pid: 12, host: "here", started_at: "boot/1/12" }
const elsewhere: Owner = { pid: 12, host: "elsewhere", started_at: "boot/1/12" }

/** An engine whose reaper writes down what it was asked to stop, and answers as told. */
const within = <A, E>(
  reaped: Reaped,
  use: (asked: Array<ProcessRecord.Found>) => Effect.Effect<A, E, RunProcesses.RunProcesses | Stores>
) =>
  Effect.suspend(() => {
    const asked: Array<ProcessRecord.Found> = []
    const reaper = Layer.succeed(Reaper, {
      stop: (found) => Effect.sync(() => (asked.push(found), reaped))
    })
    return Effect.provide(
      use(asked),
      RunProcesses.layer.pipe(
        Layer.provideMerge(ProcessRecord.layer),
        Layer.provideMerge(ProdigyHome.layerMemory),
        Layer.provideMerge(AtomicFile.layerMemory),
        Layer.provide([reaper, IdGenerator.layer, ProcessTable.layerTest({ self, others: [rival] })])
      )
    )
  })

type Stores = AtomicFile.AtomicFile | ProdigyHome.ProdigyHome | ProcessRecord.ProcessRecord

const nothing: Reaped = { stopped: [], survivors: [] }
const own = (force = false) =>
  Effect.map(RunProcesses.RunProcesses, (processes) => processes.own({ repo, sessionId, force }))
const path = Effect.map(ProdigyHome.ProdigyHome, (home) => home.repo(repo).processes(sessionId))
const stored = Effect.flatMap(Effect.all([AtomicFile.AtomicFile, path]), ([files, file]) => files.read(file))

/** Leaves the record of an earlier owner, who had started one process. */
const leave = (owner: Owner) =>
  Effect.gen(function* () {
    const at = "2026-01-02T03:04:05.000Z"
    const token = "01890a5d-ac96-774b-bcce-b302099a8057"
    const lines = [
      { v: 1, type: "run", session_id: sessionId, owner, token, at },
      { v: 1, type: "process", pid: 77, started_at: "5", at }
    ]
    const text = lines.map((line) => `${StoredJson.seal(JSON.stringify(line))}\n`).join("")
    yield* (yield* AtomicFile.AtomicFile).replace(yield* path, text)
    return text
  })

describe("RunProcesses", () => {
  it.effect("marks what a run starts, and leaves no record however the run ends", () =>
    within(nothing, (asked) =>
      Effect.gen(function* () {
        const owned = yield* own()
        for (const end of [Effect.void, Effect.fail("failed"), Effect.die("died"), Effect.interrupt]) {
          yield* Effect.exit(
            owned((earlier) =>
              Effect.gen(function* () {
                assert.isNull(earlier)
                const mark = yield* ProcessRecord.RunMark
                assert.include((yield* stored) ?? "", mark.token ?? "no token")
                yield* end
              })
            )
          )
          assert.isNull(yield* stored)
        }
        assert.isNull((yield* ProcessRecord.RunMark).token)
        assert.deepStrictEqual(asked, [])
      })
    )
  )

  it.effect("stops what a dead owner left before the run begins", () =>
    within({ stopped: [77, 78], survivors: [] }, (asked) =>
      Effect.gen(function* () {
        yield* leave(dead)
        const warnings = yield* (yield* own())((earlier) =>
          Effect.sync(() => {
            assert.strictEqual(asked.length, 1)
            assert.deepStrictEqual(
              asked[0]?.processes.map(({ pid }) => pid),
              [77]
            )
            return RunProcesses.warnings(earlier)
          })
        )
        assert.deepStrictEqual(warnings, ["Stopped 2 processes that process 12 had left running."])
        assert.isNull(yield* stored)
      })
    )
  )

  for (const [what, owner, reaped, tag] of [
    ["something cannot be stopped", dead, { stopped: [78], survivors: [77] }, "ProcessesLeft"],
    ["the owner lives, though its lock is gone", rival, nothing, "OwnerAlive"],
    ["the owner is on another host", elsewhere, nothing, "OwnerAlive"]
  ] as const) {
    it.effect(`does not begin when ${what}, and keeps the record`, () =>
      within(reaped, (asked) =>
        Effect.gen(function* () {
          const before = yield* leave(owner)
          const exit = yield* Effect.exit((yield* own())(() => Effect.die("it must not run")))
          assert.isTrue(Exit.isFailure(exit) && exit.cause._tag === "Fail" && exit.cause.error._tag === tag)
          assert.strictEqual(asked.length, owner === dead ? 1 : 0)
          assert.strictEqual(yield* stored, before)
        })
      )
    )
  }

  it.effect("goes on by force beside an owner that cannot be seen, and says so; never beside one that lives here", () =>
    within(nothing, (asked) =>
      Effect.gen(function* () {
        yield* leave(elsewhere)
        const warnings = yield* (yield* own(true))((earlier) => Effect.succeed(RunProcesses.warnings(earlier)))
        assert.deepStrictEqual(warnings, [
          "Process 12 on elsewhere may have left processes there; nobody looked for them."
        ])
        yield* leave(rival)
        const error = yield* Effect.flip((yield* own(true))(() => Effect.die("it must not run")))
        assert.strictEqual(error._tag, "OwnerAlive")
        assert.deepStrictEqual(asked, [])
      })
    )
  )

  it.effect("stops what an earlier run of this very process left", () =>
    within({ stopped: [77], survivors: [] }, (asked) =>
      Effect.gen(function* () {
        yield* leave(self)
        yield* (yield* own())(() => Effect.void)
        assert.strictEqual(asked.length, 1)
      })
    )
  )
})
