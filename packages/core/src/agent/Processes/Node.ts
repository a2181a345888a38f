/**
 * Processes on Node.js: `child_process.spawn`, each in a session of its own.
 *
 * @since 0.1.0
 */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Clock from "effect/Clock"
import * as Deferred from "effect/Deferred"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as Layer from "effect/Layer"
import type * as Scope from "effect/Scope"
import * as NodeChildProcess from "node:child_process"
import * as NodeCrypto from "node:crypto"
import * as NodeFileSystem from "node:fs"
import * as NodeOs from "node:os"
import * as Limits from "../../domain/Limits.ts"
import { RunMark } from "../../storage/ProcessRecord.ts"
import * as Output from "../Output.ts"
import { environment, Processes, type ProcessOutcome, type ProcessRequest, SpawnError } from "../Processes.ts"
import * as LogFile from "./LogFile.ts"
import * as OutputReader from "./OutputReader.ts"
import * as ProcessGroup from "./ProcessGroup.ts"

/**
 * `environment` is what every process inherits: the program decides, as a rule `process.env`.
 *
 * When the program itself exits without having stopped its processes, they get SIGKILL at that moment.
 *
 * @since 0.1.0
 * @category layers
 */
export const layer = (options: {
  readonly environment: Readonly<Record<string, string | undefined>>
}): Layer.Layer<Processes, never, FileSystem.FileSystem> =>
  Layer.scoped(
    Processes,
    Effect.gen(function* () {
      const fileSystem = yield* FileSystem.FileSystem
      const running = yield* runningGroups
      const run = Effect.fn("Processes.run")(function* (request: ProcessRequest) {
        const log = yield* LogFile.open(fileSystem, request)
        const mark = yield* RunMark
        return yield* Effect.uninterruptibleMask((restore) =>
          Effect.flatMap(spawn(request, options.environment, mark.token), (child) => {
            running.add(child.group)
            return mark
              .started(child.group.spawned)
              .pipe(
                Effect.zipRight(attend(request, child, log, restore)),
                Effect.ensuring(Effect.sync(() => running.delete(child.group)))
              )
          })
        )
      }, Effect.scoped)
      return Processes.of({ run })
    })
  )

/** Groups that get SIGKILL when this program exits with them running: by `process.exit`, or by a second Ctrl-C. */
const runningGroups: Effect.Effect<Set<ProcessGroup.ProcessGroup>, never, Scope.Scope> = Effect.gen(function* () {
  const running = new Set<ProcessGroup.ProcessGroup>()
  const killAll = () => {
    for (const group of running) group.signal("SIGKILL", group.members("thorough"))
  }
  yield* Effect.acquireRelease(
    Effect.sync(() => process.on("exit", killAll)),
    () => Effect.sync(() => process.off("exit", killAll))
  )
  return running
})

type Restore = <A, E, R>(effect: Effect.Effect<A, E, R>) => Effect.Effect<A, E, R>

interface Ended {
  readonly exitCode: number
  readonly signal: string | null
}

interface Child {
  readonly group: ProcessGroup.ProcessGroup
  readonly output: OutputReader.OutputReader
  readonly awaitEnd: Effect.Effect<void>
  readonly ended: () => Ended | null
  readonly letGo: Effect.Effect<void>
}

