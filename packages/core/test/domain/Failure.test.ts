import * as Failure from "@prodigy/core/domain/Failure"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"

const signature = (message: string, cause: Failure.Cause = { error_type: "Unknown" }) =>
  Failure.signature(Failure.make(cause, message))

const letters = FastCheck.constantFrom("x", "a", "kit", "src", "README", "node_modules", "é", "@scope")
const path = FastCheck.tuple(
  FastCheck.constantFrom("/", "./", "../", "~/", "src/"),
  FastCheck.array(letters, { minLength: 1 })
).map(([root, parts]) => `${root}${parts.join("/")}`)
const number = FastCheck.oneof(
  FastCheck.nat().map(String),
  FastCheck.nat({ max: 999 }).map((n) => `${n}.5`),
  FastCheck.nat({ max: 999 }).map((n) => `1,${String(n).padStart(3, "0")}`)
)
const hash = FastCheck.stringMatching(/^[0-9a-f]{7,40}$/)
const quoted = FastCheck.tuple(FastCheck.constantFrom('"', "'", "`"), FastCheck.stringMatching(/^[\w ./:@-]*$/)).map(
  ([quote, value]) => `${quote}${value}${quote}`
)
const time = FastCheck.date({
  min: new Date("1970-01-01T00:00:00Z"),
  max: new Date("2999-12-31T00:00:00Z"),
  noInvalidDate: true
}).map((date) => date.toISOString())

const stable = <A>(what: string, values: FastCheck.Arbitrary<A>, message: (value: A) => string) =>
  it.prop(`is the same for every ${what}`, [values, values], ([a, b]) => {
    assert.strictEqual(signature(message(a)), signature(message(b)))
  })

describe("Failure", () => {
  describe("signature", () => {
    stable("path", path, (value) => `Cannot open ${value}: no such file.`)
    stable("number", number, (value) => `Expected ${value} files but found ${value}ms of v${value}`)
    stable("hash", hash, (value) => `Commit ${value} is not on the branch`)
    stable("quoted value", quoted, (value) => `It can't read ${value} of the item`)
    stable("time", time, (value) => `Quota is used up until ${value}.`)
    stable("uuid", FastCheck.uuid(), (value) => `Session ${value} is gone`)

    it("tells different causes, exit codes, steps and texts apart", () => {
      const all = [
        signature("no such file"),
        signature("no such directory"),
        signature("no such file", { error_type: "WorktreeError" }),
        signature("no such file", { error_type: "CommandFailed", exit_code: 1 }),
        signature("no such file", { error_type: "CommandFailed", exit_code: 2 }),
        Failure.signature(Failure.make({ error_type: "Unknown" }, "no such file", { step: "build" }))
      ]
      assert.strictEqual(new Set(all).size, all.length)
    })

    it("keeps the words that people group by", () => {
      assert.strictEqual(
        signature("2026-01-02T03:04:05Z: can't find 'a' in /srv/x.ts:12 (commit 0a1b2c3, 17 tries)"),
        "Unknown||<time>: can't find <value> in <path>:<n> (commit <n>, <n> tries)"
      )
    })

    it("is bounded, and quick on a message that is a whole log", () => {
      assert.isAtMost(signature("a".repeat(2_000_000)).length, 220)
      assert.isAtMost(signature("/".repeat(2_000_000)).length, 220)
      assert.isAtMost(signature("'".repeat(2_000_000)).length, 220)
    })

    it("survives messages without anything to say", () => {
      assert.strictEqual(signature(""), "Unknown||")
      assert.strictEqual(signature(" \n\t "), "Unknown||")
    })
  })
})
