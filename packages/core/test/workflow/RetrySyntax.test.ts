import { assert, describe, it } from "@effect/vitest"
import * as Retry from "@prodigy/core/domain/Retry"
import * as NetworkCodes from "@prodigy/core/domain/NetworkCodes"
import * as Duration from "@prodigy/core/workflow/Duration"
import * as RetrySyntax from "@prodigy/core/workflow/RetrySyntax"
import * as StepSyntax from "@prodigy/core/workflow/StepSyntax"
import * as Workflow from "@prodigy/core/workflow/Workflow"
import * as YamlCursor from "@prodigy/core/workflow/YamlCursor"
import * as YamlSource from "@prodigy/core/workflow/YamlSource"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import { readFileSync } from "node:fs"
import * as Yaml from "yaml"

describe("RetrySyntax", () => {
  describe("step", () => {
    it("fills in the defaults", () => {
      assert.deepStrictEqual(accept("{}"), {
        times: {
          attempts: 3,
          backoff: { kind: "exponential", initial_ms: 1000, multiplier: 2 },
          max_delay_ms: 30_000,
          jitter: 0
        },
        retry_on: [],
        retry_budget_ms: null,
        on_exhausted: { kind: "stop" }
      })
    })

    it("takes a number for the attempts, and false for none", () => {
      assert.deepStrictEqual(accept("5"), accept("{attempts: 5}"))
      assert.strictEqual(accept("false"), null)
    })

    it.each<[string, Retry.Backoff]>([
      ["{backoff: fixed}", { kind: "fixed", delay_ms: 1000 }],
      ["{backoff: fixed, initial_delay: 5s}", { kind: "fixed", delay_ms: 5000 }],
      ["{backoff: linear, initial_delay: 5s}", { kind: "linear", initial_ms: 5000, increment_ms: 5000 }],
      ["{backoff: exponential, initial_delay: 5s}", { kind: "exponential", initial_ms: 5000, multiplier: 2 }],
      ["{backoff: fibonacci, initial_delay: 5s}", { kind: "fibonacci", initial_ms: 5000 }],
      ["{initial_delay: 500ms}", { kind: "exponential", initial_ms: 500, multiplier: 2 }],
      ["{backoff: {fixed: {delay: 2}}}", { kind: "fixed", delay_ms: 2000 }],
      ["{backoff: {linear: {initial: 2, increment: 3}}}", { kind: "linear", initial_ms: 2000, increment_ms: 3000 }],
      ["{backoff: {linear: {initial: 2}}}", { kind: "linear", initial_ms: 2000, increment_ms: 2000 }],
      ["{backoff: {linear: {increment: 3}}}", { kind: "linear", initial_ms: 1000, increment_ms: 3000 }],
      [
        "{backoff: {exponential: {initial: 100ms, multiplier: 1.5}}}",
        { kind: "exponential", initial_ms: 100, multiplier: 1.5 }
      ],
      [
        "{initial_delay: 3, backoff: {exponential: {multiplier: 10}}}",
        { kind: "exponential", initial_ms: 3000, multiplier: 10 }
      ],
      ["{backoff: {fibonacci: {initial: 1m}}}", { kind: "fibonacci", initial_ms: 60_000 }],
      ["{backoff: {custom: {delays: [1s, 1m30s, 500ms]}}}", { kind: "custom", delays_ms: [1000, 90_000, 500] }]
    ])("reads %s", (text, backoff) => {
      assert.deepStrictEqual(accept(text)?.times.backoff, backoff)
    })

    it("never cuts a delay that is written out by a cap that is not", () => {
      assert.strictEqual(accept("{initial_delay: 2m}")?.times.max_delay_ms, 120_000)
      assert.strictEqual(accept("{backoff: {custom: {delays: [1s, 5m]}}}")?.times.max_delay_ms, 300_000)
      assert.strictEqual(accept("{backoff: {fixed: {delay: 1m}}}")?.times.max_delay_ms, 60_000)
      assert.strictEqual(accept("{initial_delay: 2m, max_delay: 1m}")?.times.max_delay_ms, 60_000)
    })

    it("takes jitter as a share, or as true", () => {
      assert.strictEqual(accept("{jitter: true}")?.times.jitter, 0.3)
      assert.strictEqual(accept("{jitter: false}")?.times.jitter, 0)
      assert.strictEqual(accept("{jitter: 0.5}")?.times.jitter, 0.5)
      assert.strictEqual(accept("{jitter: 1}")?.times.jitter, 1)
    })

    it("takes kinds of failures as words and patterns", () => {
      assert.deepStrictEqual(
        accept("{retry_on: [network, timeout, server_error, rate_limit, {pattern: 'ECONN(RESET|REFUSED)'}]}")?.retry_on,
        ["network", "timeout", "server_error", "rate_limit", { pattern: "ECONN(RESET|REFUSED)" }]
      )
      assert.deepStrictEqual(accept("{retry_on: []}")?.retry_on, [])
    })

    it("takes what is done when the tries are used up", () => {
      assert.deepStrictEqual(accept("{on_exhausted: stop}")?.on_exhausted, { kind: "stop" })
      assert.deepStrictEqual(accept("{on_exhausted: continue}")?.on_exhausted, { kind: "continue" })
      const fallback = accept("{on_exhausted: {fallback: {shell: cat cached.json}}}")?.on_exhausted
      assert.strictEqual(fallback?.kind === "fallback" ? fallback.step.name : null, "shell: cat cached.json")
      assert.strictEqual(accept("{retry_budget: 5m}")?.retry_budget_ms, 300_000)
    })

    it.each<[string, message: string, hint: string | null]>([
      ["true", "must be a mapping, a number of attempts or false, found `true`", "three times in all"],
      ["often", "must be a mapping, a number of attempts or false, found the text `often`", "three times in all"],
      ["[3]", "must be a mapping, a number of attempts or false, found a list", "three times in all"],
      ["0", "`retry` must be a whole number from 1 to 1000, found `0`", null],
      ["-1", "`retry` must be a whole number from 1 to 1000, found `-1`", null],
      ["1.5", "`retry` must be a whole number from 1 to 1000, found `1.5`", null],
      ["{attempts: 0}", "`attempts` must be a whole number from 1 to 1000, found `0`", null],
      ["{attempts: -3}", "`attempts` must be a whole number from 1 to 1000, found `-3`", null],
      ["{attempts: 1001}", "from 1 to 1000, found `1001`", null],
      ["{attempts: '3'}", "must be a whole number", "write 3 without quotes"],
      ["{attempt: 3}", "unknown key `attempt`", "did you mean `attempts`?"],
      ["{max_attempts: 3}", "unknown key `max_attempts`", "did you mean `attempts`?"],
      ["{initial_delay: 0}", "`initial_delay` must be longer than nothing", '"30s"'],
      ["{initial_delay: -1}", "`initial_delay` must be longer than nothing", '"30s"'],
      ["{max_delay: soon}", "`max_delay` is not a duration", '"30s"'],
      ["{retry_budget: -5}", "`retry_budget` must be longer than nothing", '"30s"'],
      ["{jitter: 1.1}", "`jitter` must be a number from 0 to 1, found `1.1`", "true, which is 0.3"],
      ["{jitter: -0.1}", "`jitter` must be a number from 0 to 1", "0.3"],
      ["{jitter: lots}", "`jitter` must be a number from 0 to 1", "0.3"],
      [
        "{backoff: exponental}",
        "`backoff` must be one of fixed, linear, exponential, fibonacci",
        "did you mean `exponential`?"
      ],
      ["{backoff: 3}", "`backoff` must be text, found `3`", null],
      ["{backoff: [fixed]}", "`backoff` must be text, found a list", null],
      ["{backoff: custom}", "`custom` needs its delays", "delays: [1s, 5s]"],
      ["{backoff: {}}", "`backoff` does not say how delays grow", "fixed, linear"],
      ["{backoff: {exponentiel: {initial: 1s}}}", "unknown key `exponentiel`", "did you mean `exponential`?"],
      ["{backoff: {fixed: {delay: 1}, linear: {initial: 1}}}", "one kind, and this one is `fixed` and `linear`", null],
      ["{backoff: {fixed: 5s}}", "`fixed` must be a mapping", null],
      ["{backoff: {fixed: {initial: 5s}}}", "unknown key `initial`", "x-"],
      ["{backoff: {exponential: {multiplier: 0.5}}}", "`multiplier` must be a number from 1 to 1000", "for example 2"],
      ["{backoff: {exponential: {multiplier: .inf}}}", "`multiplier` must be a number from 1 to 1000", "for example 2"],
      ["{backoff: {custom: {delays: []}}}", "`delays` has no delays", "delays: [1s, 5s]"],
      ["{backoff: {custom: {}}}", "`custom` needs `delays`", "delays: [1s, 5s]"],
      ["{backoff: {custom: {delays: 5s}}}", "`delays` must be a list", null],
      ["{backoff: {custom: {delays: [1s, -2]}}}", "delay 2 of `delays` must be longer than nothing", '"30s"'],
      ["{initial_delay: 1s, backoff: {fixed: {delay: 2s}}}", "`initial_delay` is given twice, also by `delay`", null],
      ["{initial_delay: 1s, backoff: {custom: {delays: [2s]}}}", "given twice, also by `delays`", null],
      ["{retry_on: network}", "`retry_on` must be a list", null],
      [
        "{retry_on: [network, tiemout]}",
        "failure 2 of `retry_on` must be one of network, timeout, server_error, rate_limit, found `tiemout`",
        "did you mean `timeout`?"
      ],
      ["{retry_on: [{pattern: '(('}]}", "`pattern` is not a regular expression", null],
      ["{retry_on: [{pattern: '(a)\\1'}]}", "`pattern` is not a regular expression", null],
      ["{retry_on: [{patern: a}]}", "unknown key `patern`", "did you mean `pattern`?"],
      ["{retry_on: [{}]}", "needs `pattern`", null],
      ["{retry_on: [3]}", "failure 1 of `retry_on` must be text", null],
      ["{on_exhausted: contnue}", "`on_exhausted` must be one of stop, continue", "did you mean `continue`?"],
      ["{on_exhausted: fallback}", "`fallback` needs the step that runs instead", "fallback"],
      ["{on_exhausted: {}}", "`on_exhausted` needs `fallback`", null],
      ["{on_exhausted: {fallback: npm ci}}", "`fallback` does not say what runs it", "write `shell: npm ci`"],
      ["{on_exhausted: {fallbak: {shell: a}}}", "unknown key `fallbak`", "did you mean `fallback`?"]
    ])("refuses %s", (text, message, hint) => {
      const [finding, ...others] = read(text).findings
      assert.include(finding?.message, message)
      if (hint === null) assert.isTrue(finding?.hint === null || finding?.hint?.startsWith("did") === false)
      else assert.include(finding?.hint, hint)
      assert.deepStrictEqual(others, [])
    })

    it("gives a retry that meets its schema, or says what is wrong, whatever stands there", () => {
      const junk = FastCheck.oneof(
        FastCheck.constantFrom<unknown>(null, true, -1, 0, 2, 1e300, "5s", "fixed", "network", [], ["1s"], {}),
        FastCheck.string({ maxLength: 5 })
      )
      const kind = FastCheck.constantFrom("fixed", "linear", "exponential", "fibonacci", "custom")
      const inner = FastCheck.dictionary(FastCheck.constantFrom("initial", "delay", "increment", "delays"), junk)
      const value = FastCheck.oneof(
        junk,
        FastCheck.array(junk, { maxLength: 2 }),
        FastCheck.dictionary(kind, FastCheck.oneof(junk, inner), { maxKeys: 2 })
      )
      const key = FastCheck.constantFrom(
        ..."attempts,backoff,initial_delay,max_delay,jitter,retry_on,retry_budget,on_exhausted".split(",")
      )
      FastCheck.assert(
        FastCheck.property(FastCheck.oneof(junk, FastCheck.dictionary(key, value, { maxKeys: 4 })), (any) => {
          const { findings, retry } = read(Yaml.stringify(any))
          if (findings.length === 0 && retry !== null) Schema.encodeSync(Workflow.StepRetry)(retry)
        }),
        { numRuns: 500 }
      )
    })
  })

  describe("the documentation", () => {
    const docs = readFileSync(new URL("../../../../docs/workflow-language.md", import.meta.url), "utf8")
    const rows = [...docs.matchAll(/^\| .* \| `(\{attempts: .*?\})` \| ([^|`]+) \|$/gm)]
    const examples = rows.map(([, text = "", waits = ""]) => [text, waits.split(", ")] as const)

    it("has an example of every backoff", () => {
      assert.deepStrictEqual(
        examples.map(([text]) => accept(text)?.times.backoff.kind),
        ["fixed", "linear", "exponential", "fibonacci", "custom"]
      )
    })

    it.each(examples)("says how long %s waits", (text, waits) => {
      const times = accept(text)?.times
      assert(times !== undefined)
      assert.deepStrictEqual(
        Array.from({ length: times.attempts - 1 }, (_, n) => Retry.delayMillis(times, n + 1, 0)),
        waits.map((wait) => Either.getOrThrow(Duration.parse(wait)))
      )
    })

    it("names the exit codes that are understood", () => {
      const row = /\| `network` \|.*exit codes ([\d, ]+) of curl, (\d+) of wget/.exec(docs)
      const codes = (script: string) =>
        Array.from({ length: 256 }, (_, code) => code).filter(
          (code) => NetworkCodes.natureOf(script, code) === "network"
        )
      assert.strictEqual(codes("curl -f x").join(", "), row?.[1])
      assert.strictEqual(codes("wget x").join(", "), row?.[2])
      assert.deepStrictEqual(codes("npm test; ./curl-all.sh; node curl.js"), [])
    })
  })

  describe("item", () => {
    it("reads the times and the kinds of failures", () => {
      const { findings, retry } = readItem("{attempts: 5, backoff: fixed, retry_on: [timeout]}")
      assert.deepStrictEqual(findings, [])
      assert.deepStrictEqual(retry, {
        times: { attempts: 5, backoff: { kind: "fixed", delay_ms: 1000 }, max_delay_ms: 30_000, jitter: 0 },
        retry_on: ["timeout"]
      })
      assert.strictEqual(readItem("false").retry, null)
    })

    it.each([
      ["{retry_budget: 5m}", "`retry_budget` is for the retries of steps", "`attempts` and `max_delay`"],
      ["{on_exhausted: continue}", "`on_exhausted` is for the retries of steps", "`on_item_failure`"]
    ])("refuses %s, which is for steps", (text, message, hint) => {
      const [finding, ...others] = readItem(text).findings
      assert.include(finding?.message, message)
      assert.include(finding?.hint, hint)
      assert.deepStrictEqual(others, [])
    })
  })
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

const cursorOf = (text: string) => {
  const source = YamlSource.parse(`retry: ${text.includes("\n") ? `\n${text.replaceAll(/^/gm, "  ")}` : text}\n`)
  const fields =
    source.root === null
      ? null
      : YamlCursor.fields(YamlCursor.at(source, source.root, "it", null), { known: ["retry"] })
  return { source, cursor: fields?.get("retry") }
}

const read = (text: string) => {
  const { cursor, source } = cursorOf(text)
  const retry =
    cursor === undefined ? null : RetrySyntax.step(cursor, (step) => StepSyntax.step(step, StepSyntax.shared()))
  return { retry, findings: source.findings }
}

const readItem = (text: string) => {
  const { cursor, source } = cursorOf(text)
  return { retry: cursor === undefined ? null : RetrySyntax.item(cursor), findings: source.findings }
}

const accept = (text: string) => {
  const { findings, retry } = read(text)
  assert.deepStrictEqual(findings, [])
  return retry
}
