/**
 * Crashes a simulated job at every call it makes and prints what came of it: `npm run explore [EVERY]`, EVERY being 1 for all
 * calls. Takes about ten minutes.
 */
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as Effect from "effect/Effect"
import { scenario } from "../packages/testing/test/simulatedJob.ts"

const every = Number(process.argv[2] ?? 1)
const started = performance.now()
const { calls, points, states, violations } = await Effect.runPromise(
  CrashExplorer.explore(scenario, { ...CrashExplorer.exhaustive, every, alsoRecovery: 0 })
)
for (const violation of violations) console.error(JSON.stringify(violation, null, 2))
const seconds = Math.round((performance.now() - started) / 1000)
console.log(
  `${points} crashes, ${states} states at ${Math.ceil(calls / every)} of ${calls} calls: ${violations.length} violations, ${seconds} s`
)
process.exitCode = violations.length === 0 ? 0 : 1
