/**
 * Coding agents: one prompt handed to a program that edits files in a directory.
 *
 * Owns the port. `Claude` is the adapter for the Claude Code command line.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Nature } from "../domain/Failure.ts"
import type { Usage } from "../domain/Usage.ts"
import type { Origin } from "./Origin.ts"
import type { SpawnError } from "./Processes.ts"

/**
 * The agent's program is not installed, or does not answer as it should.
 *
 * @since 0.1.0
 * @category errors
 */
export class AgentMissing extends Schema.TaggedError<AgentMissing>("@prodigy/core/agent/Agent/AgentMissing")(
  "AgentMissing",
  { agent: Schema.String, command: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `The agent "${this.agent}" (${this.command}) cannot be used: ${this.detail}`
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface AgentRequest {
  readonly origin: Origin
  readonly prompt: string
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly model: string | null
  readonly timeoutMillis: number | null
  /** File that gets the agent's own JSON lines, as they come. */
  readonly log: string
  /** Called with what is seen while it runs, in order. */
  readonly onEvent: (event: AgentEvent) => Effect.Effect<void>
}

/**
 * What is seen of a running agent.
 *
 * @since 0.1.0
 * @category models
 */
export type AgentEvent =
  | { readonly _tag: "SessionStarted"; readonly agentSessionId: string; readonly model: string }
  | { readonly _tag: "Message"; readonly role: string; readonly text: string }
  | { readonly _tag: "ToolInvoked"; readonly tool: string; readonly summary: string }
  /** Used since the last of these; told at the end, also when the agent is stopped. */
  | { readonly _tag: "Used"; readonly usage: Usage }

/**
 * How an agent ended. `result` is what it said last.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentReply {
  readonly outcome:
    | { readonly _tag: "Succeeded" }
    /** The agent itself says that it failed; `subtype` is its own word for it, `nature` what its fields tell. */
    | {
        readonly _tag: "Failed"
        readonly subtype: string
        readonly message: string
        readonly exitCode: number
        readonly nature?: Nature
      }
    | { readonly _tag: "TimedOut" }
    | { readonly _tag: "QuotaExceeded"; readonly resetsAt: string | null; readonly message: string }
    /** It ended without saying how. */
    | { readonly _tag: "Broken"; readonly exitCode: number; readonly signal: string | null; readonly message: string }
  readonly result: string
  readonly agentSessionId: string | null
  readonly usage: Usage
  readonly tail: string
  readonly durationMillis: number
}

/**
 * @since 0.1.0
 * @category services
 */
export class Agent extends Context.Tag("@prodigy/core/agent/Agent")<
  Agent,
  {
    /** Checks that the agent can be used. Asked before a run, and only when a step uses it. */
    readonly check: Effect.Effect<{ readonly version: string }, AgentMissing>

    /** Runs one prompt to its end; leaves no process behind, however it ends. */
    readonly run: (request: AgentRequest) => Effect.Effect<AgentReply, SpawnError>
  }
>() {}
