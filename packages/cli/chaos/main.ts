/**
 * Torture: jobs on real git whose process is killed at any instant, resumed, and killed again, until they are done; then
 * everything that must be true is looked at.
 *
 * Run: `npm run build && npm run chaos -- --rounds 100`. Each round prints its seed; `--rounds 1 --seed S --scenario N`
 * makes its choices again. Exits with 1 when anything was violated; `--keep` leaves the folders of such rounds.
 */
import process from "node:process"
import { parseArgs } from "node:util"
import * as Round from "./Round.ts"
import * as Scenario from "./Scenario.ts"

const { values } = parseArgs({
  options: {
    rounds: { type: "string", default: "100" },
    seed: { type: "string", default: String(Math.floor(Math.random() * 1_000_000_000)) },
    scenario: { type: "string", default: "all" },
    items: { type: "string", default: "60" },
    keep: { type: "boolean", default: false },
    json: { type: "boolean", default: false }
  }
})

const scenarios = Scenario.names.filter((name) => values.scenario === "all" || values.scenario === name)
if (scenarios.length === 0) {
  process.stderr.write(`--scenario is all or one of ${Scenario.names.join(", ")}.\n`)
  process.exit(2)
}
const say = (line: string) => void (values.json ? process.stderr : process.stdout).write(`${line}\n`)

const rounds = Number(values.rounds)
const results: Array<Round.Result> = []
for (let index = 0; index < rounds; index++) {
  const result = await Round.torture({
    seed: Number(values.seed) + index,
    scenario: scenarios[index % scenarios.length] ?? "map",
    items: Number(values.items),
    killsMax: Infinity,
    keep: values.keep
  })
  results.push(result)
  const { kills, millis, runs, scenario, seed, violations } = result
  const verdict = violations.length === 0 ? "ok" : `${violations.length} violations`
  say(`seed ${seed} ${scenario}: ${kills} kills, ${runs} processes, ${(millis / 1000).toFixed(1)} s: ${verdict}`)
  for (const violation of violations) say(`  ${violation}`)
  if (result.folder !== null) say(`  kept in ${result.folder}`)
}

const sum = (of: (result: Round.Result) => number) => results.reduce((total, result) => total + of(result), 0)
const summary = {
  rounds: results.length,
  kills: sum(({ kills }) => kills),
  violations: sum(({ violations }) => violations.length),
  seconds: Math.round(sum(({ millis }) => millis) / 1000),
  seed: Number(values.seed),
  failed: results.filter(({ violations }) => violations.length > 0).map(({ scenario, seed }) => ({ seed, scenario }))
}
if (values.json) process.stdout.write(`${JSON.stringify(summary)}\n`)
else say(`${summary.rounds} rounds, ${summary.kills} kills, ${summary.violations} violations, ${summary.seconds} s`)
process.exitCode = summary.violations === 0 ? 0 : 1
