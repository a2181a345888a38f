/**
 * Runs attempts in this process, each in an agent worktree of the session's workspace.
 *
 * Owns the life of an attempt: worktree, steps, leftovers, rescue. Does not own retries, merging or the journal.
 *
 * @since 0.1.0
 */
import * as Cause from "effect/Cause"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Predicate from "effect/Predicate"
import * as Ref from "effect/Ref"
import { type AgentOutcome, AgentPool, type Attempt, type OpenPool, type PoolContext } from "../agent/AgentPool.ts"
import type { Kept } from "../domain/DeadLetter.ts"
import * as Failure from "../domain/Failure.ts"
import * as JobDecision from "../domain/JobDecision.ts"
import * as Usage from "../domain/Usage.ts"
import type { Json } from "../domain/WorkItem.ts"
import type { DiskSpace } from "../storage/DiskSpace.ts"
import * as Variables from "../workflow/Variables.ts"
import type { FailureHandler, Step } from "../workflow/Workflow.ts"
import type { AgentWork, Checkout, WorkspaceError } from "../workspace/Workspace.ts"
import * as Again from "./Again.ts"
import * as Capture from "./Capture.ts"
import * as FullDisk from "./FullDisk.ts"
import * as RunScope from "./RunScope.ts"
import * as StepFailure from "./StepFailure.ts"
import { type Ran, StepRunner } from "./StepRunner.ts"

/**
 * Characters of an item's last output that go into its result, for `map.results`.
 *
 * @since 0.1.0
 * @category models
 */
export const resultCharactersMax = 16 * 1024

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const steps = yield* StepRunner
  const fullDisk = yield* FullDisk.make
  return AgentPool.of({ open: (context) => Effect.sync(() => open(steps, fullDisk, context)) })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<AgentPool, never, StepRunner | DiskSpace> = Layer.effect(AgentPool, make)

