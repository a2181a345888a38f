/**
 * Why an attempt failed, in a few words.
 *
 * @since 0.1.0
 */
import type { Cause } from "@prodigy/core/domain/Failure"
import * as Text from "./Text.ts"

/**
 * A cause as a short phrase: `exit 3`, `timeout after 5m 00s`, `conflict in a.txt`.
 *
 * @since 0.1.0
 * @category rendering
 */
export const cause = (value: Cause): string => {
  switch (value.error_type) {
    case "Timeout":
      return `timeout of the ${value.scope} after ${Text.duration(value.timeout_ms)}`
    case "CommandFailed":
      return value.signal === undefined ? `exit ${value.exit_code}` : `killed by ${value.signal}`
    case "CommitValidationFailed":
      return "no commit was made"
    case "ValidationFailed":
      return "validation failed"
    case "WorktreeError":
      return "worktree error"
    case "MergeConflict":
      return value.paths.length === 0 ? "conflict" : `conflict in ${Text.clean(value.paths.join(", "))}`
    case "ResourceExhausted":
      return "resources exhausted"
    case "QuotaExceeded":
      return value.resets_at === undefined ? "quota exceeded" : `quota exceeded until ${value.resets_at}`
    case "Unknown":
      return "unknown error"
  }
}
