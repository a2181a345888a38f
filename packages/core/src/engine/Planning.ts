/**
 * Checks a request: everything that can be known before anything is made.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { Agent } from "../agent/Agent.ts"
import * as Digest from "../domain/Digest.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import type { JobFile } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import * as ScriptText from "../workflow/ScriptText.ts"
import * as Template from "../workflow/Template.ts"
import * as Variables from "../workflow/Variables.ts"
import { followers, type Step, type Workflow } from "../workflow/Workflow.ts"
import * as WorkflowFile from "../workflow/WorkflowFile.ts"
import { type Project, Workspace } from "../workspace/Workspace.ts"
import { ItemSelection } from "./ItemSelection.ts"
import type { Plan, RunRequest } from "./MapReduce.ts"
import * as RunScope from "./RunScope.ts"

/**
 * An option of the request, or a setting of the workflow that depends on one, is not usable.
 *
 * @since 0.1.0
 * @category errors
 */
export class InvalidOption extends Schema.TaggedError<InvalidOption>("@prodigy/core/engine/Planning/InvalidOption")(
  "InvalidOption",
  { option: Schema.String, value: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `${this.option} cannot be ${JSON.stringify(this.value)}: ${this.detail}`
  }
}

/**
 * Most agents at once.
 *
 * @since 0.1.0
 * @category models
 */
export const parallelMax = 1000

/**
 * Makes the plan of a MapReduce request. Reads the project and the repository's claim; makes nothing.
 *
 * @since 0.1.0
 * @category planning
 */
export const plan = Effect.fn("Planning.plan")(function* (request: RunRequest) {
  const parsed = yield* WorkflowFile.parse(request.workflowText, request.workflowPath)
  if (parsed.kind === "mapreduce") return yield* planParsed(request, parsed)
  return yield* new InvalidOption({
    option: "the workflow",
    value: request.workflowPath,
    detail: "it is a standard workflow, which WorkflowRun runs."
  })
})

/**
 * As `plan`, of a workflow that was read already.
 *
 * @since 0.1.0
 * @category planning
 */
export const planParsed = Effect.fnUntraced(function* (
  request: RunRequest,
  { warnings, workflow }: Extract<WorkflowFile.Parsed, { readonly kind: "mapreduce" }>
) {
  const scope = scopeOf(workflow, request)
  const maxParallel = yield* parallelOf(workflow, request)
  const ground = yield* groundOf(request, usesClaude(workflow))
  const items = yield* itemsOf(workflow, ground.project, scope)
  const first = items._tag === "Known" ? items.items[0] : undefined
  return {
    request,
    workflow,
    warnings,
    ...ground,
    maxParallel,
    items,
    preview: workflow.map.agent_template.map((step) => ({
      step,
      text: first === undefined ? textOf(step) : filledIn(step, itemScope(scope, first, items))
    }))
  } satisfies Plan
})

/**
 * Where a request runs: the project, its name in the storage (null: none yet), the commit to start from and the branch to
 * end in. Fails when an agent is needed and not installed.
 *
 * @since 0.1.0
 * @category planning
 */
export const groundOf = Effect.fnUntraced(function* (
  request: Pick<RunRequest, "projectPath" | "base">,
  needsAgent: boolean
) {
  const workspace = yield* Workspace
  const home = yield* ProdigyHome
  const project = yield* workspace.find(request.projectPath)
  const base = request.base === null ? project.head : yield* workspace.resolve(project, request.base)
  if (needsAgent) yield* Effect.flatMap(Agent, (agent) => agent.check)
  const repo = yield* home.findRepoName({ path: project.root, rootCommit: project.rootCommit })
  return { project, repo, base, target: project.branch }
})

/**
 * The workflow file as it is stored with what it started.
 *
 * @since 0.1.0
 * @category planning
 */
export const sourceOf = (
  request: Pick<RunRequest, "workflowPath" | "workflowFile" | "workflowText">
): JobFile["workflow_source"] => ({
  path: request.workflowPath,
  ...(request.workflowFile === undefined ? {} : { file: request.workflowFile }),
  text: request.workflowText,
  sha256: Digest.sha256(request.workflowText)
})

