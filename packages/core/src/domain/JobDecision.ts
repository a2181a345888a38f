/**
 * What follows from what: a pure state machine around `JobState`.
 *
 * `decide` turns a fact from the world into the records that follow from it; `work` says what the engine has to do because
 * of a record; `wakeAt` when it has to ask again although nothing happened. The time is given by the caller; no clock, no
 * randomness, no IO. Resuming a job is folding its journal and deciding on `Resume`; nothing else is special about it.
 *
 * A failed attempt is answered in this order:
 * 1. **Quota**: not the item's failure. The item goes back, the whole job waits until the quota is there again.
 * 2. **Environment**: no disk space, memory or files left is not the item's failure either: it goes back, to be tried again a
 *    little later; work that is done and cannot be merged for want of room stays done, and the job stops. Git that fails for
 *    another reason is the item's failure. When `environmentFailuresMax` attempts in a row met either, without
 *    anything else between, the job stops: the next item would fare no better.
 * 3. **Retry**: while attempts are left the item is tried again after its delay, from a clean worktree.
 * 4. **`on_item_failure`**, and then the thresholds, which may stop the job.
 *
 * The circuit breaker (`closed`, `open`, `half_open` as M. Nygard describes them in "Release It!") only holds items back.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as DateTime from "effect/DateTime"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as AgentId from "./AgentId.ts"
import type { Kept } from "./DeadLetter.ts"
import * as Failure from "./Failure.ts"
import type { JobId } from "./JobId.ts"
import type { Disposition, Finish, JobRecord, Phase, RetryTerms, Variables } from "./JobRecord.ts"
import { apply, type Delayed, isDrained, isRetryOver, itemAt, type JobState, mayStart } from "./JobState.ts"
import type { Owner } from "./Owner.ts"
import * as Retry from "./Retry.ts"
import type { SessionId } from "./SessionId.ts"
import * as Timestamp from "./Timestamp.ts"
import * as Usage from "./Usage.ts"
import type { ItemId, Json } from "./WorkItem.ts"

/**
 * What a job does on failure and how wide it runs: the part of a workflow that decisions depend on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  readonly maxParallel: number
  readonly reduceSteps: number
  /** How often an item is tried; null: once. */
  readonly retry: { readonly times: Retry.Retry; readonly retries: (failure: Failure.Failure) => boolean } | null
  readonly onItemFailure: "dlq" | "skip" | "stop"
  /** What becomes of a failed item after a handler that succeeded; null: as without one. */
  readonly whenHandled: "dlq" | "skip" | null
  /** Stop when this many items have failed. */
  readonly maxFailures: number | null
  /** Stop when this share (0 to 1) of at least 10 ended items has failed. */
  readonly failureThreshold: number | null
  readonly breaker: {
    /** Failures in a row that open it. */
    readonly failureThreshold: number
    /** Successes that close it again. */
    readonly successThreshold: number
    /** How long it stays open. */
    readonly timeoutMillis: number
    /** Items at once while it is half open. */
    readonly halfOpenRequests: number
  } | null
  /** Whether the job waits when the quota is used up; otherwise it pauses, to be resumed by somebody. */
  readonly waitsForQuota: boolean
}

/**
 * Attempts in a row that met a failing git or the end of a resource before the job stops.
 *
 * @since 0.1.0
 * @category models
 */
export const environmentFailuresMax = 5

/**
 * Milliseconds before an item is tried again that met the end of a resource; doubled each time, `environmentDoublingsMax`
 * times.
 *
 * @since 0.1.0
 * @category models
 */
export const environmentDelayMillis = 10_000

/**
 * @since 0.1.0
 * @category models
 */
export const environmentDoublingsMax = 5

/**
 * Attempts of one item that ended with their owner before the item is taken for the cause.
 *
 * @since 0.1.0
 * @category models
 */
export const lossesMax = 10

/**
 * Milliseconds to wait for a quota of which nobody says when it is there again; doubled with every further wait that no
 * success came between, up to `quotaWaitMaxMillis`.
 *
 * @since 0.1.0
 * @category models
 */
