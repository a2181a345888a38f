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
  }
>() {}

/**
 * A table with the given processes: `self` and `others` live, every other process of the same host is dead.
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
    return {
      self: options.self,
      lookUp: (owner) =>
        Effect.sync(() => {
          if (owner.host !== options.self.host) return "elsewhere"
          return living.some((one) => one.pid === owner.pid && one.started_at === owner.started_at) ? "alive" : "dead"
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
