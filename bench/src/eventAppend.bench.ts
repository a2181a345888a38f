/**
 * How many events per second the event log takes, to disk and back.
 *
 * Question: events per second from the first `emit` to the end of the last `flush` (so including every write and sync),
 * emitted one by one and in batches of 100; and per second of `read`, which decodes by schema. Floor: the same lines by
 * raw `fs.writeSync` in batches of 1 MiB and one fsync. Three rounds after one of warm-up, the median is told.
 *
 * Run: node --conditions=@prodigy/source --import tsx bench/src/eventAppend.bench.ts [events]
 */
import { NodeContext } from "@effect/platform-node"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as JobId from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as Compression from "@prodigy/core/storage/Compression/Node"
import * as EventLog from "@prodigy/core/storage/EventLog"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { closeSync, fsyncSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const total = Number(process.argv[2] ?? 200_000)
const rounds = 3
const repo = RepoName.make("bench")

const event = (index: number): EventLog.NewEvent => ({
  event_type: "agent_progress",
  agent_id: `mapreduce-20260102_030405_agent_${index % 400}`,
  item_id: `src/module-${index % 400}/index.ts`,
  attempt: 1,
  step: "npm test",
  step_index: index % 7,
  step_total: 7
})

const root = mkdtempSync(join(tmpdir(), "prodigy-bench-"))
const layer = EventLog.layer.pipe(
  Layer.provide(ProdigyHome.layer({ root })),
  Layer.provide(Layer.mergeAll(AtomicFile.layer, Compression.layer, IdGenerator.layer, ProcessTable.layer)),
  Layer.provide(NodeContext.layer)
)

let jobs = 0

const write = (perEmit: number) =>
  Effect.gen(function* () {
    const store = yield* EventLog.EventLog
    const jobId = JobId.fromTime(0, ++jobs)
    const start = performance.now()
    yield* Effect.scoped(
      Effect.gen(function* () {
        const log = yield* store.open({ repo, jobId, correlationId: "session-mapreduce-20260102_030405" })
        for (let index = 0; index < total; index += perEmit) {
          yield* log.emit(Array.from({ length: perEmit }, (_, offset) => event(index + offset)))
        }
        yield* log.flush
      })
    )
    return { jobId, perSecond: total / ((performance.now() - start) / 1_000) }
  })

const read = (jobId: JobId.JobId) =>
  Effect.gen(function* () {
    const store = yield* EventLog.EventLog
    const start = performance.now()
    const count = yield* Stream.runCount(store.read(repo, jobId))
    if (count !== total) return yield* Effect.dieMessage(`${count} of ${total} events were read`)
    return total / ((performance.now() - start) / 1_000)
  })

const floor = (): number => {
  const line = JSON.stringify({
    v: 1,
    id: "01940000-0000-7000-8000-000000000000",
    timestamp: "2026-01-02T03:04:05.678Z",
    correlation_id: "session-mapreduce-20260102_030405",
    event: { ...event(0), job_id: "mapreduce-20260102_030405" },
    metadata: { host: "bench", pid: 1 }
  })
  const perWrite = Math.ceil((1024 * 1024) / line.length)
  const start = performance.now()
  const file = openSync(join(root, "floor.jsonl"), "w", 0o600)
  for (let index = 0; index < total; index += perWrite) {
    writeSync(file, `${Array.from({ length: Math.min(perWrite, total - index) }, () => line).join("\n")}\n`)
  }
  fsyncSync(file)
  closeSync(file)
  return total / ((performance.now() - start) / 1_000)
}

const median = (values: ReadonlyArray<number>): number =>
  Math.round([...values].sort((a, b) => a - b)[values.length >> 1] ?? 0)

const program = Effect.gen(function* () {
  const results = { one: [] as Array<number>, hundred: [] as Array<number>, read: [] as Array<number> }
  const floors: Array<number> = []
  for (let round = 0; round <= rounds; round++) {
    const one = yield* write(1)
    const hundred = yield* write(100)
    const back = yield* read(one.jobId)
    const raw = floor()
    if (round === 0) continue
    results.one.push(one.perSecond)
    results.hundred.push(hundred.perSecond)
    results.read.push(back)
    floors.push(raw)
  }
  console.log(
    JSON.stringify({
      bench: "eventAppend",
      node: process.version,
      events: total,
      per_second: {
        "emit one by one": median(results.one),
        "emit by hundreds": median(results.hundred),
        read: median(results.read),
        "floor: raw write and fsync": median(floors)
      }
    })
  )
})

try {
  await Effect.runPromise(Effect.provide(program, layer))
} finally {
  rmSync(root, { recursive: true, force: true })
}
