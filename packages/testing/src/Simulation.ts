/**
 * Runs the whole job of a plan on a simulated machine, through everything that befalls it, and says what was not as it must be.
 *
 * Owns the oracle: by the plan alone it is known what every attempt of every item comes to, so what is done, what is recorded and what
 * is in the target branch must agree with it and with each other. The plan's choices are `SimulationPlan`'s.
 *
 * @since 0.1.0
 */
import * as Path from "@effect/platform/Path"
import type { AgentReply } from "@prodigy/core/agent/Agent"
import type { Origin } from "@prodigy/core/agent/Origin"
import type { ShellOutcome } from "@prodigy/core/agent/Shell"
import type { Failure } from "@prodigy/core/domain/Failure"
import type { JobRecord, JobRecordOf, JournalEntry } from "@prodigy/core/domain/JobRecord"
import * as Limits from "@prodigy/core/domain/Limits"
import * as Timestamp from "@prodigy/core/domain/Timestamp"
import { Cancel } from "@prodigy/core/engine/Cancel"
import { Inspect } from "@prodigy/core/engine/Inspect"
import * as JobEvidence from "@prodigy/core/engine/JobEvidence"
import * as JobInvariants from "@prodigy/core/engine/JobInvariants"
import { MapReduce } from "@prodigy/core/engine/MapReduce"
import { Resume } from "@prodigy/core/engine/Resume"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { CheckpointStore } from "@prodigy/core/storage/CheckpointStore"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { EventLog } from "@prodigy/core/storage/EventLog"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { Journal } from "@prodigy/core/storage/Journal"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionJobIndex } from "@prodigy/core/storage/SessionJobIndex"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import { Workspace } from "@prodigy/core/workspace/Workspace"
import * as Cause from "effect/Cause"
import * as Context from "effect/Context"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Random from "effect/Random"
import { PCGRandom } from "effect/Utils"
import * as FaultyFileSystem from "./FaultyFileSystem.ts"
import * as MemoryWorkspace from "./MemoryWorkspace.ts"
import * as SimulatedDisk from "./SimulatedDisk.ts"
import * as SimulatedFileSystem from "./SimulatedFileSystem.ts"
import * as Machine from "./SimulatedMachine.ts"
import * as SimulatedScheduler from "./SimulatedScheduler.ts"
import * as SimulationPlan from "./SimulationPlan.ts"
import * as TestProdigy from "./TestProdigy.ts"

/**
 * What became of a plan.
 *
 * @since 0.1.0
 * @category models
 */
export interface Result {
  readonly plan: SimulationPlan.Plan
  /** Sentences; none when all is as it must be. */
  readonly violations: ReadonlyArray<string>
  /** What happened, in order, for people. */
  readonly trace: ReadonlyArray<string>
  /** How often what happened, by name: for seeing that a generator tries what it should. */
  readonly seen: Readonly<Record<string, number>>
  readonly calls: number
  readonly virtualMillis: number
  /** Every file on the disk at the end. */
  readonly tree: ReadonlyArray<readonly [path: string, content: string | null]>
}

/** Starts of the program after which a job should long be over. */
const startsMax = 60
/** Calls of one start, and days of its time, after which it goes round in circles. */
const callsMax = 30_000
const daysMax = 400

const { home, project } = TestProdigy.places
const main = "refs/heads/main"

/** What is watched from outside: it outlives all starts. */
interface World {
  readonly plan: SimulationPlan.Plan
  readonly replaced: TestProdigy.Replaced
  readonly machine: Machine.Machine
  readonly items: ReadonlyArray<number>
  readonly begin: number
  readonly violations: Array<string>
  readonly trace: Array<string>
  readonly seen: Record<string, number>
  /** What was read of the journal last. */
  readonly journal: { text: string; records: ReadonlyArray<JobRecord> }
}

const note = (world: World, what: string, times = 1) => {
  world.seen[what] = (world.seen[what] ?? 0) + times
}

const tell = (world: World, line: string) => {
  const seconds = (world.machine.clock.clock.unsafeCurrentTimeMillis() - world.begin) / 1000
  world.trace.push(`${seconds.toFixed(3).padStart(11)} s  ${String(world.machine.count()).padStart(6)}  ${line}`)
}

const violate = (world: World, what: string) => {
  if (!world.violations.includes(what)) world.violations.push(what)
  tell(world, `VIOLATION: ${what}`)
}

