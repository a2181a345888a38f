/**
 * Names that may become one component of a path.
 *
 * Owns the rule (`[A-Za-z0-9._-]`, no leading dot, at most 128 bytes) and the reversible encoding of free text into
 * such a name. Does not own where the names are used.
 *
 * @since 0.1.0
 */
import * as Schema from "effect/Schema"

/**
 * Longest name in bytes (and, the alphabet being ASCII, in characters).
 *
 * @since 0.1.0
 * @category models
 */
export const bytesMax = 128

const pattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}$/

/**
 * A string that is safe as one component of a path on every file system we run on.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SafeName = Schema.String.pipe(
  Schema.pattern(pattern, {
    message: () => `a name of 1 to ${bytesMax} characters out of A-Z a-z 0-9 . _ - that does not start with a dot`
  })
)

/**
 * Whether a text can be joined to a path as it is.
 *
 * @since 0.1.0
 * @category refinements
 */
export const isSafe = (text: string): boolean => pattern.test(text)

const plain = /^[A-Za-z0-9._-]$/

/**
 * Encodes free text as a file-name stem: each byte outside the alphabet, a leading dot, and `%` itself become `%XX`.
 *
 * Guarantees: two different texts never give the same stem (stems that would be longer than `bytesMax` end in the
 * caller's digest, which must be a collision-resistant hash in lower-case hex); the stem never contains a separator and
 * never is `.` or `..`. Short stems are reversible with `decodeURIComponent`, unless the text has unpaired surrogates,
 * which UTF-8 cannot carry: those are encoded as WTF-8 does. On a file system that ignores case, texts that differ only
 * in case are one file: stems keep the case of their letters.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (text: string, digest: (text: string) => string): string => {
  let stem = ""
  for (const char of text) {
    stem += plain.test(char) && !(stem === "" && char === ".") ? char : escape(char)
  }
  if (stem.length > 0 && stem.length <= bytesMax) return stem
  // The digest is of the stem and not of the text: a hash of UTF-8 bytes would make all unpaired surrogates equal.
  return `${stem.slice(0, 60)}%~${digest(stem).slice(0, 32)}`
}

const escape = (char: string): string => {
  const code = char.codePointAt(0) ?? 0
  const unpaired = code >= 0xd800 && code <= 0xdfff
  const bytes = unpaired ? [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 0x3f), 0x80 | (code & 0x3f)] : utf8.encode(char)
  return Array.from(bytes, (byte) => `%${byte.toString(16).toUpperCase().padStart(2, "0")}`).join("")
}

const utf8 = new TextEncoder()
