/**
 * The order "record, then effect", at every append of a whole job: the n-th one fails, for n = 1, 2, 3, … until a job comes
 * to its end untouched. The journal is the real one, in memory; the work is answered at once.
 */
import { assert, describe, it } from "@effect/vitest"
import * as Failure from "@prodigy/core/domain/Failure"
import type * as JobDecision from "@prodigy/core/domain/JobDecision"
import * as JobState from "@prodigy/core/domain/JobState"
import * as Usage from "@prodigy/core/domain/Usage"
import { type ActiveRun, policyOf } from "@prodigy/core/engine/ActiveRun"
import * as JobDriver from "@prodigy/core/engine/JobDriver"
import type { Recorder } from "@prodigy/core/engine/JobRecorder"
import { JobWork } from "@prodigy/core/engine/JobWork"
import { StorageError } from "@prodigy/core/storage/AtomicFile"
import * as Journal from "@prodigy/core/storage/Journal"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Samples from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TemporaryHome from "../storage/TemporaryHome.ts"

describe("JobDriver", () => {
  it.effect("starts no work before its record is durable, and none after the disk refused one, at every append", () =>
    Effect.gen(function* () {
      for (let failing = 1; ; failing++) {
        const { begun, lastAppend, result } = yield* drive(failing)
        assert.strictEqual(begun.length > 0, failing > 1)
        for (const { durable, work } of begun) assert.isTrue(permitted(durable, work), `${failing}: ${work._tag}`)
        if (Either.isRight(result)) {
          assert.strictEqual(result.right.status, "completed")
          assert.deepInclude(result.right.counts, { merged: 4, dead_lettered: 1 })
          assert.isAbove(failing, 10, "the job has appends to fail")
          return
        }
        assert.strictEqual(result.left._tag, "StorageError")
        assert.strictEqual(lastAppend, failing, "nothing is appended after the failure")
        assert.isTrue(
          begun.every(({ append }) => append < failing),
          "nothing begins after the failure"
        )
      }
    })
  )
})

const jobId = Samples.jobId(1)
const owner = { pid: 1, host: "here", started_at: "1" }

/** Drives a job of 5 items, of which one fails, on a journal whose n-th append finds the disk full. */
const drive = (failing: number) =>
  Effect.gen(function* () {
    const journals = yield* Journal.Journal
    const journal = yield* journals.open(Samples.repo, jobId, 0)
    let appends = 0
    const begun: Array<{
      readonly work: JobDecision.Work
      readonly durable: JobState.JobState
      readonly append: number
    }> = []
    const job = JobSamples.jobFile(1)
    const run = {
      repo: Samples.repo,
      job,
      policy: { ...policyOf(job, { maxRetries: null, waitsForQuota: true }), maxParallel: 2, reduceSteps: 2 },
      items: { current: [] },
      pool: { settle: () => Effect.void },
      journal: {
        ...journal,
        append: (records: Parameters<typeof journal.append>[0]) =>
          Effect.suspend(() => (++appends === failing ? Effect.fail(full) : journal.append(records)))
      }
    } as unknown as ActiveRun
    const onDisk = Stream.runFold(journals.read(Samples.repo, jobId, 0), JobState.empty, (state, { record }) =>
      Either.getOrThrow(JobState.apply(state, record))
    )
    const jobWork = Layer.succeed(JobWork, {
      perform: (_run, _state, work) =>
        Effect.gen(function* () {
          const append = appends
          begun.push({ work, append, durable: yield* onDisk })
          // Others take their turn first: answers come in any order, some together.
          yield* Effect.yieldNow()
          return answer(work)
        })
    })
    const driving = Effect.flatMap(JobDriver.JobDriver, (driver) =>
      driver.drive(run, silent, { state: JobState.empty, first: start(job.session_id) })
    )
    const result = yield* Effect.either(Effect.provide(driving, Layer.provide(JobDriver.layer, jobWork)))
    return { begun, result, lastAppend: appends }
  }).pipe(Effect.scoped, Effect.provide(Layer.provide(Journal.layer, TemporaryHome.layerMemory)), Effect.orDie)

const full = new StorageError({ operation: "append", path: "journal.jsonl", reason: "no_space", detail: "ENOSPC" })

const silent: Recorder = {
  follow: () => Effect.void,
  flush: () => Effect.void,
  relive: () => Effect.void,
  stop: Effect.void,
  emit: () => Effect.void
}

const start = (sessionId: Extract<JobDecision.Input, { _tag: "Start" }>["sessionId"]): JobDecision.Input => ({
  _tag: "Start",
  jobId,
  sessionId,
  workflowName: "test",
  owner
})

/** Whether the state that is on disk asks for the work. */
const permitted = (durable: JobState.JobState, work: JobDecision.Work): boolean => {
  switch (work._tag) {
    case "RunSetup":
      return durable.status === "running" && durable.phase === "setup"
    case "SelectItems":
      return durable.phase === "select"
    case "RunAttempt": {
      const item = JobState.itemAt(durable, work.index)
      return item?.is === "running" && item.attempt === work.attempt
    }
    case "Integrate":
      return durable.merging === work.index
    case "RunReduceStep":
      return durable.phase === "reduce" && durable.reduce_steps_done === work.step
    case "Finish":
      return durable.phase === "finish"
  }
}

const answer = (work: JobDecision.Work): JobDecision.Input => {
  switch (work._tag) {
    case "RunSetup":
      return { _tag: "SetupDone", variables: {}, usage: Usage.none }
    case "SelectItems":
      return { _tag: "ItemsSelected", total: 5 }
    case "RunAttempt": {
      const { attempt, index } = work
      const ended = { index, attempt, durationMillis: 1, usage: Usage.none }
      return index === 3
        ? {
            _tag: "AttemptFailed",
            ...ended,
            failure: Failure.make({ error_type: "Unknown" }, "no"),
            kept: {},
            handled: false
          }
        : {
            _tag: "AttemptSucceeded",
            ...ended,
            tip: "a".repeat(40),
            branch: "b",
            commits: 1,
            result: null,
            log: null
          }
    }
    case "Integrate":
      return { _tag: "Merged", index: work.index, commit: "b".repeat(40) }
    case "RunReduceStep":
      return { _tag: "ReduceStepDone", step: work.step, variables: {}, usage: Usage.none }
    case "Finish":
      return { _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } }
  }
}
