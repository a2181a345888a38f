/**
 * Removing sessions, on real git and files, with a clock that only the test moves.
 */
import { assert, describe, it } from "@effect/vitest"
import { JobId } from "@prodigy/core/domain/JobId"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { type Request, SessionClean } from "@prodigy/core/engine/SessionClean"
import { Resume } from "@prodigy/core/engine/Resume"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import * as ProcessTable from "@prodigy/core/storage/ProcessTable"
import * as ProcessTableNode from "@prodigy/core/storage/ProcessTable/Node"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as Samples from "@prodigy/testing/Samples"
import * as Effect from "effect/Effect"
import * as TestClock from "effect/TestClock"
import { readdirSync, rmSync } from "node:fs"
import { join } from "node:path"
import { inRepository, repo } from "./Bench.ts"

/** All sessions are of the clock's first second. */
const job = (n: number) => JobId.make(`mapreduce-19700101_000000${n === 1 ? "" : `_${n}`}`)
const ofJob = (n: number) => SessionId.fromJob(job(n))
const standard = (n: number) => SessionId.fromTime(0, n)

const clean = (projectPath: string, request: Partial<Request> = {}) =>
  Effect.flatMap(SessionClean, (service) =>
    service.clean({
      projectPath,
      allRepos: false,
      beforeMillis: null,
      all: false,
      dryRun: false,
      only: null,
      ...request
    })
  )

/** What became of each session: gone, or the reason why it stays. */
const fates = ({ entries }: Effect.Effect.Success<ReturnType<typeof clean>>) =>
  Object.fromEntries(entries.map(({ reason, removed, session_id }) => [session_id, removed ? "gone" : reason]))

