/**
 * The `prodigy` command: from a command line to an exit code.
 *
 * Owns the tree of commands and what is said when one fails. Everything a command does is in `@prodigy/core`.
 *
 * @since 0.1.0
 */
import type * as CliApp from "@effect/cli/CliApp"
import * as HelpDoc from "@effect/cli/HelpDoc"
import * as ValidationError from "@effect/cli/ValidationError"
import type { Attach } from "@prodigy/core/engine/Attach"
import type { Checkpoints } from "@prodigy/core/engine/Checkpoints"
import type { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import type { Cancel } from "@prodigy/core/engine/Cancel"
import type { SessionClean } from "@prodigy/core/engine/SessionClean"
import type { Clean } from "@prodigy/core/engine/Clean"
import type { Doctor } from "@prodigy/core/engine/Doctor"
import type { EventRetention } from "@prodigy/core/engine/EventRetention"
import type { Events } from "@prodigy/core/engine/Events"
import type { Explain } from "@prodigy/core/engine/Explain"
import type { Inspect } from "@prodigy/core/engine/Inspect"
import type { MapReduce } from "@prodigy/core/engine/MapReduce"
import type { Logs } from "@prodigy/core/engine/Logs"
import type { Progress } from "@prodigy/core/engine/Progress"
import type { Resume } from "@prodigy/core/engine/Resume"
import type { Runner } from "@prodigy/core/engine/Runner"
import type { SessionWorktrees } from "@prodigy/core/engine/SessionWorktrees"
import type { StorageReport } from "@prodigy/core/engine/StorageReport"
import type { WorkflowProgress } from "@prodigy/core/engine/WorkflowProgress"
import * as Arr from "effect/Array"
import * as Cause from "effect/Cause"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Inspectable from "effect/Inspectable"
import * as Layer from "effect/Layer"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import * as Option from "effect/Option"
import * as Argv from "./Argv.ts"
import * as CommandTree from "./CommandTree.ts"
import { commandCheckpoints } from "./commands/checkpoints.ts"
import { commandClean } from "./commands/clean.ts"
import { commandCompletions } from "./commands/completions.ts"
import { commandDlq } from "./commands/dlq.ts"
import { commandDoctor } from "./commands/doctor.ts"
import { commandEvents } from "./commands/events.ts"
import { commandExplain } from "./commands/explain.ts"
import { commandLogs } from "./commands/logs.ts"
import { commandProgress } from "./commands/progress.ts"
import { commandResume } from "./commands/resume.ts"
import { commandResumeJob } from "./commands/resumeJob.ts"
import { commandRun } from "./commands/run.ts"
import { commandSessions } from "./commands/sessions.ts"
import { commandStorage } from "./commands/storage.ts"
import { commandWorktree } from "./commands/worktree.ts"
import * as ExitCode from "./ExitCode.ts"
import * as Failure from "./Render/Failure.ts"
import { help } from "./Render/Help.ts"
import * as Text from "./Render/Text.ts"
import { type OutputClosed, Screen } from "./Screen.ts"
import { UsageError } from "./UsageError.ts"

/**
 * What the commands need of core.
 *
 * @since 0.1.0
 * @category models
 */
export type Services =
  | Attach
  | Cancel
  | SessionClean
  | Checkpoints
  | Clean
  | Doctor
  | DeadLetters
  | EventRetention
  | Events
  | Explain
  | Inspect
  | MapReduce
  | Logs
  | Progress
  | Resume
  | Runner
  | SessionWorktrees
  | StorageReport
  | WorkflowProgress

type Needs = Services | Screen | CliApp.CliApp.Environment

/**
 * All commands.
 *
 * @since 0.1.0
 * @category commands
 */
export const root: CommandTree.Group<ExitCode.CommandError, Needs> = CommandTree.group<ExitCode.CommandError, Needs>({
  name: "prodigy",
  summary: "Run a workflow over many work items, each in a git worktree of its own",
  // The list of commands leaves no room for more on a screen.
  examples: commandRun.examples.slice(0, 1),
  children: [
    commandRun,
    commandResume,
    commandResumeJob,
    commandProgress,
    commandLogs,
    commandExplain,
    commandSessions,
    commandDlq,
    commandEvents,
    commandCheckpoints,
    commandWorktree,
    commandClean,
    commandStorage,
    commandDoctor,
    commandCompletions(() => root)
  ]
})

/**
 * Runs a command line, given without the program's name, to its exit code. Everything is said when this returns. Only
 * interruption is left to the caller.
 *
 * @since 0.1.0
 * @category running
 */
export const run = (
  argv: ReadonlyArray<string>,
  options: {
    readonly version: Effect.Effect<string>
    readonly services: Layer.Layer<Services, ExitCode.CommandError, Screen | CliApp.CliApp.Environment>
  }
): Effect.Effect<number, never, Screen | CliApp.CliApp.Environment> =>
  Either.match(Argv.parse(root, argv), {
    onLeft: (error) => explain(Cause.fail(error), 0),
    onRight: (parsed) => {
      switch (parsed._tag) {
        case "Version":
          return said(Effect.zipWith(Screen, options.version, (screen, version) => screen.data(version)))
        case "Help":
          return said(Effect.map(Screen, (screen) => screen.data(help(parsed.path, screen.dataStyle))))
        case "Run":
          return command(parsed, options.services)
      }
    }
  })

const said = <R>(saying: Effect.Effect<Effect.Effect<void, OutputClosed>, never, R>) =>
  Effect.flatten(saying).pipe(
    Effect.as(0),
    Effect.catchAll((error) => explain(Cause.fail(error), 0))
  )

const command = (
  { args, leaf, path, verbosity }: Extract<Argv.Parsed<ExitCode.CommandError, Needs>, { readonly _tag: "Run" }>,
  services: Layer.Layer<Services, ExitCode.CommandError, Screen | CliApp.CliApp.Environment>
): Effect.Effect<number, never, Screen | CliApp.CliApp.Environment> =>
  leaf.run(args).pipe(
    Effect.mapError((error) => (ValidationError.isValidationError(error) ? usage(path, error) : error)),
    Effect.provide(services),
    Effect.provide(logging(verbosity)),
    Effect.as(0),
    Effect.catchAllCause((cause) => explain(cause, verbosity))
  )

/** Says what went wrong. Interruption stays interruption. */
const explain = (cause: Cause.Cause<ExitCode.CommandError>, verbosity: number): Effect.Effect<number, never, Screen> =>
  Effect.gen(function* () {
    if (Cause.isInterruptedOnly(cause)) return yield* Effect.interrupt
    const { note, noteStyle } = yield* Screen
    const error = Option.getOrUndefined(Cause.failureOption(cause))
    const text = error === undefined ? Failure.defect(ExitCode.internal, noteStyle) : Failure.failure(error, noteStyle)
    if (text !== "") yield* note(text)
    if (text !== "" && verbosity > 1) {
      yield* note(Text.cleanLines(Cause.pretty(cause, { renderErrorCause: true })).join("\n"))
    }
    return error === undefined ? ExitCode.internal.code : ExitCode.fromError(error).code
  })

const usage = (path: ReadonlyArray<CommandTree.Node<unknown, unknown>>, error: ValidationError.ValidationError) =>
  new UsageError({
    what: Text.plain(HelpDoc.toAnsiText(error.error)),
    suggestions: [],
    command: path.map(({ name }) => name).join(" ")
  })

/** Log lines of core, as notes. */
const logging = (verbosity: number): Layer.Layer<never, never, Screen> =>
  Layer.merge(
    Logger.replaceEffect(
      Logger.defaultLogger,
      Effect.map(Screen, ({ note, noteStyle }) =>
        Logger.make(({ logLevel, message }) => {
          const label = logLevel.label.toLowerCase()
          const text = Arr.ensure(message).map((part) =>
            typeof part === "string" ? part : Inspectable.toStringUnknown(part, 0)
          )
          const lead = LogLevel.greaterThanEqual(logLevel, LogLevel.Error)
            ? noteStyle.bad("error:")
            : logLevel === LogLevel.Warning
              ? noteStyle.warn("warning:")
              : noteStyle.dim(`${label}:`)
          Effect.runFork(note(`${lead} ${Text.clean(text.join(" "))}`))
        })
      )
    ),
    Logger.minimumLogLevel(verbosity > 1 ? LogLevel.Debug : verbosity > 0 ? LogLevel.Info : LogLevel.Warning)
  )
