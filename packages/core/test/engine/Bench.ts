/**
 * All of Prodigy on a real repository of one commit, in a folder of its own that is removed at the end. The agent is
 * scripted; git, processes and files are real.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import type * as FileSystem from "@effect/platform/FileSystem"
import type { Agent } from "@prodigy/core/agent/Agent"
import * as ProcessesNode from "@prodigy/core/agent/Processes/Node"
import * as ReaperNode from "@prodigy/core/agent/Reaper/Node"
import * as Shell from "@prodigy/core/agent/Shell"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import type { JobId } from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as Approval from "@prodigy/core/engine/Approval"
import type { RetryPlan, RetryRequest } from "@prodigy/core/engine/DeadLetterRetry"
import { MapReduce, type ResumeRequest, type RetryError, type RunReport } from "@prodigy/core/engine/MapReduce"
import { type AnyReport, type AnyRequest, Runner } from "@prodigy/core/engine/Runner"
import * as Prodigy from "@prodigy/core/engine/Prodigy"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as CompressionNode from "@prodigy/core/storage/Compression/Node"
import type { DiskSpace } from "@prodigy/core/storage/DiskSpace"
import * as DiskSpaceNode from "@prodigy/core/storage/DiskSpace/Node"
import * as DiskSyncNode from "@prodigy/core/storage/DiskSync/Node"
import type * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProcessTableNode from "@prodigy/core/storage/ProcessTable/Node"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as GitWorkspace from "@prodigy/core/workspace/GitWorkspace"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { execFileSync } from "node:child_process"
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

export type Services =
  | Layer.Layer.Success<typeof Prodigy.layer>
  | Prodigy.Stores
  | AtomicFile.AtomicFile
  | ProdigyHome.ProdigyHome

export interface Bench {
  readonly project: string
  /** The storage directory. */
  readonly home: string
  readonly git: (...args: ReadonlyArray<string>) => string
  readonly run: (
    workflow: string,
    options?: { readonly waitsForQuota?: boolean; readonly approve?: "yes" | "not_asked" }
  ) => Effect.Effect<RunReport, unknown, MapReduce>
  /** Runs a workflow of either kind. */
  readonly runAny: (workflow: string, options?: Partial<AnyRequest>) => Effect.Effect<AnyReport, unknown, Runner>
  readonly resume: (jobId: JobId, options?: Partial<ResumeRequest>) => Effect.Effect<RunReport, unknown, MapReduce>
  readonly retry: (jobId: JobId, options?: Partial<RetryRequest>) => Effect.Effect<RunReport, RetryError, MapReduce>
  readonly planRetry: (jobId: JobId, options?: Partial<RetryRequest>) => Effect.Effect<RetryPlan, RetryError, MapReduce>
}

/** The repository's name in storage. */
export const repo = RepoName.make("project")

/** What the storage stands on, when it is not this machine's files and disks. */
export interface Ground {
  readonly files?: Layer.Layer<FileSystem.FileSystem, never, FileSystem.FileSystem>
  readonly disk?: Layer.Layer<DiskSpace>
}

export const inRepository = <A, E>(
  use: (bench: Bench) => Effect.Effect<A, E, Services>,
  agent: Layer.Layer<Agent> = ScriptedAgent.layer(() => Effect.succeed({})),
  ground: Ground = {}
) =>
  Effect.acquireUseRelease(
    Effect.sync(() => realpathSync(mkdtempSync(join(tmpdir(), "prodigy-engine-")))),
    (folder) => {
      const project = join(folder, "project")
      mkdirSync(project)
      const git = (...args: ReadonlyArray<string>) =>
        execFileSync("git", [...args], { cwd: project, encoding: "utf8" }).trim()
      git("init", "--quiet", "--initial-branch=main")
      git("config", "user.name", "Test")
      git("config", "user.email", "test@example.com")
      git("commit", "--quiet", "--allow-empty", "--message=start")
      const asked = (workflowText: string) => ({
        workflowPath: "test.yml",
        workflowText,
        projectPath: project,
        maxParallel: null,
        base: null,
        approve: "yes" as const,
        parameters: {},
        waitsForQuota: true
      })
      const run: Bench["run"] = (workflowText, options) =>
        Effect.gen(function* () {
          const service = yield* MapReduce
          return yield* service.run(yield* service.plan({ ...asked(workflowText), ...options }))
        })
      const runAny: Bench["runAny"] = (workflowText, options) =>
        Effect.gen(function* () {
          const service = yield* Runner
          const request = { ...asked(workflowText), iterations: null, values: null, ...options }
          return yield* service.run(yield* service.plan(request))
        })
      const resume: Bench["resume"] = (jobId, options) =>
        Effect.flatMap(MapReduce, (service) =>
          service.resume({
            repo,
            jobId,
            force: false,
            approve: "yes",
            fromCheckpoint: null,
            waitsForQuota: true,
            retryFailed: false,
            maxRetries: null,
            ...options
          })
        )
      const requestOf = (jobId: JobId, options?: Partial<RetryRequest>): RetryRequest => ({
        repo,
        jobId,
        filter: null,
        maxRetries: 3,
        force: false,
        parallel: null,
        timeoutMillis: null,
        reduce: false,
        approve: "yes",
        waitsForQuota: true,
        ...options
      })
      const retry: Bench["retry"] = (jobId, options) =>
        Effect.flatMap(MapReduce, (service) => service.retry(requestOf(jobId, options), () => Effect.void))
      const planRetry: Bench["planRetry"] = (jobId, options) =>
        Effect.flatMap(MapReduce, (service) => service.planRetry(requestOf(jobId, options)))
      const home = join(folder, "home")
      return Effect.provide(
        use({ project, home, git, run, runAny, resume, retry, planRetry }),
        layer(home, agent, ground)
      )
    },
    (folder) => Effect.sync(() => rmSync(folder, { recursive: true, force: true }))
  )

type Ports = ProcessTable.ProcessTable | Git.GitProcess | NodeContext.NodeContext

const ports: Layer.Layer<Ports> = Layer.mergeAll(ProcessTableNode.layer, GitNode.layer, NodeContext.layer)

/** All of it with its storage at `root`; what it knows of processes, git and files can be something else's. */
export const layer = (
  root: string,
  agent: Layer.Layer<Agent>,
  { disk = DiskSpaceNode.layer, files }: Ground = {},
  below: Layer.Layer<Ports> = ports
): Layer.Layer<Services> =>
  Prodigy.layer.pipe(
    Layer.provideMerge(Prodigy.layerStores),
    Layer.provide([agent, Approval.layerNobody, Shell.layer, GitWorkspace.layer]),
    Layer.provide([ProcessesNode.layer({ environment: process.env }), ReaperNode.layer, Git.layer]),
    Layer.provideMerge(ProdigyHome.layer({ root })),
    Layer.provideMerge(Layer.provide(AtomicFile.layer, TemporaryName.layerWriter)),
    Layer.provide([IdGenerator.layer, disk, DiskSyncNode.layer, CompressionNode.layer]),
    Layer.provide(files === undefined ? below : Layer.provideMerge(files, below))
  )
