/**
 * An agent that does what a test says: no process, no file, no clock.
 *
 * @since 0.1.0
 */
import { Agent, type AgentReply, type AgentRequest } from "@prodigy/core/agent/Agent"
import type { SpawnError } from "@prodigy/core/agent/Processes"
import * as Usage from "@prodigy/core/domain/Usage"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * The agent is `handler`. What it leaves out of a reply is that of an agent that succeeded for free, saying nothing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (
  handler: (request: AgentRequest) => Effect.Effect<Partial<AgentReply>, SpawnError>
): Layer.Layer<Agent> =>
  Layer.succeed(Agent, {
    check: Effect.succeed({ version: "scripted" }),
    run: (request) => Effect.map(handler(request), reply)
  })

/**
 * @since 0.1.0
 * @category constructors
 */
export const reply = (facts: Partial<AgentReply>): AgentReply => ({
  outcome: { _tag: "Succeeded" },
  result: "",
  agentSessionId: null,
  usage: Usage.none,
  tail: "",
  durationMillis: 0,
  ...facts
})
