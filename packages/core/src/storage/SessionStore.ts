/**
 * Sessions: one file each, for listings and for finding what to resume.
 *
 * Owns `sessions/{session}.json`. Crash guarantee: a session file is old or new, never a mixture. Concurrent updates
 * lose nothing: an update is a function of what is stored, applied while no other process updates that session. An
 * update of which the caller heard is there after any crash.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import type { IdGenerator } from "../domain/IdGenerator.ts"
import { canBecome, Session, type Status } from "../domain/Session.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { AtomicFile, DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import * as FileLock from "./FileLock.ts"
import * as JsonDocument from "./JsonDocument.ts"
import { ProcessTable } from "./ProcessTable.ts"
import { ProdigyHome } from "./ProdigyHome.ts"

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
    /**
     * Puts a session where there is none, or in place of one that is damaged and that gets another name first. Gives that
     * name; null when nothing was in the way. A session that can be read stays as it is.
     */
    readonly restore: (session: Session) => Effect.Effect<string | null, StorageError | DamagedFile>
    readonly get: (id: SessionId) => Effect.Effect<Session, SessionNotFound | StorageError | DamagedFile>
    /**
     * Changes a session atomically and stamps `updated_at`. Refuses an illegal status transition. `change` is called
     * once; the id stays what it is.
     */
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

const document = JsonDocument.make(Session, "a session")
const extension = ".json"

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const home = yield* ProdigyHome
  // One of its own: who holds another comes here meanwhile.
  const lock = yield* FileLock.make
  const processes = yield* ProcessTable

  /** The session at a path, which has to be the one that the path is for. */
  const load = Effect.fnUntraced(function* (path: string) {
    const session = yield* document.load(file, path)
    if (session === null || home.session(session.id) === path) return session
    return yield* new DamagedFile({
      path,
      line: 0,
      expected: "the session that the file is named after",
      actual: `session ${session.id}`
    })
  })

  const get = Effect.fn("SessionStore.get")(function* (id: SessionId) {
    return (yield* load(home.session(id))) ?? (yield* new SessionNotFound({ session_id: id }))
  })

  const update = Effect.fn("SessionStore.update")(function* (id: SessionId, change: (session: Session) => Session) {
    // Outside the lock: a session that is not there needs no lock file.
    yield* get(id)
    return yield* Effect.gen(function* () {
      const before = yield* get(id)
      const after = { ...change(before), id, updated_at: yield* Timestamp.now }
      if (!canBecome(before.status, after.status)) {
        return yield* new IllegalTransition({ session_id: id, from: before.status, to: after.status })
      }
      yield* file.replace(home.session(id), yield* document.encode(after))
      return after
    }).pipe(lock.withLock(`${home.session(id)}.lock`))
  })

  const restore = Effect.fn("SessionStore.restore")(function* (session: Session) {
    const path = home.session(session.id)
    const content = yield* document.encode(session)
    return yield* Effect.gen(function* () {
      const aside = yield* Effect.catchTag(load(path), "DamagedFile", () => file.setAside(path))
      if (aside !== null && typeof aside !== "string") return null
      yield* file.createExclusively(path, content)
      return aside
    }).pipe(lock.withLock(`${path}.lock`))
  })

  const show = Effect.fnUntraced(function* (session: Session): Effect.fn.Return<Listed> {
    const underWay = session.status === "Initializing" || session.status === "Running"
    if (!underWay || session.owner === null) return { session, shown: session.status }
    const owner = yield* processes.lookUp(session.owner)
    return { session, shown: owner === "dead" ? "Interrupted" : session.status }
  })

  const list = Effect.gen(function* () {
    const names = (yield* file.list(home.sessions)).filter((name) => name.endsWith(extension))
    const sessions: Array<Listed> = []
    const damaged: Array<DamagedFile> = []
    for (const name of names) {
      // Null: removed since the directory was read.
      const session = yield* load(`${home.sessions}/${name}`).pipe(
        Effect.catchTag("DamagedFile", (error) => Effect.sync(() => (damaged.push(error), null)))
      )
      if (session !== null) sessions.push(yield* show(session))
    }
    return { sessions: sessions.sort(newestFirst), damaged }
  }).pipe(Effect.withSpan("SessionStore.list"))

  return SessionStore.of({
    create: Effect.fn("SessionStore.create")(function* (session) {
      return yield* file.createExclusively(home.session(session.id), yield* document.encode(session))
    }),
    restore,
    get,
    update,
    list,
    show
  })
})

const newestFirst: Order.Order<Listed> = Order.reverse(
  Order.combine(
    Order.mapInput(Order.string, (listed: Listed) => listed.session.started_at),
    Order.mapInput(Order.string, (listed: Listed) => listed.session.id)
  )
)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SessionStore, never, AtomicFile | IdGenerator | ProcessTable | ProdigyHome> =
  Layer.effect(SessionStore, make)

/**
 * As `layer`, over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<SessionStore, never, IdGenerator | ProcessTable | ProdigyHome> = Layer.provide(
  layer,
  filesInMemory
)
