/**
 * Which processes live: the proof behind lock takeover and "interrupted".
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
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
     * Whether that very process lives. `elsewhere` when it is on another host. A process of the same pid that started
     * at another time is another process: `dead`.
     */
    readonly lookUp: (owner: Owner) => Effect.Effect<"alive" | "dead" | "elsewhere">
  }
>() {}
