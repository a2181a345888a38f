/**
 * Shell scripts with placeholders: data is never code.
 *
 * @since 0.1.0
 */
import type * as Either from "effect/Either"
import type { TemplateError } from "./Template.ts"
import type { Scope } from "./Variables.ts"

/**
 * A script ready for `sh`, and the private environment variables its data is in. `files` are values too large for the
 * environment: each must be written to a file whose path is then given in the variable of that name.
 *
 * @since 0.1.0
 * @category models
 */
export interface ShellText {
  readonly script: string
  readonly env: Readonly<Record<string, string>>
  readonly files: Readonly<Record<string, string>>
}

/**
 * @since 0.1.0
 * @category rendering
 */
export declare const render: (script: string, scope: Scope) => Either.Either<ShellText, TemplateError>
