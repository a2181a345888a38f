/**
 * A process that takes and leaves one job's lock: a word a line in ("acquire", "release", "nothing"), a line out for
 * each. `acquire TIME` waits for that time first. Its only argument is the storage's root.
 */
import { NodeContext } from "@effect/platform-node"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as NodeProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as ResumeLock from "@prodigy/core/storage/ResumeLock"
import { JobId } from "@prodigy/core/domain/JobId"
import { fromJob } from "@prodigy/core/domain/SessionId"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import { createInterface } from "node:readline"

const jobId = JobId.make("mapreduce-20260102_030405")

const layer = ResumeLock.layer.pipe(
  Layer.provide(FileLock.layer),
  Layer.provide(ProdigyHome.layer({ root: process.argv[2] ?? "" })),
  Layer.provide(AtomicFile.layer),
  Layer.provide(NodeProcessTable.layer),
  Layer.provide(IdGenerator.layer),
  Layer.provide(NodeContext.layer)
)

const say = (line: string) => Effect.sync(() => console.log(line))

const program = Effect.gen(function* () {
  const lock = yield* ResumeLock.ResumeLock
  let scope = yield* Scope.make()
  yield* say("ready")
  const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]()
  while (true) {
    const { done, value } = yield* Effect.promise(() => lines.next())
    if (done === true) return
    if (value.startsWith("acquire")) {
      const at = Number(value.split(" ")[1] ?? 0)
      while (Date.now() < at) yield* Effect.sleep(Math.max(0, at - Date.now() - 2))
      const result = yield* Effect.either(
        Scope.extend(lock.acquire({ jobId, sessionId: fromJob(jobId), force: false }), scope)
      )
      if (result._tag === "Right") yield* say("acquired")
      else yield* say(result.left._tag === "ResumeLockHeld" ? "held" : result.left.message)
    } else if (value === "release") {
      yield* Scope.close(scope, Exit.void)
      scope = yield* Scope.make()
      yield* say("released")
    } else {
      yield* say("nothing")
    }
  }
})

Effect.runPromise(Effect.provide(program, layer)).catch((error: unknown) => {
  console.error(error)
  process.exitCode = 1
})
