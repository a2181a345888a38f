/**
 * What a retry of dead letters takes.
 *
 * @since 0.1.0
 */
import { passedOver, type RetryPlan } from "@prodigy/core/engine/DeadLetterRetry"
import { factLines } from "./Report.ts"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/** Items of a plan that are shown one by one. */
const itemsShown = 50

/**
 * What was chosen, in one line, as a retry begins.
 *
 * @since 0.1.0
 * @category rendering
 */
export const chosen = (plan: RetryPlan): string => {
  const parts = [
    plan.items.length === 0 ? [] : [`trying ${Text.count(plan.items.length, "dead letter")} again`],
    plan.going_on === 0 ? [] : [`going on with ${plan.going_on} of the retry that was interrupted`]
  ].flat()
  const what = parts.length === 0 ? "going on with the retry that was interrupted" : parts.join(", ")
  return `${what[0]?.toUpperCase()}${what.slice(1)}${over(plan)}.`
}

/**
 * What would be done.
 *
 * @since 0.1.0
 * @category rendering
 */
export const retryPlan = (
  plan: RetryPlan,
  options: { readonly style: Style; readonly columns: number | null }
): string => {
  const { style } = options
  const { agent_timeout_ms, max_parallel, reduce } = plan.terms
  const target = plan.target_branch === null ? "HEAD" : Text.clean(plan.target_branch)
  const facts: ReadonlyArray<readonly [string, string | null]> = [
    ["job", plan.job_id],
    ["taken", Text.count(plan.items.length, "dead letter")],
    ["going on", plan.going_on === 0 ? null : `${Text.count(plan.going_on, "item")} of an interrupted retry`],
    ["passed by", passedOver(plan).join(", ") || null],
    ["at once", String(max_parallel)],
    ["timeout", agent_timeout_ms === null ? null : Text.duration(agent_timeout_ms)],
    ["reduce", reduce ? "runs again" : null],
    ["worktree", plan.worktree === "session" ? "the session's own" : `a new one from ${target}`],
    ["target", plan.target_branch === null ? null : target]
  ]
  const more = plan.items.length - itemsShown
  const rows = plan.items
    .slice(0, itemsShown)
    .map((item) => [
      Text.shorten(Text.clean(item.item_id), 40),
      String(item.failure_count),
      String(item.retries),
      item.error_type,
      Text.clean(item.error_message.split("\n", 1)[0] ?? "")
    ])
  const items = rows.length === 0 ? [] : ["", table(["ITEM", "FAILED", "RETRIED", "ERROR", "MESSAGE"], rows, options)]
  return [
    style.bold("Nothing is done: --dry-run"),
    ...factLines(
      facts.flatMap(([name, text]) => (text === null ? [] : [[name, text] as const])),
      style
    ),
    ...items,
    ...(more > 0 ? [`and ${more} more (--json lists all)`] : [])
  ].join("\n")
}

const over = (plan: RetryPlan): string => {
  const why = passedOver(plan)
  const forced = plan.passed_over.not_eligible + plan.passed_over.too_often > 0 ? " (--force takes them)" : ""
  return why.length === 0 ? "" : `; passed over: ${why.join(", ")}${forced}`
}
