import { crc32 } from "@prodigy/core/domain/Crc32"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"

describe("Crc32", () => {
  it("is the CRC-32 that everybody else has", () => {
    assert.strictEqual(crc32(""), "00000000")
    assert.strictEqual(crc32("123456789"), "cbf43926")
    assert.strictEqual(crc32("The quick brown fox jumps over the lazy dog"), "414fa339")
    assert.strictEqual(crc32("é😀"), "7f805a06")
  })

  it("tells texts apart that differ in one character", () => {
    FastCheck.assert(
      FastCheck.property(
        FastCheck.string({ minLength: 1, maxLength: 200 }),
        FastCheck.nat(),
        FastCheck.integer({ min: 1, max: 127 }),
        (text, position, bits) => {
          const at = position % text.length
          const other = String.fromCharCode(text.charCodeAt(at) ^ bits)
          assert.notStrictEqual(crc32(text.slice(0, at) + other + text.slice(at + 1)), crc32(text))
        }
      ),
      { numRuns: 500 }
    )
  })
})
