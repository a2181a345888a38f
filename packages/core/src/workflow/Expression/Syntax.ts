/**
 * The tree of an expression.
 *
 * Chains of one level (`a and b and c`, `1 + 2 - 3`) are flat, so the height of a tree is bounded by the nesting that
 * the author wrote and evaluating a long chain needs no deep stack.
 *
 * @since 0.1.0
 */
import type { RE2JS } from "re2js"
import type { Json } from "../../domain/WorkItem.ts"
import type { ValuePath } from "../ValuePath.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type Arithmetic = "+" | "-" | "*" | "/" | "%"

/**
 * @since 0.1.0
 * @category models
 */
export type Comparison =
  | "=="
  | "!="
  | "<"
  | "<="
  | ">"
  | ">="
  | "in"
  | "contains"
  | "starts_with"
  | "ends_with"
  | "matches"

/**
 * @since 0.1.0
 * @category models
 */
export type Function =
  | "is_string"
  | "is_number"
  | "is_bool"
  | "is_array"
  | "is_object"
  | "is_null"
  | "length"
  | "lower"
  | "upper"

/**
 * @since 0.1.0
 * @category models
 */
export type Node =
  | { readonly kind: "literal"; readonly value: Json }
  | { readonly kind: "array"; readonly elements: ReadonlyArray<Node> }
  | { readonly kind: "path"; readonly path: ValuePath }
  | { readonly kind: "exists"; readonly path: ValuePath }
  | { readonly kind: "not"; readonly operand: Node }
  | { readonly kind: "negate"; readonly operand: Node }
  | { readonly kind: "and"; readonly operands: ReadonlyArray<Node> }
  | { readonly kind: "or"; readonly operands: ReadonlyArray<Node> }
  | { readonly kind: "arithmetic"; readonly first: Node; readonly rest: ReadonlyArray<ArithmeticStep> }
  | { readonly kind: "compare"; readonly operator: Comparison; readonly left: Node; readonly right: Node }
  | { readonly kind: "pattern"; readonly subject: Node; readonly pattern: RE2JS }
  | { readonly kind: "call"; readonly name: Function; readonly argument: Node }

/**
 * @since 0.1.0
 * @category models
 */
export interface ArithmeticStep {
  readonly operator: Arithmetic
  readonly operand: Node
}
