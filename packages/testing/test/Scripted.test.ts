import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Agent, type AgentRequest } from "@prodigy/core/agent/Agent"
import { SpawnError } from "@prodigy/core/agent/Processes"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { ShellRunner } from "@prodigy/core/agent/Shell"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import { origin } from "@prodigy/testing/Samples"
import * as SimulatedFileSystem from "@prodigy/testing/SimulatedFileSystem"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"

const request = { origin, cwd: "/work", env: {}, timeoutMillis: null, log: "/log" }

describe("ScriptedShell", () => {
  it.effect("answers as the handler says, and otherwise as a script that worked", () =>
    Effect.gen(function* () {
      const shell = yield* ShellRunner
      const run = (script: string) => shell.run({ ...request, script, interpreter: null })
      const fine = yield* run("true")
      assert.deepStrictEqual([fine.exitCode, fine.timedOut, fine.tail], [0, false, ""])
      const failed = yield* run("exit 3")
      assert.deepStrictEqual([failed.exitCode, failed.stdout, failed.tail], [3, "no\n", "no\n"])
      assert.strictEqual((yield* Effect.flip(run("none"))).reason, "not_found")
    }).pipe(
      Effect.provide(
        ScriptedShell.layer(({ cwd, script }) =>
          script === "none"
            ? Effect.fail(new SpawnError({ command: "sh", cwd, reason: "not_found", detail: "none" }))
            : Effect.succeed(script === "exit 3" ? { exitCode: 3, stdout: "no\n" } : {})
        )
      )
    )
  )
})

describe("ScriptedAgent", () => {
  it.effect("answers as the handler says, and otherwise as an agent that worked for free", () =>
    Effect.gen(function* () {
      const agent = yield* Agent
      const seen: Array<string> = []
      const reply = yield* agent.run({
        ...request,
        prompt: "/fix a.ts",
        model: null,
        onEvent: (event) => Effect.sync(() => void seen.push(event._tag))
      })
      assert.deepStrictEqual([reply.outcome._tag, reply.result, reply.usage.usd], ["Succeeded", "did /fix a.ts", 0])
      assert.deepStrictEqual(seen, ["Message"])
      assert.deepStrictEqual(yield* agent.check, { version: "scripted" })
    }).pipe(
      Effect.provide(
        ScriptedAgent.layer(({ onEvent, prompt }) =>
          Effect.as(onEvent({ _tag: "Message", role: "assistant", text: "hm" }), { result: `did ${prompt}` })
        )
      )
    )
  )
})

