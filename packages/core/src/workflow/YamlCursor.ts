/**
 * Typed reading of a YAML tree, every complaint with its place.
 *
 * Readers are total: where the text is wrong they record a finding and give a stand-in of the right type, so that one
 * pass finds everything. Whoever reads must look at the findings before using what was read.
 *
 * @since 0.1.0
 */
import * as Levenshtein from "fastest-levenshtein"
import * as Yaml from "yaml"
import type { Json } from "../domain/WorkItem.ts"
import * as CodeFrame from "./CodeFrame.ts"
import * as Duration from "./Duration.ts"
import * as YamlSource from "./YamlSource.ts"

/**
 * A stretch of the text that something can be said about.
 *
 * @since 0.1.0
 * @category models
 */
export interface Place {
  readonly source: YamlSource.YamlSource
  readonly start: number
  readonly end: number
}

/**
 * A value in the tree, aliases followed. `label` is what messages call it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cursor extends Place {
  readonly node: Yaml.ParsedNode
  readonly label: string
  /** The key it stands under, if any: where what is missing in it is shown. */
  readonly owner: Place | null
}

/**
 * What may stand in a mapping. Keys that start with `x-` may stand everywhere and are ignored.
 *
 * @since 0.1.0
 * @category models
 */
export interface Keys {
  readonly known: ReadonlyArray<string>
  /** Part of the language, not of this version. */
  readonly later?: ReadonlyArray<string>
  /** Known keys that may be there without a value. */
  readonly nullable?: ReadonlyArray<string>
  /** Hints for keys that belong elsewhere. */
  readonly elsewhere?: Readonly<Record<string, string>>
}

/**
 * The fields of a mapping.
 *
 * @since 0.1.0
 * @category models
 */
export interface Fields {
  readonly cursor: Cursor
  /** Whether the key is there, also without a value. */
  readonly has: (key: string) => boolean
  /** The value, if it is there and not empty. */
  readonly get: (key: string) => Cursor | undefined
  /** The place of the key, or where the mapping begins. */
  readonly key: (key: string) => Place
  /** Whether an unknown key is probably this one, misspelt. */
  readonly misspelt: (key: string) => boolean
}

/**
 * The whole tree of a source that has one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const root = (source: YamlSource.YamlSource, node: Yaml.ParsedNode, label: string): Cursor =>
  at(source, node, label, null)

/**
 * @since 0.1.0
 * @category reporting
 */
export const error = (place: Place, message: string, hint: string | null = null): void =>
  report(place, "error", message, hint)

/**
 * @since 0.1.0
 * @category reporting
 */
export const warn = (place: Place, message: string, hint: string | null = null): void =>
  report(place, "warning", message, hint)

/**
 * Says that something is part of the language, but not of this version.
 *
 * @since 0.1.0
 * @category reporting
 */
export const later = (place: Place, what: string): void =>
  error(place, `${what} is part of the language but not supported by this version yet`)

/**
 * The place of one character of a text: exact when the file has the text as it is, else the whole value.
 *
 * @since 0.1.0
 * @category positions
 */
export const within = (cursor: Cursor, text: string, offset: number): Place => {
  const raw = cursor.source.source.text
  const quotes = raw[cursor.start] === '"' || raw[cursor.start] === "'" ? 1 : 0
  const start = cursor.start + quotes
  if (!raw.startsWith(text.slice(0, offset), start) || start + offset > cursor.end) return cursor
  const spot = Math.min(start + offset, Math.max(cursor.start, cursor.end - 1))
  return { source: cursor.source, start: spot, end: spot + 1 }
}

/**
 * The 1-based line of a place.
 *
 * @since 0.1.0
 * @category positions
 */
export const line = (place: Place): number => CodeFrame.position(place.source.source, place.start).line

/**
 * @since 0.1.0
 * @category refinements
 */
export const isMapping = (cursor: Cursor): boolean => Yaml.isMap(cursor.node)

/**
 * @since 0.1.0
 * @category refinements
 */
export const isList = (cursor: Cursor): boolean => Yaml.isSeq(cursor.node)

/**
 * The value of a text, number or truth value; undefined for everything else.
 *
 * @since 0.1.0
 * @category accessors
 */
export const scalar = (cursor: Cursor): string | number | boolean | undefined => {
  const value: unknown = Yaml.isScalar(cursor.node) ? cursor.node.value : undefined
  return typeof value === "string" || typeof value === "number" || typeof value === "boolean" ? value : undefined
}

/**
 * The name of the `!tag` of a value, if it has one of its own.
 *
 * @since 0.1.0
 * @category accessors
 */
