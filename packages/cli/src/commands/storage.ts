/**
 * `prodigy storage`.
 *
 * @since 0.1.0
 */
import { StorageReport } from "@prodigy/core/engine/StorageReport"
import * as Effect from "effect/Effect"
import * as CommandTree from "../CommandTree.ts"
import * as Flag from "../Flag.ts"
import * as JsonOutput from "../JsonOutput.ts"
import * as Json from "../Render/Json.ts"
import * as Render from "../Render/Storage.ts"
import { StorageSizes } from "../Render/StorageJson.ts"
import { Screen } from "../Screen.ts"
import * as flags from "./flags.ts"

const allRepos = Flag.on("all-repos", { description: "Of all repositories; needs none here" })

/**
 * @since 0.1.0
 * @category commands
 */
export const commandStorage = CommandTree.leaf({
  name: "storage",
  summary: "Say what is stored, where, and how much room it takes",
  args: {},
  flags: { allRepos, path: flags.path, json: flags.json },
  json: JsonOutput.document(StorageSizes),
  examples: [
    { line: "prodigy storage", does: "this repository's, and what belongs to none" },
    { line: "prodigy storage --all-repos", does: "everything below ~/.prodigy" }
  ],
  handler: ({ flags: { allRepos, json, path } }) =>
    Effect.gen(function* () {
      const screen = yield* Screen
      const storage = yield* StorageReport
      const report = yield* storage.measure({ projectPath: yield* flags.project(path), allRepos })
      if (json) return yield* screen.data(yield* Json.render(StorageSizes, report))
      const columns = yield* screen.dataColumns
      yield* screen.data(Render.sizes(report, { style: screen.dataStyle, columns }))
    })
})
