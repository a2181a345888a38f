import { assert, describe, it } from "@effect/vitest"
import * as Output from "@prodigy/core/agent/Output"
import * as FastCheck from "effect/FastCheck"

const none = { stdout: false, stderr: false }

const encode = (text: string) => new TextEncoder().encode(text)

/** The bytes of a text, cut into pieces anywhere. */
const cut = FastCheck.tuple(
  FastCheck.array(
    FastCheck.oneof(FastCheck.string({ unit: "grapheme" }), FastCheck.constantFrom("\n", "\r\n", "ß\n", "😀"))
  ).map((parts) => parts.join("")),
  FastCheck.array(FastCheck.integer({ min: 1, max: 7 }), { minLength: 1 })
).map(([text, sizes]) => {
  const bytes = encode(text)
  const pieces: Array<Uint8Array> = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const size = sizes[turn % sizes.length] ?? 1
    pieces.push(bytes.subarray(at, at + size))
    at += size
  }
  return { text, pieces }
})

describe("Output", () => {
  it("keeps all of a short output, however it is cut into pieces", () => {
    FastCheck.assert(
      FastCheck.property(cut, ({ pieces, text }) => {
        const capture = Output.makeCapture({ headBytesMax: 1_000_000, tailBytesMax: 1_000_000 })
        for (const bytes of pieces) capture.add({ stream: "stdout", bytes })
        assert.deepStrictEqual(capture.result(), { stdout: text, stderr: "", truncated: none, tail: text })
      }),
      { numRuns: 200 }
    )
  })

  it("keeps the beginning and the end of a long one, never half a character", () => {
    FastCheck.assert(
      FastCheck.property(cut, FastCheck.integer({ min: 0, max: 20 }), ({ pieces, text }, bytesMax) => {
        const capture = Output.makeCapture({ headBytesMax: bytesMax, tailBytesMax: bytesMax })
        for (const bytes of pieces) capture.add({ stream: "stderr", bytes })
        const { stderr, tail, truncated: cut } = capture.result()
        const truncated = cut.stderr
        assert.isFalse(cut.stdout)
        assert.isTrue(text.startsWith(stderr) && text.endsWith(tail))
        assert.strictEqual(truncated, encode(text).length > bytesMax)
        for (const kept of [stderr, tail]) {
          const length = encode(kept).length
          assert.isTrue(truncated ? length <= bytesMax && length > bytesMax - 4 : kept === text)
        }
      }),
      { numRuns: 500 }
    )
  })

  it("does not keep alive the pieces it was given", () => {
    const capture = Output.makeCapture({ headBytesMax: 8, tailBytesMax: 8 })
    const bytes = encode("abcd")
    capture.add({ stream: "stdout", bytes })
    bytes.fill(0)
    assert.deepStrictEqual(capture.result(), { stdout: "abcd", stderr: "", truncated: none, tail: "abcd" })
  })

  it("splits lines wherever the pieces are cut", () => {
    FastCheck.assert(
      FastCheck.property(cut, ({ pieces, text }) => {
        const lines = Output.makeLines(1_000_000)
        const found = [...pieces.flatMap((bytes) => [...lines.add(bytes)]), ...lines.rest()]
        const expected = text.split("\n")
        if (expected.at(-1) === "") expected.pop()
        assert.deepStrictEqual(
          found,
          expected.map((line) => line.replace(/\r$/, ""))
        )
      }),
      { numRuns: 200 }
    )
  })

  it("leaves out a line that is too long, and goes on with the next", () => {
    const lines = Output.makeLines(5)
    assert.deepStrictEqual(lines.add(encode("12345\n1234")), ["12345"])
    assert.deepStrictEqual(lines.add(encode("56\nab\n")), ["ab"])
    assert.deepStrictEqual(lines.add(encode("123456")), [])
    assert.deepStrictEqual(lines.rest(), [])
  })

  it("lets lines through whole, the two streams apart", () => {
    const whole = Output.makeWholeLines(10)
    const add = (stream: "stdout" | "stderr", text: string) =>
      new TextDecoder().decode(whole.add({ stream, bytes: encode(text) }))
    assert.strictEqual(add("stdout", '{"a'), "")
    assert.strictEqual(add("stderr", "warning\nmo"), "warning\n")
    assert.strictEqual(add("stdout", '":1}\n{'), '{"a":1}\n')
    assert.strictEqual(add("stderr", "re, and more"), "more, and more")
    assert.strictEqual(add("stderr", "x"), "")
    assert.strictEqual(new TextDecoder().decode(whole.rest()), "{\nx")
  })
})
