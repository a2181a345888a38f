import { assert, describe, it } from "@effect/vitest"
import * as ScriptText from "@prodigy/core/workflow/ScriptText"
import * as ShellText from "@prodigy/core/workflow/ShellText"
import type * as Variables from "@prodigy/core/workflow/Variables"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import { execFileSync } from "node:child_process"

const scope: Variables.Scope = {
  author: { TARGET: "v2", item_index: 3, workflow: { name: "w" } },
  data: { item: { path: "a'; process.exit(9); '", n: 5 }, found: ["a", "b"] }
}

const render = (script: string, interpreter: string | null = "node") =>
  Either.map(ScriptText.render({ script, interpreter }, scope), (text) => text.script)

const refused = (script: string) => {
  const text = render(script)
  assert(Either.isLeft(text), `taken: ${Either.getOrNull(text)}`)
  return text.left
}

describe("ScriptText", () => {
  it("knows shells by their names", () => {
    for (const shell of [null, "sh", "bash -e", "/bin/dash", "/usr/bin/env bash", "/usr/bin/env -S A=1 zsh -f"]) {
      assert.isTrue(ScriptText.isShell(shell), String(shell))
    }
    for (const other of ["python3", "node", "/usr/bin/perl -w", "env python3", "fish", "bash5x", ""]) {
      assert.isFalse(ScriptText.isShell(other), other)
    }
  })

  it("gives shells what ShellText gives them", () => {
    const script = "echo '${item.path}' \"$TARGET\""
    assert.deepStrictEqual(
      ScriptText.render({ script, interpreter: "bash -e" }, scope),
      ShellText.render(script, scope)
    )
  })

  it("inserts what the author wrote, lengths and what is marked as raw", () => {
    assert.deepStrictEqual(
      render("a($TARGET, ${item_index}, ${workflow.name}, ${#found}, ${raw:item.n}, ${no.x:-${TARGET}})"),
      Either.right("a(v2, 3, w, 2, 5, v2)")
    )
  })

  it("leaves the language its own dollar signs and backslashes, byte for byte", () => {
    const script = 'const a = `${x} ${y + 1} $z` // don\'t "\\n" \\\\ \\$ {$} ${'
    assert.deepStrictEqual(render(script), Either.right(script))
    assert.deepStrictEqual(
      render("`\\${item.path} \\$TARGET \\\\$TARGET`"),
      Either.right("`${item.path} $TARGET \\\\v2`")
    )
  })

  it("refuses a value from outside wherever it stands, and says what to do", () => {
    for (const script of ["f('${item.path}')", "# ${item.n}", "$found", "${item:json}", "${no:-${item.path}}"]) {
      const error = refused(script)
      assert.strictEqual(error.reason, "unsafe_value")
      assert.include(error.message, "environment variable VALUE")
    }
    assert.strictEqual(refused("${itm.path}").reason, "unknown_variable")
  })

  it("never lets a value into a script of another interpreter", () => {
    const piece = FastCheck.constantFrom(
      "${",
      "}",
      "$item",
      "${item}",
      "${item.a}",
      "\\",
      "'",
      '"',
      "`",
      ":-",
      "x",
      "\n"
    )
    FastCheck.assert(
      FastCheck.property(FastCheck.array(piece, { maxLength: 12 }), (pieces) => {
        const item = "\u0001secret"
        const text = ScriptText.render(
          { script: pieces.join(""), interpreter: "python3" },
          { author: {}, data: { item: { a: item } } }
        )
        if (Either.isRight(text)) assert.notInclude(text.right.script, item)
      }),
      { numRuns: 500 }
    )
  })

  it("has in its advice what really hands a value over", () => {
    const value = "a'\n\\ ${x} \" `b`"
    const script = 'process.stdout.write(process.env.VALUE + "${TARGET}")'
    const text = Either.getOrThrow(render(script))
    assert.strictEqual(execFileSync("node", ["-e", text], { env: { VALUE: value }, encoding: "utf8" }), `${value}v2`)
  })
})
