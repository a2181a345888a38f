/**
 * Follows a job's journal into everything that is derived from it: events, dead letters, checkpoints, the session, the
 * summary and the live view.
 *
 * Owns when each of them is written. All of them can be made again from the journal, so none is written before its
 * record, and a crash between the two loses nothing.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import type { JournalEntry } from "../domain/JobRecord.ts"
import type { JobState } from "../domain/JobState.ts"
import * as Limits from "../domain/Limits.ts"
import { type Session, statusOf } from "../domain/Session.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { CheckpointStore, type Kind } from "../storage/CheckpointStore.ts"
import { DeadLetterQueue } from "../storage/DeadLetterQueue.ts"
import type { NewEvent } from "../storage/EventLog.ts"
import { JobStore } from "../storage/JobStore.ts"
import type { ResumeLockLost } from "../storage/ResumeLock.ts"
import { type IllegalTransition, type SessionNotFound, SessionStore } from "../storage/SessionStore.ts"
import type { ActiveRun } from "./ActiveRun.ts"
import * as JobEvents from "./JobEvents.ts"
import * as Letters from "./Letters.ts"
import { Progress } from "./Progress.ts"
import * as RunView from "./RunView.ts"

/**
 * What can go wrong in keeping the derived records.
 *
 * @since 0.1.0
 * @category errors
 */
export type RecorderError = StorageError | DamagedFile | ResumeLockLost | SessionNotFound | IllegalTransition

/**
 * The recorder of one run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recorder {
  /** Follows one entry; `state` is the state right after it. Entries must come in order. */
  readonly follow: (entry: JournalEntry, state: JobState) => Effect.Effect<void, RecorderError>
  /**
   * Writes what is written now and then only (session, summary) as it stands, and flushes the events. A session is completed
   * by this call only, when nothing of the job is left to do: until then whoever finds it goes on with it.
   */
  readonly flush: (state: JobState) => Effect.Effect<void, RecorderError>
  /**
   * Makes again what a crash may have kept from being made after an entry: what the dead letter queue says of the item.
   * An entry of which it is known that it was followed is only remembered. Entries must come in order, from the first.
   */
  readonly relive: (entry: JournalEntry, isFollowed: boolean) => Effect.Effect<void, RecorderError>
  /** Saves nothing any more: what the session's file says from now on is somebody else's business. */
  readonly stop: Effect.Effect<void>
  readonly emit: (events: ReadonlyArray<NewEvent>) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category services
 */
export class JobRecorder extends Context.Tag("@prodigy/core/engine/JobRecorder")<
  JobRecorder,
  {
    readonly open: (run: ActiveRun) => Effect.Effect<Recorder, never, Scope.Scope>
  }
>() {}

/**
 * Milliseconds that session and summary may be behind the journal while the job runs.
 *
 * @since 0.1.0
 * @category models
 */
