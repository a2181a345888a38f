import { seal } from "@prodigy/core/storage/StoredJson"
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

/** Fails in setup until a file is there; then it takes a moment. */
const failing = (name = "fails", fixed = "fixed") =>
  sandbox.file(
    `${name}.yml`,
    `name: ${name}
env: { FIXED: ${join(sandbox.folder, fixed)} }
setup:
  - shell: test -e "$FIXED"
map:
  input: { items: [1, 2] }
  agent_template:
    - shell: echo x > "made-\${item}"
`
  )

const sessions = () => readdirSync(join(sandbox.home, "sessions")).filter((name) => name.endsWith(".json"))
const sessionPath = (id: string) => join(sandbox.home, `sessions/${id}.json`)
const session = (id: string) => JSON.parse(readFileSync(sessionPath(id), "utf8"))
const change = (id: string, fields: object) =>
  writeFileSync(sessionPath(id), seal(JSON.stringify({ ...session(id), ...fields, crc32: undefined })))
const idOf = (path: string) => basename(path, ".json")
const nobody = { pid: 999_999_999, host: "gone", started_at: "x" }

describe("prodigy resume without an id", () => {
  it("says that there is nothing, takes the only one, and lists several with their commands", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const none = await sandbox.prodigy(repository, ["resume"])
    assert.strictEqual(none.code, 0, none.stderr)
    assert.include(none.stderr, "can be resumed")
    assert.isFalse(existsSync(sandbox.home))

    const path = failing()
    assert.strictEqual((await sandbox.prodigy(repository, ["run", path, "-y"])).code, 1)
    const other = sandbox.repository("other", { "x.txt": "x" })
    assert.strictEqual((await sandbox.prodigy(other, ["run", failing("other"), "-y"])).code, 1)
    const stillFails = await sandbox.prodigy(repository, ["resume", "-y"])
    assert.strictEqual(stillFails.code, 1, stillFails.stderr)

    assert.strictEqual((await sandbox.prodigy(repository, ["run", path, "-y"])).code, 1)
    const several = await sandbox.prodigy(repository, ["resume", "-y"])
    assert.strictEqual(several.code, 2)
    assert.strictEqual(several.stdout, "")
    const commands = several.stderr.split("\n").filter((line) => line.startsWith("prodigy resume"))
    assert.strictEqual(commands.length, 2, several.stderr)
    for (const line of commands) assert.match(line, / failed +setup .* fails$/)

    writeFileSync(join(sandbox.folder, "fixed"), "")
    const [, id = ""] = /prodigy resume (\S+)/.exec(commands[0] ?? "") ?? []
    const named = await sandbox.prodigy(repository, ["resume", id, "-y"])
    assert.strictEqual(named.code, 0, named.stderr)
    const only = await sandbox.prodigy(repository, ["resume", "-y", "--json"])
    assert.strictEqual(only.code, 0, only.stderr)
    assert.notStrictEqual(JSON.parse(only.stdout).session_id, id)
    const done = await sandbox.prodigy(repository, ["resume"])
    assert.strictEqual(done.code, 0)
    assert.strictEqual(done.stdout, "")
    assert.strictEqual(session(id).status, "Completed")
  })

  it("does not take the only one while the file of another session cannot be read", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const path = failing()
    for (const _ of [1, 2]) assert.strictEqual((await sandbox.prodigy(repository, ["run", path, "-y"])).code, 1)
    const damaged = join(sandbox.home, "sessions", sessions()[0]!)
    writeFileSync(damaged, "{")
    const refused = await sandbox.prodigy(repository, ["resume", "-y"])
    assert.strictEqual(refused.code, 1, refused.stderr)
    assert.include(refused.stderr, damaged)
    assert.include(refused.stderr, `prodigy resume ${idOf(damaged)}`)
    // Gone, it is one of two; by its id it goes on, whatever the other one's is.
    rmSync(damaged)
    const [other = ""] = sessions().map(idOf)
    const both = await sandbox.prodigy(repository, ["resume", "-y"])
    assert.strictEqual(both.code, 2, both.stderr)
    assert.match(both.stderr, new RegExp(`prodigy resume ${idOf(damaged)} +file lost`))
    assert.match(both.stderr, new RegExp(`prodigy resume ${other} +failed`))
    writeFileSync(join(sandbox.folder, "fixed"), "")
    const again = await sandbox.prodigy(repository, ["resume", idOf(damaged).replace("session-", ""), "-y"])
    assert.strictEqual(again.code, 0, again.stderr)
    assert.strictEqual(session(idOf(damaged)).status, "Completed")
    assert.strictEqual(session(other).status, "Failed")
    assert.strictEqual((await sandbox.prodigy(repository, ["resume", "-y"])).code, 0)
    assert.strictEqual(session(other).status, "Completed")
  })
})

