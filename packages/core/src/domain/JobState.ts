/**
 * The state of a job: a pure state machine.
 *
 * `state = fold(apply, records)`. `decide` turns a fact from the world into the records that follow from it; `apply`
 * takes a record into the state; `work` says what the engine has to do because of a record. No clock, no randomness, no
 * IO. Resuming a job is folding its journal and deciding on `resume`; nothing else is special about it.
 *
 * Invariants, for every reachable state (each has a property in `JobState.test.ts`):
 * - `pending + running + unmerged + merged + dead_lettered + skipped = total` once the items are selected;
 * - every item is in exactly one of those states, and `merged` is never left;
 * - at most `maxParallel` items run or wait to be merged, at most one merges;
 * - the merge queue holds exactly the completed items that are not merged, in the order they completed;
 * - replaying the records of a run gives the state the run had.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as AgentId from "./AgentId.ts"
import type { Kept } from "./DeadLetter.ts"
import * as Failure from "./Failure.ts"
import { JobId } from "./JobId.ts"
import { Finish, type JobRecord, Phase, Variables } from "./JobRecord.ts"
import type { Owner } from "./Owner.ts"
import { SessionId } from "./SessionId.ts"
import * as Usage from "./Usage.ts"
import type { ItemId, Json } from "./WorkItem.ts"

// -----------------------------------------------------------------------------
// models
// -----------------------------------------------------------------------------

const attempted = { attempt: Schema.Int }
const done = { ...attempted, tip: Schema.String, branch: Schema.NullOr(Schema.String) }

/**
 * The state of an item that was started at least once. `attempt` is the number of the latest attempt, from 1.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ItemState = Schema.Union(
  Schema.Struct({ is: Schema.tag("pending"), ...attempted }),
  Schema.Struct({ is: Schema.tag("running"), ...attempted }),
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
 * The state, as it also stands in checkpoints.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobState = Schema.Struct({
  seq: Schema.NonNegativeInt.annotations({ description: "number of records applied" }),
  status: Schema.Literal("new", "running", "paused", "completed", "failed"),
  phase: Phase,
  job_id: Schema.NullOr(JobId),
  session_id: Schema.NullOr(SessionId),
  total: Schema.NullOr(Schema.NonNegativeInt),
  next: Schema.NonNegativeInt.annotations({ description: "the first item never started" }),
  requeued: Schema.Chunk(Schema.NonNegativeInt).annotations({ description: "items to be started again, first first" }),
  items: Schema.HashMap({ key: Schema.NonNegativeInt, value: ItemState }),
  merge_queue: Schema.Chunk(Schema.NonNegativeInt),
  merging: Schema.NullOr(Schema.NonNegativeInt),
  counts: Counts,
  variables: Variables,
  reduce_steps_done: Schema.NonNegativeInt,
  stopping: Schema.NullOr(Schema.String),
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
 * What a job does on failure and how wide it runs: the part of a workflow that decisions depend on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Policy {
  readonly maxParallel: number
  readonly reduceSteps: number
  readonly onItemFailure: "dlq" | "skip" | "stop"
  /** Stop when this many items have failed. */
  readonly maxFailures: number | null
  /** Stop when this share (0 to 1) of at least 10 ended items has failed. */
  readonly failureThreshold: number | null
}

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
  items: HashMap.empty(),
  merge_queue: Chunk.empty(),
  merging: null,
  counts: { pending: 0, running: 0, unmerged: 0, merged: 0, dead_lettered: 0, skipped: 0 },
  variables: {},
  reduce_steps_done: 0,
  stopping: null,
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

/** The state of an item, an item never started being pending at attempt 0. */
const itemAt = (state: JobState, index: number): ItemState | undefined =>
  state.total === null || index >= state.total
    ? undefined
    : Option.getOrElse(HashMap.get(state.items, index), () => ({ is: "pending", attempt: 0 }) as const)

const setItem = (state: JobState, index: number, from: ItemState, to: ItemState): JobState => ({
  ...state,
  items: HashMap.set(state.items, index, to),
  counts: move(state.counts, bucketOf[from.is], bucketOf[to.is])
})

