/** The model of git answers as git does, and leaves the same commits, refs and files, whatever is asked of it. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import * as Logger from "effect/Logger"
import * as LogLevel from "effect/LogLevel"
import { sequence } from "./workspaceOperations.ts"
import { makeGit, playOnModel } from "./workspaceSides.ts"

const sequences = 1000

/** `PRODIGY_SEED=seed` repeats a run, `PRODIGY_SEED=seed,path` its failure, by what fast-check prints. */
const [seed, path] = (process.env["PRODIGY_SEED"] ?? "").split(",")
const replay = { ...(seed ? { seed: Number(seed) } : {}), ...(path === undefined ? {} : { path }) }

describe("MemoryWorkspace", () => {
  it.live(`answers ${sequences} random sequences of operations as git does, and leaves the same`, () =>
    Effect.gen(function* () {
      const real = yield* FileSystem.FileSystem
      const folder = yield* Effect.flatMap(real.makeTempDirectoryScoped({ prefix: "prodigy-model-" }), real.realPath)
      const playOnGit = yield* makeGit(folder)
      yield* Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(sequence, (asked) =>
            Effect.runPromise(
              Effect.gen(function* () {
                const theirs = yield* playOnGit(asked)
                const ours = yield* playOnModel(folder, asked)
                for (const [index, outcome] of theirs.entries())
                  assert.deepStrictEqual(ours[index], outcome, asked.operations.map(({ name }) => name).join("; "))
              }).pipe(Effect.provide(Logger.minimumLogLevel(LogLevel.None)))
            )
          ),
          { numRuns: sequences, ...replay }
        )
      )
    }).pipe(Effect.scoped, Effect.provide(NodeFileSystem.layer))
  )
})
