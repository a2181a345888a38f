/**
 * Dead letters that cannot be read: each is named, and the command does not end as if all had been.
 *
 * @since 0.1.0
 */
import { damageOf, type LettersDamaged } from "@prodigy/core/engine/DeadLetters"
import type { DamagedFile } from "@prodigy/core/storage/AtomicFile"
import * as Effect from "effect/Effect"
import { warned } from "./Render/Failure.ts"
import { Screen } from "./Screen.ts"

/** More of them are only counted. */
const namedMax = 10

/**
 * Names the damaged files, and fails when there are any. Comes behind what the command printed.
 *
 * @since 0.1.0
 * @category running
 */
export const say = (damaged: ReadonlyArray<DamagedFile>): Effect.Effect<void, LettersDamaged, Screen> =>
  Effect.gen(function* () {
    const screen = yield* Screen
    for (const file of damaged.slice(0, namedMax)) yield* screen.note(warned(file, screen.noteStyle))
    const error = damageOf(damaged.map(({ path }) => path))
    if (error !== null) return yield* error
  })
