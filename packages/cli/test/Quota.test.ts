import { join } from "node:path"
import { fileURLToPath } from "node:url"
import { afterEach, assert, beforeEach, describe, it } from "vitest"
import * as InProcess from "./InProcess.ts"

const claude = fileURLToPath(new URL("../../testing/fake-claude/claude", import.meta.url))
const env = { PRODIGY_CLAUDE_COMMAND: claude }

let place: InProcess.Place
beforeEach(() => {
  place = InProcess.open()
  // The fake reads it from what it inherits.
  process.env["FAKE_CLAUDE_SCRIPT"] = join(place.folder, "script.json")
})
afterEach(() => {
  delete process.env["FAKE_CLAUDE_SCRIPT"]
  place.close()
})

const year2100 = 4_102_444_800

describe("prodigy run --no-wait", () => {
  it("ends a standard workflow with 4 at a used up quota, says until when, and a resume goes on from there", async () => {
    place.file("script.json", JSON.stringify([{ match: "^/limit", actions: [{ quota: year2100 }] }]))
    const path = place.file(
      "steps.yml",
      "name: steps\ncommands:\n  - shell: echo one >> made\n  - claude: /limit\n  - shell: echo two >> made\n"
    )
    // At most so far ahead as our limit says.
    const until = /waiting until \d{4}-\S+Z for the agent's quota/
    const paused = await place.prodigy(["run", path, "-y", "--no-wait"], env)
    assert.strictEqual(paused.code, 4, paused.notes)
    assert.match(paused.data, new RegExp(`^Paused steps in step 2, ${until.source}`))
    assert.match(paused.data, /^ +prodigy resume session-workflow-/m)
    const listed = await place.prodigy(["sessions", "list"])
    assert.match(listed.data, /session-workflow-\S+ +paused +step 1\/3/)
    assert.match((await place.prodigy(["sessions", "show", "latest"])).data, until)
    const still = await place.prodigy(["resume", "--no-wait", "-y"], env)
    assert.strictEqual(still.code, 4, still.notes)
    assert.match(still.data, until)
  })
})
