import { assert, describe, it } from "@effect/vitest"
import * as Failure from "@prodigy/core/domain/Failure"
import * as JobDecision from "@prodigy/core/domain/JobDecision"
import * as JobId from "@prodigy/core/domain/JobId"
import { JobRecord } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as Arbitrary from "effect/Arbitrary"
import * as Chunk from "effect/Chunk"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as HashMap from "effect/HashMap"
import * as Schema from "effect/Schema"

describe("JobState", () => {
  it("takes every item of a job to its end, each in one place, whatever fails and wherever it is interrupted", () => {
    FastCheck.assert(
      FastCheck.property(scenario, (script) => {
        const run = simulate(script)
        checkInvariants(run.state, script.policy)
        if (run.state.status === "completed") {
          const { dead_lettered, merged, skipped } = run.state.counts
          assert.strictEqual(dead_lettered + merged + skipped, script.total)
          assert.strictEqual(run.state.reduce_steps_done, script.policy.reduceSteps)
        } else {
          assert.strictEqual(run.state.status, "failed")
          assert.isNotNull(run.state.stopping)
        }
      }),
      { numRuns: 400 }
    )
  })

  it("gives the same state when its records are replayed", () => {
    FastCheck.assert(
      FastCheck.property(scenario, (script) => {
        const run = simulate(script)
        const replayed = run.records.reduce(
          (state, record) => Either.getOrThrow(JobState.apply(state, record)),
          JobState.empty
        )
        assert.deepStrictEqual(encode(replayed), encode(run.state))
      }),
      { numRuns: 200 }
    )
  })

  it("reads back from a checkpoint what was written", () => {
    FastCheck.assert(
      FastCheck.property(scenario, FastCheck.nat(60), (script, steps) => {
        const { state } = simulate(script, steps)
        assert.deepStrictEqual(encode(Schema.decodeUnknownSync(JobState.JobState)(encode(state))), encode(state))
      }),
      { numRuns: 100 }
    )
  })

  it("answers any record in any state with a state or a reason, and never takes an item out of merged", () => {
    FastCheck.assert(
      FastCheck.property(
        scenario,
        FastCheck.nat(60),
        FastCheck.array(anyRecord, { maxLength: 20 }),
        (script, steps, noise) => {
          let { state } = simulate(script, steps)
          for (const record of noise) {
            const merged = mergedItems(state)
            const next = JobState.apply(state, record)
            if (Either.isLeft(next)) {
              assert.strictEqual(next.left.seq, state.seq + 1)
              continue
            }
            state = next.right
            checkCounts(state)
            for (const index of merged) assert.strictEqual(itemIs(state, index), "merged")
          }
        }
      ),
      { numRuns: 300 }
    )
  })

  it("ignores facts that are out of date", () => {
    const policy = { ...calm, maxParallel: 2 }
    const started = drive(policy, 3)
    const first = decide(started, policy, success(0, 1))
    const again = decide(first.state, policy, success(0, 1))
    assert.isAbove(first.records.length, 0)
    assert.deepStrictEqual(again.records, [])
    assert.deepStrictEqual(decide(started, policy, success(1, 7)).records, [])
  })

  it("starts an interrupted item again as the next attempt, before new ones", () => {
    const policy = { ...calm, maxParallel: 2 }
    const started = drive(policy, 5)
    const paused = decide(started, policy, { _tag: "Pause", reason: "Ctrl-C", usage: Usage.none })
    assert.strictEqual(paused.state.counts.running, 0)
    assert.strictEqual(paused.state.counts.pending, 5)
    const resumed = decide(paused.state, policy, { _tag: "Resume", owner, retryFailed: false })
    const starts = resumed.records.flatMap((record) =>
      record.type === "item_started" ? [[record.index, record.attempt]] : []
    )
    assert.deepStrictEqual(starts, [
      [0, 2],
      [1, 2]
    ])
  })

  it("stops a job at on_item_failure: stop, lets running agents finish, and says why", () => {
    const policy = { ...calm, maxParallel: 2, onItemFailure: "stop" } as const
    const failed = decide(drive(policy, 5), policy, failure(0, 1))
    assert.strictEqual(failed.state.status, "running")
    assert.strictEqual(failed.state.counts.running, 1)
    const done = decide(failed.state, policy, { ...success(1, 1), tip: null })
    assert.strictEqual(done.state.status, "failed")
    assert.include(done.state.failure?.message ?? "", "on_item_failure: stop")
    assert.deepStrictEqual(done.state.counts, {
      pending: 3,
      running: 0,
      unmerged: 0,
      merged: 1,
      dead_lettered: 1,
      skipped: 0
    })
  })

  it("stops at max_failures and at failure_threshold, the latter only after ten items", () => {
    const byCount = { ...calm, maxParallel: 20, maxFailures: 2 }
    const one = decide(drive(byCount, 20), byCount, failure(0, 1))
    assert.isNull(one.state.stopping)
    const two = decide(one.state, byCount, failure(1, 1))
    assert.strictEqual(two.state.stopping?.reason, "2 items failed and the workflow says max_failures: 2.")
    const first = { ...byCount, maxFailures: 1 }
    const stopped = decide(drive(first, 20), first, failure(0, 1))
    assert.strictEqual(stopped.state.stopping?.reason, "1 item failed and the workflow says max_failures: 1.")

    const byShare = { ...calm, maxParallel: 20, failureThreshold: 0.3 }
    let state = drive(byShare, 20)
    for (let index = 0; index < 9; index++) {
      state = decide(state, byShare, failure(index, 1)).state
      assert.isNull(state.stopping)
    }
    state = decide(state, byShare, failure(9, 1)).state
    assert.include(state.stopping?.reason ?? "", "failure_threshold: 0.3")
  })

  it("gives the work of a decision once, and again after a resume", () => {
    const policy = { ...calm, maxParallel: 2, reduceSteps: 1 }
    const { records, state } = decideFrom(policy, 1)
    const tags = (list: ReadonlyArray<JobRecord>) => {
      let now = JobState.empty
      return list.flatMap((record) => {
        now = Either.getOrThrow(JobState.apply(now, record))
        const work = JobDecision.work(now, policy, record)
        return work === undefined ? [] : [work._tag]
      })
    }
    assert.deepStrictEqual(tags(records), ["RunSetup", "SelectItems", "RunAttempt"])
    const completed = decide(state, policy, success(0, 1))
    const paused = decide(completed.state, policy, { _tag: "Pause", reason: "test", usage: Usage.none })
    const resumed = decide(paused.state, policy, { _tag: "Resume", owner, retryFailed: false })
    assert.deepStrictEqual(tags([...records, ...completed.records, ...paused.records, ...resumed.records]).slice(3), [
      "Integrate",
      "Integrate"
    ])
  })
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const jobId = JobId.JobId.make("mapreduce-20260101_000000")
const owner = { pid: 1, host: "here", started_at: "1" }
const itemId = (index: number) => ItemId.make(`item_${index}`)
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
const decide = (state: JobState.JobState, policy: JobDecision.Policy, input: JobDecision.Input, now = 0) =>
  JobDecision.decide(state, { policy, ids: itemId, now }, input)
const encode = Schema.encodeSync(JobState.JobState)
const anyRecord = Arbitrary.make(JobRecord)

const failed = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "it failed")
const conflict = Failure.make({ error_type: "MergeConflict", paths: ["a"] }, "it conflicts")
const quota = Failure.make({ error_type: "QuotaExceeded" }, "no more today")
const exhausted = Failure.make({ error_type: "ResourceExhausted" }, "no space left")
const failure = (index: number, attempt: number) => ({
  _tag: "AttemptFailed" as const,
  index,
  attempt,
  failure: failed,
  kept: {},
  durationMillis: 5,
  usage: Usage.none,
  handled: false
})
const success = (index: number, attempt: number) =>
  ({
    _tag: "AttemptSucceeded",
    index,
    attempt,
    tip: "a".repeat(40),
    branch: `agent-${index}`,
    commits: 1,
    durationMillis: 5,
    usage: Usage.none,
    result: null,
    log: null
  }) as const

const start: JobDecision.Input = {
  _tag: "Start",
  jobId,
  sessionId: SessionId.fromJob(jobId),
  workflowName: "test",
  owner
}

/** A job with its map phase under way. */
const decideFrom = (policy: JobDecision.Policy, total: number) => {
  const inputs: ReadonlyArray<JobDecision.Input> = [
    start,
    { _tag: "SetupDone", variables: {}, usage: Usage.none },
    { _tag: "ItemsSelected", total }
  ]
  let state = JobState.empty
  const records: Array<JobRecord> = []
  for (const input of inputs) {
    const decision = decide(state, policy, input)
    state = decision.state
    records.push(...decision.records)
  }
  return { state, records }
}
const drive = (policy: JobDecision.Policy, total: number) => decideFrom(policy, total).state

interface Scenario {
  readonly total: number
  readonly policy: JobDecision.Policy
  /** Consumed one per step: which piece of outstanding work answers, and how. */
  readonly choices: ReadonlyArray<number>
}

const scenario: FastCheck.Arbitrary<Scenario> = FastCheck.record({
  total: FastCheck.nat(14),
  policy: FastCheck.record({
    maxParallel: FastCheck.integer({ min: 1, max: 5 }),
    reduceSteps: FastCheck.nat(3),
    retry: FastCheck.option(
      FastCheck.record({
        times: FastCheck.record({
          attempts: FastCheck.integer({ min: 1, max: 4 }),
          backoff: FastCheck.record({
            kind: FastCheck.constant("exponential" as const),
            initial_ms: FastCheck.nat(5000),
            multiplier: FastCheck.constantFrom(1, 2)
          }),
          max_delay_ms: FastCheck.nat(60_000),
          jitter: FastCheck.constantFrom(0, 0.3, 1)
        }),
        retries: FastCheck.constantFrom(
          () => true,
          (failure: Failure.Failure) => failure.cause.error_type !== "CommandFailed"
        )
      })
    ),
    onItemFailure: FastCheck.constantFrom("dlq", "skip", "stop"),
    whenHandled: FastCheck.constantFrom(null, "dlq", "skip"),
    breaker: FastCheck.option(
      FastCheck.record({
        failureThreshold: FastCheck.integer({ min: 1, max: 4 }),
        successThreshold: FastCheck.integer({ min: 1, max: 3 }),
        timeoutMillis: FastCheck.nat(60_000),
        halfOpenRequests: FastCheck.integer({ min: 1, max: 3 })
      })
    ),
    waitsForQuota: FastCheck.boolean(),
    maxFailures: FastCheck.option(FastCheck.integer({ min: 1, max: 5 })),
    failureThreshold: FastCheck.option(FastCheck.double({ min: 0, max: 1, noNaN: true }))
  }),
  choices: FastCheck.array(FastCheck.nat(9999), { minLength: 1, maxLength: 80 })
})

/**
 * Plays the world: answers outstanding work in random order, fails some, interrupts and resumes now and then, and lets
 * time pass when nothing else can happen.
 */
const simulate = (script: Scenario, stepsMax = Number.POSITIVE_INFINITY) => {
  let state = JobState.empty
  let now = Date.UTC(2026, 0, 1)
  let outstanding: Array<JobDecision.Work> = []
  const records: Array<JobRecord> = []
  const feed = (input: JobDecision.Input) => {
    let at = state
    const decision = decide(state, script.policy, input, now)
    for (const record of decision.records) {
      if (record.type === "item_started") assert.isTrue(JobState.mayStart(at, record.index))
      at = Either.getOrThrow(JobState.apply(at, record))
      const work = JobDecision.work(at, script.policy, record)
      if (work !== undefined) outstanding.push(work)
    }
    assert.deepStrictEqual(encode(at), encode(decision.state))
    state = decision.state
    records.push(...decision.records)
    checkInvariants(state, script.policy)
  }
  feed(start)
  for (let step = 0; step < stepsMax; step++) {
    assert.isBelow(step, 2000, "the job does not come to an end")
    const choice = script.choices[step % script.choices.length]! + step
    // Interruptions stop after a while so that every script ends.
    if (choice % 11 === 0 && step < 200 && state.status === "running") {
      if (choice % 2 === 0) feed({ _tag: "Pause", reason: "test", usage: Usage.none })
      outstanding = []
      now += choice
      const indexes = failedItems(state).filter((index) => (index + choice) % 2 === 0)
      const before = state
      if (choice % 5 === 0) feed({ _tag: "Retry", owner, indexes, terms })
      if (state === before) feed({ _tag: "Resume", owner, retryFailed: choice % 3 === 0 })
      continue
    }
    if (state.status === "paused") {
      // For its quota, or for somebody to go on with what is not part of a retry that is over.
      if (state.quota === null) assert.isUndefined(state.retry)
      else now = Math.max(now, Date.parse(state.quota.until))
      feed({ _tag: "Resume", owner, retryFailed: false })
    } else if (outstanding.length > 0) {
      const [work] = outstanding.splice(choice % outstanding.length, 1)
      feed(answer(work!, choice, script, step))
    } else if (state.status === "running") {
      const wake = JobDecision.wakeAt(state, script.policy)
      assert.isDefined(wake, "nothing is under way and nothing will ever be")
      assert.isAbove(wake!, now, "time that has come is acted on at once")
      now = wake!
      const before = records.length
      feed({ _tag: "Tick" })
      assert.isAbove(records.length, before, "something follows when the time has come")
    } else break
  }
  return { state, records }
}

const answer = (work: JobDecision.Work, choice: number, script: Scenario, step: number): JobDecision.Input => {
  switch (work._tag) {
    case "RunSetup":
      return { _tag: "SetupDone", variables: { a: choice }, usage: Usage.none }
    case "SelectItems":
      return { _tag: "ItemsSelected", total: script.total }
    case "RunAttempt": {
      const failing = failure(work.index, work.attempt)
      // Quota and environment are no failures of an item: they stop after a while so that every script ends.
      if (choice % 13 === 0 && step < 200) return { ...failing, failure: quota }
      if (choice % 17 === 0 && step < 200) return { ...failing, failure: exhausted }
      if (choice % 5 === 0) return { ...failing, handled: choice % 2 === 0 }
      return choice % 7 === 0
        ? { ...success(work.index, work.attempt), tip: null, branch: null }
        : success(work.index, work.attempt)
    }
    case "Integrate":
      return choice % 6 === 0
        ? { _tag: "MergeFailed", index: work.index, failure: conflict, kept: {}, durationMillis: 7 }
        : { _tag: "Merged", index: work.index, commit: "b".repeat(40) }
    case "RunReduceStep":
      return choice % 19 === 0 && step < 200
        ? { _tag: "PhaseFailed", phase: "reduce", failure: quota, usage: Usage.none }
        : { _tag: "ReduceStepDone", step: work.step, variables: {}, usage: Usage.none }
    case "Finish":
      return { _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } }
  }
}

