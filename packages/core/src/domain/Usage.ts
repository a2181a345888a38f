/**
 * What an agent used: tokens and dollars, summed per step, item, phase and session.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const count = Schema.JsonNumber.pipe(Schema.nonNegative())

/**
 * @since 0.1.0
 * @category schemas
 */
export const Usage = Schema.Struct({
  input_tokens: count,
  output_tokens: count,
  cache_tokens: count.annotations({ description: "read from and written to the prompt cache" }),
  usd: count
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Usage extends Schema.Schema.Type<typeof Usage> {}

/**
 * @since 0.1.0
 * @category constructors
 */
export const none: Usage = { input_tokens: 0, output_tokens: 0, cache_tokens: 0, usd: 0 }

/**
 * @since 0.1.0
 * @category combinators
 */
export const add = (a: Usage, b: Usage): Usage => ({
  input_tokens: a.input_tokens + b.input_tokens,
  output_tokens: a.output_tokens + b.output_tokens,
  cache_tokens: a.cache_tokens + b.cache_tokens,
  usd: a.usd + b.usd
})

/**
 * Whether nothing was used.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isNone = (usage: Usage): boolean =>
  usage.input_tokens === 0 && usage.output_tokens === 0 && usage.cache_tokens === 0 && usage.usd === 0
