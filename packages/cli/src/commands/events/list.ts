/**
 * `prodigy events list`.
 *
 * @since 0.1.0
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { event as render } from "../../Render/Events.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

const eventType = Flag.value("event-type", {
  value: "TYPE",
  description: "Only events of this type, such as agent_failed",
  read: Flag.text,
  otherwise: null
})

const agentId = Flag.value("agent-id", {
  value: "ID",
  description: "Only events of this agent or item",
  read: Flag.text,
  otherwise: null
})

const since = Flag.value("since", {
  value: "TIME",
  description: "Only events from then on: 30m, 2h, 3d ago, or a time",
  read: Flag.moment,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEventsList = CommandTree.leaf({
  name: "list",
  aliases: ["ls"],
  summary: "List the events of a job, the latest last",
  args: {},
  flags: {
    jobId: flags.jobId,
    eventType,
    agentId,
    since,
    limit: flags.limit(100),
    path: flags.path,
    json: flags.json
  },
  json: JsonOutput.lines(Json.EventLine),
  examples: [
    { line: "prodigy events list", does: "the latest job's last events" },
    { line: "prodigy events ls --event-type agent_failed --since 2h", does: "what failed lately" }
  ],
  handler: ({ flags: { agentId, eventType, jobId, json, limit, path, since } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const inspect = yield* Inspect
      const { events, job, total } = yield* inspect.events({
        projectPath: yield* flags.project(path),
        job: jobId,
        type: eventType,
        agent: agentId,
        sinceMillis: since === null ? null : Flag.millisOf(since, yield* Clock.currentTimeMillis),
        limit
      })
      if (events.length === 0) return yield* screen.note(`No such events of job ${job.jobId}.`)
      const lines = yield* Effect.forEach(events, (record) =>
        json ? Json.render(Json.EventLine, record) : Effect.succeed(render(record, screen.dataStyle))
      )
      yield* screen.data(lines.join("\n"))
      if (total > events.length) yield* screen.note(Text.more(events.length, total))
    })
})
