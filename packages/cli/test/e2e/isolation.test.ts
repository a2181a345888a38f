import { execFileSync } from "node:child_process"
import { existsSync, mkdirSync, readdirSync, readFileSync, symlinkSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

const touchEach = (count: number, parallel: number) => `name: touch
mode: mapreduce
map:
  input: { items: [${Array.from({ length: count }, (_, index) => index).join(", ")}] }
  max_parallel: ${parallel}
  agent_template:
    - shell: echo "\${item}" > "made-\${item}.txt"
`

const repositoryNames = () => readdirSync(join(sandbox.home, "state")).sort()
const jobs = (name: string) => readdirSync(join(sandbox.home, "state", name, "mapreduce/jobs")).sort()

/** Whether a process runs; one that ended and was not reaped by its parent does not. */
const runs = (pid: number): boolean => {
  try {
    return !/^\d+ \(.*\) Z/s.test(readFileSync(`/proc/${pid}/stat`, "utf8"))
  } catch {
    return false
  }
}

describe("prodigy run beside others", () => {
  it("takes hostile item ids as data: every item is processed, nothing is executed, no file is out of place", async () => {
    const names = [
      "../../x",
      "a/b",
      "..",
      ".",
      "x".repeat(300),
      "🦊 and ünïcode",
      "two\nlines",
      "'; touch pwned; '",
      "$(touch pwned)",
      "`touch pwned`",
      '"; touch pwned; "',
      "--help",
      "-rf",
      "a b  c",
      "con\u0007trol",
      "*",
      "refs/heads/main",
      "x.lock",
      "@{u}"
    ]
    const failing = names.map((name) => ({ id: `fail ${name}`, fail: true }))
    const items = [...names.map((name) => ({ id: name, fail: false })), ...failing]
    const repository = sandbox.repository("shop", { "items.json": JSON.stringify(items) })
    const workflow = sandbox.file(
      "names.yml",
      `name: names
mode: mapreduce
map:
  input: items.json
  item_id: id
  max_parallel: 4
  agent_template:
    - shell: |
        printf '%s' "\${item.id}" > out-\${item_index}
        printf '%s' '\${item.id}' > single-\${item_index}
        cat > heredoc-\${item_index} <<EOF
        \${item.id}
        EOF
    - write_file: { path: "written-\${item_index}", content: "\${item_id}" }
    - shell: exit 3
      when: item.fail
`
    )
    const before = Sandbox.tree(sandbox.folder)
    const ended = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    const report = JSON.parse(ended.stdout)
    assert.strictEqual(report.counts.merged, names.length)
    assert.strictEqual(report.counts.dead_lettered, failing.length)
    for (const [index, name] of names.entries()) {
      assert.strictEqual(readFileSync(join(repository, `out-${index}`), "utf8"), name)
      assert.strictEqual(readFileSync(join(repository, `single-${index}`), "utf8"), name)
      assert.strictEqual(readFileSync(join(repository, `written-${index}`), "utf8"), name)
      assert.include(readFileSync(join(repository, `heredoc-${index}`), "utf8"), name)
    }
    const letters = JSON.parse((await sandbox.prodigy(repository, ["dlq", "list", "--json"])).stdout)
    const ids = letters.dead_letters.map((letter: { readonly item_id: string }) => letter.item_id)
    assert.deepStrictEqual([...ids].sort(), failing.map((item) => item.id).sort())
    const after = Sandbox.tree(sandbox.folder).filter((path) => !before.includes(path))
    assert.deepStrictEqual(
      after.filter((path) => path.split("/").at(-1) === "pwned"),
      []
    )
    // All that is new is in the storage directory, in git's own, or one of the files that the steps made.
    const elsewhere = after.filter(
      (path) => !path.startsWith("home") && !/^shop\/(\.git\/|(out|single|heredoc|written)-\d+$)/.test(path)
    )
    assert.deepStrictEqual(elsewhere, [])
  })

  it("keeps two repositories of one name apart, run at the same time", async () => {
    const one = sandbox.repository("a/shop", { "x.txt": "one" })
    const two = sandbox.repository("b/shop", { "x.txt": "two" })
    const workflow = sandbox.file("touch.yml", touchEach(5, 2))
    const ended = await Promise.all([one, two].map((path) => sandbox.prodigy(path, ["run", workflow, "-y"])))
    for (const { code, stderr } of ended) assert.strictEqual(code, 0, stderr)
    const names = repositoryNames()
    assert.strictEqual(names.length, 2)
    for (const name of names) assert.strictEqual(jobs(name).length, 1)
    const paths = names.map(
      (name) => JSON.parse(readFileSync(join(sandbox.home, "state", name, "repository.json"), "utf8")).path
    )
    assert.deepStrictEqual([...paths].sort(), [one, two])
  })

  it("knows a repository again through a symlink, from a subdirectory and from a linked worktree", async () => {
    const repository = sandbox.repository("shop", { "deep/down/x.txt": "x" })
    symlinkSync(repository, join(sandbox.folder, "other-name"))
    const linked = join(sandbox.folder, "linked")
    sandbox.git(repository, "worktree", "add", "--quiet", "-b", "side", linked)
    const workflow = sandbox.file("touch.yml", touchEach(2, 2))
    const places = [repository, join(sandbox.folder, "other-name"), join(repository, "deep/down"), linked]
    for (const place of places) {
      const { code, stderr } = await sandbox.prodigy(place, ["run", workflow, "-y"])
      assert.strictEqual(code, 0, stderr)
    }
    assert.deepStrictEqual(repositoryNames(), ["shop"])
    assert.strictEqual(jobs("shop").length, 4)
    // The run from the linked worktree went to the branch that is checked out there.
    assert.isTrue(existsSync(join(linked, "made-0.txt")))
  })

  it("makes two jobs of two runs that start in the same second", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const workflow = sandbox.file("touch.yml", touchEach(3, 3))
    const ended = await Promise.all([1, 2, 3].map(() => sandbox.prodigy(repository, ["run", workflow, "--json"])))
    for (const { code, stderr } of ended) assert.strictEqual(code, 6, stderr)
    assert.strictEqual(new Set(ended.map(({ stdout }) => JSON.parse(stdout).job_id)).size, 3)
    assert.strictEqual(jobs("shop").length, 3)
  })

  it("takes another id when a session of another storage directory has left its branch in the repository", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const workflow = sandbox.file("touch.yml", touchEach(1, 1))
    // Every second of the minutes to come: which one it will be nobody knows.
    const began = Date.now()
    const taken = Array.from({ length: 600 }, (_, seconds) => {
      const time = new Date(began + seconds * 1000).toISOString()
      const stamp = time.slice(0, 19).replaceAll(/[-:]/g, "").replace("T", "_")
      return `create refs/heads/prodigy-session-mapreduce-${stamp} HEAD\n`
    })
    execFileSync("git", ["update-ref", "--stdin"], { cwd: repository, input: taken.join("") })
    const ended = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.match(JSON.parse(ended.stdout).job_id, /^mapreduce-\d{8}_\d{6}_2$/)
  })

  it("runs 50 agents each in two repositories at once without a lock error reaching an item", async () => {
    const repositories = ["one", "two"].map((name) =>
      sandbox.repository(
        name,
        Sandbox.files(100, (index) => `file-${index}`)
      )
    )
    const workflow = sandbox.file("touch.yml", touchEach(100, 50))
    const ended = await Promise.all(
      repositories.map((path) => sandbox.prodigy(path, ["run", workflow, "-y", "--json"]))
    )
    for (const { code, stderr, stdout } of ended) {
      assert.strictEqual(code, 0, stderr)
      assert.strictEqual(JSON.parse(stdout).counts.merged, 100)
    }
  })

  it("leaves the checkout alone without -y, and prints the command that merges, which works", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const before = sandbox.git(repository, "rev-parse", "HEAD")
    const workflow = sandbox.file("touch.yml", touchEach(3, 3))
    const ended = await sandbox.prodigy(repository, ["run", workflow])
    assert.strictEqual(ended.code, 6, ended.stderr)
    assert.strictEqual(sandbox.git(repository, "rev-parse", "HEAD"), before)
    assert.isFalse(existsSync(join(repository, "made-0.txt")))
    const command = ended.stdout.split("\n").find((line) => line.includes("git -C") && line.includes(" merge "))
    assert.isDefined(command, ended.stdout)
    execFileSync("sh", ["-c", command!.trim()], { cwd: sandbox.folder })
    assert.isTrue(existsSync(join(repository, "made-2.txt")))
  })

  it("overwrites nothing of the user's: changes in the way leave the session waiting", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    sandbox.file("shop/made-1.txt", "mine")
    const workflow = sandbox.file("touch.yml", touchEach(3, 3))
    const ended = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])
    assert.strictEqual(ended.code, 6, ended.stderr)
    assert.strictEqual(sandbox.read("shop/made-1.txt"), "mine")
    const { finish } = JSON.parse(ended.stdout)
    assert.strictEqual(finish.reason, "dirty_target")
    assert.deepStrictEqual(finish.paths, ["made-1.txt"])
  })

  it("makes nothing in a dry run and shows what it would do", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const workflow = sandbox.file("touch.yml", touchEach(3, 3))
    const before = Sandbox.tree(sandbox.folder)
    const ended = await sandbox.prodigy(repository, ["run", workflow, "--dry-run"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.include(ended.stdout, "item_0")
    assert.include(ended.stdout, "made-0.txt")
    assert.deepStrictEqual(Sandbox.tree(sandbox.folder), before)
  })

  it("ends a step that ignores TERM, with its grandchildren, within the grace period", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const pids = join(sandbox.folder, "pids")
    mkdirSync(pids)
    const workflow = sandbox.file(
      "stubborn.yml",
      `name: stubborn
mode: mapreduce
env: { PIDS: ${pids} }
map:
  input: { items: [1] }
  agent_template:
    - shell: |
        trap '' TERM INT HUP
        (trap '' TERM INT HUP; touch "$PIDS/$(sh -c 'echo $PPID')"; (trap '' TERM INT; touch "$PIDS/$(sh -c 'echo $PPID')"; while :; do sleep 1; done) & while :; do sleep 1; done) &
        touch "$PIDS/$$"
        while :; do sleep 1; done
      timeout: 4s
`
    )
    const ended = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    const seen = readdirSync(pids).map(Number)
    assert.strictEqual(seen.length, 3)
    for (const pid of seen) assert.isFalse(runs(pid), `process ${pid} is still there`)
    const letter = JSON.parse((await sandbox.prodigy(repository, ["dlq", "inspect", "item_0", "--json"])).stdout)
    assert.strictEqual(letter.failure_history[0].error_type, "Timeout")
  })
})
