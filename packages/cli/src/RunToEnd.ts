/**
 * A run with somebody watching: drawn while it goes on, summed up at its end, and told when it is interrupted.
 *
 * @since 0.1.0
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import { Progress } from "@prodigy/core/engine/Progress"
import type { AnyReport } from "@prodigy/core/engine/Runner"
import { WorkflowProgress } from "@prodigy/core/engine/WorkflowProgress"
import * as Effect from "effect/Effect"
import { fromReport } from "./ExitCode.ts"
import * as LiveBlock from "./LiveBlock.ts"
import * as Json from "./Render/Json.ts"
import { lettersShown, paused, report as renderReport } from "./Render/Report.ts"
import { workflowPaused, workflowReport } from "./Render/WorkflowReport.ts"
import { RunEnded } from "./RunEnded.ts"
import { Screen } from "./Screen.ts"

/**
 * Watches a run to its end. Fails with `RunEnded` when the report calls for an exit code other than 0.
 *
 * @since 0.1.0
 * @category running
 */
export const watch = Effect.fnUntraced(function* <E, R>(
  run: Effect.Effect<AnyReport, E, R>,
  options: { readonly json: boolean; readonly allowFailed: boolean }
) {
  const report = yield* LiveBlock.during(run).pipe(Effect.onInterrupt(() => sayPaused))
  yield* show(report, options.json)
  if (fromReport(report, options.allowFailed) !== 0) {
    return yield* new RunEnded({ report, allowFailed: options.allowFailed })
  }
})

const show = Effect.fnUntraced(function* (report: AnyReport, asJson: boolean) {
  const screen = yield* Screen
  if (asJson) return yield* screen.data(yield* Json.render(Json.Report, report))
  if ("session_type" in report) return yield* screen.data(workflowReport(report, screen.dataStyle))
  const { letters } =
    report.counts.dead_lettered === 0
      ? { letters: [] }
      : yield* Effect.flatMap(DeadLetters, (dlq) =>
          dlq.list({
            projectPath: report.worktree,
            job: report.job_id,
            all: false,
            eligible: false,
            limit: lettersShown
          })
        )
  yield* screen.data(renderReport(report, letters, screen.dataStyle))
})

const sayPaused = Effect.gen(function* () {
  const screen = yield* Screen
  const steps = yield* Effect.flatMap(WorkflowProgress, (progress) => progress.view)
  const job = yield* Effect.flatMap(Progress, (progress) => progress.view)
  yield* screen.note(steps === null ? paused(job, screen.noteStyle) : workflowPaused(steps, screen.noteStyle))
})
