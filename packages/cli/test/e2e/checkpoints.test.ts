import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

/** A job of three items that failed in its second reduce step, until the file `fixed` is there. */
const failed = async () => {
  const repository = sandbox.repository("shop", { "x.txt": "x" })
  const workflow = sandbox.file(
    "w.yml",
    `name: fails
env: { FIXED: ${join(sandbox.folder, "fixed")} }
setup:
  - shell: echo v2
    capture: version
map:
  input: { items: [a, b, c] }
  agent_template:
    - shell: echo \${item} > "\${item}.txt"
reduce:
  - shell: ls *.txt | wc -l | tr -d ' ' > count
  - shell: test -e "$FIXED"
checkpoint: { interval_items: 1 }
`
  )
  const run = await sandbox.prodigy(repository, ["run", workflow, "-y", "--json"])
  assert.strictEqual(run.code, 1, run.stderr)
  const { job_id: job, session_id: session } = JSON.parse(run.stdout)
  const directory = join(sandbox.home, "state/shop/mapreduce/jobs", job)
  const command = (...args: ReadonlyArray<string>) => sandbox.prodigy(repository, ["checkpoints", ...args])
  const json = async (...args: ReadonlyArray<string>) => {
    const ended = await command(...args, "--json")
    return { ...ended, value: JSON.parse(ended.stdout) }
  }
  return { repository, job, session, directory, command, json }
}

const flip = (path: string) => {
  const bytes = readFileSync(path)
  bytes[bytes.length >> 1]! ^= 4
  writeFileSync(path, bytes)
}

describe("prodigy checkpoints", () => {
  it("lists, shows, proves, repairs and removes; a resume goes on from what is left", async () => {
    const { command, directory, job, json, repository, session } = await failed()
    const { value: listed } = await json("list")
    assert.isAbove(listed.total, 3)
    assert.isTrue(listed.checkpoints.every((entry: { valid: boolean }) => entry.valid))
    const [newest, before] = listed.checkpoints
    const table = await command("ls", session)
    assert.include(table.stdout, `${job}/setup-checkpoint.json`)
    assert.strictEqual(table.stdout.trim().split("\n").length, listed.total + 1)

    const shown = await command("show", newest.id)
    assert.match(shown.stdout, /3\/3 merged/)
    assert.match(shown.stdout, /variables +version/)
    const { value: content } = await json("show", "latest")
    assert.deepInclude(content, { phase: "reduce", status: "failed", reduce_steps_done: 1 })
    assert.strictEqual((await command("show", "nothing-such")).code, 2)

    const good = await command("validate")
    assert.strictEqual(good.code, 0, good.stdout + good.stderr)
    assert.match(good.stdout, /journal\.jsonl +ok, \d+ records in order/)

    flip(newest.path)
    const found = await command("validate", job)
    assert.strictEqual(found.code, 1)
    assert.include(found.stdout, newest.path)
    assert.include(found.stderr, `prodigy checkpoints validate ${job} --repair`)
    assert.isTrue(existsSync(newest.path))
    const repaired = await command("validate", job, "--repair")
    assert.strictEqual(repaired.code, 0, repaired.stdout + repaired.stderr)
    assert.include(repaired.stdout, `A resume starts from ${before.file}`)
    assert.isTrue(existsSync(`${newest.path}.damaged`))
    assert.isFalse(existsSync(newest.path))
    const overview = await command("mapreduce")
    assert.match(overview.stdout, new RegExp(`${job} +failed +reduce +3/3 .*${before.file}`))

    const refused = await command("delete", "setup-checkpoint")
    assert.strictEqual(refused.code, 2)
    assert.include(refused.stderr, "--yes")
    assert.isTrue(existsSync(join(directory, "setup-checkpoint.json")))
    const planned = await json("delete", "setup-checkpoint", "--dry-run")
    assert.deepStrictEqual([planned.value.dry_run, planned.value.removed.length], [true, 1])
    assert.isTrue(existsSync(join(directory, "setup-checkpoint.json")))
    assert.strictEqual((await command("delete", "setup-checkpoint", "--yes")).code, 0)
    assert.isFalse(existsSync(join(directory, "setup-checkpoint.json")))

    assert.include((await command("clean", "--yes")).stderr, "There is nothing to remove.")
    const kept = await json("clean", "--older-than", "0s", "--yes")
    assert.strictEqual(kept.code, 0, kept.stderr)
    assert.deepStrictEqual(
      kept.value.kept.map(({ checkpoint }: { checkpoint: { id: string } }) => checkpoint.id),
      [before.id]
    )
    assert.strictEqual((await json("list")).value.total, 1)
    const forced = await command("clean", "--older-than", "0s", "--yes", "--force")
    assert.include(forced.stdout, `removed ${job}/${before.file}`)
    assert.strictEqual((await json("list")).value.total, 0)

    writeFileSync(join(sandbox.folder, "fixed"), "")
    const resumed = await sandbox.prodigy(repository, ["resume", job, "-y"])
    assert.strictEqual(resumed.code, 0, resumed.stderr)
    assert.strictEqual(sandbox.git(repository, "show", "main:count"), "4")
  })

  it("resumes from an older checkpoint to the same end, and says which there are", async () => {
    const { job, json, repository } = await failed()
    writeFileSync(join(sandbox.folder, "fixed"), "")
    const { value } = await json("list", job)
    const oldest = value.checkpoints.at(-1)
    assert.strictEqual(oldest.kind, "setup")
    const unknown = await sandbox.prodigy(repository, ["resume", job, "-y", "--from-checkpoint", "nothing"])
    assert.strictEqual(unknown.code, 2)
    assert.include(unknown.stderr, `${oldest.id} (setup, `)
    flip(value.checkpoints[0].path)
    const damaged = ["resume", job, "-y", "--from-checkpoint", value.checkpoints[0].file]
    const refused = await sandbox.prodigy(repository, damaged)
    assert.strictEqual(refused.code, 1)
    assert.include(refused.stderr, value.checkpoints[0].path)
    const resumed = await sandbox.prodigy(repository, ["resume", job, "-y", "--from-checkpoint", oldest.id, "--json"])
    assert.strictEqual(resumed.code, 0, resumed.stderr)
    const merges = sandbox.git(repository, "log", "--merges", "--format=%s", "main").split("\n")
    assert.strictEqual(merges.filter((subject) => subject.startsWith("Merge mapreduce-")).length, 3)
    const events = await sandbox.prodigy(repository, ["events", "list", "--event-type", "checkpoint_loaded", "--json"])
    assert.strictEqual(JSON.parse(events.stdout).event.checkpoint_id, oldest.id)
  })
})
