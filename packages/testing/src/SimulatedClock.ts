/**
 * A clock that jumps to the next thing to happen.
 *
 * Time stands still while a program works, and goes on to the earliest sleeper when nothing else can happen: `idle` is
 * called by whoever can tell that. So an hour's wait costs nothing, and a run is the same each time.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"

/**
 * @since 0.1.0
 * @category models
 */
export interface SimulatedClock {
  readonly clock: Clock.Clock
  /** Wakes the sleepers that come next, at their time. False when nobody sleeps. */
  readonly idle: () => boolean
  /** Sets the wall clock forward, as after a night with the lid closed. Who sleeps sleeps on for as long as before. */
  readonly jump: (millis: number) => void
}

/**
 * A clock that begins at an instant, in milliseconds since 1970.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (startMillis: number): SimulatedClock => {
  let now = startMillis
  const sleepers = new Set<{ readonly at: number; readonly wake: () => void }>()
  /** What the wall clock is ahead of the time that passes. */
  let ahead = 0
  const millis = () => now + ahead
  const nanos = () => BigInt(millis()) * 1_000_000n
  return {
    clock: {
      [Clock.ClockTypeId]: Clock.ClockTypeId,
      unsafeCurrentTimeMillis: millis,
      unsafeCurrentTimeNanos: nanos,
      currentTimeMillis: Effect.sync(millis),
      currentTimeNanos: Effect.sync(nanos),
      sleep: (duration) =>
        Effect.async<void>((resume) => {
          const sleeper = { at: now + Duration.toMillis(duration), wake: () => resume(Effect.void) }
          sleepers.add(sleeper)
          return Effect.sync(() => void sleepers.delete(sleeper))
        })
    },
    idle: () => {
      const next = Math.min(...[...sleepers].map(({ at }) => at))
      if (!Number.isFinite(next)) return false
      now = Math.max(now, next)
      for (const sleeper of sleepers)
        if (sleeper.at <= now) {
          sleepers.delete(sleeper)
          sleeper.wake()
        }
      return true
    },
    jump: (by) => {
      ahead += by
    }
  }
}
