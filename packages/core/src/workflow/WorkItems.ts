/**
 * From an input to the list of work items.
 *
 * Owns decoding (JSON, JSONL, YAML, CSV, lines), json_path → filter → sort → distinct → offset → max_items, and item ids.
 * Does not read files or run commands: it is given the text.
 *
 * - `filter` is an `Expression` over the item; `sort_by`, `distinct` and `item_id` use `ValuePath` paths into the item,
 *   with the same optional prefixes `item.` and `$.`.
 * - `sort_by` is stable. Numbers sort as numbers, strings by code point, values of different types by the name of their
 *   type (array, boolean, number, object, string); null and missing values last unless `NULLS FIRST` is given.
 * - `distinct` keeps the first item of each value; items without the field count as one.
 * - Ids are fixed here, before anything runs: what `item_id` selects, or `item_{index}` by the place in the final list.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Json, WorkItem } from "../domain/WorkItem.ts"
import { ItemId } from "../domain/WorkItem.ts"
import * as Expression from "./Expression.ts"
import * as JsonValue from "./JsonValue.ts"
import * as ValuePath from "./ValuePath.ts"
import * as Decode from "./WorkItems/Decode.ts"
import * as JsonPath from "./WorkItems/JsonPath.ts"
import * as SortBy from "./WorkItems/SortBy.ts"
import type { InputFormat, Selection } from "./Workflow.ts"

/**
 * The input, or an option that selects from it, is not usable. `column` is the 1-based place in the option's own text,
 * when the fault is there.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkItemsError extends Schema.TaggedError<WorkItemsError>(
  "@prodigy/core/workflow/WorkItems/WorkItemsError"
)("WorkItemsError", {
  option: Schema.String,
  reason: Schema.Literal("syntax", "not_found", "duplicate_id", "invalid_id", "command_failed"),
  where: Schema.String,
  detail: Schema.String,
  column: Schema.optional(Schema.Int)
}) {
  override get message() {
    const detail = this.detail.replace(/\.$/, "")
    return detail.includes(this.where)
      ? `map.${this.option}: ${detail}`
      : `map.${this.option}: ${detail} (${this.where})`
  }
}

/**
 * One key of `sort_by`.
 *
 * @since 0.1.0
 * @category models
 */
export type SortKey = SortBy.SortKey

/**
 * The format of a file by its extension; text lines when it is none of ours.
 *
 * @since 0.1.0
 * @category decoding
 */
export const formatOf = (path: string): InputFormat => {
  const extension = /\.([^./\\]+)$/.exec(path)?.[1]?.toLowerCase() ?? ""
  return extensions.get(extension) ?? "lines"
}

/**
 * Reads an input's text into elements. `where` names the input in errors.
 *
 * A byte order mark is dropped, lines may end in CRLF, blank lines are no elements. CSV needs a header; its rows become
 * objects of strings.
 *
 * @since 0.1.0
 * @category decoding
 */
export const decode = (text: string, format: InputFormat, where: string): Either.Either<Json, WorkItemsError> =>
  Either.mapLeft(Decode.decode(text, format), ({ column, detail, line }) => {
    const place = [where, line === undefined ? "" : `line ${line}`, column === undefined ? "" : `column ${column}`]
    return new WorkItemsError({
      option: "input",
      reason: "syntax",
      where: place.filter((part) => part !== "").join(", "),
      detail: `not valid ${format}: ${detail}`
    })
  })

/**
 * Reads `sort_by`.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parseSortBy = (text: string): Either.Either<ReadonlyArray<SortKey>, WorkItemsError> =>
  Either.mapLeft(SortBy.parse(text), ({ detail, offset }) => syntaxError("sort_by", text, detail, offset + 1))

/**
 * Checks what can be checked of a selection without its input: that every option can be read.
 *
 * @since 0.1.0
 * @category selection
 */
export const checkSelection = (selection: Selection): Either.Either<void, WorkItemsError> =>
  Either.map(compile(selection), () => undefined)

/**
 * Selects the items of a job, with their ids.
 *
 * @since 0.1.0
 * @category selection
 */
export const select = (input: Json, selection: Selection): Either.Either<ReadonlyArray<WorkItem>, WorkItemsError> =>
  Either.gen(function* () {
    const where = sourceOf(selection)
    const { distinct, filter, itemId, jsonPath, sortBy } = yield* compile(selection)
    let items = yield* jsonPath === null ? listOf(input, where) : elementsOf(input, jsonPath, selection, where)
    if (filter !== null) {
      items = items.filter((item) => filter.test({ item }))
    }
    if (sortBy !== null) {
      items = SortBy.sort(items, sortBy)
    }
    if (distinct !== null) {
      items = distinctBy(items, distinct)
    }
    const end = selection.max_items === null ? undefined : selection.offset + selection.max_items
    return yield* identify(items.slice(selection.offset, end), itemId, where)
  })

interface Compiled {
  readonly jsonPath: JsonPath.JsonPath | null
  readonly filter: Expression.Expression | null
  readonly sortBy: ReadonlyArray<SortKey> | null
  readonly distinct: ValuePath.ValuePath | null
  readonly itemId: ValuePath.ValuePath | null
}

const extensions: ReadonlyMap<string, InputFormat> = new Map<string, InputFormat>([
  ["json", "json"],
  ["jsonl", "jsonl"],
  ["ndjson", "jsonl"],
  ["yaml", "yaml"],
  ["yml", "yaml"],
  ["csv", "csv"]
])

/** Ids and keys named in messages are cut to this. */
const shownMax = 60

const shown = (text: string): string => JSON.stringify(text.length > shownMax ? `${text.slice(0, shownMax)}…` : text)

