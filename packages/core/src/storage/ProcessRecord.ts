/**
 * Which processes a session's run has started: what the next owner needs in order to stop those that a killed one left.
 *
 * Owns `state/{repo}/processes/{session}.jsonl` and the reference (`RunMark`) by which whoever starts a process learns
 * for which run. Does not own starting or stopping.
 *
 * How a process is found again: the run's token stands in this file, durably, before the first process is started, and in
 * the environment of each from before it exists (`PRODIGY_SPAWN_ID`). So there is no instant at which a process runs and
 * could not be found. Pid and start time are written down too, right after the start: for platforms where no environment
 * can be read, and for a process that wiped its own.
 *
 * Crash guarantee: the token survives everything. The processes written down survive the death of this process; a power
 * cut may take them, and takes the processes as well. The file is gone when the run has ended and nothing of it is left.
 *
 * @since 0.1.0
 */
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Schema from "effect/Schema"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import { IdGenerator } from "../domain/IdGenerator.ts"
import { Owner } from "../domain/Owner.ts"
import type { RepoName } from "../domain/RepoName.ts"
import { SessionId } from "../domain/SessionId.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { type Appender, AtomicFile, DamagedFile, type StorageError } from "./AtomicFile.ts"
import { ProcessTable } from "./ProcessTable.ts"
import { ProdigyHome } from "./ProdigyHome.ts"
import * as StoredJson from "./StoredJson.ts"

/**
 * Lines of processes that have ended, after which the file is written anew without them.
 *
 * @since 0.1.0
 * @category models
 */
export const endedLinesMax = 256

/**
 * The first line: whose processes these are.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Run = Schema.Struct({
  v: Schema.Literal(1),
  type: Schema.Literal("run"),
  session_id: SessionId,
  owner: Owner,
  token: Schema.UUID.annotations({ description: "stands in the environment of every process of the run" }),
  at: Timestamp.Timestamp
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Run extends Schema.Schema.Type<typeof Run> {}

/**
 * Every other line: a process that was started, which leads a process group and a session of that number.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Started = Schema.Struct({
  v: Schema.Literal(1),
  type: Schema.Literal("process"),
  pid: Schema.Int,
  started_at: Schema.NullOr(Schema.String).annotations({
    description: "when it started, in the platform's own terms (Linux: clock ticks since boot); null where unknown"
  }),
  at: Timestamp.Timestamp
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Started extends Schema.Schema.Type<typeof Started> {}

/**
 * For which run processes are started. `none` outside of a run.
 *
 * @since 0.1.0
 * @category models
 */
export interface Mark {
  /** For the environment of the process; null: none. */
  readonly token: string | null
  /** Writes a process down that has just been started. Returns when that outlives us. */
  readonly started: (process: { readonly pid: number; readonly startedAt: string | null }) => Effect.Effect<void>
  /** That process, and all that belonged to it, is gone. */
  readonly ended: (pid: number) => Effect.Effect<void>
}

/**
 * @since 0.1.0
 * @category models
 */
export const none: Mark = { token: null, started: () => Effect.void, ended: () => Effect.void }

/**
 * The run on whose behalf the current fiber works. Read by everything that starts a process.
 *
 * @since 0.1.0
 * @category references
 */
export class RunMark extends Context.Reference<RunMark>()("@prodigy/core/storage/ProcessRecord/RunMark", {
  defaultValue: (): Mark => none
}) {}

/**
 * The variable that marks a process, behind the marks of the programs above it: `{token of the run}/{id of the process}`.
 *
 * @since 0.1.0
 * @category combinators
 */
export const marked = (
  given: Readonly<Record<string, string | undefined>>,
  mark: string
): { readonly PRODIGY_SPAWN_ID: string } => {
  const above = given["PRODIGY_SPAWN_ID"]
  return { PRODIGY_SPAWN_ID: above === undefined || above === "" ? mark : `${above}/${mark}` }
}

/**
 * Stands for the id in the mark of our own git commands, which come to their end by themselves.
 *
 * @since 0.1.0
 * @category models
 */
export const gitMark = "git"

/**
 * What an earlier run left behind.
 *
 * @since 0.1.0
 * @category models
 */
export interface Found {
  readonly run: Run
  readonly processes: ReadonlyArray<Started>
}

/**
 * @since 0.1.0
 * @category services
 */
