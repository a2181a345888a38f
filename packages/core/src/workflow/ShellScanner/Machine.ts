/**
 * What the scanner of scripts remembers: where it is, what it has written, and what is open.
 *
 * Owns reading and writing of tokens, and the questions about the stack. Decides nothing about the shell's syntax.
 *
 * @since 0.1.0
 */
import * as Assignments from "./Assignments.ts"
import * as ShellWords from "../ShellWords.ts"
import type { TemplateError } from "../Template.ts"

/**
 * A piece of a script; see `ShellScanner.Token`.
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
 * Why a script cannot be written.
 *
 * @since 0.1.0
 * @category models
 */
export type Failure = ShellWords.Problem | TemplateError

/**
 * Single quotes; `ansi` for `$'…'`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Single {
  readonly _tag: "Single"
  readonly ansi: boolean
}

/**
 * `${…}`. `quoted`: inside of double quotes; `singleQuotes`: single quotes quote here.
 *
 * @since 0.1.0
 * @category models
 */
export interface Parameter {
  readonly _tag: "Parameter"
  readonly quoted: boolean
  singleQuotes: boolean
  mode: "subscript" | "number" | "word"
}

/**
 * `$((…))` and `((…))`. `depth` counts the parentheses open in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Arithmetic {
  readonly _tag: "Arithmetic"
  depth: number
}

/**
 * Something open.
 *
 * @since 0.1.0
 * @category models
 */
export type Frame =
  | ShellWords.CommandList
  | Single
  | Parameter
  | Arithmetic
  | { readonly _tag: "Double" }
  | { readonly _tag: "Heredoc" }

/**
 * A heredoc whose operator was read, and whose body begins on the next line.
 *
 * @since 0.1.0
 * @category models
 */
export interface PendingHeredoc {
  /** Where the delimiter is in the output. */
  readonly piece: number
  readonly delimiter: string
  readonly quoted: boolean
  readonly stripTabs: boolean
  /** The command it belongs to. */
  readonly words: ReadonlyArray<ShellWords.Word>
}

/**
 * Tokens in, text out, and a stack of what is open. `index` and `end` bound what is still to be read.
 *
 * @since 0.1.0
 * @category models
 */
export class Machine {
  readonly tokens: ReadonlyArray<Token>
  readonly out: Array<string> = []
  readonly names: ShellWords.Names
  stack: Array<Frame>
  pending: Array<PendingHeredoc> = []
  index = 0
  end: number
  failure: Failure | null = null

  constructor(tokens: ReadonlyArray<Token>, names: ShellWords.Names) {
    this.tokens = tokens
    this.names = names
    this.stack = [ShellWords.make(null, names)]
    this.end = tokens.length
  }

  /** The first failure is the one to report. */
  check(failure: Failure | null): void {
    this.failure ??= failure
  }

  // ---------------------------------------------------------------------------
  // tokens
  // ---------------------------------------------------------------------------

  /** The character at an offset; empty where there is none. */
  char(offset = 0): string {
    const token = this.index + offset < this.end ? this.tokens[this.index + offset] : ""
    return typeof token === "string" ? token : ""
  }

  isData(offset: number): boolean {
    const token = this.index + offset < this.end ? this.tokens[this.index + offset] : ""
    return typeof token === "object" && token._tag === "Data"
  }

  /** Copies characters that are text of the current word. */
  copy(count: number): void {
    for (let copied = 0; copied < count && this.atChar(); copied++) {
      const list = this.list()
      if (list !== null) {
        ShellWords.addText(list, this.char())
      }
      this.skip(1)
    }
  }

  /** Copies characters that are not: quotes, blanks, operators. */
  skip(count: number): void {
    for (let copied = 0; copied < count && this.atChar(); copied++) {
      this.out.push(this.char())
      this.index++
    }
  }

  private atChar(): boolean {
    return this.index < this.end && typeof this.tokens[this.index] === "string"
  }

  // ---------------------------------------------------------------------------
  // what is open
  // ---------------------------------------------------------------------------

  top(): Frame {
    return this.stack.at(-1) ?? ShellWords.make(null, this.names)
  }

  /** The innermost command list, unless a heredoc is between: its body belongs to no word. */
  list(): ShellWords.CommandList | null {
    for (let index = this.stack.length - 1; index >= 0; index--) {
      const frame = this.stack[index]
      if (frame?._tag === "Command" || frame?._tag === "Heredoc") {
        return frame._tag === "Command" ? frame : null
      }
    }
    return null
  }

  inBackticks(): boolean {
    return this.stack.some((frame) => frame._tag === "Command" && (frame.closer === "`" || frame.closer === "\\`"))
  }

  /** Whether a value would be evaluated as a number here. */
  inArithmetic(): boolean {
    for (let index = this.stack.length - 1; index >= 0; index--) {
      const frame = this.stack[index]
      if (frame === undefined || frame._tag === "Command" || frame._tag === "Heredoc") {
        break
      }
      if (frame._tag === "Arithmetic" || (frame._tag === "Parameter" && frame.mode !== "word")) {
        return true
      }
    }
    const list = this.list()
    return list !== null && ShellWords.inSubscript(list)
  }

  /** The script refers to a variable of its own, which may hold a value. */
  refer(name: string): void {
    const argument = /^[0-9@*]/.test(name)
    const token = this.names.data.get(argument ? "@" : name)
    if (token === undefined) {
      return
    }
    if (this.inArithmetic()) {
      this.check(Assignments.calculated(name, token))
    }
    const list = this.list()
    // run() { "$@"; } is given the name of its program by the script
    if (list !== null && !(argument && list.position === "command")) {
      ShellWords.addData(list, token)
    }
  }

  /** Copies a name, or another character, of what the shell calculates. */
  copyCalculated(): void {
    const name = this.nameAt(0)
    this.check(Assignments.inArithmetic(this.names, name))
    this.copy(Math.max(name.length, 1))
  }

  /** The characters of a name at an offset. */
  nameAt(offset: number): string {
    let name = ""
    while (/[A-Za-z0-9_]/.test(this.char(offset + name.length))) {
      name += this.char(offset + name.length)
    }
    return name
  }

  /** The current word has begun, with a quote. */
  markQuoted(): void {
    const list = this.list()
    if (list !== null) {
      list.word.started = true
      list.word.quoted = true
    }
  }

  /** The current word has begun, with something that is not known before the script runs. */
  markStarted(): void {
    const list = this.list()
    if (list !== null) {
      ShellWords.addText(list, "$")
    }
  }

  openSingle(): void {
    this.skip(1)
    this.markQuoted()
    this.stack.push({ _tag: "Single", ansi: false })
  }
}
