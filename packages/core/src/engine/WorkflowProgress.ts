/**
 * What can be seen of a standard workflow while it runs: a view for a live display, and what happens as it happens.
 *
 * It formats nothing, keeps nothing, and no decision is taken from it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import type * as Stream from "effect/Stream"
import type { Failure } from "../domain/Failure.ts"
import type { NextTry } from "../domain/Retry.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { Usage } from "../domain/Usage.ts"
import type { WorkflowState } from "../domain/WorkflowState.ts"
import * as Broadcast from "./Broadcast.ts"

/**
 * Which step, of which iteration, for which value. `step` counts from 1; `value` is null when the steps run once.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepPlace {
  readonly step: number
  readonly steps: number
  readonly name: string
  readonly iteration: number
  readonly iterations: number
  readonly value: { readonly number: number; readonly total: number; readonly text: string } | null
}

/**
 * A run at one moment. `at` is null before the first step and when all steps are done.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkflowView {
  readonly sessionId: SessionId
  readonly workflowName: string
  readonly status: WorkflowState["status"]
  readonly phase: WorkflowState["phase"]
  readonly at: StepPlace | null
  /** What it waits for, in one sentence; null when it does not. */
  readonly waiting: string | null
  /** The step's try, from the wait before it on; null in the first. */
  readonly retry: NextTry | null
  readonly startedAtMillis: number
  readonly stepStartedAtMillis: number
  readonly lastActivityMillis: number
  readonly usage: Usage
}

/**
 * Something that happened. `Ended` is the last of a run, however it ends.
 *
 * @since 0.1.0
 * @category models
 */
export type Sight =
  | { readonly _tag: "StepStarted"; readonly at: StepPlace }
  | {
      readonly _tag: "StepCompleted"
      readonly at: StepPlace
      readonly outcome: "done" | "skipped"
      readonly durationMillis: number
    }
  | { readonly _tag: "StepFailed"; readonly at: StepPlace; readonly failure: Failure }
  /** `why` is what the agent said. */
  | { readonly _tag: "Waiting"; readonly at: StepPlace; readonly until: string; readonly why: string }
  | { readonly _tag: "Ended" }

/**
 * @since 0.1.0
 * @category services
 */
export class WorkflowProgress extends Context.Tag("@prodigy/core/engine/WorkflowProgress")<
  WorkflowProgress,
  {
    /** The view now; null before a run began. */
    readonly view: Effect.Effect<WorkflowView | null>
    readonly update: (change: (view: WorkflowView | null) => WorkflowView | null) => Effect.Effect<void>
    /** Hands a sight to all who listen. Never waits for a slow listener. */
    readonly publish: (sight: Sight) => Effect.Effect<void>
    /** Sights from now on. A listener that falls far behind loses the oldest. */
    readonly sights: Stream.Stream<Sight>
  }
>() {}

/**
 * Sights that a slow listener may fall behind before it loses the oldest.
 *
 * @since 0.1.0
 * @category models
 */
export const sightsBehindMax = 1024

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const view = yield* Ref.make<WorkflowView | null>(null)
  const sights = yield* Broadcast.make<Sight>(sightsBehindMax)
  return WorkflowProgress.of({
    view: Ref.get(view),
    update: (change) => Ref.update(view, change),
    publish: (sight) => sights.publish([sight]),
    sights: sights.values
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<WorkflowProgress> = Layer.effect(WorkflowProgress, make)
