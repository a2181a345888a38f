/**
 * The grammar of placeholders, shared by prompts and scripts.
 *
 * ```text
 * placeholder = "$" name | "${" [ "raw:" ] [ "#" ] path [ ":" form ] [ ":-" default ] "}"
 * name        = [A-Za-z_][A-Za-z0-9_]*
 * path        = a ValuePath that starts with a name
 * form        = "json" | "lines" | "csv" | glob
 * default     = text that may hold placeholders; braces balance, "\{" and "\}" do not count
 * ```
 *
 * Does not know values: `Template` and `ShellText` decide what a placeholder becomes.
 *
 * @since 0.1.0
 */
import * as Either from "effect/Either"
import * as ValuePath from "./ValuePath.ts"

/**
 * A placeholder and where it stands.
 *
 * @since 0.1.0
 * @category models
 */
export interface Placeholder {
  /** As written, from the dollar sign on. */
  readonly text: string
  /** Of the dollar sign. */
  readonly offset: number
  /** `$NAME`, without braces. */
  readonly bare: boolean
  /** `${raw:…}`: inserted as text even in scripts. */
  readonly raw: boolean
  /** `${#…}`: the length of the value. */
  readonly length: boolean
  /** The path as written. */
  readonly name: string
  readonly path: ValuePath.ValuePath
  /** `json`, `lines`, `csv` or a glob. */
  readonly form: string | null
  /** The text after `:-`, and where it starts. */
  readonly fallback: { readonly text: string; readonly offset: number } | null
}

/**
 * What starts like a placeholder and is none.
 *
 * @since 0.1.0
 * @category models
 */
export interface Malformed {
  readonly text: string
  readonly offset: number
  readonly detail: string
}

/**
 * The placeholder that starts at a dollar sign; null when the dollar sign is just that (`$5`, `$(`, `$.`).
 *
 * @since 0.1.0
 * @category parsing
 */
export const scan = (source: string, offset: number): Either.Either<Placeholder | null, Malformed> => {
  if (source[offset + 1] === "{") {
    return scanBraced(source, offset)
  }
  barePattern.lastIndex = offset + 1
  const name = barePattern.exec(source)?.[0]
  return Either.right(
    name === undefined
      ? null
      : {
          text: `$${name}`,
          offset,
          bare: true,
          raw: false,
          length: false,
          name,
          path: { rooted: false, segments: [name] },
          form: null,
          fallback: null
        }
  )
}

const barePattern = /[A-Za-z_][A-Za-z0-9_]*/y

const scanBraced = (source: string, offset: number): Either.Either<Placeholder, Malformed> => {
  const close = closingBrace(source, offset + 2)
  if (close === -1) {
    return Either.left({ text: source.slice(offset, offset + 40), offset, detail: "the { is not closed" })
  }
  const text = source.slice(offset, close + 1)
  const malformed = (detail: string) => Either.left({ text, offset, detail })
  let start = offset + 2
  const raw = source.startsWith("raw:", start)
  start += raw ? 4 : 0
  const length = source[start] === "#"
  start += length ? 1 : 0
  const scanned = ValuePath.scan(source, start)
  if (Either.isLeft(scanned)) {
    return malformed(scanned.left.detail)
  }
  const { end, path } = scanned.right
  if (path.rooted || end > close) {
    return malformed("expected the name of a variable")
  }
  const rest = source.slice(end, close)
  if (rest !== "" && !rest.startsWith(":")) {
    return malformed(`expected } or : after ${source.slice(start, end)}`)
  }
  const dash = rest.indexOf(":-")
  const form = dash === -1 ? rest.slice(1) : rest.slice(1, dash)
  if (form === "" && (dash > 0 || rest === ":")) {
    return malformed("expected json, lines, csv or a pattern after the colon")
  }
  const fallback = dash === -1 ? null : { text: rest.slice(dash + 2), offset: end + dash + 2 }
  const name = source.slice(start, end)
  return Either.right({ text, offset, bare: false, raw, length, name, path, form: form === "" ? null : form, fallback })
}

const closingBrace = (source: string, start: number): number => {
  let depth = 1
  for (let index = start; index < source.length; index++) {
    const char = source[index]
    if (char === "\\") {
      index++
    } else if (char === "{") {
      depth++
    } else if (char === "}" && --depth === 0) {
      return index
    }
  }
  return -1
}
