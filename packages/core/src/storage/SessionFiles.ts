/**
 * What belongs to one session, over all components, and its removal.
 *
 * Owns what that is and the order in which it goes: first the file that says what is run, without which nothing is gone on
 * with; last the session's own file, by which the next call finds what is left. Does not own whether it may go, nor
 * what is in git: branches and rescue refs stay. Nor the list of worktrees that could not be removed: it outlives them.
 *
 * Crash guarantee: cut short at any instant, nothing that is left can be resumed, and removing again removes the rest.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type { IdGenerator } from "../domain/IdGenerator.ts"
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import { AtomicFile, type DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import * as FileLock from "./FileLock.ts"
import type { ProcessTable } from "./ProcessTable.ts"
import { ProdigyHome } from "./ProdigyHome.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class SessionFiles extends Context.Tag("@prodigy/core/storage/SessionFiles")<
  SessionFiles,
  {
    /**
     * Removes everything of a session: what it runs, journal, checkpoints, dead letters, events, transcripts, mappings,
     * and itself. To be called by who holds its lock. `transcripts` are its directories, as `TranscriptStore` tells.
     */
    readonly remove: (session: {
      readonly repo: RepoName
      readonly sessionId: SessionId
      /** Null: the session of a standard workflow. */
      readonly jobId: JobId | null
      readonly transcripts: ReadonlyArray<string>
    }) => Effect.Effect<void, StorageError | DamagedFile>
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
  const home = yield* ProdigyHome
  // One of its own: who holds another comes here meanwhile.
  const lock = yield* FileLock.make

  /** No update is under way when the file goes, and none finds it afterwards. */
  const removeSession = Effect.fnUntraced(function* (sessionId: SessionId) {
    const path = home.session(sessionId)
    yield* files.remove(path).pipe(lock.withLock(`${path}.lock`))
    // Set aside as damaged, or left by processes that were killed while they took a dead one's place.
    const names = (yield* files.list(home.sessions)).filter((name) => name.startsWith(`${sessionId}.json.`))
    yield* Effect.forEach(names, (name) => files.remove(`${home.sessions}/${name}`), { discard: true })
  })

  return SessionFiles.of({
    remove: Effect.fn("SessionFiles.remove")(function* ({ jobId, repo, sessionId, transcripts }) {
      const paths = home.repo(repo)
      const job = jobId === null ? null : paths.job(jobId)
      yield* files.remove(job?.jobFile ?? paths.workflowSession(sessionId))
      const trees = [
        ...(job === null ? [] : [job.directory, job.queue, job.events]),
        ...(jobId === null ? [] : [paths.mapping(jobId)]),
        paths.workflowCheckpoint(sessionId),
        paths.workflowCheckpointCopy(sessionId),
        paths.processes(sessionId),
        ...transcripts,
        paths.mapping(sessionId)
      ]
      yield* Effect.forEach(trees, files.removeTree, { discard: true })
      yield* removeSession(sessionId)
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SessionFiles, never, AtomicFile | IdGenerator | ProcessTable | ProdigyHome> =
  Layer.effect(SessionFiles, make)

/**
 * As `layer`, over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<SessionFiles, never, IdGenerator | ProcessTable | ProdigyHome> = Layer.provide(
  layer,
  filesInMemory
)
