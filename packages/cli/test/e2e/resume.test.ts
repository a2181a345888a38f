import { existsSync, mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

const total = 24

/** Each item tells the side directory that it ran, and edits a file of its own. */
const workflow = (side: string) =>
  sandbox.file(
    "edit.yml",
    `name: edit
mode: mapreduce
env: { SIDE: ${side} }
setup:
  - shell: echo v7
    capture: release
map:
  input: { command: "seq 1 ${total}" }
  item_id: "$"
  max_parallel: 4
  agent_template:
    - shell: |
        mktemp "$SIDE/ran-\${item}-XXXXXX" > /dev/null
        echo "\${release}" > "made-\${item}"
        [ "\${item}" != 13 ] || exit 9
reduce:
  - shell: echo "\${map.successful} \${release}" > summary.txt
`
  )

/** Resolves when at least so many files are in a directory. */
const filled = (directory: string, count: number): Promise<void> =>
  new Promise((resolve) => {
    const watcher = watch(directory, () => check())
    const check = () => {
      if (readdirSync(directory).length < count) return
      watcher.close()
      resolve()
    }
    check()
  })

interface Entry {
  readonly record: { readonly type: string; readonly index?: number; readonly disposition?: string }
}

const journal = (job: string): ReadonlyArray<Entry> => {
  const path = join(sandbox.home, "state/shop/mapreduce/jobs", job, "journal.jsonl")
  const lines = readFileSync(path, "utf8").split("\n")
  return lines.slice(0, -1).map((line): Entry => JSON.parse(line))
}

const indexes = (entries: ReadonlyArray<Entry>, type: string) =>
  entries.flatMap(({ record }) => (record.type === type && record.index !== undefined ? [record.index] : []))

describe("prodigy resume", () => {
  it("goes on after kill -9, however often: nothing recorded complete is run or merged again", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const side = join(sandbox.folder, "side")
    mkdirSync(side)
    const path = workflow(side)
    let job = ""
    for (const [round, wanted] of [3, 9, 16, 22].entries()) {
      const before = job === "" ? [] : indexes(journal(job), "item_completed")
      const ranBefore = (index: number) =>
        readdirSync(side).filter((name) => name.startsWith(`ran-${index + 1}-`)).length
      const runsBefore = new Map(before.map((index) => [index, ranBefore(index)]))
      const running = sandbox.start(repository, round === 0 ? ["run", path, "-y"] : ["resume", job, "-y"])
      await filled(side, wanted)
      running.kill("SIGKILL")
      assert.strictEqual((await running.ended).code, 137)
      job = readdirSync(join(sandbox.home, "state/shop/mapreduce/jobs"))[0] ?? ""
      for (const [index, runs] of runsBefore) assert.strictEqual(ranBefore(index), runs, `item ${index} ran again`)
    }
    const ended = await sandbox.prodigy(repository, ["resume", "latest", "-y", "--json"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    const report = JSON.parse(ended.stdout)
    assert.strictEqual(report.counts.merged, total - 1)
    assert.strictEqual(report.counts.dead_lettered, 1)

    const entries = journal(job)
    const merged = indexes(entries, "item_merged")
    assert.deepStrictEqual(
      merged.toSorted((a, b) => a - b),
      [...new Set(merged)].toSorted((a, b) => a - b)
    )
    const commits = sandbox.git(
      repository,
      "log",
      "--merges",
      "--format=%(trailers:key=Prodigy-Item,valueonly,separator=)"
    )
    const items = commits.split("\n").filter((line) => line !== "")
    assert.strictEqual(items.length, total - 1)
    assert.strictEqual(new Set(items).size, total - 1)
    assert.strictEqual(sandbox.read("shop/summary.txt"), `${total - 1} v7\n`)
    const letters = readdirSync(join(sandbox.home, "dlq/shop", job, "items"))
    assert.strictEqual(letters.length, 1)
    assert.notMatch(sandbox.git(repository, "fsck", "--full", "--no-dangling"), /error|missing|corrupt/)
    assert.strictEqual(sandbox.git(repository, "worktree", "list").split("\n").length, 1)
    assert.isFalse(existsSync(join(sandbox.home, `resume_locks/${job}.lock`)))
    const again = await sandbox.prodigy(repository, ["resume", job])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.include(again.stderr, "is completed")
  })

  it("removes the agent worktrees of a job whose process was killed behind its last record", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const side = join(sandbox.folder, "side")
    mkdirSync(side)
    // Without `-y` the final merge waits, and the parent worktree stays.
    const ran = await sandbox.prodigy(repository, ["run", workflow(side), "--json"])
    const { branch, finish, job_id: job, worktree } = JSON.parse(ran.stdout)
    assert.strictEqual(finish.outcome, "waiting")
    const slot = join(sandbox.home, `worktrees/shop/mapreduce-agent-${job}_0`)
    const record = join(sandbox.home, `worktrees/shop/.metadata/mapreduce-agent-${job}_1.json.tmp`)
    sandbox.git(repository, "worktree", "add", "--quiet", "-b", `prodigy-${job}_agent_0`, slot, branch)
    writeFileSync(record, "{")
    const resumed = await sandbox.prodigy(repository, ["resume", job, "--json"])
    assert.strictEqual(resumed.code, ran.code, resumed.stderr)
    assert.deepStrictEqual(JSON.parse(resumed.stdout).finish, finish)
    assert.isFalse(existsSync(slot))
    assert.isFalse(existsSync(record))
    assert.isTrue(existsSync(worktree))
    assert.strictEqual(sandbox.git(repository, "worktree", "list").split("\n").length, 2)
    const again = await sandbox.prodigy(repository, ["resume", job])
    assert.include(again.stderr, "is completed")
  })

  it("goes on after Ctrl-C", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const side = join(sandbox.folder, "side")
    mkdirSync(side)
    const running = sandbox.start(repository, ["run", workflow(side), "-y"])
    await filled(side, 5)
    running.kill("SIGINT")
    const paused = await running.ended
    assert.strictEqual(paused.code, 130, paused.stderr)
    const command = /prodigy (resume .*)/.exec(paused.stderr)?.[1]?.trim().split(" ")
    assert.isDefined(command, paused.stderr)
    const ended = await sandbox.prodigy(repository, [...(command ?? []), "-y", "--json"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    assert.strictEqual(JSON.parse(ended.stdout).counts.merged, total - 1)
  })

  it("refuses a job that another process drives, and says who", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const side = join(sandbox.folder, "side")
    mkdirSync(side)
    const path = sandbox.file(
      "slow.yml",
      `name: slow\nenv: { SIDE: ${side} }\nmap:\n  input: { items: [1] }\n  agent_template:\n    - shell: touch "$SIDE/x"; sleep 600\n`
    )
    const running = sandbox.start(repository, ["run", path, "-y"])
    await filled(side, 1)
    const refused = await sandbox.prodigy(repository, ["resume", "latest"])
    assert.strictEqual(refused.code, 5, refused.stderr)
    assert.match(refused.stderr, /process \d+/)
    running.kill("SIGTERM")
    assert.strictEqual((await running.ended).code, 143)
  })
})
