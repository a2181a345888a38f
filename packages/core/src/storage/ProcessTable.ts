/**
 * Which processes live: the proof behind lock takeover and "interrupted".
 *
 * Owns the question and its layer for tests. `ProcessTable/Node.ts` asks the operating system.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { Owner } from "../domain/Owner.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class ProcessTable extends Context.Tag("@prodigy/core/storage/ProcessTable")<
  ProcessTable,
  {
    /** This process. */
    readonly self: Owner
    /**
     * Whether that very process lives. `elsewhere` when it is on another host, or in a part of this one that we cannot
     * look into. A process of the same pid that started at another time is another process: `dead`.
     */
    readonly lookUp: (owner: Owner) => Effect.Effect<"alive" | "dead" | "elsewhere">
    /**
     * Asks that very process of this host to end, as `SIGTERM` does, and does not wait. False when it is not there to be
     * asked, or when we may not. Another process could get its pid only between the look and the signal, microseconds.
     */
    readonly terminate: (owner: Owner) => Effect.Effect<boolean>
  }
>() {}

/**
 * A table with the given processes: `self` and `others` live, every other process of the same host is dead. One that is
 * asked to end is dead at once.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (options: {
  readonly self: Owner
  readonly others?: ReadonlyArray<Owner> | undefined
}): Layer.Layer<ProcessTable> =>
  Layer.sync(ProcessTable, () => {
    const living = [options.self, ...(options.others ?? [])]
    const indexOf = (owner: Owner) =>
      living.findIndex((one) => one.pid === owner.pid && one.started_at === owner.started_at)
    return {
      self: options.self,
      lookUp: (owner) =>
        Effect.sync(() => {
          if (owner.host !== options.self.host) return "elsewhere"
          return indexOf(owner) < 0 ? "dead" : "alive"
        }),
      terminate: (owner) =>
        Effect.sync(() => {
          const at = owner.host === options.self.host ? indexOf(owner) : -1
          return at >= 0 && living.splice(at, 1).length === 1
        })
    }
  })

/**
 * A table in which this process is alone: pid 1 of host "memory".
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<ProcessTable> = layerTest({
  self: { pid: 1, host: "memory", started_at: "1" }
})
