import * as SafeName from "@prodigy/core/domain/SafeName"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { createHash } from "node:crypto"

const encode = (text: string) => SafeName.encode(text, (input) => createHash("sha256").update(input).digest("hex"))

/** Any UTF-16 text: unpaired surrogates, separators, dots, control characters, long ones. */
const text = FastCheck.oneof(
  FastCheck.string({ unit: "binary", maxLength: 400 }),
  FastCheck.array(FastCheck.integer({ min: 0, max: 0xffff }), { maxLength: 60 }).map((units) =>
    String.fromCharCode(...units)
  ),
  FastCheck.array(FastCheck.constantFrom(".", "/", "\\", "%", "~", "2", "F", "a", "A", "é", "\ud800", "\udc00", "\n"), {
    maxLength: 200
  }).map((parts) => parts.join(""))
)

describe("SafeName", () => {
  describe("encode", () => {
    it.prop("gives different texts different stems", [text, text], ([a, b]) => {
      assert.strictEqual(encode(a) === encode(b), a === b)
    })

    it.prop(
      "gives texts that differ in one character different stems",
      [text, text, text],
      ([before, middle, after]) => {
        if (middle === "") return
        assert.notStrictEqual(encode(before + middle + after), encode(before + after))
      }
    )

    it.prop("never gives a separator, a dot name or a name too long", [text], ([input]) => {
      const stem = encode(input)
      assert.match(stem, /^[A-Za-z0-9_%-][A-Za-z0-9._%~-]*$/)
      assert.isAtMost(stem.length, SafeName.bytesMax)
    })

    it.prop("is reversible while short", [FastCheck.string({ unit: "grapheme", maxLength: 20 })], ([input]) => {
      const stem = encode(input)
      if (stem.includes("%~")) return
      assert.strictEqual(decodeURIComponent(stem), input)
    })

    it("keeps a safe name as it is", () => {
      assert.strictEqual(encode("item_12.v2-a"), "item_12.v2-a")
    })

    it("encodes what could leave the directory", () => {
      assert.strictEqual(encode(".."), "%2E.")
      assert.strictEqual(encode("../../x"), "%2E.%2F..%2Fx")
      assert.strictEqual(encode("a\0b"), "a%00b")
    })

    it("tells unpaired surrogates apart, short and long", () => {
      const texts = ["\ud800", "\ud801", "\udfff", "\ufffd", ""].flatMap((char) => [char, char + "x".repeat(300)])
      assert.strictEqual(new Set(texts.map(encode)).size, texts.length)
    })

    it("cannot be made to collide by a text that looks like an encoded one", () => {
      const long = "a".repeat(300)
      assert.notStrictEqual(encode(encode(long)), encode(long))
      assert.notStrictEqual(encode("a/b"), encode("a%2Fb"))
    })

    it("refuses nothing: the empty text has a stem", () => {
      assert.match(encode(""), /^%~[0-9a-f]{32}$/)
    })
  })

  describe("isSafe", () => {
    const cases: ReadonlyArray<readonly [string, boolean]> = [
      ["mapreduce-20260101_000000", true],
      ["a".repeat(128), true],
      ["a".repeat(129), false],
      ["", false],
      [".", false],
      ["..", false],
      [".hidden", false],
      ["a/b", false],
      ["a\\b", false],
      ["a\nb", false],
      ["a\n", false],
      ["a%2Fb", false],
      ["é", false],
      ["a b", false]
    ]
    for (const [name, safe] of cases) {
      it(`${safe ? "accepts" : "refuses"} ${JSON.stringify(name.slice(0, 30))} of ${name.length} characters`, () => {
        assert.strictEqual(SafeName.isSafe(name), safe)
      })
    }
  })
})
