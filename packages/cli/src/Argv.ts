/**
 * From what was typed to a command and its arguments in canonical order.
 *
 * Owns the command line's grammar: options anywhere, `--flag=value`, clusters such as `-yv`, `--` before texts that look
 * like flags, names and aliases of commands, and a message with a suggestion for everything that is not known. Values
 * are read later, by the command's own parser.
 *
 * @since 0.1.0
 */
import { didYouMean } from "@prodigy/core/domain/DidYouMean"
import * as Either from "effect/Either"
import { globalFlags, type Group, type Leaf, leavesOf, type Node } from "./CommandTree.ts"
import { type FlagInfo, mark } from "./Flag.ts"
import { UsageError } from "./UsageError.ts"

/**
 * What a command line asks for.
 *
 * @since 0.1.0
 * @category models
 */
export type Parsed<E, R> =
  | { readonly _tag: "Version" }
  | { readonly _tag: "Help"; readonly path: ReadonlyArray<Node<E, R>> }
  | {
      readonly _tag: "Run"
      readonly path: ReadonlyArray<Node<E, R>>
      readonly leaf: Leaf<E, R>
      /** Long flags with their values, then the positional arguments; every value marked (`Flag.mark`). */
      readonly args: ReadonlyArray<string>
      readonly verbosity: number
    }

/**
 * Understands a command line, given without the program's name.
 *
 * @since 0.1.0
 * @category parsing
 */
export const parse = <E, R>(
  root: Group<E, R>,
  argv: ReadonlyArray<string>
): Either.Either<Parsed<E, R>, UsageError> => {
  const scan = new Scan<E, R>(root)
  for (let index = 0; index < argv.length; index++) {
    const token = argv[index] ?? ""
    const problem = scan.take(token, argv[index + 1])
    if (problem instanceof UsageError) return scan.help ? helpOf(scan) : Either.left(problem)
    if (problem === "took next") index++
  }
  return scan.end()
}

const helpOf = <E, R>(scan: Scan<E, R>): Either.Either<Parsed<E, R>, UsageError> =>
  Either.right({ _tag: "Help", path: scan.path })

/** The state while a command line is read from left to right. */
class Scan<E, R> {
  readonly path: Array<Node<E, R>>
  readonly positional: Array<string> = []
  readonly flags: Array<readonly [name: string, value: string | null]> = []
  verbosity = 0
  help = false
  version = false
  onlyPositional = false

  constructor(root: Group<E, R>) {
    this.path = [root]
  }

  get node(): Node<E, R> | undefined {
    return this.path[this.path.length - 1]
  }

  get command(): string {
    return this.path.map(({ name }) => name).join(" ")
  }

  /** Takes one token; says whether it took the next one along. */
  take(token: string, next: string | undefined): UsageError | "took next" | "took one" {
    if (this.onlyPositional) return this.word(token)
    if (token === "--") {
      this.onlyPositional = true
      return "took one"
    }
    if (token.startsWith("--")) return this.long(token, next)
    if (token.startsWith("-") && token.length > 1) return this.cluster(token, next)
    return this.word(token)
  }

  word(token: string): UsageError | "took one" {
    const { node } = this
    if (node?._tag !== "Group") {
      this.positional.push(token)
      return "took one"
    }
    const child = node.children.find(({ aliases, name }) => name === token || aliases.includes(token))
    if (child === undefined) {
      if (token === "help" && this.path.length === 1) {
        this.help = true
        return "took one"
      }
      const known = node.children.flatMap(({ aliases, name }) => [name, ...aliases])
      return this.wrong(`There is no command "${this.command} ${token}".`, didYouMean(token, known))
    }
    this.path.push(child)
    return "took one"
  }

  long(token: string, next: string | undefined): UsageError | "took next" | "took one" {
    const at = token.indexOf("=")
    const name = at < 0 ? token.slice(2) : token.slice(2, at)
    const flag = this.known.find((known) => known.name === name)
    if (flag === undefined) return this.unknown(`--${name}`)
    return this.set(flag, at < 0 ? null : token.slice(at + 1), next)
  }