/** Puts back what an owner that is gone had in its hands: running items to pending, a started merge to the queue. */
const putBack = (state: JobState): JobState => {
  let next = state
  let requeued: ReadonlyArray<number> = []
  if (state.counts.running > 0) {
    for (const [index, item] of HashMap.entries(state.items)) {
      if (item.is !== "running") continue
      next = setItem(next, index, item, { is: "pending", attempt: item.attempt })
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
  if (state.status === "new" && record.type !== "job_started") return wrongPhase("job_started first")
  if (state.status !== "running" && record.type !== "job_resumed" && record.type !== "job_started") {
    return wrongPhase("a running job")
  }

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
      const next = setItem(counted, record.index, item, { is: "running", attempt: record.attempt })
      return Either.right(
        again
          ? { ...next, requeued: Chunk.filter(next.requeued, (index) => index !== record.index) }
          : { ...next, next: state.next + 1 }
      )
    }

    case "item_completed": {
      const item = itemAt(state, record.index)
      if (item?.is !== "running" || item.attempt !== record.attempt) {
        return misfit(`attempt ${record.attempt} running`, describe(item))
      }
      const usage = Usage.add(state.usage, record.usage)
      if (record.tip === null) {
        const next = setItem(counted, record.index, item, { is: "merged", attempt: item.attempt, commit: null })
        return Either.right({ ...next, usage })
      }
      const next = setItem(counted, record.index, item, {
        is: "completed",
        attempt: item.attempt,
        tip: record.tip,
        branch: record.branch
      })
      return Either.right({ ...next, usage, merge_queue: Chunk.append(next.merge_queue, record.index) })
    }

    case "item_failed": {
      const item = itemAt(state, record.index)
      if ((item?.is !== "running" && item?.is !== "merging") || item.attempt !== record.attempt) {
        return misfit(`attempt ${record.attempt} running or merging`, describe(item))
      }
      const next = setItem(counted, record.index, item, {
        is: record.disposition === "skip" ? "skipped" : "dead_lettered",
        attempt: item.attempt
      })
      return Either.right({
        ...next,
        merging: item.is === "merging" ? null : next.merging,
        usage: Usage.add(state.usage, record.usage)
      })
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

    case "stopping":
      return Either.right({ ...counted, stopping: record.reason })

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
        : Either.right({ ...counted, status: "completed" })

    case "job_failed":
      return Either.right({ ...putBack(counted), status: "failed", failure: record.failure })

    case "job_paused":
      return Either.right({ ...putBack(counted), status: "paused", failure: null })

    case "job_resumed":
      return state.status === "completed"
        ? wrongPhase("a job that is not completed")
        : Either.right({ ...putBack(counted), status: "running", stopping: null, failure: null })
  }
}

const describe = (item: ItemState | undefined): string =>
  item === undefined ? "no such item" : `attempt ${item.attempt} ${item.is}`

/** Nothing runs and nothing waits to be merged. */
const isDrained = (state: JobState): boolean => state.counts.running === 0 && state.counts.unmerged === 0

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
  | { readonly _tag: "Resume"; readonly owner: Owner }
  | { readonly _tag: "SetupDone"; readonly variables: Variables; readonly usage: Usage.Usage }
  | { readonly _tag: "PhaseFailed"; readonly phase: Phase; readonly failure: Failure.Failure }
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
    }
  | { readonly _tag: "Merged"; readonly index: number; readonly commit: string | null }
  | { readonly _tag: "MergeFailed"; readonly index: number; readonly failure: Failure.Failure; readonly kept: Kept }
  | {
      readonly _tag: "ReduceStepDone"
      readonly step: number
      readonly variables: Variables
      readonly usage: Usage.Usage
    }
  | { readonly _tag: "Finished"; readonly finish: Finish }
  | { readonly _tag: "Pause"; readonly reason: string }

/**
 * The ids of the items, by index; the state itself holds numbers only.
 *
 * @since 0.1.0
 * @category models
 */
export type ItemIds = (index: number) => ItemId

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
  policy: Policy,
  ids: ItemIds,
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
  for (const record of respond(state, policy, ids, input)) add(record)
  if (records.length > 0) {
    for (let record = settle(now, policy, ids); record !== undefined; record = settle(now, policy, ids)) add(record)
  }
  return { records, state: now }
}

