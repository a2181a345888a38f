/**
 * Crashes a program at every call that it makes, one after the other, and looks what is left.
 *
 * After the method of SQLite's tests (fail the first call, the second, … until a run is not touched any more, and check
 * after each). A crash leaves nothing but the disk, the world beside it and the memory of whoever watches: so one run,
 * copied right before each of its calls, gives what a crash at any of them would leave. A write is also crashed in its
 * middle. After a crash the power is off: what was not synced is lost, kept, or kept in part. Crashes that leave the very
 * same are recovered from once. `replay` does one of them in earnest.
 *
 * A program must do the same things in the same order whenever it is run on the same machine.
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
  /** How often each crash of the run is tried with unsynced changes that survive by chance, besides all lost and all kept. */
  readonly chances: number
  /** The first call that is crashed at, and then each so manieth: 1 and 1 for all. */
  readonly first: number
  readonly every: number
  /** Of so many states that a crash leaves, crashes the recovery from one, at each of its calls; 1: from all; 0: never. */
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
export const exhaustive: Options = { seed: 1, chances: 2, first: 1, every: 1, alsoRecovery: 0, violationsMax: 10 }

/**
 * A crash, and what became of what was not synced: `lost`, `kept`, or `chance 1`, …
 *
 * @since 0.1.0
 * @category models
 */
export interface Crash extends CrashPoint {
  readonly cut: string
}

/**
 * Crashes after which the check failed: of the run, and of the recovery, if it was crashed too. `call` is the one at which
 * the last of them came; null: after the last call, or nothing was crashed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Violation {
  readonly at: ReadonlyArray<Crash>
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
  /** What they left, each counted once: so many times it was recovered from and checked. */
  readonly states: number
  readonly violations: ReadonlyArray<Violation>
}

/**
 * Milliseconds of this computer after which a program counts as one that never ends. Simulated waits take none.
 *
 * @since 0.1.0
 * @category models
 */
export const stuckMillisMax = 120_000

/**
 * Tries a scenario at every crash point. Never fails: a check that fails is a violation, and so is a run that fails, dies or never
 * ends when nothing touches it.
 *
 * @since 0.1.0
 * @category running
 */
export const explore = <W, E>(scenario: Scenario<W, E>, options: Options = exhaustive): Effect.Effect<Exploration> =>
  Effect.gen(function* () {
    const violations: Array<Violation> = []
    const found = makeFound()
    const note = (at: Violation["at"], call: Call | null, cause: Cause.Cause<unknown> | null) => {
      if (cause !== null) violations.push({ at, call, cause: Cause.pretty(cause, { renderErrorCause: true }) })
    }

    /** Switches on what a crash left, recovers and checks; crashes the recovery too, as deep as that is asked for. */
    const settle = (left: Left<W>, also: boolean): Effect.Effect<void> =>
      Effect.gen(function* () {
        yield* Machine.others
        const { at, machine } = left
        const next = also ? collect(options, found, at, () => left.witness) : null
        yield* machine.restart(SimulatedDisk.loseUnsynced)
        if (scenario.recover !== undefined) {
          const { exit } = yield* boot(machine, options, scenario.recover(left.witness), next?.observer ?? null)
          next?.end(machine)
          if (exit !== null && Exit.isFailure(exit)) return note(at, left.call, exit.cause)
          yield* machine.restart(cutOf(at, options))
        }
        const { exit } = yield* boot(machine, options, scenario.check(left.witness), null)
        if (exit !== null) note(at, left.call, failureOf(exit))
        for (const again of next?.lefts ?? []) {
          if (violations.length >= options.violationsMax) return
          yield* settle(again, false)
        }
      })

    const { failure, machine, witness } = yield* prepared(scenario, options)
    if (failure !== null) {
      note([], null, failure)
      return { calls: 0, points: 0, states: 0, violations }
    }
    const run = collect(options, found, [], () => witness)
    const { calls, exit } = yield* boot(machine, options, scenario.run(witness), run.observer)
    run.end(machine)
    note([], null, exit === null ? null : failureOf(exit))
    let states = 0
    while (run.lefts.length > 0 && violations.length < options.violationsMax) {
      const left = run.lefts.shift()!
      states += 1
      yield* settle(left, options.alsoRecovery > 0 && states % options.alsoRecovery === 0)
    }
    return { calls: calls.length, points: found.points(), states: found.states(), violations }
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))

