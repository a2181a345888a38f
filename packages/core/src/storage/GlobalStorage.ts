/**
 * The storage as a whole: is it healthy, and how big is it.
 *
 * Owns the root directory and the list of components. Does not own what is in them: every store makes its directories
 * when it first writes, so that an empty storage is an empty directory. Reading, measuring and checking write nothing, save a probe.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { JobId } from "../domain/JobId.ts"
import type { Owner } from "../domain/Owner.ts"
import { RepoName } from "../domain/RepoName.ts"
import * as SessionId from "../domain/SessionId.ts"
import { AtomicFile, type DamagedFile, reasonOf, StorageError } from "./AtomicFile.ts"
import { DiskSpace, type Usage } from "./DiskSpace.ts"
import * as FileLock from "./FileLock.ts"
import { ProcessTable } from "./ProcessTable.ts"
import { ProdigyHome } from "./ProdigyHome.ts"
import * as ResumeLock from "./ResumeLock.ts"
import { SessionStore } from "./SessionStore.ts"
import * as StoredJson from "./StoredJson.ts"
import * as TemporaryName from "./TemporaryName.ts"

/**
 * The components of the storage, as the directories are called.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Component = Schema.Literal("events", "dlq", "state", "worktrees", "sessions", "resume_locks", "logs")

/**
 * @since 0.1.0
 * @category models
 */
export type Component = typeof Component.Type

/**
 * What a check of health has found. `warning`: nothing is broken, and something may be done about it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Finding = Schema.Struct({
  check: Schema.String,
  status: Schema.Literal("ok", "warning", "error"),
  detail: Schema.String,
  advice: Schema.NullOr(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Finding extends Schema.Schema.Type<typeof Finding> {}

/**
 * Bytes on disk and files of one component, of one repository (null: not kept by repository).
 *
 * @since 0.1.0
 * @category schemas
 */
