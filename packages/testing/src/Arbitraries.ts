/**
 * Values for property tests: workflows, items, and what becomes of jobs.
 *
 * Everything made here is valid: a workflow is one for our own parser, a journal fits the state machine, a state can be reached.
 * Where a schema says all there is to say its own arbitrary is taken (`effect/Arbitrary`).
 *
 * @since 0.1.0
 */
import * as JobDecision from "@prodigy/core/domain/JobDecision"
import * as Failure from "@prodigy/core/domain/Failure"
import type { JobRecord, JournalEntry } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import type { Owner } from "@prodigy/core/domain/Owner"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId, type Json, type WorkItem } from "@prodigy/core/domain/WorkItem"
import * as JobEvents from "@prodigy/core/engine/JobEvents"
import type { NewEvent } from "@prodigy/core/storage/EventLog"
import * as Workflow from "@prodigy/core/workflow/Workflow"
import * as Arbitrary from "effect/Arbitrary"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as HashMap from "effect/HashMap"
import * as Samples from "./Samples.ts"

// -----------------------------------------------------------------------------
// workflows
// -----------------------------------------------------------------------------

type Text = Readonly<Record<string, unknown>>

/** Some of the keys of an object, each with a value; the others are not there. */
const some = (keys: Readonly<Record<string, FastCheck.Arbitrary<unknown>>>): FastCheck.Arbitrary<Text> =>
  FastCheck.record(keys, { requiredKeys: [] })

const both = (...parts: ReadonlyArray<FastCheck.Arbitrary<Text>>): FastCheck.Arbitrary<Text> =>
  FastCheck.tuple(...parts).map((all) => Object.assign({}, ...all))

const name = FastCheck.stringMatching(/^[a-z][a-z0-9_]{0,8}$/)
const duration = FastCheck.tuple(FastCheck.integer({ min: 1, max: 90 }), FastCheck.constantFrom("s", "m", "h")).map(
  ([many, unit]) => `${many}${unit}`
)
const count = FastCheck.integer({ min: 1, max: 5 })

const backoff = FastCheck.constantFrom("fixed", "linear", "exponential", "fibonacci")

const retry = some({ attempts: count, backoff, initial_delay: duration, max_delay: duration })

const action: FastCheck.Arbitrary<Text> = FastCheck.oneof(
  FastCheck.constantFrom("true", "echo done", "test -f README.md && cat README.md").map((shell) => ({ shell })),
  FastCheck.constantFrom("Fix the tests.", "/review all of it").map((claude) => ({ claude })),
  name.map((path) => ({ write_file: { path: `${path}.txt`, content: "text" } }))
)

const option = some({
  timeout: duration,
  retry,
  commit_required: FastCheck.boolean(),
  allow_failure: FastCheck.boolean(),
  env: FastCheck.dictionary(FastCheck.stringMatching(/^[A-Z]{1,6}$/), FastCheck.constantFrom("1", "on", "")),
  when: FastCheck.constantFrom("true", "1 < 2", "length('abc') == 3"),
  name: name.map((words) => `the ${words}`)
})

/** What captures has a name of its own. */
const capture = FastCheck.constantFrom("string", "json", "lines", "number", "boolean").chain((format) =>
  name.map((captured) => ({ capture: { name: `captured_${captured}`, format } }))
)

const plainStep = both(action, option)

const step = FastCheck.oneof(
  plainStep,
  both(FastCheck.constant({ shell: "echo 1" }), option, capture),
  both(
    plainStep,
    some({
      on_failure: FastCheck.record({ shell: FastCheck.constant("echo failed"), max_attempts: count }).map(
        ({ max_attempts, shell }) => ({ commands: [{ shell }], max_attempts })
      ),
      on_success: FastCheck.constant({ shell: "echo well" })
    })
  )
)

const steps = FastCheck.array(step, { minLength: 1, maxLength: 4 })

const environment = some({
  description: FastCheck.constantFrom("what it is for", ""),
  env: FastCheck.dictionary(FastCheck.stringMatching(/^[A-Z]{1,6}$/), FastCheck.constantFrom("1", "two words"))
})

const share = FastCheck.integer({ min: 1, max: 100 }).map((percent) => percent / 100)

const policy = some({
  retry,
  on_item_failure: FastCheck.oneof(
    FastCheck.constantFrom("dlq", "skip", "stop", "retry"),
    FastCheck.constantFrom("dlq", "skip", "complete").map((outcome) => ({
      steps: [{ shell: "echo ${error.message}" }],
      outcome
    }))
  ),
  max_failures: count,
  failure_threshold: share,
  circuit_breaker: some({
    failure_threshold: count,
    success_threshold: count,
    timeout: duration,
    half_open_requests: count
  })
})