/**
 * Crashes the programs of a scenario in earnest: the run at the first point, its recovery at the next, …; then recovers and
 * checks. Why the check fails; null when it does not.
 *
 * @since 0.1.0
 * @category running
 */
export const replay = <W, E>(
  scenario: Scenario<W, E>,
  options: Options,
  at: ReadonlyArray<Crash>
): Effect.Effect<string | null> =>
  Effect.gen(function* () {
    const { failure, machine, witness } = yield* prepared(scenario, options)
    if (failure !== null) return Cause.pretty(failure)
    const recover = scenario.recover?.(witness) ?? Effect.void
    for (const [index, point] of at.entries()) {
      yield* boot(machine, options, index === 0 ? scenario.run(witness) : recover, null, point)
      yield* machine.restart(cutOf(at.slice(0, index + 1), options))
    }
    for (const last of [recover, scenario.check(witness)]) {
      const { exit } = yield* boot(machine, options, last, null)
      if (exit !== null && Exit.isFailure(exit)) return Cause.pretty(exit.cause, { renderErrorCause: true })
      yield* machine.restart(cutOf(at, options))
    }
    return null
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))

// -----------------------------------------------------------------------------
// what crashes leave
// -----------------------------------------------------------------------------

/** A machine that is switched off, and what the world has seen of it. */
interface Left<W> {
  readonly at: ReadonlyArray<Crash>
  readonly call: Call | null
  readonly machine: Machine.Machine
  readonly witness: W
}

/** Collects what a crash at each call of a program would leave, and of equal ones the first. */
const collect = <W>(options: Options, found: Found, before: ReadonlyArray<Crash>, witness: () => W) => {
  const lefts: Array<Left<W>> = []
  const isFirst = before.length === 0
  let at = 0

  const add = (call: Call | null, point: CrashPoint, left: () => Machine.Machine) => {
    const off = left()
    const cuts = off.disk.unsynced() === 0 ? ["lost"] : cutsOf(isFirst ? options.chances : 0)
    const seen = structuredClone(witness())
    for (const cut of cuts) {
      const crashes = [...before, { ...point, cut }]
      const machine = cut === cuts.at(-1) ? off : left()
      machine.disk.cut(cutOf(crashes, options))
      if (found.isNew(machine, seen)) lefts.push({ at: crashes, call, machine, witness: structuredClone(seen) })
    }
  }

  const observer: Machine.Observer = (call, left) => {
    at += 1
    if (isFirst && (at < options.first || (at - options.first) % options.every !== 0)) return
    for (const bytes of bytesOf(call)) add(call, { at, bytes }, () => left(bytes))
  }
  /** The power may also fail when a program has ended. */
  const end = (machine: Machine.Machine) => {
    if (!isFirst || options.first === 1) add(null, { at: at + 1, bytes: 0 }, machine.clone)
  }
  return { lefts, observer, end }
}

const cutsOf = (chances: number): ReadonlyArray<string> => [
  "lost",
  "kept",
  ...Array.from({ length: chances }, (_, index) => `chance ${index + 1}`)
]

/** Before the call, and for a write also after its first byte, its half, and all but its last. */
const bytesOf = (call: Call): ReadonlyArray<number> =>
  call.bytes === 0 ? [0] : [...new Set([0, 1, Math.floor(call.bytes / 2), call.bytes - 1, call.bytes])]

