/**
 * Asking for the final merge on the terminal.
 *
 * @since 0.1.0
 */
import { Approval } from "@prodigy/core/engine/Approval"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Text from "./Render/Text.ts"
import { Screen } from "./Screen.ts"

/**
 * Asks `Merge {session} to {target}? [y/N]`. Nobody is asked without a terminal; the end of the input is no answer.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Approval, never, Screen> = Layer.effect(
  Approval,
  Effect.map(Screen, (screen) => ({
    ask: ({ commits, files, sessionId, target }) => {
      if (!screen.canAsk) return Effect.succeed("not_asked" as const)
      const what = `${Text.count(commits, "commit")}, ${Text.count(files, "file")} changed`
      const question = `${what}. Merge ${sessionId} to ${Text.clean(target)}? [y/N] `
      return Effect.map(
        screen.ask(question),
        Option.match({
          onNone: () => "not_asked" as const,
          onSome: (answer) => (/^\s*y(es)?\s*$/i.test(answer) ? ("yes" as const) : ("declined" as const))
        })
      )
    }
  }))
)
