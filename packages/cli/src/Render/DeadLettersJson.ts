/**
 * What the commands about dead letters print with `--json`.
 *
 * @since 0.1.0
 */
import * as DeadLetter from "@prodigy/core/domain/DeadLetter"
import * as DeadLetterAnalysis from "@prodigy/core/domain/DeadLetterAnalysis"
import { JobId } from "@prodigy/core/domain/JobId"
import { SessionId } from "@prodigy/core/domain/SessionId"
import * as DeadLetters from "@prodigy/core/engine/DeadLetters"
import type { JobRef } from "@prodigy/core/engine/Inspect"
import type { DamagedFile } from "@prodigy/core/storage/AtomicFile"
import * as Schema from "effect/Schema"

const job = {
  job_id: Schema.NullOr(JobId).annotations({ description: "null: the repository has no dead letters" }),
  session_id: Schema.NullOr(SessionId)
}

const damaged = Schema.Array(Schema.String).annotations({ description: "files of letters that cannot be read" })

/**
 * `dlq list --json`, and the file that `dlq export` writes as JSON.
 *
 * @since 0.1.0
 * @category schemas
 */
export const List = Schema.parseJson(
  Schema.Struct({
    ...job,
    total: Schema.Int.annotations({ description: "that fit, before --limit" }),
    dead_letters: Schema.Array(DeadLetter.DeadLetter),
    damaged
  })
)

/**
 * `dlq inspect --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Letter = Schema.parseJson(DeadLetter.DeadLetter)

/**
 * `dlq analyze --json`, and the file that `--export` writes.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Analysis = Schema.parseJson(
  Schema.Struct({
    ...job,
    ...DeadLetterAnalysis.Analysis.fields,
    damaged,
    next: Schema.Array(Schema.String).annotations({ description: "commands to type next" })
  })
)

/**
 * `dlq stats --json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Stats = Schema.parseJson(
  Schema.Struct({ jobs: Schema.Array(DeadLetters.JobStats), total: DeadLetterAnalysis.Stats, damaged })
)

/**
 * `dlq export --json`: what was written.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Exported = Schema.parseJson(
  Schema.Struct({ ...job, file: Schema.String, format: Schema.Literal("json", "csv"), letters: Schema.Int, damaged })
)

/**
 * `dlq purge --json` and `dlq clear --json`; `dry_run`: nothing was removed.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Removal = Schema.parseJson(Schema.Struct({ dry_run: Schema.Boolean, ...DeadLetters.Removal.fields }))

/**
 * A job as these documents name it.
 *
 * @since 0.1.0
 * @category conversions
 */
export const jobOf = (ref: JobRef | null) => ({ job_id: ref?.jobId ?? null, session_id: ref?.sessionId ?? null })

/**
 * Damaged files as these documents name them.
 *
 * @since 0.1.0
 * @category conversions
 */
export const pathsOf = (files: ReadonlyArray<DamagedFile>): ReadonlyArray<string> => files.map(({ path }) => path)
