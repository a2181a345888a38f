/**
 * What is done in storage, one operation at a time, each with all that a reader may find when it was cut short: the values
 * before it, on its way, and after it. `CrashScenarios.test.ts` sees to it that no writing method of a store is missing.
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type { SimulatedMachine } from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import { GlobalStorage } from "@prodigy/core/storage/GlobalStorage"
import * as Samples from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { leftovers } from "./leftovers.ts"

/**
 * What operations may use.
 */
type Services = TestProdigy.Services | SimulatedMachine | FileSystem.FileSystem | Path.Path

export type Program = Effect.Effect<unknown, unknown, Services>

/** What the world has been told: so many of the operation's steps are done, with these answers. */
export interface Witness {
  acknowledged: number
  readonly answers: Array<unknown>
}

export interface Operation {
  /** `Store.method`, and what is special about this case. */
  readonly name: string
  readonly before?: Program
  /** What whoever comes after the crash does first. */
  readonly next?: Program
  /** `done` tells the world that the n-th of `values` is reached; the last is, when this has ended. */
  readonly does: (done: (step: number) => void) => Program
  readonly reads: Program
  /** What may be read, in order: never one before the last that the world was told of. */
  readonly values: ReadonlyArray<unknown>
  /** Read when it is done again after a crash; absent: the last of `values`; null: it is not done again. */
  readonly again?: unknown
  /** Anything else that has to be true, given the answers before the crash. */
  readonly also?: (answers: ReadonlyArray<unknown>) => Program
}

/** As a scenario: it is done, somebody comes after the crash and looks, and does it again. */
export const scenario = (operation: Operation): CrashExplorer.Scenario<Witness, unknown> => {
  const on = (program: Program) => Effect.provide(program, TestProdigy.layerBoot())
  const { values } = operation
  return {
    witness: () => ({ acknowledged: 0, answers: [] }),
    prepare: () => on(operation.before ?? Effect.void),
    run: (witness) =>
      on(
        Effect.gen(function* () {
          const answer = yield* operation.does((step) => void (witness.acknowledged = step))
          witness.acknowledged = values.length - 1
          if (typeof answer !== "object") witness.answers.push(answer)
        })
      ),
    recover: () =>
      on(
        Effect.gen(function* () {
          const storage = yield* GlobalStorage
          yield* operation.next ?? Effect.void
          yield* storage.prepare
          yield* storage.sweep(Samples.repo, Samples.jobId())
        })
      ),
    check: ({ acknowledged, answers }) =>
      on(
        Effect.gen(function* () {
          const found = yield* operation.reads
          assert.ok(
            values.slice(acknowledged).some((value) => isEqual(value, found)),
            `found ${JSON.stringify(found)} after ${acknowledged} of ${JSON.stringify(values)}`
          )
          assert.deepStrictEqual(yield* leftovers, [])
          if (operation.also !== undefined) yield* operation.also(answers)
          if (operation.again === null) return
          yield* operation.does(() => {})
          assert.deepStrictEqual(yield* operation.reads, operation.again ?? values.at(-1))
          assert.deepStrictEqual(yield* leftovers, [])
        })
      )
  }
}

const isEqual = (a: unknown, b: unknown): boolean => {
  try {
    assert.deepStrictEqual(a, b)
    return true
  } catch {
    return false
  }
}
