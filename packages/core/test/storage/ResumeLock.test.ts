import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as NodeProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import { suite } from "@prodigy/testing/suite/ResumeLockSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Layer from "effect/Layer"
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { bundleRival, kill, race, startRival } from "./LockRace.ts"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = ResumeLock.layer.pipe(Layer.provide(FileLock.layer), Layer.provide(IdGenerator.layer))

suite("memory", Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerMemory, ProcessTable.layerMemory)))
suite("disk", Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerDisk, NodeProcessTable.layer)))

describe("ResumeLock between processes", { timeout: 240_000 }, () => {
  it("has one owner in every round of a race for a stale lock, also after the owner was killed", async () => {
    const { wins } = await race({ rivals: 8, rounds: 14 })
    assert.strictEqual(
      [...wins.values()].reduce((sum, count) => sum + count, 0),
      14
    )
  })

  it("is taken over from processes that were killed at any instant of taking or leaving it", async () => {
    const parent = await mkdtemp(join(tmpdir(), "prodigy-test-"))
    const script = await bundleRival(parent)
    const survivor = startRival(script, join(parent, "home"))
    try {
      assert.strictEqual(await survivor.answer(), "ready")
      for (let round = 0; round < 4; round++) {
        const victim = startRival(script, join(parent, "home"))
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
