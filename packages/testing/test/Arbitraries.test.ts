import { assert, describe, it } from "@effect/vitest"
import { JournalEntry } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import { WorkItem } from "@prodigy/core/domain/WorkItem"
import * as Workflow from "@prodigy/core/workflow/Workflow"
import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import * as Arbitraries from "@prodigy/testing/Arbitraries"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

const fastCheck = { numRuns: 150 }

describe("Arbitraries", () => {
  it.prop(
    "makes workflows that the parser takes, and that come back from storage as they were",
    [Arbitraries.mapReduceText],
    ([text]) => {
      const parsed = Either.getOrThrow(WorkflowFile.parse(text, "any.yml"))
      assert.strictEqual(parsed.kind, "mapreduce")
      assert.deepStrictEqual(parsed.warnings, [])
      if (parsed.kind !== "mapreduce") return
      const stored = JSON.parse(JSON.stringify(Schema.encodeSync(Workflow.Workflow)(parsed.workflow)))
      assert.deepStrictEqual(Schema.decodeUnknownSync(Workflow.Workflow)(stored), parsed.workflow)
    },
    { fastCheck }
  )

  it.prop(
    "makes standard workflows that the parser takes",
    [Arbitraries.standardText],
    ([text]) => {
      const parsed = Either.getOrThrow(WorkflowFile.parse(text, "any.yml"))
      assert.strictEqual(parsed.kind, "standard")
      assert.deepStrictEqual(parsed.warnings, [])
    },
    { fastCheck }
  )

  it.prop("makes items that come back from storage as they were", [Arbitraries.items], ([items]) => {
    const schema = Schema.Array(WorkItem)
    assert.deepStrictEqual(Schema.decodeUnknownSync(schema)(JSON.parse(JSON.stringify(items))), items)
  })

  it.prop(
    "makes journals whose fold is the state, and both come back from storage as they were",
    [Arbitraries.history],
    ([{ entries, state }]) => {
      const stored = JSON.parse(JSON.stringify(Schema.encodeSync(Schema.Array(JournalEntry))(entries)))
      const read = Schema.decodeUnknownSync(Schema.Array(JournalEntry))(stored)
      assert.deepStrictEqual(read, entries)
      const fold = read.reduce((at, { record }) => Either.getOrThrow(JobState.apply(at, record)), JobState.empty)
      assert.deepStrictEqual(encoded(fold), encoded(state))
      assert.deepStrictEqual(encoded(Schema.decodeUnknownSync(JobState.JobState)(encoded(state))), encoded(state))
    },
    { fastCheck }
  )

  it("reaches every kind of record, every status and every fate of an item", () => {
    const seen = new Set<string>()
    for (const { entries, events, state } of FastCheck.sample(Arbitraries.history, { numRuns: 1500, seed: 1 })) {
      for (const { record } of entries) seen.add(record.type)
      for (const event of events) seen.add(`event ${event.event_type}`)
      seen.add(`status ${state.status}`)
      seen.add(`phase ${state.phase}`)
    }
    assert.deepStrictEqual(
      mustBeReached.filter((name) => !seen.has(name)),
      []
    )
  })
})

const encoded = (state: JobState.JobState): unknown =>
  JSON.parse(JSON.stringify(Schema.encodeSync(JobState.JobState)(state)))

/** All but `job_cancelled`, which comes from outside. */
const mustBeReached = [
  "job_started job_resumed job_paused job_failed job_completed setup_completed items_selected item_started item_completed",
  "item_failed merge_started item_merged items_requeued stopping breaker_opened breaker_half_opened breaker_closed",
  "quota_reached quota_over map_completed reduce_step_completed reduce_completed finished"
]
  .flatMap((line) => line.split(" "))
  .concat(["running", "paused", "failed", "completed"].map((status) => `status ${status}`))
  .concat(["setup", "select", "map", "reduce", "finish"].map((phase) => `phase ${phase}`))
  .concat("event agent_failed")
