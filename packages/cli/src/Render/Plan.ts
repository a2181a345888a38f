/**
 * What a run would do.
 *
 * @since 0.1.0
 */
import type { Plan } from "@prodigy/core/engine/MapReduce"
import type { WorkflowPlan } from "@prodigy/core/engine/WorkflowRun"
import type { Step } from "@prodigy/core/workflow/Workflow"
import type { Plan as PlanJson, WorkflowPlan as WorkflowPlanJson } from "./Json.ts"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/** Items shown of a plan. */
const itemsShown = 10

/**
 * A plan for people: where, which items, the steps for the first of them, and what would be made.
 *
 * @since 0.1.0
 * @category rendering
 */
export const plan = (value: Plan, style: Style): string => {
  const fact = factLine(style)
  return [
    ...head(value, style),
    ...phase("setup", value.workflow.setup.steps, fact),
    fact("items", itemCount(value)),
    ...itemLines(value, style),
    ...phase("reduce", value.workflow.reduce.steps, fact),
    "",
    style.bold(stepsTitle(value)),
    ...value.preview.flatMap(({ step, text }, index) => stepLines(index, step, text, style)),
    "",
    style.bold("Would make"),
    ...made(value).map((line) => `  ${line}`)
  ].join("\n")
}

/**
 * The plan of a standard workflow for people: where, the steps for the first value, and what would be made.
 *
 * @since 0.1.0
 * @category rendering
 */
export const workflowPlan = (value: WorkflowPlan, style: Style): string => {
  const fact = factLine(style)
  const { iterations } = value.request
  const first = value.values?.list[0]
  return [
    ...head(value, style),
    fact("steps", String(value.workflow.steps.length)),
    ...(value.values === null ? [] : [fact("values", `${value.values.list.length}, one after the other`)]),
    ...valueLines(value, style),
    ...(iterations === 1 ? [] : [fact("iterations", `at most ${iterations}, until one changes nothing`)]),
    "",
    style.bold(first === undefined ? "Steps" : `Steps, filled in for ${Text.shorten(Text.clean(first), 40)}`),
    ...value.preview.flatMap(({ step, text }, index) => stepLines(index, step, text, style)),
    "",
    style.bold("Would make"),
    `  1 session with a branch and a worktree of its own`,
    `  ${finish(value)}`
  ].join("\n")
}

const valueLines = ({ values }: WorkflowPlan, style: Style): ReadonlyArray<string> => {
  const list = values?.list ?? []
  const lines = list.slice(0, itemsShown).map((text) => `             ${style.dim(Text.shorten(Text.clean(text), 80))}`)
  return list.length > lines.length ? [...lines, `             and ${list.length - lines.length} more`] : lines
}

const factLine = (style: Style) => (name: string, text: string) => `  ${style.dim(Text.padEnd(name, 10))} ${text}`

/** Where it runs and where it ends. */
const head = (value: Plan | WorkflowPlan, style: Style): ReadonlyArray<string> => {
  const fact = factLine(style)
  const target = value.target === null ? "no branch (HEAD is detached)" : Text.clean(value.target)
  return [
    `${style.bold("Plan")} ${Text.clean(value.workflow.name)}: a dry run, nothing is made`,
    "",
    fact("repository", `${Text.clean(value.project.root)}${value.repo === null ? "" : ` (${value.repo})`}`),
    fact("base", value.base.slice(0, 12)),
    fact("target", target)
  ]
}

const phase = (
  name: string,
  steps: ReadonlyArray<Step>,
  fact: (name: string, text: string) => string
): ReadonlyArray<string> =>
  steps.map((step, index) => fact(index === 0 ? name : "", `${index + 1}. ${Text.clean(step.name)}`))

const itemCount = ({ items, maxParallel }: Plan): string =>
  items._tag === "Later"
    ? `known only when it runs: ${Text.clean(items.reason)}`
    : `${items.items.length}, at most ${maxParallel} at once`

const itemLines = ({ items }: Plan, style: Style): ReadonlyArray<string> => {
  if (items._tag === "Later") return []
  const shown = items.items.slice(0, itemsShown)
  const widest = Math.min(40, Math.max(0, ...shown.map(({ id }) => Text.width(Text.clean(id)))))
  const lines = shown.map(({ data, id }) => {
    const name = Text.padEnd(Text.shorten(Text.clean(id), 40), widest)
    return `             ${name}  ${style.dim(Text.shorten(Text.clean(JSON.stringify(data)), 60))}`
  })
  const more = items.items.length - shown.length
  return more > 0 ? [...lines, `             and ${more} more`] : lines
}

const stepsTitle = ({ items }: Plan): string => {
  const first = items._tag === "Known" ? items.items[0] : undefined
  return first === undefined
    ? "Steps of every item"
    : `Steps of every item, filled in for ${Text.shorten(Text.clean(first.id), 40)}`
}

const stepLines = (index: number, step: Step, text: string, style: Style): ReadonlyArray<string> => [
  `  ${index + 1}. ${Text.clean(step.name)}`,
  ...Text.cleanLines(text).map((line) => `     ${style.dim(line)}`)
]

const made = (value: Plan): ReadonlyArray<string> => {
  const items = value.items._tag === "Known" ? value.items.items.length : null
  const agents = items === null ? value.maxParallel : Math.min(items, value.maxParallel)
  return [
    "1 session with a branch and a worktree of its own",
    `at most ${Text.count(agents, "agent worktree")} at a time`,
    items === null
      ? "1 merge commit for each item that changes something"
      : `at most ${Text.count(items, "merge commit")}`,
    finish(value)
  ]
}

const finish = ({ request, target }: Plan | WorkflowPlan): string => {
  if (target === null) return "no merge: HEAD is not on a branch"
  const into = `the merge into ${Text.clean(target)}`
  switch (request.approve) {
    case "yes":
      return into
    case "ask":
      return `${into}, after asking`
    case "not_asked":
      return `no merge: ${into} needs -y, or a terminal to ask on`
  }
}

/**
 * A plan for `--json`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const planJson = (value: Plan): typeof PlanJson.Type => ({
  ...headJson(value),
  max_parallel: value.maxParallel,
  items: value.items._tag === "Known" ? value.items.items : null,
  items_later: value.items._tag === "Later" ? value.items.reason : null,
  ...tailJson(value)
})

/**
 * The plan of a standard workflow for `--json`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const workflowPlanJson = (value: WorkflowPlan): typeof WorkflowPlanJson.Type => ({
  session_type: "Workflow",
  ...headJson(value),
  iterations: value.request.iterations,
  values: value.values?.list ?? null,
  ...tailJson(value)
})

const headJson = (value: Plan | WorkflowPlan) => ({
  workflow_name: value.workflow.name,
  workflow_path: value.request.workflowPath,
  repository: { name: value.repo, path: value.project.root },
  base: value.base,
  target: value.target
})

const tailJson = (value: Plan | WorkflowPlan) => ({
  steps: value.preview.map(({ step, text }) => ({ name: step.name, text })),
  warnings: value.warnings.map((problem) => `${problem.line}:${problem.column}: ${problem.message}`)
})
