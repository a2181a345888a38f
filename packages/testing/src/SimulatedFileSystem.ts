/**
 * The platform's `FileSystem` on a simulated machine.
 *
 * Answers as Node's does on Linux, to the same errors with the same reasons and codes, for whoever asks as root: a property
 * test compares the two (`test/SimulatedFileSystem.test.ts`). Every call of the operating system that a method stands for is
 * one step of the machine, at which it may crash: a recursive removal is many, a write in the middle is torn.
 *
 * @since 0.1.0
 */
import * as PlatformError from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Queue from "effect/Queue"
import * as Random from "effect/Random"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import * as SimulatedDisk from "./SimulatedDisk.ts"
import { type Boot, SimulatedMachine } from "./SimulatedMachine.ts"

/**
 * The file system of the machine, as the program sees it that starts when the layer is built: after a restart of the machine
 * it is dead, and another one must be built.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<FileSystem.FileSystem, never, SimulatedMachine> = Layer.effect(
  FileSystem.FileSystem,
  Effect.flatMap(SimulatedMachine, ({ boot, disk }) => Effect.map(boot, (started) => make(disk, started)))
)

/**
 * @since 0.1.0
 * @category constructors
 */
export const make = (disk: SimulatedDisk.SimulatedDisk, boot: Boot): FileSystem.FileSystem => {
  type Run = <A>(call: string, path: string, work: (now: number) => A) => Effect.Effect<A, PlatformError.PlatformError>

  /** One step of the machine and then one call of the disk, reported as one of `method`. */
  const calls =
    (method: string): Run =>
    (call, path, work) =>
      Effect.zipRight(boot.step({ method: call, path, bytes: 0 }), attempt(work, toPlatformError(method, path)))

  const openDescriptor = (method: string, path: string, options?: FileSystem.OpenFileOptions) =>
    calls(method)("open", path, (now) => disk.open(path, accessOf(options?.flag ?? "r"), options?.mode ?? 0o666, now))

  /** A descriptor of a machine that has crashed is closed already; and the disk does not change by a close. */
  const closeDescriptor = (method: string, path: string) => (fd: number) =>
    Effect.ignore(attempt(() => disk.close(fd), toPlatformError(method, path)))

  const openFile = (method: string) => (path: string, options?: FileSystem.OpenFileOptions) =>
    Effect.uninterruptible(
      // The scope itself: `Effect.acquireRelease` would keep the fiber's whole surroundings for each close, which needs none.
      Effect.flatMap(Effect.scope, (scope) =>
        Effect.map(
          Effect.tap(openDescriptor(method, path, options), (fd) =>
            Scope.addFinalizer(scope, closeDescriptor(method, path)(fd))
          ),
          (fd) => openedFile(disk, boot, fd, path, options?.flag?.startsWith("a") ?? false).file
        )
      )
    )

  const readWhole = (method: string, path: string) =>
    Effect.acquireUseRelease(
      openDescriptor(method, path, { flag: "r" }),
      (fd) =>
        calls(method)("read", path, () => {
          const bytes = new Uint8Array(disk.fstat(fd).size)
          return bytes.subarray(0, disk.read(fd, bytes, 0))
        }),
      closeDescriptor(method, path)
    )

  const makeOne = (method: string, path: string, mode: number) =>
    calls(method)("mkdir", path, (now) => disk.makeDirectory(path, mode, now))

  /** `below`: more is to be made in this one. */
  const makeAll = (
    method: string,
    path: string,
    mode: number,
    below = false
  ): Effect.Effect<void, PlatformError.PlatformError> =>
    Effect.catchAll(makeOne(method, path, mode), (error) => {
      const code = codeOf(error)
      if (code === "EEXIST")
        return Effect.flatMap(Effect.either(calls(method)("stat", path, () => disk.stat(path))), (found) => {
          if (Either.isRight(found) && found.right.type === "Directory") return Effect.void
          if (Either.isLeft(found) && !(below && codeOf(found.left) === "ENOENT")) return Effect.fail(found.left)
          const failed = new SimulatedDisk.Errno({ code: below ? "ENOTDIR" : "EEXIST", syscall: "mkdir", path })
          return Effect.fail(toPlatformError(method, path)(failed))
        })
      return code === "ENOENT" && parentOf(path) !== path
        ? Effect.zipRight(makeAll(method, parentOf(path), mode, true), makeAll(method, path, mode, below))
        : Effect.fail(error)
    })

  const removeAll = (
    method: string,
    path: string,
    options: FileSystem.RemoveOptions | undefined
  ): Effect.Effect<void, PlatformError.PlatformError> =>
    Effect.gen(function* () {
      const run = calls(method)
      const found = yield* Effect.either(run("lstat", path, () => disk.lstat(path)))
      if (found._tag === "Left") {
        if (options?.force === true && codeOf(found.left) === "ENOENT") return
        return yield* found.left
      }
      if (found.right.type !== "Directory") return yield* run("unlink", path, (now) => disk.unlink(path, now))
      if (options?.recursive !== true)
        return yield* toPlatformError(
          method,
          path
        )(new SimulatedDisk.Errno({ code: "ERR_FS_EISDIR", syscall: "rm", path }))
      for (const name of yield* run("scandir", path, () => disk.readDirectory(path)))
        yield* removeAll(method, `${path}/${name}`, options)
      yield* run("rmdir", path, (now) => disk.removeDirectory(path, now))
    })

  const copyOne = (method: string, from: string, to: string) =>
    Effect.scoped(
      Effect.gen(function* () {
        const content = yield* readWhole(method, from)
        const { mode } = yield* calls(method)("stat", from, () => disk.stat(from))
        const file = yield* openFile(method)(to, { flag: "w", mode: mode & 0o777 })
        if (content.length > 0) yield* file.writeAll(content)
      })
    )

  const copyAll = (
    from: string,
    to: string,
    options: FileSystem.CopyOptions | undefined
  ): Effect.Effect<void, PlatformError.PlatformError> =>
    Effect.gen(function* () {
      const run = calls("copy")
      const source = yield* run("lstat", from, () => disk.lstat(from))
      if (source.type === "Directory") {
        yield* makeAll("copy", to, source.mode & 0o777)
        for (const name of yield* run("scandir", from, () => disk.readDirectory(from)))
          yield* copyAll(`${from}/${name}`, `${to}/${name}`, options)
        return
      }
      const taken = yield* Effect.isSuccess(run("lstat", to, () => disk.lstat(to)))
      if (taken && options?.overwrite !== true) return
      yield* makeAll("copy", parentOf(to), 0o777)
      if (source.type === "SymbolicLink") {
        const target = yield* run("readlink", from, () => disk.readLink(from))
        if (taken) yield* run("unlink", to, (now) => disk.unlink(to, now))
        yield* run("symlink", to, (now) => disk.symlink(target, to, now))
      } else yield* copyOne("copy", from, to)
      if (options?.preserveTimestamps === true && source.type === "File")
        yield* run("utime", to, () => disk.setTimes(to, source.atime, source.mtime))
    })

  const makeTemporary = (method: string) => (options: FileSystem.MakeTempDirectoryOptions | undefined) =>
    Effect.gen(function* () {
      const directory = options?.directory ?? "/tmp"
      if (options?.directory === undefined) yield* makeAll(method, directory, 0o777)
      const random = yield* Random.nextIntBetween(0, 36 ** 6)
      const path = `${directory.replace(/\/+$/, "")}/${options?.prefix ?? ""}${random.toString(36).padStart(6, "0")}`
      yield* makeOne(method, path, 0o700)
      return path
    })

  const makeTemporaryFile = (method: string) => (options: FileSystem.MakeTempFileOptions | undefined) =>
    Effect.gen(function* () {
      const directory = yield* makeTemporary(method)(options)
      const random = yield* Random.nextIntBetween(0, Number.MAX_SAFE_INTEGER)
      const path = `${directory}/${random.toString(16)}${options?.suffix ?? ""}`
      yield* Effect.scoped(openFile(method)(path, { flag: "w+" }))
      return path
    })

  return FileSystem.make({
    access: (path) => calls("access")("access", path, () => void disk.stat(path)),
    chmod: (path, mode) => calls("chmod")("chmod", path, () => disk.setMode(path, mode)),
    chown: (path, uid, gid) => calls("chown")("chown", path, () => disk.setOwner(path, uid, gid)),
    copy: copyAll,
    copyFile: (from, to) => copyOne("copyFile", from, to),
    link: (from, to) => calls("link")("link", from, (now) => disk.link(from, to, now)),
    makeDirectory: (path, options) =>
      options?.recursive === true
        ? makeAll("makeDirectory", path, options.mode ?? 0o777)
        : makeOne("makeDirectory", path, options?.mode ?? 0o777),
    makeTempDirectory: makeTemporary("makeTempDirectory"),
    makeTempDirectoryScoped: (options) =>
      Effect.acquireRelease(makeTemporary("makeTempDirectoryScoped")(options), (path) =>
        Effect.orDie(removeAll("makeTempDirectoryScoped", path, { recursive: true }))
      ),
    makeTempFile: makeTemporaryFile("makeTempFile"),
    makeTempFileScoped: (options) =>
      Effect.acquireRelease(makeTemporaryFile("makeTempFileScoped")(options), (path) =>
        Effect.orDie(removeAll("makeTempFileScoped", parentOf(path), { recursive: true }))
      ),
    open: openFile("open"),
    readDirectory: (path, options) => {
      const run = calls("readDirectory")
      const visit = (at: string, prefix: string): Effect.Effect<Array<string>, PlatformError.PlatformError> =>
        Effect.flatMap(
          run("scandir", at, () => disk.readDirectory(at)),
          (names) =>
            options?.recursive !== true
              ? Effect.succeed([...names])
              : Effect.map(
                  Effect.forEach(names, (name) =>
                    Effect.flatMap(
                      run("lstat", `${at}/${name}`, () => disk.lstat(`${at}/${name}`)),
                      ({ type }) =>
                        type === "Directory"
                          ? Effect.map(visit(`${at}/${name}`, `${prefix}${name}/`), (below) => [
                              `${prefix}${name}`,
                              ...below
                            ])
                          : Effect.succeed([`${prefix}${name}`])
                    )
                  ),
                  (all) => all.flat()
                )
        )
      return visit(path, "")
    },
    readFile: (path) => readWhole("readFile", path),
    readLink: (path) => calls("readLink")("readlink", path, () => disk.readLink(path)),
    realPath: (path) => calls("realPath")("realpath", path, () => disk.realPath(path)),
    remove: (path, options) => removeAll("remove", path, options),
    rename: (from, to) => calls("rename")("rename", from, (now) => disk.rename(from, to, now)),
    stat: (path) =>
      Effect.map(
        calls("stat")("stat", path, () => disk.stat(path)),
        toInfo
      ),
    symlink: (target, path) => calls("symlink")("symlink", target, (now) => disk.symlink(target, path, now)),
    truncate: (path, length) =>
      calls("truncate")("truncate", path, (now) => disk.truncatePath(path, Number(length ?? 0), now)),
    utimes: (path, atime, mtime) =>
      calls("utime")("utime", path, () => disk.setTimes(path, millisOf(atime), millisOf(mtime))),
    watch: (path) =>
      Stream.unwrapScoped(
        Effect.gen(function* () {
          const watched = yield* calls("stat")("stat", path, () => disk.stat(path))
          const queue = yield* Queue.unbounded<SimulatedDisk.Change>()
          yield* Effect.acquireRelease(
            Effect.sync(() => disk.watch((change) => void Queue.unsafeOffer(queue, change))),
            (stop) => Effect.sync(stop)
          )
          return Stream.fromQueue(queue).pipe(
            Stream.filter(({ directory }) => directory === watched.ino),
            Stream.map(({ kind, name }) => events[kind]({ path: name }))
          )
        })
      ),
    writeFile: (path, data, options) =>
      Effect.acquireUseRelease(
        openDescriptor("writeFile", path, { flag: "w", ...options }),
        (fd) => openedFile(disk, boot, fd, path, options?.flag?.startsWith("a") ?? false).writeWhole("writeFile", data),
        closeDescriptor("writeFile", path)
      )
  })
}

