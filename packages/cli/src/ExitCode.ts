/**
 * Exit codes: what every end of a command means to a script, and what a person can do next.
 *
 * 0 done · 1 failed · 2 usage, workflow or configuration (nothing was started) · 3 done, but items are in the dead
 * letter queue · 4 stopped by policy, or paused · 5 locked by another process · 6 finished, but the final merge needs a
 * person · 129, 130, 143 interrupted · 141 nobody reads the output any more.
 *
 * @since 0.1.0
 */
import type { CancelError } from "@prodigy/core/engine/Cancel"
import type { SearchInvalid } from "@prodigy/core/engine/EventQuery"
import { type IdNotFound, type InspectError, latest } from "@prodigy/core/engine/Inspect"
import type { DamageFound } from "@prodigy/core/engine/Checkpoints"
import type { PlanError, RetryError, RunError } from "@prodigy/core/engine/MapReduce"
import type { Unhealthy } from "@prodigy/core/engine/Doctor"
import type { DeadLettersError } from "@prodigy/core/engine/DeadLetters"
import type { FindError, ResumeError } from "@prodigy/core/engine/Resume"
import type { AnyReport } from "@prodigy/core/engine/Runner"
import type { NotRemoved } from "@prodigy/core/engine/SessionClean"
import type { WorkspaceError } from "@prodigy/core/workspace/Workspace"
import type { HomeUnknown } from "@prodigy/core/storage/ProdigyHome"
import * as DidYouMean from "@prodigy/core/domain/DidYouMean"
import * as Match from "effect/Match"
import type { RunEnded } from "./RunEnded.ts"
import type { WorktreesError } from "@prodigy/core/engine/SessionWorktrees"
import type { NotAllDone } from "./NotAllDone.ts"
import type { OutputFileError } from "./OutputFile.ts"
import type { OutputClosed } from "./Screen.ts"
import type { UsageError } from "./UsageError.ts"
import type { WorkflowUnreadable } from "./WorkflowUnreadable.ts"

/**
 * Everything that a command may fail with.
 *
 * @since 0.1.0
 * @category errors
 */
export type CommandError =
  | UsageError
  | HomeUnknown
  | WorkflowUnreadable
  | PlanError
  | RunError
  | DamageFound
  | DeadLettersError
  | CancelError
  | FindError
  | ResumeError
  | RetryError
  | RunEnded
  | InspectError
  | SearchInvalid
  | WorktreesError
  | NotRemoved
  | OutputFileError
  | NotAllDone
  | Unhealthy
  | OutputClosed

/**
 * The exit code, and what to do next in one sentence.
 *
 * @since 0.1.0
 * @category models
 */
export interface Verdict {
  readonly code: number
  readonly hint: string | null
}

const verdict = (code: number, hint: string | null = null): Verdict => ({ code, hint })

/**
 * What a failed command exits with.
 *
 * @since 0.1.0
 * @category matching
 */
