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
    const left = this.left === this.of ? "Nothing" : `${this.left} of ${this.of}`
    return `${left} could ${this.left === this.of ? "" : "not "}be done: ${this.first}`
  }
}
