/**
 * Runs a standard workflow: its steps in the session's worktree, a checkpoint after each, finish.
 *
 * Owns the driving of the state machine (`WorkflowState`) and the order "checkpoint, then the next step". Does not own
 * what a step's options mean (`StepRunner`), storage formats or git; it knows their ports.
 *
 * Crash guarantee: a step of which a checkpoint knows never runs again in its iteration. One that was under way when the
 * process died runs again, in the worktree as it is.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Ref from "effect/Ref"
import * as Schema from "effect/Schema"
import { Agent, type AgentMissing } from "../agent/Agent.ts"
import { Failure } from "../domain/Failure.ts"
import * as JobDecision from "../domain/JobDecision.ts"
import { Finish } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import * as Usage from "../domain/Usage.ts"
import * as WorkflowState from "../domain/WorkflowState.ts"
import type { DiskSpace } from "../storage/DiskSpace.ts"
import { DamagedFile } from "../storage/AtomicFile.ts"
import { GlobalStorage } from "../storage/GlobalStorage.ts"
import { ProcessTable } from "../storage/ProcessTable.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { type Lease, ResumeLock } from "../storage/ResumeLock.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import { type RunTranscripts, TranscriptStore } from "../storage/TranscriptStore.ts"
import { type SessionFile, type SessionFileNotFound, WorkflowStore } from "../storage/WorkflowStore.ts"
import type { StandardWorkflow, Step } from "../workflow/Workflow.ts"
import type { Problem } from "../workflow/WorkflowFile.ts"
import { type Project, type SessionWorkspace, Workspace } from "../workspace/Workspace.ts"
import * as Again from "./Again.ts"
import { Approval } from "./Approval.ts"
import * as Capture from "./Capture.ts"
import { DeadClaims } from "./DeadClaims.ts"
import * as Finishing from "./Finishing.ts"
import * as FullDisk from "./FullDisk.ts"
import { AlreadyCancelled, AlreadyCompleted, type PlanError, type RunError, type RunRequest } from "./MapReduce.ts"
import * as Planning from "./Planning.ts"
import * as RunProcesses from "./RunProcesses.ts"
import * as RunScope from "./RunScope.ts"
import * as RunView from "./RunView.ts"
import * as StepFailure from "./StepFailure.ts"
import { StepRunner } from "./StepRunner.ts"
import * as WorkflowPlanning from "./WorkflowPlanning.ts"
import { type StepPlace, WorkflowProgress } from "./WorkflowProgress.ts"
import * as WorkflowSession from "./WorkflowSession.ts"

/**
 * What a caller asks for.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkflowRequest extends Omit<RunRequest, "maxParallel"> {
  /** The steps run up to so many times, and stop early when they changed nothing. */
  readonly iterations: number
  /** The steps run once for each value, in order; null: once, without a value. */
  readonly values: Values | null
}

/**
 * The values that the steps run for: a list, or the files of the project that a pattern matches.
 *
 * @since 0.1.0
 * @category models
 */
export type Values =
  | { readonly from: "args"; readonly list: ReadonlyArray<string> }
  | { readonly from: "map"; readonly pattern: string }

/**
 * A request that was checked: everything that can be known before anything is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkflowPlan {
  readonly request: WorkflowRequest
  readonly workflow: StandardWorkflow
  readonly warnings: ReadonlyArray<Problem>
  readonly project: Project
  /** The repository's name; null when it holds none yet (one is claimed by `run`). */
  readonly repo: RepoName | null
  readonly base: string
  readonly target: string | null
  readonly values: SessionFile["options"]["values"]
  /** The steps, with their texts filled in for the first value as far as that can be known. */
  readonly preview: ReadonlyArray<{ readonly step: Step; readonly text: string }>
}

