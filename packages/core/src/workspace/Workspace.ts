/**
 * What the engine needs of version control, in the engine's words.
 *
 * Owns the port. The layer on git is `GitWorkspace`. The engine sees checkouts, tips and outcomes, never git.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import type * as Scope from "effect/Scope"
import type { AgentId } from "../domain/AgentId.ts"
import type { Kept } from "../domain/DeadLetter.ts"
import type { JobId } from "../domain/JobId.ts"
import type { Finish } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { ItemId } from "../domain/WorkItem.ts"

/**
 * The workspace could not do what was asked. `reason` is what a caller would act on.
 *
 * @since 0.1.0
 * @category errors
 */
export class WorkspaceError extends Schema.TaggedError<WorkspaceError>(
  "@prodigy/core/workspace/Workspace/WorkspaceError"
)("WorkspaceError", {
  operation: Schema.String,
  reason: Schema.Literal(
    "not_a_repository",
    "no_commits",
    "git_missing",
    "git_too_old",
    "unknown_base",
    "command_failed",
    "locked",
    "checkout_damaged"
  ),
  path: Schema.String,
  detail: Schema.String
}) {
  override get message() {
    return `Could not ${this.operation} in ${this.path}: ${this.detail.trimEnd().replace(/\.?$/, ".")}`
  }
}

/**
 * The agent's work and the parent branch change the same places. The parent branch is as it was.
 *
 * @since 0.1.0
 * @category errors
 */
export class MergeConflict extends Schema.TaggedError<MergeConflict>("@prodigy/core/workspace/Workspace/MergeConflict")(
  "MergeConflict",
  { branch: Schema.NullOr(Schema.String), tip: Schema.String, paths: Schema.Array(Schema.String) }
) {
  override get message() {
    return `Merging ${this.branch ?? this.tip} conflicts in ${this.paths.join(", ")}.`
  }
}

/**
 * The user's project as it is found, before anything is made.
 *
 * @since 0.1.0
 * @category models
 */
export interface Project {
  /** Canonical path of the main worktree: the same for a subdirectory, a symlink and a linked worktree. */
  readonly root: string
  /** Canonical top level of the checkout the user stands in: differs from `root` in a linked worktree. */
  readonly checkout: string
  /** Commit of that checkout's HEAD. */
  readonly head: string
  /** Branch of that checkout, null when HEAD is detached. */
  readonly branch: string | null
  /** Tells a repository that moved from another one at the same path. */
  readonly rootCommit: string
}

/**
 * A directory where steps run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Checkout {
  readonly path: string
  readonly branch: string
  /** Commit it stood at when it was handed out. */
  readonly base: string
}

/**
 * What changed between two commits. Paths are relative to the top level.
 *
 * @since 0.1.0
 * @category models
 */
export interface Changes {
  readonly filesAdded: ReadonlyArray<string>
  readonly filesModified: ReadonlyArray<string>
  readonly filesDeleted: ReadonlyArray<string>
  readonly commits: ReadonlyArray<string>
  readonly insertions: number
  readonly deletions: number
}

/**
 * What became of an agent's checkout when its attempt ended.
 *
 * @since 0.1.0
 * @category models
 */
export interface Collected {
  /** Newest commit, null when there is none beyond the base. */
  readonly tip: string | null
  readonly branch: string | null
  /** Number of commits beyond the base. */
  readonly commits: number
}

/**
 * Whether an uncommitted change belongs to the attempt's result.
 *
 * @since 0.1.0
 * @category models
 */
export interface AgentWork {
  readonly agentId: AgentId
  readonly itemId: ItemId
  readonly itemIndex: number
  readonly attempt: number
}

/**
 * A worktree that could not be removed.
 *
 * @since 0.1.0
 * @category models
 */
export interface Orphan {
  readonly path: string
  readonly agentId: AgentId | null
  readonly itemId: ItemId | null
  readonly error: string
}

/**
 * What is left when a session is over.
 *
 * @since 0.1.0
 * @category models
 */
