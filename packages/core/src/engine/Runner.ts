/**
 * Runs a workflow of either kind: what a file holds decides whether `MapReduce` or `WorkflowRun` takes it.
 *
 * Owns that decision, and which options belong to which kind. Nothing else.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Agents from "../agent/Agent.ts"
import type { ProdigyHome } from "../storage/ProdigyHome.ts"
import * as WorkflowFile from "../workflow/WorkflowFile.ts"
import type { Workspace } from "../workspace/Workspace.ts"
import type { ItemSelection } from "./ItemSelection.ts"
import { MapReduce, type Plan, type PlanError, type RunError, type RunReport, type RunRequest } from "./MapReduce.ts"
import * as Planning from "./Planning.ts"
import * as WorkflowPlanning from "./WorkflowPlanning.ts"
import { type Values, type WorkflowPlan, type WorkflowReport, WorkflowRun } from "./WorkflowRun.ts"

/**
 * What a caller asks for, whatever the file holds. Options that only one kind of workflow has are null when they were
 * not given; given to the other kind, they are an error.
 *
 * @since 0.1.0
 * @category models
 */
export interface AnyRequest extends RunRequest {
  readonly iterations: number | null
  readonly values: Values | null
}

/**
 * @since 0.1.0
 * @category models
 */
export type AnyPlan =
  | { readonly kind: "mapreduce"; readonly plan: Plan }
  | { readonly kind: "standard"; readonly plan: WorkflowPlan }

/**
 * @since 0.1.0
 * @category models
 */
export type AnyReport = RunReport | WorkflowReport

/**
 * @since 0.1.0
 * @category services
 */
export class Runner extends Context.Tag("@prodigy/core/engine/Runner")<
  Runner,
  {
    /** Checks a request. Makes nothing, in storage or in git. */
    readonly plan: (request: AnyRequest) => Effect.Effect<AnyPlan, PlanError>
    /** As `MapReduce.run` and `WorkflowRun.run`. */
    readonly run: (plan: AnyPlan) => Effect.Effect<AnyReport, RunError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const services = yield* Effect.context<Agents.Agent | ItemSelection | ProdigyHome | Workspace>()
  const mapReduce = yield* MapReduce
  const workflows = yield* WorkflowRun

  return Runner.of({
    plan: Effect.fn("Runner.plan")(function* (request): Effect.fn.Return<AnyPlan, PlanError> {
      const parsed = yield* WorkflowFile.parse(request.workflowText, request.workflowPath)
      if (parsed.kind === "mapreduce") {
        yield* refuse("-n", request.iterations, standardOnly)
        yield* refuse(request.values?.from === "map" ? "--map" : "--args", textOf(request.values), standardOnly)
        return { kind: "mapreduce", plan: yield* Effect.provide(Planning.planParsed(request, parsed), services) }
      }
      yield* refuse("--max-parallel", request.maxParallel, "this workflow has no items that run at once.")
      const standard = { ...request, iterations: request.iterations ?? 1 }
      return {
        kind: "standard",
        plan: yield* Effect.provide(WorkflowPlanning.planParsed(standard, parsed), services)
      }
    }),
    run: (plan) => (plan.kind === "mapreduce" ? mapReduce.run(plan.plan) : workflows.run(plan.plan))
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Runner,
  never,
  MapReduce | WorkflowRun | Agents.Agent | ItemSelection | ProdigyHome | Workspace
> = Layer.effect(Runner, make)

const standardOnly = "this is a MapReduce workflow; only standard workflows (a list of steps) are run again and again."

const refuse = (
  option: string,
  value: string | number | null,
  detail: string
): Effect.Effect<void, Planning.InvalidOption> =>
  value === null ? Effect.void : new Planning.InvalidOption({ option, value: String(value), detail })

const textOf = (values: Values | null): string | null =>
  values === null ? null : values.from === "map" ? values.pattern : values.list.join(" ")
