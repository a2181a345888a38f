/**
 * A file system that fails where a test says.
 *
 * Wraps any `FileSystem`, the real one too. Every call of it and of the files that it opened is shown to a rule, in order,
 * and the rule names a fault or none. A fault of `Ignored` is that of a disk that lies.
 *
 * @since 0.1.0
 */
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import type * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/**
 * One call of the file system, before it is made. `method` is that of `FileSystem`, or `write`, `writeAll`, `sync`, `truncate`
 * and the others of an open `File`, whose `path` and `flag` are those it was opened with; `flag` is null for a call by path. `bytes` counts what
 * would be written. `index` counts calls from 0.
 *
 * @since 0.1.0
 * @category models
 */
export interface Call {
  readonly index: number
  readonly method: string
  readonly path: string
  readonly flag: FileSystem.OpenFlag | null
  readonly bytes: number
}

/**
 * What goes wrong with a call:
 *
 * - `Fails`: it fails with a code of the operating system, such as `ENOSPC`, having done nothing.
 * - `Torn`: a write fails having written its first `bytes` bytes.
 * - `Short`: a write writes only its first `bytes` bytes (at least 1) and says so; `writeAll` then writes the rest in another call.
 * - `Delayed`: it is made later.
 * - `Ignored`: it is not made, and succeeds.
 *
 * @since 0.1.0
 * @category models
 */
export type Fault =
  | { readonly _tag: "Fails"; readonly code: string }
  | { readonly _tag: "Torn"; readonly bytes: number; readonly code: string }
  | { readonly _tag: "Short"; readonly bytes: number }
  | { readonly _tag: "Delayed"; readonly by: Duration.DurationInput }
  | { readonly _tag: "Ignored" }

/**
 * The fault of a call, or null for none. Asked once for each call, in the order in which they are made.
 *
 * @since 0.1.0
 * @category models
 */
export type Rule = (call: Call) => Fault | null

/**
 * @since 0.1.0
 * @category constructors
 */
export const fails = (code: string): Fault => ({ _tag: "Fails", code })

/**
 * @since 0.1.0
 * @category constructors
 */
export const torn = (bytes: number, code: string): Fault => ({ _tag: "Torn", bytes, code })

/**
 * @since 0.1.0
 * @category constructors
 */
export const short = (bytes: number): Fault => ({ _tag: "Short", bytes })

/**
 * @since 0.1.0
 * @category constructors
 */
export const delayed = (by: Duration.DurationInput): Fault => ({ _tag: "Delayed", by })

/**
 * @since 0.1.0
 * @category constructors
 */
export const ignored: Fault = { _tag: "Ignored" }

/**
 * Every call for which `matches` holds has the fault.
 *
 * @since 0.1.0
 * @category rules
 */
export const always =
  (matches: (call: Call) => boolean, fault: Fault): Rule =>
  (call) =>
    matches(call) ? fault : null

/**
 * The `n`-th call (from 1) for which `matches` holds has the fault, no other. A rule counts for itself: make one for each layer.
 *
 * @since 0.1.0
 * @category rules
 */
export const nth = (n: number, matches: (call: Call) => boolean, fault: Fault): Rule => {
  let seen = 0
  return (call) => {
    if (!matches(call)) return null
    seen += 1
    return seen === n ? fault : null
  }
}

/**
 * The first rule that names a fault decides; every rule sees every call.
 *
 * @since 0.1.0
 * @category rules
 */
export const anyOf =
  (...rules: ReadonlyArray<Rule>): Rule =>
  (call) =>
    rules.map((rule) => rule(call)).find((fault) => fault !== null) ?? null

