/**
 * Decides which of the fibers that could go on goes on next.
 *
 * Effect's own scheduler lets fibers go on in the order in which they became able to, by turns of the platform's event loop. This
 * one keeps them in a list of its own: so the order can be another one each time, and the same one for each seed; and so it can be
 * told for certain that nothing is left to do now, when time may go on.
 *
 * @since 0.1.0
 */
import type * as Fiber from "effect/Fiber"
import type * as Scheduler from "effect/Scheduler"
import * as EffectScheduler from "effect/Scheduler"

/**
 * A fiber that could go on.
 *
 * @since 0.1.0
 * @category models
 */
export type Runnable = Fiber.RuntimeFiber<unknown, unknown> | undefined

/**
 * Chooses who goes on: gives a place in the list, in which there is one at least. What one fiber has to do is done in its order
 * whatever is chosen.
 *
 * @since 0.1.0
 * @category models
 */
export type Order = (runnable: ReadonlyArray<{ readonly fiber: Runnable }>) => number

/**
 * Who has waited longest goes on.
 *
 * @since 0.1.0
 * @category orders
 */
export const inTurn: Order = () => 0

/**
 * Anybody goes on. `random` gives numbers from 0 to 1, 1 excluded.
 *
 * @since 0.1.0
 * @category orders
 */
export const byChance =
  (random: () => number): Order =>
  (runnable) =>
    Math.floor(random() * runnable.length)

/**
 * Each fiber has a rank by chance, and of those that could go on the highest does, until it has nothing to do; at some turns (one
 * in `every`) its rank becomes the lowest. So one fiber may be late by far while all others work, which `byChance`
 * hardly ever tries (after "probabilistic concurrency testing", Burckhardt and others, 2010).
 *
 * @since 0.1.0
 * @category orders
 */
export const byRank = (random: () => number, every: number): Order => {
  const ranks = new WeakMap<object, number>()
  const nobody = {}
  let lowest = 0
  const rankOf = (fiber: Runnable) => {
    const known = ranks.get(fiber ?? nobody)
    if (known !== undefined) return known
    const rank = random()
    ranks.set(fiber ?? nobody, rank)
    return rank
  }
  return (runnable) => {
    let chosen = 0
    let best = Number.NEGATIVE_INFINITY
    for (const [index, { fiber }] of runnable.entries()) {
      const rank = rankOf(fiber)
      if (rank > best) [chosen, best] = [index, rank]
    }
    if (random() * every < 1) ranks.set(runnable[chosen]?.fiber ?? nobody, (lowest -= 1))
    return chosen
  }
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly order: Order
  /** Asked after each turn: true ends the program, and `ended` is told so once. */
  readonly isOver: () => boolean
  readonly ended: () => void
  /** Nothing is left to do: lets time go on. False when nobody waits for it. */
  readonly idle: () => boolean
  /** Nothing is left to do, and time changes nothing: something outside of the simulation is waited for, or nothing at all. */
  readonly stuck: () => void
}

/**
 * @since 0.1.0
 * @category models
 */
export interface SimulatedScheduler {
  readonly scheduler: Scheduler.Scheduler
  /** Time goes on no more. What could go on without it still does. */
  readonly stop: () => void
}

/** Turns after which the rest of this process gets its own. */
const turnsMax = 50_000
/** Links of a chain of promises that a program may wait for: they take no time. */
const hopsMax = 32

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): SimulatedScheduler => {
  const { ended, idle, isOver, order, stuck } = options
  const waiting: Array<{ readonly fiber: Runnable; readonly task: Scheduler.Task }> = []
  let running = false
  let stopped = false
  let over = false

  const take = () => {
    const chosen = waiting.length === 1 ? 0 : order(waiting)
    const { fiber } = waiting[chosen]!
    const at = chosen === 0 || fiber === undefined ? chosen : waiting.findIndex((other) => other.fiber === fiber)
    return waiting.splice(at, 1)[0]!
  }

  const work = () => {
    for (let turns = 0; waiting.length > 0; turns += 1) {
      if (turns === turnsMax) return void setTimeout(work, 0)
      take().task()
      if (over || !isOver()) continue
      over = true
      ended()
    }
    rest(hopsMax)
  }

  /** Waits for promises that are as good as kept; then time goes on. */
  const rest = (hops: number): void => {
    if (waiting.length > 0) return work()
    if (hops > 0) return void Promise.resolve().then(() => rest(hops - 1))
    if (!stopped && idle()) return rest(hopsMax)
    running = false
    if (!stopped) stuck()
  }

  return {
    scheduler: {
      shouldYield: EffectScheduler.defaultShouldYield,
      scheduleTask: (task, _, fiber) => {
        waiting.push({ fiber, task })
        if (running) return
        running = true
        void Promise.resolve().then(work)
      }
    },
    stop: () => {
      stopped = true
    }
  }
}
