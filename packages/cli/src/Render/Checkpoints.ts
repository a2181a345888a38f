/**
 * Checkpoints as lists, one by one, and what was found out about them.
 *
 * @since 0.1.0
 */
import type {
  Content,
  Entry,
  Overview,
  Removal,
  Report,
  Start,
  WorkflowContent
} from "@prodigy/core/engine/Checkpoints"
import type { FileCheck } from "@prodigy/core/engine/JobCheck"
import * as DateTime from "effect/DateTime"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/**
 * A table of checkpoints.
 *
 * @since 0.1.0
 * @category rendering
 */
export const list = (
  entries: ReadonlyArray<Entry>,
  options: { readonly nowMillis: number; readonly columns: number | null; readonly style: Style }
): string => {
  const { columns, nowMillis, style } = options
  const rows = entries.map((entry) => [
    entry.id ?? "-",
    entry.kind,
    entry.seq === null ? "-" : String(entry.seq),
    entry.created_at === null ? "-" : Text.age(nowMillis - millisOf(entry.created_at)),
    entry.valid ? style.good("valid") : style.bad("damaged"),
    place(entry)
  ])
  return table(["CHECKPOINT", "PHASE", "RECORDS", "AGE", "STATUS", "FILE"], rows, { style, columns })
}

/**
 * What a checkpoint holds.
 *
 * @since 0.1.0
 * @category rendering
 */
export const content = ({ checkpoint, ...state }: Content, style: Style): string => {
  const facts: ReadonlyArray<readonly [string, string | null]> = [
    ["job", checkpoint.job_id],
    ["session", checkpoint.session_id],
    ["file", Text.clean(checkpoint.path)],
    ["made", checkpoint.created_at],
    ["bytes", checkpoint.bytes === null ? null : String(checkpoint.bytes)],
    ["records", checkpoint.seq === null ? null : `the first ${checkpoint.seq} of the journal`],
    ["status", state.status],
    ["phase", state.phase],
    ["items", state.total === null ? null : counts(state)],
    ["reduce", state.reduce_steps_done > 0 ? `${Text.count(state.reduce_steps_done, "step")} done` : null],
    ["cost", state.usage.usd > 0 ? Text.dollars(state.usage.usd) : null],
    ["variables", state.variables.length > 0 ? Text.clean(state.variables.join(", ")) : null]
  ]
  return [style.bold(checkpoint.id ?? checkpoint.file), ...lines(facts, style)].join("\n")
}

/**
 * What the checkpoint of a standard workflow holds.
 *
 * @since 0.1.0
 * @category rendering
 */
export const workflowContent = ({ checkpoint, ...state }: WorkflowContent, style: Style): string => {
  const facts: ReadonlyArray<readonly [string, string | null]> = [
    ["session", checkpoint.session_id],
    ["file", Text.clean(checkpoint.path)],
    ["made", checkpoint.created_at],
    ["problem", checkpoint.problem === null ? null : style.warn(Text.clean(checkpoint.problem))],
    ["status", state.status],
    ["phase", state.phase],
    ["value", state.value > 1 ? `number ${state.value}` : null],
    ["iteration", state.iteration > 1 ? String(state.iteration) : null],
    ["done", state.completed.length === 0 ? "no step" : Text.clean(state.completed.map(({ name }) => name).join(", "))],
    ["waits until", state.waits_until],
    ["cost", state.usage.usd > 0 ? Text.dollars(state.usage.usd) : null],
    ["variables", state.variables.length > 0 ? Text.clean(state.variables.join(", ")) : null]
  ]
  return [style.bold(checkpoint.id ?? checkpoint.file), ...lines(facts, style)].join("\n")
}

/**
 * Jobs, and what a resume would start from.
 *
 * @since 0.1.0
 * @category rendering
 */
export const jobs = (
  found: ReadonlyArray<Overview>,
  options: { readonly columns: number | null; readonly style: Style }
): string => {
  const rows = found.map((job) => [
    job.job_id,
    job.live ? "running" : (job.status ?? options.style.bad("damaged")),
    job.phase ?? "-",
    job.counts === null || job.total === null ? "-" : `${job.counts.merged}/${job.total}`,
    String(job.checkpoints),
    job.resume === null ? Text.clean(job.problem ?? "-") : startText(job.resume)
  ])
  return table(["JOB", "STATUS", "PHASE", "MERGED", "CHECKPOINTS", "A RESUME STARTS FROM"], rows, options)
}

