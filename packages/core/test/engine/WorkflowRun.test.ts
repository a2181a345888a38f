/**
 * Sessions of standard workflows at the engine: real git, processes and files, and a clock that only the test moves.
 */
import { assert, describe, it } from "@effect/vitest"
import type { AgentReply } from "@prodigy/core/agent/Agent"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { Checkpoints, damageOf } from "@prodigy/core/engine/Checkpoints"
import { Cancel } from "@prodigy/core/engine/Cancel"
import { WorkflowRun } from "@prodigy/core/engine/WorkflowRun"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProcessTableNode from "@prodigy/core/storage/ProcessTable/Node"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import { WorkflowStore } from "@prodigy/core/storage/WorkflowStore"
import { WorkflowProgress } from "@prodigy/core/engine/WorkflowProgress"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import { existsSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository, repo } from "./Bench.ts"

/** All sessions are of the clock's first second. */
const sessionId = SessionId.fromTime(0, 1)

const resume = Effect.flatMap(WorkflowRun, (service) =>
  service.resume({ repo, sessionId, force: false, approve: "yes", waitsForQuota: true })
)

const cancel = (projectPath: string) =>
  Effect.flatMap(Cancel, (service) => Effect.flatMap(service.find({ projectPath, id: sessionId }), service.cancel))

/** One step is done and committed; the next fails and leaves a file. */
const failing = `
name: steps
commands:
  - shell: echo one > made && git add made && git commit --quiet --message=one
  - shell: echo left > left && false`

/** A file that a process was writing into a directory when it died: its path. */
const leftByDead = (directory: string) =>
  Effect.gen(function* () {
    const { self } = yield* ProcessTable.ProcessTable
    // No process of Linux has a number as high.
    const dead = ProcessTable.layerTest({ self: { ...self, pid: 2 ** 22 + 1 } })
    const by = yield* Effect.provide(TemporaryName.Writer, Layer.provide(TemporaryName.layerWriter, dead))
    const path = join(directory, TemporaryName.make(by, 1))
    writeFileSync(path, "half")
    return path
  }).pipe(Effect.provide(ProcessTableNode.layer))

