/**
 * `prodigy events follow`.
 *
 * @since 0.1.0
 */
import { latest } from "@prodigy/core/engine/Inspect"
import { Events } from "@prodigy/core/engine/Events"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Stream from "effect/Stream"
import * as CommandTree from "../../CommandTree.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { event as render, noSuch } from "../../Render/Events.ts"
import { EventLine } from "../../Render/EventsJson.ts"
import { warned } from "../../Render/Failure.ts"
import * as Json from "../../Render/Json.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEventsFollow = CommandTree.leaf({
  name: "follow",
  summary: "Show the events of a job as they come, until it ends",
  args: {},
  flags: {
    jobId: own.jobId,
    eventType: own.eventType,
    agentId: own.agentId,
    since: own.since,
    path: flags.path,
    json: flags.json
  },
  json: JsonOutput.lines(EventLine),
  examples: [{ line: "prodigy events follow", does: "watch the latest job from another terminal" }],
  handler: ({ flags: { jobId, json, path, ...given } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const { entries, job } = yield* (yield* Events).follow({
        projectPath: yield* flags.project(path),
        id: jobId ?? latest,
        filter: yield* own.filterOf(given)
      })
      let shown = 0
      yield* Stream.runForEachChunk(entries, (chunk) =>
        Effect.gen(function* () {
          const lines: Array<string> = []
          for (const entry of chunk) {
            if (Either.isLeft(entry)) yield* screen.note(warned(entry.left, screen.noteStyle))
            else lines.push(json ? yield* Json.render(EventLine, entry.right) : render(entry.right, screen.dataStyle))
          }
          shown += lines.length
          if (lines.length > 0) yield* screen.data(lines.join("\n"))
        })
      )
      if (shown === 0) yield* screen.note(noSuch([job]))
    })
})
