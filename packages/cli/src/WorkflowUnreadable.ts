/**
 * Reading the file that `run` is given.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { didYouMean } from "@prodigy/core/domain/DidYouMean"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

/**
 * The workflow file cannot be read.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkflowUnreadable extends Schema.TaggedError<WorkflowUnreadable>("@prodigy/cli/WorkflowUnreadable")(
  "WorkflowUnreadable",
  { path: Schema.String, detail: Schema.String, suggestions: Schema.Array(Schema.String) }
) {
  override get message() {
    return `The workflow ${this.path} cannot be read: ${this.detail}.`
  }
}

/**
 * The text of a workflow file. When there is none, the files beside it are looked at for what was meant.
 *
 * @since 0.1.0
 * @category reading
 */
export const readWorkflow = (
  path: string
): Effect.Effect<string, WorkflowUnreadable, FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    return yield* Effect.catchAll(fs.readFileString(path), (error) =>
      Effect.flatMap(suggest(path), (suggestions) => {
        const reason = error._tag === "SystemError" ? error.reason : error._tag
        return new WorkflowUnreadable({ path, detail: details[reason] ?? error.message, suggestions })
      })
    )
  })

const details: Readonly<Record<string, string>> = {
  NotFound: "there is no such file",
  PermissionDenied: "permission denied",
  BadResource: "it is not a file"
}

const suggest = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  // Suggestions are a courtesy: a directory that cannot be read gives none.
  const names = yield* Effect.orElseSucceed(fs.readDirectory(paths.dirname(path)), () => [])
  const workflows = names.filter((name) => /\.ya?ml$/.test(name))
  const near = didYouMean(paths.basename(path), workflows)
  const dir = paths.dirname(path)
  return near.map((name) => (dir === "." && !path.startsWith("./") ? name : paths.join(dir, name)))
})
