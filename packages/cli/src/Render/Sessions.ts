/**
 * Sessions as a list and one by one.
 *
 * @since 0.1.0
 */
import type { Session } from "@prodigy/core/domain/Session"
import type { Cancelled } from "@prodigy/core/engine/Cancel"
import type { Known } from "@prodigy/core/engine/Inspect"
import { isWaiting } from "@prodigy/core/engine/RunView"
import type { Entry } from "@prodigy/core/engine/SessionClean"
import type { Listed } from "@prodigy/core/storage/SessionStore"
import * as DateTime from "effect/DateTime"
import type { SessionShown } from "./Json.ts"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/**
 * A table of sessions, newest first.
 *
 * @since 0.1.0
 * @category rendering
 */
export const sessions = (
  listed: ReadonlyArray<Listed>,
  options: {
    readonly nowMillis: number
    readonly withRepository: boolean
    readonly style: Style
    readonly columns: number | null
  }
): string => {
  const { columns, nowMillis, style, withRepository } = options
  const rows = listed.map(({ session, shown }) => [
    session.id,
    statusOf({ session, shown }, style),
    progress(session),
    Text.age(nowMillis - millisOf(session.started_at)),
    session.cost.usd > 0 ? Text.dollars(session.cost.usd) : "-",
    ...(withRepository ? [Text.clean(session.repository.name)] : []),
    Text.clean(session.workflow.name)
  ])
  const headings = [
    "SESSION",
    "STATUS",
    "PROGRESS",
    "AGE",
    "COST",
    ...(withRepository ? ["REPOSITORY"] : []),
    "WORKFLOW"
  ]
  return table(headings, rows, { style, columns })
}

/**
 * Sessions that can be resumed, each with the command that does so. The command is never shortened. Of those whose file
 * is lost no more is known.
 *
 * @since 0.1.0
 * @category rendering
 */
export const resumable = (
  listed: ReadonlyArray<Listed>,
  lost: ReadonlyArray<Known>,
  options: { readonly nowMillis: number; readonly style: Style }
): string => {
  const { nowMillis, style } = options
  const rows = listed.map(({ session, shown }) => [
    `prodigy resume ${session.id}`,
    coloured(shown, style),
    progress(session),
    Text.age(nowMillis - millisOf(session.started_at)),
    Text.clean(session.workflow.name)
  ])
  const others = lost.map(({ sessionId }) => [`prodigy resume ${sessionId}`, style.warn("file lost"), "-", "-", "-"])
  return table(["COMMAND", "STATUS", "PROGRESS", "AGE", "WORKFLOW"], [...rows, ...others], { style, columns: null })
}

/**
 * One session in full.
 *
 * @since 0.1.0
 * @category rendering
 */
export const session = ({ session, shown }: Listed, options: { readonly nowMillis: number; readonly style: Style }) => {
  const { nowMillis, style } = options
  const facts: ReadonlyArray<readonly [string, string | null]> = [
    ["status", statusOf({ session, shown }, style)],
    ["workflow", `${Text.clean(session.workflow.name)} (${Text.clean(session.workflow.path)})`],
    ["repository", `${Text.clean(session.repository.name)} (${Text.clean(session.repository.path)})`],
    ["job", session.job_id],
    ["started", `${session.started_at} (${Text.age(nowMillis - millisOf(session.started_at))} ago)`],
    ["completed", session.completed_at],
    ["progress", progress(session)],
    ["branch", session.worktree === null ? null : Text.clean(session.worktree.branch)],
    ["target", session.worktree?.target_branch == null ? null : Text.clean(session.worktree.target_branch)],
    ["worktree", session.worktree === null ? null : Text.clean(session.worktree.path)],
    ["cost", session.cost.usd > 0 ? Text.dollars(session.cost.usd) : null],
    ["outcome", session.outcome === null ? null : Text.clean(session.outcome)],
    ["error", session.error === null ? null : Text.clean(session.error)],
    ...Object.entries(session.timings).map(
      ([name, millis]) => [`${Text.clean(name)} took`, Text.duration(millis)] as const
    )
  ]
  const lines = facts.flatMap(([name, text]) =>
    text === null ? [] : [`  ${style.dim(Text.padEnd(name, 12))} ${text}`]
  )
  const failed = session.progress.kind === "mapreduce" && session.progress.failed > 0
  const resumable = shown === "Paused" || shown === "Failed" || shown === "Interrupted"
  const next = [
    ...mergeLines(session),
    ...(resumable ? [`  prodigy resume ${session.id}`] : []),
    ...(session.job_id === null ? [] : nextLines(session.job_id, failed))
  ]
  return [style.bold(session.id), ...lines, ...(next.length === 0 ? [] : ["", style.bold("Next"), ...next])].join("\n")
}

