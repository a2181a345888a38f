import { NodeContext } from "@effect/platform-node"
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import * as IdGenerator from "@prodigy/core/domain/IdGenerator"
import { JobId } from "@prodigy/core/domain/JobId"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as SessionId from "@prodigy/core/domain/SessionId"
import type { Status } from "@prodigy/core/domain/Session"
import * as Inspect from "@prodigy/core/engine/Inspect"
import * as Prodigy from "@prodigy/core/engine/Prodigy"
import * as SessionWorktrees from "@prodigy/core/engine/SessionWorktrees"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as DiskSpace from "@prodigy/core/storage/DiskSpace"
import * as CompressionNode from "@prodigy/core/storage/Compression/Node"
import { JobStore } from "@prodigy/core/storage/JobStore"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import { Workspace } from "@prodigy/core/workspace/Workspace"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Samples from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { layer as gitLayer, lines, sandbox, sh, work } from "../workspace/GitSandbox.ts"

const repo = RepoName.make("project")
const id = (n: number) => JobId.make(`mapreduce-20260102_03040${n}`)

const layer = (home: string) =>
  SessionWorktrees.layer.pipe(
    Layer.provideMerge(Inspect.layer),
    Layer.provideMerge(Prodigy.layerStores),
    Layer.provideMerge(gitLayer(home)),
    Layer.provideMerge(AtomicFile.layer),
    Layer.provideMerge(
      Layer.mergeAll(CompressionNode.layer, IdGenerator.layer, ProcessTable.layerMemory, DiskSpace.layerTest(null))
    ),
    Layer.provideMerge(NodeContext.layer)
  )

type Env = Layer.Layer.Success<ReturnType<typeof layer>>

/** A repository with a storage, and sessions in it as a process that died at some instant leaves them. */
const inStorage = <A, E>(
  use: (bench: {
    readonly project: string
    readonly home: string
    readonly worktrees: string
    readonly keeper: SessionWorktrees.SessionWorktrees["Type"]
    /** A session with its parent worktree; `agent` has a slot that was given to item 0. */
    readonly session: (
      n: number,
      options?: { readonly status?: Status | null; readonly parent?: string; readonly agent?: string }
    ) => Effect.Effect<{ readonly parent: string; readonly agent: string }, unknown, Env>
  }) => Effect.Effect<A, E, Env>
) =>
  Effect.gen(function* () {
    const { home, repo: project } = yield* sandbox()
    const worktrees = `${home}/worktrees/project`
    return yield* Effect.gen(function* () {
      const keeper = yield* SessionWorktrees.SessionWorktrees
      const workspace = yield* Workspace
      const found = yield* workspace.find(project)
      yield* (yield* ProdigyHome).claimRepoName({ path: found.root, rootCommit: found.rootCommit })
      return yield* use({
        project,
        home,
        worktrees,
        keeper,
        session: (n, { agent, parent, status = "Completed" } = {}) =>
          Effect.gen(function* () {
            const jobId = id(n)
            const sessionId = SessionId.fromJob(jobId)
            const parentPath = `${worktrees}/${sessionId}`
            const agentPath = `${worktrees}/mapreduce-agent-${jobId}_0`
            yield* Effect.scoped(
              Effect.gen(function* () {
                const opened = yield* workspace.open({
                  project: found,
                  repo,
                  sessionId,
                  jobId,
                  base: found.head,
                  target: "main",
                  maxParallel: 1
                })
                if (parent !== undefined) yield* sh(parentPath, parent)
                if (agent === undefined) return
                const checkout = yield* opened.acquire({ ...work(0), agentId: agentIdOf(jobId) })
                yield* sh(checkout.path, agent)
              })
            )
            // The first slot of a session is made ahead; one that nobody was given is not what is looked at here.
            if (agent === undefined) {
              yield* sh(project, `git worktree remove --force '${agentPath}' 2>/dev/null || rm -rf '${agentPath}'`)
              yield* sh(project, `rm -f '${worktrees}/.metadata/mapreduce-agent-${jobId}_0'.*; git worktree prune`)
            }
            if (status !== null) {
              yield* (yield* SessionStore).create(
                Samples.session(n, {
                  id: sessionId,
                  job_id: jobId,
                  status,
                  owner: null,
                  repository: { name: repo, path: found.root }
                })
              )
            }
            return { parent: parentPath, agent: agentPath }
          })
      })
    }).pipe(Effect.provide(layer(home)))
  }).pipe(Effect.scoped)

const agentIdOf = (jobId: JobId) =>
  work(0).agentId.replace(/^.*(?=_agent_)/, jobId) as ReturnType<typeof work>["agentId"]

