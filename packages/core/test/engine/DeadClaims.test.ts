import { assert, describe, it } from "@effect/vitest"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { JobId } from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import type { Session } from "@prodigy/core/domain/Session"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as DeadClaims from "@prodigy/core/engine/DeadClaims"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import * as SessionFiles from "@prodigy/core/storage/SessionFiles"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as WorkflowStore from "@prodigy/core/storage/WorkflowStore"
import * as Samples from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as TemporaryHome from "../storage/TemporaryHome.ts"

const self = { pid: 1, host: "here", started_at: "1" }
const other = { pid: 2, host: "here", started_at: "2" }
const dead = { pid: 3, host: "here", started_at: "3" }

const locks = Layer.provide(ResumeLock.layer, FileLock.layer)
const stores = Layer.mergeAll(JobStore.layer, SessionFiles.layer, SessionStore.layer, WorkflowStore.layer, locks)

const layer = DeadClaims.layer.pipe(
  Layer.provideMerge(stores),
  Layer.provideMerge(Layer.merge(IdGenerator.layer, ProcessTable.layerTest({ self, others: [other] }))),
  Layer.provideMerge(TemporaryHome.layerMemory)
)

/** The lock as the process that died took it. */
const lockOfDead = (jobId: JobId) =>
  Effect.gen(function* () {
    const lock = yield* ResumeLock.ResumeLock
    yield* Scope.extend(lock.acquire({ jobId, sessionId: SessionId.fromJob(jobId), force: false }), yield* Scope.make())
  }).pipe(Effect.provide(Layer.provide(locks, Layer.merge(IdGenerator.layer, ProcessTable.layerTest({ self: dead })))))

const claimed = (n: number, changes: Partial<Session> = {}) =>
  Samples.session(n, { status: "Initializing", owner: dead, worktree: null, ...changes })

const sweep = Effect.flatMap(DeadClaims.DeadClaims, (claims) => claims.sweep(Samples.repo))

describe("DeadClaims", () => {
  it.effect("removes what a run left that died at its start: its session, its directory, its lock", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile
      const home = yield* ProdigyHome
      const sessions = yield* SessionStore.SessionStore
      const job = claimed(1)
      const standard = claimed(2, { id: SessionId.fromTime(0, 1), job_id: null, session_type: "Workflow" })
      const paths = home.repo(Samples.repo).job(Samples.jobId(1))
      yield* sessions.create(job)
      yield* sessions.create(standard)
      yield* files.claimDirectory(paths.directory)
      // Its job's file was not whole, and its lock was taken.
      yield* files.replace(`${paths.directory}/half`, "{")
      yield* lockOfDead(Samples.jobId(1))
      assert.isNotNull(yield* files.read(home.resumeLock(Samples.jobId(1))))
      yield* sweep
      assert.isNull(yield* files.read(home.resumeLock(Samples.jobId(1))))
      assert.deepStrictEqual(yield* files.list(home.sessions), [])
      assert.deepStrictEqual(yield* files.list(home.repo(Samples.repo).jobs), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("gives back the lock of who died after he had removed the session, and touches nothing else of it", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile
      const home = yield* ProdigyHome
      yield* lockOfDead(Samples.jobId(1))
      const { journal } = home.repo(Samples.repo).job(Samples.jobId(1))
      yield* files.replace(journal, "whatever it says")
      yield* sweep
      assert.deepStrictEqual(yield* files.list(home.resumeLocks), [])
      assert.strictEqual(yield* files.read(journal), "whatever it says")
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves whatever somebody can go on with, or may be at", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile
      const home = yield* ProdigyHome
      const lock = yield* ResumeLock.ResumeLock
      const sessions = yield* SessionStore.SessionStore
      const elsewhere = RepoName.make("elsewhere")
      const all = [
        claimed(1, { owner: other }),
        claimed(2, { owner: { ...dead, host: "there" } }),
        claimed(3, { status: "Running" }),
        claimed(4, { status: "Failed" }),
        claimed(5, { repository: { name: elsewhere, path: "/elsewhere" } }),
        claimed(6),
        claimed(7)
      ]
      yield* Effect.forEach(all, sessions.create)
      // What this one runs is written; that one is held; and one cannot be read.
      yield* files.replace(home.repo(Samples.repo).job(Samples.jobId(6)).jobFile, "whatever it says")
      yield* files.replace(home.session(SessionId.fromJob(Samples.jobId(8))), "{")
      const before = yield* files.list(home.sessions)
      yield* Effect.scoped(
        Effect.zipRight(lock.acquire({ jobId: Samples.jobId(7), sessionId: claimed(7).id, force: false }), sweep)
      )
      assert.deepStrictEqual(yield* files.list(home.sessions), before)
      // Once it is free, it goes.
      yield* sweep
      const gone = before.filter((name) => name !== `${claimed(7).id}.json`)
      assert.deepStrictEqual(yield* files.list(home.sessions), gone)
    }).pipe(Effect.provide(layer))
  )
})
