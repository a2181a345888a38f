import { existsSync } from "node:fs"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

/** Workflow text, the place of its error, and what the message must name. */
const cases: ReadonlyArray<readonly [what: string, text: string, place: string, message: RegExp]> = [
  ["broken YAML", "name: x\nmap: [1, 2\n", "3:1", /./],
  [
    "an unknown key",
    "name: x\nmode: mapreduce\nmap:\n  input: a.json\n  agent_templat:\n    - shell: ls\n",
    "5:3",
    /agent_template/
  ],
  ["a missing input", "name: x\nmode: mapreduce\nmap:\n  agent_template:\n    - shell: ls\n", "3:1", /input/],
  [
    "two kinds in a step",
    "name: x\nmap:\n  input: a.json\n  agent_template:\n    - shell: ls\n      claude: hi\n",
    "6:7",
    /shell.*claude|claude.*shell|one kind/s
  ],
  [
    "a wrong type",
    "name: x\nmap:\n  input: a.json\n  max_parallel: many\n  agent_template:\n    - shell: ls\n",
    "4:17",
    /max_parallel|number/
  ],
  [
    "a bad duration",
    "name: x\nmap:\n  input: a.json\n  agent_template:\n    - shell: ls\n      timeout: soon\n",
    "6:16",
    /duration|10m|soon/
  ],
  [
    "a bad filter",
    'name: x\nmap:\n  input: a.json\n  filter: "a == "\n  agent_template:\n    - shell: ls\n',
    "4:",
    /filter|expect/i
  ],
  [
    "a duplicate key",
    "name: x\nname: y\nmap:\n  input: a.json\n  agent_template:\n    - shell: ls\n",
    "2:1",
    /name|unique|twice|duplicate/i
  ],
  ["a bare string", "name: x\nmap:\n  input: a.json\n  agent_template:\n    - run the tests\n", "5:7", /shell:/],
  [
    "an option of a later version",
    "name: x\nmap:\n  input: a.json\n  agent_template:\n    - shell: ls\n      budget: { usd: 3 }\n",
    "6:7",
    /budget.*not supported/s
  ],
  ["an empty file", "", "1:1", /empty/i],
  [
    "a duplicate step id",
    "name: x\nmap:\n  input: a.json\n  agent_template:\n    - { shell: ls, id: a }\n    - { shell: ls, id: a }\n",
    "6:",
    /id/
  ]
]

describe("prodigy run with a malformed workflow", () => {
  for (const [what, text, place, message] of cases) {
    it(`points at ${what}, exits 2 and makes nothing`, async () => {
      const repository = sandbox.repository("shop", { "a.json": "[1]" })
      const path = sandbox.file("bad.yml", text)
      const before = { tree: Sandbox.tree(sandbox.folder), refs: sandbox.git(repository, "for-each-ref") }
      const ended = await sandbox.prodigy(repository, ["run", path, "-y"])
      assert.strictEqual(ended.code, 2, ended.stderr)
      assert.strictEqual(ended.stdout, "")
      assert.include(ended.stderr, `bad.yml:${place}`)
      assert.match(ended.stderr, message)
      assert.match(ended.stderr, /\^/)
      assert.notMatch(ended.stderr, /\bat .*\.(ts|js):\d+/)
      assert.isFalse(existsSync(sandbox.home))
      assert.deepStrictEqual(Sandbox.tree(sandbox.folder), before.tree)
      assert.strictEqual(sandbox.git(repository, "for-each-ref"), before.refs)
    })
  }

  it("refuses what it cannot start with, before anything is made", async () => {
    const repository = sandbox.repository("shop", { "a.json": '[{"id": 1}, {"id": 1}]', "b.json": "{" })
    const workflow = (lines: string) => `name: x\nmap:\n${lines}  agent_template:\n    - shell: "true"\n`
    const refused = [
      ["no such file", "  input: missing.json\n", /missing\.json/],
      ["two items of one id", "  input: a.json\n  item_id: id\n", /id/],
      ["an input that is not JSON", "  input: b.json\n", /b\.json/]
    ] as const
    for (const [what, lines, message] of refused) {
      const path = sandbox.file("bad.yml", workflow(lines))
      const ended = await sandbox.prodigy(repository, ["run", path, "-y"])
      assert.notStrictEqual(ended.code, 0, what)
      assert.match(ended.stderr, message, what)
    }
    const nowhere = sandbox.file("elsewhere/x.yml", workflow("  input: { items: [1] }\n"))
    const outside = await sandbox.prodigy(`${sandbox.folder}/elsewhere`, ["run", nowhere, "-y"])
    assert.strictEqual(outside.code, 2, outside.stderr)
    assert.match(outside.stderr, /repository/)
    const missing = await sandbox.prodigy(repository, ["run", "no-such.yml"])
    assert.strictEqual(missing.code, 2, missing.stderr)
    assert.match(missing.stderr, /no-such\.yml/)
  })

  it("refuses a workflow that uses claude when there is none, and only then", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const env = { PRODIGY_CLAUDE_COMMAND: "no-such-claude" }
    const uses = sandbox.file(
      "uses.yml",
      "name: x\nmap:\n  input: { items: [1] }\n  agent_template:\n    - claude: hi\n"
    )
    const not = sandbox.file(
      "not.yml",
      'name: x\nmap:\n  input: { items: [1] }\n  agent_template:\n    - shell: "true"\n'
    )
    const refused = await sandbox.prodigy(repository, ["run", uses, "-y"], env)
    assert.strictEqual(refused.code, 2, refused.stderr)
    assert.include(refused.stderr, "no-such-claude")
    assert.isFalse(existsSync(sandbox.home))
    const fine = await sandbox.prodigy(repository, ["run", not, "-y"], env)
    assert.strictEqual(fine.code, 0, fine.stderr)
  })
})
