/**
 * The state of a standard workflow's session, as its checkpoint holds it: pure.
 *
 * Owns what is done, what comes next, and when iterations and values end. No clock, no randomness, no IO: facts go in
 * (`apply`), the one piece of work that is due comes out (`work`). Does not own when it is written down: its driver saves
 * each state before it does the work that follows from it.
 *
 * Steps run once per value, and for each value up to `iterations` times. Each iteration begins without the variables of
 * the one before; what earlier ones left is in the worktree.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import { Failure } from "./Failure.ts"
import { Finish, Variables } from "./JobRecord.ts"
import { Timestamp } from "./Timestamp.ts"
import * as Usage from "./Usage.ts"

/**
 * How much there is to run: fixed when the session starts, each number at least 1.
 *
 * @since 0.1.0
 * @category models
 */
export interface Extent {
  readonly steps: number
  /** At most so many, for each value. */
  readonly iterations: number
  readonly values: number
}

/**
 * A step that is done for this iteration: it does not run again in it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CompletedStep = Schema.Struct({
  step: Schema.NonNegativeInt.annotations({ description: "its place in the list of steps, from 0" }),
  name: Schema.String,
  outcome: Schema.Literal("done", "skipped").annotations({ description: "skipped: its `when` did not hold" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface CompletedStep extends Schema.Schema.Type<typeof CompletedStep> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const WorkflowState = Schema.Struct({
  status: Schema.Literal("new", "running", "paused", "completed", "failed", "cancelled"),
  phase: Schema.Literal("steps", "finish"),
  value: Schema.NonNegativeInt.annotations({ description: "the value that the steps run for, from 0" }),
  iteration: Schema.Int.pipe(Schema.positive()).annotations({ description: "of this value, from 1" }),
  next_step: Schema.NonNegativeInt.annotations({ description: "the first step that is not done, from 0" }),
  completed: Schema.Array(CompletedStep).annotations({ description: "steps of this iteration, in order" }),
  variables: Variables.annotations({ description: "captures and outputs of this iteration's steps" }),
  mark: Schema.NullOr(Schema.String).annotations({
    description: "what the worktree held when this iteration began; null when nobody asked"
  }),
  steps_completed: Schema.NonNegativeInt.annotations({ description: "of all iterations and values" }),
  iterations_completed: Schema.NonNegativeInt.annotations({ description: "of all values" }),
  usage: Usage.Usage,
  quota: Schema.optionalWith(Schema.NullOr(Schema.Struct({ until: Timestamp, failure: Failure })), {
    default: () => null
  }).annotations({ description: "the session waits until then for the agent's quota" }),
  quota_hits: Schema.optionalWith(Schema.NonNegativeInt, { default: () => 0 }).annotations({
    description: "waits for the quota since the last step that was done"
  }),
  failure: Schema.NullOr(Failure),
  finish: Schema.NullOr(Finish)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface WorkflowState extends Schema.Schema.Type<typeof WorkflowState> {}

/**
 * A session that has not started.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: WorkflowState = {
  status: "new",
  phase: "steps",
  value: 0,
  iteration: 1,
  next_step: 0,
  completed: [],
  variables: {},
  mark: null,
  steps_completed: 0,
  iterations_completed: 0,
  usage: Usage.none,
  quota: null,
  quota_hits: 0,
  failure: null,
  finish: null
}

/**
 * What happened. `Looked` tells what the worktree holds, as a text that changes with it.
 *
 * @since 0.1.0
 * @category models
 */
export type Fact =
  | { readonly _tag: "Started" }
  | { readonly _tag: "Resumed" }
  | { readonly _tag: "Paused"; readonly usage: Usage.Usage }
  | { readonly _tag: "Looked"; readonly mark: string }
  | {
      readonly _tag: "StepCompleted"
      readonly step: number
      readonly name: string
      readonly outcome: CompletedStep["outcome"]
      readonly variables: Variables
      readonly usage: Usage.Usage
    }
  | {
      readonly _tag: "StepFailed"
      readonly step: number
      readonly failure: Failure
      readonly usage: Usage.Usage
    }
  | {
      readonly _tag: "QuotaReached"
      readonly step: number
      readonly until: string
      readonly failure: Failure
      readonly usage: Usage.Usage
    }
  | { readonly _tag: "QuotaOver" }
  | { readonly _tag: "Finished"; readonly finish: Finish }
  | { readonly _tag: "FinishFailed"; readonly failure: Failure }
  | { readonly _tag: "Cancelled" }

/**
 * What is due. `Look` asks what the worktree holds. `Wait` is for the agent's quota, which is there again at that time.
 *
 * @since 0.1.0
 * @category models
 */
