/**
 * `prodigy doctor`.
 *
 * @since 0.1.0
 */
import { Doctor, Unhealthy } from "@prodigy/core/engine/Doctor"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import * as JsonOutput from "../JsonOutput.ts"
import * as Json from "../Render/Json.ts"
import * as Render from "../Render/Storage.ts"
import { Diagnosis } from "../Render/StorageJson.ts"
import { Screen } from "../Screen.ts"
import * as flags from "./flags.ts"

/**
 * @since 0.1.0
 * @category commands
 */
export const commandDoctor = CommandTree.leaf({
  name: "doctor",
  summary: "Check storage, git, agents, locks and files, and say what to do",
  args: {},
  flags: { path: flags.path, json: flags.json },
  json: JsonOutput.document(Diagnosis),
  examples: [{ line: "prodigy doctor", does: "exits with 1 when something is broken" }],
  handler: ({ flags: { json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const found = yield* (yield* Doctor).examine({ projectPath: yield* flags.project(path) })
      yield* screen.data(json ? yield* Json.render(Diagnosis, found) : Render.diagnosis(found, screen.dataStyle))
      if (!found.healthy) {
        return yield* new Unhealthy({ errors: found.findings.filter(({ status }) => status === "error").length })
      }
    })
})
