import { assert, describe, it } from "@effect/vitest"
import type { Log } from "@prodigy/core/engine/Logs"
import { line } from "../../src/Render/Logs.ts"

const log = (kind: Log["kind"]): Log => ({ path: "/x", itemId: null, name: "x", kind, bytes: 1, modifiedAtMillis: 0 })

describe("Logs", () => {
  it("let no control sequence of a program reach the terminal, and keep its indentation", () => {
    const text = "\u001b[31m  red\u001b[0m\t\u001b]0;title\u0007\u009b2J\r\u202e"
    assert.deepStrictEqual(line({ log: log("shell"), text }), ["  red    \\e]0;title\\u0007\\u009b2J\\r\\u202e"])
    assert.deepStrictEqual(line({ log: log("agent"), text: `no JSON ${text}` }), [
      "no JSON   red    \\e]0;title\\u0007\\u009b2J\\r\\u202e"
    ])
  })

  it("say what an agent said and which tools it used", () => {
    const content = [
      { type: "text", text: "Two\nlines \u001b[2J" },
      { type: "tool_use", name: "Edit\u0007", input: { file_path: "a.ts" } }
    ]
    const text = JSON.stringify({ type: "assistant", message: { id: "1", content, usage: null } })
    const lines = line({ log: log("agent"), text })
    assert.deepStrictEqual(lines.slice(0, 2), ["assistant: Two", "assistant: lines "])
    assert.match(lines[2] ?? "", /^Edit\\u0007: .*a\.ts/)
    assert.deepStrictEqual(line({ log: log("agent"), text: "{" }), [])
  })
})
