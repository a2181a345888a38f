/**
 * What `--json` of the commands about worktrees prints.
 *
 * @since 0.1.0
 */
import * as SessionWorktrees from "@prodigy/core/engine/SessionWorktrees"
import * as Schema from "effect/Schema"

/**
 * `worktree ls --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorktreeList = Schema.parseJson(
  Schema.Struct({ total: Schema.Int, worktrees: Schema.Array(SessionWorktrees.Entry) })
)

/**
 * `worktree clean --json` and `worktree clean-orphaned --json`; `dry_run`: nothing was removed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorktreeCleaning = Schema.parseJson(
  Schema.Struct({ dry_run: Schema.Boolean, ...SessionWorktrees.Cleaning.fields })
)

/**
 * `worktree merge --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorktreeMerges = Schema.parseJson(Schema.Struct({ sessions: Schema.Array(SessionWorktrees.Merged) }))
