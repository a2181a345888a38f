/**
 * What a run has left on a simulated machine, read as anybody reads it: from the storage, by the services that the command uses,
 * and from the repository.
 *
 * @since 0.1.0
 */
import type { DeadLetter } from "@prodigy/core/domain/DeadLetter"
import type { Failure } from "@prodigy/core/domain/Failure"
import * as JobState from "@prodigy/core/domain/JobState"
import { RepoName } from "@prodigy/core/domain/RepoName"
import type { Session } from "@prodigy/core/domain/Session"
import * as Usage from "@prodigy/core/domain/Usage"
import type { WorkItem } from "@prodigy/core/domain/WorkItem"
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import { Events } from "@prodigy/core/engine/Events"
import { Inspect, type Shown } from "@prodigy/core/engine/Inspect"
import * as JobEvidence from "@prodigy/core/engine/JobEvidence"
import * as JobInvariants from "@prodigy/core/engine/JobInvariants"
import * as Restore from "@prodigy/core/engine/Restore"
import type { EventRecord } from "@prodigy/core/domain/Event"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { WorkflowStore } from "@prodigy/core/storage/WorkflowStore"
import * as RefName from "@prodigy/core/workspace/RefName"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"
import * as MemoryWorkspace from "./MemoryWorkspace.ts"

/**
 * The newest session, and what belongs to it. Of a standard workflow there are no items, dead letters and events.
 *
 * @since 0.1.0
 * @category models
 */
export interface State {
  /** Null when nothing came into the storage. */
  readonly session: Session | null
  /** As sessions are listed: one whose process is dead is `Interrupted`. */
  readonly status: Shown | null
  /** How many items there are; null until they are selected. */
  readonly total: number | null
  readonly counts: JobState.Counts
  readonly usage: Usage.Usage
  /** Dollars. */
  readonly cost: number
  /** Why the job or the workflow failed. */
  readonly failure: Failure | null
  readonly items: ReadonlyArray<WorkItem>
  /** Those that are not resolved. */
  readonly deadLetters: ReadonlyArray<DeadLetter>
  readonly events: ReadonlyArray<EventRecord>
  /** What of all that is recorded of the job does not agree: nothing, when it has come to its end. */
  readonly violations: ReadonlyArray<JobInvariants.Violation>
  /** The files of the branch that is checked out in the project. */
  readonly files: MemoryWorkspace.Tree
}

/**
 * Reads it. The project is the one around `projectPath`.
 *
 * @since 0.1.0
 * @category getters
 */
export const read = Effect.fn("TestState.read")(function* (projectPath: string) {
  const git = yield* MemoryWorkspace.repository
  const files = MemoryWorkspace.history(git, RefName.ofBranch(git.branch))[0]?.tree ?? {}
  const inspect = yield* Inspect
  const { damaged, sessions } = yield* inspect.sessions({ projectPath, allRepos: true, status: null, limit })
  if (damaged[0] !== undefined) return yield* damaged[0]
  // One that had not come to its first record is passed over when there are others.
  const listed = sessions.find(({ session }) => session.status !== "Initializing") ?? sessions[0]
  if (listed === undefined) return { ...nothing, files }
  const { session, shown } = listed
  const known: State = { ...nothing, files, session, status: shown }
  if (!isRepoName(session.repository.name)) return known
  const repo = session.repository.name
  const jobId = session.job_id
  if (jobId === null) {
    const { checkpoint } = yield* (yield* WorkflowStore).loadCheckpoint(repo, session.id)
    if (checkpoint === null) return known
    const { failure, usage } = checkpoint.state
    return { ...known, usage, cost: usage.usd, failure }
  }
  // Only a checkpoint that is named can be unusable.
  const { state } = yield* Effect.catchTag(Restore.state(repo, jobId), "CheckpointUnusable", Effect.die)
  const items = (yield* (yield* JobStore).loadItems(repo, jobId)) ?? []
  const dlq = yield* DeadLetters
  const { letters: deadLetters } = yield* dlq.list({ projectPath, job: jobId, all: false, eligible: false, limit })
  const log = yield* Events
  const { events } = yield* log.list({
    scope: { _tag: "Job", projectPath, id: jobId },
    filter: { types: [], agent: null, sinceMillis: null },
    limit
  })
  const violations = JobInvariants.violations(yield* JobEvidence.gather({ repo, jobId, events: true }))
  const { counts, failure, total, usage } = state
  return { ...known, total, counts, usage, cost: usage.usd, failure, items, deadLetters, events, violations }
})

const limit = Number.MAX_SAFE_INTEGER

const isRepoName = Schema.is(RepoName)

const nothing: Omit<State, "files"> = {
  session: null,
  status: null,
  total: null,
  counts: JobState.empty.counts,
  usage: Usage.none,
  cost: 0,
  failure: null,
  items: [],
  deadLetters: [],
  events: [],
  violations: []
}
