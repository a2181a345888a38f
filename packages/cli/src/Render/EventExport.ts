/**
 * Events as files for other programs and for people: JSON, JSONL, CSV, Markdown.
 *
 * @since 0.1.0
 */
import * as Csv from "@prodigy/core/domain/Csv"
import type { EventRecord } from "@prodigy/core/domain/Event"
import * as Text from "./Text.ts"

/**
 * @since 0.1.0
 * @category models
 */
export const formats = ["json", "jsonl", "csv", "markdown"] as const

/**
 * @since 0.1.0
 * @category models
 */
export type Format = (typeof formats)[number]

/**
 * A file in pieces of whole lines: what stands before the first event, an event, what stands before every other one, and
 * what stands behind the last.
 *
 * @since 0.1.0
 * @category models
 */
export interface Layout {
  readonly head: string
  readonly event: (record: EventRecord) => string
  readonly between: string
  readonly foot: string
}

/**
 * How a format is laid out. JSON is one array of event records, JSONL one record a line. In CSV (RFC 4180) and Markdown
 * what only some kinds of events have stands in the last column, as JSON.
 *
 * @since 0.1.0
 * @category rendering
 */
export const layout = (format: Format): Layout => {
  switch (format) {
    case "json":
      return { head: "[\n", event: (record) => `${JSON.stringify(record)}\n`, between: ",", foot: "]\n" }
    case "jsonl":
      return { head: "", event: (record) => `${JSON.stringify(record)}\n`, between: "", foot: "" }
    case "csv":
      return { head: Csv.record(columns), event: (record) => Csv.record(cellsOf(record)), between: "", foot: "" }
    case "markdown":
      return {
        head: `${line(titles)}${line(titles.map(() => "-"))}`,
        event: (record) => {
          const [, , time = "", type = "", , item = "", , ...rest] = cellsOf(record)
          return line([time, type, item, ...rest].map(cell))
        },
        between: "",
        foot: ""
      }
  }
}

const columns = [
  "id",
  "job_id",
  "timestamp",
  "event_type",
  "agent_id",
  "item_id",
  "attempt",
  "duration_ms",
  "error",
  "details"
]
const titles = ["Time", "Event", "Item", "Milliseconds", "Error", "Details"]

/** The texts of `columns`. */
const cellsOf = (record: EventRecord): ReadonlyArray<string> => {
  const { agent_id, attempt, duration_ms, error, event_type, item_id, job_id, ...details } = record.event as Readonly<
    Record<string, unknown>
  >
  const named = [record.id, job_id, record.timestamp, event_type, agent_id, item_id, attempt, duration_ms, error]
  return [...named.map(textOf), Object.keys(details).length === 0 ? "" : JSON.stringify(details)]
}

const textOf = (value: unknown): string =>
  value === undefined || value === null ? "" : typeof value === "object" ? JSON.stringify(value) : String(value)

const line = (cells: ReadonlyArray<string>): string => `| ${cells.join(" | ")} |\n`

/** Nothing in a cell may end it, or be taken for Markdown or HTML. */
const cell = (text: string): string => Text.clean(text).replaceAll(/[\\`*[\]<>|~]/g, "\\$&")