const events = {
  created: FileSystem.WatchEventCreate,
  changed: FileSystem.WatchEventUpdate,
  removed: FileSystem.WatchEventRemove
}

const openedFile = (
  disk: SimulatedDisk.SimulatedDisk,
  boot: Boot,
  descriptor: number,
  path: string,
  append: boolean
) => {
  const fd = FileSystem.FileDescriptor(descriptor)
  const semaphore = Effect.unsafeMakeSemaphore(1)
  let position = 0n

  const call = <A>(
    method: string,
    work: (now: number) => A,
    bytes = 0,
    partly?: (bytes: number, disk: SimulatedDisk.SimulatedDisk, now: number) => void
  ) =>
    Effect.clockWith((clock) =>
      Effect.zipRight(
        boot.step(
          { method, path, bytes },
          partly === undefined ? undefined : (written, disk) => partly(written, disk, clock.unsafeCurrentTimeMillis())
        ),
        attempt(work, toPlatformError(method, descriptor))
      )
    )
  const alone = semaphore.withPermits(1)

  const writeOnce = (method: string, bytes: Uint8Array) =>
    Effect.map(
      call(
        method,
        (now) => disk.write(descriptor, bytes, Number(position), now),
        bytes.length,
        (written, disk, now) => void disk.write(descriptor, bytes.subarray(0, written), Number(position), now)
      ),
      (written) => {
        if (!append) position += BigInt(written)
        return written
      }
    )
  /** Also no bytes are written, once: a descriptor that cannot be written is found out. */
  const writeWhole = (method: string, bytes: Uint8Array): Effect.Effect<void, PlatformError.PlatformError> =>
    Effect.flatMap(writeOnce(method, bytes), (written) =>
      written < bytes.length ? writeWhole(method, bytes.subarray(written)) : Effect.void
    )
  const writeAll = (bytes: Uint8Array): Effect.Effect<void, PlatformError.PlatformError> =>
    Effect.flatMap(writeOnce("writeAll", bytes), (written) => {
      if (written === 0)
        return new PlatformError.SystemError({
          module: "FileSystem",
          method: "writeAll",
          reason: "WriteZero",
          pathOrDescriptor: fd,
          description: "write returned 0 bytes written"
        })
      return written < bytes.length ? writeAll(bytes.subarray(written)) : Effect.void
    })
  const readSome = (method: string, target: Uint8Array) =>
    Effect.map(
      // Node asks nobody for no bytes.
      target.length === 0 ? Effect.succeed(0) : call(method, () => disk.read(descriptor, target, Number(position))),
      (read) => {
        position += BigInt(read)
        return read
      }
    )

  const file: FileSystem.File = {
    [FileSystem.FileTypeId]: FileSystem.FileTypeId,
    fd,
    stat: Effect.map(
      call("stat", () => disk.fstat(descriptor)),
      toInfo
    ),
    seek: (offset, from) =>
      alone(
        Effect.sync(() => {
          position = from === "start" ? BigInt(offset) : position + BigInt(offset)
          return position
        })
      ),
    sync: call("sync", () => disk.sync(descriptor)),
    read: (buffer) => alone(Effect.map(readSome("read", buffer), FileSystem.Size)),
    readAlloc: (size) =>
      alone(
        Effect.suspend(() => {
          const buffer = new Uint8Array(Number(size))
          return Effect.map(readSome("readAlloc", buffer), (read) =>
            read === 0 ? Option.none() : Option.some(buffer.subarray(0, read))
          )
        })
      ),
    truncate: (length) =>
      alone(
        Effect.map(
          call("truncate", (now) => disk.truncate(descriptor, Number(length ?? 0), now)),
          () => {
            const end = BigInt(length ?? 0)
            if (!append && position > end) position = end
          }
        )
      ),
    write: (buffer) => alone(Effect.map(writeOnce("write", buffer), FileSystem.Size)),
    writeAll: (buffer) => alone(writeAll(buffer))
  }
  return { file, writeWhole }
}

