/**
 * A file that is one JSON object: `{"v": 1, …, "crc32": "…"}`, indented, sealed, ending in a line feed.
 *
 * Owns the format version of such files and how they are laid out. Does not own when they are written.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { AtomicFile, DamagedFile, StorageError } from "./AtomicFile.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * One kind of document.
 *
 * @since 0.1.0
 * @category models
 */
export interface JsonDocument<A> {
  /** The whole text of the file. A value that its own schema refuses is a defect: it would be damage when read. */
  readonly encode: (value: A) => Effect.Effect<string>
  readonly decode: (text: string, path: string) => Effect.Effect<A, DamagedFile>
  /** The document at a path; null when there is none. */
  readonly load: (file: AtomicFile["Type"], path: string) => Effect.Effect<A | null, StorageError | DamagedFile>
}

/**
 * `what` names the kind in messages: "a session".
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = <A, I extends object>(schema: Schema.Schema<A, I>, what: string): JsonDocument<A> => {
  const encode = Schema.encode(schema)
  // Two steps, so that a file of a later version is told as such and not by the first field that changed.
  const version = StoredJson.codec(Version, `${what} of format version 1`)
  const body = StoredJson.codec(schema, what)
  const decode = (text: string, path: string) => {
    const place = { path, line: 0 }
    return version.decode(text, place).pipe(
      Effect.zipRight(body.decode(text, place)),
      Effect.filterOrFail(
        () => StoredJson.isSealed(text),
        () => StoredJson.unsealed(text, place)
      )
    )
  }
  return {
    encode: (value) =>
      Effect.orDie(
        Effect.map(encode(value), (fields) => StoredJson.seal(`${JSON.stringify({ v: 1, ...fields }, null, 2)}\n`))
      ),
    decode,
    load: (file, path) =>
      Effect.flatMap(file.read(path), (text) => (text === null ? Effect.succeed(null) : decode(text, path)))
  }
}

const Version = Schema.Struct({ v: Schema.Literal(1) })
