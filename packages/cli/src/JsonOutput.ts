/**
 * What commands print with `--json`, and the JSON Schema of it that is published.
 *
 * Every command names its schema in the tree of commands; it prints through the same schema, so what is published cannot
 * differ from what is printed.
 *
 * @since 0.1.0
 */
import * as JSONSchema from "effect/JSONSchema"
import type * as Schema from "effect/Schema"
import * as SchemaAST from "effect/SchemaAST"

/**
 * The output of a command: one document, or any number of lines of one document each (JSONL).
 *
 * @since 0.1.0
 * @category models
 */
export interface JsonOutput {
  readonly form: "document" | "lines"
  /** Schemas of the text (`Schema.parseJson`); a document or line is as one of them says. */
  readonly schemas: readonly [Schema.Schema.AnyNoContext, ...ReadonlyArray<Schema.Schema.AnyNoContext>]
}

/**
 * A command that prints one document.
 *
 * @since 0.1.0
 * @category constructors
 */
export const document = (...schemas: JsonOutput["schemas"]): JsonOutput => ({ form: "document", schemas })

/**
 * A command that prints one document a line.
 *
 * @since 0.1.0
 * @category constructors
 */
export const lines = (...schemas: JsonOutput["schemas"]): JsonOutput => ({ form: "lines", schemas })

/**
 * The JSON Schema (draft 7) of an output. `strict` refuses fields that it does not name; what is published allows them,
 * since a later version may add some.
 *
 * @since 0.1.0
 * @category conversions
 */
export const jsonSchema = (
  output: JsonOutput,
  options: { readonly command: string; readonly strict: boolean }
): Readonly<Record<string, unknown>> => {
  const definitions: Record<string, JSONSchema.JsonSchema7> = {}
  const members = output.schemas.map((schema) =>
    JSONSchema.fromAST(parsed(schema.ast), {
      definitions,
      additionalPropertiesStrategy: options.strict ? "strict" : "allow"
    })
  )
  const [only, ...others] = members
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    title: `${options.command} --json`,
    $comment: output.form === "document" ? "The output is one document." : "Each line of the output is one document.",
    ...(others.length === 0 ? only : { anyOf: members }),
    ...(Object.keys(definitions).length === 0 ? {} : { $defs: definitions })
  }
}

/**
 * The name of the file in `docs/json` that holds a command's schema: `sessions-list.schema.json`.
 *
 * @since 0.1.0
 * @category getters
 */
export const fileName = (command: string): string => `${command.split(" ").slice(1).join("-")}.schema.json`

/** What is behind the text. */
const parsed = (ast: SchemaAST.AST): SchemaAST.AST => (SchemaAST.isTransformation(ast) ? ast.to : ast)
