/**
 * Where everything is: the paths under the global storage directory, and who holds which repository name.
 *
 * Owns every path of the storage and the claims on repository names. No other module joins a storage path. Does not own
 * the directories: they are made by the first write into them.
 *
 * Crash guarantee: a name is claimed by a file that is created exclusively, so a claim is there whole or not at all, and
 * a crash during the takeover of a moved repository's claim is finished by the next run of that repository.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as Config from "effect/Config"
import type * as ConfigError from "effect/ConfigError"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Digest from "../domain/Digest.ts"
import type { JobId } from "../domain/JobId.ts"
import { RepoName } from "../domain/RepoName.ts"
import * as SafeName from "../domain/SafeName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import { AtomicFile, type DamagedFile, type StorageError } from "./AtomicFile.ts"
import * as StoredJson from "./StoredJson.ts"

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
 * There is no place for the storage: none was named, and the home directory is not known. `directory` is what stands there
 * in its place; null: nothing.
 *
 * @since 0.1.0
 * @category errors
 */
export class HomeUnknown extends Schema.TaggedError<HomeUnknown>("@prodigy/core/storage/ProdigyHome/HomeUnknown")(
  "HomeUnknown",
  { directory: Schema.NullOr(Schema.String) }
) {
  override get message() {
    const why =
      this.directory === null
        ? "the user has none."
        : `HOME is ${JSON.stringify(this.directory)}, which is no absolute path.`
    return `No home directory is known: ${why}`
  }
}

/**
 * `repository.json`: which repository a name belongs to.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RepoClaim = Schema.Struct({
  v: Schema.Literal(1),
  name: RepoName,
  path: Schema.String.annotations({ description: "canonical path of the repository's main worktree" }),
  root_commit: Schema.String.annotations({ description: "the first commit of its history; empty when it has none" }),
  claimed_at: Timestamp.Timestamp
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RepoClaim extends Schema.Schema.Type<typeof RepoClaim> {}

/**
 * The paths of one repository's part of the storage.
 *
 * @since 0.1.0
 * @category models
 */
export interface RepoPaths {
  readonly claim: string
  /** Where the takeover of a claim is decided; `digest` is that of the claim's content. */
  readonly claimTakeover: (digest: string) => string
  readonly jobs: string
  readonly job: (jobId: JobId) => JobPaths
  readonly checkpoints: string
  /** What a standard workflow's session runs. */
  readonly workflowSession: (sessionId: SessionId) => string
  readonly workflowCheckpoint: (sessionId: SessionId) => string
  /** The second copy of the same checkpoint. */
  readonly workflowCheckpointCopy: (sessionId: SessionId) => string
  readonly mapping: (id: SessionId | JobId) => string
  readonly mappings: string
  readonly orphans: (jobId: JobId) => string
  readonly orphanLists: string
  /** The processes that a session's run has started. */
  readonly processes: (sessionId: SessionId) => string
  readonly processRecords: string
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
  /** The n-th workflow that took the place of the one in the job file, from 1. */
  readonly workflowRevision: (revision: number) => string
  readonly workItems: string
  readonly results: string
  readonly jobState: string
  readonly setupCheckpoint: string
  readonly mapCheckpoint: (stamp: string) => string
  readonly reduceCheckpoint: (stamp: string) => string
  readonly events: string
  readonly eventFile: (stamp: string) => string
  /** All that is kept of its dead letters. */
  readonly queue: string
  readonly deadLetters: string
  /** What stands in the letters, in short. */
  readonly deadLetterIndex: string
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
    /** By job, or by session where there is no job. */
    readonly resumeLock: (id: JobId | SessionId) => string
    /** The short lock under which that lock changes hands. */
    readonly resumeLockGuard: (id: JobId | SessionId) => string
    readonly repo: (repo: RepoName) => RepoPaths

    /**
     * The name a canonical path gives by itself, before any claim: its last component. One that is not a `SafeName` has
     * what does not fit replaced by "-", and ends in 8 digits of its SHA-256.
     */
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

