/**
 * `prodigy dlq list`.
 *
 * @since 0.1.0
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as DamagedLetters from "../../DamagedLetters.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { deadLetters as render, noLetters } from "../../Render/DeadLetters.ts"
import * as LettersJson from "../../Render/DeadLettersJson.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const all = Flag.on("all", { description: "Resolved ones too" })
const eligible = Flag.on("eligible", { description: "Only those that dlq retry takes" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDlqList = CommandTree.leaf({
  name: "list",
  aliases: ["ls"],
  summary: "List the items of a job that failed for good",
  args: {},
  flags: { jobId: own.jobId, eligible, all, limit: flags.limit(50), path: flags.path, json: flags.json },
  json: JsonOutput.document(LettersJson.List),
  examples: [{ line: "prodigy dlq list", does: "of this repository's latest job with dead letters" }],
  handler: ({ flags: { all, eligible, jobId, json, limit, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const projectPath = yield* flags.project(path)
      const found = yield* (yield* DeadLetters).list({ projectPath, job: jobId, all, eligible, limit })
      const { damaged, job, letters, total } = found
      if (json) {
        const value = { ...LettersJson.jobOf(job), total, dead_letters: letters, damaged: LettersJson.pathsOf(damaged) }
        yield* screen.data(yield* Json.render(LettersJson.List, value))
      } else if (total === 0) {
        yield* screen.note(noLetters(job, found.stats, eligible))
      } else {
        if (jobId === null && job !== null) yield* screen.note(`Job ${job.jobId}`)
        yield* screen.data(render(letters, { style: screen.dataStyle, columns: yield* screen.dataColumns }))
        if (total > letters.length) yield* screen.note(Text.more(letters.length, total))
      }
      yield* DamagedLetters.say(damaged)
    })
})
