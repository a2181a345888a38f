/** The simulated file system answers as the real one does, whatever it is asked; and forgets what was not synced. */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import type { PlatformError } from "@effect/platform/Error"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Exit from "effect/Exit"
import * as FastCheck from "effect/FastCheck"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Predicate from "effect/Predicate"
import * as Scope from "effect/Scope"
import * as Stream from "effect/Stream"
import type { YieldWrap } from "effect/Utils"
import * as SimulatedDisk from "@prodigy/testing/SimulatedDisk"
import * as SimulatedFileSystem from "@prodigy/testing/SimulatedFileSystem"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"

const simulated = Layer.provideMerge(SimulatedFileSystem.layer, SimulatedMachine.layer)
const sequences = 1000

describe("SimulatedFileSystem", () => {
  it.effect(`answers ${sequences} random sequences of calls as the real file system does`, () =>
    Effect.gen(function* () {
      const real = yield* Effect.provide(FileSystem.FileSystem, NodeFileSystem.layer)
      const folder = yield* real.makeTempDirectoryScoped({ prefix: "prodigy-differential-" })
      let round = 0
      yield* Effect.promise(() =>
        FastCheck.assert(
          FastCheck.asyncProperty(FastCheck.array(operation, { maxLength: 20 }), (operations) =>
            Effect.runPromise(
              Effect.gen(function* () {
                round += 1
                const root = `${folder}/${round}`
                const model = yield* FileSystem.FileSystem
                yield* model.makeDirectory(root, { recursive: true })
                yield* real.makeDirectory(root)
                const theirs = yield* play(real, root, operations)
                const ours = yield* play(model, root, operations)
                for (const [index, outcome] of theirs.entries())
                  assert.deepStrictEqual(ours[index], outcome, show([ours[index], outcome]))
                yield* real.remove(root, { recursive: true })
              }).pipe(Effect.provide(simulated))
            )
          ),
          { numRuns: sequences }
        )
      )
    }).pipe(Effect.scoped)
  )

  it.effect("keeps what was synced over a power cut, and nothing else when nothing else is kept", () =>
    onMachine(function* (machine) {
      yield* onFiles(machine, (fs) =>
        Effect.gen(function* () {
          yield* fs.makeDirectory("/d")
          for (const name of ["both", "content", "name", "neither"]) {
            const synced = name === "both" || name === "content"
            const file = yield* fs.open(`/d/${name}`, { flag: "w" })
            yield* file.writeAll(encoder.encode(name))
            if (synced) yield* file.sync
          }
          yield* syncDirectory(fs, "/")
          yield* fs.rename("/d/name", "/d/named")
          yield* fs.rename("/d/neither", "/d/left")
          yield* syncDirectory(fs, "/d")
          yield* fs.rename("/d/content", "/d/renamed")
          yield* fs.writeFileString("/d/after", "after")
        })
      )
      assert.isAbove(machine.disk.unsynced(), 0)
      yield* machine.restart(SimulatedDisk.loseUnsynced)
      assert.deepStrictEqual(machine.disk.tree(), [
        ["/d", null],
        ["/d/both", "both"],
        ["/d/content", "content"],
        ["/d/left", ""],
        ["/d/named", ""]
      ])
    })
  )

  it.effect("tears the last write at the byte that is asked for, or leaves zeros in its place", () =>
    onMachine(function* (machine) {
      const write = (text: string) =>
        onFiles(machine, (fs) =>
          Effect.gen(function* () {
            const file = yield* fs.open("/log", { flag: "a" })
            yield* file.sync
            yield* syncDirectory(fs, "/")
            yield* file.writeAll(encoder.encode(text))
          })
        )
      yield* write("abcdef")
      yield* machine.restart({ keep: () => false, torn: () => 2, zeros: () => false })
      assert.deepStrictEqual(machine.disk.tree(), [["/log", "ab"]])
      yield* write("cdef")
      yield* machine.restart({ keep: () => false, torn: () => 1, zeros: () => true })
      assert.deepStrictEqual(machine.disk.tree(), [["/log", "abc\u0000\u0000\u0000"]])
    })
  )

  it.effect("crashes in the middle of a write, and nothing of the program is seen after that", () =>
    onMachine(function* (machine) {
      yield* machine.crashAt({ at: 2, bytes: 3 })
      const exit = yield* Effect.exit(
        onFiles(machine, (fs) =>
          Effect.ensuring(fs.writeFileString("/file", "abcdef"), Effect.ignore(fs.writeFileString("/late", "late")))
        )
      )
      assert.isTrue(Exit.isFailure(exit))
      yield* machine.crashed
      yield* machine.restart(SimulatedDisk.keepUnsynced)
      assert.deepStrictEqual(machine.disk.tree(), [["/file", "abc"]])
    })
  )

  it.effect("runs full at its capacity, and has room again when something is removed", () =>
    onMachine(function* (machine) {
      machine.disk.setCapacity(10)
      yield* onFiles(machine, (fs) =>
        Effect.gen(function* () {
          yield* fs.writeFileString("/a", "12345678")
          const error = yield* Effect.flip(fs.writeFileString("/b", "12345"))
          assert.deepInclude(facts(error), { reason: "Unknown", code: "ENOSPC" })
          assert.strictEqual(yield* fs.readFileString("/b"), "12")
          yield* fs.remove("/a")
          yield* fs.writeFileString("/b", "1234567890")
        })
      )
      assert.strictEqual(machine.disk.used(), 10)
    })
  )

  it.effect("tells of the names that change in a directory which is watched", () =>
    onMachine(function* (machine) {
      const seen = yield* onFiles(machine, (fs) =>
        Effect.gen(function* () {
          yield* fs.makeDirectory("/d")
          const watching = yield* Effect.fork(Stream.runCollect(Stream.take(fs.watch("/d"), 3)))
          while (machine.disk.watchers() === 0) yield* Effect.yieldNow()
          yield* fs.writeFileString("/elsewhere", "")
          yield* fs.writeFileString("/d/file", "x")
          yield* fs.remove("/d/file")
          return yield* Fiber.join(watching)
        })
      )
      assert.deepStrictEqual(
        [...seen].map(({ _tag, path }) => [_tag, path]),
        [
          ["Create", "file"],
          ["Update", "file"],
          ["Remove", "file"]
        ]
      )
    })
  )
})

