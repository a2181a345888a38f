import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs"
import { join } from "node:path"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import { filled } from "./Alive.ts"
import * as Sandbox from "./Sandbox.ts"

let sandbox: Sandbox.Sandbox
let repository: string
let log: string
let hold: string
let held: string
beforeEach(() => {
  sandbox = Sandbox.open()
  repository = sandbox.repository("shop", { "a.txt": "a\n", "b.txt": "b\n", "c.md": "c\n" })
  log = sandbox.file("log", "")
  hold = join(sandbox.folder, "hold")
  held = join(sandbox.folder, "held")
  for (const path of [hold, held]) mkdirSync(path)
})
afterEach(() => sandbox.close())

const stepCount = 12

/** Each step writes that it started, waits where it is held, and gives a variable; the last writes all of them down. */
const twelve = () => {
  const step = (number: number) => `  - shell: |
      echo ${number} >> "$LOG"
      if [ -e "$HOLD/${number}" ]; then touch "$HELD/${number}"; while :; do sleep 1; done; fi
      echo "value ${number}"
    capture: v${number}
`
  const numbers = Array.from({ length: stepCount - 1 }, (_, index) => index + 1)
  return sandbox.file(
    "twelve.yml",
    `name: twelve
env: { LOG: ${log}, HOLD: ${hold}, HELD: ${held} }
commands:
${numbers.map(step).join("")}  - shell: |
      echo ${stepCount} >> "$LOG"
      echo ${numbers.map((number) => `"\${v${number}}"`).join(" ")} > all.txt
`
  )
}

const workflow = (text: string) => sandbox.file("w.yml", `name: w\nenv: { LOG: ${log} }\ncommands:\n${text}`)
const started = () => readFileSync(log, "utf8").split("\n").filter(Boolean)
const checkpoints = () => join(sandbox.home, "state/shop/checkpoints")
const checkpoint = () => {
  const names = existsSync(checkpoints()) ? readdirSync(checkpoints()) : []
  const name = names.find((found) => found.endsWith(".checkpoint.json"))
  return name === undefined ? null : JSON.parse(readFileSync(join(checkpoints(), name), "utf8"))
}
const stepsDone = (): number => checkpoint()?.state.next_step ?? 0

/** Resolves when so many steps are recorded done. */
const recorded = (count: number) =>
  new Promise<void>((resolve) => {
    const watcher = watch(checkpoints(), () => check())
    const check = () => {
      if (stepsDone() < count) return
      watcher.close()
      resolve()
    }
    check()
  })