export const quotaWaitMillis = 15 * 60_000

/**
 * @since 0.1.0
 * @category models
 */
export const quotaWaitMaxMillis = 60 * 60_000

/**
 * Milliseconds that are waited for a quota at most, whatever its reset time says: a week and a day.
 *
 * @since 0.1.0
 * @category models
 */
export const quotaHorizonMillis = 8 * 24 * 60 * 60_000

// -----------------------------------------------------------------------------
// decide
// -----------------------------------------------------------------------------

/**
 * A fact from the world.
 *
 * @since 0.1.0
 * @category models
 */
export type Input =
  | {
      readonly _tag: "Start"
      readonly jobId: JobId
      readonly sessionId: SessionId
      readonly workflowName: string
      readonly owner: Owner
    }
  | {
      readonly _tag: "Resume"
      readonly owner: Owner
      /** Tries the dead-lettered items again, even those of a completed job. */
      readonly retryFailed: boolean
    }
  | {
      /** Tries some dead-lettered items again, and goes on with a retry that was interrupted; with nothing else. */
      readonly _tag: "Retry"
      readonly owner: Owner
      readonly indexes: ReadonlyArray<number>
      readonly terms: RetryTerms
    }
  | { readonly _tag: "SetupDone"; readonly variables: Variables; readonly usage: Usage.Usage }
  | {
      readonly _tag: "PhaseFailed"
      readonly phase: Phase
      readonly failure: Failure.Failure
      readonly usage: Usage.Usage
    }
  | { readonly _tag: "ItemsSelected"; readonly total: number }
  | {
      readonly _tag: "AttemptSucceeded"
      readonly index: number
      readonly attempt: number
      readonly tip: string | null
      readonly branch: string | null
      readonly commits: number
      readonly durationMillis: number
      readonly usage: Usage.Usage
      readonly result: Json
      readonly log: string | null
    }
  | {
      readonly _tag: "AttemptFailed"
      readonly index: number
      readonly attempt: number
      readonly failure: Failure.Failure
      readonly kept: Kept
      readonly durationMillis: number
      readonly usage: Usage.Usage
      /** Whether the workflow's handler of failed items ran and succeeded. */
      readonly handled: boolean
    }
  | { readonly _tag: "Merged"; readonly index: number; readonly commit: string | null }
  | {
      readonly _tag: "MergeFailed"
      readonly index: number
      readonly failure: Failure.Failure
      readonly kept: Kept
      /** Of the merge alone. */
      readonly durationMillis: number
    }
  | {
      readonly _tag: "ReduceStepDone"
      readonly step: number
      readonly variables: Variables
      readonly usage: Usage.Usage
    }
  | { readonly _tag: "Finished"; readonly finish: Finish }
  /** `usage` is that of the work that was under way, and tells no fact any more. */
  | { readonly _tag: "Pause"; readonly reason: string; readonly usage: Usage.Usage }
  | { readonly _tag: "Cancel"; readonly reason: string }
  /** Time has passed: see `wakeAt`. */
  | { readonly _tag: "Tick" }

/**
 * The ids of the items, by index; the state itself holds numbers only.
 *
 * @since 0.1.0
 * @category models
 */
export type ItemIds = (index: number) => ItemId

/**
 * What a decision depends on besides the state and the fact. `now` is in milliseconds since 1970.
 *
 * @since 0.1.0
 * @category models
 */
export interface Circumstances {
  readonly policy: Policy
  readonly ids: ItemIds
  readonly now: number
}

/**
 * The records that follow from a fact, those it brings about by itself included (free slots filled, next merge started,
 * next phase entered). A fact that is out of date (an attempt that is no longer the running one) gives no records.
 * Every record fits the state at its place.
 *
 * @since 0.1.0
 * @category transitions
 */
