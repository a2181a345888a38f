import { assert, describe, it } from "@effect/vitest"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"

describe("the timeout of a phase", () => {
  for (const phase of ["setup", "reduce"] as const)
    it.effect(`is for all steps of ${phase} together`, () =>
      Effect.gen(function* () {
        const report = yield* TestProdigy.run(workflow(phase), { items: ["a"], shell: minutes })
        assert.strictEqual(report.ended, "failed")
        assert.strictEqual(report.failure?.message, `The ${phase} phase did not end within 120000 ms.`)
        assert.deepStrictEqual(stepsOf(report, phase), ["one", "two"])
        assert.strictEqual(report.elapsedMillis, 120_000)
      })
    )

  it.effect("begins anew with a resume, for the steps that are left", () =>
    Effect.gen(function* () {
      const job = yield* TestProdigy.make(workflow("reduce"), { items: ["a"], shell: minutes })
      assert.deepStrictEqual(stepsOf(yield* job.run(), "reduce"), ["one", "two"])
      const second = yield* job.resume()
      assert.deepStrictEqual([second.ended, stepsOf(second, "reduce")], ["failed", ["two", "three"]])
      const third = yield* job.resume()
      assert.deepStrictEqual([third.ended, stepsOf(third, "reduce")], ["completed", ["three"]])
    })
  )

  it.effect("leaves out what the phase waits for between steps", () =>
    Effect.gen(function* () {
      const quota = ScriptedAgent.quota({ resetsIn: "1 hour" })
      const report = yield* TestProdigy.run(workflow("reduce").replace("shell: two", "claude: two"), {
        items: ["a"],
        shell: minutes,
        agent: [quota, ScriptedAgent.succeeds({ takes: "20 seconds" })]
      })
      assert.deepStrictEqual([report.ended, stepsOf(report, "reduce")], ["failed", ["one", "two", "two", "three"]])
    })
  )
})

const minutes = ScriptedShell.steps({
  one: ScriptedShell.succeeds({ takes: "90 seconds" }),
  two: ScriptedShell.succeeds({ takes: "90 seconds" }),
  three: ScriptedShell.succeeds({ takes: "90 seconds" })
})

const workflow = (phase: "setup" | "reduce") => `
name: phases
map:
  input: items.json
  agent_template:
    - { id: map, shell: "true" }
${phase}:
  timeout: 2m
  steps:
    - { id: one, shell: one }
    - { id: two, shell: two }
    - { id: three, shell: three }
`

const stepsOf = (report: TestProdigy.Report, phase: "setup" | "reduce"): ReadonlyArray<string> =>
  report.started.filter(({ origin }) => origin.phase === phase).map(({ origin }) => origin.step)