/**
 * The file system below, with the faults of a rule.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (rule: Rule): Layer.Layer<FileSystem.FileSystem, never, FileSystem.FileSystem> =>
  Layer.effect(
    FileSystem.FileSystem,
    Effect.map(FileSystem.FileSystem, (below) => make(below, rule))
  )

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (below: FileSystem.FileSystem, rule: Rule): FileSystem.FileSystem => {
  let index = -1
  const ask = (call: Omit<Call, "index">): Fault | null => {
    index += 1
    return rule({ index, ...call })
  }

  /** A call that writes nothing by itself, or whose writing is all or nothing: a torn one fails. */
  const through = <A, R>(
    method: string,
    path: string,
    call: Effect.Effect<A, PlatformError.PlatformError, R>,
    instead: Effect.Effect<A, PlatformError.PlatformError, R> | null,
    flag: FileSystem.OpenFlag | null = null
  ): Effect.Effect<A, PlatformError.PlatformError, R> =>
    Effect.suspend(() => {
      const fault = ask({ method, path, flag, bytes: 0 })
      switch (fault?._tag) {
        case "Fails":
        case "Torn":
          return Effect.fail(systemError(method, path, fault.code))
        case "Delayed":
          return Effect.delay(call, fault.by)
        case "Ignored":
          return instead ?? Effect.dieMessage(`A ${method} gives something: it cannot be ignored.`)
        default:
          return call
      }
    })
  const command = (method: string, path: string, call: Effect.Effect<void, PlatformError.PlatformError>) =>
    through(method, path, call, Effect.void)
  const question = <A, R>(method: string, path: string, call: Effect.Effect<A, PlatformError.PlatformError, R>) =>
    through(method, path, call, null)

  const writing = (
    call: Omit<Call, "index">,
    data: Uint8Array,
    write: (data: Uint8Array) => Effect.Effect<void, PlatformError.PlatformError>
  ): Effect.Effect<void, PlatformError.PlatformError> =>
    Effect.suspend(() => {
      const fault = ask({ ...call, bytes: data.length })
      const first = (bytes: number) => data.subarray(0, Math.min(bytes, data.length))
      switch (fault?._tag) {
        case "Fails":
          return Effect.fail(systemError(call.method, call.path, fault.code))
        case "Torn": {
          const failed = Effect.fail(systemError(call.method, call.path, fault.code))
          return fault.bytes === 0 ? failed : Effect.zipRight(write(first(fault.bytes)), failed)
        }
        case "Short": {
          const rest = data.subarray(first(Math.max(1, fault.bytes)).length)
          const begun = write(first(Math.max(1, fault.bytes)))
          return rest.length === 0 ? begun : Effect.zipRight(begun, writing(call, rest, write))
        }
        case "Delayed":
          return Effect.delay(write(data), fault.by)
        case "Ignored":
          return Effect.void
        default:
          return write(data)
      }
    })

  const wrap = (file: FileSystem.File, path: string, flag: FileSystem.OpenFlag): FileSystem.File => ({
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    fd: file.fd,
    stat: through("stat", path, file.stat, null, flag),
    seek: (offset, from) => file.seek(offset, from),
    sync: through("sync", path, file.sync, Effect.void, flag),
    read: (buffer) => through("read", path, file.read(buffer), null, flag),
    readAlloc: (size) => through("readAlloc", path, file.readAlloc(size), null, flag),
    truncate: (length) => through("truncate", path, file.truncate(length), Effect.void, flag),
    write: (buffer) =>
      Effect.suspend(() => {
        const fault = ask({ method: "write", path, flag, bytes: buffer.length })
        const first = (bytes: number) => buffer.subarray(0, Math.min(bytes, buffer.length))
        switch (fault?._tag) {
          case "Fails":
            return Effect.fail(systemError("write", path, fault.code))
          case "Torn": {
            const failed = Effect.fail(systemError("write", path, fault.code))
            return fault.bytes === 0 ? failed : Effect.zipRight(file.writeAll(first(fault.bytes)), failed)
          }
          case "Short":
            return file.write(first(Math.max(1, fault.bytes)))
          case "Delayed":
            return Effect.delay(file.write(buffer), fault.by)
          case "Ignored":
            return Effect.succeed(FileSystem.Size(buffer.length))
          default:
            return file.write(buffer)
        }
      }),
    writeAll: (buffer) => writing({ method: "writeAll", path, flag, bytes: 0 }, buffer, (data) => file.writeAll(data))
  })

  return FileSystem.make({
    access: (path, options) => command("access", path, below.access(path, options)),
    copy: (from, to, options) => command("copy", from, below.copy(from, to, options)),
    copyFile: (from, to) => command("copyFile", from, below.copyFile(from, to)),
    chmod: (path, mode) => command("chmod", path, below.chmod(path, mode)),
    chown: (path, uid, gid) => command("chown", path, below.chown(path, uid, gid)),
    link: (from, to) => command("link", from, below.link(from, to)),
    makeDirectory: (path, options) => command("makeDirectory", path, below.makeDirectory(path, options)),
    makeTempDirectory: (options) =>
      question("makeTempDirectory", options?.directory ?? "", below.makeTempDirectory(options)),
    makeTempDirectoryScoped: (options) =>
      question("makeTempDirectoryScoped", options?.directory ?? "", below.makeTempDirectoryScoped(options)),
    makeTempFile: (options) => question("makeTempFile", options?.directory ?? "", below.makeTempFile(options)),
    makeTempFileScoped: (options) =>
      question("makeTempFileScoped", options?.directory ?? "", below.makeTempFileScoped(options)),
    open: (path, options) => {
      const flag = options?.flag ?? "r"
      return through(
        "open",
        path,
        Effect.map(below.open(path, options), (file) => wrap(file, path, flag)),
        null,
        flag
      )
    },
    readDirectory: (path, options) => question("readDirectory", path, below.readDirectory(path, options)),
    readFile: (path) => question("readFile", path, below.readFile(path)),
    readLink: (path) => question("readLink", path, below.readLink(path)),
    realPath: (path) => question("realPath", path, below.realPath(path)),
    remove: (path, options) => command("remove", path, below.remove(path, options)),
    rename: (from, to) => command("rename", from, below.rename(from, to)),
    stat: (path) => question("stat", path, below.stat(path)),
    symlink: (target, path) => command("symlink", path, below.symlink(target, path)),
    truncate: (path, length) => command("truncate", path, below.truncate(path, length)),
    utimes: (path, atime, mtime) => command("utimes", path, below.utimes(path, atime, mtime)),
    watch: (path, options) => below.watch(path, options),
    writeFile: (path, data, options) =>
      writing({ method: "writeFile", path, flag: options?.flag ?? null, bytes: 0 }, data, (part) =>
        below.writeFile(path, part, options)
      )
  })
}

const reasons: Readonly<Record<string, PlatformError.SystemErrorReason>> = {
  ENOENT: "NotFound",
  EACCES: "PermissionDenied",
  EEXIST: "AlreadyExists",
  EISDIR: "BadResource",
  ENOTDIR: "BadResource",
  EBUSY: "Busy",
  ELOOP: "BadResource"
}

const systemError = (method: string, path: string, code: string): PlatformError.SystemError =>
  new PlatformError.SystemError({
    module: "FileSystem",
    method,
    reason: reasons[code] ?? "Unknown",
    pathOrDescriptor: path,
    syscall: method,
    description: `${code}: a fault of the test, ${method} '${path}'`,
    cause: Object.assign(new Error(code), { code, syscall: method, path })
  })
