/**
 * Templates: `${path}`, `$NAME`, `${path:-default}`, `${#path}`, `${path:json|lines|csv|glob}`, `\${…}` in prompts, files
 * and paths.
 *
 * Owns what a placeholder becomes: how a value becomes text, when a default stands in, and the error for what is not
 * known. `Placeholder` owns the grammar, `ShellText` the way into scripts.
 *
 * - A value that is missing, null, `""`, `[]` or `{}` gives way to the default, which may hold placeholders itself.
 * - A dollar sign that starts neither `${` nor a name is text: `$5`, `$(`, `$$`.
 * - `\$` is a dollar sign that starts nothing. Backslashes elsewhere are text; before a dollar sign, `\\` is one.
 * - `$NAME` of an unknown name is an error like `${NAME}`: in a prompt, write `\$HOME` for the text `$HOME`.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import type { Json } from "../domain/WorkItem.ts"
import * as Glob from "./Glob.ts"
import * as Placeholder from "./Placeholder.ts"
import * as Variables from "./Variables.ts"

/**
 * A template names something that does not exist, cannot be read, or would put a value where it must not stand
 * (`unsafe_value`: only in scripts).
 *
 * @since 0.1.0
 * @category errors
 */
export class TemplateError extends Schema.TaggedError<TemplateError>("@prodigy/core/workflow/Template/TemplateError")(
  "TemplateError",
  {
    template: Schema.String,
    placeholder: Schema.String,
    offset: Schema.Int,
    reason: Schema.Literal("unknown_variable", "syntax", "unsafe_value"),
    detail: Schema.String,
    suggestions: Schema.Array(Schema.String)
  }
) {
  override get message() {
    const meant = this.suggestions.length === 0 ? "" : ` Known and near: ${this.suggestions.join(", ")}.`
    return `${this.placeholder}: ${this.detail}.${meant}`
  }
}

/**
 * Where text goes: elements of a list are joined by `, ` in a prompt and by one space in a script.
 *
 * @since 0.1.0
 * @category models
 */
export type Style = "prompt" | "shell"

/**
 * Fills in a template for a prompt, a file or a path.
 *
 * @since 0.1.0
 * @category rendering
 */
export const render = (template: string, scope: Variables.Scope): Either.Either<string, TemplateError> =>
  renderPart(template, scope, whole(template))

/**
 * The placeholders of a template, in their order, those in a default after the one it belongs to.
 *
 * @since 0.1.0
 * @category parsing
 */
export const placeholders = (
  template: string
): Either.Either<ReadonlyArray<Placeholder.Placeholder>, TemplateError> => {
  const found: Array<Placeholder.Placeholder> = []
  const failed = collect(template, whole(template), found)
  return failed === undefined ? Either.right(found) : Either.left(failed)
}

/**
 * Whether what a template gives holds a value from outside: from `Scope.data`, and not by `${raw:…}` or as a length.
 *
 * @since 0.1.0
 * @category predicates
 */
export const holdsData = (template: string, scope: Variables.Scope): boolean =>
  Either.match(placeholders(template), {
    onLeft: () => false,
    onRight: (all) =>
      all.some(({ length, path, raw }) => !raw && !length && Variables.lookup(scope, path)?.origin === "data")
  })

/**
 * What is wrong with a template before there are values: its syntax, and the names that are not among the known ones.
 * A name is known when it or a dotted beginning of it is; fields of values and names with a default are not checked.
 *
 * @since 0.1.0
 * @category parsing
 */
export const check = (template: string, knownNames: Iterable<string>): ReadonlyArray<TemplateError> => {
  const known = new Set(knownNames)
  return Either.match(placeholders(template), {
    onLeft: (error) => [error],
    onRight: (found) =>
      found
        .filter((placeholder) => placeholder.fallback === null && !isKnown(placeholder, known))
        .map((placeholder) => unknownVariable(template, placeholder, Variables.nearest(placeholder.name, known)))
  })
}

