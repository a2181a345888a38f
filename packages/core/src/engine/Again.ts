/**
 * What the workspace did not do at once, tried again.
 *
 * Owns which failures may pass: a git that was killed, or ran out of something, does the same the next time. It would be a
 * pity to lose a finished item to it. Everything that is tried here can be done twice.
 *
 * @since 0.1.0
 */
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
