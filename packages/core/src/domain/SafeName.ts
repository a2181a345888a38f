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
 * caller's digest, which must be a collision-resistant hash of the text in lower-case hex); the stem never contains a
 * separator and never is `.` or `..`. Short stems are reversible with `decodeURIComponent` except for unpaired
 * surrogates, which UTF-8 cannot carry.
 *
 * @since 0.1.0
 * @category encoding
 */
export const encode = (text: string, digest: (text: string) => string): string => {
  const bytes = new TextEncoder().encode(text)
  let stem = ""
  for (let index = 0; index < bytes.length; index++) {
    const byte = bytes[index]!
    const char = String.fromCharCode(byte)
    const keep = byte < 128 && plain.test(char) && !(index === 0 && char === ".")
    stem += keep ? char : `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
  }
  if (stem.length > 0 && stem.length <= bytesMax) return stem
  return `${stem.slice(0, 60)}%~${digest(text).slice(0, 32)}`
}
