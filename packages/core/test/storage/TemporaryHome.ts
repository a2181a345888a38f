/**
 * A storage of its own for every test, in memory and on a real disk.
 */
import { NodeContext } from "@effect/platform-node"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const layerMemory: Layer.Layer<AtomicFile.AtomicFile | ProdigyHome.ProdigyHome> = Layer.provideMerge(
  ProdigyHome.layerMemory,
  AtomicFile.layerMemory
)

/** The root does not exist yet; its parent is removed with the layer. */
export const layerDisk: Layer.Layer<
  AtomicFile.AtomicFile | ProdigyHome.ProdigyHome | FileSystem.FileSystem | Path.Path,
  PlatformError
> = Layer.unwrapScoped(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const parent = yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-test-" })
    return ProdigyHome.layer({ root: `${parent}/home` })
  })
).pipe(Layer.provideMerge(AtomicFile.layer), Layer.provideMerge(NodeContext.layer))
