import { assert, describe, it } from "@effect/vitest"
import * as Failure from "@prodigy/core/domain/Failure"
import * as JobDecision from "@prodigy/core/domain/JobDecision"
import * as JobId from "@prodigy/core/domain/JobId"
import type { JobRecord, RetryTerms } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import type * as Retry from "@prodigy/core/domain/Retry"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"

describe("JobDecision", () => {
  describe("retry", () => {
    it("tries a failed item again when its delay is over, until its attempts are used up", () => {
      const job = play({ ...calm, retry: { times: linear, retries: () => true } }, 1)
      assert.deepStrictEqual(job.fail(0, 1), ["item_failed"])
      assert.strictEqual(job.wakeAt(), 1000)
      assert.deepStrictEqual(job.at(999).tick(), [])
      assert.deepStrictEqual(job.at(1000).tick(), ["item_started"])
      job.fail(0, 2)
      assert.strictEqual(job.wakeAt(), 1000 + 1500)
      job.at(2500).tick()
      const records = job.fail(0, 3)
      assert.deepStrictEqual(records, ["item_failed", "map_completed", "reduce_completed"])
      assert.deepStrictEqual(dispositions(job.records), ["retry", "retry", "dead_letter"])
    })

    it("starts new items while one waits, and the one that waited before newer ones when its time has come", () => {
      const job = play({ ...calm, retry: { times: linear, retries: () => true } }, 3)
      assert.deepStrictEqual(job.fail(0, 1), ["item_failed", "item_started"])
      job.at(1000)
      job.succeed(1, 1)
      assert.deepStrictEqual(started(job.records), [
        [0, 1],
        [1, 1],
        [0, 2]
      ])
    })

    it("does not try again what the policy says is not worth it", () => {
      const retries = (failure: Failure.Failure) => failure.cause.error_type === "Timeout"
      const job = play({ ...calm, retry: { times: linear, retries } }, 1)
      job.fail(0, 1)
      assert.deepStrictEqual(dispositions(job.records), ["dead_letter"])
    })

    it("tries a conflicting item again from the newer parent", () => {
      const job = play({ ...calm, retry: { times: linear, retries: () => true } }, 1)
      job.feed({ ...done(0, 1), tip: "a".repeat(40) })
      job.feed({ _tag: "MergeFailed", index: 0, failure: conflict, kept: {}, durationMillis: 70 })
      const failed = job.records.find((record) => record.type === "item_failed")
      assert.strictEqual(failed?.type === "item_failed" ? failed.duration_ms : null, 70)
      assert.deepStrictEqual(job.at(1000).tick(), ["item_started"])
    })

    it("remembers delays and counted attempts over a resume, and gives the attempt that was under way back", () => {
      const job = play({ ...calm, retry: { times: linear, retries: () => true } }, 1)
      job.fail(0, 1)
      job.feed({ _tag: "Pause", reason: "test", usage: Usage.none })
      assert.deepStrictEqual(job.resume(), ["job_resumed"])
      assert.strictEqual(job.wakeAt(), 1000)
      job.at(1000).tick()
      job.resume()
      job.fail(0, 3)
      job.at(10_000).tick()
      assert.deepStrictEqual(job.fail(0, 4), ["item_failed", "map_completed", "reduce_completed"])
      assert.deepStrictEqual(dispositions(job.records), ["retry", "retry", "dead_letter"])
    })

    it("takes an item for poison when its owner died with it again and again", () => {
      const job = play(calm, 2)
      for (let round = 1; round < JobDecision.lossesMax; round++) {
        assert.deepStrictEqual(job.resume(), ["job_resumed", "item_started"])
      }
      assert.deepStrictEqual(job.resume(), ["job_resumed", "item_failed", "item_started"])
      assert.deepStrictEqual(dispositions(job.records), ["dead_letter"])
      assert.deepStrictEqual(started(job.records).at(-1), [1, 1])
    })
  })

  describe("retry of dead letters", () => {
    const terms = { filter: "x", max_parallel: 2, agent_timeout_ms: 5, reduce: false }
    const finish = { _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } } as const
    /** Item 0 is done, 1 to 3 failed; the job is completed. */
    const completed = () => {
      const job = play(calm, 4)
      job.succeed(0, 1)
      for (const index of [1, 2, 3]) job.fail(index, 1)
      job.feed(finish)
      assert.strictEqual(job.state().status, "completed")
      return job
    }

    it("starts the chosen items and no others, and completes the job again", () => {
      const job = completed()
      assert.deepStrictEqual(job.retry([1, 3, 0], terms), ["items_requeued", "item_started"])
      assert.deepStrictEqual(job.state().retry?.terms, terms)
      job.succeed(1, 2)
      job.fail(3, 2)
      job.feed(finish)
      assert.strictEqual(job.state().status, "completed")
      assert.notProperty(job.state(), "retry")
      assert.deepStrictEqual(started(job.records).slice(4), [
        [1, 2],
        [3, 2]
      ])
      assert.deepInclude(job.state().counts, { merged: 2, dead_lettered: 2 })
    })

    it("goes on, when it was killed, with what is left of it; so does a resume, on its terms", () => {
      for (const way of ["retry", "resume"] as const) {
        const job = completed()
        job.retry([1, 2], terms)
        job.fail(1, 2)
        assert.strictEqual(itemIs(job, 2), "running")
        assert.deepStrictEqual(JobState.termsOnResume(job.state()), terms)
        if (way === "retry") assert.deepStrictEqual(job.retry([], terms), ["items_requeued", "item_started"])
        else assert.deepStrictEqual(job.resume(), ["job_resumed", "item_started"])
        job.succeed(2, 3)
        job.feed(finish)
        assert.strictEqual(job.state().status, "completed")
        assert.deepStrictEqual(
          [1, 2, 3].map((index) => itemIs(job, index)),
          ["dead_lettered", "merged", "dead_lettered"]
        )
      }
    })

    it("finishes, when it was killed after its last item, without trying any item again", () => {
      const job = completed()
      job.retry([1], terms)
      job.fail(1, 2)
      assert.strictEqual(job.state().phase, "finish")
      assert.deepStrictEqual(job.retry([], terms), ["items_requeued"])
      assert.strictEqual(job.state().phase, "finish")
      job.feed(finish)
      assert.strictEqual(job.state().status, "completed")
    })

    it("pauses a job that has other items to do, which a resume goes on with", () => {
      const job = play({ ...calm, onItemFailure: "stop" }, 3)
      job.fail(0, 1)
      assert.strictEqual(job.state().status, "failed")
      assert.deepStrictEqual(job.retry([0], terms), ["items_requeued", "item_started"])
      assert.deepStrictEqual(job.succeed(0, 2), ["item_completed", "job_paused"])
      assert.notProperty(job.state(), "retry")
      assert.deepStrictEqual(job.resume(), ["job_resumed", "item_started"])
      assert.deepStrictEqual(started(job.records), [
        [0, 1],
        [0, 2],
        [1, 1]
      ])
    })

    it("is no retry any more when a resume takes up a job that has other items to do", () => {
      const job = play({ ...calm, onItemFailure: "stop" }, 2)
      job.fail(0, 1)
      job.retry([0], terms)
      assert.isUndefined(JobState.termsOnResume(job.state()))
      job.resume()
      assert.notProperty(job.state(), "retry")
    })

    it("begins with a closed breaker, whatever the failures before", () => {
      const breaker = { failureThreshold: 2, successThreshold: 1, timeoutMillis: 1000, halfOpenRequests: 1 }
      const job = play({ ...calm, breaker }, 2)
      job.fail(0, 1)
      job.fail(1, 1)
      assert.deepStrictEqual(job.retry([0, 1], terms), ["items_requeued", "item_started"])
    })

    it("runs the reduce phase again on request, and only then", () => {
      const policy = { ...calm, reduceSteps: 1 }
      for (const reduce of [false, true]) {
        const job = play(policy, 1)
        job.fail(0, 1)
        job.feed({ _tag: "ReduceStepDone", step: 0, variables: {}, usage: Usage.none })
        job.feed(finish)
        job.retry([0], { ...terms, reduce })
        job.succeed(0, 2)
        assert.strictEqual(job.state().phase, reduce ? "reduce" : "finish")
      }
    })

    it("takes nothing of a job that is cancelled, has no items yet, or of items that did not fail", () => {
      const job = completed()
      assert.deepStrictEqual(job.retry([0], terms), [])
      assert.deepStrictEqual(job.retry([], terms), [])
      const other = play(calm, 1)
      other.feed({ _tag: "Cancel", reason: "test" })
      assert.deepStrictEqual(other.retry([0], terms), [])
    })
  })

  describe("circuit breaker", () => {
    const breaker = { failureThreshold: 3, successThreshold: 2, timeoutMillis: 30_000, halfOpenRequests: 2 }
    const policy = { ...calm, maxParallel: 5, breaker }

    it("opens after failures in a row, lets a few through after its timeout, closes after successes", () => {
      const job = play(policy, 20)
      job.fail(0, 1)
      job.fail(1, 1)
      assert.deepStrictEqual(job.fail(2, 1), ["item_failed", "breaker_opened"])
      assert.deepStrictEqual(job.fail(3, 1), ["item_failed"])
      for (const index of [4, 5, 6]) job.fail(index, 1)
      assert.strictEqual(job.state().counts.running, 0)
      assert.strictEqual(job.wakeAt(), 30_000)
      assert.deepStrictEqual(job.at(30_000).tick(), ["breaker_half_opened", "item_started", "item_started"])
      assert.deepStrictEqual(job.succeed(7, 1), ["item_completed", "item_started"])
      assert.deepStrictEqual(job.succeed(8, 1).slice(0, 3), ["item_completed", "breaker_closed", "item_started"])
      assert.strictEqual(job.state().counts.running, 5)
    })

    it("opens again, for the whole timeout, when one fails while it is half open", () => {
      const job = play(policy, 20)
      for (const index of [0, 1, 2, 3, 4, 5, 6]) job.fail(index, 1)
      job.at(31_000).tick()
      assert.deepStrictEqual(job.fail(7, 1), ["item_failed", "breaker_opened"])
      assert.strictEqual(job.wakeAt(), 61_000)
    })

    it("counts failures in a row only", () => {
      const job = play(policy, 20)
      for (const index of [0, 1]) job.fail(index, 1)
      job.succeed(2, 1)
      for (const index of [3, 4]) job.fail(index, 1)
      assert.strictEqual(job.state().breaker.is, "closed")
    })

    it("holds nothing back once the workflow has none any more", () => {
      const job = play(policy, 20)
      for (const index of [0, 1, 2, 3, 4, 5, 6]) job.fail(index, 1)
      const { records } = JobDecision.decide(
        job.state(),
        { policy: calm, ids: itemId, now: 0 },
        { _tag: "Resume", owner, retryFailed: false }
      )
      assert.deepStrictEqual(
        records.map(({ type }) => type),
        ["job_resumed", "item_started"]
      )
    })
  })

  describe("quota", () => {
    const atOne = { ...quota, cause: { error_type: "QuotaExceeded", resets_at: "1970-01-01T01:00:00Z" } as const }

    it("waits for the reset time with the whole job, counts no attempt, and goes on by itself", () => {
      const job = play({ ...calm, maxParallel: 2 }, 3)
      assert.deepStrictEqual(job.fail(0, 1, atOne), ["item_failed", "quota_reached"])
      assert.deepStrictEqual(job.fail(1, 1, atOne), ["item_failed"])
      assert.deepStrictEqual(dispositions(job.records), ["put_back", "put_back"])
      assert.strictEqual(job.wakeAt(), 3_600_000)
      assert.deepStrictEqual(job.at(3_599_999).tick(), [])
      assert.deepStrictEqual(job.at(3_600_000).tick(), ["quota_over", "item_started", "item_started"])
      assert.strictEqual(job.state().status, "running")
      assert.isTrue(JobDecision.isFinal(calm, 0, commandFailed))
      job.fail(0, 2)
      assert.deepStrictEqual(dispositions(job.records), ["put_back", "put_back", "dead_letter"])
    })

    it("still waits after a resume, and does not when the time is over by then", () => {
      const early = play(calm, 1)
      early.fail(0, 1, atOne)
      early.feed({ _tag: "Pause", reason: "test", usage: Usage.none })
      assert.deepStrictEqual(early.at(1_800_000).resume(), ["job_resumed"])
      assert.strictEqual(early.wakeAt(), 3_600_000)

      const late = play(calm, 1)
      late.fail(0, 1, atOne)
      assert.deepStrictEqual(late.at(4_000_000).resume(), ["job_resumed", "quota_over", "item_started"])
    })

    it("waits longer each time when nobody says until when, and starts anew after a success", () => {
      const job = play(calm, 3)
      const waits: Array<number> = []
      let now = 0
      for (let attempt = 1; attempt <= 4; attempt++) {
        job.fail(0, attempt, quota)
        waits.push(job.wakeAt()! - now)
        now = job.wakeAt()!
        job.at(now).tick()
      }
      assert.deepStrictEqual(
        waits,
        [15, 30, 60, 60].map((minutes) => minutes * 60_000)
      )
      job.succeed(0, 5)
      job.fail(1, 1, quota)
      assert.strictEqual(job.wakeAt()! - now, 15 * 60_000)
    })

    it("does not believe a reset time that is past, nor one beyond all measure", () => {
      const past = play(calm, 1).at(7_200_000)
      past.fail(0, 1, atOne)
      assert.strictEqual(past.wakeAt(), 7_200_000 + 15 * 60_000)
      const far = play(calm, 1)
      far.fail(0, 1, { ...quota, cause: { error_type: "QuotaExceeded", resets_at: "2999-01-01T00:00:00Z" } })
      assert.strictEqual(far.wakeAt(), JobDecision.quotaHorizonMillis)
    })

    it("pauses the job instead when it is not to wait, after what runs is done", () => {
      const job = play({ ...calm, maxParallel: 2, waitsForQuota: false }, 3)
      assert.deepStrictEqual(job.fail(0, 1, atOne), ["item_failed", "quota_reached"])
      assert.deepStrictEqual(job.succeed(1, 1), ["item_completed", "job_paused"])
      assert.strictEqual(job.state().status, "paused")
    })

    it("makes the reduce phase wait too, and runs its step again", () => {
      const policy = { ...calm, reduceSteps: 1 }
      const job = play(policy, 0)
      const wait = job.feed({ _tag: "PhaseFailed", phase: "reduce", failure: atOne, usage: { ...Usage.none, usd: 2 } })
      assert.deepStrictEqual(wait, ["quota_reached"])
      assert.strictEqual(job.state().usage.usd, 2)
      assert.deepStrictEqual(job.at(3_600_000).tick(), ["quota_over"])
      assert.deepStrictEqual(JobDecision.work(job.state(), policy, { type: "quota_over" }), {
        _tag: "RunReduceStep",
        step: 0
      })
    })
  })

  describe("environment", () => {
    const exhausted = Failure.make({ error_type: "ResourceExhausted" }, "No space left.")
    const broken = Failure.make({ error_type: "WorktreeError" }, "git failed.")

    it("puts an item back that met a full disk, and stops the job when that goes on", () => {
      const job = play(calm, 9)
      job.fail(0, 1, exhausted)
      for (const index of [1, 2, 3]) job.fail(index, 1, exhausted)
      assert.deepStrictEqual(job.fail(4, 1, exhausted), ["item_failed", "stopping", "job_failed"])
      assert.deepStrictEqual(new Set(dispositions(job.records)), new Set(["put_back"]))
      assert.strictEqual(job.state().counts.pending, 9)
      assert.strictEqual(job.state().failure?.cause.error_type, "ResourceExhausted")
      assert.include(job.state().failure?.message ?? "", "No space left.")
    })

    it("tries an item that met a full disk again a little later", () => {
      const job = play(calm, 1)
      job.fail(0, 1, exhausted)
      assert.strictEqual(job.wakeAt(), JobDecision.environmentDelayMillis)
      assert.deepStrictEqual(job.at(JobDecision.environmentDelayMillis).tick(), ["item_started"])
    })

    it("waits longer each time for an item that meets a full disk while others do not", () => {
      const job = play({ ...calm, maxParallel: 2 }, 12)
      const delays: Array<number> = []
      let now = 0
      for (let attempt = 1; attempt <= 8; attempt++) {
        job.fail(0, attempt, exhausted)
        const failed = job.records.findLast((record) => record.type === "item_failed")
        delays.push(Date.parse(failed?.type === "item_failed" ? (failed.retry_at ?? "") : "") - now)
        now += delays.at(-1) ?? 0
        job.at(now).succeed(attempt, 1)
      }
      assert.deepStrictEqual(
        delays,
        [1, 2, 4, 8, 16, 32, 32, 32].map((times) => times * JobDecision.environmentDelayMillis)
      )
      assert.strictEqual(job.state().status, "running")
    })

    it("does not make who resumes the job wait for room that may be there by now", () => {
      const job = play({ ...calm, retry: { times: linear, retries: () => true } }, 2)
      job.fail(0, 1, exhausted)
      job.fail(1, 1)
      job.feed({ _tag: "Pause", reason: "test", usage: Usage.none })
      assert.deepStrictEqual(job.resume(), ["job_resumed", "item_started"])
      job.succeed(0, 2)
      assert.strictEqual(job.state().counts.pending, 1)
      assert.strictEqual(job.wakeAt(), 1000)
    })

    it("stops the job when a merge finds no room, and merges after a resume what is done without running it again", () => {
      const job = play({ ...calm, maxParallel: 2 }, 3)
      job.feed({ ...done(0, 1), tip: "a".repeat(40) })
      job.feed({ _tag: "MergeFailed", index: 0, failure: exhausted, kept: {}, durationMillis: 1 })
      assert.strictEqual(job.state().status, "failed")
      assert.deepStrictEqual(job.state().failure, exhausted)
      assert.deepInclude(job.state().counts, { dead_lettered: 0, unmerged: 1, running: 0 })
      assert.deepStrictEqual(job.resume(), ["job_resumed", "merge_started", "item_started"])
      const again = job.records.slice(-3).filter((record) => record.type === "item_started")
      assert.deepStrictEqual(
        again.map((record) => record.type === "item_started" && record.index),
        [1]
      )
    })

    it("stops a job whose git fails for good instead of failing every item of it", () => {
      const job = play(calm, 9)
      for (const index of [0, 1, 2, 3]) job.fail(index, 1, broken)
      assert.strictEqual(job.state().status, "running")
      job.fail(4, 1, broken)
      assert.strictEqual(job.state().status, "failed")
      assert.strictEqual(job.state().stopping?.by, "environment")
      assert.strictEqual(job.state().counts.pending, 4)
    })

    it("goes on when other failures or successes come between", () => {
      const job = play(calm, 20)
      for (let index = 0; index < 20; index++) {
        if (index % 4 === 3) job.succeed(index, 1)
        else job.fail(index, 1, broken)
      }
      assert.strictEqual(job.state().phase, "finish")
    })
  })

  describe("resume", () => {
    it("tries dead-lettered items again when asked, also of a completed job, and leaves reduce as it is", () => {
      const policy = { ...calm, maxParallel: 2, reduceSteps: 1 }
      const job = play(policy, 3)
      job.fail(0, 1)
      job.succeed(1, 1)
      job.succeed(2, 1)
      job.feed({ _tag: "ReduceStepDone", step: 0, variables: {}, usage: Usage.none })
      job.feed({ _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } })
      assert.strictEqual(job.state().status, "completed")
      assert.deepStrictEqual(job.resume(), [])
      assert.deepStrictEqual(job.resume(true), ["items_requeued", "item_started"])
      assert.deepStrictEqual(job.state().counts, { ...JobState.empty.counts, merged: 2, running: 1 })
      assert.deepStrictEqual(job.succeed(0, 2), ["item_completed", "map_completed", "reduce_completed"])
      job.feed({ _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } })
      assert.strictEqual(job.state().status, "completed")
    })

    it("is not possible any more once a job is cancelled", () => {
      const job = play(calm, 2)
      assert.deepStrictEqual(job.feed({ _tag: "Cancel", reason: "enough" }), ["job_cancelled"])
      assert.deepStrictEqual(job.resume(), [])
      assert.deepStrictEqual(job.resume(true), [])
      assert.deepStrictEqual(job.feed({ _tag: "Cancel", reason: "again" }), [])
      assert.strictEqual(job.state().counts.running, 0)
    })
  })

  it("says of a handled item what the handler says, and of others what the policy says", () => {
    const job = play({ ...calm, maxParallel: 2, whenHandled: "skip" }, 2)
    job.feed({ ...failing(0, 1), handled: true })
    job.feed({ ...failing(1, 1), handled: false })
    assert.deepStrictEqual(dispositions(job.records), ["skip", "dead_letter"])
  })

  it("counts what a failed phase cost", () => {
    const job = play({ ...calm, reduceSteps: 1 }, 0)
    job.feed({ _tag: "PhaseFailed", phase: "reduce", failure: commandFailed, usage: { ...Usage.none, usd: 3 } })
    assert.strictEqual(job.state().status, "failed")
    assert.strictEqual(job.state().usage.usd, 3)
  })
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const jobId = JobId.JobId.make("mapreduce-20260101_000000")
const owner = { pid: 1, host: "here", started_at: "1" }
const itemId = (index: number) => ItemId.make(`item_${index}`)
const linear: Retry.Retry = {
  attempts: 3,
  backoff: { kind: "linear", initial_ms: 1000, increment_ms: 500 },
  max_delay_ms: 60_000,
  jitter: 0
}
const calm: JobDecision.Policy = {
  maxParallel: 1,
  reduceSteps: 0,
  retry: null,
  onItemFailure: "dlq",
  whenHandled: null,
  maxFailures: null,
  failureThreshold: null,
  breaker: null,
  waitsForQuota: true
}
const commandFailed = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "it failed")
const conflict = Failure.make({ error_type: "MergeConflict", paths: ["a"] }, "it conflicts")
const quota = Failure.make({ error_type: "QuotaExceeded" }, "no more today")

