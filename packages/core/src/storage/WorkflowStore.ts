/**
 * What a standard workflow's session needs to be gone on with: what it runs, and how far it is.
 *
 * Owns `checkpoints/{session}.workflow.json`, which is written once, and the session's checkpoint, which is replaced after
 * every step and kept twice: `{session}.checkpoint.json` and `{session}.checkpoint.copy.json`.
 *
 * Crash guarantee: each file is there whole or not at all. A checkpoint of which the caller heard is in both places, so
 * that damage to one of them takes back nothing; one that was being written is in one place at least. A session whose
 * `workflow.json` is not there was never started.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Digest from "../domain/Digest.ts"
import { IdGenerator } from "../domain/IdGenerator.ts"
import { byTime } from "../domain/JobId.ts"
import { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { WorkflowState } from "../domain/WorkflowState.ts"
import { StandardWorkflow } from "../workflow/Workflow.ts"
import { AtomicFile, DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import { JobFile } from "./JobStore.ts"
import { ProdigyHome } from "./ProdigyHome.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * `{session}.workflow.json`: the workflow as it was, and what the run was asked to do.
 *
 * @since 0.1.0
 * @category schemas
 */
export const SessionFile = Schema.Struct({
  v: Schema.Literal(1),
  session_id: SessionIds.SessionId,
  created_at: Timestamp.Timestamp,
  repository: JobFile.fields.repository,
  base_commit: JobFile.fields.base_commit,
  target_branch: JobFile.fields.target_branch,
  workflow: StandardWorkflow,
  workflow_source: JobFile.fields.workflow_source,
  options: Schema.Struct({
    approve: JobFile.fields.options.fields.approve,
    parameters: JobFile.fields.options.fields.parameters,
    iterations: Schema.Int.pipe(Schema.positive()).annotations({ description: "at most so many, for each value" }),
    values: Schema.NullOr(
      Schema.Struct({
        from: Schema.Literal("args", "map").annotations({ description: "given one by one, or files of the project" }),
        list: Schema.NonEmptyArray(Schema.String)
      })
    ).annotations({ description: "the steps run once for each of them; null: once, without a value" })
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface SessionFile extends Schema.Schema.Type<typeof SessionFile> {}

const content = {
  id: Schema.UUID.annotations({ description: "UUIDv7" }),
  session_id: SessionIds.SessionId,
  seq: Schema.Int.pipe(Schema.positive()).annotations({ description: "counts the session's checkpoints" }),
  created_at: Timestamp.Timestamp,
  state: WorkflowState
}

/**
 * The content of a checkpoint file.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorkflowCheckpointFile = Schema.Struct({
  v: Schema.Literal(1),
  checksum: Schema.String.annotations({
    description:
      "SHA-256, in hex, of the JSON text of {id, session_id, seq, created_at, state} as it stands in this file"
  }),
  ...content
})

const Checkpoint = Schema.Struct(content)

/**
 * How far a session was at one moment.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkflowCheckpoint extends Schema.Schema.Type<typeof Checkpoint> {}

/**
 * Nothing is stored of what that session runs.
 *
 * @since 0.1.0
 * @category errors
 */
export class SessionFileNotFound extends Schema.TaggedError<SessionFileNotFound>(
  "@prodigy/core/storage/WorkflowStore/SessionFileNotFound"
)("SessionFileNotFound", { repo: RepoName, session_id: SessionIds.SessionId }) {
  override get message() {
    return `Nothing is stored of what session ${this.session_id} of repository ${this.repo} runs.`
  }
}

/**
 * @since 0.1.0
 * @category services
 */
export class WorkflowStore extends Context.Tag("@prodigy/core/storage/WorkflowStore")<
  WorkflowStore,
  {
    /**
     * Claims a session id for now's second (`_2`, `_3`, … on a clash). `reserve` decides: it must answer true for an id
     * once and never again, as creating the session of that id does.
     */
    readonly claim: <E>(
      repo: RepoName,
      reserve: (sessionId: SessionIds.SessionId) => Effect.Effect<boolean, E>
    ) => Effect.Effect<SessionIds.SessionId, StorageError | E>
    readonly save: (file: SessionFile) => Effect.Effect<void, StorageError>
    readonly load: (
      repo: RepoName,
      sessionId: SessionIds.SessionId
    ) => Effect.Effect<SessionFile, SessionFileNotFound | StorageError | DamagedFile>

    /** Ids of the repository's sessions that have a `workflow.json`, oldest first. */
    readonly list: (repo: RepoName) => Effect.Effect<ReadonlyArray<SessionIds.SessionId>, StorageError>

    /** Replaces the session's checkpoint, in both places. */
    readonly saveCheckpoint: (
      repo: RepoName,
      sessionId: SessionIds.SessionId,
      checkpoint: { readonly seq: number; readonly state: WorkflowState }
    ) => Effect.Effect<WorkflowCheckpoint, StorageError>

    /**
     * The session's checkpoint: the newer of what is whole in its two places, and the damaged file that was passed over.
     * Null when there is none. Fails when nothing is whole and something is damaged: then nobody knows how far it was.
     */
    readonly loadCheckpoint: (
      repo: RepoName,
      sessionId: SessionIds.SessionId
    ) => Effect.Effect<
      { readonly checkpoint: WorkflowCheckpoint | null; readonly damaged: ReadonlyArray<DamagedFile> },
      StorageError | DamagedFile
    >

    /** The two places of the session's checkpoint, and what is there: null where there is no file. */
    readonly checkpointCopies: (
      repo: RepoName,
      sessionId: SessionIds.SessionId
    ) => Effect.Effect<
      ReadonlyArray<{ readonly path: string; readonly found: WorkflowCheckpoint | DamagedFile | null }>,
      StorageError
    >
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
  const ids = yield* IdGenerator

  const places = (repo: RepoName, sessionId: SessionIds.SessionId) => {
    const paths = home.repo(repo)
    return [paths.workflowCheckpoint(sessionId), paths.workflowCheckpointCopy(sessionId)]
  }

  const loadFrom = Effect.fnUntraced(function* (path: string, sessionId: SessionIds.SessionId) {
    const text = yield* files.read(path)
    const found = text === null ? null : yield* decode(text, path)
    return found === null ? null : yield* ofSession(sessionId, found, path)
  })

  const checkpointCopies = Effect.fn("WorkflowStore.checkpointCopies")(function* (
    repo: RepoName,
    sessionId: SessionIds.SessionId
  ) {
    return yield* Effect.forEach(places(repo, sessionId), (path) =>
      loadFrom(path, sessionId).pipe(
        Effect.catchTag("DamagedFile", (error) => Effect.succeed(error)),
        Effect.map((found) => ({ path, found }))
      )
    )
  })

  return WorkflowStore.of({
    claim: Effect.fn("WorkflowStore.claim")(function* (repo, reserve) {
      const epochMillis = yield* Clock.currentTimeMillis
      for (let clash = 1; ; clash++) {
        const sessionId = SessionIds.fromTime(epochMillis, clash)
        const stored = yield* files.modifiedAt(home.repo(repo).workflowSession(sessionId))
        if (stored === null && (yield* reserve(sessionId))) return sessionId
      }
    }),

    save: Effect.fn("WorkflowStore.save")(function* (file) {
      const path = home.repo(file.repository.name).workflowSession(file.session_id)
      yield* files.replace(path, `${yield* sessionFile.encode(file)}\n`)
    }),

    load: Effect.fn("WorkflowStore.load")(function* (repo, sessionId) {
      const path = home.repo(repo).workflowSession(sessionId)
      const text = yield* files.read(path)
      if (text === null) return yield* new SessionFileNotFound({ repo, session_id: sessionId })
      return yield* ofSession(sessionId, yield* sessionFile.decode(text, { path, line: 0 }), path)
    }),

    list: Effect.fn("WorkflowStore.list")(function* (repo) {
      const names = yield* files.list(home.repo(repo).checkpoints)
      return names
        .flatMap((name) => /^(.+)\.workflow\.json$/.exec(name)?.[1] ?? [])
        .filter(Schema.is(SessionIds.SessionId))
        .toSorted(byTime)
    }),

    saveCheckpoint: Effect.fn("WorkflowStore.saveCheckpoint")(function* (repo, sessionId, { seq, state }) {
      const checkpoint = {
        id: yield* ids.uuid,
        session_id: sessionId,
        seq,
        created_at: yield* Timestamp.now,
        state
      }
      const text = `${yield* encode(checkpoint)}\n`
      for (const path of places(repo, sessionId)) yield* files.replace(path, text)
      return checkpoint
    }),

    loadCheckpoint: Effect.fn("WorkflowStore.loadCheckpoint")(function* (repo, sessionId) {
      const copies = yield* checkpointCopies(repo, sessionId)
      const damaged = copies.flatMap(({ found }) => (found instanceof DamagedFile ? [found] : []))
      const whole = copies.flatMap(({ found }) => (found === null || found instanceof DamagedFile ? [] : [found]))
      const checkpoint = whole.reduce<WorkflowCheckpoint | null>(
        (newest, one) => (newest === null || one.seq > newest.seq ? one : newest),
        null
      )
      const [first] = damaged
      if (checkpoint === null && first !== undefined) return yield* first
      return { checkpoint, damaged }
    }),

    checkpointCopies
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<WorkflowStore, never, AtomicFile | ProdigyHome | IdGenerator> = Layer.effect(
  WorkflowStore,
  make
)

/**
 * `layer` over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<WorkflowStore, never, ProdigyHome | IdGenerator> = Layer.provide(
  layer,
  filesInMemory
)

const sessionFile = StoredJson.sealed(SessionFile, "a session's workflow of version 1")
const what = "a workflow checkpoint of version 1"
const checkpointFile = StoredJson.codec(WorkflowCheckpointFile, what)
const rawFile = StoredJson.codec(Schema.Struct({ ...WorkflowCheckpointFile.fields, state: Schema.Unknown }), what)
const encodeState = Schema.encode(WorkflowState)

const checksumOf = ({
  created_at,
  id,
  seq,
  session_id,
  state
}: Omit<WorkflowCheckpoint, "state"> & { readonly state: unknown }): string =>
  Digest.sha256(JSON.stringify({ id, session_id, seq, created_at, state }))

/** A state that its own schema refuses is a defect. */
const encode = (checkpoint: WorkflowCheckpoint): Effect.Effect<string> =>
  Effect.orDie(
    Effect.map(encodeState(checkpoint.state), (state) => {
      const { created_at, id, seq, session_id } = checkpoint
      const checksum = checksumOf({ ...checkpoint, state })
      return JSON.stringify({ v: 1, checksum, id, session_id, seq, created_at, state })
    })
  )

/** The checksum is compared before the shape: it covers what the schema would leave out. */
const decode = Effect.fnUntraced(function* (text: string, path: string) {
  const place = { path, line: 0 }
  const parsed = yield* StoredJson.parse(text, place, what)
  const raw = yield* rawFile.decodeValue(parsed, place)
  const checksum = checksumOf(raw)
  if (checksum !== raw.checksum) {
    return yield* new DamagedFile({ ...place, expected: `checksum ${raw.checksum}`, actual: `checksum ${checksum}` })
  }
  const { created_at, id, seq, session_id, state } = yield* checkpointFile.decodeValue(parsed, place)
  return { id, session_id, seq, created_at, state }
})

/** The file has to be the one that its path is for. */
const ofSession = <A extends { readonly session_id: SessionIds.SessionId }>(
  sessionId: SessionIds.SessionId,
  found: A,
  path: string
): Effect.Effect<A, DamagedFile> =>
  found.session_id === sessionId
    ? Effect.succeed(found)
    : new DamagedFile({ path, line: 0, expected: `session ${sessionId}`, actual: `session ${found.session_id}` })
