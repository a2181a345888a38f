import { assert, describe, it } from "@effect/vitest"
import { existsSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { fileURLToPath } from "node:url"

const root = fileURLToPath(new URL("../../..", import.meta.url))
const text = (path: string) => readFileSync(join(root, path), "utf8")

interface Row {
  readonly promise: string
  readonly evidence: string
}

/** A title, in quotes, followed by what ends it; titles may hold quotes themselves. */
const titlePattern = /"(.+?)"(?=;| "|$)/g

/** The rows of tables whose last column says what shows them. */
const rows: ReadonlyArray<Row> = text("docs/crash-safety.md")
  .split(/\n\n/)
  .filter((block) => /^\| .* \| shown by\s*\|/.test(block))
  .flatMap((table) => table.trim().split("\n").slice(2))
  .map((line) => line.split(/(?<!\\)\|/).map((cell) => cell.trim()))
  .map((cells) => ({ promise: cells[1] ?? "", evidence: cells.at(-2) ?? "" }))

/** The tests that a row names: `file` "title" "title"; `file` "title". */
const named = rows.flatMap(({ evidence }) =>
  [...evidence.matchAll(/`([^`]+\.ts)` ((?:(?!; `).)+)/g)].flatMap(([, file = "", titles = ""]) =>
    [...titles.matchAll(titlePattern)].map(([, title = ""]) => ({ file, title }))
  )
)

const pathOf = (file: string): string =>
  file.startsWith("suite/") ? `packages/testing/src/${file}` : `packages/${file}`

const titlesOf = (file: string): ReadonlySet<string> => {
  if (!existsSync(join(root, pathOf(file)))) return new Set()
  // A call of `it` in any of its forms (`it.each(…)`, `it.effect.prop`), up to the text that names it.
  const calls = text(pathOf(file)).matchAll(/\bit(?:\.\w+)*(?:\(\w+\))?\(\s*(["`])((?:(?!\1).|\$\{[^}]*\})+)\1/g)
  return new Set([...calls].map(([, , title = ""]) => title))
}

describe("docs/crash-safety.md", () => {
  it("names only tests that exist", () => {
    assert.isAbove(named.length, 50)
    assert.deepStrictEqual(
      named.filter(({ file, title }) => !titlesOf(file).has(title)),
      []
    )
  })

  it("has a test for every promise, or says that it has none", () => {
    assert.isAbove(rows.length, 40)
    const bare = rows.filter(({ evidence }) => !/^not tested yet\b/.test(evidence) && !/^`[^`]+\.ts` "/.test(evidence))
    assert.deepStrictEqual(bare, [])
    const quotes = rows.map(({ evidence }) => [...evidence.matchAll(titlePattern)].length)
    assert.strictEqual(
      named.length,
      quotes.reduce((sum, count) => sum + count, 0),
      "every title belongs to a file"
    )
  })

  it("names every suite that both a memory and a disk layer pass", () => {
    for (const { file } of named.filter((test) => test.file.startsWith("suite/"))) {
      const test = `packages/core/test/storage/${file.slice("suite/".length).replace("Suite.ts", ".test.ts")}`
      assert.isAtLeast([...text(test).matchAll(/suite\(\s*"/g)].length, 2, test)
    }
  })
})
