import type { Json } from "@prodigy/core/domain/WorkItem"
import * as Expression from "@prodigy/core/workflow/Expression"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const parse = (source: string) => Either.getOrThrowWith(Expression.parse(source), (error) => new Error(error.message))

const evaluate = (source: string, context: Readonly<Record<string, Json>> = {}) => parse(source).evaluate(context)

const evaluatesTo = (context: Readonly<Record<string, Json>>, table: Readonly<Record<string, Json>>) => {
  for (const [source, value] of Object.entries(table)) {
    assert.deepStrictEqual(evaluate(source, context), value, source)
  }
}

const failure = (source: string) => Either.getOrThrow(Either.flip(Expression.parse(source)))

const failsAt = (source: string, column: number, detail: string) => {
  const error = failure(source)
  assert.strictEqual(error._tag, "ExpressionError")
  assert.include(error.detail, detail, source)
  assert.strictEqual(error.column, column, source)
}

describe("Expression", () => {
  describe("values", () => {
    it("reads literals and arrays", () => {
      evaluatesTo(
        {},
        {
          "1": 1,
          "1.5e2": 150,
          "-3": -3,
          "-0": 0,
          true: true,
          false: false,
          null: null,
          "'it\\'s'": "it's",
          '"a\\n\\u0041\\\\"': "a\nA\\",
          '"^\\d+$"': "^\\d+$",
          "[]": [],
          '[1, "a", [null], ]': [1, "a", [null]],
          " ( 1 ) ": 1
        }
      )
    })

    it("follows paths, and a missing field is null", () => {
      const context = { a: { b: [10, { c: "x" }], "odd key": 1, "0": "zero" }, list: [1, 2, 3] }
      evaluatesTo(context, {
        "a.b[0]": 10,
        "a.b.1.c": "x",
        "list[-1]": 3,
        'a["odd key"]': 1,
        "a['odd key']": 1,
        "a.0": "zero",
        "a.none.deeper": null,
        none: null,
        "list[9]": null,
        "a.toString": null,
        "$.a.b[0]": 10,
        "${a.b[0]} == 10": true,
        "$list[0] + ${list[1]}": 3
      })
    })

    it("reads names with an inner minus, and a minus after a space", () => {
      const context = { steps: { "run-tests": { exit_code: 0 } }, a: 5, "a-1": "name" }
      evaluatesTo(context, { "steps.run-tests.exit_code == 0": true, "a - 1": 4, "a -1": 4, "a-1": "name" })
    })

    it("makes the prefixes of an item optional", () => {
      const item = { score: 7, item: { score: 8 }, in: 9 }
      evaluatesTo({ item }, { "item.score": 7, "$.score": 7, score: 7, "$.item.score": 8, "item.item.score": 8 })
      evaluatesTo({ item }, { "$.in": 9, "item.in": 9, "item.none": null, none: null })
      evaluatesTo({ item: "line" }, { item: "line", $: "line", "length(item)": 4, x: null })
    })

    it("looks up the context before the item", () => {
      const context = { item: { a: "item", b: "item" }, a: "context" }
      evaluatesTo(context, { a: "context", "item.a": "item", "$.a": "item", b: "item", "a.b": null })
    })

    it("knows names with dots, as templates do", () => {
      const context = { "setup.output": "ok", "steps.a": { exit_code: 1 }, steps: { a: { success: true }, b: 2 } }
      evaluatesTo(context, {
        "setup.output == 'ok'": true,
        "steps.a.exit_code": 1,
        "steps.a.success": true,
        "$.steps.b": 2,
        "exists(setup.none)": false
      })
    })
  })

  describe("comparing", () => {
    it("compares numbers as numbers and strings by code point", () => {
      evaluatesTo(
        { s: "5" },
        {
          "5 == 5.0": true,
          "10 > 9": true,
          "'10' > '9'": false,
          "'a' < 'b'": true,
          "'\uffff' < '\u{10000}'": true,
          "'a' <= 'a'": true,
          "2 >= 3": false,
          "2 != 3": true
        }
      )
    })

    it("is false for unlike types, never an exception", () => {
      const values = ["1", "'1'", "true", "null", "[1]", "object"]
      for (const left of values) {
        for (const right of values) {
          if (left !== right) {
            for (const operator of [
              "==",
              "<",
              "<=",
              ">",
              ">=",
              "in",
              "contains",
              "starts_with",
              "ends_with",
              "matches"
            ]) {
              const isElement =
                (operator === "in" && left === "1" && right === "[1]") ||
                (operator === "contains" && left === "[1]" && right === "1")
              if (!(operator === "matches" && right === "'1'")) {
                const source = `${left} ${operator} ${right}`
                assert.strictEqual(evaluate(source, { object: { a: 1 } }), isElement, source)
              }
            }
            assert.isTrue(evaluate(`${left} != ${right}`, { object: { a: 1 } }))
          }
        }
      }
    })

    it("orders nothing but numbers and strings", () => {
      evaluatesTo({}, { "null <= null": false, "true >= true": false, "[1] <= [1]": false, "none < 5": false })
    })

    it("compares arrays and objects deeply", () => {
      const context = { a: { x: [1, { y: null }] }, b: { x: [1, { y: null }] }, c: { x: [1, {}] } }
      evaluatesTo(context, { "a == b": true, "a == c": false, "[1, [2]] == [1, [2]]": true, "[1] == [1, 1]": false })
    })

    it("looks into strings and arrays", () => {
      const context = { tags: ["a", "b"], name: "src/main.ts" }
      evaluatesTo(context, {
        "'a' in tags": true,
        "'z' in tags": false,
        "'z' not in tags": true,
        "name in ['x', 'src/main.ts']": true,
        "tags contains 'b'": true,
        "tags contains 'c'": false,
        "name contains 'main'": true,
        "name starts_with 'src/'": true,
        "name ends_with '.js'": false,
        "contains(name, 'main')": true,
        "contains(tags, 'b')": true,
        "starts_with(name, 'src/')": true,
        "ends_with(name, '.ts')": true
      })
    })

    it("tells null from something", () => {
      evaluatesTo(
        { a: null, b: 0 },
        {
          "a is null": true,
          "missing is null": true,
          "b is null": false,
          "b is not null": true,
          "is_null(a)": true,
          "a == null": true,
          "exists(a)": true,
          "exists(missing)": false,
          "not exists(b.c)": true
        }
      )
    })
  })

  describe("patterns", () => {
    it("matches anywhere in a string, infix and as a function", () => {
      const context = { path: "src/a-12.ts", pattern: "^src", broken: "(" }
      evaluatesTo(context, {
        'path matches "\\d+\\.ts$"': true,
        "path matches '^a'": false,
        "matches(path, '^src/')": true,
        "path matches pattern": true,
        "path matches broken": false,
        "missing matches 'x'": false
      })
    })

    it("needs no time that grows with the pattern", () => {
      const context = { text: "a".repeat(100_000) }
      assert.isFalse(evaluate("text matches '^(a+)+$b'", context))
      assert.isTrue(evaluate("text matches '^(a|aa)+$'", context))
    })

    it("refuses a written pattern that it cannot honour, at its column", () => {
      failsAt("name matches '('", 14, "not a supported pattern")
      failsAt("matches(name, '(?=x)')", 15, "not a supported pattern")
      failsAt("a matches '(a)\\1'", 11, "not a supported pattern")
      failsAt("a matches 'x{5000}'", 11, "not a supported pattern")
    })
  })

  describe("functions", () => {
    it("tells types apart", () => {
      const values: Readonly<Record<string, Json>> = {
        is_string: "",
        is_number: 0,
        is_bool: false,
        is_array: [],
        is_object: {},
        is_null: null
      }
      for (const name of Object.keys(values)) {
        for (const [other, value] of Object.entries(values)) {
          assert.strictEqual(evaluate(`${name}(v)`, { v: value }), name === other, `${name} of ${other}`)
        }
      }
    })

    it("measures and changes case", () => {
      evaluatesTo(
        { text: "aß💡", list: [1, 2], object: { a: 1 } },
        {
          "length(text)": 3,
          "length(list)": 2,
          "length(object)": 1,
          "length(5)": null,
          "length(missing) > 0": false,
          "upper('abc')": "ABC",
          "lower('ABC') == 'abc'": true,
          "lower(5)": null
        }
      )
    })
  })

  describe("arithmetic", () => {
    it("calculates with numbers only", () => {
      evaluatesTo(
        { a: 7, s: "7" },
        {
          "a + 1": 8,
          "a - 1 - 1": 5,
          "a * 2 / 4": 3.5,
          "a % 4": 3,
          "-a": -7,
          "s + 1": null,
          "missing * 2": null,
          "a / 0": null,
          "a % 0": null,
          "0 * -1": 0,
          "1e308 * 10": null
        }
      )
    })
  })

  describe("truth", () => {
    it("counts empty things, zero and the text false as false", () => {
      for (const value of [null, false, 0, "", "false", [], {}]) {
        assert.isFalse(parse("v").test({ v: value }), JSON.stringify(value))
        assert.isTrue(parse("!v").test({ v: value }), JSON.stringify(value))
      }
      for (const value of [true, 1, -1, "0", "no", [null], { a: null }]) {
        assert.isTrue(parse("v").test({ v: value }), JSON.stringify(value))
      }
    })

    it("gives booleans for and, or and not", () => {
      evaluatesTo(
        { a: "x", b: 0 },
        { "a and b": false, "a or b": true, "a && 1": true, "b || 0": false, "not b": true }
      )
    })
  })

  describe("precedence", () => {
    const booleans = [true, false]
    const contexts = booleans.flatMap((a) =>
      booleans.flatMap((b) => booleans.flatMap((c) => [2, 3].map((n) => ({ a, b, c, n }))))
    )

    it("binds the loosest first: or, and, not, comparison, sum, product, prefix", () => {
      const table: ReadonlyArray<readonly [string, string]> = [
        ["a or b and c", "a or (b and c)"],
        ["a and b or c", "(a and b) or c"],
        ["a || b && c", "a || (b && c)"],
        ["a && b || c", "(a && b) || c"],
        ["not b and c", "(not b) and c"],
        ["not b or a", "(not b) or a"],
        ["!b and c", "(!b) and c"],
        ["not n == 3", "not (n == 3)"],
        ["!n == false", "(!n) == false"],
        ["n + 1 == 3", "(n + 1) == 3"],
        ["3 == n + 1", "3 == (n + 1)"],
        ["1 + n * 3", "1 + (n * 3)"],
        ["n * 3 + 1", "(n * 3) + 1"],
        ["7 - n - 1", "(7 - n) - 1"],
        ["8 / n / 2", "(8 / n) / 2"],
        ["-n + 1", "(-n) + 1"],
        ["n in [1, 2] and a", "(n in [1, 2]) and a"],
        ["n is null or a", "(n is null) or a"],
        ["not n in [3]", "not (n in [3])"]
      ]
      for (const [short, explicit] of table) {
        for (const context of contexts) {
          assert.deepStrictEqual(evaluate(short, context), evaluate(explicit, context), short)
        }
      }
      evaluatesTo(
        { a: true, b: true, c: false, n: 2 },
        { "a or b and c": true, "1 + n * 3": 7, "7 - n - 1": 4, "not n == 3": true, "!n == false": true }
      )
    })

    it("means the same with every parenthesis as with only the needed ones", () => {
      FastCheck.assert(
        FastCheck.property(tree, contextOf, (tree, context) => {
          const full = parse(printFull(tree))
          const minimal = parse(print(tree, 0))
          assert.deepStrictEqual(minimal.evaluate(context), full.evaluate(context))
          assert.strictEqual(minimal.test(context), full.test(context))
        }),
        { numRuns: 500 }
      )
    })
  })

  describe("errors", () => {
    it("says what is wrong at its column", () => {
      failsAt("", 1, "the expression is empty")
      failsAt("   ", 4, "the expression is empty")
      failsAt("a = 1", 3, "did you mean ==?")
      failsAt("a === 1", 3, "did you mean ==?")
      failsAt("a <> 1", 3, "did you mean !=?")
      failsAt("a & b", 3, "did you mean &&?")
      failsAt("a =~ 'x'", 3, "did you mean matches?")
      failsAt("a == 'x", 6, "unterminated string")
      failsAt("a == 1 b", 8, "expected an operator or the end, found b")
      failsAt("a == 1 AND b", 8, "did you mean and?")
      failsAt("a start_with 'x'", 3, "did you mean starts_with?")
      failsAt("a ==", 5, "expected a value, found the end")
      failsAt("a == == b", 6, "expected a value, found ==")
      failsAt("(a", 3, "expected ) to close the ( at column 1")
      failsAt("a)", 2, "expected an operator or the end, found )")
      failsAt("[1, 2", 6, "expected ] or a comma")
      failsAt("a < b < c", 7, "< cannot follow a comparison")
      failsAt("a is 5", 6, "expected null or not null")
      failsAt("a not b", 7, "expected in after not")
      failsAt("and b", 1, "a field of that name is $.and")
      failsAt("a.", 3, "after the dot")
      failsAt("a[x]", 3, "expected an index")
      failsAt("12abc", 3, "in a number")
      failsAt("1e999", 1, "too large")
      failsAt("a @ b", 3, "unexpected character")
      failsAt("a == {}", 6, "unexpected character")
      failsAt("${a:-b} == 1", 4, "only a path may stand in")
      failsAt("'${a}' == 'x'", 1, "write ${a} without the quotes")
    })

    it("names the nearest function and the arguments it takes", () => {
      failsAt("lenght(a) > 1", 1, "there is no function lenght(): did you mean length()?")
      failsAt("a and isnull(b)", 7, "did you mean is_null()?")
      failsAt("frobnicate(b)", 1, "there is no function frobnicate()")
      assert.notInclude(failure("frobnicate(b)").detail, "did you mean")
      failsAt("length()", 1, "takes 1 argument, not 0")
      failsAt("contains(a)", 1, "takes 2 arguments, not 1")
      failsAt("exists(1)", 8, "takes a path")
    })

    it("points at the column in its message", () => {
      assert.strictEqual(failure("a == 1 and\nb = 1\n").message, "unexpected =: did you mean ==?\n  b = 1\n    ^")
      assert.strictEqual(failure("a = 1").message, "unexpected =: did you mean ==?\n  a = 1\n    ^")
    })

    it("bounds nesting and length, but not the length of a chain", () => {
      for (const [open, close] of [
        ["(", ")"],
        ["[", "]"],
        ["!", ""],
        ["- ", ""],
        ["not ", ""],
        ["length(", ")"]
      ]) {
        assert.include(failure(`${open?.repeat(5000)}a${close?.repeat(5000)}`).detail, "nested more than")
      }
      assert.include(failure("a".repeat(100_000)).detail, "more than 65536")
      assert.strictEqual(evaluate(Array.from({ length: 8000 }, () => "1").join(" + ")), 8000)
      assert.isTrue(evaluate(`${"a or ".repeat(8000)} true`))
      assert.isFalse(evaluate(`${"true and ".repeat(7000)} a`))
    })

    it("has a stack that is deep enough for the deepest nesting", () => {
      const level = "a or a and not a == a + a * - ("
      assert.isBoolean(evaluate(`${level.repeat(33)}a${")".repeat(33)}`))
    })
  })

  describe("totality", () => {
    it("reads any text without throwing", () => {
      FastCheck.assert(
        FastCheck.property(FastCheck.oneof(FastCheck.string({ unit: "binary" }), soup), (source) => {
          const result = Expression.parse(source)
          if (Either.isLeft(result)) {
            assert.isTrue(result.left.column >= 1 && result.left.column <= source.length + 1)
          } else {
            isJson(result.right.evaluate({ item: { a: 1 } }))
          }
        }),
        { numRuns: 1000 }
      )
    })

    it("gives JSON for any JSON", () => {
      FastCheck.assert(
        FastCheck.property(
          tree,
          FastCheck.dictionary(FastCheck.constantFrom("a", "b", "item"), json),
          (tree, context) => {
            isJson(parse(printFull(tree)).evaluate(context))
          }
        ),
        { numRuns: 500 }
      )
    })

    it("does not tire of deep values", () => {
      let deep: Json = null
      for (let depth = 0; depth < 50_000; depth++) {
        deep = depth % 2 === 0 ? [deep] : { a: deep }
      }
      assert.isTrue(evaluate("a == b and a in [b] and length(a) == 1", { a: deep, b: deep }))
    })
  })
})

