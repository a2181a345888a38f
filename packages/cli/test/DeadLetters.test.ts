import { execFileSync } from "node:child_process"
import { chmodSync, existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as InProcess from "./InProcess.ts"

let place: InProcess.Place
beforeEach(() => void (place = InProcess.open()))
afterEach(() => place.close())

/** A job of four items, of which two fail for one reason and one for another. */
const failed = async () => {
  const workflow = place.file(
    "w.yml",
    `name: fails
map:
  input: { items: [a, b, c, d] }
  agent_template:
    - shell: |
        echo x > "\${item}.txt"
        case "\${item}" in
          a|b) echo "=cannot open src/\${item}.ts:12" >&2; exit 1;;
          c) exit 2;;
        esac
`
  )
  const run = await place.prodigy(["run", workflow, "-y", "--json"])
  assert.strictEqual(run.code, 3, run.notes)
  const { job_id: job, session_id: session } = JSON.parse(run.data)
  return { job, session, items: join(place.home, "dlq/shop", job, "items") }
}

const dlq = (...args: ReadonlyArray<string>) => place.prodigy(["dlq", ...args])
const json = async (...args: ReadonlyArray<string>) => {
  const ended = await dlq(...args, "--json")
  return { ...ended, value: JSON.parse(ended.data) }
}

describe("prodigy dlq", () => {
  it("says that there are no dead letters where there are none, and fails for jobs that are not there", async () => {
    for (const command of [["list"], ["analyze"], ["stats"]]) {
      const ended = await dlq(...command)
      assert.deepStrictEqual([ended.code, ended.data], [0, ""], ended.notes)
      assert.include(ended.notes, "This repository has no dead letters.")
      assert.strictEqual((await dlq(...command, "--json")).code, 0)
    }
    assert.include((await dlq("purge", "--older-than-days", "30", "--yes")).notes, "There is nothing to remove.")
    for (const command of [
      ["list", "--job-id", "nope"],
      ["analyze", "--job-id", "nope"],
      ["stats", "--workflow-id", "nope"],
      ["export", join(place.folder, "x.json"), "--job-id", "nope"],
      ["purge", "--older-than-days", "1", "--job-id", "nope", "--yes"],
      ["clear", "nope", "--yes"],
      ["inspect", "item_0"],
      ["purge"],
      ...["-1", "1.5", "", "x", "20001", "1e3"].map((days) => ["purge", `--older-than-days=${days}`, "--yes"])
    ]) {
      const ended = await dlq(...command)
      assert.strictEqual(ended.code, 2, `${command.join(" ")}: ${ended.notes}`)
      assert.match(ended.notes, /^error: .+/, command.join(" "))
    }
    assert.isFalse(existsSync(join(place.folder, "x.json")))
    assert.isFalse(existsSync(place.home))
  }, 60_000)

  it("lists, inspects, analyses, counts and exports what failed", async () => {
    const { job, session } = await failed()
    const listed = await dlq("list")
    assert.include(listed.notes, `Job ${job}`)
    assert.match(listed.data, /item_0 +failed +1 +exit 1/)
    assert.strictEqual((await json("list", "--limit", "1")).value.dead_letters.length, 1)
    assert.strictEqual((await json("list", "--eligible", "--job-id", session)).value.total, 3)
    assert.include((await dlq("inspect", "item_2")).data, "exit 2")

    const { value } = await json("analyze")
    assert.deepStrictEqual(
      value.patterns.map((pattern: { count: number; samples: ReadonlyArray<string> }) => [
        pattern.count,
        pattern.samples.toSorted()
      ]),
      [
        [2, ["item_0", "item_1"]],
        [1, ["item_2"]]
      ]
    )
    assert.include(value.next, `prodigy dlq retry ${job}`)
    const analysis = join(place.folder, "analysis.json")
    const shown = await dlq("analyze", "--job-id", job, "--export", analysis)
    assert.match(shown.data, /2 {2}CommandFailed:1 at shell: .*67%/)
    assert.deepStrictEqual(JSON.parse(readFileSync(analysis, "utf8")), value)

    assert.match((await dlq("stats", "--workflow-id", job)).data, new RegExp(`${job} +3 +3 +0 +0 +3 +0 `))

    const csv = join(place.folder, "failed.csv")
    assert.include((await dlq("export", csv)).notes, `Wrote 3 dead letters of job ${job}`)
    const rows = readFileSync(csv, "utf8").split("\r\n")
    assert.match(rows[0] ?? "", /^job_id,item_id,item_index,status,/)
    assert.deepStrictEqual(
      rows.slice(1, -1).map((row) => [row.split(",", 3).join(), row.slice(-7)]),
      [0, 1, 2].map((index) => [`${job},item_${index},${index}`, `"""${"abc"[index]}"""`])
    )
    const before = readFileSync(csv, "utf8")
    const refused = await dlq("export", csv, "--format", "json")
    assert.deepStrictEqual([refused.code, readFileSync(csv, "utf8")], [1, before])
    assert.include(refused.notes, "--force")
    const forced = await json("export", csv, "--format", "json", "--force")
    assert.deepInclude(forced.value, { letters: 3, format: "json", file: csv })
    const { value: all } = await json("list", "--all")
    assert.deepStrictEqual(JSON.parse(readFileSync(csv, "utf8")), all)
  }, 60_000)

  it("removes letters on a word only, and never the work of their items", async () => {
    const { job, items } = await failed()
    const refs = () => execFileSync("git", ["for-each-ref", "refs/prodigy"], { cwd: place.project, encoding: "utf8" })
    const kept = refs()
    assert.include(kept, "item_0")
    assert.include((await dlq("clear", job, "--yes")).notes, "There is nothing to remove.")
    assert.include((await dlq("purge", "--older-than-days", "1", "--yes")).notes, "There is nothing to remove.")
    for (const command of [
      ["clear", job, "--all"],
      ["purge", "--older-than-days", "0"]
    ]) {
      const refused = await dlq(...command)
      assert.strictEqual(refused.code, 2, refused.notes)
      assert.include(refused.notes, "--yes")
      const planned = await json(...command, "--dry-run")
      assert.deepStrictEqual([planned.value.dry_run, planned.value.removed.length], [true, 3])
      assert.strictEqual(readdirSync(items).length, 3)
    }
    const done = await dlq("clear", job, "--all", "--yes")
    assert.match(done.data, /removed .*item_0 \(failed, 1 attempt\); its work stays on refs\/prodigy\/rescue\//)
    assert.deepStrictEqual(readdirSync(items), [])
    assert.strictEqual(refs(), kept)
    assert.include((await dlq("list")).notes, "This repository has no dead letters.")
  }, 60_000)

  it("names a damaged letter, gives the others, and exits with 1", async () => {
    const { items, job } = await failed()
    const path = join(items, "item_1.json")
    writeFileSync(path, readFileSync(path, "utf8").replace('"failed"', '"faiIed"'))
    const listed = await dlq("list")
    assert.strictEqual(listed.code, 1)
    assert.include(listed.notes, `${path} is damaged`)
    assert.include(listed.data, "item_2")
    const inspected = await dlq("inspect", "item_1")
    assert.deepStrictEqual([inspected.code, inspected.data], [1, ""])
    const file = join(place.folder, "rest.json")
    const exported = await json("export", file)
    assert.deepStrictEqual([exported.code, exported.value.letters, exported.value.damaged], [1, 2, [path]])
    const written = JSON.parse(readFileSync(file, "utf8"))
    assert.deepStrictEqual([written.dead_letters.length, written.damaged], [2, [path]])
    // Without the index, which still tells of it, nothing else is known of it.
    writeFileSync(join(items, "../index.jsonl"), "")
    const counted = await json("stats")
    assert.deepStrictEqual([counted.code, counted.value.total.total, counted.value.damaged], [1, 2, [path]])
    assert.strictEqual((await dlq("clear", job, "--all", "--yes")).code, 1)
    assert.deepStrictEqual(readdirSync(items), ["item_1.json"])
  }, 60_000)

  it.skipIf(process.getuid?.() === 0)(
    "looks at a home that it cannot write, and removes nothing there",
    async () => {
      const { items, job } = await failed()
      const directories = [items, join(items, ".."), join(place.home, "resume_locks")]
      for (const directory of directories) chmodSync(directory, 0o500)
      assert.strictEqual((await json("stats")).value.total.total, 3)
      const refused = await dlq("clear", job, "--all", "--yes")
      for (const directory of directories) chmodSync(directory, 0o700)
      assert.strictEqual(refused.code, 1, refused.notes)
      assert.strictEqual(readdirSync(items).length, 3)
    },
    60_000
  )
})
