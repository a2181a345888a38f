import { assert, describe, it } from "@effect/vitest"
import * as Glob from "@prodigy/core/workflow/Glob"

describe("Glob", () => {
  it.each([
    ["*.ts", "a.ts", true],
    ["*.ts", "src/lib/a.ts", true],
    ["*.ts", "a.tsx", false],
    ["a.ts", "aXts", false],
    ["src/*.ts", "src/a.ts", true],
    ["src/*.ts", "src/lib/a.ts", false],
    ["src/*.ts", "x/src/a.ts", false],
    ["src/**", "src/lib/a.ts", true],
    ["src/**/*.ts", "src/a.ts", true],
    ["src/**/*.ts", "src/x/y/a.ts", true],
    ["**/test/*.ts", "test/a.ts", true],
    ["**/test/*.ts", "pkg/x/test/a.ts", true],
    ["**/test/*.ts", "latest/a.ts", false],
    ["a/**/**/b", "a/b", true],
    ["?.md", "é.md", true],
    ["?.md", "ab.md", false],
    ["a?b/c", "a/b/c", false],
    ["*.{ts,js}", "x.js", true],
    ["*.{ts,js}", "x.css", false],
    ["{src,lib/*}/a", "lib/x/a", true],
    ["app/[id].tsx", "app/[id].tsx", true],
    ["app/[id].tsx", "app/i.tsx", false],
    ["a.{", "a.{", true],
    ["(a|b)+\\d", "(a|b)+\\d", true],
    ["*", "line\nbreak", true]
  ])("%j over %j: %s", (pattern, path, matches) => {
    assert.strictEqual(Glob.matcher(pattern)(path), matches)
  })
})