/** Text made of what expressions are made of: far more often nearly right than random characters. */
const soup = FastCheck.array(
  FastCheck.constantFrom(
    ..."a b.c item $ ${a} ${ } $a [0] [ ] ( ) , . ! - + * / % == != < <= = and or not in is null true contains".split(
      " "
    ),
    ..."matches starts_with length( exists( 'x' \"y\" ' \" \\ 1 2.5 1e5 '(' '[a' is_null( 💡 \ud800".split(" ")
  ),
  { maxLength: 12 }
).map((words) => words.join(" "))

const json = FastCheck.jsonValue({ maxDepth: 3 }).map((value): Json => JSON.parse(JSON.stringify(value)))

const isJson = (value: Json) => assert.deepStrictEqual(JSON.parse(JSON.stringify(value)), value)

type Tree =
  | { readonly tag: "leaf"; readonly text: string }
  | { readonly tag: "prefix"; readonly operator: "!" | "-" | "not"; readonly operand: Tree }
  | { readonly tag: "infix"; readonly operator: string; readonly left: Tree; readonly right: Tree }
  | { readonly tag: "isNull"; readonly text: string; readonly operand: Tree }
  | { readonly tag: "call"; readonly name: string; readonly operand: Tree }

const powers: Readonly<Record<string, number>> = {
  "||": 1,
  or: 1,
  "&&": 2,
  and: 2,
  not: 3,
  "+": 5,
  "-": 5,
  "*": 6,
  "/": 6,
  "%": 6
}

