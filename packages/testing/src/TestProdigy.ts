/**
 * All of Prodigy on a simulated machine: no git, no process, no real file, no real time.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import type { AgentReply, AgentRequest } from "@prodigy/core/agent/Agent"
import * as Reaper from "@prodigy/core/agent/Reaper"
import type { ShellOutcome, ShellRequest } from "@prodigy/core/agent/Shell"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as Approval from "@prodigy/core/engine/Approval"
import * as Prodigy from "@prodigy/core/engine/Prodigy"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as Compression from "@prodigy/core/storage/Compression"
import * as DiskSpace from "@prodigy/core/storage/DiskSpace"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import { Workspace, WorkspaceError } from "@prodigy/core/workspace/Workspace"
import { Worktrees } from "@prodigy/core/workspace/Worktrees"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as MemoryWorkspace from "./MemoryWorkspace.ts"
import * as ScriptedAgent from "./ScriptedAgent.ts"
import * as ScriptedShell from "./ScriptedShell.ts"
import { SimulatedMachine } from "./SimulatedMachine.ts"

/**
 * Where things are on the machine.
 *
 * @since 0.1.0
 * @category models
 */
export const places = { home: "/home/dana/.prodigy", project: "/home/dana/project" } as const

/**
 * What stands for the programs that steps start. A handler changes files in `request.cwd` through the `FileSystem`; what it leaves out of
 * an answer is that of a program that worked in silence.
 *
 * @since 0.1.0
 * @category models
 */
export interface Programs {
  readonly shell?: (request: ShellRequest, files: FileSystem.FileSystem) => Effect.Effect<Partial<ShellOutcome>>
  readonly agent?: (request: AgentRequest, files: FileSystem.FileSystem) => Effect.Effect<Partial<AgentReply>>
}

/**
 * @since 0.1.0
 * @category models
 */
export type Services =
  | Layer.Layer.Success<typeof Prodigy.layer>
  | Prodigy.Stores
  | Workspace
  | AtomicFile.AtomicFile
  | ProdigyHome.ProdigyHome

/**
 * Services to run with in place of those of the same name, which they are given: to see what becomes of a defect.
 *
 * @since 0.1.0
 * @category models
 */
export interface Replaced {
  readonly files?: Layer.Layer<never, never, AtomicFile.AtomicFile>
  readonly workspace?: Layer.Layer<never, never, Workspace>
  readonly stores?: Layer.Layer<never, never, Prodigy.Stores>
}

/**
 * All services for one start of a program on the machine: storage in `places.home`, the repository that `MemoryWorkspace.init`
 * made in `places.project`. Every start is a process of its own: those before it are dead.
 *
 * @since 0.1.0
 * @category layers
 */
export const layerBoot = (
  programs: Programs = {},
  replaced: Replaced = {}
): Layer.Layer<Services, never, SimulatedMachine | FileSystem.FileSystem | Path.Path> => {
  const shell = Layer.unwrapEffect(
    Effect.map(FileSystem.FileSystem, (files) =>
      ScriptedShell.layer((request) => programs.shell?.(request, files) ?? Effect.succeed({}))
    )
  )
  const agent = Layer.unwrapEffect(
    Effect.map(FileSystem.FileSystem, (files) =>
      ScriptedAgent.layer((request) => programs.agent?.(request, files) ?? Effect.succeed({}))
    )
  )
  const process = Layer.unwrapEffect(
    Effect.map(
      Effect.flatMap(SimulatedMachine, ({ boot }) => boot),
      ({ number }) =>
        ProcessTable.layerTest({ self: { pid: 100 + number, host: "simulated", started_at: String(number) } })
    )
  )
  return Prodigy.layer.pipe(
    Layer.provideMerge(over(replaced.stores, Prodigy.layerStores)),
    Layer.provide([agent, shell, Approval.layerNobody, Reaper.layerNoop, noWorktrees]),
    Layer.provideMerge(over(replaced.workspace, MemoryWorkspace.layer)),
    Layer.provideMerge(ProdigyHome.layer({ root: places.home })),
    Layer.provideMerge(over(replaced.files, Layer.provide(AtomicFile.layer, TemporaryName.layerWriter))),
    Layer.provide([IdGenerator.layerSeeded, process, DiskSpace.layerTest(null), Compression.layerMemory])
  )
}

/**
 * As `layerBoot`, by its old name, which is going to mean a whole machine.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = layerBoot

const over = <A, R>(replaced: Layer.Layer<never, never, A> | undefined, layer: Layer.Layer<A, never, R>) =>
  replaced === undefined ? layer : Layer.provideMerge(replaced, layer)

/** The commands that look after worktrees are about git's: there are none here. */
const noWorktrees = Layer.succeed(Worktrees, {
  version: Effect.succeed("simulated"),
  open: ({ project }) =>
    new WorkspaceError({
      operation: "look at the worktrees",
      reason: "command_failed",
      path: project.root,
      detail: "a simulated repository has no worktrees to look after"
    })
})
