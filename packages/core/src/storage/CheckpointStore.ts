/**
 * Checkpoints: snapshots of a job's state, so that a resume folds only the journal's tail.
 *
 * Owns the checkpoint files, their checksum and their retention. Crash guarantee: a checkpoint is there whole or not at
 * all; a damaged one is found by its checksum and the one before it is used.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import * as Digest from "../domain/Digest.ts"
import { IdGenerator } from "../domain/IdGenerator.ts"
import * as JobIds from "../domain/JobId.ts"
import { JobState } from "../domain/JobState.ts"
import { CheckpointAgeMillisMax, CheckpointsMax } from "../domain/Limits.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { AtomicFile, DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import { type JobPaths, ProdigyHome } from "./ProdigyHome.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * Which phase a snapshot was taken in or after; it decides the file's name.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Kind = Schema.Literal("setup", "map", "reduce")

/**
 * @since 0.1.0
 * @category models
 */
export type Kind = typeof Kind.Type

/**
 * The content of a checkpoint file.
 *
 * @since 0.1.0
 * @category schemas
 */
export const CheckpointFile = Schema.Struct({
  v: Schema.Literal(1),
  id: Schema.UUID.annotations({ description: "UUIDv7" }),
  kind: Kind,
  created_at: Timestamp.Timestamp,
  checksum: Schema.String.annotations({
    description: "SHA-256, in hex, of the JSON text of {id, kind, created_at, state} as it stands in this file"
  }),
  state: JobState
})

/**
 * A snapshot: `state` is the fold of the journal up to and with `state.seq`. `bytes` is the size of its file.
 *
 * @since 0.1.0
 * @category models
 */
export interface Checkpoint {
  readonly id: string
  readonly kind: Kind
  readonly created_at: string
  readonly path: string
  readonly bytes: number
  readonly state: JobState
}

/**
 * A checkpoint file as its name tells it. `createdMillis` is null where the name does not say (`setup-checkpoint.json`).
 *
 * @since 0.1.0
 * @category models
 */
export interface StoredFile {
  readonly name: string
  readonly path: string
  readonly kind: Kind
  readonly createdMillis: number | null
}

/**
 * How many checkpoints of a kind are kept, and for how long; null: as `Limits` says.
 *
 * @since 0.1.0
 * @category models
 */
export interface Retention {
  readonly max: number | null
  readonly ageMillisMax: number | null
}

/**
 * @since 0.1.0
 * @category services
 */
