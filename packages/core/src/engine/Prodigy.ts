/**
 * The services of Prodigy put together, over ports that a program provides.
 *
 * A program that embeds Prodigy provides the ports as it likes: files, the storage's root, processes, the workspace, the
 * agent, and who approves merges. The command and the examples use the same two layers.
 *
 * @since 0.1.0
 */
import type * as FileSystem from "@effect/platform/FileSystem"
import type * as Path from "@effect/platform/Path"
import type * as Layer from "effect/Layer"
import type { Agent } from "../agent/Agent.ts"
import { AgentPool } from "../agent/AgentPool.ts"
import type { Reaper } from "../agent/Reaper.ts"
import type { ShellRunner } from "../agent/Shell.ts"
import type { IdGenerator } from "../domain/IdGenerator.ts"
import type { AtomicFile } from "../storage/AtomicFile.ts"
import * as CheckpointStore from "../storage/CheckpointStore.ts"
import type { Compression } from "../storage/Compression.ts"
import * as DeadLetterQueue from "../storage/DeadLetterQueue.ts"
import type { DiskSpace } from "../storage/DiskSpace.ts"
import * as EventLog from "../storage/EventLog.ts"
import * as FileLock from "../storage/FileLock.ts"
import * as GlobalStorage from "../storage/GlobalStorage.ts"
import * as JobStore from "../storage/JobStore.ts"
import * as Journal from "../storage/Journal.ts"
import * as ProcessRecord from "../storage/ProcessRecord.ts"
import type { ProcessTable } from "../storage/ProcessTable.ts"
import type { ProdigyHome } from "../storage/ProdigyHome.ts"
import * as ResumeLock from "../storage/ResumeLock.ts"
import * as SessionFiles from "../storage/SessionFiles.ts"
import * as SessionJobIndex from "../storage/SessionJobIndex.ts"
import * as SessionStore from "../storage/SessionStore.ts"
import * as TranscriptStore from "../storage/TranscriptStore.ts"
import * as WorkflowStore from "../storage/WorkflowStore.ts"
import type { Workspace } from "../workspace/Workspace.ts"
import type { Worktrees } from "../workspace/Worktrees.ts"
import type { Approval } from "./Approval.ts"
import * as Attach from "./Attach.ts"
import * as Cancel from "./Cancel.ts"
import * as CheckoutFiles from "./CheckoutFiles.ts"
import * as Checkpoints from "./Checkpoints.ts"
import * as Clean from "./Clean.ts"
import * as DeadClaims from "./DeadClaims.ts"
import * as Doctor from "./Doctor.ts"
import * as DeadLetters from "./DeadLetters.ts"
import * as EventRetention from "./EventRetention.ts"
import * as Events from "./Events.ts"
import * as Explain from "./Explain.ts"
import * as Inspect from "./Inspect.ts"
import * as ItemSelection from "./ItemSelection.ts"
import * as JobDriver from "./JobDriver.ts"
import * as JobRecorder from "./JobRecorder.ts"
import * as JobWork from "./JobWork.ts"
import * as Layers from "./Layers.ts"
import * as LocalAgentPool from "./LocalAgentPool.ts"
import * as Logs from "./Logs.ts"
import * as MapReduce from "./MapReduce.ts"
import * as Progress from "./Progress.ts"
import * as Resume from "./Resume.ts"
import * as RunProcesses from "./RunProcesses.ts"
import * as Runner from "./Runner.ts"
import * as SessionClean from "./SessionClean.ts"
import * as SessionWorktrees from "./SessionWorktrees.ts"
import * as StepRunner from "./StepRunner.ts"
import * as StorageReport from "./StorageReport.ts"
import * as WorkflowProgress from "./WorkflowProgress.ts"
import * as WorkflowRun from "./WorkflowRun.ts"

/**
 * Every store.
 *
 * @since 0.1.0
 * @category models
 */
export type Stores =
  | CheckpointStore.CheckpointStore
  | DeadLetterQueue.DeadLetterQueue
  | EventLog.EventLog
  | FileLock.FileLock
  | GlobalStorage.GlobalStorage
  | JobStore.JobStore
  | Journal.Journal
  | ProcessRecord.ProcessRecord
  | ResumeLock.ResumeLock
  | SessionFiles.SessionFiles
  | SessionJobIndex.SessionJobIndex
  | SessionStore.SessionStore
  | TranscriptStore.TranscriptStore
  | WorkflowStore.WorkflowStore

