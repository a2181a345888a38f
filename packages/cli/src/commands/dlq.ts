/**
 * `prodigy dlq`.
 *
 * @since 0.1.0
 */
import type { FileSystem } from "@effect/platform/FileSystem"
import type { Path } from "@effect/platform/Path"
import type { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import type { MapReduce } from "@prodigy/core/engine/MapReduce"
import type { Progress } from "@prodigy/core/engine/Progress"
import type { Resume } from "@prodigy/core/engine/Resume"
import type { WorkflowProgress } from "@prodigy/core/engine/WorkflowProgress"
import * as CommandTree from "../CommandTree.ts"
import type { CommandError } from "../ExitCode.ts"
import type { Screen } from "../Screen.ts"
import { commandDlqAnalyze } from "./dlq/analyze.ts"
import { commandDlqClear } from "./dlq/clear.ts"
import { commandDlqExport } from "./dlq/export.ts"
import { commandDlqInspect } from "./dlq/inspect.ts"
import { commandDlqList } from "./dlq/list.ts"
import { commandDlqPurge } from "./dlq/purge.ts"
import { commandDlqRetry } from "./dlq/retry.ts"
import { commandDlqStats } from "./dlq/stats.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlq = CommandTree.group<
  CommandError,
  DeadLetters | FileSystem | MapReduce | Path | Progress | Resume | Screen | WorkflowProgress
>({
  name: "dlq",
  summary: "Look at dead letters, the items that failed for good, and try them again",
  examples: [
    ...commandDlqList.examples,
    ...commandDlqInspect.examples,
    { line: "prodigy dlq retry latest --dry-run", does: "see what would be tried again" }
  ],
  children: [
    commandDlqList,
    commandDlqInspect,
    commandDlqAnalyze,
    commandDlqStats,
    commandDlqRetry,
    commandDlqExport,
    commandDlqPurge,
    commandDlqClear
  ]
})
