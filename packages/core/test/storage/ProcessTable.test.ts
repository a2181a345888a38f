import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as NodeProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import type { Owner } from "@prodigy/core/domain/Owner"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { once } from "node:events"

describe("ProcessTable on this host", () => {
  const self = Effect.map(ProcessTable.ProcessTable, (table) => table.self)
  const lookUp = (owner: Parameters<ProcessTable.ProcessTable["Type"]["lookUp"]>[0]) =>
    Effect.flatMap(ProcessTable.ProcessTable, (table) => table.lookUp(owner))

  it.effect("finds itself alive", () =>
    Effect.gen(function* () {
      assert.strictEqual((yield* self).pid, process.pid)
      assert.strictEqual(yield* lookUp(yield* self), "alive")
    }).pipe(Effect.provide(NodeProcessTable.layer))
  )

  it.effect("does not take a reused pid for the same process", () =>
    Effect.gen(function* () {
      const me = yield* self
      assert.strictEqual(yield* lookUp({ ...me, started_at: `${me.started_at}0` }), "dead")
    }).pipe(Effect.provide(NodeProcessTable.layer))
  )

  it.effect("knows that no process outlives a boot", () =>
    Effect.gen(function* () {
      const me = yield* self
      const [, ...rest] = me.started_at.split("/")
      assert.strictEqual(yield* lookUp({ ...me, started_at: ["another-boot", ...rest].join("/") }), "dead")
    }).pipe(Effect.provide(NodeProcessTable.layer))
  )

  it.effect("does not judge what it cannot see: another host, another pid namespace", () =>
    Effect.gen(function* () {
      const me = yield* self
      const [boot, , start] = me.started_at.split("/")
      assert.strictEqual(yield* lookUp({ ...me, host: `${me.host}-2` }), "elsewhere")
      assert.strictEqual(yield* lookUp({ ...me, started_at: [boot, "1", start].join("/") }), "elsewhere")
    }).pipe(Effect.provide(NodeProcessTable.layer))
  )

  it.effect("calls nonsense dead", () =>
    Effect.gen(function* () {
      const me = yield* self
      for (const pid of [0, -1, 2 ** 30]) assert.strictEqual(yield* lookUp({ ...me, pid }), "dead")
      assert.strictEqual(yield* lookUp({ ...me, started_at: "" }), "dead")
    }).pipe(Effect.provide(NodeProcessTable.layer))
  )

  it.live("sees a child live, and dead as soon as it was killed", () =>
    Effect.gen(function* () {
      const { child, owner } = yield* living
      assert.strictEqual(owner.pid, child.pid)
      assert.strictEqual(yield* lookUp(owner), "alive")
      const exited = once(child, "exit")
      child.kill("SIGKILL")
      yield* Effect.promise(() => exited)
      assert.strictEqual(yield* lookUp(owner), "dead")
    }).pipe(Effect.scoped, Effect.provide(NodeProcessTable.layer))
  )

  it.live("asks that very process to end, and no other of its pid", () =>
    Effect.gen(function* () {
      const table = yield* ProcessTable.ProcessTable
      const { child, owner } = yield* living
      for (const other of [
        { ...owner, started_at: `${owner.started_at}0` },
        { ...owner, host: "other-host" },
        { ...owner, started_at: owner.started_at.replace(/[^/]+$/, "unknown") }
      ]) {
        assert.isFalse(yield* table.terminate(other))
      }
      assert.strictEqual(yield* table.lookUp(owner), "alive")
      const exited = once(child, "exit")
      assert.isTrue(yield* table.terminate(owner))
      assert.deepStrictEqual(yield* Effect.promise(() => exited), [null, "SIGTERM"])
      assert.isFalse(yield* table.terminate(owner))
    }).pipe(Effect.scoped, Effect.provide(NodeProcessTable.layer))
  )
})

/** A process that lives until it is stopped. */
const living = Effect.gen(function* () {
  // The child answers with how it sees itself, so both sides agree on its start.
  const script = `
    import * as Effect from "effect/Effect"
    import { ProcessTable } from "@prodigy/core/storage/ProcessTable"
    import * as Node from "@prodigy/core/storage/ProcessTable/Node"
    const { self } = await Effect.runPromise(Effect.provide(ProcessTable, Node.layer))
    console.log(JSON.stringify(self))
    setInterval(() => {}, 1000)`
  const child = yield* Effect.acquireRelease(
    Effect.sync(() =>
      spawn(
        process.execPath,
        ["--conditions=@prodigy/source", "--import", "tsx", "--input-type=module", "-e", script],
        { stdio: ["ignore", "pipe", "inherit"] }
      )
    ),
    (started) => Effect.sync(() => started.kill("SIGKILL"))
  )
  const [line] = yield* Effect.promise(() => once(child.stdout, "data"))
  const owner: Owner = JSON.parse(String(line))
  return { child, owner }
})
