/**
 * Dead letters for people: listed, shown, counted, analysed, and removed.
 *
 * Owns which job is meant when none is named, the filters, and what may be removed. Does not own the letters
 * (`DeadLetterQueue`), when they are written (`JobRecorder`), or what is tried again.
 *
 * Whatever is removed here, no work is lost: branches and rescue refs stay, and are named. Nothing of a job that somebody
 * drives is removed, and no letter that cannot be read.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { DeadLetter } from "../domain/DeadLetter.ts"
import * as DeadLetterAnalysis from "../domain/DeadLetterAnalysis.ts"
import * as DeadLetterSummary from "../domain/DeadLetterSummary.ts"
import { didYouMean } from "../domain/DidYouMean.ts"
import { JobId } from "../domain/JobId.ts"
import * as SessionIds from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { ItemId } from "../domain/WorkItem.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { DeadLetterQueue, type Summaries } from "../storage/DeadLetterQueue.ts"
import { EventLog } from "../storage/EventLog.ts"
import { ResumeLock, type ResumeLockHeld } from "../storage/ResumeLock.ts"
import { AmbiguousId, IdInvalid, IdNotFound, Inspect, type InspectError, type JobRef } from "./Inspect.ts"

/**
 * Letters that cannot be read. What could be done without them was done.
 *
 * @since 0.1.0
 * @category errors
 */
export class LettersDamaged extends Schema.TaggedError<LettersDamaged>(
  "@prodigy/core/engine/DeadLetters/LettersDamaged"
)("LettersDamaged", { paths: Schema.NonEmptyArray(Schema.String) }) {
  override get message() {
    const many = this.paths.length
    return many === 1
      ? `1 dead letter is damaged and was left out: ${this.paths[0]}.`
      : `${many} dead letters are damaged and were left out; the first is ${this.paths[0]}.`
  }
}

/**
 * What the look-ups may fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type DeadLettersError = InspectError | ResumeLockHeld | LettersDamaged

/**
 * The statistics of one job.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobStats = Schema.Struct({
  job_id: JobId,
  session_id: SessionIds.SessionId,
  ...DeadLetterAnalysis.Stats.fields,
  damaged: Schema.Int
})

/**
 * @since 0.1.0
 * @category models
 */
export interface JobStats extends Schema.Schema.Type<typeof JobStats> {}

/**
 * A letter that is, or would be, removed. `refs` are not: they keep the work of its last attempt.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Removed = Schema.Struct({
  job_id: JobId,
  item_id: ItemId,
  status: DeadLetterSummary.DeadLetterSummary.fields.status,
  failure_count: Schema.Int,
  last_attempt: Timestamp.Timestamp,
  refs: Schema.Array(Schema.String).annotations({
    description: "branch and rescue ref that kept the work of its last attempt; they are not removed"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Removed extends Schema.Schema.Type<typeof Removed> {}

/**
 * What is, or would be, removed; and of which jobs nothing is although something was meant, with the reason.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Removal = Schema.Struct({
  removed: Schema.Array(Removed),
  kept: Schema.Array(Schema.Struct({ job_id: JobId, letters: Schema.Int, reason: Schema.String })),
  damaged: Schema.Array(Schema.String).annotations({ description: "letters that cannot be read; they stay" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Removal extends Schema.Schema.Type<typeof Removal> {}

/**
 * Which job is meant: what a text names, or (null) the latest of the repository around `projectPath` with letters that
 * matter, else with any.
 *
 * @since 0.1.0
 * @category models
 */
export interface Which {
  readonly projectPath: string
  readonly job: string | null
}

/**
 * @since 0.1.0
 * @category services
 */
