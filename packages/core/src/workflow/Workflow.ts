/**
 * A workflow as it was asked for: the checked form of a workflow file.
 *
 * Owns the shapes; `WorkflowFile` makes them from YAML and answers for every error on the way. All defaults are filled
 * in here, all spellings reduced to one, so that nothing after this module knows a legacy key. A workflow is JSON: it is
 * stored with its job and read back on resume.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import * as Retry from "../domain/Retry.ts"
import { Json } from "../domain/WorkItem.ts"

const millis = Schema.Number.pipe(Schema.positive())

/**
 * How a captured output is read.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CaptureFormat = Schema.Literal("string", "json", "lines", "number", "boolean")

/**
 * What a step's outcome is captured into. `name` becomes the output in `format`; each stream asked for becomes
 * `{name}.stdout`, `.stderr`, `.exit_code`, `.success`, `.duration` besides.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Capture = Schema.Struct({
  name: Schema.String,
  format: CaptureFormat,
  streams: Schema.Array(Schema.Literal("stdout", "stderr", "exit_code", "success", "duration")),
  json_path: Schema.NullOr(Schema.String),
  pattern: Schema.NullOr(Schema.String),
  default: Schema.optional(Json)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Capture extends Schema.Schema.Type<typeof Capture> {}

/**
 * What a step does.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Action = Schema.Union(
  Schema.Struct({ kind: Schema.tag("shell"), script: Schema.String, interpreter: Schema.NullOr(Schema.String) }),
  Schema.Struct({ kind: Schema.tag("claude"), prompt: Schema.String }),
  Schema.Struct({
    kind: Schema.tag("write_file"),
    path: Schema.String,
    content: Schema.String,
    format: Schema.Literal("text", "json", "yaml"),
    mode: Schema.Int.annotations({ description: "permission bits, 0o644 by default" }),
    create_dirs: Schema.Boolean
  })
)

/**
 * @since 0.1.0
 * @category models
 */
export type Action = typeof Action.Type

/**
 * A step. Absent options are null or empty, never missing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Step {
  readonly action: Action
  /** For `steps.<id>.…`; null when the author gave none. */
  readonly id: string | null
  /** For people: the author's `name`, or a short form of the action such as `shell: npm test`. */
  readonly name: string
  /** Where it stands in the file, 1-based. */
  readonly line: number
  readonly when: string | null
  readonly timeout_ms: number | null
  /** Its own, or that of `retry_defaults`. */
  readonly retry: StepRetry | null
  readonly capture: Capture | null
  readonly output_file: string | null
  readonly env: Readonly<Record<string, string>>
  readonly working_dir: string | null
  readonly commit_required: boolean
  /** The step may fail: recorded as failed, the run goes on. */
  readonly allow_failure: boolean
  readonly on_failure: OnFailure | null
  readonly on_success: ReadonlyArray<Step>
}

/**
 * What follows a failed step: run the handler and (with `retry_original`) the step again, at most `max_attempts` times.
 * A step that still fails fails, unless `fail_workflow` is false.
 *
 * @since 0.1.0
 * @category models
 */
export interface OnFailure {
  readonly steps: ReadonlyArray<Step>
  readonly max_attempts: number
  readonly retry_original: boolean
  readonly fail_workflow: boolean
}

/**
 * @since 0.1.0
 * @category schemas
 */
export const OnFailure: Schema.Schema<OnFailure> = Schema.suspend(() =>
  Schema.Struct({
    steps: Schema.Array(Step),
    max_attempts: Schema.Int,
    retry_original: Schema.Boolean,
    fail_workflow: Schema.Boolean
  })
)

/**
 * @since 0.1.0
 * @category schemas
 */
