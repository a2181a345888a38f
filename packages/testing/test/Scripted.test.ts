import { assert, describe, it } from "@effect/vitest"
import { Agent } from "@prodigy/core/agent/Agent"
import { SpawnError } from "@prodigy/core/agent/Processes"
import { ShellRunner } from "@prodigy/core/agent/Shell"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import { origin } from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"

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
