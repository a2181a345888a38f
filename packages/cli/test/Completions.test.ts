import { assert, describe, it } from "@effect/vitest"
import { execFileSync } from "node:child_process"
import { root } from "../src/Cli.ts"
import { pathsOf } from "../src/CommandTree.ts"
import { completions, shells } from "../src/Render/Completions.ts"

const script = completions(root, "bash")

/** What bash offers for the last word of a command line. */
const offered = (line: string): ReadonlyArray<string> => {
  const words = line.split(" ")
  const ask = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length - 1}; _prodigy
printf '%s\\n' "\${COMPREPLY[@]}"`
  return execFileSync("bash", ["--norc", "-c", ask], { encoding: "utf8" })
    .split("\n")
    .filter((word) => word !== "")
}

describe("completions", () => {
  it("offer commands, their aliases and options in a real bash", () => {
    assert.deepStrictEqual(offered("prodigy expl"), ["explain"])
    assert.includeMembers([...offered("prodigy sessions ")], ["list", "ls", "show"])
    assert.deepStrictEqual(offered("prodigy sessions list --lim"), ["--limit"])
    assert.deepStrictEqual(offered("prodigy run -y --dry"), ["--dry-run"])
    assert.deepStrictEqual(offered("prodigy run --ver"), ["--version", "--verbose"])
    // Files, which bash adds by itself.
    assert.deepStrictEqual(offered("prodigy run migr"), [])
  })

  it("name every command and option, for every shell", () => {
    for (const shell of shells) {
      const text = completions(root, shell)
      for (const { leaf, path } of pathsOf(root)) {
        const at = path.slice(1).map(({ name }) => ` ${name}`)
        assert.include(text, `"${at.join("")}"`, shell)
        for (const { name } of leaf.flags) assert.include(text, shell === "fish" ? `-l ${name}` : `--${name}`, shell)
      }
    }
  })
})
