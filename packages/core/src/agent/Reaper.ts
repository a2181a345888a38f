/**
 * Stops what a killed owner left running.
 *
 * Owns the port, what counts as left, and the order in which it is stopped. `Reaper/Node` is the adapter. Does not own
 * what is written down about processes: see `ProcessRecord`.
 *
 * A process is ours by proof, never by its name or by its pid alone:
 *
 * - On Linux: the run's token is in its environment; or it is in the session of such a process; or it leads the session
 *   of a process that was written down, which started at the recorded clock tick, or belongs to that session. So neither
 *   a process of another run nor a later one of the same pid is touched. Not found is what left its session *and* wiped
 *   its environment.
 * - Elsewhere: it is in the group of a process that was written down, whose leader still lives and started when it was
 *   written down, to two seconds.
 *
 * This program, and those that it was started by, are never stopped; when they belong to what was left, they count as
 * survivors.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Found } from "../storage/ProcessRecord.ts"

/**
 * What became of the processes of an earlier run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Reaped {
  /** Pids that were alive and are gone. */
  readonly stopped: ReadonlyArray<number>
  /** Pids that could not be stopped: nobody may signal them, the kernel keeps them, or this program is among them. */
  readonly survivors: ReadonlyArray<number>
}

/**
 * How long git commands of the dead owner are given to come to their end by themselves: one that is cut short leaves locks
 * and half a checkout, and most take less than a second. After that they are stopped like everything else.
 *
 * @since 0.1.0
 * @category models
 */
export const gitWaitMillisMax = 15_000

/**
 * @since 0.1.0
 * @category services
 */
export class Reaper extends Context.Tag("@prodigy/core/agent/Reaper")<
  Reaper,
  {
    /**
     * Stops all processes of a run of this host whose owner is dead: INT, TERM and KILL with `KillGraceMillis` between
     * them. Returns when none is left, or with those that are.
     */
    readonly stop: (found: Found) => Effect.Effect<Reaped>
  }
>() {}

/**
 * Nothing is ever left: for programs whose agents are no processes.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNoop: Layer.Layer<Reaper> = Layer.succeed(Reaper, {
  stop: () => Effect.succeed({ stopped: [], survivors: [] })
})
