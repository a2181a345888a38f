import * as Csv from "@prodigy/core/domain/Csv"
import { assert, describe, it } from "@effect/vitest"
import { parse } from "csv-parse/sync"
import * as FastCheck from "effect/FastCheck"

const read = (text: string): unknown => parse(text, { bom: false })

describe("Csv", () => {
  it.prop(
    "is read back by another reader of RFC 4180 as it was written, formulas apart",
    [
      FastCheck.array(
        FastCheck.array(
          FastCheck.oneof(
            FastCheck.string(),
            FastCheck.constantFrom('"', "a,b", "a\nb", "a\r\nb", " a ", "", "é,🦀\n")
          ),
          { minLength: 3, maxLength: 3 }
        ),
        { minLength: 1, maxLength: 5 }
      )
    ],
    ([rows]) => {
      assert.deepStrictEqual(
        (read(rows.map((row) => Csv.record(["id", ...row])).join("")) as Array<Array<string>>).map((row) =>
          row.slice(1)
        ),
        rows.map((row) => row.map((text) => (/^\s*[=+\-@\t\r]/.test(text) ? `'${text}` : text)))
      )
    }
  )

  it("lets no text begin a formula", () => {
    for (const text of ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", " =1", '=HYPERLINK("http://x","y")', "＝1"]) {
      assert.deepStrictEqual(read(Csv.record(["x", text])), [["x", `'${text}`]])
    }
  })

  it("writes numbers and booleans as they are, and nothing for what is not there", () => {
    assert.strictEqual(Csv.record([-1, 2.5, true, null, undefined, "a"]), "-1,2.5,true,,,a\r\n")
  })
})
