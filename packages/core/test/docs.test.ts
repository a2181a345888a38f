import { knownTypes } from "@prodigy/core/domain/Event"
import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
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

describe("docs/testing.md", () => {
  it("shows the examples as they are", () => {
    const page = text("docs/testing.md")
    const shown = [...page.matchAll(/\(\.\.\/(examples\/\w+\.test\.ts)\)\)?:\n\n```ts\n([\s\S]*?)```/g)]
    assert.deepStrictEqual(
      shown.map(([, file]) => file),
      ["examples/quota.test.ts", "examples/powerCut.test.ts"]
    )
    for (const [, file = "", code] of shown) assert.strictEqual(code, text(file), file)
    // With the line break at its end.
    assert.isAtMost(text("examples/quota.test.ts").split("\n").length, 31)
  })
})

/** What is wrong with a workflow, one message each. */
const problemsOf = (yaml: string): ReadonlyArray<string> =>
  Either.match(WorkflowFile.parse(yaml, "workflow.yml"), {
    onLeft: (error) => error.problems.map((problem) => problem.message),
    onRight: ({ warnings }) => warnings.map((problem) => problem.message)
  })

/** Where the keys stand that a bullet of "Not in this version" lists. */
const places: Readonly<Record<string, (key: string) => string>> = {
  "at the top level": (key) => `${key}: x\nmap: {input: [1], agent_template: [shell: x]}`,
  "in `setup` and `reduce`": (key) =>
    `reduce: {steps: [shell: x], ${key}: x}\nmap: {input: [1], agent_template: [shell: x]}`,
  "in `error_policy`": (key) => `error_policy: {${key}: x}\nmap: {input: [1], agent_template: [shell: x]}`,
  "in `map`": (key) => `map: {${key}: x, input: [1], agent_template: [shell: x]}`,
  "on steps": (key) => `map: {input: [1], agent_template: [{shell: x, ${key}: x}]}`
}

describe("docs/workflow-language.md", () => {
  it("has examples, as the README does, that are read without a warning", () => {
    for (const page of ["README.md", "docs/workflow-language.md"]) {
      const examples = [...text(page).matchAll(/```yaml\n([\s\S]*?)```/g)].map((found) => found[1] ?? "")
      assert.isNotEmpty(examples, page)
      for (const example of examples) assert.deepStrictEqual(problemsOf(example), [], page)
    }
  })

  it("names keys as not in this version that are refused as such", () => {
    const section = /## Not in this version\n([\s\S]*)/.exec(text("docs/workflow-language.md"))?.[1] ?? ""
    const bullets = section.split(/\n- /).slice(1)
    const found = bullets.flatMap((bullet) => {
      const place = Object.keys(places).find((start) => bullet.startsWith(`${start}: `))
      if (place === undefined) return []
      // Only plain names; `capture.max_size` and the like are tested with their own modules.
      const keys = [...bullet.slice(place.length).matchAll(/(?<!keys of )`([a-z_]+)`/g)].map(([, key = ""]) => key)
      return keys.map((key) => ({ place, key, problems: problemsOf(places[place]?.(key) ?? "") }))
    })
    assert.isAbove(found.length, 30)
    assert.deepStrictEqual(
      found.filter(
        ({ problems }) => !problems.some((problem) => problem.includes("not supported by this version yet"))
      ),
      []
    )
  })
})

describe("docs/file-formats.md", () => {
  it("names every kind of event and of record, and no other", () => {
    const events = /\n\| `event_type` \|[\s\S]*?\n\n/.exec(text("docs/file-formats.md"))?.[0] ?? ""
    const records = /\n\| `type` \|[\s\S]*?\n\n/.exec(text("docs/file-formats-jobs.md"))?.[0] ?? ""
    const kinds = (table: string) =>
      [...table.matchAll(/^\| (`[^|]*) \|/gm)]
        .slice(1)
        .flatMap(([, cell = ""]) => [...cell.matchAll(/`(\w+)`/g)].map(([, kind = ""]) => kind))
        .toSorted()
    assert.deepStrictEqual(kinds(events), [...knownTypes].toSorted())
    // The golden journal has one of every kind: its own test says so.
    const journal = text("packages/core/test/fixtures/v1/journal.jsonl").trim().split("\n")
    const types = journal.map((line): string => JSON.parse(line).record.type)
    assert.deepStrictEqual(kinds(records), [...new Set(types)].toSorted())
  })
})