/** Waits for the end of a child, sees to it that nothing of it is left, says how it ended. Interruptible where it waits. */
const attend = Effect.fnUntraced(function* (
  request: ProcessRequest,
  child: Child,
  log: LogFile.LogFile,
  restore: Restore
) {
  const graceMillis = yield* Limits.KillGraceMillis
  const capture = Output.makeCapture({
    headBytesMax: yield* Limits.CaptureBytesMax,
    tailBytesMax: yield* Limits.TailBytesMax
  })
  const startedNanos = yield* Clock.currentTimeNanos
  const gone = yield* Deferred.make<void>()
  const onPiece = (piece: Output.Piece) => {
    capture.add(piece)
    return request.onOutput === undefined
      ? log.write(piece)
      : Effect.zipRight(log.write(piece), request.onOutput(piece))
  }
  const pump = yield* Effect.fork(Effect.interruptible(pumpOutput(child.output, onPiece, gone, graceMillis)))

  const waited = yield* Effect.exit(restore(awaitReason(request, child, pump)))
  const exited = Exit.isSuccess(waited) && waited.value === null
  const survivors = yield* stop(child, exited ? ["SIGTERM", "SIGKILL"] : ["SIGINT", "SIGTERM", "SIGKILL"], graceMillis)
  if (survivors.length === 0) yield* (yield* RunMark).ended(child.group.spawned.pid)
  const durationMillis = Number((yield* Clock.currentTimeNanos) - startedNanos) / 1_000_000
  yield* Deferred.succeed(gone, undefined)

  const drained = Exit.isSuccess(waited) ? restore(Fiber.join(pump)) : awaitAtMost(pump, graceMillis)
  yield* Effect.ensuring(
    drained,
    Effect.all([Fiber.interrupt(pump), child.output.close, child.letGo, log.finish], { discard: true })
  )
  if (Exit.isFailure(waited)) return yield* Effect.failCause(waited.cause)
  // Only a process that even SIGKILL did not end has no end to tell of.
  const ended = child.ended() ?? endOf(null, "SIGKILL")
  return {
    ...ended,
    stoppedBy: waited.value,
    ...capture.result(),
    durationMillis,
    survivors
  } satisfies ProcessOutcome
})

/** Why a child is not waited for any longer: null when it exited by itself. */
const awaitReason = (
  request: ProcessRequest,
  child: Child,
  pump: Fiber.Fiber<void>
): Effect.Effect<ProcessOutcome["stoppedBy"]> => {
  const reasons: Array<Effect.Effect<ProcessOutcome["stoppedBy"]>> = [
    // An exception in `onOutput` ends the run; the end of the output alone does not.
    Effect.zipRight(Fiber.join(pump), Effect.never)
  ]
  if (request.timeoutMillis !== null) reasons.push(Effect.as(Effect.sleep(request.timeoutMillis), "timeout"))
  if (request.stopWhen !== undefined) reasons.push(Effect.as(request.stopWhen, "request"))
  const reason = reasons.reduce(
    (first, other) => Effect.raceFirst(first, other),
    Effect.as(child.awaitEnd, null) as Effect.Effect<ProcessOutcome["stoppedBy"]>
  )
  return Effect.zipRight(request.onSpawn?.(child.group.spawned) ?? Effect.void, reason)
}

/** Sends each signal in turn to whatever is left, and waits after each. Returns who is left after the last. */
const stop = Effect.fnUntraced(function* (
  child: Child,
  signals: ReadonlyArray<NodeJS.Signals>,
  graceMillis: number
): Effect.fn.Return<ReadonlyArray<number>> {
  if (child.ended() !== null && child.group.members("quick").length === 0) return []
  for (const signal of signals) {
    child.group.signal(signal, child.group.members("thorough"))
    if (yield* awaitGone(child, signal === "SIGKILL" ? Math.max(graceMillis, killWaitMillisMin) : graceMillis))
      return []
  }
  const survivors = child.group.members("thorough")
  yield* Effect.logWarning("Processes could not be stopped", { spawned: child.group.spawned, survivors })
  return survivors
})

const awaitGone = Effect.fnUntraced(function* (child: Child, atMostMillis: number) {
  const deadline = (yield* Clock.currentTimeMillis) + atMostMillis
  for (let pauseMillis = 1; ; pauseMillis = Math.min(pauseMillis * 2, pauseMillisMax)) {
    const leftMillis = deadline - (yield* Clock.currentTimeMillis)
    // A group that answers is looked into now and then only: all of it may be zombies.
    const worthLooking = !child.group.answers() || pauseMillis === pauseMillisMax || leftMillis <= 0
    if (child.ended() !== null && worthLooking && child.group.members("thorough").length === 0) return true
    if (leftMillis <= 0) return false
    yield* Effect.sleep(Math.min(pauseMillis, leftMillis))
  }
})

const pauseMillisMax = 100

/** Nothing outlives SIGKILL but what the kernel holds; on a loaded machine it takes its time to go. */
const killWaitMillisMin = 5_000

const awaitAtMost = (fiber: Fiber.Fiber<void>, millis: number): Effect.Effect<void> =>
  Effect.raceFirst(Effect.interruptible(Effect.asVoid(Fiber.await(fiber))), Effect.interruptible(Effect.sleep(millis)))

