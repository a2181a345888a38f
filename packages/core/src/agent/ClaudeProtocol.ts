/**
 * What `claude --print --output-format stream-json --verbose` prints, one JSON object a line.
 *
 * Owns the meaning of lines: a pure fold from a line to events, and from the whole to an outcome. Total: a line that is
 * not JSON, not known, or has a field of another type than expected changes nothing, or counts as without that field.
 * Does not own the process; see `Claude`.
 *
 * Sources, as of Claude Code 2.1: the Agent SDK's message types; github.com/hrntknr/claude-code-protocol (lines recorded
 * from the real program); anthropics/claude-code issues 79500 (an API error has `subtype: "success"`, `is_error: true`
 * and `api_error_status`), 38673 (an empty `result` after a real answer), 6119 and others (the older text
 * `Claude AI usage limit reached|<epoch seconds>`).
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import type * as Failure from "../domain/Failure.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import * as Usage from "../domain/Usage.ts"
import type { AgentEvent, AgentReply } from "./Agent.ts"

/**
 * What the lines so far have told.
 *
 * @since 0.1.0
 * @category models
 */
export interface Transcript {
  readonly agentSessionId: string | null
  /** The last text of the agent. */
  readonly said: string
  /** The `error` of the last assistant line, such as `rate_limit`; empty when it has none. */
  readonly error: string
  /** By message id: a message of several blocks comes as several lines, each with the usage of the whole. */
  readonly usages: HashMap.HashMap<string, Usage.Usage>
  /** The last `rate_limit_event` that said `rejected`, unless a later one took it back. */
  readonly rejected: { readonly resetsAt: number | null } | null
  readonly result: Result | null
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const empty: Transcript = {
  agentSessionId: null,
  said: "",
  error: "",
  usages: HashMap.empty(),
  rejected: null,
  result: null
}

/**
 * Takes one line.
 *
 * @since 0.1.0
 * @category combinators
 */
export const step = (
  transcript: Transcript,
  line: string
): readonly [transcript: Transcript, events: ReadonlyArray<AgentEvent>] => {
  const decoded = decodeLine(line)
  if (Option.isNone(decoded)) return [transcript, []]
  const value = decoded.value
  switch (value.type) {
    case "system": {
      if (value.session_id === transcript.agentSessionId) return [transcript, []]
      const started = { _tag: "SessionStarted", agentSessionId: value.session_id, model: value.model } as const
      return [{ ...transcript, agentSessionId: value.session_id }, [started]]
    }
    case "assistant": {
      const { content, id, usage } = value.message
      const usages =
        id === "" || usage === null ? transcript.usages : HashMap.set(transcript.usages, id, toUsage(usage, 0))
      const said = content.reduce((last, block) => (block?.type === "text" ? block.text : last), transcript.said)
      return [{ ...transcript, said, error: value.error, usages }, content.flatMap(toEvents)]
    }
    case "user":
      return [transcript, value.message.content.flatMap(toEvents)]
    case "rate_limit_event": {
      const { resetsAt, status } = value.rate_limit_info
      return [{ ...transcript, rejected: status === "rejected" ? { resetsAt } : null }, []]
    }
    case "result": {
      const next = {
        ...transcript,
        agentSessionId: transcript.agentSessionId ?? (value.session_id === "" ? null : value.session_id),
        result: value
      }
      return [next, [{ _tag: "Used", usage: usageOf(next) }]]
    }
  }
}

/**
 * What was used: what the result says, or the sum of the messages when there is none. Their price is not known then.
 *
 * @since 0.1.0
 * @category combinators
 */
export const usageOf = (transcript: Transcript): Usage.Usage => {
  const usd = transcript.result?.total_cost_usd ?? 0
  return transcript.result === null || transcript.result.usage === null
    ? { ...HashMap.reduce(transcript.usages, Usage.none, Usage.add), usd }
    : toUsage(transcript.result.usage, usd)
}

/**
 * How the process ended. `stopped` says that it was stopped by us, after its result had come.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ended {
  readonly exitCode: number
  readonly signal: string | null
  readonly timedOut: boolean
  readonly stopped: boolean
}

/**
 * The outcome. The result line counts, when there is one; success needs exit code 0 as well, unless it was us who
 * stopped it. A limit is taken for one only where a field of the program says so, never by words in what an agent wrote.
 *
 * @since 0.1.0
 * @category combinators
 */
export const conclude = (transcript: Transcript, ended: Ended): AgentReply["outcome"] => {
  const { result } = transcript
  const how = ended.signal === null ? `exit code ${ended.exitCode}` : `signal ${ended.signal}`
  const broken = (message: string) =>
    ({ _tag: "Broken", exitCode: ended.exitCode, signal: ended.signal, message }) as const
  if (result === null) {
    if (ended.timedOut) return { _tag: "TimedOut" }
    if (transcript.rejected !== null) return quota(transcript, transcript.said)
    return broken(`it ended with ${how} and without a result`)
  }
  if (result.subtype === "success" && result.is_error === false) {
    if (ended.exitCode === 0 || ended.stopped || ended.timedOut) return { _tag: "Succeeded" }
    return broken(`it reported success, then ended with ${how}`)
  }
  const message =
    result.result !== "" ? result.result : result.errors.length > 0 ? result.errors.join("; ") : transcript.said
  if (isLimit(transcript, result)) return quota(transcript, message)
  const word = [result.subtype, transcript.error, result.terminal_reason].find(
    (name) => name !== "" && name !== "success"
  )
  const nature = natureOf(transcript, result)
  const failed = { _tag: "Failed", subtype: word ?? "error", message, exitCode: ended.exitCode } as const
  return nature === undefined ? failed : { ...failed, nature }
}

/**
 * What the agent said last.
 *
 * @since 0.1.0
 * @category combinators
 */
export const lastWords = (transcript: Transcript): string =>
  transcript.result === null || transcript.result.result === "" ? transcript.said : transcript.result.result

/** Lines are read leniently: a field that is missing or of another type has the fallback. */
const field = <A, I>(schema: Schema.Schema<A, I>, fallback: A) =>
  Schema.optionalWith(schema.annotations({ decodingFallback: () => Either.right(fallback) }), {
    default: () => fallback
  })

const text = field(Schema.String, "")
const count = field(Schema.Number.pipe(Schema.finite(), Schema.nonNegative()), 0)

const TokenUsage = Schema.NullOr(
  Schema.Struct({
    input_tokens: count,
    output_tokens: count,
    cache_creation_input_tokens: count,
    cache_read_input_tokens: count
  })
)

const Block = Schema.NullOr(
  Schema.Union(
    Schema.Struct({ type: Schema.Literal("text"), text: Schema.String }),
    Schema.Struct({ type: Schema.Literal("tool_use"), name: Schema.String, input: Schema.Unknown }),
    Schema.Struct({ type: Schema.Literal("tool_result"), content: Schema.Unknown })
  )
)

const Blocks = field(Schema.Array(Block.annotations({ decodingFallback: () => Either.right(null) })), [])

const Result = Schema.Struct({
  type: Schema.Literal("result"),
  subtype: text,
  is_error: Schema.optionalWith(Schema.Unknown, { default: () => false }),
  result: text,
  errors: field(Schema.Array(Schema.String), []),
  session_id: text,
  total_cost_usd: count,
  usage: field(TokenUsage, null),
  api_error_status: field(Schema.NullOr(Schema.Number), null),
  terminal_reason: text
})

/**
 * The last line of a conversation.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result extends Schema.Schema.Type<typeof Result> {}

const Line = Schema.Union(
  Schema.Struct({
    type: Schema.Literal("system"),
    subtype: Schema.Literal("init"),
    session_id: Schema.NonEmptyString,
    model: text
  }),
  Schema.Struct({
    type: Schema.Literal("assistant"),
    message: Schema.Struct({ id: text, content: Blocks, usage: field(TokenUsage, null) }),
    error: text
  }),
  Schema.Struct({ type: Schema.Literal("user"), message: Schema.Struct({ content: Blocks }) }),
  Schema.Struct({
    type: Schema.Literal("rate_limit_event"),
    rate_limit_info: Schema.Struct({ status: text, resetsAt: field(Schema.NullOr(Schema.Number), null) })
  }),
  Result
)

const decodeLine = Schema.decodeUnknownOption(Schema.parseJson(Line))

const toUsage = (usage: NonNullable<typeof TokenUsage.Type>, usd: number): Usage.Usage => ({
  input_tokens: usage.input_tokens,
  output_tokens: usage.output_tokens,
  cache_tokens: usage.cache_creation_input_tokens + usage.cache_read_input_tokens,
  usd
})

/** Characters of a text in an event. The transcript has all of it. */
const eventTextMax = 4000

const toEvents = (block: typeof Block.Type): ReadonlyArray<AgentEvent> => {
  if (block === null) return []
  switch (block.type) {
    case "text":
      return [{ _tag: "Message", role: "assistant", text: bounded(block.text, eventTextMax) }]
    case "tool_use":
      return [{ _tag: "ToolInvoked", tool: block.name, summary: summarize(block.input) }]
    case "tool_result":
      return [{ _tag: "Message", role: "tool", text: bounded(toText(block.content), eventTextMax) }]
  }
}

const bounded = (value: string, max: number): string =>
  // A cut between the halves of a surrogate pair would leave half a character.
  value.length <= max ? value : `${value.slice(0, max).replace(/[\uD800-\uDBFF]$/, "")}…`

/** The text of a tool's result: a string, or blocks of which some are text. */
const toText = (content: unknown): string =>
  typeof content === "string"
    ? content
    : Array.isArray(content)
      ? content.flatMap((part) => (isRecord(part) && typeof part["text"] === "string" ? [part["text"]] : [])).join("\n")
      : ""

/** Inputs of the tools by which people recognise what was done, most telling first. */
const tellingInputs = ["command", "file_path", "path", "pattern", "url", "query", "description"]

const summarize = (input: unknown): string => {
  const telling = isRecord(input)
    ? tellingInputs.map((name) => input[name]).find((value) => typeof value === "string")
    : undefined
  const summary = typeof telling === "string" ? telling : (JSON.stringify(input) ?? "")
  return bounded(summary.replaceAll(/\s+/g, " ").trim(), 200)
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null

const limitText = /^Claude AI usage limit reached\|(\d{10,13})$/

const isLimit = (transcript: Transcript, result: Result): boolean => {
  // A failure of the conversation itself, such as too many turns, is no limit even while one is in force.
  if (result.subtype.startsWith("error_max")) return false
  if (result.api_error_status !== null) return result.api_error_status === 429
  return transcript.error === "rate_limit" || transcript.rejected !== null || limitText.test(result.result.trim())
}

/** A server that answered is named by its status; an API error without a status is one that nobody answered to. */
const natureOf = (transcript: Transcript, result: Result): Failure.Nature | undefined => {
  const status = result.api_error_status
  if (status !== null) return status >= 500 ? "server_error" : undefined
  if (["server_error", "overloaded"].includes(transcript.error)) return "server_error"
  return result.terminal_reason === "api_error" && ["", "unknown"].includes(transcript.error) ? "network" : undefined
}

const quota = (transcript: Transcript, message: string): AgentReply["outcome"] => ({
  _tag: "QuotaExceeded",
  resetsAt: toTimestamp(transcript.rejected?.resetsAt ?? Number(limitText.exec(message.trim())?.[1] ?? Number.NaN)),
  message: bounded(message, 200)
})

/** Seconds as the program prints them, milliseconds as some versions did; null for anything else. */
const toTimestamp = (epoch: number): string | null => {
  const millis = epoch < 100_000_000_000 ? epoch * 1000 : epoch
  return millis > 0 && millis < 8_640_000_000_000_000 ? Timestamp.fromMillis(millis) : null
}
