/**
 * gzip, through Node's `zlib`.
 *
 * @since 0.1.0
 */
import * as NodeStream from "@effect/platform-node/NodeStream"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { createGunzip, createGzip } from "node:zlib"
import { Compression, damaged } from "../Compression.ts"

/** What the compressor itself threw: it takes all bytes that there are, so a defect. */
class Refused {
  readonly cause: unknown
  constructor(cause: unknown) {
    this.cause = cause
  }
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<Compression> = Layer.succeed(Compression, {
  compress: (bytes) =>
    bytes.pipe(
      NodeStream.pipeThroughDuplex(
        () => createGzip(),
        (cause) => new Refused(cause)
      ),
      Stream.catchAll((error) => (error instanceof Refused ? Stream.die(error.cause) : Stream.fail(error)))
    ),
  decompress: (bytes, path) =>
    NodeStream.pipeThroughDuplex(
      bytes,
      () => createGunzip(),
      (error) => damaged(path, error instanceof Error ? error.message : String(error))
    )
})
