/**
 * Runs a MapReduce workflow: setup, items, map, reduce, finish.
 *
 * Owns the driving of the state machine (`JobState`) and the order "record, then effect". Does not own storage formats,
 * git or processes; it knows their ports.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Ref from "effect/Ref"
import * as Stream from "effect/Stream"
import { Agent, type AgentMissing } from "../agent/Agent.ts"
import { AgentPool } from "../agent/AgentPool.ts"
import { Failure } from "../domain/Failure.ts"
import { JobId } from "../domain/JobId.ts"
import { Finish } from "../domain/JobRecord.ts"
import * as JobDecision from "../domain/JobDecision.ts"
import * as JobState from "../domain/JobState.ts"
import type { RepoName } from "../domain/RepoName.ts"
import * as SessionId from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import * as Usage from "../domain/Usage.ts"
import type { WorkItem } from "../domain/WorkItem.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { CheckpointStore } from "../storage/CheckpointStore.ts"
import type { DeadLetterQueue } from "../storage/DeadLetterQueue.ts"
import type { DiskSpace } from "../storage/DiskSpace.ts"
import { EventLog } from "../storage/EventLog.ts"
import { GlobalStorage } from "../storage/GlobalStorage.ts"
import { guarded, Journal } from "../storage/Journal.ts"
import { type JobFile, type JobNotFound, JobStore } from "../storage/JobStore.ts"
import { ProcessTable } from "../storage/ProcessTable.ts"
import { ProdigyHome, type RepoNameError } from "../storage/ProdigyHome.ts"
import { type Lease, ResumeLock, type ResumeLockHeld, type ResumeLockLost } from "../storage/ResumeLock.ts"
import { SessionJobIndex } from "../storage/SessionJobIndex.ts"
import { type IllegalTransition, type SessionNotFound, SessionStore } from "../storage/SessionStore.ts"
import { TranscriptStore } from "../storage/TranscriptStore.ts"
import type { Step, Workflow } from "../workflow/Workflow.ts"
import type { Problem, WorkflowInvalid } from "../workflow/WorkflowFile.ts"
import type { WorkItemsError } from "../workflow/WorkItems.ts"
import type { Project, Recorded, WorkspaceError } from "../workspace/Workspace.ts"
import { Workspace } from "../workspace/Workspace.ts"
import { type ActiveRun, type Overrides, policyOf } from "./ActiveRun.ts"
import { DeadClaims } from "./DeadClaims.ts"
import * as DeadLetterRetry from "./DeadLetterRetry.ts"
import * as Finishing from "./Finishing.ts"
import * as FullDisk from "./FullDisk.ts"
import { ItemSelection } from "./ItemSelection.ts"
import { JobDriver } from "./JobDriver.ts"
import * as JobEnd from "./JobEnd.ts"
import { JobRecorder } from "./JobRecorder.ts"
import * as NewJob from "./NewJob.ts"
import * as Planning from "./Planning.ts"
import { Progress } from "./Progress.ts"
import * as Restore from "./Restore.ts"
import * as RunProcesses from "./RunProcesses.ts"
import * as RunView from "./RunView.ts"
import * as Revision from "./Revision.ts"
import * as Sights from "./Sights.ts"

/**
 * What a caller asks for.
 *
 * @since 0.1.0
 * @category models
 */
export interface RunRequest {
  /** Path of the workflow file, for messages and for the job file. */
  readonly workflowPath: string
  /** Absolute path of that file, by which a resume finds it again; none: there is no file. */
  readonly workflowFile?: string | undefined
  readonly workflowText: string
  /** Any path in the project. */
  readonly projectPath: string
  /** Overrides the workflow's `max_parallel`. */
  readonly maxParallel: number | null
  /** Commit-ish to start from; null: HEAD of the user's checkout. */
  readonly base: string | null
  /** How the final merge is approved: `ask` asks through `Approval`. */
  readonly approve: "yes" | "ask" | "not_asked"
  readonly parameters: Readonly<Record<string, string>>
  /** Whether the run waits when the agent's quota is used up; otherwise it ends, paused. */
  readonly waitsForQuota: boolean
}