describe("prodigy resume", () => {
  it("refuses what is no id, what fits nothing and what fits several, and touches nothing", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const path = failing()
    for (const _ of [1, 2]) await sandbox.prodigy(repository, ["run", path, "-y"])
    const before = Sandbox.tree(sandbox.home)
    const cases = [
      ["../../etc/passwd", /is not an id/],
      ["..", /is not an id/],
      ["a/b", /is not an id/],
      ["a\nb", /is not an id/],
      ["", /is not an id/],
      ["session-mapreduce-", /is the beginning of 2 ids/],
      ["mapreduce-1999", /There is no/],
      ["x".repeat(300), /is not an id/]
    ] as const
    for (const [index, [id, message]] of cases.entries()) {
      const others =
        index === 0
          ? [
              ["resume-job", id],
              ["run", "--resume", id]
            ]
          : []
      for (const args of [["resume", id], ...others]) {
        const ended = await sandbox.prodigy(repository, args)
        assert.strictEqual(ended.code, 2, `${args.join(" ")}: ${ended.stderr}`)
        assert.match(ended.stderr, message)
        assert.strictEqual(ended.stdout, "")
        assert.notMatch(ended.stderr, /\bat .*\.(ts|js):\d+/)
      }
    }
    assert.deepStrictEqual(Sandbox.tree(sandbox.home), before)
  })

  it("goes on by the command that a failed run prints, as it is printed", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const failed = await sandbox.prodigy(repository, ["run", failing(), "-y"])
    assert.strictEqual(failed.code, 1)
    const line = /^ +(prodigy resume .*)$/m.exec(failed.stdout)?.[1] ?? ""
    assert.notStrictEqual(line, "", failed.stdout)
    writeFileSync(join(sandbox.folder, "fixed"), "")
    // From anywhere, through a shell.
    const shim = sandbox.file("bin/prodigy", `#!/bin/sh\nexec "${process.execPath}" "${Sandbox.prodigyPath}" "$@"\n`)
    execFileSync("chmod", ["+x", shim])
    const env = {
      ...process.env,
      PATH: `${join(sandbox.folder, "bin")}:${process.env["PATH"]}`,
      PRODIGY_HOME: sandbox.home
    }
    try {
      execFileSync("sh", ["-c", line], { cwd: sandbox.folder, env, stdio: ["ignore", "pipe", "pipe"] })
      assert.fail("nobody could be asked to merge: exit 6")
    } catch (error) {
      assert.strictEqual((error as { readonly status: number }).status, 6, String(error))
    }
    const [name = ""] = sessions()
    assert.strictEqual(session(name.replace(".json", "")).status, "Completed")
  })

  it("brings the session of a completed job to its end when its owner did not", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    writeFileSync(join(sandbox.folder, "fixed"), "")
    const ran = await sandbox.prodigy(repository, ["run", failing(), "-y", "--json"])
    const { branch, session_id: id, worktree } = JSON.parse(ran.stdout)
    const left = { path: worktree, branch, target_branch: "main" }
    for (const fields of [
      { status: "Running", completed_at: null, owner: nobody, worktree: left },
      { owner: nobody, worktree: left }
    ]) {
      // As a crash right behind the last record, or before the worktree was removed, leaves it.
      sandbox.git(repository, "worktree", "add", "--quiet", worktree, "-b", branch, "main")
      change(id, fields)
      const ended = await sandbox.prodigy(repository, ["resume", id, "-y", "--json"])
      assert.strictEqual(ended.code, 0, ended.stderr)
      assert.strictEqual(JSON.parse(ended.stdout).status, "completed")
      assert.deepInclude(session(id), { status: "Completed", worktree: null })
      assert.notInclude(sandbox.git(repository, "worktree", "list"), id)
      assert.strictEqual(sandbox.git(repository, "branch", "--list", branch), "")
      const again = await sandbox.prodigy(repository, ["resume", id])
      assert.strictEqual(again.code, 0)
      assert.include(again.stderr, "is completed")
    }
  })
})

