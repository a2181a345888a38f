/**
 * Heredocs: the operator with its delimiter, where the body ends, and bodies in which the shell expands nothing.
 *
 * A quoted heredoc with values in it becomes one that is not, its own `$`, backtick and `\` escaped.
 *
 * @since 0.1.0
 */
import type * as ShellWords from "../ShellWords.ts"
import * as Assignments from "./Assignments.ts"
import * as Readers from "./Readers.ts"
import type { Machine, PendingHeredoc } from "./Machine.ts"

/**
 * Reads `<<`, `<<-` and the delimiter. The body is due after the line.
 *
 * @since 0.1.0
 * @category scanning
 */
export const operator = (machine: Machine, list: ShellWords.CommandList): void => {
  machine.skip(2)
  const stripTabs = machine.char() === "-"
  machine.skip(stripTabs ? 1 : 0)
  while (machine.char() === " " || machine.char() === "\t") {
    machine.skip(1)
  }
  const start = machine.index
  const { delimiter, quoted } = readDelimiter(machine)
  const token = machine.tokens[machine.index]
  if (machine.index < machine.end && typeof token === "object" && token._tag === "Data") {
    machine.check({ token, detail: "a value cannot be the delimiter of a heredoc" })
  }
  machine.out.push(machine.tokens.slice(start, machine.index).join(""))
  machine.pending.push({ piece: machine.out.length - 1, delimiter, quoted, stripTabs, words: list.command.words })
}

/**
 * Reads the bodies of the heredocs of a line. `scan` reads what lies before `end` in which the shell expands.
 *
 * @since 0.1.0
 * @category scanning
 */
export const bodies = (machine: Machine, scan: (machine: Machine) => void): void => {
  const pending = machine.pending
  machine.pending = []
  for (const heredoc of pending) {
    const { body, line } = findEnd(machine, heredoc)
    const values = machine.tokens.slice(machine.index, body).filter((token) => typeof token === "object")
    const data = values.find((token) => token._tag === "Data")
    const code = data !== undefined && Readers.readsInput(heredoc.words)
    if (data !== undefined && (code || (heredoc.quoted && machine.inBackticks()))) {
      const detail = code
        ? Readers.readAgain(heredoc.words, data)
        : "a value cannot stand in a quoted heredoc in backticks; write $(…)"
      return machine.check({ token: data, detail })
    }
    if (data !== undefined) {
      machine.check(Assignments.ofCommand(machine.names, heredoc.words, data))
    }
    if (heredoc.quoted) {
      quotedBody(machine, heredoc, { body, line, rewrite: data !== undefined })
    } else {
      openBody(machine, body, scan)
      machine.skip(line - machine.index)
    }
  }
}

const readDelimiter = (machine: Machine): { readonly delimiter: string; readonly quoted: boolean } => {
  let delimiter = ""
  let quoted = false
  let quote = ""
  for (let char = machine.char(); char !== "" && (quote !== "" || !/[\s;&|<>()]/.test(char)); char = machine.char()) {
    machine.index++
    if (quote === "" && char === "\\") {
      quoted = true
      delimiter += machine.char()
      machine.index++
    } else if (quote === "" ? char === "'" || char === '"' : char === quote) {
      quoted = true
      quote = quote === "" ? char : ""
    } else {
      delimiter += char
    }
  }
  return { delimiter, quoted }
}

/** Where the body ends, and the line of the delimiter after it. */
const findEnd = (machine: Machine, heredoc: PendingHeredoc): { readonly body: number; readonly line: number } => {
  let start = machine.index
  let continued = false
  while (start < machine.end) {
    let stop = start
    let text = ""
    for (; stop < machine.end && machine.tokens[stop] !== "\n"; stop++) {
      const token = machine.tokens[stop]
      text += typeof token === "string" ? token : "\0"
    }
    if (!continued && (heredoc.stripTabs ? text.replace(/^\t+/, "") : text) === heredoc.delimiter) {
      return { body: start, line: stop }
    }
    continued = !heredoc.quoted && /(?:^|[^\\])(?:\\\\)*\\$/.test(text)
    start = stop + 1
  }
  return { body: machine.end, line: machine.end }
}

const openBody = (machine: Machine, body: number, scan: (machine: Machine) => void): void => {
  const { end, stack } = machine
  machine.stack = [...stack, { _tag: "Heredoc" }]
  machine.end = body
  scan(machine)
  machine.stack = stack
  machine.end = end
}

const quotedBody = (
  machine: Machine,
  heredoc: PendingHeredoc,
  { body, line, rewrite }: { readonly body: number; readonly line: number; readonly rewrite: boolean }
): void => {
  for (; machine.index < body && machine.failure === null; machine.index++) {
    const token = machine.tokens[machine.index] ?? ""
    if (typeof token === "string") {
      machine.out.push(rewrite && /[\\$`]/.test(token) ? `\\${token}` : token)
    } else if (token._tag === "Data") {
      machine.out.push(`\${${token.variable}}`)
    } else if (token._tag === "Unknown") {
      machine.check(token.error)
    }
  }
  if (!rewrite) {
    return machine.skip(line - body)
  }
  const simple = /^[A-Za-z0-9_]+$/.test(heredoc.delimiter)
  machine.out[heredoc.piece] = simple ? heredoc.delimiter : freshDelimiter
  if (simple || line === body) {
    return machine.skip(line - body)
  }
  machine.out.push(freshDelimiter)
  machine.index = line
}

// Stands in for delimiters that need quotes; long enough not to be a line of anyone's text
const freshDelimiter = "PRODIGY_END_OF_HEREDOC_8f2c1d"
