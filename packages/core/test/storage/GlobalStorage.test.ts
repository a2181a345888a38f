import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import { JobId } from "@prodigy/core/domain/JobId"
import type { Owner } from "@prodigy/core/domain/Owner"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DiskSpace from "@prodigy/core/storage/DiskSpace"
import * as NodeDiskSpace from "@prodigy/core/storage/DiskSpace/Node"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as GlobalStorage from "@prodigy/core/storage/GlobalStorage"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import * as Samples from "@prodigy/testing/Samples"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { execFileSync } from "node:child_process"
import * as TemporaryHome from "./TemporaryHome.ts"

const layerOf = (free: number | null) => layerOn(DiskSpace.layerTest(free))
const layerOn = (disk: Layer.Layer<DiskSpace.DiskSpace>) =>
  GlobalStorage.layer.pipe(
    Layer.provideMerge(SessionStore.layer),
    Layer.provideMerge(FileLock.layer),
    Layer.provide(IdGenerator.layer),
    Layer.provideMerge(ProcessTable.layerMemory),
    Layer.provide(disk),
    Layer.provideMerge(TemporaryHome.layerDisk)
  )
const layer = layerOf(null)

const dead: Owner = { pid: 99, host: "memory", started_at: "9" }
const findings = (check: string) =>
  Effect.flatMap(GlobalStorage.GlobalStorage, (storage) =>
    Effect.map(storage.healthCheck, (found) => found.filter((finding) => finding.check === check))
  )

