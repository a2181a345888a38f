/**
 * How long events are kept: which files of the event logs go, are cut or are archived, and the doing of it.
 *
 * Owns what may go, in two steps: a plan that can be shown, and its carrying out. Does not own the files' names
 * (`EventFiles`) or what is in them. Events decide nothing, so no work is lost with them.
 *
 * Nothing of a job that somebody drives is touched: its lock is held while its files change, and a file that is not as it
 * was planned is left alone. Crash guarantee: a file is whole, cut, archived or gone, never a mixture; a file is removed for
 * its archive only when what the archive holds was read back and is the same, and until then it counts.
 *
 * @since 0.1.0
 */
import * as Chunk from "effect/Chunk"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as Digest from "../domain/Digest.ts"
import { byTime, JobId } from "../domain/JobId.ts"
import { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import { AtomicFile, StorageError } from "../storage/AtomicFile.ts"
import { Compression } from "../storage/Compression.ts"
import * as EventFiles from "../storage/EventFiles.ts"
import { EventLog } from "../storage/EventLog.ts"
import * as LineText from "../storage/LineText.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock } from "../storage/ResumeLock.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import * as EventScope from "./EventScope.ts"
import { Inspect, type InspectError } from "./Inspect.ts"

/**
 * What is to be kept. Whole files go, the oldest first; the one at a bound is cut to its newest events. Nothing asked for:
 * nothing goes, or, with `archive`, everything is archived.
 *
 * @since 0.1.0
 * @category models
 */
export interface Request {
  readonly scope: EventScope.Scope
  /** Files last written before then go. Milliseconds since 1970. */
  readonly beforeMillis: number | null
  /** At most so many events stay, of all in the scope together. */
  readonly maxEvents: number | null
  /** At most so many bytes stay, of all in the scope together. An archive is not cut: it goes. */
  readonly maxBytes: number | null
  /** Compresses what would go, instead of removing it. Files that are archived already neither count nor change. */
  readonly archive: boolean
}

/**
 * What is to become of one file, and why.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Step = Schema.Struct({
  repo: RepoName,
  job_id: JobId,
  path: Schema.String,
  action: Schema.Literal("remove", "cut", "archive"),
  reason: Schema.Literal("older_than", "max_events", "max_size", "archive"),
  bytes: Schema.Int.annotations({ description: "size of the file before" }),
  modified_at_ms: Schema.JsonNumber.annotations({ description: "when it was last written" }),
  drop_events: Schema.NullOr(Schema.Int).annotations({ description: "of a file that is cut: so many of its oldest" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Step extends Schema.Schema.Type<typeof Step> {}

const Owned = Schema.Struct({ repo: RepoName, job_id: JobId })

/**
 * What would be done.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Plan = Schema.Struct({
  steps: Schema.Array(Step),
  live: Schema.Array(Owned).annotations({ description: "jobs that somebody drives: left out, and not counted" }),
  kept_files: Schema.Int.annotations({ description: "files that stay as they are" }),
  kept_bytes: Schema.Int
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Plan extends Schema.Schema.Type<typeof Plan> {}

/**
 * What was done. What could not be done is told apart and stopped nothing else.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Report = Schema.Struct({
  done: Schema.Array(
    Schema.Struct({ ...Step.fields, bytes_after: Schema.Int.annotations({ description: "0: it is gone" }) })
  ),
  failed: Schema.Array(Schema.Struct({ step: Step, error: Schema.String }))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Report extends Schema.Schema.Type<typeof Report> {}

/**
 * @since 0.1.0
 * @category services
 */
export class EventRetention extends Context.Tag("@prodigy/core/engine/EventRetention")<
  EventRetention,
  {
    /** What would be done, job by job, the oldest first. Changes nothing, takes no lock. */
    readonly plan: (request: Request) => Effect.Effect<Plan, InspectError>
    /**
     * Carries a plan out, each job under its lock. A job that somebody drives by now, and a file that is not as it was
     * planned, are left alone and told in `failed`.
     */
    readonly apply: (plan: Plan) => Effect.Effect<Report>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const compression = yield* Compression
  const home = yield* ProdigyHome
  const inspect = yield* Inspect
  const lock = yield* ResumeLock
  const log = yield* EventLog
  const sessions = yield* SessionStore
  const jobsOf = EventScope.jobs({ inspect, home, log })

  /** Jobs that a living process drives, or is about to. */
  const underWay = Effect.map(
    sessions.list,
    (all) =>
      new Set<string>(
        all.sessions.flatMap(({ session, shown }) =>
          session.job_id !== null && (shown === "Running" || shown === "Initializing") ? [session.job_id] : []
        )
      )
  )

  /** Lines of a file, from the oldest, that have to go until both bounds are kept; all of them when it cannot be read. */
  const excess = Effect.fnUntraced(function* (found: Found, eventsMax: number, bytesMax: number) {
    const count = { lines: 0, bytes: 0 }
    yield* Stream.runForEach(LineText.blocks(file.streamBytes(found.file.path)), (block) =>
      Effect.sync(() => {
        count.lines += block.lines.length
        count.bytes += block.bytes
      })
    )
    let drop = Math.max(0, count.lines - eventsMax)
    let dropped = 0
    let line = 0
    yield* Stream.runForEach(LineText.blocks(file.streamBytes(found.file.path)), (block) =>
      Effect.sync(() => {
        for (const text of block.lines) {
          if (line >= drop && count.bytes - dropped <= bytesMax) return
          dropped += LineText.byteLength(text) + 1
          line += 1
        }
        drop = Math.max(drop, line)
      })
    )
    return { drop: Math.max(drop, line), lines: count.lines }
  })

  const countEvents = (found: Found) =>
    EventFiles.bytes(file, compression, found.file).pipe(
      LineText.blocks,
      Stream.runFold(0, (sum, block) => sum + block.lines.length),
      // What cannot be read holds no events that anybody could keep.
      Effect.catchTag("DamagedFile", () => Effect.succeed(0))
    )

  /** The files that both bounds leave no room for. `newestFirst` are all that count. */
  const beyond = Effect.fnUntraced(function* (newestFirst: ReadonlyArray<Found>, request: Request) {
    const steps: Array<Step> = []
    let events = request.maxEvents ?? Number.POSITIVE_INFINITY
    let bytes = request.maxBytes ?? Number.POSITIVE_INFINITY
    for (const found of newestFirst) {
      const count = request.maxEvents === null ? 0 : yield* countEvents(found)
      if (count <= events && found.bytes <= bytes) {
        events -= count
        bytes -= found.bytes
        continue
      }
      const reason = count > events ? "max_events" : "max_size"
      const room = request.archive || found.file.archived ? null : yield* excess(found, events, bytes)
      const isCut = room !== null && room.drop < room.lines
      steps.push(
        request.archive
          ? stepOf(found, "archive", reason)
          : isCut
            ? { ...stepOf(found, "cut", reason), drop_events: room.drop }
            : stepOf(found, "remove", reason)
      )
      events = 0
      bytes = 0
    }
    return steps
  })

  const plan = Effect.fn("EventRetention.plan")(function* (request: Request): Effect.fn.Return<Plan, InspectError> {
    const { archive, beforeMillis, maxBytes, maxEvents } = request
    const jobs = yield* jobsOf(request.scope)
    const running = jobs.length === 0 ? new Set<string>() : yield* underWay
    const live: Array<Plan["live"][number]> = []
    const all: Array<Found> = []
    for (const { jobId, repo } of jobs) {
      if (running.has(jobId) || (yield* lock.holder(jobId)) !== null) {
        live.push({ repo, job_id: jobId })
        continue
      }
      for (const found of yield* EventFiles.list(file, home.repo(repo).job(jobId).events)) {
        const info = yield* file.info(found.path)
        if (info !== null) all.push({ repo, jobId, file: found, ...info })
      }
    }
    // What is archived already is neither counted nor changed by archiving.
    const counted = archive ? all.filter((found) => !found.file.archived) : all
    const isOld = (found: Found) => beforeMillis !== null && found.modifiedAt < beforeMillis
    const nothingAsked = beforeMillis === null && maxBytes === null && maxEvents === null
    const action = archive ? "archive" : "remove"
    const steps =
      nothingAsked && archive
        ? counted.map((found) => stepOf(found, "archive", "archive"))
        : [
            ...counted.filter(isOld).map((found) => stepOf(found, action, "older_than")),
            ...(yield* beyond(
              counted.filter((found) => !isOld(found)).sort((a, b) => b.modifiedAt - a.modifiedAt || byPlace(b, a)),
              request
            ))
          ]
    const planned = new Map(steps.map((step) => [step.path, step]))
    const kept = all.filter((found) => !planned.has(found.file.path))
    return {
      steps: all.flatMap((found) => planned.get(found.file.path) ?? []),
      live,
      kept_files: kept.length,
      kept_bytes: kept.reduce((sum, found) => sum + found.bytes, 0)
    }
  })

  const remove = (found: EventFiles.EventFile) =>
    // The archive first, which a crash left beside its file: without the file it would count.
    Effect.zipRight(file.remove(EventFiles.archiveOf(found)), file.remove(found.path))

  const archive = Effect.fnUntraced(function* (found: EventFiles.EventFile, step: Step) {
    const path = EventFiles.archiveOf(found)
    const written = Digest.running()
    const bytes = Stream.tap(file.streamBytes(found.path), (block) => Effect.sync(() => written.update(block)))
    yield* file.replaceBytes(path, compression.compress(bytes), { modifiedAt: step.modified_at_ms })
    const read = Digest.running()
    yield* Stream.runForEach(compression.decompress(file.streamBytes(path), path), (block) =>
      Effect.sync(() => read.update(block))
    )
    if (read.end() !== written.end()) {
      yield* file.remove(path)
      const detail = "what it holds is not what the file holds"
      return yield* new StorageError({ operation: "archive to", path, reason: "io", detail })
    }
    yield* file.remove(found.path)
    return (yield* file.info(path))?.bytes ?? 0
  })

  const cut = Effect.fnUntraced(function* (found: EventFiles.EventFile, step: Step) {
    const lines = LineText.blocks(file.streamBytes(found.path)).pipe(
      Stream.mapConcat((block) => block.lines),
      Stream.drop(step.drop_events ?? 0),
      Stream.mapChunks((chunk) => Chunk.of(LineText.encodeLines(Chunk.toReadonlyArray(chunk))))
    )
    yield* file.replaceBytes(found.path, lines, { modifiedAt: step.modified_at_ms })
    return (yield* file.info(found.path))?.bytes ?? 0
  })

  /** Bytes that the file takes afterwards. */
  const carryOut = Effect.fnUntraced(function* (step: Step) {
    const { events: directory } = home.repo(step.repo).job(step.job_id)
    const found = (yield* EventFiles.list(file, directory)).find(({ path }) => path === step.path)
    const info = found === undefined ? null : yield* file.info(found.path)
    if (found === undefined || info?.bytes !== step.bytes || info.modifiedAt !== step.modified_at_ms) {
      const detail = "it has changed since"
      return yield* new StorageError({ operation: step.action, path: step.path, reason: "io", detail })
    }
    switch (step.action) {
      case "archive":
        return yield* archive(found, step)
      case "cut":
        return yield* cut(found, step)
      case "remove":
        yield* remove(found)
        yield* file.removeEmptyDirectory(directory)
        return 0
    }
  })

  return EventRetention.of({
    plan,
    apply: Effect.fn("EventRetention.apply")(function* ({ steps }: Plan) {
      const done: Array<Report["done"][number]> = []
      const failed: Array<Report["failed"][number]> = []
      const jobs = new Map<JobId, Array<Step>>()
      for (const step of steps) jobs.set(step.job_id, [...(jobs.get(step.job_id) ?? []), step])
      for (const [jobId, own] of jobs) {
        yield* lock.acquire({ jobId, sessionId: SessionIds.fromJob(jobId), force: false }).pipe(
          Effect.zipRight(
            Effect.forEach(
              own,
              (step) =>
                Effect.match(carryOut(step), {
                  onSuccess: (bytes) => void done.push({ ...step, bytes_after: bytes }),
                  onFailure: ({ message }) => void failed.push({ step, error: message })
                }),
              { discard: true }
            )
          ),
          Effect.scoped,
          Effect.catchAll(({ message }) =>
            Effect.sync(() => void failed.push(...own.map((step) => ({ step, error: message }))))
          )
        )
      }
      return { done, failed }
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  EventRetention,
  never,
  AtomicFile | Compression | EventLog | Inspect | ProdigyHome | ResumeLock | SessionStore
> = Layer.effect(EventRetention, make)

interface Found {
  readonly repo: RepoName
  readonly jobId: JobId
  readonly file: EventFiles.EventFile
  readonly bytes: number
  readonly modifiedAt: number
}

const byPlace: Order.Order<Found> = Order.combine(
  Order.mapInput(byTime, ({ jobId }: Found) => jobId),
  Order.mapInput(EventFiles.byAge, ({ file }: Found) => file)
)

const stepOf = (found: Found, action: Step["action"], reason: Step["reason"]): Step => ({
  repo: found.repo,
  job_id: found.jobId,
  path: found.file.path,
  action,
  reason,
  bytes: found.bytes,
  modified_at_ms: found.modifiedAt,
  drop_events: null
})
