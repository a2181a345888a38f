import { assert, describe, it } from "vitest"
import * as Round from "../../chaos/Round.ts"

const rounds = [
  { scenario: "map", seed: 1 },
  { scenario: "map", seed: 2 },
  { scenario: "setup", seed: 3 },
  { scenario: "reduce", seed: 4 },
  { scenario: "merge", seed: 5 },
  { scenario: "standard", seed: 6 }
] as const

/** `npm run chaos` does this by the hundred, with 60 items and seeds of its own. */
describe("chaos", () => {
  it.each(rounds)("violates nothing when a job is killed again and again in $scenario, seed $seed", async (round) => {
    const result = await Round.torture({ ...round, items: 20, killsMax: 3, keep: false })
    assert.deepStrictEqual(result.violations, [])
    assert.isAbove(result.kills, 0)
  })
})
