/**
 * The nearest known words to one that is not known.
 *
 * @since 0.1.0
 */
import { distance } from "fastest-levenshtein"

/**
 * Most suggestions given for one word.
 *
 * @since 0.1.0
 * @category models
 */
export const suggestionsMax = 3

/**
 * The known words that a typing error could have turned into `word`, nearest first; none when nothing is near. A word
 * that is the beginning of a known one counts as near. Case does not count.
 *
 * @since 0.1.0
 * @category suggestions
 */
export const didYouMean = (word: string, known: Iterable<string>): ReadonlyArray<string> => {
  const typed = word.toLowerCase()
  const far = Math.max(1, Math.floor(typed.length / 3))
  const near: Array<{ readonly word: string; readonly far: number }> = []
  for (const candidate of new Set(known)) {
    const other = candidate.toLowerCase()
    const steps = typed.length > 1 && other.startsWith(typed) ? 0 : isSwapped(typed, other) ? 1 : distance(typed, other)
    if (steps <= far) near.push({ word: candidate, far: steps })
  }
  return near
    .sort((a, b) => a.far - b.far || (a.word < b.word ? -1 : 1))
    .slice(0, suggestionsMax)
    .map((candidate) => candidate.word)
}

/** Whether two neighbouring letters are the wrong way round, and nothing else. */
const isSwapped = (a: string, b: string): boolean => {
  if (a.length !== b.length) return false
  let at = 0
  while (at < a.length && a[at] === b[at]) at++
  return a[at] === b[at + 1] && a[at + 1] === b[at] && a.slice(at + 2) === b.slice(at + 2) && at + 1 < a.length
}

/**
 * A sentence that offers the suggestions; null when there are none.
 *
 * @since 0.1.0
 * @category suggestions
 */
export const sentence = (suggestions: ReadonlyArray<string>): string | null =>
  suggestions.length === 0 ? null : `Did you mean ${suggestions.join(" or ")}?`
