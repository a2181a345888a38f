/**
 * Watching a run from another process: what its journal, its checkpoints and its event log tell, as it goes on.
 *
 * Owns how a session is looked at again and again until nobody drives it any more. Reads only, and takes no lock: whatever
 * happens to the watcher, the run does not notice. What is seen is up to a second old.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as DateTime from "effect/DateTime"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Schema from "effect/Schema"
import * as Stream from "effect/Stream"
import type { EventRecord } from "../domain/Event.ts"
import { IdGenerator } from "../domain/IdGenerator.ts"
import { JobId } from "../domain/JobId.ts"
import { type JournalEntry, Phase } from "../domain/JobRecord.ts"
import * as JobState from "../domain/JobState.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { Usage } from "../domain/Usage.ts"
import * as WorkflowState from "../domain/WorkflowState.ts"
import type { DamagedFile, StorageError } from "../storage/AtomicFile.ts"
import { EventLog } from "../storage/EventLog.ts"
import { type JobFile, type JobNotFound, JobStore } from "../storage/JobStore.ts"
import { Journal } from "../storage/Journal.ts"
import { ProdigyHome } from "../storage/ProdigyHome.ts"
import { SessionStore } from "../storage/SessionStore.ts"
import { type SessionFileNotFound, WorkflowStore } from "../storage/WorkflowStore.ts"
import { policyOf } from "./ActiveRun.ts"
import { Inspect, type InspectError, type Known, Shown } from "./Inspect.ts"
import * as JobEvents from "./JobEvents.ts"
import { Progress, type RunView } from "./Progress.ts"
import { applied } from "./Restore.ts"
import * as RunViews from "./RunView.ts"
import { WorkflowProgress, type WorkflowView } from "./WorkflowProgress.ts"
import { placeIn } from "./WorkflowRun.ts"

const common = {
  at: Timestamp.Timestamp.annotations({ description: "when it was looked at" }),
  session_id: SessionId,
  workflow_name: Schema.String,
  status: Shown,
  waiting: Schema.NullOr(Schema.String).annotations({ description: "what it waits for, in one sentence" }),
  usage: Usage
}

/**
 * A MapReduce job at one moment.
 *
 * @since 0.1.0
 * @category schemas
 */
export const JobSnapshot = Schema.Struct({
  session_type: Schema.tag("MapReduce"),
  ...common,
  job_id: JobId,
  phase: Phase,
  total: Schema.NullOr(Schema.Int).annotations({ description: "null until the items are selected" }),
  counts: JobState.Counts,
  agents: Schema.Array(
    Schema.Struct({
      agent_id: Schema.String,
      item_id: Schema.String,
      attempt: Schema.Int,
      step: Schema.String,
      step_index: Schema.Int,
      step_total: Schema.Int,
      started_at: Timestamp.Timestamp,
      last_activity_at: Timestamp.Timestamp
    })
  ).annotations({ description: "agents at work, longest first" })
})

/**
 * A standard workflow at one moment.
 *
 * @since 0.1.0
 * @category schemas
 */
export const WorkflowSnapshot = Schema.Struct({
  session_type: Schema.tag("Workflow"),
  ...common,
  phase: Schema.Literal("steps", "finish"),
  step: Schema.NullOr(
    Schema.Struct({
      number: Schema.Int,
      total: Schema.Int,
      name: Schema.String,
      iteration: Schema.Int,
      iterations: Schema.Int,
      value: Schema.NullOr(Schema.String)
    })
  ).annotations({ description: "the step at work, or the next one; null when all are done" })
})

/**
 * @since 0.1.0
 * @category schemas
 */
export const Snapshot = Schema.Union(JobSnapshot, WorkflowSnapshot)

/**
 * @since 0.1.0
 * @category models
 */
export type Snapshot = typeof Snapshot.Type

/**
 * @since 0.1.0
 * @category errors
 */
