/**
 * One owner per job: the lock that `run` and `resume` share.
 *
 * Owns `resume_locks/{job}.lock`, and `{session}.lock` of sessions without a job. A lock is held until its scope closes,
 * however it closes. The lock of a dead process of this host is taken over by proof; of several rivals exactly one wins.
 * Nobody takes it from a process that is seen to live, also not by force: force is for owners that cannot be seen, on
 * another host or in another pid namespace. Should one of those live after all, `check` tells it that it has lost the job.
 *
 * Why one owner: the file changes hands only inside the section of a `FileLock`, and what is found there is judged there.
 * So no rival acts on an older judgement, and nobody removes a lock that he has not just read. Crash guarantee: the file
 * is there whole or not at all; a crash at any instant leaves it to a dead process, and so to the next who asks.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { IdGenerator } from "../domain/IdGenerator.ts"
import { JobId } from "../domain/JobId.ts"
import { Owner } from "../domain/Owner.ts"
import * as SessionIds from "../domain/SessionId.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { AtomicFile, type DamagedFile, layerMemory as filesInMemory, StorageError } from "./AtomicFile.ts"
import { FileLock, layer as fileLocks } from "./FileLock.ts"
import { ProcessTable } from "./ProcessTable.ts"
import { ProdigyHome } from "./ProdigyHome.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * Milliseconds after which a lock file that cannot be read counts as left behind, unless the session's owner lives. We
 * never write one: it comes from a damaged disk or from somebody else.
 *
 * @since 0.1.0
 * @category models
 */
export const damagedMillisMax = 60_000

/**
 * The content of a lock file.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Lease = Schema.Struct({
  v: Schema.Literal(1),
  job_id: Schema.NullOr(JobId).annotations({ description: "null: the session of a standard workflow" }),
  session_id: SessionId,
  process_id: Schema.Int,
  process_started_at: Schema.String,
  hostname: Schema.String,
  acquired_at: Timestamp.Timestamp,
  token: Schema.String
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Lease extends Schema.Schema.Type<typeof Lease> {}

/**
 * Somebody else holds the job.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResumeLockHeld extends Schema.TaggedError<ResumeLockHeld>(
  "@prodigy/core/storage/ResumeLock/ResumeLockHeld"
)("ResumeLockHeld", {
  id: Schema.Union(JobId, SessionId),
  path: Schema.String,
  holder: Schema.NullOr(Lease).annotations({
    description: "null: the file is damaged, and too young to be stale or its session's owner lives"
  }),
  here: Schema.Boolean.annotations({ description: "the holder is on this host" })
}) {
  override get message() {
    if (this.holder === null) return `The lock of ${this.id} (${this.path}) is held by an unknown process.`
    const { acquired_at, hostname, job_id, process_id } = this.holder
    return `${job_id === null ? "Session" : "Job"} ${this.id} is driven by process ${process_id} on ${hostname} since ${acquired_at}.`
  }
}

/**
 * Somebody took the job from us by force, from where he could not see that we live. Nothing of it may be written any more.
 *
 * @since 0.1.0
 * @category errors
 */
export class ResumeLockLost extends Schema.TaggedError<ResumeLockLost>(
  "@prodigy/core/storage/ResumeLock/ResumeLockLost"
)("ResumeLockLost", { id: Schema.Union(JobId, SessionId), path: Schema.String, holder: Lease }) {
  override get message() {
    const { acquired_at, hostname, job_id, process_id } = this.holder
    const what = job_id === null ? "Session" : "Job"
    return `${what} ${this.id} was taken by force by process ${process_id} on ${hostname} at ${acquired_at}.`
  }
}

/**
 * @since 0.1.0
 * @category services
 */
