import { readdirSync } from "node:fs"
import { fileURLToPath } from "node:url"

const modulesIn = (source: string, below = ""): ReadonlyArray<string> =>
  readdirSync(`${source}/${below}`, { withFileTypes: true })
    .filter(({ name }) => name.endsWith(".ts") && name !== "index.ts")
    .map(({ name }) => `${below}${name.slice(0, -3)}`)

/** The text of an `index.ts`: every module, by its path from there, as a namespace of its own. */
const textOf = (modules: ReadonlyArray<string>): string => {
  const lines = [...modules]
    .sort()
    .map((path) => `export * as ${path.slice(path.lastIndexOf("/") + 1)} from "./${path}.ts"`)
  return `/**
 * Every public module, one namespace each. Written by \`npm run docs\`.
 *
 * @since 0.1.0
 */
${lines.join("\n")}
`
}

/** The text of `packages/core/src/index.ts`: every module of every room. */
export const coreIndex = (): string => {
  const source = fileURLToPath(new URL("../packages/core/src", import.meta.url))
  const rooms = readdirSync(source, { withFileTypes: true }).filter((entry) => entry.isDirectory())
  return textOf(rooms.flatMap(({ name }) => modulesIn(source, `${name}/`)))
}

/** The text of `packages/testing/src/index.ts`: every module but the suites, which need vitest. */
export const testingIndex = (): string =>
  textOf(modulesIn(fileURLToPath(new URL("../packages/testing/src", import.meta.url))))