/**
 * How a run ended.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorkflowReport = Schema.Struct({
  session_type: Schema.tag("Workflow"),
  session_id: SessionId,
  repository: Schema.String,
  workflow_name: Schema.String,
  status: Schema.Literal("completed", "failed", "paused", "cancelled"),
  phase: Schema.Literal("steps", "finish"),
  step: Schema.NullOr(Schema.String).annotations({ description: "where it stopped; null when all steps are done" }),
  total_steps: Schema.Int.annotations({ description: "of one iteration" }),
  completed_steps: Schema.Int.annotations({ description: "of the last iteration" }),
  iteration: Schema.Int.annotations({ description: "of the last value, from 1" }),
  iterations_completed: Schema.Int.annotations({ description: "of all values" }),
  value: Schema.NullOr(Schema.String).annotations({ description: "the last value that the steps ran for" }),
  total_values: Schema.NullOr(Schema.Int),
  usage: Usage.Usage,
  duration_ms: Schema.Number,
  finish: Schema.NullOr(Finish),
  failure: Schema.NullOr(Failure),
  waiting: Schema.NullOr(Schema.String).annotations({ description: "what it waits for; null when it does not" }),
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
export interface WorkflowReport extends Schema.Schema.Type<typeof WorkflowReport> {}

/**
 * Which session to go on with.
 *
 * @since 0.1.0
 * @category models
 */
export interface WorkflowResumeRequest {
  readonly repo: RepoName
  readonly sessionId: SessionId
  /** Takes the lock although another process seems to hold it. */
  readonly force: boolean
  readonly approve: RunRequest["approve"]
  /** Whether the run waits when the agent's quota is used up; otherwise it ends, paused. */
  readonly waitsForQuota: boolean
}

/**
 * @since 0.1.0
 * @category services
 */
export class WorkflowRun extends Context.Tag("@prodigy/core/engine/WorkflowRun")<
  WorkflowRun,
  {
    /** Checks a request. Makes nothing, in storage or in git. */
    readonly plan: (request: WorkflowRequest) => Effect.Effect<WorkflowPlan, PlanError>

    /**
     * Runs a plan to its end. A step that fails is a report with status `failed`, not an error. Interruption stops the
     * step that runs, records the pause and gives up the lock before it returns.
     */
    readonly run: (plan: WorkflowPlan) => Effect.Effect<WorkflowReport, RunError>

    /**
     * Goes on with a session at the first step that is not done, all variables back, whatever ended its owner. The
     * workflow is the one stored with the session. Fails with `AlreadyCompleted` when there is nothing to go on with;
     * otherwise as `run`.
     */
    readonly resume: (
      request: WorkflowResumeRequest
    ) => Effect.Effect<
      WorkflowReport,
      RunError | AlreadyCompleted | AlreadyCancelled | SessionFileNotFound | AgentMissing
    >

    /**
     * Ends a session that nobody drives for good: recorded in its checkpoint first, so that it is never gone on with. Then
     * its worktree is removed; work that is not merged stays on its branch and on rescue refs, which the report names.
     * Fails as `MapReduce.cancel`.
     */
    readonly cancel: (request: {
      readonly repo: RepoName
      readonly sessionId: SessionId
    }) => Effect.Effect<WorkflowReport, RunError | AlreadyCompleted | AlreadyCancelled | SessionFileNotFound>
  }
>() {}

