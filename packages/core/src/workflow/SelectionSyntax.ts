/**
 * Where work items come from and which of them, as it stands under `map` in a workflow file.
 *
 * Owns the keys and the forms of `input`. Whether the texts of its options can be read is asked of `WorkItems`.
 *
 * @since 0.1.0
 */
import type { Json } from "../domain/WorkItem.ts"
import * as WorkItems from "./WorkItems.ts"
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * The keys of `map` that this module reads.
 *
 * @since 0.1.0
 * @category models
 */
export const keys = [
  "input",
  "input_format",
  "json_path",
  "filter",
  "sort_by",
  "distinct",
  "offset",
  "max_items",
  "item_id"
] as const

const inputFormats = ["json", "jsonl", "yaml", "csv", "lines"] as const

/**
 * Which items, of `map`.
 *
 * @since 0.1.0
 * @category readers
 */
export const read = (fields: YamlCursor.Fields): Workflow.Selection => {
  const input = YamlCursor.required(fields, "input", "a file, a command or a list of items")
  const source: Workflow.ItemSource = input === undefined ? { kind: "items", items: [] } : itemSource(input)
  const option = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    const value = fields.get(key)
    return value === undefined ? null : reader(value)
  }
  if (input !== undefined && source.kind === "items" && fields.has("input_format")) {
    YamlCursor.error(fields.key("input_format"), "`input_format` has no meaning for items that stand in the workflow")
  }
  return {
    source,
    input_format: option("input_format", (value) => YamlValue.literal(value, inputFormats)),
    json_path: option("json_path", jsonPath),
    filter: option("filter", checked("filter")),
    sort_by: option("sort_by", checked("sort_by")),
    distinct: option("distinct", checked("distinct")),
    offset: option("offset", (value) => YamlValue.number(value, { min: 0 })) ?? 0,
    max_items: option("max_items", (value) => YamlValue.number(value, { min: 0 })),
    item_id: option("item_id", checked("item_id"))
  }
}

/**
 * A JSONPath.
 *
 * @since 0.1.0
 * @category readers
 */
export const jsonPath = (cursor: YamlCursor.Cursor): string => checked("json_path")(cursor)

const everything: Workflow.Selection = {
  source: { kind: "items", items: [] },
  input_format: null,
  json_path: null,
  filter: null,
  sort_by: null,
  distinct: null,
  offset: 0,
  max_items: null,
  item_id: null
}

/** A text that `WorkItems` can read as that option; the fault is shown at its column. */
const checked =
  (option: "json_path" | "filter" | "sort_by" | "distinct" | "item_id") =>
  (cursor: YamlCursor.Cursor): string => {
    const text = option === "filter" ? YamlValue.words(cursor) : YamlValue.text(cursor)
    if (text.trim() === "") return text
    const result = WorkItems.checkSelection({ ...everything, [option]: text })
    if (result._tag === "Left") {
      const { column, detail } = result.left
      const place = column === undefined ? cursor : YamlCursor.within(cursor, text, Math.max(0, column - 1))
      YamlCursor.error(place, `${cursor.label}: ${detail}`)
    }
    return text
  }

const itemSource = (cursor: YamlCursor.Cursor): Workflow.ItemSource => {
  if (YamlCursor.isList(cursor)) return { kind: "items", items: items(cursor) }
  if (!YamlCursor.isMapping(cursor)) return { kind: "path_or_command", text: YamlValue.text(cursor) }
  const fields = YamlCursor.fields(cursor, { known: ["items", "command"], later: ["glob", "git_diff"] })
  const list = fields.get("items")
  const command = fields.get("command")
  if (fields.has("items") && fields.has("command")) {
    YamlCursor.error(fields.key("command"), "`input` has one source, and this one has `items` and `command`")
  } else if (!fields.has("items") && !fields.has("command") && !YamlCursor.hasAnyKey(cursor, ["glob", "git_diff"])) {
    YamlCursor.error(fields.key(""), "`input` does not say where the items come from", "`command: …` or `items: […]`")
  }
  if (command !== undefined) return { kind: "command", command: YamlValue.words(command) }
  return { kind: "items", items: list === undefined ? [] : items(list) }
}

const items = (cursor: YamlCursor.Cursor): ReadonlyArray<Json> => {
  if (!YamlCursor.isList(cursor)) YamlCursor.elements(cursor, "item")
  const read = YamlValue.json(cursor)
  return Array.isArray(read) ? read : []
}
