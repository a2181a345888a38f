/**
 * A shell that does what a test says: no process, no file, no clock.
 *
 * @since 0.1.0
 */
import type { SpawnError } from "@prodigy/core/agent/Processes"
import { type ShellOutcome, type ShellRequest, ShellRunner } from "@prodigy/core/agent/Shell"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * Every script is run by `handler`. What it leaves out of an outcome is that of a script that worked in silence.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  handler: (request: ShellRequest) => Effect.Effect<Partial<ShellOutcome>, SpawnError>
): Layer.Layer<ShellRunner> => Layer.succeed(ShellRunner, { run: (request) => Effect.map(handler(request), outcome) })

/**
 * @since 0.1.0
 * @category constructors
 */
export const outcome = (facts: Partial<ShellOutcome>): ShellOutcome => ({
  exitCode: 0,
  signal: null,
  timedOut: false,
  stdout: "",
  stderr: "",
  truncated: false,
  tail: facts.stdout ?? "",
  durationMillis: 0,
  ...facts
})
