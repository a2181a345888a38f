/**
 * Events, one line each: for the commands about events, and for a run that is not watched on a terminal.
 *
 * @since 0.1.0
 */
import { type EventRecord, Known } from "@prodigy/core/domain/Event"
import { whoOf } from "@prodigy/core/engine/EventQuery"
import type { Plan, Report, Step } from "@prodigy/core/engine/EventRetention"
import type { Damage, Hit, Stats } from "@prodigy/core/engine/Events"
import type { Job } from "@prodigy/core/engine/EventScope"
import * as DateTime from "effect/DateTime"
import * as Schema from "effect/Schema"
import { warned } from "./Failure.ts"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/**
 * An event as `time  type  item  field=value …`. Kinds of other versions are shown like the known ones.
 *
 * @since 0.1.0
 * @category rendering
 */
export const event = (record: EventRecord, style: Style): string => {
  const { event_type, job_id: _, item_id, ...fields } = record.event as Readonly<Record<string, unknown>>
  const type = Text.clean(String(event_type))
  const rest = Object.entries(fields)
    .filter(([name, value]) => name !== "agent_id" && value !== undefined)
    .map(([name, value]) => `${style.dim(`${Text.clean(name)}=`)}${Text.shorten(valueOf(value), 80)}`)
  const item = typeof item_id === "string" ? [Text.shorten(Text.clean(item_id), 40)] : []
  const bad = type.endsWith("_failed") || type === "dlq_item_added"
  const label = Text.padEnd(type, 22)
  return [style.dim(record.timestamp), bad ? style.bad(label) : label, ...item, ...rest].join("  ").trimEnd()
}

const valueOf = (value: unknown): string =>
  Text.clean(typeof value === "string" ? value : (JSON.stringify(value) ?? String(value)))

/**
 * That nothing passed.
 *
 * @since 0.1.0
 * @category rendering
 */
export const noSuch = (jobs: ReadonlyArray<Job>): string =>
  jobs.length === 1 ? `No such events of job ${jobs[0]?.jobId}.` : "No such events."

/**
 * An event that a search found: only the fields that fit, each around its match.
 *
 * @since 0.1.0
 * @category rendering
 */
export const hit = ({ matches, record }: Hit, style: Style): string => {
  const { itemId } = whoOf(record)
  const item = itemId === null ? [] : [Text.shorten(Text.clean(itemId), 40)]
  const found = matches.map(({ end, field, start, text }) => {
    const from = start > contextMax ? `…${text.slice(start - contextMax, start)}` : text.slice(0, start)
    const to = text.length - end > contextMax ? `${text.slice(end, end + contextMax)}…` : text.slice(end)
    const match = style.bold(style.warn(Text.shorten(Text.clean(text.slice(start, end)), 80)))
    return `${style.dim(`${Text.clean(field)}=`)}${Text.clean(from)}${match}${Text.clean(to)}`
  })
  const label = Text.padEnd(Text.clean(record.event.event_type), 22)
  return [style.dim(record.timestamp), label, ...item, ...found].join("  ")
}

/** Characters shown on each side of a match. */
const contextMax = 40

/**
 * How many events there are, by groups.
 *
 * @since 0.1.0
 * @category rendering
 */
export const stats = (found: Stats, options: { readonly style: Style; readonly columns: number | null }): string => {
  const { first, group_by, groups, jobs, last, total } = found
  const span =
    first === null || last === null
      ? ""
      : ` from ${first} to ${last} (${Text.duration(DateTime.distance(DateTime.unsafeMake(first), DateTime.unsafeMake(last)))})`
  const whose = jobs.length === 1 ? `job ${jobs[0]}` : Text.count(jobs.length, "job")
  const rows = groups.map(({ count, first, key, last }) => [
    String(count),
    first.slice(0, 19).replace("T", " "),
    last.slice(0, 19).replace("T", " "),
    key === null ? options.style.dim("(none)") : Text.clean(key)
  ])
  return [
    `${Text.count(total, "event")} of ${whose}${span}`,
    ...(rows.length === 0 ? [] : ["", table(["COUNT", "FIRST", "LAST", group_by.toUpperCase()], rows, options)])
  ].join("\n")
}

