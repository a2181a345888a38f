/**
 * `prodigy sessions list`.
 *
 * @since 0.1.0
 */
import { Inspect, Shown } from "@prodigy/core/engine/Inspect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../../CommandTree.ts"
import * as Flag from "../../Flag.ts"
import * as JsonOutput from "../../JsonOutput.ts"
import * as Json from "../../Render/Json.ts"
import { warned } from "../../Render/Failure.ts"
import { sessionJson, sessions as render } from "../../Render/Sessions.ts"
import * as Text from "../../Render/Text.ts"
import { Screen } from "../../Screen.ts"
import * as flags from "../flags.ts"

const status = Flag.value("status", {
  value: "STATUS",
  description: "Only running, paused, completed, failed, cancelled or interrupted ones",
  read: Flag.oneOf(Shown.literals),
  otherwise: null
})

const allRepos = Flag.on("all-repos", { description: "Sessions of all repositories; needs none here" })

/** A filter that nothing passes says nothing about the others. */
const none = (status: Shown | null): string =>
  status === null ? "No sessions. Start one: prodigy run FILE" : `No ${status.toLowerCase()} sessions.`

/**
 * @since 0.1.0
 * @category commands
 */
export const commandSessionsList = CommandTree.leaf({
  name: "list",
  aliases: ["ls"],
  summary: "List sessions, newest first",
  args: {},
  flags: { status, limit: flags.limit(20), allRepos, path: flags.path, json: flags.json },
  json: JsonOutput.document(Json.Sessions),
  examples: [
    { line: "prodigy sessions list", does: "this repository's sessions" },
    { line: "prodigy sessions ls --all-repos --status failed", does: "what failed anywhere" }
  ],
  handler: ({ flags: { allRepos, json, limit, path, status } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const inspect = yield* Inspect
      const projectPath = yield* flags.project(path)
      const { damaged, sessions, total } = yield* inspect.sessions({ projectPath, allRepos, status, limit })
      if (json) {
        const value = { total, sessions: sessions.map(sessionJson), damaged: damaged.map(({ path }) => path) }
        return yield* screen.data(yield* Json.render(Json.Sessions, value))
      }
      yield* Effect.forEach(damaged, (file) => screen.note(warned(file, screen.noteStyle)))
      if (sessions.length === 0) return yield* screen.note(none(status))
      const columns = yield* screen.dataColumns
      const nowMillis = yield* Clock.currentTimeMillis
      yield* screen.data(render(sessions, { nowMillis, withRepository: allRepos, style: screen.dataStyle, columns }))
      if (total > sessions.length) yield* screen.note(Text.more(sessions.length, total))
    })
})
