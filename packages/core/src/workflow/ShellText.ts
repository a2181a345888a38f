/**
 * Shell scripts with placeholders: data is never code.
 *
 * What the author wrote (`Scope.author`, defaults, `${raw:…}`, lengths) is inserted as text. What came from outside
 * (`Scope.data`) is put into private environment variables, and the placeholder becomes a reference to one that is right
 * for the quoting it stands in (`ShellScanner`). So `'${item}'`, `"${item.path}"`, `${item.path}` and heredocs of both
 * kinds give the value, and none can run it. Unquoted ones split and glob like any shell variable.
 *
 * - What is not known and could be the shell's own (`$1`, `${X}`, `${X%.*}`, `${arr[@]}`, `$(…)`) stays exactly as it is. A
 *   dotted name (`${itm.path}`) is nobody's in a shell: an error outside comments. A script without placeholders comes back
 *   byte for byte.
 * - A name the workflow knows is the workflow's: `$NAME` and `${NAME}` are filled in even where the script assigns NAME.
 * - `\${…}` stays as it is where the shell removes the backslash, and loses it in single quotes and quoted heredocs, where
 *   the shell would not: literal `${…}` in both.
 * - Where a value could run, it is refused: as the name of a command, in what a builtin or a known program reads as code
 *   (`eval`, `sh -c`, `alias`, `awk`, `ssh`, `python -c`), and in arithmetic unless it is a whole number.
 *
 * Scripts of other interpreters are `ScriptText`'s. The limit: a value that goes through a pipe, a file or a command
 * substitution is not followed, and what a program that `Readers` does not name does with it is not known.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Placeholder from "./Placeholder.ts"
import * as ShellScanner from "./ShellScanner.ts"
import * as Template from "./Template.ts"
import * as Variables from "./Variables.ts"

/**
 * A script ready for `sh` (or bash, dash, ksh, zsh), and the values it refers to.
 *
 * @since 0.1.0
 * @category models
 */
export interface ShellText {
  readonly script: string
  /** To be added to the environment of the process. */
  readonly env: Readonly<Record<string, string>>
  /**
   * Values too large for the environment. For each entry, the content must be in a file, as UTF-8 and nothing more, and
   * the environment variable named by the key must hold the path of that file while the script starts. The first lines of
   * the script read it, and exit with 125 when they cannot.
   */
  readonly files: Readonly<Record<string, string>>
}

/**
 * Bytes of a value that still goes through the environment. Linux takes 128 KiB for one variable with its name.
 *
 * @since 0.1.0
 * @category constants
 */
export const valueBytesMax = 96 * 1024

/**
 * Bytes of all values that go through the environment. macOS takes 1 MiB for arguments and the whole environment.
 *
 * @since 0.1.0
 * @category constants
 */
export const envBytesMax = 256 * 1024

/**
 * Fills in a script. `held`: the variables of its environment that hold values from outside; they may not run either.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (
  script: string,
  scope: Variables.Scope,
  held: Readonly<Record<string, string>> = {}
): Either.Either<ShellText, Template.TemplateError> =>
  Either.gen(function* () {
    const values: Values = { names: new Map(), env: {}, files: {}, envBytes: 0 }
    const tokens: Array<ShellScanner.Token> = []
    yield* tokenize(script, scope, { start: 0, end: script.length }, values, tokens)
    const text = yield* Either.mapLeft(ShellScanner.write(tokens, inEnvironment(script, held)), (failure) =>
      failure instanceof Template.TemplateError ? failure : unsafe(script, failure.token, failure.detail)
    )
    return { script: withPrelude(text, Object.keys(values.files)), env: values.env, files: values.files }
  })

/**
 * The names in a script that no value can ever be found for: dotted, without a default, and not among the known ones.
 * Also tells of those in comments, which `render` leaves alone.
 *
 * @since 0.1.0
 * @category parsing
 */
export const check = (script: string, knownNames: Iterable<string>): ReadonlyArray<Template.TemplateError> => {
  const known = new Set(knownNames)
  const errors: Array<Template.TemplateError> = []
  for (let index = 0; index < script.length; index++) {
    if (script[index] === "\\") {
      index++
    } else if (script[index] === "$") {
      const placeholder = Either.getOrElse(Placeholder.scan(script, index), () => null)
      if (
        placeholder !== null &&
        placeholder.fallback === null &&
        !couldBeShell(placeholder) &&
        !Template.isKnown(placeholder, known)
      ) {
        errors.push(Template.unknownVariable(script, placeholder, Variables.nearest(placeholder.name, known)))
      }
    }
  }
  return errors
}

interface Values {
  /** Value to variable, so that one used twice is passed once. */
  readonly names: Map<string, string>
  readonly env: Record<string, string>
  readonly files: Record<string, string>
  envBytes: number
}

interface Part {
  readonly start: number
  readonly end: number
}

