/**
 * One round: a job or a standard workflow on real git, killed and resumed until it is done.
 *
 * Kills only the process that it has started, by its pid; what that process had started is left to the next one.
 */
import { execFileSync, spawn } from "node:child_process"
import {
  closeSync,
  existsSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readSync,
  realpathSync,
  rmSync,
  writeFileSync
} from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import process from "node:process"
import { setTimeout as sleep } from "node:timers/promises"
import { fileURLToPath } from "node:url"
import * as Check from "./Check.ts"
import * as Evidence from "./Evidence.ts"
import * as Random from "./Random.ts"
import * as Scenario from "./Scenario.ts"

const prodigyPath = fileURLToPath(new URL("../bin/prodigy.js", import.meta.url))

/** Processes after which a round that does not come to its end is given up. */
const runsMax = 40

/** A process that does not end by itself within this time hangs. */
const runMillisMax = 120_000

/** What outlives a killed process for a moment, such as a git command under way, is given this time. */
const stragglerMillisMax = 5_000

export interface Options {
  readonly seed: number
  readonly scenario: Scenario.Name
  readonly items: number
  /** Kills at most, if fewer than the scenario has. */
  readonly killsMax: number
  /** Keeps the folder of a round with violations. */
  readonly keep: boolean
}

export interface Result {
  readonly seed: number
  readonly scenario: Scenario.Name
  readonly kills: number
  readonly runs: number
  readonly millis: number
  readonly violations: ReadonlyArray<string>
  /** Null when it was removed. */
  readonly folder: string | null
}

/** What is tortured. */
interface Victim {
  /** The text of the workflow. */
  readonly workflow: string
  /** What is resumed; undefined before there is anything to resume. */
  readonly idOf: (place: Evidence.Place) => string | undefined
  /** The file in which its progress shows, and the text of a line that stands for a type of an aim. */
  readonly log: (place: Evidence.Place, id: string) => string
  readonly line: (type: string) => string
  /** What is recorded done, in the words of the side log. */
  readonly done: (place: Evidence.Place, id: string) => ReadonlyArray<string>
  readonly exitCode: number
  readonly violations: (place: Evidence.Place, id: string, kills: ReadonlyArray<Evidence.Kill>) => ReadonlyArray<string>
}

const job = (place: Evidence.Place, count: number): Victim => {
  const items = Scenario.items(count)
  const path = join(place.folder, "items.json")
  writeFileSync(path, JSON.stringify(items))
  return {
    workflow: Scenario.workflow(place.side, path),
    idOf: Evidence.jobOf,
    log: Evidence.journalPath,
    line: (type) => `"type":"${type}"`,
    done: (place, id) => Evidence.doneIn(Evidence.recordsOf(place, id)),
    exitCode: Scenario.exitCode,
    violations: (place, id, kills) =>
      Check.violations(Evidence.gather(place, id, { items, reduceSteps: Scenario.reduceSteps, kills }))
  }
}

const standard = (place: Evidence.Place): Victim => ({
  workflow: Scenario.standard(place.side),
  idOf: Evidence.sessionOf,
  log: ({ side }) => side,
  line: (type) => type,
  done: (place, id) => {
    const { next_step: count, phase } = Evidence.workflowStateOf(place, id) ?? { next_step: 0, phase: "steps" }
    return Array.from({ length: phase === "finish" ? Scenario.steps : count }, (_, step) => `step:${step}`)
  },
  exitCode: 0,
  violations: (place, id, kills) =>
    Check.workflowViolations(Evidence.gatherWorkflow(place, id, { steps: Scenario.steps, kills }))
})

/** Makes the folder of a round: a repository, a storage that is not there yet, a side log. */
const settle = (): Evidence.Place => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "prodigy-chaos-")))
  const place: Evidence.Place = {
    folder,
    home: join(folder, "home"),
    repository: join(folder, "shop"),
    side: join(folder, "side.log"),
    temporary: join(folder, "tmp")
  }
  mkdirSync(place.repository)
  mkdirSync(place.temporary)
  writeFileSync(place.side, "")
  writeFileSync(join(place.repository, "shared.txt"), "start\n")
  writeFileSync(join(place.repository, "contested.txt"), "start\n")
  const git = (...args: ReadonlyArray<string>) =>
    void execFileSync("git", [...args], { cwd: place.repository, stdio: "ignore" })
  git("init", "--quiet", "--initial-branch=main")
  git("config", "user.name", "Chaos")
  git("config", "user.email", "chaos@example.org")
  git("add", "--all")
  git("commit", "--quiet", "--message=start")
  return place
}

/** Counts lines of some types as they come into the victim's log. */
class Watch {
  private read = 0
  private text = ""
  private readonly place: Evidence.Place
  private readonly victim: Victim
  private readonly types: ReadonlyArray<string>
  private path: string | undefined
  private seen = 0

