import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, describe, it } from "@effect/vitest"
import type { AgentReply } from "@prodigy/core/agent/Agent"
import type { ShellOutcome, ShellRequest } from "@prodigy/core/agent/Shell"
import * as Retry from "@prodigy/core/domain/Retry"
import * as Usage from "@prodigy/core/domain/Usage"
import * as CheckoutFiles from "@prodigy/core/engine/CheckoutFiles"
import * as DiskSpace from "@prodigy/core/storage/DiskSpace"
import * as StepRunner from "@prodigy/core/engine/StepRunner"
import * as Variables from "@prodigy/core/workflow/Variables"
import type { Step } from "@prodigy/core/workflow/Workflow"
import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import type { SessionWorkspace } from "@prodigy/core/workspace/Workspace"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as TestClock from "effect/TestClock"

describe("retry of a step", () => {
  it.effect.each<[string, string, ReadonlyArray<number>]>([
    ["fixed", "{attempts: 4, backoff: fixed, initial_delay: 2s}", [0, 2000, 4000, 6000]],
    ["linear", "{attempts: 5, backoff: linear, initial_delay: 1s}", [0, 1000, 3000, 6000, 10_000]],
    [
      "linear with an increment",
      "{attempts: 4, backoff: {linear: {initial: 1s, increment: 500ms}}}",
      [0, 1000, 2500, 4500]
    ],
    ["exponential", "{attempts: 5, backoff: exponential, initial_delay: 1s}", [0, 1000, 3000, 7000, 15_000]],
    [
      "exponential with another factor",
      "{attempts: 4, backoff: {exponential: {initial: 100ms, multiplier: 3}}}",
      [0, 100, 400, 1300]
    ],
    ["fibonacci", "{attempts: 6, backoff: fibonacci, initial_delay: 1s}", [0, 1000, 2000, 4000, 7000, 12_000]],
    ["custom", "{attempts: 5, backoff: {custom: {delays: [5s, 1s, 2s]}}}", [0, 5000, 6000, 8000, 10_000]],
    ["the default", "{}", [0, 1000, 3000]],
    ["a short form", "4", [0, 1000, 3000, 7000]],
    ["a cap", "{attempts: 5, max_delay: 3s}", [0, 1000, 3000, 6000, 9000]],
    ["the default cap", "{attempts: 8}", [0, 1000, 3000, 7000, 15_000, 31_000, 61_000, 91_000]],
    ["one attempt", "{attempts: 1}", [0]],
    ["none", "false", [0]]
  ])("wakes up exactly when %s says", ([, retry, expected]) =>
    Effect.gen(function* () {
      const test = yield* start(`[{shell: work, retry: ${retry}}]`, () => ({ exitCode: 1 }))
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(test.times, expected)
      assert.strictEqual((yield* test.failure).cause.error_type, "CommandFailed")
    })
  )

  it.effect("tells of each wait before it: which try of how many, and when", () =>
    Effect.gen(function* () {
      const retry = "{attempts: 3, backoff: fixed, initial_delay: 2s}"
      const test = yield* start(`[{shell: work, retry: ${retry}}]`, () => ({ exitCode: 1 }))
      assert.deepStrictEqual(test.waits, [{ number: 2, of: 3, atMillis: 2000 }])
      yield* TestClock.adjust("10 minutes")
      assert.deepStrictEqual(test.waits.slice(1), [{ number: 3, of: 3, atMillis: 4000 }])
    })
  )

  it.effect.prop(
    "wakes up as the formula says with jitter, for every seed, and never beyond the cap",
    [FastCheck.integer(), FastCheck.constantFrom("exponential", "linear", "fibonacci", "fixed")],
    ([seed, backoff]) =>
      Effect.gen(function* () {
        const retry = `{attempts: 6, backoff: ${backoff}, jitter: 0.5, max_delay: 5s}`
        const test = yield* start(`[{shell: work, retry: ${retry}}]`, () => ({ exitCode: 1 })).pipe(
          Effect.withRandom(Random.make(seed))
        )
        yield* TestClock.adjust("1 hour")
        const times = test.steps[0]?.retry?.times
        assert(times !== undefined)
        const shares = yield* Effect.withRandom(Effect.replicateEffect(Random.next, 5), Random.make(seed))
        let at = 0
        const expected = [0, ...shares.map((share, index) => (at += Retry.delayMillis(times, index + 1, share)))]
        assert.deepStrictEqual(test.times, expected)
        for (const [index, time] of test.times.slice(1).entries()) {
          const exact = Retry.delayMillis({ ...times, jitter: 0 }, index + 1, 0)
          const waited = time - (test.times[index] ?? 0)
          assert.isTrue(waited >= exact * 0.5 - 1 && waited <= Math.min(exact * 1.5, 5000) + 1, `${waited} of ${exact}`)
        }
      }),
    { fastCheck: { numRuns: 20 } }
  )

  it.effect("goes on with the first try that succeeds, which sees what the first one saw", () =>
    Effect.gen(function* () {
      const test = yield* start(
        `[{shell: before}, {shell: "work \${shell.output}", retry: 4}, {shell: "after \${shell.output}"}]`,
        (request, count) => {
          if (!request.script.startsWith("work")) return { stdout: request.script.slice(0, 6) }
          return { stdout: `try ${count("work")}`, exitCode: count("work") < 3 ? 1 : 0 }
        }
      )
      yield* TestClock.adjust("1 minute")
      assert.strictEqual((yield* test.exit)._tag, "Success")
      assert.deepStrictEqual(test.times, [0, 0, 1000, 3000, 3000])
      assert.deepStrictEqual(
        test.requests.map((request) => Object.values(request.env).join()),
        ["", "before", "before", "before", "try 3"]
      )
    })
  )

  it.effect("tells a try its number and keeps the transcripts of tries apart", () =>
    Effect.gen(function* () {
      const test = yield* start(`[{shell: "work \${attempt}", retry: 3}, {shell: "after \${attempt}"}]`, (request) => ({
        exitCode: request.script.startsWith("work") ? Number(request.script !== "work 3") : 0
      }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        test.requests.map((request) => request.script),
        ["work 1", "work 2", "work 3", "after 7"]
      )
      assert.deepStrictEqual(
        test.requests.map((request) => request.log),
        ["1", "2", "3"].map((n) => `/logs/shell: work \${attempt}#7.${n}`).concat("/logs/shell: after ${attempt}#7.1")
      )
    })
  )

  it.effect("says in the failure how often it was tried and how long was waited", () =>
    Effect.gen(function* () {
      const test = yield* start("[{shell: work, retry: {attempts: 8}}]", () => ({ exitCode: 3, tail: "no route\n" }))
      yield* TestClock.adjust("10 minutes")
      const failure = yield* test.failure
      assert.strictEqual(failure.message, "The command exited with code 3: no route")
      assert.deepStrictEqual(failure.context, [
        "tried 8 times, last after 4000 ms, 8000 ms, 16000 ms, 30000 ms and 30000 ms"
      ])
      const once = yield* start("[{shell: work}]", () => ({ exitCode: 3 }))
      assert.deepStrictEqual((yield* once.failure).context, [])
    })
  )

  it.effect("takes a commit of an earlier try for the step's", () =>
    Effect.gen(function* () {
      let head = 0
      const test = yield* startAgent(
        "[{shell: work, commit_required: true, retry: 3}, {shell: idle, commit_required: true, retry: 2}]",
        () => ({}),
        (request, count) => {
          if (request.script === "work" && count("work") === 1) head++
          return { exitCode: request.script === "work" && count("work") < 2 ? 1 : 0 }
        },
        Effect.sync(() => `commit ${head}`)
      )
      yield* TestClock.adjust("1 minute")
      const failure = yield* test.failure
      assert.strictEqual(failure.step, "shell: idle")
      assert.strictEqual(failure.cause.error_type, "CommitValidationFailed")
      assert.deepStrictEqual(
        test.requests.map((request) => request.script),
        ["work", "work", "idle", "idle"]
      )
    })
  )

  it.effect("counts what every try used", () =>
    Effect.gen(function* () {
      const test = yield* startAgent("[{claude: /fix, retry: 3}]", () => ({
        outcome: { _tag: "Failed", subtype: "error_during_execution", message: "x", exitCode: 1 },
        usage: { ...Usage.none, usd: 0.25 }
      }))
      yield* TestClock.adjust("1 minute")
      yield* test.failure
      assert.strictEqual(test.used().usd, 0.75)
    })
  )

  it.effect("is over at once when it is interrupted while waiting", () =>
    Effect.gen(function* () {
      const test = yield* start("[{shell: work, retry: {initial_delay: 1h}}]", () => ({ exitCode: 1 }))
      yield* TestClock.adjust("30 minutes")
      const exit = yield* Fiber.interrupt(test.fiber)
      assert.isTrue(Exit.isInterrupted(exit))
      yield* TestClock.adjust("2 hours")
      assert.deepStrictEqual(test.times, [0])
    })
  )

  it.effect("limits each try by the step's timeout, not all of them together", () =>
    Effect.gen(function* () {
      const test = yield* start("[{shell: work, timeout: 5s, retry: {retry_on: [timeout]}}]", () => ({
        timedOut: true,
        exitCode: 143,
        signal: "SIGTERM"
      }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(
        test.requests.map((request) => request.timeoutMillis),
        [5000, 5000, 5000]
      )
      assert.strictEqual((yield* test.failure).cause.error_type, "Timeout")
    })
  )

  describe("retry_budget", () => {
    it.effect("bounds all waits together: one that does not fit is not begun", () =>
      Effect.gen(function* () {
        const test = yield* start("[{shell: work, retry: {attempts: 9, retry_budget: 4s}}]", () => ({ exitCode: 1 }))
        yield* TestClock.adjust("3 seconds")
        const failure = yield* test.failure
        assert.deepStrictEqual(test.times, [0, 1000, 3000])
        assert.deepStrictEqual(failure.context, [
          "tried 3 times, after 1000 ms and 2000 ms; the next wait is beyond the retry_budget"
        ])
      })
    )

    it.effect("may be used up to its last millisecond", () =>
      Effect.gen(function* () {
        const test = yield* start("[{shell: work, retry: {attempts: 9, retry_budget: 3s}}]", () => ({ exitCode: 1 }))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(test.times, [0, 1000, 3000])
      })
    )

    it.effect("that is shorter than the first wait leaves one try", () =>
      Effect.gen(function* () {
        const test = yield* start("[{shell: work, retry: {retry_budget: 500ms}}]", () => ({ exitCode: 1 }))
        assert.deepStrictEqual((yield* test.failure).context, ["tried once; the next wait is beyond the retry_budget"])
      })
    )
  })

  describe("retry_on", () => {
    it.effect.each<[string, string, Partial<ShellOutcome>, number]>([
      ["a connection that curl could not make", "[network]", { exitCode: 7 }, 3],
      ["a page that is not there", "[network]", { exitCode: 22 }, 1],
      ["a time limit of curl", "[timeout]", { exitCode: 28 }, 3],
      ["a time limit of the step", "[timeout]", { timedOut: true, exitCode: 143 }, 3],
      ["another kind than the one named", "[timeout]", { exitCode: 7 }, 1],
      ["a pattern in the output", "[timeout, {pattern: 'HTTP 50\\d'}]", { exitCode: 1, tail: "HTTP 503\n" }, 3],
      ["a pattern that is not in the output", "[{pattern: 'HTTP 50\\d'}]", { exitCode: 1, tail: "HTTP 404\n" }, 1],
      ["an empty list", "[]", { exitCode: 1 }, 3]
    ])("decides about %s", ([, on, outcome, tries]) =>
      Effect.gen(function* () {
        const test = yield* start(`[{shell: "curl -f https://example.com", retry: {retry_on: ${on}}}]`, () => outcome)
        yield* TestClock.adjust("1 minute")
        yield* test.failure
        assert.strictEqual(test.times.length, tries)
      })
    )

    it.effect("takes the exit codes of curl for what they are in scripts that run curl only", () =>
      Effect.gen(function* () {
        const retry = "retry: {retry_on: [network]}"
        const test = yield* start(`[{shell: "npm test", ${retry}, allow_failure: true}]`, () => ({ exitCode: 7 }))
        yield* TestClock.adjust("1 minute")
        assert.deepStrictEqual(test.times, [0])
      })
    )

    it.effect.each<[string, string, Extract<AgentReply["outcome"], { _tag: "Failed" }>["nature"], number]>([
      ["a server that failed", "[server_error]", "server_error", 3],
      ["a server that failed, when the network is named", "[network]", "server_error", 1],
      ["a network that failed", "[network]", "network", 3],
      ["a failure of its own", "[network, server_error, timeout, rate_limit]", undefined, 1]
    ])("believes an agent about %s", ([, on, nature, tries]) =>
      Effect.gen(function* () {
        const failed = { _tag: "Failed", subtype: "x", message: "network timeout rate_limit", exitCode: 1 } as const
        const test = yield* startAgent(`[{claude: /fix, retry: {retry_on: ${on}}}]`, () => ({
          outcome: nature === undefined ? failed : { ...failed, nature }
        }))
        yield* TestClock.adjust("1 minute")
        yield* test.failure
        assert.strictEqual(test.times.length, tries)
      })
    )

    it.effect("never tries again what would be the same the next time", () =>
      Effect.gen(function* () {
        const unknown = yield* startAgent("[{claude: 'fix ${itm}', retry: 3}]", () => ({}))
        assert.include((yield* unknown.failure).message, "itm")
        const outside = yield* start("[{shell: x, working_dir: no-such-directory, retry: 3}]", () => ({}))
        assert.strictEqual((yield* outside.failure).cause.error_type, "ValidationFailed")
      })
    )
  })

  describe("a used up quota", () => {
    const quota: Partial<AgentReply> = {
      outcome: { _tag: "QuotaExceeded", resetsAt: "2026-01-01T00:00:00Z", message: "limit" },
      usage: { ...Usage.none, usd: 0.5 }
    }

    it.effect.each<[string, string]>([
      ["retries", "[{claude: /fix, retry: 5}]"],
      ["retries for rate limits", "[{claude: /fix, retry: {retry_on: [rate_limit, {pattern: limit}]}}]"],
      ["a handler", "[{claude: /fix, on_failure: {shell: repair}}]"],
      ["permission to fail", "[{claude: /fix, allow_failure: true, retry: {on_exhausted: continue}}]"],
      ["a fallback", "[{claude: /fix, retry: {attempts: 1, on_exhausted: {fallback: {shell: plan b}}}}]"]
    ])("goes up at once past %s", ([, steps]) =>
      Effect.gen(function* () {
        const test = yield* startAgent(steps, () => quota)
        yield* TestClock.adjust("1 hour")
        assert.deepStrictEqual((yield* test.failure).cause, {
          error_type: "QuotaExceeded",
          resets_at: "2026-01-01T00:00:00Z"
        })
        assert.deepStrictEqual(test.times, [0])
        assert.deepStrictEqual(test.requests, [])
        assert.strictEqual(test.used().usd, 0.5)
      })
    )

    it.effect.each<[string, string]>([
      ["a handler", "[{shell: work, allow_failure: true, on_failure: /fix}]"],
      [
        "a fallback",
        "[{shell: work, allow_failure: true, retry: {attempts: 1, on_exhausted: {fallback: {claude: /fix}}}}]"
      ]
    ])("of %s goes up too, as what it is", ([, steps]) =>
      Effect.gen(function* () {
        const test = yield* startAgent(
          steps,
          () => quota,
          () => ({ exitCode: 1 })
        )
        yield* TestClock.adjust("1 hour")
        assert.strictEqual((yield* test.failure).cause.error_type, "QuotaExceeded")
      })
    )
  })

  describe("with handlers", () => {
    it.effect("tries first, then handles, then runs the step once more after each round", () =>
      Effect.gen(function* () {
        const steps = `[{shell: "work \${attempt}", retry: {attempts: 2, backoff: fixed}, on_failure: {shell: "fix \${attempt}", max_attempts: 2}}]`
        const test = yield* start(steps, (request) => ({ exitCode: request.script.startsWith("work") ? 1 : 0 }))
        yield* TestClock.adjust("1 minute")
        yield* test.failure
        assert.deepStrictEqual(
          test.requests.map((request) => request.script),
          ["work 1", "work 2", "fix 1", "work 3", "fix 2", "work 4"]
        )
        assert.deepStrictEqual(test.times, [0, 1000, 1000, 1000, 1000, 1000])
      })
    )

    it.effect("does not handle what a later try mended", () =>
      Effect.gen(function* () {
        const test = yield* start("[{shell: work, retry: 2, on_failure: {shell: fix}}]", (_, count) => ({
          exitCode: count("work") < 2 ? 1 : 0
        }))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* test.exit)._tag, "Success")
        assert.deepStrictEqual(
          test.requests.map((request) => request.script),
          ["work", "work"]
        )
      })
    )

    it.effect("gives later steps the attempt of the item back", () =>
      Effect.gen(function* () {
        const steps = `[{shell: work, allow_failure: true, on_failure: {shell: "fix \${attempt}"}}, {shell: "next \${attempt}"}]`
        const test = yield* start(steps, (request) => ({ exitCode: request.script === "work" ? 1 : 0 }))
        yield* test.exit
        assert.deepStrictEqual(
          test.requests.map((request) => request.script),
          ["work", "fix 1", "work", "next 7"]
        )
      })
    )
  })

  describe("on_exhausted", () => {
    const failing = (request: ShellRequest) => ({ exitCode: request.script.startsWith("work") ? 1 : 0 })

    it.effect("stop fails the step", () =>
      Effect.gen(function* () {
        const test = yield* start("[{shell: work, retry: {attempts: 2, on_exhausted: stop}}, {shell: next}]", failing)
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* test.failure).step, "shell: work")
        assert.strictEqual(test.requests.length, 2)
      })
    )

    it.effect("continue records it as failed and goes on", () =>
      Effect.gen(function* () {
        const test = yield* start(
          `[{id: a, shell: work, on_success: {shell: never}, retry: {attempts: 2, on_exhausted: continue}}, {shell: "next \${steps.a.success}"}]`,
          failing
        )
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* test.exit)._tag, "Success")
        assert.strictEqual(test.requests.length, 3)
        assert.deepStrictEqual(Object.values(test.requests[2]!.env), ["false"])
      })
    )

    it.effect("says nothing about a failure that is not retried", () =>
      Effect.gen(function* () {
        const test = yield* start(
          "[{shell: work, retry: {retry_on: [timeout], on_exhausted: continue}}, {shell: next}]",
          failing
        )
        yield* test.failure
        assert.strictEqual(test.requests.length, 1)
      })
    )

    it.effect("fallback runs another step, whose success and output are the step's", () =>
      Effect.gen(function* () {
        const test = yield* start(
          `[{id: a, shell: work, capture: data, on_success: {shell: "use \${data}"}, retry: {attempts: 2, on_exhausted: {fallback: {shell: cached}}}}, {shell: "next \${steps.a.output} \${steps.a.success}"}]`,
          (request) => ({ ...failing(request), stdout: request.script.split(" ")[0] ?? "" })
        )
        yield* TestClock.adjust("1 minute")
        const exit = yield* test.exit
        assert(exit._tag === "Success")
        assert.deepStrictEqual(exit.value.captures, { data: "cached" })
        assert.deepStrictEqual(
          test.requests.map((request) => [request.script.split(" ")[0], ...Object.values(request.env)]),
          [["work"], ["work"], ["cached"], ["use", "cached"], ["next", "cached", "true"]]
        )
      })
    )

    it.effect("fallback that fails leaves the step's own failure, and says so", () =>
      Effect.gen(function* () {
        const test = yield* start(
          "[{shell: work, retry: {attempts: 2, on_exhausted: {fallback: {shell: cached}}}}]",
          (request) => ({ exitCode: request.script === "work" ? 4 : 5 })
        )
        yield* TestClock.adjust("1 minute")
        const failure = yield* test.failure
        assert.deepStrictEqual(failure.cause, { error_type: "CommandFailed", exit_code: 4 })
        assert.deepStrictEqual(failure.context, [
          "its fallback failed too: shell: cached: The command exited with code 5.",
          "tried 2 times, after 1000 ms"
        ])
      })
    )

    it.effect("fallback comes after the handlers, and not when one of them mended the step", () =>
      Effect.gen(function* () {
        const steps =
          "[{shell: work, on_failure: {shell: fix}, retry: {attempts: 2, on_exhausted: {fallback: {shell: cached}}}}]"
        const mending =
          (fails: number): Script =>
          (request, count) => ({
            exitCode: request.script === "work" && count("work") <= fails ? 1 : 0
          })
        const scripts = (test: { readonly requests: ReadonlyArray<ShellRequest> }) =>
          test.requests.map((request) => request.script)
        const mended = yield* start(steps, mending(2))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* mended.exit)._tag, "Success")
        assert.deepStrictEqual(scripts(mended), ["work", "work", "fix", "work"])
        const broken = yield* start(steps, mending(3))
        yield* TestClock.adjust("1 minute")
        assert.strictEqual((yield* broken.exit)._tag, "Success")
        assert.deepStrictEqual(scripts(broken), ["work", "work", "fix", "work", "cached"])
      })
    )
  })
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const stepsOf = (yaml: string): ReadonlyArray<Step> => {
  const parsed = Either.getOrThrow(WorkflowFile.parse(`commands: ${yaml}\n`, "w.yml"))
  return parsed.kind === "standard" ? parsed.workflow.steps : []
}