export const summaryIntervalMillis = 1000

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const checkpoints = yield* CheckpointStore
  const deadLetters = yield* DeadLetterQueue
  const store = yield* JobStore
  const sessions = yield* SessionStore
  const progress = yield* Progress
  const defaults = {
    items: yield* Limits.CheckpointIntervalItems,
    millis: yield* Limits.CheckpointIntervalMillis
  }
  const growthMin = yield* Limits.CheckpointGrowthMin

  return JobRecorder.of({
    open: Effect.fnUntraced(function* (run) {
      const began = yield* Clock.currentTimeMillis
      const { job, repo } = run
      const times = { job: began, phase: began }
      const timings: Record<string, number> = {}
      const taken: Array<Session["checkpoints"][number]> = []
      const asked = job.workflow.checkpoint
      const interval = {
        items: asked?.interval_items ?? defaults.items,
        millis: asked?.interval_duration_ms ?? defaults.millis
      }
      const retention = { max: asked?.max_checkpoints ?? null, ageMillisMax: asked?.max_age_ms ?? null }
      // What an owner before us wrote counts for as much as it can have been.
      const opened = yield* run.journal.size
      const last = { ended: 0, at: began, journal: opened, bytes: opened }
      /** The state that session and summary do not show yet. */
      let unsaved: JobState | undefined
      let stopped = false
      /** Nothing of the job is left to do. */
      let tidy = false
      const changed = yield* Effect.makeLatch()
      const oneSave = yield* Effect.makeSemaphore(1)

      const emit = (events: ReadonlyArray<NewEvent>) =>
        events.length === 0 ? Effect.void : Effect.flatMap(run.events.emit(events), progress.publish)

      const save = Effect.fnUntraced(function* (state: JobState) {
        const at = yield* Timestamp.now
        const told = { at, timings, taken, tidy }
        // First: to a session that says how it ended nobody comes back.
        yield* store.saveSummary(repo, {
          v: 1,
          job_id: job.job_id,
          session_id: job.session_id,
          seq: state.seq,
          phase: state.phase,
          status: state.status,
          total: state.total,
          counts: state.counts,
          started_at: job.created_at,
          updated_at: at
        })
        yield* sessions.update(job.session_id, (session) => sessionOf(session, state, told))
      })

      /** Saves what is unsaved, one save at a time, so that an older state never follows a newer one. */
      const saveLatest = Effect.suspend(() => {
        const state = stopped ? undefined : unsaved
        unsaved = undefined
        return state === undefined ? Effect.void : save(state)
      }).pipe(oneSave.withPermits(1), Effect.uninterruptible)

      // Session and summary are for people: they may be a moment behind, and no item waits for them.
      yield* changed.await.pipe(
        Effect.zipRight(Effect.sleep(summaryIntervalMillis)),
        Effect.zipRight(changed.close),
        Effect.zipRight(saveLatest),
        Effect.catchAll((error) => Effect.logWarning(`The session's file is out of date: ${error.message}`)),
        Effect.forever,
        Effect.forkScoped
      )

      const checkpoint = Effect.fnUntraced(function* (kind: Kind, state: JobState, now: number) {
        const saved = yield* checkpoints.save(repo, job.job_id, kind, state, retention)
        // Not the snapshot itself: every old state kept alive would cost memory again and again.
        taken.push({ id: saved.id, created_at: saved.created_at, phase: saved.kind })
        Object.assign(last, { ended: ended(state), at: now, journal: yield* run.journal.size, bytes: saved.bytes })
        yield* emit([{ event_type: "checkpoint_created", checkpoint_id: saved.id, phase: state.phase, seq: state.seq }])
      })

      const letters = Letters.make({ queue: deadLetters, repo, jobId: job.job_id, items: run.items })

      /**
       * Whether the map phase has gone on for long enough, by items or by time, and the journal has grown by enough to
       * pay for another snapshot.
       */
      const isDue = (state: JobState, now: number) =>
        state.phase === "map" &&
        state.status === "running" &&
        (ended(state) - last.ended >= interval.items || now - last.at >= interval.millis)
          ? Effect.map(run.journal.size, (size) => size - last.journal >= growthMin * last.bytes)
          : Effect.succeed(false)

      const write = (state: JobState) =>
        Effect.sync(() => void (unsaved = state)).pipe(Effect.zipRight(saveLatest), Effect.zipRight(run.events.flush))
      const flush = (state: JobState) =>
        Effect.zipRight(
          Effect.sync(() => void (tidy = true)),
          write(state)
        )

      const follow = Effect.fnUntraced(function* (entry: JournalEntry, state: JobState) {
        const now = DateTime.toEpochMillis(DateTime.unsafeMake(entry.at))
        const { record } = entry
        const resolved = yield* letters.follow(entry)
        if (resolved !== undefined) yield* emit([{ event_type: "dlq_item_removed", item_id: resolved }])
        yield* emit(
          JobEvents.fromEntry(entry, state, {
            times,
            now,
            maxParallel: run.policy.maxParallel,
            setupSteps: job.workflow.setup.steps.length,
            reduceSteps: run.policy.reduceSteps
          })
        )
        yield* progress.update((view) => RunView.follow(view, { run, entry, state, now }))

        const phase = phaseEnded(record.type)
        if (phase !== undefined) {
          timings[phase] = now - times.phase
          times.phase = now
        }
        const kind = checkpointAt(record.type, state)
        if (kind !== undefined) yield* checkpoint(kind, state, now)
        else if (yield* isDue(state, now)) yield* checkpoint("map", state, now)

        unsaved = state
        yield* changed.open
        if (state.status !== "running") yield* write(state)
        else if (phase !== undefined) yield* run.events.flush
      })

      const relive = (entry: JournalEntry, isFollowed: boolean) =>
        isFollowed ? letters.remember(entry) : Effect.asVoid(letters.follow(entry))

      // Under the permit: a save that is under way comes to its end first.
      const stop = oneSave.withPermits(1)(Effect.sync(() => void (stopped = true)))

      return { emit, flush, follow, relive, stop }
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  JobRecorder,
  never,
  CheckpointStore | DeadLetterQueue | JobStore | SessionStore | Progress
> = Layer.effect(JobRecorder, make)

const ended = (state: JobState): number => state.counts.merged + state.counts.dead_lettered + state.counts.skipped

const phaseEnded = (type: JournalEntry["record"]["type"]): string | undefined => {
  switch (type) {
    case "setup_completed":
      return "setup"
    case "items_selected":
      return "select"
    case "map_completed":
      return "map"
    case "reduce_completed":
      return "reduce"
    case "finished":
      return "finish"
    default:
      return undefined
  }
}

const checkpointAt = (type: JournalEntry["record"]["type"], state: JobState): Kind | undefined => {
  switch (type) {
    case "setup_completed":
      return "setup"
    case "map_completed":
      return "map"
    case "reduce_step_completed":
    case "job_completed":
      return "reduce"
    case "job_paused":
    case "job_failed":
    case "job_cancelled":
    case "quota_reached":
      return state.phase === "map" ? "map" : state.phase === "reduce" || state.phase === "finish" ? "reduce" : undefined
    default:
      return undefined
  }
}

/** Checkpoints that a session lists; older ones are on disk all the same. */
const checkpointsListed = 20

const sessionOf = (
  session: Session,
  state: JobState,
  options: {
    readonly at: string
    readonly timings: Readonly<Record<string, number>>
    readonly taken: Session["checkpoints"]
    readonly tidy: boolean
  }
): Session => {
  const { counts } = state
  const ending = state.status === "completed" && !options.tidy
  const over = !ending && (state.status === "completed" || state.status === "failed" || state.status === "cancelled")
  return {
    ...session,
    // Done for good before, with nothing of it left: it stays that.
    status: ending ? (session.status === "Completed" ? "Completed" : "Running") : statusOf(state.status),
    completed_at: over ? options.at : null,
    checkpoints: options.taken.slice(-checkpointsListed),
    timings: { ...session.timings, ...options.timings },
    progress: {
      kind: "mapreduce",
      phase: state.phase,
      total: state.total,
      completed: counts.merged,
      failed: counts.dead_lettered,
      skipped: counts.skipped,
      in_progress: counts.running + counts.unmerged
    },
    cost: state.usage,
    error: state.failure?.message ?? null,
    outcome: RunView.outcomeNow(state, session.outcome)
  }
}