export const decide = (
  state: JobState,
  circumstances: Circumstances,
  input: Input
): { readonly records: ReadonlyArray<JobRecord>; readonly state: JobState } => {
  const records: Array<JobRecord> = []
  let now = state
  const add = (record: JobRecord) => {
    const next = apply(now, record)
    // Only a defect of this module can get here; the properties exercise every input in every state.
    if (Either.isLeft(next)) throw next.left
    now = next.right
    records.push(record)
  }
  for (const record of respond(state, circumstances, input)) add(record)
  if (records.length > 0 || input._tag === "Tick") {
    for (let record = settle(now, circumstances); record !== undefined; record = settle(now, circumstances)) add(record)
  }
  return { records, state: now }
}

/** The direct answer to a fact. */
const respond = (state: JobState, circumstances: Circumstances, input: Input): ReadonlyArray<JobRecord> => {
  const { ids } = circumstances
  switch (input._tag) {
    case "Start":
      return state.status !== "new"
        ? []
        : [
            {
              type: "job_started",
              job_id: input.jobId,
              session_id: input.sessionId,
              workflow_name: input.workflowName,
              owner: input.owner
            }
          ]
    case "Resume":
      return resume(state, ids, input)
    case "Retry":
      return retry(state, ids, input)
    case "Cancel":
      return state.status === "completed" || state.status === "cancelled"
        ? []
        : [{ type: "job_cancelled", reason: input.reason }]
  }
  if (state.status !== "running") return []

  switch (input._tag) {
    case "SetupDone":
      return state.phase === "setup"
        ? [{ type: "setup_completed", variables: input.variables, usage: input.usage }]
        : []
    case "PhaseFailed": {
      if (state.phase !== input.phase) return []
      const { failure, phase, usage } = input
      return failure.cause.error_type === "QuotaExceeded"
        ? [quotaReached(state, circumstances, failure, usage)]
        : [{ type: "job_failed", phase, failure, usage }]
    }
    case "ItemsSelected":
      return state.phase === "select" ? [{ type: "items_selected", total: input.total }] : []
    case "AttemptSucceeded": {
      const item = itemAt(state, input.index)
      if (item?.is !== "running" || item.attempt !== input.attempt) return []
      return [
        {
          type: "item_completed",
          ...attemptOf(state, ids, input.index, input.attempt),
          tip: input.tip,
          branch: input.branch,
          commits: input.commits,
          duration_ms: input.durationMillis,
          usage: input.usage,
          result: input.result,
          log: input.log
        }
      ]
    }
    case "AttemptFailed": {
      const item = itemAt(state, input.index)
      if (item?.is !== "running" || item.attempt !== input.attempt) return []
      return failed(state, circumstances, input)
    }
    case "Merged":
      return state.merging === input.index
        ? [
            {
              type: "item_merged",
              index: input.index,
              item_id: ids(input.index),
              agent_id: AgentId.fromItem(state.job_id!, input.index),
              commit: input.commit
            }
          ]
        : []
    case "MergeFailed": {
      const item = itemAt(state, input.index)
      if (item?.is !== "merging") return []
      // Its work is done: it waits to be merged as it is, and the job for room.
      if (input.failure.cause.error_type === "ResourceExhausted") {
        return [{ type: "job_failed", phase: state.phase, failure: input.failure, usage: Usage.none }]
      }
      const { attempt } = item
      const more = { attempt, usage: Usage.none, handled: false }
      return failed(state, circumstances, { ...input, ...more })
    }
    case "ReduceStepDone":
      return state.phase === "reduce" && input.step === state.reduce_steps_done
        ? [{ type: "reduce_step_completed", step: input.step, variables: input.variables, usage: input.usage }]
        : []
    case "Finished":
      return state.phase === "finish" && state.finish === null ? [{ type: "finished", finish: input.finish }] : []
    case "Pause":
      return [
        { type: "job_paused", reason: input.reason, ...(Usage.isNone(input.usage) ? {} : { usage: input.usage }) }
      ]
    case "Tick":
      return []
  }
}

const attemptOf = (state: JobState, ids: ItemIds, index: number, attempt: number) => ({
  index,
  item_id: ids(index),
  agent_id: AgentId.fromItem(state.job_id!, index),
  attempt
})

