/**
 * Templates: `${path}`, `$NAME`, `${path:-default}`, `${#path}`, `${path:json|lines|csv}`, `\${…}` in prompts, files and
 * paths.
 *
 * Owns the grammar of placeholders and how a value becomes text. `ShellText` uses the same grammar for scripts.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Scope } from "./Variables.ts"

/**
 * A template names something that does not exist, or cannot be read.
 *
 * @since 0.1.0
 * @category errors
 */
export class TemplateError extends Schema.TaggedError<TemplateError>("@prodigy/core/workflow/Template/TemplateError")(
  "TemplateError",
  {
    template: Schema.String,
    placeholder: Schema.String,
    offset: Schema.Int,
    reason: Schema.Literal("unknown_variable", "syntax"),
    detail: Schema.String,
    suggestions: Schema.Array(Schema.String)
  }
) {
  override get message() {
    const meant = this.suggestions.length === 0 ? "" : ` Known and near: ${this.suggestions.join(", ")}.`
    return `${this.placeholder}: ${this.detail}${meant}`
  }
}

/**
 * Fills in a template for a prompt, a file or a path.
 *
 * @since 0.1.0
 * @category rendering
 */
export declare const render: (template: string, scope: Scope) => Either.Either<string, TemplateError>
