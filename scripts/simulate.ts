/**
 * Runs whole random jobs on simulated machines, on all cores, and prints what came of them:
 *
 *     npm run simulate -- --jobs 5000 --seed 1
 *     PRODIGY_SEED=17 npm run simulate          one job, with all that happened
 *     PRODIGY_PLAN='{…}' npm run simulate       the same for a plan, such as a shrunk one
 */
import * as Simulation from "@prodigy/testing/Simulation"
import * as SimulationPlan from "@prodigy/testing/SimulationPlan"
import * as Effect from "effect/Effect"
import { spawn } from "node:child_process"
import { mkdtempSync, rmSync } from "node:fs"
import { availableParallelism, tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"

/** What one process has to tell of some jobs. */
interface Sum {
  readonly jobs: number
  readonly calls: number
  readonly virtualMillis: number
  readonly cpuMillis: number
  readonly seen: Readonly<Record<string, number>>
  readonly failed: ReadonlyArray<number>
}

const { values } = parseArgs({
  options: {
    jobs: { type: "string", default: "5000" },
    seed: { type: "string", default: "1" },
    processes: { type: "string", default: String(availableParallelism()) },
    /** A process that is told what to run. */
    worker: { type: "boolean", default: false }
  }
})
const [jobs, first, processes] = [Number(values.jobs), Number(values.seed), Number(values.processes)]

const sumOf = (results: ReadonlyArray<Simulation.Result>, cpuMillis: number): Sum => ({
  jobs: results.length,
  calls: results.reduce((sum, { calls }) => sum + calls, 0),
  virtualMillis: results.reduce((sum, { virtualMillis }) => sum + virtualMillis, 0),
  cpuMillis,
  seen: Simulation.total(results.map(({ seen }) => seen)),
  failed: results.filter(({ violations }) => violations.length > 0).map(({ plan }) => plan.seed)
})

const add = (one: Sum, other: Sum): Sum => ({
  jobs: one.jobs + other.jobs,
  calls: one.calls + other.calls,
  virtualMillis: one.virtualMillis + other.virtualMillis,
  cpuMillis: one.cpuMillis + other.cpuMillis,
  seen: Simulation.total([one.seen, other.seen]),
  failed: [...one.failed, ...other.failed]
})

const none: Sum = sumOf([], 0)

const describe = ({ plan, trace, violations }: Simulation.Result) =>
  [
    JSON.stringify(plan),
    SimulationPlan.workflowText(plan),
    "  virtual time    call",
    ...trace,
    ...violations.map((line) => `VIOLATION: ${line}`)
  ].join("\n")

const replay = async (plan: SimulationPlan.Plan) => {
  const result = await Effect.runPromise(Simulation.run(plan))
  console.log(describe(result))
  if (result.violations.length === 0) return console.log("No violations.")
  process.exitCode = 1
  const small = await Effect.runPromise(Simulation.shrink(result))
  console.log(`\nThe smallest plan found that violates something:\n${describe(small)}`)
  console.log(`\nPRODIGY_PLAN='${JSON.stringify(small.plan)}' npm run simulate`)
}

/** Runs the jobs that it is told of, a seed in each line, and answers each with what came of it. */
const work = async () => {
  for await (const line of createInterface({ input: process.stdin })) {
    const used = process.cpuUsage()
    const result = await Effect.runPromise(Simulation.run(SimulationPlan.fromSeed(Number(line))))
    if (result.violations.length > 0) console.error(`PRODIGY_SEED=${line}: ${result.violations.join("\n  ")}`)
    const { system, user } = process.cpuUsage(used)
    console.log(JSON.stringify(sumOf([result], (user + system) / 1000)))
  }
}

/** Some libraries are CommonJS. */
const withRequire = 'import { createRequire as __of } from "node:module"; const require = __of(import.meta.url);'
/** Errors are values here: nobody reads where they were made. Fixed, as Effect changes it for every function with a span. */
const withoutStacks = 'Object.defineProperty(Error, "stackTraceLimit", { value: 0, writable: false });'

/** This program in one file: what loads TypeScript gives every closure a name, which costs a tenth of the time. */
const bundled = async (folder: string) => {
  const { build } = await import("esbuild")
  const outfile = join(folder, "simulate.mjs")
  await build({
    entryPoints: [fileURLToPath(import.meta.url)],
    outfile,
    bundle: true,
    platform: "node",
    target: "node20",
    format: "esm",
    conditions: ["@prodigy/source"],
    external: ["esbuild"],
    banner: { js: `${withRequire}\n${withoutStacks}` },
    logLevel: "warning"
  })
  return outfile
}

const all = async (folder: string) => {
  const program = await bundled(folder)
  const started = performance.now()
  const seconds = () => Math.round((performance.now() - started) / 1000)
  let sum = none
  let next = first
  const one = () =>
    new Promise<boolean>((resolve) => {
      const child = spawn(
        process.execPath,
        // Most of what a job makes is garbage right away, and each core has a process of its own.
        ["--max-semi-space-size=64", "--single-threaded-gc", program, "--worker"],
        { stdio: ["pipe", "pipe", "inherit"] }
      )
      // Jobs differ in length: each process is given its next when it has done one.
      const give = () => (next < first + jobs ? void child.stdin.write(`${next++}\n`) : child.stdin.end())
      createInterface({ input: child.stdout }).on("line", (line) => {
        const before = Math.floor(sum.jobs / 500)
        sum = add(sum, JSON.parse(line))
        if (Math.floor(sum.jobs / 500) > before) console.error(`${sum.jobs} of ${jobs} jobs, ${seconds()} s`)
        give()
      })
      // One that has died: it is told by its exit code.
      child.stdin.on("error", () => undefined)
      child.on("close", (code) => resolve(code === 0))
      give()
    })
  const ended = await Promise.all(Array.from({ length: Math.min(processes, jobs) }, one))
  for (const [name, times] of Object.entries(sum.seen).toSorted(([a], [b]) => (a < b ? -1 : 1)))
    console.log(`${String(times).padStart(8)}  ${name}`)
  const crashes = (sum.seen["crash: lost"] ?? 0) + (sum.seen["crash: chance"] ?? 0) + (sum.seen["crash: killed"] ?? 0)
  console.log(
    `${sum.jobs} jobs, ${crashes} crashes, ${sum.seen["resume"] ?? 0} resumes, ${sum.calls} calls, ` +
      `${Math.round(sum.virtualMillis / 3_600_000)} virtual hours: ${sum.failed.length} with violations, ` +
      `${seconds()} s (${Math.round(sum.cpuMillis / 1000)} s of CPU)`
  )
  for (const seed of sum.failed.toSorted((a, b) => a - b)) console.log(`PRODIGY_SEED=${seed} npm run simulate`)
  if (sum.failed.length > 0 || sum.jobs !== jobs || ended.includes(false)) process.exitCode = 1
}

const { PRODIGY_PLAN: plan, PRODIGY_SEED: seed } = process.env
if (values.worker) await work()
else if (plan !== undefined) await replay(JSON.parse(plan))
else if (seed !== undefined) await replay(SimulationPlan.fromSeed(Number(seed)))
else {
  const folder = mkdtempSync(join(tmpdir(), "prodigy-simulate-"))
  try {
    await all(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
