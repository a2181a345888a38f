/**
 * Errors as people read them: what, where, what to do next.
 *
 * @since 0.1.0
 */
import { sentence } from "@prodigy/core/domain/DidYouMean"
import type { Unused } from "@prodigy/core/workflow/Parameters"
import type { Problem, WorkflowInvalid } from "@prodigy/core/workflow/WorkflowFile"
import { type CommandError, fromError, type Verdict } from "../ExitCode.ts"
import type { Style } from "./Style.ts"
import * as Text from "./Text.ts"

/**
 * An error for standard error; empty when everything was said already.
 *
 * @since 0.1.0
 * @category rendering
 */
export const failure = (error: CommandError, style: Style): string => {
  if (error._tag === "RunEnded" || (error._tag === "OutputClosed" && error.readerGone)) return ""
  const { hint } = fromError(error)
  if (error._tag === "WorkflowInvalid") return invalid(error, hint, style)
  return message(error.message, hint, style)
}

/**
 * A defect of ours, without its cause.
 *
 * @since 0.1.0
 * @category rendering
 */
export const defect = (verdict: Verdict, style: Style): string => message("Internal error.", verdict.hint, style)

const message = (what: string, hint: string | null, style: Style): string => {
  const [first = "", ...rest] = Text.cleanLines(what)
  const lines = [`${style.bad("error:")} ${first}`, ...rest.map((line) => `  ${line}`)]
  return [...lines, ...(hint === null ? [] : [`  ${Text.clean(hint)}`])].join("\n")
}

/**
 * An error that does not stop a command.
 *
 * @since 0.1.0
 * @category rendering
 */
export const warned = (error: CommandError, style: Style): string =>
  `${style.warn("warning:")} ${Text.clean(error.message)}`

/**
 * That a workflow file is not what a session was started with.
 *
 * @since 0.1.0
 * @category rendering
 */
export const changed = (path: string, style: Style): string =>
  `${style.warn("warning:")} ${Text.clean(path)} has changed since; going on with the workflow as it was (--use-current takes the file).`

/**
 * As `changed`, where only the stored workflow is used.
 *
 * @since 0.1.0
 * @category rendering
 */
export const storedWorkflow = (path: string, style: Style): string =>
  `${style.warn("warning:")} ${Text.clean(path)} has changed since; the dead letters are tried again with the workflow as it was.`

const invalid = (error: WorkflowInvalid, hint: string | null, style: Style): string => {
  const blocks = error.problems.map((problem) => problemLines(error.path, problem, style.bad("error:"), style))
  const amount = Text.count(error.problems.length, "problem")
  return [...blocks, `${amount} in ${Text.clean(error.path)}.${hint === null ? "" : ` ${hint}`}`].join("\n")
}

/**
 * A warning about a workflow file.
 *
 * @since 0.1.0
 * @category rendering
 */
export const warning = (path: string, problem: Problem, style: Style): string => {
  const hint = problem.hint === null ? "" : ` ${Text.clean(problem.hint)}`
  return `${place(path, problem)}: ${style.warn("warning:")} ${Text.clean(problem.message)}${hint}`
}

/**
 * A warning about a parameter that has no effect.
 *
 * @since 0.1.0
 * @category rendering
 */
export const unusedParameter = ({ name, suggestions }: Unused, style: Style): string => {
  const hint = sentence(suggestions)
  return `${style.warn("warning:")} --param ${Text.clean(name)} is used nowhere in the workflow.${hint === null ? "" : ` ${hint}`}`
}

const problemLines = (path: string, problem: Problem, label: string, style: Style): string =>
  [
    `${style.bold(place(path, problem))}: ${label} ${Text.clean(problem.message)}`,
    ...(problem.frame === ""
      ? []
      : problem.frame
          .replace(/\n+$/, "")
          .split("\n")
          .map((line) => `  ${Text.clean(line)}`)),
    ...(problem.hint === null ? [] : [`  ${Text.clean(problem.hint)}`]),
    ""
  ].join("\n")

const place = (path: string, problem: Problem): string => `${Text.clean(path)}:${problem.line}:${problem.column}`