/** A session that is being driven. */
interface Open {
  readonly file: SessionFile
  readonly extent: WorkflowState.Extent
  readonly workspace: SessionWorkspace
  readonly transcripts: RunTranscripts
}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const services = yield* Effect.context<Agent | ProdigyHome | Workspace>()
  const agent = yield* Agent
  const fullDisk = yield* FullDisk.make
  const approval = yield* Approval
  const home = yield* ProdigyHome
  const lock = yield* ResumeLock
  const processes = yield* ProcessTable
  const progress = yield* WorkflowProgress
  const runProcesses = yield* RunProcesses.RunProcesses
  const deadClaims = yield* DeadClaims
  const sessions = yield* SessionStore
  const steps = yield* StepRunner
  const storage = yield* GlobalStorage
  const store = yield* WorkflowStore
  const transcriptStore = yield* TranscriptStore
  const workspaces = yield* Workspace

  /** From here on, what an earlier owner left is gone, and what is started belongs to the session. */
  const owning = (file: SessionFile, force: boolean) =>
    runProcesses.own({ repo: file.repository.name, sessionId: file.session_id, force })

  /** A run that cannot go on leaves a session that says so, unless the session is somebody else's by now. */
  const recordError = (file: SessionFile) => (error: RunError) =>
    Effect.zipRight(lock.check(file.session_id), Timestamp.now).pipe(
      Effect.flatMap((at) =>
        sessions.update(file.session_id, (session) => ({
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

  /** Claims id and lock and writes what is known before the first effect. */
  const claim = Effect.fn("WorkflowRun.claim")(function* (plan: WorkflowPlan) {
    yield* storage.prepare
    const { project } = plan
    const repo = yield* home.claimRepoName({ path: project.root, rootCommit: project.rootCommit })
    yield* deadClaims.sweep(repo)
    const at = yield* Timestamp.now
    const sessionId = yield* store.claim(repo, (candidate) =>
      Effect.flatMap(workspaces.isTaken(project, candidate), (taken) =>
        taken
          ? Effect.succeed(false)
          : sessions.create(WorkflowSession.make(sessionFileOf(plan, repo, candidate, at), processes.self))
      )
    )
    const file = sessionFileOf(plan, repo, sessionId, at)
    const rest = lock
      .acquire({ jobId: null, sessionId, force: false })
      .pipe(Effect.zipRight(storage.sweep(repo, null)), Effect.zipRight(store.save(file)))
    yield* Effect.tapError(rest, recordError(file))
    return file
  })

  const open = Effect.fn("WorkflowRun.open")(function* (
    file: SessionFile,
    project: Project,
    state: WorkflowState.WorkflowState
  ) {
    const { session_id: sessionId } = file
    const repo = file.repository.name
    const transcripts = yield* transcriptStore.open(repo, sessionId)
    const isMissed =
      state.status !== "completed" && state.steps_completed > 0 && !(yield* workspaces.isTaken(project, sessionId))
    const workspace = yield* workspaces
      .open({
        project,
        repo,
        sessionId,
        jobId: null,
        base: file.base_commit,
        target: file.target_branch,
        maxParallel: 1,
        // Of what steps committed nothing is recorded.
        recorded: isMissed ? { commit: null, whole: false } : undefined
      })
      .pipe(fullDisk.explained(FullDisk.disksOf(file, { path: transcripts.directory }, transcripts)))
    yield* sessions.update(sessionId, (session) => ({
      ...session,
      // What is completed only lacks its last words; one that failed at them is taken up to say them.
      status:
        session.status === "Cancelled" || (state.status === "completed" && session.status !== "Failed")
          ? session.status
          : "Running",
      worktree: {
        path: workspace.parent.path,
        branch: workspace.parent.branch,
        target_branch: file.target_branch
      }
    }))
    return { file, extent: extentOf(file), workspace, transcripts } satisfies Open
  })

  /** Runs one step; what the agents used is counted in `used`, whatever ends it. */
  const runStep = Effect.fn("WorkflowRun.step")(function* (
    { file, transcripts, workspace }: Open,
    state: WorkflowState.WorkflowState,
    place: StepPlace,
    used: Ref.Ref<Usage.Usage>
  ) {
    const step = file.workflow.steps[state.next_step]!
    const { parent } = workspace
    const turn = turnOf(file, state)
    const touch = Effect.flatMap(Clock.currentTimeMillis, (lastActivityMillis) =>
      progress.update((view) => (view === null ? null : { ...view, lastActivityMillis }))
    )
    const ran = yield* Ref.make(false)
    const startedAt = yield* Clock.currentTimeMillis
    const disks = FullDisk.disksOf(file, parent, transcripts)
    // A step is recorded as done only when a power cut cannot take back what it did.
    const kept = Effect.whenEffect(workspace.flush, Ref.get(ran)).pipe(
      Effect.catchAll((error) => Effect.flatMap(fullDisk.judge(StepFailure.fromError(error), disks), Effect.fail))
    )
    const result = yield* Effect.either(
      steps
        .run([step], RunScope.forTurn(RunScope.make(file, parent.path, state.variables), turn), {
          checkout: parent,
          workspace,
          transcripts,
          disks,
          actor: "workflow",
          phase: "workflow",
          item: null,
          attempt: state.iterations_completed + 1,
          commits: Capture.asksForCommits(file.workflow.steps),
          env: { ...RunScope.environment(file, parent.path), ...RunScope.environmentOfTurn(turn) },
          onAgentEvent: () => touch,
          onStep: () => Effect.zipRight(Ref.set(ran, true), progress.publish({ _tag: "StepStarted", at: place })),
          onRetry: (retry) => progress.update((view) => (view === null ? null : { ...view, retry })),
          onUsage: (usage) =>
            Effect.zipRight(
              Ref.update(used, (sum) => Usage.add(sum, usage)),
              touch
            )
        })
        .pipe(Effect.zipLeft(kept))
    )
    const usage = yield* Ref.get(used)
    if (Either.isLeft(result)) {
      const failure = { ...result.left, step: result.left.step ?? step.name }
      const until = JobDecision.quotaUntil(failure, state.quota_hits, yield* Clock.currentTimeMillis)
      if (until !== null) {
        return { _tag: "QuotaReached", step: state.next_step, until, failure, usage } satisfies WorkflowState.Fact
      }
      yield* progress.publish({ _tag: "StepFailed", at: place, failure })
      return { _tag: "StepFailed", step: state.next_step, failure, usage } satisfies WorkflowState.Fact
    }
    const outcome = (yield* Ref.get(ran)) ? "done" : "skipped"
    const durationMillis = (yield* Clock.currentTimeMillis) - startedAt
    yield* progress.publish({ _tag: "StepCompleted", at: place, outcome, durationMillis })
    return {
      _tag: "StepCompleted",
      step: state.next_step,
      name: step.name,
      outcome,
      variables: result.right.scope.data,
      usage
    } satisfies WorkflowState.Fact
  })

  const finish = ({ file, transcripts, workspace }: Open) =>
    Finishing.finish(workspace, {
      sessionId: file.session_id,
      approve: file.options.approve,
      seal: workspace.sealSteps
    }).pipe(
      Effect.provideService(Approval, approval),
      Effect.map((finish): WorkflowState.Fact => ({ _tag: "Finished", finish })),
      Effect.catchAll((error) =>
        fullDisk
          .judge(StepFailure.fromError(error), FullDisk.disksOf(file, workspace.parent, transcripts))
          .pipe(Effect.map((failure): WorkflowState.Fact => ({ _tag: "FinishFailed", failure })))
      ),
      Effect.withSpan("WorkflowRun.finish")
    )

  /** Drives a session that was opened to its end, tidies up and reports. */
  const drive = Effect.fn("WorkflowRun.drive")(function* (
    run: Open,
    options: {
      readonly state: WorkflowState.WorkflowState
      readonly seq: number
      readonly first: WorkflowState.Fact
      readonly waitsForQuota: boolean
      readonly warnings: ReadonlyArray<string>
      readonly startedAt: number
    }
  ) {
    const { extent, file, workspace } = run
    const repo = file.repository.name
    const used = yield* Ref.make(Usage.none)
    const stepsBefore = (yield* sessions.get(file.session_id)).timings["steps"] ?? 0
    let { seq, state } = options
    let stepsEndedAt: number | null = null

    const show = Effect.gen(function* () {
      const now = yield* Clock.currentTimeMillis
      yield* progress.update(() => ({
        sessionId: file.session_id,
        workflowName: file.workflow.name,
        status: state.status,
        phase: state.phase,
        at: placeOf(run, state),
        waiting: state.quota === null ? null : RunView.waitingOf(state.quota),
        startedAtMillis: options.startedAt,
        retry: null,
        stepStartedAtMillis: now,
        lastActivityMillis: now,
        usage: state.usage
      }))
    })

    /** Writes down what happened before anything follows from it. */
    const advance = Effect.fnUntraced(function* (fact: WorkflowState.Fact) {
      state = Either.getOrThrowWith(WorkflowState.apply(state, extent, fact), (why) => new Error(why))
      yield* Ref.set(used, Usage.none)
      yield* lock.check(file.session_id)
      const saved = yield* store.saveCheckpoint(repo, file.session_id, { seq: ++seq, state })
      const now = yield* Clock.currentTimeMillis
      if (state.phase === "finish") stepsEndedAt ??= now
      const timings = {
        steps: stepsBefore + ((stepsEndedAt ?? now) - options.startedAt),
        ...(stepsEndedAt === null ? {} : { finish: now - stepsEndedAt })
      }
      yield* sessions.update(file.session_id, (session) =>
        WorkflowSession.update(session, run.file, state, { at: saved.created_at, checkpointId: saved.id, timings })
      )
      yield* show
      if (fact._tag === "QuotaReached") {
        const { failure, until } = fact
        yield* progress.publish({ _tag: "Waiting", at: placeAt(run, state), until, why: failure.message })
      }
    })

    const perform = (due: WorkflowState.Work): Effect.Effect<WorkflowState.Fact, RunError> => {
      switch (due._tag) {
        case "Look":
          return Again.whilePassing(workspace.fingerprint).pipe(
            fullDisk.explained(FullDisk.disksOf(file, workspace.parent, run.transcripts)),
            Effect.map((mark): WorkflowState.Fact => ({ _tag: "Looked", mark }))
          )
        case "RunStep":
          return Effect.flatMap(show, () => runStep(run, state, placeAt(run, state), used))
        case "Wait":
          // The time is recorded: whoever goes on with the session waits for what is left of it.
          return Effect.map(Again.isPast(due.until, options.waitsForQuota), (past) =>
            past ? { _tag: "QuotaOver" } : { _tag: "Paused", usage: Usage.none }
          )
        case "Finish":
          return finish(run)
      }
    }

    // A step that has ended is written down before an interruption is heard.
    const toItsEnd = Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        if (state.status !== "completed" && state.status !== "cancelled") yield* advance(options.first)
        for (;;) {
          const due = WorkflowState.work(state, extent)
          if (due === null) return
          yield* advance(yield* restore(perform(due)))
        }
      })
    )
    const pause = Effect.gen(function* () {
      if (state.status === "running") yield* advance({ _tag: "Paused", usage: yield* Ref.get(used) })
    })

    yield* toItsEnd.pipe(
      Effect.onInterrupt(() =>
        Effect.catchAll(pause, (error) => Effect.logError(`The pause could not be recorded: ${error.message}`))
      ),
      Effect.onError(() =>
        lock.check(file.session_id).pipe(
          Effect.zipRight(workspace.clean({ keepParent: true })),
          Effect.catchAll((error) => Effect.logWarning("The session's worktree could not be put in order.", error))
        )
      ),
      Effect.ensuring(progress.publish({ _tag: "Ended" }))
    )
    const isMerged = state.status === "completed" && state.finish !== null && state.finish.outcome !== "waiting"
    const keepParent = !isMerged && state.status !== "cancelled"
    const end = (removed: ReadonlyArray<string>) =>
      sessions.update(file.session_id, (session) => ({
        ...WorkflowSession.update(session, run.file, state, null),
        worktree: removed.includes(workspace.parent.path) ? null : session.worktree
      }))
    const cleaned = yield* workspace.clean({ keepParent }).pipe(
      // What is left is told by the error; what was done is done.
      Effect.tapError(() => Effect.ignoreLogged(end([])))
    )
    yield* end(cleaned.removedWorktrees)
    return reportOf(run, state, {
      cleaned,
      warnings: options.warnings,
      durationMillis: (yield* Clock.currentTimeMillis) - options.startedAt
    })
  })

  const begin = Effect.fn("WorkflowRun.begin")(function* (plan: WorkflowPlan, file: SessionFile, startedAt: number) {
    const run = yield* open(file, plan.project, WorkflowState.empty)
    const warnings = plan.warnings.map((warning) => `${plan.request.workflowPath}:${warning.line}: ${warning.message}`)
    const { waitsForQuota } = plan.request
    const first: WorkflowState.Fact = { _tag: "Started" }
    return yield* drive(run, { state: WorkflowState.empty, seq: 0, first, waitsForQuota, warnings, startedAt })
  })

  const goOn = Effect.fn("WorkflowRun.goOn")(function* (
    file: SessionFile,
    found: Effect.Effect.Success<ReturnType<(typeof store)["loadCheckpoint"]>> & {
      readonly overridden: Lease | null
      readonly earlier: RunProcesses.Earlier | null
    },
    how: { readonly cancels: boolean; readonly waitsForQuota: boolean },
    startedAt: number
  ) {
    const project = yield* workspaces.find(file.repository.checkout)
    const { checkpoint, damaged, earlier, overridden } = found
    // The session's file is a summary: one that was lost is made again.
    const aside = yield* sessions.restore(WorkflowSession.make(file, processes.self))
    yield* sessions.update(file.session_id, (session) => ({
      ...session,
      owner: processes.self,
      completed_at: checkpoint?.state.status === "completed" ? session.completed_at : null,
      error: null
    }))
    const state = checkpoint?.state ?? WorkflowState.empty
    const run = yield* open(file, project, state)
    const warnings = [
      ...damaged.map(({ message }) => `${message} Its other copy was used.`),
      ...RunView.madeAgain(aside),
      ...(overridden === null
        ? []
        : [`The session was taken from process ${overridden.process_id} on ${overridden.hostname} by force.`]),
      ...RunProcesses.warnings(earlier)
    ]
    const going: WorkflowState.Fact = state.status === "new" ? { _tag: "Started" } : { _tag: "Resumed" }
    const isMerged = how.cancels && (yield* Finishing.isUnrecorded(run.workspace, state))
    const first: WorkflowState.Fact = how.cancels && !isMerged ? { _tag: "Cancelled" } : going
    const { waitsForQuota } = how
    return yield* drive(run, { state, seq: checkpoint?.seq ?? 0, first, waitsForQuota, warnings, startedAt })
  })

  /** A session of which nothing is done has no checkpoint. One whose file tells of a checkpoint has lost it. */
  const checkBeginning = Effect.fnUntraced(function* ({ repository, session_id }: SessionFile) {
    const session = yield* Effect.option(sessions.get(session_id))
    if (Option.isNone(session) || session.value.checkpoints.length === 0) return
    return yield* new DamagedFile({
      path: home.repo(repository.name).workflowCheckpoint(session_id),
      line: 0,
      expected: "the checkpoint that the session's file tells of",
      actual: "no file"
    })
  })

  /** Whether nothing is left to do or to say: a crash may have come between the last checkpoint and the last words. */
  const isTidy = ({ finish }: WorkflowState.WorkflowState, sessionId: SessionId) =>
    Effect.map(sessions.get(sessionId), ({ status, worktree }) =>
      status === "Cancelled"
        ? worktree === null
        : status === "Completed" && (worktree === null || finish?.outcome === "waiting")
    ).pipe(
      Effect.catchTags({
        SessionNotFound: () => Effect.succeed(false),
        DamagedFile: () => Effect.succeed(false)
      })
    )

  return WorkflowRun.of({
    plan: (request) => Effect.provide(WorkflowPlanning.plan(request), services),
    run: Effect.fn("WorkflowRun.run")(function* (plan) {
      const startedAt = yield* Clock.currentTimeMillis
      const file = yield* claim(plan)
      const begun = owning(file, false)(() => begin(plan, file, startedAt))
      return yield* Effect.tapError(begun, recordError(file))
    }, Effect.scoped),
    resume: Effect.fn("WorkflowRun.resume")(function* ({ approve, force, repo, sessionId, waitsForQuota }) {
      const startedAt = yield* Clock.currentTimeMillis
      const stored = yield* store.load(repo, sessionId)
      const file: SessionFile = { ...stored, options: { ...stored.options, approve } }
      const { overridden } = yield* lock.acquire({ jobId: null, sessionId, force })
      yield* storage.sweep(repo, null)
      const again = Effect.fnUntraced(function* (earlier: RunProcesses.Earlier | null) {
        const found = yield* store.loadCheckpoint(repo, sessionId)
        if (found.checkpoint === null) yield* checkBeginning(file)
        const state = found.checkpoint?.state
        if (state?.status === "cancelled") return yield* new AlreadyCancelled({ session_id: sessionId })
        if (state?.status === "completed" && (yield* isTidy(state, sessionId))) {
          return yield* new AlreadyCompleted({ session_id: sessionId, job_id: null, finish: state.finish })
        }
        if (Planning.stepsUseClaude(file.workflow.steps)) yield* agent.check
        const going = goOn(file, { ...found, overridden, earlier }, { cancels: false, waitsForQuota }, startedAt)
        return yield* Effect.tapError(going, recordError(file))
      })
      return yield* owning(file, force)(again)
    }, Effect.scoped),
    cancel: Effect.fn("WorkflowRun.cancel")(function* ({ repo, sessionId }) {
      const startedAt = yield* Clock.currentTimeMillis
      const stored = yield* store.load(repo, sessionId)
      // What was merged before is all that is merged.
      const file: SessionFile = { ...stored, options: { ...stored.options, approve: "not_asked" } }
      const { overridden } = yield* lock.acquire({ jobId: null, sessionId, force: false })
      yield* storage.sweep(repo, null)
      const end = Effect.fnUntraced(function* (earlier: RunProcesses.Earlier | null) {
        const found = yield* store.loadCheckpoint(repo, sessionId)
        const state = found.checkpoint?.state
        if (state?.status === "completed") {
          return yield* new AlreadyCompleted({ session_id: sessionId, job_id: null, finish: state.finish })
        }
        if (state?.status === "cancelled" && (yield* isTidy(state, sessionId))) {
          return yield* new AlreadyCancelled({ session_id: sessionId })
        }
        const how = { cancels: true, waitsForQuota: false }
        const report = yield* goOn(file, { ...found, overridden, earlier }, how, startedAt)
        if (report.status !== "completed") return report
        return yield* new AlreadyCompleted({ session_id: sessionId, job_id: null, finish: report.finish })
      })
      return yield* owning(file, false)(end)
    }, Effect.scoped)
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  WorkflowRun,
  never,
  | Agent
  | Approval
  | DeadClaims
  | DiskSpace
  | GlobalStorage
  | ProcessTable
  | ProdigyHome
  | ResumeLock
  | RunProcesses.RunProcesses
  | SessionStore
  | StepRunner
  | TranscriptStore
  | WorkflowProgress
  | WorkflowStore
  | Workspace
> = Layer.effect(WorkflowRun, make)

// -----------------------------------------------------------------------------
// what is known of a session
// -----------------------------------------------------------------------------

const sessionFileOf = (plan: WorkflowPlan, repo: RepoName, sessionId: SessionId, at: string): SessionFile => ({
  v: 1,
  session_id: sessionId,
  created_at: at,
  repository: { name: repo, path: plan.project.root, checkout: plan.project.checkout },
  base_commit: plan.base,
  target_branch: plan.target,
  workflow: plan.workflow,
  workflow_source: Planning.sourceOf(plan.request),
  options: {
    approve: plan.request.approve,
    parameters: plan.request.parameters,
    iterations: plan.request.iterations,
    values: plan.values
  }
})

const extentOf = (file: SessionFile): WorkflowState.Extent => ({
  steps: file.workflow.steps.length,
  iterations: file.options.iterations,
  values: file.options.values?.list.length ?? 1
})

const turnOf = (file: SessionFile, state: WorkflowState.WorkflowState): RunScope.Turn => {
  const { values } = file.options
  const text = values?.list[state.value]
  return {
    iteration: state.iteration,
    value: values === null || text === undefined ? null : { from: values.from, text }
  }
}

/**
 * The step that is due in a state of a session; null when all are done.
 *
 * @since 0.1.0
 * @category getters
 */
export const placeIn = (file: SessionFile, state: WorkflowState.WorkflowState): StepPlace | null =>
  placeOf({ file, extent: extentOf(file) }, state)

const placeAt = ({ extent, file }: Pick<Open, "extent" | "file">, state: WorkflowState.WorkflowState): StepPlace => {
  const value = turnOf(file, state).value
  return {
    step: state.next_step + 1,
    steps: extent.steps,
    name: file.workflow.steps[state.next_step]?.name ?? "",
    iteration: state.iteration,
    iterations: extent.iterations,
    value: value === null ? null : { number: state.value + 1, total: extent.values, text: value.text }
  }
}

const placeOf = (run: Pick<Open, "extent" | "file">, state: WorkflowState.WorkflowState): StepPlace | null =>
  state.phase === "steps" && state.next_step < run.extent.steps ? placeAt(run, state) : null

const reportOf = (
  run: Open,
  state: WorkflowState.WorkflowState,
  options: {
    readonly cleaned: Effect.Effect.Success<ReturnType<SessionWorkspace["clean"]>>
    readonly warnings: ReadonlyArray<string>
    readonly durationMillis: number
  }
): WorkflowReport => ({
  session_type: "Workflow",
  session_id: run.file.session_id,
  repository: run.file.repository.name,
  workflow_name: run.file.workflow.name,
  status: state.status === "new" || state.status === "running" ? "failed" : state.status,
  phase: state.phase,
  step: placeOf(run, state)?.name ?? null,
  total_steps: run.extent.steps,
  completed_steps: state.next_step,
  iteration: state.iteration,
  iterations_completed: state.iterations_completed,
  value: turnOf(run.file, state).value?.text ?? null,
  total_values: run.file.options.values?.list.length ?? null,
  usage: state.usage,
  duration_ms: options.durationMillis,
  finish: state.finish,
  failure: state.failure,
  waiting: state.quota === null ? null : RunView.waitingOf(state.quota),
  branch: run.workspace.parent.branch,
  worktree: run.workspace.parent.path,
  kept: options.cleaned.kept,
  orphans: options.cleaned.orphans.map((orphan) => orphan.path),
  warnings: options.warnings
})
