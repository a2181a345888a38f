/**
 * Ending a session for good.
 *
 * Owns the way there: whoever drives the session on this host is asked to stop and waited for, then the session is
 * cancelled by `MapReduce` or `WorkflowRun`, under its lock. Does not own what becomes of its work.
 *
 * Crash guarantee: a session that was asked to be cancelled is either as it was, or cancelled, by its journal; cancelling
 * again does what is left.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Owner } from "../domain/Owner.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { GlobalStorage } from "../storage/GlobalStorage.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProcessTable } from "../storage/ProcessTable.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { type Lease, ResumeLock, ResumeLockHeld } from "../storage/ResumeLock.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import { type SessionFileNotFound, WorkflowStore } from "../storage/WorkflowStore.ts"
import { Inspect, type InspectError, type Known } from "./Inspect.ts"
import { AlreadyCancelled, type CancelError as JobCancelError, MapReduce } from "./MapReduce.ts"
import type { AnyReport } from "./Runner.ts"
import { WorkflowRun } from "./WorkflowRun.ts"

/**
 * The session is completed: there is nothing to cancel.
 *
 * @since 0.1.0
 * @category errors
 */
export class NotCancellable extends Schema.TaggedError<NotCancellable>("@prodigy/core/engine/Cancel/NotCancellable")(
  "NotCancellable",
  { session_id: SessionId }
) {
  override get message() {
    return `Session ${this.session_id} is completed; there is nothing to cancel.`
  }
}

/**
 * The process that drives the session was asked to stop and has not, in the time it was given. The session is as it was.
 *
 * @since 0.1.0
 * @category errors
 */
export class OwnerStays extends Schema.TaggedError<OwnerStays>("@prodigy/core/engine/Cancel/OwnerStays")("OwnerStays", {
  session_id: SessionId,
  pid: Schema.Int,
  waited_ms: Schema.Number
}) {
  override get message() {
    return `Process ${this.pid} drives session ${this.session_id} and did not stop within ${Math.round(this.waited_ms / 1000)} s.`
  }
}

/**
 * Why a session could not be cancelled.
 *
 * @since 0.1.0
 * @category errors
 */
export type CancelError =
  | InspectError
  | NotCancellable
  | OwnerStays
  | SessionFileNotFound
  | Exclude<JobCancelError, { _tag: "AlreadyCompleted" }>

/**
 * What was cancelled. `report` is null when nothing of the session had been made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cancelled {
  readonly sessionId: SessionId
  /** The process that was asked to stop, and did; null: nobody drove it. */
  readonly stopped: number | null
  readonly report: AnyReport | null
}

/**
 * @since 0.1.0
 * @category services
 */
export class Cancel extends Context.Tag("@prodigy/core/engine/Cancel")<
  Cancel,
  {
    /**
     * The session that an id means, if it can be cancelled. Fails with `NotCancellable` for a completed one. Changes
     * nothing.
     */
    readonly find: (options: {
      readonly projectPath: string
      readonly id: string
    }) => Effect.Effect<Known, InspectError | NotCancellable>

    /**
     * Cancels it. A driver on this host is asked to stop and waited for, `ownerWaitMillisMax` at most; one that cannot be
     * seen holds the session, and it stays. Fails with `AlreadyCancelled` when there is nothing left to do.
     */
    readonly cancel: (target: Known) => Effect.Effect<Cancelled, CancelError>
  }
>() {}

/**
 * Milliseconds that a driver is given to stop its agents and keep their work.
 *
 * @since 0.1.0
 * @category models
 */
export const ownerWaitMillisMax = 60_000

/** Milliseconds between two looks at whether it has. */
const lookMillis = 50

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const engine = yield* MapReduce
  const home = yield* ProdigyHome
  const inspect = yield* Inspect
  const lock = yield* ResumeLock
  const processes = yield* ProcessTable
  const sessions = yield* SessionStore
  const standard = yield* WorkflowRun
  const storage = yield* GlobalStorage
  const store = yield* JobStore
  const workflows = yield* WorkflowStore

  const find = Effect.fn("Cancel.find")(function* (options: { readonly projectPath: string; readonly id: string }) {
    const target = yield* inspect.known(options)
    if (target.listed?.session.status === "Completed")
      return yield* new NotCancellable({ session_id: target.sessionId })
    return target
  })

  /** Asks the driver to stop and waits until it has. Gives its pid; null when nobody drives the session. */
  const stopOwner = Effect.fnUntraced(function* ({ jobId, sessionId }: Known) {
    const id = jobId ?? sessionId
    const holder = yield* lock.holder(id)
    if (holder === null) return null
    const owner = ownerOf(holder)
    if ((yield* processes.lookUp(owner)) === "elsewhere") {
      const here = owner.host === processes.self.host
      return yield* new ResumeLockHeld({ id, path: home.resumeLock(id), holder, here })
    }
    yield* processes.terminate(owner)
    const since = yield* Clock.currentTimeMillis
    const isGone = Effect.map(processes.lookUp(owner), (found) => found === "dead")
    const waited = Effect.repeat(isGone, {
      until: (gone) => gone,
      schedule: Schedule.intersect(Schedule.spaced(lookMillis), Schedule.recurs(ownerWaitMillisMax / lookMillis))
    })
    yield* waited
    if (yield* isGone) return owner.pid
    const waited_ms = (yield* Clock.currentTimeMillis) - since
    return yield* new OwnerStays({ session_id: sessionId, pid: owner.pid, waited_ms })
  })

  /** A session of which a crash left nothing but its file: no job was ever written. */
  const cancelFile = Effect.fnUntraced(function* ({ jobId, repo, sessionId }: Known) {
    yield* lock.acquire({ jobId, sessionId, force: false })
    yield* storage.sweep(repo, jobId)
    const { status } = yield* sessions.get(sessionId)
    if (status === "Cancelled") return yield* new AlreadyCancelled({ session_id: sessionId })
    const completed_at = yield* Timestamp.now
    if (status === "Failed") yield* sessions.update(sessionId, (session) => ({ ...session, status: "Running" }))
    yield* sessions.update(sessionId, (session) => ({ ...session, status: "Cancelled", completed_at }))
    return null
  }, Effect.scoped)

  const cancel = Effect.fn("Cancel.cancel")(function* (target: Known): Effect.fn.Return<Cancelled, CancelError> {
    const { jobId, repo, sessionId } = target
    const stopped = yield* stopOwner(target)
    const isWritten = yield* jobId === null
      ? Effect.map(workflows.list(repo), (ids) => ids.includes(sessionId))
      : Effect.map(store.list(repo), (ids) => ids.includes(jobId))
    const ending: Effect.Effect<AnyReport, JobCancelError | SessionFileNotFound> =
      jobId === null
        ? standard.cancel({ repo, sessionId })
        : engine.cancel({ repo, jobId, reason: "cancelled by the user" })
    const report = yield* isWritten
      ? Effect.catchTag(ending, "AlreadyCompleted", () => Effect.fail(new NotCancellable({ session_id: sessionId })))
      : cancelFile(target)
    return { sessionId, stopped, report }
  })

  return { find, cancel }
})

const ownerOf = ({ hostname: host, process_id: pid, process_started_at: started_at }: Lease): Owner => ({
  pid,
  host,
  started_at
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Cancel,
  never,
  | GlobalStorage
  | Inspect
  | JobStore
  | MapReduce
  | ProcessTable
  | ProdigyHome
  | ResumeLock
  | SessionStore
  | WorkflowRun
  | WorkflowStore
> = Layer.effect(Cancel, make)
