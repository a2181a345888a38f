/**
 * The end of a standard workflow's run.
 *
 * @since 0.1.0
 */
import type { WorkflowView } from "@prodigy/core/engine/WorkflowProgress"
import type { WorkflowReport } from "@prodigy/core/engine/WorkflowRun"
import * as Report from "./Report.ts"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/**
 * The summary: status, steps, time, cost, where the work is, what to type next.
 *
 * @since 0.1.0
 * @category rendering
 */
export const workflowReport = (value: WorkflowReport, style: Style): string =>
  [
    headline(value, style),
    "",
    ...Report.factLines(facts(value), style),
    ...Report.section("Warnings", value.warnings.map(Text.clean), style),
    ...Report.section("Next", next(value), style)
  ].join("\n")

/**
 * What is said when a run was interrupted.
 *
 * @since 0.1.0
 * @category rendering
 */
export const workflowPaused = (view: WorkflowView, style: Style): string => {
  const where = view.at === null ? "while it finished" : `in step ${view.at.step} of ${view.at.steps}`
  return [
    `${style.warn("Interrupted")} ${Text.clean(view.workflowName)} ${where}: the steps that are done are kept.`,
    `  prodigy resume ${view.sessionId}`
  ].join("\n")
}

const headline = (value: WorkflowReport, style: Style): string => {
  const name = Text.clean(value.workflow_name)
  const where = value.step === null ? "while it finished" : `in step ${value.completed_steps + 1}`
  switch (value.status) {
    case "failed": {
      const why = value.failure === null ? "" : `: ${Text.clean(value.failure.message)}`
      return `${style.bad("Failed")} ${name} ${where}${why}`
    }
    case "paused":
      return `${style.warn("Paused")} ${name} ${where}${value.waiting === null ? "" : `, ${Text.clean(value.waiting)}`}`
    case "cancelled":
      return `${style.warn("Cancelled")} ${name}`
    case "completed":
      return value.finish?.outcome === "waiting"
        ? `${style.warn("Completed, not merged")} ${name}`
        : `${style.good("Completed")} ${name}`
  }
}

const facts = (value: WorkflowReport): ReadonlyArray<Report.Fact> => [
  ["session", value.session_id],
  ["steps", `${value.completed_steps} of ${value.total_steps} done`],
  ...(value.step === null ? [] : [["step", Text.clean(value.step)] as const]),
  ...(value.total_values === null ? [] : [["values", valuesOf(value)] as const]),
  ...(value.iterations_completed > (value.total_values ?? 1) || value.iteration > 1
    ? [["iterations", `${value.iterations_completed} done`] as const]
    : []),
  ["time", Text.duration(value.duration_ms)],
  ...Report.cost(value),
  ...Report.result(value),
  ...Report.left(value)
]

const valuesOf = ({ status, total_values, value }: WorkflowReport): string =>
  status === "completed" ? `all ${total_values}` : `of ${total_values}, at ${Text.shorten(Text.clean(value ?? ""), 60)}`

const next = (value: WorkflowReport): ReadonlyArray<string> => [
  ...Report.merging(value.finish),
  ...(value.status === "completed" || value.status === "cancelled" ? [] : [`prodigy resume ${value.session_id}`]),
  `prodigy sessions show ${value.session_id}`
]
