/**
 * Checkpoints for people: which there are, whether they are good, and what becomes of them.
 *
 * Owns what a checkpoint is called, what may be removed, and what a repair does. Does not own the files
 * (`CheckpointStore`), what is proved about them (`JobCheck`), or when they are made (`JobRecorder`).
 *
 * Whatever is done here, no work is lost: the journal has all that a job's checkpoint holds. That of a standard workflow is
 * all that tells how far its session is: it is never removed here, only with its session. Nothing of what somebody drives is
 * touched, and a damaged file is given another name, never removed.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Order from "effect/Order"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import { didYouMean } from "../domain/DidYouMean.ts"
import { byTime, JobId } from "../domain/JobId.ts"
import * as JobState from "../domain/JobState.ts"
import { Phase } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { Usage } from "../domain/Usage.ts"
import { CompletedStep, WorkflowState } from "../domain/WorkflowState.ts"
import { AtomicFile, DamagedFile, type StorageError } from "../storage/AtomicFile.ts"
import { type Checkpoint, CheckpointStore, Kind, type StoredFile } from "../storage/CheckpointStore.ts"
import { JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { ResumeLock, type ResumeLockHeld } from "../storage/ResumeLock.ts"
import { WorkflowStore } from "../storage/WorkflowStore.ts"
import { AmbiguousId, IdNotFound, Inspect, type InspectError, type JobRef, latest } from "./Inspect.ts"
import * as JobCheck from "./JobCheck.ts"
import * as Restore from "./Restore.ts"

/**
 * A checkpoint file as it is listed. What only its content tells is null when it is damaged.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Entry = Schema.Struct({
  session_id: SessionIds.SessionId,
  job_id: Schema.NullOr(JobId).annotations({ description: "null: of a standard workflow's session" }),
  file: Schema.String,
  path: Schema.String,
  kind: Schema.Literal(...Kind.literals, "workflow"),
  id: Schema.NullOr(Schema.String),
  created_at: Schema.NullOr(Timestamp.Timestamp),
  seq: Schema.NullOr(Schema.Int).annotations({
    description: "journal records that it holds; of a standard workflow: how often one was made"
  }),
  bytes: Schema.NullOr(Schema.Int),
  valid: Schema.Boolean.annotations({ description: "whole and as its checksum says; validate proves more" }),
  problem: Schema.NullOr(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Entry extends Schema.Schema.Type<typeof Entry> {}

/**
 * What a checkpoint holds, without the single items.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Content = Schema.Struct({
  checkpoint: Entry,
  status: Schema.String,
  phase: Phase,
  total: Schema.NullOr(Schema.Int),
  counts: JobState.Counts,
  reduce_steps_done: Schema.Int,
  usage: Usage,
  variables: Schema.Array(Schema.String).annotations({ description: "names of the variables that steps captured" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Content extends Schema.Schema.Type<typeof Content> {}

/**
 * What the checkpoint of a standard workflow's session holds.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorkflowContent = Schema.Struct({
  checkpoint: Entry,
  status: WorkflowState.fields.status,
  phase: WorkflowState.fields.phase,
  value: Schema.Int.annotations({ description: "the value that the steps run for, from 1" }),
  iteration: Schema.Int,
  completed: Schema.Array(CompletedStep).annotations({ description: "steps of this iteration, in order" }),
  steps_completed: Schema.Int.annotations({ description: "of all iterations and values" }),
  iterations_completed: Schema.Int,
  usage: Usage,
  variables: Schema.Array(Schema.String).annotations({ description: "names of the variables that steps captured" }),
  waits_until: Schema.NullOr(Timestamp.Timestamp).annotations({ description: "for the agent's quota" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface WorkflowContent extends Schema.Schema.Type<typeof WorkflowContent> {}

/**
 * What a resume starts from: a checkpoint (null: the beginning) and the records behind it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Start = Schema.Struct({
  checkpoint_id: Schema.NullOr(Schema.String),
  file: Schema.NullOr(Schema.String),
  seq: Schema.Int,
  records: Schema.Int.annotations({ description: "journal records that are folded on top of it" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Start extends Schema.Schema.Type<typeof Start> {}

/**
 * What was found out about a job or the session of a standard workflow, and what was done.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Report = Schema.Struct({
  session_id: SessionIds.SessionId,
  job_id: Schema.NullOr(JobId).annotations({ description: "null: the session of a standard workflow" }),
  live: Schema.Boolean.annotations({ description: "somebody drives it: it was only looked at" }),
  status: Schema.String,
  phase: Schema.Literal(...Phase.literals, "steps"),
  total: Schema.NullOr(Schema.Int),
  counts: Schema.NullOr(JobState.Counts),
  records: Schema.Int.annotations({ description: "journal records that could be read; a standard workflow has none" }),
  files: Schema.Array(JobCheck.FileCheck),
  set_aside: Schema.Array(Schema.Struct({ path: Schema.String, as: Schema.String })),
  resume: Schema.NullOr(Start).annotations({ description: "null: the job cannot be resumed as it is" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Report extends Schema.Schema.Type<typeof Report> {}

/**
 * A job with its checkpoints, as a resume would find it.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Overview = Schema.Struct({
  session_id: SessionIds.SessionId,
  job_id: JobId,
  live: Schema.Boolean.annotations({ description: "somebody drives it" }),
  status: Schema.NullOr(Schema.String),
  phase: Schema.NullOr(Phase),
  total: Schema.NullOr(Schema.Int),
  counts: Schema.NullOr(JobState.Counts),
  checkpoints: Schema.Int,
  resume: Schema.NullOr(Start).annotations({ description: "null: the job cannot be resumed as it is" }),
  problem: Schema.NullOr(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Overview extends Schema.Schema.Type<typeof Overview> {}

/**
 * What is, or would be, removed; and what is kept although it was meant, with the reason.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Removal = Schema.Struct({
  removed: Schema.Array(Entry),
  kept: Schema.Array(Schema.Struct({ checkpoint: Entry, reason: Schema.String }))
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Removal extends Schema.Schema.Type<typeof Removal> {}

/**
 * Files of jobs are damaged. `repairable` of them can be done without.
 *
 * @since 0.1.0
 * @category errors
 */
