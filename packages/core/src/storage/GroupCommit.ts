/**
 * Group commit: what many fibers want done is done in batches, one batch at a time.
 *
 * Owns the order (that of the calls) and who hears what (everyone the outcome of the batch that held his item). Does not
 * own what a commit does. A caller cannot be interrupted between handing in an item and hearing of it: nobody has to
 * guess whether an item was committed.
 *
 * @since 0.1.0
 */
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as FiberId from "effect/FiberId"

/**
 * @since 0.1.0
 * @category models
 */
export interface GroupCommit<in A, out E> {
  /** Hands in an item and waits until the batch that holds it is committed. */
  readonly submit: (item: A) => Effect.Effect<void, E>
  /** Hands in an item that the next batch takes along. Nobody waits for it, so nobody hears of its failure. */
  readonly offer: (item: A) => Effect.Effect<void>
  /** Commits what was offered, and waits for what is under way. */
  readonly flush: Effect.Effect<void, E>
}

/**
 * `commit` is called with the items of one batch in the order they came (none, when only a flush was asked for), and
 * never again before it has ended.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, E>(commit: (items: ReadonlyArray<A>) => Effect.Effect<void, E>): GroupCommit<A, E> => {
  let open = emptyBatch<A, E>()
  let running = false

  /**
   * Commits batch after batch, as long as somebody waits for one. Those who heard of the last batch get their turn
   * first: what they hand in next belongs into one batch, not into one each.
   */
  const drain: Effect.Effect<void> = Effect.suspend(() => {
    if (!open.awaited) {
      running = false
      return Effect.void
    }
    const batch = open
    open = emptyBatch()
    return Effect.exit(commit(batch.items)).pipe(
      Effect.flatMap((exit) => Deferred.done(batch.done, exit)),
      Effect.zipRight(Effect.yieldNow()),
      Effect.zipRight(drain)
    )
  })

  /** Who comes alone commits at once in his own fiber; those who came meanwhile are served by one of its own. */
  const enter = (items: ReadonlyArray<A>) =>
    Effect.uninterruptible(
      Effect.suspend(() => {
        const batch = open
        batch.items.push(...items)
        if (running) {
          batch.awaited = true
          return Deferred.await(batch.done)
        }
        running = true
        open = emptyBatch()
        return Effect.onExit(commit(batch.items), () => (open.awaited ? Effect.forkDaemon(drain) : drain))
      })
    )

  return {
    submit: (item) => enter([item]),
    offer: (item) => Effect.sync(() => void open.items.push(item)),
    flush: enter([])
  }
}

interface Batch<A, E> {
  readonly items: Array<A>
  readonly done: Deferred.Deferred<void, E>
  awaited: boolean
}

const emptyBatch = <A, E>(): Batch<A, E> => ({
  items: [],
  done: Deferred.unsafeMake<void, E>(FiberId.none),
  awaited: false
})
