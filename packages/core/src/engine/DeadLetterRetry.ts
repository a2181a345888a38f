/**
 * Which dead letters of a job are tried again, and on what terms.
 *
 * Owns the choice: the filter, what is eligible, how often is too often, and that a retry which was interrupted is gone on
 * with and not begun anew. Reads only. Does not own the running (`MapReduce.retry`), nor what a retry does to a letter
 * (`DeadLetter`).
 *
 * The choice is made by letters as the journal's end makes them, also where the last owner was killed before it wrote them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as HashSet from "effect/HashSet"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as DeadLetter from "../domain/DeadLetter.ts"
import { JobId } from "../domain/JobId.ts"
import { RetryTerms } from "../domain/JobRecord.ts"
import * as JobState from "../domain/JobState.ts"
import { SessionId } from "../domain/SessionId.ts"
import { ItemId } from "../domain/WorkItem.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { DeadLetterQueue } from "../storage/DeadLetterQueue.ts"
import { Journal } from "../storage/Journal.ts"
import type { JobFile, JobStore } from "../storage/JobStore.ts"
import type { ProdigyHome } from "../storage/ProdigyHome.ts"
import * as Expression from "../workflow/Expression.ts"
import * as Letters from "./Letters.ts"
import * as Planning from "./Planning.ts"
import * as Restore from "./Restore.ts"

/**
 * What a caller asks for.
 *
 * @since 0.1.0
 * @category models
 */
export interface RetryRequest {
  readonly repo: RepoName
  readonly jobId: JobId
  /** An expression over a letter, with the names of `DeadLetter.fields`; null: every letter. */
  readonly filter: string | null
  /** An item that was tried again so often is passed over. */
  readonly maxRetries: number
  /** Takes letters all the same that are not eligible, or were tried again too often. */
  readonly force: boolean
  /** Items at once; null: as the workflow says, but not more than `parallelMax`. */
  readonly parallel: number | null
  /** Milliseconds for one attempt of an item; null: as the workflow says. */
  readonly timeoutMillis: number | null
  /** Runs the reduce phase again afterwards, from its first step. */
  readonly reduce: boolean
  readonly approve: "yes" | "ask" | "not_asked"
  readonly waitsForQuota: boolean
}

/**
 * Items at once, when nothing else is asked for and the workflow allows as many.
 *
 * @since 0.1.0
 * @category models
 */
export const parallelMax = 10

/**
 * Characters of an error's message that a plan repeats.
 *
 * @since 0.1.0
 * @category models
 */
export const messageCharactersMax = 200

/**
 * What a retry would do.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RetryPlan = Schema.Struct({
  job_id: JobId,
  session_id: SessionId,
  items: Schema.Array(
    Schema.Struct({
      item_id: ItemId,
      item_index: Schema.Int,
      failure_count: Schema.Int,
      retries: Schema.Int,
      error_type: Schema.String,
      error_message: Schema.String
    })
  ).annotations({ description: "what is tried again, in the order of the items" }),
  going_on: Schema.Int.annotations({ description: "items of a retry that was interrupted, which go on too" }),
  passed_over: Schema.Struct({
    filter: Schema.Int.annotations({ description: "letters that the filter does not take" }),
    not_eligible: Schema.Int,
    too_often: Schema.Int.annotations({ description: "those that were tried again `max_retries` times" }),
    failed_again: Schema.Int.annotations({ description: "those that the interrupted retry has tried already" })
  }),
  max_retries: Schema.Int,
  terms: RetryTerms,
  target_branch: Schema.NullOr(Schema.String),
  worktree: Schema.Literal("session", "new").annotations({
    description: "where the work is merged: the session's own worktree, or a new one from the target branch"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RetryPlan extends Schema.Schema.Type<typeof RetryPlan> {}

/**
 * What came of a retry: items that it tried, those that an interrupted one had left over included, and how many were done.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Retried = Schema.Struct({ tried: Schema.Int, done: Schema.Int })

/**
 * @since 0.1.0
 * @category models
 */
export interface Retried extends Schema.Schema.Type<typeof Retried> {}

/**
 * None of a job's dead letters is to be tried again.
 *
 * @since 0.1.0
 * @category errors
 */
export class NothingToRetry extends Schema.TaggedError<NothingToRetry>(
  "@prodigy/core/engine/DeadLetterRetry/NothingToRetry"
)("NothingToRetry", { plan: RetryPlan }) {
  override get message() {
    const { job_id } = this.plan
    const why = passedOver(this.plan)
    return why.length === 0
      ? `Job ${job_id} has no dead letters to try again.`
      : `None of the dead letters of job ${job_id} is to be tried again: ${why.join(", ")}.`
  }
}

/**
 * Why letters are passed over, in words with their numbers; empty when none is.
 *
 * @since 0.1.0
 * @category rendering
 */
export const passedOver = ({ max_retries, passed_over }: RetryPlan): ReadonlyArray<string> =>
  (
    [
      [passed_over.filter, "not taken by the filter"],
      [passed_over.not_eligible, "not eligible"],
      [passed_over.too_often, `tried again ${max_retries === 1 ? "once" : `${max_retries} times`} already`],
      [passed_over.failed_again, "failed again in the retry that goes on"]
    ] as const
  ).flatMap(([count, what]) => (count === 0 ? [] : [`${count} ${what}`]))

/**
 * Chooses. A filter that cannot be read is an `InvalidOption` which says where. `worktree` is the caller's to find out.
 *
 * @since 0.1.0
 * @category planning
 */
