/**
 * Patterns over file paths: `*.ts`, `src/**\/*.test.ts`, `docs/{guide,api}/?.md`.
 *
 * As in `.gitignore`, a pattern without `/` is about the file name, wherever the file is.
 *
 * @since 0.1.0
 */
import picomatch from "picomatch"

/**
 * A test for the paths that a pattern matches, whole. Brackets stand for themselves (`app/[id].tsx`).
 *
 * @since 0.1.0
 * @category constructors
 */
export const matcher = (pattern: string): ((path: string) => boolean) => {
  const matches = picomatch(pattern, { dot: true, nobracket: true, noextglob: true, basename: !pattern.includes("/") })
  // Called with more, as by `filter`, it would answer with an object, which is true.
  return (path) => matches(path)
}
