/**
 * How much room a disk has left, and how much of it a directory takes. A port of its own, because the platform's
 * `FileSystem` can tell neither: it follows symbolic links.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { StorageError } from "./AtomicFile.ts"

/**
 * What a directory or a file takes.
 *
 * @since 0.1.0
 * @category models
 */
export interface Usage {
  /** Blocks where the file system knows them, as `du` counts, else the length. */
  readonly bytes: number
  /** Everything that is no directory. */
  readonly files: number
}

/**
 * @since 0.1.0
 * @category services
 */
export class DiskSpace extends Context.Tag("@prodigy/core/storage/DiskSpace")<
  DiskSpace,
  {
    /** Bytes that this user may still write where `path` is, none where no file can be made; null: not known. */
    readonly free: (path: string) => Effect.Effect<number | null>
    /**
     * What `path` and all below it take; null when there is nothing. In constant memory, whatever the number of files.
     * Symbolic links are not followed; a file with several hard links counts for each. What goes away meanwhile counts for
     * nothing.
     */
    readonly usage: (path: string) => Effect.Effect<Usage | null, StorageError>
    /** As `usage`, of one entry by itself, and whether it is a directory. */
    readonly entry: (path: string) => Effect.Effect<(Usage & { readonly isDirectory: boolean }) | null, StorageError>
  }
>() {}

/**
 * Disks with that much room, everywhere, and nothing on them; null: not known.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (free: number | null): Layer.Layer<DiskSpace> =>
  Layer.succeed(DiskSpace, {
    free: () => Effect.succeed(free),
    usage: () => Effect.succeed(null),
    entry: () => Effect.succeed(null)
  })
