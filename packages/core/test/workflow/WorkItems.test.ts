import type { Json } from "@prodigy/core/domain/WorkItem"
import type { Selection } from "@prodigy/core/workflow/Workflow"
import * as WorkItems from "@prodigy/core/workflow/WorkItems"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

const selection = (options: Partial<Selection>): Selection => ({
  source: { kind: "path_or_command", text: "items.json" },
  input_format: null,
  json_path: null,
  filter: null,
  sort_by: null,
  distinct: null,
  offset: 0,
  max_items: null,
  item_id: null,
  ...options
})

const select = (input: Json, options: Partial<Selection> = {}) =>
  Either.getOrThrowWith(WorkItems.select(input, selection(options)), (error) => new Error(error.message))

const data = (input: Json, options: Partial<Selection> = {}) => select(input, options).map((item) => item.data)

const selectError = (input: Json, options: Partial<Selection>) =>
  Either.getOrThrow(Either.flip(WorkItems.select(input, selection(options))))

const decode = (text: string, format: Parameters<typeof WorkItems.decode>[1]) =>
  Either.getOrThrowWith(WorkItems.decode(text, format, "input"), (error) => new Error(error.message))

const decodeError = (text: string, format: Parameters<typeof WorkItems.decode>[1]) =>
  Either.getOrThrow(Either.flip(WorkItems.decode(text, format, "data.txt")))

