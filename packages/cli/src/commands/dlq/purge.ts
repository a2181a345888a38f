/**
 * `prodigy dlq purge`.
 *
 * @since 0.1.0
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as RemoveDeadLetters from "../../RemoveDeadLetters.ts"
import * as LettersJson from "../../Render/DeadLettersJson.ts"
import { UsageError } from "../../UsageError.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const dayMillis = 86_400_000
/** Longer than any letter is old, and a time that can be written. */
const daysMax = 20_000

const olderThanDays = Flag.value("older-than-days", {
  value: "N",
  description: "Letters of which nothing changed for so many days; needed",
  read: Flag.integer(0, daysMax),
  otherwise: null
})

const jobId = Flag.value("job-id", {
  value: "ID",
  description: "Only of this job, not of all of this repository",
  read: Flag.text,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqPurge = CommandTree.leaf({
  name: "purge",
  summary: "Remove old dead letters; branches with work of theirs stay",
  args: {},
  flags: { olderThanDays, jobId, dryRun: own.dryRun, yes: own.yes, path: flags.path, json: flags.json },
  json: JsonOutput.document(LettersJson.Removal),
  examples: [{ line: "prodigy dlq purge --older-than-days 30", does: "of all jobs of this repository" }],
  handler: ({ flags: { jobId: job, olderThanDays, path, ...options } }) =>
    Effect.gen(function* () {
      const command = "prodigy dlq purge"
      if (olderThanDays === null) {
        return yield* new UsageError({ what: "--older-than-days N is needed.", suggestions: [], command })
      }
      const letters = yield* DeadLetters
      const projectPath = yield* flags.project(path)
      const beforeMillis = (yield* Clock.currentTimeMillis) - olderThanDays * dayMillis
      yield* RemoveDeadLetters.run((dryRun) => letters.purge({ projectPath, job, beforeMillis, dryRun }), {
        ...options,
        command
      })
    })
})
