import type { Json } from "@prodigy/core/domain/WorkItem"
import * as JsonValue from "@prodigy/core/workflow/JsonValue"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"

const small = FastCheck.constantFrom<Json>(null, true, false, 0, 1, -1, "", "a", "b", [], [1], {}, { a: 1 }, { a: [] })
const json = FastCheck.oneof(
  small,
  FastCheck.jsonValue({ maxDepth: 3 }).map((value): Json => JSON.parse(JSON.stringify(value)))
)

const byCodePoint = (left: string, right: string) => {
  const a = Array.from(left, (char) => char.codePointAt(0) ?? 0)
  const b = Array.from(right, (char) => char.codePointAt(0) ?? 0)
  const index = a.findIndex((point, index) => point !== b[index])
  return index === -1 ? Math.sign(a.length - b.length) : Math.sign((a[index] ?? 0) - (b[index] ?? -1))
}

describe("JsonValue", () => {
  it("orders every two values one way", () => {
    FastCheck.assert(
      FastCheck.property(json, json, json, (a, b, c) => {
        assert.strictEqual(JsonValue.compare(a, a), 0)
        assert.strictEqual(JsonValue.compare(a, b) + JsonValue.compare(b, a), 0)
        if (JsonValue.compare(a, b) <= 0 && JsonValue.compare(b, c) <= 0) {
          assert.isTrue(JsonValue.compare(a, c) <= 0)
        }
      }),
      { numRuns: 1000 }
    )
  })

  it("orders unlike types by their names", () => {
    const values: ReadonlyArray<Json> = [[1], false, null, 5, { a: 1 }, "text"]
    assert.deepStrictEqual([...values].reverse().sort(JsonValue.compare).map(JsonValue.typeName), [
      "array",
      "boolean",
      "null",
      "number",
      "object",
      "string"
    ])
  })

  it("orders strings by code point", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.fullUnicodeString(), FastCheck.fullUnicodeString(), (left, right) => {
        assert.strictEqual(JsonValue.compareStrings(left, right), byCodePoint(left, right))
      })
    )
    assert.strictEqual(JsonValue.compareStrings("\uffff", "\u{1f4a1}"), -1)
  })

  it("writes the same canonical text for equal values only", () => {
    FastCheck.assert(
      FastCheck.property(json, json, (a, b) => {
        assert.strictEqual(JsonValue.canonical(a) === JsonValue.canonical(b), JsonValue.equals(a, b))
        assert.isTrue(JsonValue.equals(a, JSON.parse(JSON.stringify(a))))
      }),
      { numRuns: 1000 }
    )
    assert.strictEqual(JsonValue.canonical({ b: 5.0, a: [1] }), JsonValue.canonical({ a: [1], b: 5 }))
    assert.isFalse(JsonValue.equals(["a,b"], ["a", "b"]))
  })

  it("measures depth", () => {
    assert.isFalse(JsonValue.isDeeperThan(1, 0))
    assert.isTrue(JsonValue.isDeeperThan([], 0))
    assert.isFalse(JsonValue.isDeeperThan([{ a: 1 }], 2))
    assert.isTrue(JsonValue.isDeeperThan([{ a: [] }], 2))
  })
})
