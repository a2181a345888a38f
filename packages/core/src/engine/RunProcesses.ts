/**
 * The processes of a session: those of a dead owner are stopped before anything else happens, those of this run are
 * marked and written down so that the next owner could do the same.
 *
 * Owns the order. Does not own what is written (`ProcessRecord`), how processes are found and stopped (`Reaper`), nor who
 * may drive a job (`ResumeLock`): it is called by who holds that lock. It still refuses to go on beside an owner that
 * lives, which can only be when the lock was removed or damaged by somebody else.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import { type Reaped, Reaper } from "../agent/Reaper.ts"
import { Owner } from "../domain/Owner.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { type Found, ProcessRecord, RunMark } from "../storage/ProcessRecord.ts"
import { ProcessTable } from "../storage/ProcessTable.ts"

/**
 * The session's owner lives, although the lock that it should hold could be taken.
 *
 * @since 0.1.0
 * @category errors
 */
export class OwnerAlive extends Schema.TaggedError<OwnerAlive>("@prodigy/core/engine/RunProcesses/OwnerAlive")(
  "OwnerAlive",
  {
    session_id: SessionId,
    owner: Owner,
    since: Timestamp.Timestamp,
    here: Schema.Boolean.annotations({ description: "the owner is on this host, where it is seen to be alive" })
  }
) {
  override get message() {
    const { host, pid } = this.owner
    const who = `process ${pid} on ${host} since ${this.since}`
    return this.here
      ? `Session ${this.session_id} is driven by ${who}, though that process has lost its lock.`
      : `Session ${this.session_id} was driven by ${who}, and whether that process lives cannot be seen from here.`
  }
}

/**
 * Processes that a dead owner left could not be stopped. Nothing of the session was touched.
 *
 * @since 0.1.0
 * @category errors
 */
export class ProcessesLeft extends Schema.TaggedError<ProcessesLeft>("@prodigy/core/engine/RunProcesses/ProcessesLeft")(
  "ProcessesLeft",
  {
    session_id: SessionId,
    owner: Owner,
    pids: Schema.Array(Schema.Int),
    self: Schema.Boolean.annotations({ description: "this program is one of them, or was started by one" })
  }
) {
  override get message() {
    const whose = `the dead owner of session ${this.session_id} left`
    return this.self
      ? `This command was started by a process that ${whose}, and cannot stop that.`
      : `Processes that ${whose} cannot be stopped: ${this.pids.join(", ")}.`
  }
}

/**
 * What can keep a run from having its session's processes to itself.
 *
 * @since 0.1.0
 * @category errors
 */
export type RunProcessesError = OwnerAlive | ProcessesLeft | StorageError | DamagedFile

/**
 * What was found of an earlier run; null when there was nothing.
 *
 * @since 0.1.0
 * @category models
 */
export interface Earlier extends Reaped {
  readonly owner: Owner
  /** The owner was on another host: nobody could look for its processes, and the caller wanted to go on regardless. */
  readonly unseen: boolean
}

/**
 * What a report says of it.
 *
 * @since 0.1.0
 * @category combinators
 */
export const warnings = (earlier: Earlier | null): ReadonlyArray<string> => {
  if (earlier === null) return []
  const { owner, stopped, unseen } = earlier
  if (unseen) return [`Process ${owner.pid} on ${owner.host} may have left processes there; nobody looked for them.`]
  if (stopped.length === 0) return []
  const what = stopped.length === 1 ? "1 process" : `${stopped.length} processes`
  return [`Stopped ${what} that process ${owner.pid} had left running.`]
}

/**
 * @since 0.1.0
 * @category services
 */
export class RunProcesses extends Context.Tag("@prodigy/core/engine/RunProcesses")<
  RunProcesses,
  {
    /**
     * Stops what a dead owner of the session left running, and proves that none of it is left; then does `run`, in which
     * every process that is started belongs to the session. The record of them is removed when `run` has ended, however
     * it ends, and nothing of it is left.
     *
     * Fails, without `run`, when the owner lives, when something cannot be stopped, or when the owner is on another host
     * and `force` does not say to go on regardless. To be called by who holds the session's lock.
     */
    readonly own: (options: {
      readonly repo: RepoName
      readonly sessionId: SessionId
      readonly force: boolean
    }) => <A, E, R>(
      run: (earlier: Earlier | null) => Effect.Effect<A, E, R>
    ) => Effect.Effect<A, E | RunProcessesError, R>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const records = yield* ProcessRecord
  const reaper = yield* Reaper
  const table = yield* ProcessTable

  const end = Effect.fnUntraced(function* (
    found: Found,
    force: boolean
  ): Effect.fn.Return<Earlier, OwnerAlive | ProcessesLeft> {
    const { at: since, owner, session_id } = found.run
    const known = yield* table.lookUp(owner)
    const mine = owner.pid === table.self.pid && owner.started_at === table.self.started_at
    if (known === "elsewhere") {
      if (!force) return yield* new OwnerAlive({ session_id, owner, since, here: false })
      return { owner, unseen: true, stopped: [], survivors: [] }
    }
    if (known === "alive" && !mine) return yield* new OwnerAlive({ session_id, owner, since, here: true })
    const reaped = yield* reaper.stop(found)
    if (reaped.survivors.length > 0) {
      const pids = [...reaped.survivors]
      return yield* new ProcessesLeft({ session_id, owner, pids, self: pids.includes(table.self.pid) })
    }
    return { owner, unseen: false, ...reaped }
  })

  return RunProcesses.of({
    own:
      ({ force, repo, sessionId }) =>
      (run) =>
        Effect.gen(function* () {
          const found = yield* records.find(repo, sessionId)
          const earlier = found === null ? null : yield* end(found, force)
          // Only now: until everything is gone, the old record is what tells of it.
          const mark = yield* records.open(repo, sessionId)
          return yield* Effect.provideService(run(earlier), RunMark, mark)
        }).pipe(Effect.scoped)
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<RunProcesses, never, ProcessRecord | ProcessTable | Reaper> = Layer.effect(
  RunProcesses,
  make
)
