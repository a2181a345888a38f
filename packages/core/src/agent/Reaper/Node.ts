/**
 * Stops processes on Node.js: found in `/proc` on Linux, by `ps` elsewhere.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Limits from "../../domain/Limits.ts"
import type { Found } from "../../storage/ProcessRecord.ts"
import { gitWaitMillisMax, Reaper } from "../Reaper.ts"
import { send } from "../Processes/Proc.ts"
import { inProc } from "./InProc.ts"
import { byPs } from "./ByPs.ts"

/**
 * Looks for what is left of a run, again and again. What was proved to be ours stays ours while it lives: the process
 * that proved it may be the first to go.
 *
 * @since 0.1.0
 * @category models
 */
export interface Search {
  readonly look: Effect.Effect<{
    readonly steps: ReadonlyArray<number>
    /** Our own git commands, which end by themselves. */
    readonly git: ReadonlyArray<number>
  }>
  /** Pids that must not get a signal. */
  readonly spared: ReadonlySet<number>
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Reaper> = Layer.succeed(Reaper, {
  stop: (found) => stop(process.platform === "linux" ? inProc(found) : byPs(found))
})

/**
 * As `layer`, by `ps` alone, as on platforms without `/proc`.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerPortable: Layer.Layer<Reaper> = Layer.succeed(Reaper, { stop: (found: Found) => stop(byPs(found)) })

const stop = Effect.fn("Reaper.stop")(function* ({ look, spared }: Search) {
  const graceMillis = yield* Limits.KillGraceMillis
  const seen = new Set<number>()
  const left = Effect.map(look, (found) => {
    for (const pid of [...found.steps, ...found.git]) seen.add(pid)
    return found
  })

  /** Waits until `pick` finds nobody, `atMostMillis` long; sends the signal once, or at every look when it is KILL. */
  const until = Effect.fnUntraced(function* (
    pick: (found: Effect.Effect.Success<typeof look>) => ReadonlyArray<number>,
    signal: NodeJS.Signals | null,
    atMostMillis: number
  ) {
    const waitMillis = signal === "SIGKILL" ? Math.max(atMostMillis, killWaitMillisMin) : atMostMillis
    const deadline = (yield* Clock.currentTimeMillis) + waitMillis
    let first = true
    for (let pauseMillis = 1; ; pauseMillis = Math.min(pauseMillis * 2, pauseMillisMax)) {
      const pids = pick(yield* left)
      if (pids.length === 0) return true
      // A process that forks while it is looked for has children that were not seen.
      if (signal !== null && (first || signal === "SIGKILL")) {
        for (const pid of pids) if (!spared.has(pid)) send(pid, signal)
      }
      first = false
      if (signal === "SIGKILL" && pids.every((pid) => spared.has(pid))) return false
      const leftMillis = deadline - (yield* Clock.currentTimeMillis)
      if (leftMillis <= 0) return false
      yield* Effect.sleep(Math.min(pauseMillis, leftMillis))
    }
  })

  const end = Effect.fnUntraced(function* (
    pick: (found: Effect.Effect.Success<typeof look>) => ReadonlyArray<number>,
    signals: ReadonlyArray<NodeJS.Signals>
  ) {
    for (const signal of signals) if (yield* until(pick, signal, graceMillis)) return
  })

  yield* end(({ steps }) => steps, ["SIGINT", "SIGTERM", "SIGKILL"])
  if (!(yield* until(({ git }) => git, null, gitWaitMillisMax))) yield* end(({ git }) => git, ["SIGTERM", "SIGKILL"])
  const { git, steps } = yield* left
  const survivors = [...steps, ...git]
  return { stopped: [...seen].filter((pid) => !survivors.includes(pid)), survivors }
})

const pauseMillisMax = 100

/** Nothing outlives SIGKILL but what the kernel holds; on a loaded machine it takes its time to go. */
const killWaitMillisMin = 5_000