export const plan = Effect.fn("DeadLetterRetry.plan")(function* (
  request: Omit<RetryRequest, "approve" | "waitsForQuota">,
  job: JobFile,
  { followed, state }: Pick<Restore.Restored, "followed" | "state">
): Effect.fn.Return<
  Omit<RetryPlan, "worktree">,
  Planning.InvalidOption | StorageError | DamagedFile,
  DeadLetterQueue | Journal | JobStore | ProdigyHome
> {
  const { force, jobId, maxRetries, repo } = request
  const filter = yield* parse(request.filter)
  const queue = yield* DeadLetterQueue
  const newer = yield* unwritten(repo, jobId, { followed, state })
  const items: Array<RetryPlan["items"][number]> = []
  const passed = { filter: 0, not_eligible: 0, too_often: 0, failed_again: 0 }

  const look = (letter: DeadLetter.DeadLetter) => {
    const { item_index: index } = letter
    if (letter.status === "resolved" || JobState.itemAt(state, index)?.is !== "dead_lettered") return
    const retries = letter.retried_at?.length ?? 0
    if (!filter(letter)) passed.filter += 1
    else if (!letter.reprocess_eligible && !force) passed.not_eligible += 1
    else if (retries >= maxRetries && !force) passed.too_often += 1
    else if (state.retry !== undefined && HashSet.has(state.retry.indexes, index)) passed.failed_again += 1
    else items.push(entryOf(letter, retries))
  }
  yield* Stream.runForEach(queue.stream(repo, jobId), (written) =>
    Effect.sync(() => {
      const letter = newer.get(written.item_id) ?? written
      newer.delete(written.item_id)
      look(letter)
    })
  )
  for (const letter of newer.values()) look(letter)
  return {
    job_id: jobId,
    session_id: job.session_id,
    items: items.toSorted((a, b) => a.item_index - b.item_index),
    going_on: goingOn(state),
    passed_over: passed,
    max_retries: maxRetries,
    terms: {
      filter: request.filter,
      max_parallel: request.parallel ?? Math.min(job.options.max_parallel, parallelMax),
      agent_timeout_ms: request.timeoutMillis,
      reduce: request.reduce
    },
    target_branch: job.target_branch
  }
})

/**
 * What came of a retry, from the counts before and after it.
 *
 * @since 0.1.0
 * @category projections
 */
export const outcome = (
  plan: RetryPlan,
  before: { readonly counts: JobState.Counts },
  after: { readonly counts: JobState.Counts }
): Retried => {
  const tried = plan.items.length + plan.going_on
  return { tried, done: Math.min(tried, after.counts.merged - before.counts.merged) }
}

/**
 * The job on the terms of a retry.
 *
 * @since 0.1.0
 * @category combinators
 */
export const onTerms = (job: JobFile, terms: RetryTerms): JobFile => ({
  ...job,
  options: { ...job.options, max_parallel: terms.max_parallel },
  workflow:
    terms.agent_timeout_ms === null
      ? job.workflow
      : { ...job.workflow, map: { ...job.workflow.map, agent_timeout_ms: terms.agent_timeout_ms } }
})

/**
 * Reads a filter.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (
  filter: string | null
): Effect.Effect<(letter: DeadLetter.DeadLetter) => boolean, Planning.InvalidOption> =>
  filter === null
    ? Effect.succeed(() => true)
    : Either.match(Expression.parse(filter), {
        onLeft: ({ message }) =>
          Effect.fail(new Planning.InvalidOption({ option: "--filter", value: filter, detail: message })),
        onRight: (expression) => Effect.succeed((letter) => expression.test(DeadLetter.fields(letter)))
      })

/** Letters as the end of the journal makes them, which their owner was killed before it could write. */
const unwritten = Effect.fnUntraced(function* (
  repo: RepoName,
  jobId: JobId,
  { followed, state }: Pick<Restore.Restored, "followed" | "state">
) {
  const newer = new Map<ItemId, DeadLetter.DeadLetter>()
  if (followed >= state.seq) return newer
  const queue = yield* DeadLetterQueue
  const letters = Letters.make({
    queue: {
      get: (repo, jobId, itemId) => {
        const letter = newer.get(itemId)
        return letter === undefined ? queue.get(repo, jobId, itemId) : Effect.succeed(letter)
      },
      put: (_repo, _jobId, letter) => Effect.sync(() => void newer.set(letter.item_id, letter))
    },
    repo,
    jobId,
    items: { current: yield* Restore.items(repo, jobId, state.total) }
  })
  const journal = yield* Journal
  yield* Stream.runForEach(journal.read(repo, jobId, 0), (entry) =>
    entry.seq <= followed ? letters.remember(entry) : letters.follow(entry)
  )
  return newer
})

const entryOf = (letter: DeadLetter.DeadLetter, retries: number): RetryPlan["items"][number] => {
  const last = letter.failure_history.at(-1) ?? letter.failure_history[0]
  return {
    item_id: letter.item_id,
    item_index: letter.item_index,
    failure_count: letter.failure_count,
    retries,
    error_type: last.error_type,
    error_message: last.error_message.slice(0, messageCharactersMax)
  }
}

/** Items of the retry under way that have not come to their end. */
const goingOn = (state: JobState.JobState): number => {
  let left = 0
  for (const index of state.retry?.indexes ?? []) if (!isEnded(JobState.itemAt(state, index))) left += 1
  return left
}

const isEnded = (item: JobState.ItemState | undefined): boolean =>
  item === undefined || item.is === "merged" || item.is === "dead_lettered" || item.is === "skipped"
