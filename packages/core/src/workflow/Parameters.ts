/**
 * Parameters given to a workflow from outside.
 *
 * Owns the question whether they are used. Does not fill them in; see `Variables`.
 *
 * @since 0.1.0
 */
import { didYouMean } from "../domain/DidYouMean.ts"

/**
 * A parameter that no text of a workflow names, so that it changes nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Unused {
  readonly name: string
  readonly suggestions: ReadonlyArray<string>
}

/**
 * The parameters that are named nowhere in the texts of a workflow. A name that stands there as a word counts as used,
 * whatever it means: no parameter that has an effect is among them.
 *
 * @since 0.1.0
 * @category getters
 */
export const unused = (workflow: object, parameters: Iterable<string>): ReadonlyArray<Unused> => {
  const texts = [...textsOf(workflow)]
  const words = new Set(texts.flatMap((text) => text.match(/[A-Za-z0-9_]+/g) ?? []))
  const variables = new Set(texts.flatMap((text) => [...text.matchAll(variable)].map(([, name = ""]) => name)))
  return [...parameters]
    .filter((name) => !name.split(/[^A-Za-z0-9_]+/).every((word) => words.has(word)))
    .map((name) => ({ name, suggestions: didYouMean(name, variables) }))
}

const variable = /\$\{?(?:raw:|#)?([A-Za-z_][A-Za-z0-9_]*)/g

function* textsOf(value: unknown): Generator<string> {
  if (typeof value === "string") yield value
  else if (typeof value === "object" && value !== null) {
    for (const member of Array.isArray(value) ? value : Object.values(value)) yield* textsOf(member)
  }
}
