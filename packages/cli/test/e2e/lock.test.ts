import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { hostname } from "node:os"
import { join } from "node:path"
import { seal } from "@prodigy/core/storage/StoredJson"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { filled, runs } from "./Alive.ts"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
let pids: string
beforeEach(() => {
  sandbox = Sandbox.open()
  pids = join(sandbox.folder, "pids")
  mkdirSync(pids)
})
afterEach(() => sandbox.close())

/** An agent that works until it is stopped, on every attempt. */
const endless = () =>
  sandbox.file(
    "endless.yml",
    `name: endless
env: { PIDS: ${pids} }
map:
  input: { items: [1] }
  agent_template:
    - shell: touch "$PIDS/$$"; while :; do sleep 1; done
`
  )

const job = () => readdirSync(join(sandbox.home, "state/shop/mapreduce/jobs"))[0] ?? ""
const lockPath = () => join(sandbox.home, `resume_locks/${job()}.lock`)
const journal = () => readFileSync(join(sandbox.home, "state/shop/mapreduce/jobs", job(), "journal.jsonl"), "utf8")

/** Leaves the lock of somebody on another host in the place of the one that is there, as his `--force` would. */
const takeFromElsewhere = (path = lockPath()) => {
  const { crc32: _, ...lease } = JSON.parse(readFileSync(path, "utf8"))
  const theirs = { ...lease, hostname: "elsewhere", process_id: 4711, token: "01890a5d-ac96-774b-bcce-b302099a8057" }
  writeFileSync(`${path}.new`, `${seal(JSON.stringify(theirs))}\n`)
  renameSync(`${path}.new`, path)
}

