/**
 * A run with somebody watching: drawn while it goes on, summed up at its end, and told when it is interrupted.
 *
 * @since 0.1.0
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import type { RunReport } from "@prodigy/core/engine/MapReduce"
import { Progress } from "@prodigy/core/engine/Progress"
import * as Effect from "effect/Effect"
import { fromReport } from "./ExitCode.ts"
import * as LiveBlock from "./LiveBlock.ts"
import * as Json from "./Render/Json.ts"
import { lettersShown, paused, report as renderReport } from "./Render/Report.ts"
import { RunEnded } from "./RunEnded.ts"
import { Screen } from "./Screen.ts"

/**
 * Watches a run to its end. Fails with `RunEnded` when the report calls for an exit code other than 0.
 *
 * @since 0.1.0
 * @category running
 */
export const watch = Effect.fnUntraced(function* <E, R>(
  run: Effect.Effect<RunReport, E, R>,
  options: { readonly json: boolean; readonly allowFailed: boolean }
) {
  const report = yield* LiveBlock.during(run).pipe(Effect.onInterrupt(() => sayPaused))
  yield* show(report, options.json)
  if (fromReport(report, options.allowFailed) !== 0) {
    return yield* new RunEnded({ report, allowFailed: options.allowFailed })
  }
})

const show = Effect.fnUntraced(function* (report: RunReport, asJson: boolean) {
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
