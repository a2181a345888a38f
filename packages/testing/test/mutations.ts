/** Defects of the engine and its stores, each a layer over the real service. */
import type { JournalEntry } from "@prodigy/core/domain/JobRecord"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { CheckpointStore } from "@prodigy/core/storage/CheckpointStore"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { EventLog } from "@prodigy/core/storage/EventLog"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { Journal, type OpenJournal } from "@prodigy/core/storage/Journal"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as RefName from "@prodigy/core/workspace/RefName"
import { type SessionWorkspace, Workspace } from "@prodigy/core/workspace/Workspace"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import type * as TestProdigy from "@prodigy/testing/TestProdigy"
import type * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { type Part, scenario } from "./smallJob.ts"

/** A service made worse. */
const over = <Self, Service>(tag: Context.Tag<Self, Service>, change: (service: Service) => Service) =>
  Layer.effect(tag, Effect.map(tag, change))

/** The journal of a job, as it is open. */
const journal = (change: (open: OpenJournal) => OpenJournal["append"]): TestProdigy.Replaced => ({
  stores: over(Journal, (sound) => ({
    ...sound,
    open: (...where) => Effect.map(sound.open(...where), (open) => ({ ...open, append: change(open) }))
  }))
})

/** The workspace of a session, as it is open. */
const workspace = (change: (open: SessionWorkspace) => Partial<SessionWorkspace>): TestProdigy.Replaced => ({
  workspace: over(Workspace, (sound) => ({
    ...sound,
    open: (options) => Effect.map(sound.open(options), (open) => ({ ...open, ...change(open) }))
  }))
})

/** A defect, and where it shows. */
export interface Mutation {
  readonly replaced: TestProdigy.Replaced
  readonly part: Part
  /** Null: no crash is needed. */
  readonly every: number | null
  /** What says so. */
  readonly seenBy: string
}

/** Calls that are crashed at, one in so many: of the defective programs until one shows, of the sound one all. */
export const every: Readonly<Record<Part, number>> = { run: 53, retry: 47, rivals: 401 }

const crashes = (part: Part, seenBy: string, replaced: TestProdigy.Replaced): Mutation => ({
  replaced,
  part,
  every: every[part],
  seenBy
})

const untouched = (part: Part, seenBy: string, replaced: TestProdigy.Replaced): Mutation => ({
  replaced,
  part,
  every: null,
  seenBy
})

