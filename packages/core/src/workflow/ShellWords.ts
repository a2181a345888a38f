/**
 * The words of a shell command, as far as they decide whether a value in them could run.
 *
 * A quoted value is safe as an argument and not as a command. Refused are values
 *
 * - at the start of a command word: the value would name the program;
 * - in what `eval`, `let`, `trap` or `sh -c` (also `bash`, `dash`, `ksh`, `zsh`, `ash`) read again as code, and in a heredoc
 *   that feeds such a shell;
 * - that are not whole numbers, in `[[ … -eq … ]]`: bash evaluates both sides.
 *
 * Owns the state of one command list: which word is next, and the `case` and `[[` it is in. `ShellScanner` owns quoting
 * and calls in at every blank and operator. Programs that read an argument as code of their own (`awk`, `ssh`,
 * `python -c`) are not known here.
 *
 * @since 0.1.0
 */

/**
 * A value in a script: the variable it is in, and where the placeholder was.
 *
 * @since 0.1.0
 * @category models
 */
export interface DataToken {
  readonly _tag: "Data"
  readonly variable: string
  /** Whether the value is a whole number, safe in arithmetic. */
  readonly integer: boolean
  readonly text: string
  readonly offset: number
}

/**
 * A value where it could run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Problem {
  readonly token: DataToken
  readonly detail: string
}

/**
 * The word being read: its text without quotes, and the values in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Word {
  text: string
  started: boolean
  quoted: boolean
  data: DataToken | null
  startsWithData: boolean
}

/**
 * A list of commands: the script, a subshell, a command substitution.
 *
 * @since 0.1.0
 * @category models
 */
export interface CommandList {
  readonly _tag: "Command"
  /** What ends the list; null for the script. */
  readonly closer: ")" | "`" | "\\`" | null
  /** Words only, no commands: `x=(a b)`, `@(a|b)`. */
  readonly words: boolean
  word: Word
  position: "command" | "argument"
  /** Whether the next word is the target of a redirection; `code` when a shell reads it (`sh <<< word`). */
  redirect: "none" | "target" | "code"
  /** What earlier words say about the next one. */
  reader: Reader
  readonly cases: Array<"subject" | "pattern" | "body">
  /** The values in an open `[[`. */
  test: { readonly data: Array<DataToken>; arithmetic: boolean } | null
}

/**
 * `shell`: a shell was named, its options follow; `option`: the value of one; `code`: the next word is code; `all`: every
 * word is.
 */
type Reader = "none" | "prefix" | "shell" | "option" | "code" | "all"

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (closer: CommandList["closer"], words = false): CommandList => ({
  _tag: "Command",
  closer,
  words,
  word: emptyWord(),
  position: "command",
  redirect: "none",
  reader: "none",
  cases: [],
  test: null
})

/**
 * Adds literal text to the current word.
 *
 * @since 0.1.0
 * @category mutations
 */
export const addText = (list: CommandList, text: string): void => {
  list.word.started = true
  list.word.text += text
}

/**
 * Adds a value to the current word.
 *
 * @since 0.1.0
 * @category mutations
 */
export const addData = (list: CommandList, token: DataToken): void => {
  const word = list.word
  word.startsWithData ||= word.text === "" && word.data === null
  word.data ??= token
  word.started = true
  list.test?.data.push(token)
}

/**
 * Ends the current word, at a blank or an operator.
 *
 * @since 0.1.0
 * @category mutations
 */
export const endWord = (list: CommandList): Problem | null => {
  const word = list.word
  if (!word.started) {
    return null
  }
  list.word = emptyWord()
  if (list.redirect !== "none" || list.words) {
    const token = list.redirect === "code" ? word.data : null
    list.redirect = "none"
    return token === null ? null : { token, detail: readAgain }
  }
  const literal = word.quoted || word.data !== null ? "" : word.text
  if (list.test !== null) {
    return endTestWord(list, list.test, literal)
  }
  const last = list.cases.length - 1
  if (list.cases[last] === "subject") {
    if (literal === "in") {
      list.cases[last] = "pattern"
    }
    return null
  }
  if (list.cases[last] === "pattern") {
    if (literal === "esac") {
      list.cases.pop()
    }
    return null
  }
  return list.position === "command" ? endCommandWord(list, word, literal) : endArgument(list, word)
}

