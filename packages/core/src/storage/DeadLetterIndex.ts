/**
 * The index of a job's dead letters: a line for each, so that ten thousand of them can be counted without being read.
 *
 * Owns `dlq/{repo}/{job}/index.jsonl`: its lines and what they mean together. Does not own the letters, which are the truth:
 * what the index does not say, or says it does not know, is read from them; without an index all of it is.
 *
 * Crash guarantee: a line never says of a letter what that letter does not say. Before a letter is replaced a line says,
 * durably, that it is changing; the line with its new content comes after the letter. Of a letter that is new there is no
 * line until then. So a crash between any two of these leaves letters that have to be read, and no wrong lines. An index
 * that is damaged is not believed in any line.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { DeadLetter } from "../domain/DeadLetter.ts"
import * as DeadLetterSummary from "../domain/DeadLetterSummary.ts"
import { ItemId } from "../domain/WorkItem.ts"
import type { AtomicFile, DamagedFile, StorageError } from "./AtomicFile.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * A line: what a letter says, or (`summary` null) that it is changing.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Line = Schema.Struct({
  v: Schema.Literal(1),
  item_id: ItemId,
  summary: Schema.NullOr(DeadLetterSummary.DeadLetterSummary.omit("item_id"))
})

/**
 * What an index says: of each item the summary of its letter, or null where the letter has to be read.
 *
 * @since 0.1.0
 * @category models
 */
export interface Content {
  readonly letters: ReadonlyMap<ItemId, DeadLetterSummary.DeadLetterSummary | null>
  /** Lines of the file. */
  readonly lines: number
  /** Why nothing of it is believed; null: it is whole. */
  readonly damage: DamagedFile | null
}

const line = StoredJson.sealed(Line, "a line of an index of dead letters")

/**
 * The line of a letter.
 *
 * @since 0.1.0
 * @category encoding
 */
export const lineOf = (letter: DeadLetter): Effect.Effect<string> => summaryLine(DeadLetterSummary.fromLetter(letter))

/**
 * @since 0.1.0
 * @category encoding
 */
export const summaryLine = ({ item_id, ...summary }: DeadLetterSummary.DeadLetterSummary): Effect.Effect<string> =>
  line.encode({ v: 1, item_id, summary })

/**
 * The line that comes before a letter is replaced.
 *
 * @since 0.1.0
 * @category encoding
 */
export const changingLine = (item_id: ItemId): Effect.Effect<string> => line.encode({ v: 1, item_id, summary: null })

/**
 * Reads an index; none is an empty one.
 *
 * @since 0.1.0
 * @category decoding
 */
export const read = (file: AtomicFile["Type"], path: string): Effect.Effect<Content, StorageError> =>
  Effect.suspend(() => {
    const letters = new Map<ItemId, DeadLetterSummary.DeadLetterSummary | null>()
    let lines = 0
    const take = (texts: Iterable<string>): Either.Either<void, DamagedFile> => {
      for (const text of texts) {
        const decoded = line.decodeNow(text, { path, line: ++lines })
        if (Either.isLeft(decoded)) return Either.left(decoded.left)
        const { item_id, summary } = decoded.right
        letters.set(item_id, summary === null ? null : { item_id, ...summary })
      }
      return Either.void
    }
    return Stream.runForEachChunk(file.streamLines(path), (texts) => Effect.suspend(() => take(texts))).pipe(
      Effect.as({ letters, damage: null }),
      Effect.catchTag("DamagedFile", (damage) => Effect.succeed({ letters: new Map(), damage })),
      Effect.map((content): Content => ({ ...content, lines }))
    )
  })