export class DeadLetters extends Context.Tag("@prodigy/core/engine/DeadLetters")<
  DeadLetters,
  {
    /**
     * Letters of a job, in the order of its items: those that are not resolved, with `all` every one, with `eligible` those
     * that `dlq retry` takes. `total` counts before `limit`; `job` is null when the repository has no dead letters.
     */
    readonly list: (
      options: Which & { readonly all: boolean; readonly eligible: boolean; readonly limit: number }
    ) => Effect.Effect<
      {
        readonly job: JobRef | null
        readonly letters: ReadonlyArray<DeadLetter>
        readonly total: number
        readonly stats: DeadLetterAnalysis.Stats
        readonly damaged: ReadonlyArray<DamagedFile>
      },
      InspectError
    >

    /**
     * One letter, by its item's id or the unique beginning of it. Without a job named, one of another job of the
     * repository is found by its whole id.
     */
    readonly inspect: (
      options: Which & { readonly item: string }
    ) => Effect.Effect<{ readonly job: JobRef; readonly letter: DeadLetter }, InspectError>

    /** What the letters of a job have in common. */
    readonly analyze: (options: Which) => Effect.Effect<
      {
        readonly job: JobRef | null
        readonly analysis: DeadLetterAnalysis.Analysis
        readonly damaged: ReadonlyArray<DamagedFile>
      },
      InspectError
    >

    /** Counts of one job, or (job null) of each job of the repository that has letters, oldest first. */
    readonly stats: (options: Which) => Effect.Effect<
      {
        readonly jobs: ReadonlyArray<JobStats>
        readonly total: DeadLetterAnalysis.Stats
        readonly damaged: ReadonlyArray<DamagedFile>
      },
      InspectError
    >

    /**
     * Every letter of a job, in the order of its items, one in memory at a time. Those that cannot be read are left out;
     * `damaged` tells of those that the stream has come to.
     */
    readonly all: (options: Which) => Effect.Effect<
      {
        readonly job: JobRef | null
        readonly total: number
        readonly letters: Stream.Stream<DeadLetter, StorageError>
        readonly damaged: Effect.Effect<ReadonlyArray<DamagedFile>>
      },
      InspectError
    >

    /**
     * Removes the letters of one job, or (job null) of all jobs of the repository, of which nothing changed since a moment;
     * not those that are being tried again.
     * A job that is named and driven by somebody is refused; others that are driven are kept, and said.
     */
    readonly purge: (
      options: Which & { readonly beforeMillis: number; readonly dryRun: boolean }
    ) => Effect.Effect<Removal, InspectError | ResumeLockHeld>

    /** Removes the resolved letters of a job, with `all` every one. */
    readonly clear: (options: {
      readonly projectPath: string
      readonly job: string
      readonly all: boolean
      readonly dryRun: boolean
    }) => Effect.Effect<Removal, InspectError | ResumeLockHeld>
  }
>() {}

/**
 * Letters that had to be read because the index did not tell of them, from which on the index is made anew.
 *
 * @since 0.1.0
 * @category models
 */
