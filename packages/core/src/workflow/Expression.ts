/**
 * Expressions of `filter`, `when` and friends.
 *
 * The grammar, the loosest operator first:
 *
 * ```text
 * or         = and ( ( "||" | "or" ) and )*
 * and        = not ( ( "&&" | "and" ) not )*
 * not        = "not" not | comparison
 * comparison = sum [ operator sum | "not" "in" sum | "is" [ "not" ] "null" ]
 * operator   = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "contains" | "starts_with" | "ends_with" | "matches"
 * sum        = product ( ( "+" | "-" ) product )*
 * product    = prefix ( ( "*" | "/" | "%" ) prefix )*
 * prefix     = ( "!" | "-" ) prefix | primary
 * primary    = number | string | "true" | "false" | "null" | path | "${" path "}" | "$" name
 *            | "[" [ or ( "," or )* ] "]" | function "(" or ( "," or )* ")" | "(" or ")"
 * ```
 *
 * `!` binds tightest and `not` loosest: `!a == b` is `(!a) == b`, `not a == b` is `not (a == b)`. Comparisons do not
 * chain. Paths are those of `ValuePath`, so a minus needs a space after a name: `count - 1`, but `steps.run-tests.output`.
 * Strings are those of `QuotedText`.
 *
 * What a path means, in a context of names to values:
 *
 * 1. `$.x`, and `$` alone, start from the item; from the context itself when it has no `item`.
 * 2. `x.y` is the context's `x` when it has that name, as `item.x` is; a name with a dot in it, `x.y`, comes first.
 * 3. Otherwise `x.y` is looked up in the item. What is not found is null.
 *
 * So with an item and no other names, `item.x`, `$.x` and `x` are the same; a field called `item` is `$.item`.
 *
 * Values:
 *
 * - `==` compares deeply and is false for unlike types; `!=` is its opposite. The orderings are defined for two numbers
 *   and for two strings (by code point) and false for all else.
 * - `contains` looks for a part of a string or an element of an array; `in` for an element of an array.
 * - `matches` finds a pattern anywhere in a string, in time linear in the string (RE2 syntax: no backreferences, no
 *   look-around). A pattern that is computed and cannot be read matches nothing.
 * - Arithmetic is on numbers; it is null for other operands and for what is no number, such as `1 / 0`.
 * - `and`, `or` and `not` give a boolean. `null`, `false`, `0`, `""`, `"false"` (the values of variables are often text),
 *   `[]` and `{}` count as false, everything else as true.
 * - `length()` counts code points, elements or keys; it, `lower()` and `upper()` are null where they make no sense.
 *   `exists(path)` tells a field that is null from one that is missing.
 *
 * Does not own where the context comes from. Has no state.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Json } from "../domain/WorkItem.ts"
import * as Evaluate from "./Expression/Evaluate.ts"
import * as Parser from "./Expression/Parser.ts"

/**
 * An expression that cannot be read. `column` is 1-based.
 *
 * @since 0.1.0
 * @category errors
 */
export class ExpressionError extends Schema.TaggedError<ExpressionError>(
  "@prodigy/core/workflow/Expression/ExpressionError"
)("ExpressionError", { source: Schema.String, column: Schema.Int, detail: Schema.String }) {
  override get message() {
    const offset = Math.max(0, this.column - 1)
    const start = offset === 0 ? 0 : this.source.lastIndexOf("\n", offset - 1) + 1
    const line = this.source.slice(start).split("\n", 1)[0] ?? ""
    return `${this.detail}\n  ${line}\n  ${" ".repeat(offset - start)}^`
  }
}

/**
 * A parsed expression.
 *
 * @since 0.1.0
 * @category models
 */
export interface Expression {
  readonly source: string
  /** Value for a context: top-level names to values. Total: never throws. */
  readonly evaluate: (context: Readonly<Record<string, Json>>) => Json
  /** Whether that value counts as true. */
  readonly test: (context: Readonly<Record<string, Json>>) => boolean
}

/**
 * Longest text of an expression.
 *
 * @since 0.1.0
 * @category constants
 */
export const charsMax = 65_536

/**
 * Parses an expression. Never throws.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = (source: string): Either.Either<Expression, ExpressionError> => {
  if (source.length > charsMax) {
    const detail = `the expression has ${source.length} characters, more than ${charsMax}`
    return Either.left(new ExpressionError({ source: `${source.slice(0, 60)}…`, column: 1, detail }))
  }
  return Either.mapBoth(Parser.parse(source), {
    onLeft: ({ detail, offset }) => new ExpressionError({ source, column: offset + 1, detail }),
    onRight: (node) => ({
      source,
      evaluate: (context) => Evaluate.evaluate(node, context),
      test: (context) => Evaluate.isTrue(Evaluate.evaluate(node, context))
    })
  })
}