export const tag = (cursor: Cursor): string | undefined => {
  const name = cursor.node.tag
  return name !== undefined && name.startsWith("!") && name.length > 1 ? name.slice(1) : undefined
}

/**
 * Keys and values of a mapping whose keys are free. A value that is not a mapping is a finding.
 *
 * @since 0.1.0
 * @category readers
 */
export const entries = (cursor: Cursor): ReadonlyArray<{ readonly key: string; at: Place; value: Cursor | null }> => {
  refuseTag(cursor)
  const out: Array<{ key: string; at: Place; value: Cursor | null }> = []
  if (!Yaml.isMap(cursor.node)) {
    mismatch(cursor, "a mapping (`key: value`)")
    return out
  }
  for (const pair of cursor.node.items) {
    const key = YamlSource.keyText(pair.key)
    const place = placeOf(cursor.source, pair.key)
    if (key === "<<") error(place, "merge keys (`<<`) are not part of YAML 1.2", "write the keys out")
    else if (key === null) error(place, `a key of ${cursor.label} is not text`, "put it in quotes")
    else out.push({ key, at: place, value: value(cursor.source, pair.value, YamlSource.quoted(key), place) })
  }
  return out
}

/**
 * The fields of a mapping, every other key and every empty value being a finding.
 *
 * @since 0.1.0
 * @category readers
 */
export const fields = (cursor: Cursor, keys: Keys): Fields => {
  const places = new Map<string, Place>()
  const values = new Map<string, Cursor>()
  const meant = new Set<string | null>()
  for (const entry of entries(cursor)) {
    if (entry.key.startsWith("x-")) continue
    if (!keys.known.includes(entry.key)) {
      meant.add(unknownKey(entry.at, entry.key, keys))
      continue
    }
    places.set(entry.key, entry.at)
    if (entry.value !== null) values.set(entry.key, entry.value)
    else if (!(keys.nullable ?? []).includes(entry.key)) empty(entry.at, YamlSource.quoted(entry.key))
  }
  return {
    cursor,
    has: (key) => places.has(key),
    get: (key) => values.get(key),
    key: (key) => places.get(key) ?? cursor.owner ?? head(cursor),
    misspelt: (key) => meant.has(key)
  }
}

/**
 * A field that must be there.
 *
 * @since 0.1.0
 * @category readers
 */
export const required = (of: Fields, key: string, hint: string | null = null): Cursor | undefined => {
  if (!of.has(key) && !of.misspelt(key)) error(of.key(key), `${of.cursor.label} needs ${YamlSource.quoted(key)}`, hint)
  return of.get(key)
}

/**
 * Whether a mapping has one of some keys.
 *
 * @since 0.1.0
 * @category refinements
 */
export const hasAnyKey = (cursor: Cursor, keys: ReadonlyArray<string>): boolean =>
  Yaml.isMap(cursor.node) && cursor.node.items.some((pair) => keys.includes(YamlSource.keyText(pair.key) ?? ""))

/**
 * The elements of a list; `one` is what messages call an element.
 *
 * @since 0.1.0
 * @category readers
 */
export const elements = (cursor: Cursor, one: string): ReadonlyArray<Cursor> => {
  refuseTag(cursor)
  const out: Array<Cursor> = []
  if (!Yaml.isSeq(cursor.node)) {
    mismatch(cursor, "a list (`- …`)")
    return out
  }
  cursor.node.items.forEach((item, index) => {
    const label = `${one} ${index + 1} of ${cursor.label}`
    const element = value(cursor.source, item, label, null)
    if (element !== null) out.push(element)
    else empty(Yaml.isNode(item) ? placeOf(cursor.source, item) : cursor, label)
  })
  return out
}

/**
 * A text that is not blank.
 *
 * @since 0.1.0
 * @category readers
 */
export const text = (cursor: Cursor): string => {
  refuseTag(cursor)
  const found = scalar(cursor)
  if (typeof found === "string") return checkedText(cursor, found)
  mismatch(cursor, "text", found === undefined ? null : `put it in quotes: "${asWritten(cursor)}"`)
  return ""
}

/**
 * A text, or a number or truth value taken as it is written (`3.10` stays `3.10`). May be empty with `blank`.
 *
 * @since 0.1.0
 * @category readers
 */
export const words = (cursor: Cursor, options: { readonly blank?: boolean } = {}): string => {
  refuseTag(cursor)
  const found = scalar(cursor)
  if (found === undefined) {
    mismatch(cursor, "text")
    return ""
  }
  if (typeof found !== "string") return asWritten(cursor)
  return options.blank === true ? withoutNul(cursor, found) : checkedText(cursor, found)
}

