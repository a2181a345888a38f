/**
 * Scripts for the programs that steps start: what an agent or a shell does, by item, by step, one time after the other, or by
 * chance.
 *
 * Owns how an answer is chosen and what a play does to files and time. Which answers there are is `ScriptedAgent`'s and
 * `ScriptedShell`'s. What is chosen depends on what is asked for (item, step, attempt) and on how often it was asked before, never
 * on which program happened to run first.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type { Origin } from "@prodigy/core/agent/Origin"
import type { SpawnError } from "@prodigy/core/agent/Processes"
import * as DidYouMean from "@prodigy/core/domain/DidYouMean"
import * as Digest from "@prodigy/core/domain/Digest"
import * as Clock from "effect/Clock"
import * as Data from "effect/Data"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Predicate from "effect/Predicate"

/**
 * What scripts know of any request.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly origin: Origin
  readonly cwd: string
  readonly env: Readonly<Record<string, string>>
  readonly timeoutMillis: number | null
}

/**
 * What a program does before it ends. First it writes, then time passes, then it commits.
 *
 * @since 0.1.0
 * @category models
 */
export interface Deeds<R extends Request> {
  /** How long it takes; of two, something between them, by the seed. Nothing by default. */
  readonly takes?: Duration.DurationInput | readonly [Duration.DurationInput, Duration.DurationInput]
  /** Content of files by path from the directory of the step; null removes one. */
  readonly writes?: Files | ((request: R) => Files)
  /** Commits all that is in the worktree, with this message. */
  readonly commits?: string
}

/**
 * @since 0.1.0
 * @category models
 */
export type Files = Readonly<Record<string, string | null>>

/**
 * One way in which a program may go.
 *
 * @since 0.1.0
 * @category models
 */
export class Play<R extends Request, A> extends Data.TaggedClass("Play")<{
  readonly deeds: Deeds<R>
  /** `hangs` ends only by a time limit or an interruption; `crashes` switches the machine off. */
  readonly ends: "answers" | "hangs" | "crashes"
  /** What it says at its end; what is left out is that of a program that worked in silence. */
  readonly answer: (nowMillis: number) => Partial<A>
}> {}

/**
 * A choice by the names of items or of steps.
 *
 * @since 0.1.0
 * @category models
 */
export class Named<R extends Request, A> extends Data.TaggedClass("Named")<{
  readonly by: "item" | "step"
  readonly scripts: Readonly<Record<string, Script<R, A>>>
  readonly otherwise: Script<R, A>
}> {}

/**
 * A choice by chance: each script with its weight.
 *
 * @since 0.1.0
 * @category models
 */
export class Chances<R extends Request, A> extends Data.TaggedClass("Chances")<{
  readonly weighted: ReadonlyArray<readonly [weight: number, script: Script<R, A>]>
  readonly seed: number | undefined
}> {}

/**
 * What a program does: one play each time; a list of plays, one time after the other, for each item (and each phase) on its own; a
 * choice; or a function of the request that gives any of these, or an effect that does it all by itself.
 *
 * @since 0.1.0
 * @category models
 */
export type Script<R extends Request, A> =
  | Play<R, A>
  | Named<R, A>
  | Chances<R, A>
  | ReadonlyArray<Script<R, A>>
  | ((request: R, files: FileSystem.FileSystem) => Script<R, A> | Effect.Effect<Partial<A>, SpawnError>)

/**
 * A script that does not fit what is asked of it. Not a failure of the workflow: the test is wrong.
 *
 * @since 0.1.0
 * @category errors
 */
export class ScriptMistake extends Data.TaggedError("ScriptMistake")<{
  readonly program: "agent" | "shell"
  readonly detail: string
}> {
  override get message() {
    return `The script of the ${this.program} does not fit: ${this.detail}`
  }
}

/**
 * A program that was started.
 *
 * @since 0.1.0
 * @category models
 */
export interface Started {
  readonly program: "agent" | "shell"
  readonly origin: Origin
  readonly atMillis: number
}

/**
 * What plays stand on: what is remembered of those before, and what else than files they can do.
 *
 * @since 0.1.0
 * @category models
 */
