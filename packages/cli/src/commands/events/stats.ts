/**
 * `prodigy events stats`.
 *
 * @since 0.1.0
 */
import { Events, GroupBy } from "@prodigy/core/engine/Events"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { damage, stats as render } from "../../Render/Events.ts"
import { EventStats } from "../../Render/EventsJson.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const groupBy = Flag.value("group-by", {
  value: "WHAT",
  description: `Count by ${GroupBy.literals.join(", ")} (type)`,
  read: Flag.oneOf(GroupBy.literals),
  otherwise: "type"
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEventsStats = CommandTree.leaf({
  name: "stats",
  summary: "Count the events of a job by type, agent, item, error or time",
  args: {},
  flags: { groupBy, ...own.query, limit: flags.limit(50), json: flags.json },
  json: JsonOutput.document(EventStats),
  examples: [
    { line: "prodigy events stats", does: "how many of each type" },
    { line: "prodigy events stats --group-by error --all", does: "what went wrong, in all jobs" }
  ],
  handler: ({ flags: { groupBy, json, limit, ...given } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const scope = yield* own.scopeOf(given, "prodigy events stats")
      const filter = yield* own.filterOf(given)
      const found = yield* (yield* Events).stats({ scope, filter, groupBy, limit })
      yield* Effect.forEach(damage(found.damage, screen.noteStyle), screen.note)
      if (json) return yield* screen.data(yield* Json.render(EventStats, found.stats))
      const options = { style: screen.dataStyle, columns: yield* screen.dataColumns }
      yield* screen.data(render(found.stats, options))
      const { groups, groups_total: total } = found.stats
      if (total > groups.length) yield* screen.note(Text.more(groups.length, total))
    })
})
