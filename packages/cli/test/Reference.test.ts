import { assert, describe, it } from "@effect/vitest"
import { readFileSync } from "node:fs"
import { leavesOf } from "../src/CommandTree.ts"
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

  it("has help that fits a screen for every command", () => {
    for (const node of [root, ...root.children, ...leavesOf(root)]) {
      const lines = help([root, node], plain).split("\n")
      assert.isAtMost(lines.length, 30, node.name)
      assert.isAtLeast(node.examples.length, 1, node.name)
      for (const line of lines) assert.isAtMost(Text.width(line), 100, line)
    }
  })
})
