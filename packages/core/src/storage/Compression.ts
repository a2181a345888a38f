/**
 * Making files small. A port of its own: the language has no compression, each platform has its own.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import { DamagedFile } from "./AtomicFile.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class Compression extends Context.Tag("@prodigy/core/storage/Compression")<
  Compression,
  {
    /** The same bytes as gzip (RFC 1952), in constant memory. */
    readonly compress: <E, R>(bytes: Stream.Stream<Uint8Array, E, R>) => Stream.Stream<Uint8Array, E, R>
    /**
     * The bytes that were compressed, in constant memory. Fails with the damage of the file at `path`, where they came
     * from, after giving what was before: when its checksum does not fit, or its end is missing.
     */
    readonly decompress: <E, R>(
      bytes: Stream.Stream<Uint8Array, E, R>,
      path: string
    ) => Stream.Stream<Uint8Array, E | DamagedFile, R>
  }
>() {}

/**
 * That a file is not what `compress` gave.
 *
 * @since 0.1.0
 * @category errors
 */
export const damaged = (path: string, detail: string): DamagedFile =>
  new DamagedFile({ path, line: 0, expected: "gzip", actual: detail })

/**
 * Makes nothing smaller: the bytes between two marks, for files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<Compression> = Layer.succeed(Compression, {
  compress: (bytes) => Stream.make(mark).pipe(Stream.concat(bytes), Stream.concat(Stream.make(mark))),
  decompress: (bytes, path) =>
    Stream.unwrap(
      Effect.map(Stream.runCollect(bytes), (blocks) => {
        const all = Chunk.toReadonlyArray(blocks).flatMap((block) => [...block])
        const isWhole = all.length > 1 && all[0] === mark[0] && all.at(-1) === mark[0]
        return isWhole ? Stream.make(Uint8Array.from(all.slice(1, -1))) : Stream.fail(damaged(path, "something else"))
      })
    )
})

const mark = Uint8Array.of(1)
