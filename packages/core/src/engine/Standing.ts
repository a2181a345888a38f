/**
 * Whether anybody still needs what a session has left: the question before anything of it is cleaned away.
 *
 * Owns the answer. It only looks; who removes something holds the session's lock meanwhile, and asks again under it.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { StorageError } from "../storage/AtomicFile.ts"
import { AtomicFile } from "../storage/AtomicFile.ts"
import { JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { type Lease, ResumeLock } from "../storage/ResumeLock.ts"
import { SessionStore } from "../storage/SessionStore.ts"

/**
 * How a session stands. Only what is `over` or `gone` may be cleaned away.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Standing = Schema.Struct({
  use: Schema.Literal("driven", "resumable", "over", "gone", "unreadable").annotations({
    description:
      "driven: a process is at work on it; resumable: it can be gone on with; over: completed or cancelled; gone: " +
      "nothing is stored of it any more; unreadable: its file is damaged, so nobody knows"
  }),
  /** As `sessions list` shows it; null where no session is stored. */
  status: Schema.NullOr(Schema.String),
  detail: Schema.NullOr(Schema.String).annotations({ description: "who drives it, or what is damaged" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Standing extends Schema.Schema.Type<typeof Standing> {}

/**
 * A session that something belongs to.
 *
 * @since 0.1.0
 * @category models
 */
export interface Whose {
  readonly repo: RepoName
  readonly sessionId: SessionId
  readonly jobId: JobId | null
}

/**
 * What the answer is taken from.
 *
 * @since 0.1.0
 * @category models
 */
export type Sources = AtomicFile | JobStore | ProdigyHome | ResumeLock | SessionStore

/**
 * How a session stands. `holds`: the caller has its lock, so nobody else does.
 *
 * @since 0.1.0
 * @category getters
 */
export const of = Effect.fn("Standing.of")(function* (
  whose: Whose,
  options: { readonly holds: boolean }
): Effect.fn.Return<Standing, StorageError, Sources> {
  const sessions = yield* SessionStore
  if (!options.holds) {
    const holder = yield* (yield* ResumeLock).holder(whose.jobId ?? whose.sessionId)
    if (holder !== null) return driven(holder)
  }
  return yield* sessions.get(whose.sessionId).pipe(
    Effect.flatMap(sessions.show),
    Effect.map(({ session, shown }): Standing => {
      switch (shown) {
        case "Initializing":
        case "Running":
          return { use: "driven", status: shown, detail: session.owner === null ? null : who(session.owner) }
        case "Paused":
        case "Interrupted":
        case "Failed":
          return { use: "resumable", status: shown, detail: null }
        case "Completed":
        case "Cancelled":
          return { use: "over", status: shown, detail: null }
      }
    }),
    Effect.catchTags({
      DamagedFile: ({ message }) => Effect.succeed<Standing>({ use: "unreadable", status: null, detail: message }),
      SessionNotFound: () => withoutSession(whose)
    })
  )
})

/** The session's file was removed or lost. What a resume would need is the truth, not the summary. */
const withoutSession = Effect.fnUntraced(function* ({
  jobId,
  repo,
  sessionId
}: Whose): Effect.fn.Return<Standing, StorageError, Sources> {
  const files = yield* AtomicFile
  const paths = (yield* ProdigyHome).repo(repo)
  const stands = (use: Standing["use"], detail: string | null = null): Standing => ({ use, status: null, detail })
  if (jobId === null) {
    return stands((yield* files.modifiedAt(paths.workflowSession(sessionId))) === null ? "gone" : "resumable")
  }
  const job = paths.job(jobId)
  return yield* (yield* JobStore).loadSummary(repo, jobId).pipe(
    Effect.flatMap((summary) => {
      if (summary?.status === "completed" || summary?.status === "cancelled") return Effect.succeed(stands("over"))
      if (summary !== null) return Effect.succeed(stands("resumable"))
      return Effect.map(files.modifiedAt(job.jobFile), (at) => stands(at === null ? "gone" : "resumable"))
    }),
    Effect.catchTag("DamagedFile", ({ message }) => Effect.succeed(stands("unreadable", message)))
  )
})

/**
 * A session that a lock's holder drives.
 *
 * @since 0.1.0
 * @category constructors
 */
export const driven = (holder: Lease | null): Standing => ({
  use: "driven",
  status: "Running",
  detail: holder === null ? null : who({ pid: holder.process_id, host: holder.hostname })
})

const who = ({ host, pid }: { readonly pid: number; readonly host: string }): string => `process ${pid} on ${host}`

/**
 * Why nothing of a session may be removed, in one sentence without a full stop; null when it may.
 *
 * @since 0.1.0
 * @category conversions
 */
export const refusal = (standing: Standing, sessionId: SessionId): string | null => {
  switch (standing.use) {
    case "driven":
      return `its session is being driven${standing.detail === null ? "" : ` by ${standing.detail}`}`
    case "resumable": {
      const shown = standing.status === null ? "can be resumed" : `is ${standing.status.toLowerCase()}`
      return `its session ${shown}: prodigy resume ${sessionId}, or prodigy sessions cancel ${sessionId}`
    }
    case "unreadable":
      return `its session cannot be read: ${standing.detail ?? "it is damaged"}`
    case "over":
    case "gone":
      return null
  }
}
