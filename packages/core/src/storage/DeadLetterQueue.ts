/**
 * The dead letter queue: items that failed for good, one file each.
 *
 * Owns `dlq/{repo}/{job}/items/`. The directory is the index, so that the ten-thousandth letter costs what the first did.
 * Crash guarantee: a letter is there whole, old or new, never a mixture.
 *
 * A file's name is made from the item's id, the exact id is inside. On a file system that ignores case, ids that differ
 * only in case share a file: the second `put` overwrites the first.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DeadLetter } from "../domain/DeadLetter.ts"
import * as JobId from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import { AtomicFile, DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import * as JsonDocument from "./JsonDocument.ts"
import { ProdigyHome } from "./ProdigyHome.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class DeadLetterQueue extends Context.Tag("@prodigy/core/storage/DeadLetterQueue")<
  DeadLetterQueue,
  {
    /** Writes a letter, durably. */
    readonly put: (repo: RepoName, jobId: JobId.JobId, letter: DeadLetter) => Effect.Effect<void, StorageError>
    readonly get: (
      repo: RepoName,
      jobId: JobId.JobId,
      itemId: ItemId
    ) => Effect.Effect<DeadLetter | null, StorageError | DamagedFile>
    /** False when there was none. */
    readonly remove: (repo: RepoName, jobId: JobId.JobId, itemId: ItemId) => Effect.Effect<boolean, StorageError>
    /** The letters of a job, by file name, one in memory at a time. */
    readonly stream: (repo: RepoName, jobId: JobId.JobId) => Stream.Stream<DeadLetter, StorageError | DamagedFile>
    readonly count: (repo: RepoName, jobId: JobId.JobId) => Effect.Effect<number, StorageError>
    /** Jobs that have letters, oldest first. */
    readonly jobs: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobId.JobId>, StorageError>
  }
>() {}

const document = JsonDocument.make(DeadLetter, "a dead letter")
const extension = ".json"

const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const home = yield* ProdigyHome

  const paths = (repo: RepoName, jobId: JobId.JobId) => home.repo(repo).job(jobId)

  /** The letter at a path, which has to be the one that the path is for. */
  const load = Effect.fnUntraced(function* (repo: RepoName, jobId: JobId.JobId, path: string) {
    const letter = yield* document.load(file, path)
    if (letter === null || paths(repo, jobId).deadLetter(letter.item_id) === path) return letter
    return yield* new DamagedFile({
      path,
      line: 0,
      expected: "the dead letter of the item that the file is named after",
      actual: `that of item ${JSON.stringify(letter.item_id)}`
    })
  })

  const names = (repo: RepoName, jobId: JobId.JobId) =>
    Effect.map(file.list(paths(repo, jobId).deadLetters), (found) => found.filter((name) => name.endsWith(extension)))

  return DeadLetterQueue.of({
    put: Effect.fn("DeadLetterQueue.put")(function* (repo, jobId, letter) {
      yield* file.replace(paths(repo, jobId).deadLetter(letter.item_id), yield* document.encode(letter))
    }),
    get: Effect.fn("DeadLetterQueue.get")(function* (repo, jobId, itemId) {
      return yield* load(repo, jobId, paths(repo, jobId).deadLetter(itemId))
    }),
    remove: (repo, jobId, itemId) => file.remove(paths(repo, jobId).deadLetter(itemId)),
    stream: (repo, jobId) =>
      Stream.fromIterableEffect(names(repo, jobId)).pipe(
        // One at a time: a letter may hold an item of megabytes.
        Stream.mapEffect((name) => load(repo, jobId, `${paths(repo, jobId).deadLetters}/${name}`)),
        // Removed since the directory was read: not a letter any more.
        Stream.filter((letter) => letter !== null)
      ),
    count: (repo, jobId) => Effect.map(names(repo, jobId), (found) => found.length),
    jobs: Effect.fn("DeadLetterQueue.jobs")(function* (repo) {
      const found = yield* file.list(home.repo(repo).deadLetters)
      const jobs = found.filter(Schema.is(JobId.JobId)).sort(JobId.byTime)
      return yield* Effect.filter(jobs, (jobId) => Effect.map(names(repo, jobId), (letters) => letters.length > 0))
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<DeadLetterQueue, never, AtomicFile | ProdigyHome> = Layer.effect(DeadLetterQueue, make)

/**
 * As `layer`, over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<DeadLetterQueue, never, ProdigyHome> = Layer.provide(layer, filesInMemory)