export class ResumeLock extends Context.Tag("@prodigy/core/storage/ResumeLock")<
  ResumeLock,
  {
    /**
     * Holds the lock until the scope closes; fails at once when another live process has it, or one on another host.
     * `force` takes it from an owner that cannot be seen, never from one that is seen to live. Release removes only our
     * own lock. `overridden` is the holder that `force` pushed aside; null when there was none, when it was dead anyway,
     * or when its file could not be read. A session without a job is locked itself.
     */
    readonly acquire: (options: {
      readonly jobId: JobId | null
      readonly sessionId: SessionId
      readonly force: boolean
    }) => Effect.Effect<
      { readonly lease: Lease; readonly overridden: Lease | null },
      ResumeLockHeld | StorageError,
      Scope.Scope
    >
    /** Who holds a job or a session now; null when nobody alive does, or the file cannot be read. */
    readonly holder: (id: JobId | SessionId) => Effect.Effect<Lease | null, StorageError>
    /**
     * Fails when a lock that this program holds was taken from it by force. A file that was removed or damaged takes
     * nothing from us: nobody else can have the job by that.
     */
    readonly check: (id: JobId | SessionId) => Effect.Effect<void, ResumeLockLost | StorageError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const files = yield* AtomicFile
  const fileLock = yield* FileLock
  const home = yield* ProdigyHome
  const ids = yield* IdGenerator
  const processes = yield* ProcessTable
  /** Tokens of the locks that are held here. */
  const tokens = new Map<JobId | SessionId, string>()
  /** Tokens of the locks that were given up here, although their files could not be removed: on a full disk. */
  const left = new Set<string>()

  /** What the session's own file says of its owner, for when the lock's file does not: null when nobody drives it. */
  const ownerOf = (id: JobId | SessionId) =>
    files.read(home.session(SessionIds.fromEither(id))).pipe(
      Effect.flatMap((text) => (text === null ? Effect.succeed(null) : decodeSession(text))),
      // Then there is no proof of a living owner, and the age of the lock decides.
      Effect.orElseSucceed(() => null),
      Effect.map((session) => (session !== null && underWay.has(session.status) ? session.owner : null))
    )

  /** The section in which a job's lock is judged and changed. */
  const inSection =
    (id: JobId | SessionId) =>
    <A, E>(section: Effect.Effect<A, E>): Effect.Effect<A, E | StorageError> =>
      Effect.mapError(fileLock.withLock(home.resumeLockGuard(id))(section), (error) =>
        isDamage(error) ? guardDamaged(error) : error
      )

  const judge = Effect.fnUntraced(function* (id: JobId | SessionId) {
    const path = home.resumeLock(id)
    const text = yield* files.read(path)
    if (text === null) return free
    const lease = yield* Effect.orElseSucceed(codec.decode(text, { path, line: 0 }), () => null)
    if (lease === null) {
      const owner = yield* ownerOf(id)
      const found = owner === null ? "dead" : yield* processes.lookUp(owner)
      if (found !== "dead") return held(null, owner?.host === processes.self.host, found === "alive")
      const age = (yield* Clock.currentTimeMillis) - ((yield* files.modifiedAt(path)) ?? 0)
      return age > damagedMillisMax ? free : held(null, false, false)
    }
    if (left.has(lease.token)) return free
    const { hostname: host, process_id: pid, process_started_at: started_at } = lease
    const found = yield* processes.lookUp({ host, pid, started_at })
    return found === "dead" ? free : held(lease, host === processes.self.host, found === "alive")
  })

  const refuse = (id: JobId | SessionId, found: Held) =>
    new ResumeLockHeld({ id, path: home.resumeLock(id), holder: found.lease, here: found.here })

  const release = (lease: Lease) =>
    Effect.gen(function* () {
      const id = lease.job_id ?? lease.session_id
      tokens.delete(id)
      const path = home.resumeLock(id)
      const text = yield* files.read(path)
      const now = text === null ? null : yield* codec.decode(text, { path, line: 0 })
      if (now?.token === lease.token) yield* files.remove(path)
    }).pipe(
      inSection(lease.job_id ?? lease.session_id),
      // The work's outcome stands. A lock left behind is free for us, and for others once this process has ended.
      Effect.catchAll((error) => {
        left.add(lease.token)
        return Effect.logWarning(`The lock of a job was not released: ${error.message}`)
      }),
      // In a fiber of its own: waiting for the section would end at once in one that was interrupted.
      Effect.forkDaemon,
      Effect.flatMap(Fiber.await)
    )

  const acquire = Effect.fnUntraced(function* (options: {
    readonly jobId: JobId | null
    readonly sessionId: SessionId
    readonly force: boolean
  }) {
    const { force, jobId, sessionId } = options
    const id = jobId ?? sessionId
    // Most refusals need no section: a holder that lives is not judged differently in it.
    const before = yield* judge(id)
    if (before._tag === "Held" && (before.alive || !force)) return yield* refuse(id, before)

    const lease: Lease = {
      v: 1,
      job_id: jobId,
      session_id: sessionId,
      process_id: processes.self.pid,
      process_started_at: processes.self.started_at,
      hostname: processes.self.host,
      acquired_at: yield* Timestamp.now,
      token: yield* ids.uuid
    }
    return yield* inSection(id)(
      Effect.gen(function* () {
        const found = yield* judge(id)
        if (found._tag === "Held" && (found.alive || !force)) return yield* refuse(id, found)
        yield* files.replace(home.resumeLock(id), `${yield* codec.encode(lease)}\n`)
        tokens.set(id, lease.token)
        return { lease, overridden: found._tag === "Held" ? found.lease : null }
      })
    )
  })

  return ResumeLock.of({
    acquire: (options) =>
      Effect.acquireRelease(acquire(options), ({ lease }) => release(lease)).pipe(
        Effect.withSpan("ResumeLock.acquire")
      ),
    holder: (id) => Effect.map(judge(id), (found) => (found._tag === "Held" ? found.lease : null)),
    check: Effect.fnUntraced(function* (id) {
      const token = tokens.get(id)
      if (token === undefined) return
      const path = home.resumeLock(id)
      const text = yield* files.read(path)
      const now = text === null ? null : yield* Effect.option(codec.decode(text, { path, line: 0 }))
      if (now === null || Option.isNone(now) || now.value.token === token) return
      return yield* new ResumeLockLost({ id, path, holder: now.value })
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ResumeLock, never, AtomicFile | FileLock | IdGenerator | ProcessTable | ProdigyHome> =
  Layer.effect(ResumeLock, make)

/**
 * `layer` over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<ResumeLock, never, IdGenerator | ProcessTable | ProdigyHome> = layer.pipe(
  Layer.provide(fileLocks),
  Layer.provide(filesInMemory)
)

const codec = StoredJson.sealed(Lease, "a lock file of version 1")

/** As much of a session as says who drives it. */
const decodeSession = Schema.decodeUnknown(
  Schema.parseJson(Schema.Struct({ status: Schema.String, owner: Schema.NullOr(Owner) }))
)
const underWay = new Set(["Initializing", "Running"])

type Judgement = { readonly _tag: "Free" } | Held

interface Held {
  readonly _tag: "Held"
  readonly lease: Lease | null
  readonly here: boolean
  /** It is seen to live. */
  readonly alive: boolean
}

const free: Judgement = { _tag: "Free" }
const held = (lease: Lease | null, here: boolean, alive: boolean): Judgement => ({ _tag: "Held", lease, here, alive })

const isDamage = (error: unknown): error is DamagedFile => Predicate.isTagged(error, "DamagedFile")

const guardDamaged = (error: DamagedFile) =>
  new StorageError({ operation: "lock", path: error.path, reason: "io", detail: error.message })