const tokenize = (
  script: string,
  scope: Variables.Scope,
  part: Part,
  values: Values,
  into: Array<ShellScanner.Token>
): Either.Either<void, Template.TemplateError> =>
  Either.gen(function* () {
    const source = script.slice(0, part.end)
    let index = part.start
    while (index < source.length) {
      const char = source[index] ?? ""
      if (char === "\\") {
        index = readBackslashes(source, index, scope, into)
        continue
      }
      const placeholder = char === "$" ? Either.getOrElse(Placeholder.scan(source, index), () => null) : null
      const mine = placeholder !== null && isOurs(placeholder, scope)
      if (!mine || placeholder === null) {
        into.push(char)
        index++
        continue
      }
      index += placeholder.text.length
      const resolved = yield* Template.resolve(script, placeholder, scope, "shell")
      if (resolved._tag === "Unknown") {
        const error = Template.unknownVariable(script, placeholder, Variables.suggest(scope, placeholder.name))
        into.push({ _tag: "Unknown", text: placeholder.text, error })
      } else if (resolved._tag === "Fallback") {
        const { offset, text } = resolved.fallback
        yield* tokenize(script, scope, { start: offset, end: offset + text.length }, values, into)
      } else if (resolved.origin === "author" || placeholder.raw) {
        pushText(into, resolved.text)
      } else if (resolved.text.includes("\0")) {
        return yield* Either.left(unsafe(script, placeholder, "the value holds a NUL, which no shell variable can"))
      } else {
        const { offset, text } = placeholder
        const variable = store(values, resolved.text)
        into.push({ _tag: "Data", variable, integer: integerPattern.test(resolved.text), text, offset })
      }
    }
  })

// No leading zero: the shell would read an octal number
const integerPattern = /^-?(?:0|[1-9][0-9]{0,17})$/

/**
 * Whether a placeholder is filled in, or at least not the shell's own: it is known, raw, or has a dot.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isOurs = (placeholder: Placeholder.Placeholder, scope: Variables.Scope): boolean =>
  placeholder.raw || !couldBeShell(placeholder) || Variables.lookup(scope, placeholder.path) !== undefined

/** `$X`, `${X}`, `${X:-…}`, `${#X}`, `${X:1}`, `${arr[0]}` may be; `${a.b}` may not. */
const couldBeShell = (placeholder: Placeholder.Placeholder): boolean =>
  !placeholder.raw && !placeholder.name.replaceAll(/\[[^\]]*\]/g, "").includes(".")

/** Copies a run of backslashes with the character it escapes; gives where to go on. */
const readBackslashes = (
  source: string,
  start: number,
  scope: Variables.Scope,
  into: Array<ShellScanner.Token>
): number => {
  let end = start
  while (source[end] === "\\") {
    end++
  }
  pushText(into, source.slice(start, end))
  const next = source[end] ?? ""
  if (next !== "$" || (end - start) % 2 === 0) {
    return end
  }
  const placeholder = Either.getOrElse(Placeholder.scan(source, end), () => null)
  if (placeholder !== null && isOurs(placeholder, scope)) {
    into[into.length - 1] = { _tag: "Escape" }
  }
  into.push(next)
  return end + 1
}

/** Not by spreading: a value may have more characters than a call can have arguments. */
const pushText = (into: Array<ShellScanner.Token>, text: string): void => {
  for (const char of text) {
    into.push(char)
  }
}

/** What would be code if it stood where a variable of the environment is read. */
const inEnvironment = (script: string, held: Readonly<Record<string, string>>) =>
  new Map(
    Object.entries(held).flatMap(([variable, value]) => {
      if (integerPattern.test(value)) return []
      const text = `$${variable}`
      const offset = Math.max(0, script.includes(text) ? script.indexOf(text) : script.indexOf(variable))
      return [[variable, { _tag: "Data" as const, variable, integer: false, text, offset }]]
    })
  )

const store = (values: Values, value: string): string => {
  const known = values.names.get(value)
  if (known !== undefined) {
    return known
  }
  const variable = `PRODIGY_V_${values.names.size + 1}`
  values.names.set(value, variable)
  const bytes = encoder.encode(value).length
  if (bytes > valueBytesMax || values.envBytes + bytes > envBytesMax) {
    values.files[`${variable}_FILE`] = value
  } else {
    values.env[variable] = value
    values.envBytes += bytes
  }
  return variable
}

const encoder = new TextEncoder()

/** Reads the files at the start of the first line that is code, so that line numbers stay. */
const withPrelude = (script: string, files: ReadonlyArray<string>): string => {
  if (files.length === 0) {
    return script
  }
  const prelude = files.map(readFile).join("")
  if (!script.startsWith("#!")) {
    return prelude + script
  }
  const line = script.indexOf("\n") + 1
  return line === 0 ? `${script}\n${prelude}` : script.slice(0, line) + prelude + script.slice(line)
}

/** The x keeps the newlines that $(…) would drop; unset takes an inherited variable of the name out of the environment. */
const readFile = (file: string): string => {
  const variable = file.slice(0, -"_FILE".length)
  return `unset ${variable}; ${variable}=$(cat "$${file}" && printf x) || exit 125; ${variable}=\${${variable}%x}; `
}

const unsafe = (
  template: string,
  at: { readonly text: string; readonly offset: number },
  detail: string
): Template.TemplateError =>
  new Template.TemplateError({
    template,
    placeholder: at.text,
    offset: at.offset,
    reason: "unsafe_value",
    detail,
    suggestions: []
  })
