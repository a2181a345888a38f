import * as ValuePath from "@prodigy/core/workflow/ValuePath"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const parse = (text: string) => Either.getOrThrowWith(ValuePath.parse(text), (detail) => new Error(detail))
const get = (text: string, value: Parameters<typeof ValuePath.get>[1]) => ValuePath.get(parse(text), value)
const detail = (text: string) => Either.getOrThrow(Either.flip(ValuePath.parse(text)))

const segment = FastCheck.oneof(FastCheck.string(), FastCheck.integer({ min: -1000, max: 1000 }))
const path = FastCheck.array(segment).map((segments): ValuePath.ValuePath => ({ rooted: true, segments }))

describe("ValuePath", () => {
  it("reads members, indexes and quoted keys", () => {
    assert.deepStrictEqual(parse(`a.b[0].1[-1]["odd \\"key"]['x'].step-2`), {
      rooted: false,
      segments: ["a", "b", 0, 1, -1, 'odd "key', "x", "step-2"]
    })
    assert.deepStrictEqual(parse("$"), { rooted: true, segments: [] })
    assert.deepStrictEqual(parse("$.größe"), { rooted: true, segments: ["größe"] })
  })

  it("keeps numbers that are no index as keys", () => {
    assert.deepStrictEqual(parse("a.007.12345678901234567890").segments, ["a", "007", "12345678901234567890"])
  })

  it("says what is wrong and where", () => {
    assert.include(detail(""), "expected a path")
    assert.include(detail("0"), "expected a path")
    assert.include(detail("a."), "after the dot (column 3)")
    assert.include(detail("a..b"), "after the dot (column 3)")
    assert.include(detail("a[x]"), "expected an index")
    assert.include(detail("a[0"), "expected ] to close")
    assert.include(detail(`a["x]`), "unterminated string")
    assert.include(detail("a b"), `unexpected " b" after the path (column 2)`)
    assert.include(detail("a-"), "after the path (column 2)")
  })

  it("addresses arrays and objects with numbers", () => {
    const value = { list: [{ name: "first" }, { name: "last" }], keyed: { "0": "zero" } }
    assert.strictEqual(get("list[0].name", value), "first")
    assert.strictEqual(get("list.0.name", value), "first")
    assert.strictEqual(get("list[-1].name", value), "last")
    assert.strictEqual(get("keyed.0", value), "zero")
    assert.strictEqual(get("keyed[0]", value), "zero")
  })

  it("finds nothing where nothing is", () => {
    const value = { list: [1], text: "abc", none: null }
    for (const text of ["list[1]", "list[-2]", "list.length", "text.length", "text[0]", "none.x", "toString", "a.b"]) {
      assert.isUndefined(get(text, value), text)
    }
    assert.isNull(get("none", value))
    assert.isUndefined(get("__proto__", value))
  })

  it("drops the optional prefixes of an item", () => {
    const relative = (text: string) => ValuePath.relativeToItem(parse(text)).segments
    assert.deepStrictEqual(relative("item.a"), ["a"])
    assert.deepStrictEqual(relative("$.a"), ["a"])
    assert.deepStrictEqual(relative("a"), ["a"])
    assert.deepStrictEqual(relative("$.item.a"), ["item", "a"])
    assert.deepStrictEqual(relative("item"), [])
  })

  it("gives back every path it writes", () => {
    FastCheck.assert(FastCheck.property(path, (path) => assert.deepStrictEqual(parse(ValuePath.format(path)), path)))
  })

  it("reads any text without throwing", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary" }), FastCheck.jsonValue(), (text, value) => {
        const result = ValuePath.parse(text)
        if (Either.isRight(result)) {
          ValuePath.get(result.right, JSON.parse(JSON.stringify(value)))
        }
      })
    )
  })
})
