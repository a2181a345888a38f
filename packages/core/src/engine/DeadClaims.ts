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
import { AtomicFile, type DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock, type ResumeLockHeld } from "../storage/ResumeLock.ts"
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
     * their session, or parts of what it was to run; and locks of dead processes on what was never written. What cannot be
     * read or removed stays, with a warning.
     */
    readonly sweep: (repo: RepoName) => Effect.Effect<void>
  }
>() {}

type RemoveError = DamagedFile | ResumeLockHeld | StorageError

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
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

  /** Ids by the names of files: to read them all would take long. */
  const named = (directory: string, pattern: RegExp) =>
    Effect.map(files.list(directory), (names) =>
      names
        .flatMap((name) => pattern.exec(name)?.[1] ?? [])
        .filter(SessionIds.isWhole)
        .map((id) => SessionIds.fromEither(JobId.make(id)))
    )

  const isDead = (repo: RepoName, sessionId: SessionIds.SessionId) =>
    Effect.flatMap(sessions.get(sessionId), sessions.show).pipe(
      Effect.map(
        ({ session, shown }) =>
          session.status === "Initializing" && shown === "Interrupted" && session.repository.name === repo
      ),
      Effect.catchTag("SessionNotFound", () => Effect.succeed(false))
    )

  const remove = Effect.fnUntraced(function* (repo: RepoName, sessionId: SessionIds.SessionId) {
    if (!(yield* isDead(repo, sessionId))) return
    const jobId = SessionIds.jobOf(sessionId)
    yield* lock.acquire({ jobId, sessionId, force: false })
    // Somebody else may have removed it meanwhile, and a third one have claimed the id.
    if (yield* isDead(repo, sessionId)) yield* removal.remove({ repo, sessionId, jobId, transcripts: [] })
  }, Effect.scoped)

  /** Takes a lock and gives it back, which removes that of a dead process. */
  const release = (sessionId: SessionIds.SessionId) =>
    Effect.scoped(lock.acquire({ jobId: SessionIds.jobOf(sessionId), sessionId, force: false }))

  const warned = Effect.catchAll((error: StorageError) =>
    Effect.logWarning(`What runs left that died at their start was not looked for: ${error.message}`)
  )

  const tried = (sessionId: SessionIds.SessionId, sweeping: Effect.Effect<unknown, RemoveError>) =>
    Effect.catchTags(sweeping, {
      // Somebody is at it.
      ResumeLockHeld: () => Effect.void,
      // Whoever lists sessions is told.
      DamagedFile: () => Effect.void,
      StorageError: (error) =>
        Effect.logWarning(`What is left of ${sessionId}, which died at its start, was not removed: ${error.message}`)
    })

  return DeadClaims.of({
    sweep: Effect.fn("DeadClaims.sweep")(function* (repo) {
      // Before what is written is looked for: who claims an id writes the session, and then what it runs.
      const claimed = yield* named(home.sessions, /^(.+)\.json$/)
      const locked = yield* named(home.resumeLocks, /^\.?(.+)\.(?:lock|guard)$/)
      const begun = yield* written
      const isOpen = (sessionId: SessionIds.SessionId) => !begun.has(sessionId)
      for (const sessionId of claimed.filter(isOpen)) yield* tried(sessionId, remove(repo, sessionId))
      // That of a claim that failed and said so, or of who removed one and died.
      for (const sessionId of new Set(locked.filter(isOpen))) yield* tried(sessionId, release(sessionId))
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
