/** The writing operations of every store. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as AgentId from "@prodigy/core/domain/AgentId"
import type { JobRecord } from "@prodigy/core/domain/JobRecord"
import * as JobState from "@prodigy/core/domain/JobState"
import * as Limits from "@prodigy/core/domain/Limits"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as WorkflowState from "@prodigy/core/domain/WorkflowState"
import { EventRetention } from "@prodigy/core/engine/EventRetention"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { CheckpointStore } from "@prodigy/core/storage/CheckpointStore"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { EventLog } from "@prodigy/core/storage/EventLog"
import { FileLock } from "@prodigy/core/storage/FileLock"
import { GlobalStorage } from "@prodigy/core/storage/GlobalStorage"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { Journal } from "@prodigy/core/storage/Journal"
import { ProcessRecord } from "@prodigy/core/storage/ProcessRecord"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionFiles } from "@prodigy/core/storage/SessionFiles"
import { SessionJobIndex } from "@prodigy/core/storage/SessionJobIndex"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as TemporaryName from "@prodigy/core/storage/TemporaryName"
import { TranscriptStore } from "@prodigy/core/storage/TranscriptStore"
import { type SessionFile, WorkflowStore } from "@prodigy/core/storage/WorkflowStore"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Samples from "@prodigy/testing/Samples"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"
import * as assert from "node:assert/strict"
import type { Operation, Program } from "./operations.ts"
import { stored } from "./leftovers.ts"

const { repo } = Samples
const jobId = Samples.jobId()
const sessionId = SessionId.fromJob(jobId)
/** Files in a directory that is swept: the job's own. */
const root = `${TestProdigy.places.home}/state/${repo}/mapreduce/jobs/${jobId}`
const encoder = new TextEncoder()

