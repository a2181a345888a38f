/**
 * The last merge of a session as the engine sees it: what is left is committed, somebody is asked, the target is moved.
 *
 * Owns the order, and that nobody is asked about nothing. Everything here can be done again after a crash.
 *
 * @since 0.1.0
 */
import * as Effect from "effect/Effect"
import type { Finish } from "../domain/JobRecord.ts"
import type { SessionId } from "../domain/SessionId.ts"
import type { SessionWorkspace, WorkspaceError } from "../workspace/Workspace.ts"
import * as Again from "./Again.ts"
import { Approval } from "./Approval.ts"

/**
 * Finishes a session. `seal` commits what its steps left.
 *
 * @since 0.1.0
 * @category combinators
 */
export const finish = Effect.fnUntraced(function* (
  workspace: SessionWorkspace,
  options: {
    readonly sessionId: SessionId
    readonly approve: "yes" | "ask" | "not_asked"
    readonly seal: Effect.Effect<void, WorkspaceError>
  }
): Effect.fn.Return<Finish, WorkspaceError, Approval> {
  const { approve, sessionId } = options
  yield* Again.whilePassing(options.seal)
  const preview = yield* Again.whilePassing(workspace.preview)
  const nothing = preview.commits === 0 || preview.target === null
  const approval = yield* Approval
  const approved =
    approve === "ask" && !nothing
      ? yield* approval.ask({
          sessionId,
          target: preview.target ?? "",
          commits: preview.commits,
          files: preview.files
        })
      : approve === "not_asked" && !nothing
        ? ("not_asked" as const)
        : ("yes" as const)
  return yield* Again.whilePassing(workspace.finish({ approved }))
})

/**
 * Whether a session in its last phase was merged and nothing says so yet: a process came to its end between the merge and the
 * record. Merges nothing.
 *
 * @since 0.1.0
 * @category getters
 */
export const isUnrecorded = (
  workspace: SessionWorkspace,
  state: { readonly status: string; readonly phase: string; readonly finish: Finish | null }
): Effect.Effect<boolean, WorkspaceError> =>
  state.status === "cancelled" || state.phase !== "finish" || state.finish !== null
    ? Effect.succeed(false)
    : Effect.map(Again.whilePassing(workspace.finish({ approved: "not_asked" })), ({ outcome }) => outcome === "merged")