export type Work =
  | { readonly _tag: "Look" }
  | { readonly _tag: "RunStep"; readonly step: number }
  | { readonly _tag: "Wait"; readonly until: string }
  | { readonly _tag: "Finish" }

/**
 * The one piece of work that is due; null when nothing is: not started, paused, or over.
 *
 * @since 0.1.0
 * @category getters
 */
export const work = (state: WorkflowState, extent: Extent): Work | null => {
  if (state.status !== "running") return null
  if (state.quota !== null) return { _tag: "Wait", until: state.quota.until }
  if (state.phase === "finish") return { _tag: "Finish" }
  if (state.next_step >= extent.steps) return { _tag: "Look" }
  // One iteration ends by itself: nobody has to know whether it changed something.
  if (extent.iterations > 1 && state.mark === null) return { _tag: "Look" }
  return { _tag: "RunStep", step: state.next_step }
}

/**
 * The state after a fact; left says why the fact does not fit.
 *
 * @since 0.1.0
 * @category transitions
 */
export const apply = (state: WorkflowState, extent: Extent, fact: Fact): Either.Either<WorkflowState, string> => {
  const due = work(state, extent)
  const unfit = Either.left(`${fact._tag} does not fit a ${state.status} session at step ${state.next_step}`)
  switch (fact._tag) {
    case "Started":
      return state.status === "new" ? Either.right({ ...state, status: "running" }) : unfit
    case "Resumed":
      return state.status === "new" || state.status === "completed" || state.status === "cancelled"
        ? unfit
        : Either.right({ ...state, status: "running", failure: null })
    case "Paused":
      return state.status === "running"
        ? Either.right({ ...state, status: "paused", usage: Usage.add(state.usage, fact.usage) })
        : unfit
    case "Looked":
      if (due?._tag !== "Look") return unfit
      return Either.right(
        state.next_step < extent.steps
          ? { ...state, mark: fact.mark }
          : endIteration(state, extent, fact.mark, state.mark === fact.mark)
      )
    case "StepCompleted":
      return due?._tag === "RunStep" && due.step === fact.step
        ? Either.right(stepCompleted(state, extent, fact))
        : unfit
    case "StepFailed":
      return due?._tag === "RunStep" && due.step === fact.step
        ? Either.right({
            ...state,
            status: "failed",
            failure: fact.failure,
            usage: Usage.add(state.usage, fact.usage)
          })
        : unfit
    case "QuotaReached":
      // Not the step's failure: it runs again.
      return due?._tag === "RunStep" && due.step === fact.step
        ? Either.right({
            ...state,
            quota: { until: fact.until, failure: fact.failure },
            quota_hits: state.quota_hits + 1,
            usage: Usage.add(state.usage, fact.usage)
          })
        : unfit
    case "QuotaOver":
      return due?._tag === "Wait" ? Either.right({ ...state, quota: null }) : unfit
    case "Finished":
      return due?._tag === "Finish" ? Either.right({ ...state, status: "completed", finish: fact.finish }) : unfit
    case "FinishFailed":
      return due?._tag === "Finish" ? Either.right({ ...state, status: "failed", failure: fact.failure }) : unfit
    case "Cancelled":
      return state.status === "completed" || state.status === "cancelled"
        ? unfit
        : Either.right({ ...state, status: "cancelled", failure: null, quota: null })
  }
}

const stepCompleted = (
  state: WorkflowState,
  extent: Extent,
  { name, outcome, step, usage, variables }: Extract<Fact, { readonly _tag: "StepCompleted" }>
): WorkflowState => {
  const after: WorkflowState = {
    ...state,
    next_step: step + 1,
    completed: [...state.completed, { step, name, outcome }],
    variables,
    steps_completed: state.steps_completed + 1,
    quota_hits: 0,
    usage: Usage.add(state.usage, usage)
  }
  const isLast = after.next_step >= extent.steps && after.iteration >= extent.iterations
  return isLast ? endIteration(after, extent, null, true) : after
}

/** What follows a whole iteration: the next one, the next value, or the finish. */
const endIteration = (state: WorkflowState, extent: Extent, mark: string | null, isLast: boolean): WorkflowState => {
  const ended = { ...state, iterations_completed: state.iterations_completed + 1 }
  const begun = { ...ended, next_step: 0, completed: [], variables: {}, mark }
  if (!isLast && state.iteration < extent.iterations) return { ...begun, iteration: state.iteration + 1 }
  if (state.value + 1 < extent.values) return { ...begun, value: state.value + 1, iteration: 1 }
  return { ...ended, phase: "finish" }
}
