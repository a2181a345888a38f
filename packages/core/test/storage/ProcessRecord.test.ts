import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import * as ProcessRecord from "@prodigy/core/storage/ProcessRecord"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as NodeProcessTable from "@prodigy/core/storage/ProcessTable/Node"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import * as Samples from "@prodigy/testing/Samples"
import { suite } from "@prodigy/testing/suite/ProcessRecordSuite"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import type * as Schema from "effect/Schema"
import * as TemporaryHome from "./TemporaryHome.ts"

const layer = ProcessRecord.layer.pipe(Layer.provide(IdGenerator.layer))

suite("memory", Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerMemory, ProcessTable.layerMemory)))
suite("disk", Layer.provideMerge(layer, Layer.merge(TemporaryHome.layerDisk, NodeProcessTable.layer)))

const golden = Effect.flatMap(FileSystem.FileSystem, (fs) =>
  fs.readFileString(new URL("../fixtures/v1/processes.jsonl", import.meta.url).pathname)
)

/** This process started after a boot, in a world with Linux's boot ids. */
const bootedAs = (boot: string) =>
  Layer.provideMerge(
    layer,
    Layer.merge(
      TemporaryHome.layerMemory,
      // What a table says of an owner of another boot of the same host.
      ProcessTable.layerTest({ self: { pid: 1, host: "build-7", started_at: `${boot}/4026531836/1` } })
    )
  )

describe("ProcessRecord", () => {
  it.effect("processes.jsonl of version 1 is read, and written again as it is", () =>
    Effect.gen(function* () {
      const [first = "", ...rest] = (yield* golden).trimEnd().split("\n")
      const again = <A, I extends object>(schema: Schema.Schema<A, I>, line: string) => {
        const codec = StoredJson.sealed(schema, "a line")
        return Effect.map(
          Effect.flatMap(codec.decode(line, { path: "processes.jsonl", line: 0 }), codec.encode),
          (encoded) => assert.strictEqual(encoded, line)
        )
      }
      yield* again(ProcessRecord.Run, first)
      yield* Effect.forEach(rest, (line) => again(ProcessRecord.Started, line))
    }).pipe(Effect.provide(NodeContext.layer))
  )

  for (const [boot, expected] of [
    ["f3b1c7d2-0000-4000-8000-000000000001", "DamagedFile"],
    ["00000000-0000-4000-8000-000000000002", "nothing"]
  ] as const) {
    it.effect(`finds ${expected} in lines that a power cut spoiled, when the boot is ${boot}`, () =>
      Effect.gen(function* () {
        const sessionId = SessionId.fromJob(Samples.jobId())
        const path = (yield* ProdigyHome).repo(Samples.repo).processes(sessionId)
        const [first] = (yield* Effect.provide(golden, NodeContext.layer)).split("\n")
        yield* (yield* AtomicFile).replace(path, `${first}\n\u0000\u0000\n`)
        const found = yield* Effect.either((yield* ProcessRecord.ProcessRecord).find(Samples.repo, sessionId))
        if (found._tag === "Left") assert.strictEqual(found.left._tag, expected)
        else assert.deepStrictEqual([found.right?.processes, expected], [[], "nothing"])
      }).pipe(Effect.provide(bootedAs(boot)))
    )
  }
})
