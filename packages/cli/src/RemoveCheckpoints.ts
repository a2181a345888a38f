/**
 * Removing checkpoints, as the commands that do so share it: shown, asked, done.
 *
 * @since 0.1.0
 */
import type { CheckpointsError, Removal } from "@prodigy/core/engine/Checkpoints"
import * as Effect from "effect/Effect"
import { confirm } from "./Confirm.ts"
import * as Render from "./Render/Checkpoints.ts"
import * as Json from "./Render/Json.ts"
import * as Text from "./Render/Text.ts"
import { Screen } from "./Screen.ts"

/**
 * Shows what would be removed, asks unless `yes`, and removes. That nothing is removed because something else was meant to
 * stay is said.
 *
 * @since 0.1.0
 * @category running
 */
export const run = Effect.fnUntraced(function* (
  remove: (dryRun: boolean) => Effect.Effect<Removal, CheckpointsError>,
  options: { readonly dryRun: boolean; readonly yes: boolean; readonly json: boolean; readonly command: string }
) {
  const screen = yield* Screen
  const print = (removal: Removal, dryRun: boolean) =>
    Effect.gen(function* () {
      if (options.json) {
        return yield* screen.data(yield* Json.render(Json.CheckpointRemoval, { dry_run: dryRun, ...removal }))
      }
      const text = Render.removal(removal, { dryRun, style: screen.dataStyle })
      yield* text === "" ? screen.note("There is nothing to remove.") : screen.data(text)
    })
  const planned = yield* remove(true)
  if (options.dryRun || planned.removed.length === 0) return yield* print(planned, true)
  if (!options.yes) yield* screen.note(Render.removal(planned, { dryRun: true, style: screen.noteStyle }))
  const many = Text.count(planned.removed.length, "checkpoint")
  if (!(yield* confirm(`Remove ${many}?`, options))) return yield* screen.note("Nothing was removed.")
  yield* print(yield* remove(false), false)
})
