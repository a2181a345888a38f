/**
 * `docs/cli-reference.md` and `docs/json`, from the tree of commands.
 *
 * @since 0.1.0
 */
import { root } from "./Cli.ts"
import { nameOf, pathsOf } from "./CommandTree.ts"
import { meanings } from "./ExitCode.ts"
import * as JsonOutput from "./JsonOutput.ts"
import { reference as render } from "./Render/Help.ts"

/**
 * The text of the page.
 *
 * @since 0.1.0
 * @category rendering
 */
export const reference: string = render(root, meanings)

/**
 * The files of `docs/json`, by name: for each command with `--json` the JSON Schema of what it prints.
 *
 * @since 0.1.0
 * @category rendering
 */
export const schemas: Readonly<Record<string, string>> = Object.fromEntries(
  pathsOf(root).flatMap(({ leaf: { json }, path }) => {
    if (json === null) return []
    const command = nameOf(path)
    const schema = JsonOutput.jsonSchema(json, { command, strict: false })
    return [[JsonOutput.fileName(command), `${JSON.stringify(schema, null, 2)}\n`] as const]
  })
)
