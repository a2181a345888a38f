import * as Duration from "@prodigy/core/workflow/Duration"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"

describe("Duration", () => {
  it.each([
    ["30", 30_000],
    [" 30 ", 30_000],
    ["30s", 30_000],
    ["1.5s", 1500],
    ["10m", 600_000],
    ["1h30m", 5_400_000],
    ["1d2h3m4s5ms", 93_784_005],
    ["0.0001s", 1],
    ["0.1", 100],
    ["2147483647ms", Duration.millisMax]
  ])("reads %s", (text, millis) => {
    assert.deepStrictEqual(Duration.parse(text), Either.right(millis))
  })

  it.each([
    ["", "is not a duration"],
    ["soon", "is not a duration"],
    ["-5", "is not a duration"],
    ["5 m", "is not a duration"],
    ["5M", "is not a duration"],
    ["5x", "is not a duration"],
    ["0", "must be longer than nothing"],
    ["0s0ms", "must be longer than nothing"],
    ["5s5m", "names its units out of order or twice"],
    ["5m5m", "names its units out of order or twice"],
    ["25d", "is longer than 24 days"],
    ["9".repeat(400), "is longer than 24 days"]
  ])("refuses %s", (text, why) => {
    assert.deepStrictEqual(Duration.parse(text), Either.left(why))
  })

  it("reads hours, minutes and seconds as their sum", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.nat(500), FastCheck.nat(500), FastCheck.integer({ min: 1, max: 500 }), (h, m, s) => {
        assert.deepStrictEqual(Duration.parse(`${h}h${m}m${s}s`), Either.right(((h * 60 + m) * 60 + s) * 1000))
      }),
      { numRuns: 100 }
    )
  })
})
