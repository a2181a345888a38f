import { assert, describe, it } from "@effect/vitest"
import { Ajv } from "ajv"
import { readdirSync, readFileSync } from "node:fs"
import { afterAll, beforeAll } from "vitest"
import { root } from "../src/Cli.ts"
import { nameOf, pathsOf } from "../src/CommandTree.ts"
import * as JsonOutput from "../src/JsonOutput.ts"
import { schemas } from "../src/Reference.ts"
import * as InProcess from "./InProcess.ts"

const directory = new URL("../../../docs/json/", import.meta.url)

/** What is in the prepared place. */
interface Prepared {
  /** Three items, one of which fails; the setup makes a checkpoint. */
  readonly items: string
  /** Two shell steps. */
  readonly steps: string
  /** Each of its items fails, and stops the job. */
  readonly stops: string
  /** The id of a checkpoint. */
  readonly checkpoint: string
}

interface Case {
  /** What goes behind the command's name; `--json` and `--path` are added. */
  readonly args: (prepared: Prepared) => ReadonlyArray<string>
  /** Commands that are run before, with `--path` added. */
  readonly before?: (prepared: Prepared) => ReadonlyArray<ReadonlyArray<string>>
  /** Least documents that are printed; one for those that print one. */
  readonly least?: number
  readonly code?: number
}

const noArgs = () => []

/**
 * Every command that has `--json`, with arguments for a storage where `items` and then `steps` were run. A new command is
 * one line here. Commands run in this order, on one storage: those that change it prepare what they need and come last.
 */
const cases: Readonly<Record<string, ReadonlyArray<Case>>> = {
  "prodigy sessions list": [{ args: noArgs }, { args: () => ["--all-repos", "--status", "running"] }],
  "prodigy sessions show": [{ args: () => ["latest"] }, { args: () => ["mapreduce"] }],
  "prodigy progress": [{ args: noArgs }, { args: () => ["session-workflow"] }],
  "prodigy logs": [
    { args: noArgs },
    { args: () => ["latest", "--item", "item_1"], least: 0 },
    { args: () => ["latest", "--summary"] }
  ],
  "prodigy explain": [
    { args: () => ["latest"] },
    { args: () => ["latest", "item_1"] },
    { args: () => ["session-workflow"] }
  ],
  "prodigy dlq list": [{ args: noArgs }],
  "prodigy dlq inspect": [{ args: () => ["item_1"] }],
  "prodigy dlq retry": [
    { args: () => ["mapreduce", "--dry-run"] },
    { args: () => ["mapreduce", "--max-retries", "0"] },
    { args: () => ["mapreduce", "-y"], code: 3 }
  ],
  "prodigy dlq analyze": [{ args: noArgs }],
  "prodigy dlq stats": [{ args: noArgs }],
  "prodigy dlq export": [{ args: () => [`${place.folder}/letters.json`] }],
  "prodigy dlq purge": [{ args: () => ["--older-than-days", "0", "--dry-run"] }],
  "prodigy dlq clear": [{ args: () => ["latest", "--all", "--dry-run"] }],
  "prodigy events list": [{ args: noArgs, least: 10 }],
  "prodigy events stats": [{ args: noArgs }, { args: () => ["--group-by", "hour", "--all"] }],
  "prodigy events search": [{ args: () => ["item_[12]", "--fields", "item_id"], least: 2 }],
  "prodigy events follow": [{ args: noArgs, least: 10 }],
  "prodigy events clean": [{ args: () => ["--archive", "--dry-run"] }, { args: () => ["--archive", "--yes"] }],
  "prodigy checkpoints list": [{ args: noArgs }],
  "prodigy checkpoints show": [{ args: () => ["mapreduce"] }],
  "prodigy checkpoints validate": [{ args: noArgs }],
  "prodigy checkpoints mapreduce": [{ args: noArgs }],
  "prodigy clean all": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy clean worktrees": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy clean sessions": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy clean logs": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy clean state": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy clean events": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy clean dlq": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy storage": [{ args: noArgs }, { args: () => ["--all-repos"] }],
  "prodigy doctor": [{ args: noArgs }],
  "prodigy worktree ls": [{ args: noArgs }],
  "prodigy worktree merge": [{ args: () => ["--all"] }],
  "prodigy worktree clean": [{ args: () => ["--all", "--dry-run"] }],
  "prodigy worktree clean-orphaned": [{ args: noArgs }],
  "prodigy checkpoints clean": [{ args: () => ["--older-than", "0s", "--dry-run"] }],
  "prodigy checkpoints delete": [{ args: ({ checkpoint }) => [checkpoint, "--dry-run"] }],
  "prodigy run": [
    { args: ({ items }) => [items, "--dry-run"] },
    { args: ({ steps }) => [steps, "--dry-run"] },
    { args: ({ items }) => [items, "-y", "--allow-failed"] },
    { args: ({ steps }) => [steps, "-y"] }
  ],
  "prodigy resume": [{ args: () => ["latest", "-y"], before: ({ stops }) => [["run", stops, "-y"]], code: 4 }],
  "prodigy resume-job": [{ args: () => ["latest", "-y"], code: 4 }],
  "prodigy sessions cancel": [{ args: () => ["latest", "-y"] }],
  "prodigy sessions clean": [{ args: () => ["--dry-run"] }, { args: () => ["--all", "-y"] }]
}