const scopeOf = (workflow: Workflow, request: Pick<RunRequest, "parameters" | "projectPath">): Variables.Scope => ({
  author: {
    ...workflow.env,
    ...request.parameters,
    PROJECT_ROOT: request.projectPath,
    WORKTREE: "<worktree>",
    workflow: { name: workflow.name, id: "<session>" },
    session: { id: "<session>" },
    job: { id: "<job>" },
    env: workflow.env
  },
  data: {}
})

/**
 * How many agents run at once.
 *
 * @since 0.1.0
 * @category planning
 */
export const parallelOf = (
  workflow: Workflow,
  request: Pick<RunRequest, "maxParallel" | "parameters" | "projectPath">
): Effect.Effect<number, InvalidOption> =>
  Effect.gen(function* () {
    if (request.maxParallel !== null) return yield* checkParallel("--max-parallel", String(request.maxParallel))
    const { max_parallel } = workflow.map
    if (typeof max_parallel === "number") return max_parallel
    const text = Template.render(max_parallel, scopeOf(workflow, request))
    if (Either.isLeft(text)) {
      return yield* new InvalidOption({
        option: "map.max_parallel",
        value: max_parallel,
        detail: `${text.left.message} Set it in env, or give it with --param NAME=VALUE.`
      })
    }
    return yield* checkParallel("map.max_parallel", text.right)
  })

const checkParallel = (option: string, value: string): Effect.Effect<number, InvalidOption> => {
  const number = Number(value)
  return Number.isInteger(number) && number >= 1 && number <= parallelMax
    ? Effect.succeed(number)
    : Effect.fail(new InvalidOption({ option, value, detail: `it must be a whole number from 1 to ${parallelMax}.` }))
}

/**
 * Whether any step of a workflow hands a prompt to the agent.
 *
 * @since 0.1.0
 * @category predicates
 */
export const usesClaude = (workflow: Workflow): boolean => {
  const { agent_template, failure_policy } = workflow.map
  return [workflow.setup.steps, agent_template, failure_policy.handler?.steps ?? [], workflow.reduce.steps].some(
    stepsUseClaude
  )
}

/**
 * Whether any of some steps, or of those that follow from them, hands a prompt to the agent.
 *
 * @since 0.1.0
 * @category predicates
 */
export const stepsUseClaude = (steps: ReadonlyArray<Step>): boolean =>
  steps.some((step) => step.action.kind === "claude" || stepsUseClaude(followers(step)))

const itemsOf = (workflow: Workflow, project: Project, scope: Variables.Scope) =>
  Effect.gen(function* () {
    const later = (reason: string): Plan["items"] => ({ _tag: "Later", reason })
    if (workflow.setup.steps.length > 0 && workflow.map.selection.source.kind !== "items") {
      return later("The setup steps run first and may change the input.")
    }
    const selection = yield* ItemSelection
    const items = yield* selection.peek(workflow.map.selection, project.checkout, scope)
    return items === null
      ? later("The input is a command, which only a run executes.")
      : ({ _tag: "Known", items } satisfies Plan["items"])
  })

const textOf = (step: Step): string => {
  switch (step.action.kind) {
    case "shell":
      return step.action.script
    case "claude":
      return step.action.prompt
    case "write_file":
      return step.action.path
  }
}

const itemScope = (scope: Variables.Scope, item: WorkItem, items: Plan["items"]): Variables.Scope =>
  RunScope.forItem(scope, item, { total: items._tag === "Known" ? items.items.length : 0, attempt: 1 })

/**
 * A step's text for people, filled in as far as its values are known: a script is shown with its values in place, which
 * is not what is executed.
 *
 * @since 0.1.0
 * @category planning
 */
export const filledIn = (step: Step, scope: Variables.Scope): string => {
  const asWritten = (error: Template.TemplateError) => `${textOf(step)}\n(as written: ${error.message})`
  if (step.action.kind !== "shell") return Either.getOrElse(Template.render(textOf(step), scope), asWritten)
  return Either.match(ScriptText.render(step.action, scope), {
    onLeft: asWritten,
    onRight: (text) =>
      Object.entries({ ...text.env, ...text.files }).reduce(
        (script, [name, value]) => script.replaceAll(`\${${name}}`, value),
        text.script
      )
  })
}
