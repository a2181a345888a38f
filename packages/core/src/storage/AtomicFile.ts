/**
 * The one module that writes durable files.
 *
 * Owns replace, append and exclusive creation, and the reading of line files. Each member says what survives a crash.
 * Does not own any format.
 *
 * Crash guarantee: what a member acknowledged is there after the process dies, the kernel panics or the power fails,
 * as far as the disk keeps what `fsync` promised. What was not acknowledged is there whole or not at all, except that a
 * crash may leave a torn last line in an append-only file, which every reader cuts off, and a temporary file, which no
 * reader sees.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Chunk from "effect/Chunk"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as GroupCommit from "./GroupCommit.ts"
import * as LineText from "./LineText.ts"
import * as TemporaryName from "./TemporaryName.ts"

/**
 * The file system did not do what was asked.
 *
 * @since 0.1.0
 * @category errors
 */
export class StorageError extends Schema.TaggedError<StorageError>("@prodigy/core/storage/AtomicFile/StorageError")(
  "StorageError",
  {
    operation: Schema.String,
    path: Schema.String,
    reason: Schema.Literal("no_space", "permission", "read_only", "not_found", "too_many_files", "io"),
    detail: Schema.String
  }
) {
  override get message() {
    // Node's own texts begin with a code and end with the call.
    const detail = this.detail.replace(/^E[A-Z0-9]+: /, "").replace(/, [a-z]+( '.*')?$/s, "")
    return `Could not ${this.operation} ${this.path}: ${detail.replace(/\.?$/, ".")}`
  }
}

/**
 * Whether what every write stands on is to blame: a disk that is full or must not be written any more, or the limit of
 * open files.
 *
 * @since 0.1.0
 * @category predicates
 */
export const isExhausted = (reason: StorageError["reason"]): boolean =>
  reason === "no_space" || reason === "too_many_files" || reason === "read_only"

/**
 * A file of ours holds something that we did not write. `line` is 1-based; 0 for a file that is not made of lines.
 *
 * @since 0.1.0
 * @category errors
 */
export class DamagedFile extends Schema.TaggedError<DamagedFile>("@prodigy/core/storage/AtomicFile/DamagedFile")(
  "DamagedFile",
  { path: Schema.String, line: Schema.Int, expected: Schema.String, actual: Schema.String }
) {
  override get message() {
    const where = this.line > 0 ? `${this.path}:${this.line}` : this.path
    return `${where} is damaged: expected ${this.expected}, found ${this.actual.trim().replaceAll(/\s+/g, " ")}.`
  }
}

/**
 * An open append-only file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Appender {
  /**
   * Appends whole lines (without their line feeds) and returns once they are on disk: concurrent calls share one write
   * and one sync. After a failure nothing of the call is acknowledged, and the next append starts on a line of its own.
   */
  readonly append: (lines: ReadonlyArray<string>) => Effect.Effect<void, StorageError>
  /**
   * As `append`, and returns once the operating system has the lines, which it has for much less than a sync: they are
   * there when this process is killed the next instant, and may be missing after a power cut.
   */
  readonly hand: (lines: ReadonlyArray<string>) => Effect.Effect<void, StorageError>
  /**
   * As `append`, without waiting for the disk: written and synced by the next `append` or `flush`. When that fails, the
   * lines are kept for the one after it, as long as they are not more than `bufferBytesMax`.
   */
  readonly buffer: (lines: ReadonlyArray<string>) => Effect.Effect<void>
  /** Writes and syncs what is buffered. */
  readonly flush: Effect.Effect<void, StorageError>
  /** Bytes in the file and in the buffer. */
  readonly size: Effect.Effect<number>
}

/**
 * The lines of an append-only file. `tornBytes` counts what was cut off behind the last line feed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Lines {
  readonly lines: ReadonlyArray<string>
  readonly tornBytes: number
}

/**
 * @since 0.1.0
 * @category services
 */