/** The direct answer to a fact. */
const respond = (state: JobState, policy: Policy, ids: ItemIds, input: Input): ReadonlyArray<JobRecord> => {
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
      return state.status === "new" || state.status === "completed" ? [] : [{ type: "job_resumed", owner: input.owner }]
  }
  if (state.status !== "running") return []

  switch (input._tag) {
    case "SetupDone":
      return state.phase === "setup"
        ? [{ type: "setup_completed", variables: input.variables, usage: input.usage }]
        : []
    case "PhaseFailed":
      return state.phase === input.phase ? [{ type: "job_failed", phase: input.phase, failure: input.failure }] : []
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
      return failed(state, policy, ids, input)
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
      return failed(state, policy, ids, { ...input, attempt: item.attempt, durationMillis: 0, usage: Usage.none })
    }
    case "ReduceStepDone":
      return state.phase === "reduce" && input.step === state.reduce_steps_done
        ? [{ type: "reduce_step_completed", step: input.step, variables: input.variables, usage: input.usage }]
        : []
    case "Finished":
      return state.phase === "finish" && state.finish === null ? [{ type: "finished", finish: input.finish }] : []
    case "Pause":
      return [{ type: "job_paused", reason: input.reason }]
  }
}

const attemptOf = (state: JobState, ids: ItemIds, index: number, attempt: number) => ({
  index,
  item_id: ids(index),
  agent_id: AgentId.fromItem(state.job_id!, index),
  attempt
})

const failed = (
  state: JobState,
  policy: Policy,
  ids: ItemIds,
  input: {
    readonly index: number
    readonly attempt: number
    readonly failure: Failure.Failure
    readonly kept: Kept
    readonly durationMillis: number
    readonly usage: Usage.Usage
  }
): ReadonlyArray<JobRecord> => {
  const record: JobRecord = {
    type: "item_failed",
    ...attemptOf(state, ids, input.index, input.attempt),
    failure: input.failure,
    kept: input.kept,
    duration_ms: input.durationMillis,
    usage: input.usage,
    disposition: policy.onItemFailure === "skip" ? "skip" : "dead_letter"
  }
  const reason = state.stopping === null ? stopReason(state, policy, ids(input.index)) : undefined
  return reason === undefined ? [record] : [record, { type: "stopping", reason, failure: input.failure }]
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

/** The next record that follows from the state alone, if any. */
const settle = (state: JobState, policy: Policy, ids: ItemIds): JobRecord | undefined => {
  if (state.status !== "running") return undefined
  switch (state.phase) {
    case "map":
      return settleMap(state, policy, ids)
    case "reduce":
      return state.reduce_steps_done >= policy.reduceSteps ? { type: "reduce_completed" } : undefined
    case "finish":
      return state.finish === null ? undefined : { type: "job_completed" }
    default:
      return undefined
  }
}

const settleMap = (state: JobState, policy: Policy, ids: ItemIds): JobRecord | undefined => {
  const head = Option.getOrUndefined(Chunk.head(state.merge_queue))
  if (state.merging === null && head !== undefined) {
    const item = itemAt(state, head)
    if (item?.is === "completed") return { type: "merge_started", index: head, item_id: ids(head), tip: item.tip }
  }
  // An item keeps its place in the window until it is merged: agents start from a parent that has all that is done, and
  // with a window of one no two items ever meet.
  const inWindow = state.counts.running + state.counts.unmerged
  if (state.stopping === null && state.counts.pending > 0 && inWindow < policy.maxParallel) {
    const index = Option.getOrElse(Chunk.head(state.requeued), () => state.next)
    const item = itemAt(state, index)
    if (item?.is === "pending") return { type: "item_started", ...attemptOf(state, ids, index, item.attempt + 1) }
  }
  if (!isDrained(state)) return undefined
  if (state.stopping !== null) {
    return {
      type: "job_failed",
      phase: "map",
      failure: Failure.make({ error_type: "Unknown" }, state.stopping)
    }
  }
  return state.counts.pending === 0 ? { type: "map_completed" } : undefined
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
  | { readonly _tag: "RunAttempt"; readonly index: number; readonly attempt: number; readonly agentId: AgentId.AgentId }
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
    case "item_started":
      return { _tag: "RunAttempt", index: record.index, attempt: record.attempt, agentId: record.agent_id }
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
