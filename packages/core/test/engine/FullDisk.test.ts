/**
 * A disk that is full in the middle of a run: every write of the storage refused from some moment on, or the worktrees'
 * disk without room. Git, processes and files are real; that the disk is full is injected, so that it can be shown
 * everywhere. `packages/cli/test/e2e/fullDisk.test.ts` does it on a small disk of its own, where one can be mounted.
 */
import { type PlatformError, SystemError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import type { JobId } from "@prodigy/core/domain/JobId"
import { type RunReport } from "@prodigy/core/engine/MapReduce"
import { StorageError } from "@prodigy/core/storage/AtomicFile"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { DiskSpace } from "@prodigy/core/storage/DiskSpace"
import { Journal } from "@prodigy/core/storage/Journal"
import * as Chunk from "effect/Chunk"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository, repo } from "./Bench.ts"

const seed = 20_261_123
const points = 4

describe("a full disk", () => {
  it.live(`loses nothing that was recorded, whenever the storage refuses to be written (seed ${seed})`, () =>
    Effect.gen(function* () {
      const whole = yield* fillUp(Number.POSITIVE_INFINITY)
      assert.isAbove(whole, 40)
      for (let point = 0; point < points; point++) {
        yield* fillUp(yield* Random.nextIntBetween(Math.floor((whole * point) / points), whole))
      }
    }).pipe(Effect.withRandom(Random.make(seed)), Effect.provide(Logger.minimumLogLevel(LogLevel.None)))
  )

  it.live(
    "of the worktrees uses no item up: the job stops, says where there is no room, and goes on when there is",
    () => {
      let full = true
      const disk = Layer.succeed(DiskSpace, {
        ...nothingOn,
        free: (path) => Effect.sync(() => (full && path.includes("/worktrees/") ? 12_345 : 10 ** 12))
      })
      return inRepository(
        ({ git, project, resume, run }) =>
          Effect.gen(function* () {
            writeFileSync(join(project, "../full"), "")
            const report = yield* run(failingWhileFull)
            assert.strictEqual(report.status, "failed")
            assert.deepInclude(report.counts, { merged: 0, dead_lettered: 0, pending: 6 })
            assert.isFalse(report.stopped_by_policy)
            assert.deepStrictEqual(report.failure?.cause, { error_type: "ResourceExhausted" })
            assert.match(report.failure?.message ?? "", /The disk of \/.*\/worktrees\/.* is full \(12 KiB left\)/)
            full = false
            rmSync(join(project, "../full"))
            const resumed = yield* resume(report.job_id)
            assert.strictEqual(resumed.status, "completed")
            assert.strictEqual(resumed.counts.merged, 6)
            assert.strictEqual(git("ls-tree", "--name-only", "main").split("\n").length, 6)
            assert.strictEqual(yield* Effect.flatMap(DeadLetterQueue, (queue) => queue.count(repo, report.job_id)), 0)
          }),
        undefined,
        { disk }
      )
    }
  )
})

/**
 * Runs a job whose storage is full from its `from`th write on, then with room again. Gives how many writes there were in
 * all before that.
 */
const fillUp = (from: number) => {
  const disk = { writes: 0, from }
  return inRepository(
    ({ git, project, resume, run }) =>
      Effect.gen(function* () {
        const label = `full from write ${from}`
        const log = () => lines(join(project, "../log"))
        const first = yield* Effect.either(run(job))
        disk.from = Number.POSITIVE_INFINITY
        const { writes } = disk
        if (Either.isLeft(first)) {
          // Not the error itself into a message: it may hold much.
          if (!isStorageError(first.left)) return assert.fail(`${label}: ${String(first.left)}`)
          assert.strictEqual(first.left.reason, "no_space", `${label}: ${first.left.message}`)
        }
        const jobId = theJob(project)
        let report: RunReport | undefined = Either.getOrUndefined(first)
        if (report?.status !== "completed") {
          // Full before the job was: nothing was started.
          if (jobId === undefined) return assert.deepStrictEqual(log(), [], label) as never
          const recorded = yield* completed(jobId)
          report = yield* resume(jobId)
          for (const index of recorded) {
            const runs = log().filter((line) => line === `item ${index + 1}`)
            assert.deepStrictEqual(runs.length, 1, `${label}: item ${index} was recorded and ran again`)
          }
        }
        assert.strictEqual(report.status, "completed", label)
        assert.deepInclude(report.counts, { merged: 3, dead_lettered: 0, skipped: 0 }, label)
        assert.strictEqual(git("show", "main:all.txt"), "1\n2\n3", label)
        const merges = git("log", "--format=%s", "main").split("\n")
        assert.strictEqual(merges.filter((subject) => subject.startsWith("Merge mapreduce-")).length, 3, label)
        git("fsck", "--strict")
        return writes
      }),
    undefined,
    { files: fillable(disk), disk: roomOf(disk) }
  )
}