export class AtomicFile extends Context.Tag("@prodigy/core/storage/AtomicFile")<
  AtomicFile,
  {
    /**
     * Writes a whole file: afterwards it holds `content`, durably; before, and after a crash at any instant, it holds
     * the old content or the new, never a mixture. Directories are made (0700), the file is 0600.
     */
    readonly replace: (path: string, content: string) => Effect.Effect<void, StorageError>

    /**
     * As `replace`, for a file of lines, in constant memory: the old file stands until the last line is on disk. When
     * the stream fails or the caller is interrupted, nothing has changed.
     */
    readonly replaceLines: <E, R>(
      path: string,
      lines: Stream.Stream<string, E, R>
    ) => Effect.Effect<void, StorageError | E, R>

    /**
     * As `replaceLines`, for bytes; `modifiedAt` (milliseconds since 1970) is the age that the file gets instead of its
     * own.
     */
    readonly replaceBytes: <E, R>(
      path: string,
      bytes: Stream.Stream<Uint8Array, E, R>,
      options?: { readonly modifiedAt: number }
    ) => Effect.Effect<void, StorageError | E, R>

    /**
     * Creates a file that does not exist yet, durably, with its content. False when it exists: of two rivals exactly
     * one gets true. A reader never sees it without its content.
     */
    readonly createExclusively: (path: string, content: string) => Effect.Effect<boolean, StorageError>

    /** Creates a directory that does not exist yet, durably (parents as needed). False when it exists. */
    readonly claimDirectory: (path: string) => Effect.Effect<boolean, StorageError>

    /**
     * Opens a file for appending; made when missing. A torn last line is cut off first. Closed with the scope, after a
     * last flush.
     */
    readonly appender: (path: string) => Effect.Effect<Appender, StorageError, Scope.Scope>

    /**
     * The content, or null when there is no such file. Here and below, bytes that are not UTF-8 come out as U+0000:
     * no JSON text contains it, so that whoever decodes the text finds the damage.
     */
    readonly read: (path: string) => Effect.Effect<string | null, StorageError>

    /** The lines of an append-only file; none when there is no such file. */
    readonly readLines: (path: string) => Effect.Effect<Lines, StorageError>

    /** The lines of an append-only file in constant memory; a torn last line is left out. */
    readonly streamLines: (path: string) => Stream.Stream<string, StorageError>

    /** A file's bytes from `offset` on, in constant memory; none when there is no such file. */
    readonly streamBytes: (path: string, offset?: number) => Stream.Stream<Uint8Array, StorageError>

    /** How large a file is, and when it was last written (milliseconds since 1970); null: no such file. */
    readonly info: (
      path: string
    ) => Effect.Effect<{ readonly bytes: number; readonly modifiedAt: number } | null, StorageError>

    /** Removes a file, durably. False when there was none. */
    readonly remove: (path: string) => Effect.Effect<boolean, StorageError>

    /**
     * Gives a damaged file another name beside it, durably, and says which: `{name}.damaged`, `.damaged-2`, …. Nothing is
     * replaced. Null when there is no such file.
     */
    readonly setAside: (path: string) => Effect.Effect<string | null, StorageError>

    /**
     * Removes a file, or a directory with all that is in it; nothing happens when there is none. Cut short by a crash, a
     * part of it is left, of which nobody knows which: what must go first is removed first, by `remove`.
     */
    readonly removeTree: (path: string) => Effect.Effect<void, StorageError>

    /** When a file was last written, in milliseconds since 1970 by the clock of its disk; null: no such file. */
    readonly modifiedAt: (path: string) => Effect.Effect<number | null, StorageError>

    /**
     * Removes a directory that holds nothing. False when there is none, or something is in it. Whoever calls this sees to
     * it that nobody makes a file there at the same time.
     */
    readonly removeEmptyDirectory: (path: string) => Effect.Effect<boolean, StorageError>

    /** Names in a directory, sorted; none when there is no such directory. Temporary files of `replace` are left out. */
    readonly list: (path: string) => Effect.Effect<ReadonlyArray<string>, StorageError>
  }
>() {}

/**
 * Bytes of buffered lines kept after a flush that failed, 4 MiB; beyond that they are lost, and the flush said so.
 *
 * @since 0.1.0
 * @category models
 */
export const bufferBytesMax = 4 * 1024 * 1024

