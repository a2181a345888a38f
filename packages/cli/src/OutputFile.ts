/**
 * Files that a person asks for: an export, a report.
 *
 * Owns how they come to be: beside their place, then into it, so that a command that fails half way or is interrupted leaves
 * what was there before. What is not a file (a device, a pipe) is written to directly. No file of the storage is written
 * here.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"

/**
 * A file that was asked for cannot be written. What was there before is as it was.
 *
 * @since 0.1.0
 * @category errors
 */
export class OutputFileError extends Data.TaggedError("OutputFileError")<{
  readonly path: string
  readonly detail: string
}> {
  override get message() {
    return `Could not write ${this.path}: ${this.detail}`
  }
}

/**
 * Writes a text, in constant memory. A file that exists is replaced, unless `overwrite` is false: then it is an error.
 *
 * @since 0.1.0
 * @category writing
 */
export const write = <E, R>(
  path: string,
  text: Stream.Stream<string, E, R>,
  options: { readonly overwrite: boolean } = { overwrite: true }
): Effect.Effect<void, OutputFileError | E, R | FileSystem.FileSystem | Path.Path> =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const paths = yield* Path.Path
    const refuse = (error: PlatformError) =>
      new OutputFileError({ path, detail: `${(error.description ?? error.message).replace(/\.?$/, "")}.` })
    const into = (handle: FileSystem.File) =>
      Stream.runForEach(Stream.encodeText(text), (bytes) =>
        bytes.length === 0 ? Effect.void : Effect.mapError(handle.writeAll(bytes), refuse)
      )
    const asked = paths.resolve(path)
    const found = yield* Effect.option(fs.stat(asked))
    if (Option.exists(found, ({ type }) => type === "Directory")) {
      return yield* new OutputFileError({ path, detail: "it is a directory." })
    }
    if (Option.exists(found, ({ type }) => type !== "File")) {
      return yield* Effect.flatMap(Effect.mapError(fs.open(asked, { flag: "w" }), refuse), into)
    }
    const exists = new OutputFileError({ path, detail: "it exists already, and was not touched. --force replaces it." })
    if (Option.isSome(found) && !options.overwrite) return yield* exists
    // A link stays one.
    const target = yield* Effect.orElseSucceed(fs.realPath(asked), () => asked)
    const temporary = yield* Effect.acquireRelease(
      Effect.succeed(paths.join(paths.dirname(target), `.${paths.basename(target)}.prodigy-part`)),
      (file) => Effect.ignoreLogged(fs.remove(file, { force: true }))
    )
    const handle = yield* Effect.mapError(fs.open(temporary, { flag: "w" }), refuse)
    yield* into(handle)
    yield* Effect.mapError(handle.sync, refuse)
    if (options.overwrite) return yield* Effect.mapError(fs.rename(temporary, target), refuse)
    // A link, as a rename would replace what somebody made meanwhile.
    yield* Effect.mapError(fs.link(temporary, target), (error) =>
      error._tag === "SystemError" && error.reason === "AlreadyExists" ? exists : refuse(error)
    )
  }).pipe(Effect.scoped)
