/**
 * The dead letter queue: items that failed for good, one file each.
 *
 * Owns `dlq/{repo}/{job}/items/`, and when lines of the index beside it are written (`DeadLetterIndex`). The directory says
 * which letters there are and the letters what they say; the index repeats it in short, so that a queue of ten thousand is
 * looked over in a moment. It is only ever appended to while letters come, so that the ten-thousandth costs what the first
 * did, and it may be lost.
 *
 * Crash guarantee: a letter is there whole, old or new, never a mixture, and `summaries` says what the letters say.
 *
 * A file's name is made from the item's id, the exact id is inside. On a file system that ignores case, ids that differ
 * only in case share a file: the second `put` overwrites the first.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as RcMap from "effect/RcMap"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { DeadLetter } from "../domain/DeadLetter.ts"
import * as DeadLetterSummary from "../domain/DeadLetterSummary.ts"
import * as JobId from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import { AtomicFile, DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import * as DeadLetterIndex from "./DeadLetterIndex.ts"
import * as JsonDocument from "./JsonDocument.ts"
import { ProdigyHome } from "./ProdigyHome.ts"

/**
 * All letters of a job in short, in the order of its items.
 *
 * @since 0.1.0
 * @category models
 */
export interface Summaries {
  readonly letters: ReadonlyArray<DeadLetterSummary.DeadLetterSummary>
  /** Letters that cannot be read, of which the index says nothing either. */
  readonly damaged: ReadonlyArray<DamagedFile>
  /** How many were read because the index did not say. */
  readonly unindexed: number
}

/**
 * @since 0.1.0
 * @category services
 */
export class DeadLetterQueue extends Context.Tag("@prodigy/core/storage/DeadLetterQueue")<
  DeadLetterQueue,
  {
    /** Writes a letter, durably. Only for who holds the job's lock, as are all below that write. */
    readonly put: (repo: RepoName, jobId: JobId.JobId, letter: DeadLetter) => Effect.Effect<void, StorageError>
    readonly get: (
      repo: RepoName,
      jobId: JobId.JobId,
      itemId: ItemId
    ) => Effect.Effect<DeadLetter | null, StorageError | DamagedFile>
    /** Removes letters, durably, whether they can be read or not. Gives how many there were. */
    readonly remove: (
      repo: RepoName,
      jobId: JobId.JobId,
      itemIds: ReadonlyArray<ItemId>
    ) => Effect.Effect<number, StorageError>
    /** The letters of a job, by file name, one in memory at a time. */
    readonly stream: (repo: RepoName, jobId: JobId.JobId) => Stream.Stream<DeadLetter, StorageError | DamagedFile>
    /** As `stream`; one that cannot be read is given as what it is. */
    readonly each: (
      repo: RepoName,
      jobId: JobId.JobId
    ) => Stream.Stream<Either.Either<DeadLetter, DamagedFile>, StorageError>
    /** The letters of a job in short. Reads those that the index does not tell of. */
    readonly summaries: (repo: RepoName, jobId: JobId.JobId) => Effect.Effect<Summaries, StorageError>
    /** Writes the index anew from what `summaries` gives. */
    readonly reindex: (repo: RepoName, jobId: JobId.JobId) => Effect.Effect<void, StorageError>
    readonly count: (repo: RepoName, jobId: JobId.JobId) => Effect.Effect<number, StorageError>
    /** Jobs that have letters, oldest first. */
    readonly jobs: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobId.JobId>, StorageError>
  }
>() {}

const document = JsonDocument.make(DeadLetter, "a dead letter")
const extension = ".json"

/** An index is kept open for the letters that follow: opening it syncs it. */
const indexIdleMillis = 1_000

