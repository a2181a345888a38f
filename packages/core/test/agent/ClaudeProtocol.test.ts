import { assert, describe, it } from "@effect/vitest"
import type { AgentEvent } from "@prodigy/core/agent/Agent"
import * as ClaudeProtocol from "@prodigy/core/agent/ClaudeProtocol"
import { Usage } from "@prodigy/core/domain/Usage"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

const read = (...lines: ReadonlyArray<unknown>) => {
  let transcript = ClaudeProtocol.empty
  const events: Array<AgentEvent> = []
  for (const line of lines) {
    const [next, seen] = ClaudeProtocol.step(transcript, typeof line === "string" ? line : JSON.stringify(line))
    transcript = next
    events.push(...seen)
  }
  return { transcript, events }
}

const conclude = (ended: Partial<ClaudeProtocol.Ended>, ...lines: ReadonlyArray<unknown>) =>
  ClaudeProtocol.conclude(read(...lines).transcript, {
    exitCode: 0,
    signal: null,
    timedOut: false,
    stopped: false,
    ...ended
  })

const init = { type: "system", subtype: "init", session_id: "s-1", model: "claude-opus", cwd: "/", tools: [] }
const assistant = (id: string, block: unknown, usage: unknown = { input_tokens: 10, output_tokens: 1 }) => ({
  type: "assistant",
  message: { id, role: "assistant", content: [block], usage },
  session_id: "s-1"
})
const success = {
  type: "result",
  subtype: "success",
  is_error: false,
  result: "done",
  session_id: "s-1",
  total_cost_usd: 0.25,
  usage: { input_tokens: 5, output_tokens: 7, cache_creation_input_tokens: 11, cache_read_input_tokens: 13 }
}

