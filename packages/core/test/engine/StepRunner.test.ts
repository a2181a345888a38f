import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, describe, it } from "@effect/vitest"
import type { ShellOutcome, ShellRequest } from "@prodigy/core/agent/Shell"
import * as CheckoutFiles from "@prodigy/core/engine/CheckoutFiles"
import * as DiskSpace from "@prodigy/core/storage/DiskSpace"
import * as StepRunner from "@prodigy/core/engine/StepRunner"
import * as Usage from "@prodigy/core/domain/Usage"
import type { Json } from "@prodigy/core/domain/WorkItem"
import * as Variables from "@prodigy/core/workflow/Variables"
import type { Step } from "@prodigy/core/workflow/Workflow"
import type { SessionWorkspace } from "@prodigy/core/workspace/Workspace"
import { shell, step } from "@prodigy/testing/JobSamples"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

describe("StepRunner", () => {
  it.effect("runs steps in order and gives later ones what earlier ones said", () =>
    Effect.gen(function* () {
      const { ran, requests } = yield* run(
        [shell("one", { id: "first" }), shell("two ${steps.first.output} ${shell.output} ${last.exit_code}")],
        (request) => ({ stdout: request.script === "one" ? "hello\n" : "" })
      )
      assert.strictEqual(requests.length, 2)
      assert.deepStrictEqual(Object.values(requests[1]!.env), ["hello", "0"])
      assert.strictEqual(ran._tag, "Right")
    })
  )

  it.effect("fails at the first step that fails, with its name, code and output", () =>
    Effect.gen(function* () {
      const { ran, requests } = yield* run([shell("bad", { name: "lint" }), shell("never")], () => ({
        exitCode: 7,
        tail: "noise\nunexpected token\n"
      }))
      assert.strictEqual(requests.length, 1)
      const failure = left(ran)
      assert.deepStrictEqual(failure.cause, { error_type: "CommandFailed", exit_code: 7 })
      assert.strictEqual(failure.step, "lint")
      assert.include(failure.message, "code 7: unexpected token")
      assert.include(failure.output_tail, "noise")
    })
  )

  it.effect("takes no failure on a full disk for the step's own: nothing forgives it, and no handler runs", () =>
    Effect.gen(function* () {
      const step = shell("bad", {
        allow_failure: true,
        on_failure: { steps: [shell("handler")], fail_workflow: false, max_attempts: 1, retry_original: false }
      })
      const { ran, requests } = yield* run([step, shell("never")], () => ({ exitCode: 1 }), {}, undefined, undefined, 0)
      assert.deepStrictEqual(
        requests.map(({ script }) => script),
        ["bad"]
      )
      const failure = left(ran)
      assert.deepStrictEqual(failure.cause, { error_type: "ResourceExhausted" })
      assert.include(failure.message, "The disk of / is full (nothing left): The command exited with code 1")
    })
  )

  it.effect("tells a timeout and a signal from an exit code", () =>
    Effect.gen(function* () {
      const slow = yield* run([shell("x", { timeout_ms: 50 })], () => ({
        timedOut: true,
        exitCode: 143,
        signal: "SIGTERM"
      }))
      assert.deepStrictEqual(left(slow.ran).cause, { error_type: "Timeout", timeout_ms: 50, scope: "step" })
      const killed = yield* run([shell("x")], () => ({ exitCode: 137, signal: "SIGKILL" }))
      assert.deepStrictEqual(left(killed.ran).cause, { error_type: "CommandFailed", exit_code: 137, signal: "SIGKILL" })
    })
  )

  it.effect("skips a step whose condition does not hold", () =>
    Effect.gen(function* () {
      const { requests } = yield* run(
        [shell("a", { when: "item.size > 10" }), shell("b", { when: "item.size < 10" })],
        () => ({}),
        { item: { size: 3 } }
      )
      assert.deepStrictEqual(
        requests.map((request) => request.script),
        ["b"]
      )
    })
  )

  it.effect("goes on after a step that may fail", () =>
    Effect.gen(function* () {
      const { ran, requests } = yield* run(
        [shell("bad", { allow_failure: true }), shell("next ${last.exit_code}")],
        (request) => ({ exitCode: request.script === "bad" ? 1 : 0 })
      )
      assert.strictEqual(ran._tag, "Right")
      assert.deepStrictEqual(Object.values(requests[1]!.env), ["1"])
    })
  )

  it.effect("runs the handler and the step again, and succeeds when the step does", () =>
    Effect.gen(function* () {
      let tries = 0
      const handled = shell("work", {
        on_failure: {
          steps: [shell("fix ${error.message} ${shell.exit_code} ${attempt}")],
          max_attempts: 2,
          retry_original: true,
          fail_workflow: true
        }
      })
      const { ran, requests } = yield* run([handled], (request) =>
        request.script === "work" ? { exitCode: ++tries < 3 ? 4 : 0 } : {}
      )
      assert.strictEqual(ran._tag, "Right")
      assert.strictEqual(tries, 3)
      assert.strictEqual(requests.length, 5)
      assert.deepStrictEqual(Object.values(requests[3]!.env), ["The command exited with code 4.", "4"])
      assert.match(requests[3]!.script, / 2$/)
    })
  )

  it.effect("fails with the step's own failure when its handler fails, and says so", () =>
    Effect.gen(function* () {
      const handled = shell("work", {
        on_failure: { steps: [shell("fix")], max_attempts: 1, retry_original: true, fail_workflow: true }
      })
      const { ran } = yield* run([handled], (request) => ({ exitCode: request.script === "work" ? 4 : 5 }))
      const failure = left(ran)
      assert.deepStrictEqual(failure.cause, { error_type: "CommandFailed", exit_code: 4 })
      assert.include(failure.context.join(), "handler failed too")
    })
  )

  it.effect("keeps on after a handled failure only when fail_workflow is false", () =>
    Effect.gen(function* () {
      const handler = { steps: [shell("fix")], max_attempts: 1, retry_original: false }
      const script = (request: ShellRequest) => ({ exitCode: request.script === "work" ? 4 : 0 })
      const strict = yield* run([shell("work", { on_failure: { ...handler, fail_workflow: true } })], script)
      assert.strictEqual(left(strict.ran).cause.error_type, "CommandFailed")
      const lenient = yield* run([shell("work", { on_failure: { ...handler, fail_workflow: false } })], script)
      assert.strictEqual(lenient.ran._tag, "Right")
    })
  )

  it.effect("demands a commit from a step that says so", () =>
    Effect.gen(function* () {
      const heads = ["a", "a", "a", "b"]
      const head = Effect.sync(() => heads.shift() ?? "z")
      const without = yield* run([shell("x", { commit_required: true })], () => ({}), {}, head)
      assert.strictEqual(left(without.ran).cause.error_type, "CommitValidationFailed")
      const made = yield* run([shell("x", { commit_required: true })], () => ({}), {}, head)
      assert.strictEqual(made.ran._tag, "Right")
    })
  )

  it.effect("captures JSON, lines and numbers, and fails on output that is not what it should be", () =>
    Effect.gen(function* () {
      const capture = (name: string, format: "json" | "lines" | "number", json_path: string | null = null) =>
        shell(name, { capture: { name, format, streams: [], json_path, pattern: null } })
      const { ran } = yield* run(
        [capture("config", "json", "$.a[*]"), capture("files", "lines"), capture("count", "number")],
        (request) => ({ stdout: { config: '{"a":[1,2]}', files: "x\ny\n", count: " 42\n" }[request.script] ?? "" })
      )
      assert.deepStrictEqual(ran._tag === "Right" ? ran.right.captures : null, {
        config: [1, 2],
        files: ["x", "y"],
        count: 42
      })
      const wrong = yield* run([capture("count", "number")], () => ({ stdout: "many" }))
      assert.strictEqual(left(wrong.ran).cause.error_type, "ValidationFailed")
      assert.include(left(wrong.ran).message, '"many"')
    })
  )

  it.effect("gives a prompt its values and fails before running on an unknown one", () =>
    Effect.gen(function* () {
      const prompts: Array<string> = []
      const agent = ScriptedAgent.layer((request) =>
        Effect.sync(() => {
          prompts.push(request.prompt)
          return { result: "done", usage: { ...Usage.none, usd: 0.25 } }
        })
      )
      const good = yield* run([claude("fix ${item.path}")], () => ({}), { item: { path: "a b.ts" } }, undefined, agent)
      assert.deepStrictEqual(prompts, ["fix a b.ts"])
      assert.strictEqual(good.usage.usd, 0.25)
      const bad = yield* run([claude("fix ${item.pth}")], () => ({}), { item: { path: "a" } }, undefined, agent)
      assert.strictEqual(left(bad.ran).cause.error_type, "ValidationFailed")
      assert.include(left(bad.ran).message, "item.path")
      assert.strictEqual(prompts.length, 1)
    })
  )

  it.effect("tells an agent's failure, quota and silence apart", () =>
    Effect.gen(function* () {
      const ended = (outcome: Parameters<typeof ScriptedAgent.reply>[0]["outcome"]) =>
        run(
          [claude("go")],
          () => ({}),
          {},
          undefined,
          ScriptedAgent.layer(() => Effect.succeed({ outcome: outcome! }))
        )
      const failed = yield* ended({ _tag: "Failed", subtype: "error_max_turns", message: "too many", exitCode: 1 })
      assert.strictEqual(left(failed.ran).cause.error_type, "CommandFailed")
      const quota = yield* ended({ _tag: "QuotaExceeded", resetsAt: "2026-01-01T00:00:00Z", message: "limit" })
      assert.deepStrictEqual(left(quota.ran).cause, { error_type: "QuotaExceeded", resets_at: "2026-01-01T00:00:00Z" })
      const slow = yield* ended({ _tag: "TimedOut" })
      assert.strictEqual(left(slow.ran).cause.error_type, "Timeout")
      const broken = yield* ended({ _tag: "Broken", exitCode: 0, signal: null, message: "no result" })
      assert.strictEqual(left(broken.ran).cause.error_type, "CommandFailed")
    })
  )
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const claude = (prompt: string): Step => step({ kind: "claude", prompt })

const left = <A, E>(
  either: { readonly _tag: "Left"; readonly left: E } | { readonly _tag: "Right"; readonly right: A }
): E => {
  assert(either._tag === "Left", "the steps succeeded")
  return either.left
}

const run = (
  steps: ReadonlyArray<Step>,
  script: (request: ShellRequest) => Partial<ShellOutcome>,
  data: Readonly<Record<string, Json>> = {},
  head: Effect.Effect<string> = Effect.succeed("head"),
  agent = ScriptedAgent.layer(() => Effect.succeed({})),
  free: number | null = null
) => {
  const requests: Array<ShellRequest> = []
  let usage = Usage.none
  const shells = ScriptedShell.layer((request) =>
    Effect.sync(() => {
      requests.push(request)
      return script(request)
    })
  )
  const layer = StepRunner.layer.pipe(
    Layer.provide([shells, agent, DiskSpace.layerTest(free), Layer.provide(CheckoutFiles.layer, NodeContext.layer)])
  )
  // Only `head` of the workspace is in a step runner's reach.
  const workspace = { head: () => head } as unknown as SessionWorkspace
  return Effect.gen(function* () {
    const runner = yield* StepRunner.StepRunner
    const ran = yield* Effect.either(
      runner.run(steps, Variables.extend(Variables.empty, { data }), {
        checkout: { path: "/", branch: "b", base: "base" },
        workspace,
        transcripts: { directory: "/logs", path: (at) => Effect.succeed(`/logs/${at.step}`) },
        disks: ["/"],
        actor: "agent",
        phase: "setup",
        item: null,
        attempt: 1,
        commits: false,
        env: {},
        onAgentEvent: () => Effect.void,
        onStep: () => Effect.void,
        onRetry: () => Effect.void,
        onUsage: (used) => Effect.sync(() => void (usage = Usage.add(usage, used)))
      })
    )
    return { ran, requests, usage }
  }).pipe(Effect.provide(layer))
}
