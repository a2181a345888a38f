/**
 * Taking a workflow file as it is now for a job that began with another version of it.
 *
 * Owns what may change while a job is on its way: everything that is still to come. What is done stays as it was done, so
 * that a job never holds items, setup or reduce steps of two minds. Pure, but for reading the workflow's text.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Equivalence from "effect/Equivalence"
import * as Schema from "effect/Schema"
import * as Digest from "../domain/Digest.ts"
import { JobId } from "../domain/JobId.ts"
import type { JobState } from "../domain/JobState.ts"
import type { JobFile } from "../storage/JobStore.ts"
import { Phase, Selection, Step, type Workflow } from "../workflow/Workflow.ts"
import * as WorkflowFile from "../workflow/WorkflowFile.ts"
import * as Planning from "./Planning.ts"

/**
 * The workflow file changes what the job has done already.
 *
 * @since 0.1.0
 * @category errors
 */
export class RevisionRefused extends Schema.TaggedError<RevisionRefused>(
  "@prodigy/core/engine/Revision/RevisionRefused"
)("RevisionRefused", {
  job_id: JobId,
  path: Schema.String,
  changes: Schema.Literal("kind", "setup", "items", "reduce").annotations({
    description: "what is done and would change"
  }),
  done: Schema.String.annotations({ description: "how far that is" })
}) {
  override get message() {
    return `${this.path} changes ${what[this.changes]} of job ${this.job_id}: ${this.done}.`
  }
}

const what = {
  kind: "the kind",
  setup: "the setup phase",
  items: "which items there are",
  reduce: "the reduce phase"
} as const

/**
 * A workflow file as it is now.
 *
 * @since 0.1.0
 * @category models
 */
export interface Current {
  /** As the user knows it, for messages. */
  readonly path: string
  /** Its absolute path; null: there is no file. */
  readonly file: string | null
  readonly text: string
}

/**
 * The job with a workflow in place of its own, and the warnings met on reading it; null when the text is the job's own.
 * Nothing is written.
 *
 * @since 0.1.0
 * @category revising
 */
export const revise = Effect.fn("Revision.revise")(function* (job: JobFile, state: JobState, current: Current) {
  const sha256 = Digest.sha256(current.text)
  if (sha256 === job.workflow_source.sha256) return null
  const parsed = yield* WorkflowFile.parse(current.text, current.path)
  if (parsed.kind === "standard") {
    const done = "it maps over items, and the file is a list of steps now"
    return yield* new RevisionRefused({ job_id: job.job_id, path: current.path, changes: "kind", done })
  }
  const { warnings, workflow } = parsed
  const refused = conflict(job.workflow, workflow, state)
  if (refused !== null) return yield* new RevisionRefused({ job_id: job.job_id, path: current.path, ...refused })
  const revised: JobFile = {
    ...job,
    workflow,
    workflow_source: {
      path: current.path,
      ...(current.file === null ? {} : { file: current.file }),
      text: current.text,
      sha256
    },
    options: { ...job.options, max_parallel: yield* parallelOf(job, workflow) }
  }
  return { job: revised, warnings }
})

/** What `--max-parallel` said stands until the file says something else. */
const parallelOf = (job: JobFile, workflow: Workflow) =>
  workflow.map.max_parallel === job.workflow.map.max_parallel
    ? Effect.succeed(job.options.max_parallel)
    : Planning.parallelOf(workflow, {
        maxParallel: null,
        parameters: job.options.parameters,
        projectPath: job.repository.checkout
      })

/**
 * What a workflow changes of what a job has done, if anything.
 *
 * @since 0.1.0
 * @category predicates
 */
export const conflict = (
  before: Workflow,
  after: Workflow,
  state: JobState
): { readonly changes: RevisionRefused["changes"]; readonly done: string } | null => {
  if (state.phase === "setup") return null
  if (!samePhase(withoutLines(before.setup), withoutLines(after.setup))) {
    return { changes: "setup", done: "it is done" }
  }
  if (state.phase === "select") return null
  if (!sameSelection(before.map.selection, after.map.selection)) {
    return { changes: "items", done: `${state.total ?? 0} are selected` }
  }
  if (state.phase === "finish" && !samePhase(withoutLines(before.reduce), withoutLines(after.reduce))) {
    return { changes: "reduce", done: "it is done" }
  }
  const steps = state.reduce_steps_done
  const kept = after.reduce.steps.slice(0, steps).map(withoutLine)
  return sameSteps(before.reduce.steps.slice(0, steps).map(withoutLine), kept)
    ? null
    : { changes: "reduce", done: `${steps} of its steps ${steps === 1 ? "is" : "are"} done` }
}

const samePhase: Equivalence.Equivalence<Phase> = Schema.equivalence(Phase)
const sameSelection: Equivalence.Equivalence<Selection> = Schema.equivalence(Selection)
const sameSteps: Equivalence.Equivalence<ReadonlyArray<Step>> = Schema.equivalence(Schema.Array(Step))

/** Where a step stands in the file is not what it does. */
const withoutLine = (step: Step): Step => ({
  ...step,
  line: 0,
  on_success: step.on_success.map(withoutLine),
  on_failure: step.on_failure === null ? null : { ...step.on_failure, steps: step.on_failure.steps.map(withoutLine) }
})

const withoutLines = (phase: Phase): Phase => ({ ...phase, steps: phase.steps.map(withoutLine) })
