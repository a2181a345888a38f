/**
 * `prodigy checkpoints mapreduce`.
 *
 * @since 0.1.0
 */
import { Checkpoints } from "@prodigy/core/engine/Checkpoints"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Render from "../../Render/Checkpoints.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandCheckpointsMapreduce = CommandTree.leaf({
  name: "mapreduce",
  summary: "Show MapReduce jobs and where a resume would start from",
  args: { id: own.job },
  flags: { path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.CheckpointJobs),
  examples: [{ line: "prodigy checkpoints mapreduce", does: "all jobs of this repository" }],
  handler: ({ args: { id }, flags: { json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const checkpoints = yield* Checkpoints
      const jobs = yield* checkpoints.jobs({ projectPath: yield* flags.project(path), id })
      if (json) return yield* screen.data(yield* Json.render(Json.CheckpointJobs, { jobs }))
      if (jobs.length === 0) return yield* screen.note("There are no jobs.")
      yield* screen.data(Render.jobs(jobs, { columns: yield* screen.dataColumns, style: screen.dataStyle }))
    })
})
