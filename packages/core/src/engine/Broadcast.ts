/**
 * Values for whoever listens. Takes no room until somebody does.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as PubSub from "effect/PubSub"
import * as Stream from "effect/Stream"

/**
 * @since 0.1.0
 * @category models
 */
export interface Broadcast<A> {
  /** Hands values to all who listen. Never waits for a slow listener. */
  readonly publish: (values: Iterable<A>) => Effect.Effect<void>
  /** Values from now on. A listener that falls far behind loses the oldest. */
  readonly values: Stream.Stream<A>
}

/**
 * `behindMax`: values that a slow listener may fall behind before it loses the oldest.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A>(behindMax: number): Effect.Effect<Broadcast<A>> =>
  Effect.sync(() => {
    /** Made for the first listener: a hub holds places for all that may be behind. */
    let hub: PubSub.PubSub<A> | null = null
    const opened = Effect.gen(function* () {
      hub ??= yield* PubSub.sliding<A>(behindMax)
      return hub
    })
    return {
      publish: (values) => Effect.suspend(() => (hub === null ? Effect.void : PubSub.publishAll(hub, values))),
      values: Stream.unwrap(Effect.map(opened, (hub) => Stream.fromPubSub(hub)))
    }
  })
