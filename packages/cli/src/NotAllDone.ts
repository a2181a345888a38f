/**
 * A command that did a part of what it was to do.
 *
 * @since 0.1.0
 */
import * as Data from "effect/Data"

/**
 * `first` is why the first of those that are left was left.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotAllDone extends Data.TaggedError("NotAllDone")<{
  readonly left: number
  readonly of: number
  readonly first: string
}> {
  override get message() {
    return `${this.left} of ${this.of} could not be done. The first: ${this.first}`
  }
}
