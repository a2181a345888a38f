/**
 * Colours by what they mean.
 *
 * @since 0.1.0
 */
import pico from "picocolors"

/**
 * Colours by meaning; each is the identity where colours are off.
 *
 * @since 0.1.0
 * @category models
 */
export interface Style {
  readonly bold: (text: string) => string
  readonly dim: (text: string) => string
  readonly good: (text: string) => string
  readonly bad: (text: string) => string
  readonly warn: (text: string) => string
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const style = (colours: boolean): Style => {
  const colour = pico.createColors(colours)
  return { bold: colour.bold, dim: colour.dim, good: colour.green, bad: colour.red, warn: colour.yellow }
}

/**
 * No colours: for files, pipes and tests.
 *
 * @since 0.1.0
 * @category constructors
 */
export const plain: Style = style(false)
