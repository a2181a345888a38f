import { seal } from "@prodigy/core/storage/StoredJson"
import { mkdirSync, readdirSync, readFileSync, watch, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
let repository: string
beforeEach(() => {
  sandbox = Sandbox.open()
  repository = sandbox.repository("shop", { "x.txt": "x" })
})
afterEach(() => sandbox.close())

const firstSession = () => readdirSync(join(sandbox.home, "sessions"))[0]!.replace(".json", "")
const sessionPath = (id: string) => join(sandbox.home, `sessions/${id}.json`)
const session = (id: string) => JSON.parse(readFileSync(sessionPath(id), "utf8"))
const change = (id: string, fields: object) =>
  writeFileSync(sessionPath(id), seal(JSON.stringify({ ...session(id), ...fields, crc32: undefined })))
const lastRecord = (id: string) => {
  const path = join(sandbox.home, "state/shop/mapreduce/jobs", id.replace("session-", ""), "journal.jsonl")
  return JSON.parse(readFileSync(path, "utf8").trim().split("\n").at(-1)!).record
}

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

/** One item is merged, the next never ends and leaves work behind. */
const slow = () => {
  const side = join(sandbox.folder, "side")
  mkdirSync(side)
  const path = sandbox.file(
    "slow.yml",
    `name: slow
env: { SIDE: ${side} }
map:
  input: { items: [1, 2, 3] }
  max_parallel: 1
  agent_template:
    - shell: |
        echo "\${item}" > "made-\${item}"
        if [ "\${item}" = 2 ]; then touch "$SIDE/x"; sleep 600; fi
`
  )
  return { side, path }
}

/** The first item is merged, then the workflow stops. */
const stops = () =>
  sandbox.file(
    "stops.yml",
    `name: stops
map:
  input: { items: [1, 2] }
  max_parallel: 1
  on_item_failure: stop
  agent_template:
    - shell: test "\${item}" = 1 && echo x > made
`
  )

describe("prodigy sessions cancel", () => {
  it("stops who drives a session, ends it for good, and keeps its work", async () => {
    const { path, side } = slow()
    const running = sandbox.start(repository, ["run", path, "-y"])
    await filled(side, 1)
    const unasked = await sandbox.prodigy(repository, ["sessions", "cancel", "latest"])
    assert.strictEqual(unasked.code, 2, unasked.stderr)
    assert.include(unasked.stderr, "--yes")
    const cancelled = await sandbox.prodigy(repository, ["sessions", "cancel", "latest", "--yes", "--json"])
    assert.strictEqual(cancelled.code, 0, cancelled.stderr)
    assert.strictEqual((await running.ended).code, 143)

    const { kept, orphans, session_id: id, stopped } = JSON.parse(cancelled.stdout)
    assert.isNumber(stopped)
    assert.deepStrictEqual(orphans, [])
    assert.deepInclude(session(id), { status: "Cancelled", worktree: null })
    assert.strictEqual(lastRecord(id).type, "job_cancelled")
    assert.strictEqual(sandbox.git(repository, "worktree", "list").split("\n").length, 1)
    // What was merged is on the session's branch, what was under way on a rescue ref, and both are named.
    assert.include(kept, `prodigy-${id}`)
    assert.include(sandbox.git(repository, "ls-tree", "--name-only", `prodigy-${id}`), "made-1")
    const rescue = kept.find((ref: string) => ref.startsWith("refs/prodigy/rescue/"))
    assert.include(sandbox.git(repository, "ls-tree", "--name-only", rescue), "made-2")

    for (const args of [
      ["resume", id],
      ["resume-job", "latest", "-y"]
    ]) {
      const refused = await sandbox.prodigy(repository, args)
      assert.strictEqual(refused.code, 2, refused.stderr)
      assert.include(refused.stderr, "is cancelled")
    }
    assert.include((await sandbox.prodigy(repository, ["resume"])).stderr, "Nothing")
    const again = await sandbox.prodigy(repository, ["sessions", "cancel", id, "--yes"])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.include(again.stderr, "is cancelled")
    assert.strictEqual(again.stdout, "")
    const listed = await sandbox.prodigy(repository, ["sessions", "list", "--status", "cancelled"])
    assert.include(listed.stdout, id)
  })

  it("stops who drives the session of a standard workflow, at once for good", async () => {
    const side = join(sandbox.folder, "side")
    mkdirSync(side)
    const path = sandbox.file(
      "steps.yml",
      `name: steps
env: { SIDE: ${side} }
commands:
  - shell: echo one > made && git add made && git commit --quiet --message=one
  - shell: echo left > left; touch "$SIDE/x"; sleep 600
`
    )
    const running = sandbox.start(repository, ["run", path, "-y"])
    await filled(side, 1)
    const cancelled = await sandbox.prodigy(repository, ["sessions", "cancel", "session-workflow-", "--yes", "--json"])
    assert.strictEqual(cancelled.code, 0, cancelled.stderr)
    assert.strictEqual((await running.ended).code, 143)
    const { kept, session_id: id, stopped } = JSON.parse(cancelled.stdout)
    assert.isNumber(stopped)
    assert.deepInclude(session(id), { status: "Cancelled", worktree: null })
    assert.strictEqual(sandbox.git(repository, "show", `prodigy-${id}:made`), "one")
    const rescue = kept.find((ref: string) => ref.startsWith("refs/prodigy/rescue/"))
    assert.strictEqual(sandbox.git(repository, "show", `${rescue}:left`), "left")
    const refused = await sandbox.prodigy(repository, ["resume", id, "-y"])
    assert.strictEqual(refused.code, 2, refused.stderr)
    assert.include(refused.stderr, "is cancelled")
  })

  it("goes on with a cancellation that was cut short, and never with the job", async () => {
    assert.strictEqual((await sandbox.prodigy(repository, ["run", stops(), "-y"])).code, 4)
    const id = firstSession()
    const before = session(id)
    assert.isNotNull(before.worktree)
    const cancelled = await sandbox.prodigy(repository, ["sessions", "cancel", id, "-y"])
    assert.strictEqual(cancelled.code, 0, cancelled.stderr)
    assert.include(cancelled.stdout, `prodigy-${id}`)
    // As a crash behind the journal's record leaves it.
    change(id, { status: "Running", completed_at: null, owner: { pid: 999_999_999, host: "gone", started_at: "x" } })
    change(id, { worktree: before.worktree })
    sandbox.git(repository, "worktree", "add", "--quiet", before.worktree.path, `prodigy-${id}`)
    const refused = await sandbox.prodigy(repository, ["resume", id, "-y"])
    assert.strictEqual(refused.code, 2, refused.stderr)
    assert.strictEqual(lastRecord(id).type, "job_cancelled")
    const again = await sandbox.prodigy(repository, ["sessions", "cancel", id, "-y"])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.deepInclude(session(id), { status: "Cancelled", worktree: null })
    assert.strictEqual(sandbox.git(repository, "worktree", "list").split("\n").length, 1)
    assert.include(sandbox.git(repository, "ls-tree", "--name-only", `prodigy-${id}`), "made")
  })

  it("refuses what is completed, what another host drives, and what is no id", async () => {
    const path = sandbox.file(
      "done.yml",
      'name: done\nmap:\n  input: { items: [1] }\n  agent_template:\n    - shell: "true"\n'
    )
    assert.strictEqual((await sandbox.prodigy(repository, ["run", path, "-y"])).code, 0)
    const id = firstSession()
    const before = session(id)
    const completed = await sandbox.prodigy(repository, ["sessions", "cancel", id, "-y"])
    assert.strictEqual(completed.code, 2, completed.stderr)
    assert.include(completed.stderr, "is completed")
    for (const bad of ["../../x", "nothing-like-it", ""]) {
      const refused = await sandbox.prodigy(repository, ["sessions", "cancel", bad, "-y"])
      assert.strictEqual(refused.code, 2, refused.stderr)
    }
    assert.deepStrictEqual(session(id), before)

    const job = id.replace("session-", "")
    const elsewhere = {
      v: 1,
      job_id: job,
      session_id: id,
      process_id: 7,
      process_started_at: "x",
      hostname: "other-host",
      acquired_at: "2026-01-01T00:00:00.000Z",
      token: "t"
    }
    const lock = join(sandbox.home, `resume_locks/${job}.lock`)
    writeFileSync(lock, `${seal(JSON.stringify(elsewhere))}\n`)
    change(id, { status: "Running", owner: { pid: 7, host: "other-host", started_at: "x" } })
    const held = await sandbox.prodigy(repository, ["sessions", "cancel", id, "-y"])
    assert.strictEqual(held.code, 5, held.stderr)
    assert.include(held.stderr, "other-host")
    assert.strictEqual(session(id).status, "Running")
  })
})
