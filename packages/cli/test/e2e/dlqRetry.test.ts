import { execFileSync } from "node:child_process"
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { filled } from "./Alive.ts"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
beforeEach(() => void (sandbox = Sandbox.open()))
afterEach(() => sandbox.close())

/**
 * Item n fails when n is 10 to 39: while there is no file `mended`, and 30 to 34 always. Those above make nothing to merge,
 * which is quicker.
 */
const items = Array.from({ length: 200 }, (_, n) => ({ id: `n${n}`, n }))
const workflow = (side: string) => `name: letters
mode: mapreduce
env: { SIDE: ${side} }
map:
  input: items.json
  item_id: id
  max_parallel: 8
  agent_template:
    - shell: |
        echo "\${item.id}" >> "$SIDE/ran"
        n=\${item.n}
        if [ $n -ge 10 ] && [ $n -lt 40 ]; then
          [ -e "$SIDE/mended" ] || exit 3
          [ $n -lt 30 ] || [ $n -ge 35 ] || exit 4
          # The last of the first ten stand still once: half-way.
          if [ $n -ge 26 ] && [ $n -lt 30 ] && [ ! -e "$SIDE/open" ]; then touch "$SIDE/still/$n"; cat "$SIDE/gate"; fi
        fi
        [ $n -ge 40 ] || echo "\${item.id}" > "out-$n.txt"
`

const lines = (path: string) => readFileSync(path, "utf8").trim().split("\n").toSorted()
const count = (text: string) => (text === "" ? 0 : text.split("\n").length)

describe("prodigy dlq retry", () => {
  it("tries the 20 of 30 failed that a filter takes, killed half-way and repeated, each to one success", async () => {
    const repository = sandbox.repository("shop", { "items.json": JSON.stringify(items) })
    const side = join(sandbox.folder, "side")
    mkdirSync(join(side, "still"), { recursive: true })
    execFileSync("mkfifo", [join(side, "gate")])
    const file = sandbox.file("letters.yml", workflow(side))
    const ended = await sandbox.prodigy(repository, ["run", file, "-y"])
    assert.strictEqual(ended.code, 3, ended.stderr)
    assert.strictEqual(count(sandbox.git(repository, "branch", "--list", "prodigy*")), 0)
    sandbox.file("letters.yml", "name: another\n")
    writeFileSync(join(side, "ran"), "")
    writeFileSync(join(side, "mended"), "")

    const filter = "item.n >= 20 and error_type == 'CommandFailed'"
    const retry = ["dlq", "retry", "latest", "--filter", filter, "--parallel", "4", "-y"]
    const before = Sandbox.tree(sandbox.home)
    const dry = await sandbox.prodigy(repository, [...retry, "--dry-run", "--json"])
    assert.strictEqual(dry.code, 0, dry.stderr)
    const taken = JSON.parse(dry.stdout).items.map((item: { readonly item_id: string }) => item.item_id)
    assert.sameMembers(
      taken,
      items.slice(20, 40).map(({ id }) => id)
    )
    assert.deepStrictEqual(Sandbox.tree(sandbox.home), before)

    const first = sandbox.start(repository, retry)
    await filled(join(side, "still"), 4)
    const rival = await sandbox.prodigy(repository, retry)
    assert.strictEqual(rival.code, 5, rival.stderr)
    first.kill("SIGKILL")
    const killed = await first.ended
    assert.include(killed.stderr, "Trying 20 dead letters again; passed over: 10 not taken by the filter.")
    assert.include(killed.stderr, "letters.yml has changed since")
    writeFileSync(join(side, "open"), "")

    const second = await sandbox.prodigy(repository, [...retry, "--json"])
    assert.strictEqual(second.code, 3, second.stderr)
    assert.include(second.stderr, "Going on with 14 of the retry that was interrupted")
    const report = JSON.parse(second.stdout)
    assert.deepInclude(report.counts, { merged: 185, dead_lettered: 15, pending: 0 })
    assert.strictEqual(report.finish.outcome, "merged")

    // The 20 ran and nothing else did; those that stood still at the kill ran once more.
    const ran = lines(join(side, "ran"))
    assert.sameMembers(
      [...new Set(ran)],
      items.slice(20, 40).map(({ id }) => id)
    )
    assert.strictEqual(ran.length, 24)
    const merges = sandbox.git(
      repository,
      "log",
      "--merges",
      "--format=%(trailers:key=Prodigy-Item,valueonly,separator=)"
    )
    const merged = merges.split("\n").filter((line) => line !== "")
    assert.strictEqual(merged.length, 25)
    assert.strictEqual(new Set(merged).size, 25)
    assert.strictEqual(readdirSync(repository).filter((name) => name.startsWith("out-")).length, 25)
    assert.strictEqual(sandbox.git(repository, "branch", "--list", "prodigy*"), "")

    const listed = await sandbox.prodigy(repository, ["dlq", "list", "--all", "--json"])
    const letters: ReadonlyArray<{
      readonly item_id: string
      readonly status: string
      readonly failure_count: number
      readonly failure_history: ReadonlyArray<unknown>
    }> = JSON.parse(listed.stdout).dead_letters
    const known = letters.map((letter) => [
      letter.item_id,
      letter.status,
      letter.failure_count,
      letter.failure_history.length
    ])
    assert.sameDeepMembers(
      known,
      items.slice(10, 40).map(({ id, n }) => {
        const failures = n >= 30 && n < 35 ? 2 : 1
        return [id, n < 20 || failures === 2 ? "failed" : "resolved", failures, failures]
      })
    )
    const session = JSON.parse((await sandbox.prodigy(repository, ["sessions", "show", "latest", "--json"])).stdout)
    assert.deepInclude(session, { status: "Completed", worktree: null })
    assert.deepInclude(session.progress, { completed: 185, failed: 15 })
  })

  it("says that there is nothing to try again, and where a filter cannot be read", async () => {
    const repository = sandbox.repository("shop", {})
    const file = sandbox.file(
      "fine.yml",
      "name: fine\nmap:\n  input: { items: [1] }\n  agent_template: [shell: 'true']\n"
    )
    assert.strictEqual((await sandbox.prodigy(repository, ["run", file, "-y"])).code, 0)
    const nothing = await sandbox.prodigy(repository, ["dlq", "retry", "latest"])
    assert.strictEqual(nothing.code, 0)
    assert.match(nothing.stderr, /has no dead letters to try again/)
    const wrong = await sandbox.prodigy(repository, ["dlq", "retry", "latest", "--filter", "item.n >="])
    assert.strictEqual(wrong.code, 2)
    assert.include(wrong.stderr, "  item.n >=\n")
    assert.match(wrong.stderr, /^ +\^$/m)
    const two = await sandbox.prodigy(repository, ["dlq", "retry", "latest", "--parallel", "2", "--max-parallel", "3"])
    assert.strictEqual(two.code, 2)
    const time = await sandbox.prodigy(repository, ["dlq", "retry", "latest", "--timeout", "soon"])
    assert.strictEqual(time.code, 2)
    assert.include(time.stderr, '--timeout "soon" is not a duration')
  })
})
