import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import assert from "node:assert/strict"
import { test } from "vitest"

const workflow = `
mode: mapreduce
map:
  input: modules.json
  agent_template: [claude: "Document \${item}"]`

test("wherever the power fails, a resume ends with every module documented, and paid once", async () => {
  const scenario = TestProdigy.scenario(workflow, {
    items: ["a.ts", "b.ts"],
    agent: ({ origin }) => ScriptedAgent.succeeds({ cost: 0.4, writes: { [`docs/${origin.item?.id}.md`]: "# Docs" } }),
    check: ({ files, status }) => {
      assert.equal(status, "Completed")
      assert.deepEqual(Object.keys(files), ["docs/item_0.md", "docs/item_1.md", "modules.json"])
    }
  })
  // Every 60th call of some hundreds; without `every` it is each of them.
  const exploration = CrashExplorer.explore(scenario, { ...CrashExplorer.exhaustive, every: 60 })
  const { points, violations } = await Effect.runPromise(exploration)
  assert.deepEqual(violations, [])
  console.log(`${points} power cuts, 0 violations`)
}, 60_000)
