/**
 * The state of a job: the fold of its records.
 *
 * `state = fold(apply, records)`; which records follow from a fact is `JobDecision`'s. No clock, no randomness, no IO.
 *
 * Invariants, for every reachable state (each has a property in `JobState.test.ts`):
 * - `pending + running + unmerged + merged + dead_lettered + skipped = total` once the items are selected;
 * - every item is in exactly one of those states, and `merged` is never left;
 * - at most `maxParallel` items run or wait to be merged, at most one merges;
 * - the merge queue holds exactly the completed items that are not merged, in the order they completed;
 * - an item that waits for its next attempt is pending, and in one of `requeued` and `delayed`, once;
 * - while a retry of dead letters is under way, no other item is started;
 * - replaying the records of a run gives the state the run had.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as HashSet from "effect/HashSet"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import * as SortedSet from "effect/SortedSet"
import * as Struct from "effect/Struct"
import * as Failure from "./Failure.ts"
import { JobId } from "./JobId.ts"
import { Finish, type JobRecord, Phase, RetryTerms, StoppedBy, Variables } from "./JobRecord.ts"
import { SessionId } from "./SessionId.ts"
import { Timestamp } from "./Timestamp.ts"
import * as Usage from "./Usage.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

const attempted = { attempt: Schema.Int }
const counted = { ...attempted, failures: Schema.NonNegativeInt, lost: Schema.NonNegativeInt }
const done = { ...counted, tip: Schema.String, branch: Schema.NullOr(Schema.String) }

/**
 * The state of an item that was started at least once. `attempt` is the number of the latest attempt, from 1;
 * `failures` counts the attempts that failed by the item's own fault, `lost` those that ended with their owner.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ItemState = Schema.Union(
  Schema.Struct({ is: Schema.tag("pending"), ...counted }),
  Schema.Struct({ is: Schema.tag("running"), ...counted }),
  Schema.Struct({ is: Schema.tag("completed"), ...done }),
  Schema.Struct({ is: Schema.tag("merging"), ...done }),
  Schema.Struct({ is: Schema.tag("merged"), ...attempted, commit: Schema.NullOr(Schema.String) }),
  Schema.Struct({ is: Schema.tag("dead_lettered"), ...attempted }),
  Schema.Struct({ is: Schema.tag("skipped"), ...attempted })
)

/**
 * @since 0.1.0
 * @category models
 */
export type ItemState = typeof ItemState.Type

/**
 * How many items are in which state. `unmerged` are completed ones whose work is not in the parent branch yet.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Counts = Schema.Struct({
  pending: Schema.Int,
  running: Schema.Int,
  unmerged: Schema.Int,
  merged: Schema.Int,
  dead_lettered: Schema.Int,
  skipped: Schema.Int
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Counts extends Schema.Schema.Type<typeof Counts> {}

/**
 * An item that waits for its next attempt.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Delayed = Schema.Struct({ at: Timestamp, index: Schema.NonNegativeInt })

/**
 * @since 0.1.0
 * @category models
 */
export interface Delayed extends Schema.Schema.Type<typeof Delayed> {}

/** The earliest first. Times of one format, so that their texts compare as they do. */
const earliestFirst: Order.Order<Delayed> = Order.combine(
  Order.mapInput(Order.string, (delayed: Delayed) => delayed.at),
  Order.mapInput(Order.number, (delayed: Delayed) => delayed.index)
)