describe("ClaudeProtocol", () => {
  it("turns a conversation into events, in order", () => {
    const { events, transcript } = read(
      init,
      assistant("m1", { type: "thinking", thinking: "hm" }),
      assistant("m1", { type: "text", text: "Let me look." }),
      assistant("m1", {
        type: "tool_use",
        id: "t1",
        name: "Bash",
        input: { command: "ls  -l\nsrc", description: "x" }
      }),
      {
        type: "user",
        message: { role: "user", content: [{ type: "tool_result", tool_use_id: "t1", content: "a.ts" }] }
      },
      assistant("m2", { type: "tool_use", id: "t2", name: "Odd", input: { depth: 3 } }),
      {
        type: "user",
        message: { content: [{ type: "tool_result", content: [{ type: "text", text: "b" }, { type: "image" }] }] }
      },
      success
    )
    assert.deepStrictEqual(events, [
      { _tag: "SessionStarted", agentSessionId: "s-1", model: "claude-opus" },
      { _tag: "Message", role: "assistant", text: "Let me look." },
      { _tag: "ToolInvoked", tool: "Bash", summary: "ls -l src" },
      { _tag: "Message", role: "tool", text: "a.ts" },
      { _tag: "ToolInvoked", tool: "Odd", summary: '{"depth":3}' },
      { _tag: "Message", role: "tool", text: "b" },
      { _tag: "Used", usage: { input_tokens: 5, output_tokens: 7, cache_tokens: 24, usd: 0.25 } }
    ])
    assert.strictEqual(transcript.agentSessionId, "s-1")
    assert.strictEqual(ClaudeProtocol.lastWords(transcript), "done")
  })

  it("takes the last text for the result when the result line has none", () => {
    const { transcript } = read(assistant("m1", { type: "text", text: "the answer" }), { ...success, result: "" })
    assert.strictEqual(ClaudeProtocol.lastWords(transcript), "the answer")
  })

  it("sums the usage of messages, each once, when there is no result", () => {
    const { transcript } = read(
      assistant("m1", { type: "text", text: "a" }),
      assistant("m2", { type: "text", text: "b" }),
      assistant("m1", { type: "text", text: "c" }, { input_tokens: 10, output_tokens: 4 })
    )
    assert.deepStrictEqual(ClaudeProtocol.usageOf(transcript), {
      input_tokens: 20,
      output_tokens: 5,
      cache_tokens: 0,
      usd: 0
    })
  })

  it("says success only for a successful result and exit code 0", () => {
    assert.deepStrictEqual(conclude({}, success), { _tag: "Succeeded" })
    assert.strictEqual(conclude({ exitCode: 1 }, success)._tag, "Broken")
    assert.strictEqual(conclude({}, { ...success, is_error: "no" })._tag, "Failed")
    assert.strictEqual(conclude({}, { ...success, subtype: undefined })._tag, "Failed")
    assert.strictEqual(conclude({}, init)._tag, "Broken")
    assert.strictEqual(conclude({})._tag, "Broken")
  })

  it("counts a success that came before we stopped a process that would not end", () => {
    const killed = { exitCode: 137, signal: "SIGKILL" }
    assert.deepStrictEqual(conclude({ ...killed, stopped: true }, success), { _tag: "Succeeded" })
    assert.deepStrictEqual(conclude({ ...killed, timedOut: true }, success), { _tag: "Succeeded" })
    assert.deepStrictEqual(conclude({ ...killed, timedOut: true }, init), { _tag: "TimedOut" })
    assert.deepStrictEqual(conclude(killed, init), {
      _tag: "Broken",
      ...killed,
      message: "it ended with signal SIGKILL and without a result"
    })
  })

  it("names a failure as the program does", () => {
    assert.deepStrictEqual(
      conclude({ exitCode: 1 }, { type: "result", subtype: "error_max_turns", is_error: false, errors: ["30 turns"] }),
      { _tag: "Failed", subtype: "error_max_turns", message: "30 turns", exitCode: 1 }
    )
    assert.deepStrictEqual(
      conclude(
        { exitCode: 0 },
        { ...assistant("m1", { type: "text", text: "x" }), error: "authentication_failed" },
        { ...success, is_error: true, api_error_status: 401, result: "Please run /login" }
      ),
      { _tag: "Failed", subtype: "authentication_failed", message: "Please run /login", exitCode: 0 }
    )
  })

  it("tells by its fields that a server or the network was at fault", () => {
    const failed = { ...success, is_error: true, terminal_reason: "api_error", result: "API Error: fetch failed" }
    const nature = (...lines: ReadonlyArray<unknown>) => {
      const outcome = conclude({ exitCode: 1 }, ...lines)
      return outcome._tag === "Failed" ? outcome.nature : outcome._tag
    }
    assert.strictEqual(nature({ ...failed, api_error_status: 529 }), "server_error")
    assert.strictEqual(nature({ ...assistant("m", {}), error: "server_error" }, failed), "server_error")
    assert.strictEqual(nature(failed), "network")
    assert.strictEqual(nature({ ...assistant("m", {}), error: "unknown" }, failed), "network")
    assert.strictEqual(nature({ ...failed, api_error_status: 403 }), undefined)
    assert.strictEqual(nature({ ...assistant("m", {}), error: "invalid_request" }, failed), undefined)
    assert.strictEqual(nature({ ...failed, terminal_reason: "max_turns", result: "server_error network" }), undefined)
  })

  it("recognises a limit by its fields, with the time it ends", () => {
    const failed = { ...success, is_error: true, result: "You've hit your session limit" }
    const rejected = { type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: 1_800_000_000 } }
    const message = "You've hit your session limit"
    const at = { _tag: "QuotaExceeded", resetsAt: "2027-01-15T08:00:00.000Z", message } as const
    assert.deepStrictEqual(conclude({ exitCode: 1 }, rejected, { ...failed, api_error_status: 429 }), at)
    assert.deepStrictEqual(conclude({}, rejected, failed), at)
    assert.deepStrictEqual(conclude({}, { ...failed, api_error_status: 429 }), { ...at, resetsAt: null })
    assert.deepStrictEqual(conclude({}, { ...assistant("m", {}), error: "rate_limit" }, failed), {
      ...at,
      resetsAt: null
    })
    assert.deepStrictEqual(
      conclude({ exitCode: 1 }, { ...failed, result: "Claude AI usage limit reached|1800000000" }),
      {
        ...at,
        message: "Claude AI usage limit reached|1800000000"
      }
    )
    const inMillis = { type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: 1_800_000_000_000 } }
    assert.deepStrictEqual(conclude({}, inMillis, failed), at)
  })

  it("takes nothing else for a limit", () => {
    const rejected = { type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: 1_800_000_000 } }
    const allowed = { type: "rate_limit_event", rate_limit_info: { status: "allowed", overageStatus: "rejected" } }
    const failed = { ...success, is_error: true, result: "rate limit, usage limit reached, 429, quota" }
    assert.strictEqual(conclude({}, failed)._tag, "Failed")
    assert.strictEqual(conclude({}, allowed, failed)._tag, "Failed")
    assert.strictEqual(conclude({}, rejected, allowed, failed)._tag, "Failed")
    assert.strictEqual(conclude({}, rejected, success)._tag, "Succeeded")
    assert.strictEqual(conclude({}, rejected, { ...failed, subtype: "error_max_turns" })._tag, "Failed")
    assert.strictEqual(conclude({}, rejected, { ...failed, api_error_status: 500 })._tag, "Failed")
    assert.strictEqual(
      conclude({}, { ...success, result: "Claude AI usage limit reached|1800000000" })._tag,
      "Succeeded"
    )
  })

  it("reads lines with fields of wrong types as without those fields", () => {
    const { events, transcript } = read(
      { ...init, model: 7 },
      {
        type: "assistant",
        message: { id: null, content: [null, 3, { type: "text" }, { type: "text", text: "x" }], usage: [] }
      },
      { type: "rate_limit_event", rate_limit_info: { status: "rejected", resetsAt: "soon" } },
      { ...success, total_cost_usd: -1, usage: { input_tokens: "many", output_tokens: 2 }, errors: {}, session_id: 5 }
    )
    assert.deepStrictEqual(events, [
      { _tag: "SessionStarted", agentSessionId: "s-1", model: "" },
      { _tag: "Message", role: "assistant", text: "x" },
      { _tag: "Used", usage: { input_tokens: 0, output_tokens: 2, cache_tokens: 0, usd: 0 } }
    ])
    assert.deepStrictEqual(transcript.rejected, { resetsAt: null })
  })

  it("bounds the texts of events between characters", () => {
    const { events } = read(assistant("m1", { type: "text", text: "x" + "😀".repeat(5000) }))
    assert.deepStrictEqual(
      events.map((event) => event._tag === "Message" && event.text),
      [`x${"😀".repeat(1999)}…`]
    )
  })

  it("never throws, whatever the lines, and always comes to an outcome with a valid usage", () => {
    const junk = FastCheck.oneof(
      FastCheck.string(),
      FastCheck.json(),
      FastCheck.record(
        {
          type: FastCheck.constantFrom("system", "assistant", "user", "rate_limit_event", "result", "stream_event"),
          subtype: FastCheck.oneof(FastCheck.constantFrom("init", "success", "error_max_turns"), FastCheck.jsonValue()),
          session_id: FastCheck.jsonValue(),
          message: FastCheck.oneof(
            FastCheck.jsonValue(),
            FastCheck.record({
              id: FastCheck.jsonValue(),
              content: FastCheck.array(
                FastCheck.record({
                  type: FastCheck.constantFrom("text", "tool_use", "tool_result"),
                  text: FastCheck.jsonValue(),
                  name: FastCheck.jsonValue(),
                  input: FastCheck.jsonValue(),
                  content: FastCheck.jsonValue()
                })
              ),
              usage: FastCheck.jsonValue()
            })
          ),
          rate_limit_info: FastCheck.record({
            status: FastCheck.constant("rejected"),
            resetsAt: FastCheck.jsonValue()
          }),
          is_error: FastCheck.jsonValue(),
          api_error_status: FastCheck.jsonValue(),
          total_cost_usd: FastCheck.jsonValue(),
          usage: FastCheck.oneof(
            FastCheck.jsonValue(),
            FastCheck.record({ input_tokens: FastCheck.jsonValue(), output_tokens: FastCheck.double() })
          )
        },
        { requiredKeys: ["type"] }
      ).map((line) => JSON.stringify(line))
    )
    FastCheck.assert(
      FastCheck.property(
        FastCheck.array(junk, { maxLength: 8 }),
        FastCheck.integer({ min: 0, max: 255 }),
        (lines, exitCode) => {
          const { transcript } = read(...lines)
          assert.isTrue(Schema.is(Usage)(ClaudeProtocol.usageOf(transcript)))
          assert.isString(conclude({ exitCode }, ...lines)._tag)
        }
      ),
      { numRuns: 500 }
    )
  })
})