export const fromError: (error: CommandError) => Verdict = Match.type<CommandError>().pipe(
  Match.tagsExhaustive({
    UsageError: ({ command, suggestions }) => verdict(2, DidYouMean.sentence(suggestions) ?? `See: ${command} --help`),
    WorkflowUnreadable: ({ suggestions }) =>
      verdict(2, DidYouMean.sentence(suggestions) ?? "Give the path of a workflow file: prodigy run FILE"),
    WorkflowInvalid: () => verdict(2, "Nothing was started."),
    WorkItemsError: () =>
      verdict(2, "Nothing was started. Correct the workflow or its input; --dry-run shows what is selected."),
    AgentMissing: ({ command }) =>
      verdict(2, `Nothing was started. Install ${command}, or name the program with PRODIGY_CLAUDE_COMMAND.`),
    HomeUnknown: () => verdict(2, "Set PRODIGY_HOME to a directory for what is stored."),
    RepoNameError: () => verdict(2, "Use a repository that is not at the root of the file system."),
    WorkspaceError: fromWorkspaceError,
    StorageError: ({ detail, reason }) => verdict(1, storageHints[detail.startsWith("ENOTDIR") ? "not_found" : reason]),
    DamagedFile: ({ path }) => {
      const [, job] = /\/mapreduce\/jobs\/([^/]+)\//.exec(path) ?? []
      if (job !== undefined) {
        return verdict(1, `Nothing was repaired or removed. See what can be: prodigy checkpoints validate ${job}`)
      }
      const [, session] = /\/sessions\/([^/]+)\.json$/.exec(path) ?? []
      return verdict(
        1,
        session === undefined
          ? `Move ${path} away to go on without it; nothing was repaired or removed.`
          : `It is made again by going on with it: prodigy resume ${session}`
      )
    },
    ResumeLockHeld: ({ here, holder }) =>
      verdict(
        5,
        holder === null
          ? "Wait a few seconds and try again."
          : here
            ? `Wait for it, or stop it: kill -INT ${holder.process_id}. No force takes a job from a process that lives.`
            : `Wait for it, or stop it on ${holder.hostname}.`
      ),
    ResumeLockLost: () => verdict(5, "Nothing was written since. See how it goes there: prodigy sessions list"),
    OwnerAlive: ({ here, owner }) =>
      verdict(
        5,
        here
          ? `Wait for it, or stop it: kill -INT ${owner.pid}`
          : `When it has ended for certain, take the job: prodigy resume --force`
      ),
    ProcessesLeft: ({ pids, self }) =>
      verdict(1, self ? "Type it in a shell of yours." : `End them, then resume again: kill -KILL ${pids.join(" ")}`),
    IdNotFound: (error) => verdict(2, DidYouMean.sentence(error.suggestions) ?? whereToLook(error)),
    AmbiguousId: ({ candidates }) => verdict(2, `Type more of it: ${candidates.join(", ")}`),
    SessionLost: ({ session_id }) => verdict(1, `It is made again by going on with it: prodigy resume ${session_id}`),
    IdInvalid: () => verdict(2, "See: prodigy sessions list"),
    SearchInvalid: () => verdict(2, "Expressions are those of RE2: no look-around, no back-references."),
    AlreadyCompleted: () => verdict(0),
    AlreadyCancelled: () => verdict(2, "It is not gone on with any more; run the workflow again: prodigy run FILE"),
    NotCancellable: () => verdict(2, "See: prodigy sessions list"),
    OwnerStays: ({ pid }) => verdict(5, `Look at what it does, then end it: kill -KILL ${pid}`),
    NotRemoved: () => verdict(1, "Why is said above. Cleaning again does what is left."),
    NothingToResume: () => verdict(0),
    NothingToRetry: () => verdict(0),
    SeveralToResume: () => verdict(2, "Say which one: prodigy resume ID"),
    CheckpointUnusable: ({ candidates, reason }) =>
      verdict(
        reason === "damaged" ? 1 : 2,
        candidates.length === 0
          ? "It has none that can be used; without the flag the whole journal is."
          : `It has: ${candidates.join(", ")}`
      ),
    NoCurrentWorkflow: () => verdict(2, "Put the file back, or go on with the stored workflow: without --use-current."),
    RevisionRefused: () =>
      verdict(2, "Go on with the stored workflow, without --use-current; or run the file as a new session."),
    DamageFound: ({ jobs, repairable }) =>
      verdict(
        1,
        repairable === 0
          ? "Keep the files; nothing was removed. What the journal says before the damage is still true."
          : `What can be done without is set aside by: prodigy checkpoints validate ${jobs[0]} --repair`
      ),
    WorktreeKept: ({ driven, forceable, name }) =>
      verdict(
        driven ? 5 : 1,
        forceable
          ? `Remove it and keep its work on a rescue ref: prodigy worktree clean ${name} --force`
          : "See: prodigy worktree ls"
      ),
    Unhealthy: () => verdict(1, "What to do is said above; nothing was changed."),
    NotMerged: ({ driven }) => verdict(driven ? 5 : 6, "What stands in the way is said above; then merge again."),
    JobNotFound: () => verdict(2, notWritten),
    SessionFileNotFound: () => verdict(2, notWritten),
    InvalidOption: () => verdict(2, "Nothing was started."),
    SessionNotFound: () => verdict(1, lists.session),
    IllegalTransition: () => verdict(1, "Another process changed the session. See: prodigy sessions list"),
    RunEnded: ({ allowFailed, report }) => verdict(fromReport(report, allowFailed)),
    OutputFileError: () => verdict(1, "Give another FILE. What was there before is as it was."),
    LettersDamaged: () => verdict(1, "Nothing of them was repaired or removed. Move them away to go on without them."),
    NotAllDone: () => verdict(1, "Look at what is in the way, then run the command again."),
    OutputClosed: ({ readerGone }) => (readerGone ? verdict(141) : verdict(1, "Check where the output goes."))
  })
)

