/**
 * The names of the branches and refs that we make.
 *
 * Owns the names and that they are always valid for git, whatever ids they are made from. Does not own the refs.
 *
 * @since 0.1.0
 */
import type { AgentId } from "../domain/AgentId.ts"
import * as Digest from "../domain/Digest.ts"
import type { JobId } from "../domain/JobId.ts"
import * as SafeName from "../domain/SafeName.ts"
import type { SessionId } from "../domain/SessionId.ts"

/**
 * Any text as one component of a ref. Different texts give different components. Beyond the rules of `SafeName`, git
 * refuses `..`, a trailing `.` or `.lock`, and `~`.
 *
 * @since 0.1.0
 * @category encoding
 */
export const component = (text: string): string =>
  SafeName.encode(text, Digest.sha256)
    .replaceAll("~", "-")
    .replaceAll(/(?<=\.)\./g, "%2E")
    .replace(/\.(lock)?$/, "%2E$1")

/**
 * The session's branch.
 *
 * @since 0.1.0
 * @category constructors
 */
export const sessionBranch = (sessionId: SessionId): string => `prodigy-${component(sessionId)}`

/**
 * The branch of one attempt of an agent.
 *
 * @since 0.1.0
 * @category constructors
 */
export const agentBranch = (agentId: AgentId, attempt: number): string =>
  `prodigy-${component(agentId)}${attempt > 1 ? `-${attempt}` : ""}`

/**
 * What the branches of all agents of a job begin with.
 *
 * @since 0.1.0
 * @category constructors
 */
export const agentBranchPrefix = (jobId: JobId): string => `prodigy-${component(jobId)}_agent_`

/**
 * The ref of a branch.
 *
 * @since 0.1.0
 * @category constructors
 */
export const ofBranch = (branch: string): string => `refs/heads/${branch}`

/**
 * The ref that keeps what an attempt left uncommitted.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rescue = (jobId: JobId, itemId: string, attempt: number): string =>
  `${rescues(jobId)}${component(itemId)}/${attempt}`

/**
 * The ref that keeps an attempt's commits when a branch of the agent's own making has taken its branch's place.
 *
 * @since 0.1.0
 * @category constructors
 */
export const displaced = (jobId: JobId, itemId: string, attempt: number, tip: string): string =>
  `${rescue(jobId, itemId, attempt)}-branch-${tip.slice(0, 12)}`

/**
 * The ref that keeps what was uncommitted in the parent worktree, what a worktree or a branch held that was cleaned
 * away, or what was done in a submodule. No item has a name with a `+`, as ids are encoded.
 *
 * @since 0.1.0
 * @category constructors
 */
export const phaseRescue = (
  whose: JobId | SessionId,
  phase: "setup" | "reduce" | "parent" | "worktree" | "branch" | "submodule",
  commit: string
): string => `${rescues(whose)}+${phase}/${commit.slice(0, 12)}`

/**
 * What all rescue refs of a job begin with, or of a session without one.
 *
 * @since 0.1.0
 * @category constructors
 */
export const rescues = (whose: JobId | SessionId): string => `refs/prodigy/rescue/${component(whose)}/`