/**
 * Files through the platform's `FileSystem`.
 *
 * Needs hard links (`createExclusively`), which every local file system of Linux and macOS has. Every operation on an
 * open file runs uninterruptibly: a write that went on after its descriptor was closed could end up in another file.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<AtomicFile, never, FileSystem.FileSystem | Path.Path> = Layer.effect(
  AtomicFile,
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const path = yield* Path.Path
    const files = directories(fs, path, yield* TemporaryName.Writer)

    /** Writes a temporary file beside `file`, syncs it and puts it into place. Whatever happens, it does not stay. */
    const through = <A, E, R>(
      operation: string,
      file: string,
      write: (handle: FileSystem.File) => Effect.Effect<void, E, R>,
      place: (temporary: string) => Effect.Effect<A, PlatformError>
    ): Effect.Effect<A, StorageError | E, R> =>
      Effect.gen(function* () {
        const temporary = yield* files.openTemporary(path.dirname(file)).pipe(toStorageError(operation, file))
        return yield* write(temporary.handle).pipe(
          Effect.zipRight(toStorageError(operation, file)(temporary.handle.sync)),
          Effect.zipRight(toStorageError(operation, file)(place(temporary.file))),
          Effect.zipLeft(toStorageError(operation, file)(files.sync(path.dirname(file)))),
          // The first failure is the one to report; and no reader sees a temporary file that stays.
          Effect.onError(() => Effect.ignoreLogged(fs.remove(temporary.file, { force: true })))
        )
      }).pipe(Effect.scoped, Effect.uninterruptible)

    const writeText = (operation: string, file: string, content: string) => (handle: FileSystem.File) =>
      // The platform takes a write of no bytes for a failed one.
      content === "" ? Effect.void : toStorageError(operation, file)(handle.writeAll(LineText.encode(content)))

    const readWhole = (file: string) =>
      fs.readFile(file).pipe(
        Effect.asSome,
        Effect.catchIf(because("NotFound"), () => Effect.succeedNone),
        toStorageError("read", file)
      )

    const streamBytes = (file: string, offset = 0) =>
      fs
        .stream(file, { chunkSize: blockBytes, offset })
        .pipe(
          Stream.catchAll((error) =>
            because("NotFound")(error) ? Stream.empty : Stream.fail(fromPlatform(error, "read", file))
          )
        )

    const info = (file: string) =>
      fs.stat(file).pipe(
        Effect.map(({ mtime, size }) => ({
          bytes: Number(size),
          modifiedAt: Option.match(mtime, { onNone: () => 0, onSome: (at) => at.getTime() })
        })),
        Effect.catchIf(because("NotFound"), () => Effect.succeed(null)),
        toStorageError("read", file)
      )

    return AtomicFile.of({
      replace: (file, content) =>
        through("write", file, writeText("write", file, content), (temporary) => fs.rename(temporary, file)),

      replaceLines: (file, lines) =>
        Effect.uninterruptibleMask((restore) =>
          through(
            "write",
            file,
            (handle) =>
              restore(
                Stream.runForEachChunk(Stream.rechunk(lines, linesPerWrite), (chunk) =>
                  whole(Chunk.toReadonlyArray(chunk)).pipe(
                    Effect.zipRight(handle.writeAll(LineText.encodeLines(Chunk.toReadonlyArray(chunk)))),
                    toStorageError("write", file),
                    Effect.uninterruptible
                  )
                )
              ),
            (temporary) => fs.rename(temporary, file)
          )
        ),

      replaceBytes: (file, bytes, options) =>
        Effect.uninterruptibleMask((restore) =>
          through(
            "write",
            file,
            (handle) =>
              restore(
                Stream.runForEach(bytes, (block) =>
                  // The platform takes a write of no bytes for a failed one.
                  block.length === 0
                    ? Effect.void
                    : Effect.uninterruptible(toStorageError("write", file)(handle.writeAll(block)))
                )
              ),
            (temporary) =>
              (options === undefined
                ? Effect.void
                : fs.utimes(temporary, options.modifiedAt / 1000, options.modifiedAt / 1000)
              ).pipe(Effect.zipRight(fs.rename(temporary, file)))
          )
        ),

      createExclusively: (file, content) =>
        fs.exists(file).pipe(
          toStorageError("create", file),
          Effect.flatMap((exists) =>
            exists
              ? Effect.succeed(false)
              : through("create", file, writeText("create", file, content), (temporary) =>
                  fs.link(temporary, file).pipe(
                    Effect.as(true),
                    Effect.catchIf(because("AlreadyExists"), () => Effect.succeed(false)),
                    Effect.zipLeft(fs.remove(temporary))
                  )
                )
          )
        ),

      claimDirectory: (directory) => Effect.uninterruptible(toStorageError("create", directory)(files.make(directory))),

      appender: (file) => Effect.uninterruptible(openAppender(files, file)),

      read: (file) => Effect.map(readWhole(file), Option.match({ onNone: () => null, onSome: LineText.decode })),

      readLines: (file) =>
        Effect.map(readWhole(file), (bytes) => {
          const all = Option.getOrElse(bytes, () => new Uint8Array(0))
          const whole = all.lastIndexOf(LineText.lineFeed) + 1
          return { lines: LineText.decodeLines(all.subarray(0, whole)), tornBytes: all.length - whole }
        }),

      streamLines: (file) => splitLines(streamBytes(file)),

      streamBytes,

      info: (file) => info(file),

      remove: (file) =>
        fs.remove(file).pipe(
          Effect.zipRight(files.sync(path.dirname(file))),
          Effect.as(true),
          Effect.catchIf(because("NotFound"), () => Effect.succeed(false)),
          toStorageError("remove", file),
          Effect.uninterruptible
        ),

      setAside: (file) => {
        // A link, as a rename would replace what was set aside before.
        const under = (n: number): Effect.Effect<string, PlatformError> =>
          fs.link(file, asideName(file, n)).pipe(
            Effect.as(asideName(file, n)),
            Effect.catchIf(because("AlreadyExists"), () => under(n + 1))
          )
        return under(1).pipe(
          Effect.zipLeft(fs.remove(file, { force: true })),
          Effect.zipLeft(files.sync(path.dirname(file))),
          Effect.catchIf(because("NotFound"), () => Effect.succeed(null)),
          toStorageError("set aside", file),
          Effect.uninterruptible
        )
      },

      modifiedAt: (file) => Effect.map(info(file), (found) => found?.modifiedAt ?? null),

      removeEmptyDirectory: (directory) =>
        fs.readDirectory(directory).pipe(
          Effect.flatMap((names) =>
            names.length > 0
              ? Effect.succeed(false)
              : fs
                  .remove(directory, { recursive: true })
                  .pipe(Effect.zipRight(files.syncParent(directory)), Effect.as(true))
          ),
          Effect.catchIf(because("NotFound"), () => Effect.succeed(false)),
          toStorageError("remove", directory),
          Effect.uninterruptible
        ),

      removeTree: (entry) =>
        fs.remove(entry, { recursive: true }).pipe(
          Effect.zipRight(files.syncParent(entry)),
          Effect.catchIf(because("NotFound"), () => Effect.void),
          toStorageError("remove", entry),
          Effect.uninterruptible
        ),

      list: (directory) =>
        fs.readDirectory(directory).pipe(
          Effect.map((names) => names.filter((name) => !TemporaryName.isTemporary(name)).toSorted()),
          Effect.catchIf(because("NotFound"), () => Effect.succeed([])),
          toStorageError("list", directory)
        )
    })
  })
)