  /** `-y`, `-vv`, `-yv`, `-p DIR`, `-pDIR`, `-p=DIR`. */
  cluster(token: string, next: string | undefined): UsageError | "took next" | "took one" {
    for (let index = 1; index < token.length; index++) {
      const flag = this.known.find(({ alias }) => alias === token[index])
      if (flag === undefined) return this.unknown(`-${token[index]}`)
      if (flag.value === null) {
        const inline = token[index + 1] === "=" ? token.slice(index + 2) : null
        const problem = this.set(flag, inline, undefined)
        if (problem instanceof UsageError) return problem
        continue
      }
      const rest = token.slice(index + 1).replace(/^=/, "")
      return this.set(flag, rest === "" ? null : rest, next)
    }
    return "took one"
  }

  set(flag: FlagInfo, inline: string | null, next: string | undefined): UsageError | "took next" | "took one" {
    if (flag.value === null) {
      if (inline !== null) return this.wrong(`--${flag.name} takes no value, but was given "${inline}".`)
      if (globalFlags.includes(flag)) this.setGlobal(flag)
      else if (!this.flags.some(([name]) => name === flag.name)) this.flags.push([flag.name, null])
      return "took one"
    }
    if (!flag.repeated && this.flags.some(([name]) => name === flag.name)) {
      return this.wrong(`--${flag.name} is given more than once.`)
    }
    const value = inline ?? next
    if (value === undefined) return this.wrong(`--${flag.name} needs a value: --${flag.name} ${flag.value}.`)
    if (inline === null && value.startsWith("-") && this.isFlag(value)) {
      return this.wrong(`--${flag.name} needs a value, but ${value} follows it.`)
    }
    this.flags.push([flag.name, value])
    return inline === null ? "took next" : "took one"
  }

  setGlobal(flag: FlagInfo): void {
    if (flag.name === "help") this.help = true
    if (flag.name === "version") this.version = true
    if (flag.name === "verbose") this.verbosity += 1
  }

  get known(): ReadonlyArray<FlagInfo> {
    return this.node?._tag === "Leaf" ? [...this.node.flags, ...globalFlags] : globalFlags
  }

  isFlag(token: string): boolean {
    return token.startsWith("--")
      ? this.known.some(({ name }) => token === `--${name}` || token.startsWith(`--${name}=`))
      : this.known.some(({ alias }) => token === `-${alias}`)
  }

  unknown(token: string): UsageError {
    const { node } = this
    const isIt = ({ alias, name }: FlagInfo) => token === `--${name}` || token === `-${alias}`
    if (node?._tag === "Group" && leavesOf(node).some(({ flags }) => flags.some(isIt))) {
      return this.wrong(`${token} goes after the command: ${this.command} COMMAND ${token}.`)
    }
    // Every letter is near every other one: only words get suggestions.
    const names = token.startsWith("--") ? this.known.map(({ name }) => `--${name}`) : []
    return this.wrong(`${this.command} has no option ${token}.`, didYouMean(token, names))
  }

  wrong(what: string, suggestions: ReadonlyArray<string> = []): UsageError {
    return new UsageError({ what, suggestions, command: this.command })
  }

  end(): Either.Either<Parsed<E, R>, UsageError> {
    if (this.help) return helpOf(this)
    if (this.version) return Either.right({ _tag: "Version" })
    const { node } = this
    if (node?._tag !== "Leaf") {
      if (this.path.length === 1 || node === undefined) return helpOf(this)
      const names = node.children.map(({ name }) => name).join(", ")
      return Either.left(this.wrong(`${this.command} needs a command: ${names}.`))
    }
    const missing = node.args[this.positional.length]
    if (missing !== undefined && !missing.optional)
      return Either.left(this.wrong(`${missing.name} is missing: ${missing.description}.`))
    const extra = this.positional[node.args.length]
    if (extra !== undefined) return Either.left(this.wrong(`"${extra}" is one argument too many.`))
    const flags = this.flags.flatMap(([name, value]) => (value === null ? [`--${name}`] : [`--${name}`, mark(value)]))
    const args = [...flags, ...this.positional.map(mark)]
    return Either.right({ _tag: "Run", path: this.path, leaf: node, args, verbosity: this.verbosity })
  }
}
