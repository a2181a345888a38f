import { existsSync, mkdirSync, readdirSync, readFileSync, watch } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

/** Resolves when a directory holds so many files. */
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

const runs = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

describe("prodigy run that is interrupted", () => {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143]
  ] as const) {
    it(`stops its agents on ${signal}, keeps their work, records the pause and exits ${code}`, async () => {
      const repository = sandbox.repository("shop", { "x.txt": "x" })
      const pids = join(sandbox.folder, "pids")
      mkdirSync(pids)
      const workflow = sandbox.file(
        "slow.yml",
        `name: slow
mode: mapreduce
env: { PIDS: ${pids} }
map:
  input: { items: [0, 1, 2, 3, 4, 5, 6, 7, 8, 9] }
  max_parallel: 8
  agent_template:
    - shell: |
        trap '' INT
        echo half > half-\${item}.txt
        touch "$PIDS/$$"
        while :; do sleep 1; done
`
      )
      const running = sandbox.start(repository, ["run", workflow, "-y"])
      await filled(pids, 8)
      running.kill(signal)
      const ended = await running.ended

      assert.strictEqual(ended.code, code, ended.stderr)
      for (const pid of readdirSync(pids).map(Number)) assert.isFalse(runs(pid), `process ${pid} is still there`)
      const jobs = join(sandbox.home, "state/shop/mapreduce/jobs")
      const [job] = readdirSync(jobs)
      const records = readFileSync(join(jobs, job!, "journal.jsonl"), "utf8")
        .trim()
        .split("\n")
      assert.strictEqual(JSON.parse(records.at(-1)!).record.type, "job_paused")
      const session = JSON.parse(readFileSync(join(sandbox.home, `sessions/session-${job}.json`), "utf8"))
      assert.strictEqual(session.status, "Paused")
      assert.isFalse(existsSync(join(sandbox.home, `resume_locks/${job}.lock`)))
      const rescued = sandbox.git(repository, "for-each-ref", "--format=%(refname)", "refs/prodigy/rescue")
      assert.strictEqual(rescued.split("\n").length, 8)
      for (const ref of rescued.split("\n"))
        assert.include(sandbox.git(repository, "ls-tree", "--name-only", ref), "half-")
      assert.notInclude(sandbox.git(repository, "worktree", "list"), "mapreduce-agent")
      const listed = await sandbox.prodigy(repository, ["sessions", "list"])
      assert.include(listed.stdout, "paused")
    })
  }
})
