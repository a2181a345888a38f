/**
 * Files as version 1 wrote them. They are never edited: a change that fails here needs a new version and a decoder for
 * this one.
 */
import { type JobRecord, JournalEntry } from "@prodigy/core/domain/JobRecord"
import { WorkItem } from "@prodigy/core/domain/WorkItem"
import { CheckpointFile, layer as checkpoints, CheckpointStore } from "@prodigy/core/storage/CheckpointStore"
import { ItemResult, JobFile, JobSummary, Revision } from "@prodigy/core/storage/JobStore"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome, RepoClaim } from "@prodigy/core/storage/ProdigyHome"
import { Lease } from "@prodigy/core/storage/ResumeLock"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import * as Samples from "@prodigy/testing/Samples"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import * as TemporaryHome from "./TemporaryHome.ts"

const fixture = (name: string) => readFileSync(new URL(`../fixtures/v1/${name}`, import.meta.url), "utf8")

const golden = <A>(name: string, codec: StoredJson.Codec<A>) =>
  it.effect(`${name} is read, and written again byte for byte`, () =>
    Effect.gen(function* () {
      const lines = fixture(name).split("\n")
      assert.strictEqual(lines.pop(), "")
      assert.isNotEmpty(lines)
      for (const [index, line] of lines.entries()) {
        const value = yield* codec.decode(line, { path: name, line: index + 1 })
        assert.strictEqual(yield* codec.encode(value), line)
      }
    })
  )

describe("Files of version 1", () => {
  golden("results.jsonl", StoredJson.codec(Schema.Struct({ v: Schema.Literal(1), ...ItemResult.fields }), "a line"))
  golden("job-state.json", StoredJson.sealed(JobSummary, "a line"))
  golden("job.json", StoredJson.sealed(JobFile, "a line"))
  golden("workflow-revision.json", StoredJson.sealed(Revision, "a line"))
  golden("work-items.jsonl", StoredJson.sealed(Schema.Struct({ v: Schema.Literal(1), ...WorkItem.fields }), "a line"))
  golden("journal.jsonl", StoredJson.sealed(JournalEntry, "a line"))
  golden("resume.lock", StoredJson.sealed(Lease, "a lock"))
  golden("repository.json", StoredJson.sealed(RepoClaim, "a line"))
  for (const kind of ["setup-checkpoint", "map-checkpoint", "reduce-checkpoint"]) {
    golden(`${kind}.json`, StoredJson.codec(CheckpointFile, "a checkpoint"))
  }

  it.effect("the journal holds a record of every kind", () =>
    Effect.sync(() => {
      const kinds = fixture("journal.jsonl")
        .trimEnd()
        .split("\n")
        .map((line) => JSON.parse(line).record.type)
      assert.deepStrictEqual(new Set(kinds), new Set(Object.keys(everyKind)))
    })
  )

  it.effect("the checksums of the checkpoints hold", () =>
    Effect.gen(function* () {
      const files = yield* AtomicFile
      const job = (yield* ProdigyHome).repo(Samples.repo).job(Samples.jobId())
      const store = yield* CheckpointStore
      const paths = [
        ["setup-checkpoint.json", job.setupCheckpoint],
        ["map-checkpoint.json", job.mapCheckpoint("20260102_030405-000000000011")],
        ["reduce-checkpoint.json", job.reduceCheckpoint("20260102_030405-000000000015")]
      ] as const
      for (const [name, path] of paths) {
        yield* files.replace(path, fixture(name))
        const { checkpoint, damaged } = yield* store.latest(Samples.repo, Samples.jobId())
        assert.deepStrictEqual(damaged, [])
        assert.strictEqual(checkpoint?.path, path)
      }
    }).pipe(
      Effect.provide(checkpoints.pipe(Layer.provide(IdGenerator.layer), Layer.provideMerge(TemporaryHome.layerMemory)))
    )
  )
})

const everyKind: Readonly<Record<JobRecord["type"], true>> = {
  job_started: true,
  setup_completed: true,
  items_selected: true,
  item_started: true,
  item_completed: true,
  item_failed: true,
  merge_started: true,
  item_merged: true,
  stopping: true,
  breaker_opened: true,
  breaker_half_opened: true,
  breaker_closed: true,
  quota_reached: true,
  quota_over: true,
  map_completed: true,
  reduce_step_completed: true,
  reduce_completed: true,
  finished: true,
  job_completed: true,
  job_failed: true,
  job_paused: true,
  job_cancelled: true,
  job_resumed: true,
  items_requeued: true
}