describe("the lock of a job", () => {
  it("lets one of two resumes at once work, and tells the other who does, where and since when", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const running = sandbox.start(repository, ["run", endless(), "-y"])
    await filled(pids, 1)
    running.kill("SIGKILL")
    await running.ended
    const both = [1, 2].map(() => sandbox.start(repository, ["resume", job(), "-y"]))
    const first = await Promise.race(both.map(async (one, index) => ({ index, ...(await one.ended) })))
    assert.strictEqual(first.code, 5, first.stderr)
    const holder = JSON.parse(readFileSync(lockPath(), "utf8"))
    assert.include(
      first.stderr,
      `Job ${job()} is driven by process ${holder.process_id} on ${hostname()} since ${holder.acquired_at}.`
    )
    // The winner has stopped what the dead owner left, and has an agent of its own.
    await filled(pids, 2)
    const winner = both[1 - first.index]!
    const forced = await sandbox.prodigy(repository, ["resume", job(), "-y", "--force"])
    assert.strictEqual(forced.code, 5, forced.stderr)
    assert.include(forced.stderr, "No force takes a job from a process that lives.")
    winner.kill("SIGINT")
    assert.strictEqual((await winner.ended).code, 130)
    assert.deepStrictEqual(readdirSync(pids).map(Number).filter(runs), [])
  })

  it("of another host is taken by force only, which says whose it was", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const workflow = sandbox.file(
      "once.yml",
      `name: once\nenv: { PIDS: ${pids} }\nmap:\n  input: { items: [1] }\n  agent_template:\n    - shell: |
        [ "\${attempt}" = 1 ] || exit 0
        touch "$PIDS/$$"; while :; do sleep 1; done\n`
    )
    const running = sandbox.start(repository, ["run", workflow, "-y"])
    await filled(pids, 1)
    running.kill("SIGKILL")
    await running.ended
    takeFromElsewhere()
    const refused = await sandbox.prodigy(repository, ["resume", job(), "-y"])
    assert.strictEqual(refused.code, 5, refused.stderr)
    assert.include(refused.stderr, "process 4711 on elsewhere since")
    const ended = await sandbox.prodigy(repository, ["resume", job(), "-y", "--force", "--json"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.include(JSON.parse(ended.stdout).warnings.join("\n"), "taken from process 4711 on elsewhere by force")
    assert.deepStrictEqual(readdirSync(pids).map(Number).filter(runs), [])
  })

  it("stops an owner that lost it: nothing more is written or removed, and its agents are gone", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const go = join(sandbox.folder, "go")
    const workflow = sandbox.file(
      "two.yml",
      `name: two
env: { PIDS: ${pids}, GO: ${go} }
map:
  input: { items: [0, 1] }
  max_parallel: 2
  agent_template:
    - shell: |
        touch "$PIDS/$$"
        until [ "\${item}" = 0 ] && [ -e "$GO" ]; do sleep 0.1; done
`
    )
    const running = sandbox.start(repository, ["run", workflow, "-y"])
    await filled(pids, 2)
    takeFromElsewhere()
    const before = { journal: journal(), lock: readFileSync(lockPath(), "utf8") }
    writeFileSync(go, "")
    const ended = await running.ended
    assert.strictEqual(ended.code, 5, ended.stderr)
    assert.match(ended.stderr, /was taken by force by process 4711 on elsewhere/)
    assert.deepStrictEqual({ journal: journal(), lock: readFileSync(lockPath(), "utf8") }, before)
    assert.deepStrictEqual(readdirSync(pids).map(Number).filter(runs), [])
    const session = JSON.parse(readFileSync(join(sandbox.home, `sessions/session-${job()}.json`), "utf8"))
    assert.strictEqual(session.status, "Running")
    assert.strictEqual(
      readdirSync(join(sandbox.home, "worktrees/shop")).filter((name) => name.startsWith("mapreduce-agent")).length,
      2
    )
  })

  it("stops an owner that lost it, of a standard workflow too: the step that ends is not recorded, the next never begins", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const go = join(sandbox.folder, "go")
    const workflow = sandbox.file(
      "steps.yml",
      `name: steps
commands:
  - shell: touch "${pids}/$$"; until [ -e ${go} ]; do sleep 0.1; done
  - shell: touch ${sandbox.folder}/second
`
    )
    const running = sandbox.start(repository, ["run", workflow, "-y"])
    await filled(pids, 1)
    const [lock = ""] = readdirSync(join(sandbox.home, "resume_locks"))
    const path = join(sandbox.home, "resume_locks", lock)
    takeFromElsewhere(path)
    const state = join(sandbox.home, "state/shop")
    const checkpoints = () =>
      readdirSync(state, { recursive: true, encoding: "utf8" })
        .filter((name) => name.includes("checkpoint") && name.endsWith(".json"))
        .map((name) => readFileSync(join(state, name), "utf8"))
    const before = { checkpoints: checkpoints(), lock: readFileSync(path, "utf8") }
    assert.isNotEmpty(before.checkpoints)
    writeFileSync(go, "")
    const ended = await running.ended
    assert.strictEqual(ended.code, 5, ended.stderr)
    assert.match(ended.stderr, /was taken by force by process 4711 on elsewhere/)
    assert.deepStrictEqual({ checkpoints: checkpoints(), lock: readFileSync(path, "utf8") }, before)
    assert.isFalse(existsSync(join(sandbox.folder, "second")))
    assert.deepStrictEqual(readdirSync(pids).map(Number).filter(runs), [])
    assert.isTrue(existsSync(join(sandbox.home, "worktrees/shop", lock.replace(/\.lock$/, ""))))
  })

  it("is not needed to know a living owner: without its file a second one is still refused", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const running = sandbox.start(repository, ["run", endless(), "-y"])
    await filled(pids, 1)
    rmSync(lockPath())
    for (const force of [[], ["--force"]]) {
      const refused = await sandbox.prodigy(repository, ["resume", job(), "-y", ...force])
      assert.strictEqual(refused.code, 5, refused.stderr)
      assert.include(refused.stderr, "though that process has lost its lock")
    }
    assert.strictEqual(readdirSync(pids).map(Number).filter(runs).length, 1)
    running.kill("SIGTERM")
    assert.strictEqual((await running.ended).code, 143)
    assert.isFalse(existsSync(lockPath()))
  })
})
