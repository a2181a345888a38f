/**
 * The operators and functions of expressions.
 *
 * @since 0.1.0
 */
import type * as Syntax from "./Syntax.ts"

/**
 * How tightly an operator binds, the loosest first.
 *
 * @since 0.1.0
 * @category constants
 */
export const Power = { or: 1, and: 2, not: 3, comparison: 4, sum: 5, product: 6, prefix: 7 } as const

/**
 * An operator that stands between, or after, its operands.
 *
 * @since 0.1.0
 * @category models
 */
export type Infix =
  | { readonly kind: "logic"; readonly power: number; readonly name: "or" | "and" }
  | { readonly kind: "compare"; readonly power: number; readonly name: Syntax.Comparison }
  | { readonly kind: "is" | "not"; readonly power: number }
  | { readonly kind: "arithmetic"; readonly power: number; readonly name: Syntax.Arithmetic }

/**
 * Comparisons that may be written as a function of two arguments.
 *
 * @since 0.1.0
 * @category constants
 */
export const comparisonCalls = ["contains", "starts_with", "ends_with", "matches"] as const

/**
 * Functions of one value.
 *
 * @since 0.1.0
 * @category constants
 */
export const valueCalls: ReadonlyArray<Syntax.Function> = [
  "is_string",
  "is_number",
  "is_bool",
  "is_array",
  "is_object",
  "is_null",
  "length",
  "lower",
  "upper"
]

/**
 * Every function.
 *
 * @since 0.1.0
 * @category constants
 */
export const functionNames: ReadonlyArray<string> = [...valueCalls, ...comparisonCalls, "exists"]

const comparisons: ReadonlyArray<Syntax.Comparison> = ["==", "!=", "<", "<=", ">", ">=", "in", ...comparisonCalls]

/**
 * Infix operators by how they are written.
 *
 * @since 0.1.0
 * @category constants
 */
export const infixes: ReadonlyMap<string, Infix> = new Map<string, Infix>([
  ["||", { kind: "logic", power: Power.or, name: "or" }],
  ["or", { kind: "logic", power: Power.or, name: "or" }],
  ["&&", { kind: "logic", power: Power.and, name: "and" }],
  ["and", { kind: "logic", power: Power.and, name: "and" }],
  ["is", { kind: "is", power: Power.comparison }],
  ["not", { kind: "not", power: Power.comparison }],
  ...comparisons.map((name) => [name, { kind: "compare", power: Power.comparison, name }] as const),
  ["+", { kind: "arithmetic", power: Power.sum, name: "+" }],
  ["-", { kind: "arithmetic", power: Power.sum, name: "-" }],
  ["*", { kind: "arithmetic", power: Power.product, name: "*" }],
  ["/", { kind: "arithmetic", power: Power.product, name: "/" }],
  ["%", { kind: "arithmetic", power: Power.product, name: "%" }]
])

/**
 * Words that are values.
 *
 * @since 0.1.0
 * @category constants
 */
export const literals: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["false", false],
  ["null", null]
])