/**
 * Files in memory, gone with the layer: the semantics of `layer` without its disk. What is acknowledged, cut off, refused
 * or listed is the same; there is nothing to crash.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<AtomicFile> = Layer.sync(AtomicFile, () => {
  const files = new Map<string, { readonly text: string; readonly bytes?: Uint8Array; readonly modifiedAt: number }>()
  const directories = new Set<string>()

  const makeParents = (entry: string) => {
    for (let at = entry.lastIndexOf("/"); at > 0; at = entry.lastIndexOf("/", at - 1))
      directories.add(entry.slice(0, at))
  }
  const write = (file: string, text: string) =>
    Effect.map(Clock.currentTimeMillis, (modifiedAt) => {
      makeParents(file)
      files.set(file, { text, modifiedAt })
    })
  const textOf = (file: string) => files.get(file)?.text ?? ""
  const bytesOf = (file: string) => {
    const found = files.get(file)
    return found?.bytes ?? LineText.encode(found?.text ?? "")
  }
  const linesOf = (file: string) => {
    const text = textOf(file)
    const whole = text.lastIndexOf("\n") + 1
    return { lines: LineText.toLines(text.slice(0, whole)), tornBytes: LineText.byteLength(text.slice(whole)) }
  }

  return AtomicFile.of({
    replace: write,
    replaceLines: (file, lines) =>
      Effect.flatMap(Stream.runCollect(lines), (all) =>
        Effect.zipRight(whole(Chunk.toReadonlyArray(all)), write(file, LineText.fromLines(Chunk.toReadonlyArray(all))))
      ),
    replaceBytes: (file, bytes, options) =>
      Effect.gen(function* () {
        const all = LineText.concat(Chunk.toReadonlyArray(yield* Stream.runCollect(bytes)))
        const modifiedAt = options?.modifiedAt ?? (yield* Clock.currentTimeMillis)
        makeParents(file)
        files.set(file, { text: LineText.decode(all), bytes: all, modifiedAt })
      }),
    createExclusively: (file, content) =>
      Effect.suspend(() => (files.has(file) ? Effect.succeed(false) : Effect.as(write(file, content), true))),
    claimDirectory: (directory) =>
      Effect.sync(() => {
        if (directories.has(directory) || files.has(directory)) return false
        makeParents(`${directory}/`)
        return true
      }),
    appender: (file) =>
      Effect.gen(function* () {
        yield* write(file, textOf(file).slice(0, textOf(file).lastIndexOf("\n") + 1))
        let open = true
        let buffered = ""
        let bytes = LineText.byteLength(textOf(file))
        const take = (lines: ReadonlyArray<string>) =>
          Effect.map(whole(lines), () => {
            const text = LineText.fromLines(lines)
            buffered += text
            bytes += LineText.byteLength(text)
          })
        const flush = Effect.suspend(() => {
          if (!open) return Effect.fail(closed(file))
          const text = textOf(file) + buffered
          buffered = ""
          return write(file, text)
        })
        yield* Effect.addFinalizer(() =>
          Effect.zipRight(
            Effect.orDie(flush),
            Effect.sync(() => void (open = false))
          )
        )
        return {
          append: (lines) => Effect.uninterruptible(Effect.zipRight(take(lines), flush)),
          hand: (lines) => Effect.uninterruptible(Effect.zipRight(take(lines), flush)),
          buffer: take,
          flush: Effect.uninterruptible(flush),
          size: Effect.sync(() => bytes)
        }
      }),
    read: (file) => Effect.sync(() => files.get(file)?.text ?? null),
    readLines: (file) => Effect.sync(() => linesOf(file)),
    streamLines: (file) => Stream.suspend(() => Stream.fromIterable(linesOf(file).lines)),
    streamBytes: (file, offset = 0) => Stream.suspend(() => Stream.succeed(bytesOf(file).subarray(offset))),
    info: (file) =>
      Effect.sync(() => {
        const found = files.get(file)
        return found === undefined ? null : { bytes: bytesOf(file).length, modifiedAt: found.modifiedAt }
      }),
    remove: (file) => Effect.sync(() => files.delete(file)),
    setAside: (file) =>
      Effect.sync(() => {
        const found = files.get(file)
        if (found === undefined) return null
        let n = 1
        while (files.has(asideName(file, n))) n += 1
        files.set(asideName(file, n), found)
        files.delete(file)
        return asideName(file, n)
      }),
    removeTree: (entry) =>
      Effect.sync(() => {
        for (const known of [files, directories]) {
          for (const path of known.keys()) if (path === entry || path.startsWith(`${entry}/`)) known.delete(path)
        }
      }),
    modifiedAt: (file) => Effect.sync(() => files.get(file)?.modifiedAt ?? null),
    removeEmptyDirectory: (directory) =>
      Effect.sync(() => {
        const isUnder = (entry: string) => entry.startsWith(`${directory}/`)
        return ![...files.keys(), ...directories].some(isUnder) && directories.delete(directory)
      }),
    list: (directory) =>
      Effect.sync(() =>
        [...files.keys(), ...directories]
          .filter((entry) => entry.startsWith(`${directory}/`) && !entry.includes("/", directory.length + 1))
          .map((entry) => entry.slice(directory.length + 1))
          .toSorted()
      )
  })
})

// -----------------------------------------------------------------------------
// directories and temporary files
// -----------------------------------------------------------------------------

const asideName = (file: string, n: number): string => `${file}.damaged${n === 1 ? "" : `-${n}`}`

interface Directories {
  /** Makes a directory and the ones above it, durably. False when it exists. */
  readonly make: (directory: string) => Effect.Effect<boolean, PlatformError>
  readonly sync: (directory: string) => Effect.Effect<void, PlatformError>
  readonly open: (file: string, flag: "wx" | "a+") => Effect.Effect<FileSystem.File, PlatformError, Scope.Scope>
  readonly openTemporary: (
    directory: string
  ) => Effect.Effect<{ readonly file: string; readonly handle: FileSystem.File }, PlatformError, Scope.Scope>
  readonly syncParent: (file: string) => Effect.Effect<void, PlatformError>
}

