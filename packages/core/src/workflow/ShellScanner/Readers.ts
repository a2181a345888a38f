/**
 * What the programs of a simple command read again as code: arguments, standard input, names of variables.
 *
 * Owns the tables of programs and of their options. Where it is not known what an option means, the value is refused.
 * Programs that are named nowhere here are taken to read no code; `sed`, `make`, `find` and editors are among them.
 *
 * @since 0.1.0
 */
import type { DataToken, Problem, Word } from "./Word.ts"

/**
 * A value that a simple command would read as code. `input` is a value in its heredoc or here-string.
 *
 * @since 0.1.0
 * @category predicates
 */
export const problem = (words: ReadonlyArray<Word>, input: DataToken | null): Problem | null => {
  const split = splitStrings(words)
  const start = commandAt(split)
  const token =
    prefixData(split, start) ??
    builtinCode(split.slice(start)) ??
    programCode(split.slice(start)) ??
    first(split, (_, index) => embeddedCode(split, index)) ??
    (input !== null && readsInput(split) ? input : null)
  return token === null ? null : { token, detail: readAgain(words, token) }
}

/**
 * Whether a command reads its standard input as code.
 *
 * @since 0.1.0
 * @category predicates
 */
export const readsInput = (all: ReadonlyArray<Word>): boolean => {
  const words = splitStrings(all)
  const start = commandAt(words)
  const name = nameOf(words[start])
  const rest = words.slice(start + 1)
  return (
    (sourcing.has(name) && rest.some(isInput)) ||
    name === "eval" ||
    (remotes.has(name) && operands(rest, "BbcDEeFIiJLlmOopQRSWw").length < 2) ||
    words.some((word, index) => interpretsInput(word, words.slice(index + 1)))
  )
}

/**
 * Whether a variable holds what a shell, or a program that scripts start, runs.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isCodeVariable = (name: string): boolean => codeVariables.has(name)

/**
 * A command's name as the shell sees it: without backslashes and directories. Quotes are not part of a word's text.
 *
 * @since 0.1.0
 * @category getters
 */
export const nameOf = (word: Word | undefined): string => {
  const text = (word === undefined || word.data !== null ? "" : word.text).replaceAll(/\\([^])/g, "$1")
  return text.slice(text.lastIndexOf("/") + 1)
}

/**
 * Why a value cannot be among the words of a command that reads it as code.
 *
 * @since 0.1.0
 * @category models
 */
export const readAgain = (words: ReadonlyArray<Word>, token: DataToken): string => {
  const before = words.slice(0, words.findIndex((word) => word.data === token) + 1 || words.length)
  const named = before.map((word) => (word.data === null ? word.text : "…")).join(" ")
  const shown = named.length > 60 ? `${named.slice(0, 60)}…` : named
  return `the value would be read again as code by \`${shown}\`; hand it over as an argument (sh -c '… "$1"' sh "${token.text}") or in the step's env, and read it there`
}

const setOf = (names: string): ReadonlySet<string> => new Set(names.split(" "))

const shells = setOf("sh ash bash dash rbash ksh ksh93 mksh oksh yash zsh csh tcsh fish")
const evaluators = setOf(
  "eval let trap alias compgen complete bind unset mapfile readarray read getopts watch parallel"
)
const declarations = setOf("declare typeset local export readonly integer float nameref")
const sourcing = setOf(". source")
const remotes = setOf("ssh slogin rsh mosh")
const codeVariables = setOf(
  "PS0 PS1 PS2 PS3 PS4 ENV BASH_ENV PROMPT_COMMAND IFS SHELLOPTS BASHOPTS LD_PRELOAD LD_AUDIT GIT_SSH_COMMAND GIT_EDITOR GIT_PAGER EDITOR VISUAL PAGER LESSOPEN NODE_OPTIONS PERL5OPT RUBYOPT PYTHONSTARTUP"
)

