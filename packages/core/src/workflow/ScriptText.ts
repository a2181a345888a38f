/**
 * The text of a script for the program that runs it.
 *
 * Scripts of shells are `ShellText`'s. For other interpreters (`python3`, `node`, `perl`) there is no way to write a
 * reference to a value that is right wherever it stands, and the text of a value would run. So what the author wrote is
 * inserted as text, as in shells, and a placeholder of data is refused: `env` of the step hands the value over.
 *
 * - `${raw:…}` and lengths are inserted as text; `\${…}` is the text `${…}`.
 * - Names that are not known stay exactly as they are, so long as they have no dot: `$x` and `${x}` may be the language's own.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Placeholder from "./Placeholder.ts"
import * as ShellText from "./ShellText.ts"
import * as Template from "./Template.ts"
import type * as Variables from "./Variables.ts"

/**
 * Whether an interpreter is a shell that `ShellText` writes for; null is `sh`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isShell = (interpreter: string | null): boolean => {
  if (interpreter === null) return true
  const words = interpreter.split(" ").filter((word) => word !== "" && !/^-|=/.test(word))
  const names = words.map((word) => word.slice(word.lastIndexOf("/") + 1))
  return /^(sh|bash|dash|zsh|ksh|ash)$/.test((names[0] === "env" ? names[1] : names[0]) ?? "")
}

/**
 * Fills in a script. `held`: the variables of its environment that hold values from outside.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (
  action: { readonly script: string; readonly interpreter: string | null },
  scope: Variables.Scope,
  held: Readonly<Record<string, string>> = {}
): Either.Either<ShellText.ShellText, Template.TemplateError> =>
  isShell(action.interpreter)
    ? ShellText.render(action.script, scope, held)
    : Either.map(fill(action.script, scope, 0, action.script.length), (script) => ({ script, env: {}, files: {} }))

/**
 * The placeholders of a script for another interpreter that are data whatever the values will be: `item` and
 * `item_id` where there are items, outputs, the results of the map phase.
 *
 * @since 0.1.0
 * @category parsing
 */
export const dataIn = (
  script: string,
  options: { readonly inItem: boolean }
): ReadonlyArray<Placeholder.Placeholder> => {
  const found: Array<Placeholder.Placeholder> = []
  for (let index = 0; index < script.length; index++) {
    if (script[index] === "\\") index++
    else if (script[index] === "$") {
      const placeholder = Either.getOrElse(Placeholder.scan(script, index), () => null)
      if (placeholder !== null && !placeholder.raw && !placeholder.length && isData(placeholder, options.inItem)) {
        found.push(placeholder)
      }
    }
  }
  return found
}

/**
 * Why a placeholder of data is refused, and what to write instead.
 *
 * @since 0.1.0
 * @category rendering
 */
export const refusal = (placeholder: Placeholder.Placeholder): { readonly message: string; readonly hint: string } => ({
  message: `the value of ${placeholder.name} comes from outside, and only a shell can be given it inside of a script`,
  hint: `hand it over in the step's env (\`VALUE: "${placeholder.text}"\`) and read the environment variable VALUE; \\${placeholder.bare ? "$" : "${"} is the text itself`
})

const outputs = ["last", "steps", "shell", "claude", "write_file", "error", "map"]

const isData = ({ path }: Placeholder.Placeholder, inItem: boolean): boolean => {
  const [first, ...rest] = path.segments
  if (first === "item" || first === "item_id") return inItem
  return rest.length > 0 && outputs.includes(String(first))
}

const fill = (
  script: string,
  scope: Variables.Scope,
  start: number,
  end: number
): Either.Either<string, Template.TemplateError> =>
  Either.gen(function* () {
    const source = script.slice(0, end)
    const out: Array<string> = []
    let index = start
    while (index < end) {
      const backslashes = /\\*/y
      backslashes.lastIndex = index
      const run = backslashes.exec(source)?.[0] ?? ""
      index += run.length
      const placeholder = source[index] === "$" ? Either.getOrElse(Placeholder.scan(source, index), () => null) : null
      if (placeholder === null || !ShellText.isOurs(placeholder, scope)) {
        out.push(run, source[index] ?? "")
        index++
      } else if (run.length % 2 === 1) {
        out.push(run.slice(1), "$")
        index++
      } else {
        out.push(run, yield* valueOf(script, placeholder, scope))
        index += placeholder.text.length
      }
    }
    return out.join("")
  })

const valueOf = (
  script: string,
  placeholder: Placeholder.Placeholder,
  scope: Variables.Scope
): Either.Either<string, Template.TemplateError> =>
  Either.flatMap(Template.resolve(script, placeholder, scope, "shell"), (resolved) => {
    switch (resolved._tag) {
      case "Unknown":
        return Either.left(Template.unknownVariable(script, placeholder, []))
      case "Fallback": {
        const { offset, text } = resolved.fallback
        return fill(script, scope, offset, offset + text.length)
      }
      case "Text": {
        if (resolved.origin === "author" || placeholder.raw) return Either.right(resolved.text)
        const { hint, message } = refusal(placeholder)
        return Either.left(
          new Template.TemplateError({
            template: script,
            placeholder: placeholder.text,
            offset: placeholder.offset,
            reason: "unsafe_value",
            detail: `${message}: ${hint}`,
            suggestions: []
          })
        )
      }
    }
  })
