/**
 * Puts references to values into a shell script, each right for the quoting it stands in.
 *
 * A machine over the stack of what is open: command lists, quotes, `${…}`, `$((…))`, backticks, heredocs. A value never
 * becomes part of the script; what differs is how the variable that holds it is written:
 *
 * | in | becomes |
 * | - | - |
 * | unquoted, `"…"`, `$(…)`, backticks, comments, `<<EOF` | `${V}` |
 * | `'…'` | `'"${V}"'` |
 * | `$'…'` | `'"${V}"$'` |
 * | `<<'EOF'` | `${V}`; the heredoc becomes `<<EOF`, its own `$`, backtick and `\` escaped |
 * | `$((…))`, `((…))`, `x[…]=`, `${x:…}`, `[[ … -eq … ]]` | `${V}` when the value is a whole number, else refused |
 *
 * Follows dash and bash. `ShellWords` knows commands and their words. A script this machine misreads (an alias that opens
 * a quote, say) may get a wrong text, but still only the name of a variable.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import type { TemplateError } from "./Template.ts"
import * as ShellWords from "./ShellWords.ts"

/**
 * A script in pieces: single characters, values, backslashes that keep a placeholder from being one, and placeholders
 * that lead nowhere (an error unless in a comment).
 *
 * @since 0.1.0
 * @category models
 */
export type Token =
  | string
  | ShellWords.DataToken
  | { readonly _tag: "Escape" }
  | { readonly _tag: "Unknown"; readonly text: string; readonly error: TemplateError }

/**
 * Writes the script. Without values in it, the characters come back as they were.
 *
 * @since 0.1.0
 * @category rendering
 */
export const write = (tokens: ReadonlyArray<Token>): Either.Either<string, ShellWords.Problem | TemplateError> =>
  new Scanner(tokens).run()

type Frame =
  | ShellWords.CommandList
  | { readonly _tag: "Double" }
  | { readonly _tag: "Single"; readonly ansi: boolean }
  | {
      readonly _tag: "Parameter"
      readonly quoted: boolean
      singleQuotes: boolean
      mode: "subscript" | "number" | "word"
    }
  | { readonly _tag: "Arithmetic"; depth: number }
  | { readonly _tag: "Heredoc" }

interface PendingHeredoc {
  /** Where the delimiter is in the output. */
  readonly piece: number
  readonly delimiter: string
  readonly quoted: boolean
  readonly stripTabs: boolean
  /** A shell reads it. */
  readonly code: boolean
}

class Scanner {
  private readonly tokens: ReadonlyArray<Token>
  private readonly out: Array<string> = []
  private stack: Array<Frame> = [ShellWords.make(null)]
  private pending: Array<PendingHeredoc> = []
  private index = 0
  private end: number
  private failure: ShellWords.Problem | TemplateError | null = null

  constructor(tokens: ReadonlyArray<Token>) {
    this.tokens = tokens
    this.end = tokens.length
  }

  run(): Either.Either<string, ShellWords.Problem | TemplateError> {
    this.scan()
    const top = this.stack.at(-1)
    if (top?._tag === "Command") {
      this.check(ShellWords.endCommand(top))
    }
    return this.failure === null ? Either.right(this.out.join("")) : Either.left(this.failure)
  }

  private scan(): void {
    while (this.index < this.end && this.failure === null) {
      const token = this.tokens[this.index] ?? ""
      const frame = this.top()
      if (typeof token !== "string") {
        this.special(token, frame)
      } else if (!this.expansion(token, frame)) {
        this.plain(token, frame)
      }
    }
  }

  private top(): Frame {
    return this.stack.at(-1) ?? ShellWords.make(null)
  }

  /** The innermost command list, unless a heredoc is between: its body belongs to no word. */
  private list(): ShellWords.CommandList | null {
    for (let index = this.stack.length - 1; index >= 0; index--) {
      const frame = this.stack[index]
      if (frame?._tag === "Command" || frame?._tag === "Heredoc") {
        return frame._tag === "Command" ? frame : null
      }
    }
    return null
  }

  private check(problem: ShellWords.Problem | null): void {
    this.failure ??= problem
  }

  private char(offset = 0): string {
    const token = this.index + offset < this.end ? this.tokens[this.index + offset] : ""
    return typeof token === "string" ? token : ""
  }

  private isData(offset: number): boolean {
    const token = this.index + offset < this.end ? this.tokens[this.index + offset] : ""
    return typeof token === "object" && token._tag === "Data"
  }