const directories = (fs: FileSystem.FileSystem, path: Path.Path, writer: string): Directories => {
  const sync = (directory: string) =>
    Effect.scoped(Effect.flatMap(fs.open(directory, { flag: "r" }), (handle) => handle.sync))
  const syncParent = (file: string) => sync(path.dirname(file))

  const makeOne = (directory: string) =>
    fs.makeDirectory(directory, { mode: 0o700 }).pipe(
      Effect.as(true),
      Effect.catchIf(because("AlreadyExists"), () => Effect.succeed(false))
    )
  const make = (directory: string): Effect.Effect<boolean, PlatformError> =>
    makeOne(directory).pipe(
      Effect.catchIf(because("NotFound"), (error) =>
        path.dirname(directory) === directory
          ? Effect.fail(error)
          : Effect.zipRight(make(path.dirname(directory)), makeOne(directory))
      ),
      // Also when a rival made it: he may not have come to this yet.
      Effect.zipLeft(syncParent(directory))
    )

  /** Tries first: a missing directory is the exception. */
  const open = (file: string, flag: "wx" | "a+") => {
    const now = fs.open(file, { flag, mode: 0o600 })
    return Effect.catchIf(now, because("NotFound"), () => Effect.zipRight(make(path.dirname(file)), now))
  }

  const openTemporary: Directories["openTemporary"] = (directory) =>
    Effect.flatMap(Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER), (random) => {
      const file = path.join(directory, TemporaryName.make(writer, random))
      return Effect.map(open(file, "wx"), (handle) => ({ file, handle }))
    }).pipe(Effect.catchIf(because("AlreadyExists"), () => openTemporary(directory)))

  return { make, sync, syncParent, open, openTemporary }
}

