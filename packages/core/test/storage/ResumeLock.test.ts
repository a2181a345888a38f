import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as NodeProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import { suite } from "@prodigy/testing/suite/ResumeLockSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Layer from "effect/Layer"
import { type ChildProcess, spawn } from "node:child_process"
import { mkdtemp, readdir, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = ResumeLock.layer.pipe(Layer.provide(FileLock.layer), Layer.provide(IdGenerator.layer))

suite("memory", Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerMemory, ProcessTable.layerMemory)))
suite("disk", Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerDisk, NodeProcessTable.layer)))

const rivalScript = fileURLToPath(new URL("ResumeLockRival.ts", import.meta.url))

/** A real process that takes and leaves the lock as it is told, one word a line, and answers each with one line. */
const startRival = (root: string) => {
  const child = spawn(process.execPath, ["--conditions=@prodigy/source", "--import", "tsx", rivalScript, root], {
    stdio: ["pipe", "pipe", "inherit"]
  })
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]()
  const answer = async (): Promise<string> => {
    const { value } = await lines.next()
    return String(value)
  }
  const tell = (word: string): Promise<string> => {
    child.stdin!.write(`${word}\n`)
    return answer()
  }
  return { child, answer, tell }
}

const kill = (child: ChildProcess): Promise<void> =>
  new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) return resolve()
    child.once("exit", () => resolve())
    child.kill("SIGKILL")
  })

describe("ResumeLock between processes", { timeout: 240_000 }, () => {
  it("has one owner in every round, also after the owner was killed", async () => {
    const parent = await mkdtemp(join(tmpdir(), "prodigy-test-"))
    let rivals = Array.from({ length: 8 }, () => startRival(join(parent, "home")))
    try {
      for (const rival of rivals) assert.strictEqual(await rival.answer(), "ready")
      for (let round = 0; round < 10; round++) {
        const answers = await Promise.all(rivals.map((rival) => rival.tell("acquire")))
        const winners = answers.flatMap((answer, index) => (answer === "acquired" ? [index] : []))
        assert.strictEqual(winners.length, 1, `round ${round}: ${answers.join(", ")}`)
        assert.strictEqual(answers.filter((answer) => answer === "held").length, rivals.length - 1)
        const winner = rivals[winners[0]!]!
        if (round % 2 === 0 && rivals.length > 4) {
          await kill(winner.child)
          rivals = rivals.filter((rival) => rival !== winner)
        } else {
          assert.strictEqual(await winner.tell("release"), "released")
        }
      }
      assert.strictEqual(rivals.length, 4)
      assert.strictEqual(await rivals[0]!.tell("acquire"), "acquired")
      assert.strictEqual(await rivals[0]!.tell("release"), "released")
      const left = await readdir(join(parent, "home", "resume_locks"))
      assert.deepStrictEqual(
        left.filter((name) => name.endsWith(".lock")),
        []
      )
    } finally {
      await Promise.all(rivals.map((rival) => kill(rival.child)))
      await rm(parent, { recursive: true, force: true })
    }
  })

  it("is taken over from processes that were killed at any instant of taking or leaving it", async () => {
    const parent = await mkdtemp(join(tmpdir(), "prodigy-test-"))
    const survivor = startRival(join(parent, "home"))
    try {
      assert.strictEqual(await survivor.answer(), "ready")
      for (let round = 0; round < 4; round++) {
        const victim = startRival(join(parent, "home"))
        assert.strictEqual(await victim.answer(), "ready")
        // It takes and leaves the lock as fast as it can; the answers to the survivor set the instant.
        victim.child.stdin!.write("acquire\nrelease\n".repeat(200))
        await victim.answer()
        for (let wait = 0; wait < round; wait++) await survivor.tell("nothing")
        await kill(victim.child)
        assert.strictEqual(await survivor.tell("acquire"), "acquired", `round ${round}`)
        assert.strictEqual(await survivor.tell("release"), "released")
      }
    } finally {
      await kill(survivor.child)
      await rm(parent, { recursive: true, force: true })
    }
  })
})
