/**
 * What adding a dead letter costs, and whether the ten-thousandth costs what the first did.
 *
 * Question: the time of `put` for letters 1 to 100 against letters 9 901 to 10 000 of one job, on the disk of the system's
 * temporary directory. Floor: the same texts by write, fsync and rename, without our layers. Every letter is synced, so
 * the absolute numbers are the disk's. The ratio is of medians; the first 20 letters of a fresh process are warm-up and go
 * to another job.
 *
 * Run: node --conditions=@prodigy/source --import tsx bench/src/deadLetters.bench.ts [letters]
 */
import { NodeContext } from "@effect/platform-node"
import * as DeadLetter from "@prodigy/core/domain/DeadLetter"
import * as ErrorSignature from "@prodigy/core/domain/ErrorSignature"
import * as Failure from "@prodigy/core/domain/Failure"
import * as AgentId from "@prodigy/core/domain/AgentId"
import * as JobId from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { mkdirSync, mkdtempSync, rmSync } from "node:fs"
import { open, rename } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"

const total = Number(process.argv[2] ?? 10_000)
const window = 100
const repo = RepoName.make("bench")
const job = JobId.fromTime(0, 1)
const warmUpJob = JobId.fromTime(0, 2)

const letter = (index: number): DeadLetter.DeadLetter => {
  const failure = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "npm test: exit code 1", {
    step: "npm test",
    output_tail: "x".repeat(2_000)
  })
  return DeadLetter.append(
    undefined,
    { index, id: ItemId.make(`src/module-${index}/index.ts`), data: { path: `src/module-${index}/index.ts` } },
    DeadLetter.attempt({
      failure,
      agentId: AgentId.fromItem(job, index),
      attempt: 1,
      at: "2026-01-02T03:04:05.678Z",
      durationMillis: 1_000
    }),
    ErrorSignature.fromFailure(failure),
    {}
  )
}

const median = (values: ReadonlyArray<number>): number => [...values].sort((a, b) => a - b)[values.length >> 1] ?? 0

const report = (name: string, micros: ReadonlyArray<number>) => {
  const first = median(micros.slice(0, window))
  const last = median(micros.slice(-window))
  return { name, first_us: Math.round(first), last_us: Math.round(last), ratio: Number((last / first).toFixed(2)) }
}

const timed = async (work: () => Promise<unknown>): Promise<number> => {
  const start = performance.now()
  await work()
  return (performance.now() - start) * 1_000
}

const root = mkdtempSync(join(tmpdir(), "prodigy-bench-"))
const layer = DeadLetterQueue.layer.pipe(
  Layer.provide(ProdigyHome.layer({ root })),
  Layer.provide(AtomicFile.layer),
  Layer.provide(NodeContext.layer)
)

const ours = Effect.gen(function* () {
  const queue = yield* DeadLetterQueue.DeadLetterQueue
  for (let index = 0; index < 20; index++) yield* queue.put(repo, warmUpJob, letter(index))
  const micros: Array<number> = []
  for (let index = 0; index < total; index++) {
    const one = letter(index)
    micros.push(yield* Effect.promise(() => timed(() => Effect.runPromise(queue.put(repo, job, one)))))
  }
  const readMillis = Duration.toMillis((yield* Effect.timed(Stream.runDrain(queue.stream(repo, job))))[0])
  return { micros, readMillis }
})

const floor = async () => {
  const directory = join(root, "floor")
  mkdirSync(directory)
  const micros: Array<number> = []
  for (let index = 0; index < total; index++) {
    const text = JSON.stringify({ v: 1, ...letter(index) }, null, 2)
    micros.push(
      await timed(async () => {
        const path = join(directory, `${index}.json`)
        const handle = await open(`${path}.tmp`, "wx", 0o600)
        await handle.writeFile(text)
        await handle.sync()
        await handle.close()
        await rename(`${path}.tmp`, path)
        const parent = await open(directory, "r")
        await parent.sync()
        await parent.close()
      })
    )
  }
  return micros
}

try {
  const floorMicros = await floor()
  const { micros, readMillis } = await Effect.runPromise(Effect.provide(ours, layer))
  console.log(
    JSON.stringify({
      bench: "deadLetters",
      node: process.version,
      letters: total,
      results: [report("put", micros), report("floor: write, fsync, rename", floorMicros)],
      stream_us_per_letter: Math.round((readMillis / total) * 1_000)
    })
  )
} finally {
  rmSync(root, { recursive: true, force: true })
}