// -----------------------------------------------------------------------------
// appending
// -----------------------------------------------------------------------------

interface Entry {
  readonly bytes: Uint8Array
  /** Nobody waits for it: kept for the next try when the commit fails. */
  readonly buffered: boolean
  /** Whoever waits for it does not wait for the disk. */
  readonly unsynced: boolean
}

const openAppender = (files: Directories, file: string): Effect.Effect<Appender, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    const handle = yield* files.open(file, "a+")
    const found = Number((yield* handle.stat).size)
    /** Bytes acknowledged: whole lines. */
    let length = yield* wholeBytes(handle, found)
    /** The file may hold more than that. */
    let excess = length < found
    let kept: ReadonlyArray<Uint8Array> = []
    let waiting = 0
    let open = true

    const cut = Effect.suspend(() =>
      excess ? Effect.map(handle.truncate(length), () => void (excess = false)) : Effect.void
    )
    yield* cut
    // Whoever wrote the last lines may have died before he synced them: from here on they count as acknowledged.
    yield* handle.sync
    yield* files.syncParent(file)

    const commit = (entries: ReadonlyArray<Entry>) =>
      Effect.suspend(() => {
        if (!open) return Effect.fail(closed(file))
        const bytes = LineText.concat([...kept, ...entries.map((entry) => entry.bytes)])
        if (bytes.length === 0) return Effect.void
        const synced = kept.length > 0 || entries.some((entry) => !entry.unsynced)
        return cut.pipe(
          Effect.zipRight(Effect.sync(() => void (excess = true))),
          Effect.zipRight(handle.writeAll(bytes)),
          Effect.zipRight(synced ? handle.sync : Effect.void),
          Effect.map(() => {
            length += bytes.length
            waiting -= bytes.length
            excess = false
            kept = []
          }),
          // The file is cut now, for those who read it, and if that fails too, before the next write.
          Effect.tapError(() => Effect.ignoreLogged(cut)),
          Effect.tapError(() => Effect.sync(() => keep(bytes.length, entries))),
          toStorageError("append to", file)
        )
      })
    const keep = (failed: number, entries: ReadonlyArray<Entry>) => {
      const buffered = LineText.concat([
        ...kept,
        ...entries.filter((entry) => entry.buffered).map((entry) => entry.bytes)
      ])
      kept = buffered.length > 0 && buffered.length <= bufferBytesMax ? [buffered] : []
      waiting += byteLengthOf(kept) - failed
    }

    const group = GroupCommit.make(commit)
    const entry = (lines: ReadonlyArray<string>, how: { readonly buffered: boolean; readonly unsynced: boolean }) =>
      Effect.map(whole(lines), (): Entry => {
        const bytes = LineText.encodeLines(lines)
        waiting += bytes.length
        return { bytes, ...how }
      })
    yield* Effect.addFinalizer(() =>
      group.flush.pipe(
        Effect.catchAll((error) => Effect.logWarning("Buffered lines are lost.", error)),
        Effect.zipRight(Effect.sync(() => void (open = false)))
      )
    )
    return {
      append: (lines: ReadonlyArray<string>) =>
        Effect.uninterruptible(Effect.flatMap(entry(lines, { buffered: false, unsynced: false }), group.submit)),
      hand: (lines: ReadonlyArray<string>) =>
        Effect.uninterruptible(Effect.flatMap(entry(lines, { buffered: false, unsynced: true }), group.submit)),
      buffer: (lines: ReadonlyArray<string>) =>
        Effect.uninterruptible(Effect.flatMap(entry(lines, { buffered: true, unsynced: false }), group.offer)),
      flush: group.flush,
      size: Effect.sync(() => length + waiting)
    }
  }).pipe(toStorageError("open", file))

