import { spawn } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { filled, runs } from "./Alive.ts"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

/** On its first two attempts every agent leaves two processes that ignore INT and TERM, one in a session of its own. */
const stubborn = (pids: string) =>
  sandbox.file(
    "stubborn.yml",
    `name: stubborn
mode: mapreduce
env: { PIDS: ${pids} }
map:
  input: { items: [0, 1, 2] }
  max_parallel: 3
  agent_template:
    - shell: |
        echo "work \${attempt}" > "made-\${item}.txt"
        [ "\${attempt}" -lt 3 ] || exit 0
        trap '' INT TERM
        setsid sh -c 'touch "$PIDS/$$"; while :; do sleep 1; done' &
        touch "$PIDS/$$"
        while :; do sleep 1; done
`
  )

const recordPath = (session: string) => join(sandbox.home, "state/shop/processes", `${session}.jsonl`)

describe("processes of a run that was killed", () => {
  it("are stopped by the next resume before it does anything else, and no others are", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const pids = join(sandbox.folder, "pids")
    mkdirSync(pids)
    const running = sandbox.start(repository, ["run", stubborn(pids), "-y"])
    await filled(pids, 6)
    running.kill("SIGKILL")
    assert.strictEqual((await running.ended).code, 137)
    const left = readdirSync(pids).map(Number)
    assert.strictEqual(left.filter(runs).length, 6)
    const [job] = readdirSync(join(sandbox.home, "state/shop/mapreduce/jobs"))
    assert.isTrue(existsSync(recordPath(`session-${job}`)))
    // As the user's own: it works in the same repository, and its line looks like an agent's.
    const users = spawn("sh", ["-c", "trap '' INT TERM; while :; do sleep 1; done"], {
      cwd: repository,
      detached: true
    })
    try {
      const second = sandbox.start(repository, ["resume", job!, "-y"])
      await filled(pids, 12)
      assert.deepStrictEqual(left.filter(runs), [])
      second.kill("SIGKILL")
      assert.strictEqual((await second.ended).code, 137)
      left.push(...readdirSync(pids).map(Number))
      assert.strictEqual(left.filter(runs).length, 6)

      const ended = await sandbox.prodigy(repository, ["resume", job!, "-y", "--json"])
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.deepStrictEqual(left.filter(runs), [])
      assert.isTrue(runs(users.pid!))
      const report = JSON.parse(ended.stdout)
      assert.strictEqual(report.counts.merged, 3)
      assert.match(report.warnings.join("\n"), /Stopped \d+ processes that process \d+ had left running\./)
      assert.strictEqual(readFileSync(join(repository, "made-1.txt"), "utf8"), "work 3\n")
      assert.isFalse(existsSync(recordPath(`session-${job}`)))
    } finally {
      process.kill(-users.pid!, "SIGKILL")
    }
  })

  for (const phase of ["setup", "reduce"] as const) {
    it(`are stopped when they were those of ${phase}`, async () => {
      const repository = sandbox.repository("shop", { "x.txt": "x" })
      const pids = join(sandbox.folder, "pids")
      mkdirSync(pids)
      const step = `
  - shell: |
      [ ! -e "$PIDS/../again" ] || exit 0
      trap '' INT TERM
      setsid sh -c 'touch "$PIDS/$$"; while :; do sleep 1; done' &
      touch "$PIDS/$$"
      while :; do sleep 1; done`
      const workflow = sandbox.file(
        "phase.yml",
        `name: phase
env: { PIDS: ${pids} }
setup:${phase === "setup" ? step : " []"}
map:
  input: { items: [0] }
  agent_template:
    - shell: echo made > made.txt
reduce:${phase === "reduce" ? step : " []"}
`
      )
      const running = sandbox.start(repository, ["run", workflow, "-y"])
      await filled(pids, 2)
      running.kill("SIGKILL")
      await running.ended
      const left = readdirSync(pids).map(Number)
      assert.strictEqual(left.filter(runs).length, 2)
      sandbox.file("again", "")
      const ended = await sandbox.prodigy(repository, ["resume", "latest", "-y"])
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.deepStrictEqual(left.filter(runs), [])
      assert.strictEqual(readFileSync(join(repository, "made.txt"), "utf8"), "made\n")
    })
  }

  it("are stopped when they were those of a standard workflow's step", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const pids = join(sandbox.folder, "pids")
    mkdirSync(pids)
    const workflow = sandbox.file(
      "steps.yml",
      `name: steps
env: { PIDS: ${pids} }
commands:
  - shell: echo 1 >> ${sandbox.folder}/first
  - shell: |
      [ ! -e "$PIDS/../again" ] || exit 0
      trap '' INT TERM
      setsid sh -c 'touch "$PIDS/$$"; while :; do sleep 1; done' &
      touch "$PIDS/$$"
      while :; do sleep 1; done
  - shell: echo made > made.txt
`
    )
    const running = sandbox.start(repository, ["run", workflow, "-y"])
    await filled(pids, 2)
    running.kill("SIGKILL")
    await running.ended
    const left = readdirSync(pids).map(Number)
    assert.strictEqual(left.filter(runs).length, 2)
    sandbox.file("again", "")
    const ended = await sandbox.prodigy(repository, ["resume", "-y"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepStrictEqual(left.filter(runs), [])
    assert.strictEqual(readFileSync(join(sandbox.folder, "first"), "utf8"), "1\n")
    assert.strictEqual(readFileSync(join(repository, "made.txt"), "utf8"), "made\n")
  })

  it("are waited for when they are git's, which nobody cuts short, also while it fills a worktree", async () => {
    const repository = sandbox.repository("shop", { "slow.txt": "s\n", ".gitattributes": "slow.txt filter=slow\n" })
    const pids = join(sandbox.folder, "pids")
    mkdirSync(pids)
    const filter = sandbox.file(
      "slow.sh",
      `trap 'touch ${sandbox.folder}/cut' INT TERM
case "$PWD" in *mapreduce-agent*) if mkdir ${sandbox.folder}/once 2> /dev/null; then
  touch ${pids}/$$; sleep 6; touch ${sandbox.folder}/whole
fi ;; esac
exec cat`
    )
    sandbox.git(repository, "config", "filter.slow.smudge", `sh ${filter}`)
    const workflow = sandbox.file(
      "one.yml",
      `name: one\nmap:\n  input: { items: [0] }\n  agent_template:\n    - shell: cp slow.txt made.txt\n`
    )
    const running = sandbox.start(repository, ["run", workflow, "-y"])
    await filled(pids, 1)
    running.kill("SIGKILL")
    await running.ended
    assert.strictEqual(readdirSync(pids).map(Number).filter(runs).length, 1)
    const ended = await sandbox.prodigy(repository, ["resume", "latest", "-y", "--json"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepInclude(readdirSync(sandbox.folder), "whole")
    assert.notInclude(readdirSync(sandbox.folder), "cut")
    assert.match(JSON.parse(ended.stdout).warnings.join("\n"), /had left running/)
    assert.strictEqual(readFileSync(join(repository, "made.txt"), "utf8"), "s\n")
    assert.strictEqual(sandbox.git(repository, "worktree", "list").split("\n").length, 1)
  })

  it("keep a resume from beginning when it was started by one of them, and nothing is touched", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const pids = join(sandbox.folder, "pids")
    mkdirSync(pids)
    const workflow = sandbox.file(
      "inner.yml",
      `name: inner
env: { PIDS: ${pids} }
map:
  input: { items: [0] }
  agent_template:
    - shell: touch "$PIDS/$$"; [ "\${attempt}" = 1 ] || exit 0; while :; do sleep 1; done
`
    )
    const running = sandbox.start(repository, ["run", workflow, "-y"])
    await filled(pids, 1)
    running.kill("SIGKILL")
    await running.ended
    const [job] = readdirSync(join(sandbox.home, "state/shop/mapreduce/jobs"))
    const record = readFileSync(recordPath(`session-${job}`), "utf8")
    const { token } = JSON.parse(record.split("\n")[0] ?? "")
    const inner = await sandbox.prodigy(repository, ["resume", job!, "-y"], { PRODIGY_SPAWN_ID: `${token}/inner` })
    assert.strictEqual(inner.code, 1, inner.stderr)
    assert.include(inner.stderr, "This command was started by a process that the dead owner")
    assert.strictEqual(readFileSync(recordPath(`session-${job}`), "utf8"), record)
    const outer = await sandbox.prodigy(repository, ["resume", job!, "-y"])
    assert.strictEqual(outer.code, 0, outer.stderr)
  })
})