const selection = some({
  filter: FastCheck.constantFrom("item.n > 1", "n != 2 && n is not null", "not (n in [1, 2])"),
  sort_by: FastCheck.constantFrom("n", "n DESC", "n ASC NULLS FIRST"),
  distinct: FastCheck.constant("n"),
  offset: FastCheck.nat({ max: 3 }),
  max_items: FastCheck.nat({ max: 20 })
})

const map = both(
  FastCheck.array(FastCheck.nat({ max: 9 }), { maxLength: 8 }).map((all) => ({
    input: { items: all.map((n) => ({ n })) }
  })),
  selection,
  policy,
  some({ max_parallel: FastCheck.integer({ min: 1, max: 20 }), auto_commit: FastCheck.boolean() }),
  steps.map((agent_template) => ({ agent_template }))
)

/**
 * Files of MapReduce workflows: JSON, which is YAML too. Phases, retries, failure policies, the circuit breaker, filters and orders,
 * and the options of steps.
 *
 * @since 0.1.0
 * @category workflows
 */
export const mapReduceText: FastCheck.Arbitrary<string> = both(
  name.map((called) => ({ name: called, mode: "mapreduce" })),
  environment,
  some({ setup: steps }),
  map.map((phase) => ({ map: phase })),
  some({ reduce: steps })
).map((file) => JSON.stringify(file, null, 1))

/**
 * Files of standard workflows.
 *
 * @since 0.1.0
 * @category workflows
 */
export const standardText: FastCheck.Arbitrary<string> = both(
  name.map((called) => ({ name: called })),
  environment,
  steps.map((commands) => ({ commands }))
).map((file) => JSON.stringify(file, null, 1))

/**
 * Circuit breakers, as their schema has them.
 *
 * @since 0.1.0
 * @category workflows
 */
export const circuitBreaker: FastCheck.Arbitrary<Workflow.CircuitBreaker> = Arbitrary.make(Workflow.CircuitBreaker)

// -----------------------------------------------------------------------------
// items
// -----------------------------------------------------------------------------

const json = FastCheck.jsonValue({ maxDepth: 2 }).map((value): Json => JSON.parse(JSON.stringify(value)))

/**
 * Items as they are selected: indexes from 0, ids that differ, data of any shape.
 *
 * @since 0.1.0
 * @category items
 */
export const items: FastCheck.Arbitrary<ReadonlyArray<WorkItem>> = FastCheck.array(json, { maxLength: 12 }).map((all) =>
  all.map((data, index) => ({ index, id: ItemId.make(`item_${index}`), data }))
)

// -----------------------------------------------------------------------------
// jobs
// -----------------------------------------------------------------------------

/**
 * What a job went through: its journal, the state after it, the policy by which it was decided, and the events that tell of it.
 *
 * @since 0.1.0
 * @category models
 */
export interface History {
  readonly policy: JobDecision.Policy
  readonly entries: ReadonlyArray<JournalEntry>
  readonly state: JobState.JobState
  readonly events: ReadonlyArray<NewEvent>
}

const policies: FastCheck.Arbitrary<JobDecision.Policy> = FastCheck.record({
  maxParallel: count,
  reduceSteps: FastCheck.nat({ max: 3 }),
  retry: FastCheck.option(
    count.map((attempts) => ({
      times: { attempts, backoff: { kind: "fixed" as const, delay_ms: 1000 }, max_delay_ms: 60_000, jitter: 0 },
      retries: () => true
    }))
  ),
  onItemFailure: FastCheck.constantFrom("dlq", "skip", "stop"),
  whenHandled: FastCheck.constantFrom(null, "dlq", "skip"),
  maxFailures: FastCheck.option(count),
  failureThreshold: FastCheck.option(share),
  breaker: FastCheck.option(
    FastCheck.record({
      failureThreshold: count,
      successThreshold: count,
      timeoutMillis: FastCheck.integer({ min: 1, max: 100_000 }),
      halfOpenRequests: count
    })
  ),
  waitsForQuota: FastCheck.boolean()
})

const failures: ReadonlyArray<Failure.Cause> = [
  { error_type: "CommandFailed", exit_code: 1 },
  { error_type: "Timeout", timeout_ms: 1000, scope: "step" },
  { error_type: "QuotaExceeded" },
  { error_type: "ResourceExhausted" },
  { error_type: "WorktreeError" },
  { error_type: "Unknown" }
]

const commit = "0123456789abcdef0123456789abcdef01234567"
const owner: Owner = { pid: 1, host: "host", started_at: "1" }
const start = Date.UTC(2026, 0, 2, 3, 4, 5)