    /** The claim on a name; null when nobody holds it. */
    readonly claimOf: (repo: RepoName) => Effect.Effect<RepoClaim | null, StorageError | DamagedFile>

    /** Names of all repositories with data here. */
    readonly repoNames: Effect.Effect<ReadonlyArray<RepoName>, StorageError>
  }
>() {}

/**
 * The storage at `root`, an absolute path.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: {
  readonly root: string
}): Layer.Layer<ProdigyHome, never, AtomicFile | FileSystem.FileSystem> =>
  Layer.effect(
    ProdigyHome,
    Effect.flatMap(FileSystem.FileSystem, (fs) =>
      make({
        root: options.root,
        // A path that we cannot look at may still be there: its claim stands.
        exists: (path) => Effect.orElseSucceed(fs.exists(path), () => true)
      })
    )
  )

/**
 * The storage at `PRODIGY_HOME`, if that is set and not empty, else at `.prodigy` in the home directory: `HOME`, or what
 * the system says when that is not set. A home directory that is not absolute is none: the storage would be another one
 * in every directory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerConfig = (options: {
  /** What the system says; null: it knows none. */
  readonly homeDirectory: () => string | null
}): Layer.Layer<ProdigyHome, HomeUnknown | ConfigError.ConfigError, AtomicFile | FileSystem.FileSystem | Path.Path> =>
  Layer.unwrapEffect(
    Effect.gen(function* () {
      const path = yield* Path.Path
      const configured = yield* Config.withDefault(Config.string("PRODIGY_HOME"), "")
      if (configured !== "") return layer({ root: path.resolve(configured) })
      const directory = (yield* Config.withDefault(Config.string("HOME"), null)) ?? options.homeDirectory()
      if (directory === null || !path.isAbsolute(directory)) return yield* new HomeUnknown({ directory })
      return layer({ root: path.join(directory, ".prodigy") })
    })
  )

