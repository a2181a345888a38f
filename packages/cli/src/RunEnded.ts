/**
 * A run that came to an end which is not plain success.
 *
 * @since 0.1.0
 */
import type { AnyReport } from "@prodigy/core/engine/Runner"
import * as Data from "effect/Data"

/**
 * Everything there is to say was said; what is left is the exit code.
 *
 * @since 0.1.0
 * @category errors
 */
export class RunEnded extends Data.TaggedError("RunEnded")<{
  readonly report: AnyReport
  readonly allowFailed: boolean
}> {}
