/** The promise of `AtomicFile`, kept at every crash point; and seen to break when the file system below it is made worse. */
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { assert, describe, it } from "@effect/vitest"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as FaultyFileSystem from "@prodigy/testing/FaultyFileSystem"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Stream from "effect/Stream"

type Files = AtomicFile.AtomicFile["Type"]

/** One acknowledged operation and what it makes of the files (path to lines); several when a crash may leave it half done. */
interface Step {
  readonly does: (files: Files) => Effect.Effect<unknown, AtomicFile.StorageError>
  readonly leaves: (before: Tree) => ReadonlyArray<Tree>
}
type Tree = Readonly<Record<string, string>>

const root = "/home/store"
const replace = (name: string, content: string): Step => ({
  does: (files) => files.replace(`${root}/${name}`, content),
  leaves: (before) => [{ ...before, [name]: content }]
})
const replaceLines = (name: string, lines: ReadonlyArray<string>): Step => ({
  does: (files) => files.replaceLines(`${root}/${name}`, Stream.fromIterable(lines)),
  leaves: (before) => [{ ...before, [name]: `${lines.join("\n")}\n` }]
})
const create = (name: string, content: string): Step => ({
  does: (files) => files.createExclusively(`${root}/${name}`, content),
  leaves: (before) => [{ [name]: content, ...before }]
})
const remove = (name: string): Step => ({
  does: (files) => files.remove(`${root}/${name}`),
  leaves: (before) => [Object.fromEntries(Object.entries(before).filter(([path]) => path !== name))]
})
const setAside = (name: string): Step => ({
  does: (files) => files.setAside(`${root}/${name}`),
  leaves: ({ [name]: content = "", ...rest }) => [
    { ...rest, [name]: content, [`${name}.damaged`]: content },
    { ...rest, [`${name}.damaged`]: content }
  ]
})
const append = (name: string, lines: ReadonlyArray<string>): Step => ({
  does: (files) => Effect.scoped(Effect.flatMap(files.appender(`${root}/${name}`), (file) => file.append(lines))),
  leaves: (before) =>
    ["", ...lines].map((_, count) => ({
      ...before,
      [name]: `${before[name] ?? ""}${lines
        .slice(0, count)
        .map((line) => `${line}\n`)
        .join("")}`
    }))
})

const steps: ReadonlyArray<Step> = [
  replace("a", "one"),
  append("journal", ["first", "second, a little longer"]),
  replace("deep/er/b", "two, and longer"),
  create("lock", "mine"),
  append("journal", ["third"]),
  replace("a", "three"),
  replaceLines("items", ["x", "yy", "zzz"]),
  remove("lock"),
  create("lock", "yours"),
  setAside("a"),
  append("journal", ["fourth", "fifth"])
]

const stored = Layer.provideMerge(AtomicFile.layer, Path.layer)

const scenario = (mutate: Layer.Layer<FileSystem.FileSystem, never, FileSystem.FileSystem>) => {
  const layer = Layer.provide(stored, mutate)
  return {
    witness: () => ({ acknowledged: 0 }),
    run: (witness: { acknowledged: number }) =>
      Effect.gen(function* () {
        const files = yield* AtomicFile.AtomicFile
        for (const step of steps) {
          yield* step.does(files)
          witness.acknowledged += 1
        }
      }).pipe(Effect.provide(layer)),
    // Whoever comes after the crash goes on writing.
    recover: () => Effect.flatMap(AtomicFile.AtomicFile, append("journal", [again]).does).pipe(Effect.provide(layer)),
    check: ({ acknowledged }: { readonly acknowledged: number }) =>
      Effect.gen(function* () {
        const found = yield* tree
        const before = steps.slice(0, acknowledged).reduce((at: Tree, step) => step.leaves(at).at(-1)!, {})
        const allowed = [before, ...(steps[acknowledged]?.leaves(before) ?? [])]
        const key = (files: Tree) => JSON.stringify(Object.entries(files).toSorted(([a], [b]) => (a < b ? -1 : 1)))
        assert.include(allowed.map(key), key(found), `after ${acknowledged} acknowledged steps`)
      }).pipe(Effect.provide(layer))
  }
}

const again = "the next one"

/** What a reader finds: no temporary files, and of a journal its whole lines, but for those of recoveries. */
const tree = Effect.gen(function* () {
  const files = yield* AtomicFile.AtomicFile
  const found: Record<string, string> = {}
  for (const [directory, prefix] of [
    [root, ""],
    [`${root}/deep/er`, "deep/er/"]
  ] as const)
    for (const name of yield* files.list(directory)) {
      if (name === "deep") continue
      const { lines } = yield* files.readLines(`${directory}/${name}`)
      const text = yield* files.read(`${directory}/${name}`)
      const before = lines.filter((line) => line !== again)
      const whole = name === "journal" ? before.map((line) => `${line}\n`).join("") : text
      if (name !== "journal" || before.length > 0) found[`${prefix}${name}`] = whole ?? ""
    }
  return found
})

const untouched = FaultyFileSystem.layer(() => null)

describe("AtomicFile on a simulated disk", () => {
  it.effect("keeps its promise at every crash point", () =>
    Effect.gen(function* () {
      const { calls, points, violations } = yield* CrashExplorer.explore(scenario(untouched), {
        ...CrashExplorer.exhaustive,
        alsoRecovery: 100
      })
      assert.deepStrictEqual(violations, [])
      yield* Effect.log(`${points} crashes at ${calls} calls.`)
      assert.isAbove(calls, 60)
      assert.isAbove(points, 240)
    })
  )

  const isFile = ({ flag, method }: FaultyFileSystem.Call) => method === "sync" && flag !== "r"
  const mutations: ReadonlyArray<readonly [string, Layer.Layer<FileSystem.FileSystem, never, FileSystem.FileSystem>]> =
    [
      ["files are not synced", FaultyFileSystem.layer(FaultyFileSystem.always(isFile, FaultyFileSystem.ignored))],
      [
        "new files are not synced before they are put into place",
        FaultyFileSystem.layer(
          FaultyFileSystem.always(({ flag, method }) => method === "sync" && flag === "wx", FaultyFileSystem.ignored)
        )
      ],
      [
        "journals are not synced",
        FaultyFileSystem.layer(
          FaultyFileSystem.always(({ flag, method }) => method === "sync" && flag === "a+", FaultyFileSystem.ignored)
        )
      ],
      [
        "directories are not synced",
        FaultyFileSystem.layer(
          FaultyFileSystem.always(({ flag, method }) => method === "sync" && flag === "r", FaultyFileSystem.ignored)
        )
      ],
      [
        "a rename is a copy",
        Layer.effect(
          FileSystem.FileSystem,
          Effect.map(FileSystem.FileSystem, (fs) => ({
            ...fs,
            rename: (from: string, to: string) =>
              Effect.flatMap(fs.readFile(from), (content) =>
                Effect.zipRight(fs.writeFile(to, content), fs.remove(from))
              )
          }))
        )
      ],
      [
        "a torn line is not cut off",
        FaultyFileSystem.layer(FaultyFileSystem.always(({ method }) => method === "truncate", FaultyFileSystem.ignored))
      ]
    ]

  for (const [name, mutation] of mutations)
    it.effect(`is seen to break its promise when ${name}`, () =>
      Effect.gen(function* () {
        const { violations } = yield* CrashExplorer.explore(scenario(mutation), {
          ...CrashExplorer.exhaustive,
          chances: 4,
          violationsMax: 1
        })
        assert.isAbove(violations.length, 0)
      })
    )
})
