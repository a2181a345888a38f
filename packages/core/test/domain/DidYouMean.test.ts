import { assert, describe, it } from "@effect/vitest"
import * as DidYouMean from "@prodigy/core/domain/DidYouMean"
import * as FastCheck from "effect/FastCheck"

const flags = ["--yes", "--dry-run", "--max-parallel", "--path", "--param"]

describe("DidYouMean", () => {
  it("finds the word that a typing error left", () => {
    assert.deepStrictEqual(DidYouMean.didYouMean("--max-paralel", flags), ["--max-parallel"])
    assert.deepStrictEqual(DidYouMean.didYouMean("--dryrun", flags), ["--dry-run"])
    assert.deepStrictEqual(DidYouMean.didYouMean("--YES", flags), ["--yes"])
  })

  it("takes the beginning of a word for the word", () => {
    assert.deepStrictEqual(DidYouMean.didYouMean("--pa", flags), ["--param", "--path"])
  })

  it("counts two letters the wrong way round as one mistake, also in a short word", () => {
    assert.deepStrictEqual(DidYouMean.didYouMean("inptu", ["input", "output"]), ["input"])
    assert.deepStrictEqual(DidYouMean.didYouMean("nmae", ["mode", "name"]), ["name"])
    assert.deepStrictEqual(DidYouMean.didYouMean("ab", ["ba"]), ["ba"])
    assert.deepStrictEqual(DidYouMean.didYouMean("tupni", ["input"]), [])
  })

  it("suggests nothing for a word that is like none", () => {
    assert.deepStrictEqual(DidYouMean.didYouMean("--zzz", flags), [])
    assert.deepStrictEqual(DidYouMean.didYouMean("", flags), [])
    assert.strictEqual(DidYouMean.sentence([]), null)
  })

  it("offers them in one sentence", () => {
    assert.strictEqual(DidYouMean.sentence(["a", "b"]), "Did you mean a or b?")
  })

  it.prop(
    "suggests at most three known words, each once",
    [FastCheck.string(), FastCheck.array(FastCheck.string())],
    ([word, known]) => {
      const found = DidYouMean.didYouMean(word, known)
      assert.isAtMost(found.length, DidYouMean.suggestionsMax)
      assert.strictEqual(new Set(found).size, found.length)
      assert.isTrue(found.every((suggestion) => known.includes(suggestion)))
    }
  )
})
