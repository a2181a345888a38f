/**
 * Going on with what did not come to its end: which session is meant, whether there is anything to go on with, and the way
 * to the engine that does it.
 *
 * Owns what "nothing named" means, and what can be resumed at all. Does not own how a session goes on (`MapReduce`,
 * `WorkflowRun`) or what an id means (`Inspect`).
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Digest from "../domain/Digest.ts"
import { RepoName } from "../domain/RepoName.ts"
import * as SessionIds from "../domain/SessionId.ts"
import type { DamagedFile } from "../storage/AtomicFile.ts"
import { type JobFile, type JobNotFound, JobStore } from "../storage/JobStore.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { SessionJobIndex } from "../storage/SessionJobIndex.ts"
import type { Listed } from "../storage/SessionStore.ts"
import { type SessionFileNotFound, WorkflowStore } from "../storage/WorkflowStore.ts"
import { Inspect, type InspectError, type Known } from "./Inspect.ts"
import * as MapReduce from "./MapReduce.ts"
import * as Planning from "./Planning.ts"
import type { AnyReport } from "./Runner.ts"
import { WorkflowRun } from "./WorkflowRun.ts"

/**
 * No session of the repository can be resumed.
 *
 * @since 0.1.0
 * @category errors
 */
export class NothingToResume extends Schema.TaggedError<NothingToResume>("@prodigy/core/engine/Resume/NothingToResume")(
  "NothingToResume",
  {
    path: Schema.String,
    running: Schema.Array(SessionIds.SessionId).annotations({ description: "sessions that are under way" })
  }
) {
  override get message() {
    const under = this.running.length === 0 ? "" : ` Under way: ${this.running.join(", ")}.`
    return `Nothing of the repository at ${this.path} can be resumed.${under}`
  }
}

/**
 * More than one session can be resumed, and none was named. Newest first.
 *
 * @since 0.1.0
 * @category errors
 */
export class SeveralToResume extends Schema.TaggedError<SeveralToResume>("@prodigy/core/engine/Resume/SeveralToResume")(
  "SeveralToResume",
  { sessions: Schema.NonEmptyArray(SessionIds.SessionId) }
) {
  override get message() {
    return `${this.sessions.length} sessions can be resumed, and none was named.`
  }
}

/**
 * What is to be gone on with.
 *
 * @since 0.1.0
 * @category models
 */
export interface Target extends Known {
  readonly workflow: WorkflowNow
}

/**
 * The workflow that is stored with a session, and what its file says now.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkflowNow {
  /** The file's path as it was typed. */
  readonly path: string
  /** Its absolute path; null when none is recorded. */
  readonly file: string | null
  /** SHA-256 of the stored text. */
  readonly sha256: string
  /** `unknown`: the file is gone or cannot be read. */
  readonly now: "same" | "changed" | "unknown"
}

/**
 * How to go on.
 *
 * @since 0.1.0
 * @category models
 */
export interface Options {
  /** Takes the lock although another process seems to hold it. */
  readonly force: boolean
  readonly approve: MapReduce.RunRequest["approve"]
  /** The checkpoint to start from; null: the newest valid one. */
  readonly fromCheckpoint: string | null
  /** Waits when the quota is used up; otherwise the session pauses. */
  readonly waitsForQuota: boolean
  /** Tries the items of the dead letter queue again, even those of a completed job. */
  readonly retryFailed: boolean
  /** Most times an item is tried again after a failure, over what the workflow says. */
  readonly maxRetries: number | null
  /** Takes the workflow's file as it is now in place of the stored workflow. */
  readonly useCurrent: boolean
}

/**
 * Why there is nothing, or not one thing, to go on with.
 *
 * @since 0.1.0
 * @category errors
 */
export type FindError = InspectError | JobNotFound | SessionFileNotFound | NothingToResume | SeveralToResume

/**
 * The workflow file of a session cannot be read, and was to be used.
 *
 * @since 0.1.0
 * @category errors
 */
export class NoCurrentWorkflow extends Schema.TaggedError<NoCurrentWorkflow>(
  "@prodigy/core/engine/Resume/NoCurrentWorkflow"
)("NoCurrentWorkflow", { session_id: SessionIds.SessionId, path: Schema.String }) {
  override get message() {
    return `The workflow of ${this.session_id} is to be taken as it is now, and ${this.path} cannot be read.`
  }
}

/**
 * Why a session could not be gone on with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ResumeError = MapReduce.ResumeError | SessionFileNotFound | NoCurrentWorkflow

/**
 * @since 0.1.0
 * @category services
 */
