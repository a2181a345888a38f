/**
 * What the hand-written readers of this room share: a failure with its place, and matching at an offset.
 *
 * @since 0.1.0
 */

/**
 * What is wrong with a text, and the 0-based offset where.
 *
 * @since 0.1.0
 * @category errors
 */
export interface Failure {
  readonly offset: number
  readonly detail: string
}

/**
 * What a sticky pattern matches at an offset; empty when it does not.
 *
 * @since 0.1.0
 * @category scanning
 */
export const match = (pattern: RegExp, text: string, offset: number): string => {
  pattern.lastIndex = offset
  return pattern.exec(text)?.[0] ?? ""
}

/**
 * The first offset, at or after one, without white space.
 *
 * @since 0.1.0
 * @category scanning
 */
export const skipSpace = (text: string, offset: number): number => offset + match(spacePattern, text, offset).length

const spacePattern = /\s*/y
