/**
 * A machine whose power can fail at any call.
 *
 * Owns the disk, the count of the calls that programs made of it, and the moment of the next crash. Whatever simulates a
 * part of the world that a program changes (files, git) asks `step` before each of its effects; after a crash every call of
 * the program that ran then dies with `PowerLost`, so that nothing which it does on its way out is ever seen.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Data from "effect/Data"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import type * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as SimulatedClock from "./SimulatedClock.ts"
import * as SimulatedDisk from "./SimulatedDisk.ts"
import * as SimulatedScheduler from "./SimulatedScheduler.ts"

/**
 * The defect with which every call of a program ends whose machine has crashed.
 *
 * @since 0.1.0
 * @category errors
 */
export class PowerLost extends Data.TaggedError("PowerLost")<{ readonly call: number }> {
  override get message() {
    return `The machine had crashed at call ${this.call}.`
  }
}

/**
 * One call that a program makes. `bytes` counts what it would write; 0 for everything else.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  readonly method: string
  readonly path: string
  readonly bytes: number
}

/**
 * Where the next crash is: before the `at`-th call from now (1 is the next one; 0, for an observer, that of which it is told), or, when that call writes, after `bytes` of its
 * bytes.
 *
 * @since 0.1.0
 * @category models
 */
export interface CrashPoint {
  readonly at: number
  readonly bytes: number
}

/**
 * What a program holds of the machine from its start to its end.
 *
 * @since 0.1.0
 * @category models
 */
export interface Boot {
  /** Counts starts, from 1. */
  readonly number: number
  /**
   * Called before an effect. Goes on, having let other fibers run, or dies with `PowerLost`. When the machine crashes in the
   * middle of this write, `partly` is run with the number of bytes that were written before, and the disk: the machine's or a
   * copy of it with the same descriptors.
   */
  readonly step: (call: Call, partly?: Partly) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export type Partly = (bytes: number, disk: SimulatedDisk.SimulatedDisk) => void

/**
 * Told of each call before it is made. `left` gives another machine, as a crash would leave this one now: after so many bytes
 * of the call.
 *
 * @since 0.1.0
 * @category models
 */
export type Observer = (call: Call, left: (bytes: number) => Machine) => void

/**
 * @since 0.1.0
 * @category models
 */
export interface Machine {
  readonly disk: SimulatedDisk.SimulatedDisk
  /** What other simulated parts keep durably, as plain data, each under its name. What is frozen is shared by copies. */
  readonly world: Map<string, unknown>
  /** Of the machine; goes on over restarts. `idle` is called while a program runs under `CrashExplorer` or `run`. */
  readonly clock: SimulatedClock.SimulatedClock
  /** The program that runs since the machine was made, or restarted; those before have ended. */
  readonly boot: Effect.Effect<Boot>
  /** All calls since the machine was made, the newest last; a view, to which those to come are added. */
  readonly calls: Effect.Effect<ReadonlyArray<Call>>
  /** How many they are. */
  readonly count: () => number
  /** Sets the next crash; null: none. */
  readonly crashAt: (point: CrashPoint | null) => Effect.Effect<void>
  /** Who is told of the calls from now on; null: nobody. What he does takes no time, and changes nothing of the machine. */
  readonly observe: (observer: Observer | null) => Effect.Effect<void>
  /** Whether it has crashed, and was not restarted. */
  readonly isDown: () => boolean
  /** Waits until the machine crashes. */
  readonly crashed: Effect.Effect<void>
  /** Ends the running program at once and settles the disk: what is not synced is as `cut` has it. */
  readonly restart: (cut: SimulatedDisk.PowerCut) => Effect.Effect<void>
  /** Another machine with a copy of the disk, as if this one had been switched off now; `restart` settles it. */
  readonly clone: () => Machine
}

/**
 * @since 0.1.0
 * @category services
 */
export class SimulatedMachine extends Context.Tag("@prodigy/testing/SimulatedMachine")<SimulatedMachine, Machine>() {}

/**
 * A machine with an empty disk, made when the layer is built.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make: Effect.Effect<Machine> = Effect.sync(() => over(SimulatedDisk.make(), new Map(), startMillis, 1))

/** 2026-01-02, 03:04:05 UTC. */
const startMillis = 1_767_323_045_000

const over = (
  disk: SimulatedDisk.SimulatedDisk,
  world: Map<string, unknown>,
  millis: number,
  firstBoot: number
): Machine => {
  let crashed = Deferred.unsafeMake<void>(FiberId.none)
  let boot = firstBoot
  let down = false
  const clock = SimulatedClock.make(millis)
  const calls: Array<Call> = []
  /** The count of calls at which the machine crashes. */
  let crash: CrashPoint | null = null
  let observer: Observer | null = null

  const copyOver = (copy: SimulatedDisk.SimulatedDisk) =>
    over(copy, copyOf(world), clock.clock.unsafeCurrentTimeMillis(), boot)

  const left = (call: Call, partly: Partly | undefined) => (bytes: number) => {
    const copy = disk.clone({ descriptors: bytes > 0 })
    if (bytes > 0 && call.bytes > 0) partly?.(Math.min(bytes, call.bytes), copy)
    return copyOver(copy)
  }

  const step =
    (number: number): Boot["step"] =>
    (call, partly) =>
      Effect.zipRight(
        Effect.yieldNow(),
        Effect.suspend(() => {
          if (number !== boot || down) return Effect.die(new PowerLost({ call: calls.length }))
          calls.push(call)
          observer?.(call, left(call, partly))
          if (crash === null || calls.length < crash.at) return Effect.void
          down = true
          if (crash.bytes > 0 && call.bytes > 0) partly?.(Math.min(crash.bytes, call.bytes), disk)
          return Effect.zipRight(
            Deferred.succeed(crashed, undefined),
            Effect.die(new PowerLost({ call: calls.length }))
          )
        })
      )

  return SimulatedMachine.of({
    disk,
    world,
    clock,
    boot: Effect.sync(() => ({ number: boot, step: step(boot) })),
    calls: Effect.succeed(calls),
    count: () => calls.length,
    crashAt: (point) =>
      Effect.sync(() => {
        crash = point === null ? null : { ...point, at: calls.length + point.at }
      }),
    observe: (next) => Effect.sync(() => void (observer = next)),
    isDown: () => down,
    crashed: Effect.suspend(() => Deferred.await(crashed)),
    restart: (cut) =>
      Effect.map(Deferred.make<void>(), (next) => {
        boot += 1
        down = false
        crash = null
        crashed = next
        disk.cut(cut)
      }),
    clone: () => copyOver(disk.clone())
  })
}

/** A frozen value is never changed, but replaced. */
const copyOf = (world: ReadonlyMap<string, unknown>): Map<string, unknown> =>
  new Map(Array.from(world, ([name, value]) => [name, Object.isFrozen(value) ? value : structuredClone(value)]))

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SimulatedMachine> = Layer.effect(SimulatedMachine, make)

/**
 * How a program is run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Running {
  /** Who goes on next; without it each in turn. */
  readonly order?: SimulatedScheduler.Order
  /** Told when nothing goes on any more, and no time is waited for: what the program then waits for is outside, or nothing. */
  readonly stuck?: () => void
}