/**
 * The storage at `/prodigy` of an `AtomicFile` in memory. Every repository path counts as existing, except those that
 * `gone` names.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemoryWith = (options: {
  readonly gone: (path: string) => boolean
}): Layer.Layer<ProdigyHome, never, AtomicFile> =>
  Layer.effect(
    ProdigyHome,
    Effect.suspend(() => make({ root: "/prodigy", exists: (path) => Effect.sync(() => !options.gone(path)) }))
  )

/**
 * As `layerMemoryWith`, with every repository path existing.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<ProdigyHome, never, AtomicFile> = layerMemoryWith({ gone: () => false })

// -----------------------------------------------------------------------------
// paths
// -----------------------------------------------------------------------------

const repoPaths = (root: string, repo: RepoName): RepoPaths => {
  const state = `${root}/state/${repo}`
  const worktrees = `${root}/worktrees/${repo}`
  return {
    claim: `${state}/repository.json`,
    claimTakeover: (digest) => `${state}/.repository.${digest}.takeover`,
    jobs: `${state}/mapreduce/jobs`,
    job: (jobId) => jobPaths(root, repo, jobId),
    checkpoints: `${state}/checkpoints`,
    workflowSession: (sessionId) => `${state}/checkpoints/${sessionId}.workflow.json`,
    workflowCheckpoint: (sessionId) => `${state}/checkpoints/${sessionId}.checkpoint.json`,
    workflowCheckpointCopy: (sessionId) => `${state}/checkpoints/${sessionId}.checkpoint.copy.json`,
    mapping: (id) => `${state}/mappings/${id}.json`,
    mappings: `${state}/mappings`,
    orphans: (jobId) => `${state}/orphaned_worktrees/${jobId}.json`,
    orphanLists: `${state}/orphaned_worktrees`,
    processes: (sessionId) => `${state}/processes/${sessionId}.jsonl`,
    processRecords: `${state}/processes`,
    events: `${root}/events/${repo}`,
    worktrees,
    worktree: (name) => `${worktrees}/${name}`,
    worktreeMetadata: (name) => `${worktrees}/.metadata/${name}.json`,
    deadLetters: `${root}/dlq/${repo}`,
    logs: `${root}/logs/${repo}`
  }
}

const jobPaths = (root: string, repo: RepoName, jobId: JobId): JobPaths => {
  const directory = `${root}/state/${repo}/mapreduce/jobs/${jobId}`
  const events = `${root}/events/${repo}/${jobId}`
  const queue = `${root}/dlq/${repo}/${jobId}`
  const deadLetters = `${queue}/items`
  return {
    directory,
    journal: `${directory}/journal.jsonl`,
    jobFile: `${directory}/job.json`,
    workflowRevision: (revision) => `${directory}/workflow-${revision}.json`,
    workItems: `${directory}/work-items.jsonl`,
    results: `${directory}/results.jsonl`,
    jobState: `${directory}/job-state.json`,
    setupCheckpoint: `${directory}/setup-checkpoint.json`,
    mapCheckpoint: (stamp) => `${directory}/map-checkpoint-${stamp}.json`,
    reduceCheckpoint: (stamp) => `${directory}/reduce-checkpoint-v1-${stamp}.json`,
    events,
    eventFile: (stamp) => `${events}/events-${stamp}.jsonl`,
    queue,
    deadLetters,
    deadLetterIndex: `${deadLetters.slice(0, deadLetters.lastIndexOf("/"))}/index.jsonl`,
    deadLetter: (itemId) => `${deadLetters}/${SafeName.encode(itemId, Digest.sha256)}.json`
  }
}

// -----------------------------------------------------------------------------
// repository names
// -----------------------------------------------------------------------------

const extractRepoName = (path: string): Effect.Effect<RepoName, RepoNameError> => {
  const component = /([^/]+)\/*$/.exec(path)?.[1]
  if (component === undefined) return new RepoNameError({ path, detail: "it has no last component." })
  if (component === "." || component === "..") return new RepoNameError({ path, detail: "it is not canonical." })
  if (SafeName.isSafe(component)) return Effect.succeed(RepoName.make(component))
  const slug = component.replaceAll(/[^A-Za-z0-9._-]+/g, "-").replace(/^[.-]+/, "")
  return Effect.succeed(withDigest(slug === "" ? "repository" : slug, component, 8))
}

/** `{name}-{digits of the text's SHA-256}`, the name cut where the whole would be too long. */
const withDigest = (name: string, text: string, digits: number): RepoName =>
  RepoName.make(`${name.slice(0, SafeName.bytesMax - digits - 1)}-${Digest.sha256(text).slice(0, digits)}`)

/** The names a repository may hold, best first. More digits only matter if two paths agree in the first eight. */
const candidates = (name: RepoName, path: string): ReadonlyArray<RepoName> => [
  name,
  ...[8, 16, 64].map((digits) => withDigest(name, path, digits))
]

const make = (options: {
  readonly root: string
  readonly exists: (path: string) => Effect.Effect<boolean>
}): Effect.Effect<Context.Tag.Service<typeof ProdigyHome>, never, AtomicFile> =>
  Effect.map(AtomicFile, (files) => {
    const { root } = options
    const repo = (name: RepoName) => repoPaths(root, name)
    const repoNames = Effect.map(
      Effect.all([files.list(`${root}/state`), files.list(`${root}/events`)]),
      ([state, events]) => [...new Set([...state, ...events])].filter(isRepoName).toSorted()
    )
    const claims = makeClaims({ files, exists: options.exists, repo, names: repoNames })
    return {
      root,
      sessions: `${root}/sessions`,
      session: (sessionId) => `${root}/sessions/${sessionId}.json`,
      resumeLocks: `${root}/resume_locks`,
      resumeLock: (jobId) => `${root}/resume_locks/${jobId}.lock`,
      resumeLockGuard: (jobId) => `${root}/resume_locks/.${jobId}.guard`,
      repo,
      extractRepoName,
      claimRepoName: claims.claim,
      findRepoName: (repository) => Effect.map(claims.find(repository), (found) => found?.claim.name ?? null),
      claimOf: claims.of,
      repoNames
    }
  })

const isRepoName = Schema.is(RepoName)

