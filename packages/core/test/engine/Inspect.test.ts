import { assert, describe, it } from "@effect/vitest"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import { JobId } from "@prodigy/core/domain/JobId"
import type { RepoName } from "@prodigy/core/domain/RepoName"
import type { Session } from "@prodigy/core/domain/Session"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Usage from "@prodigy/core/domain/Usage"
import * as Inspect from "@prodigy/core/engine/Inspect"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as SessionJobIndex from "@prodigy/core/storage/SessionJobIndex"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as WorkflowStore from "@prodigy/core/storage/WorkflowStore"
import { Workspace, WorkspaceError } from "@prodigy/core/workspace/Workspace"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const here = "/work/shop"
const elsewhere = "/work/bank"
const nowhere = "/tmp"

/** Two repositories; anything else is none. */
const workspace = Layer.succeed(
  Workspace,
  Workspace.of({
    find: (path) =>
      path === here || path === elsewhere
        ? Effect.succeed({ root: path, checkout: path, head: "0", branch: "main", rootCommit: path })
        : new WorkspaceError({ operation: "find a repository", reason: "not_a_repository", path, detail: "none" }),
    resolve: () => Effect.die("not used"),
    files: () => Effect.die("not used"),
    isTaken: () => Effect.die("not used"),
    hasAgentWorktrees: () => Effect.die("not used"),
    holdings: () => Effect.die("not used"),
    leftovers: () => Effect.die("not used"),
    open: () => Effect.die("not used")
  })
)

const home = Layer.provideMerge(ProdigyHome.layerMemory, AtomicFile.layerMemory)

const layer = Inspect.layer.pipe(
  Layer.provideMerge(
    Layer.mergeAll(
      workspace,
      SessionStore.layerMemory,
      SessionJobIndex.layerMemory,
      JobStore.layerMemory,
      WorkflowStore.layerMemory
    )
  ),
  Layer.provideMerge(Layer.mergeAll(home, IdGenerator.layerSeeded, ProcessTable.layerMemory))
)

