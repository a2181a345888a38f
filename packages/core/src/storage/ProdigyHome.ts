/**
 * Where everything is: the paths under the global storage directory, and who holds which repository name.
 *
 * Owns every path of the storage and the claims on repository names. No other module joins a storage path.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type { JobId } from "../domain/JobId.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import type { DamagedFile, StorageError } from "./AtomicFile.ts"

/**
 * A path from which no repository name can be taken, such as `/`.
 *
 * @since 0.1.0
 * @category errors
 */
export class RepoNameError extends Schema.TaggedError<RepoNameError>("@prodigy/core/storage/ProdigyHome/RepoNameError")(
  "RepoNameError",
  { path: Schema.String, detail: Schema.String }
) {
  override get message() {
    return `No repository name can be taken from ${this.path}: ${this.detail}`
  }
}

/**
 * The paths of one repository's part of the storage.
 *
 * @since 0.1.0
 * @category models
 */
export interface RepoPaths {
  readonly claim: string
  readonly jobs: string
  readonly job: (jobId: JobId) => JobPaths
  readonly checkpoints: string
  readonly workflowCheckpoint: (sessionId: SessionId) => string
  readonly mapping: (id: SessionId | JobId) => string
  readonly mappings: string
  readonly orphans: (jobId: JobId) => string
  readonly events: string
  readonly deadLetters: string
  readonly worktrees: string
  readonly worktree: (name: string) => string
  readonly worktreeMetadata: (name: string) => string
  readonly logs: string
}

/**
 * The paths of one job. Times in file names are `YYYYMMDD_HHMMSS`-like stamps made by the caller.
 *
 * @since 0.1.0
 * @category models
 */
export interface JobPaths {
  readonly directory: string
  readonly journal: string
  readonly jobFile: string
  readonly workItems: string
  readonly results: string
  readonly jobState: string
  readonly setupCheckpoint: string
  readonly mapCheckpoint: (stamp: string) => string
  readonly reduceCheckpoint: (stamp: string) => string
  readonly events: string
  readonly eventFile: (stamp: string) => string
  readonly deadLetters: string
  readonly deadLetter: (itemId: ItemId) => string
}

/**
 * @since 0.1.0
 * @category services
 */
export class ProdigyHome extends Context.Tag("@prodigy/core/storage/ProdigyHome")<
  ProdigyHome,
  {
    /** Absolute path of the root. Reading it makes nothing. */
    readonly root: string
    readonly sessions: string
    readonly session: (sessionId: SessionId) => string
    readonly resumeLocks: string
    readonly resumeLock: (jobId: JobId) => string
    readonly repo: (repo: RepoName) => RepoPaths

    /** The name a canonical path gives by itself, before any claim. Pure rule: the last component. */
    readonly extractRepoName: (path: string) => Effect.Effect<RepoName, RepoNameError>

    /**
     * The name that the repository at `path` (canonical path of its main worktree) holds; claims it when it holds none.
     * Two repositories never hold one name; a repository that moved takes its claim along, proved by its root commit.
     */
    readonly claimRepoName: (options: {
      readonly path: string
      readonly rootCommit: string
    }) => Effect.Effect<RepoName, RepoNameError | StorageError | DamagedFile>

    /** As `claimRepoName`, but only looks: null when the repository holds no name. Makes nothing. */
    readonly findRepoName: (options: {
      readonly path: string
      readonly rootCommit: string
    }) => Effect.Effect<RepoName | null, RepoNameError | StorageError | DamagedFile>

    /** Names of all repositories with data here. */
    readonly repoNames: Effect.Effect<ReadonlyArray<RepoName>, StorageError>
  }
>() {}