type Script = (request: ShellRequest, count: (prefix: string) => number) => Partial<ShellOutcome>

/** Runs steps in a fiber of its own; `times` are the moments at which something was started. */
const start = (yaml: string, script: Script) => startAgent(yaml, () => ({}), script)

const startAgent = (
  yaml: string,
  reply: () => Partial<AgentReply>,
  script: Script = () => ({}),
  head = Effect.succeed("head")
) =>
  Effect.gen(function* () {
    const steps = stepsOf(yaml)
    const began = yield* Clock.currentTimeMillis
    const times: Array<number> = []
    const waits: Array<Retry.NextTry> = []
    const requests: Array<ShellRequest> = []
    let usage = Usage.none
    const note = Effect.map(Clock.currentTimeMillis, (now) => void times.push(now - began))
    const count = (prefix: string) => requests.filter((request) => request.script.startsWith(prefix)).length
    const layer = StepRunner.layer.pipe(
      Layer.provide([
        ScriptedShell.layer((request) =>
          Effect.map(note, () => {
            requests.push(request)
            return script(request, count)
          })
        ),
        ScriptedAgent.layer(() => Effect.map(note, reply)),
        DiskSpace.layerTest(null),
        Layer.provide(CheckoutFiles.layer, NodeContext.layer)
      ])
    )
    const fiber = yield* StepRunner.StepRunner.pipe(
      Effect.flatMap((runner) =>
        runner.run(steps, Variables.extend(Variables.empty, { author: { attempt: 7 } }), {
          checkout: { path: "/", branch: "b", base: "base" },
          // Only `head` of the workspace is in a step runner's reach.
          workspace: { head: () => head } as unknown as SessionWorkspace,
          transcripts: {
            directory: "/logs",
            path: (at) => Effect.succeed(`/logs/${at.step}#${at.attempt}.${at.tryNumber}`)
          },
          disks: [],
          actor: "agent",
          phase: "setup",
          item: null,
          attempt: 7,
          commits: false,
          env: {},
          onAgentEvent: () => Effect.void,
          onStep: () => Effect.void,
          onRetry: (next) => Effect.sync(() => void waits.push(next)),
          onUsage: (used) => Effect.sync(() => void (usage = Usage.add(usage, used)))
        })
      ),
      Effect.provide(layer),
      Effect.fork
    )
    const exit = Fiber.await(fiber)
    const failure = Effect.flatMap(Effect.flip(Fiber.join(fiber)), Effect.succeed)
    // Lets the fiber come to its first wait, or to its end.
    yield* TestClock.adjust(0)
    return { fiber, steps, times, waits, requests, exit, failure, used: () => usage }
  })