/**
 * What a placeholder is in a scope: text, its default, or nothing that is known.
 *
 * @since 0.1.0
 * @category models
 */
export type Resolved =
  | { readonly _tag: "Text"; readonly text: string; readonly origin: Variables.Origin }
  | { readonly _tag: "Fallback"; readonly fallback: { readonly text: string; readonly offset: number } }
  | { readonly _tag: "Unknown" }

/**
 * Looks a placeholder up and makes text of its value. Fails when a glob meets a value that is no list.
 *
 * A length is the author's: digits can do no harm, whoever wrote what was counted.
 *
 * @since 0.1.0
 * @category rendering
 */
export const resolve = (
  template: string,
  placeholder: Placeholder.Placeholder,
  scope: Variables.Scope,
  style: Style
): Either.Either<Resolved, TemplateError> => {
  const { fallback, form } = placeholder
  const found = Variables.lookup(scope, placeholder.path)
  if (found === undefined) {
    return Either.right(fallback === null ? { _tag: "Unknown" } : { _tag: "Fallback", fallback })
  }
  const value = isGlob(form) ? filterPaths(form, found.value) : found.value
  if (value === null && found.value !== null) {
    const detail = `the pattern ${form ?? ""} needs a list of texts`
    return Either.left(error(template, placeholder, "syntax", detail))
  }
  if (fallback !== null && isEmpty(value)) {
    return Either.right({ _tag: "Fallback", fallback })
  }
  return Either.right(
    placeholder.length
      ? { _tag: "Text", text: String(lengthOf(value)), origin: "author" }
      : { _tag: "Text", text: toForm(value, form, style), origin: found.origin }
  )
}

/**
 * The text of a value: strings as they are, null empty, numbers and booleans plain, lists of scalars joined, everything
 * else as JSON.
 *
 * @since 0.1.0
 * @category rendering
 */
export const toText = (value: Json, style: Style): string => {
  if (isList(value)) {
    return value.every(isScalar) ? value.map(scalarText).join(style === "prompt" ? ", " : " ") : JSON.stringify(value)
  }
  return isScalar(value) ? scalarText(value) : JSON.stringify(value)
}

/**
 * The error for a placeholder whose name leads nowhere.
 *
 * @since 0.1.0
 * @category errors
 */
export const unknownVariable = (
  template: string,
  placeholder: Placeholder.Placeholder,
  suggestions: ReadonlyArray<string>
): TemplateError => {
  const detail = `unknown variable ${placeholder.name} (write \\${placeholder.bare ? "$" : "${"} when it is meant as text)`
  return error(template, placeholder, "unknown_variable", detail, suggestions)
}

/**
 * Whether a placeholder's name, or a dotted beginning of it, is among the known names.
 *
 * @since 0.1.0
 * @category parsing
 */
export const isKnown = (placeholder: Placeholder.Placeholder, known: ReadonlySet<string>): boolean =>
  placeholder.path.segments.some((_, index, segments) => known.has(segments.slice(0, index + 1).join(".")))

/** A stretch of a template; in a default, `\{` and `\}` are braces. */
interface Part {
  readonly start: number
  readonly end: number
  readonly fallback: boolean
}

const whole = (template: string): Part => ({ start: 0, end: template.length, fallback: false })

const fallbackPart = (fallback: { readonly text: string; readonly offset: number }): Part => ({
  start: fallback.offset,
  end: fallback.offset + fallback.text.length,
  fallback: true
})

const renderPart = (template: string, scope: Variables.Scope, part: Part): Either.Either<string, TemplateError> =>
  Either.gen(function* () {
    let text = ""
    for (const piece of yield* parse(template, part)) {
      if (typeof piece === "string") {
        text += piece
        continue
      }
      const resolved = yield* resolve(template, piece, scope, "prompt")
      if (resolved._tag === "Unknown") {
        return yield* Either.left(unknownVariable(template, piece, Variables.suggest(scope, piece.name)))
      }
      text +=
        resolved._tag === "Text" ? resolved.text : yield* renderPart(template, scope, fallbackPart(resolved.fallback))
    }
    return text
  })

