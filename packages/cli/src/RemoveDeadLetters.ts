/**
 * Removing dead letters, as the commands that do so share it: shown, asked, done.
 *
 * @since 0.1.0
 */
import { damageOf, type DeadLettersError, type Removal } from "@prodigy/core/engine/DeadLetters"
import * as Effect from "effect/Effect"
import { confirm } from "./Confirm.ts"
import * as Render from "./Render/DeadLetters.ts"
import * as LettersJson from "./Render/DeadLettersJson.ts"
import * as Json from "./Render/Json.ts"
import { Screen } from "./Screen.ts"

/** Letters that the question lists; the answer needs no more. */
const listedMax = 20

/**
 * Shows what would be removed, asks unless `yes`, and removes. Letters that cannot be read stay, and are an error.
 *
 * @since 0.1.0
 * @category running
 */
export const run = Effect.fnUntraced(function* (
  remove: (dryRun: boolean) => Effect.Effect<Removal, DeadLettersError>,
  options: { readonly dryRun: boolean; readonly yes: boolean; readonly json: boolean; readonly command: string }
) {
  const screen = yield* Screen
  const print = (removal: Removal, dryRun: boolean) =>
    Effect.gen(function* () {
      if (options.json) {
        yield* screen.data(yield* Json.render(LettersJson.Removal, { dry_run: dryRun, ...removal }))
      } else {
        const text = Render.removal(removal, { dryRun, style: screen.dataStyle })
        yield* text === "" ? screen.note("There is nothing to remove.") : screen.data(text)
      }
      const damage = damageOf(removal.damaged)
      if (damage !== null) return yield* damage
    })
  const planned = yield* remove(true)
  if (options.dryRun || (planned.removed.length === 0 && planned.kept.length === 0)) return yield* print(planned, true)
  if (planned.removed.length > 0) {
    if (!options.yes) {
      const shown = { dryRun: true, style: screen.noteStyle, linesMax: listedMax }
      yield* screen.note(Render.removal(planned, shown))
    }
    if (!(yield* confirm(Render.removalQuestion(planned), options))) return yield* screen.note("Nothing was removed.")
  }
  // Also when nothing can be removed: of a job that was named, the refusal says who drives it.
  yield* print(yield* remove(false), false)
})
