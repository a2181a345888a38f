/**
 * The id of a session, one execution of a workflow.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { JobId, stamp } from "./JobId.ts"
import { SafeName } from "./SafeName.ts"

/**
 * `session-{job id}` for MapReduce, `session-workflow-YYYYMMDD_HHMMSS` for standard workflows. Safe as one component of a path.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SessionId = SafeName.pipe(Schema.brand("@prodigy/core/domain/SessionId"))

/**
 * @since 0.1.0
 * @category models
 */
export type SessionId = typeof SessionId.Type

/**
 * The session of a job. Length is safe: a job id made by us has at most 40 characters.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromJob = (jobId: JobId): SessionId => SessionId.make(`session-${jobId}`)

/**
 * The job of a session, by the session's id; null for the session of a standard workflow.
 *
 * @since 0.1.0
 * @category getters
 */
export const jobOf = (sessionId: SessionId): JobId | null =>
  sessionId.startsWith("session-mapreduce-") ? JobId.make(sessionId.slice("session-".length)) : null

/**
 * The session of a standard workflow that started at the given time; `clash` counts from 1, the first try.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromTime = (epochMillis: number, clash: number): SessionId =>
  SessionId.make(`session-workflow-${stamp(epochMillis)}${clash > 1 ? `_${clash}` : ""}`)

/**
 * The session that is meant by the id of a job, or by its own: no id of a job begins with `session-`.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromEither = (id: JobId | SessionId): SessionId =>
  SessionId.make(id.startsWith("session-") ? id : `session-${id}`)

const stamped = "\\d{8}_\\d{6}(?:_\\d+)?"
const whole = new RegExp(`^(?:(?:session-)?mapreduce|session-workflow)-${stamped}$`)
const start = new RegExp(`^session-(?:mapreduce|workflow)-${stamped}(?=-)`)

/**
 * Whether a text is an id as a whole, of a session or of a job. Such a text is never meant as the beginning of another
 * id: `mapreduce-20260131_080000` is not `mapreduce-20260131_080000_2`, whatever became of it.
 *
 * @since 0.1.0
 * @category refinements
 */
export const isWhole = (text: string): boolean => whole.test(text)

/**
 * When the session of that id was claimed, as its id tells, and which of that second it was: for ordering. Empty for a
 * text that is not such an id.
 *
 * @since 0.1.0
 * @category getters
 */
export const claimedAt = (id: string): string => (isWhole(id) ? id.replace(/^[a-z-]+/, "") : "")

/**
 * The session whose id a name begins with, before a `-`; null when it does not.
 *
 * @since 0.1.0
 * @category getters
 */
export const atStart = (name: string): SessionId | null => {
  const [id] = start.exec(name) ?? []
  return id === undefined ? null : SessionId.make(id)
}