const resume = (
  state: JobState,
  ids: ItemIds,
  { owner, retryFailed }: Extract<Input, { readonly _tag: "Resume" }>
): ReadonlyArray<JobRecord> => {
  if (state.status === "new" || state.status === "cancelled") return []
  const indexes = retryFailed ? deadLettered(state) : []
  if (state.status === "completed" && indexes.length === 0) return []
  return [
    indexes.length > 0 ? { type: "items_requeued", owner, indexes } : { type: "job_resumed", owner },
    ...poisonous(state, ids)
  ]
}

const retry = (
  state: JobState,
  ids: ItemIds,
  { owner, terms, ...input }: Extract<Input, { readonly _tag: "Retry" }>
): ReadonlyArray<JobRecord> => {
  if (state.total === null || state.status === "cancelled") return []
  const indexes = input.indexes.filter((index) => itemAt(state, index)?.is === "dead_lettered")
  if (indexes.length === 0 && state.retry === undefined) return []
  return [{ type: "items_requeued", owner, indexes, retry: terms }, ...poisonous(state, ids)]
}

const deadLettered = (state: JobState): ReadonlyArray<number> =>
  [...HashMap.entries(state.items)]
    .flatMap(([index, item]) => (item.is === "dead_lettered" ? [index] : []))
    .toSorted((a, b) => a - b)

/** Items that took every owner down that tried them, as far as anybody can tell. */
const poisonous = (state: JobState, ids: ItemIds): ReadonlyArray<JobRecord> =>
  state.counts.running === 0
    ? []
    : [...HashMap.entries(state.items)].flatMap(([index, item]): ReadonlyArray<JobRecord> => {
        if (item.is !== "running" || item.lost + 1 < lossesMax) return []
        return [
          {
            type: "item_failed",
            ...attemptOf(state, ids, index, item.attempt),
            failure: Failure.make(
              { error_type: "Unknown" },
              `Prodigy was killed ${lossesMax} times while this item was under way.`
            ),
            kept: {},
            duration_ms: 0,
            usage: Usage.none,
            disposition: "dead_letter"
          }
        ]
      })

/**
 * Whether a failure of an item that failed `failures` times before is its last: no attempt is left for it, or none would
 * help. Quota and environment are no failures of the item's own.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isFinal = (policy: Policy, failures: number, failure: Failure.Failure): boolean =>
  !isPutBack(failure) &&
  (policy.retry === null || failures + 1 >= policy.retry.times.attempts || !policy.retry.retries(failure))

const isPutBack = ({ cause }: Failure.Failure): boolean =>
  cause.error_type === "QuotaExceeded" || cause.error_type === "ResourceExhausted"

const failed = (
  state: JobState,
  { ids, now, policy }: Circumstances,
  input: Pick<
    Extract<Input, { readonly _tag: "AttemptFailed" }>,
    "index" | "attempt" | "failure" | "kept" | "durationMillis" | "usage" | "handled"
  >
): ReadonlyArray<JobRecord> => {
  const { failure, index } = input
  const item = itemAt(state, index)
  const failures = item !== undefined && "failures" in item ? item.failures : 0
  const record = (disposition: Disposition, retryAt?: string): JobRecord => ({
    type: "item_failed",
    ...attemptOf(state, ids, index, input.attempt),
    failure,
    kept: input.kept,
    duration_ms: input.durationMillis,
    usage: input.usage,
    disposition,
    ...(retryAt === undefined ? {} : { retry_at: retryAt })
  })
  const stopping = (reason: string, by: "policy" | "environment"): ReadonlyArray<JobRecord> =>
    state.stopping === null ? [{ type: "stopping", reason, by, failure }] : []

  if (failure.cause.error_type === "QuotaExceeded") {
    const reached = quotaReached(state, { ids, now, policy }, failure, Usage.none)
    const known = state.quota !== null && reached.until <= state.quota.until
    return [record("put_back"), ...(known ? [] : [reached])]
  }
  const collapsed =
    Failure.isEnvironmental(failure.cause) && state.environment_failures_in_row + 1 >= environmentFailuresMax
      ? stopping(
          `${environmentFailuresMax} attempts in a row met the same kind of trouble, the last one: ${failure.message}`,
          "environment"
        )
      : []
  if (failure.cause.error_type === "ResourceExhausted") {
    // One that is put back again and again, while others succeed, may be what fills the disk.
    const uncounted = item === undefined || !("failures" in item) ? 0 : item.attempt - 1 - item.failures - item.lost
    const delay = environmentDelayMillis * 2 ** Math.max(0, Math.min(uncounted, environmentDoublingsMax))
    return [record("put_back", Timestamp.fromMillis(now + delay)), ...collapsed]
  }
  if (!isFinal(policy, failures, failure)) {
    const share = Retry.shareOf(`${AgentId.fromItem(state.job_id!, index)}~${input.attempt}`)
    const at = now + Retry.delayMillis(policy.retry!.times, failures + 1, share)
    return [record("retry", Timestamp.fromMillis(at)), ...collapsed]
  }
  const fate = input.handled && policy.whenHandled !== null ? policy.whenHandled : policy.onItemFailure
  const reason = collapsed.length > 0 ? undefined : stopReason(state, policy, ids(index))
  return [
    record(fate === "skip" ? "skip" : "dead_letter"),
    ...collapsed,
    ...(reason === undefined ? [] : stopping(reason, "policy"))
  ]
}

/**
 * When the quota that a failure tells of is there again: as the agent was told, or after a wait that grows with the waits
 * that no success came between (`hits`). Null for a failure that is not the quota's.
 *
 * @since 0.1.0
 * @category getters
 */
