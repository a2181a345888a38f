/**
 * All of Prodigy on a simulated machine: no git, no process, no real file, no real time.
 *
 * The engine, the stores and their codecs are the real ones. `run` tries a workflow and tells what came of it; `make` gives the
 * job in hand, to crash it, go on with it and look at it in between; `layer` is the whole graph for programs that use services.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Reaper from "@prodigy/core/agent/Reaper"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { Json } from "@prodigy/core/domain/WorkItem"
import * as Approval from "@prodigy/core/engine/Approval"
import { Inspect, type InspectError } from "@prodigy/core/engine/Inspect"
import * as Layers from "@prodigy/core/engine/Layers"
import * as MapReduce from "@prodigy/core/engine/MapReduce"
import * as Prodigy from "@prodigy/core/engine/Prodigy"
import * as Resume from "@prodigy/core/engine/Resume"
import { type AnyReport, Runner } from "@prodigy/core/engine/Runner"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as Compression from "@prodigy/core/storage/Compression"
import * as DiskSpace from "@prodigy/core/storage/DiskSpace"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import * as WorkItems from "@prodigy/core/workflow/WorkItems"
import * as Workflow from "@prodigy/core/workflow/Workflow"
import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import { type Workspace, WorkspaceError } from "@prodigy/core/workspace/Workspace"
import { Worktrees } from "@prodigy/core/workspace/Worktrees"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberRef from "effect/FiberRef"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { PCGRandom } from "effect/Utils"
import type * as CrashExplorer from "./CrashExplorer.ts"
import * as MemoryWorkspace from "./MemoryWorkspace.ts"
import * as ScriptedAgent from "./ScriptedAgent.ts"
import * as ScriptedProgram from "./ScriptedProgram.ts"
import * as ScriptedShell from "./ScriptedShell.ts"
import * as SimulatedDisk from "./SimulatedDisk.ts"
import * as SimulatedFileSystem from "./SimulatedFileSystem.ts"
import { type Machine, SimulatedMachine } from "./SimulatedMachine.ts"
import * as Machines from "./SimulatedMachine.ts"
import * as SimulatedScheduler from "./SimulatedScheduler.ts"
import * as TestState from "./TestState.ts"

/**
 * Where things are on the machine.
 *
 * @since 0.1.0
 * @category models
 */
export const places = { home: "/home/dana/.prodigy", project: "/home/dana/project" } as const

/**
 * What stands for the programs that steps start: those that are not said work in silence and for free.
 *
 * @since 0.1.0
 * @category models
 */
export interface Programs {
  readonly shell?: ScriptedShell.Script
  readonly agent?: ScriptedAgent.Script
}

/**
 * What is there before anything runs: the repository in `places.project`, with one commit on `main`.
 *
 * @since 0.1.0
 * @category models
 */
export interface World {
  /** Content of the repository's files. */
  readonly files: MemoryWorkspace.Tree
  /** Of ids, and of what scripts choose by chance. 1 by default. */
  readonly seed?: number
}

/**
 * @since 0.1.0
 * @category models
 */
export type Services =
  | Layer.Layer.Success<typeof Prodigy.layer>
  | Prodigy.Stores
  | Workspace
  | AtomicFile.AtomicFile
  | ProdigyHome.ProdigyHome

/**
 * A machine and what is on it.
 *
 * @since 0.1.0
 * @category models
 */
export type Environment = SimulatedMachine | FileSystem.FileSystem | Path.Path

/**
 * Services to run with in place of those of the same name, which they are given: to see what becomes of a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replaced {
  readonly files?: Layer.Layer<never, never, AtomicFile.AtomicFile>
  readonly workspace?: Layer.Layer<never, never, Workspace>
  readonly stores?: Layer.Layer<never, never, Prodigy.Stores | AtomicFile.AtomicFile | ProdigyHome.ProdigyHome>
}

// -----------------------------------------------------------------------------
// layers
// -----------------------------------------------------------------------------

/**
 * How scripts are played on a machine.
 *
 * @since 0.1.0
 * @category models
 */