/**
 * The circuit breaker: `closed` lets items start, `open` none until a time, `half_open` a few to see how they fare.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Breaker = Schema.Union(
  Schema.Struct({ is: Schema.tag("closed") }),
  Schema.Struct({ is: Schema.tag("open"), until: Timestamp }),
  Schema.Struct({ is: Schema.tag("half_open"), successes: Schema.NonNegativeInt })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Breaker = typeof Breaker.Type

/**
 * A retry of dead letters that is under way: these items run, and no others.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RetryUnderWay = Schema.Struct({
  indexes: Schema.HashSet(Schema.NonNegativeInt),
  terms: RetryTerms
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RetryUnderWay extends Schema.Schema.Type<typeof RetryUnderWay> {}

/**
 * The state, as it also stands in checkpoints.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobState = Schema.Struct({
  seq: Schema.NonNegativeInt.annotations({ description: "number of records applied" }),
  status: Schema.Literal("new", "running", "paused", "completed", "failed", "cancelled"),
  phase: Phase,
  job_id: Schema.NullOr(JobId),
  session_id: Schema.NullOr(SessionId),
  total: Schema.NullOr(Schema.NonNegativeInt),
  next: Schema.NonNegativeInt.annotations({ description: "the first item never started" }),
  requeued: Schema.Chunk(Schema.NonNegativeInt).annotations({ description: "items to be started again, first first" }),
  delayed: Schema.SortedSet(Delayed, earliestFirst).annotations({ description: "items to be tried again at a time" }),
  items: Schema.HashMap({ key: Schema.NonNegativeInt, value: ItemState }),
  merge_queue: Schema.Chunk(Schema.NonNegativeInt),
  merging: Schema.NullOr(Schema.NonNegativeInt),
  counts: Counts,
  variables: Variables,
  reduce_steps_done: Schema.NonNegativeInt,
  stopping: Schema.NullOr(
    Schema.Struct({ reason: Schema.String, by: StoppedBy, failure: Schema.NullOr(Failure.Failure) })
  ).annotations({ description: "why no item is started any more" }),
  failures_in_row: Schema.NonNegativeInt.annotations({ description: "attempts that failed since the last success" }),
  environment_failures_in_row: Schema.NonNegativeInt.annotations({
    description: "those of them, without another kind between, that disk or git are to blame for"
  }),
  breaker: Breaker,
  quota: Schema.NullOr(Schema.Struct({ until: Timestamp, failure: Failure.Failure })).annotations({
    description: "the job waits until then for the agent's quota"
  }),
  quota_hits: Schema.NonNegativeInt.annotations({ description: "waits for the quota since the last success" }),
  retry: Schema.optional(RetryUnderWay),
  finish: Schema.NullOr(Finish),
  failure: Schema.NullOr(Failure.Failure).annotations({ description: "why the job failed" }),
  usage: Usage.Usage
})

/**
 * @since 0.1.0
 * @category models
 */
export interface JobState extends Schema.Schema.Type<typeof JobState> {}

/**
 * The state before the first record.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: JobState = {
  seq: 0,
  status: "new",
  phase: "setup",
  job_id: null,
  session_id: null,
  total: null,
  next: 0,
  requeued: Chunk.empty(),
  delayed: SortedSet.empty(earliestFirst),
  items: HashMap.empty(),
  merge_queue: Chunk.empty(),
  merging: null,
  counts: { pending: 0, running: 0, unmerged: 0, merged: 0, dead_lettered: 0, skipped: 0 },
  variables: {},
  reduce_steps_done: 0,
  stopping: null,
  failures_in_row: 0,
  environment_failures_in_row: 0,
  breaker: { is: "closed" },
  quota: null,
  quota_hits: 0,
  finish: null,
  failure: null,
  usage: Usage.none
}

// -----------------------------------------------------------------------------
// apply
// -----------------------------------------------------------------------------

/**
 * A record that does not fit the state it meets: a damaged or foreign journal, or a defect of ours.
 *
 * @since 0.1.0
 * @category errors
 */
export class Misfit extends Schema.TaggedError<Misfit>("@prodigy/core/domain/JobState/Misfit")("Misfit", {
  seq: Schema.Int,
  record: Schema.String,
  expected: Schema.String,
  actual: Schema.String
}) {
  override get message() {
    return `Record ${this.seq} (${this.record}) does not fit: expected ${this.expected}, found ${this.actual}.`
  }
}