export interface Stage {
  readonly seed: number
  readonly files: FileSystem.FileSystem
  /** Counts the times that a list is asked, by its place in the script and whom it is for; gives how many were before. */
  readonly count: (key: string) => number
  readonly onStart: (started: Started) => void
  readonly commit: (worktree: string, message: string) => Effect.Effect<void>
  readonly crash: Effect.Effect<never>
  readonly mistaken: (mistake: ScriptMistake) => Effect.Effect<never>
}

/**
 * Chooses by the id of the item; outside of items, and for the others, `otherwise` is played.
 *
 * @since 0.1.0
 * @category constructors
 */
export const items = <R extends Request, A>(
  scripts: Readonly<Record<string, Script<R, A>>>,
  otherwise: Script<R, A>
): Named<R, A> => new Named({ by: "item", scripts, otherwise })

/**
 * Chooses by the step: by its id, or by its name or a part of it (`npm test` is in `shell: npm test`). The first that fits.
 *
 * @since 0.1.0
 * @category constructors
 */
export const steps = <R extends Request, A>(
  scripts: Readonly<Record<string, Script<R, A>>>,
  otherwise: Script<R, A>
): Named<R, A> => new Named({ by: "step", scripts, otherwise })

/**
 * Chooses by chance. The same seed chooses the same for the same item, step, attempt and try, whatever else runs.
 *
 * @since 0.1.0
 * @category constructors
 */
export const chance = <R extends Request, A>(
  weighted: ReadonlyArray<readonly [weight: number, script: Script<R, A>]>,
  options: { readonly seed?: number } = {}
): Chances<R, A> => {
  if (!weighted.some(([weight]) => weight > 0) || weighted.some(([weight]) => !(weight >= 0 && weight < Infinity)))
    throw new TypeError("Chances need weights of 0 and more, and one above 0.")
  return new Chances({ weighted, seed: options.seed })
}

/**
 * A play that ends with an answer.
 *
 * @since 0.1.0
 * @category constructors
 */
export const answers = <R extends Request, A>(
  deeds: Deeds<R>,
  answer: (nowMillis: number) => Partial<A>
): Play<R, A> => {
  // A duration that is none is found where it is written.
  if (deeds.takes !== undefined)
    for (const one of isRange(deeds.takes) ? deeds.takes : [deeds.takes]) Duration.decode(one)
  return new Play<R, A>({ deeds, ends: "answers", answer })
}

/**
 * A play whose program never ends by itself.
 *
 * @since 0.1.0
 * @category constructors
 */
export const hangs = <R extends Request, A>(deeds: Deeds<R>, answer: Partial<A>): Play<R, A> =>
  new Play<R, A>({ deeds, ends: "hangs", answer: () => answer })

/**
 * A play in which the machine, and with it Prodigy, is switched off before the program ends.
 *
 * @since 0.1.0
 * @category constructors
 */
export const crashes = <R extends Request, A>(deeds: Deeds<R>): Play<R, A> =>
  new Play<R, A>({ ...answers<R, A>(deeds, () => ({})), ends: "crashes" })

/**
 * Answers a request by a script. `place` tells scripts apart that share a stage; `timedOut` is the answer of a program that its
 * time limit ended.
 *
 * @since 0.1.0
 * @category running
 */
export const play = <R extends Request, A>(
  script: Script<R, A>,
  request: R,
  stage: Stage,
  how: { readonly program: "agent" | "shell"; readonly place: string; readonly timedOut: Partial<A> }
): Effect.Effect<Partial<A> & { readonly durationMillis?: number }, SpawnError> =>
  Effect.gen(function* () {
    const started = yield* Clock.currentTimeMillis
    stage.onStart({ program: how.program, origin: request.origin, atMillis: started })
    const chosen = choose(script, request, stage, how.place)
    if (Effect.isEffect(chosen)) return yield* chosen
    const wrong = (detail: string) => stage.mistaken(new ScriptMistake({ program: how.program, detail }))
    if (typeof chosen === "string") return yield* wrong(chosen)
    const { answer, deeds, ends } = chosen
    yield* write(request, deeds.writes, stage.files)
    const { timeoutMillis } = request
    const takes = ends === "hangs" ? Infinity : takesMillis(deeds.takes, request, stage.seed)
    if (timeoutMillis !== null && takes > timeoutMillis) {
      yield* Effect.sleep(timeoutMillis)
      const now = yield* Clock.currentTimeMillis
      return { ...answer(now), ...how.timedOut, durationMillis: timeoutMillis }
    }
    if (takes === Infinity) {
      // Nobody waits longer: whoever did could only be another program that hangs.
      yield* Effect.sleep(hangMax)
      return yield* wrong(
        `${describe(request.origin)} hangs, and nothing ends it: give the step a timeout, or stop the run at a time.`
      )
    }
    if (takes > 0) yield* Effect.sleep(takes)
    if (deeds.commits !== undefined) yield* stage.commit(request.env["WORKTREE"] ?? request.cwd, deeds.commits)
    if (ends === "crashes") return yield* stage.crash
    const now = yield* Clock.currentTimeMillis
    return { ...answer(now), durationMillis: now - started }
  })

