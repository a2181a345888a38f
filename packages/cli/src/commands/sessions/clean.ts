/**
 * `prodigy sessions clean`.
 *
 * @since 0.1.0
 */
import { type Entry, NotRemoved, type Request, SessionClean } from "@prodigy/core/engine/SessionClean"
import * as Arr from "effect/Array"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import { confirm } from "../../Confirm.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import { warned } from "../../Render/Failure.ts"
import * as Json from "../../Render/Json.ts"
import { removal } from "../../Render/Sessions.ts"
import * as SessionsJson from "../../Render/SessionsJson.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

const olderThan = Flag.value("older-than", {
  value: "TIME",
  description: "Only those that did not change since: 12h, 3d, 2w ago, or a time",
  read: Flag.moment,
  otherwise: null
})

const all = Flag.on("all", { description: "Also what can be resumed, is not merged or has dead letters" })
const allRepos = Flag.on("all-repos", { description: "Sessions of all repositories; needs none here" })
const dryRun = Flag.on("dry-run", { description: "Show what would be removed, and remove nothing" })
const yes = Flag.on("yes", { alias: "y", description: "Remove without asking" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandSessionsClean = CommandTree.leaf({
  name: "clean",
  summary: "Remove sessions that are over, with all that belongs to them",
  args: {},
  flags: { olderThan, all, allRepos, dryRun, yes, path: flags.path, json: flags.json },
  json: JsonOutput.document(SessionsJson.SessionRemoval),
  examples: [
    { line: "prodigy sessions clean --dry-run", does: "show what would go, and what stays and why" },
    { line: "prodigy sessions clean --older-than 2w -y", does: "remove what is over for two weeks" }
  ],
  handler: ({ flags: given }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const service = yield* SessionClean
      const now = yield* Clock.currentTimeMillis
      const request: Request = {
        projectPath: yield* flags.project(given.path),
        allRepos: given.allRepos,
        beforeMillis: given.olderThan === null ? null : Flag.millisOf(given.olderThan, now),
        all: given.all,
        dryRun: true,
        only: null
      }
      const print = (entries: ReadonlyArray<Entry>, dryRun: boolean) =>
        Effect.gen(function* () {
          if (given.json) {
            const value = { dry_run: dryRun, sessions: entries, damaged: planned.damaged.map(({ path }) => path) }
            return yield* screen.data(yield* Json.render(SessionsJson.SessionRemoval, value))
          }
          const text = removal(entries, { dryRun, style: screen.dataStyle })
          if (text !== "") yield* screen.data(text)
        })

      const planned = yield* service.clean(request)
      if (!given.json) yield* Effect.forEach(planned.damaged, (file) => screen.note(warned(file, screen.noteStyle)))
      const going = planned.entries.filter(({ removed }) => removed)
      if (going.length === 0) yield* screen.note("There is nothing to remove.")
      if (given.dryRun || going.length === 0) return yield* print(planned.entries, true)
      if (!given.yes) yield* screen.note(removal(planned.entries, { dryRun: true, style: screen.noteStyle }))
      const question = `Remove ${Text.count(going.length, "session")} with all that belongs to them?`
      const options = { yes: given.yes, command: "prodigy sessions clean" }
      if (!(yield* confirm(question, options))) return yield* screen.note("Nothing was removed.")

      // Only what was shown.
      const only = new Set(going.map(({ session_id }) => session_id))
      const done = new Map(
        (yield* service.clean({ ...request, dryRun: false, only })).entries.map((entry) => [entry.session_id, entry])
      )
      yield* print(
        planned.entries.flatMap((entry) => (entry.removed ? (done.get(entry.session_id) ?? []) : [entry])),
        false
      )
      const stayed = [...done.values()].filter(({ removed }) => !removed).map(({ session_id }) => session_id)
      if (Arr.isNonEmptyArray(stayed)) return yield* new NotRemoved({ sessions: stayed })
    })
})