describe("GlobalStorage", () => {
  it.effect("makes a private root that is empty, and may be asked again", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { root } = yield* ProdigyHome.ProdigyHome
      const storage = yield* GlobalStorage.GlobalStorage
      yield* Effect.all([storage.prepare, storage.prepare], { concurrency: 2 })
      yield* storage.prepare
      assert.strictEqual((yield* fs.stat(root)).mode & 0o777, 0o700)
      assert.deepStrictEqual(yield* fs.readDirectory(root), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("cannot prepare a root that is a file", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { root } = yield* ProdigyHome.ProdigyHome
      const storage = yield* GlobalStorage.GlobalStorage
      yield* fs.writeFileString(root, "")
      assert.instanceOf(yield* Effect.flip(storage.prepare), AtomicFile.StorageError)
      assert.deepInclude((yield* storage.healthCheck)[0], { check: "home", status: "error" })
    }).pipe(Effect.provide(layer))
  )

  it.effect("sweeps what dead processes left half written, and nothing of a living one, another host's or of old", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const home = yield* ProdigyHome.ProdigyHome
      const storage = yield* GlobalStorage.GlobalStorage
      const repo = RepoName.make("shop")
      const jobId = JobId.make("mapreduce-20260102_030405")
      const paths = home.repo(repo)
      const directories = [
        home.root,
        home.sessions,
        home.resumeLocks,
        paths.mappings,
        paths.worktreeMetadata("x").replace("/x.json", ""),
        paths.claim.replace(/\/[^/]*$/, ""),
        paths.job(jobId).directory,
        paths.job(jobId).events,
        paths.job(jobId).queue,
        paths.job(jobId).deadLetters
      ]
      /** What a process leaves that is killed between writing and renaming. */
      const leave = (owner: Owner, directory: string) =>
        Effect.gen(function* () {
          const file = yield* AtomicFile.AtomicFile
          yield* file.replace(`${directory}/there`, "")
          const renaming = Effect.forkDaemon(file.replaceLines(`${directory}/lines`, Stream.never))
          yield* renaming
          while (!(yield* fs.readDirectory(directory)).some((name) => name.includes(`-tmp-${owner.pid}~`))) {
            yield* Effect.yieldNow()
          }
        }).pipe(
          Effect.provide(
            AtomicFile.layer.pipe(
              Layer.provide(TemporaryName.layerWriter),
              Layer.provide(ProcessTable.layerTest({ self: owner })),
              Layer.provide(NodeContext.layer)
            )
          )
        )
      const self = { pid: 1, host: "memory", started_at: "1" }
      const elsewhere = { pid: 98, host: "other", started_at: "boot/1/9" }
      for (const directory of directories) {
        for (const owner of [dead, self, elsewhere, { ...dead, pid: 97, started_at: "boot/1/7" }]) {
          yield* leave(owner, directory)
        }
        yield* fs.writeFileString(`${directory}/.prodigy-tmp-zzz`, "")
      }
      yield* storage.sweep(repo, jobId)
      for (const directory of directories) {
        const left = (yield* fs.readDirectory(directory)).filter(TemporaryName.isTemporary)
        assert.deepStrictEqual(left.map((name) => name.slice(13, 16).replace(/~.*/, "~")).toSorted(), [
          "1~",
          "98~",
          "zzz"
        ])
        assert.isTrue(yield* fs.exists(`${directory}/there`))
      }
    }).pipe(Effect.provide(layer))
  )

  it.effect("gives back the lock that a dead process held on a session, and no other", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const home = yield* ProdigyHome.ProdigyHome
      const storage = yield* GlobalStorage.GlobalStorage
      const file = yield* AtomicFile.AtomicFile
      const lock = (owner: Owner, token: string) =>
        FileLock.document.encode({ owner, acquired_at: "2026-01-02T03:04:05.000Z", token })
      const [left, elsewhere] = [`${home.sessions}/session-a.json.lock`, `${home.sessions}/session-b.json.lock`]
      yield* file.replace(left, yield* lock(dead, "5b1f64c8-3bd1-4c0e-8c4b-3f5d5e1a2b3c"))
      yield* file.replace(elsewhere, yield* lock({ ...dead, host: "other" }, "5b1f64c8-3bd1-4c0e-8c4b-3f5d5e1a2b3d"))
      yield* storage.sweep(RepoName.make("shop"), null)
      assert.isFalse(yield* fs.exists(left))
      assert.isTrue(yield* fs.exists(elsewhere))
    }).pipe(Effect.provide(layer))
  )

  it.effect("sweeps a dead process's takeover of a lock only once the lock has another token", () =>
    Effect.gen(function* () {
      const file = yield* AtomicFile.AtomicFile
      const home = yield* ProdigyHome.ProdigyHome
      const storage = yield* GlobalStorage.GlobalStorage
      const [old, now] = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"] as const
      const holder = (owner: Owner, token: string) =>
        FileLock.document.encode({ owner, acquired_at: "2026-01-02T03:04:05.000Z", token })
      const lock = `${home.sessions}/session-x.json.lock`
      const guard = `${home.resumeLocks}/.job.guard`
      const self = { pid: 1, host: "memory", started_at: "1" }
      yield* file.replace(lock, yield* holder(self, now))
      yield* file.replace(`${lock}.${old}`, yield* holder(dead, now))
      yield* file.replace(`${lock}.${now}`, yield* holder(dead, old))
      yield* file.replace(`${guard}.${old}`, yield* holder(dead, now))
      yield* file.replace(`${guard}.${now}`, yield* holder(self, now))
      yield* storage.sweep(RepoName.make("shop"), JobId.make("mapreduce-20260102_030405"))
      assert.deepStrictEqual(yield* file.list(home.sessions), ["session-x.json.lock", `session-x.json.lock.${now}`])
      assert.deepStrictEqual(yield* file.list(home.resumeLocks), [`.job.guard.${now}`])
    }).pipe(Effect.provide(layer))
  )

  it.effect("finds a fresh storage healthy, and a missing one not made by looking", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { root } = yield* ProdigyHome.ProdigyHome
      const storage = yield* GlobalStorage.GlobalStorage
      assert.deepInclude((yield* storage.healthCheck)[0], { check: "home", status: "warning" })
      assert.deepStrictEqual([...(yield* Stream.runCollect(storage.sizes))], [])
      assert.isFalse(yield* fs.exists(root))
      yield* storage.prepare
      for (const finding of yield* storage.healthCheck) assert.strictEqual(finding.status, "ok", finding.detail)
      assert.deepStrictEqual(yield* fs.readDirectory(root), [])
    }).pipe(Effect.provide(layer))
  )

  it.effect("warns of a root that others may read", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const { root } = yield* ProdigyHome.ProdigyHome
      yield* fs.makeDirectory(root)
      yield* fs.chmod(root, 0o755)
      const [finding] = yield* findings("permissions")
      assert.strictEqual(finding?.status, "warning")
      assert.include(finding?.detail, "0755")
    }).pipe(Effect.provide(layer))
  )

  for (const [free, status] of [
    [null, "ok"],
    [GlobalStorage.freeBytesMin.warning, "ok"],
    [GlobalStorage.freeBytesMin.warning - 1, "warning"],
    [GlobalStorage.freeBytesMin.error - 1, "error"]
  ] as const) {
    it.effect(`says ${status} of ${free ?? "unknown"} free bytes`, () =>
      Effect.gen(function* () {
        yield* (yield* GlobalStorage.GlobalStorage).prepare
        assert.deepStrictEqual(
          (yield* findings("disk_space")).map((finding) => finding.status),
          [status]
        )
      }).pipe(Effect.provide(layerOf(free)))
    )
  }

  it.effect("knows the free space of a real disk, and none of a path that does not exist", () =>
    Effect.gen(function* () {
      const disk = yield* DiskSpace.DiskSpace
      assert.isAbove((yield* disk.free("/")) ?? 0, 0)
      assert.isNull(yield* disk.free("/does/not/exist"))
    }).pipe(Effect.provide(NodeDiskSpace.layer))
  )

  it.effect("names damaged sessions and locks, locks of the dead, and leaves all of them alone", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* AtomicFile.AtomicFile
      const home = yield* ProdigyHome.ProdigyHome
      const sessions = yield* SessionStore.SessionStore
      const { self } = yield* ProcessTable.ProcessTable
      yield* (yield* GlobalStorage.GlobalStorage).prepare
      yield* sessions.create(Samples.session(1, { owner: dead }))
      yield* file.replace(home.session(Samples.session(2).id), "{")
      const lease = (n: number, owner: Owner) =>
        JSON.stringify({
          v: 1,
          job_id: Samples.jobId(n),
          session_id: Samples.session(n).id,
          process_id: owner.pid,
          process_started_at: owner.started_at,
          hostname: owner.host,
          acquired_at: "2026-01-02T03:04:05.000Z",
          token: "t"
        })
      yield* file.replace(home.resumeLock(Samples.jobId(1)), lease(1, dead))
      yield* file.replace(home.resumeLock(Samples.jobId(2)), lease(2, self))
      yield* file.replace(home.resumeLock(Samples.jobId(3)), lease(3, { ...dead, host: "other" }))
      yield* file.replace(home.resumeLock(Samples.jobId(4)), "?")
      const token = "01940000-0000-7000-8000-000000000000"
      const lock = yield* FileLock.document.encode({ owner: dead, acquired_at: "2026-01-02T03:04:05.000Z", token })
      yield* file.replace(`${home.session(Samples.session(1).id)}.lock`, lock)

      const found = [...(yield* findings("sessions")), ...(yield* findings("locks"))]
      assert.deepStrictEqual(
        found.map((finding) => finding.status),
        ["ok", "error", "ok", "warning", "warning", "warning"]
      )
      assert.include(found[0]?.detail, "1 can be read, 1 of them interrupted")
      assert.include(found[1]?.detail, home.session(Samples.session(2).id))
      assert.include(found[3]?.detail, home.resumeLock(Samples.jobId(1)))
      assert.include(found[4]?.detail, home.resumeLock(Samples.jobId(4)))
      assert.include(found[5]?.detail, `${home.session(Samples.session(1).id)}.lock`)
      assert.strictEqual((yield* fs.readDirectory(home.resumeLocks)).length, 4)
      assert.strictEqual((yield* fs.readDirectory(home.sessions)).length, 3)
    }).pipe(Effect.provide(layer))
  )

  it.effect("measures what du measures, by repository, and follows no link", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const file = yield* AtomicFile.AtomicFile
      const { root } = yield* ProdigyHome.ProdigyHome
      yield* file.replace(`${root}/events/a/job/events-20260102_030405.jsonl`, "x".repeat(10_000))
      yield* file.replace(`${root}/events/b/job/events-20260102_030405.jsonl`, "x".repeat(100_000))
      yield* file.replace(`${root}/events/stray`, "x")
      yield* file.replace(`${root}/sessions/s.json`, "x".repeat(5_000))
      yield* file.replace(`${root}/worktrees/a/session-1/deep/er/f`, "x")
      yield* fs.writeFileString(`${root}/../outside`, "x".repeat(1_000_000))
      yield* fs.symlink(`${root}/..`, `${root}/worktrees/a/session-1/loop`)
      yield* fs.symlink(`${root}/../outside`, `${root}/worktrees/a/session-1/big`)
      yield* fs.symlink("/nowhere", `${root}/worktrees/a/session-1/dangling`)
      const sizes = [...(yield* Stream.runCollect((yield* GlobalStorage.GlobalStorage).sizes))]
      const du = (path: string) =>
        Number(execFileSync("du", ["-s", "--block-size=1", path], { encoding: "utf8" }).split("\t")[0])
      for (const component of ["events", "sessions", "worktrees"]) {
        const rows = sizes.filter((row) => row.component === component)
        const sum = rows.reduce((total, row) => total + row.bytes, 0)
        assert.strictEqual(sum, du(`${root}/${component}`), component)
      }
      const row = (component: string, repo: string | null) =>
        sizes.find((one) => one.component === component && one.repo === repo)
      assert.strictEqual(row("events", "b")?.bytes, du(`${root}/events/b`))
      assert.strictEqual(row("events", null)?.files, 1)
      assert.strictEqual(row("sessions", null)?.files, 1)
      assert.strictEqual(row("worktrees", "a")?.files, 4)
      assert.isUndefined(row("dlq", null))
    }).pipe(Effect.provide(layerOn(NodeDiskSpace.layer)))
  )
})