/**
 * A stage for programs of their own, without a machine: nobody commits, and nothing can be switched off.
 *
 * @since 0.1.0
 * @category constructors
 */
export const stageOf = (
  files: FileSystem.FileSystem,
  { program, seed }: { readonly program: "agent" | "shell"; readonly seed: number }
): Stage => {
  const asked: Record<string, number> = {}
  const mistaken = (mistake: ScriptMistake) => Effect.die(mistake)
  const needs = (detail: string) => mistaken(new ScriptMistake({ program, detail }))
  return {
    seed,
    files,
    count: counter(() => asked),
    onStart: () => {},
    commit: () => needs("commits are made on a simulated machine only."),
    crash: needs("only a simulated machine can be switched off."),
    mistaken
  }
}

/**
 * Counts in a record, which is asked for when the first list is.
 *
 * @since 0.1.0
 * @category constructors
 */
export const counter =
  (asked: () => Record<string, number>): Stage["count"] =>
  (key) => {
    const counts = asked()
    const before = counts[key] ?? 0
    counts[key] = before + 1
    return before
  }

/**
 * The names by which a script chooses, as far as can be seen without running its functions.
 *
 * @since 0.1.0
 * @category getters
 */
export const namesOf = <R extends Request, A>(script: Script<R, A>, by: Named<R, A>["by"]): ReadonlyArray<string> => {
  if (isList(script)) return script.flatMap((inner) => namesOf(inner, by))
  if (script instanceof Chances) return script.weighted.flatMap(([, inner]) => namesOf(inner, by))
  if (!(script instanceof Named)) return []
  const inner = [...Object.values(script.scripts), script.otherwise].flatMap((other) => namesOf(other, by))
  return script.by === by ? [...Object.keys(script.scripts), ...inner] : inner
}

/**
 * What is wrong with the names of a script, given those that there are: null when nothing is.
 *
 * @since 0.1.0
 * @category getters
 */
export const unknownName = <R extends Request, A>(
  script: Script<R, A>,
  by: Named<R, A>["by"],
  known: ReadonlyArray<string>
): string | null => {
  const fits = by === "item" ? (name: string) => known.includes(name) : (name: string) => known.some(isStep(name))
  const name = namesOf(script, by).find((one) => !fits(one))
  if (name === undefined) return null
  const [closest] = DidYouMean.didYouMean(name, known)
  const there = known.length === 0 ? "There are none." : `There are ${shown(known)}.`
  return `it names ${by} "${name}", which is not there. ${closest === undefined ? there : `Did you mean "${closest}"?`}`
}

const shown = (names: ReadonlyArray<string>): string =>
  names.length > 10 ? `${names.slice(0, 10).join(", ")} and ${names.length - 10} more` : names.join(", ")

// -----------------------------------------------------------------------------
// choosing
// -----------------------------------------------------------------------------

