/**
 * `prodigy worktree clean-orphaned`.
 *
 * @since 0.1.0
 */
import { SessionWorktrees } from "@prodigy/core/engine/SessionWorktrees"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { WorktreeCleaning } from "../../Render/WorktreesJson.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandWorktreeCleanOrphaned = CommandTree.leaf({
  name: "clean-orphaned",
  summary: "Remove worktrees that should have gone when their session ended",
  args: { job: Flag.optionalArgument("JOB", "Of this job: its id, its session's, the beginning of either, or latest") },
  flags: { dryRun: own.dryRun, force: own.force, path: flags.path, json: flags.json },
  json: JsonOutput.document(WorktreeCleaning),
  examples: [{ line: "prodigy worktree clean-orphaned latest", does: "remove what the latest job could not" }],
  handler: ({ args: { job }, flags: { path, ...given } }) =>
    Effect.gen(function* () {
      const worktrees = yield* SessionWorktrees
      const { dryRun, force } = given
      const projectPath = yield* flags.project(path)
      yield* own.print(yield* worktrees.cleanOrphaned({ projectPath, job, force, dryRun }), given)
    })
})