export const Step: Schema.Schema<Step> = Schema.suspend(() =>
  Schema.Struct({
    action: Action,
    id: Schema.NullOr(Schema.String),
    name: Schema.String,
    line: Schema.Int,
    when: Schema.NullOr(Schema.String),
    timeout_ms: Schema.NullOr(millis),
    retry: Schema.NullOr(StepRetry),
    capture: Schema.NullOr(Capture),
    output_file: Schema.NullOr(Schema.String),
    env: Schema.Record({ key: Schema.String, value: Schema.String }),
    working_dir: Schema.NullOr(Schema.String),
    commit_required: Schema.Boolean,
    allow_failure: Schema.Boolean,
    on_failure: Schema.NullOr(OnFailure),
    on_success: Schema.Array(Step)
  })
)

/**
 * What is done about a step that failed in all its tries: `stop` fails, `continue` records it as failed and goes on,
 * `fallback` runs another step, whose success is the step's.
 *
 * @since 0.1.0
 * @category models
 */
export type OnExhausted =
  | { readonly kind: "stop" }
  | { readonly kind: "continue" }
  | { readonly kind: "fallback"; readonly step: Step }

/**
 * @since 0.1.0
 * @category schemas
 */
export const OnExhausted: Schema.Schema<OnExhausted> = Schema.suspend(() =>
  Schema.Union(
    Schema.Struct({ kind: Schema.Literal("stop") }),
    Schema.Struct({ kind: Schema.Literal("continue") }),
    Schema.Struct({ kind: Schema.Literal("fallback"), step: Step })
  )
)

/**
 * When an item is tried again, and for which failures: an empty `retry_on` is for all that trying again may change.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ItemRetry = Schema.Struct({ times: Retry.Retry, retry_on: Schema.Array(Retry.RetryOn) })

/**
 * @since 0.1.0
 * @category models
 */
export interface ItemRetry extends Schema.Schema.Type<typeof ItemRetry> {}

/**
 * As `ItemRetry`, for a step. `retry_budget_ms` is the most that is waited between all tries together.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StepRetry = Schema.Struct({
  ...ItemRetry.fields,
  retry_budget_ms: Schema.NullOr(millis),
  on_exhausted: OnExhausted
})

/**
 * @since 0.1.0
 * @category models
 */
export interface StepRetry extends Schema.Schema.Type<typeof StepRetry> {}

/**
 * The steps that may run because a step did: after its success, after its failure, in its place.
 *
 * @since 0.1.0
 * @category getters
 */
export const followers = (step: Step): ReadonlyArray<Step> => [
  ...step.on_success,
  ...(step.on_failure?.steps ?? []),
  ...(step.retry?.on_exhausted.kind === "fallback" ? [step.retry.on_exhausted.step] : [])
]

/**
 * Steps with what goes for all of them.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Phase = Schema.Struct({
  steps: Schema.Array(Step),
  timeout_ms: Schema.NullOr(millis),
  auto_commit: Schema.Boolean.annotations({ description: "commit what the steps leave uncommitted" }),
  capture_outputs: Schema.Record({ key: Schema.String, value: Schema.String }).annotations({
    description: "variable name to template, filled in when the phase ends"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Phase extends Schema.Schema.Type<typeof Phase> {}

/**
 * Where items come from. A `path` that names no existing file is a command, as the language says.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ItemSource = Schema.Union(
  Schema.Struct({ kind: Schema.tag("path_or_command"), text: Schema.String }),
  Schema.Struct({ kind: Schema.tag("command"), command: Schema.String }),
  Schema.Struct({ kind: Schema.tag("items"), items: Schema.Array(Json) })
)

/**
 * @since 0.1.0
 * @category models
 */
export type ItemSource = typeof ItemSource.Type

/**
 * @since 0.1.0
 * @category schemas
 */
export const InputFormat = Schema.Literal("json", "jsonl", "yaml", "csv", "lines")

/**
 * @since 0.1.0
 * @category models
 */
export type InputFormat = typeof InputFormat.Type