/** What can come next, the most likely of it more than once. */
const inputs = (state: JobState.JobState, total: number): ReadonlyArray<JobDecision.Input> => {
  const usage = Usage.none
  const failure = (cause: Failure.Cause) => Failure.make(cause, `it is ${cause.error_type}`)
  if (state.status === "new")
    return [
      {
        _tag: "Start",
        jobId: Samples.jobId(),
        sessionId: SessionId.fromJob(Samples.jobId()),
        workflowName: "any",
        owner
      }
    ]
  if (state.status !== "running")
    return [
      { _tag: "Resume", owner, retryFailed: false },
      { _tag: "Resume", owner, retryFailed: true }
    ]
  const always: ReadonlyArray<JobDecision.Input> = [
    { _tag: "Tick" },
    { _tag: "Pause", reason: "interrupted", usage },
    { _tag: "Resume", owner, retryFailed: false }
  ]
  const ended = { durationMillis: 5, usage }
  const attempts = [...HashMap.entries(state.items)].flatMap(([index, item]): ReadonlyArray<JobDecision.Input> => {
    if (item.is === "merging")
      return [
        { _tag: "Merged", index, commit },
        { _tag: "Merged", index, commit },
        {
          _tag: "MergeFailed",
          index,
          failure: failure({ error_type: "MergeConflict", paths: ["a"] }),
          kept: {},
          durationMillis: 1
        }
      ]
    if (item.is !== "running") return []
    const { attempt } = item
    const work = { index, attempt, ...ended }
    const success = { _tag: "AttemptSucceeded" as const, ...work, result: null, log: null }
    return [
      { ...success, tip: commit, branch: "b", commits: 1 },
      { ...success, tip: commit, branch: "b", commits: 2 },
      { ...success, tip: null, branch: null, commits: 0 },
      ...failures.map((cause) => ({
        _tag: "AttemptFailed" as const,
        ...work,
        failure: failure(cause),
        kept: {},
        handled: index % 2 === 0
      }))
    ]
  })
  const failed = (phase: typeof state.phase): JobDecision.Input => ({
    _tag: "PhaseFailed",
    phase,
    failure: failure(failures[0]!),
    usage
  })
  switch (state.phase) {
    case "setup":
      return [{ _tag: "SetupDone", variables: { a: "b" }, usage }, failed("setup"), ...always]
    case "select":
      return [{ _tag: "ItemsSelected", total }, ...always]
    case "map":
      return [...attempts, ...always]
    case "reduce":
      return [
        { _tag: "ReduceStepDone", step: state.reduce_steps_done, variables: {}, usage },
        failed("reduce"),
        ...always
      ]
    case "finish":
      return [{ _tag: "Finished", finish: { outcome: "merged", target: "main", commit } }, failed("finish"), ...always]
  }
}

/** Goes on from choice to choice. */
const walk = (options: {
  readonly policy: JobDecision.Policy
  readonly total: number
  readonly choices: ReadonlyArray<number>
}): History => {
  const { choices, policy, total } = options
  const entries: Array<JournalEntry> = []
  const events: Array<NewEvent> = []
  let state = JobState.empty
  let now = start
  for (const choice of choices) {
    // Half of the time nothing happens until something is due.
    const wake = JobDecision.wakeAt(state, policy)
    now = choice % 2 === 0 && wake !== undefined ? Math.max(now, wake) : now + (choice % 5000)
    const possible = inputs(state, total)
    const input = possible[choice % possible.length]!
    const circumstances = { policy, ids: (index: number) => ItemId.make(`item_${index}`), now }
    for (const record of JobDecision.decide(state, circumstances, input).records) {
      const entry = entryOf(record, entries.length + 1, now)
      state = Either.getOrThrow(JobState.apply(state, record))
      entries.push(entry)
      const times = { times: { job: start, phase: start }, now, maxParallel: policy.maxParallel }
      events.push(...JobEvents.fromEntry(entry, state, { ...times, setupSteps: 1, reduceSteps: policy.reduceSteps }))
    }
  }
  return { policy, entries, state, events }
}

const entryOf = (record: JobRecord, seq: number, now: number): JournalEntry => ({
  v: 1,
  seq,
  at: Timestamp.fromMillis(now),
  record
})

/**
 * Histories of jobs, as `JobDecision` decides them: failures of all kinds, retries, quota, the breaker, pauses, dead owners,
 * dead letters tried again.
 *
 * @since 0.1.0
 * @category jobs
 */
export const history: FastCheck.Arbitrary<History> = FastCheck.record({
  policy: policies,
  total: FastCheck.nat({ max: 12 }),
  choices: FastCheck.array(FastCheck.nat({ max: 1_000_000 }), { minLength: 1, maxLength: 120 })
}).map(walk)

/**
 * Journals of jobs.
 *
 * @since 0.1.0
 * @category jobs
 */
export const journal: FastCheck.Arbitrary<ReadonlyArray<JournalEntry>> = history.map(({ entries }) => entries)

/**
 * States that a job can be in.
 *
 * @since 0.1.0
 * @category jobs
 */
export const state: FastCheck.Arbitrary<JobState.JobState> = history.map((one) => one.state)