/**
 * What a run that came to its end exits with. A merge that waits for a person goes before dead letters.
 *
 * @since 0.1.0
 * @category matching
 */
export const fromReport = (
  report: Pick<AnyReport, "status" | "finish"> & {
    readonly stopped_by_policy?: boolean
    readonly counts?: { readonly dead_lettered: number }
  },
  allowFailed: boolean
): number => {
  if (report.status === "paused") return 4
  if (report.status === "failed") return report.stopped_by_policy === true ? 4 : 1
  if (report.finish?.outcome === "waiting") return 6
  return (report.counts?.dead_lettered ?? 0) > 0 && !allowFailed ? 3 : 0
}

const notWritten = "Nothing of it was written before it ended; run the workflow again."

/**
 * What the codes mean, in the words of the reference page.
 *
 * @since 0.1.0
 * @category models
 */
export const meanings: ReadonlyArray<readonly [code: number, meaning: string]> = [
  [0, "done, everything worked"],
  [1, "failed"],
  [2, "usage, workflow or configuration error; nothing was started"],
  [3, "done, but items are in the dead letter queue (`--allow-failed` makes it 0)"],
  [4, "stopped by policy, or paused: the quota is used up, or items of a retry were left"],
  [5, "locked by another process"],
  [6, "finished, but the final merge needs a person"],
  [129, "interrupted: the terminal was closed"],
  [130, "interrupted by Ctrl-C"],
  [141, "nobody reads the output any more"],
  [143, "interrupted by SIGTERM"]
]

/**
 * A defect of ours.
 *
 * @since 0.1.0
 * @category models
 */
export const internal: Verdict = verdict(1, "This is a defect of prodigy. Run it again with -vv to see the cause.")

/**
 * Codes of interruption, by signal.
 *
 * @since 0.1.0
 * @category models
 */
export const interrupted = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const

const lists = {
  session: "See: prodigy sessions list",
  job: "See: prodigy sessions list",
  "dead letter": "See: prodigy dlq list",
  "event type": "See: prodigy events list",
  "event field": "See: prodigy events list --json",
  agent: "See: prodigy events list",
  checkpoint: "See: prodigy checkpoints list",
  item: "See: prodigy events list",
  worktree: "See: prodigy worktree ls"
} as const

const whereToLook = ({ job, kind, text }: IdNotFound): string => {
  if (text === latest && job === null) return "Start one: prodigy run FILE"
  if (job === null) return lists[kind]
  return kind === "checkpoint" ? `${lists[kind]} ${job}` : `${lists[kind]} --job-id ${job}`
}

const storageHints = {
  no_space: "Free some disk space; what was recorded so far is safe.",
  permission: "Check who owns the directory, or set PRODIGY_HOME to one that you can write.",
  read_only: "Set PRODIGY_HOME to a directory that can be written.",
  not_found: "Check that PRODIGY_HOME is a directory, or set it to another one.",
  too_many_files: "Raise the limit of open files (ulimit -n), or lower --max-parallel.",
  io: "Check the disk, then run the command again."
} as const

function fromWorkspaceError({ reason }: WorkspaceError): Verdict {
  switch (reason) {
    case "not_a_repository":
      return verdict(2, "Go to a git repository or name one: --path DIR")
    case "no_commits":
      return verdict(2, "Make a first commit: git commit --allow-empty -m start")
    case "git_missing":
      return verdict(2, "Install git 2.38 or newer and put it on the PATH.")
    case "git_too_old":
      return verdict(2, "Install git 2.38 or newer.")
    case "unknown_base":
      return verdict(2, "Name a branch, a tag or a commit: git branch --all")
    case "locked":
      return verdict(1, "Another git process holds a lock. End it, then run the command again.")
    case "command_failed":
      return verdict(1, "Run it again with -vv to see what git said.")
    case "checkout_damaged":
      return verdict(1, "Look at it with git worktree list, then run the command again.")
  }
}