const encoder = new TextEncoder()

const onMachine = (
  body: (machine: SimulatedMachine.Machine) => Generator<YieldWrap<Effect.Effect<unknown, unknown>>>
) => Effect.flatMap(SimulatedMachine.make, (machine) => Effect.gen(() => body(machine)))

/** A program on the machine, from its start to its end. */
const onFiles = <A, E>(
  machine: SimulatedMachine.Machine,
  program: (fs: FileSystem.FileSystem) => Effect.Effect<A, E, Scope.Scope>
) =>
  Effect.flatMap(FileSystem.FileSystem, program).pipe(
    Effect.scoped,
    Effect.provide(SimulatedFileSystem.layer),
    Effect.provideService(SimulatedMachine.SimulatedMachine, machine)
  )

const syncDirectory = (fs: FileSystem.FileSystem, path: string) =>
  Effect.scoped(Effect.flatMap(fs.open(path, { flag: "r" }), (directory) => directory.sync))

// -----------------------------------------------------------------------------
// operations
// -----------------------------------------------------------------------------

interface Context {
  readonly fs: FileSystem.FileSystem
  readonly at: (path: string) => string
  readonly files: Map<number, { readonly file: FileSystem.File; readonly scope: Scope.CloseableScope }>
}

interface Operation {
  readonly name: string
  readonly run: (context: Context) => Effect.Effect<unknown, PlatformError>
}

