import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import * as DeadLetter from "@prodigy/core/domain/DeadLetter"
import * as Event from "@prodigy/core/domain/Event"
import * as Session from "@prodigy/core/domain/Session"
import * as FileLock from "@prodigy/core/storage/FileLock"
import * as DeadLetterIndex from "@prodigy/core/storage/DeadLetterIndex"
import * as JsonDocument from "@prodigy/core/storage/JsonDocument"
import * as SessionJobIndex from "@prodigy/core/storage/SessionJobIndex"
import * as StoredJson from "@prodigy/core/storage/StoredJson"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Schema from "effect/Schema"

const fixture = (name: string) =>
  Effect.flatMap(FileSystem.FileSystem, (fs) =>
    fs.readFileString(new URL(`../fixtures/v1/${name}`, import.meta.url).pathname)
  )

/** Files of format version 1 as they are on users' disks. They are never edited: what reads them has to go on reading. */
describe("golden files of version 1", () => {
  const documents: ReadonlyArray<readonly [string, JsonDocument.JsonDocument<unknown>]> = [
    ["session-mapreduce.json", JsonDocument.make(Session.Session, "a session") as JsonDocument.JsonDocument<unknown>],
    ["session-workflow.json", JsonDocument.make(Session.Session, "a session") as JsonDocument.JsonDocument<unknown>],
    ["dead-letter.json", JsonDocument.make(DeadLetter.DeadLetter, "a letter") as JsonDocument.JsonDocument<unknown>],
    ["mapping.json", JsonDocument.make(SessionJobIndex.Mapping, "a mapping") as JsonDocument.JsonDocument<unknown>],
    ["lock.json", FileLock.document as JsonDocument.JsonDocument<unknown>]
  ]
  for (const [name, document] of documents) {
    it.effect(`${name} is read, and written again as it is`, () =>
      Effect.gen(function* () {
        const text = yield* fixture(name)
        assert.strictEqual(yield* document.encode(yield* document.decode(text, name)), text)
      }).pipe(Effect.provide(NodeContext.layer))
    )
  }

  it.effect("dead-letter-index.jsonl is read, and written again as it is", () =>
    Effect.gen(function* () {
      const line = StoredJson.sealed(DeadLetterIndex.Line, "a line")
      for (const text of (yield* fixture("dead-letter-index.jsonl")).trimEnd().split("\n")) {
        assert.strictEqual(yield* line.encode(yield* line.decode(text, { path: "", line: 1 })), text)
      }
    }).pipe(Effect.provide(NodeContext.layer))
  )

  it.effect(
    "events.jsonl has every known kind and an unknown one, all of them read and written again as they are",
    () =>
      Effect.gen(function* () {
        const lines = (yield* fixture("events.jsonl")).trimEnd().split("\n")
        const decode = Schema.decode(Schema.parseJson(Event.EventRecord))
        const seen = new Set<string>()
        for (const line of lines) {
          const record = yield* decode(line)
          seen.add(record.event.event_type)
          assert.strictEqual(JSON.stringify(yield* Schema.encode(Event.EventRecord)(record)), line)
        }
        assert.sameMembers([...seen], [...Event.knownTypes, "teleported"])
      }).pipe(Effect.provide(NodeContext.layer))
  )
})
