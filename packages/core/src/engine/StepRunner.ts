/**
 * Runs steps, one after the other, in a checkout: every option on every kind in every phase.
 *
 * Owns what a step's options mean. Does not know jobs, items or merging.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Record from "effect/Record"
import * as Ref from "effect/Ref"
import type * as Scope from "effect/Scope"
import { Agent, type AgentEvent } from "../agent/Agent.ts"
import type { Origin } from "../agent/Origin.ts"
import { ShellRunner } from "../agent/Shell.ts"
import * as Failure from "../domain/Failure.ts"
import * as Limits from "../domain/Limits.ts"
import type { NextTry } from "../domain/Retry.ts"
import * as Usage from "../domain/Usage.ts"
import type { Json } from "../domain/WorkItem.ts"
import type { DiskSpace } from "../storage/DiskSpace.ts"
import type { RunTranscripts } from "../storage/TranscriptStore.ts"
import * as Expression from "../workflow/Expression.ts"
import * as ScriptText from "../workflow/ScriptText.ts"
import * as Template from "../workflow/Template.ts"
import * as Variables from "../workflow/Variables.ts"
import type { Action, Step } from "../workflow/Workflow.ts"
import type { Checkout, SessionWorkspace } from "../workspace/Workspace.ts"
import * as Capture from "./Capture.ts"
import { CheckoutFiles, type Spool } from "./CheckoutFiles.ts"
import * as FullDisk from "./FullDisk.ts"
import * as StepFailure from "./StepFailure.ts"
import * as Tries from "./Tries.ts"

/**
 * Where and for whom steps run.
 *
 * @since 0.1.0
 * @category models
 */
export interface StepContext {
  readonly checkout: Checkout
  readonly workspace: SessionWorkspace
  readonly transcripts: RunTranscripts
  /** Paths on the disks that the steps stand on: see `FullDisk`. */
  readonly disks: ReadonlyArray<string>
  /** Who runs them, for transcript names: an agent's id, `setup` or `reduce`. */
  readonly actor: string
  readonly phase: Origin["phase"]
  /** Null outside the map phase. */
  readonly item: Origin["item"]
  readonly attempt: number
  /** Whether `.commits` of the steps is wanted, which asks git before and after each; it is unless this is false. */
  readonly commits?: boolean | undefined
  /** The workflow's environment, already filled in. */
  readonly env: Readonly<Record<string, string>>
  readonly onAgentEvent: (event: AgentEvent) => Effect.Effect<void>
  readonly onStep: (step: Step, index: number, total: number) => Effect.Effect<void>
  /** Told before the wait for another try of a step. */
  readonly onRetry: (next: NextTry) => Effect.Effect<void>
  /** Counts what agents used, also those that failed or were stopped. */
  readonly onUsage: (usage: Usage.Usage) => Effect.Effect<void>
}

/**
 * What steps leave behind: the scope with their captures and outputs, and the last transcript.
 *
 * @since 0.1.0
 * @category models
 */
export interface Ran {
  readonly scope: Variables.Scope
  /** Names captured on purpose (`capture`), apart from `shell.output`, `last` and the like. */
  readonly captures: Readonly<Record<string, Json>>
  readonly log: string | null
}

/**
 * @since 0.1.0
 * @category services
 */