/** Few names, so that calls meet: files under files, links to links, names that are too long. */
const name = FastCheck.constantFrom("a", "b", "c")
const plainPath = FastCheck.array(name, { minLength: 1, maxLength: 3 }).map((names) => names.join("/"))
const path = FastCheck.oneof(
  { weight: 6, arbitrary: plainPath },
  { weight: 1, arbitrary: FastCheck.constantFrom("a/..", "a/../b", "./a", "a/b/../../c", "x".repeat(256)) }
)
const slot = FastCheck.nat(1)
const bytes = FastCheck.uint8Array({ maxLength: 12 })
const flag = FastCheck.constantFrom(
  ...(["r", "r+", "w", "wx", "w+", "wx+", "a", "ax", "a+", "ax+"] as const satisfies ReadonlyArray<FileSystem.OpenFlag>)
)

const operation: FastCheck.Arbitrary<Operation> = FastCheck.oneof(
  FastCheck.record({ path, recursive: FastCheck.boolean() }).map(({ path, recursive }) => ({
    name: `makeDirectory ${path} ${recursive}`,
    run: ({ at, fs }: Context) => Effect.asVoid(fs.makeDirectory(at(path), { recursive }))
  })),
  FastCheck.record({ path, bytes, flag }).map(({ bytes, flag, path }) => ({
    name: `writeFile ${path} ${flag} ${bytes.length}`,
    run: ({ at, fs }: Context) => fs.writeFile(at(path), bytes, { flag })
  })),
  path.map((path) => ({
    name: `readFile ${path}`,
    run: ({ at, fs }: Context) => Effect.map(fs.readFile(at(path)), (content) => [...content])
  })),
  FastCheck.record({ path, recursive: FastCheck.boolean() }).map(({ path, recursive }) => ({
    name: `readDirectory ${path} ${recursive}`,
    run: ({ at, fs }: Context) => Effect.map(fs.readDirectory(at(path), { recursive }), (names) => names.toSorted())
  })),
  path.map((path) => ({
    name: `stat ${path}`,
    run: ({ at, fs }: Context) => Effect.map(fs.stat(at(path)), plain)
  })),
  path.map((path) => ({ name: `exists ${path}`, run: ({ at, fs }: Context) => fs.exists(at(path)) })),
  FastCheck.record({ from: path, to: path }).map(({ from, to }) => ({
    name: `rename ${from} ${to}`,
    run: ({ at, fs }: Context) => fs.rename(at(from), at(to))
  })),
  FastCheck.record({ from: path, to: path }).map(({ from, to }) => ({
    name: `link ${from} ${to}`,
    run: ({ at, fs }: Context) => fs.link(at(from), at(to))
  })),
  FastCheck.record({ from: path, to: path, absolute: FastCheck.boolean() }).map(({ absolute, from, to }) => ({
    name: `symlink ${from} ${to} ${absolute}`,
    run: ({ at, fs }: Context) => fs.symlink(absolute ? at(from) : from, at(to))
  })),
  path.map((path) => ({ name: `readLink ${path}`, run: ({ at, fs }: Context) => fs.readLink(at(path)) })),
  path.map((path) => ({ name: `realPath ${path}`, run: ({ at, fs }: Context) => fs.realPath(at(path)) })),
  // Node removes what is under a path with `..` in an order of its own.
  FastCheck.record({ path: plainPath, recursive: FastCheck.boolean(), force: FastCheck.boolean() }).map(
    ({ path, ...options }) => ({
      name: `remove ${path} ${JSON.stringify(options)}`,
      run: ({ at, fs }: Context) => fs.remove(at(path), options)
    })
  ),
  FastCheck.record({ path, length: FastCheck.nat(20) }).map(({ length, path }) => ({
    name: `truncate ${path} ${length}`,
    run: ({ at, fs }: Context) => fs.truncate(at(path), length)
  })),
  FastCheck.record({ path, mode: FastCheck.constantFrom(0o600, 0o755, 0o444) }).map(({ mode, path }) => ({
    name: `chmod ${path} ${mode}`,
    run: ({ at, fs }: Context) => fs.chmod(at(path), mode)
  })),
  FastCheck.record({ path, at: FastCheck.nat(1_000_000) }).map(({ at: seconds, path }) => ({
    name: `utimes ${path} ${seconds}`,
    run: ({ at, fs }: Context) =>
      Effect.zipRight(
        fs.utimes(at(path), seconds, seconds),
        Effect.map(fs.stat(at(path)), ({ mtime }) => Option.map(mtime, Number))
      )
  })),
  FastCheck.record({ slot, path, flag }).map(({ flag, path, slot }) => ({
    name: `open ${slot} ${path} ${flag}`,
    run: ({ at, files, fs }: Context) =>
      Effect.gen(function* () {
        const scope = yield* Scope.make()
        const file = yield* Scope.extend(fs.open(at(path), { flag, mode: 0o640 }), scope)
        const before = files.get(slot)
        if (before !== undefined) yield* Scope.close(before.scope, Exit.void)
        files.set(slot, { file, scope })
      })
  })),
  FastCheck.record({ slot, bytes, all: FastCheck.boolean() }).map(({ all, bytes, slot }) => ({
    name: `write ${slot} ${bytes.length} ${all}`,
    run: onFile(slot, (file) => (all ? file.writeAll(bytes) : file.write(bytes)))
  })),
  FastCheck.record({ slot, size: FastCheck.nat(8), all: FastCheck.boolean() }).map(({ all, size, slot }) => ({
    name: `read ${slot} ${size} ${all}`,
    run: onFile(slot, (file) => {
      const buffer = new Uint8Array(size)
      return all
        ? Effect.map(
            file.readAlloc(size),
            Option.map((read) => [...read])
          )
        : Effect.map(file.read(buffer), (read) => [read, [...buffer]])
    })
  })),
  FastCheck.record({ slot, offset: FastCheck.nat(15), from: FastCheck.constantFrom("start", "current") }).map(
    ({ from, offset, slot }) => ({
      name: `seek ${slot} ${offset} ${from}`,
      run: onFile(slot, (file) => Effect.asVoid(file.seek(offset, from === "start" ? "start" : "current")))
    })
  ),
  FastCheck.record({ slot, length: FastCheck.nat(20) }).map(({ length, slot }) => ({
    name: `truncate ${slot} ${length}`,
    run: onFile(slot, (file) => file.truncate(length))
  })),
  slot.map((slot) => ({ name: `sync ${slot}`, run: onFile(slot, (file) => file.sync) })),
  slot.map((slot) => ({ name: `fstat ${slot}`, run: onFile(slot, (file) => Effect.map(file.stat, plain)) }))
)

