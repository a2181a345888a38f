/**
 * Why a job is as it is, and why an item ran, was skipped, tried again, put back or given up: told from the journal.
 *
 * Owns what is told and the words of it. Reads only, in one pass and in memory that does not grow with the job (an item's
 * story grows with its attempts), so it may be asked beside a run. What the journal does not say is not told.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as SortedSet from "effect/SortedSet"
import * as Stream from "effect/Stream"
import { didYouMean } from "../domain/DidYouMean.ts"
import type { Failure } from "../domain/Failure.ts"
import * as JobDecision from "../domain/JobDecision.ts"
import { JobId } from "../domain/JobId.ts"
import type { JobRecordOf, JournalEntry } from "../domain/JobRecord.ts"
import * as JobState from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import { Timestamp } from "../domain/Timestamp.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import type { WorkflowState } from "../domain/WorkflowState.ts"
import { type JobNotFound, JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { type SessionFileNotFound, WorkflowStore } from "../storage/WorkflowStore.ts"
import type { Workflow } from "../workflow/Workflow.ts"
import { policyOf } from "./ActiveRun.ts"
import { AmbiguousId, IdNotFound, Inspect, type InspectError, type Known } from "./Inspect.ts"
import { applied } from "./Restore.ts"
import { outcomeOf } from "./RunView.ts"

/**
 * One thing that happened.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Happening = Schema.Struct({
  seq: Schema.NullOr(Schema.Int).annotations({ description: "the journal's entry; null: known from elsewhere" }),
  at: Schema.NullOr(Timestamp),
  item_id: Schema.NullOr(Schema.String).annotations({ description: "null: it concerns the whole job" }),
  what: Schema.String,
  because: Schema.NullOr(Schema.String).annotations({ description: "why, where that is not plain" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Happening extends Schema.Schema.Type<typeof Happening> {}

/**
 * What is told.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Explanation = Schema.Struct({
  session_id: SessionId,
  job_id: Schema.NullOr(JobId).annotations({ description: "null: the session of a standard workflow" }),
  workflow_name: Schema.String,
  status: Schema.String.annotations({ description: "of the job, or of the item that was asked for" }),
  item: Schema.NullOr(Schema.Struct({ id: Schema.String, index: Schema.Int, attempts: Schema.Int })).annotations({
    description: "null: the whole job was asked for"
  }),
  conclusion: Schema.String.annotations({ description: "why it is as it is, in one sentence" }),
  story: Schema.Array(Happening).annotations({ description: "in order" }),
  left_out: Schema.Int.annotations({ description: "failures of items that are not told, before those that are" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Explanation extends Schema.Schema.Type<typeof Explanation> {}

/**
 * Failures of items that the story of a whole job tells, the last ones.
 *
 * @since 0.1.0
 * @category models
 */
export const failuresMax = 20

/**
 * @since 0.1.0
 * @category errors
 */
export type ExplainError = InspectError | JobNotFound | SessionFileNotFound

/**
 * @since 0.1.0
 * @category services
 */
