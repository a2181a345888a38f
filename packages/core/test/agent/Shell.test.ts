import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as NodeProcesses from "@prodigy/core/agent/Processes/Node"
import * as Shell from "@prodigy/core/agent/Shell"
import { KillGraceMillis } from "@prodigy/core/domain/Limits"
import { origin } from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const shell = Layer.provideMerge(
  Shell.layer,
  Layer.provideMerge(NodeProcesses.layer({ environment: { PATH: process.env["PATH"] } }), NodeContext.layer)
)

const workshop = Effect.gen(function* () {
  const fileSystem = yield* FileSystem.FileSystem
  const runner = yield* Shell.ShellRunner
  const directory = yield* Effect.flatMap(fileSystem.makeTempDirectoryScoped(), fileSystem.realPath)
  const log = `${directory}/logs/step.log`
  const run = (script: string, request: Partial<Shell.ShellRequest> = {}) =>
    runner.run({ origin, script, interpreter: null, cwd: directory, env: {}, timeoutMillis: null, log, ...request })
  return { directory, fileSystem, log, run }
})

describe("ShellRunner", () => {
  it.scopedLive("runs a script by sh, ending as its last command does", () =>
    Effect.gen(function* () {
      const { fileSystem, log, run } = yield* workshop
      const outcome = yield* run("false\necho $GREETING-$PRODIGY_AUTOMATION", { env: { GREETING: "hello" } })
      assert.deepStrictEqual([outcome.exitCode, outcome.stdout, outcome.timedOut], [0, "hello-true\n", false])
      assert.strictEqual(yield* fileSystem.readFileString(log), "hello-true\n")
      assert.strictEqual((yield* run("exit 7")).exitCode, 7)
    }).pipe(Effect.provide(shell))
  )

  it.scopedLive("runs other interpreters, with their options", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const exitCode = (interpreter: string, script: string) =>
        Effect.map(run(script, { interpreter }), (outcome) => `${outcome.exitCode} ${outcome.stdout}`)
      assert.strictEqual(yield* exitCode("bash -e", "false\necho no"), "1 ")
      assert.strictEqual(yield* exitCode("python3", "print(6 * 7)"), "0 42\n")
      assert.strictEqual(yield* exitCode("node", "console.log(6 * 7)"), "0 42\n")
      assert.strictEqual(yield* exitCode("awk -f", 'BEGIN { print "from a file" }'), "0 from a file\n")
      assert.strictEqual(yield* exitCode(" ", "echo sh"), "0 sh\n")
    }).pipe(Effect.provide(shell))
  )

  it.scopedLive("takes no script for an option", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      for (const script of ["-x", "--version", "+e"]) {
        assert.strictEqual((yield* run(script)).exitCode, 127)
      }
    }).pipe(Effect.provide(shell))
  )

  it.scopedLive("runs a script larger than an argument may be, standard input closed, and leaves no file of it", () =>
    Effect.gen(function* () {
      const { directory, fileSystem, run } = yield* workshop
      const outcome = yield* run(`# ${"x".repeat(300_000)}\ncat; echo end`)
      assert.deepStrictEqual([outcome.exitCode, outcome.stdout], [0, "end\n"])
      assert.deepStrictEqual(yield* fileSystem.readDirectory(`${directory}/logs`), ["step.log"])
    }).pipe(Effect.provide(shell))
  )

  it.scopedLive("says when the time limit ended it", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const outcome = yield* run("echo started; exec sleep 300", { timeoutMillis: 1_500 })
      assert.deepStrictEqual([outcome.timedOut, outcome.signal, outcome.stdout], [true, "SIGINT", "started\n"])
    }).pipe(Effect.provideService(KillGraceMillis, 500), Effect.provide(shell))
  )

  it.scopedLive("fails when the interpreter is not there", () =>
    Effect.gen(function* () {
      const { run } = yield* workshop
      const small = yield* Effect.flip(run("echo", { interpreter: "no-such-shell" }))
      assert.deepStrictEqual([small._tag, small.reason, small.command], ["SpawnError", "not_found", "no-such-shell"])
    }).pipe(Effect.provide(shell))
  )
})
