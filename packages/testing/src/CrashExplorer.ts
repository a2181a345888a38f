/**
 * Crashes a program at every call that it makes, one after the other, and looks what is left.
 *
 * After the method of SQLite's tests (fail the first call, the second, … until a run is not touched any more, and check
 * after each): the program runs on a new machine each time, and so must do the same things in the same order when nothing
 * goes wrong. A write is also crashed in its middle. After the crash the power is off: what was not synced is lost, kept, or
 * kept in part.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import { PCGRandom } from "effect/Utils"
import * as SimulatedDisk from "./SimulatedDisk.ts"
import * as SimulatedFileSystem from "./SimulatedFileSystem.ts"
import { type Call, type CrashPoint, SimulatedMachine } from "./SimulatedMachine.ts"
import * as Machine from "./SimulatedMachine.ts"

/**
 * What a program of a scenario is given: the machine, and its files as of this start.
 *
 * @since 0.1.0
 * @category models
 */
export type Environment = SimulatedMachine | FileSystem.FileSystem | Path.Path

/**
 * What is crashed. `witness` makes the memory of whoever watches from outside: it survives every crash, and holds what
 * the program has acknowledged or done to the world, as plain data (`structuredClone` copies it). Every effect builds the layers that it needs by itself, as a process does.
 *
 * @since 0.1.0
 * @category models
 */
export interface Scenario<W, E> {
  readonly witness: () => W
  /** What is there before; not crashed, and durable. */
  readonly prepare?: (witness: W) => Effect.Effect<unknown, E, Environment>
  readonly run: (witness: W) => Effect.Effect<unknown, E, Environment>
  /** Run after each crash, and crashed too when `alsoRecovery` is asked for. */
  readonly recover?: (witness: W) => Effect.Effect<unknown, E, Environment>
  /** Fails or dies for a violation; run after the recovery, and after a run that nothing touched. */
  readonly check: (witness: W) => Effect.Effect<unknown, E, Environment>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Seeds what the program draws, and what is left of unsynced changes. */
  readonly seed: number
  /** How often each crash is tried with unsynced changes that survive by chance, besides all lost and all kept. */
  readonly chances: number
  /** Crashes only at each so manieth call: 1 for all. */
  readonly every: number
  /** For the so manieth crash in each row, also crashes the recovery at each of its calls; 0: never. */
  readonly alsoRecovery: number
  /** Stops when it has found so many violations. */
  readonly violationsMax: number
}

/**
 * Everything tried.
 *
 * @since 0.1.0
 * @category models
 */
export const exhaustive: Options = { seed: 1, chances: 2, every: 1, alsoRecovery: 0, violationsMax: 10 }

/**
 * A crash after which the check failed. `at` tells the calls: that of the run, and that of the recovery, if it was crashed too.
 *
 * @since 0.1.0
 * @category models
 */
export interface Violation {
  readonly at: ReadonlyArray<CrashPoint>
  readonly cut: string
  readonly call: Call | null
  readonly cause: string
}

/**
 * @since 0.1.0
 * @category models
 */
export interface Exploration {
  /** Calls of a run that nothing touches. */
  readonly calls: number
  /** Crashes tried. */
  readonly points: number
  readonly violations: ReadonlyArray<Violation>
}

/**
 * Tries a scenario at every crash point. Never fails: a check that fails is a violation, and so is a run that fails or dies when
 * nothing touches it.
 *
 * @since 0.1.0
 * @category running
 */
export const explore = <W, E>(scenario: Scenario<W, E>, options: Options = exhaustive): Effect.Effect<Exploration> =>
  Effect.gen(function* () {
    const untouched = yield* crashed(scenario, options, null)
    const violations: Array<Violation> = []
    let points = 0
    const note = (at: Violation["at"], cut: string, call: Call | null, cause: Cause.Cause<unknown> | null) => {
      if (cause !== null) violations.push({ at, cut, call, cause: Cause.pretty(cause, { renderErrorCause: true }) })
    }
    note([], "lost", null, untouched.failure)
    if (untouched.failure === null)
      note([], "lost", null, (yield* settle(scenario, options, untouched, SimulatedDisk.loseUnsynced, null)).failure)

    for (let at = 1; at <= untouched.calls.length; at += options.every) {
      if (violations.length >= options.violationsMax) break
      yield* Machine.others
      const call = untouched.calls[at - 1] ?? null
      for (const bytes of bytesOf(call)) {
        const point = { at, bytes }
        const left = yield* crashed(scenario, options, point)
        for (const cut of cutsOf(left, options)) {
          const how = () => cutOf(cut, options.seed * 1_000_003 + at * 101 + bytes)
          points += 1
          const once = yield* settle(scenario, options, left, how(), null)
          note([point], cut, call, once.failure)
          if (options.alsoRecovery === 0 || points % options.alsoRecovery !== 0) continue
          for (let second = 1; second <= once.calls; second += 1) {
            points += 1
            const again = { at: second, bytes: 0 }
            note([point, again], cut, call, (yield* settle(scenario, options, left, how(), again)).failure)
          }
        }
      }
    }
    return { calls: untouched.calls.length, points, violations }
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))

