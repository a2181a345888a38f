import * as AgentId from "@prodigy/core/domain/AgentId"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { type ActiveRun, policyOf } from "@prodigy/core/engine/ActiveRun"
import * as JobRecorder from "@prodigy/core/engine/JobRecorder"
import * as Progress from "@prodigy/core/engine/Progress"
import * as CheckpointStore from "@prodigy/core/storage/CheckpointStore"
import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as Journal from "@prodigy/core/storage/Journal"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import type { CheckpointPolicy } from "@prodigy/core/workflow/Workflow"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Samples from "@prodigy/testing/Samples"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as TemporaryHome from "../storage/TemporaryHome.ts"

describe("JobRecorder", () => {
  it.scoped("takes a checkpoint at the end of each phase and when the job is paused or has failed", () =>
    Effect.gen(function* () {
      const job = yield* begin(null)
      yield* job.follow(...mapped(0))
      assert.deepStrictEqual(yield* job.taken, [["setup", 2]])
      yield* job.follow({ type: "job_paused", reason: "interrupted" })
      assert.deepStrictEqual((yield* job.taken)[0], ["map", 6])
      yield* job.follow(
        { type: "job_resumed", owner },
        { type: "stopping", by: "policy", reason: "enough", failure: null }
      )
      const failure = {
        cause: { error_type: "Unknown" },
        message: "x",
        step: null,
        context: [],
        output_tail: "",
        log: null
      }
      yield* job.follow({ type: "job_failed", phase: "map", failure, usage: Usage.none } as JobRecord)
      assert.deepStrictEqual((yield* job.taken)[0], ["map", 9])
      yield* job.follow({ type: "job_resumed", owner })
      for (let index = 1; index < total; index++) yield* job.follow(...mapped(index))
      yield* job.follow({ type: "map_completed" })
      assert.strictEqual((yield* job.taken)[0]?.[0], "map")
      yield* job.follow({ type: "reduce_step_completed", step: 0, variables: {}, usage: Usage.none })
      assert.strictEqual((yield* job.taken)[0]?.[0], "reduce")
    }).pipe(Effect.provide(layer))
  )

  it.scoped("has written the summary when the session says how the job ended: nobody comes back for it", () => {
    const told: Array<readonly [string, number | undefined]> = []
    const watched = Layer.effect(
      SessionStore.SessionStore,
      Effect.gen(function* () {
        const sessions = yield* SessionStore.SessionStore
        const jobs = yield* JobStore.JobStore
        return {
          ...sessions,
          update: (id: Parameters<typeof sessions.update>[0], change: Parameters<typeof sessions.update>[1]) =>
            Effect.tap(sessions.update(id, change), ({ status }) =>
              Effect.map(Effect.orDie(jobs.loadSummary(Samples.repo, jobId)), (summary) =>
                told.push([status, summary?.seq])
              )
            )
        }
      })
    )
    return Effect.gen(function* () {
      const job = yield* begin(null)
      yield* job.follow(...mapped(0), { type: "job_paused", reason: "interrupted" })
      assert.deepStrictEqual(told.at(-1), ["Paused", 6])
    }).pipe(Effect.provide(Layer.provideMerge(JobRecorder.layer, Layer.provideMerge(watched, ports))))
  })

  it.scoped("takes a checkpoint of the map phase after so many items", () =>
    Effect.gen(function* () {
      const job = yield* begin({ interval_items: 20 })
      for (let index = 0; index < 25; index++) yield* job.follow(...mapped(index))
      assert.deepStrictEqual((yield* job.taken).slice(0, -1), [["map", 3 + 2 * 20]])
    }).pipe(Effect.provide(layer))
  )

  it.scoped("takes a checkpoint of the map phase after so much time, when something was recorded since", () =>
    Effect.gen(function* () {
      const job = yield* begin({ interval_duration_ms: 60_000 })
      for (let index = 0; index < 20; index++) yield* job.follow(...mapped(index))
      assert.strictEqual((yield* job.taken).length, 1)
      yield* TestClock.adjust("2 minutes")
      assert.strictEqual((yield* job.taken).length, 1)
      yield* job.follow(...mapped(20))
      assert.deepStrictEqual((yield* job.taken)[0], ["map", 44])
    }).pipe(Effect.provide(layer))
  )

  it.scoped(
    "writes no more snapshot bytes than half of the journal before the last one, however short the intervals",
    () =>
      Effect.gen(function* () {
        const job = yield* begin({ interval_items: 1, interval_duration_ms: 1, max_checkpoints: 1000 })
        for (let index = 0; index < total; index++) {
          yield* TestClock.adjust("1 second")
          yield* job.follow(...mapped(index))
        }
        const { list, load } = yield* CheckpointStore.CheckpointStore
        const files = (yield* list(Samples.repo, jobId)).filter((file) => file.kind === "map")
        const bytes = yield* Effect.forEach(files, (file) => Effect.map(load(file), (found) => found?.bytes ?? 0))
        assert.isAbove(files.length, 5)
        const [last = 0, ...before] = bytes
        const journalBytes = yield* job.journalBytes
        assert.isBelow(
          before.reduce((sum, size) => sum + size, 0),
          journalBytes / 2
        )
        assert.isBelow(last, journalBytes / 2)
      }).pipe(Effect.provide(layer))
  )
})