interface Repository {
  readonly path: string
  readonly rootCommit: string
}

const claimCodec = StoredJson.sealed(RepoClaim, "a repository claim of version 1")
const toText = (claim: RepoClaim) => Effect.map(claimCodec.encode(claim), (line) => `${line}\n`)

const makeClaims = (world: {
  readonly files: Context.Tag.Service<typeof AtomicFile>
  readonly exists: (path: string) => Effect.Effect<boolean>
  readonly repo: (name: RepoName) => RepoPaths
  readonly names: Effect.Effect<ReadonlyArray<RepoName>, StorageError>
}) => {
  const { files, repo } = world

  const readClaim = Effect.fnUntraced(function* (file: string) {
    const text = yield* files.read(file)
    if (text === null) return null
    return { text, claim: yield* claimCodec.decode(text, { path: file, line: 0 }) }
  })

  /**
   * The claim that is this repository's: one with its path, else one of the same folder name whose path is gone and
   * whose history began with the same commit.
   */
  const find = Effect.fnUntraced(function* (repository: Repository) {
    const name = yield* extractRepoName(repository.path)
    for (const candidate of candidates(name, repository.path)) {
      const found = yield* readClaim(repo(candidate).claim)
      if (found?.claim.path === repository.path) return { ...found, moved: false }
    }
    if (repository.rootCommit === "") return null
    for (const other of yield* world.names) {
      if (other !== name && !(other.startsWith(`${name}-`) && /-[0-9a-f]{8,64}$/.test(other))) continue
      const found = yield* readClaim(repo(other).claim)
      if (found?.claim.root_commit !== repository.rootCommit) continue
      const sameFolder = (yield* extractRepoName(found.claim.path)) === name
      if (sameFolder && !(yield* world.exists(found.claim.path))) return { ...found, moved: true }
    }
    return null
  })

  /**
   * Gives the claim of a repository that moved its new path. The file named after the old claim's content decides: of
   * two copies of that repository, the one that creates it has the claim. It is left behind by a crash only, and then
   * the same repository goes on from it. False when somebody else was first.
   */
  const takeOver = Effect.fnUntraced(function* (
    old: { readonly text: string; readonly claim: RepoClaim },
    next: RepoClaim
  ) {
    const paths = repo(old.claim.name)
    const guard = paths.claimTakeover(Digest.sha256(old.text).slice(0, 32))
    const text = yield* toText(next)
    const mine = yield* files.createExclusively(guard, text)
    if (!mine && (yield* readClaim(guard))?.claim.path !== next.path) return false
    // Whoever held the guard before us may have finished: then the claim is not the one we judged.
    const unchanged = (yield* files.read(paths.claim)) === old.text
    if (unchanged) yield* files.replace(paths.claim, text)
    yield* files.remove(guard)
    return unchanged
  })

  const claim = Effect.fnUntraced(function* (repository: Repository) {
    const name = yield* extractRepoName(repository.path)
    const claimed_at = yield* Timestamp.now
    const claimOf = (held: RepoName): RepoClaim => ({
      v: 1,
      name: held,
      path: repository.path,
      root_commit: repository.rootCommit,
      claimed_at
    })
    const found = yield* find(repository)
    if (found !== null && !found.moved) return found.claim.name
    if (found !== null) {
      if (yield* takeOver(found, claimOf(found.claim.name))) return found.claim.name
      const now = yield* find(repository)
      if (now !== null && !now.moved) return now.claim.name
    }
    for (const candidate of candidates(name, repository.path)) {
      const file = repo(candidate).claim
      if (yield* files.createExclusively(file, yield* toText(claimOf(candidate)))) return candidate
      // Perhaps by another process of the same repository, since we looked.
      if ((yield* readClaim(file))?.claim.path === repository.path) return candidate
    }
    return yield* new RepoNameError({ path: repository.path, detail: "every name it could have is taken." })
  })

  const of = (name: RepoName) => Effect.map(readClaim(repo(name).claim), (found) => found?.claim ?? null)

  return { find, claim, of }
}