export const quotaUntil = (failure: Failure.Failure, hits: number, now: number): string | null => {
  if (failure.cause.error_type !== "QuotaExceeded") return null
  const told = failure.cause.resets_at
  const at = told === undefined ? undefined : Option.getOrUndefined(DateTime.make(told))
  const guess = now + Math.min(quotaWaitMillis * 2 ** Math.min(hits, 10), quotaWaitMaxMillis)
  const resets = at === undefined ? guess : DateTime.toEpochMillis(at)
  // A reset time that has passed already is not the whole truth.
  return Timestamp.fromMillis(resets <= now ? guess : Math.min(resets, now + quotaHorizonMillis))
}

const quotaReached = (
  state: JobState,
  { now }: Circumstances,
  failure: Failure.Failure,
  usage: Usage.Usage
): Extract<JobRecord, { readonly type: "quota_reached" }> => {
  const until = quotaUntil(failure, state.quota_hits, now) ?? Timestamp.fromMillis(now)
  return { type: "quota_reached", phase: state.phase, until, failure, usage }
}

/** Why the job stops after one more failed item, if it does. */
const stopReason = (state: JobState, policy: Policy, id: ItemId): string | undefined => {
  const failures = state.counts.dead_lettered + state.counts.skipped + 1
  const ended = failures + state.counts.merged
  if (policy.onItemFailure === "stop") return `Item ${id} failed and the workflow says on_item_failure: stop.`
  if (policy.maxFailures !== null && failures >= policy.maxFailures) {
    return `${failures === 1 ? "1 item" : `${failures} items`} failed and the workflow says max_failures: ${policy.maxFailures}.`
  }
  if (policy.failureThreshold !== null && ended >= 10 && failures / ended > policy.failureThreshold) {
    return `${failures} of ${ended} items failed and the workflow says failure_threshold: ${policy.failureThreshold}.`
  }
  return undefined
}

// -----------------------------------------------------------------------------
// what follows by itself
// -----------------------------------------------------------------------------

/** The next record that follows from the state and the time alone, if any. */
const settle = (state: JobState, circumstances: Circumstances): JobRecord | undefined => {
  if (state.status !== "running") return undefined
  if (state.quota !== null && isDue(state.quota.until, circumstances.now)) return { type: "quota_over" }
  if (state.phase === "map") return settleMap(state, circumstances)
  if (state.quota !== null) return circumstances.policy.waitsForQuota ? undefined : pausedForQuota(state.quota)
  if (state.phase === "reduce") {
    return state.reduce_steps_done >= circumstances.policy.reduceSteps ? { type: "reduce_completed" } : undefined
  }
  return state.phase === "finish" && state.finish !== null ? { type: "job_completed" } : undefined
}

