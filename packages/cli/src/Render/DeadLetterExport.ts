/**
 * Dead letters as files: one JSON document, or a table for spreadsheets. In pieces, one letter in memory at a time.
 *
 * @since 0.1.0
 */
import * as Csv from "@prodigy/core/domain/Csv"
import * as DeadLetter from "@prodigy/core/domain/DeadLetter"
import type { JobRef } from "@prodigy/core/engine/Inspect"
import type { DamagedFile } from "@prodigy/core/storage/AtomicFile"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import { jobOf, pathsOf } from "./DeadLettersJson.ts"

/**
 * The document that `dlq list --all --json` prints, a letter a line. `damaged` is asked behind the last one.
 *
 * @since 0.1.0
 * @category rendering
 */
export const json = <E>(options: {
  readonly job: JobRef | null
  readonly total: number
  readonly letters: Stream.Stream<DeadLetter.DeadLetter, E>
  readonly damaged: Effect.Effect<ReadonlyArray<DamagedFile>>
}): Stream.Stream<string, E> => {
  const head = JSON.stringify({ ...jobOf(options.job), total: options.total })
  const texts = Stream.mapEffect(options.letters, (letter) => Effect.orDie(encode(letter)))
  return Stream.make(`${head.slice(0, -1)},"dead_letters":[\n`).pipe(
    // The comma goes before each but the first: which one is the last is not known.
    Stream.concat(Stream.map(Stream.zipWithIndex(texts), ([text, index]) => `${index === 0 ? "" : ","}${text}\n`)),
    Stream.concat(
      Stream.fromEffect(Effect.map(options.damaged, (files) => `],"damaged":${JSON.stringify(pathsOf(files))}}\n`))
    )
  )
}

/**
 * A line for each letter under a line of headings; the history is that of the last attempt.
 *
 * @since 0.1.0
 * @category rendering
 */
export const csv = <E>(options: {
  readonly job: JobRef | null
  readonly letters: Stream.Stream<DeadLetter.DeadLetter, E>
}): Stream.Stream<string, E> =>
  Stream.concat(
    Stream.make(Csv.record(columns.map(([heading]) => heading))),
    Stream.map(options.letters, (letter) => {
      const last = letter.failure_history.at(-1) ?? letter.failure_history[0]
      return Csv.record(columns.map(([, cell]) => cell(letter, last, options.job)))
    })
  )

const columns: ReadonlyArray<
  readonly [
    heading: string,
    cell: (letter: DeadLetter.DeadLetter, last: DeadLetter.FailedAttempt, job: JobRef | null) => Csv.Cell
  ]
> = [
  ["job_id", (_, __, job) => job?.jobId],
  ["item_id", ({ item_id }) => item_id],
  ["item_index", ({ item_index }) => item_index],
  ["status", ({ status }) => status],
  ["failure_count", ({ failure_count }) => failure_count],
  ["first_attempt", ({ first_attempt }) => first_attempt],
  ["last_attempt", ({ last_attempt }) => last_attempt],
  ["resolved_at", ({ resolved_at }) => resolved_at],
  ["error_type", (_, { error_type }) => error_type],
  ["exit_code", (_, { exit_code }) => exit_code],
  ["step_failed", (_, { step_failed }) => step_failed],
  ["error_message", (_, { error_message }) => error_message],
  ["error_signature", ({ error_signature }) => error_signature],
  ["reprocess_eligible", ({ reprocess_eligible }) => reprocess_eligible],
  ["manual_review_required", ({ manual_review_required }) => manual_review_required],
  ["agent_id", (_, { agent_id }) => agent_id],
  ["branch_name", ({ worktree_artifacts }) => worktree_artifacts.branch_name],
  ["tip", ({ worktree_artifacts }) => worktree_artifacts.tip],
  ["uncommitted_changes", ({ worktree_artifacts }) => worktree_artifacts.uncommitted_changes],
  ["json_log_location", (_, { json_log_location }) => json_log_location],
  ["item_data", ({ item_data }) => JSON.stringify(item_data)]
]

const encode = Schema.encode(Schema.parseJson(DeadLetter.DeadLetter))
