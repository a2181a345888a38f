import { assert, describe, it } from "@effect/vitest"
import { DiskSync } from "@prodigy/core/storage/DiskSync"
import * as DiskSyncNode from "@prodigy/core/storage/DiskSync/Node"
import * as Effect from "effect/Effect"
import * as Logger from "effect/Logger"
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"

const here = (use: (place: string) => Effect.Effect<void, unknown>) =>
  Effect.acquireUseRelease(
    Effect.sync(() => mkdtempSync(join(tmpdir(), "prodigy-sync-"))),
    use,
    (place) => Effect.sync(() => rmSync(place, { recursive: true }))
  )

/** A program in the place of `sync` that writes its arguments down, a call a line. */
const program = (place: string, script: string) => {
  const path = join(place, "sync")
  writeFileSync(path, `#!/bin/sh\necho "$*" >> '${place}/calls'\n${script}\n`)
  chmodSync(path, 0o755)
  return path
}

const calls = (place: string) => readFileSync(join(place, "calls"), "utf8").trimEnd().split("\n")

const flush = (...paths: ReadonlyArray<string>) => Effect.flatMap(DiskSync, (disk) => disk.flush(paths))

describe("DiskSync", () => {
  it.live("syncs the file systems of real paths, and names one that is not there", () =>
    here((place) =>
      Effect.gen(function* () {
        yield* flush(place, process.cwd())
        const error = yield* Effect.flip(flush(place, join(place, "nowhere")))
        assert.strictEqual(error.reason, "io")
        assert.include(error.message, "nowhere")
      }).pipe(Effect.provide(DiskSyncNode.layer))
    )
  )

  it.live("asks for no more than the file systems of the paths", () =>
    here((place) =>
      Effect.gen(function* () {
        yield* Effect.provide(flush("/a b", "/c"), DiskSyncNode.layerOf(program(place, "")))
        assert.deepStrictEqual(calls(place), ["-f /a b /c"])
      })
    )
  )

  it.live("asks for all of them, from then on, where the program knows no such option", () =>
    here((place) =>
      Effect.gen(function* () {
        const refuses = program(place, '[ $# = 0 ] || { echo "sync: illegal option -- f" >&2; exit 1; }')
        yield* Effect.provide(Effect.zipRight(flush("/a"), flush("/b")), DiskSyncNode.layerOf(refuses))
        assert.strictEqual(readFileSync(join(place, "calls"), "utf8"), "-f /a\n\n\n")
      })
    )
  )

  for (const [says, reason] of [
    ["sync: error syncing '/a': Input/output error", "io"],
    ["sync: error syncing '/a': No space left on device", "no_space"]
  ] as const) {
    it.live(`fails with what the disk says: ${says}`, () =>
      here((place) =>
        Effect.gen(function* () {
          const fails = program(place, `echo "${says}" >&2; exit 1`)
          const error = yield* Effect.flip(Effect.provide(flush("/a"), DiskSyncNode.layerOf(fails)))
          assert.deepStrictEqual([error._tag, error.reason, error.detail], ["StorageError", reason, says])
          assert.deepStrictEqual(calls(place), ["-f /a"])
        })
      )
    )
  }

  it.live("says once that there is no such program, and goes on", () =>
    Effect.gen(function* () {
      const said: Array<string> = []
      const logger = Logger.replace(
        Logger.defaultLogger,
        Logger.make(({ message }) => said.push(String(message)))
      )
      yield* Effect.zipRight(flush("/a"), flush("/b")).pipe(
        Effect.provide([DiskSyncNode.layerOf("/nowhere/sync"), logger])
      )
      assert.strictEqual(said.length, 1)
      assert.include(said[0], "There is no program /nowhere/sync")
    })
  )
})
