/**
 * `retry` as it stands in a workflow file: on steps, as `retry_defaults`, and in `map`.
 *
 * Owns the keys, their defaults and the short forms: `retry: 3` is `{attempts: 3}`, `retry: false` is none. Does not own
 * what the numbers mean; see `Retry`.
 *
 * @since 0.1.0
 */
import * as NetworkCodes from "../domain/NetworkCodes.ts"
import type * as Retry from "../domain/Retry.ts"
import * as CaptureSyntax from "./CaptureSyntax.ts"
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

/**
 * What a `retry` that says nothing else means. `delayMillis` is the first delay; `maxDelayMillis` gives way to a longer
 * delay that is written out.
 *
 * @since 0.1.0
 * @category models
 */
export const defaults = { attempts: 3, delayMillis: 1000, maxDelayMillis: 30_000, multiplier: 2 } as const

/**
 * The retries of items that are to be had without a word about how.
 *
 * @since 0.1.0
 * @category models
 */
export const itemDefault: Workflow.ItemRetry = {
  times: {
    attempts: defaults.attempts,
    backoff: { kind: "exponential", initial_ms: defaults.delayMillis, multiplier: defaults.multiplier },
    max_delay_ms: defaults.maxDelayMillis,
    jitter: 0
  },
  retry_on: []
}

/**
 * What `jitter: true` means: delays are up to this share shorter or longer.
 *
 * @since 0.1.0
 * @category models
 */
export const jitterDefault = 0.3

/**
 * Most attempts that may be asked for.
 *
 * @since 0.1.0
 * @category models
 */
export const attemptsMax = 1000

/**
 * The `retry` of a step, or `retry_defaults`; null for `false`. `readStep` reads the step of a `fallback`.
 *
 * @since 0.1.0
 * @category readers
 */
export const step = (
  cursor: YamlCursor.Cursor,
  readStep: (cursor: YamlCursor.Cursor) => Workflow.Step | null
): Workflow.StepRetry | null => {
  const fields = fieldsOf(cursor, { known: [...keys, ...stepKeys] })
  if (fields === null) return null
  const budget = fields.get("retry_budget")
  const exhausted = fields.get("on_exhausted")
  return {
    ...read(fields),
    retry_budget_ms: budget === undefined ? null : YamlValue.duration(budget),
    on_exhausted: exhausted === undefined ? { kind: "stop" } : onExhausted(exhausted, readStep)
  }
}

/**
 * The `retry` of `map`, for items; null for `false`.
 *
 * @since 0.1.0
 * @category readers
 */
export const item = (cursor: YamlCursor.Cursor): Workflow.ItemRetry | null => {
  const fields = fieldsOf(cursor, { known: [...keys, ...stepKeys], later: ["keep_worktree"] })
  if (fields === null) return null
  const hints = {
    retry_budget: "`attempts` and `max_delay` bound it",
    on_exhausted: "`on_item_failure` says what happens to an item that still fails"
  } as const
  for (const key of stepKeys) {
    if (fields.has(key)) {
      YamlCursor.error(fields.key(key), `\`${key}\` is for the retries of steps, not for those of items`, hints[key])
    }
  }
  return read(fields)
}

/**
 * Warns of kinds of failures that a step is to be retried for and that can never be told of it: nothing would happen.
 *
 * @since 0.1.0
 * @category reporting
 */
export const warnOfUntold = (place: YamlCursor.Place, retry: Workflow.StepRetry, action: Workflow.Action): void => {
  for (const kind of retry.retry_on) {
    if (typeof kind !== "string" || isTold(kind, action)) continue
    YamlCursor.warn(
      place,
      `\`${kind}\` is never told of a \`${action.kind}\` step like this one, so it is not retried for that`,
      "name what it prints then: `retry_on: [{pattern: …}]`"
    )
  }
}

const isTold = (kind: Extract<Retry.RetryOn, string>, action: Workflow.Action): boolean => {
  switch (action.kind) {
    case "claude":
      return true
    case "shell":
      return kind === "timeout" || (kind === "network" && NetworkCodes.areTold(action.script))
    case "write_file":
      return false
  }
}