let place: InProcess.Place
let prepared: Prepared

beforeAll(async () => {
  place = InProcess.open()
  const files = {
    items: place.file(
      "items.yml",
      `name: items
setup: [{ shell: "true" }]
map:
  input: { items: [1, 2, 3] }
  agent_template: [{ shell: 'test "\${item}" != 2 && echo "\${item}" > "made-\${item}"' }]
reduce: [{ shell: "echo reduced" }]
`
    ),
    steps: place.file("steps.yml", 'name: steps\ncommands:\n  - shell: "echo one > one"\n  - shell: "true"\n'),
    stops: place.file(
      "stops.yml",
      `name: stops
error_policy: { on_item_failure: stop }
map:
  input: { items: [1, 2, 3, 4, 5] }
  max_parallel: 1
  agent_template: [{ shell: "false" }]
`
    )
  }
  for (const file of [files.steps, files.items]) await place.prodigy(["run", file, "-y", "--allow-failed"])
  const listed = JSON.parse((await place.prodigy(["checkpoints", "list", "--json"])).data)
  prepared = { ...files, checkpoint: listed.checkpoints[0].id }
})

afterAll(() => place.close())

const commands = pathsOf(root).map(({ leaf, path }) => ({ name: nameOf(path), leaf, words: path.slice(1) }))

describe("JsonOutput", () => {
  it("has a schema for every command with --json, and only for those", () => {
    const wrong = commands.filter(({ leaf }) => (leaf.json !== null) !== leaf.flags.some(({ name }) => name === "json"))
    assert.deepStrictEqual(
      wrong.map(({ name }) => name),
      []
    )
  })

  it("is what docs/json says (npm run docs writes it)", () => {
    assert.deepStrictEqual(readdirSync(directory).toSorted(), Object.keys(schemas).toSorted())
    for (const [name, text] of Object.entries(schemas)) {
      assert.strictEqual(readFileSync(new URL(name, directory), "utf8"), text, name)
    }
  })

  it("is tried for every command that has a schema", () => {
    const names = commands.filter(({ leaf }) => leaf.json !== null).map(({ name }) => name)
    assert.deepStrictEqual(Object.keys(cases).toSorted(), names.toSorted(), "a new command needs a line in `cases`")
  })

  for (const [name, tries] of Object.entries(cases)) {
    const found = commands.find((command) => command.name === name)
    const output = found?.leaf.json ?? null
    if (found === undefined || output === null) continue
    it(`is printed by ${name} as its schema says`, async () => {
      const validator = new Ajv({ allErrors: true, strictTypes: false })
      const isValid = validator.compile(JsonOutput.jsonSchema(output, { command: name, strict: true }))
      for (const { args, before = noArgs, code = 0, least = 1 } of tries) {
        for (const line of before(prepared)) await place.prodigy(line)
        const ended = await place.prodigy([...found.words.map((word) => word.name), ...args(prepared), "--json"])
        assert.strictEqual(ended.code, code, ended.notes)
        const lines = ended.data.split("\n").slice(0, -1)
        if (output.form === "document") assert.strictEqual(lines.length, 1, ended.data + ended.notes)
        assert.isAtLeast(lines.length, least, ended.notes)
        for (const line of lines)
          assert.isTrue(isValid(JSON.parse(line)), `${validator.errorsText(isValid.errors)}: ${line}`)
      }
    })
  }
})