/** Commands that run another: letters of the options with a value, and how many operands come before the command. */
const wrappers: ReadonlyMap<string, { readonly valued: string; readonly operands: number }> = new Map([
  ["exec", { valued: "a", operands: 0 }],
  ["command", { valued: "", operands: 0 }],
  ["builtin", { valued: "", operands: 0 }],
  ["env", { valued: "uCP", operands: 0 }],
  ["nohup", { valued: "", operands: 0 }],
  ["setsid", { valued: "", operands: 0 }],
  ["sudo", { valued: "ugphCcDRrtTU", operands: 0 }],
  ["doas", { valued: "uC", operands: 0 }],
  ["nice", { valued: "n", operands: 0 }],
  ["ionice", { valued: "cnp", operands: 0 }],
  ["stdbuf", { valued: "ioe", operands: 0 }],
  ["timeout", { valued: "ks", operands: 1 }],
  ["chroot", { valued: "", operands: 1 }],
  ["xargs", { valued: "adEIJLnPRSs", operands: 0 }],
  ["busybox", { valued: "", operands: 0 }]
])

/** Programs with an option for code: its letters and long names, and letters of other options with a value. */
interface CodeOption {
  readonly letters: string
  readonly long: string
  readonly valued: string
}

const languages: ReadonlyArray<readonly [RegExp, CodeOption]> = [
  [/^(?:python|pypy)[0-9.]*$/, { letters: "c", long: "", valued: "WX" }],
  [/^perl[0-9.]*$/, { letters: "eE", long: "", valued: "I" }],
  [/^(?:node|nodejs|bun|deno)$/, { letters: "ep", long: "eval print", valued: "rC" }],
  [/^ruby[0-9.]*$/, { letters: "e", long: "", valued: "ICrE" }],
  [/^php[0-9.]*$/, { letters: "rBRE", long: "run process-begin process-code process-end", valued: "cdzSt" }],
  [/^(?:lua[0-9.]*|luajit|Rscript|R|osascript)$/, { letters: "e", long: "", valued: "l" }]
]
const commandOptions: CodeOption = { letters: "c", long: "command session-command", valued: "" }
const commandTakers = setOf("su runuser script flock sg")
const awks = setOf("awk gawk mawk nawk original-awk")

const first = <A>(items: ReadonlyArray<A>, find: (item: A, index: number) => DataToken | null): DataToken | null => {
  for (const [index, item] of items.entries()) {
    const found = find(item, index)
    if (found !== null) return found
  }
  return null
}

const anyData = (words: ReadonlyArray<Word>): DataToken | null => first(words, (word) => word.data)

/** `env -S "sh -c"` names several words in one. */
const splitStrings = (words: ReadonlyArray<Word>): ReadonlyArray<Word> => {
  const at = words.findIndex((word) => nameOf(word) === "env")
  if (at === -1) return words
  return words.flatMap((word, index) => {
    const value = /^(?:-[iv]*S|--split-string=?)([^]*)$/.exec(word.text)?.[1]
    const inside =
      index > at && (value !== undefined || /^(?:-[iv]*S|--split-string)$/.test(words[index - 1]?.text ?? ""))
    if (!inside || word.data !== null) return [word]
    const texts = (value ?? word.text).split(/\s+/).filter((text) => text !== "")
    return texts.map((text) => ({ ...word, text }))
  })
}

/** Where the program is named that really runs: behind `env`, `exec`, `timeout`. */
const commandAt = (words: ReadonlyArray<Word>): number => {
  let at = 0
  for (
    let wrapper = wrappers.get(nameOf(words[at]));
    wrapper !== undefined;
    wrapper = wrappers.get(nameOf(words[at]))
  ) {
    const name = nameOf(words[at])
    let left = wrapper.operands
    for (at++; at < words.length; at++) {
      const text = words[at]?.text ?? ""
      if (/^[-+]./.test(text)) {
        at += new RegExp(`^-[A-Za-z]*[${wrapper.valued || "\0"}]$`).test(text) ? 1 : 0
      } else if ((name === "env" || name === "sudo") && /^[A-Za-z_][A-Za-z0-9_]*=/.test(text)) {
        continue
      } else if (left === 0) {
        break
      } else {
        left--
      }
    }
  }
  return at
}

/** A value that names the program behind a wrapper, or what a wrapper reads as code. `command -v` only looks. */
const prefixData = (words: ReadonlyArray<Word>, start: number): DataToken | null => {
  if (start === 0 || (nameOf(words[0]) === "command" && /^-[pvV]*[vV]/.test(words[1]?.text ?? ""))) return null
  const program = words[start]
  return (
    first(words.slice(0, start), ({ data, text }, index) => {
      if (/^(?:-[iv]*S|--split-string)$/.test(text)) return data ?? words[index + 1]?.data ?? null
      return /^(?:-[iv]*S|--split-string)/.test(text) || isCodeVariable(text.split("=")[0] ?? "") ? data : null
    }) ?? (program?.startsWithData === true ? program.data : null)
  )
}

