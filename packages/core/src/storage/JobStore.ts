/**
 * What is written once for a job: its claim, its plan, its items; and the summary that listings read.
 *
 * Owns `job.json`, `workflow-{n}.json`, `work-items.jsonl`, `results.jsonl` and `job-state.json`. The journal is
 * `Journal`'s. `job.json` is never written again: a workflow that a resume took in place of it is a file of its own.
 *
 * Crash guarantee: each file is there whole or not at all. A job whose claim is there and whose `job.json` is not was
 * never started: it is not listed, and its id is not given away again.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import * as JobIds from "../domain/JobId.ts"
import * as JobState from "../domain/JobState.ts"
import { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import { Timestamp } from "../domain/Timestamp.ts"
import { ItemId, Json, WorkItem } from "../domain/WorkItem.ts"
import { Workflow } from "../workflow/Workflow.ts"
import { AtomicFile, DamagedFile, layerMemory as filesInMemory, type StorageError } from "./AtomicFile.ts"
import { ProdigyHome } from "./ProdigyHome.ts"
import * as JsonDocument from "./JsonDocument.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * `job.json`: the workflow as it was, and what the run was asked to do.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobFile = Schema.Struct({
  v: Schema.Literal(1),
  job_id: JobIds.JobId,
  session_id: SessionId,
  created_at: Timestamp,
  repository: Schema.Struct({ name: RepoName, path: Schema.String, checkout: Schema.String }),
  base_commit: Schema.String,
  target_branch: Schema.NullOr(Schema.String),
  workflow: Workflow,
  workflow_source: Schema.Struct({
    path: Schema.String,
    file: Schema.optional(Schema.String).annotations({ description: "its absolute path, where there is a file" }),
    text: Schema.String,
    sha256: Schema.String
  }),
  options: Schema.Struct({
    max_parallel: Schema.Int,
    approve: Schema.Literal("yes", "ask", "not_asked").annotations({ description: "how the final merge is approved" }),
    parameters: Schema.Record({ key: Schema.String, value: Schema.String })
  })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface JobFile extends Schema.Schema.Type<typeof JobFile> {}

/**
 * `workflow-{n}.json`: a workflow that a resume took in place of the one before.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Revision = Schema.Struct({
  v: Schema.Literal(1),
  job_id: JobIds.JobId,
  revision: Schema.Int.pipe(Schema.positive()),
  adopted_at: Timestamp,
  seq: Schema.NonNegativeInt.annotations({ description: "records in the journal by then; those after are its work" }),
  workflow: Workflow,
  workflow_source: JobFile.fields.workflow_source,
  max_parallel: Schema.Int
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Revision extends Schema.Schema.Type<typeof Revision> {}

/**
 * `job-state.json`: a small summary. Nothing is decided by it; a journal that has fewer records than its `seq` has lost
 * some.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobSummary = Schema.Struct({
  v: Schema.Literal(1),
  job_id: JobIds.JobId,
  session_id: SessionId,
  seq: Schema.NonNegativeInt.annotations({ description: "journal records it stands for: the journal has that many" }),
  phase: Schema.String,
  status: Schema.String,
  total: Schema.NullOr(Schema.Int),
  counts: JobState.Counts,
  started_at: Timestamp,
  updated_at: Timestamp
})

/**
 * @since 0.1.0
 * @category models
 */
export interface JobSummary extends Schema.Schema.Type<typeof JobSummary> {}

/**
 * One line of `results.jsonl`: an item as the reduce phase sees it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const ItemResult = Schema.Struct({
  item_id: ItemId,
  item_index: Schema.Int,
  status: Schema.Literal("success", "failed", "skipped"),
  agent_id: Schema.String,
  commits: Schema.Int,
  duration_ms: Schema.JsonNumber,
  output: Json,
  error: Schema.NullOr(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface ItemResult extends Schema.Schema.Type<typeof ItemResult> {}

/**
 * A worktree whose removal failed, in `orphaned_worktrees/{job}.json`.
 *
 * @since 0.1.0
 * @category schemas
 */