type Bucket = keyof Counts

const bucketOf: Readonly<Record<ItemState["is"], Bucket>> = {
  pending: "pending",
  running: "running",
  completed: "unmerged",
  merging: "unmerged",
  merged: "merged",
  dead_lettered: "dead_lettered",
  skipped: "skipped"
}

const move = (counts: Counts, from: Bucket, to: Bucket): Counts =>
  from === to ? counts : { ...counts, [from]: counts[from] - 1, [to]: counts[to] + 1 }

const neverStarted: ItemState = { is: "pending", attempt: 0, failures: 0, lost: 0 }

/**
 * The state of an item, an item never started being pending at attempt 0; undefined when there is no such item.
 *
 * @since 0.1.0
 * @category combinators
 */
export const itemAt = (state: JobState, index: number): ItemState | undefined =>
  state.total === null || index >= state.total
    ? undefined
    : Option.getOrElse(HashMap.get(state.items, index), () => neverStarted)

const setItem = (state: JobState, index: number, from: ItemState, to: ItemState): JobState => ({
  ...state,
  items: HashMap.set(state.items, index, to),
  counts: move(state.counts, bucketOf[from.is], bucketOf[to.is])
})

/**
 * Puts back what an owner had in its hands: running items to pending, a started merge to the queue. `lost` when it did not
 * put them back itself.
 */
const putBack = (state: JobState, lost: boolean): JobState => {
  let next = state
  let requeued: ReadonlyArray<number> = []
  if (state.counts.running > 0) {
    for (const [index, item] of HashMap.entries(state.items)) {
      if (item.is !== "running") continue
      next = setItem(next, index, item, { ...item, is: "pending", lost: item.lost + (lost ? 1 : 0) })
      requeued = [...requeued, index]
    }
  }
  const merging = state.merging
  if (merging !== null) {
    const item = itemAt(next, merging)
    if (item?.is === "merging") {
      next = setItem(next, merging, item, { ...item, is: "completed" })
      next = { ...next, merge_queue: Chunk.prepend(next.merge_queue, merging), merging: null }
    }
  }
  const first = Chunk.fromIterable(requeued.toSorted((a, b) => a - b))
  return { ...next, requeued: Chunk.appendAll(first, next.requeued) }
}

/** Takes an item out of those that wait for their next attempt; it is the first of its queue nearly always. */
const unqueue = (state: JobState, index: number): JobState => {
  const head = Option.getOrUndefined(Chunk.head(state.requeued))
  if (head === index) return { ...state, requeued: Chunk.drop(state.requeued, 1) }
  for (const delayed of state.delayed) {
    if (delayed.index === index) return { ...state, delayed: SortedSet.remove(state.delayed, delayed) }
  }
  return { ...state, requeued: Chunk.filter(state.requeued, (other) => other !== index) }
}

/** What a success of any item says about the rest. */
const encouraged = (state: JobState): JobState => ({
  ...state,
  failures_in_row: 0,
  environment_failures_in_row: 0,
  quota_hits: 0,
  breaker:
    state.breaker.is === "half_open" ? { is: "half_open", successes: state.breaker.successes + 1 } : state.breaker
})

/** What a failure says about the rest. One that is the quota's says nothing. */
const discouraged = (state: JobState, cause: Failure.Cause): JobState =>
  cause.error_type === "QuotaExceeded"
    ? state
    : {
        ...state,
        failures_in_row: state.failures_in_row + 1,
        environment_failures_in_row: Failure.isEnvironmental(cause) ? state.environment_failures_in_row + 1 : 0
      }

/** A dead-lettered item as it begins anew. */
const requeue = (state: JobState, index: number): JobState => {
  const item = itemAt(state, index)
  if (item?.is !== "dead_lettered") return state
  const next = setItem(state, index, item, { is: "pending", attempt: item.attempt, failures: 0, lost: 0 })
  return { ...next, requeued: Chunk.append(next.requeued, index) }
}

