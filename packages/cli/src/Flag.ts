/**
 * Flags and arguments of commands: one declaration each, from which the parser of `@effect/cli`, the help, the reference
 * page and the suggestions for typing errors are made.
 *
 * @since 0.1.0
 */
import type * as Args from "@effect/cli/Args"
import * as CliArgs from "@effect/cli/Args"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as Options from "@effect/cli/Options"
import * as ValidationError from "@effect/cli/ValidationError"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"

/**
 * What is said about a flag.
 *
 * @since 0.1.0
 * @category models
 */
export interface FlagInfo {
  /** Without dashes. */
  readonly name: string
  /** One letter, without the dash. */
  readonly alias: string | null
  /** What stands for the value in help; null for a flag without one. */
  readonly value: string | null
  readonly repeated: boolean
  readonly description: string
}

/**
 * A flag and how its value is read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Flag<A> extends FlagInfo {
  readonly options: Options.Options<A>
}

/**
 * What is said about a positional argument.
 *
 * @since 0.1.0
 * @category models
 */
export interface ArgumentInfo {
  /** In capitals, as help shows it. */
  readonly name: string
  /** May be left out; only the last ones may. */
  readonly optional: boolean
  readonly description: string
}

/**
 * A positional argument: one text, or null where it was left out.
 *
 * @since 0.1.0
 * @category models
 */
export interface Argument<A> extends ArgumentInfo {
  readonly args: Args.Args<A>
}

/**
 * Reads the text of a value; left says what was expected instead.
 *
 * @since 0.1.0
 * @category models
 */
export type Read<A> = (text: string) => Either.Either<A, string>

interface About {
  readonly alias?: string | undefined
  readonly description: string
}

/**
 * A flag that is there or not.
 *
 * @since 0.1.0
 * @category constructors
 */
export const on = (name: string, about: About): Flag<boolean> => {
  const options = Options.boolean(name)
  return { ...info(name, null, false, about), options: withAlias(options, about.alias) }
}

/**
 * A flag with a value that may be left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const value = <A, const Default>(
  name: string,
  about: About & { readonly value: string; readonly read: Read<A>; readonly otherwise: Default }
): Flag<A | Default> => ({
  ...info(name, about.value, false, about),
  options: withAlias(Options.text(name), about.alias).pipe(
    Options.mapEffect((marked) => read(name, unmark(marked), about.read)),
    Options.optional,
    Options.map(Option.getOrElse((): A | Default => about.otherwise))
  )
})

/**
 * A flag with a value that may be given many times.
 *
 * @since 0.1.0
 * @category constructors
 */
export const repeated = <A>(
  name: string,
  about: About & { readonly value: string; readonly read: Read<A> }
): Flag<ReadonlyArray<A>> => ({
  ...info(name, about.value, true, about),
  options: withAlias(Options.text(name), about.alias).pipe(
    Options.repeated,
    Options.mapEffect(Effect.forEach((marked) => read(name, unmark(marked), about.read)))
  )
})

/**
 * A positional argument that must be given.
 *
 * @since 0.1.0
 * @category constructors
 */
export const argument = (name: string, description: string): Argument<string> => ({
  name,
  optional: false,
  description,
  args: CliArgs.map(CliArgs.text({ name }), unmark)
})

/**
 * A positional argument that may be left out.
 *
 * @since 0.1.0
 * @category constructors
 */
export const optionalArgument = (name: string, description: string): Argument<string | null> => ({
  name,
  optional: true,
  description,
  args: CliArgs.text({ name }).pipe(CliArgs.optional, CliArgs.map(Option.match({ onNone: () => null, onSome: unmark })))
})

/**
 * Marks a value, so that the parser of `@effect/cli`, which looks for flags in every place, never takes it for one.
 *
 * @since 0.1.0
 * @category marking
 */
export const mark = (value: string): string => `=${value}`

const unmark = (value: string): string => value.slice(1)

/**
 * Any text that is not empty.
 *
 * @since 0.1.0
 * @category readers
 */
export const text: Read<string> = (raw) => (raw === "" ? Either.left("a value that is not empty") : Either.right(raw))

/**
 * Texts with commas between them.
 *
 * @since 0.1.0
 * @category readers
 */
