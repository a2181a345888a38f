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
 * What the script's own variables hold. A script is read again until nothing is found that was not known, so that a name
 * may be used on a line above the one that gives it its value.
 *
 * @since 0.1.0
 * @category models
 */
export interface Names {
  /** Those that hold a value that is no whole number; `@` for the arguments of the script and of its functions. */
  readonly data: Map<string, DataToken>
  readonly functions: Set<string>
  /** Those that the script declares to be numbers: bash calculates whatever is assigned. */
  readonly integers: Set<string>
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
