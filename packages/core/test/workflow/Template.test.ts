import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Template from "@prodigy/core/workflow/Template"
import type { Scope } from "@prodigy/core/workflow/Variables"

const scope: Scope = {
  author: {
    NAME: "prodigy",
    _x1: "under",
    ARG: "argument",
    "map.total": 3,
    map: { failed: 1, total: "shadowed" },
    env: { HOME: "/home/dana" }
  },
  data: {
    item: {
      path: "src/a.ts",
      count: 8.0,
      ratio: 0.5,
      ok: true,
      none: null,
      empty: "",
      nothing: [],
      bare: {},
      tags: ["a", "b c", 'd"e', 1, null, false],
      nested: [{ id: 1 }, { id: 2 }],
      deep: { a: [{ b: "found" }] },
      "odd key": "odd",
      emoji: "👩‍💻é"
    },
    files: ["README.md", "src/a.ts", "src/lib/b.ts", "src/lib/b.test.tsx"],
    build: { output: "built" }
  }
}

describe("Template", () => {
  it.each([
    ["plain text", "plain text"],
    ["${item.path}", "src/a.ts"],
    ["$NAME and ${NAME}, $_x1", "prodigy and prodigy, under"],
    ["$NAME.txt ${env.HOME}/x", "prodigy.txt /home/dana/x"],
    ["${item.count} ${item.ratio} ${item.ok} [${item.none}]", "8 0.5 true []"],
    ["${item.tags}", 'a, b c, d"e, 1, , false'],
    ["${item.nested}", '[{"id":1},{"id":2}]'],
    ["${item.deep}", '{"a":[{"b":"found"}]}'],
    ["${item.deep.a[0].b} ${item.deep.a.0.b} ${item.tags[-1]} ${item.tags.1}", "found found false b c"],
    ['${item["odd key"]}', "odd"],
    ["${map.total} ${map.failed}", "3 1"],
    ["${build.output}", "built"]
  ])("gives values their plain form: %j", (template, expected) => {
    assert.deepStrictEqual(Template.render(template, scope), Either.right(expected))
  })

  it.each([
    ["${item.tags:json}", '["a","b c","d\\"e",1,null,false]'],
    ["${item.path:json}", '"src/a.ts"'],
    ["${item.tags:lines}", 'a\nb c\nd"e\n1\n\nfalse'],
    ["${item.nested:lines}", '{"id":1}\n{"id":2}'],
    ["${item.tags:csv}", 'a,b c,"d""e",1,,false'],
    ["${#item.tags} ${#item.emoji} ${#item.deep} ${#item.none} ${#item.count}", "6 4 1 0 1"],
    ["${files:*.ts}", "src/a.ts, src/lib/b.ts"],
    ["${files:src/*.ts}", "src/a.ts"],
    ["${files:src/**/*.{ts,tsx}}", "src/a.ts, src/lib/b.ts, src/lib/b.test.tsx"],
    ["${#files:src/**}", "3"],
    ["${files:*.rs:-none}", "none"],
    ["${raw:item.path}", "src/a.ts"]
  ])("gives values the form asked for: %j", (template, expected) => {
    assert.deepStrictEqual(Template.render(template, scope), Either.right(expected))
  })

  it.each([
    ["${nope:-d}${nope.deep:-e}", "de"],
    ["${item.none:-a}${item.empty:-b}${item.nothing:-c}${item.bare:-d}", "abcd"],
    ["${item.path:-d}${item.ok:-d}", "src/a.tstrue"],
    ["[${nope:-}]", "[]"],
    ["${nope:-${item.path}}", "src/a.ts"],
    ["${nope:-${nope2:-$NAME!}}", "prodigy!"],
    ['${nope:-{"a": {"b": 1}}}', '{"a": {"b": 1}}'],
    ["${nope:-\\}\\{}", "}{"],
    ["${nope:-a:-b:c}", "a:-b:c"],
    ["${item.none:json:-d}", "d"],
    ["${item.path:-${nope}}", "src/a.ts"]
  ])("puts the default for what is missing, null or empty: %j", (template, expected) => {
    assert.deepStrictEqual(Template.render(template, scope), Either.right(expected))
  })

  it.each([
    ["\\${item.path}", "${item.path}"],
    ["\\$NAME", "$NAME"],
    ["\\\\${NAME}", "\\prodigy"],
    ["\\\\\\${NAME}", "\\${NAME}"],
    ["C:\\dir \\n \\\\server", "C:\\dir \\n \\\\server"],
    ["$5, $1.50, 5$", "$5, $1.50, 5$"],
    ["$(date) $? $$ $@", "$(date) $? $$ $@"],
    ["$${NAME}", "$prodigy"],
    ["{item.path} }{", "{item.path} }{"]
  ])("takes for text what is escaped or starts nothing: %j", (template, expected) => {
    assert.deepStrictEqual(Template.render(template, scope), Either.right(expected))
  })

  it.each([
    ["Fix ${item.pth}", "${item.pth}", 4, ["item.path"]],
    ["$NAM", "$NAM", 0, ["NAME", "map"]],
    ["${ITEM.path}", "${ITEM.path}", 0, ["item.path", "item.bare", "item.ratio"]],
    ["${nope:-${itm}}", "${itm}", 8, ["item"]],
    ["${zzzzzzzz}", "${zzzzzzzz}", 0, []],
    ["${item.tags[9]}", "${item.tags[9]}", 0, ["item.tags"]],
    ["${item.constructor}", "${item.constructor}", 0, []],
    ["${toString}", "${toString}", 0, []]
  ])("names near variables when one is unknown: %j", (template, placeholder, offset, suggestions) => {
    const error = Either.flip(Template.render(template, scope)).pipe(Either.getOrThrow)
    assert.strictEqual(error.reason, "unknown_variable")
    assert.strictEqual(error.placeholder, placeholder)
    assert.strictEqual(error.offset, offset)
    assert.deepStrictEqual(error.suggestions, suggestions)
    for (const suggestion of suggestions) {
      assert.include(error.message, suggestion)
    }
  })

  it.each([
    ["a ${", 2],
    ["a ${item", 2],
    ["${}", 0],
    ["${1}", 0],
    ["${ item }", 0],
    ["${$.a}", 0],
    ["${item.}", 0],
    ["${item[}", 0],
    ["${X%.*}", 0],
    ["${item:}", 0],
    ["${item::-x}", 0],
    ["${nope:-${}}", 8],
    ["${item:*.ts}", 0]
  ])("says where a placeholder cannot be read: %j", (template, offset) => {
    const error = Either.flip(Template.render(template, scope)).pipe(Either.getOrThrow)
    assert.strictEqual(error.reason, "syntax")
    assert.strictEqual(error.offset, offset)
    assert.notStrictEqual(error.detail, "")
  })

  it("leaves text without dollar signs as it is", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary" }), (text) => {
        const template = text.replaceAll("$", "")
        assert.deepStrictEqual(Template.render(template, scope), Either.right(template))
      })
    )
  })

  it("gives back any text that was escaped", () => {
    const text = FastCheck.array(FastCheck.constantFrom("$", "\\", "{", "}", "NAME", ":-", "a", "${", "$NAME"))
    FastCheck.assert(
      FastCheck.property(text, (parts) => {
        const wanted = parts.join("")
        const template = wanted.replaceAll(/(\\*)\$/g, (_, slashes: string) => `${slashes}${slashes}\\$`)
        assert.deepStrictEqual(Template.render(template, scope), Either.right(wanted))
      })
    )
  })

  it("never fills in what a value holds", () => {
    const value = FastCheck.array(FastCheck.constantFrom("${item}", "$NAME", "\\", "${", "}", "text")).map((parts) =>
      parts.join("")
    )
    FastCheck.assert(
      FastCheck.property(value, (item) => {
        const rendered = Template.render("<${item}|${nope:-${item}}>", { author: { NAME: "x" }, data: { item } })
        assert.deepStrictEqual(rendered, Either.right(`<${item}|${item}>`))
      })
    )
  })

  it("finds unknown names and bad syntax before there are values", () => {
    const template = "${item.anything} ${steps.a.output} ${itm.x} $NOPE ${nope:-${nope2}} \\${no} ${nope:-x}"
    assert.deepStrictEqual(
      Template.check(template, ["item", "steps.a", "NAME"]).map((error) => [error.placeholder, error.offset]),
      [
        ["${itm.x}", template.indexOf("${itm")],
        ["$NOPE", template.indexOf("$NOPE")],
        ["${nope2}", template.indexOf("${nope2")]
      ]
    )
    assert.deepStrictEqual(
      Template.check("${item ok", ["item"]).map((error) => error.reason),
      ["syntax"]
    )
    assert.deepStrictEqual(Template.check("nothing", []), [])
  })

  it("lists placeholders in their order", () => {
    assert.deepStrictEqual(
      Either.map(Template.placeholders("$A ${b.c:-${d} $E} \\$F"), (found) => found.map(({ name }) => name)),
      Either.right(["A", "b.c", "d", "E"])
    )
  })
})