export interface Staging {
  readonly seed?: number
  /** Tells scripts apart that are played on one machine, one after the other. */
  readonly place?: string
  readonly onStart?: ScriptedProgram.Stage["onStart"]
  /** Called before the machine is switched off because of it. Without it the program dies with the mistake. */
  readonly onMistake?: (mistake: ScriptedProgram.ScriptMistake) => void
}

/**
 * All services for one start of a program on the machine: storage in `places.home`, the repository that `MemoryWorkspace.init`
 * made in `places.project`. Every start is a process of its own: those before it are dead.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerBoot = (
  programs: Programs = {},
  replaced: Replaced = {},
  staging: Staging = {}
): Layer.Layer<Services, never, SimulatedMachine | FileSystem.FileSystem | Path.Path> => {
  const place = staging.place ?? ""
  const shell = Layer.unwrapEffect(
    Effect.map(stageOn(staging), (stage) =>
      ScriptedShell.layer((request) =>
        ScriptedShell.run(programs.shell ?? silent.shell, request, stage, `${place}shell`)
      )
    )
  )
  const agent = Layer.unwrapEffect(
    Effect.map(stageOn(staging), (stage) =>
      ScriptedAgent.layer((request) =>
        ScriptedAgent.run(programs.agent ?? silent.agent, request, stage, `${place}agent`)
      )
    )
  )
  const process = Layer.unwrapEffect(
    Effect.map(
      Effect.flatMap(SimulatedMachine, ({ boot }) => boot),
      ({ number }) =>
        ProcessTable.layerTest({ self: { pid: 100 + number, host: "simulated", started_at: String(number) } })
    )
  )
  return Layers.inOrder(
    IdGenerator.layerSeeded,
    process,
    DiskSpace.layerTest(null),
    Compression.layerMemory,
    over(replaced.files, Layer.provide(AtomicFile.layer, TemporaryName.layerWriter)),
    ProdigyHome.layer({ root: places.home }),
    over(replaced.workspace, MemoryWorkspace.layer),
    agent,
    shell,
    Approval.layerNobody,
    Reaper.layerNoop,
    noWorktrees,
    over<Prodigy.Stores, Prodigy.StoragePorts>(replaced.stores, Prodigy.layerStores),
    Prodigy.layer
  )
}

/**
 * What a program is given that starts on a machine: the machine, and its files as of this start.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerEnvironment = (machine: Machine): Layer.Layer<Environment> =>
  Layer.mergeAll(SimulatedFileSystem.layer, Path.layer).pipe(
    Layer.provideMerge(Layer.succeed(SimulatedMachine, machine)),
    // Each start has a file system of its own.
    Layer.fresh
  )

/**
 * All of it in one line: a new machine with a repository, its clock and its randomness, and all services for a program on it.
 * Waits take no time under it: the clock goes on when nothing else is waited for.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (world: World, programs: Programs = {}): Layer.Layer<Services | Environment> =>
  Layer.unwrapScoped(
    Effect.gen(function* () {
      const machine = yield* Machines.make
      const repository = MemoryWorkspace.init({ root: places.project, files: world.files })
      yield* Effect.provideService(repository, SimulatedMachine, machine)
      const seed = world.seed ?? 1
      return layerBoot(programs, {}, { seed }).pipe(
        Layer.provideMerge(layerEnvironment(machine)),
        Layer.provideMerge(
          Layer.mergeAll(Layer.setClock(machine.clock.clock), Layer.setRandom(Random.make(seed)), scheduling(machine))
        )
      )
    })
  )

// -----------------------------------------------------------------------------
// the front door
// -----------------------------------------------------------------------------

/**
 * A workflow's world, its programs, and how it is run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options extends Programs, Partial<World>, Terms {
  /** What the file or the command of `map.input` gives, in the place of the one in `files` or of the script of the shell. */
  readonly items?: ReadonlyArray<Json>
}

/**
 * How a workflow is run: what the command takes as options.
 *
 * @since 0.1.0
 * @category models
 */
export interface Terms {
  /** Whether the final merge is approved: it is by default. */
  readonly approve?: boolean
  readonly parameters?: Readonly<Record<string, string>>
  readonly maxParallel?: number
  /** Whether a run waits when the quota is used up, as it does by default; otherwise it ends, paused. */
  readonly waitsForQuota?: boolean
  /** Of a standard workflow. */
  readonly iterations?: number
  /** Of a standard workflow: it is run once for each. */
  readonly values?: ReadonlyArray<string>
}

