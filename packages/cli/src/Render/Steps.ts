/**
 * A standard workflow while it runs: as the lines of the live block, and as one line for each change.
 *
 * @since 0.1.0
 */
import type { Sight, StepPlace, WorkflowView } from "@prodigy/core/engine/WorkflowProgress"
import { isWaiting, nextTry } from "./Progress.ts"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/** Without a sign of life for this long a step is marked idle. */
const idleMillis = 60_000

/**
 * Lines of a view that fit the given room: how far it is, and the step at work.
 *
 * @since 0.1.0
 * @category rendering
 */
export const block = (
  view: WorkflowView,
  options: { readonly nowMillis: number; readonly columns: number; readonly style: Style }
): ReadonlyArray<string> => {
  const { nowMillis, style } = options
  // One column is left free: terminals differ in what they do after the last one.
  const room = Math.max(20, options.columns - 1)
  const facts = [
    Text.elapsed(nowMillis - view.startedAtMillis),
    ...(view.usage.usd > 0 ? [Text.dollars(view.usage.usd)] : [])
  ].join("  ")
  const where = view.at === null ? "finish" : place(view.at)
  const headline = Text.shorten(where, Math.max(0, room - facts.length - 2))
  const first = `${style.bold(headline)}  ${style.dim(facts)}`
  if (view.at === null) return [first]
  if (view.waiting !== null) return [first, `  ${style.warn(Text.shorten(Text.clean(view.waiting), room - 2))}`]
  const elapsed = Text.padStart(Text.elapsed(nowMillis - view.stepStartedAtMillis), 7)
  const quiet = nowMillis - view.lastActivityMillis
  const idle =
    !isWaiting(view.retry, nowMillis) && quiet >= idleMillis && quiet < nowMillis - view.stepStartedAtMillis
      ? `  idle ${Text.duration(quiet)}`
      : ""
  const marks = `${nextTry(view.retry, nowMillis)}${idle}`
  const name = Text.shorten(Text.clean(view.at.name), Math.max(0, room - elapsed.length - 4 - marks.length))
  return [first, `  ${style.dim(elapsed)}  ${name}${marks === "" ? "" : style.warn(marks)}`]
}

/**
 * What happened, in one line; null when that says nothing.
 *
 * @since 0.1.0
 * @category rendering
 */
export const line = (sight: Sight): string | null => {
  switch (sight._tag) {
    case "StepStarted":
      return `${place(sight.at)}: ${Text.clean(sight.at.name)}`
    case "StepCompleted":
      return sight.outcome === "skipped"
        ? `${place(sight.at)}: skipped: ${Text.clean(sight.at.name)}`
        : `${place(sight.at)}: done in ${Text.duration(sight.durationMillis)}`
    case "StepFailed":
      return `${place(sight.at)}: failed: ${Text.clean(sight.failure.message)}`
    case "Waiting":
      return `${place(sight.at)}: waiting until ${sight.until}: ${Text.clean(sight.why)}`
    case "Ended":
      return null
  }
}

const place = ({ iteration, iterations, step, steps, value }: StepPlace): string =>
  [
    ...(value === null
      ? []
      : [`value ${value.number} of ${value.total} (${Text.shorten(Text.clean(value.text), 40)})`]),
    ...(iterations > 1 ? [`iteration ${iteration} of ${iterations}`] : []),
    `step ${step} of ${steps}`
  ].join(", ")
