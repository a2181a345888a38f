/**
 * The event log: what was seen of a job, for people and tools.
 *
 * Owns `events-{ts}.jsonl`: buffering (flushed at most one second later), rotation, reading across files. Crash
 * guarantee: a crash or `kill -9` never damages what was flushed; the last second may be lost.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type * as Stream from "effect/Stream"
import type { EventRecord, Known } from "../domain/Event.ts"
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

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
  /** Takes events in order. Does not wait for the disk and does not fail: a write error is logged and counted. */
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
      readonly jobId: JobId
      readonly correlationId: string
    }) => Effect.Effect<OpenEventLog, StorageError, Scope.Scope>

    /** The events of a job over all its files, in order, in constant memory. */
    readonly read: (repo: RepoName, jobId: JobId) => Stream.Stream<EventRecord, StorageError | DamagedFile>

    /** Jobs that have events, oldest first. */
    readonly jobs: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobId>, StorageError>
  }
>() {}
