/**
 * `prodigy run`.
 *
 * @since 0.1.0
 */
import { MapReduce, type Plan } from "@prodigy/core/engine/MapReduce"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import { warning } from "../Render/Failure.ts"
import * as Json from "../Render/Json.ts"
import { plan as renderPlan, planJson } from "../Render/Plan.ts"
import * as RunToEnd from "../RunToEnd.ts"
import { Screen } from "../Screen.ts"
import { readWorkflow } from "../WorkflowUnreadable.ts"
import * as flags from "./flags.ts"

const file = Flag.argument("FILE", "The workflow, a YAML file")

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
    allowFailed: flags.allowFailed
  },
  examples: [
    { line: "prodigy run migrate.yml", does: "run it, and ask before the final merge" },
    { line: "prodigy run migrate.yml --dry-run", does: "see what would happen" },
    { line: "prodigy run migrate.yml -y --max-parallel 4", does: "4 agents at once, merge without asking" }
  ],
  handler: ({ args, flags: given }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const engine = yield* MapReduce
      const plan = yield* engine.plan(yield* requestOf(args.file, given))
      yield* Effect.forEach(plan.warnings, (found) => screen.note(warning(args.file, found, screen.noteStyle)))
      if (given.dryRun) return yield* showPlan(plan, given.json)
      yield* RunToEnd.watch(engine.run(plan), given)
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
  }
) {
  const { canAsk } = yield* Screen
  return {
    workflowPath,
    workflowText: yield* readWorkflow(workflowPath),
    projectPath: yield* flags.project(given.path),
    maxParallel: given.maxParallel,
    base: given.base,
    approve: flags.approval(given.yes, canAsk),
    parameters: Object.fromEntries(given.param)
  }
})

const showPlan = Effect.fnUntraced(function* (plan: Plan, asJson: boolean) {
  const screen = yield* Screen
  yield* screen.data(asJson ? yield* Json.render(Json.Plan, planJson(plan)) : renderPlan(plan, screen.dataStyle))
})
