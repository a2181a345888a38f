/** The kit finds bugs: defects of the engine and its stores, each put in by a layer over the real service, and each found. */
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readFileSync } from "node:fs"
import { every, hunt, mutations } from "./mutations.ts"

const table = readFileSync(new URL("../../../docs/testing.md", import.meta.url), "utf8")

describe("a job of three items", () => {
  it("has each of the defects in the table of docs/testing.md", () => {
    for (const name of Object.keys(mutations)) assert.include(table, `| ${name} |`)
  })

  for (const part of ["run", "retry", "rivals"] as const)
    it.effect(`is sound when nothing is made worse (${part})`, () =>
      Effect.gen(function* () {
        const untouched = yield* hunt({ part, every: null, replaced: {} })
        assert.deepStrictEqual(untouched.violations, [])
        const { states, violations } = yield* hunt({ part, every: every[part], replaced: {} })
        assert.deepStrictEqual(violations, [])
        assert.isAbove(states, part === "rivals" ? 1 : 10)
      })
    )

  for (const [name, mutation] of Object.entries(mutations))
    it.effect(`is seen to go wrong when ${name}`, () =>
      Effect.gen(function* () {
        const { violations } = yield* hunt(mutation)
        assert.include(violations[0]?.cause ?? "nothing was found", mutation.seenBy)
      })
    )
})