describe("WorkItems", () => {
  describe("formatOf", () => {
    it("goes by the extension, in capitals or not", () => {
      const formats = [
        "a.json",
        "a.JSONL",
        "a.ndjson",
        "a.yaml",
        "b/a.yml",
        "a.csv",
        "a.txt",
        "json",
        "x.json/list",
        "a."
      ]
      const expected = "json jsonl jsonl yaml yaml csv lines lines lines lines".split(" ")
      assert.deepStrictEqual<ReadonlyArray<string>>(formats.map(WorkItems.formatOf), expected)
    })
  })

  describe("decode", () => {
    it("reads JSON", () => {
      assert.deepStrictEqual(decode('\uFEFF{"items": [1, "a"]}\r\n', "json"), { items: [1, "a"] })
    })

    it("says where JSON goes wrong", () => {
      const error = decodeError('[\n  {"a": 1},\n  {"ä": 1,}\n]', "json")
      assert.strictEqual(error.where, "data.txt, line 3, column 11")
      assert.include(error.message, "map.input: not valid json: expected a key in double quotes")
      assert.include(decodeError(" \n", "json").detail, "the input is empty")
    })

    it("reads JSON lines, without the blank ones", () => {
      assert.deepStrictEqual(decode('{"a": 1}\r\n\r\n  \n"x"\n3', "jsonl"), [{ a: 1 }, "x", 3])
      assert.deepStrictEqual(decode("", "jsonl"), [])
    })

    it("says which JSON line goes wrong", () => {
      assert.strictEqual(decodeError('{"a": 1}\n\n{"a": }\n', "jsonl").where, "data.txt, line 3, column 7")
    })

    it("reads YAML 1.2 as JSON", () => {
      const yaml = "- {path: a.ts, when: 2020-01-01, yes: no}\n- &x [1, ~]\n- *x\n"
      assert.deepStrictEqual(decode(yaml, "yaml"), [
        { path: "a.ts", when: "2020-01-01", yes: "no" },
        [1, null],
        [1, null]
      ])
    })

    it("says where YAML goes wrong", () => {
      assert.strictEqual(decodeError("a: 1\nb: [1\n", "yaml").where, "data.txt, line 3, column 1")
      assert.strictEqual(decodeError("a: 1\na: 2\n", "yaml").where, "data.txt, line 2, column 1")
      assert.include(decodeError("- 1\n---\n- 2\n", "yaml").detail, "multiple documents")
      assert.include(decodeError("a: *nowhere", "yaml").detail, "nowhere")
      assert.deepStrictEqual(decode("? [1]\n: 2\n", "yaml"), { "[ 1 ]": 2 })
      assert.include(decodeError("# nothing\n", "yaml").detail, "the input is empty")
    })

    it("refuses aliases that multiply", () => {
      const levels = Array.from({ length: 12 }, (_, level) => `- &a${level + 1} [${`*a${level},`.repeat(9)}]`)
      assert.include(decodeError(`- &a0 [x]\n${levels.join("\n")}\n`, "yaml").detail, "alias")
    })

    it("reads CSV with a header into objects of strings", () => {
      const csv = '\uFEFFpath,note\r\na.ts,"one, ""two""\r\nthree"\r\n\r\nb.ts,\r\n'
      assert.deepStrictEqual(decode(csv, "csv"), [
        { path: "a.ts", note: 'one, "two"\r\nthree' },
        { path: "b.ts", note: "" }
      ])
      assert.deepStrictEqual(decode("path\n", "csv"), [])
    })

    it("says where CSV goes wrong", () => {
      assert.strictEqual(decodeError("a,b\n1,2\n3\n", "csv").where, "data.txt, line 3")
      assert.strictEqual(decodeError('a,b\n1,"2\n', "csv").where, "data.txt, line 2")
      assert.include(decodeError("a,b,a\n1,2,3\n", "csv").detail, `the header names "a" twice`)
      assert.include(decodeError("a,,c\n1,2,3\n", "csv").detail, "field 2 of the header has no name")
      assert.include(decodeError("", "csv").detail, "the input is empty")
    })

    it("reads lines as they are, without the blank ones", () => {
      assert.deepStrictEqual(decode("\uFEFFa b\r\n\n  c \n\t\nd", "lines"), ["a b", "  c ", "d"])
      assert.deepStrictEqual(decode("", "lines"), [])
    })

    it("refuses what JSON cannot hold", () => {
      assert.include(decodeError("[1e999]", "json").detail, "infinite")
      assert.include(decodeError("a: .nan", "yaml").detail, "not a number")
      assert.include(decodeError(`${"[".repeat(300)}${"]".repeat(300)}`, "json").detail, "nested more than 256")
      assert.include(decodeError("[".repeat(50_000), "yaml").detail, "nested more than 256")
    })

    it("refuses a whole number that it would round, and says where it is", () => {
      const error = decodeError('{"id": "1"}\n{"id": 12345678901234567890}', "jsonl")
      assert.strictEqual(error.where, "data.txt, line 2, column 8")
      assert.include(error.detail, "12345678901234567890 has too many digits and would become 12345678901234567000")
      assert.include(error.detail, "write it in quotes")
      assert.strictEqual(decodeError("[1,\n -9007199254740993]", "json").where, "data.txt, line 2, column 2")
      assert.strictEqual(decodeError("- a: 1\n- a: +9007199254740993\n", "yaml").where, "data.txt, line 2, column 6")
      // What is kept as it is, or is no whole number.
      const kept =
        '[9007199254740991,9007199254740992,-18446744073709552000,1e300,"a\\"9007199254740993",12345678901234567890.5,0.0000010634352099038187,1e-0000000000000007]'
      assert.deepStrictEqual(decode(kept, "json"), JSON.parse(kept))
      assert.deepStrictEqual(decode("['9007199254740993', 9007199254740992]", "yaml"), [
        "9007199254740993",
        9_007_199_254_740_992
      ])
    })

    it("gives back every JSON value that JSON and YAML can write", () => {
      FastCheck.assert(
        FastCheck.property(FastCheck.json(), (text) => {
          assert.deepStrictEqual(decode(text, "json"), JSON.parse(text))
          assert.deepStrictEqual(decode(`${text}\n${text}`, "jsonl"), [JSON.parse(text), JSON.parse(text)])
        })
      )
    })

    it("reads any text in any format without throwing", () => {
      FastCheck.assert(
        FastCheck.property(FastCheck.string({ unit: "binary" }), (text) => {
          for (const format of ["json", "jsonl", "yaml", "csv", "lines"] as const) {
            const result = WorkItems.decode(text, format, "input")
            assert.isTrue(Either.isLeft(result) || JSON.stringify(result.right) !== undefined)
          }
        })
      )
    })
  })

  describe("input", () => {
    it("is a list, and items are named by their place", () => {
      assert.deepStrictEqual<unknown>(select(["a", 5]), [
        { index: 0, id: "item_0", data: "a" },
        { index: 1, id: "item_1", data: 5 }
      ])
      assert.deepStrictEqual(select([]), [])
    })

    it("suggests a json_path when it is an object", () => {
      const error = selectError({ meta: { n: 1, rows: [] }, files: [1], "odd key": [] }, {})
      assert.strictEqual(
        error.message,
        `map.input: the input is an object, not a list: set json_path to $.files[*] or $["odd key"][*] or $.meta.rows[*] (items.json)`
      )
      assert.strictEqual(selectError("text", {}).detail, "the input is a string, not a list")
      assert.strictEqual(selectError(null, {}).detail, "the input is null, not a list")
    })

    it("finds with each suggested path what it names", () => {
      const input = { "a'b\"\\": [1, 2], plain: { "x y": [3] } }
      const paths = selectError(input, {}).detail.split("set json_path to ")[1]?.split(" or ") ?? []
      assert.deepStrictEqual(
        paths.map((json_path) => data(input, { json_path })),
        [[1, 2], [3]]
      )
    })
  })

  describe("json_path", () => {
    const input = {
      files: [
        { path: "a.ts", size: 3 },
        { path: "b.rs", size: 9 }
      ],
      none: []
    }

    it("selects nodes, or the elements of one array", () => {
      assert.deepStrictEqual(data(input, { json_path: "$.files[*].path" }), ["a.ts", "b.rs"])
      assert.deepStrictEqual(data(input, { json_path: "$.files" }), input.files)
      assert.deepStrictEqual(data(input, { json_path: "$.files[?@.size > 5].path" }), ["b.rs"])
      assert.deepStrictEqual(data(input, { json_path: "$..path" }), ["a.ts", "b.rs"])
      assert.deepStrictEqual(data(input, { json_path: "$.files[0]" }), [{ path: "a.ts", size: 3 }])
      assert.deepStrictEqual(data([[1], [2]], { json_path: "$[*]" }), [[1], [2]])
    })

    it("gives no items for a path that selects nothing", () => {
      assert.deepStrictEqual(data(input, { json_path: "$.missing[*]" }), [])
      assert.deepStrictEqual(data(input, { json_path: "$.none" }), [])
      assert.deepStrictEqual(data(null, { json_path: "$.x" }), [])
    })

    it("matches patterns in linear time", () => {
      const slow = [{ text: `${"a".repeat(50_000)}!` }, { text: "aab" }]
      assert.deepStrictEqual(data(slow, { json_path: "$[?match(@.text, '(a+)+b')].text" }), ["aab"])
      assert.deepStrictEqual(data(slow, { json_path: "$[?search(@.text, 'a!')]" }), [slow[0] ?? null])
      assert.deepStrictEqual(data(slow, { json_path: "$[?search(@.text, '(')]" }), [])
    })

    it("refuses a path that cannot be read", () => {
      for (const json_path of ["", "files", "$.", "$[", "$.files[?nope(@)]", "$[?", `$${"[0]".repeat(2000)}`]) {
        const error = selectError(input, { json_path })
        assert.strictEqual(error.option, "json_path", json_path)
        assert.strictEqual(error.reason, "syntax", json_path)
      }
      assert.strictEqual(selectError(input, { json_path: "$.files[?nope(@)]" }).column, 10)
      assert.include(selectError(input, { json_path: "files" }).detail, "expected '$'")
    })

    it("reaches as deep as an input may be", () => {
      let deep: Json = "end"
      for (let depth = 0; depth < 255; depth++) {
        deep = { a: deep }
      }
      assert.strictEqual(data(deep, { json_path: "$..a" }).length, 255)
      assert.deepStrictEqual(data(deep, { json_path: "$..[?@ == 'end']" }), ["end"])
    })
  })

  describe("filter", () => {
    it("keeps the items of which it is true", () => {
      const input = [{ n: 5, tags: ["x"] }, { n: 7 }, "line"]
      assert.deepStrictEqual(data(input, { filter: "item.n > 5" }), [{ n: 7 }])
      assert.deepStrictEqual(data(input, { filter: "tags contains 'x'" }), [input[0] ?? null])
      assert.deepStrictEqual(data(input, { filter: "$ == 'line'" }), ["line"])
    })

    it("points at what it cannot read", () => {
      const error = selectError([], { filter: "n = 5" })
      assert.strictEqual(error.message, `map.filter: unexpected =: did you mean ==? (column 3 of "n = 5")`)
      assert.strictEqual(error.column, 3)
    })
  })

  describe("sort_by", () => {
    const people = [
      { name: "b", age: 10 },
      { name: "a", age: 9 },
      { name: "c" },
      { name: "d", age: null },
      { name: "a", age: 100 }
    ]
    const sorted = (sort_by: string) =>
      data(people, { sort_by }).map((item) => people.findIndex((person) => person === item))

    it("sorts numbers as numbers, nulls last in both directions", () => {
      assert.deepStrictEqual(sorted("age"), [1, 0, 4, 2, 3])
      assert.deepStrictEqual(sorted("age DESC"), [4, 0, 1, 2, 3])
      assert.deepStrictEqual(sorted("item.age nulls first"), [2, 3, 1, 0, 4])
      assert.deepStrictEqual(sorted("$.age desc NULLS  FIRST"), [2, 3, 4, 0, 1])
    })

    it("sorts by several keys and keeps the order of equals", () => {
      assert.deepStrictEqual(sorted("name, age DESC"), [4, 1, 0, 2, 3])
      assert.deepStrictEqual(sorted("name ASC NULLS LAST , age"), [1, 4, 0, 2, 3])
      assert.deepStrictEqual(sorted("missing"), [0, 1, 2, 3, 4])
    })

    it("sorts whole items, unlike types by name", () => {
      const input: ReadonlyArray<Json> = ["10", { a: 1 }, 9, "9", null, true, 10, [1], false]
      const expected = [[1], false, true, 9, 10, { a: 1 }, "10", "9", null]
      assert.deepStrictEqual(data(input, { sort_by: "item" }), expected)
    })

    it("reads keys with their defaults", () => {
      const keys = Either.getOrThrow(WorkItems.parseSortBy(`a.b desc, item["x, y"] nulls first, descend`))
      assert.deepStrictEqual(keys, [
        { path: { rooted: true, segments: ["a", "b"] }, descending: true, nullsFirst: false },
        { path: { rooted: true, segments: ["x, y"] }, descending: false, nullsFirst: true },
        { path: { rooted: true, segments: ["descend"] }, descending: false, nullsFirst: false }
      ])
    })

    it("points at what it cannot read", () => {
      const fails = (text: string, column: number, detail: string) => {
        const error = Either.getOrThrow(Either.flip(WorkItems.parseSortBy(text)))
        assert.include(error.detail, detail, text)
        assert.strictEqual(error.column, column, text)
      }
      fails("", 1, "expected a path")
      fails("a,", 3, "expected a path")
      fails("a descending", 3, "expected ASC, DESC")
      fails("a DESC b", 8, "expected ASC, DESC")
      fails("a NULLS", 3, "expected ASC, DESC")
      fails("a; b", 2, "expected ASC, DESC")
    })

    it("agrees with a plain insertion sort", () => {
      const item = FastCheck.record(
        { k: FastCheck.constantFrom<Json>(null, 1, 2, 10, "a", "b", true, []), n: FastCheck.nat(3) },
        { requiredKeys: ["n"] }
      )
      FastCheck.assert(
        FastCheck.property(FastCheck.array(item), FastCheck.boolean(), (items, descending) => {
          const numbered = items.map((item, place) => ({ ...item, place }))
          const result = data(numbered, { sort_by: `k ${descending ? "DESC" : ""}, n` })
          assert.deepStrictEqual<unknown>(result, insertionSort(numbered, descending))
        })
      )
    })
  })

  describe("distinct", () => {
    it("keeps the first item of each value", () => {
      const input = [
        { k: 1, n: 0 },
        { k: "1", n: 1 },
        { k: 1.0, n: 2 },
        { n: 3 },
        { k: null, n: 4 },
        { k: { a: 1, b: 2 }, n: 5 },
        { k: { b: 2, a: 1 }, n: 6 }
      ]
      const kept = data(input, { distinct: "item.k" }).map((item) => input.findIndex((other) => other === item))
      assert.deepStrictEqual(kept, [0, 1, 3, 5])
      assert.deepStrictEqual(data(["a", "b", "a"], { distinct: "$" }), ["a", "b"])
    })
  })

  describe("order of the options", () => {
    it("is json_path, filter, sort, distinct, offset, max_items, then ids", () => {
      const input = { all: [5, 3, 8, 3, 1, 9].map((n) => ({ n })) }
      const items = select(input, {
        json_path: "$.all[*]",
        filter: "n < 9",
        sort_by: "n DESC",
        distinct: "n",
        offset: 1,
        max_items: 2
      })
      assert.deepStrictEqual<unknown>(items, [
        { index: 0, id: "item_0", data: { n: 5 } },
        { index: 1, id: "item_1", data: { n: 3 } }
      ])
    })

    it("may leave nothing", () => {
      assert.deepStrictEqual(data([1, 2], { offset: 5 }), [])
      assert.deepStrictEqual(data([1, 2], { max_items: 0 }), [])
      assert.deepStrictEqual(data([1, 2], { offset: 1, max_items: 100 }), [2])
    })
  })

  describe("item_id", () => {
    const ids = (input: Json, item_id: string) => select(input, { item_id }).map((item) => item.id)

    it("names items by a text, a number or a boolean in them", () => {
      const input = [{ a: { id: "x/../y" } }, { a: { id: 8.0 } }, { a: { id: false } }]
      assert.deepStrictEqual<ReadonlyArray<string>>(ids(input, "item.a.id"), ["x/../y", "8", "false"])
      assert.deepStrictEqual(ids(["a", "b"], "$"), ["a", "b"])
    })

    it("refuses two items with one id, naming both", () => {
      const error = selectError([{ id: "a" }, { id: 1 }, { id: "b" }, { id: "1" }], { item_id: "id" })
      assert.strictEqual(error.reason, "duplicate_id")
      assert.strictEqual(error.detail, `items 1 and 3 have the same id "1": ids must be unique in a job`)
    })

    it("looks only at the items that remain", () => {
      const input = [{ id: "a" }, { id: "a" }, { id: "b" }]
      assert.deepStrictEqual(
        select(input, { item_id: "id", distinct: "id" }).map(({ id }) => id),
        ["a", "b"]
      )
      assert.deepStrictEqual(
        select(input, { item_id: "id", offset: 1 }).map(({ id, index }) => [id, index]),
        [
          ["a", 0],
          ["b", 1]
        ]
      )
    })

    it("refuses what is no id", () => {
      const values: ReadonlyArray<readonly [Json, string]> = [
        [{}, "item 1 has nothing at $.id"],
        [{ id: null }, "item 1 has null at $.id"],
        [{ id: "" }, "item 1 has empty text at $.id"],
        [{ id: ["a"] }, "item 1 has an array at $.id"],
        [{ id: {} }, "item 1 has an object at $.id"],
        [{ id: "x".repeat(4097) }, "item 1 has a text of 4097 characters at $.id"]
      ]
      for (const [item, detail] of values) {
        const error = selectError([{ id: "ok" }, item], { item_id: "id" })
        assert.strictEqual(error.reason, "invalid_id")
        assert.include(error.detail, detail)
      }
      assert.deepStrictEqual(ids([{ id: "x".repeat(4096) }], "id"), ["x".repeat(4096)])
    })
  })

  describe("checkSelection", () => {
    it("accepts what can be read, and names the option that cannot", () => {
      const good = { json_path: "$.a", filter: "x", sort_by: "x", distinct: "x", item_id: "item.x" }
      assert.isTrue(Either.isRight(WorkItems.checkSelection(selection(good))))
      assert.isTrue(Either.isRight(WorkItems.checkSelection(selection({}))))
      const bad = { json_path: "a", filter: "=", sort_by: "a b", distinct: "a..b", item_id: "a[" }
      for (const [option, text] of Object.entries(bad)) {
        const error = Either.getOrThrow(Either.flip(WorkItems.checkSelection(selection({ ...good, [option]: text }))))
        assert.deepStrictEqual([error.option, error.reason], [option, "syntax"])
        assert.include(error.message, JSON.stringify(text))
      }
    })
  })

  it("selects from 100 000 items", () => {
    const input = Array.from({ length: 100_000 }, (_, n) => ({
      id: `id-${n}`,
      n: (n * 7919) % 100_003,
      group: n % 50_000
    }))
    const items = select(
      { input },
      {
        json_path: "$.input[*]",
        filter: "n >= 0 and id matches '^id-'",
        sort_by: "n DESC, id",
        distinct: "id",
        item_id: "id"
      }
    )
    assert.strictEqual(items.length, 100_000)
    assert.strictEqual(items[99_999]?.index, 99_999)
  })

  it("never throws, whatever the input and the options", () => {
    const text = FastCheck.oneof(
      FastCheck.string(),
      FastCheck.constantFrom("$", "$.a", "a", "item", "a DESC", "$[*]", "$..a", "a[0]", "a > 1", "$.a[?@.b]")
    )
    const optional = FastCheck.option(text)
    FastCheck.assert(
      FastCheck.property(
        FastCheck.jsonValue(),
        FastCheck.record({
          json_path: optional,
          filter: optional,
          sort_by: optional,
          distinct: optional,
          item_id: optional,
          offset: FastCheck.nat(3),
          max_items: FastCheck.option(FastCheck.nat(3))
        }),
        (input, options) => {
          const result = WorkItems.select(JSON.parse(JSON.stringify(input)), selection(options))
          if (Either.isRight(result)) {
            const ids = result.right.map((item) => item.id)
            assert.strictEqual(new Set(ids).size, ids.length)
            assert.deepStrictEqual(
              result.right.map((item) => item.index),
              [...ids.keys()]
            )
          } else {
            assert.strictEqual(result.left._tag, "WorkItemsError")
          }
        }
      ),
      { numRuns: 500 }
    )
  })
})

