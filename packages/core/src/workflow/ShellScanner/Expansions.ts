/**
 * What means the same everywhere outside single quotes: backslashes, backticks, dollar signs, double quotes.
 *
 * Owns the heads of `${…}`, `$(…)`, `$((…))`, `$[…]` and `$'…'`, and which backtick closes which.
 *
 * @since 0.1.0
 */
import * as Assignments from "./Assignments.ts"
import * as ShellWords from "../ShellWords.ts"
import type { Frame, Machine, Parameter } from "./Machine.ts"

/**
 * Reads an expansion or a double quote. True when there was one.
 *
 * @since 0.1.0
 * @category scanning
 */
export const read = (machine: Machine, char: string, frame: Frame): boolean => {
  if (char === "`" && closeBacktick(machine, 0)) {
    return true
  }
  if (frame._tag === "Single") {
    return false
  }
  if (char === "\\") {
    backslash(machine)
    return true
  }
  if (char === "`") {
    openBacktick(machine, "`")
    return true
  }
  if (char === "$") {
    dollar(machine, frame)
    return true
  }
  if (char === '"' && frame._tag !== "Heredoc") {
    machine.skip(1)
    machine.markQuoted()
    if (frame._tag === "Double") {
      machine.stack.pop()
    } else {
      machine.stack.push({ _tag: "Double" })
    }
    return true
  }
  return false
}

/**
 * Reads what follows the name in `${name…`: after it comes a word, a number, or the end.
 *
 * @since 0.1.0
 * @category scanning
 */
export const operator = (machine: Machine, parameter: Parameter): void => {
  const char = machine.char()
  parameter.mode = "word"
  if (char === ":" && !/[-=?+]/.test(machine.char(1))) {
    parameter.mode = "number"
  }
  // In double quotes a single quote is text in ${x:-…}, and a quote in ${x%…}
  if (/[%#/^,]/.test(char)) {
    parameter.singleQuotes = true
  }
  if (/[:%#/^,=?+-]/.test(char)) {
    machine.copy(1)
  }
}

/**
 * Whether what opened with `((` before the offset closes with `))`: arithmetic, not a subshell in a subshell.
 *
 * @since 0.1.0
 * @category scanning
 */
export const closesTwice = (machine: Machine, offset: number): boolean => {
  let depth = 2
  for (let at = offset; machine.index + at < machine.end; at++) {
    const char = machine.char(at)
    if (char === "\\") {
      at++
    } else if (char === "'") {
      for (at++; machine.index + at < machine.end && machine.char(at) !== "'";) {
        at++
      }
    } else if (char === "(") {
      depth++
    } else if (char === ")" && --depth === 1) {
      return machine.char(at + 1) === ")"
    }
  }
  return true
}

// -----------------------------------------------------------------------------
// backticks and backslashes
// -----------------------------------------------------------------------------

const openBacktick = (machine: Machine, closer: "`" | "\\`"): void => {
  machine.skip(closer.length)
  machine.markStarted()
  machine.stack.push(ShellWords.make(closer, machine.names))
}

/** Closes an open backtick, whatever is open inside of it: quotes do not protect it. */
const closeBacktick = (machine: Machine, offset: number): boolean => {
  const closer = offset === 0 ? "`" : "\\`"
  const open = machine.stack.findLastIndex((frame) => frame._tag === "Command" && frame.closer === closer)
  const floor = machine.stack.findLastIndex((frame) => frame._tag === "Heredoc")
  if (open <= floor) {
    return false
  }
  const list = machine.list()
  if (list !== null) {
    machine.check(ShellWords.endCommand(list))
  }
  machine.stack.length = open
  machine.skip(offset + 1)
  return true
}

const backslash = (machine: Machine): void => {
  if (machine.isData(1)) {
    // Text of the author's that ended in a backslash: it is text, not an escape of our dollar sign
    machine.out.push("\\")
    machine.copy(1)
  } else if (!machine.inBackticks()) {
    copyEscaped(machine)
  } else if (machine.char(1) === "`") {
    if (!closeBacktick(machine, 1)) {
      openBacktick(machine, "\\`")
    }
  } else if (machine.char(1) === "\\") {
    // Two backslashes in backticks are one to the shell that runs them
    machine.copy(1)
    copyEscaped(machine)
  } else {
    copyEscaped(machine)
  }
}

const copyEscaped = (machine: Machine): void => {
  if (machine.char(1) === "\n") {
    machine.skip(2)
  } else {
    machine.copy(2)
  }
}

// -----------------------------------------------------------------------------
// dollar signs
// -----------------------------------------------------------------------------

const dollar = (machine: Machine, frame: Frame): void => {
  const next = machine.char(1)
  if (machine.isData(1)) {
    machine.out.push(frame._tag === "Arithmetic" ? "" : "\\")
    machine.copy(1)
  } else if (next === "$") {
    machine.copy(2)
  } else if (next === "(" && machine.char(2) === "(" && closesTwice(machine, 3)) {
    machine.copy(3)
    machine.stack.push({ _tag: "Arithmetic", depth: 0 })
  } else if (next === "(") {
    machine.copy(2)
    machine.stack.push(ShellWords.make(")", machine.names))
  } else if (next === "{") {
    openParameter(machine, frame)
  } else if (next === "'" && singleQuotesQuote(frame)) {
    machine.skip(2)
    machine.markQuoted()
    machine.stack.push({ _tag: "Single", ansi: true })
  } else if (next === "[") {
    oldArithmetic(machine)
    machine.copy(2)
  } else {
    machine.refer(variableAt(machine, 1))
    machine.copy(1)
  }
}

const variableAt = (machine: Machine, offset: number): string =>
  /[0-9@*]/.test(machine.char(offset)) ? machine.char(offset) : machine.nameAt(offset)

const singleQuotesQuote = (frame: Frame): boolean =>
  frame._tag === "Command" || (frame._tag === "Parameter" && frame.singleQuotes)

const openParameter = (machine: Machine, frame: Frame): void => {
  const sign = machine.char(2)
  const name = variableAt(machine, sign === "!" ? 3 : 2)
  const token = sign === "!" ? machine.names.data.get(name) : undefined
  machine.check(token === undefined ? null : Assignments.calculated(name, token))
  machine.refer(name)
  machine.copy(2)
  if (/[!#]/.test(machine.char()) && /[A-Za-z0-9_@*#?$!-]/.test(machine.char(1))) {
    machine.copy(1)
  }
  if (/[A-Za-z0-9_]/.test(machine.char())) {
    while (/[A-Za-z0-9_]/.test(machine.char())) {
      machine.copy(1)
    }
  } else if (/[@*#?$!-]/.test(machine.char())) {
    machine.copy(1)
  }
  const quoted = frame._tag !== "Command" && !(frame._tag === "Parameter" && !frame.quoted)
  const parameter: Parameter = { _tag: "Parameter", quoted, singleQuotes: !quoted, mode: "word" }
  machine.stack.push(parameter)
  if (machine.char() === "[") {
    machine.copy(1)
    parameter.mode = "subscript"
  } else {
    operator(machine, parameter)
  }
}

/** `$[…]` is arithmetic to bash and text to dash: right for both with whole numbers only. */
const oldArithmetic = (machine: Machine): void => {
  for (let at = machine.index + 2; at < machine.end; at++) {
    const token = machine.tokens[at]
    if (token === "]" || token === "\n") {
      return
    }
    if (typeof token === "object" && token._tag === "Data" && !token.integer) {
      machine.check({ token, detail: Assignments.notANumber })
    }
  }
}