/**
 * Which items: applied in the order of the fields.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Selection = Schema.Struct({
  source: ItemSource,
  input_format: Schema.NullOr(InputFormat).annotations({ description: "null: by the file's extension" }),
  json_path: Schema.NullOr(Schema.String),
  filter: Schema.NullOr(Schema.String),
  sort_by: Schema.NullOr(Schema.String),
  distinct: Schema.NullOr(Schema.String),
  offset: Schema.NonNegativeInt,
  max_items: Schema.NullOr(Schema.NonNegativeInt),
  item_id: Schema.NullOr(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Selection extends Schema.Schema.Type<typeof Selection> {}

/**
 * Steps that run in a failed item's worktree after its last attempt, and what becomes of the item when they succeed:
 * `complete` takes what the worktree holds then for the item's result.
 *
 * @since 0.1.0
 * @category schemas
 */
export const FailureHandler = Schema.Struct({
  steps: Schema.Array(Step),
  outcome: Schema.Literal("dlq", "skip", "complete")
})

/**
 * @since 0.1.0
 * @category models
 */
export interface FailureHandler extends Schema.Schema.Type<typeof FailureHandler> {}

/**
 * After `failure_threshold` failures in a row no item is started for `timeout_ms`, then `half_open_requests` at once until
 * one fails or `success_threshold` succeeded.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CircuitBreaker = Schema.Struct({
  failure_threshold: Schema.Int.pipe(Schema.positive()),
  success_threshold: Schema.Int.pipe(Schema.positive()),
  timeout_ms: millis,
  half_open_requests: Schema.Int.pipe(Schema.positive())
})

/**
 * @since 0.1.0
 * @category models
 */
export interface CircuitBreaker extends Schema.Schema.Type<typeof CircuitBreaker> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const FailurePolicy = Schema.Struct({
  on_item_failure: Schema.Literal("dlq", "skip", "stop"),
  handler: Schema.NullOr(FailureHandler),
  retry: Schema.NullOr(ItemRetry).annotations({ description: "how often an item is tried; null: once" }),
  circuit_breaker: Schema.NullOr(CircuitBreaker),
  max_failures: Schema.NullOr(Schema.Int.pipe(Schema.positive())),
  failure_threshold: Schema.NullOr(Schema.Number.pipe(Schema.between(0, 1)))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface FailurePolicy extends Schema.Schema.Type<typeof FailurePolicy> {}

/**
 * @since 0.1.0
 * @category schemas
 */
export const MapPhase = Schema.Struct({
  selection: Selection,
  agent_template: Schema.Array(Step),
  max_parallel: Schema.Union(Schema.Int.pipe(Schema.between(1, 1000)), Schema.String).annotations({
    description: "a number, or a template that gives one"
  }),
  agent_timeout_ms: Schema.NullOr(millis),
  auto_commit: Schema.Boolean,
  failure_policy: FailurePolicy
})

/**
 * @since 0.1.0
 * @category models
 */
export interface MapPhase extends Schema.Schema.Type<typeof MapPhase> {}

/**
 * When a snapshot is taken besides the ends of phases, and how many are kept. Null: as `Limits` says.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CheckpointPolicy = Schema.Struct({
  interval_items: Schema.NullOr(Schema.Int.pipe(Schema.positive())),
  interval_duration_ms: Schema.NullOr(millis),
  max_checkpoints: Schema.NullOr(Schema.Int.pipe(Schema.positive())),
  max_age_ms: Schema.NullOr(millis)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface CheckpointPolicy extends Schema.Schema.Type<typeof CheckpointPolicy> {}

/**
 * A standard workflow: steps, one after the other, in the session's worktree.
 *
 * @since 0.1.0
 * @category schemas
 */
export const StandardWorkflow = Schema.Struct({
  name: Schema.String,
  description: Schema.NullOr(Schema.String),
  env: Schema.Record({ key: Schema.String, value: Schema.String }),
  steps: Schema.Array(Step)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface StandardWorkflow extends Schema.Schema.Type<typeof StandardWorkflow> {}

/**
 * A MapReduce workflow.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Workflow = Schema.Struct({
  name: Schema.String,
  description: Schema.NullOr(Schema.String),
  checkpoint: Schema.NullOr(CheckpointPolicy),
  env: Schema.Record({ key: Schema.String, value: Schema.String }),
  setup: Phase,
  map: MapPhase,
  reduce: Phase
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Workflow extends Schema.Schema.Type<typeof Workflow> {}