/**
 * Runs a program on a machine from its start to its end, by the machine's clock. Null when the machine crashed: what the program still did
 * was not seen.
 *
 * @since 0.1.0
 * @category running
 */
export const run = <A, E, R>(
  machine: Machine,
  program: Effect.Effect<A, E, R>,
  options: Running = {}
): Effect.Effect<Exit.Exit<A, E> | null, never, R> =>
  Effect.suspend(() => {
    let end = () => {}
    const { scheduler, stop } = SimulatedScheduler.make({
      order: options.order ?? SimulatedScheduler.inTurn,
      isOver: machine.isDown,
      ended: () => end(),
      idle: machine.clock.idle,
      stuck: options.stuck ?? (() => {})
    })
    return program.pipe(
      Effect.withClock(machine.clock.clock),
      // Nobody looks at the spans.
      Effect.withTracerEnabled(false),
      Effect.withScheduler(scheduler),
      Effect.forkDaemon,
      Effect.flatMap((fiber) =>
        Effect.async<Exit.Exit<A, E> | null>((resume) => {
          end = () => fiber.unsafeInterruptAsFork(FiberId.none)
          fiber.addObserver((exit) => {
            stop()
            resume(Effect.succeed(machine.isDown() ? null : exit))
          })
          return Fiber.interrupt(fiber)
        })
      )
    )
  })

/**
 * Lets whatever else this process has to do have its turn: a simulation never waits for anything by itself.
 *
 * @since 0.1.0
 * @category running
 */
export const others: Effect.Effect<void> = Effect.async<void>((resume) => {
  setTimeout(() => resume(Effect.void), 0)
})
