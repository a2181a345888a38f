/**
 * Where attempts run: "run one attempt of one item somewhere".
 *
 * Owns the port and the data that crosses it, all of it encodable: a later layer may run attempts on other machines.
 * Dead letters, merging, retries and the journal stay with the engine.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { AgentId } from "../domain/AgentId.ts"
import { Kept } from "../domain/DeadLetter.ts"
import { Failure } from "../domain/Failure.ts"
import type { Policy } from "../domain/JobDecision.ts"
import { Variables } from "../domain/JobRecord.ts"
import type { NextTry } from "../domain/Retry.ts"
import { Usage } from "../domain/Usage.ts"
import { Json, WorkItem } from "../domain/WorkItem.ts"
import type { JobFile } from "../storage/JobStore.ts"
import type { RunTranscripts } from "../storage/TranscriptStore.ts"
import type { SessionWorkspace } from "../workspace/Workspace.ts"
import type { AgentEvent } from "./Agent.ts"

/**
 * One attempt of one item. Its identity is `{agent}~{attempt}` (the agent's id holds the job's).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Attempt = Schema.Struct({
  agent_id: AgentId,
  attempt: Schema.Int,
  failures: Schema.Int.annotations({ description: "how often the item failed before" }),
  item: WorkItem,
  item_total: Schema.Int,
  variables: Variables.annotations({ description: "what setup captured" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Attempt extends Schema.Schema.Type<typeof Attempt> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const AgentOutcome = Schema.Union(
  Schema.Struct({
    outcome: Schema.tag("succeeded"),
    tip: Schema.NullOr(Schema.String),
    branch: Schema.NullOr(Schema.String),
    commits: Schema.Int,
    duration_ms: Schema.Number,
    usage: Usage,
    result: Json,
    log: Schema.NullOr(Schema.String)
  }),
  Schema.Struct({
    outcome: Schema.tag("failed"),
    failure: Failure,
    kept: Kept,
    duration_ms: Schema.Number,
    usage: Usage,
    handled: Schema.Boolean.annotations({
      description: "whether the workflow's handler of failed items ran and succeeded"
    })
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type AgentOutcome = typeof AgentOutcome.Type

/**
 * What all attempts of one run share.
 *
 * @since 0.1.0
 * @category models
 */
export interface PoolContext {
  readonly job: JobFile
  readonly policy: Policy
  readonly workspace: SessionWorkspace
  readonly transcripts: RunTranscripts
  /** Told what is seen of an attempt while it runs. */
  readonly observe: (attempt: Attempt, sight: Sight) => Effect.Effect<void>
  /** Told what an attempt used that was interrupted, and so has no outcome. */
  readonly onLost: (usage: Usage) => Effect.Effect<void>
}

/**
 * What is seen of an attempt while it runs.
 *
 * @since 0.1.0
 * @category models
 */
export type Sight =
  | { readonly _tag: "Step"; readonly step: string; readonly index: number; readonly total: number }
  | { readonly _tag: "Agent"; readonly event: AgentEvent }
  | { readonly _tag: "Retry"; readonly next: NextTry }

/**
 * A pool in use by one run.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenPool {
  /**
   * Runs an attempt to its outcome. Never fails: what goes wrong is a failed outcome, of the right cause. When it is
   * interrupted the attempt's processes are gone and its work is kept on a rescue ref before the interruption is done.
   */
  readonly run: (attempt: Attempt) => Effect.Effect<AgentOutcome>

  /** Tells that the outcome is in the journal: what the attempt held may be reused. Repeating it is harmless. */
  readonly settle: (attempt: Attempt) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category services
 */
export class AgentPool extends Context.Tag("@prodigy/core/agent/AgentPool")<
  AgentPool,
  {
    /** Opens the pool for one run; what still runs when the scope closes is stopped. */
    readonly open: (context: PoolContext) => Effect.Effect<OpenPool, never, Scope.Scope>
  }
>() {}