export class Explain extends Context.Tag("@prodigy/core/engine/Explain")<
  Explain,
  {
    /**
     * Explains what `id` means as a whole, or one item of it: by its id, or the unique beginning of one. Fails with
     * `IdNotFound` for an item that was not selected.
     */
    readonly explain: (options: {
      readonly projectPath: string
      readonly id: string
      readonly item: string | null
    }) => Effect.Effect<Explanation, ExplainError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const inspect = yield* Inspect
  const jobs = yield* JobStore
  const journal = yield* Journal
  const home = yield* ProdigyHome
  const workflows = yield* WorkflowStore

  /** Folds the journal and collects what `tell` tells of each entry. */
  const told = (repo: RepoName, jobId: JobId, tell: Tell) =>
    Effect.gen(function* () {
      const path = home.repo(repo).job(jobId).journal
      const kept = new Kept()
      let reason: string | null = null
      const state = yield* Stream.runFoldEffect(journal.read(repo, jobId, 0), JobState.empty, (before, entry) =>
        Effect.map(applied(path, before, entry), (after) => {
          const { record } = entry
          if (record.type === "job_paused" || record.type === "job_cancelled") reason = record.reason
          for (const one of tell(entry, before, after)) kept.add(one)
          return after
        })
      )
      return { state, kept, reason: reason as string | null }
    })

  const ofItem = Effect.fnUntraced(function* (known: Known, jobId: JobId, text: string) {
    const items = (yield* jobs.loadItems(known.repo, jobId)) ?? []
    const item = yield* itemOf(items, jobId, text)
    const job = yield* jobs.load(known.repo, jobId)
    const policy = policyOf(job, { maxRetries: null, waitsForQuota: true })
    const { kept, state } = yield* told(known.repo, jobId, itemTeller(item, policy))
    const now = JobState.itemAt(state, item.index)
    return {
      ...header(known, job.workflow.name),
      status: now?.is ?? "pending",
      item: { id: item.id, index: item.index, attempts: now?.attempt ?? 0 },
      conclusion: whyItem(state, item, kept.last, shownOf(known)),
      story: kept.all,
      left_out: 0
    }
  })

  const ofJob = Effect.fnUntraced(function* (known: Known, jobId: JobId) {
    const job = yield* jobs.load(known.repo, jobId)
    const { kept, reason, state } = yield* told(known.repo, jobId, jobTeller(job.workflow))
    return {
      ...header(known, job.workflow.name),
      status: shownOf(known) ?? state.status,
      item: null,
      conclusion: whyJob(state, reason, shownOf(known)),
      story: kept.all,
      left_out: kept.leftOut
    }
  })

  const ofWorkflow = Effect.fnUntraced(function* (known: Known) {
    const { workflow } = yield* workflows.load(known.repo, known.sessionId)
    const { checkpoint } = yield* workflows.loadCheckpoint(known.repo, known.sessionId)
    return {
      ...header(known, workflow.name),
      status: shownOf(known) ?? checkpoint?.state.status ?? "new",
      item: null,
      conclusion: whyWorkflow(checkpoint?.state ?? null, shownOf(known)),
      story: checkpoint === null ? [] : stepsOf(checkpoint.state, checkpoint.created_at),
      left_out: 0
    }
  })

  return Explain.of({
    explain: Effect.fn("Explain.explain")(function* ({
      id,
      item,
      projectPath
    }): Effect.fn.Return<Explanation, ExplainError> {
      const known = yield* inspect.known({ projectPath, id })
      const { jobId } = known
      if (jobId !== null) return yield* item === null ? ofJob(known, jobId) : ofItem(known, jobId, item)
      if (item === null) return yield* ofWorkflow(known)
      return yield* new IdNotFound({ kind: "item", text: item, job: known.sessionId, suggestions: [] })
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Explain, never, Inspect | JobStore | Journal | ProdigyHome | WorkflowStore> =
  Layer.effect(Explain, make)

const header = (known: Known, name: string) => ({
  session_id: known.sessionId,
  job_id: known.jobId,
  workflow_name: name
})

type ShownText = "interrupted" | "running" | "initializing" | "paused" | "completed" | "failed" | "cancelled"

const shownOf = ({ listed }: Known): ShownText | null =>
  listed === null ? null : (listed.shown.toLowerCase() as ShownText)

/**
 * The item of a job that a text means: by its exact id, else by the unique beginning of one.
 *
 * @since 0.1.0
 * @category looking up
 */
export const itemOf = (
  items: ReadonlyArray<WorkItem>,
  jobId: string,
  text: string
): Effect.Effect<WorkItem, IdNotFound | AmbiguousId> => {
  const exact = items.find(({ id }) => id === text)
  if (exact !== undefined) return Effect.succeed(exact)
  const begun = text === "" ? [] : items.filter(({ id }) => id.startsWith(text))
  const [only] = begun
  if (begun.length > 1) return new AmbiguousId({ text, candidates: begun.slice(0, 10).map(({ id }) => id) })
  if (only !== undefined) return Effect.succeed(only)
  const suggestions = didYouMean(
    text,
    items.map(({ id }) => id)
  )
  return new IdNotFound({ kind: "item", text, job: jobId, suggestions })
}

type Tell = (
  entry: JournalEntry,
  before: JobState.JobState,
  after: JobState.JobState
) => ReadonlyArray<Happening & { readonly bounded?: boolean }>

/** Keeps what is told: all that concerns the job, and the last `failuresMax` of what is bounded. */
class Kept {
  private readonly entries: Array<{ readonly happening: Happening; readonly bounded: boolean }> = []
  private failures = 0
  leftOut = 0

  add({ bounded = false, ...happening }: Happening & { readonly bounded?: boolean }): void {
    this.entries.push({ happening, bounded })
    if (!bounded) return
    this.failures += 1
    if (this.failures <= failuresMax) return
    this.entries.splice(
      this.entries.findIndex((entry) => entry.bounded),
      1
    )
    this.failures -= 1
    this.leftOut += 1
  }

  get all(): ReadonlyArray<Happening> {
    return this.entries.map(({ happening }) => happening)
  }

  get last(): Happening | null {
    return this.entries.at(-1)?.happening ?? null
  }
}

const happening = (
  { at, seq }: JournalEntry,
  what: string,
  because: string | null = null,
  itemId: string | null = null
): Happening => ({ seq, at, item_id: itemId, what, because })

// -----------------------------------------------------------------------------
// the whole job
// -----------------------------------------------------------------------------

const jobTeller =
  ({ reduce, setup }: Workflow): Tell =>
  (entry, before, after) => {
    const { record } = entry
    const tell = (what: string, because: string | null = null) => [happening(entry, what, because)]
    switch (record.type) {
      case "job_started":
        return tell(`started by process ${record.owner.pid} on ${record.owner.host}`)
      case "setup_completed":
        return setup.steps.length === 0 ? [] : tell("setup done")
      case "items_selected":
        return tell(`${count(record.total, "item")} selected`)
      case "item_failed":
        return record.disposition === "dead_letter" || record.disposition === "skip"
          ? [
              {
                ...happening(entry, fates[record.disposition], messageOf(record.failure), record.item_id),
                bounded: true
              }
            ]
          : []
      case "stopping":
        return tell(`no more items are started: stopped by the ${record.by}`, record.reason)
      case "breaker_opened":
        return tell(
          `the circuit breaker opened: no item starts until ${record.until}`,
          `${count(record.failures, "attempt")} in a row failed`
        )
      case "breaker_half_opened":
        return tell("the circuit breaker half opened: a few items are tried", "its timeout passed")
      case "breaker_closed":
        return tell("the circuit breaker closed", "what was tried succeeded")
      case "quota_reached":
        return tell(`waits until ${record.until} for the agent's quota`, messageOf(record.failure))
      case "quota_over":
        return tell("goes on: the wait for the quota is over")
      case "map_completed": {
        const { dead_lettered, merged, skipped } = after.counts
        return tell(`map done: ${merged} done, ${dead_lettered} failed, ${skipped} skipped`)
      }
      case "reduce_step_completed":
        return tell(`reduce step ${record.step + 1} done`)
      case "reduce_completed":
        return reduce.steps.length === 0 ? [] : tell("reduce done")
      case "finished":
        return tell(outcomeOf(record.finish) ?? "finished")
      case "job_completed":
        return tell("completed")
      case "job_failed":
        return tell(`failed in phase ${record.phase}`, messageOf(record.failure))
      case "job_paused":
        return tell("paused", record.reason)
      case "job_cancelled":
        return tell("cancelled", record.reason)
      case "job_resumed": {
        const lost = before.counts.running
        const why = before.status === "running" ? "the process that drove it had ended without a word" : null
        const back = lost === 0 ? "" : `; ${count(lost, "item")} that it had at work put back`
        return tell(`resumed by process ${record.owner.pid} on ${record.owner.host}${back}`, why)
      }
      case "items_requeued":
        return tell(`${count(record.indexes.length, "item")} taken from the dead letter queue to be tried again`)
      case "item_started":
      case "item_completed":
      case "merge_started":
      case "item_merged":
        return []
    }
  }

const whyJob = (state: JobState.JobState, reason: string | null, shown: ShownText | null): string => {
  switch (state.status) {
    case "new":
      return "It has not begun."
    case "running":
      return shown === "interrupted"
        ? `The process that drove it ended in phase ${state.phase} without a word: it was killed, or the machine went down.`
        : `It is under way in phase ${state.phase}${holding(state)}.`
    case "paused":
      return `It was paused: ${reason ?? "no reason is recorded"}${dot(reason)}`
    case "cancelled":
      return `It was cancelled: ${reason ?? "no reason is recorded"}${dot(reason)}`
    case "failed": {
      const why = state.failure === null ? "no reason is recorded." : `${messageOf(state.failure)}`
      return `It failed in phase ${state.phase}: ${why}${dot(why)}`
    }
    case "completed": {
      const { dead_lettered, skipped } = state.counts
      const but = [
        ...(dead_lettered > 0 ? [`${count(dead_lettered, "item")} failed for good`] : []),
        ...(skipped > 0 ? [`the workflow skipped ${count(skipped, "item")}`] : [])
      ]
      const outcome = outcomeOf(state.finish)
      return `It is done${outcome === undefined ? "" : `: ${outcome}`}${but.length === 0 ? "" : `, but ${but.join(" and ")}`}.`
    }
  }
}

/** What keeps items from starting, behind a sentence. */
const holding = (state: JobState.JobState): string => {
  if (state.stopping !== null) return `, and starts nothing any more: ${state.stopping.reason.replace(/\.$/, "")}`
  if (state.quota !== null) return `, and waits until ${state.quota.until} for the agent's quota`
  if (state.breaker.is === "open")
    return `, and starts no item until ${state.breaker.until}: the circuit breaker is open`
  return ""
}

// -----------------------------------------------------------------------------
// one item
// -----------------------------------------------------------------------------

const fates = {
  dead_letter: "failed for good: to the dead letter queue",
  skip: "failed for good: skipped",
  retry: "failed, and is tried again",
  put_back: "put back, as if this attempt had not been"
} as const

const itemTeller =
  (item: WorkItem, policy: JobDecision.Policy): Tell =>
  (entry, before, after) => {
    const { record } = entry
    const tell = (what: string, because: string | null = null) => [happening(entry, what, because, item.id)]
    const was = JobState.itemAt(before, item.index)
    switch (record.type) {
      case "item_started":
        return record.index === item.index ? tell(`attempt ${record.attempt} started`, whyStarted(was)) : []
      case "item_completed": {
        if (record.index !== item.index) return []
        const made = record.tip === null ? "no commit, so there is nothing to merge" : count(record.commits, "commit")
        return tell(`attempt ${record.attempt} done in ${seconds(record.duration_ms)}: ${made}`)
      }
      case "item_failed":
        return record.index === item.index ? tell(...failedWords(record, was, policy)) : []
      case "merge_started":
        return record.index === item.index ? tell("its merge began") : []
      case "item_merged":
        return record.index === item.index
          ? tell(record.commit === null ? "merged: nothing was new" : `merged as ${record.commit.slice(0, 12)}`)
          : []
      case "job_resumed":
      case "items_requeued": {
        const is = JobState.itemAt(after, item.index)
        if (record.type === "items_requeued" && record.indexes.includes(item.index)) {
          return tell("taken from the dead letter queue to be tried again", "somebody asked for it")
        }
        return was !== undefined && is !== undefined && was.is !== is.is
          ? tell(`put back: it was ${was.is}`, "the process that drove the job had ended")
          : []
      }
      default:
        return []
    }
  }

const whyStarted = (was: JobState.ItemState | undefined): string | null =>
  was === undefined || was.attempt === 0 ? null : "an earlier attempt did not end well"

const failedWords = (
  record: JobRecordOf<"item_failed">,
  was: JobState.ItemState | undefined,
  policy: JobDecision.Policy
): readonly [what: string, because: string] => {
  const failures = was !== undefined && "failures" in was ? was.failures : 0
  const when = record.retry_at === undefined ? "" : ` at ${record.retry_at}`
  const what = `attempt ${record.attempt} ${fates[record.disposition]}${when}`
  const why = messageOf(record.failure)
  return [what, `${why}${dot(why)} ${rule(record, failures, policy)}`.trim()]
}

/** Why that became of it, by the policy of the workflow. */
const rule = (record: JobRecordOf<"item_failed">, failures: number, { onItemFailure, retry }: JobDecision.Policy) => {
  if (record.disposition === "put_back") return "That is not the item's own fault."
  if (record.disposition === "retry") {
    return retry === null ? "" : `It was failure ${failures + 1}; ${retry.times.attempts} attempts are allowed.`
  }
  const fate = record.disposition === "skip" && onItemFailure === "skip" ? " The workflow says to skip what fails." : ""
  if (retry === null) return `The workflow has no retry for items.${fate}`
  if (failures + 1 >= retry.times.attempts) return `All ${retry.times.attempts} attempts are used.${fate}`
  return retry.retries(record.failure)
    ? fate.trim()
    : `The workflow's retry_on does not name this kind of failure.${fate}`
}

const whyItem = (state: JobState.JobState, item: WorkItem, last: Happening | null, shown: ShownText | null): string => {
  const now = JobState.itemAt(state, item.index)
  const stopped = shown !== null && shown !== "running" && shown !== "initializing"
  switch (now?.is) {
    case "merged":
      return now.commit === null
        ? `It is done after ${count(now.attempt, "attempt")}, and made no commit.`
        : `It is done after ${count(now.attempt, "attempt")}, and merged as ${now.commit.slice(0, 12)}.`
    case "dead_lettered":
      return `It is in the dead letter queue after ${count(now.attempt, "attempt")}: ${last?.because ?? ""}`.trim()
    case "skipped":
      return `It was skipped after ${count(now.attempt, "attempt")}: ${last?.because ?? ""}`.trim()
    case "running":
      return stopped
        ? `Attempt ${now.attempt} was at work when the job ${shown === "interrupted" ? "was interrupted" : "stopped"}; a resume puts it back.`
        : `Attempt ${now.attempt} is at work.`
    case "completed":
    case "merging":
      return "Its work is done and waits to be merged."
    case "pending":
    case undefined:
      return whyPending(state, item, stopped)
  }
}

const whyPending = (state: JobState.JobState, item: WorkItem, stopped: boolean): string => {
  const wait = [...SortedSet.values(state.delayed)].find(({ index }) => index === item.index)
  const begun = (JobState.itemAt(state, item.index)?.attempt ?? 0) > 0
  const still = begun ? "It waits for its next attempt" : "It was not started yet"
  if (state.stopping !== null)
    return `${still}, and none is started any more: ${state.stopping.reason}${dot(state.stopping.reason)}`
  if (stopped) return `${still} when the job ended (${state.status}, phase ${state.phase}).`
  if (state.quota !== null) return `${still}: the job waits until ${state.quota.until} for the agent's quota.`
  if (state.breaker.is === "open") return `${still}: the circuit breaker is open until ${state.breaker.until}.`
  if (wait !== undefined) return `${still}, which begins at ${wait.at}.`
  const before = item.index - state.next
  if (begun) return `${still}; it starts as soon as there is room.`
  return before > 0
    ? `${still}: it comes after ${count(before, "item")} that were not either.`
    : `${still}; it is next.`
}

// -----------------------------------------------------------------------------
// standard workflows
// -----------------------------------------------------------------------------

const stepsOf = (state: WorkflowState, at: string): ReadonlyArray<Happening> => [
  ...state.completed.map(({ name, outcome }, index) => ({
    seq: null,
    at: null,
    item_id: null,
    what: `step ${index + 1} ${outcome === "skipped" ? "skipped" : "done"}: ${name}`,
    because: outcome === "skipped" ? "its `when` did not hold" : null
  })),
  ...(state.failure === null
    ? []
    : [
        {
          seq: null,
          at,
          item_id: null,
          what: `step ${state.next_step + 1} failed: ${state.failure.step ?? ""}`.replace(/: $/, ""),
          because: messageOf(state.failure)
        }
      ])
]

const whyWorkflow = (state: WorkflowState | null, shown: ShownText | null): string => {
  if (state === null) return "No step of it is done."
  if (state.failure !== null) return `It failed: ${messageOf(state.failure)}${dot(state.failure.message)}`
  const outcome = outcomeOf(state.finish)
  if (outcome !== undefined) return `It is done: ${outcome}.`
  const done = count(state.steps_completed, "step")
  if (shown === "interrupted") return `The process that drove it ended without a word, after ${done}.`
  return `${shown === "running" ? "It is under way" : "It stopped"} after ${done}.`
}

// -----------------------------------------------------------------------------
// words
// -----------------------------------------------------------------------------

const messageOf = ({ message, step }: Failure): string =>
  step === null || message.includes(step) ? message : `${message.replace(/\.$/, "")} at ${step}`

const count = (amount: number, noun: string): string => `${amount} ${noun}${amount === 1 ? "" : "s"}`

const dot = (text: string | null): string => (text !== null && /[.!?]$/.test(text) ? "" : ".")

const seconds = (millis: number): string =>
  millis < 1000 ? `${Math.round(millis)} ms` : `${(millis / 1000).toFixed(1)} s`
