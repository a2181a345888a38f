import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as NodeProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as Samples from "@prodigy/testing/Samples"
import { suite } from "@prodigy/testing/suite/SessionStoreSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import { spawn } from "node:child_process"
import { once } from "node:events"
import { fileURLToPath } from "node:url"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = SessionStore.layer.pipe(Layer.provide(IdGenerator.layer))

const layerMemory = Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerMemory, ProcessTable.layerMemory))
const layerDisk = Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerDisk, NodeProcessTable.layer))

suite("memory", layerMemory)
suite("disk", layerDisk)

describe("SessionStore", () => {
  it.effect("does not wait for ever for a holder on another host, and names it", () =>
    Effect.gen(function* () {
      const store = yield* SessionStore.SessionStore
      const file = yield* AtomicFile.AtomicFile
      const home = yield* ProdigyHome.ProdigyHome
      const session = Samples.session()
      yield* store.create(session)
      const holder = { owner: { pid: 77, host: "other-host", started_at: "1" }, acquired_at: session.started_at }
      const lock = yield* FileLock.document.encode({ ...holder, token: "01940000-0000-7000-8000-000000000000" })
      yield* file.createExclusively(`${home.session(session.id)}.lock`, lock)
      const update = yield* Effect.fork(Effect.flip(store.update(session.id, (before) => before)))
      yield* Effect.repeatN(TestClock.adjust("100 millis"), 150)
      const error = yield* Fiber.join(update)
      assert.instanceOf(error, AtomicFile.StorageError)
      assert.include(error.message, "process 77 on other-host")
      assert.strictEqual(yield* file.read(`${home.session(session.id)}.lock`), lock)
    }).pipe(Effect.provide(layerMemory))
  )
})

describe("SessionStore of several processes", () => {
  const script = fileURLToPath(new URL("./updateSession.ts", import.meta.url))
  const children = (root: string, id: string, updates: number) =>
    ["a", "b", "c", "d"].map((counter) =>
      spawn(
        process.execPath,
        ["--conditions=@prodigy/source", "--import", "tsx", script, root, id, counter, String(updates)],
        { stdio: ["ignore", "pipe", "inherit"] }
      )
    )
  const exit = (child: ReturnType<typeof spawn>) =>
    Effect.promise(async () => (child.exitCode ?? child.signalCode ?? (await once(child, "close"))[0]) as unknown)

  it.live("loses no field that any of them updates", () =>
    Effect.gen(function* () {
      const store = yield* SessionStore.SessionStore
      const { root } = yield* ProdigyHome.ProdigyHome
      const session = Samples.session()
      yield* store.create(session)
      const codes = yield* Effect.forEach(children(root, session.id, 25), exit, { concurrency: "unbounded" })
      assert.deepStrictEqual(codes, [0, 0, 0, 0])
      assert.deepStrictEqual((yield* store.get(session.id)).timings, { a: 25, b: 25, c: 25, d: 25, all: 100 })
    }).pipe(Effect.provide(layerDisk))
  )

  it.live("goes on after processes were killed in the middle of an update", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const store = yield* SessionStore.SessionStore
      const home = yield* ProdigyHome.ProdigyHome
      const session = Samples.session()
      yield* store.create(session)
      const [one, ...others] = children(home.root, session.id, 1_000_000)
      yield* Effect.forEach(
        [one, ...others],
        (child) => Effect.promise(() => once(child?.stdout ?? process.stdin, "data")),
        { concurrency: "unbounded" }
      )
      for (const child of [one, ...others]) child?.kill("SIGKILL")
      yield* Effect.forEach([one, ...others], (child) => (child === undefined ? Effect.void : exit(child)))
      const before = yield* store.get(session.id)
      const sum = ["a", "b", "c", "d"].reduce((total, counter) => total + (before.timings[counter] ?? 0), 0)
      assert.strictEqual(before.timings["all"], sum)
      const after = yield* store.update(session.id, (found) => ({ ...found, error: "killed" }))
      assert.strictEqual(after.error, "killed")
      const names = yield* fs.readDirectory(home.sessions)
      assert.notInclude(names, `${session.id}.json.lock`)
    }).pipe(Effect.provide(Layer.merge(layerDisk, NodeContext.layer)))
  )
})