/**
 * Ends a simple command, at a newline, `;`, `&` or `|`.
 *
 * @since 0.1.0
 * @category mutations
 */
export const endCommand = (list: CommandList): Problem | null => {
  const problem = endWord(list)
  if (list.test === null) {
    list.position = "command"
    list.reader = "none"
  }
  return problem
}

/**
 * Whether the current word is the subscript of an assignment: `x[…]=`.
 *
 * @since 0.1.0
 * @category predicates
 */
export const inSubscript = (list: CommandList): boolean =>
  list.position === "command" &&
  list.cases.at(-1) !== "pattern" &&
  /^[A-Za-z_][A-Za-z0-9_]*\[[^\]]*$/.test(list.word.text)

/**
 * Whether a heredoc of the current command is read as code.
 *
 * @since 0.1.0
 * @category predicates
 */
export const readsCode = (list: CommandList): boolean => list.reader === "shell"

const emptyWord = (): Word => ({ text: "", started: false, quoted: false, data: null, startsWithData: false })

const assignment = /^[A-Za-z_][A-Za-z0-9_]*(?:\[.*\])?\+?=/s
const reserved = new Set("if then else elif fi do done while until ! { } time coproc".split(" "))
const shells = new Set("sh ash bash dash ksh mksh zsh".split(" "))
const prefixes = new Set("exec command builtin env nohup sudo".split(" "))
const evaluators = new Set("eval let trap".split(" "))
const arithmeticTests = new Set("-eq -ne -lt -le -gt -ge -v".split(" "))

const endCommandWord = (list: CommandList, word: Word, literal: string): Problem | null => {
  if (assignment.test(word.text) || reserved.has(literal)) {
    return null
  }
  if (literal === "esac") {
    list.cases.pop()
    return null
  }
  if (list.reader === "prefix" && word.text.startsWith("-")) {
    list.position = "argument"
    return null
  }
  if (word.startsWithData && word.data !== null) {
    const detail = "the value would be run as a command; ${raw:…} inserts text that is meant to run"
    return { token: word.data, detail }
  }
  if (prefixes.has(word.text)) {
    list.reader = "prefix"
    return null
  }
  list.position = "argument"
  if (literal === "case") {
    list.cases.push("subject")
  }
  if (literal === "[[") {
    list.test = { data: [], arithmetic: false }
  }
  list.reader = word.data === null ? readerOf(word.text) : "none"
  return null
}

const endArgument = (list: CommandList, word: Word): Problem | null => {
  const reader = list.reader
  if (word.data !== null && (reader === "code" || reader === "all")) {
    return { token: word.data, detail: readAgain }
  }
  if (reader === "all") {
    return null
  }
  if (reader === "shell" && /^[-+]/.test(word.text)) {
    list.reader = /^-[A-Za-z]*c$/.test(word.text) ? "code" : /^[-+][A-Za-z]*[oO]$/.test(word.text) ? "option" : "shell"
  } else if (reader === "option") {
    list.reader = "shell"
  } else {
    // A shell may be named by an argument too: env, timeout, xargs, find -exec
    list.reader = word.data === null && readerOf(word.text) === "shell" ? "shell" : "none"
  }
  return null
}

const endTestWord = (list: CommandList, test: NonNullable<CommandList["test"]>, literal: string): Problem | null => {
  test.arithmetic ||= arithmeticTests.has(literal)
  if (literal !== "]]") {
    return null
  }
  list.test = null
  const token = test.arithmetic ? test.data.find((data) => !data.integer) : undefined
  return token === undefined ? null : { token, detail: notANumber }
}

/**
 * Why a value that is no whole number cannot stand in arithmetic.
 *
 * @since 0.1.0
 * @category models
 */
export const notANumber = "only a whole number may stand in shell arithmetic, and the value is none"

/**
 * Why a value cannot be in what a shell reads as code.
 *
 * @since 0.1.0
 * @category models
 */
export const readAgain =
  'the value would be read again as code; hand it over as an argument: sh -c \'… "$1"\' sh "${…}"'

const readerOf = (name: string): Reader => {
  const base = name.slice(name.lastIndexOf("/") + 1)
  return shells.has(base) ? "shell" : evaluators.has(name) ? "all" : "none"
}
