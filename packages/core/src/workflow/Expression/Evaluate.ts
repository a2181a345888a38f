/**
 * The value of a tree. Total: every operator has a value for every operand.
 *
 * @since 0.1.0
 */
import { RE2JS } from "re2js"
import type { Json } from "../../domain/WorkItem.ts"
import * as JsonValue from "../JsonValue.ts"
import * as ValuePath from "../ValuePath.ts"
import type * as Syntax from "./Syntax.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type Context = Readonly<Record<string, Json>>

/**
 * @since 0.1.0
 * @category evaluation
 */
export const evaluate = (node: Syntax.Node, context: Context): Json => {
  switch (node.kind) {
    case "literal":
      return node.value
    case "array":
      return node.elements.map((element) => evaluate(element, context))
    case "path":
      return lookup(node.path, context) ?? null
    case "exists":
      return lookup(node.path, context) !== undefined
    case "not":
      return !isTrue(evaluate(node.operand, context))
    case "negate":
      return calculate("-", 0, evaluate(node.operand, context))
    case "and":
      return node.operands.every((operand) => isTrue(evaluate(operand, context)))
    case "or":
      return node.operands.some((operand) => isTrue(evaluate(operand, context)))
    case "arithmetic":
      return node.rest.reduce(
        (value, { operand, operator }) => calculate(operator, value, evaluate(operand, context)),
        evaluate(node.first, context)
      )
    case "compare":
      return compare(node.operator, evaluate(node.left, context), evaluate(node.right, context))
    case "pattern": {
      const subject = evaluate(node.subject, context)
      return typeof subject === "string" && node.pattern.matcher(subject).find()
    }
    case "call":
      return call(node.name, evaluate(node.argument, context))
  }
}

/**
 * Whether a value counts as true: all do but `null`, `false`, `0`, `""`, `"false"`, `[]` and `{}`.
 *
 * @since 0.1.0
 * @category evaluation
 */
export const isTrue = (value: Json): boolean => {
  if (typeof value === "object" && value !== null) {
    return JsonValue.isArray(value) ? value.length > 0 : Object.keys(value).length > 0
  }
  return value !== null && value !== false && value !== 0 && value !== "" && value !== "false"
}

const lookup = (path: ValuePath.ValuePath, context: Context): Json | undefined => {
  const item = Object.hasOwn(context, "item") ? context["item"] : undefined
  if (path.rooted && item !== undefined) {
    return ValuePath.get(path, item)
  }
  const found = lookupName(path, context)
  const named = path.rooted || Object.hasOwn(context, String(path.segments[0]))
  return found === undefined && item !== undefined && !named ? ValuePath.get(path, item) : found
}

/** Names may have dots in them; the longest one that leads somewhere counts, as in templates. */
const lookupName = (path: ValuePath.ValuePath, context: Context): Json | undefined => {
  for (let length = path.segments.length; length > 1; length--) {
    const name = path.segments.slice(0, length).join(".")
    const value = Object.hasOwn(context, name) ? context[name] : undefined
    const found =
      value === undefined ? undefined : ValuePath.get({ rooted: true, segments: path.segments.slice(length) }, value)
    if (found !== undefined) {
      return found
    }
  }
  return ValuePath.get(path, context)
}

/** Null for operands that are no numbers and for results that are none, such as a division by zero. */
const calculate = (operator: Syntax.Arithmetic, left: Json, right: Json): Json => {
  if (typeof left !== "number" || typeof right !== "number") {
    return null
  }
  const value = operations[operator](left, right)
  if (!Number.isFinite(value)) {
    return null
  }
  // JSON writes no -0
  return value === 0 ? 0 : value
}

const operations: Readonly<Record<Syntax.Arithmetic, (left: number, right: number) => number>> = {
  "+": (left, right) => left + right,
  "-": (left, right) => left - right,
  "*": (left, right) => left * right,
  "/": (left, right) => left / right,
  "%": (left, right) => left % right
}

const compare = (operator: Syntax.Comparison, left: Json, right: Json): boolean => {
  switch (operator) {
    case "==":
      return JsonValue.equals(left, right)
    case "!=":
      return !JsonValue.equals(left, right)
    case "<":
      return isOrdered(left, right) && JsonValue.compare(left, right) < 0
    case "<=":
      return isOrdered(left, right) && JsonValue.compare(left, right) <= 0
    case ">":
      return isOrdered(left, right) && JsonValue.compare(left, right) > 0
    case ">=":
      return isOrdered(left, right) && JsonValue.compare(left, right) >= 0
    case "in":
      return JsonValue.isArray(right) && right.some((element) => JsonValue.equals(element, left))
    case "contains":
      return JsonValue.isArray(left)
        ? left.some((element) => JsonValue.equals(element, right))
        : areStrings(left, right, (text, part) => text.includes(part))
    case "starts_with":
      return areStrings(left, right, (text, part) => text.startsWith(part))
    case "ends_with":
      return areStrings(left, right, (text, part) => text.endsWith(part))
    case "matches":
      return areStrings(left, right, matches)
  }
}

const isOrdered = (left: Json, right: Json): boolean =>
  (typeof left === "number" && typeof right === "number") || (typeof left === "string" && typeof right === "string")

const areStrings = (left: Json, right: Json, test: (left: string, right: string) => boolean): boolean =>
  typeof left === "string" && typeof right === "string" && test(left, right)

/** A pattern that comes with the data and cannot be read matches nothing: evaluation is total. */
const matches = (text: string, pattern: string): boolean => {
  try {
    return RE2JS.compile(pattern).matcher(text).find()
  } catch {
    return false
  }
}

const call = (name: Syntax.Function, value: Json): Json => {
  switch (name) {
    case "is_string":
      return typeof value === "string"
    case "is_number":
      return typeof value === "number"
    case "is_bool":
      return typeof value === "boolean"
    case "is_array":
      return JsonValue.isArray(value)
    case "is_object":
      return JsonValue.isObject(value)
    case "is_null":
      return value === null
    case "length":
      return lengthOf(value)
    case "lower":
      return typeof value === "string" ? value.toLowerCase() : null
    case "upper":
      return typeof value === "string" ? value.toUpperCase() : null
  }
}

const lengthOf = (value: Json): number | null => {
  if (typeof value === "string") {
    return Array.from(value).length
  }
  if (JsonValue.isArray(value)) {
    return value.length
  }
  return JsonValue.isObject(value) ? Object.keys(value).length : null
}