/**
 * One start of Prodigy: what ends it before its time, and what is other than with the starts before it.
 *
 * @since 0.1.0
 * @category models
 */
export interface Start extends Programs, Pick<Terms, "approve" | "waitsForQuota"> {
  /** Power fails right before the so manieth call that the program makes of files and git, from 1: see `Report.calls`. */
  readonly crashAt?: number
  /** The process is killed when so much time has passed. What it had written is there, synced or not. */
  readonly killAfter?: Duration.DurationInput
  /** Somebody types Ctrl-C when so much time has passed: the run ends in good order. */
  readonly interruptAfter?: Duration.DurationInput
  /** What becomes of unsynced changes when power fails: `lost` by default, `kept`, or by chance, by a seed. */
  readonly unsynced?: "lost" | "kept" | number
}

/**
 * How a start of Prodigy ended, and what it left.
 *
 * @since 0.1.0
 * @category models
 */
export interface Report extends TestState.State {
  /** As the engine says; or somebody interrupted it; or it was killed, or power failed. */
  readonly ended: AnyReport["status"] | "interrupted" | "crashed"
  /** What the engine reports; null when it did not come to that. */
  readonly report: AnyReport | null
  /** What was started, in order. */
  readonly started: ReadonlyArray<ScriptedProgram.Started>
  /** Virtual time that has passed. */
  readonly elapsedMillis: number
  /** Calls of files and git that were made. */
  readonly calls: number
}

/**
 * Why there is no report: the workflow, the script or what was asked for makes no sense, or a store is broken.
 *
 * @since 0.1.0
 * @category errors
 */
export type RunFailure =
  | MapReduce.PlanError
  | MapReduce.RunError
  | ScriptedProgram.ScriptMistake
  | Effect.Effect.Error<ReturnType<typeof TestState.read>>

/**
 * @since 0.1.0
 * @category errors
 */
export type ResumeFailure = RunFailure | Resume.FindError | Resume.ResumeError

/**
 * @since 0.1.0
 * @category errors
 */
export type RetryFailure = RunFailure | InspectError | MapReduce.RetryError

/**
 * A workflow in hand, on a machine of its own. Each start of Prodigy is a process; time goes on from one to the next.
 *
 * @since 0.1.0
 * @category models
 */
