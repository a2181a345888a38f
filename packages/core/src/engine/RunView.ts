/**
 * How the live view of a run follows its journal.
 *
 * Pure.
 *
 * @since 0.1.0
 */
import type { Finish, JournalEntry } from "../domain/JobRecord.ts"
import type { JobState } from "../domain/JobState.ts"
import type { ActiveRun } from "./ActiveRun.ts"
import type { AgentView, RunView } from "./Progress.ts"

/**
 * The view after one more entry. `now` is the entry's time in milliseconds.
 *
 * @since 0.1.0
 * @category projections
 */
export const follow = (
  view: RunView | null,
  next: {
    readonly run: Pick<ActiveRun, "job">
    readonly entry: JournalEntry
    readonly state: JobState
    readonly now: number
  }
): RunView => {
  const { entry, now, run, state } = next
  const { record } = entry
  return {
    jobId: run.job.job_id,
    sessionId: run.job.session_id,
    workflowName: run.job.workflow.name,
    phase: state.phase,
    status: state.status === "new" ? "running" : state.status,
    waiting: state.quota === null ? waitingItems(state) : waitingOf(state.quota),
    total: state.total,
    counts: state.counts,
    startedAtMillis: view === null || resumes.has(record.type) ? now : view.startedAtMillis,
    mapStartedAtMillis: mapBegins(record.type, state) ? now : (view?.mapStartedAtMillis ?? null),
    mapStartedWith: mapBegins(record.type, state) ? endedOf(state) : (view?.mapStartedWith ?? 0),
    usage: state.usage,
    agents: agentsAfter(view?.agents ?? [], record, run, now),
    phaseStep: state.phase === "map" ? null : (view?.phaseStep ?? null),
    phaseRetry: state.phase === "map" ? null : (view?.phaseRetry ?? null)
  }
}

/**
 * What a job that waits for its quota waits for, in one sentence.
 *
 * @since 0.1.0
 * @category projections
 */
export const waitingOf = ({ until }: { readonly until: string }): string =>
  `waiting until ${until} for the agent's quota`

/**
 * Whether a session's outcome is what `waitingOf` says, and no outcome yet.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isWaiting = (outcome: string | null): boolean => outcome?.startsWith("waiting until ") === true

/**
 * A session's outcome, now: what it waits for, what became of its work, or what was known of it before.
 *
 * @since 0.1.0
 * @category projections
 */
export const outcomeNow = (
  state: { readonly quota: { readonly until: string } | null; readonly finish: Finish | null },
  before: string | null
): string | null =>
  state.quota === null ? (outcomeOf(state.finish) ?? (isWaiting(before) ? null : before)) : waitingOf(state.quota)

/** Why fewer items run than could, if something holds them back. */
const waitingItems = (state: JobState): string | null => {
  if (state.phase !== "map" || state.counts.pending === 0) return null
  switch (state.breaker.is) {
    case "open":
      return `circuit breaker open until ${state.breaker.until}`
    case "half_open":
      return "circuit breaker half open"
    case "closed":
      return null
  }
}

type RecordType = JournalEntry["record"]["type"]

const resumes: ReadonlySet<RecordType> = new Set(["job_resumed", "items_requeued"])

/** A resumed job counts its time and its rate from the moment it goes on. */
const mapBegins = (type: RecordType, state: JobState): boolean =>
  type === "items_selected" || (resumes.has(type) && state.phase === "map")

const endedOf = ({ counts }: JobState): number => counts.merged + counts.dead_lettered + counts.skipped

const agentsAfter = (
  agents: ReadonlyArray<AgentView>,
  record: JournalEntry["record"],
  run: Pick<ActiveRun, "job">,
  now: number
): ReadonlyArray<AgentView> => {
  switch (record.type) {
    case "item_started":
      return [
        ...agents,
        {
          agentId: record.agent_id,
          itemId: record.item_id,
          index: record.index,
          attempt: record.attempt,
          step: "waiting for a worktree",
          stepIndex: 0,
          stepTotal: run.job.workflow.map.agent_template.length,
          retry: null,
          startedAtMillis: now,
          lastActivityMillis: now
        }
      ]
    case "item_completed":
    case "item_failed":
      return agents.filter((agent) => agent.agentId !== record.agent_id)
    case "job_paused":
    case "job_cancelled":
    case "job_failed":
    case "job_completed":
    // What was at work when the owner died is at work no more.
    case "job_resumed":
    case "items_requeued":
      return []
    default:
      return agents
  }
}

/**
 * The view after a sign of life of one agent.
 *
 * @since 0.1.0
 * @category projections
 */
export const touch = (
  view: RunView | null,
  agentId: string,
  now: number,
  change: Partial<Pick<AgentView, "step" | "stepIndex" | "retry">>
): RunView | null =>
  view === null
    ? null
    : {
        ...view,
        agents: view.agents.map((agent) =>
          agent.agentId === agentId ? { ...agent, lastActivityMillis: now, ...change } : agent
        )
      }

/**
 * What became of a run's work, in one sentence; undefined before the end.
 *
 * @since 0.1.0
 * @category projections
 */
export const outcomeOf = (finish: Finish | null): string | undefined => {
  if (finish === null) return undefined
  switch (finish.outcome) {
    case "merged":
      return `merged into ${finish.target} as ${finish.commit.slice(0, 12)}`
    case "nothing_to_merge":
      return `nothing to merge into ${finish.target}`
    case "waiting":
      return `waiting on branch ${finish.branch} (${finish.reason.replaceAll("_", " ")})`
  }
}

/**
 * What a report says of a session's file that was damaged and made again; `aside` is where the damaged one is now.
 *
 * @since 0.1.0
 * @category projections
 */
export const madeAgain = (aside: string | null): ReadonlyArray<string> =>
  aside === null ? [] : [`The session's file was damaged and was made again; what it held is kept in ${aside}.`]
