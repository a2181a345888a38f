/**
 * The storage as a whole: is it healthy, and how big is it.
 *
 * Owns the root directory and the list of components. Does not own what is in them: every store makes its directories
 * when it first writes, so that an empty storage is an empty directory. Reading, measuring and checking write nothing.
 *
 * @since 0.1.0
 */
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import { JobId } from "../domain/JobId.ts"
import type { Owner } from "../domain/Owner.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as SessionId from "../domain/SessionId.ts"
import { AtomicFile, StorageError } from "./AtomicFile.ts"
import { DiskSpace } from "./DiskSpace.ts"
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
  bytes: Schema.Number,
  files: Schema.Number
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
    /** Looks at everything, repairs nothing, writes nothing. */
    readonly healthCheck: Effect.Effect<ReadonlyArray<Finding>, StorageError>
    /**
     * What each component takes on disk, by repository: blocks where the file system knows them, as `du` counts, else
     * bytes; directories included. Symbolic links are not followed; a file with several hard links counts for each.
     */
    readonly sizes: Effect.Effect<ReadonlyArray<Size>, StorageError>
  }
>() {}

/**
 * Free bytes under which the health check warns, 1 GiB, and under which it is an error, 100 MiB.
 *
 * @since 0.1.0
 * @category models
 */
export const freeBytesMin = { warning: 1024 ** 3, error: 100 * 1024 ** 2 } as const

const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const fs = yield* FileSystem.FileSystem
  const home = yield* ProdigyHome
  const disk = yield* DiskSpace
  const sessions = yield* SessionStore
  const processes = yield* ProcessTable

  const prepare = Effect.gen(function* () {
    yield* file.claimDirectory(home.root)
    const probe = `${home.root}/.write-probe`
    yield* file.replace(probe, "")
    // False when another process probes at the same time: either way it could be written.
    yield* file.remove(probe)
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

  const sweep = Effect.fn("GlobalStorage.sweep")(function* (repo: RepoName, jobId: JobId | null) {
    const paths = home.repo(repo)
    const job = jobId === null ? null : paths.job(jobId)
    const inside = job === null ? [] : [job.directory, job.events, job.deadLetters]
    const some = JobId.make("mapreduce-20000101_000000")
    const beside = [
      paths.claim,
      paths.orphans(some),
      paths.worktreeMetadata(some),
      paths.processes(SessionId.fromJob(some)),
      home.resumeLock(some)
    ]
    const shared = [home.root, home.sessions, paths.mappings, paths.checkpoints, ...beside.map(dirname)]
    yield* Effect.forEach(
      [...inside, ...new Set(shared)],
      (directory) =>
        Effect.catchAll(sweepDirectory(directory), (error) =>
          Effect.logWarning(`What a dead process left in ${directory} was not removed: ${error.message}`)
        ),
      { discard: true }
    )
  })

  const healthCheck = Effect.gen(function* () {
    const info = yield* Effect.option(fs.stat(home.root))
    if (Option.isNone(info)) {
      return [finding("home", "warning", `${home.root} does not exist yet.`, "It is made by the first run.")]
    }
    if (info.value.type !== "Directory") {
      return [finding("home", "error", `${home.root} is not a directory.`, "Set PRODIGY_HOME to a directory.")]
    }
    return [
      finding("home", "ok", home.root),
      permissions(home.root, info.value.mode),
      yield* writable(fs, home.root),
      freeSpace(yield* disk.free(home.root)),
      ...(yield* sessionFindings(sessions)),
      ...(yield* lockFindings({ file, home, processes }))
    ]
  }).pipe(Effect.withSpan("GlobalStorage.healthCheck"))

  const sizes = Effect.forEach(Component.literals, (component) => measureComponent(fs, home.root, component)).pipe(
    Effect.map((found) => found.flat()),
    Effect.withSpan("GlobalStorage.sizes")
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
  AtomicFile | DiskSpace | FileSystem.FileSystem | ProcessTable | ProdigyHome | SessionStore
> = Layer.effect(GlobalStorage, make)

// -----------------------------------------------------------------------------
// health
// -----------------------------------------------------------------------------

const finding = (check: string, status: Finding["status"], detail: string, advice: string | null = null): Finding => ({
  check,
  status,
  detail,
  advice
})

const permissions = (root: string, mode: number): Finding => {
  const bits = (mode & 0o777).toString(8).padStart(4, "0")
  return (mode & 0o077) === 0
    ? finding("permissions", "ok", bits)
    : finding("permissions", "warning", `Others may look into ${root} (${bits}).`, `chmod 700 ${root}`)
}

const writable = (fs: FileSystem.FileSystem, root: string): Effect.Effect<Finding> =>
  fs.access(root, { writable: true }).pipe(
    Effect.as(finding("writable", "ok", "The directory can be written.")),
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

interface Measured {
  readonly bytes: number
  readonly files: number
}

/** One row per repository, and one of repository null for what is not in any: the rows add up to the component. */
const measureComponent = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, root: string, component: Component) {
  const directory = `${root}/${component}`
  const own = yield* measureOne(fs, directory)
  if (own === null) return []
  const rows: Array<Size> = []
  let rest: Measured = own
  for (const name of own.names) {
    const entry = yield* measureOne(fs, `${directory}/${name}`)
    if (entry === null) continue
    const whole = yield* measureTree(fs, `${directory}/${name}`)
    if (byRepository.has(component) && entry.files === 0) rows.push({ component, repo: name, ...whole })
    else rest = add(rest, whole)
  }
  return [{ component, repo: null, bytes: rest.bytes, files: rest.files }, ...rows]
})

/** A directory and all below it. Iterative: worktrees are as deep as their users made them. */
const measureTree = Effect.fnUntraced(function* (fs: FileSystem.FileSystem, root: string) {
  const waiting = [root]
  let sum: Measured = { bytes: 0, files: 0 }
  for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
    const entry = yield* measureOne(fs, path)
    if (entry === null) continue
    sum = add(sum, entry)
    for (const name of entry.names) waiting.push(`${path}/${name}`)
  }
  return sum
})

/** One file or directory by itself. Null for what is gone meanwhile. */
const measureOne = (
  fs: FileSystem.FileSystem,
  path: string
): Effect.Effect<(Measured & { readonly names: ReadonlyArray<string> }) | null, StorageError> =>
  Effect.gen(function* () {
    // `stat` follows links, so whether it is one has to be asked first.
    if (yield* Effect.isSuccess(fs.readLink(path))) return { bytes: 0, files: 1, names: [] }
    const info = yield* fs.stat(path)
    const bytes = Option.match(info.blocks, { onNone: () => Number(info.size), onSome: (blocks) => blocks * 512 })
    if (info.type !== "Directory") return { bytes, files: 1, names: [] }
    return { bytes, files: 0, names: yield* fs.readDirectory(path) }
  }).pipe(
    Effect.catchIf(isNotFound, () => Effect.succeed(null)),
    Effect.mapError(
      (error) =>
        new StorageError({
          operation: "measure",
          path,
          reason: error._tag === "SystemError" && error.reason === "PermissionDenied" ? "permission" : "io",
          detail: error.message
        })
    )
  )

const isNotFound = (error: PlatformError) => error._tag === "SystemError" && error.reason === "NotFound"

const add = (a: Measured, b: Measured): Measured => ({ bytes: a.bytes + b.bytes, files: a.files + b.files })
