import { assert, describe, it } from "@effect/vitest"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DiskSync from "@prodigy/core/storage/DiskSync"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Git from "@prodigy/core/workspace/Git"
import * as GitNode from "@prodigy/core/workspace/Git/Node"
import * as GitWorkspace from "@prodigy/core/workspace/GitWorkspace"
import { Workspace } from "@prodigy/core/workspace/Workspace"
import { NodeContext } from "@effect/platform-node"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer, sandbox, sh } from "./GitSandbox.ts"

const find = (path: string) => Effect.flatMap(Workspace, (workspace) => workspace.find(path))

const reasonOf = (path: string) => Effect.map(Effect.flip(find(path)), (error) => error.reason)

describe("GitWorkspace: find", () => {
  it.scopedLive("finds the same root from the top, a subdirectory, a symlink and a linked worktree", () =>
    Effect.gen(function* () {
      const { directory, home, repo } = yield* sandbox()
      yield* sh(repo, "git worktree add -q -b side ../side; ln -s project ../link; git checkout -q --detach")
      const head = yield* sh(repo, "git rev-parse HEAD")
      const found = yield* Effect.forEach(["project", "project/d1", "link", "link/d1", "side/d2"], (name) =>
        find(`${directory}/${name}`)
      ).pipe(Effect.provide(layer(home)))
      const main = { root: repo, checkout: repo, head, branch: null, rootCommit: head }
      assert.deepStrictEqual(found, [
        main,
        main,
        main,
        main,
        { ...main, checkout: `${directory}/side`, branch: "side" }
      ])
    })
  )

  it.scopedLive("takes the bare repository for the root of its worktrees", () =>
    Effect.gen(function* () {
      const { directory, home, repo } = yield* sandbox()
      yield* sh(repo, "git clone -q --bare . ../bare.git; git -C ../bare.git worktree add -q -b side ../side")
      const found = yield* Effect.provide(find(`${directory}/side`), layer(home))
      assert.deepInclude(found, { root: `${directory}/bare.git`, checkout: `${directory}/side`, branch: "side" })
    })
  )

  it.scopedLive("takes a submodule for a project of its own", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      yield* sh(
        repo,
        `git init -q -b main ../lib; git -C ../lib commit -q --allow-empty -m lib
        git -c protocol.file.allow=always submodule -q add ../lib sub; git -C sub worktree add -q -b side ../../side`
      )
      const roots = yield* Effect.forEach([`${repo}/sub`, `${repo}/../side`], find).pipe(Effect.provide(layer(home)))
      assert.deepStrictEqual(
        roots.map(({ root }) => root),
        [`${repo}/sub`, `${repo}/sub`]
      )
    })
  )

  it.scopedLive("says why there is no project", () =>
    Effect.gen(function* () {
      const { directory, home, repo } = yield* sandbox()
      yield* sh(repo, "git clone -q --bare . ../bare.git; git init -q ../empty; mkdir ../plain; touch ../file")
      const reasons = yield* Effect.forEach(["bare.git", "empty", "plain", "nope", "project/.git", "file"], (name) =>
        reasonOf(`${directory}/${name}`)
      ).pipe(Effect.provide(layer(home)))
      assert.deepStrictEqual(reasons, [
        "not_a_repository",
        "no_commits",
        "not_a_repository",
        "not_a_repository",
        "not_a_repository",
        "not_a_repository"
      ])
    })
  )

  it.scopedLive("says it in one sentence", () =>
    Effect.gen(function* () {
      const { directory, home, repo } = yield* sandbox()
      yield* sh(repo, "git clone -q --bare . ../bare.git; git init -q ../empty; mkdir ../plain")
      const messages = yield* Effect.forEach(["bare.git", "empty", "plain", "nope"], (name) =>
        Effect.flip(find(`${directory}/${name}`))
      ).pipe(Effect.provide(layer(home)))
      assert.deepStrictEqual(
        messages.map(({ message }) => message.replaceAll(`${directory}/`, "")),
        [
          "Could not work in bare.git: it is a bare repository.",
          "Could not work in empty: the repository has no commits yet.",
          "Could not work in plain: it is not in a git repository.",
          "Could not work in nope: there is no such directory."
        ]
      )
    })
  )

  it.effect("refuses a git that is missing or too old, and takes newer ones", () =>
    Effect.gen(function* () {
      assert.strictEqual(yield* Effect.provide(reasonOf("/"), withGit({ PATH: "/nonexistent" })), "git_missing")
      const versions = {
        "git version 2.37.9": "git_too_old",
        "git version 1.99": "git_too_old",
        nonsense: "git_too_old",
        "git version 2.38.0.windows.1": "not_a_repository",
        "git version 3.0": "not_a_repository"
      }
      for (const [version, reason] of Object.entries(versions)) {
        assert.strictEqual(yield* Effect.provide(reasonOf("/"), withGit(version)), reason, version)
      }
    })
  )

  it.scopedLive("resolves branches, tags and ids of the user's, and nothing else", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      yield* sh(repo, "git commit -q --allow-empty -m two; git tag -a v1 -m v1 HEAD~1")
      const [one, two] = [yield* sh(repo, "git rev-parse HEAD~1"), yield* sh(repo, "git rev-parse HEAD")]
      yield* Effect.gen(function* () {
        const workspace = yield* Workspace
        const project = yield* workspace.find(repo)
        const resolve = (name: string) => workspace.resolve(project, name)
        assert.deepStrictEqual(yield* Effect.forEach(["main", "v1", "HEAD~1", two.slice(0, 8)], resolve), [
          two,
          one,
          one,
          two
        ])
        for (const name of ["nope", "--all", "-h", "HEAD:d1", "", "main\nmain", "a b"]) {
          assert.strictEqual((yield* Effect.flip(resolve(name))).reason, "unknown_base", name)
        }
      }).pipe(Effect.provide(layer(home)))
    })
  )
})

/** Git of a version, which finds no repository; or the real one with another environment. */
const withGit = (git: string | Readonly<Record<string, string>>) =>
  GitWorkspace.layer.pipe(
    Layer.provide(ProdigyHome.layerMemory),
    Layer.provide(AtomicFile.layerMemory),
    Layer.provide(DiskSync.layerMemory),
    Layer.provide(Git.layer),
    Layer.provide(
      Layer.effect(
        Git.GitProcess,
        Effect.map(Git.GitProcess, (processes) =>
          typeof git !== "string"
            ? { ...processes, environment: git }
            : {
                ...processes,
                run: ({ args }: Git.GitRequest) =>
                  Effect.succeed(
                    args.at(-1) === "version"
                      ? { exitCode: 0, stdout: `${git}\n`, stderr: "" }
                      : { exitCode: 128, stdout: "", stderr: "fatal: not a git repository" }
                  )
              }
        )
      )
    ),
    Layer.provide(GitNode.layer),
    Layer.provide(NodeContext.layer)
  )
