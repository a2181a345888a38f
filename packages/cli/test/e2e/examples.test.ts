import { execFileSync } from "node:child_process"
import { readdirSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

const root = join(dirname(fileURLToPath(import.meta.url)), "../../../..")
const workflow = (name: string) => join(root, "examples/workflows", name)

describe("the examples", () => {
  it("are all run here", () => {
    assert.deepStrictEqual(readdirSync(join(root, "examples/workflows")).sort(), [
      "add-headers.yml",
      "count-todos.yml",
      "rename-users.yml",
      "repair.yml"
    ])
  })

  it("add-headers has the agent work on each file and dead-letters the generated one", async () => {
    const repository = sandbox.repository("shop", {
      "src/a.ts": "export const a = 1\n",
      "src/deep/b.ts": "export const b = 2\n",
      "src/generated.ts": "// DO NOT EDIT\n"
    })
    const ended = await sandbox.prodigy(repository, ["run", workflow("add-headers.yml"), "-y"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    assert.match(sandbox.read("shop/src/a.ts"), /^\/\/ Part of this project.*\nexport const a = 1\n$/)
    assert.strictEqual(sandbox.read("shop/src/generated.ts"), "// DO NOT EDIT\n")
    assert.include(sandbox.read("shop/HEADERS.md"), "2 of 3 files")
    const { dead_letters } = JSON.parse((await sandbox.prodigy(repository, ["dlq", "list", "--json"])).stdout)
    assert.deepStrictEqual(
      dead_letters.map((letter: { readonly item_data: string }) => letter.item_data),
      ["src/generated.ts"]
    )
  })

  it("count-todos writes its report from all results, and commits nothing that setup left", async () => {
    const repository = sandbox.repository("shop", {
      "a.ts": "// TODO one\n// TODO two\n",
      'it\'s "b".js': "// TODO\n",
      "c.md": "nothing\n",
      "empty.ts": ""
    })
    const revision = sandbox.git(repository, "rev-parse", "--short", "HEAD")
    const ended = await sandbox.prodigy(repository, ["run", workflow("count-todos.yml"), "-y", "--json"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.strictEqual(JSON.parse(ended.stdout).total, 3)
    assert.strictEqual(
      sandbox.read("shop/TODO-REPORT.md"),
      `# TODO report of ${revision}\n\n- a.ts: 2\n- it's "b".js: 1\n`
    )
    assert.notInclude(sandbox.git(repository, "ls-files"), "todo-items.json")
    assert.strictEqual(
      sandbox.git(repository, "log", "-1", "--format=%s", "--", "TODO-REPORT.md"),
      "Add the TODO report"
    )
  })

  it("rename-users takes its items from a CSV file, whatever stands in it", async () => {
    const repository = sandbox.repository("shop", {
      "users.csv":
        'id,name,active\n7,"O\'Brien; touch pwned",yes\n8,"say ""hi""",yes\n9,gone,no\n10,tester,yes\n7,again,yes\n'
    })
    const ended = await sandbox.prodigy(repository, ["run", workflow("rename-users.yml"), "-y"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepStrictEqual(readdirSync(join(repository, "users")).sort(), [
      "7.json",
      "7.txt",
      "8.json",
      "8.txt",
      "README.md"
    ])
    assert.strictEqual(JSON.parse(sandbox.read("shop/users/8.json")).name, 'say "hi"')
    assert.strictEqual(sandbox.read("shop/users/7.txt"), "O'Brien; touch pwned\n")
    assert.include(sandbox.read("shop/users/README.md"), "4 files for 2 users.")
  })

  it("repair has a handler repair what a check found, and checks again", async () => {
    const repository = sandbox.repository("shop", { "one.txt": "x\n", "two.txt": "fixed\n", "three.txt": "x\n" })
    const ended = await sandbox.prodigy(repository, ["run", workflow("repair.yml"), "-y"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.match(sandbox.read("shop/one.txt"), /^x\nfixed after The command exited with code 1/)
    assert.strictEqual(sandbox.read("shop/two.txt"), "fixed\n")
  })

  it("embed runs a job inside another Effect program", () => {
    const printed = execFileSync("npm", ["run", "--silent", "example:embed"], { cwd: root, encoding: "utf8" })
    assert.include(printed, "completed: 3 of 3 merged, $0.03")
    assert.include(printed, "A poem about rain\nA poem about snow\nA poem about wind\n")
  })
})
