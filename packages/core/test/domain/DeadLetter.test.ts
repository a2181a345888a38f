import * as AgentId from "@prodigy/core/domain/AgentId"
import * as DeadLetter from "@prodigy/core/domain/DeadLetter"
import * as Failure from "@prodigy/core/domain/Failure"
import * as JobId from "@prodigy/core/domain/JobId"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { assert, describe, it } from "@effect/vitest"
import * as FastCheck from "effect/FastCheck"

const jobId = JobId.fromTime(0, 1)
const item = { index: 3, id: ItemId.make("a/b"), data: { path: "a/b" } }

const failed = (attempt: number, agent = 3): DeadLetter.FailedAttempt =>
  DeadLetter.attempt({
    failure: Failure.make({ error_type: "CommandFailed", exit_code: 2 }, `try ${attempt}`, { log: "/l" }),
    agentId: AgentId.fromItem(jobId, agent),
    attempt,
    at: Timestamp.fromMillis(attempt * 1_000),
    durationMillis: 5
  })

const append = (previous: DeadLetter.DeadLetter | undefined, entry: DeadLetter.FailedAttempt) =>
  DeadLetter.append(previous, item, entry, `signature ${entry.attempt_number}`, { tip: String(entry.attempt_number) })

describe("DeadLetter", () => {
  describe("append", () => {
    it("starts a letter with the first attempt", () => {
      const letter = append(undefined, failed(1))
      assert.strictEqual(letter.failure_count, 1)
      assert.strictEqual(letter.first_attempt, letter.last_attempt)
      assert.strictEqual(letter.item_id, "a/b")
      assert.strictEqual(letter.failure_history[0].exit_code, 2)
      assert.strictEqual(letter.failure_history[0].json_log_location, "/l")
      assert.strictEqual(letter.status, "failed")
    })

    it.prop(
      "keeps every attempt once, in order, however often each is appended",
      [FastCheck.array(FastCheck.integer({ min: 1, max: 6 }), { minLength: 1, maxLength: 30 })],
      ([attempts]) => {
        let letter: DeadLetter.DeadLetter | undefined
        for (const attempt of attempts) {
          const before = letter
          letter = append(before, failed(attempt))
          if (before !== undefined) {
            assert.deepStrictEqual(
              letter.failure_history.slice(0, before.failure_count),
              before.failure_history.slice()
            )
            assert.strictEqual(letter.first_attempt, before.first_attempt)
          }
        }
        const expected = [...new Set(attempts)]
        assert.deepStrictEqual(
          letter?.failure_history.map((entry) => entry.attempt_number),
          expected
        )
        assert.strictEqual(letter?.failure_count, expected.length)
      }
    )

    it("changes nothing at all when an attempt is appended again", () => {
      const letter = { ...append(append(undefined, failed(1)), failed(2)), status: "retrying" as const }
      assert.strictEqual(append(letter, failed(1)), letter)
      assert.strictEqual(append(letter, failed(2)), letter)
    })

    it("keeps attempts of two agents with one number", () => {
      const letter = append(append(undefined, failed(1, 3)), failed(1, 4))
      assert.strictEqual(letter.failure_count, 2)
    })

    it("speaks of the last attempt where a letter has one value", () => {
      const resolved: DeadLetter.DeadLetter = {
        ...append(undefined, failed(1)),
        status: "resolved",
        resolved_at: Timestamp.fromMillis(9)
      }
      const letter = append(resolved, failed(2))
      assert.strictEqual(letter.error_signature, "signature 2")
      assert.deepStrictEqual(letter.worktree_artifacts, { tip: "2" })
      assert.strictEqual(letter.last_attempt, Timestamp.fromMillis(2_000))
      assert.strictEqual(letter.status, "failed")
      assert.notProperty(letter, "resolved_at")
    })

    it("asks for a person where branches conflict", () => {
      const conflict = DeadLetter.attempt({
        failure: Failure.make({ error_type: "MergeConflict", paths: ["x"] }, "conflict"),
        agentId: AgentId.fromItem(jobId, 3),
        attempt: 1,
        at: Timestamp.fromMillis(0),
        durationMillis: 0
      })
      assert.isTrue(append(undefined, conflict).manual_review_required)
      assert.isFalse(append(undefined, failed(1)).manual_review_required)
      assert.notProperty(conflict, "exit_code")
      assert.notProperty(conflict, "json_log_location")
    })
  })
})