const job = `
name: full
setup:
  - shell: echo setup >> "$PROJECT_ROOT/../log"
map:
  input: { items: [1, 2, 3] }
  max_parallel: 2
  agent_template:
    - shell: echo "item \${item}" >> "$PROJECT_ROOT/../log"
    - shell: echo "\${item}" > "made-\${item}"
reduce:
  - shell: cat made-* > all.txt
`

const failingWhileFull = `
name: worktrees
map:
  input: { items: [1, 2, 3, 4, 5, 6] }
  max_parallel: 5
  agent_template:
    - shell: test ! -e "$PROJECT_ROOT/../full"
      allow_failure: true
    - shell: echo "\${item}" > "made-\${item}"
`

const lines = (path: string) => (existsSync(path) ? readFileSync(path, "utf8").trim().split("\n") : [])

/** The job of the storage, as far as it came to be one. */
const theJob = (project: string) => {
  const jobs = join(project, "../home/state", repo, "mapreduce/jobs")
  const [name] = existsSync(jobs) ? readdirSync(jobs) : []
  return name !== undefined && existsSync(join(jobs, name, "job.json")) ? (name as JobId) : undefined
}

/** Items that the journal knows as completed. */
const completed = (jobId: JobId) =>
  Effect.gen(function* () {
    const entries = yield* Stream.runCollect((yield* Journal).read(repo, jobId, 0))
    return Chunk.toReadonlyArray(entries).flatMap(({ record }) =>
      record.type === "item_completed" ? [record.index] : []
    )
  })

const isStorageError = Schema.is(StorageError)

const nothingOn = { usage: () => Effect.succeed(null), entry: () => Effect.succeed(null) }

/** What the disk of `fillable` says of itself. */
const roomOf = (disk: { readonly writes: number; readonly from: number }) =>
  Layer.succeed(DiskSpace, { ...nothingOn, free: () => Effect.sync(() => (disk.writes > disk.from ? 0 : 10 ** 12)) })

/** Files of which those of the storage cannot be written from the `from`th write on. */
const fillable = (disk: { writes: number; readonly from: number }) =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (fs) => {
      const writing = <A, R>(path: string, self: Effect.Effect<A, PlatformError, R>) =>
        Effect.suspend((): Effect.Effect<A, PlatformError, R> =>
          path.includes("/home/") && ++disk.writes > disk.from ? Effect.fail(noSpace) : self
        )
      const file = (path: string, open: FileSystem.File): FileSystem.File =>
        new Proxy(open, {
          get: (target, key) => {
            if (key === "write") return (bytes: Uint8Array) => writing(path, target.write(bytes))
            if (key === "writeAll") return (bytes: Uint8Array) => writing(path, target.writeAll(bytes))
            const value = Reflect.get(target, key)
            return typeof value === "function" ? value.bind(target) : value
          }
        })
      return FileSystem.make({
        ...fs,
        open: (path, options) => {
          const opened = Effect.map(fs.open(path, options), (opened) => file(path, opened))
          return options?.flag === undefined || options.flag === "r" ? opened : writing(path, opened)
        },
        makeDirectory: (path, options) => writing(path, fs.makeDirectory(path, options)),
        writeFile: (path, data, options) => writing(path, fs.writeFile(path, data, options))
      })
    })
  )

const noSpace = new SystemError({
  module: "FileSystem",
  method: "write",
  reason: "Unknown",
  description: "ENOSPC: no space left on device, write",
  cause: Object.assign(new Error("ENOSPC"), { code: "ENOSPC" })
})
