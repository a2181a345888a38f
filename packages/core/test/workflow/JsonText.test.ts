import * as JsonText from "@prodigy/core/workflow/JsonText"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const failsAt = (text: string, offset: number, detail: string) => {
  const failure = Either.getOrThrow(Either.flip(JsonText.parse(text)))
  assert.include(failure.detail, detail, text)
  assert.strictEqual(failure.offset, offset, text)
}

describe("JsonText", () => {
  it("reads JSON", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.json(), (text) => {
        assert.deepStrictEqual(JsonText.parse(text), Either.right(JSON.parse(text)))
      })
    )
  })

  it("names the place of a fault", () => {
    failsAt("", 0, "expected a value, found the end")
    failsAt("[1, 2,, 3]", 6, `expected a value, found ","`)
    failsAt("[1, ]", 4, "expected a value")
    failsAt("[1 2]", 3, "expected a comma or the closing bracket, found 2")
    failsAt("[1", 2, "expected a comma or the closing bracket, found the end")
    failsAt('{"a" 1}', 5, "expected a colon")
    failsAt("{a: 1}", 1, "expected a key in double quotes or }, found a")
    failsAt('{"a": 1,}', 8, "expected a key in double quotes")
    failsAt('{"a": 1]', 7, "expected a comma or the closing bracket")
    failsAt('["abc', 1, "unterminated string")
    failsAt('["a\nb"]', 3, "control character")
    failsAt('["a\\x"]', 3, "unknown escape")
    failsAt('["\\u12"]', 2, "unknown escape")
    failsAt("[01]", 1, "expected a value or ], found 01")
    failsAt("nul", 0, "expected a value, found nul")
    failsAt("[NaN]", 1, "found NaN")
    failsAt("{} {}", 3, "expected the end of the text")
    failsAt("'a'", 0, "expected a value")
    failsAt("[".repeat(200_000), 200_000, "expected a value or ], found the end")
  })

  it("fails exactly where the longest part that can be completed ends", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.json({ maxDepth: 3 }), FastCheck.nat(), (text, at) => {
        const cut = at % text.length
        const broken = `${text.slice(0, cut)}\u0001${text.slice(cut)}`
        const failure = Either.getOrThrow(Either.flip(JsonText.parse(broken)))
        assert.isAtMost(failure.offset, cut)
      })
    )
  })
})
