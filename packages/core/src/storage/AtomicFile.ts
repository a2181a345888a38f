/**
 * The one module that writes durable files.
 *
 * Owns replace, append and exclusive creation, and the reading of line files. Each member says what survives a crash.
 * Does not own any format.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"

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
    return `Could not ${this.operation} ${this.path}: ${this.detail}`
  }
}

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
    return `${where} is damaged: expected ${this.expected}, found ${this.actual}.`
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
  /** As `append`, without waiting for the disk: written and synced by the next `append` or `flush`. */
  readonly buffer: (lines: ReadonlyArray<string>) => Effect.Effect<void>
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

    /** The content, or null when there is no such file. */
    readonly read: (path: string) => Effect.Effect<string | null, StorageError>

    /** The lines of an append-only file; none when there is no such file. */
    readonly readLines: (path: string) => Effect.Effect<Lines, StorageError>

    /** The lines of an append-only file in constant memory; a torn last line is left out. */
    readonly streamLines: (path: string) => Stream.Stream<string, StorageError>

    /** Removes a file, durably. False when there was none. */
    readonly remove: (path: string) => Effect.Effect<boolean, StorageError>

    /** Names in a directory, sorted; none when there is no such directory. Temporary files of `replace` are left out. */
    readonly list: (path: string) => Effect.Effect<ReadonlyArray<string>, StorageError>
  }
>() {}