/**
 * A request that was checked: everything that can be known before anything is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Plan {
  readonly request: RunRequest
  readonly workflow: Workflow
  readonly warnings: ReadonlyArray<Problem>
  readonly project: Project
  /** The repository's name; null when it holds none yet (one is claimed by `run`). */
  readonly repo: RepoName | null
  readonly base: string
  readonly target: string | null
  readonly maxParallel: number
  /** The items, when they can be known without running anything; else why not. */
  readonly items:
    | { readonly _tag: "Known"; readonly items: ReadonlyArray<WorkItem> }
    | { readonly _tag: "Later"; readonly reason: string }
  /** The agent's steps, with their texts filled in for the first known item. */
  readonly preview: ReadonlyArray<{ readonly step: Step; readonly text: string }>
}

/**
 * How a run ended.
 *
 * @since 0.1.0
 * @category schemas
 */
export const RunReport = Schema.Struct({
  job_id: JobId,
  session_id: SessionId.SessionId,
  repository: Schema.String,
  workflow_name: Schema.String,
  status: Schema.Literal("completed", "failed", "paused", "cancelled"),
  phase: Schema.String,
  total: Schema.NullOr(Schema.Int),
  counts: JobState.Counts,
  retried: Schema.optional(DeadLetterRetry.Retried).annotations({
    description: "of a retry of dead letters: what came of it"
  }),
  usage: Usage.Usage,
  duration_ms: Schema.Number,
  finish: Schema.NullOr(Finish),
  failure: Schema.NullOr(Failure),
  /** True when the failure policy stopped the job. */
  stopped_by_policy: Schema.Boolean,
  waiting: Schema.NullOr(Schema.String).annotations({ description: "what a paused job waits for, in one sentence" }),
  branch: Schema.String,
  worktree: Schema.String,
  kept: Schema.Array(Schema.String),
  orphans: Schema.Array(Schema.String),
  warnings: Schema.Array(Schema.String)
})

/**
 * @since 0.1.0
 * @category models
 */
export interface RunReport extends Schema.Schema.Type<typeof RunReport> {}

/**
 * Why a request cannot be run. Nothing was made.
 *
 * @since 0.1.0
 * @category errors
 */
export type PlanError =
  | WorkflowInvalid
  | WorkspaceError
  | WorkItemsError
  | AgentMissing
  | RepoNameError
  | Planning.InvalidOption
  | StorageError
  | DamagedFile

/**
 * Why a run could not go on, when it is not a failure of the workflow's own (those are in the report).
 *
 * @since 0.1.0
 * @category errors
 */
export type RunError =
  | WorkspaceError
  | StorageError
  | DamagedFile
  | RepoNameError
  | ResumeLockHeld
  | ResumeLockLost
  | RunProcesses.RunProcessesError
  | SessionNotFound
  | IllegalTransition

/**
 * @since 0.1.0
 * @category services
 */