const files = <A, E, R>(use: (files: AtomicFile["Type"]) => Effect.Effect<A, E, R>) => Effect.flatMap(AtomicFile, use)
const fs = <A, E, R>(use: (fs: FileSystem.FileSystem) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(FileSystem.FileSystem, use)

// -----------------------------------------------------------------------------
// files
// -----------------------------------------------------------------------------

/** The files below `root`, with their contents. */
const tree = fs((fs) =>
  Effect.gen(function* () {
    const found: Record<string, string | null> = {}
    if (!(yield* fs.exists(root))) return found
    for (const path of yield* fs.readDirectory(root, { recursive: true }))
      found[path] =
        (yield* fs.stat(`${root}/${path}`)).type === "File" ? yield* fs.readFileString(`${root}/${path}`) : null
    return found
  })
)
/** Without the directories. */
const contents = Effect.map(tree, (found) =>
  Object.fromEntries(Object.entries(found).filter(([, content]) => content !== null))
)
const put = (name: string, content: string): Program => files((files) => files.replace(`${root}/${name}`, content))

const ofFiles: ReadonlyArray<Operation> = [
  {
    name: "AtomicFile.replace",
    before: put("a", "old"),
    does: () => put("a", "new"),
    reads: contents,
    values: [{ a: "old" }, { a: "new" }]
  },
  {
    name: "AtomicFile.replace of a file in a directory that is not there",
    does: () => put("a", "new"),
    reads: contents,
    values: [{}, { a: "new" }]
  },
  {
    name: "AtomicFile.replaceLines",
    before: put("a", "old\n"),
    does: () => files((files) => files.replaceLines(`${root}/a`, Stream.make("one", "two"))),
    reads: contents,
    values: [{ a: "old\n" }, { a: "one\ntwo\n" }]
  },
  {
    name: "AtomicFile.replaceBytes",
    before: put("a", "old"),
    does: () =>
      files((files) =>
        files.replaceBytes(`${root}/a`, Stream.make(encoder.encode("one"), encoder.encode("two")), { modifiedAt: 0 })
      ),
    reads: contents,
    values: [{ a: "old" }, { a: "onetwo" }]
  },
  {
    name: "AtomicFile.createExclusively",
    does: () => files((files) => files.createExclusively(`${root}/a`, "mine")),
    reads: contents,
    values: [{}, { a: "mine" }]
  },
  {
    name: "AtomicFile.claimDirectory",
    does: () => files((files) => files.claimDirectory(`${root}/x`)),
    reads: Effect.map(tree, (found) => "x" in found),
    values: [false, true],
    // Nobody gets what was given before.
    also: (answers) =>
      files((files) =>
        Effect.map(files.claimDirectory(`${root}/x`), (again) => assert.ok(!(answers.includes(true) && again)))
      )
  },
  {
    name: "AtomicFile.appender",
    before: put("log", "first\n"),
    does: (done) =>
      files((files) =>
        Effect.gen(function* () {
          const log = yield* files.appender(`${root}/log`)
          yield* log.append(["second", "third"])
          done(2)
          yield* log.append(["fourth"])
        })
      ).pipe(Effect.scoped),
    reads: files((files) => Effect.map(files.readLines(`${root}/log`), ({ lines }) => lines)),
    values: [["first"], ["first", "second"], ["first", "second", "third"], ["first", "second", "third", "fourth"]],
    again: null,
    // Whoever comes next appends behind the last whole line.
    also: () =>
      files((files) =>
        Effect.gen(function* () {
          const { lines } = yield* files.readLines(`${root}/log`)
          yield* Effect.scoped(Effect.flatMap(files.appender(`${root}/log`), (log) => log.append(["next"])))
          assert.deepStrictEqual((yield* files.readLines(`${root}/log`)).lines, [...lines, "next"])
        })
      )
  },
  {
    name: "AtomicFile.remove",
    before: put("a", "old"),
    does: () => files((files) => files.remove(`${root}/a`)),
    reads: contents,
    values: [{ a: "old" }, {}]
  },
  {
    name: "AtomicFile.setAside",
    before: put("a", "old"),
    does: () => files((files) => files.setAside(`${root}/a`)),
    reads: contents,
    values: [{ a: "old" }, { a: "old", "a.damaged": "old" }, { "a.damaged": "old" }],
    // Cut short, it has two names; done again, it gets another one. Nothing is lost.
    again: null,
    also: () =>
      Effect.gen(function* () {
        yield* files((files) => files.setAside(`${root}/a`))
        const found = Object.entries(yield* contents)
        assert.ok(found.every(([name, content]) => name.startsWith("a.damaged") && content === "old"))
      })
  },
  {
    name: "AtomicFile.removeTree",
    before: Effect.zipRight(put("t/a", "1"), put("t/b/c", "2")),
    does: () => files((files) => files.removeTree(`${root}/t`)),
    reads: contents,
    // "Cut short by a crash, a part of it is left, of which nobody knows which."
    values: [{ "t/a": "1", "t/b/c": "2" }, { "t/b/c": "2" }, { "t/a": "1" }, {}]
  },
  {
    name: "AtomicFile.removeEmptyDirectory",
    before: files((files) => files.claimDirectory(`${root}/x`)),
    does: () => files((files) => files.removeEmptyDirectory(`${root}/x`)),
    reads: Effect.map(tree, (found) => "x" in found),
    values: [true, false]
  }
]

// -----------------------------------------------------------------------------
// jobs
// -----------------------------------------------------------------------------

const started = (index: number): JobRecord => ({
  type: "item_started",
  index,
  item_id: ItemId.make(`item_${index}`),
  agent_id: AgentId.fromItem(jobId, index),
  attempt: 1
})

const seqs = Effect.flatMap(Journal, (journal) =>
  Effect.map(Stream.runCollect(journal.read(repo, jobId, 0)), (entries) => [...entries].map(({ seq }) => seq))
)
/** Appends behind what is there, as whoever goes on with the job does. */
const appended = (count: number, done: (step: number) => void) =>
  Effect.gen(function* () {
    const journals = yield* Journal
    const journal = yield* journals.open(repo, jobId, (yield* seqs).length)
    let told = 0
    // Together: they share writes and syncs, and each is told of its own.
    yield* Effect.forEach(
      Array.from({ length: count }, (_, index) => index),
      (index) =>
        Effect.map(journal.append([started(index)]), ([entry]) => {
          told = Math.max(told, entry?.seq ?? 0)
          done(told)
        }),
      { concurrency: "unbounded" }
    )
  }).pipe(Effect.scoped)

const stateAt = (seq: number): JobState.JobState => ({
  ...JobState.empty,
  seq,
  status: "running",
  phase: "map",
  job_id: jobId,
  total: 3
})

const checkpoints = <A, E, R>(use: (store: CheckpointStore["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(CheckpointStore, use)
const saved = (kind: "setup" | "map" | "reduce", seq: number): Program =>
  checkpoints((store) => store.save(repo, jobId, kind, stateAt(seq), { max: 2, ageMillisMax: null }))
/** The seqs of all that can be read; a damaged one is a failure. */
const checkpointed = checkpoints((store) =>
  Effect.gen(function* () {
    const { checkpoint, damaged } = yield* store.latest(repo, jobId)
    assert.deepStrictEqual(damaged, [])
    const all = yield* Effect.forEach(yield* store.list(repo, jobId), (file) => store.load(file))
    assert.equal(all[0]?.state.seq, checkpoint?.state.seq)
    return all.map((found) => found?.state.seq)
  })
)

const jobs = <A, E, R>(use: (store: JobStore["Type"]) => Effect.Effect<A, E, R>) => Effect.flatMap(JobStore, use)
const orphan = (path: string) => ({
  path,
  agent_id: null,
  item_id: null,
  error: "busy",
  timestamp: "2026-01-02T03:04:05.000Z"
})
const items = (count: number) =>
  Array.from({ length: count }, (_, index) => ({ index, id: ItemId.make(`item_${index}`), data: index }))

const sessions = <A, E, R>(use: (store: SessionStore["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SessionStore, use)
const listed = sessions((store) =>
  Effect.map(store.list, ({ damaged, sessions }) => {
    assert.deepStrictEqual(damaged, [])
    return sessions.map(({ session }) => [session.id, session.error])
  })
)

const claimedJobs = Effect.gen(function* () {
  const home = yield* ProdigyHome
  return {
    sessions: (yield* listed).length,
    directories: (yield* files((files) => files.list(home.repo(repo).jobs))).length
  }
})
const claimJob = Effect.gen(function* () {
  const store = yield* JobStore
  const { create } = yield* SessionStore
  return yield* store.claim(repo, (jobId) =>
    create(Samples.session(1, { id: SessionId.fromJob(jobId), job_id: jobId }))
  )
})
/** Asks once more, and gets what nobody has got. */
const isAnother =
  (claim: Program) =>
  (answers: ReadonlyArray<unknown>): Program =>
    Effect.map(claim, (again) => assert.ok(!answers.includes(again), `${String(again)} was given twice`))

const ofJobs: ReadonlyArray<Operation> = [
  {
    name: "Journal.open and append, together",
    does: (done) => appended(3, done),
    reads: seqs,
    values: [[], [1], [1, 2], [1, 2, 3]],
    again: null,
    also: () =>
      Effect.gen(function* () {
        const before = yield* seqs
        yield* appended(1, () => {})
        assert.deepStrictEqual(yield* seqs, [...before, before.length + 1])
      })
  },
  {
    name: "CheckpointStore.save of setup",
    before: saved("setup", 1),
    does: () => saved("setup", 2),
    reads: checkpointed,
    values: [[1], [2]]
  },
  {
    name: "CheckpointStore.save, and those that are too many go",
    before: Effect.all([saved("map", 1), saved("map", 2), saved("reduce", 3)]),
    does: () => saved("map", 4),
    reads: checkpointed,
    values: [
      [3, 2, 1],
      [4, 3, 2, 1],
      [4, 3, 2]
    ]
  },
  {
    name: "CheckpointStore.remove",
    before: Effect.all([saved("map", 1), saved("map", 2)]),
    does: () =>
      checkpoints((store) =>
        Effect.flatMap(store.list(repo, jobId), (all) => Effect.forEach(all.slice(0, 1), (file) => store.remove(file)))
      ),
    reads: checkpointed,
    values: [[2, 1], [1]],
    again: null
  },
  {
    name: "CheckpointStore.setAside",
    before: Effect.all([saved("map", 1), saved("map", 2)]),
    does: () =>
      checkpoints((store) =>
        Effect.flatMap(store.list(repo, jobId), (all) =>
          Effect.forEach(
            all.filter(({ name }) => name.endsWith("2.json")),
            store.setAside
          )
        )
      ),
    reads: checkpointed,
    values: [[2, 1], [1]]
  },
  {
    name: "JobStore.claim",
    does: () => claimJob,
    reads: claimedJobs,
    values: [
      { sessions: 0, directories: 0 },
      { sessions: 1, directories: 0 },
      { sessions: 1, directories: 1 }
    ],
    again: null,
    also: isAnother(claimJob)
  },
  {
    name: "JobStore.save",
    does: () => jobs((store) => store.save(JobSamples.jobFile())),
    reads: jobs((store) => store.list(repo)),
    values: [[], [jobId]]
  },
  {
    name: "JobStore.revise",
    before: jobs((store) => Effect.all([store.save(JobSamples.jobFile()), store.revise(repo, JobSamples.revision(1))])),
    does: () => jobs((store) => store.revise(repo, JobSamples.revision(2))),
    reads: jobs((store) => Effect.map(store.load(repo, jobId), ({ workflow }) => workflow.description)),
    values: ["version 1", "version 2"]
  },
  {
    name: "JobStore.saveItems",
    does: () => jobs((store) => store.saveItems(repo, jobId, items(3))),
    reads: jobs((store) => Effect.map(store.loadItems(repo, jobId), (found) => found?.length ?? null)),
    values: [null, 3]
  },
  {
    name: "JobStore.saveResults",
    before: jobs((store) => store.saveResults(repo, jobId, Stream.make(JobSamples.itemResult(0)))),
    does: () =>
      jobs((store) => store.saveResults(repo, jobId, Stream.make(JobSamples.itemResult(0), JobSamples.itemResult(1)))),
    reads: Effect.gen(function* () {
      const home = yield* ProdigyHome
      const text = yield* files((files) => files.read(home.repo(repo).job(jobId).results))
      return text?.split("\n").filter((line) => line !== "").length
    }),
    values: [1, 2]
  },
  {
    name: "JobStore.saveOrphans",
    before: jobs((store) => store.saveOrphans(repo, jobId, [orphan("/w/1")])),
    does: () => jobs((store) => store.saveOrphans(repo, jobId, [orphan("/w/1"), orphan("/w/2")])),
    reads: jobs((store) => Effect.map(store.loadOrphans(repo, jobId), (found) => found.length)),
    values: [1, 2]
  },
  {
    name: "JobStore.saveOrphans of none",
    before: jobs((store) => store.saveOrphans(repo, jobId, [orphan("/w/1")])),
    does: () => jobs((store) => store.saveOrphans(repo, jobId, [])),
    reads: jobs((store) => Effect.map(store.loadOrphans(repo, jobId), (found) => found.length)),
    values: [1, 0]
  },
  {
    name: "JobStore.saveSummary",
    before: jobs((store) => store.saveSummary(repo, JobSamples.summary())),
    does: () => jobs((store) => store.saveSummary(repo, { ...JobSamples.summary(), seq: 900 })),
    reads: jobs((store) => Effect.map(store.loadSummary(repo, jobId), (found) => found?.seq)),
    values: [871, 900]
  }
]

// -----------------------------------------------------------------------------
// sessions
// -----------------------------------------------------------------------------

const session = Samples.session()
const create = (error: string | null): Program => sessions((store) => store.create({ ...session, error }))
const damage = Effect.gen(function* () {
  const home = yield* ProdigyHome
  yield* files((files) => files.replace(home.session(session.id), "{"))
})
const readable = sessions((store) =>
  store.get(session.id).pipe(
    Effect.map(({ error }) => error),
    Effect.catchTags({ SessionNotFound: () => Effect.succeed("lost"), DamagedFile: () => Effect.succeed("damaged") })
  )
)

const mapping = {
  session_id: sessionId,
  job_id: jobId,
  workflow_name: "migrate",
  created_at: "2026-01-02T03:04:05.000Z"
}
const mappings = <A, E, R>(use: (index: SessionJobIndex["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(SessionJobIndex, use)
/** Which of the two ids lead to the mapping; found by the one whose half is there, the other half is written. */
const mapped = mappings((index) =>
  Effect.gen(function* () {
    const bySession = yield* index.find(repo, sessionId)
    const byJob = yield* index.find(repo, jobId)
    assert.deepStrictEqual(bySession, byJob)
    return bySession !== null
  })
)

const workflows = <A, E, R>(use: (store: WorkflowStore["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(WorkflowStore, use)
const workflowFile: SessionFile = {
  v: 1,
  session_id: sessionId,
  created_at: "2026-01-02T03:04:05.000Z",
  repository: JobSamples.jobFile().repository,
  base_commit: JobSamples.jobFile().base_commit,
  target_branch: "main",
  workflow: { name: "notes", description: null, env: {}, steps: JobSamples.workflow.reduce.steps },
  workflow_source: JobSamples.jobFile().workflow_source,
  options: { approve: "yes", parameters: {}, iterations: 1, values: null }
}
const workflowCheckpoint = (seq: number): Program =>
  workflows((store) =>
    store.saveCheckpoint(repo, sessionId, { seq, state: { ...WorkflowState.empty, status: "running" } })
  )
const claimSession = Effect.gen(function* () {
  const store = yield* WorkflowStore
  const { create } = yield* SessionStore
  return yield* store.claim(repo, (id) => create(Samples.session(1, { id, job_id: null })))
})

const transcripts = Effect.gen(function* () {
  const store = yield* TranscriptStore
  return (yield* store.open(repo, sessionId)).directory
})
const logDirectories = Effect.gen(function* () {
  const home = yield* ProdigyHome
  return (yield* files((files) => files.list(home.repo(repo).logs))).length
})

const processes = <A, E, R>(use: (record: ProcessRecord["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(ProcessRecord, use)
const processesFound = processes((record) =>
  Effect.map(record.find(repo, sessionId), (found) => found?.processes.map(({ pid }) => pid) ?? null)
)

/** Everything that one session has. */
const everything: Program = Effect.gen(function* () {
  yield* create(null)
  yield* jobs((store) => Effect.all([store.save(JobSamples.jobFile()), store.saveItems(repo, jobId, items(1))]))
  yield* appended(1, () => {})
  yield* saved("map", 1)
  yield* mappings((index) => index.put(repo, mapping))
  yield* letters((queue) => queue.put(repo, jobId, letter(0)))
  yield* emitted(1, () => {})
  yield* processes((record) => record.open(repo, sessionId)).pipe(Effect.scoped)
  const directory = yield* transcripts
  yield* files((files) => files.replace(`${directory}/${sessionId}-agent-1-claude.jsonl`, "{}\n"))
})
const removal: Program = Effect.gen(function* () {
  const session = yield* SessionFiles
  const directories = yield* Effect.flatMap(TranscriptStore, (store) => store.directories(repo))
  yield* session.remove({ repo, sessionId, jobId, transcripts: directories.get(sessionId) ?? [] })
})

const ofSessions: ReadonlyArray<Operation> = [
  {
    name: "SessionStore.create",
    does: () => create(null),
    reads: listed,
    values: [[], [[session.id, null]]]
  },
  {
    name: "SessionStore.update",
    before: create("old"),
    does: () => sessions((store) => store.update(session.id, (session) => ({ ...session, error: "new" }))),
    reads: readable,
    values: ["old", "new"]
  },
  {
    name: "SessionStore.restore of a lost one",
    does: () => sessions((store) => store.restore({ ...session, error: "again" })),
    reads: readable,
    values: ["lost", "again"]
  },
  {
    name: "SessionStore.restore of a damaged one",
    before: damage,
    does: () => sessions((store) => store.restore({ ...session, error: "again" })),
    reads: readable,
    values: ["damaged", "lost", "again"],
    also: () =>
      Effect.map(stored, (paths) => {
        const kept = paths.filter((path) => path.includes(session.id))
        assert.ok(kept.length > 0, "what the damaged file held is kept")
      })
  },
  {
    name: "SessionJobIndex.put",
    does: () => mappings((index) => index.put(repo, mapping)),
    reads: mapped,
    values: [false, true]
  },
  {
    name: "SessionJobIndex.find of which half is there",
    before: Effect.gen(function* () {
      yield* mappings((index) => index.put(repo, mapping))
      const home = yield* ProdigyHome
      yield* files((files) => files.remove(home.repo(repo).mapping(jobId)))
    }),
    does: () => mappings((index) => index.find(repo, jobId)),
    reads: Effect.gen(function* () {
      const home = yield* ProdigyHome
      return (yield* files((files) => files.list(home.repo(repo).mappings))).length
    }),
    values: [1, 2]
  },
  {
    name: "WorkflowStore.claim",
    does: () => claimSession,
    reads: Effect.map(listed, (found) => found.length),
    values: [0, 1],
    again: null,
    also: isAnother(claimSession)
  },
  {
    name: "WorkflowStore.save",
    does: () => workflows((store) => store.save(workflowFile)),
    reads: workflows((store) => store.list(repo)),
    values: [[], [sessionId]]
  },
  {
    name: "WorkflowStore.saveCheckpoint",
    before: workflowCheckpoint(1),
    does: () => workflowCheckpoint(2),
    reads: workflows((store) =>
      Effect.map(store.loadCheckpoint(repo, sessionId), ({ checkpoint, damaged }) => {
        assert.deepStrictEqual(damaged, [])
        return checkpoint?.seq
      })
    ),
    values: [1, 2]
  },
  {
    name: "TranscriptStore.open",
    does: () => transcripts,
    reads: logDirectories,
    values: [0, 1],
    again: null,
    also: isAnother(transcripts)
  },
  {
    name: "ProcessRecord.open, started and the end",
    does: (done) =>
      processes((record) =>
        Effect.gen(function* () {
          const mark = yield* record.open(repo, sessionId)
          done(1)
          yield* mark.started({ pid: 7, startedAt: "1" })
          yield* mark.ended(7)
        })
      ).pipe(Effect.scoped),
    reads: processesFound,
    // A power cut takes the lines of single processes, and the processes.
    values: [null, [], [7], null]
  },
  {
    name: "SessionFiles.remove",
    before: everything,
    does: () => removal,
    reads: Effect.gen(function* () {
      const paths = (yield* stored).filter((path) => /session|mapreduce-\d/.test(path) && /\.(jsonl?|lock)$/.test(path))
      const isThere = (yield* jobs((store) => store.list(repo))).length > 0
      return isThere ? "whole" : paths.length > 0 ? "never resumed" : "gone"
    }),
    values: ["whole", "never resumed", "gone"],
    also: () =>
      Effect.gen(function* () {
        // Removed in part, and still resumed: that would be the end of a promise.
        if ((yield* jobs((store) => store.list(repo))).length === 0) return
        assert.deepStrictEqual(yield* seqs, [1])
        assert.deepStrictEqual(yield* checkpointed, [1])
        assert.equal(yield* readable, null)
        assert.equal((yield* letters((queue) => queue.summaries(repo, jobId))).letters.length, 1)
      })
  }
]

// -----------------------------------------------------------------------------
// dead letters, events
// -----------------------------------------------------------------------------

const letter = (index: number) => Samples.deadLetter(`item_${index}`, index, index)
const resolved = (index: number) => ({ ...letter(index), status: "resolved" as const })
const letters = <A, E, R>(use: (queue: DeadLetterQueue["Type"]) => Effect.Effect<A, E, R>) =>
  Effect.flatMap(DeadLetterQueue, use)
/** Letters with their states, by the files and by the index, which have to agree. */
const queued = letters((queue) =>
  Effect.gen(function* () {
    const found = [...(yield* Stream.runCollect(queue.stream(repo, jobId)))]
    const { damaged, letters } = yield* queue.summaries(repo, jobId)
    assert.deepStrictEqual(damaged, [])
    const all = found.map(({ item_index, status }) => `${item_index} ${status}`)
    assert.deepStrictEqual(
      letters.map(({ item_index, status }) => `${item_index} ${status}`),
      all
    )
    assert.equal(yield* queue.count(repo, jobId), all.length)
    return all
  })
)
const threeLetters: Program = letters((queue) =>
  Effect.forEach([0, 1, 2], (index) => queue.put(repo, jobId, letter(index)))
)

const ofLetters: ReadonlyArray<Operation> = [
  {
    name: "DeadLetterQueue.put of a new one",
    does: () => letters((queue) => queue.put(repo, jobId, letter(0))),
    reads: queued,
    values: [[], ["0 failed"]]
  },
  {
    name: "DeadLetterQueue.put of one that is there",
    before: threeLetters,
    does: () => letters((queue) => queue.put(repo, jobId, resolved(1))),
    reads: queued,
    values: [
      ["0 failed", "1 failed", "2 failed"],
      ["0 failed", "1 resolved", "2 failed"]
    ]
  },
  {
    name: "DeadLetterQueue.remove",
    before: threeLetters,
    does: () => letters((queue) => queue.remove(repo, jobId, [ItemId.make("item_0"), ItemId.make("item_2")])),
    reads: queued,
    values: [["0 failed", "1 failed", "2 failed"], ["1 failed", "2 failed"], ["0 failed", "1 failed"], ["1 failed"]]
  },
  {
    name: "DeadLetterQueue.reindex",
    before: Effect.zipRight(
      threeLetters,
      Effect.gen(function* () {
        const home = yield* ProdigyHome
        yield* files((files) => files.remove(home.repo(repo).job(jobId).deadLetterIndex))
      })
    ),
    does: () => letters((queue) => queue.reindex(repo, jobId)),
    reads: letters((queue) =>
      Effect.zipRight(
        queued,
        Effect.map(queue.summaries(repo, jobId), ({ unindexed }) => unindexed)
      )
    ),
    values: [3, 0]
  }
]

const events = <A, E, R>(use: (log: EventLog["Type"]) => Effect.Effect<A, E, R>) => Effect.flatMap(EventLog, use)
/** Events over files that hold two of them each. */
const emitted = (count: number, done: (step: number) => void) =>
  events((log) =>
    Effect.gen(function* () {
      const open = yield* log.open({ repo, jobId, correlationId: sessionId })
      for (let index = 1; index <= count; index += 1) {
        yield* open.emit([{ event_type: "worktree_cleaned", path: String(index) }])
        yield* open.flush
        done(index)
      }
    })
  ).pipe(Effect.scoped, Effect.provideService(Limits.EventFileBytesMax, 600))
const happened = events((log) =>
  Effect.map(Stream.runCollect(Stream.mapEffect(log.read(repo, jobId), (entry) => entry)), (found) =>
    [...found].map(({ event }) => ("path" in event ? event.path : event.event_type))
  )
)
const retained = (request: { readonly maxEvents: number | null; readonly archive: boolean }): Program =>
  Effect.gen(function* () {
    const retention = yield* EventRetention
    const plan = yield* retention.plan({
      scope: { _tag: "Everything" },
      beforeMillis: null,
      maxBytes: null,
      ...request
    })
    const { failed } = yield* retention.apply(plan)
    assert.deepStrictEqual(failed, [])
  })
/** Whoever goes on with a job owns it first. */
const owned: Program = Effect.flatMap(ResumeLock, (lock) => lock.acquire({ jobId, sessionId, force: false })).pipe(
  Effect.scoped
)
const eventFiles = Effect.gen(function* () {
  const home = yield* ProdigyHome
  const names = yield* files((files) => files.list(home.repo(repo).job(jobId).events))
  return { events: yield* happened, archived: names.filter((name) => name.endsWith(".gz")).length }
})
const of = (first: number, last: number) =>
  Array.from({ length: last - first + 1 }, (_, index) => String(first + index))

const ofEvents: ReadonlyArray<Operation> = [
  {
    name: "EventLog.open, emit and flush, over several files",
    does: (done) => emitted(4, done),
    reads: happened,
    values: [[], of(1, 1), of(1, 2), of(1, 3), of(1, 4)],
    again: null,
    also: () =>
      Effect.gen(function* () {
        const before = yield* happened
        yield* emitted(1, () => {})
        assert.deepStrictEqual(yield* happened, [...before, "1"])
      })
  },
  {
    name: "EventRetention.apply that removes and cuts",
    next: owned,
    before: emitted(5, () => {}),
    does: () => retained({ maxEvents: 2, archive: false }),
    reads: happened,
    values: [of(1, 5), of(2, 5), of(3, 5), of(4, 5)]
  },
  {
    name: "EventRetention.apply that archives",
    next: owned,
    before: emitted(3, () => {}),
    does: () => retained({ maxEvents: null, archive: true }),
    reads: eventFiles,
    // No event is missing at any instant, and none is there twice.
    values: [0, 1, 2].map((archived) => ({ events: of(1, 3), archived }))
  }
]

// -----------------------------------------------------------------------------
// the storage as a whole
// -----------------------------------------------------------------------------

const repository = (path: string) => ({ path, rootCommit: "c".repeat(40) })
const named = Effect.flatMap(ProdigyHome, (home) => Effect.map(home.claimOf(repo), (claim) => claim?.path ?? null))
const dead = { pid: 99, host: "simulated", started_at: "0" }
/** What somebody left who died in the middle: files half written, the lock on a session. */
const debris: Program = Effect.gen(function* () {
  const home = yield* ProdigyHome
  const writer = yield* TemporaryName.Writer
  for (const directory of [home.sessions, home.repo(repo).job(jobId).directory, home.resumeLocks])
    yield* files((files) => files.replace(`${directory}/there`, ""))
  yield* fs((fs) => fs.writeFileString(`${home.sessions}/${TemporaryName.make(writer, 1)}`, "half"))
  yield* fs((fs) => fs.writeFileString(`${home.repo(repo).job(jobId).directory}/${TemporaryName.make(writer, 2)}`, ""))
}).pipe(Effect.provide(Layer.provide(TemporaryName.layerWriter, ProcessTable.layerTest({ self: dead }))))

const ofAll: ReadonlyArray<Operation> = [
  {
    name: "GlobalStorage.prepare",
    does: () => Effect.flatMap(GlobalStorage, (storage) => storage.prepare),
    reads: fs((fs) => fs.exists("/home/dana/.prodigy")),
    // Whoever comes after the crash prepares it too.
    values: [true]
  },
  {
    name: "GlobalStorage.healthCheck",
    before: Effect.flatMap(GlobalStorage, (storage) => storage.prepare),
    does: () => Effect.flatMap(GlobalStorage, (storage) => storage.healthCheck),
    reads: stored,
    values: [[]]
  },
  {
    name: "GlobalStorage.sweep",
    before: debris,
    does: () => Effect.flatMap(GlobalStorage, (storage) => storage.sweep(repo, jobId)),
    reads: Effect.map(stored, (paths) => paths.filter((path) => path.endsWith("/there")).length),
    values: [3]
  },
  {
    name: "FileLock.withLock",
    does: () =>
      Effect.gen(function* () {
        const lock = yield* FileLock
        const home = yield* ProdigyHome
        yield* lock.withLock(`${home.session(sessionId)}.lock`)(put("a", "locked"))
      }),
    reads: contents,
    values: [{}, { a: "locked" }]
  },
  {
    name: "ProdigyHome.claimRepoName",
    does: () => Effect.flatMap(ProdigyHome, (home) => home.claimRepoName(repository("/home/dana/my-repo"))),
    reads: named,
    values: [null, "/home/dana/my-repo"]
  },
  {
    name: "ProdigyHome.claimRepoName of a repository that moved",
    before: Effect.flatMap(ProdigyHome, (home) => home.claimRepoName(repository("/home/dana/old/my-repo"))),
    does: () => Effect.flatMap(ProdigyHome, (home) => home.claimRepoName(repository("/home/dana/my-repo"))),
    reads: named,
    values: ["/home/dana/old/my-repo", "/home/dana/my-repo"]
  }
]

/** All of them. */
export const operations: ReadonlyArray<Operation> = [
  ...ofFiles,
  ...ofJobs,
  ...ofSessions,
  ...ofLetters,
  ...ofEvents,
  ...ofAll
]
