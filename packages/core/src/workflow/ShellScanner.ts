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
 * Follows dash and bash. `ShellWords` knows commands and their words; the parts of the machine are in `ShellScanner/`:
 * `Machine` (what is open), `Commands`, `Expansions`, `Heredocs`. A script this machine misreads (an alias that opens
 * a quote, say) may get a wrong text, but still only the name of a variable.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Assignments from "./ShellScanner/Assignments.ts"
import * as Commands from "./ShellScanner/Commands.ts"
import * as Expansions from "./ShellScanner/Expansions.ts"
import * as Heredocs from "./ShellScanner/Heredocs.ts"
import * as Machine from "./ShellScanner/Machine.ts"
import * as ShellWords from "./ShellWords.ts"

/**
 * A script in pieces: single characters, values, backslashes that keep a placeholder from being one, and placeholders
 * that lead nowhere (an error unless in a comment).
 *
 * @since 0.1.0
 * @category models
 */
export type Token = Machine.Token

/**
 * Writes the script. Without values in it, the characters come back as they were. `held`: variables that hold values
 * before it begins.
 *
 * @since 0.1.0
 * @category rendering
 */
export const write = (
  tokens: ReadonlyArray<Token>,
  held: ReadonlyMap<string, ShellWords.DataToken> = new Map()
): Either.Either<string, Machine.Failure> => {
  const names: ShellWords.Names = { data: new Map(held), functions: new Set(), integers: new Set() }
  for (;;) {
    const known = sizeOf(names)
    const machine = new Machine.Machine(tokens, names)
    scan(machine)
    const top = machine.stack.at(-1)
    if (top?._tag === "Command") {
      machine.check(ShellWords.endCommand(top))
    }
    if (machine.failure !== null) {
      return Either.left(machine.failure)
    }
    const isPlain = held.size === 0 && tokens.every((token) => typeof token === "string")
    if (sizeOf(names) === known || isPlain) {
      return Either.right(machine.out.join(""))
    }
  }
}

const sizeOf = (names: ShellWords.Names): number => names.data.size + names.functions.size + names.integers.size

const scan = (machine: Machine.Machine): void => {
  while (machine.index < machine.end && machine.failure === null) {
    const token = machine.tokens[machine.index] ?? ""
    const frame = machine.top()
    if (typeof token !== "string") {
      special(machine, token, frame)
    } else if (!Expansions.read(machine, token, frame)) {
      plain(machine, token, frame)
    }
  }
}

// -----------------------------------------------------------------------------
// what is no character
// -----------------------------------------------------------------------------

const special = (machine: Machine.Machine, token: Exclude<Token, string>, frame: Machine.Frame): void => {
  machine.index++
  if (token._tag === "Unknown") {
    machine.check(token.error)
  } else if (token._tag === "Data") {
    data(machine, token, frame)
  } else {
    // Where the shell takes the backslash for text, only we can remove it
    if (frame._tag !== "Single") {
      machine.out.push("\\")
    }
    machine.copy(1)
  }
}

const data = (machine: Machine.Machine, token: ShellWords.DataToken, frame: Machine.Frame): void => {
  if (!token.integer && machine.inArithmetic()) {
    machine.check({ token, detail: Assignments.notANumber })
  }
  const list = machine.list()
  if (list !== null) {
    ShellWords.addData(list, token)
  }
  const reference = `\${${token.variable}}`
  machine.out.push(frame._tag === "Single" ? `'"${reference}"${frame.ansi ? "$'" : "'"}` : reference)
}

// -----------------------------------------------------------------------------
// characters that expand nothing
// -----------------------------------------------------------------------------

const plain = (machine: Machine.Machine, char: string, frame: Machine.Frame): void => {
  switch (frame._tag) {
    case "Command":
      Commands.read(machine, char, frame)
      return char === "\n" ? Heredocs.bodies(machine, scan) : undefined
    case "Single":
      return single(machine, char, frame)
    case "Parameter":
      return parameter(machine, char, frame)
    case "Arithmetic":
      return arithmetic(machine, char, frame)
    case "Double":
    case "Heredoc":
      return machine.copy(1)
  }
}

const single = (machine: Machine.Machine, char: string, frame: Machine.Single): void => {
  if (char === "'") {
    machine.skip(1)
    machine.stack.pop()
  } else {
    machine.copy(frame.ansi && char === "\\" ? 2 : 1)
  }
}

const parameter = (machine: Machine.Machine, char: string, frame: Machine.Parameter): void => {
  if (char === "}") {
    machine.copy(1)
    machine.stack.pop()
  } else if (char === "'" && frame.singleQuotes) {
    machine.openSingle()
  } else if (char === "]" && frame.mode === "subscript") {
    machine.copy(1)
    Expansions.operator(machine, frame)
  } else if (frame.mode === "word") {
    machine.copy(1)
  } else {
    machine.copyCalculated()
  }
}

const arithmetic = (machine: Machine.Machine, char: string, frame: Machine.Arithmetic): void => {
  if (char === ")" && frame.depth === 0) {
    machine.copy(machine.char(1) === ")" ? 2 : 1)
    machine.stack.pop()
    return
  }
  frame.depth += char === "(" ? 1 : char === ")" ? -1 : 0
  machine.copyCalculated()
}
