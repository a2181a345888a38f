/**
 * Drives a job: facts in, records durably written, then the effects that they permit.
 *
 * One fiber decides. It takes all facts that have come in, asks the state machine what follows, appends the records in
 * one durable write, follows them into events and dead letters, and only then starts the work they stand for. A crash at
 * any point leaves a journal whose fold says what to do next.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FiberHandle from "effect/FiberHandle"
import * as FiberSet from "effect/FiberSet"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Ref from "effect/Ref"
import * as JobDecision from "../domain/JobDecision.ts"
import type { JobRecord } from "../domain/JobRecord.ts"
import * as JobState from "../domain/JobState.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { type ActiveRun, itemIdOf } from "./ActiveRun.ts"
import type { Recorder, RecorderError } from "./JobRecorder.ts"
import * as Again from "./Again.ts"
import { attemptOf, JobWork } from "./JobWork.ts"

/**
 * Facts taken into one decision round; bounds the size of one append.
 *
 * @since 0.1.0
 * @category models
 */
export const inputsMax = 1024

/**
 * @since 0.1.0
 * @category services
 */
export class JobDriver extends Context.Tag("@prodigy/core/engine/JobDriver")<
  JobDriver,
  {
    /**
     * Drives a job from a state until it is completed, failed or paused, and gives that state. Interruption stops all
     * work first (agents' processes gone, their work rescued), then records the pause.
     */
    readonly drive: (
      run: ActiveRun,
      recorder: Recorder,
      options: { readonly state: JobState.JobState; readonly first: JobDecision.Input }
    ) => Effect.Effect<JobState.JobState, RecorderError>
  }
>() {}

/** How a piece of work ended: with a fact, or with an error that ends the run. */
type Message = Exit.Exit<JobDecision.Input, StorageError | DamagedFile>

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const jobWork = yield* JobWork

  return JobDriver.of({
    drive: Effect.fn("JobDriver.drive")(function* (run, recorder, options) {
      const mailbox = yield* Queue.unbounded<Message>()
      const ids = (index: number) => itemIdOf(run, index)
      let state = options.state

      /** Decides on facts, writes what follows, follows it, and gives the work that is due. */
      const advance = Effect.fnUntraced(function* (inputs: Iterable<JobDecision.Input>, policy: JobDecision.Policy) {
        const circumstances = { policy, ids, now: yield* Clock.currentTimeMillis }
        const records: Array<JobRecord> = []
        let decided = state
        for (const input of inputs) {
          const decision = JobDecision.decide(decided, circumstances, input)
          decided = decision.state
          records.push(...decision.records)
        }
        if (records.length === 0) return []
        const due: Array<{ readonly work: JobDecision.Work; readonly state: JobState.JobState }> = []
        for (const entry of yield* run.journal.append(records)) {
          state = Either.getOrThrow(JobState.apply(state, entry.record))
          yield* recorder.follow(entry, state)
          const work = JobDecision.work(state, policy, entry.record)
          if (work !== undefined) due.push({ work, state })
          yield* settle(entry.record)
        }
        return due
      })

      /** An attempt whose end is in the journal gives its worktree back, while the driver goes on. */
      const settle = (record: JobRecord) =>
        (record.type === "item_completed" || record.type === "item_failed") && state.status === "running"
          ? FiberSet.run(
              releases,
              run.pool.settle(
                attemptOf(run, state, {
                  _tag: "RunAttempt",
                  index: record.index,
                  attempt: record.attempt,
                  failures: 0,
                  agentId: record.agent_id
                })
              )
            )
          : Effect.void

      const releases = yield* FiberSet.make<void, never>()

      const drain = Effect.gen(function* () {
        const fibers = yield* FiberSet.make<void, never>()
        const launch = (due: ReadonlyArray<{ readonly work: JobDecision.Work; readonly state: JobState.JobState }>) =>
          Effect.forEach(
            due,
            (next) =>
              FiberSet.run(
                fibers,
                // A fiber takes over the interruptibility of the region it is forked in, which is none here.
                Effect.interruptible(jobWork.perform(run, next.state, next.work)).pipe(
                  Effect.exit,
                  Effect.flatMap((exit) => Queue.offer(mailbox, exit)),
                  Effect.asVoid
                )
              ),
            { discard: true }
          )
        const round = (inputs: Iterable<JobDecision.Input>) =>
          Effect.uninterruptible(Effect.flatMap(advance(inputs, run.policy), launch))

        /** Asks again when a delay, the breaker's or the quota's, is over. */
        const alarm = yield* FiberHandle.make<boolean, never>()
        const setAlarm = Effect.gen(function* () {
          const at = JobDecision.wakeAt(state, run.policy)
          if (at === undefined) return yield* FiberHandle.clear(alarm)
          const tick = Queue.offer(mailbox, Exit.succeed<JobDecision.Input>({ _tag: "Tick" }))
          yield* FiberHandle.run(alarm, Effect.zipRight(Again.at(at), tick))
        })

        yield* round([options.first])
        while (state.status === "running") {
          yield* setAlarm
          const messages = yield* Queue.takeBetween(mailbox, 1, inputsMax)
          const inputs = yield* Effect.forEach(messages, (message) => message)
          yield* round(inputs)
        }
      }).pipe(Effect.scoped)

      // Facts that were on their way when the work stopped are recorded; nothing new is started.
      const pause = Effect.gen(function* () {
        if (state.status !== "running") return
        const left = Chunk.filterMap(yield* Queue.takeAll(mailbox), factOf)
        const usage = yield* Ref.get(run.lost)
        const inputs = Chunk.append(left, { _tag: "Pause", reason: "interrupted", usage } as const)
        yield* advance(inputs, { ...run.policy, maxParallel: 0 })
      })

      yield* Effect.onInterrupt(drain, () =>
        Effect.catchAll(pause, (error) => Effect.logError(`The pause could not be recorded: ${error.message}`))
      )
      yield* FiberSet.awaitEmpty(releases)
      return state
    }, Effect.scoped)
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<JobDriver, never, JobWork> = Layer.effect(JobDriver, make)

/** What a message tells when the run is over anyway: a fact counts, an interrupted or failed piece of work does not. */
const factOf = (message: Message): Option.Option<JobDecision.Input> =>
  Exit.isSuccess(message) ? Option.some(message.value) : Option.none()
