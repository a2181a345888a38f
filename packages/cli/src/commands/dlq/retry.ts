/**
 * `prodigy dlq retry`.
 *
 * @since 0.1.0
 */
import type { RetryRequest } from "@prodigy/core/engine/DeadLetterRetry"
import { MapReduce } from "@prodigy/core/engine/MapReduce"
import { Resume } from "@prodigy/core/engine/Resume"
import * as Duration from "@prodigy/core/workflow/Duration"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { chosen, retryPlan } from "../../Render/DeadLetterRetry.ts"
import { storedWorkflow } from "../../Render/Failure.ts"
import * as Json from "../../Render/Json.ts"
import * as RetryJson from "../../Render/RetryJson.ts"
import * as RunToEnd from "../../RunToEnd.ts"
import { Screen } from "../../Screen.ts"
import { UsageError } from "../../UsageError.ts"
import * as flags from "../flags.ts"

const filter = Flag.value("filter", {
  value: "E",
  description: "Only those that an expression takes, such as item.size < 100",
  read: Flag.text,
  otherwise: null
})

const maxRetries = Flag.value("max-retries", {
  value: "N",
  description: "Pass over what was tried again N times already (3)",
  read: Flag.integer(0, 1000),
  otherwise: 3
})

const parallelOf = (name: "parallel" | "max-parallel", description: string) =>
  Flag.value(name, { value: "N", description, read: Flag.integer(1, 1000), otherwise: null })

const parallel = parallelOf("parallel", "Items at once (as the workflow says, at most 10)")
const maxParallel = parallelOf("max-parallel", "The same as --parallel")

const timeout = Flag.value("timeout", {
  value: "TIME",
  description: "Time for one attempt of an item, such as 30m, for this retry",
  read: (raw) => Either.mapLeft(Duration.parse(raw), () => `a duration: ${Duration.forms}`),
  otherwise: null
})

const force = Flag.on("force", { description: "Take those too that are not eligible or were tried again too often" })

const reduce = Flag.on("reduce", { description: "Run the reduce phase again afterwards" })

const dryRun = Flag.on("dry-run", { description: "Show what would be tried again, and do nothing" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqRetry = CommandTree.leaf({
  name: "retry",
  summary: "Try dead letters again, merge what succeeds and resolve it",
  args: { job: Flag.argument("JOB", "A job, its session, the beginning of either, or latest") },
  flags: {
    filter,
    maxRetries,
    parallel,
    maxParallel,
    timeout,
    force,
    reduce,
    yes: flags.yes,
    dryRun,
    noWait: flags.noWait,
    path: flags.path,
    json: flags.json,
    allowFailed: flags.allowFailed
  },
  json: JsonOutput.document(Json.MapReduceReport, RetryJson.Plan),
  examples: [
    { line: "prodigy dlq retry latest --dry-run", does: "see what it takes" },
    { line: "prodigy dlq retry latest --filter \"error_type == 'Timeout'\" --timeout 1h", does: "with more time" }
  ],
  handler: ({ args: { job }, flags: given }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const engine = yield* MapReduce
      const request = yield* requestOf(job, given)
      if (given.dryRun) {
        const plan = yield* engine.planRetry(request)
        const shown = retryPlan(plan, { style: screen.dataStyle, columns: yield* screen.dataColumns })
        return yield* screen.data(given.json ? yield* Json.render(RetryJson.Plan, plan) : shown)
      }
      const run = engine.retry(request, (plan) => screen.note(chosen(plan)))
      yield* RunToEnd.watch(run, given).pipe(
        Effect.catchTag("NothingToRetry", (error) =>
          Effect.zipRight(
            screen.note(error.message),
            given.json
              ? Effect.flatMap(Json.render(RetryJson.Plan, error.plan), (text) => screen.data(text))
              : Effect.void
          )
        )
      )
    })
})

const wrong = (what: string) => new UsageError({ what, suggestions: [], command: "prodigy dlq retry" })

const requestOf = Effect.fnUntraced(function* (
  id: string,
  given: {
    readonly filter: string | null
    readonly maxRetries: number
    readonly parallel: number | null
    readonly maxParallel: number | null
    readonly timeout: number | null
    readonly force: boolean
    readonly reduce: boolean
    readonly yes: boolean
    readonly noWait: boolean
    readonly path: string
  }
) {
  const { force, maxParallel, maxRetries, parallel, reduce } = given
  if (parallel !== null && maxParallel !== null && parallel !== maxParallel) {
    return yield* wrong("--parallel and --max-parallel are one thing, and say two.")
  }
  const screen = yield* Screen
  const resume = yield* Resume
  const { jobId, repo, sessionId, workflow } = yield* resume.find({
    projectPath: yield* flags.project(given.path),
    id
  })
  if (jobId === null) return yield* wrong(`${sessionId} is the session of a standard workflow, which has no items.`)
  if (workflow.now === "changed") yield* screen.note(storedWorkflow(workflow.path, screen.noteStyle))
  return {
    repo,
    jobId,
    filter: given.filter,
    maxRetries,
    force,
    parallel: parallel ?? maxParallel,
    timeoutMillis: given.timeout,
    reduce,
    approve: flags.approval(given.yes, screen.canAsk),
    waitsForQuota: !given.noWait
  } satisfies RetryRequest
})
