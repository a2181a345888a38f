import * as Digest from "@prodigy/core/domain/Digest"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import { createHash } from "node:crypto"

const reference = (text: string) => createHash("sha256").update(text, "utf8").digest("hex")

describe("Digest", () => {
  it("agrees with the published values", () => {
    assert.strictEqual(Digest.sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    assert.strictEqual(Digest.sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")
  })

  it("agrees with the platform at every length around a block", () => {
    for (let length = 0; length < 200; length++) {
      const text = "x".repeat(length)
      assert.strictEqual(Digest.sha256(text), reference(text))
    }
  })

  it("agrees with the platform on any text", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "grapheme", maxLength: 300 }), (text) => {
        assert.strictEqual(Digest.sha256(text), reference(text))
      })
    )
  })
})