export class Resume extends Context.Tag("@prodigy/core/engine/Resume")<
  Resume,
  {
    /**
     * Sessions of the repository around `projectPath` that can be resumed, newest first: paused, failed or interrupted,
     * with something to go on from. `running` are those under way. Damaged files are told apart; so is what is not over,
     * as far as can be known, and whose session's file is lost.
     */
    readonly list: (options: { readonly projectPath: string }) => Effect.Effect<
      {
        readonly sessions: ReadonlyArray<Listed>
        readonly running: ReadonlyArray<Listed>
        readonly lost: ReadonlyArray<Known>
        readonly damaged: ReadonlyArray<DamagedFile>
      },
      InspectError
    >

    /**
     * What is meant: by an id as `Inspect` takes them; with null the only session of the repository that can be resumed.
     * A damaged session file of the repository is an error then: it might be the one.
     */
    readonly find: (options: {
      readonly projectPath: string
      readonly id: string | null
    }) => Effect.Effect<Target, FindError>

    /**
     * Goes on. As `MapReduce.resume` or `WorkflowRun.resume`; the workflow's file is read only when it is to be used.
     * Options that only a job has are refused for the session of a standard workflow.
     */
    readonly goOn: (target: Target, options: Options) => Effect.Effect<AnyReport, ResumeError>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const engine = yield* MapReduce.MapReduce
  const fs = yield* FileSystem.FileSystem
  const home = yield* ProdigyHome
  const index = yield* SessionJobIndex
  const inspect = yield* Inspect
  const store = yield* JobStore
  const workflows = yield* WorkflowStore
  const standard = yield* WorkflowRun

  /** Whether what is stored beside the session's file says that there is nothing to go on with. */
  const isOver = ({ jobId, repo, sessionId }: Omit<Known, "listed">) =>
    (jobId === null
      ? Effect.map(workflows.loadCheckpoint(repo, sessionId), ({ checkpoint }) => checkpoint?.state.status)
      : Effect.map(store.loadSummary(repo, jobId), (summary) => summary?.status)
    ).pipe(
      Effect.map((status) => status === "completed" || status === "cancelled"),
      // Going on tells what is damaged.
      Effect.catchTag("DamagedFile", () => Effect.succeed(false))
    )

  const list = Effect.fn("Resume.list")(function* ({ projectPath }: { readonly projectPath: string }) {
    const filter = { projectPath, allRepos: false, status: null, limit: Number.MAX_SAFE_INTEGER }
    const { damaged, sessions } = yield* inspect.sessions(filter)
    const repo = yield* inspect.repository({ projectPath })
    const jobIds = repo === null ? [] : yield* store.list(repo)
    const workflowIds = repo === null ? [] : yield* workflows.list(repo)
    // A session whose owner was killed before it was written what it runs has nothing to go on from.
    const stored = new Set<string>([...jobIds, ...workflowIds])
    const there = new Set([
      ...sessions.map(({ session }) => home.session(session.id)),
      ...damaged.map(({ path }) => path)
    ])
    const all = [
      ...jobIds.map((jobId) => ({ jobId, sessionId: SessionIds.fromJob(jobId) })),
      ...workflowIds.map((sessionId) => ({ jobId: null, sessionId }))
    ]
    const unseen = all.filter(({ sessionId }) => !there.has(home.session(sessionId)))
    const lost = repo === null ? [] : yield* Effect.filter(unseen, (one) => Effect.negate(isOver({ repo, ...one })))
    return {
      lost: repo === null ? [] : lost.map((one) => ({ repo, ...one, listed: null })),
      sessions: sessions.filter(
        ({ session, shown }) => resumable.has(shown) && stored.has(session.job_id ?? session.id)
      ),
      running: sessions.filter(({ shown }) => shown === "Running" || shown === "Initializing"),
      damaged
    }
  })

  /** Those of the damaged session files that are of this repository, as its mappings and workflows tell. */
  const damagedHere = Effect.fnUntraced(function* (projectPath: string, damaged: ReadonlyArray<DamagedFile>) {
    if (damaged.length === 0) return []
    const repo = yield* inspect.repository({ projectPath })
    if (repo === null) return []
    const mapped = (yield* index.jobs(repo)).map(SessionIds.fromJob)
    const ours = new Set([...mapped, ...(yield* workflows.list(repo))].map(home.session))
    return damaged.filter(({ path }) => ours.has(path))
  })

  const theOnlyOne = Effect.fnUntraced(function* (projectPath: string) {
    const { damaged, lost, running, sessions } = yield* list({ projectPath })
    const [first, ...others] = [...sessions.flatMap((listed) => knownBy(listed) ?? []), ...lost]
    if (first !== undefined && others.length > 0) {
      return yield* new SeveralToResume({ sessions: [first.sessionId, ...others.map(({ sessionId }) => sessionId)] })
    }
    const [unknown] = yield* damagedHere(projectPath, damaged)
    if (unknown !== undefined) return yield* unknown
    if (first !== undefined) return first
    return yield* new NothingToResume({ path: projectPath, running: running.map(({ session }) => session.id) })
  })

  /** What is at the workflow's place now. A file that cannot be read is no reason not to go on with the stored one. */
  const workflowNow = Effect.fnUntraced(function* (source: JobFile["workflow_source"]) {
    const { path, sha256 } = source
    const file = source.file ?? null
    const text = file === null ? Option.none() : yield* Effect.option(fs.readFileString(file))
    const now = Option.match(text, {
      onNone: () => "unknown" as const,
      onSome: (found) => (Digest.sha256(found) === sha256 ? ("same" as const) : ("changed" as const))
    })
    return { path, file, sha256, now } satisfies WorkflowNow
  })

  const currentOf = Effect.fnUntraced(function* ({ sessionId, workflow: { file, path } }: Target) {
    const text = file === null ? Option.none() : yield* Effect.option(fs.readFileString(file))
    if (Option.isSome(text)) return { path, file, text: text.value }
    return yield* new NoCurrentWorkflow({ session_id: sessionId, path: file ?? path })
  })

  const find = Effect.fn("Resume.find")(function* (options: {
    readonly projectPath: string
    readonly id: string | null
  }): Effect.fn.Return<Target, FindError> {
    const { id, projectPath } = options
    const known = yield* id === null ? theOnlyOne(projectPath) : inspect.known({ projectPath, id })
    const { jobId, repo, sessionId } = known
    const stored = yield* jobId === null ? workflows.load(repo, sessionId) : store.load(repo, jobId)
    return { ...known, workflow: yield* workflowNow(stored.workflow_source) }
  })

  return {
    list,
    find,
    goOn: Effect.fn("Resume.goOn")(function* (
      target: Target,
      { useCurrent, ...options }: Options
    ): Effect.fn.Return<AnyReport, ResumeError> {
      const { jobId, repo, sessionId } = target
      if (jobId !== null) {
        const current = useCurrent ? yield* currentOf(target) : undefined
        return yield* engine.resume({ repo, jobId, ...options, current })
      }
      const { approve, force, waitsForQuota } = options
      const refused = jobsOnly({ useCurrent, ...options })
      if (refused === undefined) return yield* standard.resume({ repo, sessionId, approve, force, waitsForQuota })
      const detail = `${sessionId} is the session of a standard workflow, ${refused.why}.`
      return yield* new Planning.InvalidOption({ option: refused.option, value: refused.value, detail })
    })
  }
})

