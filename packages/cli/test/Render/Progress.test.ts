import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { block } from "../../src/Render/Progress.ts"
import { plain, style } from "../../src/Render/Style.ts"
import * as Text from "../../src/Render/Text.ts"
import { agentView, startedAtMillis, view } from "../values.ts"

const nowMillis = startedAtMillis + 62_000

describe("Progress", () => {
  it("shows the phase, the counts, the pace and a line for each agent", () => {
    const lines = block(
      {
        ...view,
        agents: [
          agentView("src/a.ts", { lastActivityMillis: nowMillis - 61_000 }),
          agentView("b", { startedAtMillis: nowMillis - 5000, attempt: 2, lastActivityMillis: nowMillis })
        ]
      },
      { nowMillis, columns: 80, rows: 24, style: plain }
    )
    assert.deepStrictEqual(lines, [
      "map █████████░░░░░░░░░░  20/40  2 failed  ETA 1m 02s  19.4/min  1m 02s  $1.50",
      "  src/a.ts   1m 02s  shell: npm test (2/3)  idle 1m 01s",
      "  b              5s  shell: npm test (2/3), attempt 2"
    ])
  })

  it("shows the step of the other phases", () => {
    const lines = block(
      { ...view, phase: "reduce", phaseStep: "shell: report" },
      { nowMillis, columns: 80, rows: 24, style: plain }
    )
    assert.deepStrictEqual(lines, ["reduce shell: report  1m 02s"])
  })

  it("counts whole seconds, so that no line flickers in its first one", () => {
    const agents = [agentView("a", { startedAtMillis: nowMillis - 715, lastActivityMillis: nowMillis })]
    const lines = block({ ...view, agents }, { nowMillis, columns: 80, rows: 24, style: plain })
    assert.strictEqual(lines[1], "  a       0s  shell: npm test (2/3)")
  })

  it("says which try of a step is waited for, and for how long", () => {
    const retry = { number: 2, of: 3, atMillis: nowMillis + 90_000 }
    const show = (more: object) =>
      block({ ...view, agents: [agentView("a", { lastActivityMillis: startedAtMillis, ...more })] }, options)[1]
    const options = { nowMillis, columns: 80, rows: 24, style: plain }
    assert.strictEqual(show({ retry }), "  a   1m 02s  shell: npm test (2/3)  try 2 of 3 in 1m 30s")
    const begun = { ...retry, atMillis: nowMillis }
    assert.strictEqual(show({ retry: begun }), "  a   1m 02s  shell: npm test (2/3)  try 2 of 3  idle 1m 02s")
    const reduce = { ...view, phase: "reduce", phaseStep: "shell: report", phaseRetry: retry } as const
    assert.deepStrictEqual(block(reduce, options), ["reduce shell: report  try 2 of 3 in 1m 30s  1m 02s"])
  })

  it("fits a terminal of few rows", () => {
    const agents = Array.from({ length: 30 }, (_, index) => agentView(`item_${index}`))
    const lines = block({ ...view, agents }, { nowMillis, columns: 80, rows: 10, style: plain })
    assert.strictEqual(lines.length, 8)
    assert.strictEqual(lines[7], "  … and 24 more at work")
  })

  it.prop(
    "fits every terminal, whatever the items are called",
    [FastCheck.string({ unit: "binary", minLength: 1 }), FastCheck.integer({ min: 20, max: 200 }), FastCheck.boolean()],
    ([id, columns, idle]) => {
      const agents = [agentView(id, idle ? {} : { lastActivityMillis: nowMillis })]
      const lines = block({ ...view, agents }, { nowMillis, columns, rows: 24, style: style(true) })
      for (const line of lines) {
        assert.isAtMost(Text.width(line), Math.max(20, columns - 1))
        assert.notInclude(line, "\n")
      }
    }
  )
})