/**
 * What is asked before a session is cancelled.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cancelQuestion = ({ listed, sessionId }: Known): string => {
  if (listed === null) return `The file of ${sessionId} is lost or damaged. Cancel it for good?`
  const { session, shown } = listed
  const ends = shown === "Running" || shown === "Initializing" ? "Stop it, and cancel" : "Cancel"
  return `${session.id} is ${shown.toLowerCase()} (${progress(session)}). ${ends} it for good?`
}

/**
 * What became of a cancelled session.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cancelled = ({ report, sessionId, stopped }: Cancelled, style: Style): string =>
  [
    `${style.warn("Cancelled")} ${sessionId}`,
    ...(stopped === null ? [] : [`  ${style.dim("stopped   ")} process ${stopped}`]),
    ...(report?.kept ?? []).map((ref) => `  ${style.dim("kept      ")} ${Text.clean(ref)}`),
    ...(report?.orphans ?? []).map((path) => `  ${style.dim("left over ")} ${Text.clean(path)} could not be removed`),
    ...(report?.warnings ?? []).map((text) => `${style.warn("warning:")} ${Text.clean(text)}`)
  ].join("\n")

/**
 * What goes, or went, and what stays and why. What only its age keeps is left out.
 *
 * @since 0.1.0
 * @category rendering
 */
export const removal = (
  entries: ReadonlyArray<Entry>,
  options: { readonly dryRun: boolean; readonly style: Style }
): string =>
  entries
    .filter(({ reason }) => reason !== "too_young")
    .flatMap(({ detail, left, reason, removed, session_id, status, workflow_name }) => {
      const { dryRun, style } = options
      const what = `${session_id} (${status.toLowerCase()}, ${Text.clean(workflow_name)})`
      if (!removed) {
        const word = reason === "failed" ? style.bad("not removed") : style.warn("kept")
        const also = passable.has(reason ?? "") ? " (--all)" : ""
        return [`${word} ${what}: ${Text.clean(detail ?? "")}${also}`]
      }
      const stays = left.length === 0 ? [] : [`  ${style.dim("stays in git:")} ${left.map(Text.clean).join(", ")}`]
      return [`${dryRun ? "would remove" : "removed"} ${what}`, ...stays]
    })
    .join("\n")

/** What `--all` goes over. */
const passable: ReadonlySet<string> = new Set(["not_over", "unmerged", "dead_letters", "orphans", "no_repository"])

/** Where the branch is merged is the checkout of the target, which may be a linked worktree: its place is not kept. */
const mergeLines = ({ outcome, worktree }: Session): ReadonlyArray<string> => {
  if (worktree === null || outcome === null || !outcome.startsWith("waiting on branch")) return []
  const where = worktree.target_branch === null ? "" : `  # in your checkout of ${Text.clean(worktree.target_branch)}`
  return [`  git merge ${Text.shellWord(worktree.branch)}${where}`]
}

const nextLines = (jobId: string, failed: boolean): ReadonlyArray<string> => [
  ...(failed ? [`  prodigy dlq list --job-id ${jobId}`] : []),
  `  prodigy events list --job-id ${jobId}`
]

/**
 * A session for `--json`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const sessionJson = ({ session, shown }: Listed): typeof SessionShown.Type => ({ ...session, shown })

const progress = ({ progress }: Session): string => {
  if (progress.kind === "workflow") {
    const { completed_steps, iteration, iterations, total_steps, value, values } = progress
    const turn = [
      ...(value === undefined ? [] : [`value ${value}/${values ?? value}`]),
      ...(iteration === undefined ? [] : [`iteration ${iteration}/${iterations ?? iteration}`])
    ]
    return [...turn, `step ${completed_steps}/${total_steps}`].join(", ")
  }
  if (progress.total === null) return Text.clean(progress.phase)
  const failed = progress.failed > 0 ? `, ${progress.failed} failed` : ""
  const skipped = progress.skipped > 0 ? `, ${progress.skipped} skipped` : ""
  return `${Text.clean(progress.phase)} ${progress.completed}/${progress.total}${failed}${skipped}`
}

/** What is under way, and waits for the agent's quota, does nothing until then. */
const statusOf = ({ session, shown }: Listed, style: Style): string =>
  shown === "Running" && isWaiting(session.outcome)
    ? style.warn(`waiting, ${timeOf(session.outcome)}`)
    : coloured(shown, style)

const timeOf = (outcome: string | null): string =>
  /until \d{4}-(\d\d-\d\d)T(\d\d:\d\d)/
    .exec(outcome ?? "")
    ?.slice(1)
    .join(" ")
    .concat("Z") ?? ""

const coloured = (shown: Listed["shown"], style: Style): string => {
  const text = shown.toLowerCase()
  switch (shown) {
    case "Completed":
      return style.good(text)
    case "Failed":
      return style.bad(text)
    case "Paused":
    case "Interrupted":
    case "Cancelled":
      return style.warn(text)
    case "Initializing":
    case "Running":
      return text
  }
}

const millisOf = (timestamp: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(timestamp))