export class MapReduce extends Context.Tag("@prodigy/core/engine/MapReduce")<
  MapReduce,
  {
    /** Checks a request. Makes nothing, in storage or in git. */
    readonly plan: (request: RunRequest) => Effect.Effect<Plan, PlanError>

    /**
     * Runs a plan to its end. A workflow that fails is a report with status `failed`, not an error. Interruption stops
     * the agents, records the pause and gives up the lock before it returns.
     */
    readonly run: (plan: Plan) => Effect.Effect<RunReport, RunError>

    /**
     * Goes on with a job from where its journal ends, whatever ended its owner: what is recorded complete is neither run
     * nor merged again, what was under way is started again. The workflow is the one stored with the job, or `current`, when
     * that changes nothing of what is done. Of a completed
     * job only what its owner did not come to is done: its session, its worktrees. Fails with `AlreadyCompleted` when there
     * is nothing to go on with; otherwise as `run`.
     */
    readonly resume: (request: ResumeRequest) => Effect.Effect<RunReport, ResumeError>

    /** What `retry` would do now. Reads only, also beside a run. */
    readonly planRetry: (request: DeadLetterRetry.RetryRequest) => Effect.Effect<DeadLetterRetry.RetryPlan, RetryError>

    /**
     * Tries dead letters of a job again, and goes on with such a retry that was interrupted: the same engine over these
     * items only. `announce` is told what was chosen, under the job's lock and before anything is done. On the
     * session's own worktree, or, where that is gone, a new one from the target branch. A job that had other items to do
     * is paused when its dead letters have been tried. Fails with `NothingToRetry` when none is chosen; otherwise as
     * `resume`.
     */
    readonly retry: (
      request: DeadLetterRetry.RetryRequest,
      announce: (plan: DeadLetterRetry.RetryPlan) => Effect.Effect<void>
    ) => Effect.Effect<RunReport, RetryError>

    /**
     * Ends a job that nobody drives for good: recorded first, so that it is never gone on with, whatever happens next.
     * Then its worktrees are removed; work that is not merged stays on branches and rescue refs, which the report names.
     * Of a cancelled job only what an earlier call did not come to is done; fails with `AlreadyCancelled` when that is
     * nothing, and with `AlreadyCompleted` where there is nothing to cancel: also when the last merge was made and a crash came
     * before its record, which is made up for then.
     */
    readonly cancel: (request: {
      readonly repo: RepoName
      readonly jobId: JobId
      readonly reason: string
    }) => Effect.Effect<RunReport, CancelError>
  }
>() {}

/**
 * Which job to go on with.
 *
 * @since 0.1.0
 * @category models
 */
export interface ResumeRequest {
  readonly repo: RepoName
  readonly jobId: JobId
  /** Takes the lock although another process seems to hold it. */
  readonly force: boolean
  readonly approve: RunRequest["approve"]
  /** The checkpoint to start from, as `Restore.state` takes it; null: the newest valid one. */
  readonly fromCheckpoint: string | null
  readonly waitsForQuota: boolean
  /** Tries the items of the dead letter queue again, even those of a completed job. */
  readonly retryFailed: boolean
  /** Most times an item is tried again after a failure, over what the workflow says. */
  readonly maxRetries: number | null
  /** Goes on with this workflow instead of the stored one, and stores it. */
  readonly current?: Revision.Current | undefined
}

/**
 * Why a job could not be gone on with.
 *
 * @since 0.1.0
 * @category errors
 */
export type ResumeError =
  | RunError
  | AlreadyCompleted
  | AlreadyCancelled
  | JobNotFound
  | AgentMissing
  | Restore.CheckpointUnusable
  | WorkflowInvalid
  | Planning.InvalidOption
  | Revision.RevisionRefused

/**
 * Why dead letters could not be tried again.
 *
 * @since 0.1.0
 * @category errors
 */
export type RetryError = Exclude<ResumeError, AlreadyCompleted> | DeadLetterRetry.NothingToRetry

/**
 * Why a job could not be cancelled.
 *
 * @since 0.1.0
 * @category errors
 */
export type CancelError = RunError | AlreadyCompleted | AlreadyCancelled | JobNotFound

/**
 * The session was cancelled. It is never gone on with.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyCancelled extends Schema.TaggedError<AlreadyCancelled>(
  "@prodigy/core/engine/MapReduce/AlreadyCancelled"
)("AlreadyCancelled", { session_id: SessionId.SessionId }) {
  override get message() {
    return `Session ${this.session_id} is cancelled.`
  }
}

/**
 * The job, or the session without one, is done; there is nothing to go on with.
 *
 * @since 0.1.0
 * @category errors
 */
