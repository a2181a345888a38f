import { existsSync, readdirSync } from "node:fs"
import { join } from "node:path"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import * as InProcess from "./InProcess.ts"

let place: InProcess.Place
beforeAll(async () => {
  place = InProcess.open()
  const steps = (name: string, step: string) =>
    place.file(`${name}.yml`, `name: ${name}\ncommands:\n  - shell: ${step}\n`)
  assert.strictEqual((await place.prodigy(["run", steps("done", "echo x > made"), "-y"])).code, 0)
  assert.strictEqual((await place.prodigy(["run", steps("fails", "exit 1"), "-y"])).code, 1)
})
afterAll(() => place.close())

const clean = (...flags: ReadonlyArray<string>) => place.prodigy(["sessions", "clean", ...flags])
const sessions = () => readdirSync(join(place.home, "sessions"))

describe("prodigy sessions clean", () => {
  it("shows what would go and what stays, asks, removes that and says so", async () => {
    const before = sessions()
    assert.strictEqual(before.length, 2)
    const shown = await clean("--dry-run")
    assert.strictEqual(shown.code, 0, shown.notes)
    assert.match(shown.data, /^would remove session-workflow-\S+ \(completed, done\)$/m)
    assert.match(
      shown.data,
      /^kept session-workflow-\S+ \(failed, fails\): it is failed and can be resumed \(--all\)$/m
    )
    const unasked = await clean()
    assert.strictEqual(unasked.code, 2)
    assert.include(unasked.notes, "--yes")
    assert.strictEqual(unasked.data, "")
    const young = await clean("--older-than", "1h", "-y")
    assert.deepStrictEqual([young.code, young.data], [0, ""])
    assert.include(young.notes, "There is nothing to remove.")
    assert.deepStrictEqual(sessions(), before)

    const done = await clean("-y")
    assert.strictEqual(done.code, 0, done.notes)
    assert.match(done.data, /^removed session-workflow-\S+ \(completed, done\)$/m)
    assert.strictEqual(sessions().length, 1)
    const rest = await clean("--all", "-y", "--json")
    assert.strictEqual(rest.code, 0, rest.notes)
    const { dry_run, sessions: entries } = JSON.parse(rest.data)
    assert.isFalse(dry_run)
    assert.deepInclude(entries[0], { workflow_name: "fails", status: "Failed", removed: true, reason: null })
    assert.deepStrictEqual(sessions(), [])
    const none = await clean("--json", "--all")
    assert.deepStrictEqual(JSON.parse(none.data), { dry_run: true, sessions: [], damaged: [] })
    assert.strictEqual((await place.prodigy(["sessions", "list"])).data, "")
  })

  it.each([["yesterday"], ["-1d"], ["999999999d"], [""], ["2026-13-45"], ["1h; rm"]])(
    "refuses --older-than %j, and makes nothing",
    async (text) => {
      const empty = InProcess.open()
      try {
        const refused = await empty.prodigy(["sessions", "clean", "-y", `--older-than=${text}`])
        assert.strictEqual(refused.code, 2, refused.notes)
        assert.strictEqual(refused.data, "")
        assert.include(refused.notes, "--older-than")
        assert.isFalse(existsSync(empty.home))
      } finally {
        empty.close()
      }
    }
  )
})
