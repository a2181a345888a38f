/**
 * `prodigy worktree ls`.
 *
 * @since 0.1.0
 */
import { SessionWorktrees } from "@prodigy/core/engine/SessionWorktrees"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Json from "../../Render/Json.ts"
import * as Render from "../../Render/Worktrees.ts"
import { WorktreeList } from "../../Render/WorktreesJson.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

const detailed = Flag.on("detailed", { alias: "d", description: "Say everything about each of them" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandWorktreeLs = CommandTree.leaf({
  name: "ls",
  aliases: ["list"],
  summary: "List worktrees of sessions, and what would be lost with each",
  args: {},
  flags: { detailed, path: flags.path, json: flags.json },
  json: JsonOutput.document(WorktreeList),
  examples: [
    { line: "prodigy worktree ls", does: "what there is, and what is in it" },
    { line: "prodigy worktree ls -d", does: "with branches, items and paths" }
  ],
  handler: ({ flags: { detailed, json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const worktrees = yield* SessionWorktrees
      const entries = yield* worktrees.list({ projectPath: yield* flags.project(path) })
      if (json) {
        return yield* screen.data(yield* Json.render(WorktreeList, { total: entries.length, worktrees: entries }))
      }
      if (entries.length === 0) return yield* screen.note("No worktrees.")
      const columns = yield* screen.dataColumns
      const options = { nowMillis: yield* Clock.currentTimeMillis, style: screen.dataStyle, columns }
      yield* screen.data((detailed ? Render.details : Render.worktrees)(entries, options))
    })
})
