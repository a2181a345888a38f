/**
 * Does the work that a job's state asks for, and answers with the fact that came of it.
 *
 * Owns what each kind of work means in terms of workspace, steps and pool. Decides nothing about the job.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Ref from "effect/Ref"
import * as Schedule from "effect/Schedule"
import * as Schema from "effect/Schema"
import type { Attempt, OpenPool } from "../agent/AgentPool.ts"
import type { AgentEvent } from "../agent/Agent.ts"
import * as Failure from "../domain/Failure.ts"
import type { Phase } from "../domain/JobRecord.ts"
import { environmentDelayMillis, environmentFailuresMax, type Input, type Work } from "../domain/JobDecision.ts"
import type { JobState } from "../domain/JobState.ts"
import * as Usage from "../domain/Usage.ts"
import type { Json } from "../domain/WorkItem.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import type { DiskSpace } from "../storage/DiskSpace.ts"
import { JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"
import * as Template from "../workflow/Template.ts"
import * as Workflow from "../workflow/Workflow.ts"
import { WorkItemsError } from "../workflow/WorkItems.ts"
import { WorkspaceError } from "../workspace/Workspace.ts"
import { type ActiveRun, itemIdOf } from "./ActiveRun.ts"
import * as Again from "./Again.ts"
import * as Capture from "./Capture.ts"
import { Approval } from "./Approval.ts"
import * as Finishing from "./Finishing.ts"
import * as FullDisk from "./FullDisk.ts"
import { ItemSelection } from "./ItemSelection.ts"
import * as MapResults from "./MapResults.ts"
import { Progress } from "./Progress.ts"
import * as RunScope from "./RunScope.ts"
import * as StepFailure from "./StepFailure.ts"
import { StepRunner } from "./StepRunner.ts"

/**
 * @since 0.1.0
 * @category services
 */
