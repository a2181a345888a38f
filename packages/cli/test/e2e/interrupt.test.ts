import { execFileSync, spawn, spawnSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { delimiter, dirname, join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { seal } from "@prodigy/core/storage/StoredJson"
import { filled, runs } from "./Alive.ts"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
let pids: string
let repository: string
beforeEach(() => {
  sandbox = Sandbox.open()
  pids = join(sandbox.folder, "pids")
  mkdirSync(pids)
  repository = sandbox.repository("shop", { "x.txt": "x" })
})
afterEach(() => sandbox.close())

/**
 * Eight agents at once. On the first attempt each works without end, ignores `ignored`, and has a child that hides in a
 * session of its own and ignores it too.
 */
const stubborn = (ignored: string, items = 8) =>
  sandbox.file(
    "stubborn.yml",
    `name: stubborn
mode: mapreduce
env: { PIDS: ${pids} }
map:
  input: { items: [${Array.from({ length: items }, (_, index) => index).join(", ")}] }
  max_parallel: 8
  agent_template:
    - shell: |
        echo "attempt \${attempt}" > "half-\${item}.txt"
        [ "\${attempt}" = 1 ] || exit 0
        trap '' ${ignored}
        setsid sh -c 'touch "$PIDS/$$"; while :; do sleep 1; done' &
        touch "$PIDS/$$"
        while :; do sleep 1; done
`
  )

const started = () => readdirSync(pids).map(Number)
const alive = () => started().filter(runs)
const job = () => readdirSync(join(sandbox.home, "state/shop/mapreduce/jobs"))[0] ?? ""
const lastRecord = () => {
  const journal = readFileSync(join(sandbox.home, "state/shop/mapreduce/jobs", job(), "journal.jsonl"), "utf8")
  return JSON.parse(journal.trim().split("\n").at(-1) ?? "").record.type
}
const session = () => JSON.parse(readFileSync(join(sandbox.home, `sessions/session-${job()}.json`), "utf8"))

/** What an interruption in good order leaves: nothing that runs, and everything accounted for. */
const assertPaused = () => {
  assert.deepStrictEqual(alive(), [])
  assert.strictEqual(lastRecord(), "job_paused")
  assert.strictEqual(session().status, "Paused")
  assert.isFalse(existsSync(join(sandbox.home, `resume_locks/${job()}.lock`)))
  assert.isFalse(existsSync(join(sandbox.home, `state/shop/processes/session-${job()}.jsonl`)))
  assert.notInclude(sandbox.git(repository, "worktree", "list"), "mapreduce-agent")
}

/** The command line that was printed, typed into a shell as it stands. */
const typeAgain = (printed: string, cwd: string) => {
  const line = /^ *(prodigy resume .*)$/m.exec(printed)?.[1]
  assert.isDefined(line, printed)
  const bin = join(sandbox.folder, "bin")
  mkdirSync(bin, { recursive: true })
  const script = `#!/bin/sh\nexec "${process.execPath}" "${Sandbox.prodigyPath}" "$@"\n`
  writeFileSync(join(bin, "prodigy"), script, { mode: 0o755 })
  const env = { ...process.env, PRODIGY_HOME: sandbox.home, PATH: `${bin}${delimiter}${process.env["PATH"]}` }
  return spawnSync("sh", ["-c", line ?? ""], { cwd, env, encoding: "utf8" })
}

/** Two graces (INT, TERM), and what a loaded machine takes for the rest. */
const promptMillis = 2 * 2_000 + 16_000

describe("prodigy run that is interrupted", () => {
  for (const [signal, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
    ["SIGHUP", 129]
  ] as const) {
    it(`stops its agents on ${signal}, keeps their work, records the pause and exits ${code}`, async () => {
      const running = sandbox.start(repository, ["run", stubborn("INT"), "-y"])
      await filled(pids, 16)
      running.kill(signal)
      const ended = await running.ended

      assert.strictEqual(ended.code, code, ended.stderr)
      assertPaused()
      const rescued = sandbox.git(repository, "for-each-ref", "--format=%(refname)", "refs/prodigy/rescue")
      assert.strictEqual(rescued.split("\n").length, 8)
      for (const ref of rescued.split("\n"))
        assert.include(sandbox.git(repository, "ls-tree", "--name-only", ref), "half-")
      const listed = await sandbox.prodigy(repository, ["sessions", "list"])
      assert.include(listed.stdout, "paused")
    })
  }

  it("gives the prompt back within the grace period when 8 agents ignore INT and TERM, and prints what goes on", async () => {
    const running = sandbox.start(repository, ["run", stubborn("INT TERM"), "-y"])
    await filled(pids, 16)
    assert.strictEqual(alive().length, 16)
    const began = performance.now()
    running.kill("SIGINT")
    const ended = await running.ended
    const tookMillis = performance.now() - began
    assert.isBelow(tookMillis, promptMillis)
    assert.strictEqual(ended.code, 130, ended.stderr)
    assertPaused()

    const again = typeAgain(ended.stderr, repository)
    // As it was printed nobody says yes to the merge, and nobody is there to be asked.
    assert.strictEqual(again.status, 6, again.stderr)
    assert.match(again.stdout, /8: 8 done/)
    assert.deepStrictEqual(alive(), [])
    const branch = session().worktree.branch
    assert.strictEqual(sandbox.git(repository, "show", `${branch}:half-7.txt`), "attempt 2")
  })

  it("prints a command that goes on from another directory too, when it was told where the project is", async () => {
    const running = sandbox.start(sandbox.folder, ["run", stubborn("INT", 1), "-y", "--path", repository])
    await filled(pids, 2)
    running.kill("SIGINT")
    const again = typeAgain((await running.ended).stderr, sandbox.folder)
    assert.strictEqual(again.status, 6, again.stderr)
  })

  it("ends at once on a second Ctrl-C; the session shows as interrupted and goes on", async () => {
    const running = sandbox.start(repository, ["run", stubborn("INT TERM"), "-y"])
    await filled(pids, 16)
    running.kill("SIGINT")
    await running.said("Ctrl-C again ends at once")
    running.kill("SIGINT")
    const ended = await running.ended
    assert.strictEqual(ended.code, 130, ended.stderr)
    assert.deepStrictEqual(alive(), [])
    // Nobody was waited for: then it would be paused.
    const listed = await sandbox.prodigy(repository, ["sessions", "list"])
    assert.include(listed.stdout, "interrupted")
    const resumed = await sandbox.prodigy(repository, ["resume", "latest", "-y", "--json"])
    assert.strictEqual(resumed.code, 0, resumed.stderr)
    assert.strictEqual(JSON.parse(resumed.stdout).counts.merged, 8)
    const rescued = sandbox.git(repository, "for-each-ref", "--format=%(refname)", "refs/prodigy/rescue")
    assert.strictEqual(rescued.split("\n").length, 8)
  })

  it("takes the SIGKILL of an agent for the failure of its item, and goes on with the others", async () => {
    const workflow = sandbox.file(
      "killed.yml",
      `name: killed
env: { PIDS: ${pids} }
map:
  input: { items: [0, 1, 2] }
  max_parallel: 3
  agent_template:
    - shell: |
        echo done > "made-\${item}.txt"
        [ "\${item}" = 1 ] || exit 0
        touch "$PIDS/$$"
        while :; do sleep 1; done
`
    )
    const running = sandbox.start(repository, ["run", workflow, "-y", "--json"])
    await filled(pids, 1)
    process.kill(started()[0] ?? 0, "SIGKILL")
    const ended = await running.ended
    assert.strictEqual(ended.code, 3, ended.stderr)
    assert.strictEqual(JSON.parse(ended.stdout).counts.merged, 2)
    const letters = await sandbox.prodigy(repository, ["dlq", "inspect", "item_1", "--json"])
    const [attempt] = JSON.parse(letters.stdout).failure_history
    assert.deepInclude(attempt, { error_type: "CommandFailed", exit_code: 137 })
  })

  it("goes on to its end when the shell that started it is killed", async () => {
    const workflow = sandbox.file(
      "alone.yml",
      `name: alone
env: { PIDS: ${pids} }
map:
  input: { items: [0] }
  agent_template:
    - shell: touch "$PIDS/$$"; until [ -e ${sandbox.folder}/go ]; do sleep 0.1; done; echo done > made.txt
`
    )
    const env = { ...process.env, PRODIGY_HOME: sandbox.home, PRODIGY_CLAUDE_COMMAND: Sandbox.claudePath }
    const words = [process.execPath, Sandbox.prodigyPath, "run", workflow, "-y"]
    const script = `"$@" & echo $!; wait`
    const shell = spawn("sh", ["-c", script, "sh", ...words], {
      cwd: repository,
      env,
      stdio: ["ignore", "pipe", "pipe"]
    })
    const pid = await new Promise<number>((resolve) => shell.stdout.once("data", (text) => resolve(Number(text))))
    await filled(pids, 1)
    // Nobody reads what it says any more, either.
    shell.stdout.destroy()
    shell.stderr.destroy()
    const gone = new Promise((resolve) => shell.once("exit", resolve))
    shell.kill("SIGKILL")
    await gone
    assert.isTrue(runs(pid))
    writeFileSync(join(sandbox.folder, "go"), "")
    await vanished(pid)
    assert.strictEqual(session().status, "Completed")
    assert.deepStrictEqual(alive(), [])
    assert.strictEqual(readFileSync(join(repository, "made.txt"), "utf8"), "done\n")
  })

  it("shows as interrupted, and goes on, when its session's file was locked by another process at that moment", async () => {
    const running = sandbox.start(repository, ["run", stubborn("INT", 1), "-y"])
    await filled(pids, 2)
    // This very process holds the lock of the file, as an update that takes its time.
    const owner = session().owner
    const stat = readFileSync("/proc/self/stat", "latin1")
    const ticks = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]
    const started_at = [...owner.started_at.split("/").slice(0, 2), ticks].join("/")
    const holder = {
      v: 1,
      owner: { pid: process.pid, host: owner.host, started_at },
      acquired_at: "2026-01-02T03:04:05.000Z",
      token: "01890a5d-ac96-774b-bcce-b302099a8057"
    }
    const lock = join(sandbox.home, `sessions/session-${job()}.json.lock`)
    writeFileSync(lock, seal(`${JSON.stringify(holder, null, 2)}\n`))
    running.kill("SIGINT")
    const ended = await running.ended
    assert.strictEqual(ended.code, 130, ended.stderr)
    assert.deepStrictEqual(alive(), [])
    assert.strictEqual(session().status, "Running")
    const listed = await sandbox.prodigy(repository, ["sessions", "list"])
    assert.include(listed.stdout, "interrupted")
    execFileSync("rm", [lock])
    const resumed = await sandbox.prodigy(repository, ["resume", "latest", "-y"])
    assert.strictEqual(resumed.code, 0, resumed.stderr)
  })

  for (const [what, keys, code] of [
    ["Ctrl-C on its terminal", "\u0003", 130],
    ["its terminal is closed", "", 129]
  ] as const) {
    it(`stops its agents when ${what}, and exits ${code}`, async () => {
      const script = join(dirname(new URL(import.meta.url).pathname), "terminal.py")
      const env = { ...process.env, PRODIGY_HOME: sandbox.home, TERM: "xterm" }
      const words = [process.execPath, Sandbox.prodigyPath, "run", stubborn("INT", 2), "-y"]
      const terminal = spawn("python3", [script, ...words], {
        cwd: repository,
        env,
        stdio: ["pipe", "pipe", "inherit"]
      })
      let output = ""
      terminal.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
      await filled(pids, 4)
      // What is typed goes to the terminal; the end of it closes the terminal.
      if (keys === "") terminal.stdin.end()
      else terminal.stdin.write(keys)
      await new Promise((resolve) => terminal.once("close", resolve))
      assert.match(output, new RegExp(`exit ${code}\\s*$`))
      assertPaused()
    })
  }
})

/** Resolves when a process that is not our child has ended. */
const vanished = async (pid: number): Promise<void> => {
  const fd = spawn("tail", ["--pid", String(pid), "-f", "/dev/null"], { stdio: "ignore" })
  await new Promise((resolve) => fd.once("exit", resolve))
}
