/**
 * `prodigy run`.
 *
 * @since 0.1.0
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import { MapReduce, type Plan, type RunReport } from "@prodigy/core/engine/MapReduce"
import { Progress } from "@prodigy/core/engine/Progress"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import { fromReport } from "../ExitCode.ts"
import * as Flag from "../Flag.ts"
import * as LiveBlock from "../LiveBlock.ts"
import { warning } from "../Render/Failure.ts"
import * as Json from "../Render/Json.ts"
import { plan as renderPlan, planJson } from "../Render/Plan.ts"
import { lettersShown, paused, report as renderReport } from "../Render/Report.ts"
import { RunEnded } from "../RunEnded.ts"
import { Screen } from "../Screen.ts"
import { readWorkflow } from "../WorkflowUnreadable.ts"
import * as flags from "./flags.ts"

const file = Flag.argument("FILE", "The workflow, a YAML file")

const yes = Flag.on("yes", { alias: "y", description: "Merge into the target branch without asking" })

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

const allowFailed = Flag.on("allow-failed", { description: "Exit with 0 although items are in the dead letter queue" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandRun = CommandTree.leaf({
  name: "run",
  summary: "Run a workflow",
  args: { file },
  flags: { yes, dryRun, maxParallel, path: flags.path, json: flags.json, base, param, allowFailed },
  examples: [
    { line: "prodigy run migrate.yml", does: "run it, and ask before the final merge" },
    { line: "prodigy run migrate.yml --dry-run", does: "see what would happen" },
    { line: "prodigy run migrate.yml -y --max-parallel 4", does: "4 agents at once, merge without asking" }
  ],
  handler: ({ args, flags }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const engine = yield* MapReduce
      const plan = yield* engine.plan(yield* requestOf(args.file, flags))
      yield* Effect.forEach(plan.warnings, (found) => screen.note(warning(args.file, found, screen.noteStyle)))
      if (flags.dryRun) return yield* showPlan(plan, flags.json)
      const report = yield* LiveBlock.during(engine.run(plan)).pipe(Effect.onInterrupt(() => sayPaused))
      yield* showReport(report, flags.json)
      if (fromReport(report, flags.allowFailed) !== 0) {
        return yield* new RunEnded({ report, allowFailed: flags.allowFailed })
      }
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
    approve: given.yes ? ("yes" as const) : canAsk ? ("ask" as const) : ("not_asked" as const),
    parameters: Object.fromEntries(given.param)
  }
})

const showPlan = Effect.fnUntraced(function* (plan: Plan, asJson: boolean) {
  const screen = yield* Screen
  yield* screen.data(asJson ? yield* Json.render(Json.Plan, planJson(plan)) : renderPlan(plan, screen.dataStyle))
})

const showReport = Effect.fnUntraced(function* (report: RunReport, asJson: boolean) {
  const screen = yield* Screen
  if (asJson) return yield* screen.data(yield* Json.render(Json.Report, report))
  const { letters } =
    report.counts.dead_lettered === 0
      ? { letters: [] }
      : yield* Effect.flatMap(Inspect, (inspect) =>
          inspect.deadLetters({
            projectPath: report.worktree,
            job: report.job_id,
            all: false,
            limit: lettersShown
          })
        )
  yield* screen.data(renderReport(report, letters, screen.dataStyle))
})

const sayPaused = Effect.gen(function* () {
  const screen = yield* Screen
  const progress = yield* Progress
  yield* screen.note(paused(yield* progress.view, screen.noteStyle))
})