const all: SessionWorktrees.Selection = {
  id: null,
  job: null,
  mapReduceOnly: false,
  mergedOnly: false,
  beforeMillis: null
}
const safely = { force: false, dryRun: false }
const forced = { force: true, dryRun: false }

describe("SessionWorktrees", () => {
  it.live("removes what is merged and clean, with its branch and its record", () =>
    inStorage(({ keeper, project, session, worktrees }) =>
      Effect.gen(function* () {
        const { parent } = yield* session(1)
        const planned = yield* keeper.clean({ projectPath: project, select: all, force: false, dryRun: true })
        assert.lengthOf(planned.removed, 1)
        assert.include(yield* lines(project, "git worktree list"), (yield* lines(project, "git worktree list"))[1])
        const { kept, removed } = yield* keeper.clean({ projectPath: project, select: all, ...safely })
        assert.deepStrictEqual(kept, [])
        assert.deepInclude(removed[0], { path: parent, rescued: [], branches: [`prodigy-${SessionId.fromJob(id(1))}`] })
        assert.deepStrictEqual(yield* lines(project, "git branch --format='%(refname:short)'"), ["main"])
        assert.lengthOf(yield* lines(project, "git worktree list"), 1)
        assert.deepStrictEqual(yield* lines(worktrees, "find . -mindepth 1 -not -name .metadata"), [])
        assert.deepStrictEqual((yield* keeper.clean({ projectPath: project, select: all, ...safely })).removed, [])
      })
    )
  )

  const bytes =
    "head -c 3000 /dev/urandom > blob.bin; printf 'a\\r\\nb' > crlf.txt; ln -s nowhere link; chmod +x crlf.txt"
  const ways: ReadonlyArray<{
    readonly name: string
    readonly parent: string
    readonly expected: Partial<SessionWorktrees.Entry>
    readonly after?: string
  }> = [
    {
      name: "commits that are not merged",
      parent: `${bytes}; git add -A; git commit -qm work`,
      expected: { unmerged: 1 }
    },
    {
      name: "commits on a detached HEAD",
      parent: `git switch -q --detach; ${bytes}; git add -A; git commit -qm work`,
      expected: { unmerged: 1, branch: null }
    },
    {
      name: "changed, staged, deleted and untracked files",
      parent: `${bytes}; git add blob.bin; echo more >> d1/f1.txt; git rm -q d2/f2.txt`,
      expected: { uncommitted: 5 }
    },
    { name: "untracked files only", parent: bytes, expected: { unmerged: 0, uncommitted: 3 } },
    {
      name: "commits and files that are not committed",
      parent: `echo 1 > one; git add -A; git commit -qm one; ${bytes}`,
      expected: { unmerged: 1, uncommitted: 3 }
    },
    {
      name: "an index that is neither HEAD nor the files",
      parent: "echo staged > d1/f1.txt; git add d1/f1.txt; git show HEAD:d1/f1.txt > d1/f1.txt",
      expected: { uncommitted: 1 }
    },
    {
      name: "a branch without commits",
      parent: `git switch -q --orphan empty; ${bytes}`,
      expected: { uncommitted: 3 }
    },
    {
      name: "files, and git knows it no more",
      parent: bytes,
      after: "rm -rf .git/worktrees/session-mapreduce-20260102_03040$n",
      expected: { uncommitted: 3, registered: false, directory: true }
    },
    {
      name: "files in a repository of their own",
      parent: `mkdir inner; cd inner; git init -q; ${bytes}; git add -A; git commit -qm inner`,
      expected: { uncommitted: 1 }
    }
  ]
  it.live("keeps a worktree with work that is nowhere else; by force a ref holds every byte of it", () =>
    inStorage(({ keeper, project, session }) =>
      Effect.gen(function* () {
        const digest = "find . -name .git -prune -o -type f -print0 -o -type l -print0 | sort -z | xargs -0 sha256sum"
        const links = `find . -type l -printf '%p %l\\n'; find . -name crlf.txt -printf '%m\\n'`
        const looked = (path: string) => sh(path, `(${digest}) 2>/dev/null || true; ${links}`)
        const made = yield* Effect.forEach(ways, (way, index) =>
          Effect.gen(function* () {
            const { parent } = yield* session(index, { parent: way.parent })
            if (way.after !== undefined) yield* sh(project, `n=${index}; ${way.after}`)
            return { ...way, parent, before: yield* looked(parent) }
          })
        )
        const entries = yield* keeper.list({ projectPath: project })
        const careful = yield* keeper.clean({ projectPath: project, select: all, ...safely })
        assert.deepStrictEqual(careful.removed, [])
        for (const { before, expected, name, parent } of made) {
          assert.deepInclude(
            entries.find(({ path }) => path === parent),
            expected,
            name
          )
          const kept = careful.kept.find(({ path }) => path === parent)
          assert.isTrue(kept?.forceable, name)
          assert.match(kept?.reason ?? "", /^it has .*(commit|file)s? not (merged|committed)/, name)
          assert.strictEqual(yield* looked(parent), before, name)
        }
        const { removed } = yield* keeper.clean({ projectPath: project, select: all, ...forced })
        assert.lengthOf(removed, ways.length)
        // Without branches and logs, the refs alone keep it.
        assert.deepStrictEqual(yield* lines(project, "git branch --format='%(refname)'"), ["refs/heads/main"])
        yield* sh(project, "git reflog expire --expire=now --all; git gc -q --prune=now")
        for (const { before, name, parent } of made) {
          const ref = removed.find(({ path }) => path === parent)?.rescued[0] ?? ""
          yield* sh(project, `! test -e '${parent}'; git worktree add -q --detach '${parent}' '${ref}'`)
          if (name.startsWith("an index")) assert.strictEqual(yield* sh(parent, "cat d1/f1.txt"), "staged")
          else assert.strictEqual(yield* looked(parent), before, name)
        }
      })
    )
  )

  it.live("never touches what is driven, can be resumed, is locked, or is not ours", () =>
    inStorage(({ keeper, project, session, worktrees }) =>
      Effect.gen(function* () {
        const script = "echo precious > precious.txt"
        const driven = yield* session(1, { status: "Running", parent: script, agent: script })
        yield* session(2, { status: "Paused", parent: script, agent: script })
        yield* session(3, { status: "Failed", parent: script, agent: script })
        const held = yield* session(4, { parent: script, agent: script })
        const locked = yield* session(5)
        const damaged = yield* session(6)
        yield* sh(project, `git worktree lock --reason 'my disk' '${locked.parent}'`)
        yield* sh(project, `git worktree add -q '${worktrees}/mine' -b mine; git worktree add -q ../elsewhere -b other`)
        yield* sh(worktrees, "git init -q another; cd another; git commit -q --allow-empty -m x")
        yield* sh(worktrees, "git -C another worktree add -q ../session-mapreduce-20260102_030409; mkdir notes")
        yield* sh(worktrees, "ln -s /etc session-mapreduce-20260102_030408")
        const home = yield* ProdigyHome
        yield* sh("/", `echo '{' > '${home.session(SessionId.fromJob(id(6)))}'`)
        const look = sh(worktrees, "find . -type f -not -path '*/.git/*' | sort; git -C another status")
        const before = yield* look

        yield* Effect.scoped(
          Effect.gen(function* () {
            const jobId = id(4)
            yield* (yield* ResumeLock).acquire({ jobId, sessionId: SessionId.fromJob(jobId), force: false })
            const { kept, removed } = yield* keeper.clean({ projectPath: project, select: all, ...forced })
            assert.deepStrictEqual(removed, [])
            const reasonOf = (path: string) => kept.find((one) => one.path === path)?.reason ?? ""
            assert.match(reasonOf(driven.parent), /driven/)
            assert.match(reasonOf(driven.agent), /driven/)
            assert.match(reasonOf(held.parent), /driven by process 1 on memory/)
            assert.match(reasonOf(`${worktrees}/${SessionId.fromJob(id(2))}`), /is paused: prodigy resume session-/)
            assert.match(reasonOf(`${worktrees}/${SessionId.fromJob(id(3))}`), /prodigy sessions cancel session-/)
            assert.match(reasonOf(locked.parent), /locked \(my disk\)/)
            assert.match(reasonOf(damaged.parent), /cannot be read/)
            assert.isTrue(kept.every(({ forceable }) => !forceable))
            const orphaned = yield* keeper.cleanOrphaned({ projectPath: project, job: null, ...forced })
            assert.deepStrictEqual(orphaned.removed, [])
            const failure = yield* Effect.flip(
              keeper.clean({
                projectPath: project,
                select: { ...all, id: held.parent.slice(worktrees.length + 1) },
                ...forced
              })
            )
            assert.strictEqual(failure._tag === "WorktreeKept" && failure.driven, true)
            for (const name of [
              "mine",
              "another",
              "notes",
              "session-mapreduce-20260102_030408",
              "session-mapreduce-20260102_030409"
            ]) {
              const select = { ...all, id: name }
              const foreign = yield* Effect.flip(keeper.clean({ projectPath: project, select, ...forced }))
              assert.match(foreign.message, /not one of ours/, name)
            }
          })
        )
        assert.strictEqual(yield* look, before)
        assert.lengthOf(yield* lines(project, "ls ../elsewhere"), 3)
      })
    )
  )

  it.live("takes what a crash left in pieces: a directory that is gone, an entry of git's, a record", () =>
    inStorage(({ keeper, project, session, worktrees }) =>
      Effect.gen(function* () {
        const gone = yield* session(1)
        const unmerged = yield* session(2, { parent: "echo 1 > one; git add -A; git commit -qm one" })
        const record = yield* session(3)
        yield* sh("/", `rm -rf '${gone.parent}' '${unmerged.parent}'`)
        yield* sh("/", `rm -rf '${record.parent}' '${project}/.git/worktrees/'*030403`)
        const listed = yield* keeper.list({ projectPath: project })
        assert.deepStrictEqual(
          listed.map(({ directory, registered, unmerged }) => [directory, registered, unmerged]),
          [
            [false, true, 0],
            [false, true, 1],
            [false, false, 0]
          ]
        )
        const careful = yield* keeper.clean({ projectPath: project, select: all, ...safely })
        assert.deepStrictEqual(careful.removed.map(({ path }) => path).sort(), [gone.parent, record.parent])
        const { removed } = yield* keeper.clean({ projectPath: project, select: all, ...forced })
        assert.strictEqual(yield* sh(project, `git show ${removed[0]?.rescued[0]}:one`), "1")
        assert.lengthOf(yield* lines(project, "git worktree list"), 1)
        assert.deepStrictEqual(yield* lines(worktrees, "ls -A .metadata"), [])
      })
    )
  )

  it.live(
    "cleans orphans: agents of sessions that are over, and all of sessions that are gone; others by force only",
    () =>
      inStorage(({ keeper, project, session, worktrees }) =>
        Effect.gen(function* () {
          const over = yield* session(1, { agent: "true", parent: "echo 1 > one; git add -A; git commit -qm one" })
          const dirty = yield* session(2, { agent: "echo work > work.txt" })
          const gone = yield* session(3, { status: null, agent: "true" })
          const paused = yield* session(4, { status: "Paused", agent: "echo work > work.txt" })
          const jobs = yield* JobStore
          const orphan = (path: string) => ({
            path,
            agent_id: null,
            item_id: null,
            error: "busy",
            timestamp: "2026-01-02T03:04:05.000Z"
          })
          yield* jobs.saveOrphans(repo, id(1), [orphan(over.agent), orphan(`${worktrees}/mapreduce-agent-${id(1)}_9`)])
          yield* jobs.saveOrphans(repo, id(2), [orphan(dirty.agent)])

          const one = yield* keeper.cleanOrphaned({ projectPath: project, job: id(1), ...safely })
          assert.deepStrictEqual(
            one.removed.map(({ path }) => path.slice(-2)),
            ["_0", "_9"]
          )
          assert.deepStrictEqual(yield* jobs.loadOrphans(repo, id(1)), [])
          // What waits to be merged is no orphan.
          yield* sh("/", `test -e '${over.parent}' && ! test -e '${over.agent}'`)

          const all = yield* keeper.cleanOrphaned({ projectPath: project, job: null, ...safely })
          assert.deepStrictEqual(all.removed.map(({ path }) => path).sort(), [gone.agent, gone.parent])
          assert.deepStrictEqual(
            all.kept.map(({ path }) => path),
            [dirty.agent]
          )
          assert.lengthOf(yield* jobs.loadOrphans(repo, id(2)), 1)
          const named = yield* keeper.cleanOrphaned({ projectPath: project, job: id(4), ...forced })
          assert.match(named.kept[0]?.reason ?? "", /is paused/)
          yield* sh("/", `test -e '${paused.agent}/work.txt'`)

          const { removed } = yield* keeper.cleanOrphaned({ projectPath: project, job: id(2), ...forced })
          assert.strictEqual(yield* sh(project, `git show ${removed[0]?.rescued[0]}:work.txt`), "work")
          assert.deepStrictEqual(yield* jobs.loadOrphans(repo, id(2)), [])
          const unknown = yield* Effect.flip(
            keeper.cleanOrphaned({ projectPath: project, job: "mapreduce-1", ...forced })
          )
          assert.strictEqual(unknown._tag, "IdNotFound")
        })
      )
  )

  it.live("selects by name, session, job, age, kind and by what there is to lose", () =>
    inStorage(({ keeper, project, session }) =>
      Effect.gen(function* () {
        yield* session(1)
        yield* session(2, { parent: "echo 1 > one" })
        const planned = (select: Partial<SessionWorktrees.Selection>) =>
          Effect.map(
            keeper.clean({ projectPath: project, select: { ...all, ...select }, force: true, dryRun: true }),
            ({ kept, removed }) => [removed.map(({ name }) => name.slice(-1)).join(""), kept.length]
          )
        assert.deepStrictEqual(yield* planned({}), ["12", 0])
        assert.deepStrictEqual(yield* planned({ mergedOnly: true }), ["1", 0])
        assert.deepStrictEqual(yield* planned({ id: id(2) }), ["2", 0])
        assert.deepStrictEqual(yield* planned({ id: SessionId.fromJob(id(1)) }), ["1", 0])
        assert.deepStrictEqual(yield* planned({ job: SessionId.fromJob(id(1)) }), ["1", 0])
        assert.deepStrictEqual(yield* planned({ job: id(2), mapReduceOnly: true }), ["2", 0])
        assert.deepStrictEqual(yield* planned({ beforeMillis: 0 }), ["", 0])
        const fail = (text: string) =>
          Effect.flip(keeper.clean({ projectPath: project, select: { ...all, id: text }, ...safely }))
        assert.strictEqual((yield* fail("nonsense"))._tag, "IdNotFound")
        assert.strictEqual((yield* fail("session-mapreduce-2026"))._tag, "AmbiguousId")
        assert.strictEqual((yield* fail("../../etc"))._tag, "IdInvalid")
      })
    )
  )

  it.live("merges the branch of a session into its target, and never over what is the user's", () =>
    inStorage(({ keeper, project, session }) =>
      Effect.gen(function* () {
        const fs = yield* FileSystem.FileSystem
        const jobs = yield* JobStore
        const saved = (n: number) =>
          jobs.save({
            ...JobSamples.jobFile(n),
            job_id: id(n),
            session_id: SessionId.fromJob(id(n)),
            repository: { name: repo, path: project, checkout: project },
            target_branch: "main"
          })
        yield* session(1, { parent: "echo 1 > one; git add -A; git commit -qm one; echo later > later" })
        yield* session(2, { parent: "echo 2 > two; git add -A; git commit -qm two" })
        yield* session(3, { status: "Paused", parent: "echo 3 > three; git add -A; git commit -qm three" })
        yield* Effect.forEach([1, 2, 3], saved)
        yield* fs.writeFileString(`${project}/two`, "the user's")
        const merged = yield* keeper.merge({ projectPath: project, id: null })
        assert.deepStrictEqual(
          merged.map(({ finish, uncommitted }) => [finish?.outcome ?? null, uncommitted]),
          [
            ["merged", 1],
            ["waiting", 0],
            [null, null]
          ]
        )
        assert.match(merged[2]?.skipped ?? "", /paused/)
        assert.strictEqual(yield* sh(project, "cat one two; test ! -e three"), "1\nthe user's")
        const { outcome } = yield* (yield* SessionStore).get(SessionId.fromJob(id(1)))
        assert.match(outcome ?? "", /^merged into main as /)
        const [third] = yield* keeper.merge({ projectPath: project, id: id(3) })
        assert.strictEqual(third?.finish?.outcome, "merged")
        assert.strictEqual(yield* sh(project, "cat three"), "3")
      })
    )
  )

  it.live("makes nothing where nothing is stored", () =>
    Effect.gen(function* () {
      const { home, repo: project } = yield* sandbox()
      yield* Effect.gen(function* () {
        const keeper = yield* SessionWorktrees.SessionWorktrees
        assert.deepStrictEqual(yield* keeper.list({ projectPath: project }), [])
        assert.deepStrictEqual(yield* keeper.clean({ projectPath: project, select: all, ...forced }), {
          removed: [],
          kept: []
        })
        assert.deepStrictEqual(yield* keeper.merge({ projectPath: project, id: null }), [])
        const failures = [
          yield* Effect.flip(keeper.clean({ projectPath: project, select: { ...all, id: "x" }, ...safely })),
          yield* Effect.flip(keeper.cleanOrphaned({ projectPath: project, job: "x", ...safely })),
          yield* Effect.flip(keeper.merge({ projectPath: project, id: "x" })),
          yield* Effect.flip(keeper.list({ projectPath: "/" }))
        ]
        assert.deepStrictEqual(
          failures.map(({ _tag }) => _tag),
          ["IdNotFound", "IdNotFound", "IdNotFound", "WorkspaceError"]
        )
      }).pipe(Effect.provide(layer(home)))
      yield* sh("/", `! test -e '${home}'`)
    }).pipe(Effect.scoped)
  )
})
