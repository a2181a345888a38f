/**
 * The way from a session to its job and back.
 *
 * Owns `mappings/{session}.json` and `mappings/{job}.json`, both with the same content. A pair of which a crash left one
 * half is completed when it is looked up.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import { Timestamp } from "../domain/Timestamp.ts"
import { AtomicFile, DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import * as JsonDocument from "./JsonDocument.ts"
import { ProdigyHome } from "./ProdigyHome.ts"

/**
 * @since 0.1.0
 * @category schemas
 */
export const Mapping = Schema.Struct({
  session_id: SessionId,
  job_id: JobId,
  workflow_name: Schema.String,
  created_at: Timestamp
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Mapping extends Schema.Schema.Type<typeof Mapping> {}

/**
 * @since 0.1.0
 * @category services
 */
export class SessionJobIndex extends Context.Tag("@prodigy/core/storage/SessionJobIndex")<
  SessionJobIndex,
  {
    /** Writes both files, durably. */
    readonly put: (repo: RepoName, mapping: Mapping) => Effect.Effect<void, StorageError>
    /** The mapping of a session or of a job; null when there is none. Writes the half that a crash left out. */
    readonly find: (repo: RepoName, id: SessionId | JobId) => Effect.Effect<Mapping | null, StorageError | DamagedFile>
    /** Both halves as they are; null: it is not there. Writes nothing. */
    readonly look: (
      repo: RepoName,
      ids: { readonly sessionId: SessionId; readonly jobId: JobId }
    ) => Effect.Effect<
      { readonly ofSession: Mapping | null; readonly ofJob: Mapping | null },
      StorageError | DamagedFile
    >
    /** All mappings, oldest first, each once. */
    readonly list: (repo: RepoName) => Effect.Effect<ReadonlyArray<Mapping>, StorageError | DamagedFile>
    /** Jobs of which there is a mapping, or half of one, whatever the files say: their names tell. */
    readonly jobs: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobId>, StorageError>
  }
>() {}

const document = JsonDocument.make(Mapping, "a mapping of a session and a job")
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

  const load = Effect.fnUntraced(function* (repo: RepoName, path: string) {
    const mapping = yield* document.load(file, path)
    const paths = home.repo(repo)
    if (mapping === null || halves(mapping).some((id) => paths.mapping(id) === path)) return mapping
    return yield* new DamagedFile({
      path,
      line: 0,
      expected: "the mapping of the session or job that the file is named after",
      actual: `that of ${mapping.session_id} and ${mapping.job_id}`
    })
  })

  const list = Effect.fn("SessionJobIndex.list")(function* (repo: RepoName) {
    const paths = home.repo(repo)
    const names = (yield* file.list(paths.mappings)).filter((name) => name.endsWith(extension))
    const found = new Map<string, Mapping>()
    for (const name of names) {
      const mapping = yield* load(repo, `${paths.mappings}/${name}`)
      if (mapping !== null) found.set(JSON.stringify(halves(mapping)), mapping)
    }
    return [...found.values()].sort(oldestFirst)
  })

  const jobs = Effect.fn("SessionJobIndex.jobs")(function* (repo: RepoName) {
    const names = yield* file.list(home.repo(repo).mappings)
    const ids = names.flatMap((name) => /^(?:session-)?(.+)\.json$/.exec(name)?.[1] ?? [])
    return [...new Set(ids)].filter(Schema.is(JobId))
  })

  /** Writes the halves that are missing. The mapping was found, whether or not its other half can be written now. */
  const complete = Effect.fnUntraced(
    function* (repo: RepoName, mapping: Mapping) {
      for (const id of halves(mapping)) {
        yield* file.createExclusively(home.repo(repo).mapping(id), yield* document.encode(mapping))
      }
    },
    Effect.catchAll((error) => Effect.logWarning(`A mapping was not completed: ${error.message}`))
  )

  const find = Effect.fn("SessionJobIndex.find")(function* (repo: RepoName, id: SessionId | JobId) {
    const direct = yield* load(repo, home.repo(repo).mapping(id))
    // Not under its own name: the half of that name may be the one that is missing.
    const mapping = direct ?? (yield* list(repo)).find((entry) => halves(entry).some((half) => half === id)) ?? null
    if (mapping !== null) yield* complete(repo, mapping)
    return mapping
  })

  return SessionJobIndex.of({
    put: Effect.fn("SessionJobIndex.put")(function* (repo, mapping) {
      const content = yield* document.encode(mapping)
      for (const id of halves(mapping)) yield* file.replace(home.repo(repo).mapping(id), content)
    }),
    find,
    look: Effect.fn("SessionJobIndex.look")(function* (repo, { jobId, sessionId }) {
      const { mapping } = home.repo(repo)
      return { ofSession: yield* load(repo, mapping(sessionId)), ofJob: yield* load(repo, mapping(jobId)) }
    }),
    list,
    jobs
  })
})

const halves = (mapping: Mapping): readonly [SessionId, JobId] => [mapping.session_id, mapping.job_id]

const oldestFirst: Order.Order<Mapping> = Order.combine(
  Order.mapInput(Order.string, (mapping: Mapping) => mapping.created_at),
  Order.mapInput(Order.string, (mapping: Mapping) => mapping.session_id)
)

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<SessionJobIndex, never, AtomicFile | ProdigyHome> = Layer.effect(SessionJobIndex, make)

/**
 * As `layer`, over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<SessionJobIndex, never, ProdigyHome> = Layer.provide(layer, filesInMemory)
