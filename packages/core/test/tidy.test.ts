import { assert, describe, it } from "@effect/vitest"
import { existsSync, readdirSync, readFileSync } from "node:fs"
import { dirname, join, relative } from "node:path"
import { fileURLToPath } from "node:url"
import { coreIndex, testingIndex } from "../../../scripts/packageIndex.ts"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const source = join(root, "packages/core/src")
/** From the ground up: a room knows only those before it. */
const rooms = ["domain", "workflow", "storage", "workspace", "agent", "engine"]

const filesUnder = (directory: string, ends: string): ReadonlyArray<string> =>
  readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    if (["node_modules", "dist", ".git", "fixtures", "scratchpad"].includes(entry.name)) return []
    const path = join(directory, entry.name)
    return entry.isDirectory() ? filesUnder(path, ends) : entry.name.endsWith(ends) ? [path] : []
  })

const modules = filesUnder(source, ".ts")
  .map((path) => ({ path, name: relative(source, path).replace(/\.ts$/, ""), text: readFileSync(path, "utf8") }))
  .filter(({ name }) => name !== "index")

/** An adapter sits in the folder of its module and may name the platform. */
const isAdapter = (name: string) => name.split("/").length > 2

/** What a check complains about, one line each; the message of the test names all of them. */
const none = (complaints: ReadonlyArray<string>) => assert.deepStrictEqual(complaints, [])

describe("the code of core", () => {
  it("has a doc comment with @since on every module and export", () => {
    none(
      modules.flatMap(({ name, text }) => {
        const module = /^\/\*\*\n[\s\S]*?@since \d/.test(text) ? [] : [`${name}: no module doc`]
        const exports = [...text.matchAll(/^export (?:declare )?(?:const|class|interface|type|function) (\w+)/gm)]
        const bare = exports.filter((found) => {
          const before = text.slice(0, found.index)
          const doc = before.endsWith("*/\n") ? before.slice(before.lastIndexOf("/**")) : ""
          return !doc.includes("@since") && !isAdapter(name)
        })
        return [...module, ...bare.map((found) => `${name}: ${found[1]} has no doc comment with @since`)]
      })
    )
  })

  it("names every tag and every error after its module", () => {
    none(
      modules.flatMap(({ name, text }) =>
        [...text.matchAll(/(?:Context\.(?:Tag|Reference<\w+>\(\))|Schema\.TaggedError<\w+>)\(\s*"([^"]+)"/g)]
          .map((found) => found[1] ?? "")
          .filter((key) => key !== `@prodigy/core/${name}` && !key.startsWith(`@prodigy/core/${name}/`))
          .map((key) => `${name}: ${key}`)
      )
    )
  })

  it("imports only downwards, from room to room", () => {
    none(
      modules.flatMap(({ name, path, text }) => {
        const floor = rooms.indexOf(name.split("/")[0] ?? "")
        return [...text.matchAll(/from "(\.[^"]+)"/g)].flatMap((found) => {
          const target = relative(source, join(dirname(path), found[1] ?? ""))
          const other = rooms.indexOf(target.split("/")[0] ?? "")
          return other > floor || other < 0 ? [`${name} imports ${target}`] : []
        })
      })
    )
  })

  it("has no clock, randomness, process or platform outside adapters", () => {
    const forbidden = /\bDate\.now\b|\bnew Date\b|\bMath\.random\b|\bprocess\.\w|from "node:|\bconsole\.\w/
    none(
      modules.flatMap(({ name, text }) => {
        const code = text.replaceAll(/\/\*[\s\S]*?\*\/|\/\/.*$/gm, "")
        const found = isAdapter(name) ? null : forbidden.exec(code)
        return found === null ? [] : [`${name}: ${found[0]}`]
      })
    )
  })

  it("exports every module from its index", () => {
    assert.strictEqual(readFileSync(join(source, "index.ts"), "utf8"), coreIndex(), "npm run docs writes it")
  })

  it("is in small files", () => {
    none(
      modules.flatMap(({ name, text }) => {
        const lines = text.split("\n").length
        return lines > 800 ? [`${name}: ${lines} lines`] : []
      })
    )
  })
})

describe("the testing kit", () => {
  const kit = join(root, "packages/testing/src")

  it("exports every module but the suites from its index", () => {
    assert.strictEqual(readFileSync(join(kit, "index.ts"), "utf8"), testingIndex(), "npm run docs writes it")
  })

  it("needs no test runner, but for the suites", () => {
    const files = filesUnder(kit, ".ts").filter((path) => !path.startsWith(join(kit, "suite")))
    none(files.filter((path) => /from "(@effect\/vitest|vitest|node:|\.\/suite)/.test(readFileSync(path, "utf8"))))
  })
})

describe("the documents", () => {
  it("have links that lead somewhere", () => {
    none(
      filesUnder(root, ".md").flatMap((path) => {
        const text = readFileSync(path, "utf8").replaceAll(/```[\s\S]*?```/g, "")
        return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
          .map((found) => found[1] ?? "")
          .filter((link) => !/^(https?:|mailto:|#)/.test(link))
          .filter((link) => !existsSync(join(dirname(path), decodeURI(link.split("#")[0] ?? ""))))
          .map((link) => `${relative(root, path)}: ${link}`)
      })
    )
  })

  it("name every error, and what to do about it, in docs/errors.md", () => {
    const page = readFileSync(join(root, "docs/errors.md"), "utf8")
    const directories = ["packages/core/src", "packages/cli/src"].map((path) => join(root, path))
    const errors = directories
      .flatMap((directory) => filesUnder(directory, ".ts"))
      .flatMap((path) => [...readFileSync(path, "utf8").matchAll(/class (\w+) extends (?:Schema|Data)\.TaggedError/g)])
      .map((found) => found[1] ?? "")
    assert.isAbove(errors.length, 20)
    none(errors.filter((name) => !page.includes(`\`${name}\``)))
    const named = [...page.matchAll(/^\| .*? \| `(\w+)`/gm)].map((found) => found[1] ?? "")
    none(named.filter((name) => !errors.includes(name)).map((name) => `${name} is documented and does not exist`))
  })
})