/**
 * `true` or `false`.
 *
 * @since 0.1.0
 * @category readers
 */
export const boolean = (cursor: Cursor): boolean => {
  refuseTag(cursor)
  const found = scalar(cursor)
  if (typeof found === "boolean") return found
  const word = typeof found === "string" ? found.toLowerCase() : ""
  const meant = ["yes", "on", "true"].includes(word) ? "true" : ["no", "off", "false"].includes(word) ? "false" : null
  mismatch(cursor, "true or false", meant === null ? null : `did you mean \`${meant}\` (no quotes)?`)
  return false
}

/**
 * A number from `min` to `max`; whole unless `fraction`. `example` is for the hint.
 *
 * @since 0.1.0
 * @category readers
 */
export const number = (
  cursor: Cursor,
  options: { readonly min: number; readonly max?: number; readonly fraction?: boolean; readonly example?: string }
): number => {
  refuseTag(cursor)
  const found = scalar(cursor)
  const max = options.max ?? Number.MAX_SAFE_INTEGER
  const good = typeof found === "number" && found >= options.min && found <= max
  if (good && (options.fraction === true || Number.isInteger(found))) return found
  const range = options.max === undefined ? `of at least ${options.min}` : `from ${options.min} to ${options.max}`
  const example = options.example === undefined ? null : `for example ${options.example}`
  const quotes = typeof found === "string" && /^-?\d+(\.\d+)?$/.test(found) ? `write ${found} without quotes` : example
  mismatch(cursor, `a ${options.fraction === true ? "number" : "whole number"} ${range}`, quotes)
  return options.min
}

/**
 * One of some words.
 *
 * @since 0.1.0
 * @category readers
 */
