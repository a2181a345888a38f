/**
 * Why an attempt failed, as data: it crosses the agent pool, the journal and the dead letter queue.
 *
 * Owns the list of causes. The cause is always decided where the typed error is caught, never by searching words in a
 * message. What makes two failures the same is `ErrorSignature`'s.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

const cause = <const Type extends string, const Fields extends Schema.Struct.Fields>(type: Type, fields: Fields) =>
  Schema.Struct({ error_type: Schema.tag(type), ...fields })

/**
 * The causes. `CommandFailed.exit_code` is 128 + n for a command killed by signal n, which `signal` names.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Cause = Schema.Union(
  cause("Timeout", { timeout_ms: Schema.JsonNumber, scope: Schema.Literal("step", "agent") }),
  cause("CommandFailed", { exit_code: Schema.Int, signal: Schema.optional(Schema.String) }),
  cause("CommitValidationFailed", {}),
  cause("ValidationFailed", {}),
  cause("WorktreeError", {}),
  cause("MergeConflict", { paths: Schema.Array(Schema.String) }),
  cause("ResourceExhausted", {}),
  cause("QuotaExceeded", { resets_at: Schema.optional(Schema.String) }),
  cause("Unknown", {})
)

/**
 * @since 0.1.0
 * @category models
 */
export type Cause = typeof Cause.Type

/**
 * @since 0.1.0
 * @category models
 */
export type ErrorType = Cause["error_type"]

/**
 * What is known of a failure beyond its cause, where a program's own codes and fields tell it: that the network, a time
 * limit or a server was at fault; or that it is `lasting`, the same the next time.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Nature = Schema.Literal("network", "timeout", "server_error", "lasting")

/**
 * @since 0.1.0
 * @category models
 */
export type Nature = typeof Nature.Type

/**
 * Whether what every item stands on is to blame (disk, memory, git), so that the next item would fare no better.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isEnvironmental = (cause: Cause): boolean =>
  cause.error_type === "WorktreeError" || cause.error_type === "ResourceExhausted"

/**
 * A failed attempt.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Failure = Schema.Struct({
  cause: Cause,
  message: Schema.String.annotations({ description: "one line: what failed" }),
  step: Schema.NullOr(Schema.String).annotations({ description: "which step, as people know it; null outside a step" }),
  context: Schema.Array(Schema.String).annotations({ description: "what was going on, outermost first" }),
  output_tail: Schema.String.annotations({ description: "last lines of the step's output, bounded" }),
  log: Schema.NullOr(Schema.String).annotations({ description: "path of the step's transcript" }),
  nature: Schema.optional(Nature).annotations({ description: "whether it may pass, where that is known" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Failure extends Schema.Schema.Type<typeof Failure> {}

/**
 * A failure outside any step.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (
  cause: Cause,
  message: string,
  more: Partial<Pick<Failure, "step" | "context" | "output_tail" | "log" | "nature">> = {}
): Failure => ({ cause, message, step: null, context: [], output_tail: "", log: null, ...more })
