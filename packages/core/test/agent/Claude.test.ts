import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Agent, type AgentEvent, type AgentRequest } from "@prodigy/core/agent/Agent"
import * as Claude from "@prodigy/core/agent/Claude"
import * as NodeProcesses from "@prodigy/core/agent/Processes/Node"
import { KillGraceMillis } from "@prodigy/core/domain/Limits"
import { origin } from "@prodigy/testing/Samples"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"

const fakeClaude = new URL("../../../testing/fake-claude/claude", import.meta.url).pathname

const base = Layer.provideMerge(
  // As if started from within another conversation, which the program refuses.
  NodeProcesses.layer({ environment: { PATH: process.env["PATH"], HOME: process.env["HOME"], CLAUDECODE: "1" } }),
  NodeContext.layer
)
const claude = Layer.provideMerge(Claude.layer({ command: fakeClaude }), base)

/** Runs prompts against a fake that follows one rule. */
const workshop = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const agent = yield* Agent
  const directory = yield* Effect.flatMap(fileSystem.makeTempDirectoryScoped(), fileSystem.realPath)
  const log = `${directory}/logs/agent.jsonl`
  const events: Array<AgentEvent> = []
  const run = Effect.fnUntraced(function* (actions: ReadonlyArray<unknown>, request: Partial<AgentRequest> = {}) {
    yield* fileSystem.writeFileString(
      `${directory}/script.json`,
      JSON.stringify([{ match: "", actions, cost: { usd: 0.5 } }])
    )
    return yield* Effect.provideService(
      agent.run({
        origin,
        prompt: "do it",
        cwd: directory,
        env: { FAKE_CLAUDE_SCRIPT: `${directory}/script.json` },
        model: null,
        timeoutMillis: null,
        log,
        onEvent: (event) => Effect.sync(() => void events.push(event)),
        ...request
      }),
      KillGraceMillis,
      300
    )
  })
  return { directory, events, fileSystem, log, run }
})

