import * as DeadLetterAnalysis from "@prodigy/core/domain/DeadLetterAnalysis"
import * as DeadLetterSummary from "@prodigy/core/domain/DeadLetterSummary"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

const millis = FastCheck.integer({ min: 0, max: Date.UTC(2099, 0, 1) })

const summary: FastCheck.Arbitrary<DeadLetterSummary.DeadLetterSummary> = FastCheck.record({
  item_id: FastCheck.string({ minLength: 1, maxLength: 8 }).map((id) => ItemId.make(id)),
  item_index: FastCheck.nat(),
  status: FastCheck.constantFrom("failed", "retrying", "resolved"),
  reprocess_eligible: FastCheck.boolean(),
  manual_review_required: FastCheck.boolean(),
  failure_count: FastCheck.nat({ max: 9 }),
  first_attempt: millis.map(Timestamp.fromMillis),
  last_attempt: millis.map(Timestamp.fromMillis),
  error_type: FastCheck.constantFrom("Timeout", "CommandFailed", "Unknown"),
  error_signature: FastCheck.constantFrom("a", "b", "c", "d"),
  refs: FastCheck.constant([])
})
const summaries = FastCheck.array(summary, { maxLength: 60 })

const sum = (counts: ReadonlyArray<{ readonly count: number }>) => counts.reduce((all, { count }) => all + count, 0)

describe("DeadLetterAnalysis", () => {
  it.prop(
    "counts every letter once, in patterns, in error types, in times and in statuses",
    [summaries],
    ([letters]) => {
      const { error_types, patterns, times, total, unresolved } = DeadLetterAnalysis.analyze(letters)
      assert.deepStrictEqual([total, sum(patterns), sum(error_types), sum(times.spans)], Array(4).fill(letters.length))
      assert.strictEqual(
        patterns.reduce((all, pattern) => all + pattern.unresolved, 0),
        unresolved
      )
      const stats = DeadLetterAnalysis.stats(letters)
      assert.strictEqual(stats.failed + stats.retrying + stats.resolved, stats.total)
      assert.isAtMost(stats.eligible, stats.failed)
      Schema.encodeSync(DeadLetterAnalysis.Stats)(stats)
    }
  )

  it.prop("orders patterns by what is still to do, and names items of theirs", [summaries], ([letters]) => {
    const analysis = DeadLetterAnalysis.analyze(letters)
    Schema.encodeSync(DeadLetterAnalysis.Analysis)(analysis)
    analysis.patterns.reduce((before, pattern) => {
      assert.isAtLeast(before, pattern.unresolved)
      return pattern.unresolved
    }, Number.POSITIVE_INFINITY)
    for (const pattern of analysis.patterns) {
      const own = letters.filter(({ error_signature }) => error_signature === pattern.signature)
      assert.strictEqual(own.length, pattern.count)
      assert.isTrue(pattern.first <= pattern.last)
      assert.strictEqual(pattern.samples.length, Math.min(own.length, DeadLetterAnalysis.samplesMax))
      for (const id of pattern.samples) assert.isTrue(own.some(({ item_id }) => item_id === id))
    }
  })

  it.prop("parts any moments into a few spans of one length, without a gap", [FastCheck.array(millis)], ([moments]) => {
    const { span_ms, spans } = DeadLetterAnalysis.times(moments)
    assert.isAtMost(spans.length, DeadLetterAnalysis.spansMax)
    assert.strictEqual(sum(spans), moments.length)
    const from = spans.map((span) => Date.parse(span.from))
    for (const [index, start] of from.entries()) {
      if (index > 0) assert.strictEqual(start - from[index - 1]!, span_ms)
      const count = moments.filter((at) => at >= start && at < start + span_ms).length
      assert.strictEqual(spans[index]?.count, count)
    }
    if (moments.length > 0) assert.isTrue(spans[0]!.count > 0 && spans.at(-1)!.count > 0)
  })

  it("has nothing to say of nothing", () => {
    assert.deepStrictEqual(DeadLetterAnalysis.analyze([]).patterns, [])
    assert.deepInclude(DeadLetterAnalysis.stats([]), { total: 0, oldest: null, newest: null })
  })
})
