/**
 * What the workspace did not do at once, tried again.
 *
 * Owns which failures may pass: a git that was killed, or ran out of something, does the same the next time. It would be a
 * pity to lose a finished item to it. Everything that is tried here can be done twice.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import { WorkspaceError } from "../workspace/Workspace.ts"

/**
 * How often it is tried again.
 *
 * @since 0.1.0
 * @category models
 */
export const timesMax = 2

/**
 * Tries again, a moment later each time, while a command failed. Locks were waited for already, and damage stays.
 *
 * @since 0.1.0
 * @category combinators
 */
export const whilePassing = <A, E, R>(
  self: Effect.Effect<A, E | WorkspaceError, R>
): Effect.Effect<A, E | WorkspaceError, R> =>
  Effect.retry(self, {
    schedule: Schedule.exponential("200 millis"),
    times: timesMax,
    while: (error) => isWorkspaceError(error) && error.reason === "command_failed"
  })

const isWorkspaceError = Schema.is(WorkspaceError)

/** Milliseconds between two looks at the clock. */
const lookMillis = 60_000

/**
 * Waits until a time, in milliseconds since 1970, has come. In parts: a machine that slept, or a clock that was set, is noticed
 * within a minute.
 *
 * @since 0.1.0
 * @category combinators
 */
export const at = Effect.fnUntraced(function* (epochMillis: number) {
  for (;;) {
    const left = epochMillis - (yield* Clock.currentTimeMillis)
    if (left <= 0) return
    yield* Effect.sleep(Math.min(left, lookMillis))
  }
})

/**
 * Whether a time has come: true when it has; else false at once, or true when it has been waited for.
 *
 * @since 0.1.0
 * @category combinators
 */
export const isPast = Effect.fn("Again.isPast")(function* (time: string, waits: boolean) {
  const due = DateTime.toEpochMillis(DateTime.unsafeMake(time))
  if (waits) yield* at(due)
  return due <= (yield* Clock.currentTimeMillis)
})
