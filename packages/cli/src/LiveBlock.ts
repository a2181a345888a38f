/**
 * What is seen while a workflow runs: a live block on a terminal, a line for each change elsewhere.
 *
 * @since 0.1.0
 */
import { Progress } from "@prodigy/core/engine/Progress"
import { WorkflowProgress } from "@prodigy/core/engine/WorkflowProgress"
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Schedule from "effect/Schedule"
import * as Stream from "effect/Stream"
import * as Events from "./Render/Events.ts"
import { block } from "./Render/Progress.ts"
import * as Steps from "./Render/Steps.ts"
import { Screen } from "./Screen.ts"

/** Time between two drawings of the block. */
const interval = Duration.millis(100)

const stopping = "Stopping; Ctrl-C again ends at once."

/**
 * Shows the progress of a run while it goes on. However it ends, the block is gone when this returns. Interruption waits
 * for the run to end; `onInterrupt` is said then.
 *
 * @since 0.1.0
 * @category combinators
 */
export const during = <A, E, R>(
  run: Effect.Effect<A, E, R>,
  onInterrupt: string | null = stopping
): Effect.Effect<A, E, R | Progress | Screen | WorkflowProgress> =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const isLive = (yield* screen.blockSize) !== null
    // What kind of workflow it is turns out when it runs: the lines end with those of that kind.
    const lines = [yield* Effect.fork(followJob(isLive)), yield* Effect.fork(followSteps(isLive))] as const
    // The followers listen before the first event is published.
    yield* Effect.yieldNow()
    const drawing = yield* Effect.fork(isLive ? draw : Effect.void)
    const running = yield* Effect.fork(run)
    const result = yield* Fiber.join(running).pipe(
      // Agents take a while to end: it is said at once, and this goes on when the run has really ended.
      Effect.onInterrupt(() =>
        Effect.zipRight(onInterrupt === null ? Effect.void : screen.note(onInterrupt), Fiber.interrupt(running))
      ),
      Effect.ensuring(Fiber.interrupt(drawing))
    )
    yield* Effect.timeoutOption(Effect.raceAll(lines.map(Fiber.join)), lastLinesWait)
    yield* Fiber.interruptAll(lines)
    return result
  }).pipe(Effect.ensuring(Effect.flatMap(Screen, (screen) => screen.block([]))))

/** Lines still under way when the run has ended are waited for this long. */
const lastLinesWait = Duration.millis(500)

/** One line for each change; beside a block only what went wrong. Ends with the job. */
const followJob = Effect.fnUntraced(function* (isLive: boolean) {
  const screen = yield* Screen
  const progress = yield* Progress
  yield* progress.events.pipe(
    Stream.takeUntil(({ event }) => ends.has(event.event_type)),
    Stream.runForEach((record) => {
      const line = isLive ? Events.failureLine(record, screen.noteStyle) : Events.progressLine(record)
      return line === null ? Effect.void : screen.note(line)
    })
  )
})

const ends: ReadonlySet<string> = new Set(["job_completed", "job_failed", "job_paused", "job_cancelled"])

/** As `followJob`, of a standard workflow. */
const followSteps = Effect.fnUntraced(function* (isLive: boolean) {
  const screen = yield* Screen
  const progress = yield* WorkflowProgress
  yield* progress.sights.pipe(
    Stream.takeUntil(({ _tag }) => _tag === "Ended"),
    Stream.runForEach((sight) => {
      const line = isLive && sight._tag !== "StepFailed" ? null : Steps.line(sight)
      return line === null ? Effect.void : screen.note(line)
    })
  )
})

/** Draws the block again and again. */
const draw = Effect.gen(function* () {
  const screen = yield* Screen
  const progress = yield* Progress
  const workflow = yield* WorkflowProgress
  const frame = Effect.gen(function* () {
    const size = yield* screen.blockSize
    if (size === null) return
    const options = { ...size, nowMillis: yield* Clock.currentTimeMillis, style: screen.noteStyle }
    const job = yield* progress.view
    const steps = yield* workflow.view
    if (job !== null) yield* screen.block(block(job, options))
    else if (steps !== null) yield* screen.block(Steps.block(steps, options))
  })
  yield* Effect.repeat(frame, Schedule.spaced(interval))
})
