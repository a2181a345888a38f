import type { JobId } from "@prodigy/core/domain/JobId"
import * as AgentId from "@prodigy/core/domain/AgentId"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as Checkpoints from "@prodigy/core/engine/Checkpoints"
import * as Inspect from "@prodigy/core/engine/Inspect"
import * as Restore from "@prodigy/core/engine/Restore"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import * as CheckpointStore from "@prodigy/core/storage/CheckpointStore"
import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as Journal from "@prodigy/core/storage/Journal"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import * as SessionJobIndex from "@prodigy/core/storage/SessionJobIndex"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import * as WorkflowStore from "@prodigy/core/storage/WorkflowStore"
import { Workspace } from "@prodigy/core/workspace/Workspace"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Samples from "@prodigy/testing/Samples"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as TemporaryHome from "../storage/TemporaryHome.ts"

const projectPath = "/home/dana/my-repo"

describe("Checkpoints", () => {
  it.effect("lists what there is, the newest first, damaged ones with what is wrong", () =>
    Effect.gen(function* () {
      const { list } = yield* Checkpoints.Checkpoints
      assert.deepStrictEqual(yield* list({ projectPath, id: null, limit: 9 }), { entries: [], total: 0 })
      const first = yield* job(1)
      const second = yield* job(2)
      yield* damage(second.map.path)
      const all = yield* list({ projectPath, id: null, limit: 9 })
      assert.deepStrictEqual(
        all.entries.map(({ id, job_id, kind, seq, valid }) => [job_id, kind, id, seq, valid]),
        [
          [second.jobId, "map", null, null, false],
          [second.jobId, "setup", second.setup.id, 2, true],
          [first.jobId, "map", first.map.id, 5, true],
          [first.jobId, "setup", first.setup.id, 2, true]
        ]
      )
      assert.include(all.entries[0]?.problem, second.map.path)
      const one = yield* list({ projectPath, id: first.sessionId, limit: 1 })
      assert.deepStrictEqual([one.entries.length, one.total, one.entries[0]?.id], [1, 2, first.map.id])
    }).pipe(Effect.provide(layer))
  )

  it.effect("shows a checkpoint by its id, its file, or as the newest valid one of a job", () =>
    Effect.gen(function* () {
      const { show } = yield* Checkpoints.Checkpoints
      const made = yield* job(1)
      const shown = (id: string) => Effect.map(show({ projectPath, id }), ({ checkpoint }) => checkpoint.id)
      for (const id of [made.map.id, fileOf(made.map), `${made.jobId}/${fileOf(made.map)}`, made.jobId, "latest"]) {
        assert.strictEqual(yield* shown(id), made.map.id, id)
      }
      assert.strictEqual(yield* shown("setup-checkpoint"), made.setup.id)
      const content = yield* show({ projectPath, id: made.map.id })
      assert.deepInclude(content, { phase: "map", status: "running", total: 3, variables: ["version"] })
      assert.strictEqual("counts" in content && content.counts.running, 2)

      yield* damage(made.map.path)
      assert.strictEqual(yield* shown(made.jobId), made.setup.id)
      assert.strictEqual((yield* Effect.flip(shown(fileOf(made.map))))._tag, "DamagedFile")
      for (const id of ["x", "../../etc", "ffffffff"]) {
        assert.deepInclude(yield* Effect.flip(shown(id)), { _tag: "IdNotFound", kind: "checkpoint" }, id)
      }
      yield* job(2)
      assert.strictEqual((yield* Effect.flip(shown("setup-checkpoint.json")))._tag, "AmbiguousId")
      assert.strictEqual((yield* Effect.flip(shown(made.setup.id.slice(0, 2))))._tag, "AmbiguousId")
    }).pipe(Effect.provide(layer))
  )

  it.effect("finds nothing wrong with what is as it should be", () =>
    Effect.gen(function* () {
      const { validate } = yield* Checkpoints.Checkpoints
      const made = yield* job(1)
      const [report] = yield* validate({ projectPath, id: null, repair: true })
      assert.deepStrictEqual(new Set(report?.files.map(({ status }) => status)), new Set(["ok"]))
      assert.deepStrictEqual(report?.set_aside, [])
      assert.strictEqual(report?.records, 6)
      assert.deepStrictEqual(report?.resume, {
        checkpoint_id: made.map.id,
        file: fileOf(made.map),
        seq: 5,
        records: 1
      })
      assert.isNull(Checkpoints.damageOf([report!]))
    }).pipe(Effect.provide(layer))
  )

  it.effect("proves that a checkpoint is what the journal says, and sets one aside that is not", () =>
    Effect.gen(function* () {
      const { validate } = yield* Checkpoints.Checkpoints
      const made = yield* job(1)
      // A snapshot that is whole, sealed, and of another state.
      const store = yield* CheckpointStore.CheckpointStore
      const wrong = yield* store.save(Samples.repo, made.jobId, "map", { ...made.map.state, next: 1 })
      const beyond = yield* store.save(Samples.repo, made.jobId, "map", { ...made.map.state, seq: 99 })
      const [found] = yield* validate({ projectPath, id: made.jobId, repair: false })
      assert.deepStrictEqual(problems(found), [fileOf(beyond), fileOf(wrong)])
      assert.isNull(found?.resume)
      assert.deepInclude(Checkpoints.damageOf([found!]), { damaged: 2, repairable: 2 })
      assert.deepStrictEqual(found?.set_aside, [])

      const [repaired] = yield* validate({ projectPath, id: made.jobId, repair: true })
      assert.deepStrictEqual(problems(repaired), [])
      assert.deepStrictEqual(
        repaired?.set_aside.map(({ as }) => as),
        [`${beyond.path}.damaged`, `${wrong.path}.damaged`]
      )
      assert.isNotNull(yield* Effect.flatMap(AtomicFile, (files) => files.read(`${wrong.path}.damaged`)))
      assert.strictEqual(repaired?.resume?.file, "setup-checkpoint.json")
      assert.strictEqual((yield* Restore.state(Samples.repo, made.jobId)).checkpoint?.id, made.setup.id)
    }).pipe(Effect.provide(layer))
  )

  it.effect("sets aside damaged checkpoints and a damaged summary, and says what a resume takes now", () =>
    Effect.gen(function* () {
      const { validate } = yield* Checkpoints.Checkpoints
      const made = yield* job(1)
      yield* damage(made.map.path)
      yield* damage(made.setup.path)
      yield* damage(made.paths.jobState)
      const [report] = yield* validate({ projectPath, id: made.jobId, repair: true })
      assert.deepStrictEqual(problems(report), [])
      assert.strictEqual(report?.set_aside.length, 3)
      assert.deepStrictEqual(report?.resume, { checkpoint_id: null, file: null, seq: 0, records: 6 })
      const { state, warnings } = yield* Restore.state(Samples.repo, made.jobId)
      assert.deepStrictEqual([state.seq, warnings], [6, []])
    }).pipe(Effect.provide(layer))
  )

  it.effect("says what it cannot repair, and touches none of it", () =>
    Effect.gen(function* () {
      const { validate } = yield* Checkpoints.Checkpoints
      const files = yield* AtomicFile
      const made = yield* job(1)
      for (const [path, change] of [
        [made.paths.journal, (text: string) => text.replace(`"item_id":"item_1"`, `"item_id":"item_7"`)],
        [made.paths.journal, resealed(`"item_id":"item_1"`, `"item_id":"item_7"`)],
        [made.paths.journal, resealed(`"attempt":1`, `"attempt":2`)],
        [made.paths.workItems, (text: string) => text.replace("item_2", "item_3")],
        [made.paths.jobFile, (text: string) => text.slice(0, 100)]
      ] as const) {
        const whole = (yield* files.read(path)) ?? ""
        const changed = change(whole)
        assert.notStrictEqual(changed, whole)
        yield* files.replace(path, changed)
        const [report] = yield* validate({ projectPath, id: made.jobId, repair: true })
        assert.include(problems(report), path.slice(path.lastIndexOf("/") + 1))
        assert.deepStrictEqual(report?.set_aside, [])
        assert.isNull(report?.resume)
        assert.deepInclude(Checkpoints.damageOf([report!]), { repairable: 0 })
        assert.strictEqual(yield* files.read(path), changed)
        yield* files.replace(path, whole)
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("goes on from what is left of a journal that lost its last lines", () =>
    Effect.gen(function* () {
      const { validate } = yield* Checkpoints.Checkpoints
      const files = yield* AtomicFile
      const made = yield* job(1)
      const { lines } = yield* files.readLines(made.paths.journal)
      yield* files.replace(made.paths.journal, `${lines.slice(0, 3).join("\n")}\n`)
      const [found] = yield* validate({ projectPath, id: made.jobId, repair: false })
      assert.deepStrictEqual(problems(found), ["journal.jsonl"])
      assert.strictEqual((yield* Effect.flip(Restore.state(Samples.repo, made.jobId)))._tag, "DamagedFile")
      const [report] = yield* validate({ projectPath, id: made.jobId, repair: true })
      assert.deepStrictEqual(problems(report), [])
      assert.deepStrictEqual(
        report?.set_aside.map(({ path }) => path),
        [made.paths.jobState, made.map.path]
      )
      assert.strictEqual((yield* Restore.state(Samples.repo, made.jobId)).state.seq, 3)
    }).pipe(Effect.provide(layer))
  )

  it.effect("touches nothing of a job that somebody drives", () =>
    Effect.gen(function* () {
      const { clean, jobs, remove, validate } = yield* Checkpoints.Checkpoints
      const lock = yield* ResumeLock.ResumeLock
      const made = yield* job(1)
      yield* damage(made.setup.path)
      yield* TestClock.adjust("30 days")
      yield* Effect.scoped(
        Effect.gen(function* () {
          yield* lock.acquire({ jobId: made.jobId, sessionId: made.sessionId, force: false })
          const [report] = yield* validate({ projectPath, id: null, repair: false })
          assert.isTrue(report?.live)
          assert.deepStrictEqual(problems(report), ["setup-checkpoint.json"])
          const refused = yield* Effect.flip(validate({ projectPath, id: null, repair: true }))
          assert.strictEqual(refused._tag, "ResumeLockHeld")
          const beforeMillis = Date.UTC(2027, 0, 1)
          for (const dryRun of [true, false]) {
            const options = { projectPath, force: true, dryRun }
            for (const removal of [
              yield* clean({ ...options, beforeMillis }),
              yield* remove({ ...options, id: made.map.id })
            ]) {
              assert.deepStrictEqual(removal.removed, [])
              assert.isNotEmpty(removal.kept)
            }
          }
          assert.deepInclude((yield* jobs({ projectPath, id: null }))[0], { live: true, checkpoints: 2 })
        })
      )
      assert.strictEqual((yield* stored(made.jobId)).length, 2)
    }).pipe(Effect.provide(layer))
  )

  it.effect("removes what is old, but not the newest valid one of a job that is not completed", () =>
    Effect.gen(function* () {
      const { clean } = yield* Checkpoints.Checkpoints
      const first = yield* job(1)
      const done = yield* job(2, "completed")
      const old = yield* job(3)
      yield* damage(old.map.path)
      yield* TestClock.adjust("10 days")
      const young = yield* job(4)
      const options = { projectPath, beforeMillis: Date.UTC(2026, 0, 5), force: false }
      const expected = ["3 map", "2 map", "2 setup", "1 setup"]
      const labels = new Map([first, done, old, young].map(({ jobId }, index) => [jobId, index + 1] as const))
      const names = (entries: ReadonlyArray<Checkpoints.Entry>) =>
        entries.map(({ job_id, kind }) => `${job_id === null ? null : labels.get(job_id)} ${kind}`)
      const planned = yield* clean({ ...options, dryRun: true })
      assert.deepStrictEqual(names(planned.removed), expected)
      assert.strictEqual((yield* stored(first.jobId)).length, 2)
      const removed = yield* clean({ ...options, dryRun: false })
      assert.deepStrictEqual(removed, planned)
      assert.deepStrictEqual(names(removed.kept.map(({ checkpoint }) => checkpoint)), ["3 setup", "1 map"])
      assert.deepStrictEqual(yield* Effect.forEach([first, done, old, young], (made) => stored(made.jobId)), [
        ["map"],
        [],
        ["setup"],
        ["map", "setup"]
      ])
      yield* clean({ ...options, force: true, dryRun: false })
      assert.deepStrictEqual(yield* stored(first.jobId), [])
      assert.strictEqual((yield* Restore.state(Samples.repo, first.jobId)).state.seq, 6)
    }).pipe(Effect.provide(layer))
  )

  it.effect("deletes one, and the newest valid one of a job that is not completed only by force", () =>
    Effect.gen(function* () {
      const { remove } = yield* Checkpoints.Checkpoints
      const made = yield* job(1)
      const options = { projectPath, force: false, dryRun: false }
      assert.strictEqual((yield* remove({ ...options, id: made.setup.id, dryRun: true })).removed.length, 1)
      assert.strictEqual((yield* remove({ ...options, id: made.setup.id })).removed[0]?.id, made.setup.id)
      const kept = yield* remove({ ...options, id: made.map.id })
      assert.deepStrictEqual([kept.removed, kept.kept[0]?.checkpoint.id], [[], made.map.id])
      assert.deepStrictEqual(yield* stored(made.jobId), ["map"])
      yield* remove({ ...options, id: made.map.id, force: true })
      assert.deepStrictEqual(yield* stored(made.jobId), [])
      assert.strictEqual((yield* Effect.flip(remove({ ...options, id: made.map.id })))._tag, "IdNotFound")
    }).pipe(Effect.provide(layer))
  )

  it.effect("tells for each job where a resume starts from, also of one whose journal is damaged", () =>
    Effect.gen(function* () {
      const { jobs } = yield* Checkpoints.Checkpoints
      const made = yield* job(1)
      const broken = yield* job(2)
      yield* damage(broken.paths.journal)
      const [second, first] = yield* jobs({ projectPath, id: null })
      assert.deepInclude(first, { job_id: made.jobId, status: "running", phase: "map", checkpoints: 2, problem: null })
      assert.deepInclude(first?.resume, { checkpoint_id: made.map.id, seq: 5, records: 1 })
      assert.deepInclude(second, { job_id: broken.jobId, status: null, resume: null })
      assert.include(second?.problem, broken.paths.journal)
    }).pipe(Effect.provide(layer))
  )
})

const problems = (report: Checkpoints.Report | undefined) =>
  report?.files.flatMap(({ file, status }) => (status === "damaged" ? [file] : [])) ?? []

const fileOf = ({ path }: CheckpointStore.Checkpoint) => path.slice(path.lastIndexOf("/") + 1)

const stored = (jobId: JobId) =>
  Effect.flatMap(CheckpointStore.CheckpointStore, (store) =>
    Effect.map(store.list(Samples.repo, jobId), (all) => all.map(({ kind }) => kind))
  )

const damage = (path: string) =>
  Effect.flatMap(AtomicFile, (files) =>
    Effect.flatMap(files.read(path), (text) => files.replace(path, `x${text?.slice(1) ?? ""}`))
  )

/** As somebody who forges would: the line's seal is made again. */
const resealed = (from: string, to: string) => (text: string) =>
  text
    .split("\n")
    .map((line) =>
      line.includes(from)
        ? StoredJson.seal(`${line.replace(from, to).replace(/,"crc32":"[0-9a-f]{8}"\}$/, "")}}`)
        : line
    )
    .join("\n")

/** A job in the middle of its map phase with a checkpoint of setup and one of map, and a record behind it. */
const job = (n: number, status = "running") =>
  Effect.gen(function* () {
    yield* TestClock.adjust("1 second")
    const home = yield* ProdigyHome
    yield* home.claimRepoName({ path: projectPath, rootCommit: "0" })
    const file = JobSamples.jobFile(n)
    const { job_id: jobId, session_id: sessionId } = file
    yield* (yield* SessionStore.SessionStore).create(Samples.session(n))
    const jobs = yield* JobStore.JobStore
    yield* jobs.save(file)
    const items = [0, 1, 2].map((index) => ({ index, id: ItemId.make(`item_${index}`), data: index }))
    yield* jobs.saveItems(Samples.repo, jobId, items)
    const started = (index: number): JobRecord => ({
      type: "item_started",
      index,
      item_id: ItemId.make(`item_${index}`),
      agent_id: AgentId.fromItem(jobId, index),
      attempt: 1
    })
    const owner = { pid: 1, host: "here", started_at: "1" }
    const records: ReadonlyArray<JobRecord> = [
      { type: "job_started", job_id: jobId, session_id: SessionId.fromJob(jobId), workflow_name: "migrate", owner },
      { type: "setup_completed", variables: { version: "2" }, usage: Usage.none },
      { type: "items_selected", total: 3 },
      started(0),
      started(1),
      started(2)
    ]
    const journal = yield* Journal.Journal
    yield* Effect.scoped(Effect.flatMap(journal.open(Samples.repo, jobId, 0), (open) => open.append(records)))
    const stateAt = (seq: number) =>
      records.slice(0, seq).reduce((state, record) => Either.getOrThrow(JobState.apply(state, record)), JobState.empty)
    const store = yield* CheckpointStore.CheckpointStore
    const setup = yield* store.save(Samples.repo, jobId, "setup", stateAt(2))
    const map = yield* store.save(Samples.repo, jobId, "map", stateAt(5))
    yield* jobs.saveSummary(Samples.repo, { ...JobSamples.summary(n), seq: 6, status })
    return { jobId, sessionId, setup, map, paths: home.repo(Samples.repo).job(jobId) }
  })

const workspace = Layer.succeed(
  Workspace,
  Workspace.of({
    find: (path) => Effect.succeed({ root: path, checkout: path, head: "0", branch: "main", rootCommit: "0" }),
    resolve: () => Effect.die("not used"),
    files: () => Effect.die("not used"),
    isTaken: () => Effect.die("not used"),
    hasAgentWorktrees: () => Effect.die("not used"),
    holdings: () => Effect.die("not used"),
    leftovers: () => Effect.die("not used"),
    open: () => Effect.die("not used")
  })
)

const layer = Checkpoints.layer.pipe(
  Layer.provide(Inspect.layer),
  Layer.provide(Layer.mergeAll(workspace, SessionJobIndex.layer, DeadLetterQueue.layer, WorkflowStore.layer)),
  Layer.provideMerge(
    Layer.mergeAll(CheckpointStore.layer, JobStore.layer, Journal.layer, ResumeLock.layer, SessionStore.layer)
  ),
  Layer.provide(FileLock.layer),
  Layer.provide(Layer.merge(IdGenerator.layer, ProcessTable.layerMemory)),
  Layer.provideMerge(TemporaryHome.layerMemory),
  Layer.provideMerge(Layer.effectDiscard(TestClock.setTime(Date.UTC(2026, 0, 2))))
)
