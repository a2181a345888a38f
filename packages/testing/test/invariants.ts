/** What must hold of everything in the storage of a simulated machine. */
import * as JobEvidence from "@prodigy/core/engine/JobEvidence"
import * as JobInvariants from "@prodigy/core/engine/JobInvariants"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as Effect from "effect/Effect"

/** All violations of all jobs, each in a line. With nobody at work and every job gone on with there is none. */
export const violations = Effect.gen(function* () {
  const home = yield* ProdigyHome
  const store = yield* JobStore
  const found: Array<string> = []
  for (const repo of yield* home.repoNames)
    for (const jobId of yield* store.list(repo)) {
      const evidence = yield* JobEvidence.gather({ repo, jobId, events: true })
      found.push(
        ...JobInvariants.violations(evidence).map(
          ({ detail, invariant, severity }) => `${severity}: ${invariant}: ${detail}`
        )
      )
    }
  return found
})

/** Those that must not be right after a crash either, before anybody goes on. */
export const broken = Effect.map(violations, (found) => found.filter((line) => line.startsWith("broken: ")))
