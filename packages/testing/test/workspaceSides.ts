/** Plays sequences on git, in a temporary folder, and on the model of it, on a simulated machine, each with the same files. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DiskSync from "@prodigy/core/storage/DiskSync"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as GitWorkspace from "@prodigy/core/workspace/GitWorkspace"
import { Workspace } from "@prodigy/core/workspace/Workspace"
import * as MemoryCheckout from "@prodigy/testing/MemoryCheckout"
import * as MemoryGit from "@prodigy/testing/MemoryGit"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as SimulatedFileSystem from "@prodigy/testing/SimulatedFileSystem"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as Clock from "effect/Clock"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import * as Scope from "effect/Scope"
import * as GitFiles from "./GitFiles.ts"
import { files, play, type Sequence } from "./workspaceOperations.ts"

/** The folder is the same for both, as paths are compared too. */
const placesIn = (folder: string) => ({ root: `${folder}/project`, home: `${folder}/home` })

const storage = (fs: FileSystem.FileSystem, home: string) =>
  ProdigyHome.layer({ root: home }).pipe(
    Layer.provideMerge(AtomicFile.layer),
    Layer.provideMerge(Layer.merge(Layer.succeed(FileSystem.FileSystem, fs), Path.layer))
  )

// -----------------------------------------------------------------------------
// the model
// -----------------------------------------------------------------------------

export const playOnModel = (folder: string, asked: Sequence): Effect.Effect<ReadonlyArray<unknown>> =>
  Effect.gen(function* () {
    const { home, root } = placesIn(folder)
    const machine = yield* SimulatedMachine.make
    const onMachine = Layer.succeed(SimulatedMachine.SimulatedMachine, machine)
    const here = Effect.provideService(SimulatedMachine.SimulatedMachine, machine)
    const played = Effect.gen(function* () {
      const fs = yield* Effect.provide(FileSystem.FileSystem, Layer.provide(SimulatedFileSystem.layer, onMachine))
      const layer = Layer.provide(MemoryWorkspace.layer, [storage(fs, home), onMachine])
      yield* here(MemoryWorkspace.init({ root, files }))
      const now = () => Effect.runSync(here(MemoryWorkspace.repository))
      const workspace = yield* Effect.provide(Workspace, layer)
      const side = {
        root,
        workspace,
        fs,
        commit: (path: string, message: string) => here(MemoryWorkspace.commit({ path, message })),
        push: (branch: string, files: Readonly<Record<string, string | null>>) =>
          here(MemoryWorkspace.push({ branch, files, message: "pushed" })),
        deleteBranch: (branch: string) => here(MemoryWorkspace.deleteBranch(branch)),
        refs: () => now().refs,
        readCommit: (id: string) => MemoryGit.commitAt(now(), id),
        filesIn: (path: string) =>
          MemoryCheckout.kindOf(machine.disk, path) === "directory" ? MemoryCheckout.read(machine.disk, path) : null
      }
      return yield* play(side, asked)
    })
    return yield* (yield* SimulatedMachine.run(machine, played)) ?? Effect.dieMessage("the machine crashed")
  })

// -----------------------------------------------------------------------------
// git
// -----------------------------------------------------------------------------

/** Plays on git in the folder: each sequence on the repository as it was first, by the same processes. */
export const makeGit = (folder: string) =>
  Effect.gen(function* () {
    const { home, root } = placesIn(folder)
    const fs = yield* FileSystem.FileSystem
    const git = yield* processes
    const first = yield* makeRepository(git, root)
    return (asked: Sequence) =>
      Effect.gen(function* () {
        renew(root, first)
        rmSync(home, { recursive: true, force: true })
        const clock = ticking()
        const layer = GitWorkspace.layer.pipe(
          Layer.provide(storage(fs, home)),
          Layer.provide(Layer.provide(Git.layer, Layer.succeed(Git.GitProcess, git))),
          Layer.provide([NodeContext.layer, DiskSync.layerMemory])
        )
        const workspace = yield* Effect.provide(Workspace, layer)
        const directory = `${root}/.git`
        const refs = () => GitFiles.refsOf(directory)
        const side = {
          root,
          workspace,
          fs,
          commit: (path: string, message: string) =>
            Effect.gen(function* () {
              const before = Object.values(refs())
              yield* run(git, path, ["add", "--all"], clock.seconds(), ["commit", "--quiet", "-m", message])
              return Object.values(refs()).find((id) => !before.includes(id)) ?? null
            }),
          push: (branch: string, changes: Readonly<Record<string, string | null>>) =>
            Effect.sync(() => {
              const at = refs()[`refs/heads/${branch}`] ?? refs()["refs/heads/main"] ?? ""
              const tree = { ...GitFiles.readCommit(directory, at).tree }
              for (const [path, content] of Object.entries(changes)) MemoryGit.put(tree, path, content ?? undefined)
              const commit = { parents: [at], tree, message: "pushed" }
              const id = GitFiles.writeCommit(directory, commit, clock.seconds())
              GitFiles.setRef(directory, `refs/heads/${branch}`, id)
              return id
            }),
          deleteBranch: (branch: string) => Effect.sync(() => GitFiles.setRef(directory, `refs/heads/${branch}`, null)),
          refs,
          readCommit: (id: string) => GitFiles.readCommit(directory, id),
          filesIn: GitFiles.filesIn
        }
        return yield* Effect.withClock(play(side, asked), clock.clock)
      })
  })

