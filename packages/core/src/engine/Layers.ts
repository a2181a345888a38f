/**
 * How many layers are put together cheaply.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

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
 * Layers that only make values, one after the other, each with those before it. As `Layer.provideMerge` for each, but every
 * command starts by this, and for a hundred layers what `Layer` does to share and to fork takes longer than they do.
 *
 * @since 0.1.0
 * @category constructors
 */
export const inOrder = <const Layers extends ReadonlyArray<Layer.Layer.Any>>(...layers: Layers): InOrder<Layers> =>
  Layer.scopedContext(
    Effect.gen(function* () {
      let given = Context.unsafeMake<unknown>(new Map())
      for (const layer of layers) {
        const made = yield* Effect.provide(Layer.build(layer as Layer.Layer<unknown>), given)
        given = Context.merge(given, made)
      }
      return given
    })
  ) as unknown as InOrder<Layers>