export const literal = <const A extends string>(cursor: Cursor, options: readonly [A, ...Array<A>]): A => {
  const found = text(cursor)
  const match = options.find((option) => option === found)
  if (match !== undefined) return match
  if (found !== "") {
    const near = nearest(found, options)
    error(
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
export const duration = (cursor: Cursor): number => {
  if (isMapping(cursor)) return legacyDuration(cursor)
  refuseTag(cursor)
  const found = scalar(cursor)
  if (typeof found === "boolean" || found === undefined) {
    mismatch(cursor, "a duration", `such as ${Duration.forms}`)
    return 1
  }
  const read = typeof found === "number" ? Duration.fromSeconds(found) : Duration.parse(found)
  if (read._tag === "Right") return read.right
  error(cursor, `${cursor.label} ${read.left}: ${YamlSource.quoted(asWritten(cursor))}`, `such as ${Duration.forms}`)
  return 1
}

/**
 * Any JSON value.
 *
 * @since 0.1.0
 * @category readers
 */
export const json = (cursor: Cursor): Json => {
  refuseTag(cursor)
  const { node, source } = cursor
  if (Yaml.isSeq(node)) return node.items.map((item) => jsonOf(source, item, cursor.label))
  if (Yaml.isMap(node)) {
    const out: Array<readonly [string, Json]> = []
    for (const pair of node.items) {
      if (Yaml.isScalar(pair.key)) out.push([jsonKey(pair.key), jsonOf(source, pair.value, cursor.label)])
      else error(placeOf(source, pair.key), `a key in ${cursor.label} is not text`, "JSON objects have texts as keys")
    }
    // fromEntries defines its keys, so that `__proto__` is a key like any other.
    return Object.fromEntries(out)
  }
  const found = scalar(cursor)
  if (typeof found === "number" && !Number.isFinite(found)) {
    error(cursor, `${YamlSource.quoted(asWritten(cursor))} is not a JSON number`, "put it in quotes")
    return null
  }
  return found ?? null
}

/**
 * What is nearest to a misspelt word, if anything is near.
 *
 * @since 0.1.0
 * @category spelling
 */
export const nearest = (word: string, candidates: ReadonlyArray<string>): string | null => {
  const plain = snake(word)
  let best: string | null = null
  let bestDistance = Number.POSITIVE_INFINITY
  for (const candidate of candidates) {
    const distance = Levenshtein.distance(plain, snake(candidate))
    if (distance < bestDistance) {
      best = candidate
      bestDistance = distance
    }
  }
  return bestDistance <= Math.max(1, Math.floor(plain.length / 3)) ? best : null
}

const snake = (word: string): string =>
  word
    .slice(0, 64)
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[-\s]/g, "_")
    .toLowerCase()

const report = (place: Place, severity: "error" | "warning", message: string, hint: string | null): void => {
  place.source.findings.push({ severity, start: place.start, end: Math.max(place.end, place.start), message, hint })
}

const at = (source: YamlSource.YamlSource, node: Yaml.ParsedNode, label: string, owner: Place | null): Cursor => {
  const target = Yaml.isAlias(node) ? (source.targets.get(node) ?? node) : node
  const [start, end] = YamlSource.rangeOf(target)
  return { source, node: target, start, end, label, owner }
}

const value = (source: YamlSource.YamlSource, node: unknown, label: string, owner: Place | null): Cursor | null => {
  if (!Yaml.isNode(node)) return null
  const cursor = at(source, node as Yaml.ParsedNode, label, owner)
  const nothing = Yaml.isScalar(cursor.node) && (cursor.node.value === null || cursor.node.value === undefined)
  return nothing ? null : cursor
}

const placeOf = (source: YamlSource.YamlSource, node: unknown): Place => {
  const [start, end] = Yaml.isNode(node) ? YamlSource.rangeOf(node) : [0, 0]
  return { source, start, end }
}

/** The first line of a value: what is missing in a mapping is shown where the mapping begins. */
const head = (cursor: Cursor): Place => {
  const newline = cursor.source.source.text.indexOf("\n", cursor.start)
  return { ...cursor, end: newline === -1 ? cursor.end : Math.min(cursor.end, newline) }
}

const unknownKey = (place: Place, key: string, keys: Keys): string | null => {
  if (keys.later?.includes(key) === true) {
    later(place, YamlSource.quoted(key))
    return null
  }
  const near = nearest(key, [...keys.known, ...(keys.later ?? [])])
  const elsewhere = keys.elsewhere !== undefined && Object.hasOwn(keys.elsewhere, key) ? keys.elsewhere[key] : undefined
  error(
    place,
    `unknown key ${YamlSource.quoted(key)}`,
    elsewhere ?? (near === null ? "keys of your own start with `x-`" : `did you mean \`${near}\`?`)
  )
  return elsewhere === undefined ? near : null
}

const empty = (place: Place, label: string): void => error(place, `${label} has no value`, "give it one or remove it")

const refuseTag = (cursor: Cursor): void => {
  const name = tag(cursor)
  if (name !== undefined) error(cursor, `the YAML tag ${YamlSource.quoted(`!${name}`)} has no meaning here`)
}

const mismatch = (cursor: Cursor, expected: string, hint: string | null = null): void =>
  error(head(cursor), `${cursor.label} must be ${expected}, found ${describe(cursor)}`, hint)

const describe = (cursor: Cursor): string => {
  if (Yaml.isMap(cursor.node)) return "a mapping"
  if (Yaml.isSeq(cursor.node)) return "a list"
  const found = scalar(cursor)
  if (typeof found === "string") return `the text ${YamlSource.quoted(found)}`
  return found === undefined ? "nothing" : YamlSource.quoted(asWritten(cursor))
}

const asWritten = (cursor: Cursor): string => {
  const found = scalar(cursor)
  if (typeof found === "boolean") return String(found)
  return Yaml.isScalar(cursor.node) && cursor.node.source !== undefined ? cursor.node.source : String(found ?? "")
}

const checkedText = (cursor: Cursor, found: string): string => {
  if (found.trim() === "") empty(cursor, cursor.label)
  return withoutNul(cursor, found)
}

const withoutNul = (cursor: Cursor, found: string): string => {
  if (found.includes("\0"))
    error(head(cursor), `${cursor.label} contains a NUL character, which no program can be given`)
  return found
}

const legacyDuration = (cursor: Cursor): number => {
  const read = fields(cursor, { known: ["secs", "nanos"] })
  const secs = read.get("secs")
  const nanos = read.get("nanos")
  const amount = {
    secs: secs === undefined ? 0 : number(secs, { min: 0 }),
    nanos: nanos === undefined ? 0 : number(nanos, { min: 0, max: 999_999_999 })
  }
  const parsed = Duration.fromSeconds(amount.secs + amount.nanos / 1e9)
  if (parsed._tag === "Left") {
    error(head(cursor), `${cursor.label} ${parsed.left}`, `such as ${Duration.forms}`)
    return 1
  }
  warn(head(cursor), `\`{secs, nanos}\` is an old way to write a duration`, `such as ${Duration.forms}`)
  return parsed.right
}

const jsonOf = (source: YamlSource.YamlSource, node: unknown, label: string): Json =>
  Yaml.isNode(node) ? json(at(source, node as Yaml.ParsedNode, label, null)) : null

const jsonKey = (key: Yaml.Scalar): string =>
  typeof key.value === "string" ? key.value : (key.source ?? String(key.value))