const onFile =
  (slot: number, use: (file: FileSystem.File) => Effect.Effect<unknown, PlatformError>) =>
  ({ files }: Context) => {
    const found = files.get(slot)
    return found === undefined ? Effect.succeed("no file") : use(found.file)
  }

/** What a `stat` tells of a file that does not depend on the machine: a directory's size does. */
const plain = ({ mode, nlink, size, type }: FileSystem.File.Info) => ({
  type,
  mode: mode.toString(8),
  // Some file systems count no links of directories.
  ...(type === "Directory" ? {} : { size, nlink })
})

/** Plays operations and writes down what each came to: its value, or the reason, code and call of its error. */
const play = (fs: FileSystem.FileSystem, root: string, operations: ReadonlyArray<Operation>) =>
  Effect.gen(function* () {
    const files: Context["files"] = new Map()
    const outcomes: Array<unknown> = []
    for (const { name, run } of operations) {
      const outcome = yield* Effect.either(run({ fs, at: (path) => `${root}/${path}`, files }))
      outcomes.push([name, Either.isLeft(outcome) ? facts(outcome.left) : outcome.right])
    }
    for (const { scope } of files.values()) yield* Scope.close(scope, Exit.void)
    return outcomes
  })

const facts = (error: PlatformError) => ({
  tag: error._tag,
  reason: error._tag === "SystemError" ? error.reason : null,
  method: error.method,
  code: Predicate.hasProperty(error.cause, "code") ? error.cause.code : null
})

const show = (value: unknown) =>
  JSON.stringify(value, (_, part: unknown) => (typeof part === "bigint" ? String(part) : part))
