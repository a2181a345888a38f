/**
 * What is seen of attempts while they run, passed on to the event log and the live view. That a step is tried again
 * is for the view alone: the journal of it is the failure's context.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import type { AgentEvent } from "../agent/Agent.ts"
import type { Attempt, Sight } from "../agent/AgentPool.ts"
import type { NewEvent, OpenEventLog } from "../storage/EventLog.ts"
import type { Progress } from "./Progress.ts"
import * as RunView from "./RunView.ts"

/**
 * Characters of a message or a tool's input that go into an event; the transcript has all of it.
 *
 * @since 0.1.0
 * @category models
 */
export const textMax = 500

/**
 * Passes sights on.
 *
 * @since 0.1.0
 * @category constructors
 */
export const observer =
  (to: { readonly events: OpenEventLog; readonly progress: typeof Progress.Service }) =>
  (attempt: Attempt, sight: Sight): Effect.Effect<void> =>
    Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* to.progress.update((view) => RunView.touch(view, attempt.agent_id, now, changeOf(sight)))
      if (sight._tag === "Retry") return
      yield* Effect.flatMap(to.events.emit([eventOf(attempt, sight)]), to.progress.publish)
    })

const changeOf = (sight: Sight) => {
  switch (sight._tag) {
    case "Step":
      return { step: sight.step, stepIndex: sight.index, retry: null }
    case "Retry":
      return { retry: sight.next }
    case "Agent":
      return {}
  }
}

const eventOf = (attempt: Attempt, sight: Exclude<Sight, { readonly _tag: "Retry" }>): NewEvent => {
  const agent = { agent_id: attempt.agent_id, item_id: attempt.item.id, attempt: attempt.attempt }
  return sight._tag === "Step"
    ? {
        event_type: "agent_progress",
        ...agent,
        step: sight.step,
        step_index: sight.index,
        step_total: sight.total
      }
    : agentEvent(agent, sight.event)
}

const agentEvent = (
  agent: { readonly agent_id: string; readonly item_id: string; readonly attempt: number },
  event: AgentEvent
): NewEvent => {
  switch (event._tag) {
    case "SessionStarted":
      return {
        event_type: "claude_session_started",
        ...agent,
        claude_session_id: event.agentSessionId,
        model: event.model
      }
    case "Message":
      return { event_type: "claude_message", ...agent, role: event.role, text: event.text.slice(0, textMax) }
    case "ToolInvoked":
      return { event_type: "claude_tool_invoked", ...agent, tool: event.tool, summary: event.summary.slice(0, textMax) }
    case "Used":
      return { event_type: "claude_token_usage", ...agent, ...event.usage }
  }
}
