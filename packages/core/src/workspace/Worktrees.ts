/**
 * The worktrees of a repository that lie in our storage, seen from outside of any session: for looking at them, and for
 * removing what nobody needs any more.
 *
 * Owns the port; `GitWorktrees` is the code on git, and `GitWorkspace.layer` provides it. Does not own who uses a
 * worktree: whoever asks for a removal holds the lock of its session.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import type * as Effect from "effect/Effect"
import type * as Scope from "effect/Scope"
import type { AgentId } from "../domain/AgentId.ts"
import type { JobId } from "../domain/JobId.ts"
import type { Finish } from "../domain/JobRecord.ts"
import type { RepoName } from "../domain/RepoName.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { ItemId } from "../domain/WorkItem.ts"
import type { Project, WorkspaceError } from "./Workspace.ts"

/**
 * A worktree of which anything is left: a directory, a record of ours, or an entry of git's.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found {
  readonly name: string
  readonly path: string
  /** `foreign`: it lies in our directory and is not ours. It is never touched. */
  readonly role: "session" | "agent" | "foreign"
  readonly sessionId: SessionId | null
  /** Null: of a standard workflow, or not known. */
  readonly jobId: JobId | null
  /** Of the attempt that it was last given to. */
  readonly agentId: AgentId | null
  readonly itemId: ItemId | null
  readonly attempt: number | null
  /** The branch that is checked out, or was by our record; null: none is known. */
  readonly branch: string | null
  /** Commit it began at, by our record. */
  readonly base: string | null
  readonly hasDirectory: boolean
  /** Whether git knows it. */
  readonly isRegistered: boolean
  /** Why somebody locked it (`git worktree lock`), which may be empty; null: it is not locked. */
  readonly locked: string | null
  /** When something was last written at its top or about it; null when that cannot be known. */
  readonly usedMillis: number | null
}

/**
 * What would be lost with a worktree. Null: that cannot be known.
 *
 * @since 0.1.0
 * @category models
 */
export interface Work {
  /** Commits that are in no branch of the user's, and for an agent's worktree not in its session's branch either. */
  readonly unmerged: number | null
  /** Files that are changed, staged, deleted or untracked. Ignored ones do not count. */
  readonly uncommitted: number | null
}

/**
 * What became of a worktree that was to be removed.
 *
 * @since 0.1.0
 * @category models
 */
export type Removal =
  | {
      readonly _tag: "Removed"
      /** Rescue refs that now hold what was in it alone. */
      readonly rescued: ReadonlyArray<string>
      /** Branches that went with it. */
      readonly branches: ReadonlyArray<string>
    }
  /** Nothing of it was changed. `forceable`: `force` would have removed it. */
  | { readonly _tag: "Kept"; readonly reason: string; readonly forceable: boolean }

/**
 * The worktrees of one repository. Nothing is kept between two calls: each looks at what is there.
 *
 * @since 0.1.0
 * @category models
 */
export interface RepositoryWorktrees {
  /** By name. Cheap: nothing is compared. */
  readonly list: Effect.Effect<ReadonlyArray<Found>, WorkspaceError>

  /** One, as it is now; it may be gone by now. */
  readonly find: (name: string) => Effect.Effect<Found, WorkspaceError>

  /** What would be lost with one. Nobody may be at work in it. */
  readonly work: (found: Found) => Effect.Effect<Work, WorkspaceError>

  /**
   * Removes one, with its record and its own branch. Without `force`, one with work that is nowhere else is kept. With it,
   * rescue refs hold that work before anything is removed: everything that was not committed as it was, byte by byte, and
   * commits that no branch of the user's has. What is foreign, or locked by git, is always kept.
   */
  readonly remove: (found: Found, options: { readonly force: boolean }) => Effect.Effect<Removal, WorkspaceError>

  /**
   * Says, without doing it, what `remove` would do. Rescue refs are not made, so none are named.
   */
  readonly consider: (found: Found, options: { readonly force: boolean }) => Effect.Effect<Removal, WorkspaceError>

  /** Merges a session's branch into its target, as the end of a run does. Nothing of the user's is overwritten. */
  readonly merge: (session: {
    readonly sessionId: SessionId
    readonly jobId: JobId | null
    readonly branch: string
    readonly base: string
    readonly target: string | null
  }) => Effect.Effect<Finish, WorkspaceError>
}

/**
 * @since 0.1.0
 * @category services
 */
export class Worktrees extends Context.Tag("@prodigy/core/workspace/Worktrees")<
  Worktrees,
  {
    /** Git's version. Fails when it is missing or too old. */
    readonly version: Effect.Effect<string, WorkspaceError>

    /** Opens the worktrees of a repository that holds a name. Makes nothing in the storage. */
    readonly open: (options: {
      readonly project: Project
      readonly repo: RepoName
    }) => Effect.Effect<RepositoryWorktrees, WorkspaceError, Scope.Scope>
  }
>() {}