export class AlreadyCompleted extends Schema.TaggedError<AlreadyCompleted>(
  "@prodigy/core/engine/MapReduce/AlreadyCompleted"
)("AlreadyCompleted", {
  session_id: SessionId.SessionId,
  job_id: Schema.NullOr(JobId),
  finish: Schema.NullOr(Finish)
}) {
  override get message() {
    const what = this.job_id === null ? `Session ${this.session_id}` : `Job ${this.job_id}`
    return `${what} is completed; there is nothing to resume.`
  }
}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const services = yield* Effect.context<
    Agent | CheckpointStore | DeadLetterQueue | ItemSelection | JobStore | Journal | ProdigyHome | Workspace
  >()
  const workspaces = yield* Workspace
  const fullDisk = yield* FullDisk.make
  const home = yield* ProdigyHome
  const storage = yield* GlobalStorage
  const store = yield* JobStore
  const lock = yield* ResumeLock
  const sessions = yield* SessionStore
  const mappings = yield* SessionJobIndex
  const journals = yield* Journal
  const eventLog = yield* EventLog
  const transcriptStore = yield* TranscriptStore
  const pools = yield* AgentPool
  const recorders = yield* JobRecorder
  const driver = yield* JobDriver
  const progress = yield* Progress
  const processes = yield* ProcessTable
  const runProcesses = yield* RunProcesses.RunProcesses
  const deadClaims = yield* DeadClaims

  /** From here on, what an earlier owner left is gone, and what is started belongs to the job. */
  const owning = (job: JobFile, force: boolean) =>
    runProcesses.own({ repo: job.repository.name, sessionId: job.session_id, force })

  /** A run that cannot go on leaves a session that says so, unless the job is somebody else's by now. */
  const recordError = (job: JobFile) => (error: RunError) =>
    Effect.zipRight(lock.check(job.job_id), Timestamp.now).pipe(
      Effect.flatMap((at) =>
        sessions.update(job.session_id, (session) => ({
          ...session,
          status: "Failed",
          completed_at: at,
          error: error.message
        }))
      ),
      // One that is over stays what it is: there was more to do, and nothing of it was done.
      Effect.catchTag("IllegalTransition", () => Effect.void),
      Effect.catchAll((inner) => Effect.logError(`The session could not be marked as failed: ${inner.message}`))
    )

  const putMapping = ({ created_at, job_id, repository, session_id, workflow }: JobFile) =>
    mappings.put(repository.name, { session_id, job_id, workflow_name: workflow.name, created_at })

  /** Claims ids and lock and writes what is known before the first effect. */
  const claim = Effect.fn("MapReduce.claim")(function* (plan: Plan) {
    yield* storage.prepare
    const { project } = plan
    const repo = yield* home.claimRepoName({ path: project.root, rootCommit: project.rootCommit })
    yield* deadClaims.sweep(repo)
    const at = yield* Timestamp.now
    const jobId = yield* store.claim(repo, (candidate) =>
      Effect.flatMap(workspaces.isTaken(project, SessionId.fromJob(candidate)), (taken) =>
        taken
          ? Effect.succeed(false)
          : sessions.create(NewJob.session(NewJob.file(plan, repo, candidate, at), processes.self))
      )
    )
    const sessionId = SessionId.fromJob(jobId)
    const job = NewJob.file(plan, repo, jobId, at)
    const rest = Effect.gen(function* () {
      yield* lock.acquire({ jobId, sessionId, force: false })
      yield* storage.sweep(repo, jobId)
      yield* store.save(job)
      yield* putMapping(job)
    })
    yield* Effect.tapError(rest, recordError(job))
    return job
  })

  /** Opens everything that a job needs while it runs. */
  const open = Effect.fn("MapReduce.open")(function* (
    job: JobFile,
    project: Project,
    state: JobState.JobState,
    overrides: Overrides & { readonly isOver: boolean },
    recorded: Recorded | undefined
  ) {
    const repo = job.repository.name
    const { job_id: jobId, session_id: sessionId } = job
    const events = yield* eventLog.open({ repo, jobId, correlationId: sessionId })
    const journal = guarded(yield* journals.open(repo, jobId, state.seq), lock.check(jobId))
    const transcripts = yield* transcriptStore.open(repo, sessionId)
    const workspace = yield* workspaces
      .open({
        project,
        repo,
        sessionId,
        jobId,
        base: job.base_commit,
        target: job.target_branch,
        maxParallel: job.options.max_parallel,
        recorded
      })
      .pipe(fullDisk.explained(FullDisk.disksOf(job, { path: transcripts.directory }, transcripts)))
    yield* sessions.update(sessionId, (session) => ({
      ...session,
      // What is over for good does not start again.
      status:
        session.status === "Cancelled" || (overrides.isOver && session.status === "Completed")
          ? session.status
          : "Running",
      worktree: {
        path: workspace.parent.path,
        branch: workspace.parent.branch,
        target_branch: job.target_branch
      }
    }))
    const observe = Sights.observer({ events, progress })
    const policy = policyOf(job, overrides)
    const lost = yield* Ref.make(Usage.none)
    const onLost = (usage: Usage.Usage) => Ref.update(lost, (sum) => Usage.add(sum, usage))
    const pool = yield* pools.open({ job, policy, workspace, transcripts, observe, onLost })
    const run: ActiveRun = {
      repo,
      job,
      policy,
      workspace,
      transcripts,
      journal,
      events,
      pool,
      lost,
      items: { current: [] }
    }
    return { run, recorder: yield* recorders.open(run) }
  })

  /** Drives a job that was opened to its end, tidies up and reports. */
  const drive = Effect.fn("MapReduce.drive")(function* (
    opened: Effect.Effect.Success<ReturnType<typeof open>>,
    options: {
      readonly state: JobState.JobState
      readonly first: JobDecision.Input
      readonly warnings: ReadonlyArray<string>
      readonly startedAt: number
    }
  ) {
    const { recorder, run } = opened
    // A job that is paused or cannot go on needs its parent worktree again, its agents' worktrees not: their work is on
    // rescue refs.
    const state = yield* Effect.onError(driver.drive(run, recorder, options), () =>
      recorder.stop.pipe(
        Effect.zipRight(lock.check(run.job.job_id)),
        Effect.zipRight(run.workspace.clean({ keepParent: true })),
        Effect.catchAll((error) => Effect.logWarning(`Worktrees of the job were not removed: ${error.message}`))
      )
    )
    const cleaned = yield* JobEnd.cleanUp(run.workspace, recorder, state).pipe(
      // What is left is told by the error; what was done is done.
      Effect.tapError(() => Effect.ignoreLogged(recorder.flush(state)))
    )
    const at = yield* Timestamp.now
    const orphans = cleaned.orphans.map(({ agentId, error, itemId, path }) => ({
      path,
      agent_id: agentId,
      item_id: itemId,
      error,
      timestamp: at
    }))
    yield* store.saveOrphans(run.repo, run.job.job_id, orphans)
    if (cleaned.removedWorktrees.includes(run.workspace.parent.path)) {
      yield* sessions.update(run.job.session_id, (session) => ({ ...session, worktree: null }))
    }
    yield* recorder.flush(state)
    return JobEnd.report(run, state, {
      cleaned,
      warnings: [...options.warnings, ...(state.total === 0 ? ["The input gave no items: nothing was mapped."] : [])],
      durationMillis: (yield* Clock.currentTimeMillis) - options.startedAt
    })
  })

  const start = (job: JobFile): JobDecision.Input => ({
    _tag: "Start",
    jobId: job.job_id,
    sessionId: job.session_id,
    workflowName: job.workflow.name,
    owner: processes.self
  })

  const resumed = (retryFailed: boolean): JobDecision.Input => ({ _tag: "Resume", owner: processes.self, retryFailed })

  const begin = Effect.fn("MapReduce.begin")(function* (plan: Plan, job: JobFile, startedAt: number) {
    const overrides = { waitsForQuota: plan.request.waitsForQuota, maxRetries: null, isOver: false }
    const opened = yield* open(job, plan.project, JobState.empty, overrides, undefined)
    const { path, branch } = opened.run.workspace.parent
    yield* opened.recorder.emit([{ event_type: "worktree_created", path, branch }])
    const warnings = plan.warnings.map((warning) => `${job.workflow_source.path}:${warning.line}: ${warning.message}`)
    return yield* drive(opened, { state: JobState.empty, first: start(job), warnings, startedAt })
  })

  const goOn = Effect.fn("MapReduce.goOn")(function* (
    { job, project }: { readonly job: JobFile; readonly project: Project },
    restored: Restore.Restored & { readonly overridden: Lease | null; readonly earlier: RunProcesses.Earlier | null },
    how: Overrides & { readonly first: JobDecision.Input; readonly isOver: boolean },
    startedAt: number
  ) {
    const { checkpoint, damaged, earlier, followed, overridden, state } = restored
    const items = yield* Effect.provide(Restore.items(job.repository.name, job.job_id, state.total), services)
    // The session's file is a summary: one that was lost is made again.
    const aside = yield* sessions.restore(NewJob.session(job, processes.self))
    // Whole again, whatever half of it a crash or damage has taken.
    yield* putMapping(job)
    yield* sessions.update(job.session_id, (session) => ({
      ...session,
      owner: processes.self,
      workflow: NewJob.session(job, null).workflow,
      completed_at: null,
      error: null
    }))
    // Who cancels needs none of its work.
    const needed = how.first._tag !== "Cancel" && !(yield* workspaces.isTaken(project, job.session_id))
    const recorded = needed ? yield* Effect.provide(Restore.branch(job, state), services) : undefined
    const opened = yield* open(job, project, state, how, recorded)
    opened.run.items.current = items
    yield* opened.recorder.emit([
      ...damaged.map(({ message, path }) => ({ event_type: "checkpoint_failed" as const, path, error: message })),
      ...(checkpoint === null
        ? []
        : [{ event_type: "checkpoint_loaded" as const, checkpoint_id: checkpoint.id, seq: checkpoint.state.seq }])
    ])
    yield* Stream.runForEach(journals.read(job.repository.name, job.job_id, 0), (entry) =>
      opened.recorder.relive(entry, entry.seq <= followed)
    )
    const warnings = [
      ...restored.warnings,
      ...RunView.madeAgain(aside),
      ...(overridden === null
        ? []
        : [`The job was taken from process ${overridden.process_id} on ${overridden.hostname} by force.`]),
      ...RunProcesses.warnings(earlier)
    ]
    const isMerged = how.first._tag === "Cancel" && (yield* Finishing.isUnrecorded(opened.run.workspace, state))
    const first = isMerged ? resumed(false) : how.first
    return yield* drive(opened, { state, first, warnings, startedAt })
  })

  /**
   * The job as it goes on: with its stored workflow, or the one that is to take its place, once that is stored; and
   * where. An agent or a repository that is missing is found before.
   */
  const adopt = Effect.fn("MapReduce.adopt")(function* (
    request: Pick<ResumeRequest, "approve" | "current" | "jobId" | "repo">,
    { isOver, state }: { readonly state: JobState.JobState; readonly isOver: boolean }
  ) {
    const { approve, current, jobId, repo } = request
    // Under the lock: nobody else revises it.
    const stored = yield* store.load(repo, jobId)
    const revised = current === undefined ? null : yield* Revision.revise(stored, state, current)
    const job = revised?.job ?? stored
    if (!isOver && Planning.usesClaude(job.workflow)) {
      yield* Effect.provide(
        Effect.flatMap(Agent, (agent) => agent.check),
        services
      )
    }
    const project = yield* workspaces.find(job.repository.checkout)
    const goingOn = yield* rebased({ ...job, options: { ...job.options, approve } }, project, state)
    if (revised === null) return { job: goingOn, project, warnings: [] }
    const { options, workflow, workflow_source } = job
    const number = yield* store.revise(repo, {
      job_id: jobId,
      adopted_at: yield* Timestamp.now,
      seq: state.seq,
      workflow,
      workflow_source,
      max_parallel: options.max_parallel
    })
    return {
      job: goingOn,
      project,
      warnings: [
        ...revised.warnings.map(({ line, message }) => `${workflow_source.path}:${line}: ${message}`),
        `The workflow is ${workflow_source.path} as it is now (revision ${number}).`
      ]
    }
  })

  /** Whether the owner of a completed or cancelled job came to the end of what follows the last record. */
  const isTidy = Effect.fn("MapReduce.isTidy")(function* (job: JobFile, state: JobState.JobState) {
    const session = yield* Effect.catchTags(sessions.get(job.session_id), {
      SessionNotFound: () => Effect.succeed(null),
      DamagedFile: () => Effect.succeed(null)
    })
    if (session?.status !== "Completed" && session?.status !== "Cancelled") return false
    // It names its worktree until everything is removed that is not kept.
    if (!JobEnd.keepsParent(state)) return session.worktree === null
    // Where the repository is gone nothing can be removed any more.
    const project = yield* Effect.option(workspaces.find(job.repository.checkout))
    if (Option.isNone(project)) return true
    return !(yield* workspaces.hasAgentWorktrees(project.value, job.repository.name, job.job_id))
  })

  /** A session whose branch is gone, because its work is in the target, goes on from there. */
  const rebased = Effect.fnUntraced(function* (job: JobFile, project: Project, state: JobState.JobState) {
    if (state.status === "new" || (yield* workspaces.isTaken(project, job.session_id))) return job
    return { ...job, base_commit: yield* workspaces.resolve(project, job.target_branch ?? "HEAD") }
  })

  /** The state of a job as it is. */
  const restoredOf = (repo: RepoName, jobId: JobId) =>
    Restore.state(repo, jobId, null).pipe(
      // Only one that is named can be.
      Effect.catchTag("CheckpointUnusable", Effect.die),
      Effect.provide(services)
    )

  const planRetry = Effect.fnUntraced(function* (request: DeadLetterRetry.RetryRequest, restored: Restore.Restored) {
    const stored = yield* store.load(request.repo, request.jobId)
    const plan = yield* Effect.provide(DeadLetterRetry.plan(request, stored, restored), services)
    const project = yield* workspaces.find(stored.repository.checkout)
    const isThere = yield* workspaces.isTaken(project, stored.session_id)
    return { ...plan, worktree: isThere ? ("session" as const) : ("new" as const) }
  })

  return MapReduce.of({
    plan: (request) => Effect.provide(Planning.plan(request), services),
    run: Effect.fn("MapReduce.run")(function* (plan) {
      const startedAt = yield* Clock.currentTimeMillis
      const job = yield* claim(plan)
      const begun = owning(job, false)(() => begin(plan, job, startedAt))
      return yield* Effect.tapError(begun, recordError(job))
    }, Effect.scoped),
    resume: Effect.fn("MapReduce.resume")(function* (request) {
      const startedAt = yield* Clock.currentTimeMillis
      const { force, jobId, repo } = request
      const stored = yield* store.load(repo, jobId)
      const { overridden } = yield* lock.acquire({ jobId, sessionId: stored.session_id, force })
      yield* storage.sweep(repo, jobId)
      const again = Effect.fnUntraced(function* (earlier: RunProcesses.Earlier | null) {
        const restored = yield* Effect.provide(Restore.state(repo, jobId, request.fromCheckpoint), services)
        if (restored.state.status === "cancelled") {
          return yield* new AlreadyCancelled({ session_id: stored.session_id })
        }
        const requeues = request.retryFailed && restored.state.counts.dead_lettered > 0
        const isOver = restored.state.status === "completed" && !requeues
        if (isOver && (yield* isTidy(stored, restored.state))) {
          return yield* new AlreadyCompleted({
            session_id: stored.session_id,
            job_id: jobId,
            finish: restored.state.finish
          })
        }
        const { warnings, ...adopted } = yield* adopt(request, { state: restored.state, isOver })
        const terms = request.retryFailed ? undefined : JobState.termsOnResume(restored.state)
        const job = terms === undefined ? adopted.job : DeadLetterRetry.onTerms(adopted.job, terms)
        const found = { ...restored, overridden, earlier, warnings: [...warnings, ...restored.warnings] }
        const first = restored.state.status === "new" ? start(job) : resumed(request.retryFailed)
        const how = { ...request, isOver, first }
        return yield* Effect.tapError(goOn({ ...adopted, job }, found, how, startedAt), recordError(job))
      })
      return yield* owning(stored, force)(again)
    }, Effect.scoped),
    planRetry: Effect.fn("MapReduce.planRetry")(function* (request) {
      yield* store.load(request.repo, request.jobId)
      return yield* planRetry(request, yield* restoredOf(request.repo, request.jobId))
    }),
    retry: Effect.fn("MapReduce.retry")(function* (request, announce) {
      const startedAt = yield* Clock.currentTimeMillis
      const { jobId, repo } = request
      yield* DeadLetterRetry.parse(request.filter)
      const stored = yield* store.load(repo, jobId)
      const { overridden } = yield* lock.acquire({ jobId, sessionId: stored.session_id, force: false })
      yield* storage.sweep(repo, jobId)
      const again = Effect.fnUntraced(function* (earlier: RunProcesses.Earlier | null) {
        const restored = yield* restoredOf(repo, jobId)
        const { state } = restored
        if (state.status === "cancelled") return yield* new AlreadyCancelled({ session_id: stored.session_id })
        const plan = yield* planRetry(request, restored)
        const indexes = plan.items.map(({ item_index }) => item_index)
        if (indexes.length === 0 && state.retry === undefined) {
          return yield* new DeadLetterRetry.NothingToRetry({ plan })
        }
        const { warnings, ...adopted } = yield* adopt(request, { state, isOver: false })
        const job = DeadLetterRetry.onTerms(adopted.job, plan.terms)
        yield* announce(plan)
        const found = { ...restored, overridden, earlier, warnings: [...warnings, ...restored.warnings] }
        const first: JobDecision.Input = { _tag: "Retry", owner: processes.self, indexes, terms: plan.terms }
        const how = { waitsForQuota: request.waitsForQuota, maxRetries: null, isOver: false, first }
        const report = yield* Effect.tapError(goOn({ ...adopted, job }, found, how, startedAt), recordError(job))
        const left = report.status === "paused" && report.waiting === null ? report.counts.pending : 0
        return {
          ...report,
          retried: DeadLetterRetry.outcome(plan, state, report),
          warnings: left === 0 ? report.warnings : [...report.warnings, JobDecision.notStarted(left)]
        }
      })
      return yield* owning(stored, false)(again)
    }, Effect.scoped),
    cancel: Effect.fn("MapReduce.cancel")(function* ({ jobId, reason, repo }) {
      const startedAt = yield* Clock.currentTimeMillis
      const stored = yield* store.load(repo, jobId)
      // What was merged before is all that is merged.
      const job: JobFile = { ...stored, options: { ...stored.options, approve: "not_asked" } }
      const { overridden } = yield* lock.acquire({ jobId, sessionId: job.session_id, force: false })
      yield* storage.sweep(repo, jobId)
      const end = Effect.fnUntraced(function* (earlier: RunProcesses.Earlier | null) {
        const restored = yield* restoredOf(repo, jobId)
        const { finish, status } = restored.state
        if (status === "completed")
          return yield* new AlreadyCompleted({ session_id: job.session_id, job_id: jobId, finish })
        if (status === "cancelled" && (yield* isTidy(job, restored.state))) {
          return yield* new AlreadyCancelled({ session_id: job.session_id })
        }
        const first = { _tag: "Cancel", reason } as const
        const how = { waitsForQuota: false, maxRetries: null, isOver: false, first }
        const project = yield* workspaces.find(job.repository.checkout)
        const report = yield* goOn({ job, project }, { ...restored, overridden, earlier }, how, startedAt)
        if (report.status !== "completed") return report
        return yield* new AlreadyCompleted({ session_id: job.session_id, job_id: jobId, finish: report.finish })
      })
      return yield* owning(job, false)(end)
    }, Effect.scoped)
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  MapReduce,
  never,
  | Agent
  | AgentPool
  | CheckpointStore
  | DeadClaims
  | DeadLetterQueue
  | DiskSpace
  | EventLog
  | GlobalStorage
  | ItemSelection
  | JobDriver
  | JobRecorder
  | JobStore
  | Journal
  | ProcessTable
  | ProdigyHome
  | Progress
  | ResumeLock
  | RunProcesses.RunProcesses
  | SessionJobIndex
  | SessionStore
  | TranscriptStore
  | Workspace
> = Layer.effect(MapReduce, make)
