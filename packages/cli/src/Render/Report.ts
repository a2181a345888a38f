/**
 * The end of a run.
 *
 * @since 0.1.0
 */
import type { DeadLetter } from "@prodigy/core/domain/DeadLetter"
import type { RunReport } from "@prodigy/core/engine/MapReduce"
import type { RunView } from "@prodigy/core/engine/Progress"
import { cause } from "./Cause.ts"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/**
 * Dead letters shown at the end of a run.
 *
 * @since 0.1.0
 * @category models
 */
export const lettersShown = 5

/** Columns of an item's id that still goes into a command to be typed or copied. */
const argumentColumnsMax = 60

/**
 * The summary: status, counts, time, cost, where the work is, what failed, what to type next.
 *
 * @since 0.1.0
 * @category rendering
 */
export const report = (value: RunReport, letters: ReadonlyArray<DeadLetter>, style: Style): string =>
  [
    headline(value, style),
    "",
    ...factLines(facts(value), style),
    ...section("Dead letters", letterLines(value, letters), style),
    ...section("Warnings", value.warnings.map(Text.clean), style),
    ...section("Next", next(value, letters), style)
  ].join("\n")

/**
 * What is said when a run was interrupted. `view` is null when nothing was made yet.
 *
 * @since 0.1.0
 * @category rendering
 */
export const paused = (view: RunView | null, style: Style): string =>
  view === null
    ? `${style.warn("Interrupted")} before anything was made.`
    : [
        `${style.warn("Interrupted")} ${Text.clean(view.workflowName)} in phase ${view.phase}: what was finished is kept.`,
        `  prodigy resume ${view.sessionId}`
      ].join("\n")

const headline = (value: RunReport, style: Style): string => {
  const name = Text.clean(value.workflow_name)
  if (value.status === "failed") {
    const why = value.failure === null ? "" : `: ${Text.clean(value.failure.message)}`
    return `${style.bad("Failed")} ${name} in phase ${value.phase}${why}`
  }
  if (value.status === "paused") {
    const why = value.waiting === null ? "" : `, ${Text.clean(value.waiting)}`
    return `${style.warn("Paused")} ${name} in phase ${value.phase}${why}`
  }
  if (value.counts.dead_lettered > 0) return `${style.warn("Completed with dead letters")} ${name}`
  return value.finish?.outcome === "waiting"
    ? `${style.warn("Completed, not merged")} ${name}`
    : `${style.good("Completed")} ${name}`
}

/**
 * A line of a summary.
 *
 * @since 0.1.0
 * @category models
 */
export type Fact = readonly [name: string, text: string]

const facts = (value: RunReport): ReadonlyArray<Fact> => [
  ["session", value.session_id],
  ["items", items(value)],
  ...retried(value),
  ["time", Text.duration(value.duration_ms)],
  ...cost(value),
  ...result(value),
  ...left(value)
]

/**
 * Where to look, and what is left of it.
 *
 * @since 0.1.0
 * @category rendering
 */
export const left = (value: Pick<RunReport, "failure" | "kept" | "orphans">): ReadonlyArray<Fact> => [
  ...(value.failure?.log == null ? [] : [["log", Text.clean(value.failure.log)] as const]),
  ...value.kept.map((ref): Fact => ["kept", Text.clean(ref)]),
  ...value.orphans.map((path): Fact => ["left over", `${Text.clean(path)} could not be removed`])
]

const retried = ({ retried: of, status }: RunReport): ReadonlyArray<Fact> => {
  if (of === undefined || of.tried === 0) return []
  const rest = of.tried - of.done
  const others = rest === 0 ? "" : `, ${rest} ${status === "completed" ? "failed again" : "not"}`
  return [["retried", `${of.tried}: ${of.done} done${others}`]]
}

const items = ({ counts, total }: RunReport): string => {
  if (total === null) return "not selected"
  const parts = (
    [
      [counts.merged, "done"],
      [counts.dead_lettered, "in the dead letter queue"],
      [counts.skipped, "skipped"],
      [counts.unmerged, "waiting to be merged"],
      [counts.running, "interrupted"],
      [counts.pending, "not started"]
    ] as const
  ).filter(([amount]) => amount > 0)
  const detail = parts.map(([amount, what]) => `${amount} ${what}`).join(", ")
  return detail === "" ? `${total}` : `${total}: ${detail}`
}

