/**
 * How often a workflow asks for checkpoints and how many it keeps, as it stands in a workflow file.
 *
 * @since 0.1.0
 */
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * The value of `checkpoint`.
 *
 * @since 0.1.0
 * @category readers
 */
export const read = (cursor: YamlCursor.Cursor): Workflow.CheckpointPolicy => {
  const fields = YamlCursor.fields(cursor, {
    known: ["interval_items", "interval_duration", "max_checkpoints", "max_age"]
  })
  const option = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    const value = fields.get(key)
    return value === undefined ? null : reader(value)
  }
  const atLeastOne = (value: YamlCursor.Cursor) => YamlValue.number(value, { min: 1 })
  return {
    interval_items: option("interval_items", atLeastOne),
    interval_duration_ms: option("interval_duration", YamlValue.duration),
    max_checkpoints: option("max_checkpoints", atLeastOne),
    max_age_ms: option("max_age", YamlValue.duration)
  }
}
