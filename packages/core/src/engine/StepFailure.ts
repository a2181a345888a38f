/**
 * From what a step's driver saw to the failure that is recorded. The cause comes from types and codes, never from words
 * in a message.
 *
 * @since 0.1.0
 */
import type { AgentReply } from "../agent/Agent.ts"
import type { ShellOutcome, SpawnError } from "../agent/Shell.ts"
import * as Failure from "../domain/Failure.ts"
import * as NetworkCodes from "../domain/NetworkCodes.ts"
import { isExhausted, type StorageError } from "../storage/AtomicFile.ts"
import type { TemplateError } from "../workflow/Template.ts"
import type { WorkspaceError } from "../workspace/Workspace.ts"
import type { CheckoutFileError } from "./CheckoutFiles.ts"

/**
 * The failure of a command that ran, or undefined when it succeeded.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromShell = (
  outcome: ShellOutcome,
  script: string,
  timeoutMillis: number | null,
  log: string
): Failure.Failure | undefined => {
  const more = { output_tail: outcome.tail, log }
  if (outcome.timedOut) return timeout(timeoutMillis ?? 0, "step", more)
  if (outcome.signal !== null) {
    const cause = { error_type: "CommandFailed", exit_code: outcome.exitCode, signal: outcome.signal } as const
    return Failure.make(cause, `The command was killed by ${outcome.signal}.`, more)
  }
  if (outcome.exitCode === 0) return undefined
  const said = lastLine(outcome.tail)
  return Failure.make(
    { error_type: "CommandFailed", exit_code: outcome.exitCode },
    `The command exited with code ${outcome.exitCode}${said === "" ? "." : `: ${said}`}`,
    { ...more, ...known(NetworkCodes.natureOf(script, outcome.exitCode)) }
  )
}

/**
 * The failure of an agent's run, or undefined when it succeeded.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromAgent = (
  reply: AgentReply,
  timeoutMillis: number | null,
  log: string
): Failure.Failure | undefined => {
  const more = { output_tail: reply.tail, log }
  const { outcome } = reply
  switch (outcome._tag) {
    case "Succeeded":
      return undefined
    case "TimedOut":
      return timeout(timeoutMillis ?? 0, "step", more)
    case "QuotaExceeded":
      return Failure.make(
        { error_type: "QuotaExceeded", ...(outcome.resetsAt === null ? {} : { resets_at: outcome.resetsAt }) },
        `The agent's quota is used up: ${oneLine(outcome.message)}`,
        more
      )
    case "Failed":
      return Failure.make(
        { error_type: "CommandFailed", exit_code: outcome.exitCode },
        `The agent failed (${outcome.subtype}): ${oneLine(outcome.message)}`,
        { ...more, ...known(outcome.nature) }
      )
    case "Broken":
      return Failure.make(
        {
          error_type: "CommandFailed",
          exit_code: outcome.exitCode,
          ...(outcome.signal === null ? {} : { signal: outcome.signal })
        },
        `The agent ended without a result: ${oneLine(outcome.message)}`,
        more
      )
  }
}

/**
 * @since 0.1.0
 * @category constructors
 */
export const timeout = (
  timeoutMillis: number,
  scope: "step" | "agent",
  more: Parameters<typeof Failure.make>[2] = {}
): Failure.Failure =>
  Failure.make(
    { error_type: "Timeout", timeout_ms: timeoutMillis, scope },
    scope === "step"
      ? `The step did not end within ${timeoutMillis} ms and was killed.`
      : `The agent did not end within ${timeoutMillis} ms and was killed.`,
    more
  )

/**
 * The failure behind an error that kept a step from running to an outcome.
 *
 * @since 0.1.0
 * @category constructors
 */
export const fromError = (
  error: SpawnError | TemplateError | WorkspaceError | StorageError | CheckoutFileError
): Failure.Failure => {
  switch (error._tag) {
    case "SpawnError":
      switch (error.reason) {
        case "resources":
          return Failure.make({ error_type: "ResourceExhausted" }, error.message)
        case "too_long":
          return Failure.make({ error_type: "ValidationFailed" }, error.message, lasting)
        case "directory":
          return Failure.make({ error_type: "WorktreeError" }, error.message, lasting)
        case "not_found":
          return Failure.make({ error_type: "CommandFailed", exit_code: 127 }, error.message, lasting)
        case "permission":
          return Failure.make({ error_type: "CommandFailed", exit_code: 126 }, error.message, lasting)
        case "other":
          return Failure.make({ error_type: "Unknown" }, error.message)
      }
    // falls through: every reason above returns
    case "CheckoutFileError":
      switch (error.reason) {
        case "exhausted":
          return Failure.make({ error_type: "ResourceExhausted" }, error.message)
        case "io":
          return Failure.make({ error_type: "Unknown" }, error.message)
        default:
          return Failure.make({ error_type: "ValidationFailed" }, error.message, lasting)
      }
    // falls through: every reason above returns
    case "TemplateError":
      return Failure.make({ error_type: "ValidationFailed" }, error.message, lasting)
    case "WorkspaceError":
      return Failure.make({ error_type: "WorktreeError" }, error.message)
    case "StorageError":
      return Failure.make({ error_type: isExhausted(error.reason) ? "ResourceExhausted" : "Unknown" }, error.message)
  }
}

/** Nothing that is waited for changes a template, a path or what is installed. */
const lasting = { nature: "lasting" } as const

const known = (nature: Failure.Nature | undefined) => (nature === undefined ? {} : { nature })

const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim().slice(0, 500)

const lastLine = (text: string): string => {
  const lines = text.split("\n").filter((line) => line.trim() !== "")
  return oneLine(lines.at(-1) ?? "")
}