export class DamageFound extends Schema.TaggedError<DamageFound>("@prodigy/core/engine/Checkpoints/DamageFound")(
  "DamageFound",
  {
    damaged: Schema.Int,
    repairable: Schema.Int,
    jobs: Schema.NonEmptyArray(Schema.Union(JobId, SessionIds.SessionId)).annotations({
      description: "and sessions of standard workflows"
    })
  }
) {
  override get message() {
    const files = this.damaged === 1 ? "1 file is damaged" : `${this.damaged} files are damaged`
    return this.repairable === 0 ? `${files} and cannot be repaired.` : `${files}.`
  }
}

/**
 * What the commands may fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type CheckpointsError = InspectError | ResumeLockHeld

/**
 * @since 0.1.0
 * @category services
 */
export class Checkpoints extends Context.Tag("@prodigy/core/engine/Checkpoints")<
  Checkpoints,
  {
    /**
     * The checkpoints of one session, or (id null) of all of the repository around `projectPath`; the newest session first,
     * then the newest checkpoint. `total` counts before `limit`.
     */
    readonly list: (options: {
      readonly projectPath: string
      readonly id: string | null
      readonly limit: number
    }) => Effect.Effect<{ readonly entries: ReadonlyArray<Entry>; readonly total: number }, CheckpointsError>

    /** One job, or all of the repository, with its checkpoints and what a resume would start from. */
    readonly jobs: (options: {
      readonly projectPath: string
      readonly id: string | null
    }) => Effect.Effect<ReadonlyArray<Overview>, CheckpointsError>

    /** One checkpoint, by its own name, or the newest valid one of a session or job. Fails when that one is damaged. */
    readonly show: (options: {
      readonly projectPath: string
      readonly id: string
    }) => Effect.Effect<Content | WorkflowContent, CheckpointsError>

    /**
     * Examines the files of one job, or of all of the repository. With `repair`, sets aside those that a resume can do
     * without; fails when somebody drives the job.
     */
    readonly validate: (options: {
      readonly projectPath: string
      readonly id: string | null
      readonly repair: boolean
    }) => Effect.Effect<ReadonlyArray<Report>, CheckpointsError>

    /**
     * Removes the checkpoints of the repository's jobs that are older than a moment. The newest valid one of a job that is
     * not completed stays without `force`; so does everything of a job that somebody drives, always, and that of a standard
     * workflow, which goes with its session.
     */
    readonly clean: (options: {
      readonly projectPath: string
      readonly beforeMillis: number
      readonly force: boolean
      readonly dryRun: boolean
    }) => Effect.Effect<Removal, CheckpointsError>

    /** Removes one checkpoint, by the rules of `clean`. */
    readonly remove: (options: {
      readonly projectPath: string
      readonly id: string
      readonly force: boolean
      readonly dryRun: boolean
    }) => Effect.Effect<Removal, CheckpointsError>
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
  const inspect = yield* Inspect
  const lock = yield* ResumeLock
  const store = yield* CheckpointStore
  const jobs = yield* JobStore
  const workflows = yield* WorkflowStore
  const services = yield* Effect.context<CheckpointStore | JobStore | Journal | ProdigyHome>()

  /** The job that is meant, or all of the repository, the newest first. */
  const jobRefs = Effect.fnUntraced(function* (projectPath: string, id: string | null) {
    if (id !== null) return [yield* inspect.job({ projectPath, id })]
    const repo = yield* inspect.repository({ projectPath })
    const ids = repo === null ? [] : yield* jobs.list(repo)
    return repo === null
      ? []
      : ids.toReversed().map((jobId): JobRef => ({ repo, jobId, sessionId: SessionIds.fromJob(jobId) }))
  })

  /** The session that is meant, or all of the repository, the newest first. */
  const refs = Effect.fnUntraced(function* (projectPath: string, id: string | null) {
    if (id !== null) {
      const { jobId, repo, sessionId } = yield* inspect.known({ projectPath, id })
      return [{ repo, jobId, sessionId }]
    }
    const repo = yield* inspect.repository({ projectPath })
    if (repo === null) return []
    const ofJobs = (yield* jobs.list(repo)).map((jobId): Ref => ({ repo, jobId, sessionId: SessionIds.fromJob(jobId) }))
    const others = (yield* workflows.list(repo)).map((sessionId): Ref => ({ repo, jobId: null, sessionId }))
    return [...ofJobs, ...others].toSorted(newestFirst)
  })

  /** Of a standard workflow: the one that there is, wherever of its two places. */
  const stored = Effect.fnUntraced(function* ({ jobId, repo, sessionId }: Ref) {
    if (jobId !== null) return yield* store.list(repo, jobId)
    const paths = home.repo(repo)
    const places = [paths.workflowCheckpoint(sessionId), paths.workflowCheckpointCopy(sessionId)]
    const there = yield* Effect.filter(places, (path) => Effect.map(files.modifiedAt(path), (at) => at !== null))
    return there
      .slice(0, 1)
      .map((path) => ({ name: nameOf(path), path, kind: "workflow" as const, createdMillis: null }))
  })

  const storedOf = (found: ReadonlyArray<Ref>) =>
    Effect.map(
      Effect.forEach(found, (ref) => Effect.map(stored(ref), (all) => ({ ref, all }))),
      (groups) => groups.flatMap(({ all, ref }) => all.map((one): Named => ({ ref, stored: one })))
    )

  /** What can be read of a standard workflow's checkpoint; its other copy stands in for a damaged one, and that is told. */
  const loadWorkflow = Effect.fnUntraced(function* ({ ref, stored }: Named) {
    const { checkpoint, damaged } = yield* workflows.loadCheckpoint(ref.repo, ref.sessionId)
    if (checkpoint === null) return null
    const { created_at, id, seq } = checkpoint
    const problem =
      damaged.length === 0 ? null : `${damaged.map(({ message }) => message).join(" ")} Its other copy is whole.`
    return { entry: { ...entryOf(ref, stored), id, created_at, seq, problem }, state: checkpoint.state }
  })

  /** Null when it was removed meanwhile. */
  const load = ({ ref, stored }: Named): Effect.Effect<Loaded | null, StorageError> =>
    (stored.kind === "workflow"
      ? Effect.map(loadWorkflow({ ref, stored }), (found) => found?.entry ?? null)
      : Effect.map(store.load({ ...stored, kind: stored.kind }), (checkpoint) =>
          checkpoint === null ? null : { ...entryOf(ref, stored), ...factsOf(checkpoint) }
        )
    ).pipe(
      Effect.map((entry) => (entry === null ? null : { ref, stored, entry })),
      Effect.catchTag("DamagedFile", ({ message }) =>
        Effect.succeed({ ref, stored, entry: { ...entryOf(ref, stored), valid: false, problem: message } })
      )
    )

  const loadAll = (named: ReadonlyArray<Named>) =>
    Effect.map(Effect.forEach(named, load), (loaded) => loaded.flatMap((one) => one ?? []))

  /** The one checkpoint of the repository that a text names; undefined: none. */
  const find = Effect.fnUntraced(function* (projectPath: string, text: string) {
    const named = yield* storedOf(yield* refs(projectPath, null))
    const byFile = named.filter(({ ref, stored }) =>
      [stored.name, `${ref.jobId ?? ref.sessionId}/${stored.name}`].some(
        (name) => name === text || name === `${text}.json`
      )
    )
    if (byFile.length > 0) return yield* only(text, yield* loadAll(byFile))
    // Ids stand in the files only. What cannot be the beginning of one needs no reading.
    if (!/^[0-9a-f-]+$/.test(text)) return undefined
    const all = yield* loadAll(named)
    const exact = all.filter(({ entry }) => entry.id === text)
    return yield* only(text, exact.length > 0 ? exact : all.filter(({ entry }) => entry.id?.startsWith(text)))
  })

  const newestValid = Effect.fnUntraced(function* (ref: Ref) {
    for (const named of yield* storedOf([ref])) {
      const loaded = yield* load(named)
      if (loaded?.entry.valid === true) return loaded
    }
    return undefined
  })

  /** A checkpoint by its own name, or the newest valid one of a session or job. */
  const found = Effect.fnUntraced(function* (projectPath: string, text: string) {
    const direct = text === latest ? undefined : yield* find(projectPath, text)
    if (direct !== undefined) return direct
    const ref = yield* inspect
      .known({ projectPath, id: text })
      .pipe(Effect.catchTags({ IdNotFound: () => Effect.succeed(null), IdInvalid: () => Effect.succeed(null) }))
    const loaded = ref === null ? undefined : yield* newestValid(ref)
    if (loaded !== undefined) return loaded
    const near = ref === null ? (yield* storedOf(yield* refs(projectPath, null))).map(({ stored }) => stored.name) : []
    const suggestions = didYouMean(text, [...new Set(near)])
    return yield* new IdNotFound({ kind: "checkpoint", text, job: ref?.jobId ?? null, suggestions })
  })

  const overview = Effect.fnUntraced(function* (ref: JobRef) {
    const live = (yield* lock.holder(ref.jobId)) !== null
    const checkpoints = (yield* store.list(ref.repo, ref.jobId)).length
    const known = { session_id: ref.sessionId, job_id: ref.jobId, live, checkpoints }
    return yield* Effect.provide(Restore.state(ref.repo, ref.jobId), services).pipe(
      Effect.map((restored): Overview => ({ ...known, ...restoredOf(restored) })),
      Effect.catchTags({
        DamagedFile: ({ message }) => Effect.succeed({ ...known, ...unknown, problem: message }),
        CheckpointUnusable: ({ message }) => Effect.succeed({ ...known, ...unknown, problem: message })
      })
    )
  })

  const examine = (ref: JobRef) => Effect.provide(JobCheck.examine(ref.repo, ref.jobId), services)

  const looked = Effect.fnUntraced(function* ({ jobId, repo, sessionId }: Ref) {
    const live = (yield* lock.holder(jobId ?? sessionId)) !== null
    if (jobId === null) return yield* examineWorkflow({ repo, sessionId }, { live, setAside: [] })
    const ref = { repo, jobId, sessionId }
    return reportOf(ref, yield* examine(ref), { live, setAside: [] })
  })

  /** The files of a standard workflow's session: one whole copy of the checkpoint is enough to go on from. */
  const examineWorkflow = Effect.fnUntraced(function* (
    { repo, sessionId }: Pick<Ref, "repo" | "sessionId">,
    options: { readonly live: boolean; readonly setAside: Report["set_aside"] }
  ): Effect.fn.Return<Report, StorageError> {
    const copies = yield* workflows.checkpointCopies(repo, sessionId)
    const path = home.repo(repo).workflowSession(sessionId)
    const written = yield* workflows.load(repo, sessionId).pipe(
      Effect.as(null),
      Effect.catchTags({
        SessionFileNotFound: () => Effect.succeed("absent" as const),
        DamagedFile: (error) => Effect.succeed(error)
      })
    )
    const newest = copies
      .flatMap(({ found, path }) => (found === null || found instanceof DamagedFile ? [] : [{ found, path }]))
      .toSorted((a, b) => b.found.seq - a.found.seq)[0]
    const isStuck = written !== null || (newest === undefined && copies.some(({ found }) => found !== null))
    return {
      session_id: sessionId,
      job_id: null,
      live: options.live,
      status: newest?.found.state.status ?? "new",
      phase: newest?.found.state.phase ?? "steps",
      total: null,
      counts: null,
      records: 0,
      files: [
        checkOf(path, written === "absent" ? null : (written ?? "whole"), false),
        ...copies.map(({ found, path }) => checkOf(path, found, newest !== undefined))
      ],
      set_aside: options.setAside,
      resume: isStuck
        ? null
        : {
            checkpoint_id: newest?.found.id ?? null,
            file: newest === undefined ? null : nameOf(newest.path),
            seq: newest?.found.seq ?? 0,
            records: 0
          }
    }
  })

  /** Sets aside what can be done without, until nothing of it is left: what the summary hid may come to light. */
  const repaired = Effect.fnUntraced(function* ({ jobId, repo, sessionId }: Ref) {
    yield* lock.acquire({ jobId, sessionId, force: false })
    const setAside: Array<{ readonly path: string; readonly as: string }> = []
    for (;;) {
      const { doubtful, report } = yield* jobId === null
        ? Effect.map(examineWorkflow({ repo, sessionId }, { live: false, setAside }), (report) => ({
            report,
            doubtful: report.files.filter(({ repairable }) => repairable).map(({ path }) => path)
          }))
        : Effect.map(examine({ repo, jobId, sessionId }), (found) => ({
            report: reportOf({ repo, jobId, sessionId }, found, { live: false, setAside }),
            doubtful: toSetAside(found, home.repo(repo).job(jobId).jobState)
          }))
      if (doubtful.length === 0) return report
      for (const path of doubtful) {
        const as = yield* files.setAside(path)
        if (as !== null) setAside.push({ path, as })
      }
    }
  }, Effect.scoped)

  /** Removes those of a job's checkpoints that are meant. */
  const removeOf = Effect.fnUntraced(function* (
    { jobId, repo, sessionId }: Ref,
    meant: (entry: Entry) => boolean,
    options: { readonly force: boolean; readonly dryRun: boolean }
  ): Effect.fn.Return<Removal, StorageError, Scope.Scope> {
    const entries = (yield* loadAll(yield* storedOf([{ jobId, repo, sessionId }]))).map(({ entry }) => entry)
    const wanted = entries.filter(meant)
    if (wanted.length === 0) return none
    if (jobId === null)
      return { removed: [], kept: wanted.map((entry) => ({ checkpoint: entry, reason: isAllThereIs })) }
    const ref = { repo, jobId, sessionId }
    const held = yield* options.dryRun
      ? Effect.map(lock.holder(ref.jobId), (holder) => holder !== null)
      : lock.acquire({ jobId: ref.jobId, sessionId: ref.sessionId, force: false }).pipe(
          Effect.as(false),
          Effect.catchTag("ResumeLockHeld", () => Effect.succeed(true))
        )
    const keep = (checkpoint: Entry, reason: string) => ({ checkpoint, reason })
    if (held) return { removed: [], kept: wanted.map((entry) => keep(entry, "the job is being driven")) }
    const newest = entries.find(({ valid }) => valid)
    const completed = options.force || (yield* isCompleted(ref))
    const spared = wanted.filter((entry) => entry === newest && !completed)
    const removed = wanted.filter((entry) => !spared.includes(entry))
    if (!options.dryRun) yield* Effect.forEach(removed, (entry) => files.remove(entry.path), { discard: true })
    const reason = "the newest valid one of a job that is not completed; --force removes it, the journal has all of it"
    return { removed, kept: spared.map((entry) => keep(entry, reason)) }
  }, Effect.scoped)

  /** A job whose summary cannot be read counts as not completed. */
  const isCompleted = (ref: JobRef) =>
    jobs.loadSummary(ref.repo, ref.jobId).pipe(
      Effect.map((summary) => summary?.status === "completed"),
      Effect.catchTag("DamagedFile", () => Effect.succeed(false))
    )

  return Checkpoints.of({
    list: Effect.fn("Checkpoints.list")(function* ({ id, limit, projectPath }) {
      const named = yield* storedOf(yield* refs(projectPath, id))
      const loaded = yield* loadAll(named.slice(0, limit))
      return { entries: loaded.map(({ entry }) => entry), total: named.length }
    }),

    show: Effect.fn("Checkpoints.show")(function* ({ id, projectPath }) {
      const { entry, ref, stored } = yield* found(projectPath, id)
      if (stored.kind === "workflow") {
        const loaded = yield* loadWorkflow({ ref, stored })
        if (loaded !== null) return workflowContentOf(loaded.entry, loaded.state)
        return yield* new IdNotFound({ kind: "checkpoint", text: id, job: null, suggestions: [] })
      }
      const checkpoint = yield* store.load({ ...stored, kind: stored.kind })
      if (checkpoint !== null) return contentOf(entry, checkpoint.state)
      return yield* new IdNotFound({ kind: "checkpoint", text: id, job: entry.job_id, suggestions: [] })
    }),

    jobs: Effect.fn("Checkpoints.jobs")(function* ({ id, projectPath }) {
      return yield* Effect.forEach(yield* jobRefs(projectPath, id), overview)
    }),

    validate: Effect.fn("Checkpoints.validate")(function* ({ id, projectPath, repair }) {
      return yield* Effect.forEach(yield* refs(projectPath, id), repair ? repaired : looked)
    }),

    clean: Effect.fn("Checkpoints.clean")(function* ({ beforeMillis, projectPath, ...options }) {
      const before = Timestamp.fromMillis(beforeMillis)
      const meant = ({ created_at }: Entry) => created_at !== null && created_at < before
      const all = yield* Effect.forEach(yield* refs(projectPath, null), (ref) => removeOf(ref, meant, options))
      return { removed: all.flatMap(({ removed }) => removed), kept: all.flatMap(({ kept }) => kept) }
    }),

    remove: Effect.fn("Checkpoints.remove")(function* ({ id, projectPath, ...options }) {
      const { entry, ref } = yield* found(projectPath, id)
      return yield* removeOf(ref, ({ path }) => path === entry.path, options)
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Checkpoints,
  never,
  AtomicFile | CheckpointStore | Inspect | JobStore | Journal | ProdigyHome | ResumeLock | WorkflowStore
> = Layer.effect(Checkpoints, make)

/** A job, or (null) the session of a standard workflow. */
interface Ref {
  readonly repo: RepoName
  readonly jobId: JobId | null
  readonly sessionId: SessionIds.SessionId
}

interface Named {
  readonly ref: Ref
  readonly stored: Omit<StoredFile, "kind"> & { readonly kind: Entry["kind"] }
}

/** By the times in their ids. */
const newestFirst: Order.Order<Ref> = Order.reverse(
  Order.mapInput(byTime, ({ sessionId }: Ref) => SessionIds.claimedAt(sessionId))
)

const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1)

const isAllThereIs = "it is all that tells how far the session is; prodigy sessions clean removes both"

const checkOf = (path: string, found: object | "whole" | null, repairable: boolean): JobCheck.FileCheck => {
  const check = { file: nameOf(path), path, problem: null, repairable: false }
  if (found === null) return { ...check, status: "absent" }
  return found instanceof DamagedFile
    ? { ...check, status: "damaged", problem: found.message, repairable }
    : { ...check, status: "ok" }
}

interface Loaded extends Named {
  readonly entry: Entry
}

const unknown = { status: null, phase: null, total: null, counts: null, resume: null }

const restoredOf = ({ checkpoint, damaged, state, warnings }: Restore.Restored) => ({
  status: state.status,
  phase: state.phase,
  total: state.total,
  counts: state.counts,
  resume: {
    checkpoint_id: checkpoint?.id ?? null,
    file: checkpoint === null ? null : checkpoint.path.slice(checkpoint.path.lastIndexOf("/") + 1),
    seq: checkpoint?.state.seq ?? 0,
    records: state.seq - (checkpoint?.state.seq ?? 0)
  },
  problem: damaged.length === 0 && warnings.length === 0 ? null : warnings.join(" ")
})

const none: Removal = { removed: [], kept: [] }

const only = (text: string, fitting: ReadonlyArray<Loaded>): Effect.Effect<Loaded | undefined, AmbiguousId> =>
  fitting.length > 1
    ? new AmbiguousId({ text, candidates: fitting.map(({ entry }) => entry.id ?? `${entry.job_id}/${entry.file}`) })
    : Effect.succeed(fitting[0])

const entryOf = (ref: Ref, stored: Named["stored"]): Entry => ({
  session_id: ref.sessionId,
  job_id: ref.jobId,
  file: stored.name,
  path: stored.path,
  kind: stored.kind,
  id: null,
  created_at: stored.createdMillis === null ? null : Timestamp.fromMillis(stored.createdMillis),
  seq: null,
  bytes: null,
  valid: true,
  problem: null
})

const factsOf = ({ bytes, created_at, id, state }: Checkpoint) => ({ id, created_at, seq: state.seq, bytes })

const contentOf = (checkpoint: Entry, state: JobState.JobState): Content => ({
  checkpoint,
  status: state.status,
  phase: state.phase,
  total: state.total,
  counts: state.counts,
  reduce_steps_done: state.reduce_steps_done,
  usage: state.usage,
  variables: Object.keys(state.variables)
})

const workflowContentOf = (checkpoint: Entry, state: WorkflowState): WorkflowContent => ({
  checkpoint,
  status: state.status,
  phase: state.phase,
  value: state.value + 1,
  iteration: state.iteration,
  completed: state.completed,
  steps_completed: state.steps_completed,
  iterations_completed: state.iterations_completed,
  usage: state.usage,
  variables: Object.keys(state.variables),
  waits_until: state.quota?.until ?? null
})

/** A journal that is whole and only too short for the summary can be gone on with when the summary is out of the way. */
const toSetAside = (found: JobCheck.Examination, summaryPath: string): ReadonlyArray<string> => {
  const { journal, snapshots, summary } = found
  const bad = snapshots.flatMap(({ check }) => (check.status === "damaged" ? [check.path] : []))
  const short = journal.status === "damaged" && journal.repairable
  return [...bad, ...(summary.status === "damaged" || short ? [summaryPath] : [])]
}

const reportOf = (
  ref: JobRef,
  found: JobCheck.Examination,
  options: { readonly live: boolean; readonly setAside: Report["set_aside"] }
): Report => {
  const { items, jobFile, journal, snapshots, state, summary } = found
  const files = [jobFile, items, journal, ...snapshots.map(({ check }) => check), summary]
  const stuck = [jobFile, items, journal].some(({ status }) => status === "damaged") || jobFile.status === "absent"
  return {
    session_id: ref.sessionId,
    job_id: ref.jobId,
    live: options.live,
    status: state.status,
    phase: state.phase,
    total: state.total,
    counts: state.counts,
    records: state.seq,
    files,
    set_aside: options.setAside,
    resume: stuck ? null : startOf(snapshots, state.seq)
  }
}

/** What a resume takes: the newest checkpoint that is whole. */
const startOf = (snapshots: ReadonlyArray<JobCheck.CheckedSnapshot>, records: number): Start | null => {
  const newest = snapshots.find(({ id }) => id !== null)
  if (newest === undefined || newest.seq === null) return { checkpoint_id: null, file: null, seq: 0, records }
  return newest.seq > records
    ? null
    : { checkpoint_id: newest.id, file: newest.stored.name, seq: newest.seq, records: records - newest.seq }
}

/**
 * What is still damaged after an examination or a repair; null: nothing.
 *
 * @since 0.1.0
 * @category conversions
 */
export const damageOf = (reports: ReadonlyArray<Report>): DamageFound | null => {
  const bad = reports.flatMap(({ files, job_id, session_id }) =>
    files.flatMap((file) =>
      file.status === "damaged" ? [{ whose: job_id ?? session_id, repairable: file.repairable }] : []
    )
  )
  const [first, ...others] = [...new Set(bad.map(({ whose }) => whose))]
  if (first === undefined) return null
  const repairable = bad.filter((file) => file.repairable).length
  return new DamageFound({ damaged: bad.length, repairable, jobs: [first, ...others] })
}
