/**
 * What can be seen of a run while it goes on: a view for a live display, and the events as they happen.
 *
 * Owns the view and how it changes. It formats nothing, and no decision is taken from it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import type * as Stream from "effect/Stream"
import type { AgentId } from "../domain/AgentId.ts"
import type { EventRecord } from "../domain/Event.ts"
import type { JobId } from "../domain/JobId.ts"
import type { Phase } from "../domain/JobRecord.ts"
import type { Counts } from "../domain/JobState.ts"
import type { NextTry } from "../domain/Retry.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { Usage } from "../domain/Usage.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import * as Broadcast from "./Broadcast.ts"

/**
 * An agent at work.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentView {
  readonly agentId: AgentId
  readonly itemId: ItemId
  readonly index: number
  readonly attempt: number
  /** The step it is at, as people know it. */
  readonly step: string
  readonly stepIndex: number
  readonly stepTotal: number
  /** The step's try, from the wait before it on; null in the first. */
  readonly retry: NextTry | null
  readonly startedAtMillis: number
  readonly lastActivityMillis: number
}

/**
 * A run at one moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunView {
  readonly jobId: JobId
  readonly sessionId: SessionId
  readonly workflowName: string
  readonly phase: Phase
  readonly status: "running" | "paused" | "completed" | "failed" | "cancelled"
  /** What holds items back although agents are free, in one sentence; null when nothing does. */
  readonly waiting: string | null
  readonly total: number | null
  readonly counts: Counts
  readonly startedAtMillis: number
  /** When the map phase began: rate and remaining time are counted from here. */
  readonly mapStartedAtMillis: number | null
  /** Items that had ended then. */
  readonly mapStartedWith: number
  readonly usage: Usage
  /** Agents at work, longest first. */
  readonly agents: ReadonlyArray<AgentView>
  /** The step that setup or reduce is at. */
  readonly phaseStep: string | null
  /** That step's try, from the wait before it on; null in the first. */
  readonly phaseRetry: NextTry | null
}

/**
 * @since 0.1.0
 * @category services
 */
export class Progress extends Context.Tag("@prodigy/core/engine/Progress")<
  Progress,
  {
    /** The view now; null before the run began. */
    readonly view: Effect.Effect<RunView | null>
    readonly update: (change: (view: RunView | null) => RunView | null) => Effect.Effect<void>
    /** Hands an event to all who listen. Never waits for a slow listener. */
    readonly publish: (events: ReadonlyArray<EventRecord>) => Effect.Effect<void>
    /** Events from now on. A listener that falls far behind loses the oldest. */
    readonly events: Stream.Stream<EventRecord>
  }
>() {}

/**
 * Events that a slow listener may fall behind before it loses the oldest.
 *
 * @since 0.1.0
 * @category models
 */
export const eventsBehindMax = 16_384

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const view = yield* Ref.make<RunView | null>(null)
  const events = yield* Broadcast.make<EventRecord>(eventsBehindMax)
  return Progress.of({
    view: Ref.get(view),
    update: (change) => Ref.update(view, change),
    publish: events.publish,
    events: events.values
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Progress> = Layer.effect(Progress, make)
