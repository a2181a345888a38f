/**
 * `prodigy clean`.
 *
 * @since 0.1.0
 */
import type * as Path from "@effect/platform/Path"
import { Clean, Part, type Result } from "@prodigy/core/engine/Clean"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import { confirm } from "../Confirm.ts"
import type { CommandError } from "../ExitCode.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import { NotAllDone } from "../NotAllDone.ts"
import * as Render from "../Render/Clean.ts"
import { CleanResult } from "../Render/CleanJson.ts"
import * as Json from "../Render/Json.ts"
import * as Text from "../Render/Text.ts"
import { Screen } from "../Screen.ts"
import * as flags from "./flags.ts"

const olderThan = Flag.value("older-than", {
  value: "TIME",
  description: "What was last used before then: 12h, 3d, 2w ago, or a time (30d)",
  read: Flag.moment,
  otherwise: { _tag: "Ago", millis: 30 * 86_400_000 }
})
const allRepos = Flag.on("all-repos", { description: "Of all repositories; needs none here" })
const dryRun = Flag.on("dry-run", { description: "Show what would be removed, and remove nothing" })
const yes = Flag.on("yes", { alias: "y", description: "Remove without asking" })
const force = Flag.on("force", {
  alias: "f",
  description: "Also unmerged work (rescue refs keep it) and open dead letters; no asking"
})

interface Given {
  readonly dryRun: boolean
  readonly yes: boolean
  readonly force: boolean
  readonly json: boolean
}

/** Shows what would be removed, asks unless told not to, and removes. */
const removed = <E, R>(remove: (dryRun: boolean) => Effect.Effect<Result, E, R>, given: Given, command: string) =>
  Effect.gen(function* () {
    const screen = yield* Screen
    const print = (result: Result, dryRun: boolean) =>
      Effect.gen(function* () {
        if (given.json) return yield* screen.data(yield* Json.render(CleanResult, { dry_run: dryRun, ...result }))
        const text = Render.result(result, { dryRun, style: screen.dataStyle })
        yield* text === "" ? screen.note("There is nothing to remove.") : screen.data(text)
      })
    const sure = given.yes || given.force
    if (given.dryRun || !sure) {
      const planned = yield* remove(true)
      if (given.dryRun || planned.removed.length === 0) return yield* print(planned, true)
      yield* screen.note(Render.result(planned, { dryRun: true, style: screen.noteStyle }))
      const question = `Remove ${Text.count(planned.removed.length, "thing")}?`
      if (!(yield* confirm(question, { yes: false, command }))) return yield* screen.note("Nothing was removed.")
    }
    const result = yield* remove(false)
    yield* print(result, false)
    const [first] = result.failed
    if (first === undefined) return
    const left = result.failed.length
    return yield* new NotAllDone({ left, of: left + result.removed.length, first: first.error })
  })

const leaf = (name: Part | "all", summary: string, parts: ReadonlyArray<Part>) =>
  CommandTree.leaf({
    name,
    summary,
    args: {},
    flags: { olderThan, allRepos, dryRun, yes, force, path: flags.path, json: flags.json },
    json: JsonOutput.document(CleanResult),
    examples: [{ line: `prodigy clean ${name} --older-than 30d --dry-run`, does: "show what would go" }],
    handler: ({ flags: { allRepos, olderThan, path, ...given } }) =>
      Effect.gen(function* () {
        const clean = yield* Clean
        const request = {
          projectPath: yield* flags.project(path),
          allRepos,
          parts,
          beforeMillis: Flag.millisOf(olderThan, yield* Clock.currentTimeMillis),
          force: given.force
        }
        yield* removed((dryRun) => clean.clean({ ...request, dryRun }), given, `prodigy clean ${name}`)
      })
  })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandClean = CommandTree.group<CommandError, Clean | Path.Path | Screen>({
  name: "clean",
  summary: "Make room: remove what runs left and nobody needs",
  examples: [
    { line: "prodigy clean all --older-than 30d --dry-run", does: "show what would go, and why the rest stays" },
    { line: "prodigy clean logs --older-than 7d --yes", does: "remove transcripts of last week's runs" }
  ],
  children: [
    leaf("all", "Everything below", Part.literals),
    leaf("worktrees", "Worktrees of sessions that are over, with nothing to lose", ["worktrees"]),
    leaf("sessions", "Sessions that are over, with all that belongs to them", ["sessions"]),
    leaf("logs", "Transcripts", ["logs"]),
    leaf("state", "Journals, checkpoints and mappings that nothing needs", ["state"]),
    leaf("events", "Events", ["events"]),
    leaf("dlq", "Dead letters that are resolved", ["dlq"])
  ]
})
