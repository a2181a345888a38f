/**
 * What to do about failed items, as it stands in a workflow file: `error_policy` and the same keys without it, at the
 * top level and in `map`. What `map` says wins.
 *
 * @since 0.1.0
 */
import * as RetrySyntax from "./RetrySyntax.ts"
import * as StepSyntax from "./StepSyntax.ts"
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

const own = [
  "on_item_failure",
  "max_failures",
  "failure_threshold",
  "continue_on_failure",
  "circuit_breaker",
  "retry"
] as const

/**
 * The keys that this module reads, at the top level and in `map`.
 *
 * @since 0.1.0
 * @category models
 */
export const keys = ["error_policy", ...own] as const

/**
 * What one level says; null where it says nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Level {
  readonly on_item_failure: OnItemFailure | null
  readonly max_failures: number | null
  readonly failure_threshold: number | null
  readonly continue_on_failure: boolean | null
  readonly circuit_breaker: Workflow.CircuitBreaker | null
  readonly retry: Workflow.ItemRetry | null | undefined
}

/** What is to be done with a failed item; `retry` is the dead letter queue after more attempts. */
type OnItemFailure = Workflow.FailurePolicy["on_item_failure"] | "retry" | Workflow.FailureHandler

/**
 * The policy of one level.
 *
 * @since 0.1.0
 * @category readers
 */
export const read = (fields: YamlCursor.Fields, shared: StepSyntax.Shared): Level => {
  const policy = fields.get("error_policy")
  const inner =
    policy === undefined
      ? undefined
      : YamlCursor.fields(policy, {
          known: own,
          later: ["error_collection", "retry_config"]
        })
  const option = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    if (inner?.has(key) === true && fields.has(key)) {
      YamlCursor.error(fields.key(key), `\`${key}\` is given twice, also in \`error_policy\``, "keep one of them")
    }
    const value = inner?.get(key) ?? fields.get(key)
    return value === undefined ? null : reader(value)
  }
  return {
    on_item_failure: option("on_item_failure", (value) => onItemFailure(value, shared)),
    max_failures: option("max_failures", (value) => YamlValue.number(value, { min: 1 })),
    failure_threshold: option("failure_threshold", share),
    continue_on_failure: option("continue_on_failure", YamlValue.boolean),
    circuit_breaker: option("circuit_breaker", circuitBreaker),
    retry: fields.has("retry") || inner?.has("retry") === true ? option("retry", RetrySyntax.item) : undefined
  }
}

/**
 * The policy of a job. `continue_on_failure: false` is `max_failures: 1`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const resolve = (map: Level, top: Level): Workflow.FailurePolicy => {
  const wanted = map.on_item_failure ?? top.on_item_failure ?? "dlq"
  return {
    on_item_failure: typeof wanted === "object" || wanted === "retry" ? "dlq" : wanted,
    handler: typeof wanted === "object" ? wanted : null,
    retry: map.retry === undefined ? (top.retry ?? retryOf(wanted)) : map.retry,
    circuit_breaker: map.circuit_breaker ?? top.circuit_breaker,
    max_failures:
      map.continue_on_failure === null
        ? (maxFailures(map) ?? maxFailures(top))
        : (maxFailures(map) ?? top.max_failures),
    failure_threshold: map.failure_threshold ?? top.failure_threshold
  }
}

/** `on_item_failure: retry` without a `retry` means the usual one. */
const retryOf = (wanted: OnItemFailure): Workflow.ItemRetry | null =>
  wanted === "retry" ? RetrySyntax.itemDefault : null

const maxFailures = (policy: Level): number | null => (policy.continue_on_failure === false ? 1 : policy.max_failures)

const choices = ["dlq", "retry", "skip", "stop"] as const