export interface Cleaned {
  readonly removedWorktrees: ReadonlyArray<string>
  readonly removedBranches: ReadonlyArray<string>
  /** Branches and rescue refs that hold work which is not in the target. */
  readonly kept: ReadonlyArray<string>
  readonly orphans: ReadonlyArray<Orphan>
}

/**
 * The workspace of one session. Safe for concurrent use.
 *
 * @since 0.1.0
 * @category models
 */
export interface SessionWorkspace {
  readonly parent: Checkout

  /** The parent branch's newest commit. */
  readonly tip: Effect.Effect<string, WorkspaceError>

  /**
   * Hands out an agent worktree at the parent's tip, on a branch of the agent's own, holding exactly what a fresh
   * worktree would. Waits while all slots (`maxParallel`) are taken.
   */
  readonly acquire: (work: AgentWork) => Effect.Effect<Checkout, WorkspaceError>

  /** Commit a checkout's HEAD is at now; for `commit_required` and git context. */
  readonly head: (checkout: Checkout) => Effect.Effect<string, WorkspaceError>

  readonly changes: (checkout: Checkout, from: string, to: string) => Effect.Effect<Changes, WorkspaceError>

  /**
   * Ends a successful attempt: commits what is left uncommitted (with `autoCommit`; otherwise keeps it on a rescue ref
   * and logs a warning), and reads the branch's tip back. Ignored files are not leftovers. Hooks of the user do not run.
   */
  readonly collect: (
    checkout: Checkout,
    work: AgentWork,
    options: { readonly autoCommit: boolean }
  ) => Effect.Effect<Collected, WorkspaceError>

  /**
   * Ends a failed or interrupted attempt: keeps commits on the branch and uncommitted work on
   * `refs/prodigy/rescue/{job}/{item}/{attempt}`. Says what was kept; an attempt without work keeps nothing.
   */
  readonly rescue: (checkout: Checkout, work: AgentWork) => Effect.Effect<Kept, WorkspaceError>

  /** Gives the slot back. Called after the outcome is in the journal. A slot that cannot be reset is replaced. */
  readonly release: (checkout: Checkout) => Effect.Effect<void>

  /**
   * Merges an agent's tip into the parent branch with a merge commit, without a working tree, and deletes the agent's
   * branch in the same transaction. A tip that is in the parent already is not merged again: exactly once.
   */
  readonly integrate: (
    work: AgentWork,
    tip: string,
    branch: string | null
  ) => Effect.Effect<{ readonly commit: string }, MergeConflict | WorkspaceError>

  /** Brings the parent's files to its tip; uncommitted files there are left alone or kept on a rescue ref. */
  readonly syncParent: Effect.Effect<void, WorkspaceError>

  /**
   * Ends the setup phase. With `autoCommit` its leftovers are committed; else they stay in the parent worktree and are
   * left out of every later automatic commit.
   */
  readonly sealSetup: (options: { readonly autoCommit: boolean }) => Effect.Effect<void, WorkspaceError>

  /** Ends the reduce phase: commits what it left, or keeps it on a rescue ref. */
  readonly sealReduce: (options: { readonly autoCommit: boolean }) => Effect.Effect<void, WorkspaceError>

  /**
   * Ends the steps of a standard workflow: the session's branch follows what they committed, also on a branch of their
   * own or on a detached HEAD, and what they left uncommitted is committed on top.
   */
  readonly sealSteps: Effect.Effect<void, WorkspaceError>

  /** Puts on the disk what steps have left in the parent worktree, ignored files too, and what they have committed. */
  readonly flush: Effect.Effect<void, WorkspaceError>

  /** A text that changes with what the parent worktree holds: its commit, and every file that is not ignored. */
  readonly fingerprint: Effect.Effect<string, WorkspaceError>

  /** Target branch, how many commits would go there, and the files they touch. */
  readonly preview: Effect.Effect<
    { readonly target: string | null; readonly commits: number; readonly files: number },
    WorkspaceError
  >

  /**
   * Merges the parent branch into the target: fast-forward or merge commit, in the user's checkout when the target is
   * checked out there and nothing of the user's would be overwritten, else by moving the ref. Never overwrites.
   */
  readonly finish: (options: {
    readonly approved: "yes" | "declined" | "not_asked"
  }) => Effect.Effect<Finish, WorkspaceError>