export type AttachError = InspectError | JobNotFound | SessionFileNotFound

/**
 * Milliseconds between two looks, at least. A journal that takes long to look through is looked at less often.
 *
 * @since 0.1.0
 * @category models
 */
export const lookMillis = 500

/**
 * @since 0.1.0
 * @category services
 */
export class Attach extends Context.Tag("@prodigy/core/engine/Attach")<
  Attach,
  {
    /**
     * Watches what `id` means. The stream gives how it is now, then every change, and ends when nobody drives it any more,
     * with how it is then. Meanwhile `Progress` and `WorkflowProgress` tell what they tell in the process that runs it.
     */
    readonly watch: (options: { readonly projectPath: string; readonly id: string }) => Effect.Effect<
      {
        readonly known: Known
        /** Whether somebody drives it now. */
        readonly live: boolean
        readonly snapshots: Stream.Stream<Snapshot, AttachError>
      },
      AttachError
    >
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const events = yield* EventLog
  const home = yield* ProdigyHome
  const ids = yield* IdGenerator
  const inspect = yield* Inspect
  const jobs = yield* JobStore
  const journal = yield* Journal
  const progress = yield* Progress
  const sessions = yield* SessionStore
  const steps = yield* WorkflowProgress
  const workflows = yield* WorkflowStore

  /** How the session is shown now. One whose file is lost or damaged is driven by nobody. */
  const shownOf = ({ sessionId }: Known): Effect.Effect<Shown, StorageError> =>
    sessions.get(sessionId).pipe(
      Effect.flatMap(sessions.show),
      Effect.map(({ shown }) => shown),
      Effect.catchTags({
        DamagedFile: () => Effect.succeed("Interrupted" as const),
        SessionNotFound: () => Effect.succeed("Interrupted" as const)
      })
    )

  /** Looks again and again until nobody drives the session, and once more. Gives what differs from before. */
  const looks = <E>(
    known: Known,
    look: (shown: Shown) => Effect.Effect<Snapshot, E>
  ): Stream.Stream<Snapshot, E | StorageError> =>
    Stream.suspend(() => {
      let over = false
      let waitMillis = 0
      let last = ""
      const failing = <X extends E | StorageError>(error: X): Option.Option<E | StorageError> => Option.some(error)
      const next = Effect.gen(function* () {
        if (over) return yield* Effect.fail(Option.none())
        yield* Effect.sleep(waitMillis)
        const before = yield* Clock.currentTimeMillis
        // Asked first: what is not written when nobody drives it will never be.
        const shown = yield* Effect.mapError(shownOf(known), failing)
        over = !live.has(shown)
        const snapshot = yield* Effect.mapError(look(shown), failing)
        waitMillis = Math.max(lookMillis, 9 * ((yield* Clock.currentTimeMillis) - before))
        const text = JSON.stringify({ ...snapshot, at: "" })
        if (text === last) return []
        last = text
        return [snapshot]
      })
      return Stream.flattenIterables(Stream.repeatEffectOption(next))
    })

  const ofJob = Effect.fnUntraced(function* (known: Known, jobId: JobId) {
    const { repo } = known
    const job = yield* jobs.load(repo, jobId)
    const path = home.repo(repo).job(jobId).journal
    const tell = teller(job)
    const signs = new Map<string, Sign>()
    let state = JobState.empty
    let view: RunView | null = null
    let isNew = false

    const take = Effect.fnUntraced(function* (entry: JournalEntry) {
      state = yield* applied(path, state, entry)
      view = RunViews.follow(view, { run: { job }, entry, state, now: millisOf(entry.at) })
      const told = tell(entry, state)
      if (!isNew || told.length === 0) return
      yield* progress.publish(
        yield* Effect.forEach(told, (event) =>
          Effect.map(ids.uuid, (id): EventRecord => ({
            v: 1,
            id,
            timestamp: entry.at,
            correlation_id: job.session_id,
            event: { ...event, job_id: jobId },
            metadata: { host: "", pid: 0 }
          }))
        )
      )
    })

    const look = Effect.fnUntraced(function* (shown: Shown) {
      yield* Stream.runForEach(journal.read(repo, jobId, state.seq), take)
      isNew = true
      const seen = withSigns(view ?? blank(job), signs)
      yield* progress.update(() => seen)
      return jobSnapshot(seen, shown, yield* Timestamp.now)
    })

    const isLive = Effect.map(shownOf(known), (shown) => live.has(shown))
    const listen = Stream.runForEach(events.follow(repo, jobId, isLive), (entry) =>
      Effect.sync(() => {
        if (Either.isRight(entry)) noteSign(signs, entry.right)
      })
    ).pipe(
      // The steps of agents are all that is lost.
      Effect.catchAll((error) => Effect.logDebug(`The event log was not followed: ${error.message}`))
    )
    return Stream.unwrapScoped(Effect.as(Effect.forkScoped(listen), looks(known, look)))
  })

  const ofWorkflow = Effect.fnUntraced(function* (known: Known) {
    const { repo, sessionId } = known
    const file = yield* workflows.load(repo, sessionId)
    let view: WorkflowView | null = null
    return looks(
      known,
      Effect.fnUntraced(function* (shown: Shown): Effect.fn.Return<Snapshot, StorageError | DamagedFile> {
        const { checkpoint } = yield* workflows.loadCheckpoint(repo, sessionId)
        const state = checkpoint?.state ?? WorkflowState.empty
        const at = placeIn(file, state)
        const now = yield* Clock.currentTimeMillis
        const since = checkpoint === null ? now : millisOf(checkpoint.created_at)
        if (view !== null && at !== null && JSON.stringify(at) !== JSON.stringify(view.at)) {
          yield* steps.publish({ _tag: "StepStarted", at })
        }
        if (at !== null && state.failure !== null) {
          yield* steps.publish({ _tag: "StepFailed", at, failure: state.failure })
        }
        view = {
          sessionId,
          workflowName: file.workflow.name,
          status: state.status,
          phase: state.phase,
          at,
          waiting: state.quota === null ? null : RunViews.waitingOf(state.quota),
          startedAtMillis: millisOf(file.created_at),
          stepStartedAtMillis: since,
          retry: null,
          lastActivityMillis: since,
          usage: state.usage
        }
        const seen = view
        yield* steps.update(() => seen)
        if (!live.has(shown)) yield* steps.publish({ _tag: "Ended" })
        return workflowSnapshot(seen, shown, yield* Timestamp.now)
      })
    )
  })

  return Attach.of({
    watch: Effect.fn("Attach.watch")(function* (options) {
      const known = yield* inspect.known(options)
      const isLive = live.has(yield* shownOf(known))
      const snapshots = yield* known.jobId === null ? ofWorkflow(known) : ofJob(known, known.jobId)
      return { known, live: isLive, snapshots }
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  Attach,
  never,
  | EventLog
  | IdGenerator
  | Inspect
  | JobStore
  | Journal
  | ProdigyHome
  | Progress
  | SessionStore
  | WorkflowProgress
  | WorkflowStore
> = Layer.effect(Attach, make)

const live: ReadonlySet<Shown> = new Set(["Initializing", "Running"])

const millisOf = (at: string): number => DateTime.toEpochMillis(DateTime.unsafeMake(at))

/** The events of a job's entries, as the process that runs it tells them. */
const teller = (job: JobFile) => {
  const { maxParallel, reduceSteps } = policyOf(job, { maxRetries: null, waitsForQuota: true })
  const times = { job: millisOf(job.created_at), phase: millisOf(job.created_at) }
  return (entry: JournalEntry, state: JobState.JobState) => {
    const now = millisOf(entry.at)
    const setupSteps = job.workflow.setup.steps.length
    const told = JobEvents.fromEntry(entry, state, { times, now, maxParallel, setupSteps, reduceSteps })
    if (phaseEnds.has(entry.record.type)) times.phase = now
    return told
  }
}

const phaseEnds: ReadonlySet<string> = new Set([
  "setup_completed",
  "items_selected",
  "map_completed",
  "reduce_completed"
])

/** The last sign of life of an agent. */
interface Sign {
  readonly atMillis: number
  readonly step: { readonly name: string; readonly index: number; readonly total: number } | null
}

/** Agents that the journal does not tell of (yet) are remembered, up to so many. */
const signsMax = 10_000

const noteSign = (signs: Map<string, Sign>, { event, timestamp }: EventRecord): void => {
  if (!("agent_id" in event) || typeof event.agent_id !== "string") return
  const atMillis = millisOf(timestamp)
  const id = event.agent_id
  const before = signs.get(id)
  signs.delete(id)
  if (event.event_type === "agent_completed" || event.event_type === "agent_failed") return
  const step =
    event.event_type === "agent_progress" && "step_index" in event
      ? { name: String(event.step), index: Number(event.step_index), total: Number(event.step_total) }
      : event.event_type === "agent_started"
        ? null
        : (before?.step ?? null)
  signs.set(id, { atMillis, step })
  const oldest = signs.size > signsMax ? signs.keys().next().value : undefined
  if (oldest !== undefined) signs.delete(oldest)
}

const withSigns = (view: RunView, signs: ReadonlyMap<string, Sign>): RunView => ({
  ...view,
  agents: view.agents.map((agent) => {
    const sign = signs.get(agent.agentId)
    if (sign === undefined || sign.atMillis < agent.startedAtMillis) return agent
    const { step } = sign
    return {
      ...agent,
      lastActivityMillis: Math.max(agent.lastActivityMillis, sign.atMillis),
      ...(step === null ? {} : { step: step.name, stepIndex: step.index, stepTotal: step.total })
    }
  })
})

/** A job of which nothing is in the journal yet. */
const blank = (job: JobFile): RunView => ({
  jobId: job.job_id,
  sessionId: job.session_id,
  workflowName: job.workflow.name,
  phase: "setup",
  status: "running",
  waiting: null,
  total: null,
  counts: JobState.empty.counts,
  startedAtMillis: millisOf(job.created_at),
  mapStartedAtMillis: null,
  mapStartedWith: 0,
  usage: JobState.empty.usage,
  agents: [],
  phaseStep: null,
  phaseRetry: null
})

const jobSnapshot = (view: RunView, status: Shown, at: string): Snapshot => ({
  session_type: "MapReduce",
  at,
  session_id: view.sessionId,
  job_id: view.jobId,
  workflow_name: view.workflowName,
  status,
  phase: view.phase,
  total: view.total,
  counts: view.counts,
  usage: view.usage,
  waiting: view.waiting,
  agents: view.agents.map((agent) => ({
    agent_id: agent.agentId,
    item_id: agent.itemId,
    attempt: agent.attempt,
    step: agent.step,
    step_index: agent.stepIndex,
    step_total: agent.stepTotal,
    started_at: Timestamp.fromMillis(agent.startedAtMillis),
    last_activity_at: Timestamp.fromMillis(agent.lastActivityMillis)
  }))
})

const workflowSnapshot = (view: WorkflowView, status: Shown, at: string): Snapshot => ({
  session_type: "Workflow",
  at,
  session_id: view.sessionId,
  workflow_name: view.workflowName,
  status,
  waiting: view.waiting,
  usage: view.usage,
  phase: view.phase,
  step:
    view.at === null
      ? null
      : {
          number: view.at.step,
          total: view.at.steps,
          name: view.at.name,
          iteration: view.at.iteration,
          iterations: view.at.iterations,
          value: view.at.value?.text ?? null
        }
})