const onItemFailure = (cursor: YamlCursor.Cursor, shared: StepSyntax.Shared): OnItemFailure => {
  const isNode = YamlCursor.isMapping(cursor) || YamlCursor.isList(cursor)
  const tag = YamlCursor.tag(cursor)
  if (tag !== undefined && !isNode) return tagged(cursor, tag)
  return isNode
    ? handler(cursor, { ...StepSyntax.afterFailure(shared), inItem: true })
    : YamlValue.literal(cursor, choices)
}

/** Steps, or an object around them. */
const handler = (cursor: YamlCursor.Cursor, shared: StepSyntax.Shared): Workflow.FailureHandler => {
  if (YamlCursor.isList(cursor)) return { steps: someSteps(cursor, shared), outcome: "dlq" }
  if (StepSyntax.isStep(cursor)) {
    const step = StepSyntax.step(cursor, shared)
    return { steps: step === null ? [] : [step], outcome: "dlq" }
  }
  const fields = YamlCursor.fields(cursor, { known: ["steps", "commands", "outcome"] })
  if (fields.has("steps") && fields.has("commands")) {
    YamlCursor.error(fields.key("commands"), "`commands` is another name of `steps`, which is given too")
  } else if (!fields.has("commands")) YamlCursor.required(fields, "steps", "a list: `steps: [shell: …]`")
  const list = fields.get("steps") ?? fields.get("commands")
  const outcome = fields.get("outcome")
  return {
    steps: list === undefined ? [] : someSteps(list, shared),
    outcome: outcome === undefined ? "dlq" : YamlValue.literal(outcome, ["dlq", "skip", "complete"])
  }
}

const someSteps = (cursor: YamlCursor.Cursor, shared: StepSyntax.Shared): ReadonlyArray<Workflow.Step> => {
  const before = cursor.source.findings.length
  const steps = StepSyntax.steps(cursor, shared)
  if (steps.length === 0 && cursor.source.findings.length === before) {
    YamlCursor.error(cursor, `${cursor.label} has no steps`, `or one of ${choices.join(", ")}`)
  }
  return steps
}

/**
 * The circuit breaker when nothing is said about it but that there is one.
 *
 * @since 0.1.0
 * @category models
 */
export const circuitBreakerDefault: Workflow.CircuitBreaker = {
  failure_threshold: 5,
  success_threshold: 3,
  timeout_ms: 30_000,
  half_open_requests: 3
}

const circuitBreaker = (cursor: YamlCursor.Cursor): Workflow.CircuitBreaker => {
  const fields = YamlCursor.fields(cursor, {
    known: ["failure_threshold", "success_threshold", "timeout", "half_open_requests"]
  })
  const count = (key: "failure_threshold" | "success_threshold" | "half_open_requests"): number => {
    const value = fields.get(key)
    return value === undefined ? circuitBreakerDefault[key] : YamlValue.number(value, { min: 1 })
  }
  const timeout = fields.get("timeout")
  return {
    failure_threshold: count("failure_threshold"),
    success_threshold: count("success_threshold"),
    timeout_ms: timeout === undefined ? circuitBreakerDefault.timeout_ms : YamlValue.duration(timeout),
    half_open_requests: count("half_open_requests")
  }
}

const tagged = (cursor: YamlCursor.Cursor, tag: string): (typeof choices)[number] => {
  const choice = choices.find((name) => name === tag.toLowerCase())
  if (choice === undefined || YamlCursor.scalar(cursor) !== "") {
    YamlCursor.error(
      cursor,
      `${cursor.label} must be one of ${choices.join(", ")}, found ${YamlSource.quoted(`!${tag}`)}`
    )
    return "dlq"
  }
  YamlCursor.warn(cursor, `\`!${tag}\` is an old spelling`, `write \`${choice}\``)
  return choice
}

const share = (cursor: YamlCursor.Cursor): number => {
  const found = YamlCursor.scalar(cursor)
  const percent = typeof found === "number" && found > 1 && found <= 100
  return YamlValue.number(cursor, {
    min: 0,
    max: 1,
    fraction: true,
    example: percent ? `${found / 100} for ${found} %` : "0.2 for 20 %"
  })
}
