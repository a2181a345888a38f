/**
 * Dead letters as a list and one by one.
 *
 * @since 0.1.0
 */
import type { DeadLetter, FailedAttempt } from "@prodigy/core/domain/DeadLetter"
import { cause } from "./Cause.ts"
import type { Style } from "./Style.ts"
import { table } from "./Table.ts"
import * as Text from "./Text.ts"

/**
 * A table of dead letters.
 *
 * @since 0.1.0
 * @category rendering
 */
export const deadLetters = (
  letters: ReadonlyArray<DeadLetter>,
  options: { readonly style: Style; readonly columns: number | null }
): string =>
  table(
    ["ITEM", "STATUS", "ATTEMPTS", "CAUSE", "ERROR"],
    letters.map((letter) => {
      const last = lastOf(letter)
      return [
        Text.shorten(Text.clean(letter.item_id), 40),
        letter.status,
        String(letter.failure_count),
        Text.shorten(cause(last.cause), 40),
        Text.clean(last.error_message)
      ]
    }),
    options
  )

/**
 * One dead letter in full: what failed, where its work is kept, what it said last.
 *
 * @since 0.1.0
 * @category rendering
 */
export const deadLetter = (letter: DeadLetter, style: Style): string => {
  const fact = (name: string, text: string) => `  ${style.dim(Text.padEnd(name, 12))} ${text}`
  const last = lastOf(letter)
  return [
    style.bold(Text.clean(letter.item_id)),
    fact("status", letter.status),
    fact("data", Text.shorten(Text.clean(JSON.stringify(letter.item_data)), 200)),
    fact("signature", Text.clean(letter.error_signature)),
    ...kept(letter).map(([name, text]) => fact(name, Text.clean(text))),
    "",
    ...letter.failure_history.flatMap((attempt) => attemptLines(attempt, style)),
    ...tail(last, style),
    ...next(letter, style)
  ].join("\n")
}

const lastOf = (letter: DeadLetter): FailedAttempt =>
  letter.failure_history[letter.failure_history.length - 1] ?? letter.failure_history[0]

const kept = ({ worktree_artifacts: artifacts }: DeadLetter): ReadonlyArray<readonly [string, string]> =>
  (
    [
      ["branch", artifacts.branch_name],
      ["tip", artifacts.tip],
      ["uncommitted", artifacts.uncommitted_changes],
      ["worktree", artifacts.worktree_path],
      ["logs", artifacts.error_logs]
    ] as const
  ).flatMap(([name, text]) => (text === undefined ? [] : [[name, text] as const]))

/** How to look at the work that was kept. */
const next = ({ worktree_artifacts: { branch_name, uncommitted_changes } }: DeadLetter, style: Style) => {
  const refs = [branch_name, uncommitted_changes].filter((ref) => ref !== undefined)
  return refs.length === 0 ? [] : ["", style.bold("Next"), ...refs.map((ref) => `  git show ${Text.shellWord(ref)}`)]
}

const attemptLines = (attempt: FailedAttempt, style: Style): ReadonlyArray<string> => [
  `${style.bold(`Attempt ${attempt.attempt_number}`)} ${attempt.timestamp}, ${Text.duration(attempt.duration_ms)}`,
  `  ${style.bad(cause(attempt.cause))}${attempt.step_failed === null ? "" : ` at ${Text.clean(attempt.step_failed)}`}`,
  ...Text.cleanLines(attempt.error_message).map((line) => `  ${line}`),
  ...attempt.error_context.map((line) => `  ${style.dim(Text.clean(line))}`),
  ...(attempt.json_log_location === undefined ? [] : [`  log: ${Text.clean(attempt.json_log_location)}`])
]

const tail = (attempt: FailedAttempt, style: Style): ReadonlyArray<string> =>
  attempt.output_tail.trim() === ""
    ? []
    : ["", style.bold("Last output"), ...Text.cleanLines(attempt.output_tail).map((line) => `  ${line}`)]
