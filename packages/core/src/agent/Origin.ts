/**
 * For which part of a run a program is started.
 *
 * Agents and shells are told it with every request: for spans and messages, to choose another model for an item's third
 * attempt, to answer in a test. What a step means never depends on it.
 *
 * @since 0.1.0
 */
import type { ItemId } from "../domain/WorkItem.ts"

/**
 * `input` is the command that lists the items; `workflow` all steps of a standard workflow.
 *
 * @since 0.1.0
 * @category models
 */
export type Phase = "setup" | "input" | "map" | "reduce" | "workflow"

/**
 * @since 0.1.0
 * @category models
 */
export interface Origin {
  readonly phase: Phase
  /** The step's id, else its name; `input` in that phase. */
  readonly step: string
  /** What the step works on; null outside the map phase. */
  readonly item: { readonly id: ItemId; readonly index: number } | null
  /** Of the item, from 1. Counts iterations in a standard workflow; otherwise 1. */
  readonly attempt: number
  /** How often the step runs within the attempt, from 1: its retries, and its runs after handlers. */
  readonly tryNumber: number
}

/**
 * An origin as the attributes of a span.
 *
 * @since 0.1.0
 * @category rendering
 */
export const attributes = ({ attempt, item, phase, step, tryNumber }: Origin): Readonly<Record<string, unknown>> => ({
  phase,
  step,
  attempt,
  tryNumber,
  ...(item === null ? {} : { item: item.id })
})
