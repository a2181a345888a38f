/**
 * The names a template may use, and where their values came from.
 *
 * Owns lookup (`a.b`, `a[0]`, `a.0`, `a[-1]`) and the difference between what the author wrote and what came from
 * outside, which decides how a value may enter a shell script. Does not own the path grammar (`ValuePath`), the text of
 * a value (`Template`) or what is put in a scope (the engine).
 *
 * @since 0.1.0
 */
import { distance } from "fastest-levenshtein"
import type { Json } from "../domain/WorkItem.ts"
import * as ValuePath from "./ValuePath.ts"

/**
 * A scope: top-level name to value. `author` values (env, parameters, counters, git context) are inserted as text;
 * `data` values (items, captures, outputs, agents) never become code. A name in both is `data`.
 *
 * A name may be dotted (`map.total`); it and an object of the name `map` live side by side, the longer name wins.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scope {
  readonly author: Readonly<Record<string, Json>>
  readonly data: Readonly<Record<string, Json>>
}

/**
 * Who wrote a value.
 *
 * @since 0.1.0
 * @category models
 */
export type Origin = "author" | "data"

/**
 * A value that a path led to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found {
  readonly value: Json
  readonly origin: Origin
}

/**
 * A scope without names.
 *
 * @since 0.1.0
 * @category constructors
 */
export const empty: Scope = { author: {}, data: {} }

/**
 * A scope with further values; later ones win.
 *
 * @since 0.1.0
 * @category combinators
 */
export const extend = (scope: Scope, more: Partial<Scope>): Scope => ({
  author: more.author === undefined ? scope.author : { ...scope.author, ...more.author },
  data: more.data === undefined ? scope.data : { ...scope.data, ...more.data }
})

/**
 * The value a path leads to; `undefined` when there is none. Null is a value.
 *
 * The longest name that leads somewhere wins, `data` before `author`: `steps.build.output` is looked for as the name
 * `steps.build.output`, then as `output` in `steps.build`, then as `build.output` in `steps`.
 *
 * @since 0.1.0
 * @category getters
 */
export const lookup = (scope: Scope, path: ValuePath.ValuePath): Found | undefined => {
  for (let length = path.segments.length; length > 0; length--) {
    const name = path.segments.slice(0, length).join(".")
    const rest: ValuePath.ValuePath = { rooted: true, segments: path.segments.slice(length) }
    for (const origin of origins) {
      const value = Object.hasOwn(scope[origin], name) ? ValuePath.get(rest, scope[origin][name] ?? null) : undefined
      if (value !== undefined) {
        return { value, origin }
      }
    }
  }
  return undefined
}

/**
 * The top-level names of a scope, sorted, each once.
 *
 * @since 0.1.0
 * @category getters
 */
export const names = (scope: Scope): ReadonlyArray<string> =>
  [...new Set([...Object.keys(scope.data), ...Object.keys(scope.author)])].sort()

/**
 * The names nearest to one that is not there, nearest first, at most three. Looks into objects too: for `item.pth` it
 * finds `item.path`.
 *
 * @since 0.1.0
 * @category getters
 */
export const suggest = (scope: Scope, path: string): ReadonlyArray<string> => {
  const candidates = new Set<string>()
  for (const origin of origins) {
    for (const [name, value] of Object.entries(scope[origin])) {
      addPaths(candidates, name, value, 0)
    }
  }
  return nearest(path, candidates)
}

/**
 * The candidates nearest to a text, nearest first, at most three; none that has little in common with it.
 *
 * @since 0.1.0
 * @category getters
 */
export const nearest = (text: string, candidates: Iterable<string>): ReadonlyArray<string> => {
  const wanted = text.toLowerCase()
  const far = Math.max(2, Math.floor(text.length / 3))
  return [...candidates]
    .map((name) => ({ name, far: distance(wanted, name.toLowerCase()) }))
    .filter((candidate) => candidate.far <= far)
    .sort((a, b) => a.far - b.far || (a.name < b.name ? -1 : 1))
    .slice(0, suggestionsMax)
    .map((candidate) => candidate.name)
}

const origins = ["data", "author"] as const
const suggestionsMax = 3
// An item may be large; a suggestion from deep inside it helps nobody
const candidatesMax = 500
const candidateDepthMax = 3

const addPaths = (candidates: Set<string>, name: string, value: Json, depth: number): void => {
  if (candidates.size >= candidatesMax) {
    return
  }
  candidates.add(name)
  if (depth < candidateDepthMax && typeof value === "object" && value !== null && !Array.isArray(value)) {
    for (const [key, member] of Object.entries(value)) {
      addPaths(candidates, `${name}.${key}`, member, depth + 1)
    }
  }
}