/**
 * Runs a plan to its end. `replaced`: services with a defect, to see whether it is found.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (plan: SimulationPlan.Plan, replaced: TestProdigy.Replaced = {}): Effect.Effect<Result> =>
  Effect.gen(function* () {
    yield* Machine.others
    const machine = yield* Machine.make
    const world: World = {
      plan,
      replaced,
      machine,
      items: SimulationPlan.selected(plan),
      begin: machine.clock.clock.unsafeCurrentTimeMillis(),
      violations: [],
      trace: [],
      seen: {},
      journal: { text: "", records: [] }
    }
    yield* Effect.provideService(
      MemoryWorkspace.init({ root: project, files: { README: "hello\n" } }),
      Machine.SimulatedMachine,
      machine
    )
    machine.disk.syncAll()
    for (let number = 0; ; number += 1) {
      if (yield* startOnce(world, number)) break
      // What is wrong does not get better.
      if (world.violations.length > 0 && number > plan.starts.length + 3) break
      if (number < startsMax) continue
      violate(world, `The job is not over after ${startsMax} starts.`)
      break
    }
    yield* checkOutcome(world)
    return {
      plan,
      violations: world.violations,
      trace: world.trace,
      seen: world.seen,
      calls: machine.count(),
      virtualMillis: machine.clock.clock.unsafeCurrentTimeMillis() - world.begin,
      tree: machine.disk.tree()
    }
  }).pipe(Logger.withMinimumLogLevel(LogLevel.None))

/**
 * The smallest plan found that still violates something, beginning with one that does.
 *
 * @since 0.1.0
 * @category running
 */
export const shrink = (failed: Result, runsMax = 400): Effect.Effect<Result> =>
  Effect.gen(function* () {
    let best = failed
    let runs = 0
    let found = true
    while (found && runs < runsMax) {
      found = false
      for (const plan of SimulationPlan.smaller(best.plan)) {
        if ((runs += 1) > runsMax) break
        const result = yield* run(plan)
        if (result.violations.length === 0) continue
        best = result
        found = true
        break
      }
    }
    return best
  })

/**
 * How often what happened in several runs.
 *
 * @since 0.1.0
 * @category getters
 */
export const total = (all: ReadonlyArray<Result["seen"]>): Record<string, number> => {
  const sum: Record<string, number> = {}
  for (const seen of all) for (const [name, times] of Object.entries(seen)) sum[name] = (sum[name] ?? 0) + times
  return sum
}

// -----------------------------------------------------------------------------
// one start
// -----------------------------------------------------------------------------

/** Starts the program once, with what befalls it. True when nothing is left to do. */
const startOnce = (world: World, number: number) =>
  Effect.gen(function* () {
    const { machine, plan } = world
    const { order, troubles } = plan.starts[number] ?? { order: "turn", troubles: [] }
    const random = new PCGRandom(plan.seed * 1009 + number)
    const crash = troubles.find(isCrash)
    const fault = troubles.find((trouble) => trouble.kind === "fault")
    const signal = Deferred.unsafeMake<void>(FiberId.none)
    const stop = () => Deferred.unsafeDone(signal, Effect.void)
    const first = machine.count()
    const begun = machine.clock.clock.unsafeCurrentTimeMillis()
    tell(world, `start ${number + 1}, order: ${order}, ${troubles.map((one) => JSON.stringify(one)).join(" ")}`)
    note(world, `order: ${order}`)

    const awaited = troubles.map((trouble) => ({ trouble, isNow: awaits(world, trouble) }))
    yield* machine.observe(({ path }) => {
      for (const { isNow, trouble } of awaited) {
        if (!isNow(path)) continue
        if (trouble.kind === "signal") {
          tell(world, "signal")
          note(world, "signal")
          stop()
        } else if (trouble.kind === "jump") {
          machine.clock.jump(trouble.seconds * 1000)
          tell(world, `the clock is set forward by ${trouble.seconds} s`)
          note(world, "clock jump")
        } else if (isCrash(trouble)) Effect.runSync(machine.crashAt({ at: 0, bytes: trouble.bytes }))
      }
      const made = machine.count() - first
      const days = (machine.clock.clock.unsafeCurrentTimeMillis() - begun) / 86_400_000
      if (made !== callsMax && days < daysMax) return
      violate(world, `The program goes round in circles: ${made} calls, ${Math.round(days)} days.`)
      stop()
    })
    const { number: boot, step } = yield* machine.boot
    const program = Layer.build(TestProdigy.layerBoot(programs(world, step), world.replaced)).pipe(
      Effect.flatMap((services) => Effect.provide(proceed(world, number, fault === undefined), needed(services))),
      Effect.scoped
    )
    const exit = yield* Machine.run(
      machine,
      Effect.raceFirst(program, Effect.as(Deferred.await(signal), false)).pipe(
        Effect.provide(environment(world, fault)),
        // Whatever the journal's length.
        Effect.provideService(Limits.CheckpointGrowthMin, 0),
        Effect.withRandom(Random.make(plan.seed * 31 + boot))
      ),
      {
        order: orders[order](random),
        stuck: () => {
          violate(world, "Nothing goes on any more, and nobody waits for any time.")
          stop()
        }
      }
    )
    yield* machine.observe(null)
    if (exit === null && crash !== undefined) {
      const phase = phaseOf(recordsOf(world))
      tell(world, `crash (${crash.kind}) in ${phase}`)
      note(world, `crash: ${crash.kind}`)
      note(world, `crash in ${phase}`)
      yield* machine.restart(cutOf(crash.kind, random))
    } else {
      if (exit !== null && Exit.isFailure(exit)) tell(world, `it ends with: ${Cause.pretty(exit.cause).split("\n")[0]}`)
      yield* machine.restart(SimulatedDisk.keepUnsynced)
    }
    // Somebody comes back after a while; after an hour a quota may be there again.
    machine.clock.jump(3_600_000)
    if (exit !== null && Exit.isFailure(exit) && troubles.length === 0)
      violate(world, `An untroubled start fails: ${Cause.pretty(exit.cause)}`)
    return exit !== null && Exit.isSuccess(exit) && exit.value
  })

