import * as AgentId from "@prodigy/core/domain/AgentId"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Usage from "@prodigy/core/domain/Usage"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as Restore from "@prodigy/core/engine/Restore"
import { AtomicFile, DamagedFile } from "@prodigy/core/storage/AtomicFile"
import * as CheckpointStore from "@prodigy/core/storage/CheckpointStore"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as Journal from "@prodigy/core/storage/Journal"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Samples from "@prodigy/testing/Samples"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as TemporaryHome from "../storage/TemporaryHome.ts"

describe("Restore", () => {
  it.effect("folds the newest checkpoint and the journal's tail", () =>
    Effect.gen(function* () {
      yield* append(0, records)
      const whole = yield* Restore.state(Samples.repo, jobId)
      assert.isNull(whole.checkpoint)
      assert.deepStrictEqual([whole.state.seq, whole.state.total, whole.warnings], [5, 3, []])

      const saved = yield* snapshot("map")
      yield* append(5, [started(2)])
      const restored = yield* Restore.state(Samples.repo, jobId)
      assert.strictEqual(restored.checkpoint?.id, saved.id)
      assert.strictEqual(restored.state.seq, 6)
      assert.strictEqual(restored.state.next, 3)
    }).pipe(Effect.provide(layer))
  )

  it.effect("names the record that does not fit", () =>
    Effect.gen(function* () {
      yield* append(0, [...records, started(0)])
      const error = yield* Effect.flip(Restore.state(Samples.repo, jobId))
      assert.instanceOf(error, DamagedFile)
      assert.deepStrictEqual([error.path, error.line], [(yield* paths).journal, 6])
    }).pipe(Effect.provide(layer))
  )

  it.effect("finds a journal that was cut off at the end of a line", () =>
    Effect.gen(function* () {
      const store = yield* JobStore.JobStore
      yield* append(0, records)
      yield* store.saveSummary(Samples.repo, { ...JobSamples.summary(), seq: 5 })
      assert.strictEqual((yield* Restore.state(Samples.repo, jobId)).state.seq, 5)
      const files = yield* AtomicFile
      const { journal } = yield* paths
      const { lines } = yield* files.readLines(journal)
      yield* files.replace(journal, `${lines.slice(0, 4).join("\n")}\n`)
      const error = yield* Effect.flip(Restore.state(Samples.repo, jobId))
      assert.instanceOf(error, DamagedFile)
      assert.deepStrictEqual([error.path, error.line], [journal, 4])
      assert.include(error.message, "at least 5 entries")
    }).pipe(Effect.provide(layer))
  )

  it.effect("starts from the checkpoint that is asked for, to the same state", () =>
    Effect.gen(function* () {
      yield* append(0, records.slice(0, 2))
      const setup = yield* snapshot("setup")
      yield* append(2, records.slice(2))
      const map = yield* snapshot("map")
      yield* append(5, [started(2)])
      const newest = yield* Restore.state(Samples.repo, jobId)
      assert.strictEqual(newest.checkpoint?.id, map.id)
      for (const [from, expected] of [
        ["latest", map],
        [map.id, map],
        [setup.id, setup],
        [setup.id.slice(0, -1), setup],
        ["setup-checkpoint.json", setup],
        ["setup-checkpoint", setup],
        [map.path.slice(map.path.lastIndexOf("/") + 1), map]
      ] as const) {
        const { checkpoint, state, warnings } = yield* Restore.state(Samples.repo, jobId, from)
        assert.strictEqual(checkpoint?.id, expected.id, from)
        assert.deepStrictEqual([state.seq, state.next, warnings], [6, 3, []])
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("says which checkpoints there are when the one asked for cannot be used", () =>
    Effect.gen(function* () {
      const refused = (from: string) => Effect.flip(Restore.state(Samples.repo, jobId, from))
      const none = yield* refused("latest")
      assert.deepInclude(none, { _tag: "CheckpointUnusable", reason: "unknown", candidates: [] })

      yield* append(0, records)
      const setup = yield* snapshot("setup")
      yield* append(5, [started(2)])
      const map = yield* snapshot("map")
      const candidates = [`${map.id} (map, 6 records)`, `${setup.id} (setup, 5 records)`]
      for (const unknown of ["x", "", "../job", "journal.jsonl"]) {
        assert.deepInclude(yield* refused(unknown), { reason: "unknown", text: unknown, candidates })
      }
      assert.deepInclude(yield* refused(map.id.slice(0, 8)), { reason: "ambiguous", candidates })

      yield* Effect.flatMap(AtomicFile, (files) => files.replace(map.path, "{}"))
      const damaged = yield* refused(map.path.slice(map.path.lastIndexOf("/") + 1))
      assert.deepInclude(damaged, { reason: "damaged", candidates: candidates.slice(1) })
      assert.include(damaged.message, map.path)
      assert.deepInclude(yield* refused(map.id), { reason: "unknown" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("does without a damaged summary, and says so", () =>
    Effect.gen(function* () {
      yield* append(0, records)
      const { jobState } = yield* paths
      yield* Effect.flatMap(AtomicFile, (files) => files.replace(jobState, "{}"))
      const { state, warnings } = yield* Restore.state(Samples.repo, jobId)
      assert.strictEqual(state.seq, 5)
      assert.strictEqual(warnings.length, 1)
      assert.include(warnings[0], jobState)
    }).pipe(Effect.provide(layer))
  )
})

const jobId = Samples.jobId()

const started = (index: number): JobRecord => ({
  type: "item_started",
  index,
  item_id: ItemId.make(`item_${index}`),
  agent_id: AgentId.fromItem(jobId, index),
  attempt: 1
})

const records: ReadonlyArray<JobRecord> = [
  {
    type: "job_started",
    job_id: jobId,
    session_id: SessionId.fromJob(jobId),
    workflow_name: "migrate",
    owner: { pid: 1, host: "here", started_at: "1" }
  },
  { type: "setup_completed", variables: {}, usage: Usage.none },
  { type: "items_selected", total: 3 },
  started(0),
  started(1)
]

const paths = Effect.map(ProdigyHome, (home) => home.repo(Samples.repo).job(jobId))

const append = (after: number, more: ReadonlyArray<JobRecord>) =>
  Effect.scoped(
    Effect.flatMap(Journal.Journal, (journal) =>
      Effect.flatMap(journal.open(Samples.repo, jobId, after), (open) => open.append(more))
    )
  )

const snapshot = (kind: CheckpointStore.Kind) =>
  Effect.gen(function* () {
    const { state } = yield* Restore.state(Samples.repo, jobId)
    return yield* (yield* CheckpointStore.CheckpointStore).save(Samples.repo, jobId, kind, state)
  })

const layer = Layer.mergeAll(CheckpointStore.layer, JobStore.layer, Journal.layer).pipe(
  Layer.provide(IdGenerator.layer),
  Layer.provideMerge(TemporaryHome.layerMemory)
)
