/**
 * A running job as the lines of the live block.
 *
 * @since 0.1.0
 */
import type { AgentView, RunView } from "@prodigy/core/engine/Progress"
import type { NextTry } from "@prodigy/core/domain/Retry"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/** Without a sign of life for this long an agent is marked idle. */
const idleMillis = 60_000

/**
 * Lines of a view that fit the given room: a headline, and one line for each agent at work.
 *
 * @since 0.1.0
 * @category rendering
 */
export const block = (
  view: RunView,
  options: { readonly nowMillis: number; readonly columns: number; readonly rows: number; readonly style: Style }
): ReadonlyArray<string> => {
  const { columns, nowMillis, rows, style } = options
  // One column is left free: terminals differ in what they do after the last one.
  const room = Math.max(20, columns - 1)
  const agentsMax = Math.max(1, rows - (view.waiting === null ? 3 : 4))
  const shown = view.agents.length <= agentsMax ? view.agents : view.agents.slice(0, agentsMax - 1)
  const hidden = view.agents.length - shown.length
  const itemColumns = Math.min(
    Math.floor(room / 3),
    Math.max(0, ...shown.map(({ itemId }) => Text.width(Text.clean(itemId))))
  )
  return [
    headline(view, nowMillis, room, style),
    ...(view.waiting === null ? [] : [style.warn(`  ${Text.shorten(Text.clean(view.waiting), room - 2)}`)]),
    ...shown.map((agent) => agentLine(agent, nowMillis, room, itemColumns, style)),
    ...(hidden > 0 ? [style.dim(`  … and ${hidden} more at work`)] : [])
  ]
}

/**
 * A step that is tried again, and how long it waits for that; nothing in its first try.
 *
 * @since 0.1.0
 * @category rendering
 */
export const nextTry = (next: NextTry | null, nowMillis: number): string => {
  if (next === null) return ""
  const wait = isWaiting(next, nowMillis) ? ` in ${Text.duration(Math.max(1000, next.atMillis - nowMillis))}` : ""
  return `  try ${next.number} of ${next.of}${wait}`
}

/**
 * Whether a step waits for another try.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isWaiting = (next: NextTry | null, nowMillis: number): boolean =>
  next !== null && nowMillis < next.atMillis

const headline = (view: RunView, nowMillis: number, room: number, style: Style): string => {
  const elapsed = Text.elapsed(nowMillis - view.startedAtMillis)
  if (view.phase !== "map" || view.total === null) {
    const step = view.phaseStep === null ? "" : ` ${Text.clean(view.phaseStep)}`
    const again = nextTry(view.phaseRetry, nowMillis)
    const left = Text.shorten(`${view.phase}${step}`, room - elapsed.length - 2 - again.length)
    return `${style.bold(left)}${again === "" ? "" : style.warn(again)}  ${style.dim(elapsed)}`
  }
  const { counts, total } = view
  const failed = counts.dead_lettered + counts.skipped
  const ended = counts.merged + failed
  // The most important facts come first: what does not fit is left out from the right.
  const facts = [
    `${ended}/${total}`,
    ...(failed > 0 ? [style.bad(`${failed} failed`)] : []),
    ...pace(view, ended, nowMillis),
    elapsed,
    ...(view.usage.usd > 0 ? [Text.dollars(view.usage.usd)] : []),
    ...(counts.unmerged > 0 ? [`${counts.unmerged} to merge`] : [])
  ]
  const bar = Math.max(5, Math.min(30, Math.floor(room / 4)))
  let line = `${style.bold("map")} ${gauge(total === 0 ? 1 : ended / total, bar, style)}`
  for (const fact of facts) {
    if (Text.width(line) + 2 + Text.width(fact) > room) break
    line += `  ${fact}`
  }
  return line
}

/** Items per time and time left, once an item has ended. */
const pace = (view: RunView, ended: number, nowMillis: number): ReadonlyArray<string> => {
  const spent = nowMillis - (view.mapStartedAtMillis ?? view.startedAtMillis)
  const lately = ended - view.mapStartedWith
  if (lately <= 0 || spent < 1000) return []
  const perMinute = (lately / spent) * 60_000
  const rate = perMinute >= 60 ? `${(perMinute / 60).toFixed(1)}/s` : `${perMinute.toFixed(1)}/min`
  const left = ((view.total ?? 0) - ended) * (spent / lately)
  return left > 0 ? [`ETA ${Text.duration(Math.max(1000, left))}`, rate] : [rate]
}

const gauge = (share: number, columns: number, style: Style): string => {
  const full = Math.min(columns, Math.floor(share * columns))
  return style.good("█".repeat(full)) + style.dim("░".repeat(columns - full))
}

const agentLine = (agent: AgentView, nowMillis: number, room: number, itemColumns: number, style: Style): string => {
  const quiet = nowMillis - agent.lastActivityMillis
  const elapsed = Text.padStart(Text.elapsed(nowMillis - agent.startedAtMillis), 7)
  const marked = quiet >= idleMillis && !isWaiting(agent.retry, nowMillis) ? `  idle ${Text.duration(quiet)}` : ""
  const item = Text.padEnd(Text.shorten(Text.clean(agent.itemId), itemColumns), itemColumns)
  const steps = agent.stepTotal > 1 ? ` (${agent.stepIndex + 1}/${agent.stepTotal})` : ""
  const again = agent.attempt > 1 ? `, attempt ${agent.attempt}` : ""
  const free = room - 2 - itemColumns - 2 - elapsed.length - 2
  const marks = `${nextTry(agent.retry, nowMillis)}${marked}`
  const mark = marks.length <= free ? marks : ""
  const step = Text.shorten(`${Text.clean(agent.step)}${steps}${again}`, Math.max(0, free - mark.length))
  return `  ${item}  ${style.dim(elapsed)}  ${step}${mark === "" ? "" : style.warn(mark)}`
}
