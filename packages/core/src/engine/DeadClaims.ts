/**
 * Runs that died while they claimed their id: a session's file is there, and nothing of what it was to run.
 *
 * Owns what tells them from sessions that can be gone on with, and their removal. Nothing is lost by it: such a run has
 * done nothing, and nobody can go on with it.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import { AtomicFile, type StorageError } from "../storage/AtomicFile.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock } from "../storage/ResumeLock.ts"
import { SessionFiles } from "../storage/SessionFiles.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import { WorkflowStore } from "../storage/WorkflowStore.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class DeadClaims extends Context.Tag("@prodigy/core/engine/DeadClaims")<
  DeadClaims,
  {
    /**
     * Removes what is left of runs of the repository whose process is seen to be dead and that had written nothing but
     * their session, or parts of what it was to run. What cannot be read or removed stays, with a warning.
     */
    readonly sweep: (repo: RepoName) => Effect.Effect<void>
  }
>() {}

const make = Effect.gen(function* () {
  const files = yield* AtomicFile
  const home = yield* ProdigyHome
  const jobs = yield* JobStore
  const lock = yield* ResumeLock
  const removal = yield* SessionFiles
  const sessions = yield* SessionStore
  const workflows = yield* WorkflowStore

  /** Sessions of which it is written what they run, in whichever repository. */
  const written = Effect.gen(function* () {
    const found = new Set<string>()
    for (const repo of yield* home.repoNames) {
      for (const jobId of yield* jobs.list(repo)) found.add(SessionIds.fromJob(jobId))
      for (const sessionId of yield* workflows.list(repo)) found.add(sessionId)
    }
    return found
  })

  /** Sessions that have a file or a lock, by the names of these: to read them all would take long. */
  const named = Effect.gen(function* () {
    const sessions = (yield* files.list(home.sessions)).flatMap((name) => /^(.+)\.json$/.exec(name)?.[1] ?? [])
    const locks = (yield* files.list(home.resumeLocks)).flatMap(
      (name) => /^\.?(.+)\.(?:lock|guard)$/.exec(name)?.[1] ?? []
    )
    const ids = [...sessions, ...locks].filter(SessionIds.isWhole).map((id) => SessionIds.fromEither(JobId.make(id)))
    return new Set(ids)
  })

  const stateOf = (repo: RepoName, sessionId: SessionIds.SessionId) =>
    Effect.flatMap(sessions.get(sessionId), sessions.show).pipe(
      Effect.map(({ session, shown }) => {
        const isDead = session.status === "Initializing" && shown === "Interrupted"
        return isDead && session.repository.name === repo ? ("dead" as const) : ("another's" as const)
      }),
      Effect.catchTag("SessionNotFound", () => Effect.succeed("gone" as const))
    )

  /** Of a session that is gone the lock is left, when who removed it died before he gave it back. */
  const remove = Effect.fnUntraced(function* (repo: RepoName, sessionId: SessionIds.SessionId) {
    if ((yield* stateOf(repo, sessionId)) === "another's") return
    const jobId = SessionIds.jobOf(sessionId)
    yield* lock.acquire({ jobId, sessionId, force: false })
    // Somebody else may have removed it meanwhile, and a third one have claimed the id.
    if ((yield* stateOf(repo, sessionId)) === "dead") {
      yield* removal.remove({ repo, sessionId, jobId, transcripts: [] })
    }
  }, Effect.scoped)

  const warned = Effect.catchAll((error: StorageError) =>
    Effect.logWarning(`What runs left that died at their start was not looked for: ${error.message}`)
  )

  return DeadClaims.of({
    sweep: Effect.fn("DeadClaims.sweep")(function* (repo) {
      // First: who claims an id writes the session before what it runs.
      const all = yield* named
      const begun = yield* written
      for (const sessionId of all) {
        if (begun.has(sessionId)) continue
        yield* Effect.catchTags(remove(repo, sessionId), {
          // Somebody is at it.
          ResumeLockHeld: () => Effect.void,
          // Whoever lists sessions is told.
          DamagedFile: () => Effect.void,
          StorageError: (error) =>
            Effect.logWarning(
              `What is left of ${sessionId}, which died at its start, was not removed: ${error.message}`
            )
        })
      }
    }, warned)
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  DeadClaims,
  never,
  AtomicFile | JobStore | ProdigyHome | ResumeLock | SessionFiles | SessionStore | WorkflowStore
> = Layer.effect(DeadClaims, make)