const jobId = Samples.jobId(1)
const owner = { pid: 1, host: "here", started_at: "1" }
const total = 200

const mapped = (index: number): ReadonlyArray<JobRecord> => {
  const attempt = { index, item_id: ItemId.make(`item_${index}`), agent_id: AgentId.fromItem(jobId, index), attempt: 1 }
  return [
    { type: "item_started", ...attempt },
    {
      type: "item_completed",
      ...attempt,
      tip: null,
      branch: null,
      commits: 0,
      duration_ms: 10,
      usage: Usage.none,
      result: null,
      log: null
    }
  ]
}

/** A job whose items are selected, and what it takes to follow more records of it. */
const begin = (checkpoint: Partial<CheckpointPolicy> | null) =>
  Effect.gen(function* () {
    const file = JobSamples.jobFile(1)
    const policy = { interval_items: null, interval_duration_ms: null, max_checkpoints: null, max_age_ms: null }
    const job = {
      ...file,
      workflow: { ...file.workflow, checkpoint: checkpoint === null ? null : { ...policy, ...checkpoint } }
    }
    yield* (yield* SessionStore.SessionStore).create(Samples.session(1))
    const journal = yield* (yield* Journal.Journal).open(Samples.repo, jobId, 0)
    const run = {
      repo: Samples.repo,
      job,
      policy: policyOf(job, { maxRetries: null, waitsForQuota: true }),
      journal,
      workspace: { parent: { path: "/parent", branch: "session" } },
      events: { emit: () => Effect.succeed([]), flush: Effect.void },
      items: { current: [] }
    } as unknown as ActiveRun
    const recorder = yield* (yield* JobRecorder.JobRecorder).open(run)
    const store = yield* CheckpointStore.CheckpointStore
    let state = JobState.empty
    const follow = (...records: ReadonlyArray<JobRecord>) =>
      Effect.forEach(
        records,
        (record) =>
          Effect.flatMap(journal.append([record]), ([entry]) => {
            state = Either.getOrThrow(JobState.apply(state, record))
            return recorder.follow(entry!, state)
          }),
        { discard: true }
      )
    yield* follow(
      { type: "job_started", job_id: jobId, session_id: job.session_id, workflow_name: "migrate", owner },
      { type: "setup_completed", variables: {}, usage: Usage.none },
      { type: "items_selected", total }
    )
    return {
      follow,
      journalBytes: journal.size,
      /** The checkpoints on disk, the newest first: kind and seq. */
      taken: Effect.flatMap(store.list(Samples.repo, jobId), (files) =>
        Effect.forEach(files, (stored) =>
          Effect.map(store.load(stored), (found) => [stored.kind, found?.state.seq] as const)
        )
      )
    }
  })

const ports = Layer.mergeAll(
  CheckpointStore.layer,
  DeadLetterQueue.layer,
  JobStore.layer,
  Journal.layer,
  SessionStore.layer,
  Progress.layer
).pipe(
  Layer.provide(Layer.merge(IdGenerator.layer, ProcessTable.layerTest({ self: owner, others: [] }))),
  Layer.provideMerge(TemporaryHome.layerMemory)
)

const layer = Layer.provideMerge(JobRecorder.layer, ports)
