/**
 * Typed reading of single values in a YAML tree: texts, numbers, words, durations, JSON.
 *
 * Readers are total, as in `YamlCursor`: what is wrong is recorded, and a stand-in of the right type is given.
 *
 * @since 0.1.0
 */
import * as Yaml from "yaml"
import { didYouMean } from "../domain/DidYouMean.ts"
import type { Json } from "../domain/WorkItem.ts"
import * as Duration from "./Duration.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"

/**
 * A text that is not blank.
 *
 * @since 0.1.0
 * @category readers
 */
export const text = (cursor: YamlCursor.Cursor): string => {
  YamlCursor.refuseTag(cursor)
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "string") return checkedText(cursor, found)
  YamlCursor.mismatch(
    cursor,
    "text",
    found === undefined ? null : `put it in quotes: "${YamlCursor.asWritten(cursor)}"`
  )
  return ""
}

/**
 * A text, or a number or truth value taken as it is written (`3.10` stays `3.10`). May be empty with `blank`.
 *
 * @since 0.1.0
 * @category readers
 */
export const words = (cursor: YamlCursor.Cursor, options: { readonly blank?: boolean } = {}): string => {
  YamlCursor.refuseTag(cursor)
  const found = YamlCursor.scalar(cursor)
  if (found === undefined) {
    YamlCursor.mismatch(cursor, "text")
    return ""
  }
  if (typeof found !== "string") return YamlCursor.asWritten(cursor)
  return options.blank === true ? withoutNul(cursor, found) : checkedText(cursor, found)
}

/**
 * `true` or `false`.
 *
 * @since 0.1.0
 * @category readers
 */
export const boolean = (cursor: YamlCursor.Cursor): boolean => {
  YamlCursor.refuseTag(cursor)
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "boolean") return found
  const word = typeof found === "string" ? found.toLowerCase() : ""
  const meant = ["yes", "on", "true"].includes(word) ? "true" : ["no", "off", "false"].includes(word) ? "false" : null
  YamlCursor.mismatch(cursor, "true or false", meant === null ? null : `did you mean \`${meant}\` (no quotes)?`)
  return false
}

/**
 * A number from `min` to `max`; whole unless `fraction`. `example` is for the hint.
 *
 * @since 0.1.0
 * @category readers
 */
export const number = (
  cursor: YamlCursor.Cursor,
  options: { readonly min: number; readonly max?: number; readonly fraction?: boolean; readonly example?: string }
): number => {
  YamlCursor.refuseTag(cursor)
  const found = YamlCursor.scalar(cursor)
  const max = options.max ?? Number.MAX_SAFE_INTEGER
  const good = typeof found === "number" && found >= options.min && found <= max
  if (good && (options.fraction === true || Number.isInteger(found))) return found
  const range = options.max === undefined ? `of at least ${options.min}` : `from ${options.min} to ${options.max}`
  const example = options.example === undefined ? null : `for example ${options.example}`
  const quotes = typeof found === "string" && /^-?\d+(\.\d+)?$/.test(found) ? `write ${found} without quotes` : example
  YamlCursor.mismatch(cursor, `a ${options.fraction === true ? "number" : "whole number"} ${range}`, quotes)
  return options.min
}

/**
 * One of some words.
 *
 * @since 0.1.0
 * @category readers
 */
export const literal = <const A extends string>(cursor: YamlCursor.Cursor, options: readonly [A, ...Array<A>]): A => {
  const found = text(cursor)
  const match = options.find((option) => option === found)
  if (match !== undefined) return match
  if (found !== "") {
    const near = didYouMean(found, options)[0] ?? null
    YamlCursor.error(
      cursor,
      `${cursor.label} must be one of ${options.join(", ")}, found ${YamlSource.quoted(found)}`,
      near === null ? null : `did you mean \`${near}\`?`
    )
  }
  return options[0]
}

/**
 * A duration, in milliseconds. `{secs, nanos}` is a legacy spelling.
 *
 * @since 0.1.0
 * @category readers
 */
export const duration = (cursor: YamlCursor.Cursor): number => {
  if (YamlCursor.isMapping(cursor)) return legacyDuration(cursor)
  YamlCursor.refuseTag(cursor)
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "boolean" || found === undefined) {
    YamlCursor.mismatch(cursor, "a duration", `such as ${Duration.forms}`)
    return 1
  }
  const read = typeof found === "number" ? Duration.fromSeconds(found) : Duration.parse(found)
  if (read._tag === "Right") return read.right
  YamlCursor.error(
    cursor,
    `${cursor.label} ${read.left}: ${YamlSource.quoted(YamlCursor.asWritten(cursor))}`,
    `such as ${Duration.forms}`
  )
  return 1
}

/**
 * Any JSON value.
 *
 * @since 0.1.0
 * @category readers
 */
export const json = (cursor: YamlCursor.Cursor): Json => {
  YamlCursor.refuseTag(cursor)
  const { node, source } = cursor
  if (Yaml.isSeq(node)) return node.items.map((item) => jsonOf(source, item, cursor.label))
  if (Yaml.isMap(node)) {
    const out: Array<readonly [string, Json]> = []
    for (const pair of node.items) {
      if (Yaml.isScalar(pair.key)) out.push([jsonKey(pair.key), jsonOf(source, pair.value, cursor.label)])
      else
        YamlCursor.error(
          YamlCursor.placeOf(source, pair.key),
          `a key in ${cursor.label} is not text`,
          "JSON objects have texts as keys"
        )
    }
    // fromEntries defines its keys, so that `__proto__` is a key like any other.
    return Object.fromEntries(out)
  }
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "number" && !Number.isFinite(found)) {
    YamlCursor.error(
      cursor,
      `${YamlSource.quoted(YamlCursor.asWritten(cursor))} is not a JSON number`,
      "put it in quotes"
    )
    return null
  }
  return found ?? null
}

const checkedText = (cursor: YamlCursor.Cursor, found: string): string => {
  if (found.trim() === "") YamlCursor.empty(cursor, cursor.label)
  return withoutNul(cursor, found)
}

const withoutNul = (cursor: YamlCursor.Cursor, found: string): string => {
  if (found.includes("\0"))
    YamlCursor.error(YamlCursor.head(cursor), `${cursor.label} contains a NUL character, which no program can be given`)
  return found
}

const legacyDuration = (cursor: YamlCursor.Cursor): number => {
  const read = YamlCursor.fields(cursor, { known: ["secs", "nanos"] })
  const secs = read.get("secs")
  const nanos = read.get("nanos")
  const amount = {
    secs: secs === undefined ? 0 : number(secs, { min: 0 }),
    nanos: nanos === undefined ? 0 : number(nanos, { min: 0, max: 999_999_999 })
  }
  const parsed = Duration.fromSeconds(amount.secs + amount.nanos / 1e9)
  if (parsed._tag === "Left") {
    YamlCursor.error(YamlCursor.head(cursor), `${cursor.label} ${parsed.left}`, `such as ${Duration.forms}`)
    return 1
  }
  YamlCursor.warn(
    YamlCursor.head(cursor),
    `\`{secs, nanos}\` is an old way to write a duration`,
    `such as ${Duration.forms}`
  )
  return parsed.right
}

const jsonOf = (source: YamlSource.YamlSource, node: unknown, label: string): Json =>
  Yaml.isNode(node) ? json(YamlCursor.at(source, node as Yaml.ParsedNode, label, null)) : null

const jsonKey = (key: Yaml.Scalar): string =>
  typeof key.value === "string" ? key.value : (key.source ?? String(key.value))
