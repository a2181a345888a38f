/**
 * Flags that both commands that remove worktrees take, and how they print.
 *
 * @since 0.1.0
 */
import type { Cleaning } from "@prodigy/core/engine/SessionWorktrees"
import * as Effect from "effect/Effect"
import * as Flag from "../../Flag.ts"
import * as Json from "../../Render/Json.ts"
import * as Render from "../../Render/Worktrees.ts"
import { WorktreeCleaning } from "../../Render/WorktreesJson.ts"
import { Screen } from "../../Screen.ts"

/**
 * @since 0.1.0
 * @category flags
 */
export const dryRun = Flag.on("dry-run", { description: "Show what would be removed, and remove nothing" })

/**
 * @since 0.1.0
 * @category flags
 */
export const force = Flag.on("force", {
  alias: "f",
  description: "Also those with work that is nowhere else; rescue refs keep it"
})

/**
 * Prints what was removed and what was kept.
 *
 * @since 0.1.0
 * @category rendering
 */
export const print = (cleaning: Cleaning, options: { readonly dryRun: boolean; readonly json: boolean }) =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const { dryRun, json } = options
    if (json) return yield* screen.data(yield* Json.render(WorktreeCleaning, { dry_run: dryRun, ...cleaning }))
    const text = Render.cleaning(cleaning, { dryRun, style: screen.dataStyle })
    if (text === "") return yield* screen.note("There is nothing to remove.")
    yield* screen.data(text)
    const next = Render.afterCleaning(cleaning)
    if (next !== null) yield* screen.note(next)
  })
