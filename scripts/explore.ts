/**
 * Crashes simulated programs at every call they make: `npm run explore [scenario…] [--every N] [--chances N]
 * [--also-recovery N] [--seed N] [--jobs N]`. Without a scenario, all of them. Prints a line for each, and ends with 1 when
 * something was violated. The work is shared out to as many processes as there are processors.
 */
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as Effect from "effect/Effect"
import { fork } from "node:child_process"
import { availableParallelism } from "node:os"
import { fileURLToPath } from "node:url"
import { parseArgs } from "node:util"
import { scenarios } from "../packages/testing/test/scenarios/all.ts"

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: {
    every: { type: "string", default: "1" },
    chances: { type: "string", default: "2" },
    "also-recovery": { type: "string" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: String(availableParallelism()) },
    part: { type: "string" }
  }
})
const jobs = Math.max(1, Number(values.jobs))
const every = Number(values.every)

interface Found extends CrashExplorer.Exploration {
  readonly name: string
}

/** What the `part`-th process does of a scenario: each so manieth of its cases, or of the calls of its only one. */
const explore = async (name: string, part: number): Promise<ReadonlyArray<Found>> => {
  const scenario = scenarios.find((one) => one.name === name)
  if (scenario === undefined) throw new Error(`No scenario ${name}: ${scenarios.map((one) => one.name).join(", ")}.`)
  const alsoRecovery = Number(values["also-recovery"] ?? scenario.alsoRecovery)
  const options = {
    ...CrashExplorer.exhaustive,
    seed: Number(values.seed),
    chances: Number(values.chances),
    alsoRecovery
  }
  const [only, ...more] = scenario.cases
  const isOne = only !== undefined && more.length === 0
  const cases = isOne ? [only] : scenario.cases.filter((_, index) => index % jobs === part)
  const calls = isOne ? { first: 1 + part * every, every: every * jobs } : { first: 1, every }
  const found: Array<Found> = []
  for (const one of cases)
    found.push({ name: one.name, ...(await Effect.runPromise(one.explore({ ...options, ...calls }))) })
  return found
}

const elsewhere = (name: string, part: number) =>
  new Promise<ReadonlyArray<Found>>((resolve, reject) => {
    const child = fork(fileURLToPath(import.meta.url), [...process.argv.slice(2), "--part", `${name}/${part}`])
    child.on("message", (found) => resolve(found as ReadonlyArray<Found>))
    child.on("error", reject)
    child.on("exit", (code, signal) => reject(new Error(`A process ended with ${code ?? signal}.`)))
  })

const [name, part] = values.part?.split("/") ?? []
if (name !== undefined && part !== undefined) {
  process.send?.(await explore(name, Number(part)))
  process.disconnect()
} else {
  for (const name of positionals.length > 0 ? positionals : scenarios.map((one) => one.name)) {
    const started = performance.now()
    const parts = await Promise.all(Array.from({ length: jobs }, (_, part) => elsewhere(name, part)))
    const all = parts.flat()
    const sum = (of: (found: Found) => number) => all.reduce((total, found) => total + of(found), 0)
    const calls = new Map(all.map((found) => [found.name, found.calls]))
    for (const found of all)
      for (const violation of found.violations)
        console.error(JSON.stringify({ name: found.name, ...violation }, null, 2))
    const violations = sum((found) => found.violations.length)
    console.log(
      [
        `${name}: ${sum((found) => found.points)} crashes at ${[...calls.values()].reduce((a, b) => a + b, 0)} calls`,
        `${calls.size > 1 ? `of ${calls.size} programs ` : ""}left ${sum((found) => found.states)} states`,
        `${violations} violations, ${Math.round((performance.now() - started) / 1000)} s, seed ${values.seed}`
      ].join(", ")
    )
    if (violations > 0) process.exitCode = 1
  }
}
