/**
 * `prodigy completions`.
 *
 * @since 0.1.0
 */
import { didYouMean } from "@prodigy/core/domain/DidYouMean"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import { completions, shells } from "../Render/Completions.ts"
import { Screen } from "../Screen.ts"
import { UsageError } from "../UsageError.ts"

/**
 * Completions of a tree of commands, of which this command is itself a part.
 *
 * @since 0.1.0
 * @category commands
 */
export const commandCompletions = <E, R>(root: () => CommandTree.Node<E, R>) =>
  CommandTree.leaf({
    name: "completions",
    summary: "Print completions for a shell",
    args: { shell: Flag.argument("SHELL", "bash, zsh or fish") },
    flags: {},
    // A script for a shell, which is no data.
    json: null,
    examples: [
      { line: 'eval "$(prodigy completions bash)"', does: "in ~/.bashrc; zsh: the same in ~/.zshrc" },
      { line: "prodigy completions fish | source", does: "in config.fish" }
    ],
    handler: ({ args: { shell } }) =>
      Effect.gen(function* () {
        const screen = yield* Screen
        const known = shells.find((name) => name === shell)
        if (known === undefined) {
          const what = `There are no completions for "${shell}", only for ${shells.join(", ")}.`
          return yield* new UsageError({ what, suggestions: didYouMean(shell, shells), command: "prodigy completions" })
        }
        yield* screen.data(completions(root(), known))
      })
  })
