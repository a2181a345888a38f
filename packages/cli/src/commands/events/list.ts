/**
 * `prodigy events list`.
 *
 * @since 0.1.0
 */
import { Events } from "@prodigy/core/engine/Events"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { damage, event as render, noSuch } from "../../Render/Events.ts"
import { EventLine } from "../../Render/EventsJson.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEventsList = CommandTree.leaf({
  name: "list",
  aliases: ["ls"],
  summary: "List the events of a job, the latest last",
  args: {},
  flags: { ...own.query, limit: flags.limit(100), json: flags.json },
  json: JsonOutput.lines(EventLine),
  examples: [
    { line: "prodigy events list", does: "the latest job's last events" },
    { line: "prodigy events ls --event-type agent_failed --since 2h", does: "what failed lately" }
  ],
  handler: ({ flags: { json, limit, ...given } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const scope = yield* own.scopeOf(given, "prodigy events list")
      const found = yield* (yield* Events).list({ scope, filter: yield* own.filterOf(given), limit })
      yield* Effect.forEach(damage(found.damage, screen.noteStyle), screen.note)
      if (found.events.length === 0) return yield* screen.note(noSuch(found.jobs))
      const lines = yield* Effect.forEach(found.events, (record) =>
        json ? Json.render(EventLine, record) : Effect.succeed(render(record, screen.dataStyle))
      )
      yield* screen.data(lines.join("\n"))
      if (found.total > found.events.length) yield* screen.note(Text.more(found.events.length, found.total))
    })
})
