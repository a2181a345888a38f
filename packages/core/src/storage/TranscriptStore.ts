/**
 * Transcripts: the output of every step, streamed to a file while it runs.
 *
 * Owns the names under `logs/{repo}/{ts}/`. The files are written by the process that runs the step.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { StorageError } from "./AtomicFile.ts"

/**
 * The transcripts of one run.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunTranscripts {
  readonly directory: string
  /**
   * A path for one step's transcript: `{session}-{agent or phase}-{step}[-{attempt}].{jsonl|log}`, never given twice.
   * Its directory exists (0700) when this returns.
   */
  readonly path: (step: {
    readonly actor: string
    readonly step: string
    readonly attempt: number
    readonly kind: "agent" | "shell"
  }) => Effect.Effect<string, StorageError>
}

/**
 * @since 0.1.0
 * @category services
 */
export class TranscriptStore extends Context.Tag("@prodigy/core/storage/TranscriptStore")<
  TranscriptStore,
  {
    readonly open: (repo: RepoName, sessionId: SessionId) => Effect.Effect<RunTranscripts, StorageError>
  }
>() {}