type Crash = Extract<SimulationPlan.Trouble, { readonly bytes: number }>

const isCrash = (trouble: SimulationPlan.Trouble): trouble is Crash =>
  trouble.kind === "lost" || trouble.kind === "chance" || trouble.kind === "killed"

/** Asked before each call, in order: whether it is the one that a trouble waits for. */
const awaits = (world: World, { after, at }: SimulationPlan.Trouble) => {
  const counts = countsFrom(world, after)
  return (path: string) => counts(path) === at
}

/** Asked before each call, in order: the so manieth it is since the journal has a record of a kind; 0 before. */
const countsFrom = (world: World, after: SimulationPlan.Trouble["after"]) => {
  let count = 0
  let isNew = true
  return (path: string) => {
    const counts = count > 0 || after === null || (isNew && recordsOf(world).some(({ type }) => type === after))
    if (counts) count += 1
    isNew = path.endsWith("/journal.jsonl")
    return count
  }
}

const orders = {
  turn: () => SimulatedScheduler.inTurn,
  chance: (random: PCGRandom) => SimulatedScheduler.byChance(() => random.number()),
  rank: (random: PCGRandom) => SimulatedScheduler.byRank(() => random.number(), 50)
}

const cutOf = (kind: "lost" | "chance" | "killed", random: PCGRandom): SimulatedDisk.PowerCut => {
  if (kind === "lost") return SimulatedDisk.loseUnsynced
  return kind === "killed" ? SimulatedDisk.keepUnsynced : SimulatedDisk.losesByChance(() => random.number())
}

/** What `FaultyFileSystem` says of every fault of its own. */
const faultText = "a fault of the test"

/** The machine, and its files as this start sees them: the storage, but for worktrees and logs, may refuse calls. */
const environment = (world: World, fault: Extract<SimulationPlan.Trouble, { kind: "fault" }> | undefined) => {
  const counts = countsFrom(world, fault?.after ?? null)
  const files =
    fault === undefined
      ? SimulatedFileSystem.layer
      : Layer.provide(
          FaultyFileSystem.layer(({ method, path }) => {
            const number = counts(path)
            if (number < fault.at || number >= fault.at + fault.calls) return null
            if (!path.startsWith(home) || path.includes("/worktrees/") || path.includes("/logs/")) return null
            tell(world, `${fault.code} from ${method} ${path}`)
            note(world, `fault: ${fault.code}`)
            return FaultyFileSystem.fails(fault.code)
          }),
          SimulatedFileSystem.layer
        )
  return Layer.mergeAll(files, Path.layer).pipe(
    Layer.provideMerge(Layer.succeed(Machine.SimulatedMachine, world.machine)),
    Layer.fresh
  )
}

// -----------------------------------------------------------------------------
// what a person does
// -----------------------------------------------------------------------------

/** What is needed here. Every fork copies the context that it forks from. */
const needed = Context.pick(
  AtomicFile,
  Cancel,
  CheckpointStore,
  DeadLetterQueue,
  EventLog,
  Inspect,
  JobStore,
  Journal,
  MapReduce,
  ProdigyHome,
  ResumeLock,
  Resume,
  SessionJobIndex,
  SessionStore,
  Workspace
)