export class JobWork extends Context.Tag("@prodigy/core/engine/JobWork")<
  JobWork,
  {
    /**
     * Does one piece of work. What goes wrong in the workflow or its workspace is an input (`AttemptFailed`,
     * `PhaseFailed`, …), so that it is recorded and reported, and can be gone on from; it fails only when the storage
     * cannot be used any more.
     */
    readonly perform: (run: ActiveRun, state: JobState, work: Work) => Effect.Effect<Input, StorageError | DamagedFile>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const steps = yield* StepRunner
  const fullDisk = yield* FullDisk.make
  const selection = yield* ItemSelection
  const store = yield* JobStore
  const journal = yield* Journal
  const approval = yield* Approval
  const progress = yield* Progress

  const disksOf = (run: ActiveRun) => FullDisk.disksOf(run.job, run.workspace.parent, run.transcripts)

  /** A phase that met a full disk failed because of it, whatever failed first. */
  const judged = (run: ActiveRun, work: Effect.Effect<Input, StorageError | DamagedFile>) =>
    Effect.flatMap(work, (input) =>
      input._tag === "PhaseFailed"
        ? Effect.map(fullDisk.judge(input.failure, disksOf(run)), (failure): Input => ({ ...input, failure }))
        : Effect.succeed(input)
    )

  /** Runs steps of a phase in the parent worktree, in what its steps before have left of the phase's time. */
  const runPhaseSteps = Effect.fnUntraced(function* (
    run: ActiveRun,
    actor: "setup" | "reduce",
    list: ReadonlyArray<Workflow.Step>,
    data: Readonly<Record<string, Json>>,
    spentMillis: number
  ) {
    const phase = run.job.workflow[actor]
    const timeoutMillis = phase.timeout_ms
    const { parent } = run.workspace
    const used = yield* Ref.make(Usage.none)
    const running = steps.run(list, RunScope.make(run.job, parent.path, data), {
      checkout: parent,
      workspace: run.workspace,
      transcripts: run.transcripts,
      disks: disksOf(run),
      actor,
      phase: actor,
      item: null,
      attempt: 1,
      commits: Capture.asksForCommits(phase.steps, Object.values(phase.capture_outputs)),
      env: RunScope.environment(run.job, parent.path),
      onAgentEvent: (_event: AgentEvent) => Effect.void,
      onStep: (step) =>
        progress.update((view) => (view === null ? null : { ...view, phaseStep: step.name, phaseRetry: null })),
      onRetry: (phaseRetry) => progress.update((view) => (view === null ? null : { ...view, phaseRetry })),
      onUsage: (usage) => Ref.update(used, (sum) => Usage.add(sum, usage))
    })
    const timed =
      timeoutMillis === null
        ? running
        : Effect.timeoutFail(running, {
            duration: Math.max(0, timeoutMillis - spentMillis),
            onTimeout: () =>
              Failure.make(
                { error_type: "Timeout", timeout_ms: timeoutMillis, scope: "step" },
                `The ${actor} phase did not end within ${timeoutMillis} ms.`
              )
          })
    const told = Effect.flatMap(Ref.get(used), (usage) => Ref.update(run.lost, (sum) => Usage.add(sum, usage)))
    const result = yield* Effect.onInterrupt(Effect.either(timed), () => told)
    return { result, usage: yield* Ref.get(used) }
  })

  const runSetup = Effect.fn("JobWork.setup")(function* (run: ActiveRun) {
    const phase = run.job.workflow.setup
    const { result, usage } = yield* runPhaseSteps(run, "setup", phase.steps, {}, 0)
    if (Either.isLeft(result)) return phaseFailed("setup", result.left, usage)
    const outputs: Record<string, Json> = {}
    for (const [name, template] of Object.entries(phase.capture_outputs)) {
      const text = Template.render(template, result.right.scope)
      if (Either.isLeft(text)) return phaseFailed("setup", StepFailure.fromError(text.left), usage)
      outputs[name] = text.right
    }
    yield* Again.whilePassing(run.workspace.sealSetup({ autoCommit: phase.auto_commit }))
    yield* run.workspace.flush
    return { _tag: "SetupDone", variables: { ...result.right.captures, ...outputs }, usage } satisfies Input
  })

  const selectItems = Effect.fn("JobWork.select")(function* (run: ActiveRun, state: JobState) {
    const { parent } = run.workspace
    const selected = yield* Effect.either(
      selection.select(run.job.workflow.map.selection, {
        directories: [parent.path, run.job.repository.checkout],
        scope: RunScope.make(run.job, parent.path, state.variables),
        env: RunScope.environment(run.job, parent.path),
        timeoutMillis: null,
        log: run.transcripts.path({ actor: "map", step: "input", attempt: 1, kind: "shell" }).pipe(
          Effect.mapError(
            (error) =>
              new WorkItemsError({
                option: "input",
                reason: "command_failed",
                where: error.path,
                detail: error.message
              })
          )
        )
      })
    )
    if (Either.isLeft(selected)) {
      return phaseFailed("select", Failure.make({ error_type: "ValidationFailed" }, selected.left.message))
    }
    yield* store.saveItems(run.repo, run.job.job_id, selected.right)
    run.items.current = selected.right
    return { _tag: "ItemsSelected", total: selected.right.length } satisfies Input
  })

  const runAttempt = Effect.fnUntraced(function* (
    run: ActiveRun,
    state: JobState,
    work: Extract<Work, { readonly _tag: "RunAttempt" }>
  ) {
    const outcome = yield* run.pool.run(attemptOf(run, state, work))
    const { index, attempt } = work
    return outcome.outcome === "succeeded"
      ? ({
          _tag: "AttemptSucceeded",
          index,
          attempt,
          tip: outcome.tip,
          branch: outcome.branch,
          commits: outcome.commits,
          durationMillis: outcome.duration_ms,
          usage: outcome.usage,
          result: outcome.result,
          log: outcome.log
        } satisfies Input)
      : ({
          _tag: "AttemptFailed",
          index,
          attempt,
          failure: outcome.failure,
          kept: outcome.kept,
          durationMillis: outcome.duration_ms,
          usage: outcome.usage,
          handled: outcome.handled
        } satisfies Input)
  })

  const integrate = Effect.fnUntraced(function* (run: ActiveRun, work: Extract<Work, { readonly _tag: "Integrate" }>) {
    const started = yield* Clock.currentTimeMillis
    const { agentId, branch, index, tip } = work
    const agentWork = { agentId, itemId: itemIdOf(run, index), itemIndex: index, attempt: 1 }
    const kept = { tip, ...(branch === null ? {} : { branch_name: branch }) }
    // A finished item waits for room as long as an unfinished one would: its work is not done again for it.
    const merged = yield* Again.whilePassing(run.workspace.integrate(agentWork, tip, branch)).pipe(
      Effect.catchAll((error) =>
        Effect.flatMap(
          fullDisk.judge(
            error._tag === "MergeConflict"
              ? Failure.make({ error_type: "MergeConflict", paths: error.paths }, error.message)
              : StepFailure.fromError(error),
            disksOf(run)
          ),
          Effect.fail
        )
      ),
      Effect.retry({
        schedule: Schedule.spaced(environmentDelayMillis),
        times: environmentFailuresMax - 1,
        while: ({ cause }) => cause.error_type === "ResourceExhausted"
      }),
      Effect.either
    )
    if (Either.isRight(merged)) return { _tag: "Merged", index, commit: merged.right.commit } satisfies Input
    const failure = merged.left
    const durationMillis = (yield* Clock.currentTimeMillis) - started
    return {
      _tag: "MergeFailed",
      index,
      failure: { ...failure, step: "merge" },
      kept,
      durationMillis
    } satisfies Input
  })

  const mapVariables = yield* Effect.cachedFunction(
    (key: ReduceKey) =>
      MapResults.write(key.run.repo, key.run.job.job_id, key.state).pipe(
        Effect.provideService(JobStore, store),
        Effect.provideService(Journal, journal)
      ),
    (a, b) => a.run === b.run
  )

  /** Milliseconds that the steps of the reduce phase took in a run: waits between them are not its time. */
  const spentInReduce = yield* Effect.cachedFunction((_run: ActiveRun) => Ref.make(0))

  const runReduceStep = Effect.fn("JobWork.reduce")(function* (run: ActiveRun, state: JobState, index: number) {
    const phase = run.job.workflow.reduce
    const step = phase.steps[index]!
    yield* Again.whilePassing(run.workspace.syncParent)
    const map = yield* mapVariables({ run, state })
    const wantsResults = namesMapResults(step)
    const results = wantsResults
      ? {
          results: yield* MapResults.load(run.repo, run.job.job_id, state).pipe(Effect.provideService(Journal, journal))
        }
      : {}
    const data = { ...state.variables, map: { ...map, ...results } }
    const spent = yield* spentInReduce(run)
    const before = yield* Ref.get(spent)
    const started = yield* Clock.currentTimeMillis
    const { result, usage } = yield* runPhaseSteps(run, "reduce", [step], data, before)
    yield* Ref.set(spent, before + (yield* Clock.currentTimeMillis) - started)
    if (Either.isLeft(result)) return phaseFailed("reduce", result.left, usage)
    yield* run.workspace.flush
    const { map: _map, ...variables } = result.right.scope.data
    return { _tag: "ReduceStepDone", step: index, variables, usage } satisfies Input
  })

  const finish = Effect.fn("JobWork.finish")(function* (run: ActiveRun) {
    const { workspace } = run
    yield* Again.whilePassing(workspace.syncParent)
    const finished = yield* Finishing.finish(workspace, {
      sessionId: run.job.session_id,
      approve: run.job.options.approve,
      seal: workspace.sealReduce({ autoCommit: run.job.workflow.reduce.auto_commit })
    }).pipe(Effect.provideService(Approval, approval))
    return { _tag: "Finished", finish: finished } satisfies Input
  })

  return JobWork.of({
    perform: (run, state, work) => {
      switch (work._tag) {
        case "RunSetup":
          return judged(run, endingPhase("setup", runSetup(run)))
        case "SelectItems":
          return judged(run, selectItems(run, state))
        case "RunAttempt":
          return runAttempt(run, state, work)
        case "Integrate":
          return integrate(run, work)
        case "RunReduceStep":
          return judged(run, endingPhase("reduce", runReduceStep(run, state, work.step)))
        case "Finish":
          return judged(run, endingPhase("finish", finish(run)))
      }
    }
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  JobWork,
  never,
  StepRunner | ItemSelection | JobStore | Journal | Approval | Progress | DiskSpace
> = Layer.effect(JobWork, make)

interface ReduceKey {
  readonly run: ActiveRun
  readonly state: JobState
}

/**
 * The attempt that a piece of work stands for.
 *
 * @since 0.1.0
 * @category constructors
 */
export const attemptOf = (
  run: ActiveRun,
  state: JobState,
  work: Extract<Work, { readonly _tag: "RunAttempt" }>
): Parameters<OpenPool["run"]>[0] => {
  const item = run.items.current[work.index]
  const attempt: Attempt = {
    agent_id: work.agentId,
    attempt: work.attempt,
    failures: work.failures,
    item: item ?? { index: work.index, id: itemIdOf(run, work.index), data: null },
    item_total: run.items.current.length,
    variables: state.variables
  }
  return attempt
}

const phaseFailed = (phase: Phase, failure: Failure.Failure, usage: Usage.Usage = Usage.none): Input => ({
  _tag: "PhaseFailed",
  phase,
  failure,
  usage
})

const endingPhase = <E, R>(phase: Phase, work: Effect.Effect<Input, E | WorkspaceError, R>) =>
  Effect.catchIf(work, isWorkspaceError, (error) => Effect.succeed(phaseFailed(phase, StepFailure.fromError(error))))

const isWorkspaceError = Schema.is(WorkspaceError)

/** Whether a step, or a step that follows from it, names `map.results` itself; the file's name alone needs no array. */
const namesMapResults = (step: Workflow.Step): boolean => {
  const texts = Capture.textsOf(step)
  return texts.some((text) => /map\.results(?![_\w])/.test(text)) || Workflow.followers(step).some(namesMapResults)
}
