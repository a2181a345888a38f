/**
 * Sessions: one file each, for listings and for finding what to resume.
 *
 * Owns `sessions/{session}.json`. Crash guarantee: a session file is old or new, never a mixture. Concurrent updates
 * lose nothing: an update is a function of what is stored, applied again when another writer came first.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { Session, Status } from "../domain/Session.ts"
import { SessionId } from "../domain/SessionId.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

/**
 * @since 0.1.0
 * @category errors
 */
export class SessionNotFound extends Schema.TaggedError<SessionNotFound>(
  "@prodigy/core/storage/SessionStore/SessionNotFound"
)("SessionNotFound", { session_id: SessionId }) {
  override get message() {
    return `There is no session ${this.session_id}.`
  }
}

/**
 * A session was asked to go where its status does not lead.
 *
 * @since 0.1.0
 * @category errors
 */
export class IllegalTransition extends Schema.TaggedError<IllegalTransition>(
  "@prodigy/core/storage/SessionStore/IllegalTransition"
)("IllegalTransition", { session_id: SessionId, from: Schema.String, to: Schema.String }) {
  override get message() {
    return `Session ${this.session_id} is ${this.from} and cannot become ${this.to}.`
  }
}

/**
 * A session as it is shown: `interrupted` when its file says it is under way and its owner is dead.
 *
 * @since 0.1.0
 * @category models
 */
export interface Listed {
  readonly session: Session
  readonly shown: Status | "Interrupted"
}

/**
 * @since 0.1.0
 * @category services
 */
export class SessionStore extends Context.Tag("@prodigy/core/storage/SessionStore")<
  SessionStore,
  {
    /** Creates a session. False when one of that id exists. */
    readonly create: (session: Session) => Effect.Effect<boolean, StorageError>
    readonly get: (id: SessionId) => Effect.Effect<Session, SessionNotFound | StorageError | DamagedFile>
    /** Changes a session atomically and stamps `updated_at`. Refuses an illegal status transition. */
    readonly update: (
      id: SessionId,
      change: (session: Session) => Session
    ) => Effect.Effect<Session, SessionNotFound | IllegalTransition | StorageError | DamagedFile>
    /** All sessions, newest first; damaged files apart. */
    readonly list: Effect.Effect<
      { readonly sessions: ReadonlyArray<Listed>; readonly damaged: ReadonlyArray<DamagedFile> },
      StorageError
    >
    /** A session as it is shown. */
    readonly show: (session: Session) => Effect.Effect<Listed>
  }
>() {}
