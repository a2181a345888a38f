import { readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

describe("retry", () => {
  it("tries steps of every phase again, each try with a transcript of its own, and warns of an unused --param", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const tries = join(sandbox.folder, "tries")
    const flaky = (name: string) => `echo try >> "$TRIES-${name}"; test "$(wc -l < "$TRIES-${name}")" -ge 3`
    const workflow = sandbox.file(
      "flaky.yml",
      `name: flaky
mode: mapreduce
env: { TRIES: ${tries} }
retry_defaults: { attempts: 3, backoff: { fixed: { delay: 20ms } } }
setup:
  - shell: ${JSON.stringify(flaky("setup"))}
map:
  input: { items: [0, 1] }
  agent_template:
    - id: flaky
      shell: ${JSON.stringify(`${flaky("$NAME")}; code=$?; echo $NAME > done-$NAME; exit $code`)}
      env: { NAME: "item-\${item}" }
reduce:
  - shell: ${JSON.stringify(flaky("reduce"))}
  - shell: "false"
    retry: { attempts: 2, initial_delay: 10ms, on_exhausted: { fallback: { shell: echo ok > fallback.txt } } }
`
    )
    const ended = await sandbox.prodigy(repository, ["run", workflow, "-y", "--param", "TIRES=1"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.include(ended.stderr, "warning: --param TIRES is used nowhere in the workflow. Did you mean TRIES?")
    for (const name of ["setup", "item-0", "item-1", "reduce"]) {
      assert.strictEqual(readFileSync(`${tries}-${name}`, "utf8"), "try\n".repeat(3), name)
    }
    assert.strictEqual(
      sandbox.git(repository, "ls-tree", "--name-only", "main"),
      ["done-item-0", "done-item-1", "fallback.txt", "x.txt"].join("\n")
    )
    const logs = Sandbox.tree(join(sandbox.home, "logs")).filter((path) => path.includes("agent_0-flaky"))
    assert.deepStrictEqual(
      logs.map((path) => path.replace(/.*agent_0-/, "")),
      ["flaky-try-2.log", "flaky-try-3.log", "flaky.log"]
    )
  })
})