export class ProcessRecord extends Context.Tag("@prodigy/core/storage/ProcessRecord")<
  ProcessRecord,
  {
    /** What the last run of a session left; null when it ended in good order, or there was none. */
    readonly find: (repo: RepoName, sessionId: SessionId) => Effect.Effect<Found | null, StorageError | DamagedFile>

    /**
     * Begins the record of a run, in the place of what was there. When the scope closes, the file is removed, or tells of
     * those processes only that could not be stopped.
     */
    readonly open: (repo: RepoName, sessionId: SessionId) => Effect.Effect<Mark, StorageError, Scope.Scope>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const files = yield* AtomicFile
  const home = yield* ProdigyHome
  const ids = yield* IdGenerator
  const table = yield* ProcessTable

  return ProcessRecord.of({
    find: Effect.fn("ProcessRecord.find")(function* (repo, sessionId) {
      const path = home.repo(repo).processes(sessionId)
      const { lines } = yield* files.readLines(path)
      const [first, ...rest] = lines
      if (first === undefined) {
        if ((yield* files.modifiedAt(path)) === null) return null
        // Its first line was on disk before anything was started.
        return yield* new DamagedFile({ path, line: 1, expected: runWhat, actual: "no whole line" })
      }
      const run = yield* runCodec.decode(first, { path, line: 1 })
      if (run.session_id !== sessionId) {
        return yield* new DamagedFile({
          path,
          line: 1,
          expected: "the session that the file is named after",
          actual: `session ${run.session_id}`
        })
      }
      const decoded = Effect.forEach(rest, (text, index) => startedCodec.decode(text, { path, line: index + 2 }))
      // Lines are not synced: a power cut may spoil them. Then the processes are gone with their boot.
      const rebooted = run.owner.host === table.self.host && bootOf(run.owner) !== bootOf(table.self)
      return { run, processes: rebooted ? [] : yield* decoded }
    }),

    open: Effect.fn("ProcessRecord.open")(function* (repo, sessionId) {
      const path = home.repo(repo).processes(sessionId)
      const token = yield* ids.uuid
      const run: Run = {
        v: 1,
        type: "run",
        session_id: sessionId,
        owner: table.self,
        token,
        at: yield* Timestamp.now
      }
      return yield* openAt(files, path, run)
    })
  })
})

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<ProcessRecord, never, AtomicFile | IdGenerator | ProcessTable | ProdigyHome> =
  Layer.effect(ProcessRecord, make)

const runWhat = "the run of a process record of version 1"
const runCodec = StoredJson.sealed(Run, runWhat)
const startedCodec = StoredJson.sealed(Started, "a process of a process record of version 1")

/** Linux names the boot first; elsewhere it is the platform, which is always the same, or nothing. */
const bootOf = (owner: Owner): string | undefined => /^([^/]+)\//.exec(owner.started_at)?.[1]

const openAt = Effect.fnUntraced(function* (
  files: AtomicFile["Type"],
  path: string,
  run: Run
): Effect.fn.Return<Mark, StorageError, Scope.Scope> {
  const head = yield* runCodec.encode(run)
  const one = yield* Effect.makeSemaphore(1)
  const running = new Map<number, string>()
  let endedLines = 0
  let begun = false
  let open: { readonly appender: Appender; readonly scope: Scope.CloseableScope } | null = null

  const close = Effect.suspend(() => {
    const closing = open
    open = null
    return closing === null ? Effect.void : Scope.close(closing.scope, Exit.void)
  })
  const rewrite = Effect.suspend(() => files.replaceLines(path, Stream.fromIterable([head, ...running.values()])))
  /** Whoever took the job from us by force has put his own record here. */
  const isOurs = Effect.map(files.readLines(path), ({ lines }) => lines[0] === head)
  /** Opens the file with nothing in it but what runs. */
  const renew = Effect.gen(function* () {
    yield* close
    if (begun && !(yield* isOurs)) return
    yield* rewrite
    begun = true
    const scope = yield* Scope.make()
    const appender = yield* Scope.extend(files.appender(path), scope).pipe(
      Effect.onError(() => Scope.close(scope, Exit.void))
    )
    endedLines = 0
    open = { appender, scope }
  })
  const leave = Effect.gen(function* () {
    yield* close
    if (!(yield* isOurs)) return
    yield* running.size === 0 ? files.remove(path) : rewrite
  }).pipe(
    // What stays in it has ended: the next owner finds nothing to stop.
    Effect.catchAll((error) => Effect.logWarning(`The record of processes stays behind: ${error.message}`))
  )
  const write = (line: string) =>
    Effect.suspend(() =>
      open === null || endedLines > Math.max(endedLinesMax, running.size) ? renew : open.appender.hand([line])
    )

  yield* Effect.acquireRelease(renew, () => leave)
  return {
    token: run.token,
    started: ({ pid, startedAt }) =>
      Effect.gen(function* () {
        const line = yield* startedCodec.encode({
          v: 1,
          type: "process",
          pid,
          started_at: startedAt,
          at: yield* Timestamp.now
        })
        running.set(pid, line)
        yield* write(line)
      }).pipe(
        one.withPermits(1),
        Effect.uninterruptible,
        // Its token finds it; and a paid agent is not stopped because a line about it could not be written.
        Effect.catchAll((error) => Effect.logWarning(`A process was not written down: ${error.message}`))
      ),
    ended: (pid) =>
      Effect.sync(() => {
        if (running.delete(pid)) endedLines += 1
      })
  }
})
