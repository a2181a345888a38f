/**
 * `prodigy progress`.
 *
 * @since 0.1.0
 */
import { Attach } from "@prodigy/core/engine/Attach"
import { Inspect, latest } from "@prodigy/core/engine/Inspect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Stream from "effect/Stream"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import * as LiveBlock from "../LiveBlock.ts"
import * as Json from "../Render/Json.ts"
import * as SeeingJson from "../Render/SeeingJson.ts"
import { session as render } from "../Render/Sessions.ts"
import { Screen } from "../Screen.ts"
import * as flags from "./flags.ts"

const optionalId = Flag.optionalArgument("ID", "A session, a job, the beginning of either, or latest; left out: latest")

/**
 * @since 0.1.0
 * @category commands
 */
export const commandProgress = CommandTree.leaf({
  name: "progress",
  summary: "Watch a run from any terminal until it ends",
  args: { id: optionalId },
  flags: { path: flags.path, json: flags.json },
  json: JsonOutput.lines(SeeingJson.Snapshot),
  examples: [
    { line: "prodigy progress", does: "watch this repository's latest run" },
    { line: "prodigy progress latest --json", does: "one line for each change, for scripts" }
  ],
  handler: ({ args: { id: given }, flags: { json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const attach = yield* Attach
      const inspect = yield* Inspect
      const projectPath = yield* flags.project(path)
      const id = given ?? latest
      const { known, live, snapshots } = yield* attach.watch({ projectPath, id })
      if (json) {
        return yield* Stream.runForEach(snapshots, (snapshot) =>
          Effect.flatMap(Json.render(SeeingJson.Snapshot, snapshot), screen.data)
        )
      }
      if (live) yield* LiveBlock.during(Stream.runDrain(snapshots), null)
      const listed = yield* inspect.session({ projectPath, id: known.sessionId })
      const nowMillis = yield* Clock.currentTimeMillis
      yield* screen.data(render(listed, { nowMillis, style: screen.dataStyle }))
    })
})