export class StepRunner extends Context.Tag("@prodigy/core/engine/StepRunner")<
  StepRunner,
  {
    /** Runs steps in order; stops at the first that fails, with its failure. */
    readonly run: (
      steps: ReadonlyArray<Step>,
      scope: Variables.Scope,
      context: StepContext
    ) => Effect.Effect<Ran, Failure.Failure>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const shell = yield* ShellRunner
  const agent = yield* Agent
  const files = yield* CheckoutFiles
  const fullDisk = yield* FullDisk.make

  const runSteps = Effect.fnUntraced(function* (
    steps: ReadonlyArray<Step>,
    initial: Ran,
    context: StepContext,
    report: boolean
  ) {
    let ran = initial
    for (const [index, step] of steps.entries()) {
      if (!isWanted(step, ran.scope)) continue
      if (report) yield* context.onStep(step, index, steps.length)
      ran = (yield* runStep(step, ran, context)).ran
    }
    return ran
  })

  /** A step with all that follows from its success or failure: its tries, then its handlers, then its fallback. */
  const runStep: (step: Step, before: Ran, context: StepContext) => Effect.Effect<Ended, Failure.Failure> =
    Effect.fnUntraced(function* (step, before, context) {
      const begun = step.commit_required || countsCommits(step, context) ? yield* headOf(step, context) : null
      const tried = yield* Tries.run(
        step.retry,
        (number) => tryStep(step, before, context, number, begun),
        context.onRetry
      )
      const handled = yield* handle(step, before.scope, tried, context, begun)
      if (handled.failure === undefined) return yield* succeeded(step, handled.ran, context)
      const exhausted = tried.exhausted === null ? stop : (step.retry?.on_exhausted ?? stop)
      const { failure, ran } =
        exhausted.kind === "fallback"
          ? yield* fallBack(step, exhausted.step, { ...handled, failure: handled.failure }, context)
          : handled
      if (failure === undefined) return yield* succeeded(step, ran, context)
      const forgiven = step.allow_failure || step.on_failure?.fail_workflow === false || exhausted.kind === "continue"
      if (forgiven && !isForeign(failure)) return { ran, succeeded: false }
      const tries = Tries.describe(tried)
      return yield* Effect.fail(tries === null ? failure : inContext(failure, tries))
    })

  const succeeded = (step: Step, ran: Ran, context: StepContext) =>
    Effect.map(runSteps(step.on_success, ran, context, false), (done): Ended => ({ ran: done, succeeded: true }))

  /**
   * One of the runs of a step. Each try of a `retry` sees what was there before the first. What fails on a full disk is
   * not the step's failure.
   */
  const tryStep = (step: Step, before: Ran, context: StepContext, tryNumber: number, begun: string | null) => {
    const seen = step.retry === null ? before : withAttempt(before, tryNumber)
    return attemptStep(step, seen, { ...context, tryNumber, begun }).pipe(
      Effect.flatMap(({ failure, ran }) =>
        failure === undefined
          ? Effect.succeed<Attempted>({ ran, failure })
          : Effect.map(fullDisk.judge(failure, context.disks), (judged): Attempted => ({ ran, failure: judged }))
      ),
      Effect.catchAll((failure) => Effect.flatMap(fullDisk.judge(failure, context.disks), Effect.fail))
    )
  }

  /** Runs the handlers of a step that failed, and the step once more after each; the retries are used up by now. */
  const handle = Effect.fnUntraced(function* (
    step: Step,
    scope: Variables.Scope,
    tried: Tries.Tried<Attempted>,
    context: StepContext,
    begun: string | null
  ): Effect.fn.Return<Attempted, Failure.Failure> {
    // The counters of tries and rounds hold inside of them only.
    const outside = (ran: Ran): Ran => ({ ...ran, scope: { ...ran.scope, author: scope.author } })
    const handler = step.on_failure
    let { failure, ran } = tried.last
    ran = outside(ran)
    for (let round = 1; handler !== null && round <= handler.max_attempts; round++) {
      if (failure === undefined || isForeign(failure)) break
      const seen = withAttempt({ ...ran, scope: withError(ran.scope, step, failure) }, round)
      const handled = yield* Effect.either(runSteps(handler.steps, seen, context, false))
      if (Either.isLeft(handled)) return { ran, failure: because(failure, "on_failure handler", handled.left) }
      ran = outside(handled.right)
      if (!handler.retry_original) break
      ;({ failure, ran } = yield* tryStep(step, ran, context, tried.tries + round, begun))
      ran = outside(ran)
    }
    return { ran, failure }
  })

  /** Runs another step for one that failed; its failure leaves the step's own. */
  const fallBack = Effect.fnUntraced(function* (
    step: Step,
    fallback: Step,
    before: { readonly ran: Ran; readonly failure: Failure.Failure },
    context: StepContext
  ): Effect.fn.Return<Attempted> {
    if (isForeign(before.failure) || !isWanted(fallback, before.ran.scope)) return before
    const instead = yield* Effect.either(runStep(standIn(fallback, step), before.ran, context))
    if (Either.isLeft(instead)) return { ...before, failure: because(before.failure, "fallback", instead.left) }
    return { ran: instead.right.ran, failure: instead.right.succeeded ? undefined : before.failure }
  })

  /** Runs a step once. A failed step leaves its outputs in scope too, for its handlers. */
  const attemptStep = Effect.fnUntraced(function* (
    step: Step,
    before: Ran,
    context: TryContext
  ): Effect.fn.Return<Attempted, Failure.Failure, Scope.Scope> {
    const acted = yield* Effect.either(act(step, before.scope, context))
    if (Either.isLeft(acted)) return { ran: before, failure: named(step, acted.left) }
    const { failure, log, output, spool } = acted.right

    const made = yield* Effect.either(commitsSince(step, context))
    const commits = Either.match(made, { onLeft: () => [], onRight: ({ commits }) => commits })
    const scope = Variables.extend(before.scope, {
      data: Capture.outputs(step, output, before.scope.data["steps"], commits)
    })
    let ran: Ran = { ...before, scope, log: log ?? before.log }
    if (failure !== undefined) return { ran, failure: named(step, failure) }

    if (Either.isLeft(made)) return { ran, failure: made.left }
    if (step.commit_required && made.right.head === context.begun) {
      const message = "The step must commit (commit_required) and made no commit."
      const more = { output_tail: output.stdout.slice(-1000), log }
      return { ran, failure: named(step, Failure.make({ error_type: "CommitValidationFailed" }, message, more)) }
    }
    if (step.output_file !== null) {
      const written = yield* Effect.either(writeOutput(step.output_file, spool ?? output.stdout, scope, context))
      if (Either.isLeft(written)) return { ran, failure: named(step, written.left) }
    }
    if (step.capture !== null) {
      const captured = Capture.value(step.capture, output, yield* Limits.CaptureBytesMax)
      if (Either.isLeft(captured)) {
        const more = { output_tail: output.stdout.slice(-1000), log }
        const wrong = Failure.make({ error_type: "ValidationFailed" }, `${sentence(captured.left)}.`, more)
        return { ran, failure: named(step, wrong) }
      }
      const entry = { [step.capture.name]: captured.right }
      ran = {
        ...ran,
        scope: Variables.extend(scope, { data: entry }),
        captures: { ...ran.captures, ...entry }
      }
    }
    return { ran, failure: undefined }
  }, Effect.scoped)

  const headOf = (step: Step, context: StepContext) =>
    Effect.mapError(context.workspace.head(context.checkout), (error) => named(step, StepFailure.fromError(error)))

  /** Where HEAD is now, and the commits since the step first ran, oldest first; none where nobody asks. */
  const commitsSince = Effect.fnUntraced(function* (step: Step, context: TryContext) {
    const { begun, checkout, workspace } = context
    if (begun === null) return { head: null, commits: [] }
    const head = yield* headOf(step, context)
    if (head === begun || !countsCommits(step, context)) return { head, commits: [] }
    const { commits } = yield* Effect.mapError(workspace.changes(checkout, begun, head), (error) =>
      named(step, StepFailure.fromError(error))
    )
    return { head, commits }
  })

  const writeOutput = (template: string, content: string | Spool, scope: Variables.Scope, context: StepContext) =>
    Template.render(template, scope).pipe(
      Effect.mapError(StepFailure.fromError),
      Effect.flatMap((path) =>
        Effect.mapError(
          files.write({ root: context.checkout.path, path, content, mode: 0o644, createDirs: true }),
          StepFailure.fromError
        )
      )
    )

  /** Does what the step says. A command that fails is an outcome with a failure, so that its output is kept. */
  const act = (step: Step, scope: Variables.Scope, context: TryContext): Acting =>
    Effect.gen(function* () {
      const env = yield* Effect.mapError(renderAll(step.env, scope), StepFailure.fromError)
      const cwd = yield* workingDir(step, scope, context)
      switch (step.action.kind) {
        case "shell":
          return yield* runShell(step, step.action, scope, context, cwd, env)
        case "claude":
          return yield* runAgent(step, step.action, scope, context, cwd, env)
        case "write_file":
          return yield* writeFile(step.action, scope, context)
      }
    })

  const workingDir = (step: Step, scope: Variables.Scope, context: StepContext) =>
    step.working_dir === null
      ? Effect.succeed(context.checkout.path)
      : Template.render(step.working_dir, scope).pipe(
          Effect.mapError(StepFailure.fromError),
          Effect.flatMap((path) =>
            Effect.mapError(files.directory({ root: context.checkout.path, path }), StepFailure.fromError)
          )
        )

  const transcript = (step: Step, context: TryContext, kind: "agent" | "shell") =>
    context.transcripts.path({
      actor: context.actor,
      step: step.id ?? step.name,
      attempt: context.attempt,
      tryNumber: context.tryNumber,
      kind
    })

  const originOf = (step: Step, { attempt, item, phase, tryNumber }: TryContext): Origin => ({
    phase,
    step: step.id ?? step.name,
    item,
    attempt,
    tryNumber
  })

  const runShell = (
    step: Step,
    action: Extract<Action, { kind: "shell" }>,
    scope: Variables.Scope,
    context: TryContext,
    cwd: string,
    env: Readonly<Record<string, string>>
  ): Acting =>
    Effect.gen(function* () {
      // Names of the scope are in the environment too, as those of the value that a workflow runs for.
      const held = Record.filter({ ...context.env, ...env }, (_, name) =>
        Template.holdsData(step.env[name] ?? `\${${name}}`, scope)
      )
      const text = yield* ScriptText.render(action, scope, held)
      const log = yield* transcript(step, context, "shell")
      // Beside the transcript, and so on a disk that has room for all of the output.
      const spool = step.output_file === null ? null : yield* files.spool(`${log}.output`)
      const outcome = yield* Effect.scoped(
        Effect.gen(function* () {
          const large = yield* files.spill(text.files)
          return yield* shell.run({
            origin: originOf(step, context),
            script: text.script,
            interpreter: action.interpreter,
            cwd,
            env: { ...context.env, ...env, ...text.env, ...large },
            timeoutMillis: step.timeout_ms,
            log,
            onStdout: spool?.add
          })
        })
      )
      return {
        output: {
          stdout: outcome.stdout,
          stderr: outcome.stderr,
          exitCode: outcome.exitCode,
          success: outcome.exitCode === 0 && !outcome.timedOut,
          durationMillis: outcome.durationMillis,
          truncated: outcome.truncated
        },
        failure: StepFailure.fromShell(outcome, action.script, step.timeout_ms, log),
        log,
        spool
      }
    }).pipe(Effect.mapError(StepFailure.fromError))

  const runAgent = (
    step: Step,
    action: Extract<Action, { kind: "claude" }>,
    scope: Variables.Scope,
    context: TryContext,
    cwd: string,
    env: Readonly<Record<string, string>>
  ): Effect.Effect<Acted, Failure.Failure> =>
    Effect.gen(function* () {
      const prompt = yield* Template.render(action.prompt, scope)
      const log = yield* transcript(step, context, "agent")
      const told = yield* Ref.make(Usage.none)
      const reply = yield* (
        agent
          .run({
            origin: originOf(step, context),
            prompt,
            cwd,
            env: { ...context.env, ...env },
            model: null,
            timeoutMillis: step.timeout_ms,
            log,
            onEvent: (event) =>
              event._tag === "Used"
                ? Effect.zipRight(
                    Ref.update(told, (sum) => Usage.add(sum, event.usage)),
                    context.onAgentEvent(event)
                  )
                : context.onAgentEvent(event)
          })
          // Without a reply, as at a time limit of the item, what it told by then counts.
          .pipe(
            Effect.onExit((exit) =>
              Effect.flatMap(Exit.isSuccess(exit) ? Effect.succeed(exit.value.usage) : Ref.get(told), context.onUsage)
            )
          )
      )
      const failure = StepFailure.fromAgent(reply, step.timeout_ms, log)
      return {
        output: {
          stdout: reply.result,
          stderr: "",
          exitCode: failure?.cause.error_type === "CommandFailed" ? failure.cause.exit_code : failure ? 1 : 0,
          success: failure === undefined,
          durationMillis: reply.durationMillis,
          truncated: whole
        },
        failure,
        log,
        spool: null
      }
    }).pipe(Effect.mapError(StepFailure.fromError))

  const writeFile = (
    action: Extract<Action, { kind: "write_file" }>,
    scope: Variables.Scope,
    context: StepContext
  ): Effect.Effect<Acted, Failure.Failure> =>
    Effect.gen(function* () {
      const started = yield* Clock.currentTimeMillis
      const path = yield* Template.render(action.path, scope)
      const text = yield* Template.render(action.content, scope)
      const content = yield* files.format(text, action.format)
      yield* files.write({
        root: context.checkout.path,
        path,
        content,
        mode: action.mode,
        createDirs: action.create_dirs
      })
      const durationMillis = (yield* Clock.currentTimeMillis) - started
      return {
        output: { stdout: path, stderr: "", exitCode: 0, success: true, durationMillis, truncated: whole },
        failure: undefined,
        log: null,
        spool: null
      }
    }).pipe(Effect.mapError(StepFailure.fromError))

  return StepRunner.of({
    run: Effect.fn("StepRunner.run")(function* (steps, scope, context) {
      return yield* runSteps(steps, { scope, captures: {}, log: null }, context, true)
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<StepRunner, never, ShellRunner | Agent | CheckoutFiles | DiskSpace> = Layer.effect(
  StepRunner,
  make
)

/** The context of one run of a step: how often it ran before, in its tries and after its handlers. */
interface TryContext extends StepContext {
  readonly tryNumber: number
  /** The commit that it first ran on, where that is asked for: what an earlier try committed is the step's too. */
  readonly begun: string | null
}

/** A step that ran, and the failure that is not dealt with yet. */
interface Attempted {
  readonly ran: Ran
  readonly failure: Failure.Failure | undefined
}

/** A step that is over; one that did not succeed was allowed to fail. */
interface Ended {
  readonly ran: Ran
  readonly succeeded: boolean
}

interface Acted {
  readonly output: Capture.StepOutput
  readonly failure: Failure.Failure | undefined
  readonly log: string | null
  /** All of a command's standard output, where a file is to get it. */
  readonly spool: Spool | null
}

type Acting = Effect.Effect<Acted, Failure.Failure, Scope.Scope>

const whole = { stdout: false, stderr: false } as const

/** Fills in the values of an `env` block. */
const renderAll = (
  env: Readonly<Record<string, string>>,
  scope: Variables.Scope
): Effect.Effect<Record<string, string>, Template.TemplateError> =>
  Effect.all(Object.fromEntries(Object.entries(env).map(([name, text]) => [name, Template.render(text, scope)])))

/** Expressions were checked with the workflow; one that cannot be read any more does not hold. */
const isWanted = (step: Step, scope: Variables.Scope): boolean =>
  step.when === null ||
  Either.match(Expression.parse(step.when), {
    onLeft: () => false,
    onRight: (expression) => expression.test({ ...scope.author, ...scope.data })
  })

const countsCommits = (step: Step, context: StepContext): boolean =>
  context.commits !== false && step.action.kind !== "write_file"

const withError = (scope: Variables.Scope, step: Step, failure: Failure.Failure): Variables.Scope =>
  Variables.extend(scope, {
    data: { error: { message: failure.message, step: step.name, type: failure.cause.error_type } }
  })

const withAttempt = (ran: Ran, attempt: number): Ran => ({
  ...ran,
  scope: Variables.extend(ran.scope, { author: { attempt } })
})

const stop = { kind: "stop" } as const

/** Who runs for a step answers to its name and gives what it was to give, as far as it has no own. */
const standIn = (fallback: Step, step: Step): Step => ({
  ...fallback,
  id: fallback.id ?? step.id,
  capture: fallback.capture ?? step.capture,
  output_file: fallback.output_file ?? step.output_file
})

/**
 * A quota that is used up, or a full disk, is not the step's failure: nothing that the step says about failures is meant
 * for it, apart from its retries.
 */
const isForeign = ({ cause }: Failure.Failure): boolean =>
  cause.error_type === "QuotaExceeded" || cause.error_type === "ResourceExhausted"

const inContext = (failure: Failure.Failure, line: string): Failure.Failure => ({
  ...failure,
  context: [...failure.context, line]
})

const because = (failure: Failure.Failure, what: string, inner: Failure.Failure): Failure.Failure =>
  isForeign(inner) ? inner : inContext(failure, `its ${what} failed too: ${inner.step}: ${inner.message}`)

/** The failure with the step's name; a handler's failure keeps the inner step's. */
const named = (step: Step, failure: Failure.Failure): Failure.Failure =>
  failure.step === null ? { ...failure, step: step.name } : failure

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