  /**
   * Removes this session's worktrees and merged branches. Whatever is neither merged nor clean is kept and listed.
   * `keepParent` leaves the parent worktree and branch for a later merge.
   */
  readonly clean: (options: { readonly keepParent: boolean }) => Effect.Effect<Cleaned, WorkspaceError>
}

/**
 * What the repository holds of a session.
 *
 * @since 0.1.0
 * @category models
 */
export interface Holdings {
  /** Branches and rescue refs of the session and its agents, by their full names, with their commits. */
  readonly refs: ReadonlyMap<string, string>
  /** Commits since the base that the session's branch or its target has. */
  readonly commits: ReadonlySet<string>
  /** Those of them by which the job merged the work of its items. */
  readonly merges: ReadonlyArray<{ readonly commit: string; readonly itemId: ItemId }>
}

/**
 * What is recorded of a session's branch. `commit`: one that it held, the newest that is known; null: none is.
 * `whole`: it held no more than that.
 *
 * @since 0.1.0
 * @category models
 */
export interface Recorded {
  readonly commit: string | null
  readonly whole: boolean
}

/**
 * @since 0.1.0
 * @category services
 */
export class Workspace extends Context.Tag("@prodigy/core/workspace/Workspace")<
  Workspace,
  {
    /** Finds the project around a path. Makes nothing. Fails when there is no repository, no commit or no fit git. */
    readonly find: (path: string) => Effect.Effect<Project, WorkspaceError>

    /** Resolves a commit-ish of the user's. Fails with reason `unknown_base`. */
    readonly resolve: (project: Project, commitish: string) => Effect.Effect<string, WorkspaceError>

    /** The files of a commit, as paths from the top level, sorted. */
    readonly files: (project: Project, commit: string) => Effect.Effect<ReadonlyArray<string>, WorkspaceError>

    /** Whether a session of that id, of another storage perhaps, has left its branch in the repository. */
    readonly isTaken: (project: Project, sessionId: SessionId) => Effect.Effect<boolean, WorkspaceError>

    /** Whether anything of a job's agent worktrees is left; the next `open` rescues and removes it. */
    readonly hasAgentWorktrees: (
      project: Project,
      repo: RepoName,
      jobId: JobId
    ) => Effect.Effect<boolean, WorkspaceError>

    /**
     * What a session has left in the repository besides worktrees: `unmerged` are branches with commits that its target
     * does not have (HEAD where it has none, or none any more), `rescues` the refs that keep uncommitted work.
     */
    readonly leftovers: (
      project: Project,
      session: { readonly sessionId: SessionId; readonly jobId: JobId | null; readonly target: string | null }
    ) => Effect.Effect<
      { readonly unmerged: ReadonlyArray<string>; readonly rescues: ReadonlyArray<string> },
      WorkspaceError
    >

    /**
     * What the repository holds of a session that began at `base`, for whoever compares it with what is recorded. Reads
     * only, and not all in one instant.
     */
    readonly holdings: (
      project: Project,
      session: {
        readonly sessionId: SessionId
        readonly jobId: JobId | null
        readonly base: string
        readonly target: string | null
      }
    ) => Effect.Effect<Holdings, WorkspaceError>

    /**
     * Opens the session's workspace: makes the parent worktree on branch `prodigy-{session}` at `base`, or takes the
     * existing one up again. The scope's end stops using it and removes nothing. A session without a job (null) hands
     * out no agent worktrees. Somebody may have deleted the branch: it is made again where `recorded` says, and when that
     * may be less than it held, and is not in the target either, opening fails.
     */
    readonly open: (options: {
      readonly project: Project
      readonly repo: RepoName
      readonly sessionId: SessionId
      readonly jobId: JobId | null
      readonly base: string
      readonly target: string | null
      readonly maxParallel: number
      readonly recorded?: Recorded | undefined
    }) => Effect.Effect<SessionWorkspace, WorkspaceError, Scope.Scope>
  }
>() {}