/**
 * What the stores stand on.
 *
 * @since 0.1.0
 * @category models
 */
export type StoragePorts =
  | AtomicFile
  | Compression
  | DiskSpace
  | FileSystem.FileSystem
  | IdGenerator
  | Path.Path
  | ProcessTable
  | ProdigyHome

/**
 * @since 0.1.0
 * @category layers
 */
export const layerStores: Layer.Layer<Stores, never, StoragePorts> = Layers.ofServices(
  [FileLock.FileLock, FileLock.make],
  [SessionStore.SessionStore, SessionStore.make],
  [CheckpointStore.CheckpointStore, CheckpointStore.make],
  [DeadLetterQueue.DeadLetterQueue, DeadLetterQueue.make],
  [EventLog.EventLog, EventLog.make],
  [GlobalStorage.GlobalStorage, GlobalStorage.make],
  [JobStore.JobStore, JobStore.make],
  [Journal.Journal, Journal.make],
  [ProcessRecord.ProcessRecord, ProcessRecord.make],
  [ResumeLock.ResumeLock, ResumeLock.make],
  [SessionFiles.SessionFiles, SessionFiles.make],
  [SessionJobIndex.SessionJobIndex, SessionJobIndex.make],
  [TranscriptStore.TranscriptStore, TranscriptStore.make],
  [WorkflowStore.WorkflowStore, WorkflowStore.make]
)

/**
 * The engine: runs workflows, tells how they go, looks up what ran.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<
  | Attach.Attach
  | Cancel.Cancel
  | Checkpoints.Checkpoints
  | Clean.Clean
  | Doctor.Doctor
  | DeadLetters.DeadLetters
  | EventRetention.EventRetention
  | Events.Events
  | Explain.Explain
  | Inspect.Inspect
  | Logs.Logs
  | MapReduce.MapReduce
  | Progress.Progress
  | Resume.Resume
  | Runner.Runner
  | SessionWorktrees.SessionWorktrees
  | SessionClean.SessionClean
  | StorageReport.StorageReport
  | WorkflowProgress.WorkflowProgress
  | WorkflowRun.WorkflowRun,
  never,
  StoragePorts | Stores | Agent | Approval | Reaper | ShellRunner | Workspace | Worktrees
> = Layers.ofServices(
  [Progress.Progress, Progress.make],
  [WorkflowProgress.WorkflowProgress, WorkflowProgress.make],
  [CheckoutFiles.CheckoutFiles, CheckoutFiles.make],
  [StepRunner.StepRunner, StepRunner.make],
  [ItemSelection.ItemSelection, ItemSelection.make],
  [JobWork.JobWork, JobWork.make],
  [JobDriver.JobDriver, JobDriver.make],
  [JobRecorder.JobRecorder, JobRecorder.make],
  [AgentPool, LocalAgentPool.make],
  [RunProcesses.RunProcesses, RunProcesses.make],
  [DeadClaims.DeadClaims, DeadClaims.make],
  [MapReduce.MapReduce, MapReduce.make],
  [WorkflowRun.WorkflowRun, WorkflowRun.make],
  [Inspect.Inspect, Inspect.make],
  [EventRetention.EventRetention, EventRetention.make],
  [SessionClean.SessionClean, SessionClean.make],
  [SessionWorktrees.SessionWorktrees, SessionWorktrees.make],
  [Clean.Clean, Clean.make],
  [Doctor.Doctor, Doctor.make],
  [Resume.Resume, Resume.make],
  [Attach.Attach, Attach.make],
  [Cancel.Cancel, Cancel.make],
  [Checkpoints.Checkpoints, Checkpoints.make],
  [DeadLetters.DeadLetters, DeadLetters.make],
  [Events.Events, Events.make],
  [Explain.Explain, Explain.make],
  [Logs.Logs, Logs.make],
  [Runner.Runner, Runner.make],
  [StorageReport.StorageReport, StorageReport.make]
)
