import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { nameOf } from "../src/CommandTree.ts"
import { root } from "../src/Cli.ts"
import { reference } from "../src/Reference.ts"
import { help } from "../src/Render/Help.ts"
import { plain } from "../src/Render/Style.ts"
import * as Text from "../src/Render/Text.ts"

describe("Reference", () => {
  it("is what docs/cli-reference.md says (npm run docs writes it)", () => {
    const page = readFileSync(new URL("../../../docs/cli-reference.md", import.meta.url), "utf8")
    assert.strictEqual(page, reference)
  })

  it("has help that fits a screen of 24 lines and 80 columns for every command, with an example", () => {
    const check = (path: ReadonlyArray<typeof root | (typeof root.children)[number]>): void => {
      const node = path.at(-1) ?? root
      const name = nameOf(path)
      const lines = help(path, plain).split("\n")
      assert.isAtMost(lines.length, 24, `${name}\n${lines.join("\n")}`)
      assert.isAtLeast(node.examples.length, 1, name)
      for (const line of lines) assert.isAtMost(Text.width(line), 80, `${name}: ${line}`)
      if (node._tag === "Group") for (const child of node.children) check([...path, child])
    }
    check([root])
  })
})
