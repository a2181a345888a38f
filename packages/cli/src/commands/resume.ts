/**
 * `prodigy resume`.
 *
 * @since 0.1.0
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import { MapReduce } from "@prodigy/core/engine/MapReduce"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as RunToEnd from "../RunToEnd.ts"
import { Screen } from "../Screen.ts"
import * as flags from "./flags.ts"

const id = Flag.argument("ID", "A session, a job, the beginning of either, or latest")

const force = Flag.on("force", { description: "Take the job although another process seems to hold it" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandResume = CommandTree.leaf({
  name: "resume",
  summary: "Go on with a job that was interrupted, stopped or failed",
  args: { id },
  flags: { yes: flags.yes, force, path: flags.path, json: flags.json, allowFailed: flags.allowFailed },
  examples: [
    { line: "prodigy resume latest", does: "go on with this repository's latest job" },
    { line: "prodigy resume latest -y", does: "and merge without asking" }
  ],
  handler: ({ args, flags: given }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const inspect = yield* Inspect
      const engine = yield* MapReduce
      const { jobId, repo } = yield* inspect.job({ projectPath: yield* flags.project(given.path), id: args.id })
      const approve = flags.approval(given.yes, screen.canAsk)
      yield* RunToEnd.watch(engine.resume({ repo, jobId, force: given.force, approve }), given).pipe(
        Effect.catchTag("AlreadyCompleted", (error) => screen.note(`${error.message}\n`))
      )
    })
})
