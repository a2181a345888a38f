/**
 * What is stored, where, and how much room it takes.
 *
 * Owns the choice of what is shown. Measuring is `GlobalStorage`'s.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { DiskSpace } from "../storage/DiskSpace.ts"
import { GlobalStorage, Size } from "../storage/GlobalStorage.ts"
import { ProdigyHome, type RepoNameError } from "../storage/ProdigyHome.ts"
import { Inspect } from "./Inspect.ts"

/**
 * @since 0.1.0
 * @category schemas
 */
export const Report = Schema.Struct({
  root: Schema.String,
  repository: Schema.NullOr(Schema.String).annotations({ description: "whose rows are shown; null: those of all" }),
  bytes: Schema.NonNegativeInt.annotations({ description: "of everything, shown or not" }),
  files: Schema.NonNegativeInt,
  free_bytes: Schema.NullOr(Schema.NonNegativeInt).annotations({ description: "on that disk; null: not known" }),
  sizes: Schema.Array(Size).annotations({
    description: "one for each component and repository; repository null is what belongs to none, or to all"
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Report extends Schema.Schema.Type<typeof Report> {}

/**
 * @since 0.1.0
 * @category services
 */
export class StorageReport extends Context.Tag("@prodigy/core/engine/StorageReport")<
  StorageReport,
  {
    /**
     * Measures everything. Shown is what belongs to the repository around `projectPath` or to none; with `allRepos`, or
     * where there is no repository, everything.
     */
    readonly measure: (options: {
      readonly projectPath: string
      readonly allRepos: boolean
    }) => Effect.Effect<Report, RepoNameError | StorageError | DamagedFile>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const disk = yield* DiskSpace
  const home = yield* ProdigyHome
  const inspect = yield* Inspect
  const storage = yield* GlobalStorage
  return StorageReport.of({
    measure: Effect.fn("StorageReport.measure")(function* ({ allRepos, projectPath }) {
      const here = allRepos
        ? null
        : yield* Effect.catchTag(inspect.repository({ projectPath }), "WorkspaceError", () => Effect.succeed(null))
      const all = [...(yield* Stream.runCollect(storage.sizes))]
      const free = yield* disk.free(home.root)
      return {
        root: home.root,
        repository: here,
        bytes: all.reduce((sum, { bytes }) => sum + bytes, 0),
        files: all.reduce((sum, { files }) => sum + files, 0),
        free_bytes: free,
        sizes: here === null ? all : all.filter(({ repo }) => repo === null || repo === here)
      }
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<StorageReport, never, DiskSpace | GlobalStorage | Inspect | ProdigyHome> = Layer.effect(
  StorageReport,
  make
)