/** Goes on with what there is, or begins; true when nothing is left to do. */
const proceed = (world: World, number: number, checks: boolean) =>
  Effect.gen(function* () {
    /** Whether that was all. */
    const isAll = (report: { readonly status: string }) =>
      Effect.gen(function* () {
        tell(world, `it is ${report.status}`)
        const records = recordsOf(world)
        const open = plan.afterwards !== "nothing" && deadLetters(world, records).length > 0 && !isRetried(records)
        if (report.status !== "completed" || !checks || open || plan.seed % 4 === 0) return false
        for (const line of yield* invariants) violate(world, line)
        return true
      })
    const { plan } = world
    const engine = yield* MapReduce
    const inspect = yield* Inspect
    const resume = yield* Resume
    const waits = plan.waitsForQuota
    if (checks)
      for (const line of yield* invariants)
        if (line.startsWith("broken")) violate(world, `Before anybody goes on: ${line}`)

    const { lost, sessions } = yield* resume.list({ projectPath: project })
    const all = yield* inspect.sessions({ projectPath: project, allRepos: true, status: null, limit: 10 })
    const over = all.sessions.find(({ session }) => session.status === "Completed")
    const [known] = all.sessions
    let named = over
    if (known !== undefined && over === undefined && plan.cancelledAt !== null && number >= plan.cancelledAt) {
      tell(world, "cancel")
      note(world, "cancel")
      const cancel = yield* Cancel
      const isCancelled = yield* cancel.find({ projectPath: project, id: known.session.id }).pipe(
        Effect.flatMap(cancel.cancel),
        Effect.as(true),
        Effect.catchTags({
          // All of it was done when the start before came to its end.
          AlreadyCancelled: () => Effect.succeed(true),
          // Its work is in the target. It may lack its last words: somebody goes on with it.
          NotCancellable: () => Effect.succeed(false)
        })
      )
      tell(world, isCancelled ? "it is cancelled" : "it cannot be cancelled")
      if (isCancelled) {
        note(world, "cancelled")
        if (checks) for (const line of yield* invariants) violate(world, line)
        return checks
      }
      note(world, "cannot be cancelled")
      named = known
    }
    if (over === undefined && sessions.length + lost.length === 0) {
      if (recordsOf(world).length > 0) violate(world, "A job that has begun is not found.")
      tell(world, "run")
      const planned = yield* engine.plan({
        workflowPath: "simulated.yml",
        workflowText: SimulationPlan.workflowText(plan),
        projectPath: project,
        maxParallel: null,
        base: null,
        approve: "yes",
        parameters: {},
        waitsForQuota: waits
      })
      return yield* isAll(yield* engine.run(planned))
    }

    const target = yield* resume.find({ projectPath: project, id: named?.session.id ?? null })
    const { jobId, repo } = target
    if (jobId === null) return yield* Effect.dieMessage("A job has no id.")
    const records = recordsOf(world)
    const isOver = records.at(-1)?.type === "job_completed"
    const retried = isRetried(records)
    const again = isOver && !retried && deadLetters(world, records).length > 0 && plan.afterwards !== "nothing"
    if (plan.afterwards === "dlq retry" && (again || (retried && !isOver))) {
      tell(world, "dlq retry")
      note(world, "dlq retry")
      const asked = { filter: null, maxRetries: 100, force: true, parallel: null, timeoutMillis: null, reduce: false }
      const report = yield* engine.retry(
        { repo, jobId, ...asked, approve: "yes", waitsForQuota: waits },
        () => Effect.void
      )
      return yield* isAll(report)
    }
    const files = jobsOf(world.machine.disk).flatMap((directory) => below(world.machine.disk, directory))
    if (phaseOf(records) === "map" && files.some((path) => path.includes("/map-checkpoint-")))
      note(world, "resume from a checkpoint of the map phase")
    tell(world, again ? plan.afterwards : "resume")
    note(world, again ? plan.afterwards : "resume")
    const report = yield* resume
      .goOn(target, {
        force: false,
        approve: "yes",
        fromCheckpoint: null,
        waitsForQuota: waits,
        retryFailed: again,
        maxRetries: null,
        useCurrent: false
      })
      .pipe(Effect.catchTag("AlreadyCompleted", () => Effect.succeed(null)))
    if (report !== null) return yield* isAll(report)
    tell(world, "it is completed already")
    if (!checks) return false
    for (const line of yield* invariants) violate(world, line)
    return true
  })

const isRetried = (records: ReadonlyArray<JobRecord>) => records.some(({ type }) => type === "items_requeued")

const deadLetters = ({ items }: World, records: ReadonlyArray<JobRecord>) =>
  items.filter((_, index) => fateOf(records, index) === "dead_letter")