const pausedForQuota = ({ until }: NonNullable<JobState["quota"]>): JobRecord => ({
  type: "job_paused",
  reason: `The agent's quota is used up until ${until}.`
})

const settleMap = (state: JobState, circumstances: Circumstances): JobRecord | undefined => {
  const { ids, now, policy } = circumstances
  const head = Option.getOrUndefined(Chunk.head(state.merge_queue))
  if (state.merging === null && head !== undefined) {
    const item = itemAt(state, head)
    if (item?.is === "completed") return { type: "merge_started", index: head, item_id: ids(head), tip: item.tip }
  }
  const turned = turnBreaker(state, circumstances)
  if (turned !== undefined) return turned
  // An item keeps its place in the window until it is merged: agents start from a parent that has all that is done, and
  // with a window of one no two items ever meet.
  if (hasRoom(state, policy)) {
    const index = nextItem(state, now)
    const item = index === undefined ? undefined : itemAt(state, index)
    if (index !== undefined && item?.is === "pending") {
      return { type: "item_started", ...attemptOf(state, ids, index, item.attempt + 1) }
    }
  }
  if (!isDrained(state)) return undefined
  if (state.stopping !== null) {
    const { failure, reason } = state.stopping
    const cause =
      state.stopping.by === "policy" || failure === null ? ({ error_type: "Unknown" } as const) : failure.cause
    return { type: "job_failed", phase: "map", failure: Failure.make(cause, reason), usage: Usage.none }
  }
  if (state.counts.pending === 0) return { type: "map_completed" }
  if (isRetryOver(state)) return { type: "job_paused", reason: notStarted(state.counts.pending) }
  return state.quota === null || policy.waitsForQuota ? undefined : pausedForQuota(state.quota)
}

/**
 * The rest of a job that had not come to its end when its dead letters were tried again, in one sentence.
 *
 * @since 0.1.0
 * @category rendering
 */
export const notStarted = (pending: number): string =>
  `The dead letters were tried again; ${pending === 1 ? "1 other item is" : `${pending} other items are`} still to be done.`

/** Whether one more item may be started. */
const hasRoom = (state: JobState, policy: Policy): boolean =>
  state.stopping === null &&
  state.quota === null &&
  state.counts.pending > 0 &&
  state.counts.running + state.counts.unmerged < Math.min(policy.maxParallel, widthOf(state, policy))

/** How many items the circuit breaker lets run at once. */
const widthOf = (state: JobState, policy: Policy): number => {
  if (policy.breaker === null || state.breaker.is === "closed") return Number.POSITIVE_INFINITY
  return state.breaker.is === "open" ? 0 : policy.breaker.halfOpenRequests
}

/** Items that were put back go first, then those whose delay is over, then new ones. */
const nextItem = (state: JobState, now: number): number | undefined => {
  const requeued = firstRequeued(state)
  if (requeued !== undefined) return requeued
  const delayed = firstDelayed(state)
  if (delayed !== undefined && isDue(delayed.at, now)) return delayed.index
  if (state.retry !== undefined) return undefined
  return state.next < (state.total ?? 0) ? state.next : undefined
}

const firstRequeued = (state: JobState): number | undefined => {
  const head = Option.getOrUndefined(Chunk.head(state.requeued))
  if (head === undefined || mayStart(state, head)) return head
  return Option.getOrUndefined(Chunk.findFirst(state.requeued, (index) => mayStart(state, index)))
}

const firstDelayed = (state: JobState): Delayed | undefined => {
  for (const delayed of state.delayed) if (mayStart(state, delayed.index)) return delayed
  return undefined
}

