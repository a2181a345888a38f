/**
 * The words of a shell command, as far as they decide whether a value in them could run.
 *
 * A quoted value is safe as an argument and not as a command. Refused are values
 *
 * - at the start of a command word: the value would name the program;
 * - in what a builtin or a program reads again as code, by `Readers`: `eval`, `alias`, `sh -c`, a heredoc that feeds a shell;
 * - in variables that hold code: `PS4`, `BASH_ENV`;
 * - that are not whole numbers, in `[[ … -eq … ]]`: bash evaluates both sides.
 *
 * Owns the state of one command list: which word is next, and the `case` and `[[` it is in. `ShellScanner` owns quoting
 * and calls in at every blank and operator.
 *
 * @since 0.1.0
 */

import * as Assignments from "./ShellScanner/Assignments.ts"
import * as Readers from "./ShellScanner/Readers.ts"
import type { DataToken, Names, Problem, Word } from "./ShellScanner/Word.ts"

export type { DataToken, Names, Problem, Word } from "./ShellScanner/Word.ts"

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
  readonly names: Names
  /** Words only, no commands: what stands before them in `x=(a b)`, `@(a|b)`. */
  readonly words: string | null
  word: Word
  position: "command" | "argument"
  /** Whether the next word is the target of a redirection; `input` when its text is read (`<<< word`). */
  redirect: "none" | "target" | "input"
  command: Command
  readonly cases: Array<"subject" | "pattern" | "body">
  /** The values in an open `[[`. */
  test: { readonly data: Array<DataToken>; arithmetic: boolean } | null
}

/**
 * The words of a simple command, without its assignments and redirections, and a value that a here-string gives it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Command {
  readonly words: Array<Word>
  input: DataToken | null
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (closer: CommandList["closer"], names: Names, words: string | null = null): CommandList => ({
  _tag: "Command",
  closer,
  names,
  words,
  word: emptyWord(),
  position: "command",
  redirect: "none",
  command: { words: [], input: null },
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
  if (list.words !== null) {
    Assignments.note(list.names, list.words, token)
  }
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
  if (list.redirect !== "none" || list.words !== null) {
    if (list.redirect === "input") {
      list.command.input ??= word.data
    }
    list.redirect = "none"
    return null
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
  if (list.position === "command") {
    return endCommandWord(list, word, literal)
  }
  list.command.words.push(word)
  return null
}

/**
 * Ends a simple command, at a newline, `;`, `&` or `|`.
 *
 * @since 0.1.0
 * @category mutations
 */
export const endCommand = (list: CommandList): Problem | null => {
  const problem = endWord(list)
  if (list.test !== null) {
    return problem
  }
  const { input, words } = list.command
  list.position = "command"
  list.command = { words: [], input: null }
  return problem ?? Assignments.ofCommand(list.names, words, input) ?? Readers.problem(words, input)
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

const emptyWord = (): Word => ({ text: "", started: false, quoted: false, data: null, startsWithData: false })

const assignment = /^[A-Za-z_][A-Za-z0-9_]*(?:\[.*\])?\+?=/s
const reserved = new Set("if then else elif fi do done while until ! { } time coproc".split(" "))
const arithmeticTests = new Set("-eq -ne -lt -le -gt -ge -v".split(" "))

const endCommandWord = (list: CommandList, word: Word, literal: string): Problem | null => {
  if (assignment.test(word.text)) {
    const name = word.text.slice(0, word.text.search(/[[+=]/))
    const problem = Assignments.ofWord(list.names, word)
    if (problem !== null || word.data === null || !Readers.isCodeVariable(name)) {
      return problem
    }
    const detail = `the value would be in ${name}, and what is in ${name} can run; give it another name`
    return { token: word.data, detail }
  }
  if (reserved.has(literal)) {
    return null
  }
  if (literal === "esac") {
    list.cases.pop()
    return null
  }
  if (word.startsWithData && word.data !== null) {
    const detail = "the value would be run as a command; ${raw:…} inserts text that is meant to run"
    return { token: word.data, detail }
  }
  list.position = "argument"
  if (literal === "case") {
    list.cases.push("subject")
  }
  if (literal === "[[") {
    list.test = { data: [], arithmetic: false }
  }
  list.command.words.push(word)
  return null
}

const endTestWord = (list: CommandList, test: NonNullable<CommandList["test"]>, literal: string): Problem | null => {
  test.arithmetic ||= arithmeticTests.has(literal)
  const named = list.names.data.get(literal)
  if (named !== undefined) {
    test.data.push(named)
  }
  if (literal !== "]]") {
    return null
  }
  list.test = null
  const token = test.arithmetic ? test.data.find((data) => !data.integer) : undefined
  return token === undefined ? null : { token, detail: Assignments.notANumber }
}
