/**
 * A process that updates one session many times. Arguments: root, session id, name of its counter, updates.
 */
import { NodeContext } from "@effect/platform-node"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import { SessionId } from "@prodigy/core/domain/SessionId"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as SessionStore from "@prodigy/core/storage/SessionStore"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const [root = "", id = "", counter = "", updates = "0"] = process.argv.slice(2)

const layer = SessionStore.layer.pipe(
  Layer.provide(ProdigyHome.layer({ root })),
  Layer.provide(Layer.mergeAll(AtomicFile.layer, IdGenerator.layer, ProcessTable.layer)),
  Layer.provide(NodeContext.layer)
)

await Effect.gen(function* () {
  const store = yield* SessionStore.SessionStore
  const update = store.update(SessionId.make(id), (session) => ({
    ...session,
    timings: {
      ...session.timings,
      [counter]: (session.timings[counter] ?? 0) + 1,
      all: (session.timings["all"] ?? 0) + 1
    }
  }))
  yield* Effect.repeatN(
    Effect.zipRight(
      update,
      Effect.sync(() => process.stdout.write("."))
    ),
    Number(updates) - 1
  )
}).pipe(Effect.provide(layer), Effect.runPromise)
