/**
 * Workflow files: YAML in, a checked `Workflow` out, every error with its place.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Workflow } from "./Workflow.ts"

/**
 * One thing wrong in a workflow file. `line` and `column` are 1-based; `frame` shows the lines around it, marked.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Problem = Schema.Struct({
  line: Schema.Int,
  column: Schema.Int,
  message: Schema.String,
  hint: Schema.NullOr(Schema.String),
  frame: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Problem extends Schema.Schema.Type<typeof Problem> {}

/**
 * A workflow file that cannot be used, with everything wrong in it.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkflowInvalid extends Schema.TaggedError<WorkflowInvalid>(
  "@prodigy/core/workflow/WorkflowFile/WorkflowInvalid"
)("WorkflowInvalid", { path: Schema.String, problems: Schema.NonEmptyArray(Problem) }) {
  override get message() {
    return this.problems
      .map((problem) => `${this.path}:${problem.line}:${problem.column}: ${problem.message}`)
      .join("\n")
  }
}

/**
 * A workflow with the warnings (legacy spellings, one line each) met on the way.
 *
 * @since 0.1.0
 * @category models
 */
export interface Parsed {
  readonly workflow: Workflow
  readonly warnings: ReadonlyArray<Problem>
}

/**
 * Reads a workflow from its text. `path` is for errors and for the default name.
 *
 * @since 0.1.0
 * @category parsing
 */
export declare const parse: (text: string, path: string) => Either.Either<Parsed, WorkflowInvalid>
