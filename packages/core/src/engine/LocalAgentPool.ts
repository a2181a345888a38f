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
import * as Ref from "effect/Ref"
import { type AgentOutcome, AgentPool, type Attempt, type OpenPool, type PoolContext } from "../agent/AgentPool.ts"
import type { Kept } from "../domain/DeadLetter.ts"
import * as Failure from "../domain/Failure.ts"
import * as Usage from "../domain/Usage.ts"
import type { Json } from "../domain/WorkItem.ts"
import type { AgentWork, Checkout, WorkspaceError } from "../workspace/Workspace.ts"
import * as Again from "./Again.ts"
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
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<AgentPool, never, StepRunner> = Layer.effect(
  AgentPool,
  Effect.map(StepRunner, (steps) => AgentPool.of({ open: (context) => Effect.sync(() => open(steps, context)) }))
)

const open = (steps: typeof StepRunner.Service, context: PoolContext): OpenPool => {
  /** Checkouts of attempts that ended and are not settled yet. */
  const held = new Map<string, Checkout>()
  const { job, workspace } = context

  const runSteps = (
    attempt: Attempt,
    checkout: Checkout,
    used: Ref.Ref<Usage.Usage>,
    current: Ref.Ref<string | null>
  ) => {
    const shared = RunScope.make(job, checkout.path, attempt.variables)
    const running = steps.run(
      job.workflow.map.agent_template,
      RunScope.forItem(shared, attempt.item, { total: attempt.item_total, attempt: attempt.attempt }),
      {
        checkout,
        workspace,
        transcripts: context.transcripts,
        actor: attempt.agent_id,
        attempt: attempt.attempt,
        env: RunScope.environment(job, checkout.path),
        onAgentEvent: (event) => context.observe(attempt, { _tag: "Agent", event }),
        onStep: (step, index, total) =>
          Effect.zipRight(
            Ref.set(current, step.name),
            context.observe(attempt, { _tag: "Step", step: step.name, index, total })
          ),
        onUsage: (usage) => Ref.update(used, (sum) => Usage.add(sum, usage))
      }
    )
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

  const attemptIn = (attempt: Attempt, work: AgentWork, checkout: Checkout, used: Ref.Ref<Usage.Usage>) =>
    Effect.gen(function* () {
      const current = yield* Ref.make<string | null>(null)
      const ran = yield* Effect.catchAll(runSteps(attempt, checkout, used, current), (failure) =>
        Effect.flatMap(Ref.get(current), (step) => Effect.fail({ ...failure, step: failure.step ?? step }))
      )
      const collected = yield* Effect.mapError(
        Again.whilePassing(workspace.collect(checkout, work, { autoCommit: job.workflow.map.auto_commit })),
        StepFailure.fromError
      )
      return { ran, collected }
    })

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
    const failed = (failure: Failure.Failure, kept: Kept) =>
      Effect.map(ended, (end): AgentOutcome => ({ outcome: "failed", failure, kept, ...end }))

    return yield* Effect.uninterruptibleMask((restore) =>
      Effect.gen(function* () {
        const acquired = yield* Effect.either(restore(Again.whilePassing(workspace.acquire(work))))
        if (acquired._tag === "Left") return yield* failed(StepFailure.fromError(acquired.left), {})
        const checkout = acquired.right
        held.set(key(attempt), checkout)

        const exit = yield* Effect.exit(restore(attemptIn(attempt, work, checkout, used)))
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
        const failure = failureOf(exit.cause)
        const rescued = yield* rescue(checkout, work, failure)
        // An interrupted attempt has no outcome: its work is safe, and the interruption goes on.
        if (Cause.isInterruptedOnly(exit.cause)) return yield* Effect.interrupt
        return yield* failed(rescued.failure, rescued.kept)
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

const failureOf = (cause: Cause.Cause<Failure.Failure>): Failure.Failure => {
  const failure = Cause.failureOption(cause)
  if (failure._tag === "Some") return failure.value
  return Cause.isInterruptedOnly(cause)
    ? Failure.make({ error_type: "Unknown" }, "The attempt was interrupted.")
    : Failure.make({ error_type: "Unknown" }, `A defect of Prodigy's own: ${Cause.pretty(cause).split("\n")[0]}`)
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
