/**
 * A directory with a real repository and a storage of its own, for every test.
 */
import { execFile } from "node:child_process"
import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import * as AgentId from "@prodigy/core/domain/AgentId"
import { JobId } from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DiskSyncNode from "@prodigy/core/storage/DiskSync/Node"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as GitWorkspace from "@prodigy/core/workspace/GitWorkspace"
import { type AgentWork, Workspace } from "@prodigy/core/workspace/Workspace"
import type { Worktrees } from "@prodigy/core/workspace/Worktrees"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"

export const jobId = JobId.make("mapreduce-20260102_030405")

/** Runs a script with a fixed identity and without the user's settings; answers its output without the last line feed. */
export const sh = (cwd: string, script: string): Effect.Effect<string> =>
  Effect.async((resume) => {
    const env = {
      PATH: process.env["PATH"],
      HOME: "/nonexistent",
      GIT_CONFIG_NOSYSTEM: "1",
      GIT_AUTHOR_NAME: "Ada",
      GIT_AUTHOR_EMAIL: "ada@example.org",
      GIT_COMMITTER_NAME: "Ada",
      GIT_COMMITTER_EMAIL: "ada@example.org"
    }
    execFile("bash", ["-ec", script], { cwd, env, maxBuffer: 64 * 1024 * 1024 }, (error, stdout, stderr) =>
      resume(
        error === null
          ? Effect.succeed(stdout.replace(/\n$/, ""))
          : Effect.dieMessage(`${script}\n${error.message}\n${stderr}`)
      )
    )
  })

/** Lines of a script's output. */
export const lines = (cwd: string, script: string) =>
  Effect.map(sh(cwd, script), (output) => output.split("\n").filter(Boolean))

export const work = (index: number, options: { readonly id?: string; readonly attempt?: number } = {}): AgentWork => ({
  agentId: AgentId.fromItem(jobId, index),
  itemId: ItemId.make(options.id ?? `item_${index}`),
  itemIndex: index,
  attempt: options.attempt ?? 1
})

/** A directory with a repository `project` of `files` small files on branch `main`. Removed with the scope. */
export const sandbox = (options: { readonly files?: number } = {}) =>
  Effect.gen(function* () {
    const fs = yield* FileSystem.FileSystem
    const directory = yield* Effect.flatMap(fs.makeTempDirectoryScoped({ prefix: "prodigy-git-" }), fs.realPath)
    const repo = `${directory}/project`
    yield* makeRepository(repo, options.files ?? 3)
    return { directory, repo, home: `${directory}/home` }
  }).pipe(Effect.provide(NodeContext.layer))

export const makeRepository = (path: string, files: number) =>
  sh(
    "/",
    `mkdir -p '${path}' && cd '${path}' && git init -q -b main && git config user.name Ada && git config user.email ada@example.org
    for i in $(seq ${files}); do mkdir -p "d$((i % 10))"; echo "file $i" > "d$((i % 10))/f$i.txt"; done
    printf '*.log\\nbuild/\\n' > .gitignore; git add -A; git commit -qm init`
  )

/** The workspace on git with its storage at `home`. Each use is a process of its own as far as the layer can tell. */
export const layer = (
  home: string,
  processes: Layer.Layer<Git.GitProcess> = isolated
): Layer.Layer<Workspace | Worktrees | Git.Git | ProdigyHome.ProdigyHome> =>
  GitWorkspace.layer.pipe(
    Layer.provideMerge(ProdigyHome.layer({ root: home })),
    Layer.provideMerge(AtomicFile.layer),
    Layer.provideMerge(Git.layer),
    Layer.provide(DiskSyncNode.layer),
    Layer.provide(processes),
    Layer.provide(NodeContext.layer)
  )

/** Real processes, without the settings of whoever runs the tests. */
export const isolated: Layer.Layer<Git.GitProcess> = Layer.map(GitNode.layer, (context) =>
  Context.make(Git.GitProcess, {
    ...Context.get(context, Git.GitProcess),
    environment: { PATH: process.env["PATH"] ?? "", GIT_CONFIG_GLOBAL: "/dev/null", GIT_CONFIG_NOSYSTEM: "1" }
  })
)

/** As `isolated`, with a git that fails at commands with this argument. */
export const failingAt = (argument: string): Layer.Layer<Git.GitProcess> =>
  Layer.map(isolated, (context) => {
    const processes = Context.get(context, Git.GitProcess)
    return Context.make(Git.GitProcess, {
      ...processes,
      run: (request) =>
        request.args.includes(argument)
          ? Effect.succeed({ exitCode: 128, stdout: "", stderr: "fatal: no luck" })
          : processes.run(request)
    })
  })

/** Opens the session of `jobId`. */
export const open = (options: {
  readonly repo: string
  readonly maxParallel?: number
  readonly target?: string | null
  readonly name?: string
}) =>
  Effect.gen(function* () {
    const workspace = yield* Workspace
    const project = yield* workspace.find(options.repo)
    return yield* workspace.open({
      project,
      repo: RepoName.make(options.name ?? "project"),
      sessionId: SessionId.fromJob(jobId),
      jobId,
      base: project.head,
      target: options.target === undefined ? project.branch : options.target,
      maxParallel: options.maxParallel ?? 4
    })
  })

/** Uses a session over a sandbox; the user has run `before` in the repository. */
export const inSession = <A, E>(
  use: (context: {
    readonly session: Effect.Effect.Success<ReturnType<typeof open>>
    readonly repo: string
    readonly home: string
    readonly directory: string
  }) => Effect.Effect<A, E>,
  options: { readonly maxParallel?: number; readonly files?: number; readonly before?: string } = {}
) =>
  Effect.gen(function* () {
    const { directory, home, repo } = yield* sandbox({ files: options.files ?? 6 })
    if (options.before !== undefined) yield* sh(repo, options.before)
    return yield* Effect.scoped(
      Effect.provide(
        Effect.flatMap(open({ repo, maxParallel: options.maxParallel ?? 1 }), (session) =>
          use({ session, repo, home, directory })
        ),
        layer(home)
      )
    )
  })
