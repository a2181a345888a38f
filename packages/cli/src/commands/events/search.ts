/**
 * `prodigy events search`.
 *
 * @since 0.1.0
 */
import { Events } from "@prodigy/core/engine/Events"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { damage, hit as render, noSuch } from "../../Render/Events.ts"
import { searchJson, SearchLine } from "../../Render/EventsJson.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const fields = Flag.value("fields", {
  value: "F,…",
  description: "Only in these fields, such as error,item_id",
  read: Flag.list,
  otherwise: []
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEventsSearch = CommandTree.leaf({
  name: "search",
  summary: "Find events by a regular expression (RE2) over their fields",
  args: { expression: Flag.argument("REGEX", "What to look for; (?i) at its start: case does not count") },
  flags: { fields, ...own.query, limit: flags.limit(100), json: flags.json },
  json: JsonOutput.lines(SearchLine),
  examples: [
    { line: 'prodigy events search "(?i)time.?out"', does: "in any field of the latest job's events" },
    { line: "prodigy events search ENOSPC --fields error --all", does: "in the errors of all jobs" }
  ],
  handler: ({ args: { expression }, flags: { fields, json, limit, ...given } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const scope = yield* own.scopeOf(given, "prodigy events search")
      const filter = yield* own.filterOf(given)
      const found = yield* (yield* Events).search({ scope, filter, expression, fields, limit })
      yield* Effect.forEach(damage(found.damage, screen.noteStyle), screen.note)
      if (found.hits.length === 0) return yield* screen.note(noSuch(found.jobs))
      const lines = yield* Effect.forEach(found.hits, (hit) =>
        json ? Json.render(SearchLine, searchJson(hit)) : Effect.succeed(render(hit, screen.dataStyle))
      )
      yield* screen.data(lines.join("\n"))
      if (found.total > found.hits.length) yield* screen.note(Text.more(found.hits.length, found.total))
    })
})