/**
 * Takes one record into the state. Total: every record either gives a state or says why it does not fit.
 *
 * @since 0.1.0
 * @category transitions
 */
export const apply = (state: JobState, record: JobRecord): Either.Either<JobState, Misfit> => {
  const seq = state.seq + 1
  const misfit = (expected: string, actual: string) =>
    Either.left(new Misfit({ seq, record: record.type, expected, actual }))
  const wrongPhase = (expected: string) => misfit(expected, `a ${state.status} job in phase ${state.phase}`)
  const counted = { ...state, seq }
  if (state.status === "new" && record.type !== "job_started" && record.type !== "job_cancelled") {
    return wrongPhase("job_started first")
  }
  if (state.status !== "running" && !entersFromOutside(record)) return wrongPhase("a running job")

  switch (record.type) {
    case "job_started":
      return state.status !== "new"
        ? wrongPhase("a new job")
        : Either.right({ ...counted, status: "running", job_id: record.job_id, session_id: record.session_id })

    case "setup_completed":
      return state.phase !== "setup"
        ? wrongPhase("phase setup")
        : Either.right({
            ...counted,
            phase: "select",
            variables: record.variables,
            usage: Usage.add(state.usage, record.usage)
          })

    case "items_selected":
      return state.phase !== "select"
        ? wrongPhase("phase select")
        : Either.right({
            ...counted,
            phase: "map",
            total: record.total,
            counts: { ...state.counts, pending: record.total }
          })

    case "item_started": {
      const item = itemAt(state, record.index)
      if (state.phase !== "map") return wrongPhase("phase map")
      if (item?.is !== "pending") return misfit("a pending item", item?.is ?? "no such item")
      if (record.attempt !== item.attempt + 1) return misfit(`attempt ${item.attempt + 1}`, `attempt ${record.attempt}`)
      const again = item.attempt > 0
      if (!again && record.index !== state.next) return misfit(`item ${state.next}`, `item ${record.index}`)
      const next = setItem(counted, record.index, item, { ...item, is: "running", attempt: record.attempt })
      return Either.right(again ? unqueue(next, record.index) : { ...next, next: state.next + 1 })
    }

    case "item_completed": {
      const item = itemAt(state, record.index)
      if (item?.is !== "running" || item.attempt !== record.attempt) {
        return misfit(`attempt ${record.attempt} running`, describe(item))
      }
      const usage = Usage.add(state.usage, record.usage)
      const going = encouraged(counted)
      if (record.tip === null) {
        const next = setItem(going, record.index, item, { is: "merged", attempt: item.attempt, commit: null })
        return Either.right({ ...next, usage })
      }
      const next = setItem(going, record.index, item, {
        ...item,
        is: "completed",
        tip: record.tip,
        branch: record.branch
      })
      return Either.right({ ...next, usage, merge_queue: Chunk.append(next.merge_queue, record.index) })
    }

    case "item_failed": {
      const item = itemAt(state, record.index)
      const mayFail = item?.is === "running" || item?.is === "merging" || (item?.is === "pending" && item.attempt > 0)
      if (!mayFail || item.attempt !== record.attempt) {
        return misfit(`attempt ${record.attempt} running or merging`, describe(item))
      }
      const { attempt, lost } = item
      const failures = item.failures + (record.disposition === "put_back" ? 0 : 1)
      const told = discouraged(
        {
          ...(item.is === "pending" ? unqueue(counted, record.index) : counted),
          merging: item.is === "merging" ? null : counted.merging,
          usage: Usage.add(state.usage, record.usage)
        },
        record.failure.cause
      )
      switch (record.disposition) {
        case "skip":
          return Either.right(setItem(told, record.index, item, { is: "skipped", attempt }))
        case "dead_letter":
          return Either.right(setItem(told, record.index, item, { is: "dead_lettered", attempt }))
        case "put_back":
        case "retry": {
          const next = setItem(told, record.index, item, { is: "pending", attempt, failures, lost })
          return Either.right(
            record.retry_at === undefined
              ? { ...next, requeued: Chunk.append(next.requeued, record.index) }
              : { ...next, delayed: SortedSet.add(next.delayed, { at: record.retry_at, index: record.index }) }
          )
        }
      }
    }

    case "merge_started": {
      const item = itemAt(state, record.index)
      const head = Option.getOrUndefined(Chunk.head(state.merge_queue))
      if (state.merging !== null) return misfit("no merge under way", `item ${state.merging} merging`)
      if (head !== record.index) return misfit(`item ${head ?? "-"} next in the queue`, `item ${record.index}`)
      if (item?.is !== "completed") return misfit("a completed item", describe(item))
      const next = setItem(counted, record.index, item, { ...item, is: "merging" })
      return Either.right({ ...next, merging: record.index, merge_queue: Chunk.drop(state.merge_queue, 1) })
    }

    case "item_merged": {
      const item = itemAt(state, record.index)
      if (item?.is !== "merging") return misfit("a merging item", describe(item))
      const next = setItem(counted, record.index, item, {
        is: "merged",
        attempt: item.attempt,
        commit: record.commit
      })
      return Either.right({ ...next, merging: null })
    }

    case "stopping": {
      const { by, failure, reason } = record
      return Either.right({ ...counted, stopping: { reason, by, failure } })
    }

    case "breaker_opened":
      return Either.right({ ...counted, breaker: { is: "open", until: record.until } })

    case "breaker_half_opened":
      return state.breaker.is !== "open"
        ? misfit("an open breaker", `a ${state.breaker.is} one`)
        : Either.right({ ...counted, breaker: { is: "half_open", successes: 0 }, failures_in_row: 0 })

    case "breaker_closed":
      return Either.right({ ...counted, breaker: { is: "closed" }, failures_in_row: 0 })

    case "quota_reached":
      return Either.right({
        ...counted,
        quota: { until: record.until, failure: record.failure },
        quota_hits: state.quota_hits + 1,
        usage: Usage.add(state.usage, record.usage)
      })

    case "quota_over":
      return state.quota === null
        ? misfit("a job that waits for its quota", "one that does not")
        : Either.right({ ...counted, quota: null })

    case "map_completed":
      return state.phase !== "map" || !isDrained(state) || state.counts.pending > 0
        ? wrongPhase("phase map with every item ended")
        : Either.right({ ...counted, phase: "reduce" })

    case "reduce_step_completed":
      return state.phase !== "reduce" || record.step !== state.reduce_steps_done
        ? misfit(`phase reduce at step ${state.reduce_steps_done}`, `phase ${state.phase}, step ${record.step}`)
        : Either.right({
            ...counted,
            reduce_steps_done: record.step + 1,
            variables: record.variables,
            usage: Usage.add(state.usage, record.usage)
          })

    case "reduce_completed":
      return state.phase !== "reduce" ? wrongPhase("phase reduce") : Either.right({ ...counted, phase: "finish" })

    case "finished":
      return state.phase !== "finish" ? wrongPhase("phase finish") : Either.right({ ...counted, finish: record.finish })

    case "job_completed":
      return state.finish === null
        ? wrongPhase("a finished session")
        : Either.right({ ...withoutRetry(counted), status: "completed" })

    case "job_failed":
      return Either.right({
        ...putBack(counted, false),
        status: "failed",
        failure: record.failure,
        usage: Usage.add(state.usage, record.usage)
      })

    case "job_paused": {
      const usage = Usage.add(state.usage, record.usage ?? Usage.none)
      const paused: JobState = { ...putBack(counted, false), status: "paused", failure: null, usage }
      return Either.right(
        paused.phase === "map" && isDrained(paused) && isRetryOver(paused) ? withoutRetry(paused) : paused
      )
    }

    case "job_cancelled":
      return state.status === "completed"
        ? wrongPhase("a job that is not completed")
        : Either.right({ ...putBack(counted, false), status: "cancelled", failure: null })

    case "job_resumed":
      return state.status === "completed" || state.status === "cancelled"
        ? wrongPhase("a job that is not over")
        : Either.right(wholeAgain(resumed(counted)))

    case "items_requeued": {
      if (state.total === null || state.status === "cancelled") return wrongPhase("a job with items")
      const { indexes, retry } = record
      const going = retry === undefined ? withoutRetry(resumed(counted)) : retried(resumed(counted), indexes, retry)
      // A retry that only goes on is where it was.
      if (indexes.length === 0) return Either.right(going)
      const begun: JobState = { ...indexes.reduce(requeue, going), phase: "map", finish: null }
      return Either.right({
        ...begun,
        reduce_steps_done: retry?.reduce === true ? 0 : begun.reduce_steps_done,
        failures_in_row: 0,
        breaker: { is: "closed" }
      })
    }
  }
}