/** Bytes up to and with the last line feed, searched from the end. */
const wholeBytes = (handle: FileSystem.File, size: number): Effect.Effect<number, PlatformError> =>
  Effect.gen(function* () {
    for (let end = size; end > 0; end -= blockBytes) {
      const start = Math.max(0, end - blockBytes)
      yield* handle.seek(start, "start")
      const block = yield* handle.readAlloc(end - start)
      const at = Option.match(block, { onNone: () => -1, onSome: (bytes) => bytes.lastIndexOf(LineText.lineFeed) })
      if (at >= 0) return start + at + 1
    }
    return 0
  })

const closed = (path: string) =>
  new StorageError({ operation: "append to", path, reason: "io", detail: "the file was closed" })

// -----------------------------------------------------------------------------
// lines and bytes
// -----------------------------------------------------------------------------

const blockBytes = 64 * 1024
const linesPerWrite = 1024

const byteLengthOf = (parts: ReadonlyArray<Uint8Array>): number => parts.reduce((sum, part) => sum + part.length, 0)

/** A line feed inside a line would forge a record: the caller's defect. */
const whole = (lines: ReadonlyArray<string>): Effect.Effect<void> =>
  lines.some((line) => line.includes("\n")) ? Effect.dieMessage("A line must not contain a line feed.") : Effect.void

const splitLines = <E, R>(blocks: Stream.Stream<Uint8Array, E, R>): Stream.Stream<string, E, R> =>
  Stream.mapConcat(LineText.blocks(blocks), ({ lines }) => lines)

// -----------------------------------------------------------------------------
// errors
// -----------------------------------------------------------------------------

const because = (reason: "AlreadyExists" | "NotFound") => (error: PlatformError) =>
  error._tag === "SystemError" && error.reason === reason

const toStorageError =
  (operation: string, path: string) =>
  <A, R>(self: Effect.Effect<A, PlatformError, R>): Effect.Effect<A, StorageError, R> =>
    Effect.mapError(self, (error) => fromPlatform(error, operation, path))

const reasons: Readonly<Record<string, StorageError["reason"]>> = {
  ENOSPC: "no_space",
  EDQUOT: "no_space",
  EACCES: "permission",
  EPERM: "permission",
  EROFS: "read_only",
  ENOENT: "not_found",
  EMFILE: "too_many_files",
  ENFILE: "too_many_files"
}

/**
 * What the file system had against an operation. The platform's own reasons are too coarse (a full disk is "Unknown"), so
 * the error code decides where there is one.
 *
 * @since 0.1.0
 * @category errors
 */
export const reasonOf = (error: PlatformError): StorageError["reason"] => {
  const detail = error.description ?? error.message
  const code =
    Predicate.hasProperty(error.cause, "code") && Predicate.isString(error.cause.code)
      ? error.cause.code
      : (/^E[A-Z]+/.exec(detail)?.[0] ?? "")
  const coarse = because("NotFound")(error)
    ? "not_found"
    : error._tag === "SystemError" && error.reason === "PermissionDenied"
      ? "permission"
      : "io"
  return reasons[code] ?? coarse
}

const fromPlatform = (error: PlatformError, operation: string, path: string): StorageError =>
  new StorageError({ operation, path, reason: reasonOf(error), detail: error.description ?? error.message })