/** Everything recorded that does not agree, each in a line. */
const invariants = Effect.gen(function* () {
  const prodigyHome = yield* ProdigyHome
  const store = yield* JobStore
  const found: Array<string> = []
  for (const repo of yield* prodigyHome.repoNames)
    for (const jobId of yield* store.list(repo)) {
      const evidence = yield* JobEvidence.gather({ repo, jobId, events: true })
      for (const { detail, invariant, severity } of JobInvariants.violations(evidence))
        found.push(`${severity}: ${invariant}: ${detail}`)
    }
  return found
})

// -----------------------------------------------------------------------------
// what programs do
// -----------------------------------------------------------------------------

const programs = (world: World, step: Machine.Boot["step"]): TestProdigy.Programs => ({
  shell: ({ cwd, env, origin, script, timeoutMillis }) =>
    Effect.gen(function* () {
      yield* step({ method: "exec", path: script, bytes: 0 })
      if (origin.item === null) return yield* phaseStep(world, step, { cwd, env, origin })
      const done = yield* work(world, step, { cwd, origin, timeoutMillis })
      return shellOutcomes[done]
    }),
  agent: ({ cwd, origin, prompt, timeoutMillis }) =>
    Effect.gen(function* () {
      yield* step({ method: "exec", path: prompt, bytes: 0 })
      const done = yield* work(world, step, { cwd, origin, timeoutMillis })
      if (done !== "quota") return agentReplies[done]
      const now = world.machine.clock.clock.unsafeCurrentTimeMillis()
      const resetsAt = (origin.item?.index ?? 0) % 2 === 0 ? null : Timestamp.fromMillis(now + 600_000)
      return { outcome: { _tag: "QuotaExceeded", resetsAt, message: "used up" } } satisfies Partial<AgentReply>
    })
})

const shellOutcomes: Readonly<Record<SimulationPlan.Deed, Partial<ShellOutcome>>> = {
  writes: {},
  conflicts: {},
  nothing: {},
  fails: { exitCode: 1, stderr: "no\n" },
  hangs: { exitCode: 143, signal: "SIGTERM", timedOut: true },
  quota: {}
}

const agentReplies: Readonly<Record<Exclude<SimulationPlan.Deed, "quota">, Partial<AgentReply>>> = {
  writes: {},
  conflicts: {},
  nothing: {},
  fails: { outcome: { _tag: "Failed", subtype: "error_during_execution", message: "no", exitCode: 1 } },
  hangs: { outcome: { _tag: "TimedOut" } }
}

/** The program of an item. What it does is told by the plan and the item's records. */
const work = (
  world: World,
  step: Machine.Boot["step"],
  request: { readonly cwd: string; readonly origin: Origin; readonly timeoutMillis: number | null }
) =>
  Effect.gen(function* () {
    const { cwd, origin, timeoutMillis } = request
    const { machine, plan } = world
    const index = origin.item?.index ?? -1
    const n = world.items[index] ?? -1
    const records = recordsOfItem(recordsOf(world), index)
    const failures = records.filter(isOwnFailure).length
    const last = records.at(-1)
    if (last?.type !== "item_started" || last.attempt !== origin.attempt)
      violate(world, `Item ${n} runs in attempt ${origin.attempt}, which is not what was recorded last: ${last?.type}.`)
    const deed = SimulationPlan.deedOf(plan, n, failures)
    tell(world, `item ${n}, attempt ${origin.attempt}, after ${failures} failures: ${deed}`)
    note(world, `deed: ${deed}`)
    const seconds = plan.items[n]?.seconds ?? 0
    if (seconds > 0) yield* Effect.sleep(seconds * 500)
    const file = deed === "conflicts" ? "both" : deed === "writes" ? fileOf(n) : `left-by-${n}`
    if (deed !== "nothing") yield* write(machine, step, `${cwd}/${file}`, contentOf(n, deed, failures))
    if (seconds > 0) yield* Effect.sleep(seconds * 500)
    if (deed === "hangs") yield* Effect.sleep(timeoutMillis ?? 86_400_000)
    if (plan.commits && (deed === "writes" || deed === "conflicts")) {
      yield* step({ method: "git commit", path: cwd, bytes: 0 })
      yield* MemoryWorkspace.commit({ path: cwd, message: `work on ${n}` }).pipe(
        Effect.provideService(Machine.SimulatedMachine, machine),
        Effect.orDie
      )
    }
    return deed
  })

const fileOf = (n: number) => `item-${n}`

const contentOf = (n: number, deed: SimulationPlan.Deed, failures: number): string =>
  deed === "conflicts" ? `by ${n}\n` : `by ${n} after ${failures} failures\n`