const collect = (template: string, part: Part, into: Array<Placeholder.Placeholder>): TemplateError | undefined => {
  const parsed = parse(template, part)
  if (Either.isLeft(parsed)) {
    return parsed.left
  }
  for (const piece of parsed.right) {
    if (typeof piece !== "string") {
      into.push(piece)
      const failed = piece.fallback === null ? undefined : collect(template, fallbackPart(piece.fallback), into)
      if (failed !== undefined) {
        return failed
      }
    }
  }
  return undefined
}

const parse = (
  template: string,
  part: Part
): Either.Either<ReadonlyArray<string | Placeholder.Placeholder>, TemplateError> => {
  // Placeholders must end where the part does
  const source = template.slice(0, part.end)
  const pieces: Array<string | Placeholder.Placeholder> = []
  let index = part.start
  while (index < source.length) {
    specialPattern.lastIndex = index
    const special = specialPattern.exec(source)?.index ?? source.length
    pieces.push(source.slice(index, special))
    index = special
    if (source[index] === "\\") {
      const [text, end] = readBackslashes(source, index, part.fallback)
      pieces.push(text)
      index = end
    } else if (source[index] === "$") {
      const scanned = Placeholder.scan(source, index)
      if (Either.isLeft(scanned)) {
        return Either.left(error(template, scanned.left, "syntax", scanned.left.detail))
      }
      pieces.push(scanned.right ?? "$")
      index += scanned.right?.text.length ?? 1
    }
  }
  return Either.right(pieces)
}

const specialPattern = /[\\$]/g

/** The text that a run of backslashes (and the character it escapes) stands for, and where it ends. */
const readBackslashes = (source: string, start: number, fallback: boolean): readonly [string, number] => {
  let end = start
  while (source[end] === "\\") {
    end++
  }
  const next = source[end] ?? ""
  if (next !== "$" && !(fallback && (next === "{" || next === "}"))) {
    return [source.slice(start, end), end]
  }
  const count = end - start
  const half = "\\".repeat(Math.floor(count / 2))
  return count % 2 === 0 ? [half, end] : [half + next, end + 1]
}

const error = (
  template: string,
  at: { readonly text: string; readonly offset: number },
  reason: TemplateError["reason"],
  detail: string,
  suggestions: ReadonlyArray<string> = []
): TemplateError =>
  new TemplateError({ template, placeholder: at.text, offset: at.offset, reason, detail, suggestions })

const isList = (value: Json): value is ReadonlyArray<Json> => Array.isArray(value)

const isScalar = (value: Json): value is string | number | boolean | null => value === null || typeof value !== "object"

const scalarText = (value: string | number | boolean | null): string => (value === null ? "" : String(value))

const isEmpty = (value: Json): boolean =>
  value === null || value === "" || (typeof value === "object" && Object.keys(value).length === 0)

const lengthOf = (value: Json): number => {
  if (isList(value)) {
    return value.length
  }
  return isScalar(value) ? [...scalarText(value)].length : Object.keys(value).length
}

const toForm = (value: Json, form: string | null, style: Style): string => {
  const elements = isList(value) ? value : [value]
  switch (form) {
    case "json":
      return JSON.stringify(value)
    case "lines":
      return elements.map((element) => toText(element, style)).join("\n")
    case "csv":
      return elements.map((element) => csvField(toText(element, style))).join(",")
    default:
      return toText(value, style)
  }
}

const csvField = (text: string): string => (/[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text)

const isGlob = (form: string | null): form is string =>
  form !== null && form !== "json" && form !== "lines" && form !== "csv"

/** The texts that match; null when the value is no list of texts. */
const filterPaths = (pattern: string, value: Json): Json => {
  if (!isList(value) || !value.every((element) => typeof element === "string")) {
    return null
  }
  const matches = Glob.matcher(pattern)
  return value.filter((element) => matches(String(element)))
}