/** By what is wrong. */
export const mutations: Readonly<Record<string, Mutation>> = {
  "a journal acknowledges what is not on the disk": crashes("run", "filesAreWhole", {
    files: over(AtomicFile, (sound) => ({
      ...sound,
      appender: (path) =>
        Effect.map(sound.appender(path), (open) =>
          path.endsWith("/journal.jsonl") ? { ...open, append: open.hand } : open
        )
    }))
  }),
  "a journal leaves a record out": untouched(
    "run",
    "filesAreWhole",
    journal(
      (open) => (records) =>
        Effect.map(open.append(records.filter(({ type }) => type !== "item_merged")), (entries) => {
          const written = [...entries]
          const last = entries.at(-1)
          return records.map((record): JournalEntry =>
            record.type === "item_merged"
              ? { v: 1, seq: last?.seq ?? 1, at: last?.at ?? "2026-01-02T03:04:05.000Z", record }
              : written.shift()!
          )
        })
    )
  ),
  "a journal writes a record twice": untouched(
    "run",
    "filesAreWhole",
    journal((open) => (records) => Effect.zipLeft(open.append(records), open.append(records.slice(-1))))
  ),
  "work is merged before its end is recorded": crashes(
    "run",
    "mergesAreRecorded",
    workspace((open) => ({
      collect: (checkout, work, options) =>
        Effect.tap(open.collect(checkout, work, options), ({ branch, tip }) =>
          tip === null ? Effect.void : Effect.orDie(open.integrate(work, tip, branch))
        )
    }))
  ),
  "a merge is recorded and not made": untouched(
    "run",
    "mergesAreRecorded",
    workspace(() => ({ integrate: (_work, tip) => Effect.succeed({ commit: tip }) }))
  ),
  "what an agent left uncommitted is not collected": untouched(
    "run",
    "'0': 'by 0",
    workspace((open) => ({
      collect: (checkout) => Effect.map(open.head(checkout), () => ({ tip: null, branch: null, commits: 0 }))
    }))
  ),
  "a rescue keeps nothing": untouched(
    "run",
    "keptWorkIsThere",
    workspace((open) => ({
      rescue: ({ path }, { agentId, attempt, itemId }) =>
        Effect.map(open.head({ path, branch: RefName.agentBranch(agentId, attempt), base: "" }), () => ({
          uncommitted_changes: `refs/prodigy/rescue/gone/${itemId}/${attempt}`
        }))
    }))
  ),
  "the worktrees of agents are not removed": untouched(
    "run",
    "agentsAreGone",
    workspace((open) => ({
      clean: () =>
        Effect.as(open.tip, { removedWorktrees: [open.parent.path], removedBranches: [], kept: [], orphans: [] })
    }))
  ),
  "a checkpoint forgets the last item that was started": untouched("run", "checkpointsAreFolds", {
    stores: over(CheckpointStore, (sound) => ({
      ...sound,
      save: (repo, jobId, kind, state, retention) =>
        sound.save(repo, jobId, kind, { ...state, next: Math.max(0, state.next - 1) }, retention)
    }))
  }),
  "a checkpoint has a seq that is off by one": untouched("run", "checkpointsAreFolds", {
    stores: over(CheckpointStore, (sound) => ({
      ...sound,
      save: (repo, jobId, kind, state, retention) =>
        sound.save(repo, jobId, kind, { ...state, seq: state.seq - 1 }, retention)
    }))
  }),
  "a dead letter has only the last failure": untouched("run", "lettersTellTheFailures", {
    stores: over(DeadLetterQueue, (sound) => ({
      ...sound,
      put: (repo, jobId, letter) =>
        sound.put(repo, jobId, {
          ...letter,
          failure_count: 1,
          failure_history: [letter.failure_history.at(-1) ?? letter.failure_history[0]]
        })
    }))
  }),
  "a dead letter is not written": untouched("run", "lettersTellTheFailures", {
    stores: over(DeadLetterQueue, (sound) => ({ ...sound, put: () => Effect.void }))
  }),
  "a dead letter is not resolved when its item is merged": untouched("retry", "lettersTellTheFailures", {
    stores: over(DeadLetterQueue, (sound) => ({
      ...sound,
      put: (repo, jobId, letter) => (letter.status === "resolved" ? Effect.void : sound.put(repo, jobId, letter))
    }))
  }),
  "the index is not told that a dead letter changes": crashes("retry", "indexTellsTheLetters", {
    files: over(AtomicFile, (sound) => ({
      ...sound,
      appender: (path) =>
        Effect.map(sound.appender(path), (open) =>
          path.endsWith("/index.jsonl") ? { ...open, append: () => Effect.void } : open
        )
    }))
  }),
  "a session is completed before its job": crashes("run", "sessionTellsTheState", {
    stores: over(SessionStore, (sound) => ({
      ...sound,
      update: (id, change) =>
        sound.update(id, (session) => {
          const next = change(session)
          const isNearly = next.progress.kind === "mapreduce" && next.progress.phase === "reduce"
          return isNearly && next.status === "Running" ? { ...next, status: "Completed" } : next
        })
    }))
  }),
  "a mapping has one half": untouched("run", "sessionIsTheJobs", {
    files: over(AtomicFile, (sound) => ({
      ...sound,
      replace: (path, content) =>
        /\/mappings\/mapreduce-[^/]*$/.test(path) ? Effect.void : sound.replace(path, content)
    }))
  }),
  "a lock is never given back": untouched("run", "nothingIsLeft", {
    stores: over(ResumeLock, (sound) => ({
      ...sound,
      acquire: (options) => Effect.flatMap(Scope.make(), (scope) => Scope.extend(sound.acquire(options), scope))
    }))
  }),
  "a lock is taken from an owner who lives": untouched("rivals", "- 'ResumeLockHeld'", {
    stores: Layer.effect(
      ResumeLock,
      Effect.gen(function* () {
        const sound = yield* ResumeLock
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        return {
          ...sound,
          acquire: (options) =>
            Effect.zipRight(files.remove(home.resumeLock(options.jobId ?? options.sessionId)), sound.acquire(options))
        }
      })
    )
  }),
  "a resume takes no notice of the journal": crashes("run", "filesAreWhole", {
    stores: Layer.mergeAll(
      over(Journal, (sound) => ({ ...sound, read: () => Stream.empty })),
      over(CheckpointStore, (sound) => ({
        ...sound,
        latest: () => Effect.succeed({ checkpoint: null, damaged: [] })
      })),
      over(JobStore, (sound) => ({ ...sound, loadSummary: () => Effect.succeed(null) }))
    )
  }),
  "the events leave one out": untouched("run", "eventsTellTheRecords", {
    stores: over(EventLog, (sound) => ({
      ...sound,
      open: (options) =>
        Effect.map(sound.open(options), (open) => ({
          ...open,
          emit: (events) => open.emit(events.filter(({ event_type }) => event_type !== "agent_failed"))
        }))
    }))
  }),
  "events are written twice": untouched("run", "eventsTellTheRecords", {
    stores: over(EventLog, (sound) => ({
      ...sound,
      open: (options) =>
        Effect.map(sound.open(options), (open) => ({ ...open, emit: (events) => open.emit([...events, ...events]) }))
    }))
  })
}

/** Looks for what goes wrong, up to the first. */
export const hunt = ({ every, part, replaced }: Pick<Mutation, "every" | "part" | "replaced">) =>
  CrashExplorer.explore(scenario(part, replaced, every !== null), {
    ...CrashExplorer.exhaustive,
    chances: 0,
    violationsMax: 1,
    // At the least before the first call, and after the last one.
    every: every ?? Number.MAX_SAFE_INTEGER
  })