/** A play, an effect that stands for one, or what is wrong. */
const choose = <R extends Request, A>(
  script: Script<R, A>,
  request: R,
  stage: Stage,
  place: string
): Play<R, A> | Effect.Effect<Partial<A>, SpawnError> | string => {
  if (typeof script === "function") {
    const given = script(request, stage.files)
    return Effect.isEffect(given) ? given : choose(given, request, stage, place)
  }
  if (isList(script)) {
    const key = `${place} ${whose(request.origin)}`
    const count = stage.count(key)
    const next = script[count]
    if (next === undefined)
      return `no answer is left for ${describe(request.origin)}: its list has ${script.length}, and this is time ${count + 1}.`
    return choose(next, request, stage, `${place}[${count}]`)
  }
  if (script instanceof Named) {
    const name = nameFor(script, request.origin)
    return choose(name === null ? script.otherwise : script.scripts[name]!, request, stage, `${place}/${name ?? "*"}`)
  }
  if (script instanceof Chances) {
    const total = script.weighted.reduce((sum, [weight]) => sum + weight, 0)
    let left = draw(script.seed ?? stage.seed, `${place} ${keyOf(request.origin)}`) * total
    const at = script.weighted.findIndex(([weight]) => (left -= weight) < 0)
    const index = at < 0 ? script.weighted.length - 1 : at
    return choose(script.weighted[index]![1], request, stage, `${place}{${index}}`)
  }
  return Predicate.isTagged(script, "Play") ? script : "what stands for a play is none."
}

const isList = <R extends Request, A>(script: Script<R, A>): script is ReadonlyArray<Script<R, A>> =>
  Array.isArray(script)

const nameFor = <R extends Request, A>({ by, scripts }: Named<R, A>, { item, step }: Origin): string | null => {
  if (by === "item") return item !== null && Object.hasOwn(scripts, item.id) ? item.id : null
  if (Object.hasOwn(scripts, step)) return step
  return Object.keys(scripts).find((name) => isStep(name)(step)) ?? null
}

/** Whether a name in a script means a step of that id or name. */
const isStep =
  (name: string) =>
  (step: string): boolean =>
    step.includes(name)

const whose = ({ item, phase }: Origin): string => (item === null ? phase : `item ${item.id}`)

const keyOf = (origin: Origin): string =>
  JSON.stringify([origin.phase, origin.item?.id ?? null, origin.step, origin.attempt, origin.tryNumber])

const describe = ({ attempt, item, phase, step }: Origin): string =>
  item === null ? `"${step}" of ${phase}` : `"${step}" of ${item.id}, attempt ${attempt}`

/** A number from 0 up to 1, the same for the same seed and key. */
const draw = (seed: number, key: string): number =>
  Number.parseInt(Digest.sha256(JSON.stringify([seed, key])).slice(0, 12), 16) / 2 ** 48

// -----------------------------------------------------------------------------
// doing
// -----------------------------------------------------------------------------

/** Virtual time after which a program that nothing ends is taken for a mistake. */
const hangMax = Duration.days(7)

const takesMillis = <R extends Request>(takes: Deeds<R>["takes"], request: R, seed: number): number => {
  if (takes === undefined) return 0
  if (!isRange(takes)) return Duration.toMillis(takes)
  const [from, to] = [Duration.toMillis(takes[0]), Duration.toMillis(takes[1])]
  return Math.round(from + (to - from) * draw(seed, `takes ${keyOf(request.origin)}`))
}

/** A pair of numbers is one of milliseconds here, not seconds and nanoseconds. */
const isRange = <R extends Request>(
  takes: NonNullable<Deeds<R>["takes"]>
): takes is readonly [Duration.DurationInput, Duration.DurationInput] => Array.isArray(takes)

/** Writes, and syncs what it wrote: what a power cut does to a program's own files is not what is looked at. */
const write = <R extends Request>(request: R, writes: Deeds<R>["writes"], files: FileSystem.FileSystem) =>
  Effect.gen(function* () {
    const all = typeof writes === "function" ? writes(request) : (writes ?? {})
    for (const [name, content] of Object.entries(all)) {
      const path = `${request.cwd}/${name}`
      if (content === null) {
        yield* files.remove(path, { force: true })
        continue
      }
      const parent = path.slice(0, path.lastIndexOf("/"))
      if (parent !== request.cwd) yield* files.makeDirectory(parent, { recursive: true })
      const file = yield* files.open(path, { flag: "w" })
      yield* file.writeAll(new TextEncoder().encode(content))
      yield* file.sync
      yield* (yield* files.open(parent, { flag: "r" })).sync
    }
  }).pipe(Effect.scoped, Effect.orDie)
