/**
 * The `capture` option of a step, in its forms: a name, an object, or the flat keys of old.
 *
 * @since 0.1.0
 */
import { RE2JS } from "re2js"
import * as SelectionSyntax from "./SelectionSyntax.ts"
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * The keys of a step that this module reads.
 *
 * @since 0.1.0
 * @category models
 */
export const keys = ["capture", "capture_output", "capture_format", "capture_streams"] as const

const formats = ["string", "json", "lines", "number", "boolean"] as const
const streamNames = ["stdout", "stderr", "exit_code", "success", "duration"] as const

/**
 * What a step captures; null for nothing.
 *
 * @since 0.1.0
 * @category readers
 */
export const read = (fields: YamlCursor.Fields): Workflow.Capture | null => {
  const capture = fields.get("capture")
  const flat = flatKeys(fields)
  if (capture === undefined) return flat.name === null ? null : { ...nothing, ...flat, name: flat.name }
  if (flat.name !== null) {
    YamlCursor.error(fields.key("capture_output"), "`capture_output` is an old name of `capture`, which is given too")
  }
  if (!YamlCursor.isMapping(capture)) {
    return { ...nothing, format: flat.format, streams: flat.streams, name: identifier(capture) }
  }
  for (const key of ["capture_format", "capture_streams"]) {
    if (fields.has(key)) YamlCursor.error(fields.key(key), `\`${key}\` belongs inside \`capture\``)
  }
  return object(capture)
}

/**
 * A name that templates can use: letters, digits and `_`.
 *
 * @since 0.1.0
 * @category readers
 */
export const identifier = (cursor: YamlCursor.Cursor): string => {
  const name = YamlValue.text(cursor)
  if (name.trim() !== "" && !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    const repaired = name
      .trim()
      .replace(/[^A-Za-z0-9_]+/g, "_")
      .replace(/^(?=\d)/, "_")
    YamlCursor.error(
      cursor,
      `${cursor.label} must be a name of letters, digits and _, found ${YamlSource.quoted(name)}`,
      /[A-Za-z0-9]/.test(repaired) ? `did you mean ${YamlSource.quoted(repaired)}?` : null
    )
  }
  return name
}

const nothing: Omit<Workflow.Capture, "name"> = { format: "string", streams: [], json_path: null, pattern: null }

const flatKeys = (fields: YamlCursor.Fields) => {
  for (const key of keys.slice(1)) {
    if (fields.has(key)) {
      YamlCursor.warn(fields.key(key), `\`${key}\` is an old spelling`, "write `capture: {name, format, streams}`")
    }
  }
  const output = fields.get("capture_output")
  const format = fields.get("capture_format")
  const streams = fields.get("capture_streams")
  // A bare `true` named no variable: the output of a step is always at hand as `<kind>.output`.
  const name = output === undefined || typeof YamlCursor.scalar(output) === "boolean" ? null : identifier(output)
  for (const key of ["capture_format", "capture_streams"]) {
    if (fields.has(key) && name === null && !fields.has("capture")) {
      YamlCursor.error(fields.key(key), `\`${key}\` needs a name to capture into`, "add `capture: name`")
    }
  }
  return {
    name,
    format: format === undefined ? ("string" as const) : YamlValue.literal(format, formats),
    streams: streams === undefined ? [] : streamsOf(streams)
  }
}

const object = (cursor: YamlCursor.Cursor): Workflow.Capture => {
  const fields = YamlCursor.fields(cursor, {
    known: ["name", "format", "streams", "pattern", "json_path", "default"],
    later: ["max_size"],
    nullable: ["default"]
  })
  const name = YamlCursor.required(fields, "name")
  const format = fields.get("format")
  const streams = fields.get("streams")
  const jsonPath = fields.get("json_path")
  const pattern = fields.get("pattern")
  const fallback = fields.get("default")
  return {
    name: name === undefined ? "" : identifier(name),
    format: format === undefined ? "string" : YamlValue.literal(format, formats),
    streams: streams === undefined ? [] : streamsOf(streams),
    json_path: jsonPath === undefined ? null : SelectionSyntax.jsonPath(jsonPath),
    pattern: pattern === undefined ? null : regularExpression(pattern),
    ...(fields.has("default") ? { default: fallback === undefined ? null : YamlValue.json(fallback) } : {})
  }
}

const streamsOf = (cursor: YamlCursor.Cursor): Workflow.Capture["streams"] => {
  const fields = YamlCursor.fields(cursor, { known: streamNames })
  return streamNames.filter((name) => {
    const wanted = fields.get(name)
    return wanted !== undefined && YamlValue.boolean(wanted)
  })
}

/**
 * An RE2 pattern: found in time linear in the text.
 *
 * @since 0.1.0
 * @category readers
 */
export const regularExpression = (cursor: YamlCursor.Cursor): string => {
  const source = YamlValue.text(cursor)
  try {
    RE2JS.compile(source)
  } catch (cause) {
    // The library tells an expression that it cannot compile by throwing, in a message of its own.
    const reason = cause instanceof Error ? (cause.message.split("\n")[0] ?? "") : String(cause)
    YamlCursor.error(cursor, `${cursor.label} is not a regular expression: ${YamlSource.quoted(reason)}`)
  }
  return source
}
