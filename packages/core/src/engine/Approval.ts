/**
 * Asking a person before the target branch changes.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { SessionId } from "../domain/SessionId.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class Approval extends Context.Tag("@prodigy/core/engine/Approval")<
  Approval,
  {
    /** `not_asked` when there is nobody to ask. */
    readonly ask: (question: {
      readonly sessionId: SessionId
      readonly target: string
      readonly commits: number
      readonly files: number
    }) => Effect.Effect<"yes" | "declined" | "not_asked">
  }
>() {}

/**
 * Nobody to ask: nothing is merged and the way to do it is told.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerNobody: Layer.Layer<Approval> = Layer.succeed(Approval, {
  ask: () => Effect.succeed("not_asked" as const)
})