/**
 * What it cost, when it cost something.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cost = ({ usage }: Pick<RunReport, "usage">): ReadonlyArray<Fact> => {
  const tokens = usage.input_tokens + usage.output_tokens + usage.cache_tokens
  if (tokens === 0 && usage.usd === 0) return []
  return [["cost", `${Text.dollars(usage.usd)}, ${usage.input_tokens} tokens in, ${usage.output_tokens} out`]]
}

/**
 * What became of the work.
 *
 * @since 0.1.0
 * @category rendering
 */
export const result = ({
  branch,
  finish,
  worktree
}: Pick<RunReport, "branch" | "finish" | "worktree">): ReadonlyArray<Fact> => {
  switch (finish?.outcome) {
    case "merged":
      return [["merged", `into ${Text.clean(finish.target)} as ${finish.commit.slice(0, 12)}`]]
    case "nothing_to_merge":
      return [["merged", `nothing to merge into ${Text.clean(finish.target)}`]]
    case "waiting":
      return [
        ["branch", Text.clean(finish.branch)],
        ["not merged", waiting[finish.reason](Text.clean(finish.target ?? "the target"))],
        ...finish.paths.map((path): Fact => ["", Text.clean(path)])
      ]
    case undefined:
      return [
        ["branch", Text.clean(branch)],
        ["worktree", Text.clean(worktree)]
      ]
  }
}

const waiting = {
  declined: () => "you said no",
  not_asked: () => "nobody could be asked (-y merges without asking)",
  conflict: (target: string) => `it conflicts with ${target} in`,
  dirty_target: (target: string) => `your checkout of ${target} has changes in`,
  no_target_branch: () => "HEAD was not on a branch"
} as const

const letterLines = (value: RunReport, letters: ReadonlyArray<DeadLetter>): ReadonlyArray<string> => {
  const lines = letters.slice(0, lettersShown).map((letter) => {
    const last = letter.failure_history[letter.failure_history.length - 1] ?? letter.failure_history[0]
    const step = last.step_failed === null ? "" : ` at ${Text.clean(last.step_failed)}`
    return `${Text.shorten(Text.clean(letter.item_id), 40)}: ${cause(last.cause)}${step}`
  })
  const more = value.counts.dead_lettered - lines.length
  return more > 0 && lines.length > 0 ? [...lines, `and ${more} more`] : lines
}

const next = (value: RunReport, letters: ReadonlyArray<DeadLetter>): ReadonlyArray<string> => {
  const items = letters.map(({ item_id }) => Text.itemArgument(item_id))
  const short = items.find((argument) => Text.width(argument) <= argumentColumnsMax)
  return [
    ...merging(value.finish),
    ...(value.status === "completed" ? [] : [`prodigy resume ${value.session_id}`]),
    ...(letters.length === 0 ? [] : [`prodigy dlq list --job-id ${value.job_id}`]),
    ...(short === undefined ? [] : [`prodigy dlq inspect --job-id ${value.job_id} ${short}`]),
    ...(letters.length === 0 || value.status !== "completed" ? [] : [`prodigy dlq retry ${value.job_id}`]),
    ...(value.counts.skipped === 0 ? [] : [`prodigy events list --job-id ${value.job_id} --event-type agent_failed`]),
    ...(value.status === "completed" ? [] : [`prodigy events list --job-id ${value.job_id}`]),
    `prodigy sessions show ${value.session_id}`
  ]
}

/**
 * The command that merges, with what it takes beside it, as a shell reads it.
 *
 * @since 0.1.0
 * @category rendering
 */
export const merging = (finish: RunReport["finish"]): ReadonlyArray<string> => {
  if (finish?.outcome !== "waiting") return []
  const command = Text.clean(finish.command)
  switch (finish.reason) {
    case "conflict":
      return [`${command}  # and resolve the conflicts`]
    case "dirty_target":
      return [`${command}  # when these changes are committed or stashed`]
    case "declined":
    case "not_asked":
    case "no_target_branch":
      return [command]
  }
}

/**
 * @since 0.1.0
 * @category rendering
 */
export const factLines = (facts: ReadonlyArray<Fact>, style: Style): ReadonlyArray<string> =>
  facts.map(([name, text]) => `  ${style.dim(Text.padEnd(name, 10))} ${text}`)

/**
 * Lines under a title; nothing when there are none.
 *
 * @since 0.1.0
 * @category rendering
 */
export const section = (title: string, lines: ReadonlyArray<string>, style: Style): ReadonlyArray<string> =>
  lines.length === 0 ? [] : ["", style.bold(title), ...lines.map((line) => `  ${line}`)]
