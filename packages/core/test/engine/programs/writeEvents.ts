/**
 * A process that drives a job as far as its events go. Arguments: root, events, bytes of a file. Says "ready" once it holds
 * the job, and writes when a line comes in; "done" when all is on disk. Then it ends, or, with "stay" as fourth argument,
 * waits to be killed.
 */
import * as EventLog from "@prodigy/core/storage/EventLog"
import { EventFileBytesMax } from "@prodigy/core/domain/Limits"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as Effect from "effect/Effect"
import { here, layerAt, numbered, record } from "../EventSamples.ts"

const [root = "", events = "0", bytes = "0", then = ""] = process.argv.slice(2)
const perFlush = 20

const say = (word: string) => Effect.sync(() => void process.stdout.write(`${word}\n`))
const told = Effect.async<void>((resume) => void process.stdin.once("data", () => resume(Effect.void)))

await Effect.gen(function* () {
  const { self } = yield* ProcessTable.ProcessTable
  const job = yield* record(here, 1, { status: "Running", owner: self })
  yield* (yield* ResumeLock).acquire({ ...job, force: false })
  yield* say("ready")
  yield* told
  const log = yield* (yield* EventLog.EventLog)
    .open({ ...job, correlationId: job.sessionId })
    .pipe(Effect.provideService(EventFileBytesMax, Number(bytes)))
  for (let count = 0; count < Number(events); count += perFlush) {
    yield* log.emit(Array.from({ length: perFlush }, (_, index) => numbered(count + index)))
    yield* log.flush
  }
  yield* say("done")
  if (then === "stay") yield* Effect.never
  yield* (yield* SessionStore).update(job.sessionId, (session) => ({ ...session, status: "Completed", owner: null }))
}).pipe(Effect.scoped, Effect.provide(layerAt(root)), Effect.runPromise)
process.stdin.destroy()
