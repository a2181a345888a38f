/**
 * Runs something that may fail again and again, as a `retry` says.
 *
 * Owns the loop: which failures, how often, after which waits. Waits go through the clock, jitter through `Random`; an
 * interruption ends a wait at once. Keeps nothing: after a crash the tries begin anew.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Random from "effect/Random"
import type { Failure } from "../domain/Failure.ts"
import * as Retry from "../domain/Retry.ts"
import type { StepRetry } from "../workflow/Workflow.ts"

/**
 * How tries ended. `exhausted` says what was used up, when the last one failed in a way that is tried again; null when it
 * succeeded, or failed otherwise.
 *
 * @since 0.1.0
 * @category models
 */
export interface Tried<A> {
  readonly last: A
  readonly tries: number
  readonly waits: ReadonlyArray<number>
  readonly exhausted: "attempts" | "budget" | null
}

/**
 * Tries once, and on while `retry` says so. `attempt` is given the number of the try, from 1; `onWait` is told before each
 * wait what is waited for. A wait that does not fit in the rest of the budget is not begun.
 *
 * @since 0.1.0
 * @category combinators
 */
export const run = Effect.fnUntraced(function* <A extends { readonly failure: Failure | undefined }, E, R>(
  retry: StepRetry | null,
  attempt: (number: number) => Effect.Effect<A, E, R>,
  onWait: (next: Retry.NextTry) => Effect.Effect<void>
): Effect.fn.Return<Tried<A>, E, R> {
  const waits: Array<number> = []
  let waited = 0
  for (let tries = 1; ; tries++) {
    const last = yield* attempt(tries)
    const ended = (exhausted: Tried<A>["exhausted"]): Tried<A> => ({ last, tries, waits, exhausted })
    if (retry === null || last.failure === undefined || !Retry.isRetried(retry.retry_on, last.failure)) {
      return ended(null)
    }
    if (tries >= retry.times.attempts) return ended("attempts")
    const delay = Retry.delayMillis(retry.times, tries, yield* Random.next)
    if (retry.retry_budget_ms !== null && waited + delay > retry.retry_budget_ms) return ended("budget")
    const atMillis = (yield* Clock.currentTimeMillis) + delay
    yield* onWait({ number: tries + 1, of: retry.times.attempts, atMillis })
    yield* Effect.sleep(delay)
    waits.push(delay)
    waited += delay
  }
})

/**
 * Says how often was tried and how long was waited, for the context of a failure; null when it was tried once.
 *
 * @since 0.1.0
 * @category rendering
 */
export const describe = (tried: Omit<Tried<unknown>, "last">): string | null => {
  if (tried.tries === 1 && tried.exhausted !== "budget") return null
  const shown = tried.waits.slice(-waitsShown).map((wait) => `${wait} ms`)
  const waits = shown.length === 0 ? "" : `, ${shown.length < tried.waits.length ? "last " : ""}after ${list(shown)}`
  const budget = tried.exhausted === "budget" ? "; the next wait is beyond the retry_budget" : ""
  return `tried ${tried.tries === 1 ? "once" : `${tried.tries} times`}${waits}${budget}`
}

const waitsShown = 5

const list = (words: ReadonlyArray<string>): string =>
  words.length === 1 ? words.join() : `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`
