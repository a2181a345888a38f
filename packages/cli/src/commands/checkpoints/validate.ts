/**
 * `prodigy checkpoints validate`.
 *
 * @since 0.1.0
 */
import { Checkpoints, damageOf } from "@prodigy/core/engine/Checkpoints"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Render from "../../Render/Checkpoints.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const repair = Flag.on("repair", {
  description: "Set damaged files aside (….damaged) that a resume can do without"
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandCheckpointsValidate = CommandTree.leaf({
  name: "validate",
  summary: "Prove checkpoints against the journal, and the journal itself",
  args: { id: own.job },
  flags: { repair, path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.CheckpointReports),
  examples: [{ line: "prodigy checkpoints validate latest --repair", does: "so that the latest job can be resumed" }],
  handler: ({ args: { id }, flags: { json, path, repair } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const checkpoints = yield* Checkpoints
      const jobs = yield* checkpoints.validate({ projectPath: yield* flags.project(path), id, repair })
      if (json) yield* screen.data(yield* Json.render(Json.CheckpointReports, { jobs }))
      else if (jobs.length === 0) yield* screen.note("There are no jobs.")
      else yield* screen.data(Render.reports(jobs, screen.dataStyle))
      const damage = damageOf(jobs)
      if (damage !== null) return yield* damage
    })
})