/** Records of an owner that takes a job up, or ends it, when nobody drives it. */
const entersFromOutside = (record: JobRecord): boolean =>
  record.type === "job_started" ||
  record.type === "job_resumed" ||
  record.type === "items_requeued" ||
  record.type === "job_cancelled"

/** Items that wait without having failed met a full disk or its like: a new owner sees for himself. */
const undelayed = (state: JobState): JobState => {
  let next = state
  for (const delayed of state.delayed) {
    const item = itemAt(state, delayed.index)
    if (item?.is !== "pending" || item.failures > 0) continue
    next = {
      ...next,
      delayed: SortedSet.remove(next.delayed, delayed),
      requeued: Chunk.append(next.requeued, delayed.index)
    }
  }
  return next
}

/** Under a new owner. What the one before still had in its hands is lost, when it did not put it back. */
const resumed = (state: JobState): JobState => ({
  ...undelayed(putBack(state, true)),
  status: "running",
  stopping: null,
  failure: null,
  environment_failures_in_row: 0
})

const withoutRetry = (state: JobState): JobState => Struct.omit(state, "retry")

/** A resume takes the whole job up: a retry that is not all there is left to do is a retry no longer. */
const wholeAgain = (state: JobState): JobState => {
  const { retry } = state
  if (retry === undefined) return state
  let left = 0
  for (const index of retry.indexes) if (itemAt(state, index)?.is === "pending") left += 1
  return left === state.counts.pending ? state : withoutRetry(state)
}