/** The program of a step of setup or reduce: it must not run when it is recorded to be done. */
const phaseStep = (
  world: World,
  step: Machine.Boot["step"],
  request: { readonly cwd: string; readonly env: Readonly<Record<string, string>>; readonly origin: Origin }
) =>
  Effect.gen(function* () {
    const { cwd, env, origin } = request
    const records = recordsOf(world)
    tell(world, `${origin.phase}: ${origin.step}`)
    note(world, `ran ${origin.phase}`)
    if (origin.phase === "setup") {
      if (records.some(({ type }) => type === "setup_completed")) violate(world, "Setup runs although it is done.")
      yield* write(world.machine, step, `${cwd}/SETUP`, "ready\n")
      return { stdout: "ready\n" }
    }
    const at = Number(origin.step.replace("report-", ""))
    if (records.some((record) => record.type === "reduce_step_completed" && record.step === at))
      violate(world, `Step ${at} of reduce runs although it is done.`)
    yield* write(world.machine, step, `${cwd}/REPORT-${at}`, `${env["DONE"]}\n`)
    return {}
  })

/** Programs do not sync. */
const write = (machine: Machine.Machine, step: Machine.Boot["step"], path: string, content: string) =>
  Effect.gen(function* () {
    const access = { read: false, write: true, append: false, create: true, exclusive: false, truncate: true }
    yield* step({ method: "open", path, bytes: 0 })
    const now = machine.clock.clock.unsafeCurrentTimeMillis()
    const fd = machine.disk.open(path, access, 0o644, now)
    const bytes = new TextEncoder().encode(content)
    yield* step({ method: "write", path, bytes: bytes.length }, (written, disk) => {
      disk.write(fd, bytes.subarray(0, written), 0, now)
    })
    machine.disk.write(fd, bytes, 0, now)
    machine.disk.close(fd)
  })

// -----------------------------------------------------------------------------
// what is recorded
// -----------------------------------------------------------------------------

/** The records of the journal as it is now, whole lines only. */
const recordsOf = ({ journal, machine: { disk } }: World): ReadonlyArray<JobRecord> => {
  let text = ""
  for (const directory of jobsOf(disk)) {
    const one = contentAt(disk, `${directory}/journal.jsonl`)
    text += one.slice(0, one.lastIndexOf("\n") + 1)
  }
  // It is asked for more often than it changes.
  if (text !== journal.text) {
    journal.text = text
    journal.records = text.split("\n").flatMap((line) => {
      if (line === "") return []
      // What the journal wrote.
      const entry: JournalEntry = JSON.parse(line)
      return [entry.record]
    })
  }
  return journal.records
}

/** The directories of all jobs. */
const jobsOf = (disk: SimulatedDisk.SimulatedDisk) =>
  below(disk, `${home}/state`).flatMap((repo) => below(disk, `${repo}/mapreduce/jobs`))

const below = (disk: SimulatedDisk.SimulatedDisk, directory: string): ReadonlyArray<string> => {
  try {
    return disk.readDirectory(directory).map((name) => `${directory}/${name}`)
  } catch {
    return []
  }
}

const contentAt = (disk: SimulatedDisk.SimulatedDisk, path: string): string => {
  const access = { read: true, write: false, append: false, create: false, exclusive: false, truncate: false }
  try {
    const bytes = new Uint8Array(disk.stat(path).size)
    const fd = disk.open(path, access, 0, 0)
    disk.read(fd, bytes, 0)
    disk.close(fd)
    return new TextDecoder().decode(bytes)
  } catch {
    return ""
  }
}

type OfItem = JobRecordOf<"item_started" | "item_completed" | "item_failed" | "merge_started" | "item_merged">

const recordsOfItem = (records: ReadonlyArray<JobRecord>, index: number): ReadonlyArray<OfItem> =>
  records.filter(
    (record): record is OfItem =>
      (record.type === "item_started" ||
        record.type === "item_completed" ||
        record.type === "item_failed" ||
        record.type === "merge_started" ||
        record.type === "item_merged") &&
      record.index === index
  )

/** Whether the item's own program, or its merge, is to blame, and not the disk. */
const isOwnFailure = (record: OfItem): record is JobRecordOf<"item_failed"> =>
  record.type === "item_failed" && !isExcused(record.failure)

const isExcused = (failure: Failure): boolean =>
  failure.cause.error_type === "ResourceExhausted" || JSON.stringify(failure).includes(faultText)

const fateOf = (records: ReadonlyArray<JobRecord>, index: number): "merged" | "dead_letter" | "skip" | "pending" => {
  const last = recordsOfItem(records, index).at(-1)
  if (last?.type === "item_merged") return "merged"
  if (last?.type === "item_failed" && (last.disposition === "dead_letter" || last.disposition === "skip"))
    return last.disposition
  // Without a commit there is nothing to merge.
  return last?.type === "item_completed" && last.tip === null ? "merged" : "pending"
}

