/**
 * What every `JobStore` does.
 *
 * @since 0.1.0
 */
import * as JobId from "@prodigy/core/domain/JobId"
import { ItemId, type WorkItem } from "@prodigy/core/domain/WorkItem"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TestClock from "effect/TestClock"
import * as JobSamples from "../JobSamples.ts"
import * as Samples from "../Samples.ts"

const { repo } = Samples
const jobId = Samples.jobId()

const items: ReadonlyArray<WorkItem> = [
  { index: 0, id: ItemId.make("../../x"), data: { path: "../../x", "1": [null, true, -0.5, "😀\n"] } },
  { index: 1, id: ItemId.make("x".repeat(4096)), data: "text" },
  { index: 2, id: ItemId.make("$(touch pwned)"), data: {} }
]

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<JobStore | AtomicFile | ProdigyHome, E>): void => {
  const paths = Effect.map(ProdigyHome, (home) => home.repo(repo).job(jobId))

  describe(`JobStore (${name})`, () => {
    it.effect("claims an id for the second, and another one for everybody who comes in it", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, 5, 678))
        const claimed = yield* Effect.all(
          Array.from({ length: 12 }, () => store.claim(repo, anyId)),
          { concurrency: "unbounded" }
        )
        assert.deepStrictEqual(
          new Set<string>(claimed),
          new Set(
            Array.from({ length: 12 }, (_, index) => `mapreduce-20260102_030405${index === 0 ? "" : `_${index + 1}`}`)
          )
        )
        yield* TestClock.adjust("1 second")
        assert.strictEqual(yield* store.claim(repo, anyId), "mapreduce-20260102_030406")
      }).pipe(Effect.provide(layer))
    )

    it.effect("passes over an id that is reserved elsewhere, and leaves nothing of it behind", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const files = yield* AtomicFile
        const asked: Array<string> = []
        const claimed = yield* store.claim(repo, (id) => Effect.sync(() => asked.push(id) === 3))
        assert.strictEqual(claimed, asked[2])
        assert.match(claimed, /_3$/)
        const home = yield* ProdigyHome
        assert.deepStrictEqual(yield* files.list(home.repo(repo).jobs), [claimed])
      }).pipe(Effect.provide(layer))
    )

    it.effect("keeps the worktrees that could not be removed, and forgets them when there are none", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const files = yield* AtomicFile
        const orphan = {
          path: "/worktrees/x",
          agent_id: "agent",
          item_id: null,
          error: "busy",
          timestamp: "2026-01-02T03:04:05.678Z"
        }
        assert.deepStrictEqual(yield* store.loadOrphans(repo, jobId), [])
        yield* store.saveOrphans(repo, jobId, [orphan])
        assert.deepStrictEqual(yield* store.loadOrphans(repo, jobId), [orphan])
        yield* store.saveOrphans(repo, jobId, [])
        assert.deepStrictEqual(yield* store.loadOrphans(repo, jobId), [])
        const home = yield* ProdigyHome
        assert.isNull(yield* files.read(home.repo(repo).orphans(jobId)))
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives back a job file", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        yield* store.save(JobSamples.jobFile())
        assert.deepStrictEqual(yield* store.load(repo, jobId), JobSamples.jobFile())
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives a job with the newest workflow that was taken for it, and keeps those before", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const files = yield* AtomicFile
        const job = JobSamples.jobFile()
        yield* store.save(job)
        const { jobFile, workflowRevision } = yield* paths
        const before = yield* files.read(jobFile)
        for (let n = 1; n <= 11; n++) {
          assert.strictEqual(yield* store.revise(repo, JobSamples.revision(n)), n)
          const { max_parallel, workflow, workflow_source } = JobSamples.revision(n)
          assert.deepStrictEqual(yield* store.load(repo, jobId), {
            ...job,
            workflow,
            workflow_source,
            options: { ...job.options, max_parallel }
          })
        }
        assert.strictEqual(yield* files.read(jobFile), before)
        assert.isNotNull(yield* files.read(workflowRevision(1)))
        // Which workflow is the right one is not guessed.
        yield* files.replace(workflowRevision(11), (yield* files.read(workflowRevision(10))) ?? "")
        const error = yield* Effect.flip(store.load(repo, jobId))
        assert.strictEqual(error._tag === "DamagedFile" && error.path, workflowRevision(11))
      }).pipe(Effect.provide(layer))
    )

    it.effect("says that there is no such job", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const error = yield* Effect.flip(store.load(repo, jobId))
        assert.strictEqual(error._tag, "JobNotFound")
        assert.include(error.message, jobId)
      }).pipe(Effect.provide(layer))
    )

    it.effect("says which job file is damaged", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const files = yield* AtomicFile
        const { jobFile } = yield* paths
        yield* store.save(JobSamples.jobFile())
        const text = (yield* files.read(jobFile)) ?? ""
        for (const damaged of ["", text.slice(0, 100), text.replace(`"v":1`, `"v":2`), "null"]) {
          yield* files.replace(jobFile, damaged)
          const error = yield* Effect.flip(store.load(repo, jobId))
          assert.strictEqual(error._tag === "DamagedFile" && error.path, jobFile)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("lists jobs, the oldest first, and neither claims nor other things", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        assert.deepStrictEqual(yield* store.list(repo), [])
        const ids = [10, 2, 1, 9].map((n) => Samples.jobId(n))
        const later = JobId.fromTime(Date.UTC(2026, 0, 2, 3, 4, 6), 1)
        for (const id of [later, ...ids]) yield* store.save({ ...JobSamples.jobFile(), job_id: id })
        yield* TestClock.setTime(Date.UTC(2027, 0, 1))
        yield* store.claim(repo, anyId)
        yield* files.replace(`${home.repo(repo).jobs}/.DS_Store`, "")
        yield* files.replace(`${home.repo(repo).jobs}/some file`, "")
        assert.deepStrictEqual(yield* store.list(repo), [...[1, 2, 9, 10].map((n) => Samples.jobId(n)), later])
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives back the work items; null before they are selected", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        assert.isNull(yield* store.loadItems(repo, jobId))
        yield* store.saveItems(repo, jobId, items)
        assert.deepStrictEqual(yield* store.loadItems(repo, jobId), items)
        yield* store.saveItems(repo, jobId, [])
        assert.deepStrictEqual(yield* store.loadItems(repo, jobId), [])
      }).pipe(Effect.provide(layer))
    )

    it.effect("says which work item is damaged", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const files = yield* AtomicFile
        const { workItems } = yield* paths
        yield* store.saveItems(repo, jobId, items)
        const text = (yield* files.read(workItems)) ?? ""
        const [first = "", second = "", third = ""] = text.split("\n")
        const damages: ReadonlyArray<readonly [string, number]> = [
          [`${first}\n${third}\n`, 2],
          [`${first}\n${first}\n`, 2],
          [`${first}\n${second}\n${third}`, 3],
          [`${first}\n\n`, 2],
          [`${first.replace(`"v":1`, `"v":9`)}\n`, 1]
        ]
        for (const [damaged, line] of damages) {
          yield* files.replace(workItems, damaged)
          const error = yield* Effect.flip(store.loadItems(repo, jobId))
          assert.deepStrictEqual(error._tag === "DamagedFile" && [error.path, error.line], [workItems, line])
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("writes the results as they come, a line each", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        const files = yield* AtomicFile
        const path = yield* store.saveResults(repo, jobId, Stream.map(Stream.range(0, 2), JobSamples.itemResult))
        assert.strictEqual(path, (yield* paths).results)
        const { lines } = yield* files.readLines(path)
        assert.deepStrictEqual(
          lines.map((line) => JSON.parse(line)),
          [0, 1, 2].map((index) => ({ v: 1, ...JobSamples.itemResult(index) }))
        )
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives back the summary; null when there is none", () =>
      Effect.gen(function* () {
        const store = yield* JobStore
        assert.isNull(yield* store.loadSummary(repo, jobId))
        yield* store.saveSummary(repo, JobSamples.summary())
        yield* store.saveSummary(repo, { ...JobSamples.summary(), status: "paused" })
        assert.deepStrictEqual(yield* store.loadSummary(repo, jobId), { ...JobSamples.summary(), status: "paused" })
      }).pipe(Effect.provide(layer))
    )
  })
}

const anyId = () => Effect.succeed(true)
