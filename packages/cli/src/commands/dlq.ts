/**
 * `prodigy dlq`.
 *
 * @since 0.1.0
 */
import * as CommandTree from "../CommandTree.ts"
import { commandDlqInspect } from "./dlq/inspect.ts"
import { commandDlqList } from "./dlq/list.ts"
import { commandDlqRetry } from "./dlq/retry.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlq = CommandTree.group({
  name: "dlq",
  summary: "Look at dead letters, the items that failed for good, and try them again",
  examples: [
    ...commandDlqList.examples,
    ...commandDlqInspect.examples,
    { line: "prodigy dlq retry latest --dry-run", does: "see what would be tried again" }
  ],
  children: [commandDlqList, commandDlqInspect, commandDlqRetry]
})
