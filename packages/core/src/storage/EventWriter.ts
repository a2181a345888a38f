/**
 * The writing side of the event log: lines that wait, and the files that they go to.
 *
 * Owns the rotation of `events-{stamp}.jsonl`, and the buffer, with what happens when the disk cannot be written. Knows
 * lines, not events; names are `EventFiles`', the crash guarantee is `EventLog`'s.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as ExecutionStrategy from "effect/ExecutionStrategy"
import * as Exit from "effect/Exit"
import * as Scope from "effect/Scope"
import * as JobId from "../domain/JobId.ts"
import type { Appender, AtomicFile, StorageError } from "./AtomicFile.ts"
import * as EventFiles from "./EventFiles.ts"
import type { JobPaths } from "./ProdigyHome.ts"

/**
 * Milliseconds after which an event is on disk, if the disk can be written.
 *
 * @since 0.1.0
 * @category models
 */
export const flushMillisMax = 1_000

/**
 * Characters of events that wait in memory while the disk cannot be written, about 16 MB. Beyond it the oldest quarter is
 * dropped at once, so that the cost per event stays flat.
 *
 * @since 0.1.0
 * @category models
 */
export const bufferCharsMax = 16 * 1024 * 1024

/**
 * @since 0.1.0
 * @category models
 */
export interface Options {
  readonly file: AtomicFile["Type"]
  readonly paths: JobPaths
  readonly fileBytesMax: number
  /** The line that says how many were dropped. */
  readonly droppedLine: (count: number) => Effect.Effect<string>
}

/**
 * @since 0.1.0
 * @category models
 */
export interface EventWriter {
  /** Takes a line, without waiting and without fail. */
  readonly take: (line: string) => void
  /** Waits for the disk when it works but cannot keep up: only a disk that fails makes us drop events. */
  readonly relief: Effect.Effect<void>
  /** Every line taken so far is on disk when this returns. What could not be written waits for the next flush. */
  readonly flush: Effect.Effect<void, StorageError>
}

/** Characters after which lines are written without waiting for the second to pass. */
const flushCharsMin = 1024 * 1024

/** Characters after which whoever emits waits for the disk. */
const reliefCharsMin = 4 * flushCharsMin

