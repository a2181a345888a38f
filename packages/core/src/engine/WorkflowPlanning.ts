/**
 * Checks a request for a standard workflow: everything that can be known before anything is made.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Glob from "../workflow/Glob.ts"
import type * as Variables from "../workflow/Variables.ts"
import type { StandardWorkflow } from "../workflow/Workflow.ts"
import * as WorkflowFile from "../workflow/WorkflowFile.ts"
import { type Project, Workspace } from "../workspace/Workspace.ts"
import * as Planning from "./Planning.ts"
import * as RunScope from "./RunScope.ts"
import type { Values, WorkflowPlan, WorkflowRequest } from "./WorkflowRun.ts"

/**
 * Most iterations that may be asked for.
 *
 * @since 0.1.0
 * @category models
 */
export const iterationsMax = 10_000

/**
 * Makes the plan of a request. Reads the project and the repository's claim; makes nothing.
 *
 * @since 0.1.0
 * @category planning
 */
export const plan = Effect.fn("WorkflowPlanning.plan")(function* (request: WorkflowRequest) {
  const parsed = yield* WorkflowFile.parse(request.workflowText, request.workflowPath)
  if (parsed.kind === "standard") return yield* planParsed(request, parsed)
  return yield* new Planning.InvalidOption({
    option: "the workflow",
    value: request.workflowPath,
    detail: "it is a MapReduce workflow, which MapReduce runs."
  })
})

/**
 * As `plan`, of a workflow that was read already.
 *
 * @since 0.1.0
 * @category planning
 */
export const planParsed = Effect.fnUntraced(function* (
  request: WorkflowRequest,
  { warnings, workflow }: Extract<WorkflowFile.Parsed, { readonly kind: "standard" }>
) {
  const { iterations } = request
  if (!Number.isInteger(iterations) || iterations < 1 || iterations > iterationsMax) {
    return yield* new Planning.InvalidOption({
      option: "-n",
      value: String(iterations),
      detail: `it must be a whole number from 1 to ${iterationsMax}.`
    })
  }
  const ground = yield* Planning.groundOf(request, Planning.stepsUseClaude(workflow.steps))
  const values = yield* valuesOf(request.values, ground)
  const scope = previewScope(request, workflow, values)
  return {
    request,
    workflow,
    warnings,
    ...ground,
    values,
    preview: workflow.steps.map((step) => ({ step, text: Planning.filledIn(step, scope) }))
  } satisfies WorkflowPlan
})

/** The values, those of a pattern looked for in the commit that the session starts from. */
const valuesOf = Effect.fnUntraced(function* (
  values: Values | null,
  ground: { readonly project: Project; readonly base: string }
) {
  if (values === null) return null
  const list = yield* values.from === "args"
    ? Effect.succeed(values.list)
    : Effect.map(
        Effect.flatMap(Workspace, (workspace) => workspace.files(ground.project, ground.base)),
        (files) => files.filter(Glob.matcher(values.pattern))
      )
  const [first, ...rest] = list
  if (first !== undefined) return { from: values.from, list: [first, ...rest] as const }
  return yield* new Planning.InvalidOption({
    option: values.from === "args" ? "--args" : "--map",
    value: values.from === "args" ? "" : values.pattern,
    detail:
      values.from === "args"
        ? "at least one value is needed."
        : `no file of commit ${ground.base.slice(0, 12)} fits it. Files that are not committed do not count.`
  })
})

const previewScope = (
  request: WorkflowRequest,
  workflow: StandardWorkflow,
  values: WorkflowPlan["values"]
): Variables.Scope => {
  const session = "<session>"
  const scope: Variables.Scope = {
    author: {
      ...workflow.env,
      ...request.parameters,
      PROJECT_ROOT: request.projectPath,
      WORKTREE: "<worktree>",
      workflow: { name: workflow.name, id: session },
      session: { id: session },
      env: workflow.env
    },
    data: {}
  }
  return RunScope.forTurn(scope, {
    iteration: 1,
    value: values === null ? null : { from: values.from, text: values.list[0] }
  })
}
