/**
 * `prodigy worktree`.
 *
 * @since 0.1.0
 */
import type * as Path from "@effect/platform/Path"
import type { SessionWorktrees } from "@prodigy/core/engine/SessionWorktrees"
import * as CommandTree from "../CommandTree.ts"
import { commandWorktreeClean } from "./worktree/clean.ts"
import { commandWorktreeCleanOrphaned } from "./worktree/cleanOrphaned.ts"
import { commandWorktreeLs } from "./worktree/ls.ts"
import { commandWorktreeMerge } from "./worktree/merge.ts"
import type { CommandError } from "../ExitCode.ts"
import type { Screen } from "../Screen.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandWorktree = CommandTree.group<CommandError, SessionWorktrees | Path.Path | Screen>({
  name: "worktree",
  summary: "Look at worktrees of sessions, merge and remove them",
  examples: [
    ...commandWorktreeLs.examples.slice(0, 1),
    ...commandWorktreeMerge.examples.slice(0, 1),
    ...commandWorktreeClean.examples.slice(0, 1),
    ...commandWorktreeCleanOrphaned.examples.slice(0, 1)
  ],
  children: [commandWorktreeLs, commandWorktreeMerge, commandWorktreeClean, commandWorktreeCleanOrphaned]
})
