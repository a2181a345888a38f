import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import type { Json } from "@prodigy/core/domain/WorkItem"
import * as ValuePath from "@prodigy/core/workflow/ValuePath"
import * as Variables from "@prodigy/core/workflow/Variables"

const path = (text: string): ValuePath.ValuePath => Either.getOrThrow(ValuePath.parse(text))

describe("Variables", () => {
  const scope: Variables.Scope = {
    author: { env: { X: "1" }, workflow: { name: "w", id: "from author" }, both: "author", "a.b": { c: "long" } },
    data: {
      item: { path: "p", list: [1, [2, 3]] },
      workflow: { id: "from data" },
      both: "data",
      a: { b: { d: "short" } }
    }
  }

  it.each<[string, Json, Variables.Origin]>([
    ["item.path", "p", "data"],
    ["item.list[1][0]", 2, "data"],
    ["item.list.1.-1", null, "data"],
    ["env.X", "1", "author"],
    ["both", "data", "data"],
    ["workflow.id", "from data", "data"],
    ["workflow.name", "w", "author"],
    ["a.b.c", "long", "author"],
    ["a.b.d", "short", "data"],
    ["a.b", { c: "long" }, "author"]
  ])("finds %s", (text, value, origin) => {
    const parsed = ValuePath.parse(text)
    if (Either.isLeft(parsed)) {
      assert.strictEqual(text, "item.list.1.-1")
      return
    }
    assert.deepStrictEqual(Variables.lookup(scope, parsed.right), { value, origin })
  })

  it("tells null from nothing", () => {
    const values: Variables.Scope = { author: {}, data: { none: null } }
    assert.deepStrictEqual(Variables.lookup(values, path("none")), { value: null, origin: "data" })
    assert.isUndefined(Variables.lookup(values, path("none.x")))
    assert.isUndefined(Variables.lookup(values, path("nothing")))
    assert.isUndefined(Variables.lookup(values, path("toString")))
  })

  it("lists names once, sorted", () => {
    assert.deepStrictEqual(Variables.names(scope), ["a", "a.b", "both", "env", "item", "workflow"])
  })

  it("suggests at most three names, the nearest first", () => {
    const near: Variables.Scope = { author: { paths: 1, pathy: 1, path: 1, other: 1 }, data: {} }
    assert.deepStrictEqual(Variables.suggest(near, "pathh"), ["path", "paths", "pathy"])
    assert.deepStrictEqual(Variables.suggest(scope, "Item.Path"), ["item.path"])
    assert.deepStrictEqual(Variables.suggest(scope, "nothing like it"), [])
  })

  it("lets later values win, each origin for itself", () => {
    const extended = Variables.extend(scope, { data: { both: 1 }, author: { more: 2 } })
    assert.deepStrictEqual(Variables.lookup(extended, path("both")), { value: 1, origin: "data" })
    assert.strictEqual(extended.author["both"], "author")
    assert.strictEqual(extended.author["more"], 2)
    assert.deepStrictEqual(Variables.extend(Variables.empty, {}), Variables.empty)
  })
})
