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
import * as Layer from "effect/Layer"
import { Agent, type AgentEvent } from "../agent/Agent.ts"
import { ShellRunner } from "../agent/Shell.ts"
import * as Failure from "../domain/Failure.ts"
import * as Usage from "../domain/Usage.ts"
import type { Json } from "../domain/WorkItem.ts"
import type { RunTranscripts } from "../storage/TranscriptStore.ts"
import * as Expression from "../workflow/Expression.ts"
import * as ShellText from "../workflow/ShellText.ts"
import * as Template from "../workflow/Template.ts"
import * as Variables from "../workflow/Variables.ts"
import type { Action, Step } from "../workflow/Workflow.ts"
import type { Checkout, SessionWorkspace } from "../workspace/Workspace.ts"
import * as Capture from "./Capture.ts"
import { CheckoutFiles } from "./CheckoutFiles.ts"
import * as StepFailure from "./StepFailure.ts"

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
  /** Who runs them, for transcript names: an agent's id, `setup` or `reduce`. */
  readonly actor: string
  readonly attempt: number
  /** The workflow's environment, already filled in. */
  readonly env: Readonly<Record<string, string>>
  readonly onAgentEvent: (event: AgentEvent) => Effect.Effect<void>
  readonly onStep: (step: Step, index: number, total: number) => Effect.Effect<void>
  /** Counts what agents used, failed runs too. */
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
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<StepRunner, never, ShellRunner | Agent | CheckoutFiles> = Layer.effect(
  StepRunner,
  Effect.gen(function* () {
    const shell = yield* ShellRunner
    const agent = yield* Agent
    const files = yield* CheckoutFiles

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
        ran = yield* runStep(step, ran, context)
      }
      return ran
    })

    /** A step with all that follows from its success or failure. */
    const runStep: (step: Step, before: Ran, context: StepContext) => Effect.Effect<Ran, Failure.Failure> =
      Effect.fnUntraced(function* (step, before, context) {
        let ran = before
        const handlerRuns = step.on_failure?.max_attempts ?? 0
        for (let attempt = 0; ; attempt++) {
          const done = yield* attemptStep(step, ran, context)
          ran = done.ran
          if (done.failure === undefined) return yield* runSteps(step.on_success, ran, context, false)

          const handler = step.on_failure
          if (handler !== null && attempt < handlerRuns) {
            const seen = Variables.extend(ran.scope, { data: errorVariables(step, done.failure, attempt + 1) })
            const failure = done.failure
            ran = yield* Effect.mapError(
              runSteps(handler.steps, { ...ran, scope: seen }, context, false),
              (inner): Failure.Failure => ({
                ...failure,
                context: [...failure.context, `its on_failure handler failed too: ${inner.step}: ${inner.message}`]
              })
            )
            if (handler.retry_original) continue
          }
          const forgiven = step.allow_failure || handler?.fail_workflow === false
          if (forgiven) return ran
          return yield* Effect.fail(done.failure)
        }
      })

    /** Runs a step once. A failed step leaves its outputs in scope too, for its handlers. */
    const attemptStep = Effect.fnUntraced(function* (step: Step, before: Ran, context: StepContext) {
      const before_head = step.commit_required ? yield* headOf(step, context) : null
      const acted = yield* Effect.either(act(step, before.scope, context))
      if (Either.isLeft(acted)) return { ran: before, failure: named(step, acted.left) }
      const { failure, log, output } = acted.right

      const scope = Variables.extend(before.scope, {
        data: Capture.outputs(step, output, before.scope.data["steps"], [])
      })
      let ran: Ran = { ...before, scope, log: log ?? before.log }
      if (failure !== undefined) return { ran, failure: named(step, failure) }

      if (step.commit_required && (yield* headOf(step, context)) === before_head) {
        const message = "The step must commit (commit_required) and made no commit."
        const more = { output_tail: output.stdout.slice(-1000), log }
        return { ran, failure: named(step, Failure.make({ error_type: "CommitValidationFailed" }, message, more)) }
      }
      if (step.output_file !== null) {
        const written = yield* Effect.either(writeOutput(step.output_file, output.stdout, scope, context))
        if (Either.isLeft(written)) return { ran, failure: named(step, written.left) }
      }
      if (step.capture !== null) {
        const captured = Capture.value(step.capture, output)
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
    })

    const headOf = (step: Step, context: StepContext) =>
      Effect.mapError(context.workspace.head(context.checkout), (error) => named(step, StepFailure.fromError(error)))

    const writeOutput = (template: string, content: string, scope: Variables.Scope, context: StepContext) =>
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
    const act = (step: Step, scope: Variables.Scope, context: StepContext): Effect.Effect<Acted, Failure.Failure> =>
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

    const transcript = (step: Step, context: StepContext, kind: "agent" | "shell") =>
      context.transcripts.path({ actor: context.actor, step: step.id ?? step.name, attempt: context.attempt, kind })

    const runShell = (
      step: Step,
      action: Extract<Action, { kind: "shell" }>,
      scope: Variables.Scope,
      context: StepContext,
      cwd: string,
      env: Readonly<Record<string, string>>
    ): Effect.Effect<Acted, Failure.Failure> =>
      Effect.gen(function* () {
        const text = yield* ShellText.render(action.script, scope)
        const log = yield* transcript(step, context, "shell")
        const outcome = yield* Effect.scoped(
          Effect.gen(function* () {
            const large = yield* files.spill(text.files)
            return yield* shell.run({
              script: text.script,
              interpreter: action.interpreter,
              cwd,
              env: { ...context.env, ...env, ...text.env, ...large },
              timeoutMillis: step.timeout_ms,
              log
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
          failure: StepFailure.fromShell(outcome, step.timeout_ms, log),
          log
        }
      }).pipe(Effect.mapError(StepFailure.fromError))

    const runAgent = (
      step: Step,
      action: Extract<Action, { kind: "claude" }>,
      scope: Variables.Scope,
      context: StepContext,
      cwd: string,
      env: Readonly<Record<string, string>>
    ): Effect.Effect<Acted, Failure.Failure> =>
      Effect.gen(function* () {
        const prompt = yield* Template.render(action.prompt, scope)
        const log = yield* transcript(step, context, "agent")
        const reply = yield* agent.run({
          prompt,
          cwd,
          env: { ...context.env, ...env },
          model: null,
          timeoutMillis: step.timeout_ms,
          log,
          onEvent: context.onAgentEvent
        })
        yield* context.onUsage(reply.usage)
        const failure = StepFailure.fromAgent(reply, step.timeout_ms, log)
        return {
          output: {
            stdout: reply.result,
            stderr: "",
            exitCode: failure?.cause.error_type === "CommandFailed" ? failure.cause.exit_code : failure ? 1 : 0,
            success: failure === undefined,
            durationMillis: reply.durationMillis,
            truncated: false
          },
          failure,
          log
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
          output: { stdout: path, stderr: "", exitCode: 0, success: true, durationMillis, truncated: false },
          failure: undefined,
          log: null
        }
      }).pipe(Effect.mapError(StepFailure.fromError))

    return StepRunner.of({
      run: Effect.fn("StepRunner.run")(function* (steps, scope, context) {
        return yield* runSteps(steps, { scope, captures: {}, log: null }, context, true)
      })
    })
  })
)

interface Acted {
  readonly output: Capture.StepOutput
  readonly failure: Failure.Failure | undefined
  readonly log: string | null
}

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

const errorVariables = (step: Step, failure: Failure.Failure, attempt: number): Readonly<Record<string, Json>> => ({
  error: { message: failure.message, step: step.name, type: failure.cause.error_type },
  attempt
})

/** The failure with the step's name; a handler's failure keeps the inner step's. */
const named = (step: Step, failure: Failure.Failure): Failure.Failure =>
  failure.step === null ? { ...failure, step: step.name } : failure

const sentence = (text: string): string => text.charAt(0).toUpperCase() + text.slice(1)