/** How the last of some crashes cuts the power. */
const cutOf = (crashes: ReadonlyArray<Crash>, options: Options): SimulatedDisk.PowerCut => {
  const cut = crashes.at(-1)?.cut ?? "lost"
  if (cut === "lost") return SimulatedDisk.loseUnsynced
  if (cut === "kept") return SimulatedDisk.keepUnsynced
  const seed = crashes.reduce((sum, { at, bytes }) => sum * 1_009 + at * 101 + bytes, options.seed * 1_000_003)
  const random = new PCGRandom((seed + Number(cut.replace(/\D/g, ""))) % 0x7fffffff)
  return SimulatedDisk.losesByChance(() => random.number())
}

/** Knows what was left before: the same files of the same age, the same world, the same witness at the same time. */
interface Found {
  readonly isNew: (machine: Machine.Machine, witness: unknown) => boolean
  readonly points: () => number
  readonly states: () => number
}

const makeFound = (): Found => {
  const texts = new Map<string, number>()
  const states = new Set<string>()
  let points = 0
  /** A number in the place of a text: most are found again and again. */
  const short = (text: string): number => {
    const known = texts.get(text) ?? texts.size
    texts.set(text, known)
    return known
  }
  return {
    isNew: ({ clock, disk, world }, witness) => {
      points += 1
      const files = disk
        .tree()
        .map(
          ([path, content]) => `${short(path)} ${content === null ? "" : short(content)} ${disk.lstat(path).mtime}\n`
        )
      const rest = short(JSON.stringify([[...world], witness, clock.clock.unsafeCurrentTimeMillis()]))
      const state = `${rest}\n${files.join("")}`
      if (states.has(state)) return false
      states.add(state)
      return true
    },
    points: () => points,
    states: () => states.size
  }
}

// -----------------------------------------------------------------------------
// programs
// -----------------------------------------------------------------------------

/** A machine with what is there before the run. */
const prepared = <W, E>(scenario: Scenario<W, E>, options: Options) =>
  Effect.gen(function* () {
    const machine = yield* Machine.make
    const witness = scenario.witness()
    if (scenario.prepare === undefined) return { machine, witness, failure: null }
    const { exit } = yield* boot(machine, options, scenario.prepare(witness), null)
    machine.disk.syncAll()
    yield* machine.restart(SimulatedDisk.keepUnsynced)
    return { machine, witness, failure: exit === null ? null : failureOf(exit) }
  })

const failureOf = (exit: Exit.Exit<unknown, unknown>): Cause.Cause<unknown> | null =>
  Exit.isFailure(exit) ? exit.cause : null

/** Runs a program from its start to its end, or to the crash of the machine at `point` (`exit` is null). */
const boot = <A, E>(
  machine: Machine.Machine,
  options: Options,
  program: Effect.Effect<A, E, Environment>,
  observer: Machine.Observer | null,
  point: CrashPoint | null = null
): Effect.Effect<{ readonly exit: Exit.Exit<A, E> | null; readonly calls: ReadonlyArray<Call> }> =>
  Effect.gen(function* () {
    const before = machine.count()
    yield* machine.observe(observer)
    yield* machine.crashAt(point)
    const { number } = yield* machine.boot
    const exit = yield* Machine.run(
      machine,
      program.pipe(
        Effect.provide(environment(machine)),
        // No program draws what one before it has drawn: ids are never used twice.
        Effect.withRandom(Random.make(`${options.seed} ${number}`))
      )
    ).pipe(Effect.disconnect, Effect.raceFirst(stuck))
    yield* machine.observe(null)
    yield* machine.crashAt(null)
    return { exit, calls: (yield* machine.calls).slice(before) }
  })

const stuck: Effect.Effect<Exit.Exit<never>> = Effect.async((resume) => {
  const alarm = setTimeout(() => resume(Effect.succeed(Exit.die("The program does not end."))), stuckMillisMax)
  return Effect.sync(() => clearTimeout(alarm))
})

const environment = (machine: Machine.Machine) =>
  Layer.mergeAll(SimulatedFileSystem.layer, Path.layer).pipe(
    Layer.provideMerge(Layer.succeed(SimulatedMachine, machine)),
    // Each start has a file system of its own.
    Layer.fresh
  )
