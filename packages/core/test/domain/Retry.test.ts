import { assert, describe, it } from "@effect/vitest"
import * as Failure from "@prodigy/core/domain/Failure"
import * as Retry from "@prodigy/core/domain/Retry"
import * as Arbitrary from "effect/Arbitrary"
import * as FastCheck from "effect/FastCheck"

const millis = FastCheck.nat(100_000)
const times = FastCheck.integer({ min: 1, max: 20 })
const random = FastCheck.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })
const anyRetry = Arbitrary.make(Retry.Retry)

describe("Retry", () => {
  describe("delayMillis", () => {
    it.each<[string, Retry.Backoff, ReadonlyArray<number>]>([
      ["fixed", { kind: "fixed", delay_ms: 700 }, [700, 700, 700, 700, 700]],
      ["linear", { kind: "linear", initial_ms: 1000, increment_ms: 300 }, [1000, 1300, 1600, 1900, 2200]],
      ["exponential", { kind: "exponential", initial_ms: 1000, multiplier: 2 }, [1000, 2000, 4000, 8000, 16_000]],
      ["fibonacci", { kind: "fibonacci", initial_ms: 100 }, [100, 100, 200, 300, 500]],
      ["custom", { kind: "custom", delays_ms: [5, 1, 9] }, [5, 1, 9, 9, 9]]
    ])("of %s is what the documentation says", (_, backoff, expected) => {
      assert.deepStrictEqual(
        [1, 2, 3, 4, 5].map((n) => Retry.delayMillis(plain(backoff), n, 0.9)),
        expected
      )
    })

    it.prop("of fixed is always the delay", [millis, times], ([delay, n]) => {
      assert.strictEqual(Retry.delayMillis(plain({ kind: "fixed", delay_ms: delay }), n, 0), delay)
    })

    it.prop("of linear grows by the increment", [millis, millis, times], ([initial, increment, n]) => {
      const delay = Retry.delayMillis(plain({ kind: "linear", initial_ms: initial, increment_ms: increment }), n, 0)
      assert.strictEqual(delay, initial + (n - 1) * increment)
    })

    it.prop(
      "of exponential grows by the factor",
      [millis, FastCheck.integer({ min: 1, max: 3 }), times],
      ([a, b, n]) => {
        const backoff = { kind: "exponential", initial_ms: a, multiplier: b } as const
        let expected = a
        for (let step = 1; step < n; step++) expected *= b
        assert.strictEqual(Retry.delayMillis(plain(backoff), n, 0), expected)
      }
    )

    it.prop("of fibonacci is the sum of the two delays before", [millis, times], ([initial, n]) => {
      const delay = (at: number) => Retry.delayMillis(plain({ kind: "fibonacci", initial_ms: initial }), at, 0)
      assert.deepStrictEqual([delay(1), delay(2)], [initial, initial])
      assert.strictEqual(delay(n + 2), delay(n) + delay(n + 1))
    })

    it.prop(
      "of custom is the delay of that place, and the last one from there on",
      [FastCheck.array(millis, { minLength: 1, maxLength: 10 }), times],
      ([[first = 0, ...others], n]) => {
        const delays: readonly [number, ...Array<number>] = [first, ...others]
        const delay = Retry.delayMillis(plain({ kind: "custom", delays_ms: delays }), n, 0)
        assert.strictEqual(delay, n <= delays.length ? delays[n - 1] : delays.at(-1))
      }
    )

    it.prop(
      "is a whole number from 0 to the cap, whatever the numbers, for any retry and however random",
      [
        anyRetry,
        FastCheck.oneof(
          times,
          FastCheck.maxSafeInteger().map((n) => Math.abs(n) + 1)
        ),
        random
      ],
      ([retry, n, share]) => {
        const delay = Retry.delayMillis(retry, n, share)
        assert.isTrue(Number.isFinite(delay) && delay >= 0, String(delay))
        assert.isAtMost(delay, Math.round(retry.max_delay_ms))
      }
    )

    it.prop(
      "spreads by the jitter to both sides, and the cap holds after it",
      [anyRetry, times, random],
      ([retry, n, share]) => {
        const exact = Retry.delayMillis({ ...retry, jitter: 0 }, n, share)
        const spread = Retry.delayMillis(retry, n, share)
        assert.isAtLeast(spread, Math.floor(exact * (1 - retry.jitter)) - 1)
        assert.isAtMost(spread, Math.ceil(exact * (1 + retry.jitter)) + 1)
      }
    )

    it("reaches both ends of the jitter", () => {
      const retry = { ...plain({ kind: "fixed", delay_ms: 1000 }), jitter: 0.3 }
      assert.strictEqual(Retry.delayMillis(retry, 1, 0), 700)
      assert.strictEqual(Retry.delayMillis(retry, 1, 0.5), 1000)
      assert.strictEqual(Retry.delayMillis(retry, 1, 0.999_999), 1300)
    })

    it.prop(
      "does not take longer for a late retry",
      [FastCheck.constantFrom(2 ** 31, Number.MAX_SAFE_INTEGER)],
      ([n]) => {
        const delay = Retry.delayMillis({ ...plain({ kind: "fibonacci", initial_ms: 1 }), max_delay_ms: 30_000 }, n, 0)
        assert.strictEqual(delay, 30_000)
      }
    )
  })

  describe("isRetried", () => {
    it("takes every failure when no kind is named, but one that would be the same again and a used up quota", () => {
      const ordinary: ReadonlyArray<Failure.Cause> = [
        { error_type: "CommandFailed", exit_code: 1 },
        { error_type: "Timeout", timeout_ms: 5, scope: "step" },
        { error_type: "CommitValidationFailed" },
        { error_type: "ValidationFailed" },
        { error_type: "ResourceExhausted" },
        { error_type: "Unknown" }
      ]
      for (const cause of ordinary) assert.isTrue(Retry.isRetried([], Failure.make(cause, "x")), cause.error_type)
      assert.isFalse(Retry.isRetried([], Failure.make({ error_type: "ValidationFailed" }, "x", { nature: "lasting" })))
      assert.isFalse(Retry.isRetried([], Failure.make({ error_type: "QuotaExceeded" }, "x")))
    })

    it("tells the kinds by what the failure itself says, not by its words", () => {
      const server = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "network timeout, rate limit", {
        nature: "server_error"
      })
      assert.isTrue(Retry.isRetried(["network", "server_error"], server))
      assert.isFalse(Retry.isRetried(["network", "timeout", "rate_limit"], server))
      const slow = Failure.make({ error_type: "Timeout", timeout_ms: 5, scope: "agent" }, "x")
      assert.isTrue(Retry.isRetried(["timeout"], slow))
      assert.isFalse(Retry.isRetried(["network"], slow))
      const curl = Failure.make({ error_type: "CommandFailed", exit_code: 28 }, "x", { nature: "timeout" })
      assert.isTrue(Retry.isRetried(["timeout"], curl))
    })

    it("leaves a used up quota to the job, also when rate limits are named", () => {
      assert.isFalse(Retry.isRetried(["rate_limit"], Failure.make({ error_type: "QuotaExceeded" }, "limit")))
      assert.isFalse(Retry.isRetried([{ pattern: "limit" }], Failure.make({ error_type: "QuotaExceeded" }, "limit")))
    })

    it("finds a pattern in the message or in the last lines of the output", () => {
      const failure = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "The command exited with code 1.", {
        output_tail: "npm ERR! code ECONNRESET\nnpm ERR! errno -104\n"
      })
      assert.isTrue(Retry.isRetried([{ pattern: "ECONN(RESET|REFUSED)" }], failure))
      assert.isTrue(Retry.isRetried(["network", { pattern: "code 1\\." }], failure))
      assert.isTrue(Retry.isRetried([{ pattern: "(?m)^npm ERR! errno" }], failure))
      assert.isFalse(Retry.isRetried([{ pattern: "ETIMEDOUT" }], failure))
    })

    it("takes time linear in the output, whatever the pattern", () => {
      const failure = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "x", {
        output_tail: "a".repeat(20_000)
      })
      assert.isFalse(Retry.isRetried([{ pattern: "(a+)+$b" }], failure))
    })

    it("finds nothing by a pattern that cannot be read", () => {
      assert.isFalse(Retry.isRetried([{ pattern: "((" }], Failure.make({ error_type: "Unknown" }, "((")))
    })
  })
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const plain = (backoff: Retry.Backoff): Retry.Retry => ({
  attempts: 3,
  backoff,
  max_delay_ms: Number.MAX_SAFE_INTEGER,
  jitter: 0
})
