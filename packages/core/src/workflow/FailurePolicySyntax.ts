/**
 * What to do about failed items, as it stands in a workflow file: `error_policy` and the same keys without it, at the
 * top level and in `map`. What `map` says wins.
 *
 * @since 0.1.0
 */
import type * as Workflow from "./Workflow.ts"
import * as YamlCursor from "./YamlCursor.ts"
import * as YamlSource from "./YamlSource.ts"
import * as YamlValue from "./YamlValue.ts"

const own = ["on_item_failure", "max_failures", "failure_threshold", "continue_on_failure"] as const

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
  readonly on_item_failure: Workflow.FailurePolicy["on_item_failure"] | null
  readonly max_failures: number | null
  readonly failure_threshold: number | null
  readonly continue_on_failure: boolean | null
}

/**
 * The policy of one level.
 *
 * @since 0.1.0
 * @category readers
 */
export const read = (fields: YamlCursor.Fields): Level => {
  const policy = fields.get("error_policy")
  const inner =
    policy === undefined
      ? undefined
      : YamlCursor.fields(policy, {
          known: own,
          later: ["circuit_breaker", "error_collection", "retry", "retry_config"]
        })
  const option = <A>(key: string, reader: (value: YamlCursor.Cursor) => A): A | null => {
    if (inner?.has(key) === true && fields.has(key)) {
      YamlCursor.error(fields.key(key), `\`${key}\` is given twice, also in \`error_policy\``, "keep one of them")
    }
    const value = inner?.get(key) ?? fields.get(key)
    return value === undefined ? null : reader(value)
  }
  return {
    on_item_failure: option("on_item_failure", onItemFailure),
    max_failures: option("max_failures", (value) => YamlValue.number(value, { min: 1 })),
    failure_threshold: option("failure_threshold", share),
    continue_on_failure: option("continue_on_failure", YamlValue.boolean)
  }
}

/**
 * The policy of a job. `continue_on_failure: false` is `max_failures: 1`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const resolve = (map: Level, top: Level): Workflow.FailurePolicy => ({
  on_item_failure: map.on_item_failure ?? top.on_item_failure ?? "dlq",
  max_failures:
    map.continue_on_failure === null ? (maxFailures(map) ?? maxFailures(top)) : (maxFailures(map) ?? top.max_failures),
  failure_threshold: map.failure_threshold ?? top.failure_threshold
})

const maxFailures = (policy: Level): number | null => (policy.continue_on_failure === false ? 1 : policy.max_failures)

const choices = ["dlq", "skip", "stop"] as const

const onItemFailure = (cursor: YamlCursor.Cursor): Workflow.FailurePolicy["on_item_failure"] => {
  const tag = YamlCursor.tag(cursor)
  if (tag !== undefined && !YamlCursor.isMapping(cursor) && !YamlCursor.isList(cursor)) return tagged(cursor, tag)
  if (YamlCursor.isMapping(cursor) || YamlCursor.isList(cursor)) {
    YamlCursor.later(cursor, "handling failed items with steps of your own")
    return "dlq"
  }
  if (YamlCursor.scalar(cursor) === "retry") {
    YamlCursor.later(cursor, "`on_item_failure: retry`")
    return "dlq"
  }
  return YamlValue.literal(cursor, choices)
}

const tagged = (cursor: YamlCursor.Cursor, tag: string): Workflow.FailurePolicy["on_item_failure"] => {
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