export interface TestJob {
  readonly machine: Machine
  /** As `prodigy run`. */
  readonly run: (start?: Start) => Effect.Effect<Report, RunFailure>
  /** As `prodigy resume`, of the only session that there is. */
  readonly resume: (start?: Start) => Effect.Effect<Report, ResumeFailure>
  /** What somebody does who finds the machine switched off: goes on with what is there, or runs it when nothing is. */
  readonly goOn: (start?: Start) => Effect.Effect<Report, ResumeFailure>
  /** As `prodigy dlq retry`, of the latest job. */
  readonly retryDeadLetters: (start?: Start & RetryTerms) => Effect.Effect<Report, RetryFailure>
  /** What is there now. */
  readonly state: Effect.Effect<TestState.State, RunFailure>
  /** Any program of yours on the services, as a process of its own. */
  readonly use: <A, E>(program: Effect.Effect<A, E, Services | Environment>) => Effect.Effect<A, E>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface RetryTerms {
  /** An expression over a letter; every one without it. */
  readonly filter?: string
  /** An item that was tried again so often is passed over; 3 by default, as with the command. */
  readonly maxRetries?: number
  /** Takes letters that are not eligible. */
  readonly force?: boolean
  /** Runs the reduce phase again. */
  readonly reduce?: boolean
}

/**
 * Runs a workflow on a new machine, and tells what came of it. A workflow that fails is a report.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (workflow: string, options: Options & Start = {}): Effect.Effect<Report, RunFailure> =>
  Effect.flatMap(make(workflow, options), (job) => job.run(options))

/**
 * A workflow on a new machine, with nothing run yet. Fails when it is not valid, or when the script names steps that it does not
 * have.
 *
 * @since 0.1.0
 * @category running
 */
export const make = (
  workflow: string,
  options: Options = {}
): Effect.Effect<TestJob, WorkflowFile.WorkflowInvalid | ScriptedProgram.ScriptMistake> =>
  Effect.gen(function* () {
    const setting = yield* settingOf(workflow, options)
    const machine = yield* Machines.make
    yield* Effect.provideService(
      MemoryWorkspace.init({ root: places.project, files: setting.files }),
      SimulatedMachine,
      machine
    )
    const starts = startsOn(machine, setting)
    const asRun = (start: Start = {}) => starts.engine(start, runOf(setting, start))
    return {
      machine,
      run: asRun,
      resume: (start = {}) => starts.engine(start, resumeOf(setting, start)),
      goOn: (start = {}) => starts.engine(start, goOnOf(setting, start)),
      retryDeadLetters: (start = {}) => starts.engine(start, retryOf(setting, start)),
      state: starts.use({}, TestState.read(places.project)),
      use: (program) => starts.use({}, program)
    }
  })

/**
 * A workflow as something that `CrashExplorer` crashes: run, and gone on with after each crash as `TestJob.goOn` does; then all
 * that is recorded must agree, and `check` fails or throws when what is left is not as it must be. Scripts whose answers change
 * from time to time may meet a crash between an answer and its record: choose by the item, not by a list, what must come out the
 * same.
 *
 * @since 0.1.0
 * @category running
 */
export const scenario = (
  workflow: string,
  options: Options & { readonly check: (state: TestState.State) => void | Effect.Effect<void, unknown> }
): CrashExplorer.Scenario<null, unknown> => {
  // Read once; what is wrong with it is told by whichever part is run first.
  const setting = Effect.runSyncExit(settingOf(workflow, options))
  const boot = <A, E>(program: (setting: Setting) => Effect.Effect<A, E, Services | Environment>) =>
    Effect.flatMap(setting, (known) =>
      Effect.provide(program(known), layerBoot(known.programs, {}, { seed: known.seed }))
    )
  const checked = Effect.flatMap(TestState.read(places.project), (state) => {
    const [wrong] = state.violations
    if (wrong !== undefined) return Effect.dieMessage(`${wrong.invariant}: ${wrong.detail}`)
    const told = options.check(state)
    return Effect.isEffect(told) ? told : Effect.void
  })
  return {
    witness: () => null,
    prepare: () => Effect.flatMap(setting, ({ files }) => MemoryWorkspace.init({ root: places.project, files })),
    run: () => boot((known) => runOf(known, {})),
    recover: () => boot((known) => goOnOf(known, {})),
    check: () => boot(() => checked)
  }
}

// -----------------------------------------------------------------------------
// what is run
// -----------------------------------------------------------------------------

interface Setting {
  readonly workflow: string
  readonly programs: Programs
  readonly files: MemoryWorkspace.Tree
  readonly seed: number
  readonly steps: ReadonlyArray<string>
  readonly options: Options
}

/** Reads the workflow and puts the items where it looks for them. */
const settingOf = (workflow: string, options: Options) =>
  Effect.gen(function* () {
    const parsed = yield* WorkflowFile.parse(workflow, workflowPath)
    const steps = stepsOf(parsed)
    yield* checkSteps(options, steps)
    const { agent, files = {}, items, seed = 1, shell } = options
    const programs = { ...(agent === undefined ? {} : { agent }), ...(shell === undefined ? {} : { shell }) }
    const setting: Setting = { workflow, programs, files, seed, steps, options }
    if (items === undefined) return setting
    const input = yield* inputOf(parsed)
    const format = input.format === "lines" && items.every((item) => typeof item === "string") ? "lines" : "json"
    const text = format === "lines" ? `${items.join("\n")}\n` : JSON.stringify(items)
    if (input.file !== null) return { ...setting, files: { ...files, [input.file]: text } }
    const prints = ScriptedShell.succeeds({ prints: text })
    const listing: ScriptedShell.Script = ({ origin }) =>
      origin.phase === "input" ? prints : (shell ?? ScriptedShell.succeeds())
    return { ...setting, programs: { ...programs, shell: listing } }
  })

const workflowPath = "workflow.yml"

const mistake = (program: "agent" | "shell", detail: string) => new ScriptedProgram.ScriptMistake({ program, detail })

/** Where items come from that a test gives. */
const inputOf = (parsed: WorkflowFile.Parsed) => {
  const cannot = (why: string) => mistake("shell", `items cannot be given to a workflow ${why}.`)
  if (parsed.kind === "standard") return cannot("that has none: it is a list of steps")
  const { input_format, json_path, source } = parsed.workflow.map.selection
  if (source.kind === "items") return cannot("that lists its own")
  if (json_path !== null && json_path !== "$[*]") return cannot(`that selects ${json_path}: give the file instead`)
  if (source.kind === "command") return Effect.succeed({ file: null, format: input_format ?? "lines" })
  const isFile = /^[^\s{}$]+\.\w+$/.test(source.text)
  const format = input_format ?? (isFile ? WorkItems.formatOf(source.text) : "lines")
  if (format !== "json" && format !== "lines") return cannot(`that reads ${format}: give the file instead`)
  return Effect.succeed({ file: isFile ? source.text : null, format })
}

/** The ids or names of all steps, and the command that lists the items. */
const stepsOf = (parsed: WorkflowFile.Parsed): ReadonlyArray<string> => {
  const named = (steps: ReadonlyArray<Workflow.Step>): ReadonlyArray<string> =>
    steps.flatMap((step) => [step.id ?? step.name, ...named(Workflow.followers(step))])
  if (parsed.kind === "standard") return named(parsed.workflow.steps)
  const { map, reduce, setup } = parsed.workflow
  const handler = map.failure_policy.handler?.steps ?? []
  return [...named([...setup.steps, ...map.agent_template, ...handler, ...reduce.steps]), "input"]
}

const checkSteps = ({ agent, shell }: Programs, steps: ReadonlyArray<string>) =>
  checkNames({ agent, shell }, "step", steps)

const checkNames = (
  { agent, shell }: { readonly [name in keyof Programs]: Programs[name] | undefined },
  by: "item" | "step",
  known: ReadonlyArray<string>
): Effect.Effect<void, ScriptedProgram.ScriptMistake> => {
  const wrong = agent === undefined ? null : ScriptedProgram.unknownName(agent, by, known)
  if (wrong !== null) return mistake("agent", wrong)
  const other = shell === undefined ? null : ScriptedProgram.unknownName(shell, by, known)
  return other === null ? Effect.void : mistake("shell", other)
}

const runOf = ({ options, workflow }: Setting, start: Start) =>
  Effect.gen(function* () {
    const runner = yield* Runner
    const plan = yield* runner.plan({
      workflowPath,
      workflowText: workflow,
      projectPath: places.project,
      maxParallel: options.maxParallel ?? null,
      base: null,
      parameters: options.parameters ?? {},
      iterations: options.iterations ?? null,
      values: options.values === undefined ? null : { from: "args", list: options.values },
      ...termsOf(options, start)
    })
    return yield* runner.run(plan)
  })

const termsOf = (options: Terms, start: Start) => ({
  approve: (start.approve ?? options.approve ?? true) ? ("yes" as const) : ("not_asked" as const),
  waitsForQuota: start.waitsForQuota ?? options.waitsForQuota ?? true
})

const resumeOf = (setting: Setting, start: Start, id: string | null = null) =>
  Effect.gen(function* () {
    const resume = yield* Resume.Resume
    return yield* resume.goOn(yield* resume.find({ projectPath: places.project, id }), {
      force: false,
      fromCheckpoint: null,
      retryFailed: false,
      maxRetries: null,
      useCurrent: false,
      ...termsOf(setting.options, start)
    })
  })

/** Null: what there is is over, and nothing of it is left to do. */
const goOnOf = (setting: Setting, start: Start) =>
  Effect.gen(function* () {
    const resume = yield* Resume.Resume
    const { lost, sessions } = yield* resume.list({ projectPath: places.project })
    if (sessions.length + lost.length > 0) return yield* resumeOf(setting, start)
    const inspect = yield* Inspect
    const all = yield* inspect.sessions({ projectPath: places.project, allRepos: true, status: null, limit: 100 })
    const over = all.sessions.find(({ session }) => session.status === "Completed")
    if (over === undefined) return yield* runOf(setting, start)
    // What the owner of a job that is over did not come to is still done, when its id is given.
    return yield* Effect.catchTag(resumeOf(setting, start, over.session.id), "AlreadyCompleted", () =>
      Effect.succeed(null)
    )
  })

const retryOf = (setting: Setting, start: Start & RetryTerms) =>
  Effect.gen(function* () {
    const inspect = yield* Inspect
    const { jobId, repo } = yield* inspect.job({ projectPath: places.project, id: "latest" })
    const mapReduce = yield* MapReduce.MapReduce
    const request = {
      repo,
      jobId,
      filter: start.filter ?? null,
      maxRetries: start.maxRetries ?? 3,
      force: start.force ?? false,
      parallel: null,
      timeoutMillis: null,
      reduce: start.reduce ?? false,
      ...termsOf(setting.options, start)
    }
    return yield* mapReduce.retry(request, () => Effect.void)
  })

// -----------------------------------------------------------------------------
// starts
// -----------------------------------------------------------------------------

/** Starts programs on a machine, one process after the other. */
const startsOn = (machine: Machine, setting: Setting) => {
  let count = 0
  /** The place of the scripts of each start: of those that came with the job its own, else the start's. */
  const placeOf = (start: Programs) => (start.agent === undefined && start.shell === undefined ? "" : `${count}:`)

  /** Runs a program as the next process; null when it was stopped by a crash. */
  const boot = <A, E>(
    programs: Programs,
    staging: Staging,
    program: Effect.Effect<A, E, Services | Environment>
  ): Effect.Effect<A | null, E> =>
    Effect.gen(function* () {
      if (count > 0) yield* machine.restart(SimulatedDisk.keepUnsynced)
      count += 1
      const { seed } = setting
      const services = layerBoot(programs, {}, { seed, ...staging }).pipe(Layer.provideMerge(layerEnvironment(machine)))
      const exit = yield* Machines.run(
        machine,
        program.pipe(Effect.provide(services), Effect.withRandom(Random.make(`${seed}/${count}`)))
      )
      return exit === null ? null : yield* exit
    })

  /** A crash is nobody's wish here. */
  const use = <A, E>(programs: Programs, program: Effect.Effect<A, E, Services | Environment>): Effect.Effect<A, E> =>
    Effect.flatMap(
      boot(
        programs,
        {},
        Effect.map(program, (value) => ({ value }))
      ),
      (given) => (given === null ? Effect.dieMessage("The machine crashed.") : Effect.succeed(given.value))
    )

  const engine = <E>(start: Start, program: Effect.Effect<AnyReport | null, E, Services | Environment>) =>
    Effect.gen(function* () {
      yield* checkSteps(start, setting.steps)
      const started: Array<ScriptedProgram.Started> = []
      const mistakes: Array<ScriptedProgram.ScriptMistake> = []
      const programs = { ...setting.programs, ...programsOf(start) }
      const staging: Staging = {
        place: placeOf(start),
        onStart: (one) => started.push(one),
        onMistake: (one) => mistakes.push(one)
      }
      const from = { millis: machine.clock.clock.unsafeCurrentTimeMillis(), calls: machine.count() }
      const passed = () => ({
        elapsedMillis: machine.clock.clock.unsafeCurrentTimeMillis() - from.millis,
        calls: machine.count() - from.calls
      })
      const ended = yield* boot(
        programs,
        staging,
        Effect.gen(function* () {
          yield* machine.crashAt(start.crashAt === undefined ? null : { at: start.crashAt, bytes: 0 })
          const fiber = yield* Effect.fork(program)
          yield* stopping(machine, start, fiber)
          const exit = yield* Fiber.await(fiber)
          yield* machine.crashAt(null)
          const past = passed()
          if (Exit.isInterrupted(exit)) return { ended: "interrupted" as const, report: null, ...past }
          const report = yield* exit
          return { ended: report?.status ?? ("completed" as const), report, ...past }
        }).pipe(Effect.scoped)
      )
      const past = ended ?? { ended: "crashed" as const, report: null, ...passed() }
      if (ended === null) yield* machine.restart(cutOf(start))
      if (mistakes[0] !== undefined) return yield* mistakes[0]
      const state = yield* use({}, TestState.read(places.project))
      if (state.total !== null)
        yield* checkNames(
          programs,
          "item",
          state.items.map(({ id }) => id)
        )
      return { ...state, ...past, started } satisfies Report
    })

  return { use, engine }
}

const programsOf = ({ agent, shell }: Programs): Programs => ({
  ...(agent === undefined ? {} : { agent }),
  ...(shell === undefined ? {} : { shell })
})

/** What is to end the program before its time. */
const stopping = (machine: Machine, start: Start, fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
  Effect.gen(function* () {
    const { interruptAfter, killAfter } = start
    if (interruptAfter !== undefined) yield* Effect.forkScoped(Effect.delay(Fiber.interrupt(fiber), interruptAfter))
    if (killAfter === undefined) return
    const boot = yield* machine.boot
    const kill = Effect.zipRight(
      machine.crashAt({ at: 1, bytes: 0 }),
      boot.step({ method: "kill", path: "", bytes: 0 })
    )
    yield* Effect.forkScoped(Effect.delay(kill, killAfter))
  })

/** A process that is killed takes nothing with it. */
const cutOf = ({ killAfter, unsynced = killAfter === undefined ? "lost" : "kept" }: Start): SimulatedDisk.PowerCut => {
  if (unsynced === "lost") return SimulatedDisk.loseUnsynced
  if (unsynced === "kept") return SimulatedDisk.keepUnsynced
  const random = new PCGRandom(unsynced)
  return SimulatedDisk.losesByChance(() => random.number())
}

// -----------------------------------------------------------------------------
// parts of the layers
// -----------------------------------------------------------------------------

const over = <A, R>(replaced: Layer.Layer<never, never, A | R> | undefined, layer: Layer.Layer<A, never, R>) =>
  replaced === undefined ? layer : Layer.provideMerge(replaced, layer)

/** Lets the clock go on whenever nothing else is left to do, for as long as the layer is there. */
const scheduling = (machine: Machine) =>
  Layer.scopedDiscard(
    Effect.gen(function* () {
      const { scheduler, stop } = SimulatedScheduler.make({
        order: SimulatedScheduler.inTurn,
        isOver: () => false,
        ended: () => {},
        idle: machine.clock.idle,
        stuck: () => {}
      })
      yield* Effect.locallyScoped(FiberRef.currentScheduler, scheduler)
      yield* Effect.addFinalizer(() => Effect.sync(stop))
    })
  )

const silent = { agent: ScriptedAgent.succeeds(), shell: ScriptedShell.succeeds() }

/** What plays stand on, for the program that runs on the machine now. */
const stageOn = ({
  onMistake,
  onStart,
  seed = 1
}: Staging): Effect.Effect<ScriptedProgram.Stage, never, SimulatedMachine | FileSystem.FileSystem> =>
  Effect.gen(function* () {
    const machine = yield* SimulatedMachine
    const { step } = yield* machine.boot
    const files = yield* FileSystem.FileSystem
    const crash = machine
      .crashAt({ at: 1, bytes: 0 })
      .pipe(Effect.zipRight(step({ method: "power off", path: "", bytes: 0 })), Effect.zipRight(Effect.never))
    return {
      seed,
      files,
      // Of the world: what was asked is not forgotten when a program crashes.
      count: ScriptedProgram.counter(() => askedOn(machine)),
      onStart: onStart ?? (() => {}),
      commit: (path, message) =>
        Effect.provideService(MemoryWorkspace.commit({ path, message }), SimulatedMachine, machine).pipe(Effect.orDie),
      crash,
      mistaken: (mistake) => {
        if (onMistake === undefined) return Effect.die(mistake)
        onMistake(mistake)
        return crash
      }
    }
  })

const asked = "asked of scripts"

const askedOn = ({ world }: Machine): Record<string, number> => {
  const known = world.get(asked) as Record<string, number> | undefined
  if (known !== undefined) return known
  const none: Record<string, number> = {}
  world.set(asked, none)
  return none
}

/** The commands that look after worktrees are about git's: there are none here. */
const noWorktrees = Layer.succeed(Worktrees, {
  version: Effect.succeed("simulated"),
  open: ({ project }) =>
    new WorkspaceError({
      operation: "look at the worktrees",
      reason: "command_failed",
      path: project.root,
      detail: "a simulated repository has no worktrees to look after"
    })
})