interface First {
  readonly commit: string
  readonly index: Uint8Array
}

/** As it was after its first commit; objects stay. */
const renew = (root: string, { commit, index }: First) => {
  const directory = `${root}/.git`
  for (const ref of Object.keys(GitFiles.refsOf(directory))) GitFiles.setRef(directory, ref, null)
  GitFiles.setRef(directory, "refs/heads/main", commit)
  for (const path of [`${directory}/worktrees`, `${directory}/refs/prodigy`, ...entriesOf(root)])
    rmSync(path, { recursive: true, force: true })
  GitFiles.write(`${directory}/index`, index)
  for (const [name, content] of Object.entries(files)) GitFiles.write(`${root}/${name}`, content)
}

const entriesOf = (root: string) =>
  readdirSync(root)
    .filter((name) => name !== ".git")
    .map((name) => `${root}/${name}`)

const makeRepository = (git: typeof Git.GitProcess.Service, path: string): Effect.Effect<First> =>
  Effect.gen(function* () {
    mkdirSync(path)
    yield* run(git, path, ["init", "--quiet", "--initial-branch=main", "--template="], firstSecond)
    for (const [name, content] of Object.entries(files)) GitFiles.write(`${path}/${name}`, content)
    yield* run(git, path, ["add", "--all"], firstSecond, ["commit", "--quiet", "-m", "start"])
    const commit = GitFiles.refsOf(`${path}/.git`)["refs/heads/main"]
    if (commit === undefined) return yield* Effect.dieMessage("there is no repository")
    return { commit, index: readFileSync(`${path}/.git/index`) }
  })

/** As a user runs them. Exits with 1 when there is nothing to commit. */
const run = (
  git: typeof Git.GitProcess.Service,
  cwd: string,
  args: ReadonlyArray<string>,
  seconds: number,
  next?: ReadonlyArray<string>
) => {
  const env = { ...environment, ...identity, GIT_COMMITTER_DATE: `${seconds} +0000` }
  return Effect.flatMap(Effect.orDie(git.run({ args, cwd, env, next })), ({ exitCode, stderr, stdout }) =>
    exitCode === 0 || (exitCode === 1 && next !== undefined) ? Effect.void : Effect.dieMessage(`${stdout}${stderr}`)
  )
}

const identity = {
  GIT_AUTHOR_NAME: "Ada",
  GIT_AUTHOR_EMAIL: "ada@example.org",
  GIT_COMMITTER_NAME: "Ada",
  GIT_COMMITTER_EMAIL: "ada@example.org"
}

/** Without the user's settings. Nothing here outlives the test, so nothing is synced. */
const environment = {
  PATH: process.env["PATH"] ?? "",
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  GIT_TEST_FSYNC: "0",
  GIT_CONFIG_COUNT: "1",
  GIT_CONFIG_KEY_0: "gc.auto",
  GIT_CONFIG_VALUE_0: "0"
}

/** Starting a process takes Node ten times as long as git takes: those that answer are kept from one sequence to the next. */
const processes = Effect.gen(function* () {
  const git = Context.get(yield* Layer.build(GitNode.layer), Git.GitProcess)
  const scope = yield* Effect.scope
  const dialogues = new Map<string, Git.Dialogue>()
  const unsynced = (request: Git.GitRequest) => ({ ...request, env: { ...request.env, GIT_TEST_FSYNC: "0" } })
  return Git.GitProcess.of({
    environment,
    run: (request) => git.run(unsynced(request)),
    dialogue: (request) =>
      Effect.gen(function* () {
        const key = [request.cwd, ...request.args].join("\n")
        const dialogue = dialogues.get(key) ?? (yield* Scope.extend(git.dialogue(unsynced(request)), scope))
        dialogues.set(key, dialogue)
        return dialogue
      })
  })
})

const firstSecond = 1_767_323_045

/** Goes on by a second whenever it is looked at, so that commits have the order in which they were made. */
const ticking = () => {
  const real = Clock.make()
  let seconds = firstSecond
  const millis = () => (seconds += 1) * 1000
  const clock: Clock.Clock = {
    [Clock.ClockTypeId]: Clock.ClockTypeId,
    unsafeCurrentTimeNanos: () => real.unsafeCurrentTimeNanos(),
    currentTimeNanos: real.currentTimeNanos,
    unsafeCurrentTimeMillis: millis,
    currentTimeMillis: Effect.sync(millis),
    sleep: (duration) => real.sleep(duration)
  }
  return { clock, seconds: () => millis() / 1000 }
}