  /** Copies characters that are text of the current word. */
  private copy(count: number): void {
    for (let copied = 0; copied < count && this.index < this.end && this.isChar(); copied++) {
      const list = this.list()
      if (list !== null) {
        ShellWords.addText(list, this.char())
      }
      this.skip(1)
    }
  }

  /** Copies characters that are not: quotes, blanks, operators. */
  private skip(count: number): void {
    for (let copied = 0; copied < count && this.index < this.end && this.isChar(); copied++) {
      this.out.push(this.char())
      this.index++
    }
  }

  private isChar(): boolean {
    return typeof this.tokens[this.index] === "string"
  }

  private special(token: Exclude<Token, string>, frame: Frame): void {
    this.index++
    if (token._tag === "Unknown") {
      this.failure ??= token.error
    } else if (token._tag === "Data") {
      this.data(token, frame)
    } else {
      // Where the shell takes the backslash for text, only we can remove it
      if (frame._tag !== "Single") {
        this.out.push("\\")
      }
      this.copy(1)
    }
  }

  private data(token: ShellWords.DataToken, frame: Frame): void {
    const list = this.list()
    if (!token.integer && this.inArithmetic(list)) {
      this.failure ??= { token, detail: ShellWords.notANumber }
    }
    if (list !== null) {
      ShellWords.addData(list, token)
    }
    const reference = `\${${token.variable}}`
    this.out.push(frame._tag === "Single" ? `'"${reference}"${frame.ansi ? "$'" : "'"}` : reference)
  }

  private inArithmetic(list: ShellWords.CommandList | null): boolean {
    for (let index = this.stack.length - 1; index >= 0; index--) {
      const frame = this.stack[index]
      if (frame === undefined || frame._tag === "Command" || frame._tag === "Heredoc") {
        break
      }
      if (frame._tag === "Arithmetic" || (frame._tag === "Parameter" && frame.mode !== "word")) {
        return true
      }
    }
    return list !== null && ShellWords.inSubscript(list)
  }

  /** What means the same everywhere outside single quotes. True when it consumed something. */
  private expansion(char: string, frame: Frame): boolean {
    if (char === "`" && this.backtick(0)) {
      return true
    }
    if (frame._tag === "Single") {
      return false
    }
    if (char === "\\") {
      this.backslash()
      return true
    }
    if (char === "`") {
      this.skip(1)
      this.markStarted()
      this.stack.push(ShellWords.make("`"))
      return true
    }
    if (char === "$") {
      this.dollar(frame)
      return true
    }
    if (char === '"' && frame._tag !== "Heredoc") {
      this.skip(1)
      this.markQuoted()
      if (frame._tag === "Double") {
        this.stack.pop()
      } else {
        this.stack.push({ _tag: "Double" })
      }
      return true
    }
    return false
  }

  private markQuoted(): void {
    const list = this.list()
    if (list !== null) {
      list.word.started = true
      list.word.quoted = true
    }
  }

  private markStarted(): void {
    const list = this.list()
    if (list !== null) {
      ShellWords.addText(list, "$")
    }
  }

  /** Closes an open backtick, whatever is open inside of it: quotes do not protect it. */
  private backtick(offset: number): boolean {
    const closer = offset === 0 ? "`" : "\\`"
    const open = this.stack.findLastIndex((frame) => frame._tag === "Command" && frame.closer === closer)
    const floor = this.stack.findLastIndex((frame) => frame._tag === "Heredoc")
    if (open <= floor) {
      return false
    }
    const list = this.list()
    if (list !== null) {
      this.check(ShellWords.endCommand(list))
    }
    this.stack.length = open
    this.skip(offset + 1)
    return true
  }

  private inBackticks(): boolean {
    return this.stack.some((frame) => frame._tag === "Command" && (frame.closer === "`" || frame.closer === "\\`"))
  }

  private backslash(): void {
    if (this.isData(1)) {
      // Text of the author's that ended in a backslash: it is text, not an escape of our dollar sign
      this.out.push("\\")
      this.copy(1)
    } else if (!this.inBackticks()) {
      this.copyEscaped()
    } else if (this.char(1) === "`") {
      if (!this.backtick(1)) {
        this.skip(2)
        this.markStarted()
        this.stack.push(ShellWords.make("\\`"))
      }
    } else if (this.char(1) === "\\") {
      // Two backslashes in backticks are one to the shell that runs them
      this.copy(1)
      this.copyEscaped()
    } else {
      this.copyEscaped()
    }
  }

