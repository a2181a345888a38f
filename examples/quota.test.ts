import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { test } from "vitest"

const workflow = `
mode: mapreduce
map:
  input: modules.json
  retry: { attempts: 3, initial_delay: 30s }
  agent_template:
    - claude: "Document \${item}"
      timeout: 10m`
const { fails, quota, succeeds } = ScriptedAgent

test("the failure of one module is one dead letter, and the quota only takes time", async () => {
  const report = await Effect.runPromise(
    TestProdigy.run(workflow, {
      items: ["a.ts", "b.ts", "c.ts", "d.ts", "e.ts"],
      agent: ScriptedAgent.items(
        { item_3: [fails("too large"), fails("too large"), quota({ resetsIn: "1 hour" }), fails("too large")] },
        succeeds({ cost: 0.4, takes: "2 minutes" })
      )
    })
  )
  assert.deepEqual([report.ended, report.deadLetters.length], ["completed", 1])
  assert.ok(report.cost < 2 && report.elapsedMillis > 3_600_000)
})