describe("WorkflowRun", () => {
  it.effect("cancels a session for good, keeps all of its work and names where", () =>
    inRepository(({ git, project, runAny }) =>
      Effect.gen(function* () {
        const sessions = yield* SessionStore
        assert.strictEqual((yield* runAny(failing)).status, "failed")
        const temporary = yield* leftByDead((yield* ProdigyHome).sessions)
        const cancelled = yield* cancel(project)
        assert.isFalse(existsSync(temporary))
        assert.isNull(cancelled.stopped)
        assert.strictEqual(cancelled.report?.status, "cancelled")
        const kept = cancelled.report?.kept ?? []
        assert.include(kept, `prodigy-${sessionId}`)
        assert.strictEqual(git("show", `prodigy-${sessionId}:made`), "one")
        const rescue = kept.find((ref) => ref.startsWith("refs/prodigy/rescue/")) ?? ""
        assert.strictEqual(git("show", `${rescue}:left`), "left")
        assert.strictEqual(git("worktree", "list").split("\n").length, 1)
        const { completed_at, status, worktree } = yield* sessions.get(sessionId)
        assert.deepStrictEqual({ status, worktree }, { status: "Cancelled", worktree: null })
        assert.isNotNull(completed_at)
        const errors = [yield* Effect.flip(resume), yield* Effect.flip(cancel(project))]
        for (const error of errors) {
          assert.strictEqual(error._tag, "AlreadyCancelled")
          assert.strictEqual(error.message, `Session ${sessionId} is cancelled.`)
        }
      })
    )
  )

  it.effect("goes on with a cancellation that was cut short, and never with the session", () =>
    inRepository(({ git, project, runAny }) =>
      Effect.gen(function* () {
        const sessions = yield* SessionStore
        const store = yield* WorkflowStore
        yield* runAny(failing)
        // As a crash behind the checkpoint leaves it, session's file lost.
        const { checkpoint } = yield* store.loadCheckpoint(repo, sessionId)
        assert.isNotNull(checkpoint)
        const state = { ...checkpoint!.state, status: "cancelled" as const }
        yield* store.saveCheckpoint(repo, sessionId, { seq: checkpoint!.seq + 1, state })
        yield* (yield* AtomicFile).remove((yield* ProdigyHome).session(sessionId))
        const refused = yield* Effect.flip(resume)
        assert.strictEqual(refused._tag, "AlreadyCancelled")
        assert.strictEqual(git("worktree", "list").split("\n").length, 2)
        assert.strictEqual((yield* cancel(project)).report?.status, "cancelled")
        assert.strictEqual(git("worktree", "list").split("\n").length, 1)
        assert.deepInclude(yield* sessions.get(sessionId), { status: "Cancelled", worktree: null })
        assert.strictEqual((yield* Effect.flip(cancel(project)))._tag, "AlreadyCancelled")
      })
    )
  )

  it.effect("cancels what was claimed and never written, and refuses what is completed", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        yield* runAny(failing)
        yield* files.remove(home.repo(repo).workflowSession(sessionId))
        const temporary = yield* leftByDead(home.sessions)
        assert.isNull((yield* cancel(project)).report)
        assert.isFalse(existsSync(temporary))
        assert.strictEqual((yield* (yield* SessionStore).get(sessionId)).status, "Cancelled")
        assert.strictEqual((yield* Effect.flip(cancel(project)))._tag, "AlreadyCancelled")

        const done = yield* runAny("- shell: 'true'")
        assert.strictEqual(done.session_id, SessionId.fromTime(0, 2))
        const target = yield* Effect.flip((yield* Cancel).find({ projectPath: project, id: done.session_id }))
        assert.strictEqual(target._tag, "NotCancellable")
        // The checkpoint says so too, whatever became of the session's file.
        yield* files.remove(home.session(done.session_id))
        const { cancel: end, find } = yield* Cancel
        const lost = yield* find({ projectPath: project, id: done.session_id })
        assert.strictEqual((yield* Effect.flip(end(lost)))._tag, "NotCancellable")
      })
    )
  )

  it.effect("waits an hour for the agent's quota, over an interruption too, and runs the step again", () => {
    let calls = 0
    const agent = ScriptedAgent.layer(() =>
      Effect.gen(function* () {
        calls += 1
        return calls === 1 ? used((yield* Clock.currentTimeMillis) + 3_600_000) : {}
      })
    )
    return inRepository(
      ({ git, runAny }) =>
        Effect.gen(function* () {
          const sessions = yield* SessionStore
          const progress = yield* WorkflowProgress
          const isWaiting = yield* Effect.fork(
            Stream.runHead(Stream.filter(progress.sights, ({ _tag }) => _tag === "Waiting"))
          )
          yield* Effect.yieldNow()
          const running = yield* Effect.fork(runAny(prompting))
          yield* Fiber.join(isWaiting)
          const text = "waiting until 1970-01-01T01:00:00.000Z for the agent's quota"
          assert.strictEqual((yield* progress.view)?.waiting, text)
          assert.deepInclude(yield* sessions.get(sessionId), { status: "Running", outcome: text, error: null })
          yield* TestClock.adjust("30 minutes")
          yield* Fiber.interrupt(running)
          assert.deepInclude(yield* sessions.get(sessionId), { status: "Paused", outcome: text })
          assert.strictEqual(calls, 1)

          // Told not to wait, a resume does nothing while the quota is used up.
          const service = yield* WorkflowRun
          const given = { repo, sessionId, force: false, approve: "yes", waitsForQuota: false } as const
          const paused = yield* service.resume(given)
          assert.deepInclude(paused, { status: "paused", waiting: text, completed_steps: 1 })
          assert.strictEqual(calls, 1)

          const resumed = yield* Effect.fork(resume)
          yield* TestClock.adjust("29 minutes")
          yield* TestClock.adjust("1 minute")
          const report = yield* Fiber.join(resumed)
          assert.deepInclude(report, { status: "completed", waiting: null })
          assert.strictEqual(calls, 2)
          assert.strictEqual(git("show", "main:made"), "one\ntwo")
          const { outcome, status } = yield* sessions.get(sessionId)
          assert.strictEqual(status, "Completed")
          assert.match(outcome ?? "", /^merged into main/)
        }),
      agent
    )
  })

  it.effect("ends paused instead of waiting when it is told to, and goes on when the quota is there again", () => {
    let calls = 0
    const agent = ScriptedAgent.layer(() => Effect.sync(() => (++calls === 1 ? used(600_000) : {})))
    return inRepository(
      ({ runAny }) =>
        Effect.gen(function* () {
          const report = yield* runAny(prompting, { waitsForQuota: false })
          assert.deepInclude(report, {
            status: "paused",
            waiting: "waiting until 1970-01-01T00:10:00.000Z for the agent's quota",
            failure: null
          })
          assert.strictEqual((yield* (yield* SessionStore).get(sessionId)).status, "Paused")
          yield* TestClock.adjust("10 minutes")
          assert.strictEqual((yield* resume).status, "completed")
          assert.strictEqual(calls, 2)
        }),
      agent
    )
  })

  it.effect("has a checkpoint that is listed, shown, proved, mended from its copy, and never removed by itself", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const paths = (yield* ProdigyHome).repo(repo)
        const { clean, list, remove, show, validate } = yield* Checkpoints
        yield* runAny(failing)
        const path = paths.workflowCheckpoint(sessionId)
        const file = `${sessionId}.checkpoint.json`
        const all = { projectPath: project, id: null }
        const [entry] = (yield* list({ ...all, limit: 9 })).entries
        assert.deepInclude(entry, { session_id: sessionId, job_id: null, kind: "workflow", file, valid: true })
        for (const id of [sessionId, "latest", file, entry?.id ?? ""]) {
          const shown = yield* show({ projectPath: project, id })
          assert.deepInclude(shown, { status: "failed", phase: "steps", steps_completed: 1 }, id)
        }
        const [good] = yield* validate({ ...all, repair: false })
        assert.deepStrictEqual(
          good?.files.map(({ status }) => status),
          ["ok", "ok", "ok"]
        )

        // Damage to one copy is told, takes back nothing, and is set aside.
        yield* files.replace(path, "{")
        assert.include((yield* list({ ...all, limit: 9 })).entries[0]?.problem, "Its other copy is whole.")
        const [told] = yield* validate({ ...all, repair: false })
        assert.strictEqual(told?.files[1]?.status, "damaged")
        assert.deepInclude(damageOf([told!]), { damaged: 1, repairable: 1, jobs: [sessionId] })
        const [mended] = yield* validate({ ...all, repair: true })
        assert.isNull(damageOf([mended!]))
        assert.deepStrictEqual(mended?.set_aside, [{ path, as: `${path}.damaged` }])
        assert.strictEqual(mended?.resume?.file, `${sessionId}.checkpoint.copy.json`)

        // It is all that tells what is done.
        for (const dryRun of [true, false]) {
          const force = true
          const cleaned = yield* clean({ projectPath: project, beforeMillis: 1, force, dryRun })
          const deleted = yield* remove({ projectPath: project, id: sessionId, force, dryRun })
          for (const { kept, removed } of [cleaned, deleted]) {
            assert.deepStrictEqual([removed.length, kept.length], [0, 1])
            assert.include(kept[0]?.reason, "prodigy sessions clean")
          }
        }
        assert.strictEqual((yield* resume).completed_steps, 1)

        // Without a whole copy nobody knows how far it was: nothing is run, nothing is set aside.
        for (const place of [path, paths.workflowCheckpointCopy(sessionId)]) yield* files.replace(place, "{")
        assert.strictEqual((yield* Effect.flip(resume))._tag, "DamagedFile")
        const [lost] = yield* validate({ ...all, repair: true })
        assert.deepInclude(damageOf([lost!]), { damaged: 2, repairable: 0 })
        assert.isNull(lost?.resume)
        assert.deepStrictEqual(lost?.set_aside, [])
      })
    )
  )

  it.effect("does not begin again when the checkpoint is gone that the session's file tells of", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const paths = (yield* ProdigyHome).repo(repo)
        yield* runAny(failing)
        const places = [paths.workflowCheckpoint(sessionId), paths.workflowCheckpointCopy(sessionId)] as const
        for (const path of places) yield* files.remove(path)
        const refused = yield* Effect.flip(resume)
        assert.deepInclude(refused, { _tag: "DamagedFile", path: places[0] })
        assert.deepInclude(yield* (yield* SessionStore).get(sessionId), { status: "Failed" })
        // Who wants to be rid of it can be.
        assert.strictEqual((yield* cancel(project)).report?.status, "cancelled")
      })
    )
  )

  it.effect("refuses what is completed and what another process drives, and touches nothing", () =>
    inRepository(({ git, runAny }) =>
      Effect.gen(function* () {
        const lock = yield* ResumeLock
        const sessions = yield* SessionStore
        yield* runAny(failing)
        const before = yield* sessions.get(sessionId)
        const held = yield* Effect.scoped(
          Effect.zipRight(lock.acquire({ jobId: null, sessionId, force: false }), Effect.flip(resume))
        )
        assert.strictEqual(held._tag, "ResumeLockHeld")
        assert.deepStrictEqual(yield* sessions.get(sessionId), before)

        const done = yield* runAny("- shell: echo x > made")
        const tip = git("rev-parse", "main")
        const service = yield* WorkflowRun
        const again = { repo, sessionId: done.session_id, force: true, approve: "yes", waitsForQuota: true } as const
        const over = yield* Effect.flip(service.resume(again))
        assert.strictEqual(over._tag === "AlreadyCompleted" && over.finish?.outcome, "merged")
        assert.strictEqual(git("rev-parse", "main"), tip)
        const none = yield* Effect.flip(service.resume({ ...again, sessionId: SessionId.fromTime(9_000, 1) }))
        assert.strictEqual(none._tag, "SessionFileNotFound")
      })
    )
  )
})

/** An agent that says when its quota is there again. */
const used = (millis: number): Partial<AgentReply> => ({
  outcome: { _tag: "QuotaExceeded", resetsAt: new Date(millis).toISOString(), message: "used up" }
})

const prompting = `
commands:
  - shell: echo one >> made
  - claude: /two
  - shell: echo two >> made`