export const OrphanedWorktree = Schema.Struct({
  path: Schema.String,
  agent_id: Schema.NullOr(Schema.String),
  item_id: Schema.NullOr(Schema.String),
  error: Schema.String,
  timestamp: Timestamp
})

/**
 * @since 0.1.0
 * @category models
 */
export interface OrphanedWorktree extends Schema.Schema.Type<typeof OrphanedWorktree> {}

/**
 * No job of that id is stored for the repository.
 *
 * @since 0.1.0
 * @category errors
 */
export class JobNotFound extends Schema.TaggedError<JobNotFound>("@prodigy/core/storage/JobStore/JobNotFound")(
  "JobNotFound",
  { repo: RepoName, job_id: JobIds.JobId }
) {
  override get message() {
    return `There is no job ${this.job_id} of repository ${this.repo}.`
  }
}

/**
 * @since 0.1.0
 * @category services
 */
export class JobStore extends Context.Tag("@prodigy/core/storage/JobStore")<
  JobStore,
  {
    /**
     * Claims a job id for now's second (`_2`, `_3`, … on a clash): no other process ever gets the same one.
     *
     * Ids are unique in the whole storage, not only among a repository's jobs, because sessions and locks are not kept by
     * repository. So `reserve` is asked first; it must answer true for an id once and never again, as creating the
     * session of that id does.
     */
    readonly claim: <E>(
      repo: RepoName,
      reserve: (jobId: JobIds.JobId) => Effect.Effect<boolean, E>
    ) => Effect.Effect<JobIds.JobId, StorageError | E>
    readonly save: (file: JobFile) => Effect.Effect<void, StorageError>
    /**
     * Takes a workflow in place of the job's, durably: `load` gives the job with it from now on. Gives its number. The
     * caller holds the job's lock.
     */
    readonly revise: (repo: RepoName, revision: Omit<Revision, "v" | "revision">) => Effect.Effect<number, StorageError>
    /** The job as it is to be gone on with: with its newest workflow. */
    readonly load: (
      repo: RepoName,
      jobId: JobIds.JobId
    ) => Effect.Effect<JobFile, JobNotFound | StorageError | DamagedFile>
    /** Ids of the repository's jobs that have a `job.json`, oldest first. */
    readonly list: (repo: RepoName) => Effect.Effect<ReadonlyArray<JobIds.JobId>, StorageError>

    readonly saveItems: (
      repo: RepoName,
      jobId: JobIds.JobId,
      items: ReadonlyArray<WorkItem>
    ) => Effect.Effect<void, StorageError>
    /** The job's items; null when they were not selected yet. */
    readonly loadItems: (
      repo: RepoName,
      jobId: JobIds.JobId
    ) => Effect.Effect<ReadonlyArray<WorkItem> | null, StorageError | DamagedFile>

    /** Writes the results file as they come (constant memory) and gives its path. */
    readonly saveResults: (
      repo: RepoName,
      jobId: JobIds.JobId,
      results: Stream.Stream<ItemResult, StorageError | DamagedFile>
    ) => Effect.Effect<string, StorageError | DamagedFile>

    /** Replaces the list of worktrees that could not be removed; an empty list removes the file. */
    readonly saveOrphans: (
      repo: RepoName,
      jobId: JobIds.JobId,
      orphans: ReadonlyArray<OrphanedWorktree>
    ) => Effect.Effect<void, StorageError>
    /** The job's worktrees that could not be removed. */
    readonly loadOrphans: (
      repo: RepoName,
      jobId: JobIds.JobId
    ) => Effect.Effect<ReadonlyArray<OrphanedWorktree>, StorageError | DamagedFile>

    readonly saveSummary: (repo: RepoName, summary: JobSummary) => Effect.Effect<void, StorageError>
    readonly loadSummary: (
      repo: RepoName,
      jobId: JobIds.JobId
    ) => Effect.Effect<JobSummary | null, StorageError | DamagedFile>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const files = yield* AtomicFile
  const home = yield* ProdigyHome
  const paths = (repo: RepoName, jobId: JobIds.JobId) => home.repo(repo).job(jobId)

  const claimed = <E>(
    repo: RepoName,
    jobId: JobIds.JobId,
    reserve: (jobId: JobIds.JobId) => Effect.Effect<boolean, E>
  ) =>
    Effect.gen(function* () {
      // An id of this repository that is taken is found before anything is reserved for nothing.
      if ((yield* files.list(home.repo(repo).jobs)).includes(jobId)) return false
      return (yield* reserve(jobId)) && (yield* files.claimDirectory(paths(repo, jobId).directory))
    })

  /** 0: the workflow is that of the job file. */
  const newestRevision = (repo: RepoName, jobId: JobIds.JobId) =>
    Effect.map(files.list(paths(repo, jobId).directory), (names) =>
      Math.max(0, ...names.map((name) => Number(/^workflow-(\d{1,9})\.json$/.exec(name)?.[1] ?? 0)))
    )

  const loadAs = <A>(path: string, codec: StoredJson.Codec<A>) =>
    Effect.flatMap(files.read(path), (text) =>
      text === null ? Effect.succeed(null) : codec.decode(text, { path, line: 0 })
    )

  return JobStore.of({
    claim: Effect.fn("JobStore.claim")(function* (repo, reserve) {
      const epochMillis = yield* Clock.currentTimeMillis
      for (let clash = 1; ; clash++) {
        const jobId = JobIds.fromTime(epochMillis, clash)
        if (yield* claimed(repo, jobId, reserve)) return jobId
      }
    }),

    save: Effect.fn("JobStore.save")(function* (file) {
      const path = paths(file.repository.name, file.job_id).jobFile
      yield* files.replace(path, `${yield* jobFile.encode(file)}\n`)
    }),

    revise: Effect.fn("JobStore.revise")(function* (repo, revision) {
      const job = paths(repo, revision.job_id)
      const number = (yield* newestRevision(repo, revision.job_id)) + 1
      yield* files.replace(
        job.workflowRevision(number),
        `${yield* revisionFile.encode({ v: 1, ...revision, revision: number })}\n`
      )
      return number
    }),

    load: Effect.fn("JobStore.load")(function* (repo, jobId) {
      const file = yield* loadAs(paths(repo, jobId).jobFile, jobFile)
      if (file === null) return yield* new JobNotFound({ repo, job_id: jobId })
      const newest = yield* newestRevision(repo, jobId)
      if (newest === 0) return file
      const path = paths(repo, jobId).workflowRevision(newest)
      const found = yield* loadAs(path, revisionFile)
      if (found === null || found.revision !== newest || found.job_id !== jobId) {
        const actual = found === null ? "none" : `${found.revision} of ${found.job_id}`
        return yield* new DamagedFile({ path, line: 0, expected: `revision ${newest} of ${jobId}`, actual })
      }
      const { max_parallel, workflow, workflow_source } = found
      return { ...file, workflow, workflow_source, options: { ...file.options, max_parallel } }
    }),

    list: Effect.fn("JobStore.list")(function* (repo) {
      const names = (yield* files.list(home.repo(repo).jobs)).filter(isJobId)
      const jobs = yield* Effect.filter(names, (jobId) =>
        Effect.map(files.modifiedAt(paths(repo, jobId).jobFile), (modifiedAt) => modifiedAt !== null)
      )
      return jobs.toSorted(oldestFirst)
    }),

    saveItems: Effect.fn("JobStore.saveItems")(function* (repo, jobId, items) {
      const lines = Stream.mapEffect(Stream.fromIterable(items), (item) => itemLine.encode({ v: 1, ...item }))
      yield* files.replaceLines(paths(repo, jobId).workItems, lines)
    }),

    loadItems: Effect.fn("JobStore.loadItems")(function* (repo, jobId) {
      const path = paths(repo, jobId).workItems
      if ((yield* files.modifiedAt(path)) === null) return null
      const { lines, tornBytes } = yield* files.readLines(path)
      // The file was put into place whole: a torn line is no trace of a crash here.
      if (tornBytes > 0) return yield* torn(path, lines.length + 1, tornBytes)
      return yield* Effect.forEach(lines, (text, index) => decodeItem(text, { path, line: index + 1 }))
    }),

    saveResults: Effect.fn("JobStore.saveResults")(function* (repo, jobId, results) {
      const path = paths(repo, jobId).results
      yield* files.replaceLines(
        path,
        Stream.mapEffect(results, (result) => resultLine.encode({ v: 1, ...result }))
      )
      return path
    }),

    saveOrphans: Effect.fn("JobStore.saveOrphans")(function* (repo, jobId, orphans) {
      const path = home.repo(repo).orphans(jobId)
      if (orphans.length === 0) return void (yield* files.remove(path))
      yield* files.replace(path, yield* orphanFile.encode({ job_id: jobId, worktrees: orphans }))
    }),

    loadOrphans: (repo, jobId) =>
      Effect.map(orphanFile.load(files, home.repo(repo).orphans(jobId)), (file) => file?.worktrees ?? []),

    saveSummary: Effect.fn("JobStore.saveSummary")(function* (repo, summary) {
      yield* files.replace(paths(repo, summary.job_id).jobState, `${yield* jobSummary.encode(summary)}\n`)
    }),

    loadSummary: (repo, jobId) => loadAs(paths(repo, jobId).jobState, jobSummary)
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<JobStore, never, AtomicFile | ProdigyHome> = Layer.effect(JobStore, make)

/**
 * `layer` over files in memory.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerMemory: Layer.Layer<JobStore, never, ProdigyHome> = Layer.provide(layer, filesInMemory)

const version = { v: Schema.Literal(1) }
const jobFile = StoredJson.sealed(JobFile, "a job file of version 1")
const revisionFile = StoredJson.sealed(Revision, "a workflow revision of version 1")
const jobSummary = StoredJson.sealed(JobSummary, "a job summary of version 1")
const itemLine = StoredJson.sealed(Schema.Struct({ ...version, ...WorkItem.fields }), "a work item of version 1")
const resultLine = StoredJson.codec(Schema.Struct({ ...version, ...ItemResult.fields }), "an item result of version 1")

const orphanFile = JsonDocument.make(
  Schema.Struct({ job_id: JobIds.JobId, worktrees: Schema.Array(OrphanedWorktree) }),
  "a list of orphaned worktrees"
)

const isJobId = Schema.is(JobIds.JobId)

/** `_10` comes after `_9`: the time is compared as text, the clash as a number. */
const oldestFirst: Order.Order<JobIds.JobId> = Order.mapInput(
  Order.tuple(Order.string, Order.number, Order.string),
  (jobId) => {
    const [, time = "", clash = "1"] = /^mapreduce-(\d{8}_\d{6})(?:_(\d+))?$/.exec(jobId) ?? []
    return [time, Number(clash), jobId] as const
  }
)

const torn = (path: string, line: number, bytes: number) =>
  new DamagedFile({ path, line, expected: "a line feed at the end", actual: `${bytes} bytes without one` })

const decodeItem = (text: string, place: StoredJson.Place) =>
  Effect.flatMap(itemLine.decode(text, place), ({ index, id, data }) =>
    index === place.line - 1
      ? Effect.succeed({ index, id, data })
      : Effect.fail(new DamagedFile({ ...place, expected: `item ${place.line - 1}`, actual: `item ${index}` }))
  )