// -----------------------------------------------------------------------------
// builtins
// -----------------------------------------------------------------------------

const builtinCode = (words: ReadonlyArray<Word>): DataToken | null => {
  const name = nameOf(words[0])
  const rest = words.slice(1)
  if (name === "function") {
    return builtinCode(words.slice(words.findIndex((word) => word.text === "{") + 1 || words.length))
  }
  if (evaluators.has(name)) {
    return name === "read" ? readData(rest) : anyData(rest)
  }
  if (declarations.has(name)) {
    return declarationData(rest, name)
  }
  if (name === "printf") {
    return first(rest, (word, index) =>
      word.text.startsWith("-v") ? (word.data ?? rest[index + 1]?.data ?? null) : null
    )
  }
  if (name === "test" || name === "[") {
    return first(rest, (word, index) =>
      /^-[vR]$/.test(word.text) ||
      (word.startsWithData && word.text === "" && index === 0 && rest[1]?.startsWithData === true)
        ? (word.data ?? rest[index + 1]?.data ?? null)
        : null
    )
  }
  return null
}

/** `read -p "…${item}"` asks, `read -d`, `-t` and so on take a value; the rest names variables. */
const readData = (words: ReadonlyArray<Word>): DataToken | null =>
  first(words, (word, index) =>
    /^-[A-Za-z]*[dinNptu]$/.test(words[index - 1]?.text ?? "") || /^-[dinNptu]/.test(word.text) ? null : word.data
  )

/** A value may follow `NAME=`, unless the attribute makes a number, a reference or a list of it. */
const declarationData = (words: ReadonlyArray<Word>, name: string): DataToken | null => {
  const evaluates =
    /^(?:integer|float|nameref)$/.test(name) || words.some((word) => /^[-+][A-Za-z]*[aAinEF]/.test(word.text))
  return first(words, (word) => {
    const variable = /^([A-Za-z_][A-Za-z0-9_]*)\+?=/.exec(word.text)?.[1]
    const fits = variable !== undefined && !word.startsWithData && !isCodeVariable(variable)
    return fits && (!evaluates || word.data?.integer === true) ? null : word.data
  })
}

// -----------------------------------------------------------------------------
// programs
// -----------------------------------------------------------------------------

const programCode = (words: ReadonlyArray<Word>): DataToken | null => {
  const name = nameOf(words[0])
  const rest = words.slice(1)
  if (remotes.has(name)) return anyData(operands(rest, "BbcDEeFIiJLlmOopQRSWw").slice(1))
  if (awks.has(name)) return awkCode(rest)
  if (commandTakers.has(name)) return optionCode(rest, commandOptions, true)
  if (name === "find") {
    return first(rest, (word, index) =>
      word.startsWithData && /^-(?:exec|ok)(?:dir)?$/.test(rest[index - 1]?.text ?? "") ? word.data : null
    )
  }
  // A program whose name the script computes may be a shell
  return words[0]?.text.includes("$") === true ? shellCode(rest, { anywhere: false, named: false }) : null
}

/** A shell or another language may be named by an argument too: of `find -exec`, `xargs`, `docker run`. */
const embeddedCode = (words: ReadonlyArray<Word>, index: number): DataToken | null => {
  const name = nameOf(words[index])
  const rest = words.slice(index + 1)
  const anywhere = words[index - 1]?.text.startsWith("--entrypoint") === true
  if (shells.has(name)) return shellCode(rest, { anywhere, named: true })
  const language = languages.find(([pattern]) => pattern.test(name))
  return language === undefined ? null : optionCode(rest, language[1], anywhere)
}

const plainLongOptions =
  /^--(?:login|posix|norc|noprofile|restricted|verbose|noediting|debug|debugger|dump-strings|dump-po-strings|help|version)$/

