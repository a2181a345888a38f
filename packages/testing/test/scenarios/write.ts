import type * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"

/** Programs may well not sync; the files of a step that is recorded are not these tests' matter. */
export const write = (files: FileSystem.FileSystem, path: string, content: string): Effect.Effect<void> =>
  Effect.scoped(
    Effect.gen(function* () {
      const file = yield* files.open(path, { flag: "w" })
      yield* file.writeAll(new TextEncoder().encode(content))
      yield* file.sync
      yield* (yield* files.open(path.slice(0, path.lastIndexOf("/")), { flag: "r" })).sync
    })
  ).pipe(Effect.orDie)
