import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Json from "../../src/Render/Json.ts"
import { plan as render, planJson } from "../../src/Render/Plan.ts"
import { plain } from "../../src/Render/Style.ts"
import { plan } from "../values.ts"

describe("Plan", () => {
  it("shows what would be done, and that nothing is made", () => {
    assert.strictEqual(
      render(plan, plain),
      `Plan migrate: a dry run, nothing is made

  repository /work/shop (shop)
  base       1234567890ab
  target     main
  setup      1. shell: npm ci
  items      3, at most 2 at once
             a       {"path":"src/a.ts"}
             b\\e[2J  {"path":"src/b.ts"}
             c       null

Steps of every item, filled in for a
  1. shell: convert
     convert 'src/a.ts'
     npm test

Would make
  1 session with a branch and a worktree of its own
  at most 2 agent worktrees at a time
  at most 3 merge commits
  no merge: the merge into main needs -y, or a terminal to ask on`
    )
  })

  it("says why items are not known yet", () => {
    const later = { ...plan, items: { _tag: "Later" as const, reason: "setup makes items.json" }, preview: [] }
    const text = render(later, plain)
    assert.include(text, "items      known only when it runs: setup makes items.json\n")
    assert.include(text, "\nSteps of every item\n")
  })

  it.effect("is one JSON object that its schema reads back", () =>
    Effect.gen(function* () {
      const text = yield* Json.render(Json.Plan, planJson(plan))
      assert.deepStrictEqual(yield* Schema.decode(Json.Plan)(text), planJson(plan))
      assert.notInclude(text, "\n")
    })
  )
})
