/**
 * Walking a YAML tree, every complaint with its place.
 *
 * Owns mappings with known keys, lists, and the recording of findings. `YamlValue` reads what stands in them. Readers
 * are total: where the text is wrong they record a finding and give a stand-in, so that one pass finds everything.
 * Whoever reads must look at the findings before using what was read.
 *
 * @since 0.1.0
 */
import * as Yaml from "yaml"
import { didYouMean } from "../domain/DidYouMean.ts"
import * as CodeFrame from "./CodeFrame.ts"
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
  /** Whether an unknown key is probably this one, misspelt, or all of the mapping something else. */
  readonly misspelt: (key: string) => boolean
}

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
export const line = (place: Place): number => CodeFrame.line(place.source.source, place.start)

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
 * The name of the tag of a value, without its `!`, when it is none that YAML 1.2 itself knows.
 *
 * @since 0.1.0
 * @category accessors
 */
export const tag = (cursor: Cursor): string | undefined => {
  const name = cursor.node.tag
  if (name === undefined || name === "!" || coreTags.includes(name)) return undefined
  return name.replace(/^tag:yaml\.org,2002:/, "!!").replace(/^!/, "")
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
    misspelt: (key) => meant.has(key) || !isMapping(cursor)
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
 * The first line of a value: what is wrong with all of it is shown where it begins.
 *
 * @since 0.1.0
 * @category positions
 */
export const head = (cursor: Cursor): Place => {
  const newline = cursor.source.source.text.indexOf("\n", cursor.start)
  return { ...cursor, end: newline === -1 ? cursor.end : Math.min(cursor.end, newline) }
}

/**
 * A scalar as it stands in the file, without its quotes.
 *
 * @since 0.1.0
 * @category accessors
 */
export const asWritten = (cursor: Cursor): string => {
  const found = scalar(cursor)
  if (typeof found === "boolean") return String(found)
  return Yaml.isScalar(cursor.node) && cursor.node.source !== undefined ? cursor.node.source : String(found ?? "")
}

/**
 * Where a node of the source stands.
 *
 * @since 0.1.0
 * @category positions
 */
export const placeOf = (source: YamlSource.YamlSource, node: unknown): Place => {
  const [start, end] = Yaml.isNode(node) ? YamlSource.rangeOf(node) : [0, 0]
  return { source, start, end }
}

/**
 * A node of the source, aliases followed, under the label it has in messages.
 *
 * @since 0.1.0
 * @category constructors
 */
export const at = (
  source: YamlSource.YamlSource,
  node: Yaml.ParsedNode,
  label: string,
  owner: Place | null
): Cursor => {
  const target = Yaml.isAlias(node) ? (source.targets.get(node) ?? node) : node
  const [from, end] = YamlSource.rangeOf(node)
  // A tag without a value is all that there is to show.
  const start = from === end && node.tag !== undefined ? Math.max(0, source.source.text.lastIndexOf("!", from)) : from
  return { source, node: target, start, end, label, owner }
}

/**
 * Says that a tag of the author's own is not understood, if there is one.
 *
 * @since 0.1.0
 * @category reporting
 */
export const refuseTag = (cursor: Cursor): void => {
  const name = tag(cursor)
  if (name !== undefined) error(cursor, `the YAML tag ${YamlSource.quoted(`!${name}`)} has no meaning here`)
}

/**
 * Says that a value is missing.
 *
 * @since 0.1.0
 * @category reporting
 */
export const empty = (place: Place, label: string): void =>
  error(place, `${label} has no value`, "give it one or remove it")

/**
 * Says that a value is of the wrong type.
 *
 * @since 0.1.0
 * @category reporting
 */
export const mismatch = (cursor: Cursor, expected: string, hint: string | null = null): void =>
  error(head(cursor), `${cursor.label} must be ${expected}, found ${describe(cursor)}`, hint)

const coreTags = ["str", "int", "float", "bool", "null", "map", "seq"].map((name) => `tag:yaml.org,2002:${name}`)

const report = (place: Place, severity: "error" | "warning", message: string, hint: string | null): void => {
  place.source.findings.push({
    severity,
    start: place.start,
    end: Math.max(place.end, place.start),
    message: message.replace(/\s*[\r\n]+\s*/g, " "),
    hint
  })
}

const value = (source: YamlSource.YamlSource, node: unknown, label: string, owner: Place | null): Cursor | null => {
  if (!Yaml.isNode(node)) return null
  const cursor = at(source, node as Yaml.ParsedNode, label, owner)
  const nothing = Yaml.isScalar(cursor.node) && (cursor.node.value === null || cursor.node.value === undefined)
  return nothing ? null : cursor
}

const unknownKey = (place: Place, key: string, keys: Keys): string | null => {
  if (keys.later?.includes(key) === true) {
    later(place, YamlSource.quoted(key))
    return null
  }
  const near = didYouMean(snake(key), [...keys.known, ...(keys.later ?? [])])[0] ?? null
  const elsewhere = keys.elsewhere !== undefined && Object.hasOwn(keys.elsewhere, key) ? keys.elsewhere[key] : undefined
  error(
    place,
    `unknown key ${YamlSource.quoted(key)}`,
    elsewhere ?? (near === null ? "keys of your own start with `x-`" : `did you mean \`${near}\`?`)
  )
  return elsewhere === undefined ? near : null
}

const describe = (cursor: Cursor): string => {
  if (Yaml.isMap(cursor.node)) return "a mapping"
  if (Yaml.isSeq(cursor.node)) return "a list"
  const found = scalar(cursor)
  if (typeof found === "string") return `the text ${YamlSource.quoted(found)}`
  return found === undefined ? "nothing" : YamlSource.quoted(asWritten(cursor))
}

const snake = (word: string): string =>
  word
    .slice(0, 64)
    .replace(/([a-z0-9])([A-Z])/g, "$1_$2")
    .replace(/[-\s]/g, "_")
    .toLowerCase()
