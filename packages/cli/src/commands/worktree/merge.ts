/**
 * `prodigy worktree merge`.
 *
 * @since 0.1.0
 */
import { notMerged, SessionWorktrees } from "@prodigy/core/engine/SessionWorktrees"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Json from "../../Render/Json.ts"
import * as Render from "../../Render/Worktrees.ts"
import { WorktreeMerges } from "../../Render/WorktreesJson.ts"
import { Screen } from "../../Screen.ts"
import { UsageError } from "../../UsageError.ts"
import * as flags from "../flags.ts"

const all = Flag.on("all", { alias: "a", description: "Those of all sessions of this repository that are over" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandWorktreeMerge = CommandTree.leaf({
  name: "merge",
  summary: "Merge the branch of a session into its target, as the end of a run does",
  args: { name: Flag.optionalArgument("NAME", "A worktree, a session, a job, the beginning of one, or latest") },
  flags: { all, path: flags.path, json: flags.json },
  json: JsonOutput.document(WorktreeMerges),
  examples: [{ line: "prodigy worktree merge latest", does: "merge what the latest run left to be merged" }],
  handler: ({ args: { name }, flags: given }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const worktrees = yield* SessionWorktrees
      if ((name === null) !== given.all) {
        return yield* new UsageError({
          what:
            name === null ? "Name a worktree or a session, or merge all of them: --all." : "NAME or --all, not both.",
          suggestions: [],
          command: "prodigy worktree merge"
        })
      }
      const merged = yield* worktrees.merge({ projectPath: yield* flags.project(given.path), id: name })
      if (given.json) yield* screen.data(yield* Json.render(WorktreeMerges, { sessions: merged }))
      else if (merged.length === 0) yield* screen.note("There is nothing to merge.")
      else yield* screen.data(Render.merges(merged, screen.dataStyle))
      const left = notMerged(merged, { isNamed: name !== null })
      if (left !== null) return yield* left
    })
})
