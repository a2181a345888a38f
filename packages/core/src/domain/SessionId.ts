/**
 * The id of a session, one execution of a workflow.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import { type JobId, stamp } from "./JobId.ts"
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
