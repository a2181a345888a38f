/**
 * Asking before something is done that cannot be undone.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { Screen } from "./Screen.ts"
import { UsageError } from "./UsageError.ts"

/**
 * Whether to go on: true with `yes`, else what a person answers to `question` (one that ends in `?`). Where nobody can be
 * asked it is a wrong command line, which names the flag.
 *
 * @since 0.1.0
 * @category asking
 */
export const confirm = (
  question: string,
  options: { readonly yes: boolean; readonly command: string }
): Effect.Effect<boolean, UsageError, Screen> =>
  Effect.gen(function* () {
    if (options.yes) return true
    const screen = yield* Screen
    if (!screen.canAsk) {
      return yield* new UsageError({
        what: "Nothing was done: without a terminal to ask on, --yes is needed.",
        suggestions: [],
        command: options.command
      })
    }
    const answer = yield* screen.ask(`${question} [y/N] `)
    return Option.exists(answer, (text) => /^\s*y(es)?\s*$/i.test(text))
  })