const comparison = 4

const operators = "|| or && and == != < <= > >= in not_in contains starts_with ends_with matches + - * / %"
  .split(" ")
  .map((operator) => operator.replace("not_in", "not in"))

const { tree } = FastCheck.letrec<{ tree: Tree }>((tie) => ({
  tree: FastCheck.oneof(
    { maxDepth: 5, depthSize: "medium" },
    FastCheck.constantFrom(
      "a",
      "b",
      "item.a",
      "$",
      "${a}",
      "a[0]",
      "1",
      "2.5",
      "'x'",
      '"1"',
      "null",
      "true",
      "[]",
      "[1, a]"
    ).map((text): Tree => ({ tag: "leaf", text })),
    FastCheck.record({
      tag: FastCheck.constant("infix" as const),
      operator: FastCheck.constantFrom(...operators),
      left: tie("tree"),
      right: tie("tree")
    }),
    FastCheck.record({
      tag: FastCheck.constant("prefix" as const),
      operator: FastCheck.constantFrom("!" as const, "-" as const, "not" as const),
      operand: tie("tree")
    }),
    FastCheck.record({
      tag: FastCheck.constant("isNull" as const),
      text: FastCheck.constantFrom("is null", "is not null"),
      operand: tie("tree")
    }),
    FastCheck.record({
      tag: FastCheck.constant("call" as const),
      name: FastCheck.constantFrom("length", "lower", "is_string", "is_null"),
      operand: tie("tree")
    })
  )
}))

