import type { DeadLetter } from "@prodigy/core/domain/DeadLetter"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { JobId } from "@prodigy/core/domain/JobId"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as DeadLetters from "@prodigy/core/engine/DeadLetters"
import * as Inspect from "@prodigy/core/engine/Inspect"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import * as Compression from "@prodigy/core/storage/Compression"
import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import * as EventLog from "@prodigy/core/storage/EventLog"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import * as SessionJobIndex from "@prodigy/core/storage/SessionJobIndex"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as WorkflowStore from "@prodigy/core/storage/WorkflowStore"
import { Workspace } from "@prodigy/core/workspace/Workspace"
import * as Samples from "@prodigy/testing/Samples"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TemporaryHome from "../storage/TemporaryHome.ts"

const projectPath = "/home/dana/my-repo"
const { repo } = Samples

describe("DeadLetters", () => {
  it.effect("takes the latest job with letters that are not resolved, else the latest with any, else none", () =>
    Effect.gen(function* () {
      const { list } = yield* DeadLetters.DeadLetters
      const options = { projectPath, job: null, all: false, eligible: false, limit: 9 }
      const nothing = yield* list(options)
      assert.deepStrictEqual([nothing.job, nothing.letters, nothing.total], [null, [], 0])
      yield* job(1, letter("a", "resolved"))
      yield* job(3)
      assert.strictEqual((yield* list(options)).job?.jobId, Samples.jobId(1))
      yield* job(2, letter("b", "resolved"))
      const resolved = yield* list(options)
      assert.deepStrictEqual([resolved.job?.jobId, resolved.total, resolved.stats.resolved], [Samples.jobId(2), 0, 1])
      yield* put(1, letter("c", "failed"))
      assert.strictEqual((yield* list(options)).job?.jobId, Samples.jobId(1))
      // What is named is what is meant, also without letters.
      const latest = yield* list({ ...options, job: "latest" })
      assert.deepStrictEqual([latest.job?.jobId, latest.total], [Samples.jobId(3), 0])
    }).pipe(Effect.provide(layer))
  )

  it.effect("lists letters in the order of the items: open ones, eligible ones, or all, up to a limit", () =>
    Effect.gen(function* () {
      const { list } = yield* DeadLetters.DeadLetters
      yield* job(
        1,
        letter("c", "failed", { item_index: 2 }),
        letter("a", "resolved", { item_index: 0 }),
        letter("b", "failed", { item_index: 1, reprocess_eligible: false }),
        letter("d", "retrying", { item_index: 3 })
      )
      const ids = (more: Partial<Parameters<typeof list>[0]>) =>
        Effect.map(
          list({ projectPath, job: null, all: false, eligible: false, limit: 9, ...more }),
          ({ letters, total }) => [letters.map(({ item_id }): string => item_id).join(""), total]
        )
      assert.deepStrictEqual(yield* ids({}), ["bcd", 3])
      assert.deepStrictEqual(yield* ids({ all: true }), ["abcd", 4])
      assert.deepStrictEqual(yield* ids({ eligible: true }), ["c", 1])
      assert.deepStrictEqual(yield* ids({ limit: 2 }), ["bc", 3])
    }).pipe(Effect.provide(layer))
  )

  it.effect("finds a letter by its item, by the beginning of one, and by its whole id in another job", () =>
    Effect.gen(function* () {
      const { inspect } = yield* DeadLetters.DeadLetters
      yield* job(1, letter("old", "resolved"), letter("src/b", "resolved"))
      yield* job(2, letter("src/b", "failed"), letter("../../x", "failed"), letter("src/a", "resolved"))
      const find = (item: string, named: string | null = null) =>
        Effect.map(inspect({ projectPath, job: named, item }), (found) => [found.job.jobId, found.letter.item_id])
      assert.deepStrictEqual(yield* find("../../x"), [Samples.jobId(2), "../../x"])
      assert.deepStrictEqual(yield* find("src/b"), [Samples.jobId(2), "src/b"])
      assert.deepStrictEqual(yield* find(".."), [Samples.jobId(2), "../../x"])
      assert.deepStrictEqual(yield* find("old"), [Samples.jobId(1), "old"])
      assert.deepStrictEqual(yield* find("src/b", SessionId.fromJob(Samples.jobId(1))), [Samples.jobId(1), "src/b"])
      assert.strictEqual((yield* Effect.flip(find("old", "latest")))._tag, "IdNotFound")
      assert.strictEqual((yield* Effect.flip(find("src")))._tag, "AmbiguousId")
      assert.strictEqual((yield* Effect.flip(find("")))._tag, "IdInvalid")
      const near = yield* Effect.flip(find("src/c"))
      assert.deepStrictEqual(near._tag === "IdNotFound" ? near.suggestions : [], ["src/a", "src/b"])
      assert.strictEqual(near.message, `There is no dead letter "src/c" in job ${Samples.jobId(2)}.`)
    }).pipe(Effect.provide(layer))
  )

  it.effect("counts each job's letters and all of them", () =>
    Effect.gen(function* () {
      const { stats } = yield* DeadLetters.DeadLetters
      yield* job(1, letter("a", "resolved"), letter("b", "failed"))
      yield* job(2, letter("a", "failed", { manual_review_required: true }), letter("c", "retrying"))
      const { jobs, total } = yield* stats({ projectPath, job: null })
      assert.deepStrictEqual(
        jobs.map((of) => [of.job_id, of.total, of.failed, of.retrying, of.resolved, of.eligible, of.manual_review]),
        [
          [Samples.jobId(1), 2, 1, 0, 1, 1, 0],
          [Samples.jobId(2), 2, 1, 1, 0, 1, 1]
        ]
      )
      assert.deepInclude(total, { total: 4, failed: 2, retrying: 1, resolved: 1 })
      const one = yield* stats({ projectPath, job: Samples.jobId(2) })
      assert.deepStrictEqual([one.jobs.length, one.total.total], [1, 2])
      assert.strictEqual((yield* Effect.flip(stats({ projectPath, job: "nothing" })))._tag, "IdNotFound")
    }).pipe(Effect.provide(layer))
  )

  it.effect("purges what is old, never what is being tried again, and says which refs keep the work", () =>
    Effect.gen(function* () {
      const { purge } = yield* DeadLetters.DeadLetters
      yield* job(1, letter("old", "failed", at("2026-01-01")), letter("new", "failed", at("2026-01-20")))
      yield* job(
        2,
        letter("retried", "retrying", at("2026-01-01")),
        letter("done", "resolved", { ...at("2026-01-01"), resolved_at: "2026-01-20T00:00:00.000Z" }),
        letter("long done", "resolved", { ...at("2026-01-01"), resolved_at: "2026-01-02T00:00:00.000Z" })
      )
      const options = { projectPath, job: null, beforeMillis: Date.UTC(2026, 0, 10) }
      const planned = yield* purge({ ...options, dryRun: true })
      assert.deepStrictEqual(
        planned.removed.map((removed): ReadonlyArray<unknown> => [removed.job_id, removed.item_id, removed.refs]),
        [
          [Samples.jobId(1), "old", ["prodigy-kept"]],
          [Samples.jobId(2), "long done", ["prodigy-kept"]]
        ]
      )
      assert.deepStrictEqual(yield* ids(1), ["new", "old"])
      assert.deepStrictEqual(yield* purge({ ...options, dryRun: false }), planned)
      assert.deepStrictEqual(yield* ids(1), ["new"])
      assert.deepStrictEqual(yield* ids(2), ["done", "retried"])
      assert.deepStrictEqual((yield* purge({ ...options, dryRun: false })).removed, [])
      const events = yield* Effect.flatMap(EventLog.EventLog, (log) =>
        Stream.runCollect(log.read(repo, Samples.jobId(1)))
      )
      assert.include(JSON.stringify([...events]), '"dlq_items_evicted"')
    }).pipe(Effect.provide(layer))
  )

  it.effect(
    "removes nothing of a job that somebody drives: refuses it when it is named, else keeps it and says so",
    () =>
      Effect.gen(function* () {
        const { clear, purge } = yield* DeadLetters.DeadLetters
        yield* job(1, letter("a", "resolved"))
        yield* job(2, letter("b", "resolved"))
        yield* (yield* ResumeLock.ResumeLock).acquire({
          jobId: Samples.jobId(1),
          sessionId: SessionId.fromJob(Samples.jobId(1)),
          force: false
        })
        const named = { projectPath, job: Samples.jobId(1), dryRun: false }
        assert.strictEqual((yield* Effect.flip(clear({ ...named, all: true })))._tag, "ResumeLockHeld")
        const beforeMillis = Date.UTC(2027, 0, 1)
        assert.strictEqual((yield* Effect.flip(purge({ ...named, beforeMillis })))._tag, "ResumeLockHeld")
        for (const dryRun of [true, false]) {
          const { kept, removed } = yield* purge({ projectPath, job: null, beforeMillis, dryRun })
          assert.deepStrictEqual(kept, [{ job_id: Samples.jobId(1), letters: 1, reason: "a process drives the job" }])
          assert.deepStrictEqual(
            removed.map(({ item_id }) => item_id),
            ["b"]
          )
        }
        assert.deepStrictEqual(yield* ids(1), ["a"])
        assert.deepStrictEqual(yield* ids(2), [])
      }).pipe(Effect.scoped, Effect.provide(layer))
  )

  it.effect("clears what is resolved, and everything on request", () =>
    Effect.gen(function* () {
      const { clear } = yield* DeadLetters.DeadLetters
      yield* job(1, letter("a", "resolved"), letter("b", "failed"), letter("c", "retrying"))
      const options = { projectPath, job: "latest", all: false, dryRun: false }
      const removed = (more: Partial<typeof options>) =>
        Effect.map(clear({ ...options, ...more }), (found) => found.removed.map(({ item_id }): string => item_id))
      assert.deepStrictEqual(yield* removed({ dryRun: true }), ["a"])
      assert.deepStrictEqual(yield* removed({}), ["a"])
      assert.deepStrictEqual(yield* removed({}), [])
      assert.deepStrictEqual(yield* ids(1), ["b", "c"])
      assert.deepStrictEqual(yield* removed({ all: true }), ["b", "c"])
      assert.deepStrictEqual(yield* ids(1), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("leaves out letters that cannot be read, names them, and never removes them", () =>
    Effect.gen(function* () {
      const service = yield* DeadLetters.DeadLetters
      yield* job(1, letter("a", "failed"), letter("b", "resolved"))
      const damaged = yield* pathOf(1, "c")
      const rotten = yield* pathOf(1, "a")
      const files = yield* AtomicFile
      yield* files.replace(damaged, "{")
      const which = { projectPath, job: null }
      const paths = (found: { readonly damaged: ReadonlyArray<{ readonly path: string }> }) =>
        found.damaged.map(({ path }) => path)
      assert.deepStrictEqual(paths(yield* service.stats(which)), [damaged])
      assert.deepStrictEqual(paths(yield* service.analyze(which)), [damaged])
      assert.strictEqual((yield* Effect.flip(service.inspect({ ...which, item: "c" })))._tag, "DamagedFile")
      const removal = yield* service.clear({ projectPath, job: "latest", all: true, dryRun: true })
      assert.deepStrictEqual([removal.removed.length, removal.damaged], [2, [damaged]])
      // One that rots after it was counted is found when it is shown.
      yield* files.replace(rotten, "{")
      const listed = yield* service.list({ ...which, all: true, eligible: false, limit: 9 })
      assert.deepStrictEqual([listed.letters.length, paths(listed).toSorted()], [1, [rotten, damaged].toSorted()])
      const all = yield* service.all(which)
      assert.strictEqual((yield* Stream.runCollect(all.letters)).length, 1)
      assert.deepStrictEqual(paths({ damaged: yield* all.damaged }).toSorted(), [rotten, damaged].toSorted())
      yield* service.clear({ projectPath, job: "latest", all: true, dryRun: false })
      assert.deepStrictEqual(yield* files.list(damaged.slice(0, damaged.lastIndexOf("/"))), ["c.json"])
    }).pipe(Effect.provide(layer))
  )

  it.effect("makes a lost index anew, but not beside a process that drives the job", () =>
    Effect.gen(function* () {
      const { stats } = yield* DeadLetters.DeadLetters
      const many = Array.from({ length: DeadLetters.reindexMin }, (_, index) =>
        letter(`item_${index}`, "failed", { item_index: index })
      )
      const jobId = yield* job(1, ...many)
      const files = yield* AtomicFile
      const index = (yield* ProdigyHome).repo(repo).job(jobId).deadLetterIndex
      const whole = yield* files.read(index)
      yield* files.remove(index)
      const count = Effect.map(stats({ projectPath, job: jobId }), ({ total }) => total.total)
      yield* Effect.scoped(
        Effect.gen(function* () {
          const lock = yield* ResumeLock.ResumeLock
          yield* lock.acquire({ jobId, sessionId: SessionId.fromJob(jobId), force: false })
          assert.strictEqual(yield* count, many.length)
          assert.isNull(yield* files.read(index))
        })
      )
      assert.strictEqual(yield* count, many.length)
      assert.strictEqual(yield* files.read(index), whole)
    }).pipe(Effect.provide(layer))
  )
})

/** Records a job as a run does, with these letters. */
const job = Effect.fnUntraced(function* (n: number, ...letters: ReadonlyArray<DeadLetter>) {
  yield* (yield* ProdigyHome).claimRepoName({ path: projectPath, rootCommit: "0" })
  yield* (yield* SessionStore.SessionStore).create(Samples.session(n, { status: "Completed" }))
  for (const one of letters) yield* put(n, one)
  return Samples.jobId(n)
})

const put = (n: number, one: DeadLetter) =>
  Effect.flatMap(DeadLetterQueue.DeadLetterQueue, (queue) => queue.put(repo, Samples.jobId(n), one))

const letter = (id: string, status: DeadLetter["status"], more: Partial<DeadLetter> = {}): DeadLetter => ({
  ...Samples.deadLetter(id),
  status,
  ...more
})

const at = (day: string): Partial<DeadLetter> => ({
  first_attempt: `${day}T00:00:00.000Z`,
  last_attempt: `${day}T00:00:00.000Z`
})

const pathOf = (n: number, id: string) =>
  Effect.map(ProdigyHome, (home) => home.repo(repo).job(Samples.jobId(n)).deadLetter(ItemId.make(id)))

const ids = (n: number) =>
  Effect.gen(function* () {
    const jobId: JobId = Samples.jobId(n)
    const letters = yield* Effect.flatMap(DeadLetterQueue.DeadLetterQueue, (queue) =>
      Stream.runCollect(queue.stream(repo, jobId))
    )
    return [...letters].map(({ item_id }): string => item_id).toSorted()
  })

const workspace = Layer.succeed(
  Workspace,
  Workspace.of({
    ...Workspace.of({} as Workspace["Type"]),
    find: (path) => Effect.succeed({ root: path, checkout: path, head: "0", branch: "main", rootCommit: "0" })
  })
)

const layer = DeadLetters.layer.pipe(
  Layer.provide(Inspect.layer),
  Layer.provide(Layer.mergeAll(workspace, SessionJobIndex.layer, WorkflowStore.layer, JobStore.layer)),
  Layer.provideMerge(Layer.mergeAll(DeadLetterQueue.layer, EventLog.layer, ResumeLock.layer, SessionStore.layer)),
  Layer.provide(FileLock.layer),
  Layer.provide(Layer.mergeAll(IdGenerator.layer, ProcessTable.layerMemory, Compression.layerMemory)),
  Layer.provideMerge(TemporaryHome.layerMemory)
)