const open = (
  steps: typeof StepRunner.Service,
  fullDisk: Effect.Effect.Success<typeof FullDisk.make>,
  context: PoolContext
): OpenPool => {
  /** Checkouts of attempts that ended and are not settled yet. */
  const held = new Map<string, Checkout>()
  const { job, workspace } = context
  const { agent_template, failure_policy } = job.workflow.map
  const commits = Capture.asksForCommits([...agent_template, ...(failure_policy.handler?.steps ?? [])])

  const disksAt = (checkout: Checkout) => FullDisk.disksOf(job, checkout, context.transcripts)

  const scopeOf = (attempt: Attempt, checkout: Checkout) =>
    RunScope.forItem(RunScope.make(job, checkout.path, attempt.variables), attempt.item, {
      total: attempt.item_total,
      attempt: attempt.attempt
    })

  const runSteps = (
    list: ReadonlyArray<Step>,
    scope: Variables.Scope,
    { attempt, checkout, current, used }: Running
  ) => {
    const running = steps.run(list, scope, {
      checkout,
      workspace,
      transcripts: context.transcripts,
      disks: disksAt(checkout),
      actor: attempt.agent_id,
      phase: "map",
      item: { id: attempt.item.id, index: attempt.item.index },
      attempt: attempt.attempt,
      commits,
      env: RunScope.environment(job, checkout.path),
      onAgentEvent: (event) => context.observe(attempt, { _tag: "Agent", event }),
      onStep: (step, index, total) =>
        Effect.zipRight(
          Ref.set(current, step.name),
          context.observe(attempt, { _tag: "Step", step: step.name, index, total })
        ),
      onRetry: (next) => context.observe(attempt, { _tag: "Retry", next }),
      onUsage: (usage) => Ref.update(used, (sum) => Usage.add(sum, usage))
    })
    const limit = job.workflow.map.agent_timeout_ms
    return limit === null
      ? running
      : Effect.timeoutFail(running, { duration: limit, onTimeout: () => StepFailure.timeout(limit, "agent") })
  }

  /** Ends a failed attempt; a rescue that fails itself is told in the failure, with where the work still is. */
  const rescue = (checkout: Checkout, work: AgentWork, failure: Failure.Failure) =>
    Effect.match(Again.whilePassing(workspace.rescue(checkout, work)), {
      onSuccess: (kept) => ({ failure, kept }),
      onFailure: (error: WorkspaceError) => ({
        failure: { ...failure, context: [...failure.context, `keeping its work failed: ${error.message}`] },
        kept: { worktree_path: checkout.path, branch_name: checkout.branch } satisfies Kept
      })
    })

  const collect = (work: AgentWork, { checkout }: Running) =>
    Effect.mapError(
      Again.whilePassing(workspace.collect(checkout, work, { autoCommit: job.workflow.map.auto_commit })),
      StepFailure.fromError
    )

  const attemptIn = (work: AgentWork, running: Running) =>
    Effect.gen(function* () {
      const template = job.workflow.map.agent_template
      const ran = yield* Effect.catchAll(
        runSteps(template, scopeOf(running.attempt, running.checkout), running),
        (failure) =>
          Effect.flatMap(Ref.get(running.current), (step) => Effect.fail({ ...failure, step: failure.step ?? step }))
      )
      return { ran, collected: yield* collect(work, running) }
    })

  /** Runs the workflow's handler after the last failure of an item. Fails with that failure, and what the handler did. */
  const handle = (handler: FailureHandler, failure: Failure.Failure, work: AgentWork, running: Running) =>
    Effect.gen(function* () {
      const scope = Variables.extend(scopeOf(running.attempt, running.checkout), {
        data: { error: { message: failure.message, step: failure.step, type: failure.cause.error_type } }
      })
      const ran = yield* runSteps(handler.steps, scope, running)
      if (handler.outcome === "complete") return { ran, collected: yield* collect(work, running) }
      return null
    }).pipe(
      Effect.mapError((inner): Failure.Failure => {
        const said = `on_item_failure failed too: ${inner.step === null ? "" : `${inner.step}: `}${inner.message}`
        return { ...failure, context: [...failure.context, said] }
      })
    )

  const attemptWithHandler = (work: AgentWork, running: Running) =>
    attemptIn(work, running).pipe(
      Effect.catchAll((failure) => Effect.flatMap(fullDisk.judge(failure, disksAt(running.checkout)), Effect.fail)),
      Effect.catchAll((failure) => {
        const { handler } = job.workflow.map.failure_policy
        if (handler === null || !JobDecision.isFinal(context.policy, running.attempt.failures, failure)) {
          return Effect.fail({ failure, handled: false })
        }
        return handle(handler, failure, work, running).pipe(
          Effect.mapError((told) => ({ failure: told, handled: false })),
          Effect.filterOrFail(Predicate.isNotNull, () => ({ failure, handled: true }))
        )
      })
    )

  const run = Effect.fn("LocalAgentPool.run")(function* (attempt: Attempt) {
    const started = yield* Clock.currentTimeMillis
    const work: AgentWork = {
      agentId: attempt.agent_id,
      itemId: attempt.item.id,
      itemIndex: attempt.item.index,
      attempt: attempt.attempt
    }
    const used = yield* Ref.make(Usage.none)
    const ended = Effect.gen(function* () {
      return { duration_ms: (yield* Clock.currentTimeMillis) - started, usage: yield* Ref.get(used) }
    })
    const failed = (failure: Failure.Failure, kept: Kept, handled: boolean) =>
      Effect.map(ended, (end): AgentOutcome => ({ outcome: "failed", failure, kept, handled, ...end }))

    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const acquired = yield* Effect.either(restore(Again.whilePassing(workspace.acquire(work))))
        if (acquired._tag === "Left") {
          const failure = StepFailure.fromError(acquired.left)
          return yield* failed(yield* fullDisk.judge(failure, disksAt(workspace.parent)), {}, false)
        }
        const checkout = acquired.right
        held.set(key(attempt), checkout)

        const running: Running = { attempt, checkout, used, current: yield* Ref.make<string | null>(null) }
        const exit = yield* Effect.exit(restore(attemptWithHandler(work, running)))
        if (Exit.isSuccess(exit)) {
          const { collected, ran } = exit.value
          return {
            outcome: "succeeded",
            ...collected,
            ...(yield* ended),
            result: resultOf(ran),
            log: ran.log
          } satisfies AgentOutcome
        }
        const { failure, handled } = failureOf(exit.cause)
        const rescued = yield* rescue(checkout, work, failure)
        // An interrupted attempt has no outcome: its work is safe, and the interruption goes on.
        if (Cause.isInterruptedOnly(exit.cause)) {
          yield* context.onLost(yield* Ref.get(used))
          return yield* Effect.interrupt
        }
        return yield* failed(rescued.failure, rescued.kept, handled)
      })
    )
  })

  return {
    run,
    settle: (attempt) =>
      Effect.suspend(() => {
        const checkout = held.get(key(attempt))
        held.delete(key(attempt))
        return checkout === undefined ? Effect.void : workspace.release(checkout)
      })
  }
}

const key = (attempt: Attempt): string => `${attempt.agent_id}~${attempt.attempt}`

/** An attempt under way. */
interface Running {
  readonly attempt: Attempt
  readonly checkout: Checkout
  readonly used: Ref.Ref<Usage.Usage>
  /** The step that runs. */
  readonly current: Ref.Ref<string | null>
}

interface Failed {
  readonly failure: Failure.Failure
  readonly handled: boolean
}

const failureOf = (cause: Cause.Cause<Failed>): Failed => {
  const failure = Cause.failureOption(cause)
  if (failure._tag === "Some") return failure.value
  const message = Cause.isInterruptedOnly(cause)
    ? "The attempt was interrupted."
    : `A defect of Prodigy's own: ${Cause.pretty(cause).split("\n")[0]}`
  return { failure: Failure.make({ error_type: "Unknown" }, message), handled: false }
}

/** What the reduce phase sees of an item: its last output, cut to size, and what it captured. */
const resultOf = (ran: Ran): Json => {
  const last = ran.scope.data["last"]
  const output =
    typeof last === "object" && last !== null && !Array.isArray(last) && "output" in last ? last["output"] : null
  return {
    output: typeof output === "string" ? output.slice(0, resultCharactersMax) : (output ?? null),
    ...ran.captures
  }
}
