/**
 * Expressions of `filter`, `when` and friends.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Json } from "../domain/WorkItem.ts"

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
    return `${this.detail}\n  ${this.source}\n  ${" ".repeat(Math.max(0, this.column - 1))}^`
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
 * @since 0.1.0
 * @category parsing
 */
export declare const parse: (source: string) => Either.Either<Expression, ExpressionError>
