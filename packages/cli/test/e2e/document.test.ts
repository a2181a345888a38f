/** Every shell command of the user's document on the global storage works as it is written there. */
import { spawn } from "node:child_process"
import { chmodSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from "node:fs"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

const here = dirname(fileURLToPath(import.meta.url))
const document = readFileSync(join(here, "../fixtures/global-storage-architecture.md"), "utf8")

/** The blocks of shell commands, without their indentation. */
const blocks = [...document.matchAll(/^([ \t]*)```bash\n([\s\S]*?)^\1```/gm)].map(([, indent = "", text = ""]) =>
  text
    .split("\n")
    .map((line) => line.slice(indent.length))
    .filter((line) => line !== "" && !line.startsWith("#"))
)

let sandbox: Sandbox.Sandbox
let repository: string
let environment: NodeJS.ProcessEnv
/** A job with dead letters, which the document's ids stand for; and one whose events are 40 days old. */
let job: string
let old: string

const workflow = (name: string, script: string) => `
name: ${name}
mode: mapreduce
setup:
  - shell: echo ready
map:
  input: { items: [1, 2, 3] }
  agent_template:
    - shell: ${script}
reduce:
  - shell: echo done
`

beforeAll(async () => {
  sandbox = Sandbox.open()
  repository = sandbox.repository("my-repo", {
    "workflow.yml": workflow("good", "touch made-by-${item}"),
    "test-workflow.yml": workflow("test", "true"),
    "failing.yml": workflow("failing", "test ${item} -ne 2")
  })
  const bin = join(sandbox.folder, "bin")
  mkdirSync(bin)
  writeFileSync(join(bin, "prodigy"), `#!/bin/sh\nexec "${process.execPath}" "${Sandbox.prodigyPath}" "$@"\n`)
  chmodSync(join(bin, "prodigy"), 0o755)
  const { PRODIGY_HOME: _, ...inherited } = process.env
  environment = { ...inherited, HOME: sandbox.folder, PATH: `${bin}:${inherited["PATH"]}`, NO_COLOR: "1" }
  const run = async (expected: number, file: string) => {
    const { code, output } = await atTerminal([`prodigy run ${file} --json --yes 2>/dev/null`])
    assert.strictEqual(code, expected, output)
    return String(/"job_id":\s*"([^"]+)"/.exec(output)?.[1])
  }
  old = await run(0, "test-workflow.yml")
  job = await run(3, "failing.yml")
  const long = new Date(Date.now() - 40 * 24 * 60 * 60 * 1000)
  utimesSync(join(sandbox.folder, ".prodigy/events/my-repo", old), long, long)
}, 120_000)
afterAll(() => sandbox.close())

/** Runs commands as one script on a terminal, where every question is answered with yes. */
const atTerminal = (lines: ReadonlyArray<string>): Promise<{ readonly code: number; readonly output: string }> =>
  new Promise((resolve, reject) => {
    const args = [join(here, "terminal.py"), "sh", "-e", "-c", lines.join("\n")]
    const child = spawn("python3", args, { cwd: repository, env: environment, stdio: ["pipe", "pipe", "inherit"] })
    let output = ""
    child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
      output += chunk
      if (/\[y\/N\] ?$/.test(chunk)) child.stdin.write("y\n")
    })
    child.once("error", reject)
    child.once("close", () => resolve({ code: Number(/\nexit (-?\d+)\s*$/.exec(output)?.[1]), output }))
  })

/** The document's examples stand for these. */
const filled = (line: string): string =>
  line
    .replaceAll(/<(workflow|job)_id>|mapreduce-20250111_120000/g, job)
    .replaceAll("<session_id>", `session-${job}`)
    .replaceAll("/mnt/fast-storage/prodigy", join(sandbox.folder, "fast"))
    .replaceAll("/tmp/prodigy-test", join(sandbox.folder, "temporary"))

/** What each command shows; a command of the document that is not here has not been thought of. */
const shows: Readonly<Record<string, () => ReadonlyArray<string | RegExp>>> = {
  "export PRODIGY_HOME=/mnt/fast-storage/prodigy": () => [],
  "prodigy run workflow.yml": () => ["3: 3 done", /Merge .* \[y\/N\]/, /merged\s+into main/],
  "export PRODIGY_HOME=/tmp/prodigy-test": () => [],
  "prodigy run test-workflow.yml": () => ["3: 3 done"],
  "du -sh ~/.prodigy/*": () => ["dlq", "events", "sessions", "state", "worktrees"].map((name) => `.prodigy/${name}`),
  "ls ~/.prodigy/events/my-repo/mapreduce-20250111_120000/": () => [/events-\d+.*\.jsonl/],
  "ls ~/.prodigy/dlq/my-repo/mapreduce-20250111_120000/items/": () => ["item_1.json"],
  "ls ~/.prodigy/state/my-repo/mapreduce/jobs/mapreduce-20250111_120000/": () => [
    "setup-checkpoint.json",
    "job-state.json"
  ],
  "ls ~/.prodigy/events/": () => ["my-repo"],
  "find ~/.prodigy/events -type d -mtime +30 -exec rm -rf {} +": () => [],
  "prodigy dlq clear <workflow_id>": () => ["There is nothing to remove."],
  "prodigy dlq purge --older-than-days 30": () => ["There is nothing to remove."],
  "prodigy worktree clean-orphaned <job_id>": () => ["There is nothing to remove."],
  "prodigy sessions list": () => [`session-${job}`, `session-${old}`, "failing"],
  "prodigy sessions show <session_id>": () => [`session-${job}`, "failing", "2/3, 1 failed"],
  "prodigy dlq stats --workflow-id <workflow_id>": () => [job, "CommandFailed       1"],
  "prodigy dlq analyze --job-id <job_id>": () => ["1 dead letter, 1 pattern", "CommandFailed:1 at", "item_1"],
  "ls ~/.prodigy/resume_locks/": () => []
}

describe("the document on the global storage", () => {
  it("has commands in blocks, and each is known here", () => {
    assert.isAbove(blocks.length, 4)
    for (const line of blocks.flat()) assert.property(shows, line)
    for (const line of Object.keys(shows)) assert.include(blocks.flat(), line)
  })

  for (const block of blocks)
    it(`works as written: ${block.join("; ")}`, async () => {
      // A setting is for the lines behind it; everything else stands by itself.
      const settings = block.filter((line) => line.startsWith("export "))
      for (const line of block) {
        if (settings.includes(line)) continue
        const before = settings.filter((setting) => block.indexOf(setting) < block.indexOf(line)).slice(-1)
        const { code, output } = await atTerminal([...before, line].map(filled))
        assert.strictEqual(code, 0, `${line}\n${output}`)
        for (const expected of shows[line]?.() ?? [])
          if (typeof expected === "string") assert.include(output, expected, line)
          else assert.match(output, expected, line)
        assert.notMatch(output, /\n\s+at .*:\d+:\d+/, line)
      }
    })

  it("leaves a storage that still works after old events were removed by hand", async () => {
    const sessions = await atTerminal(["prodigy sessions list", `prodigy sessions show ${old}`])
    assert.strictEqual(sessions.code, 0, sessions.output)
    const events = await atTerminal([`prodigy events list --job-id ${old}`])
    assert.oneOf(events.code, [0, 1])
    assert.notMatch(events.output, /\n\s+at .*:\d+:\d+/)
  })
})