const keys = ["attempts", "backoff", "initial_delay", "max_delay", "jitter", "retry_on"]

const stepKeys = ["retry_budget", "on_exhausted"] as const

const backoffs = ["fixed", "linear", "exponential", "fibonacci", "custom"] as const

const words = ["network", "timeout", "server_error", "rate_limit"] as const

/** The fields of a mapping, or of what its short form stands for; null for `false`. */
const fieldsOf = (cursor: YamlCursor.Cursor, known: YamlCursor.Keys): YamlCursor.Fields | null => {
  const found = YamlCursor.scalar(cursor)
  if (YamlCursor.isMapping(cursor)) return YamlCursor.fields(cursor, known)
  if (found === false) return null
  if (typeof found === "number") {
    return {
      cursor,
      has: (key) => key === "attempts",
      get: (key) => (key === "attempts" ? cursor : undefined),
      key: () => cursor,
      misspelt: () => false
    }
  }
  YamlCursor.refuseTag(cursor)
  YamlCursor.mismatch(cursor, "a mapping, a number of attempts or false", "`retry: 3` tries three times in all")
  return null
}

const read = (fields: YamlCursor.Fields): Workflow.ItemRetry => {
  const attempts = fields.get("attempts")
  const maxDelay = fields.get("max_delay")
  const jitter = fields.get("jitter")
  const retryOn = fields.get("retry_on")
  const backoff = readBackoff(fields)
  return {
    times: {
      attempts: attempts === undefined ? defaults.attempts : YamlValue.number(attempts, { min: 1, max: attemptsMax }),
      backoff,
      max_delay_ms:
        maxDelay === undefined ? Math.max(defaults.maxDelayMillis, ...delaysOf(backoff)) : YamlValue.duration(maxDelay),
      jitter: jitter === undefined ? 0 : share(jitter)
    },
    retry_on: retryOn === undefined ? [] : YamlCursor.elements(retryOn, "failure").map(kindOfFailure)
  }
}

const readBackoff = (fields: YamlCursor.Fields): Retry.Backoff => {
  const backoff = fields.get("backoff")
  const initial = fields.get("initial_delay")
  const first = initial === undefined ? defaults.delayMillis : YamlValue.duration(initial)
  if (backoff === undefined) return byWord("exponential", first)
  if (!YamlCursor.isMapping(backoff)) return wordOf(backoff, first)

  const forms = YamlCursor.fields(backoff, { known: backoffs })
  const [form, second] = backoffs.filter(forms.has)
  if (second !== undefined) {
    YamlCursor.error(forms.key(second), `\`backoff\` is of one kind, and this one is \`${form}\` and \`${second}\``)
  }
  if (form === undefined && !backoffs.some(forms.misspelt)) {
    YamlCursor.error(forms.key(""), "`backoff` does not say how delays grow", `one of ${backoffs.join(", ")}`)
  }
  const value = form === undefined ? undefined : forms.get(form)
  if (form === undefined || value === undefined) return byWord("exponential", first)
  const inner = YamlCursor.fields(value, { known: innerKeys[form] })
  const given = ["initial", "delay", "delays"].find(inner.has)
  if (initial !== undefined && given !== undefined) {
    YamlCursor.error(
      fields.key("initial_delay"),
      `\`initial_delay\` is given twice, also by \`${given}\` in \`backoff\``
    )
  }
  return byObject(form, inner, first)
}

const innerKeys: Readonly<Record<(typeof backoffs)[number], ReadonlyArray<string>>> = {
  fixed: ["delay"],
  linear: ["initial", "increment"],
  exponential: ["initial", "multiplier"],
  fibonacci: ["initial"],
  custom: ["delays"]
}

const wordOf = (cursor: YamlCursor.Cursor, first: number): Retry.Backoff => {
  if (YamlCursor.scalar(cursor) === "custom") {
    YamlCursor.error(cursor, "`custom` needs its delays", "`backoff: {custom: {delays: [1s, 5s]}}`")
    return byWord("fixed", first)
  }
  return byWord(YamlValue.literal(cursor, ["fixed", "linear", "exponential", "fibonacci"]), first)
}