describe("prodigy run --resume", () => {
  it("goes on as resume does, with the workflow's file or without, and refuses another", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const path = failing()
    assert.strictEqual((await sandbox.prodigy(repository, ["run", path, "-y"])).code, 1)
    const id = sessions()[0]!.replace(".json", "")
    const other = failing("other")
    const refused = await sandbox.prodigy(repository, ["run", other, "--resume", id, "-y"])
    assert.strictEqual(refused.code, 2, refused.stderr)
    assert.include(refused.stderr, "is not the workflow of")
    for (const flag of [["--dry-run"], ["--base", "main"], ["--max-parallel", "2"], ["--param", "a=b"]]) {
      const ended = await sandbox.prodigy(repository, ["run", "--resume", id, ...flag])
      assert.strictEqual(ended.code, 2, ended.stderr)
      assert.include(ended.stderr, `${flag[0]} does not go with --resume`)
    }
    const missing = await sandbox.prodigy(repository, ["run", "-y"])
    assert.strictEqual(missing.code, 2)
    assert.include(missing.stderr, "FILE is missing")
    assert.strictEqual((await sandbox.prodigy(repository, ["run", "--resume", id, "-y"])).code, 1)
    writeFileSync(join(sandbox.folder, "fixed"), "")
    writeFileSync(path, `${readFileSync(path, "utf8")}# changed\n`)
    const ended = await sandbox.prodigy(repository, ["run", path, "--resume", "latest", "-y"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.match(ended.stderr, /warning: .*fails\.yml has changed since/)
  })
})

describe("prodigy resume --use-current", () => {
  it("takes the file as it is now for what is to come, refuses what changes what is done, and stays with it", async () => {
    const repository = sandbox.repository("shop", { "x.txt": "x" })
    const workflow = (fields: { readonly items: string; readonly script: string; readonly reduce: string }) => `name: w
setup:
  - shell: "true"
map:
  input: { items: ${fields.items} }
  max_parallel: 1
  on_item_failure: stop
  agent_template:
    - shell: ${fields.script}
reduce:
  - shell: ${fields.reduce}
`
    const first = { items: "[1, 2, 3]", script: 'test "${item}" = 1 && echo old > "made-${item}"', reduce: '"true"' }
    const path = sandbox.file("w.yml", workflow(first))
    const stopped = await sandbox.prodigy(sandbox.folder, ["run", "w.yml", "-y", "-p", repository])
    assert.strictEqual(stopped.code, 4, stopped.stderr)
    const id = sessions()[0]!.replace(".json", "")
    const jobs = join(sandbox.home, "state/shop/mapreduce/jobs", id.replace("session-", ""))

    writeFileSync(path, workflow({ ...first, items: "[1, 2, 3, 4]" }))
    const refused = await sandbox.prodigy(repository, ["resume", id, "-y", "--use-current"])
    assert.strictEqual(refused.code, 2, refused.stderr)
    assert.match(refused.stderr, /changes which items there are of job .*: 3 are selected/)
    writeFileSync(path, "name: [")
    const broken = await sandbox.prodigy(repository, ["resume", id, "-y", "--use-current"])
    assert.strictEqual(broken.code, 2, broken.stderr)
    assert.include(broken.stderr, "w.yml:1:")
    assert.isFalse(existsSync(join(jobs, "workflow-1.json")))
    assert.strictEqual(session(id).status, "Failed")

    // Item 2 failed and stays a dead letter; item 3 is done as the file says now, and reduce fails as it says now.
    const second = { ...first, script: 'echo new > "made-${item}"' }
    writeFileSync(path, workflow({ ...second, reduce: "exit 5" }))
    const failed = await sandbox.prodigy(repository, ["resume", id, "-y", "--use-current"])
    assert.strictEqual(failed.code, 1, failed.stderr)
    assert.include(failed.stdout, "as it is now (revision 1)")
    assert.isTrue(existsSync(join(jobs, "workflow-1.json")))
    // Without the flag it is the newest that was taken, not the first and not the file.
    writeFileSync(path, workflow({ ...second, reduce: "echo reduced > reduced" }))
    const stays = await sandbox.prodigy(repository, ["resume", id, "-y"])
    assert.strictEqual(stays.code, 1, stays.stdout)
    assert.match(stays.stderr, /w\.yml has changed since/)
    rmSync(path)
    const gone = await sandbox.prodigy(repository, ["resume", id, "-y", "--use-current"])
    assert.strictEqual(gone.code, 2)
    assert.include(gone.stderr, path)
    writeFileSync(path, workflow({ ...second, reduce: "echo reduced > reduced" }))
    const ended = await sandbox.prodigy(repository, ["resume", id, "-y", "--use-current"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    assert.deepStrictEqual(
      ["made-1", "made-3", "reduced"].map((name) => sandbox.read(`shop/${name}`)),
      ["old\n", "new\n", "reduced\n"]
    )
  })
})