describe("a script", () => {
  const files = Layer.provideMerge(SimulatedFileSystem.layer, SimulatedMachine.layer)
  const of = (index: number, attempt = 1): AgentRequest => ({
    ...request,
    cwd: "/",
    origin: { ...origin, phase: "map", item: { id: ItemId.make(`item_${index}`), index }, attempt },
    prompt: "do it",
    model: null,
    onEvent: () => Effect.void
  })
  const agentOf = (script: ScriptedAgent.Script, seed = 1) =>
    Effect.provide(Agent, ScriptedAgent.layerScript(script, { seed }))
  const { chance, fails, hangs, succeeds } = ScriptedAgent

  it.effect("answers each item from its own list, whoever asks first", () =>
    Effect.gen(function* () {
      const agent = yield* agentOf([fails("first"), succeeds({ says: "second" })])
      const tags = yield* Effect.forEach([0, 1, 1, 0], (index) =>
        Effect.map(agent.run(of(index)), ({ outcome }) => `${index} ${outcome._tag}`)
      )
      assert.deepStrictEqual(tags, ["0 Failed", "1 Failed", "1 Succeeded", "0 Succeeded"])
      const spent = yield* Effect.exit(agent.run(of(0)))
      assert.isTrue(Exit.isFailure(spent))
      assert.include(String(spent), "its list has 2, and this is time 3")
    }).pipe(Effect.provide(files))
  )

  it.effect("writes at once, and ends when its time is over by the clock, or its time limit", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const agent = yield* agentOf(succeeds({ takes: "1 hour", writes: { "a/b": "1", gone: null }, cost: 2 }))
      yield* fs.writeFileString("/gone", "")
      const fiber = yield* Effect.fork(agent.run(of(0)))
      yield* TestClock.adjust("59 minutes")
      assert.isNull(yield* Fiber.poll(fiber).pipe(Effect.map((polled) => (polled._tag === "None" ? null : polled))))
      assert.deepStrictEqual([yield* fs.readFileString("/a/b"), yield* fs.exists("/gone")], ["1", false])
      yield* TestClock.adjust("1 minute")
      const { durationMillis, usage } = yield* Fiber.join(fiber)
      assert.deepStrictEqual([durationMillis, usage.usd], [3_600_000, 2])

      const limited = yield* Effect.fork(agent.run({ ...of(1), timeoutMillis: 60_000 }))
      yield* TestClock.adjust("1 minute")
      const late = yield* Fiber.join(limited)
      assert.deepStrictEqual([late.outcome._tag, late.durationMillis], ["TimedOut", 60_000])
    }).pipe(Effect.provide(files))
  )

  it.effect("tells when a quota is over by the clock, and never ends when it hangs", () =>
    Effect.gen(function* () {
      const agent = yield* agentOf(
        ScriptedAgent.items({ item_1: hangs() }, ScriptedAgent.quota({ resetsIn: "1 hour" }))
      )
      yield* TestClock.setTime(Date.UTC(2026, 0, 2))
      const { outcome } = yield* agent.run(of(0))
      assert.strictEqual(outcome._tag === "QuotaExceeded" ? outcome.resetsAt : null, "2026-01-02T01:00:00.000Z")
      const fiber = yield* Effect.fork(agent.run(of(1)))
      yield* TestClock.adjust("1 day")
      assert.isTrue(Exit.isInterrupted(yield* Fiber.interrupt(fiber)))
    }).pipe(Effect.provide(files))
  )

  it.effect("chooses by chance as often as the weights say, the same for the same seed, item and attempt", () =>
    Effect.gen(function* () {
      const script = chance([
        [3, succeeds()],
        [1, fails("no")],
        [0, hangs()]
      ])
      const failed = (seed: number) =>
        Effect.flatMap(agentOf(script, seed), (agent) =>
          Effect.filter(
            Array.from({ length: 1000 }, (_, index) => index),
            (index) =>
              Effect.map(agent.run(of(index % 500, index < 500 ? 1 : 2)), ({ outcome }) => outcome._tag === "Failed")
          )
        )
      const first = yield* failed(1)
      assert.approximately(first.length, 250, 50)
      assert.deepStrictEqual(yield* failed(1), first)
      assert.notDeepEqual(yield* failed(2), first)
      assert.notDeepEqual(
        first.filter((index) => index < 500),
        first.filter((index) => index >= 500).map((index) => index - 500)
      )
    }).pipe(Effect.provide(files))
  )

  it.effect("draws how long it takes from between two times", () =>
    Effect.gen(function* () {
      const agent = yield* agentOf(succeeds({ takes: ["1 second", "1 minute"] }))
      const times = yield* Effect.forEach([0, 1, 2, 3], (index) =>
        Effect.gen(function* () {
          const before = yield* Clock.currentTimeMillis
          const fiber = yield* Effect.fork(agent.run(of(index)))
          yield* TestClock.adjust("1 minute")
          assert.strictEqual((yield* Clock.currentTimeMillis) - before, 60_000)
          return (yield* Fiber.join(fiber)).durationMillis
        })
      )
      assert.strictEqual(new Set(times).size, 4)
      for (const time of times) assert.isTrue(time >= 1_000 && time <= 60_000, String(time))
    }).pipe(Effect.provide(files))
  )

  it.effect("plays shell scripts as well: output, codes and signals", () =>
    Effect.gen(function* () {
      const shell = yield* Effect.provide(
        ShellRunner,
        ScriptedShell.layerScript(
          ScriptedShell.steps({
            step: [
              ScriptedShell.succeeds({ prints: "out\n" }),
              ScriptedShell.fails("why", { exitCode: 7, prints: "out\n" }),
              ScriptedShell.killed("SIGTERM")
            ]
          })
        )
      )
      const run = shell.run({ ...request, cwd: "/", script: "x", interpreter: null })
      const facts = Effect.map(run, ({ exitCode, signal, tail }) => [exitCode, signal, tail])
      assert.deepStrictEqual(yield* Effect.all([facts, facts, facts]), [
        [0, null, "out\n"],
        [7, null, "out\nwhy\n"],
        [143, "SIGTERM", ""]
      ])
    }).pipe(Effect.provide(files))
  )
})
