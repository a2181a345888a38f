/**
 * Whether the files of the storage hold what was written: every seal and checksum, proved.
 *
 * Owns which files have which proof. Reads only, one file at a time, and finds damage of the kind that a disk makes; whether
 * the files of a job fit each other is asked by `checkpoints validate`. Safe beside everything that writes: what is replaced
 * is seen whole, a line that is being written is left out, and what goes away meanwhile is no damage.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import { AtomicFile, type DamagedFile, type StorageError } from "./AtomicFile.ts"
import { CheckpointStore } from "./CheckpointStore.ts"
import { ProdigyHome } from "./ProdigyHome.ts"
import * as StoredJson from "./StoredJson.ts"
import { WorkflowStore } from "./WorkflowStore.ts"

/**
 * A file that was looked at; `damage` is null when it is whole.
 *
 * @since 0.1.0
 * @category models
 */
export interface Proved {
  readonly path: string
  readonly damage: DamagedFile | null
}

type Sources = AtomicFile | CheckpointStore | ProdigyHome | WorkflowStore

type Proof = Effect.Effect<ReadonlyArray<Proved>, StorageError, Sources>

/**
 * The files of a repository, proved one after the other. Sessions are not among them: they belong to none, and listing
 * them tells of damage.
 *
 * @since 0.1.0
 * @category checking
 */
export const repository = (repo: RepoName): Stream.Stream<Proved, StorageError, Sources> =>
  Stream.unwrap(
    Effect.gen(function* () {
      const file = yield* AtomicFile
      const home = yield* ProdigyHome
      const paths = home.repo(repo)
      const names = (directory: string, ends: string) =>
        Effect.map(file.list(directory), (all) =>
          all.flatMap((name) => (name.endsWith(ends) ? [`${directory}/${name}`] : []))
        )
      const documents = [
        paths.claim,
        ...(yield* names(paths.mappings, ".json")),
        ...(yield* names(paths.orphanLists, ".json")),
        ...(yield* names(paths.checkpoints, ".workflow.json"))
      ]
      const suffix = ".checkpoint.json"
      const workflows = (yield* names(paths.checkpoints, suffix)).flatMap((path) => {
        const id = path.slice(paths.checkpoints.length + 1, -suffix.length)
        return Schema.is(SessionId)(id) ? [id] : []
      })
      const jobs = (yield* file.list(paths.jobs)).filter(Schema.is(JobId))
      const letters = (yield* file.list(paths.deadLetters)).filter(Schema.is(JobId))
      return Stream.fromIterable<Proof>([
        ...documents.map(document),
        ...(yield* names(paths.processRecords, ".jsonl")).map(lines),
        ...workflows.map((id) => workflowCheckpoint(repo, id)),
        ...jobs.flatMap((jobId) => {
          const job = paths.job(jobId)
          return [
            ...[job.jobFile, job.jobState].map(document),
            ...[job.journal, job.workItems].map(lines),
            revisions(job.directory),
            checkpoints(repo, jobId)
          ]
        }),
        ...letters.map((jobId) => deadLetters(paths.job(jobId).deadLetters))
      ]).pipe(
        Stream.mapEffect((proof) => proof),
        Stream.flattenIterables
      )
    })
  )

const prove = <R>(path: string, proof: Effect.Effect<unknown, DamagedFile | StorageError, R>) =>
  proof.pipe(
    Effect.as<DamagedFile | null>(null),
    Effect.catchTag("DamagedFile", (damage) => Effect.succeed(damage)),
    Effect.map((damage): Proved => ({ path, damage }))
  )

/** A file that is one sealed object. */
const document = (path: string): Proof =>
  Effect.gen(function* () {
    const file = yield* AtomicFile
    const text = yield* file.read(path)
    if (text === null) return []
    return [yield* prove(path, sealed(text, path, 0))]
  })

/** A file of sealed lines. */
const lines = (path: string): Proof =>
  Effect.gen(function* () {
    const file = yield* AtomicFile
    if ((yield* file.modifiedAt(path)) === null) return []
    const each = file.streamLines(path).pipe(
      Stream.zipWithIndex,
      Stream.runForEach(([line, index]) => sealed(line, path, index + 1))
    )
    return [yield* prove(path, each)]
  })

const sealed = (text: string, path: string, line: number): Effect.Effect<void, DamagedFile> => {
  if (StoredJson.isSealed(text)) return Effect.void
  const place = { path, line }
  // What is no JSON at all is told as such: that says more than a checksum that is not there.
  return Effect.flatMap(StoredJson.parse(text, place, "a value of ours"), () =>
    Effect.fail(StoredJson.unsealed(text, place))
  )
}

const revisions = (directory: string): Proof =>
  Effect.gen(function* () {
    const file = yield* AtomicFile
    const names = (yield* file.list(directory)).filter((name) => /^workflow-\d+\.json$/.test(name))
    return (yield* Effect.forEach(names, (name) => document(`${directory}/${name}`))).flat()
  })

const checkpoints = (repo: RepoName, jobId: JobId): Proof =>
  Effect.gen(function* () {
    const store = yield* CheckpointStore
    return yield* Effect.forEach(yield* store.list(repo, jobId), (stored) => prove(stored.path, store.load(stored)))
  })

const workflowCheckpoint = (repo: RepoName, sessionId: SessionId): Proof =>
  Effect.gen(function* () {
    const store = yield* WorkflowStore
    const path = (yield* ProdigyHome).repo(repo).workflowCheckpoint(sessionId)
    return yield* store.loadCheckpoint(repo, sessionId).pipe(
      Effect.map(({ damaged }): ReadonlyArray<Proved> =>
        damaged.length === 0 ? [{ path, damage: null }] : damaged.map((damage) => ({ path: damage.path, damage }))
      ),
      Effect.catchTag("DamagedFile", (damage) => Effect.succeed([{ path: damage.path, damage }]))
    )
  })

const deadLetters = (directory: string): Proof =>
  Effect.gen(function* () {
    const file = yield* AtomicFile
    const names = (yield* file.list(directory)).filter((name) => name.endsWith(".json"))
    return (yield* Effect.forEach(names, (name) => document(`${directory}/${name}`))).flat()
  })
