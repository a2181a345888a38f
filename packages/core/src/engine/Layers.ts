/**
 * How many services are put together cheaply.
 *
 * Every command starts by this, and so does each start of a simulated one. To build one `Layer` takes some 140 steps of a fiber, for
 * sharing and forking that nothing here needs: 12 700 for a simulated Prodigy, 6 400 without (effect 3.22.4, counted in its run loop).
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"

/**
 * What layers give together, and what they need from outside: each has what those before it give.
 *
 * @since 0.1.0
 * @category models
 */
export type InOrder<Layers extends ReadonlyArray<unknown>, Out = never, In = never> = Layers extends readonly [
  Layer.Layer<infer ROut, never, infer RIn>,
  ...infer Rest
]
  ? InOrder<Rest, Out | ROut, In | Exclude<RIn, Out>>
  : Layers extends readonly []
    ? Layer.Layer<Out, never, In>
    : never

/**
 * Layers one after the other, each with what those before it give: as `Layer.provideMerge` for each, but that none is shared.
 *
 * @since 0.1.0
 * @category constructors
 */
export const inOrder = <const Layers extends ReadonlyArray<Layer.Layer.Any>>(...layers: Layers): InOrder<Layers> =>
  makeInOrder(layers.map((layer) => Layer.build(layer as Layer.Layer<unknown>))) as unknown as InOrder<Layers>

/**
 * A service by its tag, and what makes it.
 *
 * @since 0.1.0
 * @category models
 */
export type Made<Id, Service, R> = readonly [Context.Tag<Id, Service>, Effect.Effect<Service, never, R>]

/**
 * What services give together, and what they need from outside: each has those before it. A service that is not its tag's makes it a
 * list of these two, which is no layer.
 *
 * @since 0.1.0
 * @category models
 */
export type OfServices<Services extends ReadonlyArray<unknown>, Out = never, In = never> = Services extends readonly [
  infer First,
  ...infer Rest
]
  ? First extends Made<infer Id, infer _, infer R>
    ? OfServices<Rest, Out | Id, In | Exclude<R, Out | Scope.Scope>>
    : ["is not of its tag", First]
  : Layer.Layer<Out, never, In>

/**
 * Services made one after the other, each with those before it, in one layer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofServices = <
  const Services extends ReadonlyArray<readonly [{ readonly key: string }, Effect.Effect<unknown, never, unknown>]>
>(
  ...services: Services
): OfServices<Services> =>
  makeInOrder(
    services.map(([tag, make]) => Effect.map(make, (made) => Context.make(tag as Context.Tag<unknown, unknown>, made)))
  ) as unknown as OfServices<Services>

/** One after the other, each with what those before it give. */
const makeInOrder = (makers: ReadonlyArray<Effect.Effect<Context.Context<unknown>, never, unknown>>) =>
  Layer.scopedContext(
    Effect.gen(function* () {
      let given = Context.unsafeMake<unknown>(new Map())
      for (const make of makers) {
        const made = yield* Effect.provide(make, given)
        given = Context.merge(given, made)
      }
      return given
    })
  )
