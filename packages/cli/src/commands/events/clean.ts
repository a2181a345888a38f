/**
 * `prodigy events clean`.
 *
 * @since 0.1.0
 */
import { EventRetention } from "@prodigy/core/engine/EventRetention"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import { confirm } from "../../Confirm.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { NotAllDone } from "../../NotAllDone.ts"
import { cleaning, leftOut } from "../../Render/Events.ts"
import { cleanJson, EventClean } from "../../Render/EventsJson.ts"
import * as Json from "../../Render/Json.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import { UsageError } from "../../UsageError.ts"
import * as flags from "../flags.ts"
import * as own from "./flags.ts"

const command = "prodigy events clean"

const olderThan = Flag.value("older-than", {
  value: "TIME",
  description: "Files last written before then: 12h, 30d, 2w ago, or a time",
  read: Flag.moment,
  otherwise: null
})

const maxEvents = Flag.value("max-events", {
  value: "N",
  description: "Keep at most the newest N events",
  read: Flag.integer(0, 1_000_000_000),
  otherwise: null
})

const maxSize = Flag.value("max-size", {
  value: "SIZE",
  description: "Keep at most so much of the newest: 500M, 2G",
  read: Flag.size,
  otherwise: null
})

const archive = Flag.on("archive", { description: "Compress what would go instead of removing it" })
const jobId = Flag.value("job-id", {
  value: "ID",
  description: "Only of this job, not of all of this repository",
  read: Flag.text,
  otherwise: null
})
const dryRun = Flag.on("dry-run", { description: "Show what would be done, and do nothing" })
const yes = Flag.on("yes", { alias: "y", description: "Do it without asking" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandEventsClean = CommandTree.leaf({
  name: "clean",
  summary: "Remove or compress old events; jobs that run are left out",
  args: {},
  flags: {
    olderThan,
    maxEvents,
    maxSize,
    archive,
    jobId,
    allRepos: own.allRepos,
    dryRun,
    yes,
    path: flags.path,
    json: flags.json
  },
  json: JsonOutput.document(EventClean),
  examples: [
    { line: "prodigy events clean --older-than 30d --dry-run", does: "show what would go" },
    { line: "prodigy events clean --archive --older-than 7d", does: "compress; all commands still read it" },
    { line: "prodigy events clean --max-size 1G --all-repos -y", does: "the oldest go until 1 GiB stays" }
  ],
  handler: ({ flags: { allRepos, archive, dryRun, jobId, json, maxEvents, maxSize, olderThan, path, yes } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const retention = yield* EventRetention
      if (olderThan === null && maxEvents === null && maxSize === null && !archive) {
        const what = "Say what goes: --older-than, --max-events or --max-size; or --archive for everything."
        return yield* new UsageError({ what, suggestions: [], command })
      }
      const planned = yield* retention.plan({
        scope: yield* own.scopeOf({ jobId, allRepos, all: jobId === null && !allRepos, path }, command),
        beforeMillis: olderThan === null ? null : Flag.millisOf(olderThan, yield* Clock.currentTimeMillis),
        maxEvents,
        maxBytes: maxSize,
        archive
      })
      const columns = yield* screen.dataColumns
      yield* Effect.forEach(leftOut(planned), screen.note)
      const nothing = planned.steps.length === 0
      if (!json && nothing) return yield* screen.note("There is nothing to clean.")
      if (!json && !dryRun && !yes) yield* screen.note(cleaning(planned, null, { style: screen.noteStyle, columns }))
      if (!dryRun && !nothing) {
        const question = `${archive ? "Compress" : "Change"} ${Text.count(planned.steps.length, "file")}?`
        if (!(yield* confirm(question, { yes, command }))) return yield* screen.note("Nothing was done.")
      }
      const report = dryRun ? null : yield* retention.apply(planned)
      const text = json
        ? yield* Json.render(EventClean, cleanJson(planned, report))
        : cleaning(planned, report, { style: screen.dataStyle, columns })
      if (text !== "") yield* screen.data(text)
      const [first] = report?.failed ?? []
      if (report !== null && first !== undefined) {
        return yield* new NotAllDone({ left: report.failed.length, of: planned.steps.length, first: first.error })
      }
    })
})
