/**
 * The id of a session, one execution of a workflow.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { JobId } from "./JobId.ts"
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
