/**
 * What it takes to look at a large event log.
 *
 * Question: megabytes per second and the highest memory (resident set) of this process while a log of 200 MB in files of 50
 * MB is listed, counted, searched, followed, exported and archived, one after the other. Floor: the same files split into
 * lines and parsed by `JSON.parse`, no schema. What is to be reached is the memory: it must not grow with the log. One round.
 *
 * Run: node --conditions=@prodigy/source --import tsx bench/src/eventRead.bench.ts [megabytes]
 */
import { NodeContext } from "@effect/platform-node"
import type { EventRecord } from "@prodigy/core/domain/Event"
import * as JobId from "@prodigy/core/domain/JobId"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as EventQuery from "@prodigy/core/engine/EventQuery"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import { Compression } from "@prodigy/core/storage/Compression"
import * as CompressionNode from "@prodigy/core/storage/Compression/Node"
import * as EventLog from "@prodigy/core/storage/EventLog"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { closeSync, createReadStream, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

const megabytes = Number(process.argv[2] ?? 200)
const fileBytes = 50 * 1024 * 1024
const repo = RepoName.make("bench")
const jobId = JobId.fromTime(0, 1)
const root = mkdtempSync(join(tmpdir(), "prodigy-bench-"))
const directory = join(root, "events", repo, jobId)

const line = (index: number) =>
  JSON.stringify({
    v: 1,
    id: `01940000-0000-7000-8000-${String(index).padStart(12, "0")}`,
    timestamp: new Date(Date.UTC(2026, 0, 2) + index).toISOString(),
    correlation_id: "session-mapreduce-20260102_030405",
    event: {
      event_type: "agent_progress",
      job_id: jobId,
      agent_id: `mapreduce-20260102_030405_agent_${index % 400}`,
      item_id: `src/module-${index % 400}/index.ts`,
      attempt: 1,
      step: "npm test",
      step_index: index % 7,
      step_total: 7
    },
    metadata: { host: "bench", pid: 1 }
  })

let events = 0
const files: Array<string> = []

const generate = () => {
  mkdirSync(directory, { recursive: true })
  for (let written = 0; written < megabytes * 1024 * 1024;) {
    const path = join(directory, `events-20260102_0304${String(files.length).padStart(2, "0")}.jsonl`)
    files.push(path)
    const file = openSync(path, "w")
    for (let size = 0; size < fileBytes && written < megabytes * 1024 * 1024;) {
      const text = `${Array.from({ length: 1_000 }, () => line(events++)).join("\n")}\n`
      size += writeSync(file, text)
      written += text.length
    }
    closeSync(file)
  }
}

const floor = async () => {
  let count = 0
  for (const path of files) {
    for await (const text of createInterface({ input: createReadStream(path) }))
      if (JSON.parse(text).v === 1) count += 1
  }
  return count
}

const results: Record<
  string,
  { readonly mb_per_second: number; readonly events_per_second: number; readonly peak_mb: number }
> = {}

/** Highest resident set since the last call, sampled. */
const measured = async (name: string, work: () => Promise<number>) => {
  globalThis.gc?.()
  let peak = 0
  const sample = () => void (peak = Math.max(peak, process.memoryUsage.rss()))
  const timer = setInterval(sample, 20)
  const start = performance.now()
  const count = await work()
  const seconds = (performance.now() - start) / 1_000
  sample()
  clearInterval(timer)
  if (count !== events) throw new Error(`${name}: ${count} of ${events} events`)
  results[name] = {
    mb_per_second: Math.round(megabytes / seconds),
    events_per_second: Math.round(events / seconds),
    peak_mb: Math.round(peak / 1024 / 1024)
  }
}

const layer = EventLog.layer.pipe(
  Layer.provideMerge(ProdigyHome.layer({ root })),
  Layer.provideMerge(Layer.mergeAll(AtomicFile.layer, CompressionNode.layer)),
  Layer.provide(Layer.mergeAll(IdGenerator.layer, ProcessTable.layer)),
  Layer.provide(NodeContext.layer)
)

const run = <A, E>(effect: Effect.Effect<A, E, EventLog.EventLog | AtomicFile.AtomicFile | Compression>) =>
  Effect.runPromise(Effect.provide(effect, layer))

const count = (pick: (record: EventRecord) => boolean) =>
  Effect.flatMap(EventLog.EventLog, (log) =>
    Stream.runFold(log.read(repo, jobId), 0, (sum, entry) => sum + (Either.isRight(entry) && pick(entry.right) ? 1 : 0))
  )

const archive = Effect.gen(function* () {
  const file = yield* AtomicFile.AtomicFile
  const compression = yield* Compression
  for (const path of files) {
    yield* file.replaceBytes(`${path}.gz`, compression.compress(file.streamBytes(path)))
    yield* file.remove(path)
  }
  return events
})

try {
  generate()
  await measured("floor: lines and JSON.parse", floor)
  await measured("read", () => run(count(() => true)))
  const matches = Either.getOrThrow(EventQuery.matcher("mod.le-\\d+/index", []))
  await measured("search", () => run(count((record) => matches(record).length > 0)))
  await measured("follow", () =>
    run(Effect.flatMap(EventLog.EventLog, (log) => Stream.runCount(log.follow(repo, jobId, Effect.succeed(false)))))
  )
  await measured("archive", () => run(archive))
  await measured("read the archive", () => run(count(() => true)))
  console.log(JSON.stringify({ bench: "eventRead", node: process.version, megabytes, events, ...results }, null, 2))
} finally {
  rmSync(root, { recursive: true, force: true })
}
