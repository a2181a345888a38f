/**
 * The reading side of the event log: over all files of a job, and on while they are written.
 *
 * Owns how lines become events, what becomes of damaged ones, and how a log is followed from another process: by looking
 * again and again, so that it works on every file system. Writes nothing.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import { EventRecord } from "../domain/Event.ts"
import type { AtomicFile, DamagedFile, StorageError } from "./AtomicFile.ts"
import type { Compression } from "./Compression.ts"
import * as EventFiles from "./EventFiles.ts"
import * as LineText from "./LineText.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * What a line holds: an event, or damage.
 *
 * @since 0.1.0
 * @category models
 */
export type Entry = Either.Either<EventRecord, DamagedFile>

/**
 * Milliseconds between two looks at a log that is followed.
 *
 * @since 0.1.0
 * @category models
 */
export const lookMillis = 200

/**
 * @since 0.1.0
 * @category models
 */
export interface EventReader {
  /** See `EventLog.read`. */
  readonly read: (directory: string) => Stream.Stream<Entry, StorageError>
  /** See `EventLog.follow`. */
  readonly follow: <E>(directory: string, live: Effect.Effect<boolean, E>) => Stream.Stream<Entry, StorageError | E>
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (file: AtomicFile["Type"], compression: Compression["Type"]): EventReader => {
  /** The events of a file's lines, `skipped` of which were before them. */
  const entriesOf = (
    path: string,
    bytes: Stream.Stream<Uint8Array, StorageError | DamagedFile>,
    skipped: number,
    onBlock: (block: LineText.Block) => void
  ): Stream.Stream<Entry, StorageError> =>
    Stream.suspend(() => {
      let line = skipped
      return LineText.blocks(bytes).pipe(
        Stream.mapConcat((block) => {
          onBlock(block)
          return block.lines.map((text) => codec.decodeNow(text, { path, line: ++line }))
        }),
        // An archive that cannot be unpacked any further.
        Stream.catchTag("DamagedFile", (error) => Stream.succeed(Either.left(error)))
      )
    })

  /** What a file has gained since the last look. */
  const gained = (found: EventFiles.EventFile, place: Place): Stream.Stream<Entry, StorageError> =>
    Stream.unwrap(
      Effect.gen(function* () {
        const info = found.archived ? null : yield* file.info(found.path)
        if (info === null || info.bytes < place.bytes) {
          // Lines that were archived have no place in bytes any more. A file that became shorter lost lines of which its
          // writer was not sure, a full disk having cut them: it writes them again.
          place.again = { id: place.id, lines: place.lines }
          Object.assign(place, { bytes: 0, lines: 0 })
        }
        if (info !== null && info.bytes === place.bytes) return Stream.empty
        const bytes =
          info === null ? EventFiles.bytes(file, compression, found) : file.streamBytes(found.path, place.bytes)
        const entries = entriesOf(found.path, bytes, place.lines, (block) => {
          place.bytes += block.bytes
          place.lines += block.lines.length
        })
        return Stream.filter(entries, (entry) => isNew(entry, place))
      })
    )

  return {
    read: (directory) =>
      Stream.flatMap(Stream.fromIterableEffect(EventFiles.list(file, directory)), (found) =>
        entriesOf(found.path, EventFiles.bytes(file, compression, found), 0, () => {})
      ),

    follow: (directory, live) =>
      Stream.suspend(() => {
        let at: Place | null = null
        /** The file at `at` was read to its end, and nobody writes to it any more. */
        let passed = true
        let over = false

        const look = Effect.gen(function* () {
          if (!passed) yield* Effect.sleep(lookMillis)
          // Asked first: what is not there when nobody writes any more will never be.
          const alive = yield* live
          const here: Place | null = at
          const files = yield* EventFiles.list(file, directory)
          const [current, newer] = files.filter(
            (found) => here === null || EventFiles.byAge(found, here) >= (passed ? 1 : 0)
          )
          // All of a file is written before the next one is started.
          passed = newer !== undefined
          over = newer === undefined && !alive
          if (current === undefined) return Stream.empty
          const place: Place = here?.stem === current.stem ? here : startOf(current.stem)
          at = place
          return gained(current, place)
        })
        const looks = Stream.repeatEffectOption(
          Effect.suspend(() => (over ? Effect.fail(Option.none()) : Effect.mapError(look, Option.some)))
        )
        return Stream.flatten(looks)
      })
  }
}

/** How far a file was read. */
interface Place {
  readonly stem: string
  bytes: number
  lines: number
  /** The last event that was given. */
  id: string
  /** What was given before the file is read again from its beginning. */
  again: { readonly id: string; readonly lines: number } | null
}

const startOf = (stem: string): Place => ({ stem, bytes: 0, lines: 0, id: "", again: null })

/** Within one file, ids sort in the order of its lines. */
const isNew = (entry: Entry, place: Place): boolean => {
  const { again } = place
  if (Either.isLeft(entry)) return again === null || entry.left.line > again.lines
  const { id } = entry.right
  if (again !== null && id <= again.id) return false
  place.id = id
  return true
}

const codec = StoredJson.codec(EventRecord, "an event")
