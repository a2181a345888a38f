/**
 * The id of an agent, the worker of one item.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"
import type { JobId } from "./JobId.ts"
import { SafeName } from "./SafeName.ts"

/**
 * `{job}_agent_{n}` with n the item's index. Safe as one component of a path.
 *
 * @since 0.1.0
 * @category schemas
 */
export const AgentId = SafeName.pipe(Schema.brand("@prodigy/core/domain/AgentId"))

/**
 * @since 0.1.0
 * @category models
 */
export type AgentId = typeof AgentId.Type

/**
 * The agent of the item at `index` of a job.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromItem = (jobId: JobId, index: number): AgentId => AgentId.make(`${jobId}_agent_${index}`)