/** Every file in the storage. */
const stored = Effect.map(ProdigyHome, ({ root }) =>
  readdirSync(root, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
)

const tasks = (step: string) => `
name: tasks
map:
  input: { items: [1, 2] }
  max_parallel: 1
  agent_template:
    - shell: ${step}`

const failing = `
commands:
  - shell: echo one > made && git add made && git commit --quiet --message=one
  - shell: echo left > left && false`

describe("SessionClean", () => {
  it.effect("removes what is over, with everything that belongs to it alone, and nothing else", () =>
    inRepository(({ git, project, run, runAny }) =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        for (const _ of [1, 2]) assert.strictEqual((yield* run(tasks("echo x > made-${item}"))).status, "completed")
        assert.strictEqual((yield* runAny("- shell: echo x > made")).status, "completed")
        const before = yield* stored
        const merged = git("rev-parse", "main")
        const planned = yield* clean(project, { dryRun: true })
        assert.deepStrictEqual(fates(planned), { [ofJob(1)]: "gone", [ofJob(2)]: "gone", [standard(1)]: "gone" })
        assert.deepStrictEqual(yield* stored, before)

        const only = new Set([ofJob(1)])
        assert.deepStrictEqual(fates(yield* clean(project, { only })), { [ofJob(1)]: "gone" })
        const rest = yield* stored
        assert.deepStrictEqual(
          rest.filter((path) => /mapreduce-19700101_000000(?!_2)/.test(path)),
          []
        )
        const others = before.filter((path) => /_2|workflow/.test(path))
        assert.isAbove(others.length, 10)
        assert.includeMembers([...rest], others)

        // A damaged one is told, and stays.
        yield* files.replace(home.session(ofJob(3)), "{")
        const done = yield* clean(project)
        assert.deepStrictEqual(fates(done), { [ofJob(2)]: "gone", [standard(1)]: "gone" })
        assert.deepStrictEqual(
          done.damaged.map(({ path }) => path),
          [home.session(ofJob(3))]
        )
        yield* files.remove(home.session(ofJob(3)))
        assert.deepStrictEqual(yield* stored, [`state/${repo}/repository.json`])
        assert.strictEqual(git("rev-parse", "main"), merged)
        assert.deepStrictEqual(yield* clean(project), { entries: [], damaged: [] })
      })
    )
  )

  it.effect("leaves what can be resumed, what is not merged and what has dead letters, unless it is told to", () =>
    inRepository(({ git, project, run, runAny }) =>
      Effect.gen(function* () {
        yield* run(tasks("test ${item} = 1 && echo x > made"))
        yield* runAny(failing)
        yield* runAny("- shell: echo x > waits", { approve: "not_asked" })
        const before = yield* stored
        const kept = { [ofJob(1)]: "dead_letters", [standard(1)]: "not_over", [standard(2)]: "unmerged" }
        assert.deepStrictEqual(fates(yield* clean(project)), kept)
        assert.deepStrictEqual(yield* stored, before)

        const done = yield* clean(project, { all: true })
        assert.deepStrictEqual(fates(done), { [ofJob(1)]: "gone", [standard(1)]: "gone", [standard(2)]: "gone" })
        assert.deepStrictEqual(yield* stored, [`state/${repo}/repository.json`])
        assert.strictEqual(git("worktree", "list").split("\n").length, 1)
        // No work is lost: it is on the refs that are named.
        const left = Object.fromEntries(done.entries.map((entry) => [entry.session_id, entry.left]))
        assert.strictEqual(git("show", `prodigy-${standard(1)}:made`), "one")
        assert.strictEqual(git("show", `prodigy-${standard(2)}:waits`), "x")
        assert.include(left[standard(1)] ?? [], `prodigy-${standard(1)}`)
        assert.deepStrictEqual(left[standard(2)], [`prodigy-${standard(2)}`])
        const rescue = left[standard(1)]?.find((ref) => ref.startsWith("refs/prodigy/rescue/")) ?? ""
        assert.strictEqual(git("show", `${rescue}:left`), "left")
      })
    )
  )

  it.effect("removes a session that died before it was written what it runs: nobody can go on with it", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        yield* runAny(failing)
        const { create } = yield* SessionStore
        const { self } = yield* Effect.provide(ProcessTable.ProcessTable, ProcessTableNode.layer)
        // No process of Linux has a number as high.
        const owner = { ...self, pid: 2 ** 22 + 1 }
        const repository = { name: repo, path: project }
        const [claimed, begun] = [1, 2].map((n) =>
          Samples.session(n, { status: "Initializing", owner, repository, worktree: null })
        )
        yield* create(claimed!)
        yield* create(begun!)
        yield* (yield* AtomicFile).replace((yield* ProdigyHome).repo(repo).job(Samples.jobId(2)).jobFile, "{}")
        const fate = { [claimed!.id]: "gone", [begun!.id]: "not_over", [standard(1)]: "not_over" }
        assert.deepStrictEqual(fates(yield* clean(project)), fate)
      })
    )
  )

  it.effect("never touches what somebody drives, and spares what is young", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        const lock = yield* ResumeLock
        yield* runAny("- shell: 'true'")
        yield* TestClock.adjust("1 hour")
        const held = Effect.scoped(
          Effect.zipRight(
            lock.acquire({ jobId: null, sessionId: standard(1), force: false }),
            clean(project, { all: true })
          )
        )
        assert.deepStrictEqual(fates(yield* held), { [standard(1)]: "under_way" })
        for (const [beforeMillis, fate] of [
          [0, "too_young"],
          [3_600_000, "gone"]
        ] as const) {
          const done = yield* clean(project, { all: true, beforeMillis })
          assert.deepStrictEqual(fates(done), { [standard(1)]: fate })
        }
      })
    )
  )

  it.effect("removes the rest of what a crash left, which nobody can resume", () =>
    inRepository(({ git, project, run, runAny }) =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        yield* run(tasks("exit 1"))
        yield* runAny(failing)
        // As a crash leaves them behind the first thing that goes.
        yield* files.remove(home.repo(repo).job(job(1)).jobFile)
        yield* files.remove(home.repo(repo).workflowSession(standard(1)))
        const found = yield* Effect.flip(Effect.flatMap(Resume, ({ find }) => find({ projectPath: project, id: null })))
        assert.strictEqual(found._tag, "NothingToResume")
        const done = yield* clean(project, { all: true })
        assert.deepStrictEqual(fates(done), { [ofJob(1)]: "gone", [standard(1)]: "gone" })
        assert.deepStrictEqual(yield* stored, [`state/${repo}/repository.json`])
        assert.strictEqual(git("show", `prodigy-${standard(1)}:made`), "one")
      })
    )
  )

  it.effect("takes a session whose repository is gone only when it is told to", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        yield* runAny("- shell: 'true'")
        yield* runAny(failing)
        rmSync(project, { recursive: true })
        const all = { allRepos: true }
        assert.deepStrictEqual(fates(yield* clean(project, all)), { [standard(1)]: "gone", [standard(2)]: "not_over" })
        assert.deepStrictEqual(fates(yield* clean(project, { ...all, all: true })), { [standard(2)]: "gone" })
        assert.deepStrictEqual((yield* (yield* SessionStore).list).sessions, [])
      })
    )
  )
})
