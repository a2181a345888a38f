/**
 * The words of a command, and the values in them.
 *
 * @since 0.1.0
 */

/**
 * A value in a script: the variable it is in, and where the placeholder was.
 *
 * @since 0.1.0
 * @category models
 */
export interface DataToken {
  readonly _tag: "Data"
  readonly variable: string
  /** Whether the value is a whole number, safe in arithmetic. */
  readonly integer: boolean
  readonly text: string
  readonly offset: number
}

/**
 * A value where it could run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Problem {
  readonly token: DataToken
  readonly detail: string
}

/**
 * The word being read: its text without quotes, and the values in it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Word {
  text: string
  started: boolean
  quoted: boolean
  data: DataToken | null
  startsWithData: boolean
}
