import * as CodeFrame from "@prodigy/core/workflow/CodeFrame"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"

const frame = (text: string, marked: string) => {
  const start = text.indexOf(marked)
  return CodeFrame.render(CodeFrame.sourceText(text), start, start + marked.length)
}

describe("CodeFrame", () => {
  it("counts lines and columns from one, columns in characters", () => {
    const source = CodeFrame.sourceText("a\n\n𝒳b\r\nlast")
    const places = [0, 1, 2, 3, 5, 6, 8, 12].map((offset) => CodeFrame.position(source, offset))
    assert.deepStrictEqual(
      places.map(({ column, line }) => `${line}:${column}`),
      ["1:1", "1:2", "2:1", "3:1", "3:2", "3:3", "4:1", "4:5"]
    )
    assert.deepStrictEqual(CodeFrame.position(source, 1000), { line: 4, column: 5 })
    assert.deepStrictEqual(CodeFrame.position(source, -1), { line: 1, column: 1 })
  })

  it("marks a stretch of one line, with the lines around it", () => {
    assert.strictEqual(
      frame("one\ntwo\nthree\nfour five\nsix\nseven\neight\n", "five"),
      ["  2 | two", "  3 | three", "> 4 | four five", "    |      ^^^^", "  5 | six", "  6 | seven"].join("\n")
    )
  })

  it("marks the first line of a stretch of several", () => {
    assert.strictEqual(frame("a: b\n  c\n", "b\n  c"), ["> 1 | a: b", "    |    ^", "  2 |   c"].join("\n"))
  })

  it("marks the end of a text, and an empty one", () => {
    const source = CodeFrame.sourceText("ab")
    assert.strictEqual(CodeFrame.render(source, 2, 2), "> 1 | ab\n    |   ^")
    assert.strictEqual(CodeFrame.render(CodeFrame.sourceText(""), 0, 0), "> 1 |\n    | ^")
    assert.strictEqual(CodeFrame.render(CodeFrame.sourceText("a\n"), 2, 2), "  1 | a\n> 2 |\n    | ^")
  })

  it("stands under wide characters, after tabs and over combining ones", () => {
    assert.strictEqual(frame("日本 x", "x"), "> 1 | 日本 x\n    |      ^")
    assert.strictEqual(frame("a 日本", "日本"), "> 1 | a 日本\n    |   ^^^^")
    assert.strictEqual(frame("a\tb\tx", "x"), "> 1 | a   b   x\n    |         ^")
    assert.strictEqual(frame("e\u0301 x", "x"), "> 1 | e\u0301 x\n    |   ^")
    assert.strictEqual(frame("🙂 x", "x"), "> 1 | 🙂 x\n    |    ^")
  })

  it("draws control and direction characters as dots", () => {
    assert.strictEqual(frame("\u001B[31m\u202Ex", "x"), "> 1 | ·[31m·x\n    |       ^")
  })

  it("cuts long lines around the spot", () => {
    const text = `${"a".repeat(500)}SPOT${"b".repeat(500)}\n${"c".repeat(500)}`
    const [marked = "", carets = "", after = ""] = frame(text, "SPOT").split("\n")
    assert.match(marked, /^> 1 \| …a{30}SPOTb+…$/)
    assert.strictEqual(marked.slice(carets.indexOf("^"), carets.lastIndexOf("^") + 1), "SPOT")
    assert.match(after, /^ {2}2 \| c{100}…$/)
  })

  it("draws any stretch of any text in lines of bounded width", () => {
    const text = FastCheck.string({ unit: "binary", maxLength: 400 })
    FastCheck.assert(
      FastCheck.property(text, FastCheck.nat(400), FastCheck.nat(400), (source, start, length) => {
        const drawn = CodeFrame.render(CodeFrame.sourceText(source), start, start + length).split("\n")
        assert.strictEqual(drawn.filter((line) => line.startsWith(">")).length, 1)
        assert.strictEqual(drawn.filter((line) => /^ +\| *\^+$/.test(line)).length, 1)
        // The bound is in columns: combining characters take none.
        assert.isTrue(drawn.every((line) => Array.from(line.replace(/[\p{Mn}\p{Me}\u200D]/gu, "")).length <= 120))
      }),
      { numRuns: 500 }
    )
  })
})
