/**
 * Patterns over file paths: `*.ts`, `src/**\/*.test.ts`, `docs/{guide,api}/?.md`.
 *
 * | pattern | matches |
 * | - | - |
 * | `*` | any text without `/` |
 * | `?` | one character, not `/` |
 * | `**` | any text; as `**\/` also no directory at all |
 * | `{a,b}` | `a` or `b`, each a pattern; not nested |
 *
 * Everything else stands for itself, brackets too (`app/[id].tsx`). As in `.gitignore`, a pattern without `/` is about
 * the file name, wherever the file is. Matching takes linear time.
 *
 * @since 0.1.0
 */
import { RE2JS } from "re2js"

/**
 * A test for the paths that a pattern matches, whole.
 *
 * @since 0.1.0
 * @category constructors
 */
export const matcher = (pattern: string): ((path: string) => boolean) => {
  const compiled = RE2JS.compile(toRegex(pattern), RE2JS.DOTALL)
  return (path) => compiled.matches(path)
}

const toRegex = (pattern: string): string =>
  (pattern.includes("/") ? "" : "(?:.*/)?") +
  pattern.replace(tokenPattern, (token) => {
    if (token.length > 2 && token.startsWith("{")) {
      const alternatives = token.slice(1, -1).split(",")
      return `(?:${alternatives.map((alternative) => alternative.replace(tokenPattern, tokenToRegex)).join("|")})`
    }
    return tokenToRegex(token)
  })

const tokenPattern = /(?<=^|\/)\*\*\/|\*\*|\{[^{}]*\}|[^]/gu

const tokenToRegex = (token: string): string => {
  switch (token) {
    case "**/":
      return "(?:.*/)?"
    case "**":
      return ".*"
    case "*":
      return "[^/]*"
    case "?":
      return "[^/]"
    default:
      return RE2JS.quote(token)
  }
}
