/**
 * The characters of a command list: blanks, separators, redirections, parentheses, comments.
 *
 * Owns where a word and a command end. What the words of a command are is `ShellWords`'; expansions were read before.
 *
 * @since 0.1.0
 */
import * as ShellWords from "../ShellWords.ts"
import * as Expansions from "./Expansions.ts"
import * as Heredocs from "./Heredocs.ts"
import type { Machine } from "./Machine.ts"

/**
 * Reads one character, and what belongs to it, in a command list. After a line feed the bodies of heredocs are due.
 *
 * @since 0.1.0
 * @category scanning
 */
export const read = (machine: Machine, char: string, list: ShellWords.CommandList): void => {
  switch (char) {
    case "'":
      return machine.openSingle()
    case " ":
    case "\t":
      return breakWord(machine, list)
    case "\n":
      machine.check(ShellWords.endCommand(list))
      return machine.skip(1)
    case ";":
    case "&":
    case "|":
      return separator(machine, char, list)
    case "<":
    case ">":
      return list.test === null ? redirection(machine, char, list) : breakWord(machine, list)
    case "(":
      return list.test === null ? openParen(machine, list) : breakWord(machine, list)
    case ")":
      return list.test === null ? closeParen(machine, list) : breakWord(machine, list)
    case "#":
      return list.word.started ? machine.copy(1) : comment(machine)
    default:
      return machine.copy(1)
  }
}

const breakWord = (machine: Machine, list: ShellWords.CommandList): void => {
  machine.check(ShellWords.endWord(list))
  machine.skip(1)
}

const separator = (machine: Machine, char: string, list: ShellWords.CommandList): void => {
  if (char === "&" && machine.char(1) === ">") {
    breakWord(machine, list)
    return redirection(machine, ">", list)
  }
  if (list.test !== null && char === ";") {
    list.test = null
  }
  machine.check(ShellWords.endCommand(list))
  if (char === ";" && /[;&]/.test(machine.char(1))) {
    machine.skip(2)
    if (list.cases.at(-1) === "body") {
      list.cases[list.cases.length - 1] = "pattern"
    }
  } else {
    machine.skip(1)
  }
}

const redirection = (machine: Machine, char: string, list: ShellWords.CommandList): void => {
  if (/^[0-9]+$/.test(list.word.text) && !list.word.quoted && list.word.data === null) {
    // 2>: a descriptor, not a word
    list.redirect = "target"
  }
  machine.check(ShellWords.endWord(list))
  list.redirect = "target"
  if (char === "<" && machine.char(1) === "<" && machine.char(2) !== "<") {
    list.redirect = "none"
    return Heredocs.operator(machine, list)
  }
  if (machine.char(1) === "(") {
    list.redirect = "none"
    machine.copy(2)
    machine.stack.push(ShellWords.make(")", machine.names))
    return
  }
  if (machine.char(1) === "<") {
    list.redirect = "input"
  }
  machine.skip(1)
  while (/[<>&|]/.test(machine.char())) {
    machine.skip(1)
  }
}

const openParen = (machine: Machine, list: ShellWords.CommandList): void => {
  const word = list.word
  if (!word.started && list.cases.at(-1) === "pattern") {
    return machine.skip(1)
  }
  if (word.started && /[=@?*+!]$/.test(word.text)) {
    machine.copy(1)
    machine.stack.push(ShellWords.make(")", machine.names, word.text))
    return
  }
  if (!word.started && machine.char(1) === "(" && Expansions.closesTwice(machine, 2)) {
    machine.copy(2)
    machine.stack.push({ _tag: "Arithmetic", depth: 0 })
    return
  }
  if (list.position === "command" && word.started && machine.char(1) === ")") {
    machine.names.functions.add(word.text)
  }
  machine.check(ShellWords.endCommand(list))
  machine.skip(1)
  machine.stack.push(ShellWords.make(")", machine.names))
}

const closeParen = (machine: Machine, list: ShellWords.CommandList): void => {
  const last = list.cases.length - 1
  machine.check(ShellWords.endCommand(list))
  if (list.cases[last] === "pattern") {
    list.cases[last] = "body"
  } else if (list.closer === ")") {
    machine.stack.pop()
  }
  machine.skip(1)
}

const comment = (machine: Machine): void => {
  const backticks = machine.inBackticks()
  while (machine.index < machine.end && machine.char() !== "\n" && !(backticks && machine.char() === "`")) {
    const token = machine.tokens[machine.index++] ?? ""
    if (typeof token === "string") {
      machine.out.push(token)
    } else {
      machine.out.push(token._tag === "Data" ? `\${${token.variable}}` : token._tag === "Escape" ? "\\" : token.text)
    }
  }
}