describe("Claude", () => {
  it.scopedLive("tells what the agent did and what it used, and keeps its lines", () =>
    Effect.gen(function* () {
      const { directory, events, fileSystem, log, run } = yield* workshop
      const reply = yield* run(
        [
          { write: { path: "a.txt", content: "new" } },
          { tool: "Read", input: { file_path: "b" } },
          { say: "All done." }
        ],
        { model: "opus" }
      )
      const usage = { input_tokens: 300, output_tokens: 30, cache_tokens: 150, usd: 0.5 }
      assert.deepStrictEqual([reply.outcome, reply.result, reply.usage], [{ _tag: "Succeeded" }, "All done.", usage])
      assert.deepStrictEqual(events, [
        { _tag: "SessionStarted", agentSessionId: reply.agentSessionId ?? "none", model: "opus" },
        { _tag: "ToolInvoked", tool: "Write", summary: `${directory}/a.txt` },
        { _tag: "Message", role: "tool", text: "ok" },
        { _tag: "ToolInvoked", tool: "Read", summary: "b" },
        { _tag: "Message", role: "tool", text: "ok" },
        { _tag: "Message", role: "assistant", text: "All done." },
        { _tag: "Used", usage }
      ])
      assert.strictEqual(yield* fileSystem.readFileString(`${directory}/a.txt`), "new")
      const lines = (yield* fileSystem.readFileString(log)).trim().split("\n")
      assert.deepStrictEqual(
        lines.map((line) => JSON.parse(line).type),
        ["system", "assistant", "user", "assistant", "user", "assistant", "result"]
      )
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("hands over every prompt as it is: long, like an option, in any script", () =>
    Effect.gen(function* () {
      const { directory, fileSystem, run } = yield* workshop
      yield* fileSystem.writeFileString(
        `${directory}/echo.json`,
        JSON.stringify([{ match: "^(.*)$", actions: [{ write: { path: "prompt", content: "$1" } }] }])
      )
      const env = { FAKE_CLAUDE_SCRIPT: `${directory}/echo.json` }
      for (const prompt of [
        "--version",
        " -p",
        "x".repeat(300_000),
        "'; touch pwned; '",
        "日本\n$(touch pwned)",
        "/cmd a b"
      ]) {
        const reply = yield* run([], { prompt, env })
        assert.deepStrictEqual(reply.outcome, { _tag: "Succeeded" })
        assert.strictEqual(yield* fileSystem.readFileString(`${directory}/prompt`), prompt)
      }
      assert.isFalse(yield* fileSystem.exists(`${directory}/pwned`))
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("names the agent's own failure, and counts what it cost", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const reply = yield* run([{ say: "Trying." }, { fail: "error_max_turns", message: "too many turns" }])
      assert.deepStrictEqual(reply.outcome, {
        _tag: "Failed",
        subtype: "error_max_turns",
        message: "too many turns",
        exitCode: 1
      })
      assert.strictEqual(reply.usage.usd, 0.5)
      const refused = yield* run([{ fail: "api_error", status: 500, message: "API Error: 500" }])
      assert.deepStrictEqual(refused.outcome, {
        _tag: "Failed",
        subtype: "api_error",
        message: "API Error: 500",
        exitCode: 1,
        nature: "server_error"
      })
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("tells a usage limit from a failure, and when it ends", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const reply = yield* run([{ quota: 1_800_000_000 }])
      assert.deepStrictEqual(reply.outcome, {
        _tag: "QuotaExceeded",
        resetsAt: "2027-01-15T08:00:00.000Z",
        message: "You've hit your session limit"
      })
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("stops an agent that hangs at the time limit, counting what it used so far", () =>
    Effect.gen(function* () {
      const { events, run } = yield* workshop
      const reply = yield* run([{ say: "Thinking." }, { hang: "stubborn" }], { timeoutMillis: 6_000 })
      const usage = { input_tokens: 100, output_tokens: 10, cache_tokens: 50, usd: 0 }
      assert.deepStrictEqual([reply.outcome, reply.result, reply.usage], [{ _tag: "TimedOut" }, "Thinking.", usage])
      assert.deepStrictEqual(events.at(-1), { _tag: "Used", usage })
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("lets a result count although the program does not end after it", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const reply = yield* run([{ say: "Done." }, { linger: true }])
      assert.deepStrictEqual([reply.outcome, reply.result], [{ _tag: "Succeeded" }, "Done."])
    }).pipe(Effect.provideService(Claude.ResultGraceMillis, 50), Effect.provide(claude))
  )

  it.scopedLive("keeps lines that it does not understand, and goes on", () =>
    Effect.gen(function* () {
      const { fileSystem, log, run } = yield* workshop
      const reply = yield* run([
        { print: "not json" },
        { print: '{"type":"from_the_future"}' },
        { print: '{"type":"assistant","message":null}' },
        { warn: "a warning" },
        { say: "Done." }
      ])
      assert.deepStrictEqual([reply.outcome, reply.result], [{ _tag: "Succeeded" }, "Done."])
      const lines = (yield* fileSystem.readFileString(log)).split("\n")
      assert.includeMembers(lines, ["not json", '{"type":"from_the_future"}', "a warning"])
      assert.include(reply.tail, "a warning")
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("says how an agent ended that did not say so itself", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const brokenBy = (action: unknown) => Effect.map(run([{ say: "Hm." }, action]), (reply) => reply.outcome)
      assert.deepStrictEqual(yield* brokenBy({ exit: 0 }), {
        _tag: "Broken",
        exitCode: 0,
        signal: null,
        message: "it ended with exit code 0 and without a result"
      })
      assert.deepStrictEqual(yield* brokenBy({ exit: 3 }), {
        _tag: "Broken",
        exitCode: 3,
        signal: null,
        message: "it ended with exit code 3 and without a result"
      })
      assert.deepStrictEqual(yield* brokenBy({ kill: "SIGSEGV" }), {
        _tag: "Broken",
        exitCode: 139,
        signal: "SIGSEGV",
        message: "it ended with signal SIGSEGV and without a result"
      })
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("leaves no process when it is interrupted, and tells what it used so far", () =>
    Effect.gen(function* () {
      const { directory, events, fileSystem, run } = yield* workshop
      const spoke = yield* Effect.makeLatch()
      const running = yield* Effect.fork(
        run([{ say: "Here." }, { hang: true }], {
          onEvent: (event) => {
            events.push(event)
            return event._tag === "Message" ? spoke.open : Effect.void
          },
          env: { FAKE_CLAUDE_SCRIPT: `${directory}/script.json`, MARK: directory }
        })
      )
      yield* spoke.await
      const marked = Effect.gen(function* () {
        const pids = (yield* fileSystem.readDirectory("/proc")).filter((name) => /^\d+$/.test(name))
        const environments = yield* Effect.forEach(pids, (pid) =>
          Effect.orElseSucceed(fileSystem.readFileString(`/proc/${pid}/environ`), () => "")
        )
        return environments.filter((environment) => environment.includes(`MARK=${directory}`)).length
      })
      assert.strictEqual(yield* marked, 1)
      yield* Fiber.interrupt(running)
      assert.strictEqual(yield* marked, 0)
      const usage = { input_tokens: 100, output_tokens: 10, cache_tokens: 50, usd: 0 }
      assert.deepStrictEqual(events.at(-1), { _tag: "Used", usage })
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("answers with its version when asked before a run", () =>
    Effect.gen(function* () {
      const agent = yield* Agent
      assert.deepStrictEqual(yield* agent.check, { version: "0.1.0 (fake Claude Code)" })
    }).pipe(Effect.provide(claude))
  )

  it.scopedLive("is missing when there is no such program, or it does not answer as it should", () =>
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const directory = yield* fileSystem.makeTempDirectoryScoped()
      const check = (command: string) =>
        Effect.flip(
          Effect.provide(
            Effect.flatMap(Agent, (agent) => agent.check),
            Claude.layer({ command })
          )
        )
      const missing = yield* check("no-such-claude")
      assert.strictEqual(
        missing.message,
        'The agent "claude" (no-such-claude) cannot be used: there is no such program'
      )
      yield* fileSystem.writeFileString(`${directory}/odd`, "#!/bin/sh\necho what; exit 3\n", { mode: 0o700 })
      assert.strictEqual((yield* check(`${directory}/odd`)).detail, "--version ended with exit code 3: what")
      const agent = yield* Effect.provide(Agent, Claude.layer({ command: "no-such-claude" }))
      const failed = yield* Effect.flip(
        agent.run({
          origin,
          prompt: "x",
          cwd: directory,
          env: {},
          model: null,
          timeoutMillis: null,
          log: `${directory}/log`,
          onEvent: () => Effect.void
        })
      )
      assert.strictEqual(failed.reason, "not_found")
    }).pipe(Effect.provide(base))
  )

  it.scopedLive("takes its command from PRODIGY_CLAUDE_COMMAND", () =>
    Effect.gen(function* () {
      const agent = yield* Agent
      assert.deepStrictEqual(yield* agent.check, { version: "0.1.0 (fake Claude Code)" })
    }).pipe(
      Effect.provide(Layer.provide(Claude.layerConfig(), base)),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map([["PRODIGY_CLAUDE_COMMAND", fakeClaude]])))
    )
  )
})
