/**
 * The event log: what was seen of a job, for people and tools.
 *
 * Owns `events-{ts}.jsonl`: buffering (flushed at most one second later), rotation, reading across files, archived ones
 * too. Crash guarantee: a crash or `kill -9` never damages what was flushed; the last second may be lost.
 * A disk that cannot be written stops no job: events wait in memory up to `EventWriter.bufferCharsMax`, then the oldest are dropped, and
 * the log says how many (`events_dropped`) as soon as it can be written again.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { EventRecord, Known } from "../domain/Event.ts"
import { IdGenerator } from "../domain/IdGenerator.ts"
import * as JobId from "../domain/JobId.ts"
import { EventFileBytesMax } from "../domain/Limits.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { AtomicFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import { Compression, layerMemory as compressionInMemory } from "./Compression.ts"
import * as EventFiles from "./EventFiles.ts"
import * as EventReader from "./EventReader.ts"
import * as EventWriter from "./EventWriter.ts"
import { ProcessTable } from "./ProcessTable.ts"
import { ProdigyHome } from "./ProdigyHome.ts"

/**
 * An event without the job's id, which the open log adds.
 *
 * @since 0.1.0
 * @category models
 */
export type NewEvent = Known extends infer Event ? (Event extends Known ? Omit<Event, "job_id"> : never) : never

/**
 * A job's log open for writing.
 *
 * @since 0.1.0
 * @category models
 */
export interface OpenEventLog {
  /**
   * Takes events in order. Does not fail: a write error is logged, and what it costs is counted. Does not wait for the
   * disk either, unless megabytes of events are waiting for one that works.
   */
  readonly emit: (events: ReadonlyArray<NewEvent>) => Effect.Effect<ReadonlyArray<EventRecord>>
  /** Everything taken so far is on disk when this returns. */
  readonly flush: Effect.Effect<void, StorageError>
}

/**
 * @since 0.1.0
 * @category services
 */
export class EventLog extends Context.Tag("@prodigy/core/storage/EventLog")<
  EventLog,
  {
    /** Opens a job's log; flushed and closed with the scope. */
    readonly open: (options: {
      readonly repo: RepoName
      readonly jobId: JobId.JobId
      readonly correlationId: string
    }) => Effect.Effect<OpenEventLog, StorageError, Scope.Scope>

    /**
     * The events of a job over all its files, in order, in constant memory. A damaged line is given as what it is, in its
     * place; a torn last one, which a writer is at or a crash left, is not given.
     */
    readonly read: (repo: RepoName, jobId: JobId.JobId) => Stream.Stream<EventReader.Entry, StorageError>

    /**
     * As `read`, and then what is written from now on, across new files, each event once. Ends when everything was
     * given and `live` is false: nobody writes any more, all that was written is on disk.
     */
    readonly follow: <E>(
      repo: RepoName,
      jobId: JobId.JobId,
      live: Effect.Effect<boolean, E>
    ) => Stream.Stream<EventReader.Entry, StorageError | E>

    /** Jobs that have events, oldest first. */
    readonly jobs: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobId.JobId>, StorageError>
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
  const home = yield* ProdigyHome
  const ids = yield* IdGenerator
  const { self } = yield* ProcessTable

  const metadata = { host: self.host, pid: self.pid }

  const open = Effect.fn("EventLog.open")(function* (options: {
    readonly repo: RepoName
    readonly jobId: JobId.JobId
    readonly correlationId: string
  }) {
    const record = (event: NewEvent, id: string, timestamp: string): EventRecord => ({
      v: 1,
      id,
      timestamp,
      correlation_id: options.correlationId,
      event: { ...event, job_id: options.jobId },
      metadata
    })
    const toLine = lineOf(options.correlationId, metadata)
    const writer = yield* EventWriter.make({
      file,
      paths: home.repo(options.repo).job(options.jobId),
      fileBytesMax: yield* EventFileBytesMax,
      droppedLine: (count) =>
        Effect.map(Effect.all([ids.uuid, Timestamp.now]), ([id, timestamp]) =>
          toLine(record({ event_type: "events_dropped", count }, id, timestamp))
        )
    })
    let lastId = ""
    let lastMillis = Number.NaN
    let timestamp = ""

    const emit = Effect.fnUntraced(function* (events: ReadonlyArray<NewEvent>) {
      const millis = yield* Clock.currentTimeMillis
      // Formatting a time costs as much as encoding an event.
      if (millis !== lastMillis) {
        lastMillis = millis
        timestamp = Timestamp.fromMillis(millis)
      }
      const records: Array<EventRecord> = []
      for (const event of events) {
        let id = yield* ids.uuid
        // Another fiber was faster between its id and here: a new one, so that ids sort in the order of the file.
        if (id <= lastId) id = yield* ids.uuid
        lastId = id
        const made = record(event, id, timestamp)
        writer.take(toLine(made))
        records.push(made)
      }
      yield* writer.relief
      return records
    }, Effect.uninterruptible)

    return { emit, flush: writer.flush }
  })

  const reader = EventReader.make(file, yield* Compression)
  const directoryOf = (repo: RepoName, jobId: JobId.JobId) => home.repo(repo).job(jobId).events

  return EventLog.of({
    open,
    read: (repo, jobId) => reader.read(directoryOf(repo, jobId)),
    follow: (repo, jobId, live) => reader.follow(directoryOf(repo, jobId), live),
    jobs: Effect.fn("EventLog.jobs")(function* (repo) {
      const paths = home.repo(repo)
      const found = (yield* file.list(paths.events)).filter(Schema.is(JobId.JobId)).sort(JobId.byTime)
      return yield* Effect.filter(found, (jobId) =>
        Effect.map(EventFiles.list(file, paths.job(jobId).events), (found) => found.length > 0)
      )
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<EventLog, never, AtomicFile | Compression | IdGenerator | ProcessTable | ProdigyHome> =
  Layer.effect(EventLog, make)

/**
 * As `layer`, over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<EventLog, never, IdGenerator | ProcessTable | ProdigyHome> = Layer.provide(
  layer,
  [filesInMemory, compressionInMemory]
)

/**
 * How a log's records become lines. Not checked against their schema: the types of `emit` say the same, encoding changes no
 * field, and validation would cost ten times what everything else does. What is the same in every line is encoded once.
 */
const lineOf = (correlationId: string, metadata: EventRecord["metadata"]) => {
  const before = `","correlation_id":${JSON.stringify(correlationId)},"event":`
  const after = `,"metadata":${JSON.stringify(metadata)}}`
  return (record: EventRecord): string =>
    `{"v":1,"id":"${record.id}","timestamp":"${record.timestamp}${before}${JSON.stringify(record.event)}${after}`
}
