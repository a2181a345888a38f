/**
 * What the reduce phase sees of the map phase: `map.*`.
 *
 * Owns the way from journal and state to results; they are written to a file line by line, whatever their number.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import * as HashMap from "effect/HashMap"
import * as Option from "effect/Option"
import * as Stream from "effect/Stream"
import type { JobId } from "../domain/JobId.ts"
import type { JournalEntry } from "../domain/JobRecord.ts"
import type { JobState } from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { Json } from "../domain/WorkItem.ts"
import { type ItemResult, JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"

/**
 * The result that an entry gives for good, if any: one per ended item over a whole journal.
 *
 * @since 0.1.0
 * @category projections
 */
export const fromEntry = (entry: JournalEntry, state: JobState): Option.Option<ItemResult> => {
  const { record } = entry
  if (record.type !== "item_completed" && record.type !== "item_failed") return Option.none()
  const item = Option.getOrUndefined(HashMap.get(state.items, record.index))
  if (item === undefined || item.attempt !== record.attempt) return Option.none()
  const shared = {
    item_id: record.item_id,
    item_index: record.index,
    agent_id: record.agent_id,
    duration_ms: record.duration_ms
  }
  if (record.type === "item_failed") {
    const status = record.disposition === "skip" ? ("skipped" as const) : ("failed" as const)
    return Option.some({ ...shared, status, commits: 0, output: null, error: record.failure.message })
  }
  return item.is === "merged"
    ? Option.some({ ...shared, status: "success", commits: record.commits, output: record.result, error: null })
    : Option.none()
}

/**
 * Writes the results file of a job whose map phase is over; gives the variables `map.*`, without `map.results`.
 *
 * @since 0.1.0
 * @category projections
 */
export const write = Effect.fn("MapResults.write")(function* (repo: RepoName, jobId: JobId, state: JobState) {
  const journal = yield* Journal
  const store = yield* JobStore
  let total = 0
  const results = journal.read(repo, jobId, 0).pipe(
    Stream.filterMap((entry) => fromEntry(entry, state)),
    Stream.tap((result) => Effect.sync(() => void (total += result.duration_ms)))
  )
  const file = yield* store.saveResults(repo, jobId, results)
  const { dead_lettered, merged, skipped } = state.counts
  const ended = merged + dead_lettered + skipped
  return {
    successful: merged,
    failed: dead_lettered,
    skipped,
    total: state.total ?? 0,
    success_count: merged,
    failure_count: dead_lettered,
    total_duration_secs: total / 1000,
    average_duration_secs: ended === 0 ? 0 : total / 1000 / ended,
    results_file: file
  } satisfies Readonly<Record<string, Json>>
})

/**
 * The results as a value, for steps that name `map.results`.
 *
 * @since 0.1.0
 * @category projections
 */
export const load = Effect.fn("MapResults.load")(function* (repo: RepoName, jobId: JobId, state: JobState) {
  const journal = yield* Journal
  const results = yield* Stream.runCollect(
    Stream.filterMap(journal.read(repo, jobId, 0), (entry) => fromEntry(entry, state))
  )
  return Array.from(results, (result): Json => ({ ...result }))
})
