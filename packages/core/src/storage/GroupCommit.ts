/**
 * Group commit: what many fibers want done is done in batches, one batch at a time.
 *
 * Owns the order (that of the calls) and who hears what (everyone the outcome of the batch that held his item). Does not
 * own what a commit does. A caller cannot be interrupted between handing in an item and hearing of it: nobody has to
 * guess whether an item was committed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"

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
  const mutex = Effect.unsafeMakeSemaphore(1)
  let open = emptyBatch<A, E>()

  /** The first to get the permit commits for all who came before; the others find it done. */
  const settle = (batch: Batch<A, E>): Effect.Effect<void, E> =>
    mutex.withPermits(1)(
      Effect.suspend(() => {
        if (batch.exit !== undefined) return batch.exit
        open = emptyBatch()
        return Effect.onExit(commit(batch.items), (exit) =>
          Effect.sync(() => {
            batch.exit = exit
          })
        )
      })
    )

  const enter = (items: ReadonlyArray<A>) =>
    Effect.uninterruptible(
      Effect.suspend(() => {
        open.items.push(...items)
        return settle(open)
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
  exit: Exit.Exit<void, E> | undefined
}

const emptyBatch = <A, E>(): Batch<A, E> => ({ items: [], exit: undefined })
