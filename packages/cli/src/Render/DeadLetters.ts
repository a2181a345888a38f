/**
 * Dead letters as a list, one by one, in numbers, and what becomes of them.
 *
 * @since 0.1.0
 */
import type { DeadLetter, FailedAttempt } from "@prodigy/core/domain/DeadLetter"
import type { Analysis, Pattern, Stats, Times } from "@prodigy/core/domain/DeadLetterAnalysis"
import type { JobStats, Removal, Removed } from "@prodigy/core/engine/DeadLetters"
import type { JobRef } from "@prodigy/core/engine/Inspect"
import { cause } from "./Cause.ts"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/**
 * A table of dead letters.
 *
 * @since 0.1.0
 * @category rendering
 */
export const deadLetters = (
  letters: ReadonlyArray<DeadLetter>,
  options: { readonly style: Style; readonly columns: number | null }
): string =>
  table(
    ["ITEM", "STATUS", "ATTEMPTS", "CAUSE", "ERROR"],
    letters.map((letter) => {
      const last = lastOf(letter)
      return [
        Text.shorten(Text.clean(letter.item_id), 40),
        letter.status,
        String(letter.failure_count),
        Text.shorten(cause(last.cause), 40),
        Text.clean(last.error_message)
      ]
    }),
    options
  )

/**
 * That there are none to show, and what there is instead.
 *
 * @since 0.1.0
 * @category rendering
 */
export const noLetters = (job: JobRef | null, stats: Stats | null, eligible: boolean): string => {
  if (job === null) return "This repository has no dead letters."
  if (stats === null || stats.total === 0) return `Job ${job.jobId} has no dead letters.`
  if (eligible)
    return `No dead letter of job ${job.jobId} can be retried; see: prodigy dlq list --all --job-id ${job.jobId}`
  return `Every dead letter of job ${job.jobId} is resolved (${stats.resolved}); --all shows them.`
}

/**
 * One dead letter in full: what failed, where its work is kept, what it said last.
 *
 * @since 0.1.0
 * @category rendering
 */
export const deadLetter = (letter: DeadLetter, style: Style): string => {
  const fact = (name: string, text: string) => `  ${style.dim(Text.padEnd(name, 12))} ${text}`
  const last = lastOf(letter)
  return [
    style.bold(Text.clean(letter.item_id)),
    fact("status", letter.status),
    fact("data", Text.shorten(Text.clean(JSON.stringify(letter.item_data)), 200)),
    fact("signature", Text.clean(letter.error_signature)),
    ...kept(letter).map(([name, text]) => fact(name, Text.clean(text))),
    "",
    ...letter.failure_history.flatMap((attempt) => attemptLines(attempt, style)),
    ...tail(last, style),
    ...next(letter, style)
  ].join("\n")
}

/**
 * What the letters of a job have in common.
 *
 * @since 0.1.0
 * @category rendering
 */
export const analysis = (
  found: Analysis,
  job: JobRef,
  options: { readonly style: Style; readonly columns: number | null }
): string => {
  const { style } = options
  const resolved = found.total - found.unresolved
  const next = nextOf(found, job)
  return [
    `${style.bold(job.jobId)}: ${Text.count(found.total, "dead letter")}${resolved === 0 ? "" : `, ${resolved} resolved`}, ${Text.count(found.patterns.length, "pattern")}`,
    "",
    style.bold("Patterns"),
    ...found.patterns.slice(0, patternsShown).flatMap((pattern) => patternLines(pattern, found.total, options)),
    ...(found.patterns.length > patternsShown ? [`  ${found.patterns.length - patternsShown} more: --json`] : []),
    "",
    style.bold("Error types"),
    ...bars(
      found.error_types.map((type) => ({ label: type.error_type, count: type.count })),
      style
    ),
    "",
    style.bold(`Last attempts, by ${spanText(found.times.span_ms)}`),
    ...bars(
      found.times.spans.map(({ count, from }) => ({ label: spanLabel(from, found.times), count })),
      style
    ),
    ...(next.length === 0 ? [] : ["", style.bold("Next"), ...next.map((line) => `  ${line}`)])
  ].join("\n")
}