// -----------------------------------------------------------------------------
// translation
// -----------------------------------------------------------------------------

const accessOf = (flag: FileSystem.OpenFlag): SimulatedDisk.Access => {
  const plus = flag.includes("+")
  const creates = !flag.startsWith("r")
  return {
    read: flag.startsWith("r") || plus,
    write: creates || plus,
    append: flag.startsWith("a"),
    create: creates,
    exclusive: flag.includes("x"),
    truncate: flag.startsWith("w")
  }
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

/** Does something at the time that it is, in as few steps as can be. */
const attempt = <A, E>(work: (now: number) => A, toError: (cause: unknown) => E): Effect.Effect<A, E> =>
  Effect.clockWith((clock) => {
    try {
      return Effect.succeed(work(clock.unsafeCurrentTimeMillis()))
    } catch (cause) {
      return Effect.fail(toError(cause))
    }
  })

/** The platform's error for a code of the operating system. A defect of the model stays one. */
const toPlatformError =
  (method: string, pathOrDescriptor: string | number) =>
  (cause: unknown): PlatformError.PlatformError => {
    if (!(cause instanceof SimulatedDisk.Errno)) throw cause
    return new PlatformError.SystemError(
      {
        module: "FileSystem",
        method,
        reason: reasons[cause.code] ?? "Unknown",
        pathOrDescriptor,
        syscall: cause.syscall,
        description: cause.message,
        cause
      },
      // The types have seen to it; programs ask very often for files that are not there.
      { disableValidation: true }
    )
  }

const codeOf = (error: PlatformError.PlatformError): string =>
  error.cause instanceof SimulatedDisk.Errno ? error.cause.code : ""

const parentOf = (path: string): string => {
  const trimmed = path.replace(/(?<=.)\/+$/, "")
  const at = trimmed.lastIndexOf("/")
  return at <= 0 ? "/" : trimmed.slice(0, at)
}

/** Seconds when it is a number, as for Node. */
const millisOf = (time: Date | number): number => (typeof time === "number" ? time * 1000 : time.getTime())

const toInfo = (info: SimulatedDisk.Info): FileSystem.File.Info => ({
  type: info.type,
  mtime: Option.some(new Date(info.mtime)),
  atime: Option.some(new Date(info.atime)),
  birthtime: Option.some(new Date(info.birthtime)),
  dev: 1,
  ino: Option.some(info.ino),
  mode: info.mode,
  nlink: Option.some(info.nlink),
  uid: Option.some(info.uid),
  gid: Option.some(info.gid),
  rdev: Option.some(0),
  size: FileSystem.Size(info.size),
  blksize: Option.some(FileSystem.Size(4096)),
  blocks: Option.some(Math.ceil(info.size / 512))
})
