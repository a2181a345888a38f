/**
 * The room on this host's disks, through Node's `statfs`.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { statfs } from "node:fs/promises"
import { DiskSpace } from "../DiskSpace.ts"

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DiskSpace> = Layer.succeed(DiskSpace, {
  free: (path) =>
    Effect.tryPromise(() => statfs(path)).pipe(
      // A file system that gives out its inodes as they are needed counts none.
      Effect.map((info) => (info.files > 0 && info.ffree === 0 ? 0 : info.bavail * info.bsize)),
      // Not knowing is an answer here: the path does not exist, or its file system has no such notion.
      Effect.orElseSucceed(() => null)
    )
})