export const reindexMin = 100

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const inspect = yield* Inspect
  const lock = yield* ResumeLock
  const queue = yield* DeadLetterQueue
  const log = yield* EventLog

  /** Jobs of the repository that have letters, the newest first. */
  const jobs = Effect.fnUntraced(function* (projectPath: string) {
    const repo = yield* inspect.repository({ projectPath })
    const ids = repo === null ? [] : yield* queue.jobs(repo)
    return repo === null
      ? []
      : ids.toReversed().map((jobId): JobRef => ({ repo, jobId, sessionId: SessionIds.fromJob(jobId) }))
  })

  const acquire = (ref: JobRef) => lock.acquire({ jobId: ref.jobId, sessionId: ref.sessionId, force: false })

  /**
   * The letters of a job in short. An index that did not tell of many is made anew, if nobody drives the job: what is
   * looked up does not need it.
   */
  const summariesOf = Effect.fnUntraced(function* (ref: JobRef) {
    const found = yield* queue.summaries(ref.repo, ref.jobId)
    if (found.unindexed - found.damaged.length >= reindexMin) {
      yield* acquire(ref).pipe(
        Effect.zipRight(queue.reindex(ref.repo, ref.jobId)),
        Effect.scoped,
        Effect.catchAll((error) => Effect.logDebug(`An index of dead letters was not made anew: ${error.message}`))
      )
    }
    return found
  })

  /** The job that is meant, with its letters; null: the repository has none. */
  const chosen = Effect.fnUntraced(function* (
    { job, projectPath }: Which,
    matters: (letter: DeadLetterSummary.DeadLetterSummary) => boolean
  ): Effect.fn.Return<{ readonly ref: JobRef | null; readonly found: Summaries }, InspectError> {
    if (job !== null) {
      const ref = yield* inspect.job({ projectPath, id: job })
      return { ref, found: yield* summariesOf(ref) }
    }
    let newest: { readonly ref: JobRef; readonly found: Summaries } | undefined
    for (const ref of yield* jobs(projectPath)) {
      const found = yield* summariesOf(ref)
      if (found.letters.some(matters) || found.damaged.length > 0) return { ref, found }
      newest ??= { ref, found }
    }
    return newest ?? { ref: null, found: none }
  })

  const load = (ref: JobRef, itemId: ItemId) => queue.get(ref.repo, ref.jobId, itemId)

  /** A letter; null when it was removed meanwhile, or is damaged, which is added to `damaged`. */
  const readable = (ref: JobRef, itemId: ItemId, damaged: Array<DamagedFile>) =>
    load(ref, itemId).pipe(Effect.catchTag("DamagedFile", (error) => Effect.sync(() => (damaged.push(error), null))))

  const list = Effect.fn("DeadLetters.list")(function* (options: Parameters<DeadLetters["Type"]["list"]>[0]) {
    const fits = (letter: DeadLetterSummary.DeadLetterSummary) =>
      options.eligible ? DeadLetterSummary.isEligible(letter) : options.all || letter.status !== "resolved"
    const { found, ref } = yield* chosen(options, fits)
    const fitting = found.letters.filter(fits)
    const damaged = [...found.damaged]
    const letters: Array<DeadLetter> = []
    for (const { item_id } of fitting.slice(0, options.limit)) {
      const letter = ref === null ? null : yield* readable(ref, item_id, damaged)
      if (letter !== null) letters.push(letter)
    }
    return { job: ref, letters, total: fitting.length, stats: DeadLetterAnalysis.stats(found.letters), damaged }
  })

  /** A letter of one job, by the item's id or the unique beginning of it. */
  const within = Effect.fnUntraced(function* (ref: JobRef, item: ItemId) {
    const exact = yield* load(ref, item)
    if (exact !== null) return { letter: exact, ids: [] }
    const { letters } = yield* summariesOf(ref)
    const ids = letters.map(({ item_id }) => item_id)
    const begun = ids.filter((id) => id.startsWith(item))
    const [only] = begun
    if (begun.length > 1) return yield* new AmbiguousId({ text: item, candidates: begun.slice(0, candidatesMax) })
    return { letter: only === undefined ? null : yield* load(ref, only), ids }
  })

  const inspectOne = Effect.fn("DeadLetters.inspect")(function* (
    options: Parameters<DeadLetters["Type"]["inspect"]>[0]
  ) {
    const { item } = options
    if (!Schema.is(ItemId)(item)) {
      return yield* new IdInvalid({ text: item, expected: "the id of an item, 1 to 4096 characters" })
    }
    const { ref } = yield* chosen(options, isOpen)
    const found = ref === null ? { letter: null, ids: [] } : yield* within(ref, item)
    if (ref !== null && found.letter !== null) return { job: ref, letter: found.letter }
    for (const other of options.job === null ? yield* jobs(options.projectPath) : []) {
      const letter = yield* load(other, item)
      if (letter !== null) return { job: other, letter }
    }
    const suggestions = didYouMean(item, found.ids)
    return yield* new IdNotFound({ kind: "dead letter", text: item, job: ref?.jobId ?? null, suggestions })
  })

  /** Puts into the job's events how many letters were removed. What was done stands without it. */
  const tell = (ref: JobRef, count: number) =>
    log.open({ repo: ref.repo, jobId: ref.jobId, correlationId: ref.sessionId }).pipe(
      Effect.flatMap((events) => events.emit([{ event_type: "dlq_items_evicted", count }])),
      Effect.scoped,
      Effect.catchAll((error) => Effect.logWarning(`The removal is not in the events of the job: ${error.message}`))
    )

  /** Removes those of a job's letters that are meant; fails when somebody drives it. */
  const removeOf = Effect.fnUntraced(function* (
    ref: JobRef,
    meant: (letter: DeadLetterSummary.DeadLetterSummary) => boolean,
    dryRun: boolean
  ): Effect.fn.Return<Removal, StorageError | ResumeLockHeld, Scope.Scope> {
    if (!dryRun) yield* acquire(ref)
    const found = yield* queue.summaries(ref.repo, ref.jobId)
    const wanted = found.letters.filter(meant)
    const damaged = found.damaged.map(({ path }) => path)
    const removed = wanted.map((letter): Removed => ({
      job_id: ref.jobId,
      item_id: letter.item_id,
      status: letter.status,
      failure_count: letter.failure_count,
      last_attempt: letter.last_attempt,
      refs: letter.refs
    }))
    const live = dryRun && wanted.length > 0 && (yield* lock.holder(ref.jobId)) !== null
    if (live) return { removed: [], kept: [driven(ref, wanted.length)], damaged }
    if (!dryRun && wanted.length > 0) {
      const ids = wanted.map(({ item_id }) => item_id)
      yield* queue.remove(ref.repo, ref.jobId, ids)
      yield* tell(ref, ids.length)
    }
    return { removed, kept: [], damaged }
  }, Effect.scoped)

  return DeadLetters.of({
    list,
    inspect: inspectOne,
    analyze: Effect.fn("DeadLetters.analyze")(function* (options) {
      const { found, ref } = yield* chosen(options, isOpen)
      return { job: ref, analysis: DeadLetterAnalysis.analyze(found.letters), damaged: found.damaged }
    }),
    stats: Effect.fn("DeadLetters.stats")(function* ({ job, projectPath }) {
      const refs = job === null ? yield* jobs(projectPath) : [yield* inspect.job({ projectPath, id: job })]
      const each = yield* Effect.forEach(refs.toReversed(), (ref) =>
        Effect.map(summariesOf(ref), (found) => ({ ref, found }))
      )
      return {
        jobs: each.map(({ found, ref }) => ({
          job_id: ref.jobId,
          session_id: ref.sessionId,
          ...DeadLetterAnalysis.stats(found.letters),
          damaged: found.damaged.length
        })),
        total: DeadLetterAnalysis.stats(each.flatMap(({ found }) => found.letters)),
        damaged: each.flatMap(({ found }) => found.damaged)
      }
    }),
    all: Effect.fn("DeadLetters.all")(function* (options) {
      const { found, ref } = yield* chosen(options, isOpen)
      const damaged = [...found.damaged]
      const letters = Stream.fromIterable(found.letters).pipe(
        Stream.mapEffect(({ item_id }) => (ref === null ? Effect.succeed(null) : readable(ref, item_id, damaged))),
        Stream.filter((letter) => letter !== null)
      )
      return { job: ref, total: found.letters.length, letters, damaged: Effect.sync(() => damaged) }
    }),
    purge: Effect.fn("DeadLetters.purge")(function* ({ beforeMillis, dryRun, job, projectPath }) {
      const before = Timestamp.fromMillis(beforeMillis)
      // One that is being tried again is needed by the resume of that.
      const meant = (letter: DeadLetterSummary.DeadLetterSummary) =>
        letter.status !== "retrying" && DeadLetterSummary.lastChange(letter) < before
      if (job !== null) return yield* removeOf(yield* inspect.job({ projectPath, id: job }), meant, dryRun)
      const each = yield* Effect.forEach((yield* jobs(projectPath)).toReversed(), (ref) =>
        Effect.catchTag(removeOf(ref, meant, dryRun), "ResumeLockHeld", () =>
          Effect.map(queue.summaries(ref.repo, ref.jobId), ({ damaged, letters }): Removal => {
            const wanted = letters.filter(meant).length
            return {
              removed: [],
              kept: wanted === 0 ? [] : [driven(ref, wanted)],
              damaged: damaged.map(({ path }) => path)
            }
          })
        )
      )
      return {
        removed: each.flatMap(({ removed }) => removed),
        kept: each.flatMap(({ kept }) => kept),
        damaged: each.flatMap(({ damaged }) => damaged)
      }
    }),
    clear: Effect.fn("DeadLetters.clear")(function* ({ all, dryRun, job, projectPath }) {
      const ref = yield* inspect.job({ projectPath, id: job })
      return yield* removeOf(ref, (letter) => all || letter.status === "resolved", dryRun)
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DeadLetters, never, DeadLetterQueue | EventLog | Inspect | ResumeLock> = Layer.effect(
  DeadLetters,
  make
)

/**
 * The error that tells of damaged letters; null: there are none.
 *
 * @since 0.1.0
 * @category conversions
 */
export const damageOf = (paths: ReadonlyArray<string>): LettersDamaged | null => {
  const [first, ...others] = paths
  return first === undefined ? null : new LettersDamaged({ paths: [first, ...others] })
}

/** Most candidates that an ambiguous id lists. */
const candidatesMax = 10

const none: Summaries = { letters: [], damaged: [], unindexed: 0 }

const isOpen = ({ status }: DeadLetterSummary.DeadLetterSummary): boolean => status !== "resolved"

const driven = (ref: JobRef, letters: number) => ({
  job_id: ref.jobId,
  letters,
  reason: "a process drives the job"
})