const phaseOf = (records: ReadonlyArray<JobRecord>): string => {
  const has = (type: JobRecord["type"]) => records.some((record) => record.type === type)
  if (records.at(-1)?.type === "job_completed") return "nothing, it is over"
  if (has("items_requeued")) return "a retry of dead letters"
  if (has("reduce_completed")) return "finish"
  if (has("map_completed")) return "reduce"
  if (has("items_selected")) return "map"
  if (has("setup_completed")) return "select"
  return has("job_started") ? "setup" : "the claim"
}

// -----------------------------------------------------------------------------
// what must be true
// -----------------------------------------------------------------------------

const checkOutcome = (world: World) =>
  Effect.gen(function* () {
    const { items, plan } = world
    const records = recordsOf(world)
    for (const record of records) {
      if (record.type === "item_failed") note(world, `failed: ${record.failure.cause.error_type}`)
      if (record.type === "item_failed") note(world, `disposition: ${record.disposition}`)
      else note(world, record.type)
    }
    const isCancelled = (world.seen["cancelled"] ?? 0) > 0
    for (const index of items.keys()) checkItem(world, recordsOfItem(records, index), index, isCancelled)
    checkRounds(world, records)

    const git = yield* Effect.provideService(MemoryWorkspace.repository, Machine.SimulatedMachine, world.machine)
    const history = MemoryWorkspace.history(git, main)
    const merges = history.flatMap(({ message }) => /^Merge \S+ \(item_(\d+)\)/.exec(message)?.[1] ?? []).map(Number)
    const inTarget = sorted(history[0]?.tree ?? {})
    // What is cancelled has given the target what it had given it before.
    const lastGiven = records.findLastIndex(({ type }) => type === "finished")
    const given = isCancelled ? records.slice(0, 1 + lastGiven) : records
    const expected = items.flatMap((_, index) => (isMergedWithCommit(given, index) ? [index] : []))
    const byNumber = (one: number, other: number) => one - other
    same(world, "Merged into the target", merges.toSorted(byNumber), expected)
    same(world, "The files of the target", inTarget, sorted(expectedTree(world, given)))
    if (isCancelled) checkKept(world, git, records)
    same(world, "Agents' worktrees that are left", Object.keys(git.agents), [])
    const own = records.flatMap((record) => (record.type === "job_started" ? [record.job_id] : []))
    // It may have been cancelled before it began.
    const isBegun = own.length > 0 || !isCancelled
    const tree = world.machine.disk.tree()
    // What failed before its first record says so, and has written nothing else.
    const failed = tree.flatMap(([path, content]) =>
      content?.includes('"status": "Failed"') && path.startsWith(`${home}/sessions/`) ? (idIn(path) ?? []) : []
    )
    const isHindered = plan.starts.some(({ troubles }) => troubles.some(({ kind }) => kind === "fault"))
    for (const [path, content] of tree) {
      const id = idIn(path)
      const isToldOf = failed.some((one) => one === id) && (content === null || path.startsWith(`${home}/sessions/`))
      const isOwn = id === null || own.some((one) => one === id)
      // A disk that refused calls may have hindered who swept; the next run does it.
      if (!isOwn && isHindered) continue
      if (path.includes(".prodigy-tmp-") || path.endsWith(".lock")) violate(world, `${path} is left.`)
      if (isBegun && !isOwn && !isToldOf) violate(world, `${path} is of no job.`)
    }
    if (own.length > 1 || own.length < Number(isBegun)) violate(world, `${own.length} jobs have begun.`)
    const ended = records.filter(({ type }) => type === "job_completed").length
    const ending = isCancelled ? "job_cancelled" : "job_completed"
    if (isBegun && records.at(-1)?.type !== ending) violate(world, `The last record is not ${ending}.`)
    if (ended > 1 + records.filter(({ type }) => type === "items_requeued").length)
      violate(world, `The job is completed ${ended} times.`)
    if (plan.reduceSteps > 0 && items.length > 0 && !isCancelled)
      for (let step = 0; step < plan.reduceSteps; step += 1) {
        const times = records.filter((record) => record.type === "reduce_step_completed" && record.step === step).length
        if (times !== 1) violate(world, `Step ${step} of reduce is recorded as done ${times} times.`)
      }
  })

const idIn = (path: string): string | null => /mapreduce-\d{8}_\d{6}/.exec(path)?.[0] ?? null