/**
 * Opens the next file of a job's log. Flushed and closed with the scope.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = (options: Options): Effect.Effect<EventWriter, StorageError, Scope.Scope> =>
  Effect.gen(function* () {
    // Older than the last flush below, so closed after it.
    const scope = yield* Effect.acquireRelease(Scope.make(), (made, exit) => Scope.close(made, exit))
    const openNext = openFile(options, scope)
    const buffer = makeBuffer()
    const mutex = yield* Effect.makeSemaphore(1)
    const filled = yield* Effect.makeLatch()
    const urgent = yield* Effect.makeLatch()
    let current = yield* openNext

    const write = Effect.fnUntraced(function* (lines: ReadonlyArray<string>) {
      for (let start = 0; start < lines.length;) {
        const room = options.fileBytesMax - (yield* current.appender.size)
        const end = fitting(lines, start, room)
        if (end === start && (yield* current.appender.size) > 0) {
          const next = yield* openNext
          yield* current.close
          current = next
          continue
        }
        // A line that is larger than a whole file gets a file of its own.
        const batch = lines.slice(start, Math.max(end, start + 1))
        yield* current.appender.append(batch)
        start += batch.length
        buffer.written(batch.length)
      }
    })

    const flush = Effect.gen(function* () {
      yield* write(buffer.begin())
      if (buffer.dropped() === 0) return
      const count = buffer.dropped()
      yield* current.appender.append([yield* options.droppedLine(count)])
      buffer.forgetDropped(count)
    }).pipe(Effect.ensuring(Effect.sync(buffer.end)), Effect.uninterruptible, mutex.withPermits(1))

    let failing = false
    const flushQuietly = Effect.matchEffect(flush, {
      onSuccess: () => Effect.sync(() => void (failing = false)),
      // Once per outage, not once per second.
      onFailure: (error) => {
        const known = failing
        failing = true
        return known ? Effect.void : Effect.logError(`Events wait in memory: ${error.message}`)
      }
    })

    yield* Effect.addFinalizer(() =>
      Effect.catchAll(flush, (error) =>
        Effect.logError(`${buffer.size()} events are lost, ${buffer.dropped()} were dropped before: ${error.message}`)
      )
    )
    // Without a line there is nothing to wake up for; while the disk fails, each second is worth a try.
    yield* filled.await.pipe(
      Effect.zipRight(Effect.timeoutOption(urgent.await, flushMillisMax)),
      Effect.zipRight(Effect.all([filled.close, urgent.close], { discard: true })),
      Effect.zipRight(flushQuietly),
      Effect.tap(() => (buffer.size() > 0 || buffer.dropped() > 0 ? filled.open : Effect.void)),
      Effect.forever,
      Effect.forkScoped
    )
    return {
      take: (line) => {
        if (buffer.push(line) > flushCharsMin && !failing) urgent.unsafeOpen()
        filled.unsafeOpen()
      },
      relief: Effect.suspend(() => (buffer.chars() > reliefCharsMin && !failing ? flushQuietly : Effect.void)),
      flush
    }
  })

interface OpenFile {
  readonly appender: Appender
  readonly close: Effect.Effect<void>
}

/** Starts a file whose name comes after those of all files before, also when the clock was set back. */
const openFile = (options: Options, parent: Scope.Scope): Effect.Effect<OpenFile, StorageError> =>
  Effect.gen(function* () {
    const { file, paths } = options
    const now = JobId.stamp(yield* Clock.currentTimeMillis)
    const path = paths.eventFile(EventFiles.next(yield* EventFiles.list(file, paths.events), now))
    // Another process took the name: look again.
    if (!(yield* file.createExclusively(path, ""))) return yield* openFile(options, parent)
    const scope = yield* Scope.fork(parent, ExecutionStrategy.sequential)
    const close = Scope.close(scope, Exit.void)
    const appender = yield* Scope.extend(file.appender(path), scope).pipe(Effect.onError(() => close))
    return { appender, close }
  })

/** Index behind the last line that still fits into `bytes`. */
const fitting = (lines: ReadonlyArray<string>, start: number, bytes: number): number => {
  // A character takes at most 3 bytes: far from the end of a file nothing has to be measured.
  let most = 0
  for (let index = start; index < lines.length; index++) most += 3 * lengthOf(lines, index) + 1
  if (most <= bytes) return lines.length
  let end = start
  for (let used = 0; end < lines.length; end++) {
    used += encoder.encode(lines[end]).length + 1
    if (used > bytes) break
  }
  return end
}

const encoder = new TextEncoder()

/** Lines that wait: `begin` hands them out, `written` forgets them, `end` puts what was not written back in front. */
const makeBuffer = () => {
  let waiting: Array<string> = []
  let inHand: ReadonlyArray<string> = []
  let done = 0
  let chars = 0
  let lost = 0

  const dropOldest = () => {
    let count = 0
    for (let dropped = 0; dropped < bufferCharsMax / 4 && count < waiting.length; count++) {
      dropped += lengthOf(waiting, count)
      chars -= lengthOf(waiting, count)
    }
    waiting = waiting.slice(count)
    lost += count
  }
  return {
    push: (line: string): number => {
      waiting.push(line)
      chars += line.length
      if (chars > bufferCharsMax) dropOldest()
      return chars
    },
    begin: (): ReadonlyArray<string> => {
      inHand = waiting
      done = 0
      waiting = []
      chars = 0
      return inHand
    },
    written: (count: number): void => {
      done += count
    },
    end: (): void => {
      if (done < inHand.length) {
        waiting = [...inHand.slice(done), ...waiting]
        chars = waiting.reduce((sum, line) => sum + line.length, 0)
        while (chars > bufferCharsMax) dropOldest()
      }
      inHand = []
      done = 0
    },
    size: () => waiting.length,
    chars: () => chars,
    dropped: () => lost,
    forgetDropped: (count: number): void => {
      lost -= count
    }
  }
}

const lengthOf = (lines: ReadonlyArray<string>, index: number): number => lines[index]?.length ?? 0