/**
 * The commands to type after an analysis.
 *
 * @since 0.1.0
 * @category rendering
 */
export const nextOf = (found: Analysis, { jobId }: JobRef): ReadonlyArray<string> => {
  const [worst] = found.patterns
  const [sample] = worst?.samples ?? []
  if (worst === undefined || sample === undefined) return []
  if (found.unresolved === 0) return [`prodigy dlq clear ${jobId}`]
  return [`prodigy dlq inspect --job-id ${jobId} ${Text.itemArgument(sample)}`, `prodigy dlq retry ${jobId}`]
}

/**
 * Counts of jobs, one a line, and of all of them.
 *
 * @since 0.1.0
 * @category rendering
 */
export const stats = (
  jobs: ReadonlyArray<JobStats>,
  total: Stats,
  options: { readonly style: Style; readonly columns: number | null }
): string => {
  const { style } = options
  const row = (name: string, of: Stats): ReadonlyArray<string> => [
    name,
    String(of.total),
    String(of.failed),
    String(of.retrying),
    String(of.resolved),
    String(of.eligible),
    String(of.manual_review),
    of.newest ?? "-"
  ]
  return [
    table(
      ["JOB", "TOTAL", "FAILED", "RETRYING", "RESOLVED", "ELIGIBLE", "REVIEW", "NEWEST"],
      [...jobs.map((job) => row(job.job_id, job)), ...(jobs.length > 1 ? [row("all", total)] : [])],
      options
    ),
    "",
    style.bold("Error types"),
    ...bars(
      total.error_types.map((type) => ({ label: type.error_type, count: type.count })),
      style
    )
  ].join("\n")
}

/**
 * What was or would be removed, and what stays. Empty: nothing of either.
 *
 * @since 0.1.0
 * @category rendering
 */
export const removal = (
  { kept, removed }: Removal,
  options: { readonly dryRun: boolean; readonly style: Style; readonly linesMax?: number }
): string => {
  const { dryRun, linesMax = Number.POSITIVE_INFINITY, style } = options
  const shown = removed.slice(0, linesMax)
  return [
    ...shown.map((letter) => `${dryRun ? "would remove" : "removed"} ${removedText(letter)}`),
    ...(removed.length > shown.length ? [`… and ${removed.length - shown.length} more; --dry-run lists all`] : []),
    ...kept.map(
      ({ job_id, letters, reason }) => `${style.warn("kept")} ${Text.count(letters, "letter")} of ${job_id}: ${reason}`
    )
  ].join("\n")
}

/**
 * The question before letters are removed. That some are of items which nobody has done is said.
 *
 * @since 0.1.0
 * @category rendering
 */
export const removalQuestion = ({ removed }: Removal): string => {
  const jobs = new Set(removed.map(({ job_id }) => job_id)).size
  const open = removed.filter(({ status }) => status !== "resolved").length
  const of = jobs === 1 ? `of ${removed[0]?.job_id}` : `of ${jobs} jobs`
  return `Remove ${Text.count(removed.length, "dead letter")} ${of}${open === 0 ? "" : `, ${open} of them not resolved`}?`
}

const removedText = (letter: Removed): string => {
  const kept = letter.refs.length === 0 ? "" : `; its work stays on ${letter.refs.map(Text.clean).join(" and ")}`
  const state =
    letter.status === "resolved" ? "resolved" : `${letter.status}, ${Text.count(letter.failure_count, "attempt")}`
  return `${letter.job_id}/${Text.shorten(Text.clean(letter.item_id), 60)} (${state})${kept}`
}

/** Patterns that a person looks at. */
const patternsShown = 20