/** Letters that are removed at the same time: each waits for the disk. */
const removalsMax = 16

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const home = yield* ProdigyHome
  const indexes = yield* RcMap.make({ lookup: (path: string) => file.appender(path), idleTimeToLive: indexIdleMillis })

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

  const put = Effect.fn("DeadLetterQueue.put")(function* (repo: RepoName, jobId: JobId.JobId, letter: DeadLetter) {
    const { deadLetter, deadLetterIndex } = paths(repo, jobId)
    const path = deadLetter(letter.item_id)
    const index = yield* RcMap.get(indexes, deadLetterIndex)
    // Of a letter that is not there yet the index says nothing.
    const isNew = (yield* file.modifiedAt(path)) === null
    if (!isNew) yield* index.append([yield* DeadLetterIndex.changingLine(letter.item_id)])
    yield* file.replace(path, yield* document.encode(letter))
    yield* Effect.flatMap(DeadLetterIndex.lineOf(letter), (line) => index.hand([line])).pipe(
      // The letter is there, and the index says that it has to be read.
      Effect.catchAll((error) => Effect.logWarning(`An index of dead letters lacks one: ${error.message}`))
    )
  }, Effect.scoped)

  const summaries = Effect.fn("DeadLetterQueue.summaries")(function* (repo: RepoName, jobId: JobId.JobId) {
    const { deadLetter, deadLetterIndex, deadLetters } = paths(repo, jobId)
    // Before the directory: a letter that comes meanwhile is one that the index does not tell of.
    const index = yield* DeadLetterIndex.read(file, deadLetterIndex)
    if (index.damage !== null) yield* Effect.logWarning(`${index.damage.message} The letters themselves were read.`)
    const known = new Map([...index.letters].map(([itemId, summary]) => [deadLetter(itemId), summary]))
    const letters: Array<DeadLetterSummary.DeadLetterSummary> = []
    const damaged: Array<DamagedFile> = []
    let unindexed = 0
    for (const name of yield* names(repo, jobId)) {
      const path = `${deadLetters}/${name}`
      const summary = known.get(path) ?? null
      if (summary !== null) {
        letters.push(summary)
        continue
      }
      unindexed += 1
      const letter = yield* load(repo, jobId, path).pipe(
        Effect.catchTag("DamagedFile", (error) => Effect.sync(() => (damaged.push(error), null)))
      )
      // Null: damaged, or removed since the directory was read.
      if (letter !== null) letters.push(DeadLetterSummary.fromLetter(letter))
    }
    letters.sort((a, b) => a.item_index - b.item_index)
    return { letters, damaged, unindexed }
  })

  const writeIndex = Effect.fnUntraced(function* (
    repo: RepoName,
    jobId: JobId.JobId,
    letters: ReadonlyArray<DeadLetterSummary.DeadLetterSummary>
  ) {
    const path = paths(repo, jobId).deadLetterIndex
    yield* RcMap.invalidate(indexes, path)
    if (letters.length === 0) return void (yield* file.remove(path))
    yield* file.replaceLines(path, Stream.mapEffect(Stream.fromIterable(letters), DeadLetterIndex.summaryLine))
  })

  const remove = Effect.fn("DeadLetterQueue.remove")(function* (
    repo: RepoName,
    jobId: JobId.JobId,
    itemIds: ReadonlyArray<ItemId>
  ) {
    const gone = new Set(itemIds)
    if (gone.size === 0) return 0
    // First, so that the index never tells of a letter that may come again.
    const { letters } = yield* summaries(repo, jobId)
    yield* writeIndex(
      repo,
      jobId,
      letters.filter((letter) => !gone.has(letter.item_id))
    )
    const removed = yield* Effect.forEach(gone, (itemId) => file.remove(paths(repo, jobId).deadLetter(itemId)), {
      concurrency: removalsMax
    })
    return removed.filter((wasThere) => wasThere).length
  })

  const each = (repo: RepoName, jobId: JobId.JobId) =>
    Stream.fromIterableEffect(names(repo, jobId)).pipe(
      // One at a time: a letter may hold an item of megabytes.
      Stream.mapEffect((name) =>
        load(repo, jobId, `${paths(repo, jobId).deadLetters}/${name}`).pipe(
          Effect.map((letter) => Option.map(Option.fromNullable(letter), Either.right)),
          Effect.catchTag("DamagedFile", (error) => Effect.succeed(Option.some(Either.left(error)))),
          Effect.map((letter): Option.Option<Either.Either<DeadLetter, DamagedFile>> => letter)
        )
      ),
      // None: removed since the directory was read.
      Stream.filterMap((letter) => letter)
    )

  return DeadLetterQueue.of({
    put,
    get: Effect.fn("DeadLetterQueue.get")(function* (repo, jobId, itemId) {
      return yield* load(repo, jobId, paths(repo, jobId).deadLetter(itemId))
    }),
    remove,
    each,
    stream: (repo, jobId) => Stream.mapEffect(each(repo, jobId), (letter) => letter),
    summaries,
    reindex: (repo, jobId) => Effect.flatMap(summaries(repo, jobId), ({ letters }) => writeIndex(repo, jobId, letters)),
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
export const layer: Layer.Layer<DeadLetterQueue, never, AtomicFile | ProdigyHome> = Layer.scoped(DeadLetterQueue, make)

/**
 * As `layer`, over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<DeadLetterQueue, never, ProdigyHome> = Layer.provide(layer, filesInMemory)