interface Numbered {
  readonly k?: Json
  readonly n: number
  readonly place: number
}

const typeRanks = ["array", "boolean", "number", "string"]

/** The documented order, written down a second time: type, value, then `n`, then where the item stood. */
const precedes = (left: Numbered, right: Numbered, descending: boolean): boolean => {
  const a = left.k ?? null
  const b = right.k ?? null
  const rank = (value: Json) => typeRanks.indexOf(Array.isArray(value) ? "array" : typeof value)
  if ((a === null) !== (b === null)) {
    return b === null
  }
  const byType = a === null || b === null ? 0 : rank(a) - rank(b)
  const byValue =
    byType !== 0 || a === null || b === null || typeof a === "object" || typeof b === "object"
      ? byType
      : a < b
        ? -1
        : a > b
          ? 1
          : 0
  if (byValue !== 0) {
    return descending ? byValue > 0 : byValue < 0
  }
  return left.n === right.n ? left.place < right.place : left.n < right.n
}

const insertionSort = (items: ReadonlyArray<Numbered>, descending: boolean): ReadonlyArray<Numbered> => {
  const sorted: Array<Numbered> = []
  for (const item of items) {
    const at = sorted.findIndex((other) => precedes(item, other, descending))
    sorted.splice(at === -1 ? sorted.length : at, 0, item)
  }
  return sorted
}
