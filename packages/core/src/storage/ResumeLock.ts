/**
 * One owner per job: the lock that `run` and `resume` share.
 *
 * Owns `resume_locks/{job}.lock`. A lock is held until its scope closes, however it closes. The lock of a dead process of
 * this host is taken over by proof; of several rivals exactly one wins.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { JobId } from "../domain/JobId.ts"
import { SessionId } from "../domain/SessionId.ts"
import { Timestamp } from "../domain/Timestamp.ts"
import type { StorageError } from "./AtomicFile.ts"

/**
 * The content of a lock file.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Lease = Schema.Struct({
  v: Schema.Literal(1),
  job_id: JobId,
  session_id: SessionId,
  process_id: Schema.Int,
  process_started_at: Schema.String,
  hostname: Schema.String,
  acquired_at: Timestamp,
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
  job_id: JobId,
  path: Schema.String,
  holder: Schema.NullOr(Lease).annotations({ description: "null: the file is damaged and too young to be stale" }),
  here: Schema.Boolean.annotations({ description: "the holder is on this host" })
}) {
  override get message() {
    if (this.holder === null) return `The lock of job ${this.job_id} (${this.path}) is held by an unknown process.`
    const { acquired_at, hostname, process_id } = this.holder
    return `Job ${this.job_id} is driven by process ${process_id} on ${hostname} since ${acquired_at}.`
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
     * Holds the lock until the scope closes; fails at once when another live process has it. Release removes only our
     * own lock. `overridden` is what `force` pushed aside.
     */
    readonly acquire: (options: {
      readonly jobId: JobId
      readonly sessionId: SessionId
      readonly force: boolean
    }) => Effect.Effect<
      { readonly lease: Lease; readonly overridden: Lease | null },
      ResumeLockHeld | StorageError,
      Scope.Scope
    >
    /** Who holds a job now; null when nobody alive does. */
    readonly holder: (jobId: JobId) => Effect.Effect<Lease | null, StorageError>
  }
>() {}