/** What items and steps had given when the job was cancelled is on the session's branch; or rescued, while it was not committed. */
const checkKept = (world: World, git: MemoryWorkspace.Git, records: ReadonlyArray<JobRecord>) => {
  const since = records.slice(1 + records.findLastIndex(({ type }) => type === "finished"))
  if (!since.some(({ type }) => type === "item_merged" || type === "reduce_step_completed")) return
  note(world, "work kept by a cancelled job")
  const tips = Object.keys(git.refs).flatMap((ref) =>
    ref === main ? [] : MemoryWorkspace.history(git, ref).slice(0, 1)
  )
  for (const [path, content] of sorted(expectedTree(world, records)))
    if (!tips.some(({ tree }) => tree[path] === content)) violate(world, `${path} of a cancelled job is nowhere.`)
}

const sorted = (tree: Readonly<Record<string, string>>) => Object.entries(tree).toSorted(([a], [b]) => (a < b ? -1 : 1))

const same = (world: World, what: string, found: unknown, expected: unknown) => {
  if (JSON.stringify(found) !== JSON.stringify(expected))
    violate(world, `${what}: ${JSON.stringify(found)}, and not ${JSON.stringify(expected)}.`)
}

const isMergedWithCommit = (records: ReadonlyArray<JobRecord>, index: number): boolean =>
  recordsOfItem(records, index).some((record) => record.type === "item_merged" && record.commit !== null)

/** Each attempt came to what the plan says, and ended in its one fate. */
const checkItem = (world: World, records: ReadonlyArray<OfItem>, index: number, isCancelled: boolean) => {
  const { plan } = world
  const n = world.items[index] ?? -1
  let failures = 0
  let merged = 0
  for (const record of records) {
    const deed = SimulationPlan.deedOf(plan, n, failures)
    const wrong = (what: string) =>
      violate(world, `Item ${n} ${what} after ${failures} failures, where the plan says: ${deed}.`)
    if (record.type === "item_completed" && !succeeds(plan, deed)) wrong("is completed")
    if (record.type === "item_merged") merged += 1
    if (record.type !== "item_failed" || isExcused(record.failure)) continue
    const { error_type } = record.failure.cause
    if (error_type !== failureOf(plan, deed)) wrong(`fails with ${error_type}`)
    failures += 1
  }
  if (merged > 1) violate(world, `Item ${n} is recorded as merged ${merged} times.`)
  if (fateOf(records, index) === "pending" && !isCancelled)
    violate(world, `Item ${n} has no fate: ${records.at(-1)?.type}.`)
  note(world, `fate: ${fateOf(records, index)}`)
}

const succeeds = (plan: SimulationPlan.Plan, deed: SimulationPlan.Deed): boolean =>
  deed === "writes" || deed === "conflicts" || (deed === "nothing" && !plan.commitRequired)

const failureOf = (plan: SimulationPlan.Plan, deed: SimulationPlan.Deed): Failure["cause"]["error_type"] | null => {
  switch (deed) {
    case "fails":
      return "CommandFailed"
    case "hangs":
      return "Timeout"
    case "quota":
      return "QuotaExceeded"
    case "conflicts":
      return "MergeConflict"
    case "nothing":
      return plan.commitRequired ? "CommitValidationFailed" : null
    case "writes":
      return null
  }
}

/** An item is tried as often as the workflow says before it is given up, and no more. */
const checkRounds = (world: World, records: ReadonlyArray<JobRecord>) => {
  const { plan } = world
  const failures = new Map<number, number>()
  for (const record of records) {
    if (record.type === "items_requeued") for (const index of record.indexes) failures.set(index, 0)
    if (record.type !== "item_failed" || record.disposition === "put_back") continue
    const count = (failures.get(record.index) ?? 0) + 1
    failures.set(record.index, count)
    const last = plan.onItemFailure === "skip" ? "skip" : "dead_letter"
    const expected = count < plan.attempts ? "retry" : last
    if (record.disposition !== expected && !isExcused(record.failure))
      violate(world, `Failure ${count} of item ${record.index} has the disposition ${record.disposition}.`)
  }
}

/** The target's files, as plan and records have them. */
const expectedTree = (world: World, records: ReadonlyArray<JobRecord>): Record<string, string> => {
  const tree: Record<string, string> = { README: "hello\n" }
  for (const [at, record] of records.entries()) {
    if (record.type === "item_merged") {
      const n = world.items[record.index] ?? -1
      const failures = recordsOfItem(records.slice(0, at), record.index).filter(isOwnFailure).length
      const deed = SimulationPlan.deedOf(world.plan, n, failures)
      if (deed === "writes" || deed === "conflicts")
        tree[deed === "conflicts" ? "both" : fileOf(n)] = contentOf(n, deed, failures)
    }
    if (record.type !== "reduce_step_completed") continue
    const before = records.slice(0, at)
    const done = [...world.items.keys()].filter((index) => fateOf(before, index) === "merged")
    tree[`REPORT-${record.step}`] = `${done.length}\n`
  }
  return tree
}
