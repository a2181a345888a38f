/** Everything that `npm run explore` crashes, under the names that it takes. */
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import type * as Effect from "effect/Effect"
import * as simulatedJob from "../simulatedJob.ts"
import * as deadLetterRetry from "./deadLetterRetry.ts"
import * as lockTakeover from "./lockTakeover.ts"
import { scenario as ofOperation } from "./operations.ts"
import * as standardWorkflow from "./standardWorkflow.ts"
import { operations } from "./storage.ts"

/** One program that is crashed. */
interface Case {
  readonly name: string
  readonly explore: (options: CrashExplorer.Options) => Effect.Effect<CrashExplorer.Exploration>
}

/** Some of them under one name. `alsoRecovery` is how many of their recoveries are crashed too, as long as nobody says otherwise. */
export interface Scenario {
  readonly name: string
  readonly alsoRecovery: number
  readonly cases: ReadonlyArray<Case>
}

const of = <W, E>(name: string, scenario: CrashExplorer.Scenario<W, E>): Case => ({
  name,
  explore: (options) => CrashExplorer.explore(scenario, options)
})

export const scenarios: ReadonlyArray<Scenario> = [
  { name: "job", alsoRecovery: 400, cases: [of("job", simulatedJob.scenario)] },
  { name: "workflow", alsoRecovery: 200, cases: [of("workflow", standardWorkflow.scenario)] },
  { name: "retry", alsoRecovery: 400, cases: [of("retry", deadLetterRetry.scenario("retry"))] },
  { name: "retry-resume", alsoRecovery: 0, cases: [of("retry-resume", deadLetterRetry.scenario("resume"))] },
  {
    name: "lock",
    alsoRecovery: 1,
    cases: lockTakeover.befores.map((before) => of(before.name, lockTakeover.scenario(before)))
  },
  {
    name: "storage",
    alsoRecovery: 1,
    cases: operations.map((operation) => of(operation.name, ofOperation(operation)))
  }
]