export const Size = Schema.Struct({
  component: Component,
  repo: Schema.NullOr(Schema.String),
  path: Schema.String,
  bytes: Schema.NonNegativeInt,
  files: Schema.NonNegativeInt
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Size extends Schema.Schema.Type<typeof Size> {}

/**
 * @since 0.1.0
 * @category services
 */
export class GlobalStorage extends Context.Tag("@prodigy/core/storage/GlobalStorage")<
  GlobalStorage,
  {
    /**
     * Makes the root (0700) and proves, by a file that is written durably and removed, that it can be written. An
     * existing root keeps its permissions: they are the user's choice, and `healthCheck` speaks of them.
     */
    readonly prepare: Effect.Effect<void, StorageError>
    /**
     * Removes what dead processes of this host left of files that they were writing: in the directories of a job, if there
     * is one, and in those that all share. What cannot be removed stays, with a warning; nobody reads it.
     */
    readonly sweep: (repo: RepoName, jobId: JobId | null) => Effect.Effect<void>
    /** Looks at the root, sessions and locks; repairs nothing, writes nothing but a file that it removes again. */
    readonly healthCheck: Effect.Effect<ReadonlyArray<Finding>, StorageError>
    /**
     * What each component takes on disk, by repository, as `DiskSpace.usage` measures; directories included. One after
     * the other, as they are measured.
     */
    readonly sizes: Stream.Stream<Size, StorageError>
  }
>() {}

/**
 * Free bytes under which the health check warns, 1 GiB, and under which it is an error, 100 MiB.
 *
 * @since 0.1.0
 * @category models
 */
export const freeBytesMin = { warning: 1024 ** 3, error: 100 * 1024 ** 2 } as const

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const fs = yield* FileSystem.FileSystem
  const home = yield* ProdigyHome
  const disk = yield* DiskSpace
  const sessions = yield* SessionStore
  const processes = yield* ProcessTable
  const locks = yield* FileLock.FileLock

  const proveWritable = Effect.gen(function* () {
    const probe = `${home.root}/.write-probe`
    yield* file.replace(probe, "")
    // False when another process probes at the same time: either way it could be written.
    yield* file.remove(probe)
  })

  const prepare = Effect.gen(function* () {
    yield* file.claimDirectory(home.root)
    yield* proveWritable
  }).pipe(Effect.withSpan("GlobalStorage.prepare"))

  const isDead = (owner: Owner) => Effect.map(processes.lookUp(owner), (found) => found === "dead")

  /** Temporary files. */
  const isTemporaryOfDead = Effect.fnUntraced(function* (name: string) {
    const owner = TemporaryName.ownerOf(name, processes.self)
    return owner !== null && (yield* isDead(owner))
  })

  /** Locks under which the lock of a dead process was being replaced, once that has another token. */
  const isTakeoverOfDead = Effect.fnUntraced(function* (directory: string, name: string) {
    const [, outer, token] = /^(.+\.(?:lock|guard)(?:\..+)?)\.([0-9a-f-]{36})$/.exec(name) ?? []
    if (outer === undefined || token === undefined) return false
    const load = (path: string) => FileLock.document.load(file, path)
    const inner = yield* load(`${directory}/${name}`)
    if (inner === null || !(yield* isDead(inner.owner))) return false
    // As long as the outer one has the token, somebody may take over the inner one and act on it.
    return (yield* load(`${directory}/${outer}`))?.token !== token
  })

  const sweepDirectory = Effect.fnUntraced(function* (directory: string) {
    for (const name of yield* Effect.orElseSucceed(fs.readDirectory(directory), () => [])) {
      if ((yield* isTemporaryOfDead(name)) || (yield* isTakeoverOfDead(directory, name))) {
        yield* file.remove(`${directory}/${name}`)
      }
    }
  })

  /** Locks of dead processes on session files: taken over and given back, as whoever writes the session would. */
  const sweepLocks = Effect.fnUntraced(function* (directory: string) {
    for (const name of yield* file.list(directory)) {
      if (!name.endsWith(".json.lock")) continue
      const holder = yield* FileLock.document.load(file, `${directory}/${name}`)
      if (holder !== null && (yield* isDead(holder.owner))) yield* locks.withLock(`${directory}/${name}`)(Effect.void)
    }
  })

  const sweep = Effect.fn("GlobalStorage.sweep")(function* (repo: RepoName, jobId: JobId | null) {
    const paths = home.repo(repo)
    const job = jobId === null ? null : paths.job(jobId)
    const inside = job === null ? [] : [job.directory, job.events, job.queue, job.deadLetters]
    const some = JobId.make("mapreduce-20000101_000000")
    const beside = [
      paths.claim,
      paths.orphans(some),
      paths.worktreeMetadata(some),
      paths.processes(SessionId.fromJob(some)),
      home.resumeLock(some)
    ]
    const shared = [home.root, home.sessions, paths.mappings, paths.checkpoints, ...beside.map(dirname)]
    const tried = (directory: string, sweeping: Effect.Effect<void, StorageError | DamagedFile>) =>
      Effect.catchAll(sweeping, (error) =>
        Effect.logWarning(`What a dead process left in ${directory} was not removed: ${error.message}`)
      )
    for (const directory of [...inside, ...new Set(shared)]) yield* tried(directory, sweepDirectory(directory))
    yield* tried(home.sessions, sweepLocks(home.sessions))
  })

  const healthCheck = Effect.gen(function* () {
    const info = yield* Effect.either(fs.stat(home.root))
    if (Either.isLeft(info)) {
      const { left } = info
      return left._tag === "SystemError" && left.reason === "NotFound"
        ? [finding("home", "warning", `${home.root} does not exist yet.`, "It is made by the first run.")]
        : [finding("home", "error", notLookedAt(home.root, left), elsewhere)]
    }
    if (info.right.type !== "Directory") {
      return [finding("home", "error", `${home.root} is not a directory.`, elsewhere)]
    }
    return [
      finding("home", "ok", home.root),
      permissions(home.root, info.right.mode),
      yield* writable(proveWritable, home.root),
      freeSpace(yield* disk.free(home.root)),
      ...(yield* sessionFindings(sessions)),
      ...(yield* lockFindings({ file, home, processes }))
    ]
  }).pipe(Effect.withSpan("GlobalStorage.healthCheck"))

  const sizes = Stream.fromIterable(Component.literals).pipe(
    Stream.flatMap((component) => measureComponent(fs, disk, home.root, component)),
    Stream.withSpan("GlobalStorage.sizes")
  )

  return GlobalStorage.of({ prepare, sweep, healthCheck, sizes })
})

const dirname = (path: string): string => path.slice(0, path.lastIndexOf("/"))

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  GlobalStorage,
  never,
  AtomicFile | DiskSpace | FileLock.FileLock | FileSystem.FileSystem | ProcessTable | ProdigyHome | SessionStore
> = Layer.effect(GlobalStorage, make)

// -----------------------------------------------------------------------------
// health
// -----------------------------------------------------------------------------

/**
 * @since 0.1.0
 * @category constructors
 */
export const finding = (
  check: string,
  status: Finding["status"],
  detail: string,
  advice: string | null = null
): Finding => ({
  check,
  status,
  detail,
  advice
})

const notLookedAt = (path: string, error: PlatformError): string =>
  new StorageError({
    operation: "look at",
    path,
    reason: reasonOf(error),
    detail: error.description ?? error.message
  }).message

const elsewhere = "Set PRODIGY_HOME to a directory."

const permissions = (root: string, mode: number): Finding => {
  const bits = (mode & 0o777).toString(8).padStart(4, "0")
  return (mode & 0o077) === 0
    ? finding("permissions", "ok", bits)
    : finding("permissions", "warning", `Others may look into ${root} (${bits}).`, `chmod 700 ${root}`)
}

const writable = (probe: Effect.Effect<void, StorageError>, root: string): Effect.Effect<Finding> =>
  probe.pipe(
    Effect.as(finding("writable", "ok", "A file was written, synced and removed.")),
    // The check's very answer.
    Effect.catchAll((error) =>
      Effect.succeed(finding("writable", "error", error.message, `Make ${root} writable for this user.`))
    )
  )

