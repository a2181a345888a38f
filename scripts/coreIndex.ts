import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"

const source = fileURLToPath(new URL("../packages/core/src", import.meta.url))

/** The text of `packages/core/src/index.ts`: every module of every room, one namespace each. */
export const coreIndex = (): string => {
  const modules = readdirSync(source, { withFileTypes: true })
    .filter((room) => room.isDirectory())
    .flatMap((room) =>
      readdirSync(`${source}/${room.name}`)
        .filter((name) => name.endsWith(".ts"))
        .map((name) => ({ path: `./${room.name}/${name}`, name: name.slice(0, -3) }))
    )
    .sort((one, other) => (one.path < other.path ? -1 : 1))
  const lines = modules.map(({ name, path }) => `export * as ${name} from "${path}"`)
  return `/**
 * Every public module, one namespace each. Written by \`npm run docs\`.
 *
 * @since 0.1.0
 */
${lines.join("\n")}
`
}