const turnBreaker = (state: JobState, { now, policy }: Circumstances): JobRecord | undefined => {
  const { breaker } = policy
  if (breaker === null || state.counts.pending === 0 || state.stopping !== null) return undefined
  const opened = (failures: number): JobRecord => ({
    type: "breaker_opened",
    until: Timestamp.fromMillis(now + breaker.timeoutMillis),
    failures
  })
  switch (state.breaker.is) {
    case "closed":
      return state.failures_in_row >= breaker.failureThreshold ? opened(state.failures_in_row) : undefined
    case "open":
      return isDue(state.breaker.until, now) ? { type: "breaker_half_opened" } : undefined
    case "half_open":
      if (state.failures_in_row > 0) return opened(state.failures_in_row)
      return state.breaker.successes >= breaker.successThreshold ? { type: "breaker_closed" } : undefined
  }
}

/** A time that is none is past. */
const millisOf = (at: string): number =>
  Option.match(DateTime.make(at), { onNone: () => 0, onSome: DateTime.toEpochMillis })

const isDue = (at: string, now: number): boolean => millisOf(at) <= now

/**
 * When something follows although nothing happens, in milliseconds since 1970: a `Tick` is due then. Undefined when only
 * a fact can change anything.
 *
 * @since 0.1.0
 * @category transitions
 */
export const wakeAt = (state: JobState, policy: Policy): number | undefined => {
  if (state.status !== "running") return undefined
  if (state.quota !== null) return millisOf(state.quota.until)
  if (state.phase !== "map" || state.stopping !== null || state.counts.pending === 0) return undefined
  if (state.breaker.is === "open" && policy.breaker !== null) return millisOf(state.breaker.until)
  const delayed = firstDelayed(state)
  return delayed !== undefined && hasRoom(state, policy) ? millisOf(delayed.at) : undefined
}

// -----------------------------------------------------------------------------
// work
// -----------------------------------------------------------------------------

/**
 * Something the engine has to do, and answer with a fact.
 *
 * @since 0.1.0
 * @category models
 */
export type Work =
  | { readonly _tag: "RunSetup" }
  | { readonly _tag: "SelectItems" }
  | {
      readonly _tag: "RunAttempt"
      readonly index: number
      readonly attempt: number
      /** How often the item failed before. */
      readonly failures: number
      readonly agentId: AgentId.AgentId
    }
  | {
      readonly _tag: "Integrate"
      readonly index: number
      readonly tip: string
      readonly branch: string | null
      readonly agentId: AgentId.AgentId
    }
  | { readonly _tag: "RunReduceStep"; readonly step: number }
  | { readonly _tag: "Finish" }

/**
 * What has to be done because of a record, `state` being the one right after it. Folded over the records of one
 * decision, it gives each piece of work once; after a `job_resumed` record it gives again what the dead owner left.
 *
 * @since 0.1.0
 * @category transitions
 */
export const work = (state: JobState, policy: Policy, record: JobRecord): Work | undefined => {
  switch (record.type) {
    case "item_started": {
      const { agent_id: agentId, attempt, index } = record
      const item = itemAt(state, index)
      const failures = item !== undefined && "failures" in item ? item.failures : 0
      return { _tag: "RunAttempt", index, attempt, failures, agentId }
    }
    case "merge_started": {
      const item = itemAt(state, record.index)
      return {
        _tag: "Integrate",
        index: record.index,
        tip: record.tip,
        branch: item?.is === "merging" ? item.branch : null,
        agentId: AgentId.fromItem(state.job_id!, record.index)
      }
    }
    case "job_started":
    case "job_resumed":
    case "items_requeued":
    case "quota_over":
    case "setup_completed":
    case "map_completed":
    case "reduce_step_completed":
    case "reduce_completed":
      return phaseWork(state, policy)
    default:
      return undefined
  }
}

const phaseWork = (state: JobState, policy: Policy): Work | undefined => {
  // What has to wait for the quota is given when it is over.
  if (state.quota !== null) return undefined
  switch (state.phase) {
    case "setup":
      return { _tag: "RunSetup" }
    case "select":
      return { _tag: "SelectItems" }
    case "map":
      return undefined
    case "reduce":
      return state.reduce_steps_done < policy.reduceSteps
        ? { _tag: "RunReduceStep", step: state.reduce_steps_done }
        : undefined
    case "finish":
      return state.finish === null ? { _tag: "Finish" } : undefined
  }
}