const freeSpace = (bytes: number | null): Finding => {
  if (bytes === null) return finding("disk_space", "ok", "The free space is not known.")
  const detail = `${Math.floor(bytes / 1024 ** 2)} MiB free.`
  if (bytes >= freeBytesMin.warning) return finding("disk_space", "ok", detail)
  return finding("disk_space", bytes < freeBytesMin.error ? "error" : "warning", detail, "Make room on this disk.")
}

const sessionFindings = (store: SessionStore["Type"]): Effect.Effect<ReadonlyArray<Finding>, StorageError> =>
  Effect.map(store.list, ({ damaged, sessions }) => {
    const interrupted = sessions.filter((listed) => listed.shown === "Interrupted").length
    return [
      finding("sessions", "ok", `${sessions.length} can be read, ${interrupted} of them interrupted.`),
      ...damaged.map((error) => finding("sessions", "error", error.message, "Repair or remove that file."))
    ]
  })

const lease = StoredJson.codec(ResumeLock.Lease, "a resume lock")

interface LockServices {
  readonly file: AtomicFile["Type"]
  readonly home: ProdigyHome["Type"]
  readonly processes: ProcessTable["Type"]
}

const lockFindings = ({ file, home, processes }: LockServices): Effect.Effect<ReadonlyArray<Finding>, StorageError> =>
  Effect.gen(function* () {
    const look = Effect.fnUntraced(function* (
      path: string,
      owner: (text: string) => Effect.Effect<Owner, { readonly message: string }>
    ) {
      const text = yield* file.read(path)
      if (text === null) return []
      const holder = yield* Effect.either(owner(text))
      if (holder._tag === "Left") {
        return [finding("locks", "warning", holder.left.message, "Remove that file if nothing is running.")]
      }
      if ((yield* processes.lookUp(holder.right)) !== "dead") return []
      const who = `process ${holder.right.pid} on ${holder.right.host}`
      return [finding("locks", "warning", `${path} was left by ${who}.`, "It is taken over when it is next needed.")]
    })
    const resume = (yield* file.list(home.resumeLocks)).filter((name) => name.endsWith(".lock"))
    const update = (yield* file.list(home.sessions)).filter((name) => name.includes(".json.lock"))
    const stale = [
      ...(yield* Effect.forEach(resume, (name) => {
        const path = `${home.resumeLocks}/${name}`
        return look(path, (text) => Effect.map(lease.decode(text, { path, line: 0 }), ownerOf))
      })),
      ...(yield* Effect.forEach(update, (name) => {
        const path = `${home.sessions}/${name}`
        return look(path, (text) => Effect.map(FileLock.document.decode(text, path), (holder) => holder.owner))
      }))
    ].flat()
    const count = resume.length + update.length
    return [finding("locks", "ok", `${count} found, ${stale.length} of them left behind.`), ...stale]
  })

const ownerOf = (held: ResumeLock.Lease): Owner => ({
  pid: held.process_id,
  host: held.hostname,
  started_at: held.process_started_at
})

// -----------------------------------------------------------------------------
// sizes
// -----------------------------------------------------------------------------

const byRepository: ReadonlySet<Component> = new Set(["events", "dlq", "state", "worktrees", "logs"])

/** One row per repository, and one of repository null for what is not in any: the rows add up to the component. */
const measureComponent = (
  fs: FileSystem.FileSystem,
  disk: DiskSpace["Type"],
  root: string,
  component: Component
): Stream.Stream<Size, StorageError> => {
  const directory = `${root}/${component}`
  return Stream.unwrap(
    Effect.gen(function* () {
      const own = yield* disk.entry(directory)
      if (own === null) return Stream.empty
      if (!byRepository.has(component) || !own.isDirectory) {
        const whole = yield* disk.usage(directory)
        return Stream.make({ component, repo: null, path: directory, ...(whole ?? none) })
      }
      const rest = yield* Ref.make<Usage>(own)
      const rows = Stream.fromIterable(yield* namesIn(fs, directory)).pipe(
        Stream.mapEffect((name) =>
          Effect.gen(function* () {
            const path = `${directory}/${name}`
            const entry = yield* disk.entry(path)
            const whole = entry === null ? null : yield* disk.usage(path)
            if (entry === null || whole === null) return []
            if (entry.isDirectory && isRepoName(name)) return [{ component, repo: name, path, ...whole }]
            yield* Ref.update(rest, (sum) => add(sum, whole))
            return []
          })
        ),
        Stream.flattenIterables
      )
      const last = Stream.fromEffect(
        Effect.map(Ref.get(rest), ({ bytes, files }) => ({ component, repo: null, path: directory, bytes, files }))
      )
      return Stream.concat(rows, last)
    })
  )
}

/** Also the temporary files, which are of no store: the rows add up to what is there. */
const namesIn = (fs: FileSystem.FileSystem, directory: string) =>
  Effect.mapError(
    fs.readDirectory(directory),
    (error) => new StorageError({ operation: "measure", path: directory, reason: "io", detail: error.message })
  )

const isRepoName = Schema.is(RepoName)

const none: Usage = { bytes: 0, files: 0 }

const add = (a: Usage, b: Usage): Usage => ({ bytes: a.bytes + b.bytes, files: a.files + b.files })
