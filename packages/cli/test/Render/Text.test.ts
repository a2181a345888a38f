import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { execFileSync } from "node:child_process"
import * as Text from "../../src/Render/Text.ts"

const anything = FastCheck.string({ unit: "binary" })

describe("Text", () => {
  it("spells control characters out", () => {
    assert.strictEqual(Text.clean("a\u001b[2Jb\r\n\t\u0000\u009b\u202e"), "a\\e[2Jb\\r\\n\\t\\u0000\\u009b\\u202e")
  })

  it.prop("lets nothing through that moves a cursor or reorders text", [anything], ([text]) => {
    // oxlint-disable-next-line no-control-regex -- these are what must not reach a terminal
    assert.notMatch(Text.clean(text), /[\u0000-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069]/)
  })

  it("measures what a terminal shows", () => {
    assert.strictEqual(Text.width("abc"), 3)
    assert.strictEqual(Text.width("\u001b[31mabc\u001b[39m"), 3)
    assert.strictEqual(Text.width("日本"), 4)
    assert.strictEqual(Text.width("👩‍👩‍👧‍👦"), 2)
    assert.strictEqual(Text.width("é"), 1)
    assert.strictEqual(Text.width("\u200b"), 0)
  })

  it("shortens by columns, never inside a character", () => {
    assert.strictEqual(Text.shorten("abcdef", 4), "abc…")
    assert.strictEqual(Text.shorten("日本語", 4), "日…")
    assert.strictEqual(Text.shorten("abc", 3), "abc")
    assert.strictEqual(Text.shorten("abc", 0), "")
  })

  it.prop("never gives more columns than asked for", [anything, FastCheck.nat(30)], ([text, columns]) => {
    const cleaned = Text.clean(text)
    assert.isAtMost(Text.width(Text.shorten(cleaned, columns)), columns)
  })

  it("says how long", () => {
    const cases: ReadonlyArray<readonly [number, string]> = [
      [-5, "0ms"],
      [850, "850ms"],
      [12_300, "12s"],
      [184_000, "3m 04s"],
      [7_500_000, "2h 05m"],
      [273_600_000, "3d 4h"]
    ]
    for (const [millis, text] of cases) assert.strictEqual(Text.duration(millis), text)
    assert.strictEqual(Text.age(500), "now")
    assert.strictEqual(Text.age(7_200_000), "2h")
  })

  it("shows small costs", () => {
    assert.strictEqual(Text.dollars(0.0042), "$0.0042")
    assert.strictEqual(Text.dollars(12.3), "$12.30")
  })

  it("quotes words so that a shell gives them back", () => {
    const words = ["plain", "two words", "it's", "$(touch x)", "a\nb", "back\\slash\n'", "-y", "日本"]
    for (const word of words) {
      const out = execFileSync("bash", ["-c", `printf %s ${Text.shellWord(word)}`], { encoding: "utf8" })
      assert.strictEqual(out, word)
    }
  })
})
