/**
 * The tree of commands: what each one is called, takes and does.
 *
 * A command is parsed and run by `@effect/cli`; the tree around it carries what help, the reference page and the
 * messages for wrong command lines need.
 *
 * @since 0.1.0
 */
import * as Args from "@effect/cli/Args"
import type * as CliApp from "@effect/cli/CliApp"
import * as CliConfig from "@effect/cli/CliConfig"
import * as Command from "@effect/cli/CommandDescriptor"
import * as Options from "@effect/cli/Options"
import type * as ValidationError from "@effect/cli/ValidationError"
import * as Effect from "effect/Effect"
import * as Record from "effect/Record"
import type { Argument, ArgumentInfo, Flag, FlagInfo } from "./Flag.ts"
import type { JsonOutput } from "./JsonOutput.ts"

/**
 * An example line with what it does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Example {
  readonly line: string
  readonly does: string
}

interface Named {
  readonly name: string
  readonly aliases: ReadonlyArray<string>
  /** One sentence, without a full stop. */
  readonly summary: string
  readonly examples: ReadonlyArray<Example>
}

/**
 * A command that does something. What it takes is hidden in `run`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Leaf<E, R> extends Named {
  readonly _tag: "Leaf"
  readonly flags: ReadonlyArray<FlagInfo>
  readonly args: ReadonlyArray<ArgumentInfo>
  /** What `--json` prints; null: the command prints no data, and has no such flag. */
  readonly json: JsonOutput | null
  /** Runs on arguments in canonical order: long flags first, every value marked (`Flag.mark`). */
  readonly run: (
    args: ReadonlyArray<string>
  ) => Effect.Effect<void, E | ValidationError.ValidationError, R | CliApp.CliApp.Environment>
}

/**
 * A command that only groups others.
 *
 * @since 0.1.0
 * @category models
 */
export interface Group<E, R> extends Named {
  readonly _tag: "Group"
  readonly children: ReadonlyArray<Node<E, R>>
}

/**
 * @since 0.1.0
 * @category models
 */
export type Node<E, R> = Leaf<E, R> | Group<E, R>

/**
 * Makes a command. `handler` gets the read values by the keys they were declared with.
 *
 * @since 0.1.0
 * @category constructors
 */
export const leaf = <
  const Args extends Readonly<Record<string, Argument<unknown>>>,
  const Flags extends Readonly<Record<string, Flag<unknown>>>,
  E,
  R
>(options: {
  readonly name: string
  readonly aliases?: ReadonlyArray<string> | undefined
  readonly summary: string
  readonly examples: ReadonlyArray<Example>
  readonly args: Args
  readonly flags: Flags
  /** What `--json` prints. Null, with a comment that says why, for a command that prints no data. */
  readonly json: JsonOutput | null
  readonly handler: (input: {
    readonly args: { readonly [Key in keyof Args]: Args[Key] extends Argument<infer A> ? A : never }
    readonly flags: { readonly [Key in keyof Flags]: Flags[Key] extends Flag<infer A> ? A : never }
  }) => Effect.Effect<void, E, R>
}): Leaf<E, R> => {
  type Input = Parameters<typeof options.handler>[0]
  const command = Command.make(options.name, optionsOf(options.flags), argsOf(options.args))
  return {
    _tag: "Leaf",
    name: options.name,
    aliases: options.aliases ?? [],
    summary: options.summary,
    examples: options.examples,
    flags: Object.values(options.flags),
    args: Object.values(options.args),
    json: options.json,
    run: (args) =>
      Effect.flatMap(Command.parse(command, [options.name, ...args], config), (directive) =>
        // Built-in options are ours (`globalFlags`), and no value can be taken for one: every value is marked.
        directive._tag === "BuiltIn"
          ? Effect.dieMessage(`The parser took an argument of ${options.name} for a built-in option.`)
          : options.handler({ args: directive.value.args, flags: directive.value.options } as unknown as Input)
      )
  }
}

/** `Options.all` knows no empty record. */
const optionsOf = (
  declared: Readonly<Record<string, Flag<unknown>>>
): Options.Options<Readonly<Record<string, unknown>>> =>
  Record.isEmptyReadonlyRecord(declared)
    ? Options.map(Options.none, () => ({}))
    : Options.all(Record.map(declared, ({ options }) => options))

/** `Args.all` knows no empty record. */
const argsOf = (declared: Readonly<Record<string, Argument<unknown>>>): Args.Args<Readonly<Record<string, unknown>>> =>
  Record.isEmptyReadonlyRecord(declared)
    ? Args.map(Args.none, () => ({}))
    : Args.all(Record.map(declared, ({ args }) => args))

const config = CliConfig.make({ isCaseSensitive: true })

/**
 * Makes a group of commands.
 *
 * @since 0.1.0
 * @category constructors
 */
export const group = <E, R>(options: {
  readonly name: string
  readonly summary: string
  readonly examples: ReadonlyArray<Example>
  readonly children: ReadonlyArray<Node<E, R>>
}): Group<E, R> => ({ _tag: "Group", aliases: [], ...options })

/**
 * All commands of a tree that do something.
 *
 * @since 0.1.0
 * @category getters
 */
export const leavesOf = <E, R>(node: Node<E, R>): ReadonlyArray<Leaf<E, R>> =>
  node._tag === "Leaf" ? [node] : node.children.flatMap(leavesOf)

/**
 * Paths from the root of a tree to every command of it that does something.
 *
 * @since 0.1.0
 * @category getters
 */
export const pathsOf = <E, R>(
  root: Node<E, R>
): ReadonlyArray<{ readonly path: ReadonlyArray<Node<E, R>>; readonly leaf: Leaf<E, R> }> =>
  root._tag === "Leaf"
    ? [{ path: [root], leaf: root }]
    : root.children.flatMap((child) => pathsOf(child).map(({ leaf, path }) => ({ path: [root, ...path], leaf })))

/**
 * What a command is called, from a path to it: `prodigy sessions list`.
 *
 * @since 0.1.0
 * @category getters
 */
export const nameOf = (path: ReadonlyArray<{ readonly name: string }>): string => path.map(({ name }) => name).join(" ")

/**
 * The flags that every command knows.
 *
 * @since 0.1.0
 * @category models
 */
export const globalFlags: ReadonlyArray<FlagInfo> = [
  { name: "help", alias: "h", value: null, repeated: false, description: "Show help for a command" },
  { name: "version", alias: "V", value: null, repeated: false, description: "Show the version" },
  {
    name: "verbose",
    alias: "v",
    value: null,
    repeated: true,
    description: "Say more; -vv shows the causes of errors"
  }
]
