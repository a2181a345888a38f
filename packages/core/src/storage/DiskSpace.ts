/**
 * How much room a disk has left. A port of its own, because the platform's `FileSystem` cannot tell.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * @since 0.1.0
 * @category services
 */
export class DiskSpace extends Context.Tag("@prodigy/core/storage/DiskSpace")<
  DiskSpace,
  {
    /** Bytes that this user may still write where `path` is, none where no file can be made; null: not known. */
    readonly free: (path: string) => Effect.Effect<number | null>
  }
>() {}

/**
 * Disks with that much room, everywhere; null: not known.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerTest = (free: number | null): Layer.Layer<DiskSpace> =>
  Layer.succeed(DiskSpace, { free: () => Effect.succeed(free) })
