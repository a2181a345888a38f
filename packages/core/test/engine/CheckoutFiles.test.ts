import * as FileSystem from "@effect/platform/FileSystem"
import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, layer } from "@effect/vitest"
import * as CheckoutFiles from "@prodigy/core/engine/CheckoutFiles"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

const live = Layer.provideMerge(CheckoutFiles.layer, NodeContext.layer)

layer(live)("CheckoutFiles", (it) => {
  it.scoped("writes inside the worktree, with mode and directories", () =>
    Effect.gen(function* () {
      const { files, fs, root } = yield* checkout
      yield* files.write({ root, path: "a/b/c.sh", content: "echo", mode: 0o755, createDirs: true })
      assert.strictEqual(yield* fs.readFileString(`${root}/a/b/c.sh`), "echo")
      assert.strictEqual((yield* fs.stat(`${root}/a/b/c.sh`)).mode & 0o777, 0o755)
    })
  )

  it.scoped("writes nothing outside, by dots, absolute paths, symlinks, dangling symlinks or into .git", () =>
    Effect.gen(function* () {
      const { files, fs, outside, root } = yield* checkout
      yield* fs.makeDirectory(`${root}/.git`)
      yield* fs.symlink(outside, `${root}/link`)
      yield* fs.symlink(`${outside}/new.txt`, `${root}/dangling`)
      yield* fs.writeFileString(`${outside}/there.txt`, "untouched")
      yield* fs.symlink(`${outside}/there.txt`, `${root}/file`)
      const paths = [
        "../x",
        "a/../../x",
        `${outside}/x`,
        "link/x",
        "dangling",
        "file",
        ".git/hooks/post-commit",
        "a\0b",
        "..",
        "/"
      ]
      for (const path of paths) {
        const error = yield* Effect.flip(files.write({ root, path, content: "no", mode: 0o644, createDirs: true }))
        assert.strictEqual(error.reason, "outside", path)
      }
      assert.deepStrictEqual(yield* fs.readDirectory(outside), ["there.txt"])
      assert.strictEqual(yield* fs.readFileString(`${outside}/there.txt`), "untouched")
    })
  )

  it.scoped("says what is missing instead of making directories that were not asked for", () =>
    Effect.gen(function* () {
      const { files, root } = yield* checkout
      const error = yield* Effect.flip(
        files.write({ root, path: "no/such/file", content: "", mode: 0o644, createDirs: false })
      )
      assert.strictEqual(error.reason, "no_directory")
      assert.include(error.message, "create_dirs")
      const directory = yield* Effect.flip(files.directory({ root, path: "nowhere" }))
      assert.strictEqual(directory.reason, "not_a_directory")
    })
  )

  it.scoped("writes what a spool took, and nothing when some of it is missing", () =>
    Effect.gen(function* () {
      const { files, fs, outside, root } = yield* checkout
      const to = { root, path: "out", mode: 0o644, createDirs: true }
      const path = `${outside}/new/spool`
      yield* Effect.scoped(
        Effect.gen(function* () {
          const spool = yield* files.spool(path)
          yield* spool.add(Uint8Array.of(0xff, 0))
          yield* spool.add(Uint8Array.of(0x61))
          yield* files.write({ ...to, content: spool })
        })
      )
      assert.deepStrictEqual([...(yield* fs.readFile(`${root}/out`))], [0xff, 0, 0x61])
      assert.strictEqual((yield* fs.stat(`${root}/out`)).mode & 0o777, 0o644)
      assert.isFalse(yield* fs.exists(path))

      yield* fs.symlink("/dev/full", `${outside}/full`)
      const full = yield* files.spool(`${outside}/full`)
      yield* full.add(Uint8Array.of(0x62))
      const error = yield* Effect.flip(files.write({ ...to, content: full }))
      assert.strictEqual(error.reason, "exhausted")
      assert.deepStrictEqual([...(yield* fs.readFile(`${root}/out`))], [0xff, 0, 0x61])
    })
  )

  it.scoped("checks and lays out JSON and YAML", () =>
    Effect.gen(function* () {
      const { files } = yield* checkout
      assert.strictEqual(yield* files.format('{"a":1}', "json"), '{\n  "a": 1\n}\n')
      assert.strictEqual(yield* files.format("{a: [1, 2]}", "yaml"), "{ a: [ 1, 2 ] }\n")
      assert.strictEqual((yield* Effect.flip(files.format("{", "json"))).reason, "format")
      assert.strictEqual((yield* Effect.flip(files.format("a: [", "yaml"))).reason, "format")
    })
  )
})

const checkout = Effect.gen(function* () {
  const fs = yield* FileSystem.FileSystem
  const files = yield* CheckoutFiles.CheckoutFiles
  const root = yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-checkout-" })
  const outside = yield* fs.makeTempDirectoryScoped({ prefix: "prodigy-outside-" })
  return { fs, files, root, outside }
})
