import { assert, describe, it } from "@effect/vitest"
import { existsSync } from "node:fs"
import { afterEach, beforeEach } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => {
  sandbox = Sandbox.open()
})
afterEach(() => sandbox.close())

const untilExists = async (path: string) => {
  for (let waited = 0; !existsSync(path); waited++) {
    assert.isBelow(waited, 3000, path)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

describe("cleaning everything by force", () => {
  it("harms nothing of a run in another process, which then merges every item", async () => {
    const project = sandbox.repository("shop", { "x.txt": "x" })
    const go = `${sandbox.folder}/go`
    const workflow = sandbox.file(
      "slow.yml",
      `name: slow
map:
  input: { items: [a, b, c, d] }
  max_parallel: 2
  agent_template:
    - shell: |
        echo "\${item}" > "\${item}.txt"
        touch "${sandbox.folder}/started-\${item}"
        until test -e "${go}"; do sleep 0.05; done
reduce: [{ shell: "ls > all.txt" }]
`
    )
    const running = sandbox.start(project, ["run", workflow, "--yes"])
    await untilExists(`${sandbox.folder}/started-a`)
    await untilExists(`${sandbox.folder}/started-b`)
    const id = JSON.parse((await sandbox.prodigy(project, ["sessions", "list", "--json"])).stdout).sessions[0].job_id

    const all = await sandbox.prodigy(project, ["clean", "all", "--older-than", "0s", "--force"])
    assert.strictEqual(all.code, 0, all.stderr)
    assert.match(all.stdout, /kept worktrees session-\S+: its session is being driven by process/)
    assert.notMatch(all.stdout, /removed/)
    const orphaned = await sandbox.prodigy(project, ["worktree", "clean-orphaned", id, "--force"])
    assert.strictEqual(orphaned.code, 0, orphaned.stderr)
    assert.notMatch(orphaned.stdout, /removed/)
    const named = await sandbox.prodigy(project, ["worktree", "clean", id, "-f"])
    assert.strictEqual(named.code, 5, named.stdout)
    const doctor = await sandbox.prodigy(project, ["doctor"])
    assert.strictEqual(doctor.code, 0, doctor.stdout)

    sandbox.file("go", "")
    const ended = await running.ended
    assert.strictEqual(ended.code, 0, ended.stderr)
    const files = sandbox.git(project, "ls-tree", "--name-only", "main").split("\n")
    assert.includeMembers(files, ["a.txt", "b.txt", "c.txt", "d.txt", "all.txt"])

    const after = await sandbox.prodigy(project, ["clean", "all", "--older-than", "0s", "--force"])
    assert.match(after.stdout, /removed sessions session-/)
    const { bytes } = JSON.parse((await sandbox.prodigy(project, ["storage", "--json"])).stdout)
    assert.isBelow(bytes, 200_000)
  })
})
