/**
 * What makes two failures the same: a text that is equal for equal causes and says what they have in common.
 *
 * Owns the algorithm. It is pure, total on any text, and bounded in time and length; the text is kept in dead letters, so a
 * change of the algorithm parts old letters from new ones and belongs into the changelog.
 *
 * A signature is `{error_type}[:{exit_code}]|{step}|{text}`: the cause, the step as the workflow names it, and the message
 * with everything taken out that differs from item to item. In this order:
 *
 * | what | becomes |
 * |---|---|
 * | colours and control characters | a space |
 * | what stands in quotes (`"`, `'`, backtick, typographic ones) | `<value>` |
 * | URLs | `<url>` |
 * | dates, times of day | `<time>` |
 * | mail, IP and MAC addresses, with their ports | `<address>` |
 * | paths, and names of files with a well-known extension; with line and column | `<path>` |
 * | durations, sizes | `<duration>`, `<size>` |
 * | UUIDs, hashes, memory addresses, long ids, numbers | `<n>` |
 * | a list of one of them, however long | one of it |
 * | white space | one space |
 *
 * Only the first 2048 characters of a message count, and 200 of the result; 120 of the step.
 *
 * @since 0.1.0
 */
import type { Failure } from "./Failure.ts"

/**
 * Most characters of a signature.
 *
 * @since 0.1.0
 * @category models
 */
export const charsMax = 400

/** Bounds the work on a message that is a whole log. */
const messageCharsMax = 2048
const textCharsMax = 200
const stepCharsMax = 120

/**
 * The signature of a failure. Never empty.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromFailure = ({ cause, message, step }: Pick<Failure, "cause" | "message" | "step">): string => {
  const code = cause.error_type === "CommandFailed" ? `:${cause.exit_code}` : ""
  return `${cause.error_type}${code}|${cut(oneLine(step ?? ""), stepCharsMax)}|${common(message)}`
}

/**
 * What a message has in common with those of the same cause.
 *
 * @since 0.1.0
 * @category combinators
 */
export const common = (message: string): string => {
  let text = cut(message, messageCharsMax)
  for (const [pattern, replacement] of rules) text = text.replace(pattern, replacement)
  return cut(oneLine(text), textCharsMax)
}

const month = "(?:Jan|Feb|Mar|Apr|May|June?|July?|Aug|Sept?|Oct|Nov|Dec)[a-z]*"
const weekday = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[a-z]*"
const clock = "\\d{1,2}:\\d\\d:\\d\\d(?:[.,]\\d+)?"
const zone = "(?: ?(?:Z|GMT|UTC|[+-]\\d\\d:?\\d\\d))?"
/** Line and column behind a path. */
const place = "(?:(?::\\d+){1,3}|\\(\\d+(?:[,:] ?\\d+)?\\))?"
/** Of an IPv6 address. */
const group = "[0-9a-f]{1,4}"
const groups = `${group}(?::${group})*`
const number = "\\d+(?:[.,]\\d+)*"
const extensions =
  "c|cc|cfg|conf|cpp|cs|css|csv|cts|go|h|hpp|htm|html|ini|java|jpe?g|js|json|jsonl|jsx|kt|less|lock|log|lua|mdx?|mjs|mts|php|pl|png|proto|py|rb|rs|s[ac]ss|scala|sh|sql|svelte|svg|swift|toml|ts|tsx|txt|vue|xml|ya?ml"

const rules: ReadonlyArray<readonly [RegExp, string]> = [
  // oxlint-disable-next-line no-control-regex -- colour codes begin with one
  [/\u001b\[[0-9;?]*[A-Za-z]/g, ""],
  // oxlint-disable-next-line no-control-regex -- these are what is taken out
  [/[\u0000-\u001f\u007f-\u009f]/g, " "],
  [/"(?:\\.|[^"\\])*"|`[^`]*`|“[^”]*”|‘[^’]*’|«[^»]*»/g, "<value>"],
  // Of a message that was cut off inside of quotes.
  [/["`“«][^"`”»]*$/, "<value>"],
  // An apostrophe inside a word opens and closes nothing: "can't find 'x'".
  [/(?<!\w)'.*?'(?!\w)/g, "<value>"],
  [/\b[a-z][a-z0-9+.-]{1,15}:\/\/[^\s<>|]*[^\s<>|.,;:)\]]/gi, "<url>"],
  [/\b\d{4}[-/]\d\d[-/]\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?(?![\w/-])/g, "<time>"],
  [
    new RegExp(
      `\\b(?:${weekday},? )?(?:\\d{1,2} ${month}(?: \\d{4})?|${month} +\\d{1,2}(?:,? \\d{4})?)(?:,? ${clock}${zone})?\\b(?! *:)`,
      "g"
    ),
    "<time>"
  ],
  [/\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/gi, "<n>"],
  [/\b0x[0-9a-f]+\b/gi, "<n>"],
  [/[\w.+-]+@[\w-]+(?:\.[\w-]+)+/g, "<address>"],
  [/\b(?:[0-9a-f]{2}[:-]){5}[0-9a-f]{2}\b/gi, "<address>"],
  [/(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?(?![\d.]*\d)/g, "<address>"],
  [new RegExp(`(?:(?<!\\w)[a-z]:|[\\w.@~-]+|(?<!\\w))(?:\\\\[^\\s\\\\/:;,()<>|="'\`]+)+\\\\?${place}`, "gi"), "<path>"],
  [new RegExp(`(?:[^\\s/:;,()<>|="'\`]*\\/)+[^\\s/:;,()<>|="'\`]*${place}`, "g"), "<path>"],
  [new RegExp(`(?<![\\w.@-])[\\w@.+-]*[\\w-]\\.(?:${extensions})(?![\\w-]|\\.\\w)${place}`, "gi"), "<path>"],
  [
    new RegExp(
      `(?<![\\w:.])\\[?(?=[0-9a-f:]*\\d)(?:${group}(?::${group}){7}|(?:${groups})?::(?:${groups})?)\\]?(?![\\w:])`,
      "gi"
    ),
    "<address>"
  ],
  [new RegExp(`(?<![\\w:])${clock}${zone}(?![\\w:])`, "g"), "<time>"],
  [
    new RegExp(
      `(?<![\\w.,])${number}(?:[mhs]|[mnuµ]s|\\s?(?:ms|s|m?secs?|(?:milli)?seconds?|mins?|minutes?|hrs?|hours?|days?))(?:[ ,]{0,2}${number}(?:[mhs]|ms))*(?!\\w)`,
      "g"
    ),
    "<duration>"
  ],
  [new RegExp(`(?<![\\w.,])${number}\\s?(?:bytes?|[kKMGTP]i?B|B)(?!\\w)`, "g"), "<size>"],
  // One placeholder for numbers and hashes: a short hash may happen to have no letter, a number may be long.
  [/\b(?=[a-z_-]*\d[a-z_-]*\d)(?=[\w-]*[a-z])[\w-]{16,}(?![\w-])/gi, "<n>"],
  [/\b(?:[a-f]*\d[0-9a-f]*|[a-f]{7,})\b/gi, "<n>"],
  [/\d+(?:[.,]\d+)*/g, "<n>"],
  [/<n>(?:[.,]<n>)+/g, "<n>"],
  [/(<(?:value|url|address|path)>)(?:(?:, ?| and | or | ){1,2}\1)+/g, "$1"]
]

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim()

/** Half a pair of surrogates at the cut goes as well. */
const cut = (text: string, charsMax: number): string =>
  text.length <= charsMax ? text : text.slice(0, charsMax).replace(/[\ud800-\udbff]$/, "")