const byWord = (word: "fixed" | "linear" | "exponential" | "fibonacci", first: number): Retry.Backoff => {
  switch (word) {
    case "fixed":
      return { kind: "fixed", delay_ms: first }
    case "linear":
      return { kind: "linear", initial_ms: first, increment_ms: first }
    case "exponential":
      return { kind: "exponential", initial_ms: first, multiplier: defaults.multiplier }
    case "fibonacci":
      return { kind: "fibonacci", initial_ms: first }
  }
}

const byObject = (form: (typeof backoffs)[number], inner: YamlCursor.Fields, first: number): Retry.Backoff => {
  const millis = (key: string, otherwise: number): number => {
    const value = inner.get(key)
    return value === undefined ? otherwise : YamlValue.duration(value)
  }
  switch (form) {
    case "fixed":
      return { kind: "fixed", delay_ms: millis("delay", first) }
    case "linear": {
      const initial = millis("initial", first)
      return { kind: "linear", initial_ms: initial, increment_ms: millis("increment", initial) }
    }
    case "exponential": {
      const multiplier = inner.get("multiplier")
      return {
        kind: "exponential",
        initial_ms: millis("initial", first),
        multiplier:
          multiplier === undefined
            ? defaults.multiplier
            : YamlValue.number(multiplier, { min: 1, max: 1000, fraction: true, example: "2" })
      }
    }
    case "fibonacci":
      return { kind: "fibonacci", initial_ms: millis("initial", first) }
    case "custom":
      return { kind: "custom", delays_ms: delays(inner) }
  }
}

const delays = (inner: YamlCursor.Fields): readonly [number, ...Array<number>] => {
  const list = YamlCursor.required(inner, "delays", "such as `delays: [1s, 5s]`")
  if (list === undefined) return [defaults.delayMillis]
  const [first, ...others] = YamlCursor.elements(list, "delay").map(YamlValue.duration)
  if (first !== undefined) return [first, ...others]
  if (YamlCursor.isList(list)) YamlCursor.error(list, "`delays` has no delays", "such as `delays: [1s, 5s]`")
  return [defaults.delayMillis]
}

/** The delays that are written out: the default cap never cuts one of them. */
const delaysOf = (backoff: Retry.Backoff): ReadonlyArray<number> => {
  switch (backoff.kind) {
    case "fixed":
      return [backoff.delay_ms]
    case "custom":
      return backoff.delays_ms
    default:
      return [backoff.initial_ms]
  }
}

const share = (cursor: YamlCursor.Cursor): number => {
  const found = YamlCursor.scalar(cursor)
  if (typeof found === "boolean") return found ? jitterDefault : 0
  return YamlValue.number(cursor, { min: 0, max: 1, fraction: true, example: `true, which is ${jitterDefault}` })
}

const kindOfFailure = (cursor: YamlCursor.Cursor): Retry.RetryOn => {
  if (!YamlCursor.isMapping(cursor)) return YamlValue.literal(cursor, words)
  const fields = YamlCursor.fields(cursor, { known: ["pattern"] })
  const pattern = YamlCursor.required(fields, "pattern")
  return { pattern: pattern === undefined ? "" : CaptureSyntax.regularExpression(pattern) }
}

const onExhausted = (
  cursor: YamlCursor.Cursor,
  readStep: (cursor: YamlCursor.Cursor) => Workflow.Step | null
): Workflow.OnExhausted => {
  if (!YamlCursor.isMapping(cursor)) return { kind: exhaustedWord(cursor) }
  const fields = YamlCursor.fields(cursor, { known: ["fallback"] })
  const fallback = YamlCursor.required(fields, "fallback")
  const read = fallback === undefined ? null : readStep(fallback)
  return read === null ? { kind: "stop" } : { kind: "fallback", step: read }
}

const exhaustedWord = (cursor: YamlCursor.Cursor): "stop" | "continue" => {
  if (YamlCursor.scalar(cursor) === "fallback") {
    const shown = YamlSource.quoted("on_exhausted: {fallback: {shell: …}}")
    YamlCursor.error(cursor, "`fallback` needs the step that runs instead", shown)
    return "stop"
  }
  return YamlValue.literal(cursor, ["stop", "continue"])
}