const failing = (index: number, attempt: number, failure: Failure.Failure = commandFailed) => ({
  _tag: "AttemptFailed" as const,
  index,
  attempt,
  failure,
  kept: {},
  durationMillis: 5,
  usage: Usage.none,
  handled: false
})

/** An attempt that made nothing to merge, unless a tip is given. */
const done = (index: number, attempt: number) => ({
  _tag: "AttemptSucceeded" as const,
  index,
  attempt,
  tip: null,
  branch: null,
  commits: 0,
  durationMillis: 5,
  usage: Usage.none,
  result: null,
  log: null
})

/** A job in its map phase, with a clock to be set; every member gives the types of the records that followed. */
const play = (policy: JobDecision.Policy, total: number) => {
  let state = JobState.empty
  let now = 0
  const records: Array<JobRecord> = []
  const feed = (input: JobDecision.Input): ReadonlyArray<string> => {
    const decision = JobDecision.decide(state, { policy, ids: itemId, now }, input)
    state = decision.state
    records.push(...decision.records)
    return decision.records.map(({ type }) => type)
  }
  feed({ _tag: "Start", jobId, sessionId: SessionId.fromJob(jobId), workflowName: "test", owner })
  feed({ _tag: "SetupDone", variables: {}, usage: Usage.none })
  feed({ _tag: "ItemsSelected", total })
  const job = {
    records,
    feed,
    state: () => state,
    wakeAt: () => JobDecision.wakeAt(state, policy),
    at: (time: number) => {
      now = time
      return job
    },
    tick: () => feed({ _tag: "Tick" }),
    fail: (index: number, attempt: number, failure?: Failure.Failure) => feed(failing(index, attempt, failure)),
    succeed: (index: number, attempt: number) => feed(done(index, attempt)),
    resume: (retryFailed = false) => feed({ _tag: "Resume", owner, retryFailed }),
    retry: (indexes: ReadonlyArray<number>, terms: RetryTerms) => feed({ _tag: "Retry", owner, indexes, terms })
  }
  return job
}

const itemIs = (job: ReturnType<typeof play>, index: number) => JobState.itemAt(job.state(), index)?.is

const dispositions = (records: ReadonlyArray<JobRecord>) =>
  records.flatMap((record) => (record.type === "item_failed" ? [record.disposition] : []))

const started = (records: ReadonlyArray<JobRecord>) =>
  records.flatMap((record) => (record.type === "item_started" ? [[record.index, record.attempt]] : []))
