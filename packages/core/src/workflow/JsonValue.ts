/**
 * How JSON values are told apart, compared and ordered, wherever the workflow language does so.
 *
 * Numbers compare as numbers, strings by code point, values of different types by the name of their type. Nothing here
 * recurses, so no nesting of a value can overflow the stack.
 *
 * @since 0.1.0
 */
import type * as Ordering from "effect/Ordering"
import type { Json } from "../domain/WorkItem.ts"

/**
 * @since 0.1.0
 * @category models
 */
export type TypeName = "array" | "boolean" | "null" | "number" | "object" | "string"

/**
 * @since 0.1.0
 * @category models
 */
export interface JsonObject {
  readonly [key: string]: Json
}

/**
 * The JSON name of a value's type.
 *
 * @since 0.1.0
 * @category getters
 */
export const typeName = (value: Json): TypeName => {
  if (value === null) {
    return "null"
  }
  if (typeof value === "object") {
    return isArray(value) ? "array" : "object"
  }
  return typeof value === "string" ? "string" : typeof value === "number" ? "number" : "boolean"
}

/**
 * @since 0.1.0
 * @category refinements
 */
export const isArray = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

/**
 * @since 0.1.0
 * @category refinements
 */
export const isObject = (value: Json): value is JsonObject =>
  typeof value === "object" && value !== null && !isArray(value)

/**
 * Whether two values are the same JSON: 5 and 5.0 are, the order of an object's keys does not matter.
 *
 * @since 0.1.0
 * @category comparing
 */
export const equals = (left: Json, right: Json): boolean => {
  const pending: Array<readonly [Json, Json]> = [[left, right]]
  for (let pair = pending.pop(); pair !== undefined; pair = pending.pop()) {
    const [a, b] = pair
    if (a === b) {
      continue
    }
    if (isArray(a) && isArray(b) && a.length === b.length) {
      pushElements(pending, a, b)
    } else if (!(isObject(a) && isObject(b) && pushMembers(pending, a, b))) {
      return false
    }
  }
  return true
}

/**
 * Orders strings by code point; `<` alone would order by UTF-16 unit.
 *
 * @since 0.1.0
 * @category comparing
 */
export const compareStrings = (left: string, right: string): Ordering.Ordering => {
  const length = Math.min(left.length, right.length)
  for (let index = 0; index < length; index++) {
    const a = left.charCodeAt(index)
    const b = right.charCodeAt(index)
    if (a !== b) {
      return codePointRank(a) < codePointRank(b) ? -1 : 1
    }
  }
  return compareNumbers(left.length, right.length)
}

/**
 * A total preorder of all values: by type name, then numbers by size, strings by code point, false before true. Two
 * arrays, or two objects, are equivalent.
 *
 * @since 0.1.0
 * @category comparing
 */
export const compare = (left: Json, right: Json): Ordering.Ordering => {
  if (typeof left === "number" && typeof right === "number") {
    return compareNumbers(left, right)
  }
  if (typeof left === "string" && typeof right === "string") {
    return compareStrings(left, right)
  }
  if (typeof left === "boolean" && typeof right === "boolean") {
    return compareNumbers(Number(left), Number(right))
  }
  return compareStrings(typeName(left), typeName(right))
}

/**
 * A text that two values share exactly when they are `equals`.
 *
 * @since 0.1.0
 * @category comparing
 */
export const canonical = (value: Json): string => {
  let text = ""
  const pending: Array<Step> = [{ value }]
  for (let step = pending.pop(); step !== undefined; step = pending.pop()) {
    if ("text" in step) {
      text += step.text
    } else if (typeof step.value !== "object" || step.value === null) {
      text += JSON.stringify(step.value)
    } else {
      pushCanonical(pending, step.value)
    }
  }
  return text
}

/**
 * Whether arrays and objects stand in each other more than `depthMax` deep.
 *
 * @since 0.1.0
 * @category getters
 */
export const isDeeperThan = (value: Json, depthMax: number): boolean => {
  const pending: Array<readonly [Json, number]> = [[value, 0]]
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const [value, depth] = next
    if (typeof value !== "object" || value === null) {
      continue
    }
    if (depth >= depthMax) {
      return true
    }
    for (const child of isArray(value) ? value : Object.values(value)) {
      if (typeof child === "object" && child !== null) {
        pending.push([child, depth + 1])
      }
    }
  }
  return false
}

type Step = { readonly value: Json } | { readonly text: string }

const compareNumbers = (left: number, right: number): Ordering.Ordering => (left < right ? -1 : left > right ? 1 : 0)

/** Surrogates stand for code points above U+FFFF, so they come after every other unit. */
const codePointRank = (unit: number): number => (unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit)

const pushElements = (
  pending: Array<readonly [Json, Json]>,
  left: ReadonlyArray<Json>,
  right: ReadonlyArray<Json>
): void => {
  for (const [index, element] of left.entries()) {
    pending.push([element, right[index] ?? null])
  }
}

const pushMembers = (pending: Array<readonly [Json, Json]>, left: JsonObject, right: JsonObject): boolean => {
  const keys = Object.keys(left)
  if (keys.length !== Object.keys(right).length || !keys.every((key) => Object.hasOwn(right, key))) {
    return false
  }
  for (const key of keys) {
    pending.push([left[key] ?? null, right[key] ?? null])
  }
  return true
}

/** Pushes the parts of a container last first, as they are popped from the end. */
const pushCanonical = (pending: Array<Step>, value: ReadonlyArray<Json> | JsonObject): void => {
  if (isArray(value)) {
    pending.push({ text: "]" })
    for (let index = value.length - 1; index >= 0; index--) {
      pending.push({ text: "," }, { value: value[index] ?? null })
    }
    pending.push({ text: "[" })
    return
  }
  pending.push({ text: "}" })
  for (const key of Object.keys(value).sort().reverse()) {
    pending.push({ text: "," }, { value: value[key] ?? null }, { text: `${JSON.stringify(key)}:` })
  }
  pending.push({ text: "{" })
}