/** The first of the options that were given and that only a job has. */
const jobsOnly = (options: Pick<Options, "fromCheckpoint" | "maxRetries" | "retryFailed" | "useCurrent">) => {
  const noItems = "which has no items"
  const given = [
    { option: "--from-checkpoint", value: options.fromCheckpoint, why: "which has one checkpoint and goes on from it" },
    { option: "--use-current", value: options.useCurrent, why: "whose steps stay as they were when it was started" },
    { option: "--retry-failed", value: options.retryFailed, why: noItems },
    { option: "--max-retries", value: options.maxRetries, why: noItems }
  ].find(({ value }) => value !== null && value !== false)
  return given === undefined ? undefined : { ...given, value: String(given.value) }
}

/** What is neither done nor under way. */
const resumable: ReadonlySet<Listed["shown"]> = new Set(["Paused", "Failed", "Interrupted"])

const isRepoName = Schema.is(RepoName)

const repoOf = ({ session }: Listed): RepoName | null => {
  const { name } = session.repository
  return isRepoName(name) ? name : null
}

const knownBy = (listed: Listed): Known | null => {
  const { id: sessionId, job_id: jobId } = listed.session
  const repo = repoOf(listed)
  return repo === null ? null : { repo, jobId, sessionId, listed }
}

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Resume,
  never,
  | FileSystem.FileSystem
  | Inspect
  | JobStore
  | MapReduce.MapReduce
  | ProdigyHome
  | SessionJobIndex
  | WorkflowRun
  | WorkflowStore
> = Layer.effect(Resume, make)
