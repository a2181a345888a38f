/**
 * From an input to the list of work items.
 *
 * Owns decoding (JSON, JSONL, YAML, CSV, lines), json_path → filter → sort → distinct → offset → max_items, and item ids.
 * Does not read files or run commands: it is given the text.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Json, WorkItem } from "../domain/WorkItem.ts"
import type { InputFormat, Selection } from "./Workflow.ts"

/**
 * The input, or an option that selects from it, is not usable.
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
  detail: Schema.String
}) {
  override get message() {
    return `map.${this.option}: ${this.detail} (${this.where})`
  }
}

/**
 * Reads an input's text into elements. `where` names the input in errors.
 *
 * @since 0.1.0
 * @category decoding
 */
export declare const decode: (text: string, format: InputFormat, where: string) => Either.Either<Json, WorkItemsError>

/**
 * Selects the items of a job, with their ids.
 *
 * @since 0.1.0
 * @category selection
 */
export declare const select: (
  input: Json,
  selection: Selection
) => Either.Either<ReadonlyArray<WorkItem>, WorkItemsError>