describe("Inspect", () => {
  it.effect("takes an id, the beginning of one, a job's id, and latest", () =>
    Effect.gen(function* () {
      const first = yield* record(here, "mapreduce-20260131_080000")
      const second = yield* record(here, "mapreduce-20260131_090000")
      const inspect = yield* Inspect.Inspect
      const find = (id: string) => Effect.map(inspect.session({ projectPath: here, id }), ({ session }) => session.id)
      assert.strictEqual(yield* find(first.sessionId), first.sessionId)
      assert.strictEqual(yield* find(first.jobId), first.sessionId)
      assert.strictEqual(yield* find("mapreduce-20260131_08"), first.sessionId)
      assert.strictEqual(yield* find("latest"), second.sessionId)
      assert.strictEqual((yield* inspect.job({ projectPath: here, id: "latest" })).jobId, second.jobId)
    }).pipe(Effect.provide(layer))
  )

  it.effect("suggests latest for what looks like it", () =>
    Effect.gen(function* () {
      yield* record(here, "mapreduce-20260131_080000")
      const inspect = yield* Inspect.Inspect
      const unknown = yield* Effect.flip(inspect.session({ projectPath: here, id: "latset" }))
      assert.deepStrictEqual(unknown._tag === "IdNotFound" ? unknown.suggestions : [], ["latest"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("refuses what is no id, what fits nothing and what fits several", () =>
    Effect.gen(function* () {
      yield* record(here, "mapreduce-20260131_080000")
      yield* record(here, "mapreduce-20260131_090000")
      const inspect = yield* Inspect.Inspect
      const fail = (id: string) => Effect.flip(inspect.session({ projectPath: here, id }))
      for (const id of ["../../etc", "a/b", "", ".", "a\nb"])
        assert.strictEqual((yield* fail(id))._tag, "IdInvalid", id)
      const unknown = yield* fail("mapreduce-20260131_080001")
      assert.strictEqual(unknown._tag === "IdNotFound" && unknown.suggestions[0], "mapreduce-20260131_080000")
      const several = yield* fail("mapreduce-2026")
      assert.strictEqual(several._tag === "AmbiguousId" && several.candidates.length, 2)
    }).pipe(Effect.provide(layer))
  )

  it.effect("never takes a whole id for the beginning of another, whatever became of the session that it means", () =>
    Effect.gen(function* () {
      const inspect = yield* Inspect.Inspect
      const files = yield* AtomicFile.AtomicFile
      const home = yield* ProdigyHome.ProdigyHome
      const index = yield* SessionJobIndex.SessionJobIndex
      const first = yield* record(here, "mapreduce-20260131_080000")
      const second = yield* record(here, "mapreduce-20260131_080000_2")
      const ids = [first.jobId, first.sessionId]
      const known = (id: string, projectPath = here) => inspect.known({ projectPath, id })
      for (const id of ids) assert.strictEqual((yield* known(id)).sessionId, first.sessionId)
      // Nothing tells of the first one any more: its id means nothing.
      yield* files.remove(home.session(first.sessionId))
      for (const id of ids) {
        const asked = { projectPath: here, id }
        const looks = [
          Effect.asVoid(inspect.known(asked)),
          Effect.asVoid(inspect.session(asked)),
          Effect.asVoid(inspect.job(asked))
        ]
        for (const look of looks) {
          const error = yield* Effect.flip(look)
          assert.strictEqual(error._tag === "IdNotFound" && error.suggestions[0], `${id}_2`)
        }
      }
      assert.strictEqual((yield* known("mapreduce-20260131_08000")).sessionId, second.sessionId)
      // Its mapping tells of it again, from anywhere, and the beginning of an id fits both.
      const { repo } = first
      const created_at = "2026-01-31T08:00:00.000Z"
      const mapping = { session_id: first.sessionId, job_id: first.jobId, workflow_name: "w", created_at }
      yield* index.put(repo, mapping)
      for (const id of ids) {
        for (const path of [here, nowhere]) assert.deepStrictEqual(yield* known(id, path), { ...first, listed: null })
        assert.strictEqual((yield* inspect.job({ projectPath: here, id })).jobId, first.jobId)
        assert.strictEqual((yield* Effect.flip(inspect.session({ projectPath: here, id })))._tag, "SessionLost")
      }
      assert.strictEqual((yield* Effect.flip(known("mapreduce-20260131_08000")))._tag, "AmbiguousId")
      // Damage is found only in what is asked for.
      yield* files.replace(home.repo(repo).mapping(first.jobId), "{")
      yield* files.replace(home.session(first.sessionId), "{")
      assert.deepStrictEqual(yield* known(first.jobId), { ...first, listed: null })
      const damaged = yield* Effect.flip(inspect.session({ projectPath: here, id: first.jobId }))
      assert.strictEqual(damaged._tag === "DamagedFile" && damaged.path, home.session(first.sessionId))
      assert.strictEqual((yield* inspect.session({ projectPath: here, id: second.jobId })).session.id, second.sessionId)
    }).pipe(Effect.provide(layer))
  )

  it.effect("tells of a session whose file alone is left, and cannot be read", () =>
    Effect.gen(function* () {
      const inspect = yield* Inspect.Inspect
      const path = (yield* ProdigyHome.ProdigyHome).session(SessionId.fromTime(0, 1))
      yield* (yield* AtomicFile.AtomicFile).replace(path, "{")
      for (const id of ["session-workflow-19700101_000000", "session-w"]) {
        const asked = { projectPath: here, id }
        for (const look of [Effect.asVoid(inspect.known(asked)), Effect.asVoid(inspect.session(asked))]) {
          const error = yield* Effect.flip(look)
          assert.strictEqual(error._tag === "DamagedFile" && error.path, path, id)
        }
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("prefers this repository, and finds other ones' by their ids", () =>
    Effect.gen(function* () {
      yield* record(here, "mapreduce-20260131_080000")
      const other = yield* record(elsewhere, "mapreduce-20260131_080500")
      const inspect = yield* Inspect.Inspect
      assert.strictEqual((yield* inspect.job({ projectPath: here, id: "mapreduce-2026" })).repo, "shop")
      assert.strictEqual((yield* inspect.job({ projectPath: nowhere, id: other.jobId })).repo, "bank")
      const refused = yield* Effect.flip(inspect.job({ projectPath: nowhere, id: "latest" }))
      assert.strictEqual(refused._tag, "WorkspaceError")
      const none = yield* Effect.flip(inspect.session({ projectPath: nowhere, id: "mapreduce-1999" }))
      assert.strictEqual(none._tag, "IdNotFound")
    }).pipe(Effect.provide(layer))
  )

  it.effect("lists this repository's sessions, or all", () =>
    Effect.gen(function* () {
      yield* record(here, "mapreduce-20260131_080000")
      const second = yield* record(here, "mapreduce-20260131_090000")
      yield* record(elsewhere, "mapreduce-20260131_080500")
      const inspect = yield* Inspect.Inspect
      const options = { projectPath: here, allRepos: false, status: null, limit: 1 }
      const mine = yield* inspect.sessions(options)
      assert.deepStrictEqual([mine.total, mine.sessions[0]?.session.id], [2, second.sessionId])
      assert.strictEqual((yield* inspect.sessions({ ...options, projectPath: nowhere, allRepos: true })).total, 3)
      assert.strictEqual((yield* inspect.sessions({ ...options, status: "Failed" })).total, 0)
      const refused = yield* Effect.flip(inspect.sessions({ ...options, projectPath: nowhere }))
      assert.strictEqual(refused._tag, "WorkspaceError")
    }).pipe(Effect.provide(layer))
  )

  it.effect("says that nothing is recorded yet in a repository without runs", () =>
    Effect.gen(function* () {
      const inspect = yield* Inspect.Inspect
      const error = yield* Effect.flip(inspect.job({ projectPath: here, id: "latest" }))
      assert.strictEqual(error.message, "No job is recorded yet.")
    }).pipe(Effect.provide(layer))
  )

  it.effect("does not take an older run for the latest, the session of which is damaged", () =>
    Effect.gen(function* () {
      yield* record(here, "mapreduce-20260131_080000")
      const { jobId, repo, sessionId } = yield* record(here, "mapreduce-20260131_090000")
      const index = yield* SessionJobIndex.SessionJobIndex
      const created_at = "2026-01-31T09:00:00.000Z"
      yield* index.put(repo, { session_id: sessionId, job_id: jobId, workflow_name: "w", created_at })
      const file = yield* AtomicFile.AtomicFile
      const path = (yield* ProdigyHome.ProdigyHome).session(sessionId)
      yield* file.replace(path, "\u001b[31m{")
      const inspect = yield* Inspect.Inspect
      assert.strictEqual((yield* inspect.job({ projectPath: here, id: "latest" })).jobId, jobId)
      const refused = yield* Effect.flip(inspect.session({ projectPath: here, id: "latest" }))
      assert.strictEqual(refused._tag === "DamagedFile" && refused.path, path)
      const byJob = yield* Effect.flip(inspect.session({ projectPath: here, id: jobId }))
      assert.strictEqual(byJob._tag, "DamagedFile")
    }).pipe(Effect.provide(layer))
  )
})

/** Records a session of the repository at `path`, as a run does. */
const record = Effect.fnUntraced(function* (path: string, id: string) {
  const paths = yield* ProdigyHome.ProdigyHome
  const sessions = yield* SessionStore.SessionStore
  const repo = yield* paths.claimRepoName({ path, rootCommit: path })
  const jobId = JobId.make(id)
  const sessionId = SessionId.fromJob(jobId)
  yield* sessions.create(session(repo, path, jobId))
  return { repo, jobId, sessionId }
})

const session = (repo: RepoName, path: string, jobId: JobId): Session => {
  const [, date = "", time = ""] = /(\d{8})_(\d{6})/.exec(jobId) ?? []
  const at = `${date.slice(0, 4)}-${date.slice(4, 6)}-${date.slice(6)}T${time.slice(0, 2)}:${time.slice(2, 4)}:${time.slice(4)}.000Z`
  return {
    id: SessionId.fromJob(jobId),
    session_type: "MapReduce",
    status: "Completed",
    started_at: at,
    updated_at: at,
    completed_at: at,
    workflow: { name: "w", path: "w.yml", hash: "0" },
    repository: { name: repo, path },
    worktree: null,
    job_id: jobId,
    checkpoints: [],
    timings: {},
    progress: { kind: "mapreduce", phase: "finish", total: 1, completed: 1, failed: 0, skipped: 0, in_progress: 0 },
    cost: Usage.none,
    error: null,
    outcome: null,
    owner: null
  }
}
