/**
 * The variables that every step of a run can use.
 *
 * Pure: from what runs and its place in the run to a scope. What the author wrote and what we count is `author`; items,
 * captures and outputs are `data`.
 *
 * @since 0.1.0
 */
import type { JobId } from "../domain/JobId.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { Json, WorkItem } from "../domain/WorkItem.ts"
import * as Variables from "../workflow/Variables.ts"

/**
 * What the variables are made from: a job file, or the file of a session without a job.
 *
 * @since 0.1.0
 * @category models
 */
export interface Facts {
  readonly session_id: SessionId
  readonly job_id?: JobId
  readonly repository: { readonly path: string }
  readonly workflow: { readonly name: string; readonly env: Readonly<Record<string, string>> }
  readonly options: { readonly parameters: Readonly<Record<string, string>> }
}

/**
 * The scope of a phase's steps: environment, parameters, project, workflow, session and job.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (facts: Facts, worktree: string, captures: Readonly<Record<string, Json>>): Variables.Scope => ({
  author: {
    ...facts.workflow.env,
    ...facts.options.parameters,
    PROJECT_ROOT: facts.repository.path,
    WORKTREE: worktree,
    workflow: { name: facts.workflow.name, id: facts.session_id },
    session: { id: facts.session_id },
    ...(facts.job_id === undefined ? {} : { job: { id: facts.job_id } }),
    env: facts.workflow.env
  },
  data: captures
})

/**
 * The scope of an agent: a phase's, with its item.
 *
 * @since 0.1.0
 * @category constructors
 */
export const forItem = (
  scope: Variables.Scope,
  item: WorkItem,
  options: { readonly total: number; readonly attempt: number }
): Variables.Scope =>
  Variables.extend(scope, {
    author: { item_index: item.index, item_total: options.total, attempt: options.attempt },
    data: { item: item.data, item_id: item.id }
  })

/**
 * Which value and which iteration a standard workflow's steps run for.
 *
 * @since 0.1.0
 * @category models
 */
export interface Turn {
  readonly iteration: number
  /** Null: the steps run once, for no value. */
  readonly value: { readonly from: "args" | "map"; readonly text: string } | null
}

/**
 * The scope of a standard workflow's steps. A value that was typed is the author's, and `ARG_1`, `ARG_2`, … are its
 * words; the name of a file comes from outside and stays whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const forTurn = (scope: Variables.Scope, { iteration, value }: Turn): Variables.Scope => {
  const workflow = scope.author["workflow"]
  const counted = Variables.extend(scope, {
    author: {
      ITERATION: iteration,
      workflow: { ...(typeof workflow === "object" && !isList(workflow) ? workflow : {}), iteration }
    }
  })
  const args = argsOf(value)
  // Captures win over the value, as everything does that comes later.
  return value?.from === "args"
    ? Variables.extend(counted, { author: args })
    : { ...counted, data: { ...args, ...counted.data } }
}

const isList = (json: Json): json is ReadonlyArray<Json> => Array.isArray(json)

const argsOf = (value: Turn["value"]): Readonly<Record<string, string>> => {
  if (value === null) return {}
  const words = value.from === "map" ? [value.text] : value.text.split(/\s+/).filter((word) => word !== "")
  return Object.fromEntries([["ARG", value.text], ...words.map((word, index) => [`ARG_${index + 1}`, word] as const)])
}

/**
 * The environment of every process of a run.
 *
 * @since 0.1.0
 * @category constructors
 */
export const environment = (facts: Facts, worktree: string): Readonly<Record<string, string>> => ({
  ...facts.workflow.env,
  PRODIGY_AUTOMATION: "true",
  ...(facts.job_id === undefined ? {} : { PRODIGY_JOB_ID: facts.job_id }),
  PRODIGY_SESSION_ID: facts.session_id,
  PROJECT_ROOT: facts.repository.path,
  WORKTREE: worktree
})

/**
 * What processes of a standard workflow have in their environment besides.
 *
 * @since 0.1.0
 * @category constructors
 */
export const environmentOfTurn = ({ iteration, value }: Turn): Readonly<Record<string, string>> => ({
  ITERATION: String(iteration),
  ...argsOf(value)
})
