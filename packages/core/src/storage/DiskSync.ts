/**
 * Puts on the disk what other programs have written. A port of its own: the platform's `FileSystem` syncs a file that we
 * have open, and of what the programs of a step wrote we know neither the names nor the number.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StorageError } from "./AtomicFile.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class DiskSync extends Context.Tag("@prodigy/core/storage/DiskSync")<
  DiskSync,
  {
    /**
     * When it succeeds, all that was written before to the file systems that hold these paths, by whomever, survives a
     * power cut. A host that cannot do that logs a warning once, and succeeds.
     */
    readonly flush: (paths: ReadonlyArray<string>) => Effect.Effect<void, StorageError>
  }
>() {}

/**
 * For files that are in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<DiskSync> = Layer.succeed(DiskSync, { flush: () => Effect.void })
