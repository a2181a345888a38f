import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import { suite } from "@prodigy/testing/suite/ProdigyHomeSuite"
import { assert, describe, it } from "@effect/vitest"
import * as ConfigProvider from "effect/ConfigProvider"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

/** Everything exists except below `/gone`: the suite's repositories are only names. */
const worldly = Layer.effect(
  FileSystem.FileSystem,
  Effect.map(FileSystem.FileSystem, (fs) => ({
    ...fs,
    exists: (path: string) => Effect.succeed(!path.startsWith("/gone/"))
  }))
)

const layerDisk = Layer.unwrapScoped(
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const parent = yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-test-" })
    return Layer.provide(ProdigyHome.layer({ root: `${parent}/home` }), worldly)
  })
).pipe(Layer.provideMerge(AtomicFile.layer), Layer.provide(NodeContext.layer))

suite(
  "memory",
  Layer.provideMerge(ProdigyHome.layerMemoryWith({ gone: (path) => path.startsWith("/gone/") }), AtomicFile.layerMemory)
)
suite("disk", layerDisk)

describe("ProdigyHome.layerConfig", () => {
  const rootWith = (
    environment: ReadonlyArray<readonly [string, string]>,
    homeDirectory: string | null = "/home/dana"
  ) =>
    Effect.map(ProdigyHome.ProdigyHome, ({ root }) => root).pipe(
      Effect.provide(ProdigyHome.layerConfig({ homeDirectory: () => homeDirectory })),
      Effect.provide(AtomicFile.layerMemory),
      Effect.provide(NodeContext.layer),
      Effect.withConfigProvider(ConfigProvider.fromMap(new Map(environment)))
    )

  it.effect("is below the home directory when PRODIGY_HOME is not set, or empty", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* rootWith([]), "/home/dana/.prodigy")
      assert.strictEqual(yield* rootWith([["PRODIGY_HOME", ""]]), "/home/dana/.prodigy")
    })
  )

  it.effect("is below HOME before what the system says", () =>
    Effect.map(rootWith([["HOME", "/home/robin"]]), (root) => assert.strictEqual(root, "/home/robin/.prodigy"))
  )

  it.effect("is nowhere without an absolute home directory, unless PRODIGY_HOME says where", () =>
    Effect.gen(function* () {
      const unknown = (environment: ReadonlyArray<readonly [string, string]>) =>
        Effect.map(Effect.flip(rootWith(environment, null)), (error) => error.message)
      assert.strictEqual(yield* unknown([]), "No home directory is known: the user has none.")
      for (const directory of ["", "dana"]) {
        assert.include(yield* unknown([["HOME", directory]]), `HOME is "${directory}", which is no absolute path.`)
      }
      assert.strictEqual(yield* rootWith([["PRODIGY_HOME", "/mnt/big"]], null), "/mnt/big")
    })
  )

  it.effect("is where PRODIGY_HOME says, made absolute", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* rootWith([["PRODIGY_HOME", "/mnt/fast/../big/"]]), "/mnt/big")
      const relative = yield* rootWith([["PRODIGY_HOME", "storage"]])
      assert.match(relative, /^\/.+\/storage$/)
    })
  )

  it.effect("makes nothing by looking", () =>
    Effect.gen(function* () {
      const fs = yield* FileSystem.FileSystem
      const parent = yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-test-" })
      const layer = Layer.provide(ProdigyHome.layer({ root: `${parent}/home` }), AtomicFile.layer)
      yield* Effect.gen(function* () {
        const home = yield* ProdigyHome.ProdigyHome
        yield* home.findRepoName({ path: "/a/b", rootCommit: "1" })
        yield* home.repoNames
      }).pipe(Effect.provide(layer))
      assert.deepStrictEqual(yield* fs.readDirectory(parent), [])
    }).pipe(Effect.scoped, Effect.provide(NodeContext.layer))
  )
})