/**
 * What a cleaning does, did or would do: one line for each file, and what it comes to.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cleaning = (
  plan: Plan,
  report: Report | null,
  options: { readonly style: Style; readonly columns: number | null }
): string => {
  const steps: ReadonlyArray<Step & { readonly bytes_after?: number }> = report === null ? plan.steps : report.done
  const rows = steps.map((step) => [
    step.action === "cut" ? `cut ${Text.count(step.drop_events ?? 0, "event")}` : step.action,
    reasons[step.reason],
    step.bytes_after === undefined || step.bytes_after === 0
      ? Text.bytes(step.bytes)
      : `${Text.bytes(step.bytes)} to ${Text.bytes(step.bytes_after)}`,
    `${step.job_id}/${step.path.slice(step.path.lastIndexOf("/") + 1)}`
  ])
  const freed = steps.reduce((sum, { bytes, bytes_after = 0 }) => sum + bytes - bytes_after, 0)
  const kept = `unchanged: ${Text.count(plan.kept_files, "file")} (${Text.bytes(plan.kept_bytes)}).`
  const end =
    report === null
      ? `${Text.count(steps.length, "file")} of ${Text.bytes(freed)} would change; ${kept}`
      : `${Text.bytes(freed)} freed; ${kept}`
  return steps.length === 0 ? "" : `${table(["ACTION", "WHY", "SIZE", "FILE"], rows, options)}\n${end}`
}

const reasons = { older_than: "old", max_events: "too many", max_size: "too large", archive: "asked" } as const

/**
 * Jobs that were left out because they run.
 *
 * @since 0.1.0
 * @category rendering
 */
export const leftOut = ({ live }: Plan): ReadonlyArray<string> =>
  live.map(({ job_id }) => `Job ${job_id} is under way: its events were left out.`)

/**
 * Lines that were left out, as warnings.
 *
 * @since 0.1.0
 * @category rendering
 */
export const damage = ({ count, first }: Damage, style: Style): ReadonlyArray<string> => {
  const rest = count - first.length
  return [
    ...first.map((file) => warned(file, style)),
    ...(rest > 0 ? [`${style.warn("warning:")} ${Text.count(rest, "more damaged line")} left out.`] : [])
  ]
}

/**
 * A line of the progress of a run; null for events that change nothing a person waits for.
 *
 * @since 0.1.0
 * @category rendering
 */
export const progressLine = ({ event, timestamp }: EventRecord): string | null => {
  const text = progressText(event)
  return text === null ? null : `${timestamp.slice(11, 19)} ${text}`
}

/**
 * A line to be kept above the live block: what went wrong.
 *
 * @since 0.1.0
 * @category rendering
 */
export const failureLine = (record: EventRecord, style: Style): string | null => {
  const { event_type } = record.event
  const line = kept.has(event_type) ? progressLine(record) : null
  return line === null ? null : style.bad(line)
}

const kept: ReadonlySet<string> = new Set([
  "agent_failed",
  "circuit_breaker_changed",
  "quota_reached",
  "quota_over",
  "worktree_orphaned"
])

const progressText = (event: EventRecord["event"]): string | null => {
  if (!isKnown(event)) return null
  switch (event.event_type) {
    case "job_started":
      return `${Text.clean(event.workflow_name)}: session ${event.session_id}, at most ${event.max_parallel} at once`
    case "job_paused":
      return `paused: ${Text.clean(event.reason)}`
    case "job_failed":
      return `failed in phase ${event.phase}: ${Text.clean(event.error)}`
    case "job_completed":
      return `completed in ${Text.duration(event.duration_ms)}`
    case "setup_phase_started":
      return "setup started"
    case "setup_phase_completed":
      return `setup done in ${Text.duration(event.duration_ms)}`
    case "map_phase_started":
      return `map started: ${Text.count(event.total_items, "item")}`
    case "map_phase_completed":
      return `map done in ${Text.duration(event.duration_ms)}: ${event.successful} done, ${event.failed} failed, ${event.skipped} skipped`
    case "reduce_phase_started":
      return "reduce started"
    case "reduce_phase_completed":
      return `reduce done in ${Text.duration(event.duration_ms)}`
    case "agent_started":
      return `${item(event.item_id)} started${event.attempt > 1 ? ` (attempt ${event.attempt})` : ""}`
    case "agent_completed":
      return `${item(event.item_id)} done in ${Text.duration(event.duration_ms)}, ${Text.count(event.commits.length, "commit")}`
    case "agent_failed":
      return `${item(event.item_id)} failed after ${Text.duration(event.duration_ms)}: ${Text.clean(event.error)}`
    case "agent_retrying":
      return event.delay_ms === 0
        ? null
        : `${item(event.item_id)} is tried again in ${Text.duration(event.delay_ms)} (attempt ${event.attempt})`
    case "quota_reached":
      return `waiting until ${event.until}: ${Text.clean(event.error)}`
    case "quota_over":
      return "going on: the agent's quota is there again"
    case "circuit_breaker_changed":
      return breaker[event.state](event)
    case "worktree_merged":
      return `${item(event.item_id)} merged as ${event.commit.slice(0, 12)}`
    case "worktree_orphaned":
      return `worktree ${Text.clean(event.path)} could not be removed: ${Text.clean(event.error)}`
    default:
      return null
  }
}

const breaker = {
  open: ({ failures, until }: { readonly failures: number; readonly until?: string | undefined }) =>
    `circuit breaker open after ${Text.count(failures, "failure")} in a row: no item starts until ${until ?? "later"}`,
  half_open: () => "circuit breaker half open: a few items are tried",
  closed: () => "circuit breaker closed"
} as const

const isKnown = Schema.is(Known)

const item = (id: string): string => Text.shorten(Text.clean(id), 40)
