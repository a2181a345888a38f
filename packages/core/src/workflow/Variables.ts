/**
 * The names a template may use, and where their values came from.
 *
 * Owns lookup (`a.b`, `a[0]`, `a.0`, `a[-1]`) and the difference between what the author wrote and what came from
 * outside, which decides how a value may enter a shell script.
 *
 * @since 0.1.0
 */
import type { Json } from "../domain/WorkItem.ts"

/**
 * A scope: top-level name to value. `author` values (env, parameters, counters, git context) are inserted as text;
 * `data` values (items, captures, outputs, agents) never become code. A name in both is `data`.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scope {
  readonly author: Readonly<Record<string, Json>>
  readonly data: Readonly<Record<string, Json>>
}

/**
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
