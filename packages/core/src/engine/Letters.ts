/**
 * Follows a job's journal into its dead letters.
 *
 * Owns which entry changes which letter, and how. Does not own how letters are stored (`DeadLetterQueue`).
 *
 * Crash guarantee: letters can be made again from the journal. Every change may be made twice, in the order of the
 * entries; the last one stands. A letter that somebody removed after its entries were followed stays removed.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as DeadLetter from "../domain/DeadLetter.ts"
import * as ErrorSignature from "../domain/ErrorSignature.ts"
import type { JobId } from "../domain/JobId.ts"
import type { JobRecordOf, JournalEntry } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { ItemId, type WorkItem } from "../domain/WorkItem.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import type { DeadLetterQueue } from "../storage/DeadLetterQueue.ts"

/**
 * @since 0.1.0
 * @category models
 */
export interface Letters {
  /**
   * Changes what an entry changes. Gives the item whose letter is resolved by it. Entries must come in order, from the
   * first.
   */
  readonly follow: (entry: JournalEntry) => Effect.Effect<ItemId | undefined, StorageError | DamagedFile>
  /** Remembers an entry whose changes were made: what comes after may need it. */
  readonly remember: (entry: JournalEntry) => Effect.Effect<void, StorageError | DamagedFile>
}

/**
 * The letters of one job. `items` are its items; an item that is not among them has no data.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: {
  readonly queue: Pick<DeadLetterQueue["Type"], "get" | "put">
  readonly repo: RepoName
  readonly jobId: JobId
  readonly items: { readonly current: ReadonlyArray<WorkItem> }
}): Letters => {
  const { items, jobId, queue, repo } = options
  /** Failures of items that are tried again: the beginning of a dead letter's history, if it comes to one. */
  const trails = new Map<number, ReadonlyArray<Trail>>()
  /** Items that are tried again although they have a dead letter. */
  const lettered = new Map<number, ItemId>()
  /** The attempts that these are at. */
  const attempts = new Map<number, JobRecordOf<"item_started">>()

  const change = Effect.fnUntraced(function* (
    itemId: ItemId,
    after: (letter: DeadLetter.DeadLetter | undefined) => DeadLetter.DeadLetter | undefined
  ) {
    const before = (yield* queue.get(repo, jobId, itemId)) ?? undefined
    const changed = after(before)
    if (changed !== undefined && changed !== before) yield* queue.put(repo, jobId, changed)
  })

  const changeKnown = (itemId: ItemId, after: (letter: DeadLetter.DeadLetter) => DeadLetter.DeadLetter) =>
    change(itemId, (letter) => (letter === undefined ? undefined : after(letter)))

  const failed = (record: JobRecordOf<"item_failed">, trail: ReadonlyArray<Trail>, hasLetter: boolean) => {
    const item = { index: record.index, id: record.item_id, data: items.current[record.index]?.data ?? null }
    const appended = (letter: DeadLetter.DeadLetter | undefined) =>
      trail.reduce<DeadLetter.DeadLetter | undefined>(
        (letter, { failed, kept, signature }) => DeadLetter.append(letter, item, failed, signature, kept),
        letter
      )
    // It ends the retry, also where the letter knows of this failure and was made to be tried again once more.
    if (record.disposition === "dead_letter")
      return change(record.item_id, (letter) => {
        const after = appended(letter)
        return after === undefined ? undefined : DeadLetter.givenBack(after)
      })
    // Skipped at last: nobody tries it again, and what happened is in its letter all the same.
    return hasLetter
      ? changeKnown(record.item_id, (letter) => DeadLetter.closed(appended(letter) ?? letter))
      : Effect.void
  }

  const step = Effect.fnUntraced(function* (entry: JournalEntry, writes: boolean) {
    const { at, record } = entry
    switch (record.type) {
      case "item_failed": {
        if (record.disposition === "put_back") return
        const trail = [...(trails.get(record.index) ?? []), trailOf(at, record)]
        if (record.disposition === "retry") return void trails.set(record.index, trail)
        const hasLetter = lettered.has(record.index)
        trails.delete(record.index)
        lettered.delete(record.index)
        attempts.delete(record.index)
        if (writes) yield* failed(record, trail, hasLetter)
        return
      }
      case "items_requeued":
        for (const index of record.indexes) {
          const itemId = items.current[index]?.id ?? ItemId.make(`item_${index}`)
          lettered.set(index, itemId)
          if (writes) yield* changeKnown(itemId, (letter) => DeadLetter.retrying(letter, at))
        }
        return
      case "item_started":
        if (lettered.has(record.index)) attempts.set(record.index, record)
        return
      case "item_completed":
        if (record.tip !== null) return
        return yield* resolve(record.index, at, writes)
      case "item_merged":
        return yield* resolve(record.index, at, writes)
      case "job_cancelled":
        if (writes) yield* Effect.forEach(lettered.values(), (itemId) => changeKnown(itemId, DeadLetter.givenBack))
        lettered.clear()
        return
    }
  })

  const resolve = Effect.fnUntraced(function* (index: number, at: string, writes: boolean) {
    trails.delete(index)
    const itemId = lettered.get(index)
    const started = attempts.get(index)
    if (itemId === undefined || started === undefined) return
    lettered.delete(index)
    attempts.delete(index)
    if (!writes) return
    const by = { agent_id: started.agent_id, attempt_number: started.attempt }
    yield* changeKnown(itemId, (letter) => DeadLetter.resolved(letter, at, by))
    return itemId
  })

  return {
    follow: (entry) => step(entry, true),
    remember: (entry) => Effect.asVoid(step(entry, false))
  }
}

/** A failure, as a dead letter tells it. */
interface Trail {
  readonly failed: DeadLetter.FailedAttempt
  readonly kept: DeadLetter.Kept
  readonly signature: string
}

const trailOf = (at: string, record: JobRecordOf<"item_failed">): Trail => ({
  failed: DeadLetter.attempt({
    failure: record.failure,
    agentId: record.agent_id,
    attempt: record.attempt,
    at,
    durationMillis: record.duration_ms
  }),
  kept: record.kept,
  signature: ErrorSignature.fromFailure(record.failure)
})
