/**
 * What a durable journal append costs, as a ratio to the floor: the same bytes by raw write and fdatasync.
 *
 * Both sides run in the same process on the same disk, in turns, so that what else the machine does hits both. Lines are
 * those of `item_started`, about 200 bytes.
 */
import { NodeContext } from "@effect/platform-node"
import * as AgentId from "@prodigy/core/domain/AgentId"
import * as JobId from "@prodigy/core/domain/JobId"
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import { RepoName } from "@prodigy/core/domain/RepoName"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as Journal from "@prodigy/core/storage/Journal"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { mkdtemp, open, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const rounds = 60
const appendsPerRound = 32
const fibers = 16

const jobId = JobId.fromTime(Date.UTC(2026, 0, 2, 3, 4, 5), 1)
const recordAt = (index: number): JobRecord => ({
  type: "item_started",
  index,
  item_id: ItemId.make(`src/file-${index}.ts`),
  agent_id: AgentId.fromItem(jobId, index),
  attempt: 1
})
const indexes = Array.from({ length: appendsPerRound }, (_, index) => index)
const line = Buffer.from(
  `${JSON.stringify({ v: 1, seq: 1000, at: "2026-01-02T03:04:05.678Z", record: recordAt(1000) })}\n`
)

const millis = async (run: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await run()
  return performance.now() - start
}

const median = (values: ReadonlyArray<number>): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN

const main = Effect.fnUntraced(function* (directory: string) {
  const journals = yield* Journal.Journal
  const raw = yield* Effect.promise(() => open(join(directory, "raw.jsonl"), "a"))
  const journal = yield* journals.open(RepoName.make("bench"), jobId, 0)

  const rawRound = async () => {
    for (const _ of indexes) {
      await raw.write(line)
      await raw.datasync()
    }
  }
  const appendAll = (concurrency: number) => () =>
    Effect.runPromise(
      Effect.forEach(indexes, (index) => journal.append([recordAt(index)]), { concurrency, discard: true })
    )

  const floor: Array<number> = []
  const single: Array<number> = []
  const grouped: Array<number> = []
  for (let round = -1; round < rounds; round++) {
    const times = [
      yield* Effect.promise(() => millis(rawRound)),
      yield* Effect.promise(() => millis(appendAll(1))),
      yield* Effect.promise(() => millis(appendAll(fibers)))
    ] as const
    // The first round warms up.
    if (round < 0) continue
    floor.push(times[0])
    single.push(times[1])
    grouped.push(times[2])
  }
  yield* Effect.promise(() => raw.close())

  const perSecond = (times: ReadonlyArray<number>) => (appendsPerRound / median(times)) * 1000
  const show = (name: string, times: ReadonlyArray<number>) =>
    console.log(
      `${name.padEnd(34)} ${perSecond(times).toFixed(0).padStart(8)} appends/s` +
        `  ${(perSecond(times) / perSecond(floor)).toFixed(2).padStart(6)} × floor`
    )
  console.log(`median of ${rounds} rounds of ${appendsPerRound} appends of ${line.length} bytes`)
  show("floor: write + fdatasync", floor)
  show("journal, one fiber", single)
  show(`journal, ${fibers} fibers (group commit)`, grouped)
})

const directory = await mkdtemp(join(process.env["PRODIGY_BENCH_DIR"] ?? tmpdir(), "prodigy-bench-"))
const layer = Journal.layer.pipe(
  Layer.provide(ProdigyHome.layer({ root: join(directory, "home") })),
  Layer.provide(AtomicFile.layer),
  Layer.provide(NodeContext.layer)
)
try {
  await Effect.runPromise(Effect.scoped(Effect.provide(main(directory), layer)))
} finally {
  await rm(directory, { recursive: true, force: true })
}
