/**
 * The files of a job's event log: `events-{stamp}[_{n}].jsonl`, and archived ones with `.gz` behind.
 *
 * Owns their names, their order, and what counts as one where a file and its archive are both there: an archive takes the
 * place of a file only when that is removed, so the file itself does. Does not own what is in them.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Order from "effect/Order"
import * as Stream from "effect/Stream"
import * as JobId from "../domain/JobId.ts"
import type { AtomicFile, DamagedFile, StorageError } from "./AtomicFile.ts"
import type { Compression } from "./Compression.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface EventFile {
  /** `{stamp}[_{n}]`: what stays the same when it is archived. */
  readonly stem: string
  readonly name: string
  readonly path: string
  readonly archived: boolean
}

/**
 * A job's event files in the order they were started.
 *
 * @since 0.1.0
 * @category accessors
 */
export const list = (
  file: AtomicFile["Type"],
  directory: string
): Effect.Effect<ReadonlyArray<EventFile>, StorageError> =>
  Effect.map(file.list(directory), (names) => {
    const found = new Map<string, EventFile>()
    for (const name of names) {
      const [, stem, extension] = pattern.exec(name) ?? []
      if (stem === undefined) continue
      const archived = extension !== undefined
      if (archived && found.has(stem)) continue
      found.set(stem, { stem, name, path: `${directory}/${name}`, archived })
    }
    return [...found.values()].sort(byAge)
  })

/**
 * Oldest first.
 *
 * @since 0.1.0
 * @category ordering
 */
export const byAge: Order.Order<{ readonly stem: string }> = Order.mapInput(JobId.byTime, ({ stem }) => stem)

/**
 * The stamp of the file that comes after `files`, also when the clock was set back.
 *
 * @since 0.1.0
 * @category constructors
 */
export const next = (files: ReadonlyArray<EventFile>, now: string): string => {
  const last = files.at(-1)
  const [, stamp = "", count = "1"] = /^(\d{8}_\d{6})(?:_(\d+))?$/.exec(last?.stem ?? "") ?? []
  return stamp < now ? now : `${stamp}_${Number(count) + 1}`
}

/**
 * Where a file's archive is.
 *
 * @since 0.1.0
 * @category accessors
 */
export const archiveOf = ({ archived, path }: EventFile): string => (archived ? path : `${path}${archiveExtension}`)

/**
 * A file's bytes as they were written, in constant memory. One that was archived since it was listed is read from there.
 *
 * @since 0.1.0
 * @category accessors
 */
export const bytes = (
  file: AtomicFile["Type"],
  compression: Compression["Type"],
  found: EventFile
): Stream.Stream<Uint8Array, StorageError | DamagedFile> =>
  Stream.unwrap(
    Effect.map(found.archived ? Effect.succeed(null) : file.info(found.path), (info) => {
      if (info !== null) return file.streamBytes(found.path)
      const archive = archiveOf(found)
      return compression.decompress(file.streamBytes(archive), archive)
    })
  )

const archiveExtension = ".gz"
const pattern = /^events-(\d{8}_\d{6}(?:_\d+)?)\.jsonl(\.gz)?$/