const itemIs = (state: JobState.JobState, index: number) =>
  HashMap.get(state.items, index).pipe((item) => (item._tag === "Some" ? item.value.is : "pending"))

const terms = { filter: null, max_parallel: 1, agent_timeout_ms: null, reduce: false }

const failedItems = (state: JobState.JobState) =>
  [...HashMap.entries(state.items)].flatMap(([index, item]) => (item.is === "dead_lettered" ? [index] : []))

const mergedItems = (state: JobState.JobState) =>
  [...HashMap.entries(state.items)].flatMap(([index, item]) => (item.is === "merged" ? [index] : []))

const checkCounts = (state: JobState.JobState) => {
  if (state.total === null) return
  const { dead_lettered, merged, pending, running, skipped, unmerged } = state.counts
  assert.strictEqual(pending + running + unmerged + merged + dead_lettered + skipped, state.total)
}

const checkInvariants = (state: JobState.JobState, policy: JobDecision.Policy) => {
  checkCounts(state)
  const actual = { pending: 0, running: 0, unmerged: 0, merged: 0, dead_lettered: 0, skipped: 0 }
  for (let index = 0; index < (state.total ?? 0); index++) {
    const is = itemIs(state, index)
    actual[is === "completed" || is === "merging" ? "unmerged" : is] += 1
  }
  if (state.total !== null) assert.deepStrictEqual(actual, { ...state.counts })
  assert.isAtMost(state.counts.running + state.counts.unmerged, policy.maxParallel)
  const waiting = [...state.requeued, ...[...state.delayed].map((delayed) => delayed.index)]
  assert.strictEqual(new Set(waiting).size, waiting.length)
  for (const index of waiting) assert.strictEqual(itemIs(state, index), "pending")
  if (state.total !== null) assert.strictEqual(waiting.length + state.total - state.next, state.counts.pending)
  const queued = Chunk.toReadonlyArray(state.merge_queue)
  assert.strictEqual(new Set(queued).size, queued.length)
  for (const index of queued) assert.strictEqual(itemIs(state, index), "completed")
  const merging = state.merging === null ? 0 : 1
  assert.strictEqual(queued.length + merging, state.counts.unmerged)
}