/**
 * Takes output until both streams end. Once the group is gone, whoever holds them open is none of ours: what they still
 * hold is read, and they are waited for no longer than `idleMillis`.
 */
const pumpOutput = Effect.fnUntraced(function* (
  output: OutputReader.OutputReader,
  onPiece: (piece: Output.Piece) => Effect.Effect<void>,
  gone: Deferred.Deferred<void>,
  idleMillis: number
) {
  const giveUp = Effect.as(Effect.zipRight(Deferred.await(gone), Effect.sleep(idleMillis)), null)
  let bytesAfter = 0
  while (bytesAfter <= bytesAfterMax) {
    const piece = output.ready() ?? (yield* Effect.raceFirst(output.next, giveUp))
    if (piece === null) return
    yield* onPiece(piece)
    if (yield* Deferred.isDone(gone)) bytesAfter += piece.bytes.length
  }
})

/** More than a pipe, a socket pair and our own buffers hold together. */
const bytesAfterMax = 4 * 1024 * 1024

const spawn = (
  request: ProcessRequest,
  given: Readonly<Record<string, string | undefined>>,
  token: string | null
): Effect.Effect<Child, SpawnError> =>
  Effect.async((resume) => {
    // Unique among all processes of the machine, so not from `IdGenerator`, which tests make repeatable.
    const spawnId = NodeCrypto.randomUUID()
    const fail = (cause: NodeJS.ErrnoException) => resume(Effect.fail(spawnError(request, cause)))
    try {
      const handle = NodeChildProcess.spawn(request.command, [...request.args], {
        cwd: request.cwd,
        env: environment(given, request.env, token === null ? spawnId : `${token}/${spawnId}`),
        detached: true,
        stdio: [request.stdin === null ? "ignore" : "pipe", "pipe", "pipe"]
      })
      handle.once("error", fail)
      const { pid, stdin, stdout, stderr } = handle
      if (pid === undefined || stdout === null || stderr === null) return
      // A program need not read its input to the end: EPIPE is no failure of ours, its exit says how it went.
      stdin?.on("error", () => {})
      stdin?.end(request.stdin)
      resume(Effect.succeed(makeChild(handle, ProcessGroup.make(pid, spawnId), OutputReader.make(stdout, stderr))))
    } catch (cause) {
      fail(cause as NodeJS.ErrnoException)
    }
  })

const makeChild = (
  handle: NodeChildProcess.ChildProcess,
  group: ProcessGroup.ProcessGroup,
  output: OutputReader.OutputReader
): Child => {
  let ended: Ended | null = null
  const whenEnded = Deferred.unsafeMake<void>(FiberId.none)
  handle.once("exit", (code, signal) => {
    ended = endOf(code, signal)
    Deferred.unsafeDone(whenEnded, Effect.void)
  })
  return {
    group,
    output,
    awaitEnd: Deferred.await(whenEnded),
    ended: () => ended,
    // One that cannot be killed must not keep this program from ending.
    letGo: Effect.sync(() => handle.unref())
  }
}

const endOf = (code: number | null, signal: NodeJS.Signals | null): Ended => ({
  exitCode: code ?? 128 + (signal === null ? 0 : NodeOs.constants.signals[signal]),
  signal
})

const spawnError = (request: ProcessRequest, cause: NodeJS.ErrnoException): SpawnError =>
  new SpawnError({
    command: request.command,
    cwd: request.cwd,
    reason: isDirectory(request.cwd) ? (reasons[cause.code ?? ""] ?? "other") : "directory",
    detail: isDirectory(request.cwd) ? cause.message : "there is no such directory"
  })

const reasons: Readonly<Record<string, SpawnError["reason"]>> = {
  ENOENT: "not_found",
  ENOTDIR: "not_found",
  EACCES: "permission",
  EPERM: "permission",
  EAGAIN: "resources",
  EMFILE: "resources",
  ENFILE: "resources",
  ENOMEM: "resources",
  ENOSPC: "resources",
  E2BIG: "too_long"
}

const isDirectory = (path: string): boolean => {
  try {
    return NodeFileSystem.statSync(path).isDirectory()
  } catch {
    // Whatever hides it: it is no directory to start a process in.
    return false
  }
}