const contextOf = FastCheck.dictionary(
  FastCheck.constantFrom("a", "b", "item"),
  FastCheck.oneof(
    FastCheck.constantFrom<Json>(0, 1, 2, -1, "", "1", "x", true, false, null, [], [1], ["x", 2], { a: 1 }),
    FastCheck.integer({ min: -5, max: 5 })
  )
)

const printFull = (tree: Tree): string => {
  switch (tree.tag) {
    case "leaf":
      return tree.text
    case "prefix":
      return `(${tree.operator} ${printFull(tree.operand)})`
    case "infix":
      return `(${printFull(tree.left)} ${tree.operator} ${printFull(tree.right)})`
    case "isNull":
      return `(${printFull(tree.operand)} ${tree.text})`
    case "call":
      return `${tree.name}(${printFull(tree.operand)})`
  }
}

const group = (text: string, power: number, min: number): string => (power < min ? `(${text})` : text)

const print = (tree: Tree, min: number): string => {
  switch (tree.tag) {
    case "leaf":
      return tree.text
    case "prefix": {
      const power = tree.operator === "not" ? 3 : 7
      return group(`${tree.operator} ${print(tree.operand, power)}`, power, min)
    }
    case "infix": {
      const power = powers[tree.operator] ?? comparison
      const left = print(tree.left, power === comparison ? power + 1 : power)
      return group(`${left} ${tree.operator} ${print(tree.right, power + 1)}`, power, min)
    }
    case "isNull":
      return group(`${print(tree.operand, comparison + 1)} ${tree.text}`, comparison, min)
    case "call":
      return `${tree.name}(${print(tree.operand, 0)})`
  }
}