describe("a standard workflow", () => {
  it("runs no recorded step again after kills inside steps and between them, and has all variables back", async () => {
    const file = twelve()
    let heldSoFar = 0
    const killed = async (args: ReadonlyArray<string>, at: number, inside: boolean) => {
      // What is held lies beyond the step that is waited for: the kill comes anywhere before it.
      const place = join(hold, String(inside ? at : at + 2))
      writeFileSync(place, "")
      const running = sandbox.start(repository, args)
      if (inside) await filled(held, ++heldSoFar)
      else await recorded(at)
      running.kill("SIGKILL")
      assert.strictEqual((await running.ended).code, 137)
      rmSync(place)
      rmSync(held, { recursive: true })
      mkdirSync(held)
      heldSoFar = 0
      return { done: stepsDone(), before: started().length }
    }
    const check = ({ before, done }: { readonly done: number; readonly before: number }, until: number) => {
      const again = started().slice(before).map(Number)
      assert.deepStrictEqual(
        again,
        Array.from({ length: again.length }, (_, index) => done + 1 + index),
        `after ${done} steps recorded`
      )
      assert.isAtLeast(until, done)
    }
    let last = await killed(["run", file, "-y"], 3, true)
    assert.strictEqual(last.done, 2)
    for (const [at, inside] of [
      [5, false],
      [7, true],
      [9, false],
      [11, true]
    ] as const) {
      const next = await killed(["resume", "-y"], at, inside)
      check(last, next.done)
      if (inside) assert.strictEqual(next.done, at - 1)
      last = next
    }
    const ended = await sandbox.prodigy(repository, ["resume", "latest", "-y"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    check(last, stepCount)
    assert.strictEqual(started().at(-1), String(stepCount))
    const values = Array.from({ length: stepCount - 1 }, (_, index) => `value ${index + 1}`).join(" ")
    assert.strictEqual(sandbox.git(repository, "show", "main:all.txt"), values)
    const again = await sandbox.prodigy(repository, ["resume", "latest", "-y"])
    assert.strictEqual(again.code, 0)
    assert.include(again.stderr, "there is nothing to resume")
  })

  it("that failed goes on at the failed step once its cause is gone, also by run --resume", async () => {
    const file = workflow(
      `  - shell: echo one >> "$LOG" && echo 1 > one.txt\n  - shell: echo two >> "$LOG" && test -e ${sandbox.folder}/fixed\n  - shell: echo three >> "$LOG"\n`
    )
    const failed = await sandbox.prodigy(repository, ["run", file, "-y"])
    assert.strictEqual(failed.code, 1, failed.stderr)
    sandbox.file("fixed", "")
    const ended = await sandbox.prodigy(repository, ["run", "--resume", "latest", "-y"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepStrictEqual(started(), ["one", "two", "two", "three"])
    assert.strictEqual(sandbox.git(repository, "show", "main:one.txt"), "1")
  })

  it("lets one process drive a session: a second resume ends with 5, also by force", async () => {
    writeFileSync(join(hold, "2"), "")
    const running = sandbox.start(repository, ["run", twelve(), "-y"])
    await filled(held, 1)
    for (const more of [[], ["--force"]]) {
      const second = await sandbox.prodigy(repository, ["resume", "latest", "-y", ...more])
      assert.strictEqual(second.code, 5, second.stderr)
    }
    running.kill("SIGINT")
    assert.strictEqual((await running.ended).code, 130)
    rmSync(join(hold, "2"))
    const refused = await sandbox.prodigy(repository, ["resume", "latest", "-y", "--retry-failed"])
    assert.strictEqual(refused.code, 2, refused.stderr)
    assert.include(refused.stderr, "which has no items")
    const ended = await sandbox.prodigy(repository, ["resume", "latest", "-y"])
    assert.strictEqual(ended.code, 0, ended.stderr)
    assert.deepStrictEqual(started().slice(0, 4), ["1", "2", "2", "3"])
  })

  it("is repeated until it changes nothing, and leaves the merge to the user without -y", async () => {
    const file = workflow(
      `  - shell: echo "$ITERATION" >> "$LOG"; [ "$ITERATION" -gt 2 ] || echo "$ITERATION" >> grown.txt\n`
    )
    const ended = await sandbox.prodigy(repository, ["run", file, "-n", "9"])
    assert.strictEqual(ended.code, 6, ended.stderr)
    assert.deepStrictEqual(started(), ["1", "2", "3"])
    assert.strictEqual(sandbox.git(repository, "ls-tree", "--name-only", "main", "grown.txt"), "")
    const merged = await sandbox.prodigy(repository, ["resume", "latest", "-y"])
    assert.strictEqual(merged.code, 0, merged.stderr)
  })

  it("runs once for each value of --args, and once for each file of --map", async () => {
    const file = workflow(`  - shell: echo "$ARG" >> "$LOG"\n`)
    const args = await sandbox.prodigy(repository, ["run", file, "-y", "--args", "x", "--args", "y z"])
    assert.strictEqual(args.code, 0, args.stderr)
    assert.deepStrictEqual(started(), ["x", "y z"])
    const map = await sandbox.prodigy(repository, ["run", file, "-y", "--map", "*.txt"])
    assert.strictEqual(map.code, 0, map.stderr)
    assert.deepStrictEqual(started().slice(2), ["a.txt", "b.txt"])
  })
})