/** With nothing unsynced, all power cuts leave the same. */
const cutsOf = (left: Crashed<unknown>, options: Options): ReadonlyArray<string> =>
  left.machine.disk.unsynced() === 0
    ? ["lost"]
    : ["lost", "kept", ...Array.from({ length: options.chances }, (_, index) => `chance ${index + 1}`)]

/** Before the call, and for a write also after its first byte, its half, and all but its last. */
const bytesOf = (call: Call | null): ReadonlyArray<number> =>
  call === null || call.bytes === 0 ? [0] : [...new Set([0, 1, Math.floor(call.bytes / 2), call.bytes - 1, call.bytes])]

const cutOf = (name: string, seed: number): SimulatedDisk.PowerCut => {
  if (name === "lost") return SimulatedDisk.loseUnsynced
  if (name === "kept") return SimulatedDisk.keepUnsynced
  const random = new PCGRandom(seed + Number(name.slice(-1)))
  return SimulatedDisk.losesByChance(() => random.number())
}

/** A machine whose power is off, and what the world has seen of it. */
interface Crashed<W> {
  readonly machine: Machine.Machine
  readonly witness: W
  readonly calls: ReadonlyArray<Call>
  /** Of a run that nothing touched. */
  readonly failure: Cause.Cause<unknown> | null
}

/** Prepares a machine, runs the program and lets it crash; with no point, to its end. */
const crashed = <W, E>(
  scenario: Scenario<W, E>,
  options: Options,
  point: CrashPoint | null
): Effect.Effect<Crashed<W>> =>
  Effect.gen(function* () {
    const machine = yield* Machine.make
    const witness = scenario.witness()
    if (scenario.prepare !== undefined) {
      const { exit } = yield* boot(machine, options, scenario.prepare(witness), null)
      if (exit !== null && Exit.isFailure(exit)) return { machine, witness, calls: [], failure: exit.cause }
      machine.disk.syncAll()
      yield* machine.restart(SimulatedDisk.keepUnsynced)
    }
    const { calls, exit } = yield* boot(machine, options, scenario.run(witness), point)
    // A program may fail on its way down; one that nothing touched may not.
    return { machine, witness, calls, failure: point === null && exit !== null ? failureOf(exit) : null }
  })

/** Switches a copy of the machine on again, recovers (crashing at `point` first, if any) and checks. */
const settle = <W, E>(
  scenario: Scenario<W, E>,
  options: Options,
  left: Crashed<W>,
  cut: SimulatedDisk.PowerCut,
  point: CrashPoint | null
): Effect.Effect<{ readonly calls: number; readonly failure: Cause.Cause<unknown> | null }> =>
  Effect.gen(function* () {
    const machine = yield* left.machine.clone
    const witness = structuredClone(left.witness)
    yield* machine.restart(cut)
    let made = 0
    for (const at of point === null ? [null] : [point, null]) {
      if (scenario.recover === undefined) break
      const { calls, exit } = yield* boot(machine, options, scenario.recover(witness), at)
      made = calls.length
      if (at === null && exit !== null && Exit.isFailure(exit)) return { calls: made, failure: exit.cause }
      yield* machine.restart(cut)
    }
    const { exit } = yield* boot(machine, options, scenario.check(witness), null)
    return { calls: made, failure: exit === null ? null : failureOf(exit) }
  })

const failureOf = (exit: Exit.Exit<unknown, unknown>): Cause.Cause<unknown> | null =>
  Exit.isFailure(exit) ? exit.cause : null

/** Runs a program from its start to its end, or to the crash of the machine (`exit` is null). */
const boot = <A, E>(
  machine: Machine.Machine,
  options: Options,
  program: Effect.Effect<A, E, Environment>,
  point: CrashPoint | null
): Effect.Effect<{ readonly exit: Exit.Exit<A, E> | null; readonly calls: ReadonlyArray<Call> }> =>
  Effect.gen(function* () {
    const before = (yield* machine.calls).length
    yield* machine.crashAt(point)
    const exit = yield* Machine.run(
      machine,
      program.pipe(Effect.provide(environment(machine)), Effect.withRandom(Random.make(options.seed)))
    )
    yield* machine.crashAt(null)
    return { exit, calls: (yield* machine.calls).slice(before) }
  })

const environment = (machine: Machine.Machine) =>
  Layer.mergeAll(SimulatedFileSystem.layer, Path.layer).pipe(
    Layer.provideMerge(Layer.succeed(SimulatedMachine, machine)),
    // Each start has a file system of its own.
    Layer.fresh
  )