/** What `-c` makes code of: the first word that is no option. Behind an option that is not known, every word. */
const shellCode = (
  words: ReadonlyArray<Word>,
  options: { readonly anywhere: boolean; readonly named: boolean }
): DataToken | null => {
  let code = false
  let unsure = options.anywhere
  for (let at = 0; at < words.length; at++) {
    const word = words[at]
    if (word === undefined) break
    const { data, text } = word
    if (text === "--" && data === null) {
      const operand = words[at + 1]
      return code ? (unsure ? anyData(words.slice(at)) : (operand?.data ?? null)) : null
    }
    if (/^[-+]/.test(text)) {
      if (data !== null && (code || text.includes("c"))) return data
      code ||= /^-[A-Za-z]*c/.test(text)
      if (/^--(?:rcfile|init-file)$/.test(text) || /^[-+][A-Za-z]*[oO]$/.test(text)) at++
      else unsure ||= /^--./.test(text) && !plainLongOptions.test(text)
    } else if (code) {
      return unsure ? anyData(words.slice(at)) : data
    } else if (word.startsWithData) {
      // It may be an option, which makes code of the next
      return options.named && text === "" ? (words[at + 1]?.data ?? null) : null
    } else if (!unsure) {
      return null
    }
  }
  return null
}

const optionCode = (words: ReadonlyArray<Word>, option: CodeOption, anywhere: boolean): DataToken | null => {
  const cluster = new RegExp(`^-[A-Za-z0-9.]*[${option.letters}]`)
  const long = new RegExp(`^--(?:${option.long.replaceAll(" ", "|") || "\0"})(?:=|$)`)
  for (let at = 0; at < words.length; at++) {
    const { data = null, text = "" } = words[at] ?? {}
    if (cluster.test(text) || long.test(text)) {
      const found = data ?? words[at + 1]?.data ?? null
      if (found !== null) return found
      at++
    } else if (/^-[A-Za-z]*m$/.test(text) && option.valued === "WX") {
      return null
    } else if (option.valued !== "" && new RegExp(`^-[${option.valued}]$`).test(text)) {
      at++
    } else if (!text.startsWith("-") && !anywhere && !mayBeValue(words, at)) {
      return null
    }
  }
  return null
}

/** Whether a word may belong to a long option before it, rather than be the script. */
const mayBeValue = (words: ReadonlyArray<Word>, at: number): boolean =>
  /^--[^=]+$/.test(words[at - 1]?.text ?? "") && !/[./]/.test(words[at]?.text ?? ".")

const awkCode = (words: ReadonlyArray<Word>): DataToken | null => {
  for (let at = 0; at < words.length; at++) {
    const { data = null, text = "" } = words[at] ?? {}
    const next = words[at + 1]
    if (/^(?:-f.*|-E.*|--file.*|--exec.*)$/.test(text)) return null
    if (/^(?:-e|--source)/.test(text)) return data ?? next?.data ?? null
    if (/^(?:-[Fv]|--assign|--field-separator)$/.test(text)) at++
    else if (text === "--") return next?.data?.integer === true ? null : (next?.data ?? null)
    else if (!text.startsWith("-")) return data?.integer === true ? null : data
  }
  return null
}

// -----------------------------------------------------------------------------
// standard input
// -----------------------------------------------------------------------------

const isInput = (word: Word): boolean =>
  word.data === null && /^(?:-|\/dev\/stdin|\/dev\/fd\/[0-9]+|\/proc\/self\/fd\/[0-9]+)$/.test(word.text)

const interpretsInput = (word: Word, rest: ReadonlyArray<Word>): boolean => {
  const name = nameOf(word)
  const shell = shells.has(name)
  const option = shell
    ? { letters: "c", long: "", valued: "oO" }
    : languages.find(([pattern]) => pattern.test(name))?.[1]
  if (option === undefined) return false
  const cluster = new RegExp(`^-[A-Za-z]*[${option.letters}${option.valued === "WX" ? "m" : ""}]`)
  if (rest.some((other) => cluster.test(other.text))) return false
  const operand = operands(rest, option.valued)[0]
  return operand === undefined || isInput(operand) || (shell && rest.some((other) => /^-[A-Za-z]*s/.test(other.text)))
}

/** Words that are neither options nor their values; `-` is one. */
const operands = (words: ReadonlyArray<Word>, valued: string): ReadonlyArray<Word> => {
  for (let at = 0; at < words.length; at++) {
    const text = words[at]?.text ?? ""
    if (text === "--") return words.slice(at + 1)
    if (!/^[-+]./.test(text)) return words.slice(at)
    if (/^--(?:rcfile|init-file)$/.test(text) || new RegExp(`^[-+][A-Za-z0-9]*[${valued}]$`).test(text)) at++
  }
  return []
}
