/** Event logs of two repositories, in memory and on a real disk, with everything that looks at them. */
import * as NodeContext from "@effect/platform-node/NodeContext"
import type { EventRecord } from "@prodigy/core/domain/Event"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { JobId } from "@prodigy/core/domain/JobId"
import { EventFileBytesMax } from "@prodigy/core/domain/Limits"
import type { Session } from "@prodigy/core/domain/Session"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as EventRetention from "@prodigy/core/engine/EventRetention"
import * as Events from "@prodigy/core/engine/Events"
import * as Inspect from "@prodigy/core/engine/Inspect"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as Compression from "@prodigy/core/storage/Compression"
import * as CompressionNode from "@prodigy/core/storage/Compression/Node"
import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import * as EventLog from "@prodigy/core/storage/EventLog"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProcessTableNode from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import * as SessionJobIndex from "@prodigy/core/storage/SessionJobIndex"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as WorkflowStore from "@prodigy/core/storage/WorkflowStore"
import { Workspace, WorkspaceError } from "@prodigy/core/workspace/Workspace"
import * as Samples from "@prodigy/testing/Samples"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as TemporaryHome from "../storage/TemporaryHome.ts"

export const here = "/work/shop"
export const elsewhere = "/work/bank"
export const nowhere = "/tmp"

/** Two repositories; anything else is none. */
const workspace = Layer.succeed(
  Workspace,
  Workspace.of({
    find: (path) =>
      path === here || path === elsewhere
        ? Effect.succeed({ root: path, checkout: path, head: "0", branch: "main", rootCommit: path })
        : new WorkspaceError({ operation: "find a repository", reason: "not_a_repository", path, detail: "none" }),
    resolve: () => Effect.die("not used"),
    files: () => Effect.die("not used"),
    isTaken: () => Effect.die("not used"),
    hasAgentWorktrees: () => Effect.die("not used"),
    holdings: () => Effect.die("not used"),
    leftovers: () => Effect.die("not used"),
    open: () => Effect.die("not used")
  })
)

/** This process, and one that it can ask about. */
export const other = { pid: 7, host: "memory", started_at: "7" }

const layerOverProcesses = Layer.mergeAll(Events.layer, EventRetention.layer).pipe(
  Layer.provideMerge(Inspect.layer),
  Layer.provideMerge(
    Layer.mergeAll(EventLog.layer, ResumeLock.layer, SessionStore.layer, SessionJobIndex.layer, workspace)
  ),
  Layer.provide([DeadLetterQueue.layer, JobStore.layer, WorkflowStore.layer]),
  Layer.provide(FileLock.layer),
  Layer.provideMerge(IdGenerator.layer)
)

const layer = Layer.provideMerge(
  layerOverProcesses,
  ProcessTable.layerTest({ self: { pid: 1, host: "memory", started_at: "1" }, others: [other] })
)

export const layerMemory = layer.pipe(
  Layer.provideMerge(Layer.merge(TemporaryHome.layerMemory, Compression.layerMemory))
)

export const layerDisk = layer.pipe(Layer.provideMerge(Layer.merge(TemporaryHome.layerDisk, CompressionNode.layer)))

/** Records the n-th job of the repository at `path`, as a run does. */
export const record = Effect.fnUntraced(function* (path: string, n: number, changes: Partial<Session> = {}) {
  const home = yield* ProdigyHome.ProdigyHome
  const repo = yield* home.claimRepoName({ path, rootCommit: path })
  const session = Samples.session(n, { status: "Completed", repository: { name: repo, path }, ...changes })
  yield* (yield* SessionStore.SessionStore).create(session)
  const jobId = Samples.jobId(n)
  return { repo, jobId, sessionId: session.id }
})

export interface Job {
  readonly repo: Parameters<EventLog.EventLog["Type"]["open"]>[0]["repo"]
  readonly jobId: JobId
}

export const numbered = (count: number): EventLog.NewEvent => ({ event_type: "dlq_items_reprocessed", count })

export const countOf = (record: EventRecord) => ("count" in record.event ? record.event.count : undefined)

/** Writes events into a new file of a job's log, or into several of at most `bytesMax`. */
export const write = (job: Job, events: ReadonlyArray<EventLog.NewEvent>, bytesMax = 1_000_000) =>
  Effect.scoped(
    Effect.gen(function* () {
      const log = yield* EventLog.EventLog
      const open = yield* log.open({ ...job, correlationId: SessionId.fromJob(job.jobId) })
      yield* open.emit(events)
    })
  ).pipe(Effect.provideService(EventFileBytesMax, bytesMax))

/** Names of the files of a job's log. */
export const names = (job: Job) =>
  Effect.gen(function* () {
    const home = yield* ProdigyHome.ProdigyHome
    return yield* (yield* AtomicFile.AtomicFile).list(home.repo(job.repo).job(job.jobId).events)
  })

export const pathOf = (job: Job, name: string) =>
  Effect.map(ProdigyHome.ProdigyHome, (home) => `${home.repo(job.repo).job(job.jobId).events}/${name}`)

/** As `layerMemory`, with a compression that loses the first byte. */
export const layerLossy = layer.pipe(
  Layer.provideMerge(
    Layer.map(Compression.layerMemory, (context) => {
      const real = Context.get(context, Compression.Compression)
      return Context.make(Compression.Compression, {
        ...real,
        compress: (bytes) => real.compress(Stream.map(bytes, (block) => block.subarray(1)))
      })
    })
  ),
  Layer.provideMerge(TemporaryHome.layerMemory)
)

/** As `layerDisk`, on this machine's processes and at a given root. */
export const layerAt = (root: string) =>
  layerOverProcesses.pipe(
    Layer.provideMerge(ProcessTableNode.layer),
    Layer.provideMerge(Layer.merge(ProdigyHome.layer({ root }), CompressionNode.layer)),
    Layer.provideMerge(AtomicFile.layer),
    Layer.provide(NodeContext.layer)
  )