export class CheckpointStore extends Context.Tag("@prodigy/core/storage/CheckpointStore")<
  CheckpointStore,
  {
    /**
     * Writes a snapshot, then removes what is beyond the retention: too many of its kind or too old, never the newest of
     * its kind.
     */
    readonly save: (
      repo: RepoName,
      jobId: JobIds.JobId,
      kind: Kind,
      state: JobState,
      retention?: Retention
    ) => Effect.Effect<Checkpoint, StorageError>

    /** A job's checkpoint files, the newest first, by their names. */
    readonly list: (repo: RepoName, jobId: JobIds.JobId) => Effect.Effect<ReadonlyArray<StoredFile>, StorageError>

    /** Reads one of them; null when it is gone. */
    readonly load: (file: StoredFile) => Effect.Effect<Checkpoint | null, StorageError | DamagedFile>

    /** Removes one of them; false when it is gone. The journal has all that it holds. */
    readonly remove: (file: StoredFile) => Effect.Effect<boolean, StorageError>

    /** Gives a damaged one a name under which nobody reads it, and says which; null when it is gone. */
    readonly setAside: (file: StoredFile) => Effect.Effect<string | null, StorageError>

    /** The newest valid snapshot (null: none), and the damaged ones that were passed over. */
    readonly latest: (
      repo: RepoName,
      jobId: JobIds.JobId
    ) => Effect.Effect<
      { readonly checkpoint: Checkpoint | null; readonly damaged: ReadonlyArray<DamagedFile> },
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
  const pathsOf = (repo: RepoName, jobId: JobIds.JobId) => home.repo(repo).job(jobId)

  const list = (repo: RepoName, jobId: JobIds.JobId) => {
    const { directory } = pathsOf(repo, jobId)
    return Effect.map(files.list(directory), (names) =>
      names.flatMap((name) => fromName(name, `${directory}/${name}`) ?? []).toSorted(newestFirst)
    )
  }

  /** What stays too long costs disk, not truth: a failure here must not fail the snapshot that was written. */
  const retain = (repo: RepoName, jobId: JobIds.JobId, kind: Kind, retention: Retention) =>
    Effect.gen(function* () {
      const max = retention.max ?? (yield* CheckpointsMax)
      const oldest = (yield* Clock.currentTimeMillis) - (retention.ageMillisMax ?? (yield* CheckpointAgeMillisMax))
      const others = (yield* list(repo, jobId)).filter((file) => file.kind === kind).slice(1)
      for (const [index, file] of others.entries()) {
        if (index + 1 >= max || (file.createdMillis ?? oldest) < oldest) yield* files.remove(file.path)
      }
    }).pipe(Effect.catchAll((error) => Effect.logWarning("Old checkpoints were not removed.", error)))

  const load = Effect.fnUntraced(function* ({ path }: StoredFile) {
    const text = yield* files.read(path)
    return text === null ? null : yield* decode(text, path)
  })

  return CheckpointStore.of({
    save: Effect.fn("CheckpointStore.save")(function* (repo, jobId, kind, state, retention) {
      const paths = pathsOf(repo, jobId)
      const now = yield* Clock.currentTimeMillis
      const path = toPath(paths, kind, `${JobIds.stamp(now)}-${String(state.seq).padStart(seqDigits, "0")}`)
      const checkpoint = { id: yield* ids.uuid, kind, created_at: Timestamp.fromMillis(now), state }
      const text = `${yield* encode(checkpoint)}\n`
      yield* files.replace(path, text)
      yield* retain(repo, jobId, kind, retention ?? { max: null, ageMillisMax: null })
      return { ...checkpoint, path, bytes: text.length }
    }),

    list: Effect.fn("CheckpointStore.list")(list),
    load: (file) => load(file).pipe(Effect.withSpan("CheckpointStore.load")),
    remove: (file) => files.remove(file.path),
    setAside: (file) => files.setAside(file.path),

    latest: Effect.fn("CheckpointStore.latest")(function* (repo, jobId) {
      const damaged: Array<DamagedFile> = []
      for (const file of yield* list(repo, jobId)) {
        const found = yield* Effect.catchTag(load(file), "DamagedFile", (error) => {
          damaged.push(error)
          return Effect.succeed(null)
        })
        if (found !== null) return { checkpoint: found, damaged }
      }
      return { checkpoint: null, damaged }
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<CheckpointStore, never, AtomicFile | ProdigyHome | IdGenerator> = Layer.effect(
  CheckpointStore,
  make
)

/**
 * `layer` over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<CheckpointStore, never, ProdigyHome | IdGenerator> = Layer.provide(
  layer,
  filesInMemory
)

// -----------------------------------------------------------------------------
// names
// -----------------------------------------------------------------------------

const seqDigits = 12

const toPath = (paths: JobPaths, kind: Kind, stamp: string): string => {
  switch (kind) {
    case "setup":
      return paths.setupCheckpoint
    case "map":
      return paths.mapCheckpoint(stamp)
    case "reduce":
      return paths.reduceCheckpoint(stamp)
  }
}

interface Named extends StoredFile {
  readonly seq: number
}

/** The one setup snapshot is older than all others. */
const fromName = (name: string, path: string): Named | undefined => {
  if (name === "setup-checkpoint.json") return { name, kind: "setup", path, seq: 0, createdMillis: null }
  const [, kind, stamp = "", seq] = /^(map-checkpoint|reduce-checkpoint-v1)-(\d{8}_\d{6})-(\d+)\.json$/.exec(name) ?? []
  if (seq === undefined) return undefined
  return {
    name,
    kind: kind === "map-checkpoint" ? "map" : "reduce",
    path,
    seq: Number(seq),
    createdMillis: millisOf(stamp)
  }
}

const millisOf = (stamp: string): number | null => {
  const parts = /^(\d{4})(\d\d)(\d\d)_(\d\d)(\d\d)(\d\d)$/.exec(stamp)?.slice(1).map(Number) ?? []
  const [year = 0, month = 0, day = 0, hours = 0, minutes = 0, seconds = 0] = parts
  return Option.match(DateTime.make({ year, month, day, hours, minutes, seconds }), {
    onNone: () => null,
    onSome: DateTime.toEpochMillis
  })
}

/** By seq, which no clock can set back. */
const newestFirst: Order.Order<Named> = Order.reverse(
  Order.combine(
    Order.mapInput(Order.number, (file: Named) => file.seq),
    Order.mapInput(Order.string, (file: Named) => file.path)
  )
)

// -----------------------------------------------------------------------------
// content
// -----------------------------------------------------------------------------

const what = "a checkpoint of version 1"
const codec = StoredJson.codec(CheckpointFile, what)
const rawCodec = StoredJson.codec(Schema.Struct({ ...CheckpointFile.fields, state: Schema.Unknown }), what)
const encodeState = Schema.encode(JobState)

const checksumOf = (content: {
  readonly id: unknown
  readonly kind: unknown
  readonly created_at: unknown
  readonly state: unknown
}): string =>
  Digest.sha256(
    JSON.stringify({ id: content.id, kind: content.kind, created_at: content.created_at, state: content.state })
  )

/** A state that its own schema refuses is a defect. */
const encode = (checkpoint: Omit<Checkpoint, "path" | "bytes">): Effect.Effect<string> =>
  Effect.orDie(
    Effect.map(encodeState(checkpoint.state), (state) => {
      const { created_at, id, kind } = checkpoint
      const checksum = checksumOf({ id, kind, created_at, state })
      return JSON.stringify({ v: 1, id, kind, created_at, checksum, state })
    })
  )

/** The checksum is compared before the shape: it covers what the schema would leave out. */
const decode = Effect.fnUntraced(function* (text: string, path: string) {
  const place = { path, line: 0 }
  const parsed = yield* StoredJson.parse(text, place, what)
  const head = yield* rawCodec.decodeValue(parsed, place)
  const checksum = checksumOf(head)
  if (checksum !== head.checksum) {
    return yield* new DamagedFile({ ...place, expected: `checksum ${head.checksum}`, actual: `checksum ${checksum}` })
  }
  const { created_at, id, kind, state } = yield* codec.decodeValue(parsed, place)
  return { id, kind, created_at, path, bytes: text.length, state }
})
