/**
 * The way from a session to its job and back.
 *
 * Owns `mappings/{session}.json` and `mappings/{job}.json`, both with the same content. A pair of which a crash left one
 * half is completed when it is looked up.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import { Timestamp } from "../domain/Timestamp.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

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
    readonly put: (repo: RepoName, mapping: Mapping) => Effect.Effect<void, StorageError>
    readonly find: (repo: RepoName, id: SessionId | JobId) => Effect.Effect<Mapping | null, StorageError | DamagedFile>
    readonly list: (repo: RepoName) => Effect.Effect<ReadonlyArray<Mapping>, StorageError | DamagedFile>
  }
>() {}