  constructor(place: Evidence.Place, victim: Victim, types: ReadonlyArray<string>) {
    this.place = place
    this.victim = victim
    this.types = types
  }

  /** How many have come so far. */
  count(): number {
    const id = this.path === undefined ? this.victim.idOf(this.place) : undefined
    this.path ??= id === undefined ? undefined : this.victim.log(this.place, id)
    if (this.path === undefined || !existsSync(this.path)) return this.seen
    const file = openSync(this.path, "r")
    const more = Buffer.alloc(fstatSync(file).size - this.read)
    readSync(file, more, 0, more.length, this.read)
    closeSync(file)
    this.read += more.length
    const lines = (this.text + more.toString("utf8")).split("\n")
    this.text = lines.pop() ?? ""
    this.seen += lines.filter((line) => this.types.some((type) => line.includes(this.victim.line(type)))).length
    return this.seen
  }
}

interface Ended {
  readonly code: number | null
  readonly output: string
}

/** Starts the command, kills it at the moment aimed at, and says how it ended; code null: by our kill. */
const runOnce = async (
  place: Evidence.Place,
  victim: Victim,
  args: ReadonlyArray<string>,
  run: number,
  aim: Scenario.Aim | null
): Promise<Ended> => {
  const watch = new Watch(place, victim, aim?.types ?? [])
  const before = watch.count()
  const child = spawn(process.execPath, [prodigyPath, ...args], {
    cwd: place.repository,
    env: { ...process.env, PRODIGY_HOME: place.home, TMPDIR: place.temporary, CHAOS_RUN: String(run), NO_COLOR: "1" },
    stdio: ["ignore", "pipe", "pipe"]
  })
  let output = ""
  child.stdout.setEncoding("utf8").on("data", (text: string) => (output += text))
  child.stderr.setEncoding("utf8").on("data", (text: string) => (output += text))
  let over = false
  // Not `close`: processes that it has left may hold its output open.
  const ended = new Promise<Ended>((resolve, reject) => {
    child.once("error", reject)
    child.once("exit", (code) => {
      over = true
      // A moment for what it has written.
      setImmediate(() => resolve({ code, output }))
    })
  })
  const hangs = setTimeout(() => child.kill("SIGKILL"), runMillisMax)
  if (aim !== null) {
    const last = performance.now() + aim.lastMillis
    while (!over && performance.now() < last && watch.count() < before + aim.count) await sleep(2)
    if (!over) await sleep(aim.delayMillis)
    child.kill("SIGKILL")
  }
  const result = await ended
  clearTimeout(hangs)
  child.stdout.destroy()
  child.stderr.destroy()
  return result
}

/** A kill between the last effect and the exit leaves nothing to do: the resume says so, and exits with 0. */
const saidDone = ({ code, output }: Ended, kills: ReadonlyArray<Evidence.Kill>): boolean =>
  kills.length > 0 && code === 0 && output.includes("is completed; there is nothing to resume")

/** Tortures one job or workflow to its end and checks what it has left. */
export const torture = async (options: Options): Promise<Result> => {
  const started = performance.now()
  const random = Random.make(options.seed)
  const place = settle()
  const victim = options.scenario === "standard" ? standard(place) : job(place, options.items)
  const workflow = join(place.folder, "chaos.yml")
  writeFileSync(workflow, victim.workflow)
  const killsMax = Math.min(options.killsMax, Scenario.kills(options.scenario, random))
  const kills: Array<Evidence.Kill> = []
  const violations: Array<string> = []
  let run = 0
  while (violations.length === 0) {
    run += 1
    const id = victim.idOf(place)
    const args = id === undefined ? ["run", workflow, "-y", "--json"] : ["resume", id, "-y", "--json"]
    const ended = await runOnce(
      place,
      victim,
      args,
      run,
      kills.length < killsMax ? Scenario.aim(options.scenario, random) : null
    )
    if (ended.code === null) {
      const now = victim.idOf(place)
      kills.push({ run, done: now === undefined ? [] : victim.done(place, now) })
      if (run >= runsMax) violations.push(`not done after ${run} processes`)
      continue
    }
    if (ended.code !== victim.exitCode && !saidDone(ended, kills)) {
      violations.push(`process ${run} (${args.slice(0, 2).join(" ")}) ended with ${ended.code}: ${ended.output.trim()}`)
    }
    break
  }
  const until = performance.now() + stragglerMillisMax
  while (Evidence.processesOf(place).length > 0 && performance.now() < until) await sleep(20)
  const id = victim.idOf(place)
  violations.push(...(id === undefined ? ["there is nothing to resume"] : victim.violations(place, id, kills)))
  const keep = options.keep && violations.length > 0
  if (!keep) rmSync(place.folder, { recursive: true, force: true })
  return {
    seed: options.seed,
    scenario: options.scenario,
    kills: kills.length,
    runs: run,
    millis: Math.round(performance.now() - started),
    violations,
    folder: keep ? place.folder : null
  }
}
