import { assert, describe, it } from "@effect/vitest"
import * as AgentId from "@prodigy/core/domain/AgentId"
import type { DeadLetter } from "@prodigy/core/domain/DeadLetter"
import * as Failure from "@prodigy/core/domain/Failure"
import * as JobId from "@prodigy/core/domain/JobId"
import type { Disposition, JobRecord, JournalEntry } from "@prodigy/core/domain/JobRecord"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as Letters from "@prodigy/core/engine/Letters"
import * as Effect from "effect/Effect"

describe("Letters", () => {
  it.effect("say the same however often the entries are followed, and by how many owners", () =>
    Effect.gen(function* () {
      const once = letters()
      yield* once.followAll(whole)
      const again = letters()
      for (let owner = 1; owner <= whole.length; owner++) {
        again.reopen()
        yield* again.followAll(whole.slice(0, owner))
      }
      assert.deepStrictEqual(again.stored(), once.stored())
      const [letter] = once.stored()
      assert.strictEqual(letter?.status, "resolved")
      assert.deepStrictEqual(letter?.resolved_by, { agent_id: AgentId.fromItem(jobId, 0), attempt_number: 4 })
      assert.deepStrictEqual(
        letter?.failure_history.map(({ attempt_number }) => attempt_number),
        [1, 2, 3]
      )
      assert.deepStrictEqual(letter?.retried_at, [at(5), at(8)])
    })
  )

  it.effect(
    "are failed after a retry that failed in the millisecond in which it began, however often that is followed",
    () =>
      Effect.gen(function* () {
        const { followAll, reopen, stored } = letters()
        const entries = whole.slice(0, 7).map((entry) => ({ ...entry, at: at(Math.min(entry.seq, 5)) }))
        for (const upTo of [7, 5, 7]) {
          reopen()
          yield* followAll(entries.slice(0, upTo))
        }
        assert.deepInclude(stored()[0], { status: "failed", failure_count: 3 })
      })
  )

  it.effect("have the attempts of an owner whose entries were only remembered, and write nothing for those", () =>
    Effect.gen(function* () {
      const { follow, remember, stored } = letters()
      yield* remember(entry(1, started(1)))
      yield* remember(entry(2, failed(1, "retry")))
      yield* remember(entry(3, started(2)))
      assert.deepStrictEqual(stored(), [])
      yield* follow(entry(4, failed(2, "dead_letter")))
      assert.strictEqual(stored()[0]?.failure_count, 2)
    })
  )

  it.effect("that were removed stay removed when their item is tried again and done", () =>
    Effect.gen(function* () {
      const { followAll, remove, stored } = letters()
      yield* followAll(whole.slice(0, 4))
      remove()
      yield* followAll(whole.slice(4, 6))
      assert.deepStrictEqual(stored(), [])
    })
  )

  it.effect("are failed again when the job is cancelled under way, and no others are touched", () =>
    Effect.gen(function* () {
      const { follow, followAll, stored } = letters()
      yield* followAll(whole.slice(0, 6))
      assert.strictEqual(stored()[0]?.status, "retrying")
      yield* follow(entry(7, { type: "job_cancelled", reason: "test" }))
      assert.strictEqual(stored()[0]?.status, "failed")
      assert.isTrue(stored()[0]?.reprocess_eligible)
    })
  )

  it.effect("keep the last failure of an item that is skipped at last, and are not eligible any more", () =>
    Effect.gen(function* () {
      const { follow, followAll, stored } = letters()
      yield* followAll(whole.slice(0, 6))
      yield* follow(entry(7, failed(3, "skip")))
      assert.deepInclude(stored()[0], { status: "failed", failure_count: 3, reprocess_eligible: false })
    })
  )

  it.effect("are not made for items that are skipped without one", () =>
    Effect.gen(function* () {
      const { followAll, stored } = letters()
      yield* followAll([entry(1, started(1)), entry(2, failed(1, "skip"))])
      assert.deepStrictEqual(stored(), [])
    })
  )
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const jobId = JobId.fromTime(0, 1)
const item = { index: 0, item_id: ItemId.make("a"), agent_id: AgentId.fromItem(jobId, 0) }
const owner = { pid: 1, host: "here", started_at: "then" }
const at = (seq: number) => Timestamp.fromMillis(seq * 1000)

const entry = (seq: number, record: JobRecord): JournalEntry => ({ v: 1, seq, at: at(seq), record })

const started = (attempt: number): JobRecord => ({ type: "item_started", ...item, attempt })

const failed = (attempt: number, disposition: Disposition): JobRecord => ({
  type: "item_failed",
  ...item,
  attempt,
  failure: Failure.make({ error_type: "CommandFailed", exit_code: 1 }, `try ${attempt}`),
  kept: {},
  duration_ms: 1,
  usage: Usage.none,
  disposition
})

const requeued: JobRecord = { type: "items_requeued", owner, indexes: [0] }

const completed: JobRecord = {
  type: "item_completed",
  ...item,
  attempt: 4,
  tip: null,
  branch: null,
  commits: 0,
  duration_ms: 1,
  usage: Usage.none,
  result: null,
  log: null
}

/** Two tries, one more from the queue, and a last one that succeeds. */
const whole = [
  started(1),
  failed(1, "retry"),
  started(2),
  failed(2, "dead_letter"),
  requeued,
  started(3),
  failed(3, "dead_letter"),
  requeued,
  started(4),
  completed
].map((record, index) => entry(index + 1, record))

/** The letters of a job with one item; `reopen` is a new owner's. */
const letters = () => {
  const files = new Map<string, DeadLetter>()
  const open = () =>
    Letters.make({
      queue: {
        get: (_repo, _jobId, itemId) => Effect.succeed(files.get(itemId) ?? null),
        put: (_repo, _jobId, letter) => Effect.sync(() => void files.set(letter.item_id, letter))
      },
      repo: RepoName.make("project"),
      jobId,
      items: { current: [{ index: 0, id: item.item_id, data: { n: 1 } }] }
    })
  let now = open()
  const follow = (entry: JournalEntry) => now.follow(entry)
  return {
    follow,
    remember: (entry: JournalEntry) => now.remember(entry),
    followAll: (entries: ReadonlyArray<JournalEntry>) => Effect.forEach(entries, follow, { discard: true }),
    reopen: () => void (now = open()),
    remove: () => files.clear(),
    stored: () => [...files.values()]
  }
}