export const list: Read<ReadonlyArray<string>> = (raw) => {
  const parts = raw.split(",").map((part) => part.trim())
  return parts.includes("") ? Either.left("names with commas between them") : Either.right(parts)
}

/**
 * A whole number between two.
 *
 * @since 0.1.0
 * @category readers
 */
export const integer =
  (least: number, most: number): Read<number> =>
  (raw) => {
    const number = Number(raw)
    return /^\d{1,15}$/.test(raw) && number >= least && number <= most
      ? Either.right(number)
      : Either.left(`a whole number from ${least} to ${most}`)
  }

/**
 * A number of bytes: `500000`, `512K`, `100MB`, `2GiB`, in powers of 1024.
 *
 * @since 0.1.0
 * @category readers
 */
export const size: Read<number> = (raw) => {
  const [, amount, unit = ""] = /^(\d{1,9}(?:\.\d{1,3})?)([kmgt]?)(?:i?b)?$/i.exec(raw) ?? []
  return amount === undefined
    ? Either.left("a size such as 500000, 512K, 100M or 2G")
    : Either.right(Math.floor(Number(amount) * 1024 ** " kmgt".indexOf(unit.toLowerCase() || " ")))
}

/**
 * One of some words; case does not count.
 *
 * @since 0.1.0
 * @category readers
 */
export const oneOf =
  <const Word extends string>(words: ReadonlyArray<Word>): Read<Word> =>
  (raw) => {
    const found = words.find((word) => word.toLowerCase() === raw.toLowerCase())
    return found === undefined ? Either.left(`one of ${words.join(", ").toLowerCase()}`) : Either.right(found)
  }

/**
 * `KEY=VALUE`, where VALUE may hold anything.
 *
 * @since 0.1.0
 * @category readers
 */
export const assignment: Read<readonly [key: string, value: string]> = (raw) => {
  const at = raw.indexOf("=")
  return at > 0 && /^[A-Za-z_][\w.-]*$/.test(raw.slice(0, at))
    ? Either.right([raw.slice(0, at), raw.slice(at + 1)] as const)
    : Either.left("KEY=VALUE, the key out of letters, digits and _")
}

/**
 * A moment: so long ago, or at a time.
 *
 * @since 0.1.0
 * @category models
 */
export type Moment =
  | { readonly _tag: "Ago"; readonly millis: number }
  | { readonly _tag: "At"; readonly epochMillis: number }

/**
 * Reads `30s`, `30m`, `2h`, `3d` or `1w`, or a time such as `2026-01-31T08:00:00Z`.
 *
 * @since 0.1.0
 * @category readers
 */
export const moment: Read<Moment> = (raw) => {
  const [, amount, unit] = /^(\d{1,6})([smhdw])$/.exec(raw) ?? []
  if (amount !== undefined && unit !== undefined) {
    return Either.right({ _tag: "Ago", millis: Number(amount) * (units[unit] ?? 0) })
  }
  const time = /^\d{4}-\d\d-\d\d/.test(raw) ? DateTime.make(raw) : Option.none()
  return Option.match(time, {
    onNone: () => Either.left("a time such as 2026-01-31T08:00:00Z, or how long ago such as 30m, 2h, 3d"),
    onSome: (at) => Either.right({ _tag: "At", epochMillis: DateTime.toEpochMillis(at) })
  })
}

const units: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
  w: 604_800_000
}

/**
 * @since 0.1.0
 * @category conversions
 */
export const millisOf = (when: Moment, nowMillis: number): number =>
  when._tag === "At" ? when.epochMillis : nowMillis - when.millis

const info = (name: string, value: string | null, isRepeated: boolean, about: About): FlagInfo => ({
  name,
  alias: about.alias ?? null,
  value,
  repeated: isRepeated,
  description: about.description
})

const withAlias = <A>(options: Options.Options<A>, alias: string | undefined): Options.Options<A> =>
  alias === undefined ? options : Options.withAlias(options, alias)

const read = <A>(name: string, raw: string, how: Read<A>): Effect.Effect<A, ValidationError.ValidationError> =>
  Either.match(how(raw), {
    onLeft: (expected) =>
      Effect.fail(ValidationError.invalidValue(HelpDoc.p(`--${name} "${raw}" is not ${expected}.`))),
    onRight: Effect.succeed
  })
