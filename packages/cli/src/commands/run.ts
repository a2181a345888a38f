/**
 * `prodigy run`.
 *
 * @since 0.1.0
 */
import * as Path from "@effect/platform/Path"
import { type AnyPlan, type AnyRequest, Runner } from "@prodigy/core/engine/Runner"
import { iterationsMax } from "@prodigy/core/engine/WorkflowPlanning"
import * as Parameters from "@prodigy/core/workflow/Parameters"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import { unusedParameter, warning } from "../Render/Failure.ts"
import * as Json from "../Render/Json.ts"
import { plan as renderPlan, planJson, workflowPlan, workflowPlanJson } from "../Render/Plan.ts"
import * as ResumeToEnd from "../ResumeToEnd.ts"
import * as RunToEnd from "../RunToEnd.ts"
import { Screen } from "../Screen.ts"
import { UsageError } from "../UsageError.ts"
import { readWorkflow } from "../WorkflowUnreadable.ts"
import * as flags from "./flags.ts"

const file = Flag.optionalArgument("FILE", "The workflow, a YAML file; with --resume it may be left out")

const dryRun = Flag.on("dry-run", { description: "Show what would be done, and make nothing" })

const maxParallel = Flag.value("max-parallel", {
  value: "N",
  description: "Agents at once, instead of what the workflow says",
  read: Flag.integer(1, 1000),
  otherwise: null
})

const base = Flag.value("base", {
  value: "REF",
  description: "Start from this commit or branch instead of HEAD",
  read: Flag.text,
  otherwise: null
})

const param = Flag.repeated("param", {
  value: "KEY=VALUE",
  description: "Set a variable of the workflow",
  read: Flag.assignment
})

const iterations = Flag.value("iterations", {
  alias: "n",
  value: "N",
  description: "Run the steps up to N times, until they change nothing",
  read: Flag.integer(1, iterationsMax),
  otherwise: null
})

const arg = Flag.repeated("args", {
  value: "VALUE",
  description: "Run the steps once for each value, as $ARG",
  read: Flag.text
})

const glob = Flag.value("map", {
  value: "GLOB",
  description: "Run the steps once for each file, as $ARG",
  read: Flag.text,
  otherwise: null
})

const resume = Flag.value("resume", {
  value: "ID",
  description: "Go on with this session or job instead of starting one",
  read: Flag.text,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandRun = CommandTree.leaf({
  name: "run",
  summary: "Run a workflow",
  args: { file },
  flags: {
    yes: flags.yes,
    dryRun,
    maxParallel,
    path: flags.path,
    json: flags.json,
    base,
    param,
    iterations,
    args: arg,
    map: glob,
    resume,
    noWait: flags.noWait,
    allowFailed: flags.allowFailed
  },
  json: JsonOutput.document(Json.MapReduceReport, Json.WorkflowReport, Json.Plan, Json.WorkflowPlan),
  examples: [
    { line: "prodigy run migrate.yml", does: "run it, and ask before the final merge" },
    { line: "prodigy run migrate.yml --dry-run", does: "see what would happen" },
    { line: "prodigy run migrate.yml -y --max-parallel 4", does: "4 agents at once, merge without asking" }
  ],
  handler: ({ args: { file }, flags: given }) =>
    Effect.gen(function* () {
      if (given.resume !== null) return yield* goOn(file, { ...given, resume: given.resume })
      if (file === null) return yield* wrong("FILE is missing: The workflow, a YAML file.")
      const screen = yield* Screen
      const runner = yield* Runner
      const plan = yield* runner.plan(yield* requestOf(file, given))
      yield* Effect.forEach(plan.plan.warnings, (found) => screen.note(warning(file, found, screen.noteStyle)))
      const unused = Parameters.unused(plan.plan.workflow, Object.keys(plan.plan.request.parameters))
      yield* Effect.forEach(unused, (found) => screen.note(unusedParameter(found, screen.noteStyle)))
      if (given.dryRun) return yield* showPlan(plan, given.json)
      yield* RunToEnd.watch(runner.run(plan), given)
    })
})

const wrong = (what: string) => new UsageError({ what, suggestions: [], command: "prodigy run" })

/** A session goes on as it was started: what only a new one can be given is refused. */
const goOn = Effect.fnUntraced(function* (
  file: string | null,
  given: {
    readonly resume: string
    readonly dryRun: boolean
    readonly maxParallel: number | null
    readonly base: string | null
    readonly param: ReadonlyArray<unknown>
    readonly iterations: number | null
    readonly args: ReadonlyArray<string>
    readonly map: string | null
    readonly path: string
    readonly yes: boolean
    readonly noWait: boolean
    readonly json: boolean
    readonly allowFailed: boolean
  }
) {
  const startsOnly = [
    [given.dryRun, "--dry-run"],
    [given.maxParallel !== null, "--max-parallel"],
    [given.base !== null, "--base"],
    [given.param.length > 0, "--param"],
    [given.iterations !== null, "-n"],
    [given.args.length > 0, "--args"],
    [given.map !== null, "--map"]
  ] as const
  const flag = startsOnly.find(([isGiven]) => isGiven)?.[1]
  if (flag !== undefined) return yield* wrong(`${flag} does not go with --resume: a session goes on as it was started.`)
  yield* ResumeToEnd.watch({
    ...given,
    id: given.resume,
    file,
    force: false,
    fromCheckpoint: null,
    useCurrent: false,
    retryFailed: false,
    maxRetries: null
  })
})

const requestOf = Effect.fnUntraced(function* (
  workflowPath: string,
  given: {
    readonly yes: boolean
    readonly maxParallel: number | null
    readonly path: string
    readonly base: string | null
    readonly param: ReadonlyArray<readonly [string, string]>
    readonly noWait: boolean
    readonly iterations: number | null
    readonly args: ReadonlyArray<string>
    readonly map: string | null
  }
) {
  if (given.map !== null && given.args.length > 0) {
    return yield* wrong("--args and --map do not go together: each says for what the steps run.")
  }
  const { canAsk } = yield* Screen
  const paths = yield* Path.Path
  return {
    workflowPath,
    workflowFile: paths.resolve(workflowPath),
    workflowText: yield* readWorkflow(workflowPath),
    projectPath: yield* flags.project(given.path),
    maxParallel: given.maxParallel,
    base: given.base,
    approve: flags.approval(given.yes, canAsk),
    parameters: Object.fromEntries(given.param),
    waitsForQuota: !given.noWait,
    iterations: given.iterations,
    values: valuesOf(given)
  } satisfies AnyRequest
})

const valuesOf = ({
  args,
  map
}: {
  readonly args: ReadonlyArray<string>
  readonly map: string | null
}): AnyRequest["values"] =>
  map !== null ? { from: "map", pattern: map } : args.length > 0 ? { from: "args", list: args } : null

const showPlan = Effect.fnUntraced(function* ({ kind, plan }: AnyPlan, asJson: boolean) {
  const screen = yield* Screen
  if (kind === "standard") {
    return yield* screen.data(
      asJson ? yield* Json.render(Json.WorkflowPlan, workflowPlanJson(plan)) : workflowPlan(plan, screen.dataStyle)
    )
  }
  yield* screen.data(asJson ? yield* Json.render(Json.Plan, planJson(plan)) : renderPlan(plan, screen.dataStyle))
})
