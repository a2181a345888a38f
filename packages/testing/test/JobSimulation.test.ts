import * as Path from "@effect/platform/Path"
import { assert, describe, it } from "@effect/vitest"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as SimulatedFileSystem from "@prodigy/testing/SimulatedFileSystem"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as simulatedJob from "./simulatedJob.ts"

describe("a job of six items on a simulated machine", () => {
  // All of its calls: `npm run explore`.
  it.effect("survives a crash at any of a sample of its calls", () =>
    Effect.gen(function* () {
      const { calls, points, violations } = yield* CrashExplorer.explore(simulatedJob.scenario, {
        ...CrashExplorer.exhaustive,
        chances: 0,
        every: 101
      })
      assert.deepStrictEqual(violations, [])
      assert.isAbove(calls, 500)
      assert.isAbove(points, 10)
    })
  )

  it.effect("leaves the same storage, byte for byte, each time it is run with one seed", () =>
    Effect.gen(function* () {
      const first = yield* storageAfter(7)
      assert.isAbove(first.length, 20)
      assert.deepStrictEqual(yield* storageAfter(7), first)
    })
  )
})

/** Runs the job on a machine of its own and gives its disk. */
const storageAfter = (seed: number) =>
  Effect.gen(function* () {
    const machine = yield* SimulatedMachine.make
    const environment = Layer.mergeAll(SimulatedFileSystem.layer, Path.layer).pipe(
      Layer.provideMerge(Layer.succeed(SimulatedMachine.SimulatedMachine, machine))
    )
    const program = Effect.zipRight(
      MemoryWorkspace.init({ root: TestProdigy.places.project, files: { README: "hello\n" } }),
      Effect.provide(
        simulatedJob.start,
        TestProdigy.layerBoot(simulatedJob.programs({ ran: [], again: [], resumed: false }))
      )
    )
    const exit = yield* SimulatedMachine.run(
      machine,
      program.pipe(Effect.provide(environment), Effect.withRandom(Random.make(seed)))
    )
    assert.isTrue(exit !== null && Exit.isSuccess(exit), String(exit))
    return machine.disk.tree()
  })
