/**
 * Short critical sections between processes: a lock file per section.
 *
 * Owns the lock files and the takeover of one whose process died. Does not own what is done inside, which has to be safe
 * against a crash by itself: a taken-over lock means that its holder stopped anywhere. For sections of milliseconds; the
 * lock of a job, held for hours, is `ResumeLock`.
 *
 * Why one holder: a lock file is created exclusively, so of all rivals one creates it. The file of a dead process is
 * replaced only by who holds the lock named after that file's token, and only while it still has that token. Tokens are
 * never used twice, so a slow rival that comes later finds another token and waits its turn. That inner lock is a lock
 * like any other: when its holder dies too, it is taken over in the same way.
 *
 * @since 0.1.0
 */
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import * as Schema from "effect/Schema"
import { IdGenerator } from "../domain/IdGenerator.ts"
import { Owner } from "../domain/Owner.ts"
import * as Timestamp from "../domain/Timestamp.ts"
import { AtomicFile, type DamagedFile, StorageError } from "./AtomicFile.ts"
import * as JsonDocument from "./JsonDocument.ts"
import { ProcessTable } from "./ProcessTable.ts"

/**
 * What a lock file says.
 *
 * @since 0.1.0
 * @category schemas
 */
export const Holder = Schema.Struct({
  owner: Owner,
  acquired_at: Timestamp.Timestamp,
  token: Schema.UUID.annotations({ description: "unique; names the lock under which a dead holder is replaced" })
})

/**
 * @since 0.1.0
 * @category models
 */
export interface Holder extends Schema.Schema.Type<typeof Holder> {}

/**
 * How lock files are read; for the health check.
 *
 * @since 0.1.0
 * @category schemas
 */
export const document: JsonDocument.JsonDocument<Holder> = JsonDocument.make(Holder, "a lock")

/**
 * How long a live holder is waited for. Sections take milliseconds: a holder of this age is stopped or on a host that
 * we cannot see.
 *
 * @since 0.1.0
 * @category models
 */
export const waitMillisMax = 10_000

/**
 * @since 0.1.0
 * @category services
 */
export class FileLock extends Context.Tag("@prodigy/core/storage/FileLock")<
  FileLock,
  {
    /**
     * Runs an effect while no other process and no other fiber is in the section of that lock file. Fails when a holder
     * that is alive, or on another host, does not leave within `waitMillisMax`.
     */
    readonly withLock: (
      path: string
    ) => <A, E, R>(section: Effect.Effect<A, E, R>) => Effect.Effect<A, E | StorageError | DamagedFile, R>
  }
>() {}

/**
 * The service, over those in its surroundings.
 *
 * @since 0.1.0
 * @category constructors
 */
export const make = Effect.gen(function* () {
  const file = yield* AtomicFile
  const ids = yield* IdGenerator
  const processes = yield* ProcessTable
  // Fibers of this process queue here, in order and without polling; only processes meet at the file.
  const here = yield* Effect.makeSemaphore(1)

  const tryAcquire: (path: string, mine: Holder) => Effect.Effect<true | Holder, StorageError | DamagedFile> =
    Effect.fnUntraced(function* (path, mine) {
      if (yield* file.createExclusively(path, yield* document.encode(mine))) return true
      const theirs = yield* document.load(file, path)
      if (theirs === null) return yield* tryAcquire(path, mine)
      if ((yield* processes.lookUp(theirs.owner)) !== "dead") return theirs
      return yield* takeOver(path, theirs, mine)
    })

  const takeOver = Effect.fnUntraced(function* (path: string, dead: Holder, mine: Holder) {
    const inner = `${path}.${dead.token}`
    const won = yield* tryAcquire(inner, mine)
    if (won !== true) return won
    return yield* Effect.gen(function* () {
      const now = yield* document.load(file, path)
      if (now === null || now.token !== dead.token) return now ?? dead
      yield* file.replace(path, yield* document.encode(mine))
      return true as const
    }).pipe(Effect.ensuring(release(inner, mine)))
  })

  const acquire = Effect.fnUntraced(function* (path: string) {
    const startMillis = yield* Clock.currentTimeMillis
    const mine = { owner: processes.self, acquired_at: Timestamp.fromMillis(startMillis), token: yield* ids.uuid }
    let delayMillis = 1
    while (true) {
      const result = yield* tryAcquire(path, mine)
      if (result === true) return mine
      if ((yield* Clock.currentTimeMillis) - startMillis > waitMillisMax) return yield* tooLong(path, result)
      // Interruptible here only: between creating the file and knowing of it, nobody would remove it.
      yield* Effect.interruptible(Effect.sleep(yield* Random.nextIntBetween(delayMillis, delayMillis * 2)))
      delayMillis = Math.min(delayMillis * 2, 50)
    }
  })

  const release = (path: string, mine: Holder) =>
    Effect.gen(function* () {
      const now = yield* document.load(file, path)
      if (now?.token === mine.token) yield* file.remove(path)
    }).pipe(
      // The section's outcome stands. A file left behind is ours: it is taken over once this process has ended.
      Effect.catchAll((error) => Effect.logWarning(`A lock was not released: ${error.message}`))
    )

  return FileLock.of({
    withLock: (path) => (section) =>
      here.withPermits(1)(
        Effect.acquireUseRelease(
          acquire(path),
          () => section,
          (mine) => release(path, mine)
        )
      )
  })
})

const tooLong = (path: string, holder: Holder) =>
  new StorageError({
    operation: "lock",
    path,
    reason: "io",
    detail: `process ${holder.owner.pid} on ${holder.owner.host} has held it since ${holder.acquired_at}`
  })

/**
 * @since 0.1.0
 * @category layers
 */
export const layer: Layer.Layer<FileLock, never, AtomicFile | IdGenerator | ProcessTable> = Layer.effect(FileLock, make)
