import { assert, describe, it } from "@effect/vitest"
import * as Failure from "@prodigy/core/domain/Failure"
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
    const first = JobState.decide(started, policy, itemId, success(0, 1))
    const again = JobState.decide(first.state, policy, itemId, success(0, 1))
    assert.isAbove(first.records.length, 0)
    assert.deepStrictEqual(again.records, [])
    assert.deepStrictEqual(JobState.decide(started, policy, itemId, success(1, 7)).records, [])
  })

  it("starts an interrupted item again as the next attempt, before new ones", () => {
    const policy = { ...calm, maxParallel: 2 }
    const started = drive(policy, 5)
    const paused = JobState.decide(started, policy, itemId, { _tag: "Pause", reason: "Ctrl-C" })
    assert.strictEqual(paused.state.counts.running, 0)
    assert.strictEqual(paused.state.counts.pending, 5)
    const resumed = JobState.decide(paused.state, policy, itemId, { _tag: "Resume", owner })
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
    const failed = JobState.decide(drive(policy, 5), policy, itemId, failure(0, 1))
    assert.strictEqual(failed.state.status, "running")
    assert.strictEqual(failed.state.counts.running, 1)
    const done = JobState.decide(failed.state, policy, itemId, { ...success(1, 1), tip: null })
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
    const one = JobState.decide(drive(byCount, 20), byCount, itemId, failure(0, 1))
    assert.isNull(one.state.stopping)
    const two = JobState.decide(one.state, byCount, itemId, failure(1, 1))
    assert.strictEqual(two.state.stopping, "2 items failed and the workflow says max_failures: 2.")
    const first = { ...byCount, maxFailures: 1 }
    const stopped = JobState.decide(drive(first, 20), first, itemId, failure(0, 1))
    assert.strictEqual(stopped.state.stopping, "1 item failed and the workflow says max_failures: 1.")

    const byShare = { ...calm, maxParallel: 20, failureThreshold: 0.3 }
    let state = drive(byShare, 20)
    for (let index = 0; index < 9; index++) {
      state = JobState.decide(state, byShare, itemId, failure(index, 1)).state
      assert.isNull(state.stopping)
    }
    state = JobState.decide(state, byShare, itemId, failure(9, 1)).state
    assert.include(state.stopping ?? "", "failure_threshold: 0.3")
  })

  it("gives the work of a decision once, and again after a resume", () => {
    const policy = { ...calm, maxParallel: 2, reduceSteps: 1 }
    const { records, state } = decideFrom(policy, 1)
    const tags = (list: ReadonlyArray<JobRecord>) => {
      let now = JobState.empty
      return list.flatMap((record) => {
        now = Either.getOrThrow(JobState.apply(now, record))
        const work = JobState.work(now, policy, record)
        return work === undefined ? [] : [work._tag]
      })
    }
    assert.deepStrictEqual(tags(records), ["RunSetup", "SelectItems", "RunAttempt"])
    const completed = JobState.decide(state, policy, itemId, success(0, 1))
    const paused = JobState.decide(completed.state, policy, itemId, { _tag: "Pause", reason: "test" })
    const resumed = JobState.decide(paused.state, policy, itemId, { _tag: "Resume", owner })
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
const calm: JobState.Policy = {
  maxParallel: 1,
  reduceSteps: 0,
  onItemFailure: "dlq",
  maxFailures: null,
  failureThreshold: null
}
const encode = Schema.encodeSync(JobState.JobState)
const anyRecord = Arbitrary.make(JobRecord)

const failed = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "it failed")
const failure = (index: number, attempt: number): JobState.Input => ({
  _tag: "AttemptFailed",
  index,
  attempt,
  failure: failed,
  kept: {},
  durationMillis: 5,
  usage: Usage.none
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

const start: JobState.Input = {
  _tag: "Start",
  jobId,
  sessionId: SessionId.fromJob(jobId),
  workflowName: "test",
  owner
}

/** A job with its map phase under way. */
const decideFrom = (policy: JobState.Policy, total: number) => {
  const inputs: ReadonlyArray<JobState.Input> = [
    start,
    { _tag: "SetupDone", variables: {}, usage: Usage.none },
    { _tag: "ItemsSelected", total }
  ]
  let state = JobState.empty
  const records: Array<JobRecord> = []
  for (const input of inputs) {
    const decision = JobState.decide(state, policy, itemId, input)
    state = decision.state
    records.push(...decision.records)
  }
  return { state, records }
}
const drive = (policy: JobState.Policy, total: number) => decideFrom(policy, total).state

interface Scenario {
  readonly total: number
  readonly policy: JobState.Policy
  /** Consumed one per step: which piece of outstanding work answers, and how. */
  readonly choices: ReadonlyArray<number>
}

const scenario: FastCheck.Arbitrary<Scenario> = FastCheck.record({
  total: FastCheck.nat(14),
  policy: FastCheck.record({
    maxParallel: FastCheck.integer({ min: 1, max: 5 }),
    reduceSteps: FastCheck.nat(3),
    onItemFailure: FastCheck.constantFrom("dlq", "skip", "stop"),
    maxFailures: FastCheck.option(FastCheck.integer({ min: 1, max: 5 })),
    failureThreshold: FastCheck.option(FastCheck.double({ min: 0, max: 1, noNaN: true }))
  }),
  choices: FastCheck.array(FastCheck.nat(9999), { minLength: 1, maxLength: 80 })
})

/** Plays the world: answers outstanding work in random order, fails some, interrupts and resumes now and then. */
const simulate = (script: Scenario, stepsMax = Number.POSITIVE_INFINITY) => {
  let state = JobState.empty
  let outstanding: Array<JobState.Work> = []
  const records: Array<JobRecord> = []
  const feed = (input: JobState.Input) => {
    let at = state
    const decision = JobState.decide(state, script.policy, itemId, input)
    for (const record of decision.records) {
      at = Either.getOrThrow(JobState.apply(at, record))
      const work = JobState.work(at, script.policy, record)
      if (work !== undefined) outstanding.push(work)
    }
    assert.deepStrictEqual(encode(at), encode(decision.state))
    state = decision.state
    records.push(...decision.records)
    checkInvariants(state, script.policy)
  }
  feed(start)
  for (let step = 0; outstanding.length > 0 && step < stepsMax; step++) {
    assert.isBelow(step, 2000, "the job does not come to an end")
    const choice = script.choices[step % script.choices.length]! + step
    // Interruptions stop after a while so that every script ends.
    if (choice % 11 === 0 && step < 200) {
      if (choice % 2 === 0) feed({ _tag: "Pause", reason: "test" })
      outstanding = []
      feed({ _tag: "Resume", owner })
      continue
    }
    const [work] = outstanding.splice(choice % outstanding.length, 1)
    feed(answer(work!, choice, script))
  }
  return { state, records }
}

const answer = (work: JobState.Work, choice: number, script: Scenario): JobState.Input => {
  switch (work._tag) {
    case "RunSetup":
      return { _tag: "SetupDone", variables: { a: choice }, usage: Usage.none }
    case "SelectItems":
      return { _tag: "ItemsSelected", total: script.total }
    case "RunAttempt":
      if (choice % 5 === 0) return failure(work.index, work.attempt)
      return choice % 7 === 0
        ? { ...success(work.index, work.attempt), tip: null, branch: null }
        : success(work.index, work.attempt)
    case "Integrate":
      return choice % 6 === 0
        ? { _tag: "MergeFailed", index: work.index, failure: failed, kept: {} }
        : { _tag: "Merged", index: work.index, commit: "b".repeat(40) }
    case "RunReduceStep":
      return { _tag: "ReduceStepDone", step: work.step, variables: {}, usage: Usage.none }
    case "Finish":
      return { _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } }
  }
}

const itemIs = (state: JobState.JobState, index: number) =>
  HashMap.get(state.items, index).pipe((item) => (item._tag === "Some" ? item.value.is : "pending"))

const mergedItems = (state: JobState.JobState) =>
  [...HashMap.entries(state.items)].flatMap(([index, item]) => (item.is === "merged" ? [index] : []))

const checkCounts = (state: JobState.JobState) => {
  if (state.total === null) return
  const { dead_lettered, merged, pending, running, skipped, unmerged } = state.counts
  assert.strictEqual(pending + running + unmerged + merged + dead_lettered + skipped, state.total)
}

const checkInvariants = (state: JobState.JobState, policy: JobState.Policy) => {
  checkCounts(state)
  const actual = { pending: 0, running: 0, unmerged: 0, merged: 0, dead_lettered: 0, skipped: 0 }
  for (let index = 0; index < (state.total ?? 0); index++) {
    const is = itemIs(state, index)
    actual[is === "completed" || is === "merging" ? "unmerged" : is] += 1
  }
  if (state.total !== null) assert.deepStrictEqual(actual, { ...state.counts })
  assert.isAtMost(state.counts.running + state.counts.unmerged, policy.maxParallel)
  const queued = Chunk.toReadonlyArray(state.merge_queue)
  assert.strictEqual(new Set(queued).size, queued.length)
  for (const index of queued) assert.strictEqual(itemIs(state, index), "completed")
  const merging = state.merging === null ? 0 : 1
  assert.strictEqual(queued.length + merging, state.counts.unmerged)
}