const patternLines = (
  pattern: Pattern,
  total: number,
  { columns, style }: { readonly style: Style; readonly columns: number | null }
): ReadonlyArray<string> => {
  const resolved = pattern.count - pattern.unresolved
  const share = `${Math.round((100 * pattern.count) / Math.max(1, total))}%`
  const items = pattern.samples.map((id) => Text.shorten(Text.clean(id), 30)).join(", ")
  const rest = pattern.count - pattern.samples.length
  const [cause = "", step = "", ...said] = pattern.signature.split("|")
  const room = columns === null ? Number.POSITIVE_INFINITY : Math.max(20, columns - 9)
  const line = (text: string) => `         ${Text.shorten(text, room)}`
  return [
    `  ${Text.padStart(String(pattern.count), 5)}  ${style.bad(Text.clean(cause))}${step === "" ? "" : ` at ${Text.clean(step)}`}${style.dim(`  ${share}${resolved === 0 ? "" : `, ${resolved} resolved`}`)}`,
    ...(said.join("|") === "" ? [] : [line(Text.clean(said.join("|")))]),
    line(`${pattern.first} to ${pattern.last}`),
    line(`${items}${rest > 0 ? ` and ${rest} more` : ""}`)
  ]
}

const barColumns = 30

/** Counts beside bars that are as long as they are large. */
const bars = (
  rows: ReadonlyArray<{ readonly label: string; readonly count: number }>,
  style: Style
): ReadonlyArray<string> => {
  const most = Math.max(1, ...rows.map(({ count }) => count))
  const width = Math.max(0, ...rows.map(({ label }) => Text.width(Text.clean(label))))
  return rows.map(({ count, label }) =>
    `  ${Text.padEnd(Text.clean(label), width)}  ${Text.padStart(String(count), 6)}  ${style.warn("█".repeat(Math.ceil((barColumns * count) / most)))}`.trimEnd()
  )
}

const spanText = (millis: number): string => {
  const minutes = millis / 60_000
  if (minutes < 60) return minutes === 1 ? "minute" : `${minutes} minutes`
  const hours = minutes / 60
  if (hours < 24) return hours === 1 ? "hour" : `${hours} hours`
  return hours === 24 ? "day" : `${hours / 24} days`
}

const spanLabel = (from: string, { span_ms }: Times): string =>
  span_ms >= 86_400_000 ? from.slice(0, 10) : `${from.slice(0, 10)} ${from.slice(11, 16)}`

const lastOf = (letter: DeadLetter): FailedAttempt =>
  letter.failure_history[letter.failure_history.length - 1] ?? letter.failure_history[0]

const kept = ({ worktree_artifacts: artifacts }: DeadLetter): ReadonlyArray<readonly [string, string]> =>
  (
    [
      ["branch", artifacts.branch_name],
      ["tip", artifacts.tip],
      ["uncommitted", artifacts.uncommitted_changes],
      ["worktree", artifacts.worktree_path],
      ["logs", artifacts.error_logs]
    ] as const
  ).flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]))

/** How to look at the work that was kept. */
const next = ({ worktree_artifacts: { branch_name, uncommitted_changes } }: DeadLetter, style: Style) => {
  const refs = [branch_name, uncommitted_changes].filter((ref) => ref !== undefined)
  return refs.length === 0 ? [] : ["", style.bold("Next"), ...refs.map((ref) => `  git show ${Text.shellWord(ref)}`)]
}

const attemptLines = (attempt: FailedAttempt, style: Style): ReadonlyArray<string> => [
  `${style.bold(`Attempt ${attempt.attempt_number}`)} ${attempt.timestamp}, ${Text.duration(attempt.duration_ms)}`,
  `  ${style.bad(cause(attempt.cause))}${attempt.step_failed === null ? "" : ` at ${Text.clean(attempt.step_failed)}`}`,
  ...Text.cleanLines(attempt.error_message).map((line) => `  ${line}`),
  ...attempt.error_context.map((line) => `  ${style.dim(Text.clean(line))}`),
  ...(attempt.json_log_location === undefined ? [] : [`  log: ${Text.clean(attempt.json_log_location)}`])
]

const tail = (attempt: FailedAttempt, style: Style): ReadonlyArray<string> =>
  attempt.output_tail.trim() === ""
    ? []
    : ["", style.bold("Last output"), ...Text.cleanLines(attempt.output_tail).map((line) => `  ${line}`)]