/**
 * The terms that a resume of the job goes on with: those of a retry of dead letters that is all there is left to do.
 *
 * @since 0.1.0
 * @category getters
 */
export const termsOnResume = (state: JobState): RetryTerms | undefined => wholeAgain(resumed(state)).retry?.terms

const retried = (state: JobState, indexes: ReadonlyArray<number>, terms: RetryTerms): JobState => ({
  ...state,
  retry: { indexes: HashSet.union(state.retry?.indexes ?? HashSet.empty<number>(), indexes), terms }
})

const describe = (item: ItemState | undefined): string =>
  item === undefined ? "no such item" : `attempt ${item.attempt} ${item.is}`

/**
 * Nothing runs and nothing waits to be merged.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isDrained = (state: JobState): boolean => state.counts.running === 0 && state.counts.unmerged === 0

/**
 * Whether an item may be started: any, unless a retry of dead letters is under way that it is not part of.
 *
 * @since 0.1.0
 * @category predicates
 */
export const mayStart = (state: JobState, index: number): boolean =>
  state.retry === undefined || HashSet.has(state.retry.indexes, index)

/**
 * A retry of dead letters is under way, and none of its items waits to be started.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isRetryOver = (state: JobState): boolean => {
  if (state.retry === undefined) return false
  for (const index of state.requeued) if (mayStart(state, index)) return false
  for (const { index } of state.delayed) if (mayStart(state, index)) return false
  return true
}
