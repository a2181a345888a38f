/** The small scenarios, and samples of the big ones. All of them in full: `npm run explore`. */
import * as Path from "@effect/platform/Path"
import { assert, describe, it } from "@effect/vitest"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as CheckpointStore from "@prodigy/core/storage/CheckpointStore"
import * as DeadLetterQueue from "@prodigy/core/storage/DeadLetterQueue"
import * as EventLog from "@prodigy/core/storage/EventLog"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as GlobalStorage from "@prodigy/core/storage/GlobalStorage"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as Journal from "@prodigy/core/storage/Journal"
import * as ProcessRecord from "@prodigy/core/storage/ProcessRecord"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as SessionFiles from "@prodigy/core/storage/SessionFiles"
import * as SessionJobIndex from "@prodigy/core/storage/SessionJobIndex"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as TranscriptStore from "@prodigy/core/storage/TranscriptStore"
import * as WorkflowStore from "@prodigy/core/storage/WorkflowStore"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as SimulatedFileSystem from "@prodigy/testing/SimulatedFileSystem"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { scenarios } from "./scenarios/all.ts"
import { operations } from "./scenarios/storage.ts"

/** Of the calls of a scenario, each so manieth is tried here. The rest is for `npm run explore`. */
const samples: Readonly<Record<string, { readonly every: number; readonly chances: number }>> = {
  workflow: { every: 67, chances: 0 },
  retry: { every: 79, chances: 0 },
  "retry-resume": { every: 149, chances: 0 },
  lock: { every: 1, chances: 0 },
  storage: { every: 1, chances: 0 }
}

describe("crashes", () => {
  // That of the job stands in JobSimulation.test.ts.
  for (const { cases, name } of scenarios.filter((one) => samples[one.name] !== undefined))
    for (const one of cases) {
      const called = cases.length > 1 ? `${name}: ${one.name}` : name
      it.effect(`at the calls of ${called} break no promise`, () =>
        Effect.gen(function* () {
          const options = { ...CrashExplorer.exhaustive, ...samples[name] }
          const { points, states, violations } = yield* one.explore(options)
          assert.deepStrictEqual(violations, [])
          assert.isAtLeast(points, 5)
          assert.isAtLeast(states, 2)
        })
      )
    }

  it.effect("are tried in every method of the stores that writes", () =>
    Effect.gen(function* () {
      const stores: Record<string, object> = {
        AtomicFile: yield* AtomicFile.AtomicFile,
        CheckpointStore: yield* CheckpointStore.CheckpointStore,
        DeadLetterQueue: yield* DeadLetterQueue.DeadLetterQueue,
        EventLog: yield* EventLog.EventLog,
        FileLock: yield* FileLock.FileLock,
        GlobalStorage: yield* GlobalStorage.GlobalStorage,
        JobStore: yield* JobStore.JobStore,
        Journal: yield* Journal.Journal,
        ProcessRecord: yield* ProcessRecord.ProcessRecord,
        ProdigyHome: yield* ProdigyHome.ProdigyHome,
        SessionFiles: yield* SessionFiles.SessionFiles,
        SessionJobIndex: yield* SessionJobIndex.SessionJobIndex,
        SessionStore: yield* SessionStore.SessionStore,
        TranscriptStore: yield* TranscriptStore.TranscriptStore,
        WorkflowStore: yield* WorkflowStore.WorkflowStore
      }
      const methods = Object.entries(stores).flatMap(([store, service]) =>
        Object.keys(service).map((method) => `${store}.${method}`)
      )
      const tried = new Set(operations.map(({ name }) => /^\w+\.\w+/.exec(name)?.[0]))
      assert.deepStrictEqual(
        methods.filter((method) => !tried.has(method) && !reading.has(method)),
        []
      )
    }).pipe(
      Effect.provide(
        TestProdigy.layerBoot().pipe(
          Layer.provideMerge(Layer.mergeAll(SimulatedFileSystem.layer, Path.layer)),
          Layer.provideMerge(SimulatedMachine.layer)
        )
      )
    )
  )
})

/** Methods that write nothing. */
const reading = new Set([
  ...["read", "readLines", "streamLines", "streamBytes", "info", "modifiedAt", "list"].map((m) => `AtomicFile.${m}`),
  ...["list", "load", "latest"].map((m) => `CheckpointStore.${m}`),
  ...["get", "stream", "each", "summaries", "count", "jobs"].map((m) => `DeadLetterQueue.${m}`),
  ...["read", "follow", "jobs"].map((m) => `EventLog.${m}`),
  "GlobalStorage.sizes",
  ...["load", "list", "loadItems", "loadOrphans", "loadSummary"].map((m) => `JobStore.${m}`),
  "Journal.read",
  "ProcessRecord.find",
  ...["root", "sessions", "session", "resumeLocks", "resumeLock", "resumeLockGuard", "repo"].map(
    (m) => `ProdigyHome.${m}`
  ),
  ...["extractRepoName", "findRepoName", "claimOf", "repoNames"].map((m) => `ProdigyHome.${m}`),
  ...["look", "list", "jobs"].map((m) => `SessionJobIndex.${m}`),
  ...["get", "list", "show"].map((m) => `SessionStore.${m}`),
  "TranscriptStore.directories",
  ...["load", "list", "loadCheckpoint", "checkpointCopies"].map((m) => `WorkflowStore.${m}`)
])