/**
 * What was found out about jobs, and done.
 *
 * @since 0.1.0
 * @category rendering
 */
export const reports = (found: ReadonlyArray<Report>, style: Style): string =>
  found.map((report) => reportText(report, style)).join("\n\n")

const reportText = (report: Report, style: Style): string => {
  const checks = report.files.filter(({ status }) => status !== "absent")
  const width = Math.max(...checks.map(({ file }) => file.length))
  return [
    `${style.bold(report.job_id ?? report.session_id)}${report.live ? " (running: only looked at)" : ""}`,
    ...checks.map((check) => checkText(check, width, report.records, style)),
    ...report.set_aside.map(({ as, path }) => `  ${style.warn("set aside")} ${Text.clean(path)} as ${Text.clean(as)}`),
    `  ${endText(report)}`
  ].join("\n")
}

const checkText = (check: FileCheck, width: number, records: number, style: Style): string => {
  const name = Text.padEnd(Text.clean(check.file), width)
  const amount = check.file === "journal.jsonl" ? `, ${Text.count(records, "record")} in order` : ""
  switch (check.status) {
    case "ok":
      return `  ${name}  ${style.good("ok")}${amount}`
    case "damaged":
      return `  ${name}  ${style.bad("damaged")} ${Text.clean(check.problem ?? "")}`
    default:
      return `  ${name}  ${style.warn(check.status)} ${Text.clean(check.problem ?? "")}`
  }
}

const endText = (report: Report): string => {
  const what = report.job_id === null ? "session" : "job"
  if (report.status === "completed") return `The ${what} is completed: there is nothing to resume.`
  if (report.resume === null) return `The ${what} cannot be resumed as it is.`
  if (report.job_id === null) return `A resume starts from ${Text.clean(report.resume.file ?? "the beginning")}.`
  return `A resume starts from ${startText(report.resume)}.`
}

const startText = ({ file, records, seq }: Start): string => {
  const behind = Text.count(records, "record")
  return file === null ? `the beginning and ${behind}` : `${Text.clean(file)} (${seq}) and ${behind} behind it`
}

/**
 * What was or would be removed, and what stays. Empty: nothing of either.
 *
 * @since 0.1.0
 * @category rendering
 */
export const removal = (
  { kept, removed }: Removal,
  options: { readonly dryRun: boolean; readonly style: Style }
): string =>
  [
    ...removed.map((entry) => `${options.dryRun ? "would remove" : "removed"} ${placeAndId(entry)}`),
    ...kept.map(
      ({ checkpoint, reason }) => `${options.style.warn("kept")} ${placeAndId(checkpoint)}: ${Text.clean(reason)}`
    )
  ].join("\n")

const place = ({ file, job_id }: Entry): string =>
  job_id === null ? Text.clean(file) : `${job_id}/${Text.clean(file)}`

const placeAndId = (entry: Entry): string => `${place(entry)}${entry.id === null ? "" : ` (${entry.id})`}`

const counts = ({ counts, total }: Pick<Content, "counts" | "total">): string =>
  [
    `${counts.merged}/${total ?? 0} merged`,
    ...(counts.dead_lettered > 0 ? [`${counts.dead_lettered} failed`] : []),
    ...(counts.skipped > 0 ? [`${counts.skipped} skipped`] : []),
    ...(counts.unmerged > 0 ? [`${counts.unmerged} to merge`] : []),
    ...(counts.running > 0 ? [`${counts.running} under way`] : [])
  ].join(", ")

const lines = (facts: ReadonlyArray<readonly [string, string | null]>, style: Style): ReadonlyArray<string> =>
  facts.flatMap(([name, text]) => (text === null ? [] : [`  ${style.dim(Text.padEnd(name, 12))} ${text}`]))

const millisOf = (timestamp: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(timestamp))