const syntaxError = (option: string, text: string, detail: string, column: number | undefined): WorkItemsError => {
  const where = column === undefined ? shown(text) : `column ${column} of ${shown(text)}`
  return new WorkItemsError({ option, reason: "syntax", where, detail, ...(column === undefined ? {} : { column }) })
}

const compile = (selection: Selection): Either.Either<Compiled, WorkItemsError> =>
  Either.all({
    jsonPath: optional(selection.json_path, (text) =>
      Either.mapLeft(JsonPath.compile(text), ({ detail, offset }) =>
        syntaxError("json_path", text, detail, offset === undefined ? undefined : offset + 1)
      )
    ),
    filter: optional(selection.filter, (text) =>
      Either.mapLeft(Expression.parse(text), ({ column, detail }) => syntaxError("filter", text, detail, column))
    ),
    sortBy: optional(selection.sort_by, parseSortBy),
    distinct: optional(selection.distinct, (text) => pathInItem("distinct", text)),
    itemId: optional(selection.item_id, (text) => pathInItem("item_id", text))
  })

const optional = <A>(
  text: string | null,
  parse: (text: string) => Either.Either<A, WorkItemsError>
): Either.Either<A | null, WorkItemsError> => (text === null ? Either.right(null) : parse(text))

const pathInItem = (option: string, text: string): Either.Either<ValuePath.ValuePath, WorkItemsError> =>
  Either.mapBoth(ValuePath.parse(text), {
    onLeft: (detail) => syntaxError(option, text, detail, undefined),
    onRight: ValuePath.relativeToItem
  })

const sourceOf = ({ source }: Selection): string => {
  switch (source.kind) {
    case "path_or_command":
      return source.text
    case "command":
      return source.command
    case "items":
      return "items"
  }
}

const listOf = (input: Json, where: string): Either.Either<ReadonlyArray<Json>, WorkItemsError> => {
  if (JsonValue.isArray(input)) {
    return Either.right(input)
  }
  const lists = JsonValue.isObject(input) ? listPaths(input) : []
  const hint = lists.length === 0 ? "" : `: set json_path to ${lists.join(" or ")}`
  const article = /^[aeiou]/.test(JsonValue.typeName(input)) ? "an" : "a"
  const detail = `the input is ${input === null ? "null" : `${article} ${JsonValue.typeName(input)}`}, not a list${hint}`
  return Either.left(new WorkItemsError({ option: "input", reason: "not_found", where, detail }))
}

const suggestionsMax = 3

/** JSONPaths of the lists in an object and in the objects right in it. */
const listPaths = (input: JsonValue.JsonObject): ReadonlyArray<string> => {
  const near: Array<string> = []
  const far: Array<string> = []
  for (const [key, value] of Object.entries(input)) {
    if (JsonValue.isArray(value)) {
      near.push(`$${member(key)}[*]`)
    } else if (JsonValue.isObject(value)) {
      const inner = Object.entries(value).filter(([, value]) => JsonValue.isArray(value))
      far.push(...inner.slice(0, suggestionsMax).map(([name]) => `$${member(key)}${member(name)}[*]`))
    }
  }
  return [...near, ...far].slice(0, suggestionsMax)
}

const member = (key: string): string => (/^[A-Za-z_][A-Za-z0-9_]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`)

const elementsOf = (
  input: Json,
  path: JsonPath.JsonPath,
  selection: Selection,
  where: string
): Either.Either<ReadonlyArray<Json>, WorkItemsError> =>
  Either.mapLeft(path(input), (detail) => {
    const text = `${selection.json_path ?? ""} over ${where}`
    return new WorkItemsError({ option: "json_path", reason: "syntax", where: text, detail })
  })

const distinctBy = (items: ReadonlyArray<Json>, path: ValuePath.ValuePath): ReadonlyArray<Json> => {
  const seen = new Set<string>()
  return items.filter((item) => {
    const key = JsonValue.canonical(ValuePath.get(path, item) ?? null)
    return !seen.has(key) && seen.add(key)
  })
}

const identify = (
  items: ReadonlyArray<Json>,
  path: ValuePath.ValuePath | null,
  where: string
): Either.Either<ReadonlyArray<WorkItem>, WorkItemsError> =>
  Either.gen(function* () {
    const indexes = new Map<ItemId, number>()
    const result: Array<WorkItem> = []
    for (const [index, data] of items.entries()) {
      const id = path === null ? ItemId.make(`item_${index}`) : yield* idOf(data, index, path, where)
      const earlier = indexes.get(id)
      if (earlier !== undefined) {
        const detail = `items ${earlier} and ${index} have the same id ${shown(id)}: ids must be unique in a job`
        return yield* Either.left(new WorkItemsError({ option: "item_id", reason: "duplicate_id", where, detail }))
      }
      indexes.set(id, index)
      result.push({ index, id, data })
    }
    return result
  })

const decodeItemId = Schema.decodeEither(ItemId)

const idOf = (
  data: Json,
  index: number,
  path: ValuePath.ValuePath,
  where: string
): Either.Either<ItemId, WorkItemsError> => {
  const value = ValuePath.get(path, data)
  const invalid = (what: string): WorkItemsError => {
    const detail = `item ${index} ${what} at ${ValuePath.format(path)}: an id is text, a number or a boolean, 1 to 4096 long`
    return new WorkItemsError({ option: "item_id", reason: "invalid_id", where, detail })
  }
  if (value === undefined || value === null) {
    return Either.left(invalid(value === null ? "has null" : "has nothing"))
  }
  if (typeof value === "object") {
    return Either.left(invalid(`has an ${JsonValue.typeName(value)}`))
  }
  return Either.mapLeft(decodeItemId(String(value)), () =>
    invalid(value === "" ? "has empty text" : `has a text of ${String(value).length} characters`)
  )
}