  private copyEscaped(): void {
    if (this.char(1) === "\n") {
      this.skip(2)
    } else {
      this.copy(2)
    }
  }

  private dollar(frame: Frame): void {
    const next = this.char(1)
    if (this.isData(1)) {
      this.out.push(frame._tag === "Arithmetic" ? "" : "\\")
      this.copy(1)
    } else if (next === "$") {
      this.copy(2)
    } else if (next === "(" && this.char(2) === "(" && this.closesTwice(3)) {
      this.copy(3)
      this.stack.push({ _tag: "Arithmetic", depth: 0 })
    } else if (next === "(") {
      this.copy(2)
      this.stack.push(ShellWords.make(")"))
    } else if (next === "{") {
      this.parameter(frame)
    } else if (next === "'" && this.singleQuotes(frame)) {
      this.skip(2)
      this.markQuoted()
      this.stack.push({ _tag: "Single", ansi: true })
    } else if (next === "[") {
      this.oldArithmetic()
      this.copy(2)
    } else {
      this.copy(1)
    }
  }

  private singleQuotes(frame: Frame): boolean {
    return frame._tag === "Command" || (frame._tag === "Parameter" && frame.singleQuotes)
  }

  private parameter(frame: Frame): void {
    this.copy(2)
    if (/[!#]/.test(this.char()) && /[A-Za-z0-9_@*#?$!-]/.test(this.char(1))) {
      this.copy(1)
    }
    if (/[A-Za-z0-9_]/.test(this.char())) {
      while (/[A-Za-z0-9_]/.test(this.char())) {
        this.copy(1)
      }
    } else if (/[@*#?$!-]/.test(this.char())) {
      this.copy(1)
    }
    const quoted = frame._tag !== "Command" && !(frame._tag === "Parameter" && !frame.quoted)
    const parameter: Frame = { _tag: "Parameter", quoted, singleQuotes: !quoted, mode: "word" }
    this.stack.push(parameter)
    if (this.char() === "[") {
      this.copy(1)
      parameter.mode = "subscript"
    } else {
      this.operator(parameter)
    }
  }

  private operator(frame: Extract<Frame, { _tag: "Parameter" }>): void {
    const operator = this.char()
    frame.mode = "word"
    if (operator === ":" && !/[-=?+]/.test(this.char(1))) {
      frame.mode = "number"
    }
    // In double quotes a single quote is text in ${x:-…}, and a quote in ${x%…}
    if (/[%#/^,]/.test(operator)) {
      frame.singleQuotes = true
    }
    if (/[:%#/^,=?+-]/.test(operator)) {
      this.copy(1)
    }
  }

  /** `$[…]` is arithmetic to bash and text to dash: right for both with whole numbers only. */
  private oldArithmetic(): void {
    for (let at = this.index + 2; at < this.end; at++) {
      const token = this.tokens[at]
      if (token === "]" || token === "\n") {
        return
      }
      if (typeof token === "object" && token._tag === "Data" && !token.integer) {
        this.failure ??= { token, detail: ShellWords.notANumber }
      }
    }
  }

  /** Whether what opened with `((` before the offset closes with `))`: arithmetic, not a subshell in a subshell. */
  private closesTwice(offset: number): boolean {
    let depth = 2
    for (let at = offset; this.index + at < this.end; at++) {
      const char = this.char(at)
      if (char === "\\") {
        at++
      } else if (char === "'") {
        for (at++; this.index + at < this.end && this.char(at) !== "'";) {
          at++
        }
      } else if (char === "(") {
        depth++
      } else if (char === ")" && --depth === 1) {
        return this.char(at + 1) === ")"
      }
    }
    return true
  }

  private plain(char: string, frame: Frame): void {
    switch (frame._tag) {
      case "Command":
        return this.command(char, frame)
      case "Single":
        return this.single(char, frame)
      case "Parameter":
        return this.parameterWord(char, frame)
      case "Arithmetic":
        return this.arithmetic(char, frame)
      case "Double":
      case "Heredoc":
        return this.copy(1)
    }
  }

  private openSingle(): void {
    this.skip(1)
    this.markQuoted()
    this.stack.push({ _tag: "Single", ansi: false })
  }

  private single(char: string, frame: Extract<Frame, { _tag: "Single" }>): void {
    if (char === "'") {
      this.skip(1)
      this.stack.pop()
    } else {
      this.copy(frame.ansi && char === "\\" ? 2 : 1)
    }
  }

  private parameterWord(char: string, frame: Extract<Frame, { _tag: "Parameter" }>): void {
    if (char === "}") {
      this.copy(1)
      this.stack.pop()
    } else if (char === "'" && frame.singleQuotes) {
      this.openSingle()
    } else if (char === "]" && frame.mode === "subscript") {
      this.copy(1)
      this.operator(frame)
    } else {
      this.copy(1)
    }
  }

  private arithmetic(char: string, frame: Extract<Frame, { _tag: "Arithmetic" }>): void {
    if (char === ")" && frame.depth === 0) {
      this.copy(this.char(1) === ")" ? 2 : 1)
      this.stack.pop()
      return
    }
    frame.depth += char === "(" ? 1 : char === ")" ? -1 : 0
    this.copy(1)
  }

  private command(char: string, list: ShellWords.CommandList): void {
    switch (char) {
      case "'":
        return this.openSingle()
      case " ":
      case "\t":
        this.check(ShellWords.endWord(list))
        return this.skip(1)
      case "\n":
        this.check(ShellWords.endCommand(list))
        this.skip(1)
        return this.heredocs()
      case ";":
      case "&":
      case "|":
        return this.separator(char, list)
      case "<":
      case ">":
        return list.test === null ? this.redirection(char, list) : this.breakWord(list)
      case "(":
        return list.test === null ? this.openParen(list) : this.breakWord(list)
      case ")":
        return list.test === null ? this.closeParen(list) : this.breakWord(list)
      case "#":
        return list.word.started ? this.copy(1) : this.comment()
      default:
        return this.copy(1)
    }
  }

  private breakWord(list: ShellWords.CommandList): void {
    this.check(ShellWords.endWord(list))
    this.skip(1)
  }

  private separator(char: string, list: ShellWords.CommandList): void {
    if (char === "&" && this.char(1) === ">") {
      this.breakWord(list)
      return this.redirection(">", list)
    }
    if (list.test !== null && char === ";") {
      list.test = null
    }
    this.check(ShellWords.endCommand(list))
    if (char === ";" && /[;&]/.test(this.char(1))) {
      this.skip(2)
      if (list.cases.at(-1) === "body") {
        list.cases[list.cases.length - 1] = "pattern"
      }
    } else {
      this.skip(1)
    }
  }

  private redirection(char: string, list: ShellWords.CommandList): void {
    if (/^[0-9]+$/.test(list.word.text) && !list.word.quoted && list.word.data === null) {
      // 2>: a descriptor, not a word
      list.redirect = "target"
    }
    this.check(ShellWords.endWord(list))
    list.redirect = "target"
    if (char === "<" && this.char(1) === "<" && this.char(2) !== "<") {
      list.redirect = "none"
      return this.heredocOperator(list)
    }
    if (this.char(1) === "(") {
      list.redirect = "none"
      this.copy(2)
      this.stack.push(ShellWords.make(")"))
      return
    }
    if (this.char(1) === "<" && ShellWords.readsCode(list)) {
      list.redirect = "code"
    }
    this.skip(1)
    while (/[<>&|]/.test(this.char())) {
      this.skip(1)
    }
  }

  private openParen(list: ShellWords.CommandList): void {
    const word = list.word
    if (!word.started && list.cases.at(-1) === "pattern") {
      return this.skip(1)
    }
    if (word.started && /[=@?*+!]$/.test(word.text)) {
      this.copy(1)
      this.stack.push(ShellWords.make(")", true))
      return
    }
    if (!word.started && this.char(1) === "(" && this.closesTwice(2)) {
      this.copy(2)
      this.stack.push({ _tag: "Arithmetic", depth: 0 })
      return
    }
    this.check(ShellWords.endCommand(list))
    this.skip(1)
    this.stack.push(ShellWords.make(")"))
  }

  private closeParen(list: ShellWords.CommandList): void {
    const last = list.cases.length - 1
    this.check(ShellWords.endCommand(list))
    if (list.cases[last] === "pattern") {
      list.cases[last] = "body"
    } else if (list.closer === ")") {
      this.stack.pop()
    }
    this.skip(1)
  }

  private comment(): void {
    const backticks = this.inBackticks()
    while (this.index < this.end && this.char() !== "\n" && !(backticks && this.char() === "`")) {
      const token = this.tokens[this.index++] ?? ""
      if (typeof token === "string") {
        this.out.push(token)
      } else {
        this.out.push(token._tag === "Data" ? `\${${token.variable}}` : token._tag === "Escape" ? "\\" : token.text)
      }
    }
  }

  private heredocOperator(list: ShellWords.CommandList): void {
    this.skip(2)
    const stripTabs = this.char() === "-"
    this.skip(stripTabs ? 1 : 0)
    while (this.char() === " " || this.char() === "\t") {
      this.skip(1)
    }
    const start = this.index
    let delimiter = ""
    let quoted = false
    let quote = ""
    for (let char = this.char(); char !== "" && (quote !== "" || !/[\s;&|<>()]/.test(char)); char = this.char()) {
      this.index++
      if (quote === "" && char === "\\") {
        quoted = true
        delimiter += this.char()
        this.index++
      } else if (quote === "" ? char === "'" || char === '"' : char === quote) {
        quoted = true
        quote = quote === "" ? char : ""
      } else {
        delimiter += char
      }
    }
    const token = this.tokens[this.index]
    if (this.index < this.end && typeof token === "object" && token._tag === "Data") {
      this.failure ??= { token, detail: "a value cannot be the delimiter of a heredoc" }
    }
    this.out.push(this.tokens.slice(start, this.index).join(""))
    const code = ShellWords.readsCode(list)
    this.pending.push({ piece: this.out.length - 1, delimiter, quoted, stripTabs, code })
  }

  private heredocs(): void {
    const pending = this.pending
    this.pending = []
    for (const heredoc of pending) {
      const { body, line } = this.heredocEnd(heredoc)
      const values = this.tokens.slice(this.index, body).filter((token) => typeof token === "object")
      const data = values.find((token) => token._tag === "Data")
      if (data !== undefined && (heredoc.code || (heredoc.quoted && this.inBackticks()))) {
        const detail = heredoc.code
          ? ShellWords.readAgain
          : "a value cannot stand in a quoted heredoc in backticks; write $(…)"
        this.failure ??= { token: data, detail }
        return
      }
      if (heredoc.quoted) {
        this.quotedHeredoc(heredoc, body, line, data !== undefined)
      } else {
        this.openHeredoc(body)
        this.skip(line - this.index)
      }
    }
  }

  /** Where the body ends, and the line of the delimiter after it. */
  private heredocEnd(heredoc: PendingHeredoc): { readonly body: number; readonly line: number } {
    let start = this.index
    let continued = false
    while (start < this.end) {
      let stop = start
      let text = ""
      for (; stop < this.end && this.tokens[stop] !== "\n"; stop++) {
        const token = this.tokens[stop]
        text += typeof token === "string" ? token : "\0"
      }
      if (!continued && (heredoc.stripTabs ? text.replace(/^\t+/, "") : text) === heredoc.delimiter) {
        return { body: start, line: stop }
      }
      continued = !heredoc.quoted && /(?:^|[^\\])(?:\\\\)*\\$/.test(text)
      start = stop + 1
    }
    return { body: this.end, line: this.end }
  }

  private openHeredoc(body: number): void {
    const { end, stack } = this
    this.stack = [...stack, { _tag: "Heredoc" }]
    this.end = body
    this.scan()
    this.stack = stack
    this.end = end
  }

  private quotedHeredoc(heredoc: PendingHeredoc, body: number, line: number, rewrite: boolean): void {
    for (; this.index < body && this.failure === null; this.index++) {
      const token = this.tokens[this.index] ?? ""
      if (typeof token === "string") {
        this.out.push(rewrite && /[\\$`]/.test(token) ? `\\${token}` : token)
      } else if (token._tag === "Data") {
        this.out.push(`\${${token.variable}}`)
      } else if (token._tag === "Unknown") {
        this.failure ??= token.error
      }
    }
    if (!rewrite) {
      return this.skip(line - body)
    }
    const simple = /^[A-Za-z0-9_]+$/.test(heredoc.delimiter)
    this.out[heredoc.piece] = simple ? heredoc.delimiter : freshDelimiter
    if (simple || line === body) {
      return this.skip(line - body)
    }
    this.out.push(freshDelimiter)
    this.index = line
  }
}

// Stands in for delimiters that need quotes; long enough not to be a line of anyone's text
const freshDelimiter = "PRODIGY_END_OF_HEREDOC_8f2c1d"
