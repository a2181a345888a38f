/**
 * What every `ProdigyHome` does. Repository paths below `/gone/` must not exist; all others must.
 *
 * @since 0.1.0
 */
import * as JobId from "@prodigy/core/domain/JobId"
import { sha256 } from "@prodigy/core/domain/Digest"
import { RepoName } from "@prodigy/core/domain/RepoName"
import { isSafe } from "@prodigy/core/domain/SafeName"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type * as Layer from "effect/Layer"

const rootCommit = "1".repeat(40)
const otherCommit = "2".repeat(40)

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<AtomicFile | ProdigyHome, E>): void => {
  describe(`ProdigyHome (${name})`, () => {
    it.effect("has everything where the documentation says", () =>
      Effect.gen(function* () {
        const { repo, resumeLock, root, session } = yield* ProdigyHome
        const jobId = JobId.fromTime(Date.UTC(2026, 0, 2, 3, 4, 5), 1)
        const paths = repo(RepoName.make("my-project"))
        const job = paths.job(jobId)
        const state = `${root}/state/my-project/mapreduce/jobs/mapreduce-20260102_030405`
        assert.deepStrictEqual(
          [
            job.journal,
            job.jobFile,
            job.workItems,
            job.setupCheckpoint,
            job.mapCheckpoint("t"),
            job.reduceCheckpoint("t")
          ],
          [
            `${state}/journal.jsonl`,
            `${state}/job.json`,
            `${state}/work-items.jsonl`,
            `${state}/setup-checkpoint.json`,
            `${state}/map-checkpoint-t.json`,
            `${state}/reduce-checkpoint-v1-t.json`
          ]
        )
        assert.strictEqual(job.eventFile("t"), `${root}/events/my-project/mapreduce-20260102_030405/events-t.jsonl`)
        assert.strictEqual(job.deadLetter(ItemId.make("../a")), `${job.deadLetters}/%2E.%2Fa.json`)
        assert.strictEqual(job.deadLetters, `${root}/dlq/my-project/mapreduce-20260102_030405/items`)
        assert.strictEqual(paths.claim, `${root}/state/my-project/repository.json`)
        assert.strictEqual(paths.worktree("session-x"), `${root}/worktrees/my-project/session-x`)
        assert.strictEqual(paths.logs, `${root}/logs/my-project`)
        assert.strictEqual(resumeLock(jobId), `${root}/resume_locks/mapreduce-20260102_030405.lock`)
        assert.strictEqual(session(SessionId.fromJob(jobId)), `${root}/sessions/session-mapreduce-20260102_030405.json`)
      }).pipe(Effect.provide(layer))
    )

    it.effect("takes the last component as the name", () =>
      Effect.gen(function* () {
        const { extractRepoName } = yield* ProdigyHome
        for (const path of ["/path/to/my-project", "/path/to/my-project/", "/my-project//"]) {
          assert.strictEqual(yield* extractRepoName(path), "my-project")
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("takes no name from a path that has none", () =>
      Effect.gen(function* () {
        const { extractRepoName } = yield* ProdigyHome
        for (const path of ["/", "", "//", "/a/..", "."]) {
          assert.strictEqual((yield* Effect.flip(extractRepoName(path))).path, path)
        }
      }).pipe(Effect.provide(layer))
    )

    it.effect("makes a safe name of any folder, and different ones of different folders", () =>
      Effect.gen(function* () {
        const { extractRepoName } = yield* ProdigyHome
        const folders = [
          "my project",
          "my  project",
          ".dotfiles",
          "café",
          "cafè",
          "x".repeat(300),
          "x".repeat(301),
          "日本",
          "a\nb",
          "%",
          "-"
        ]
        const names = yield* Effect.forEach(folders, (folder) => extractRepoName(`/work/${folder}`))
        for (const found of names) assert.isTrue(isSafe(found), found)
        assert.strictEqual(new Set(names).size, folders.length)
        assert.match(names[0]!, /^my-project-[0-9a-f]{8}$/)
        assert.match(names[2]!, /^dotfiles-[0-9a-f]{8}$/)
        assert.match(names[7]!, /^repository-[0-9a-f]{8}$/)
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives a repository the same name every time", () =>
      Effect.gen(function* () {
        const { claimRepoName, findRepoName, repoNames } = yield* ProdigyHome
        const repository = { path: "/here/app", rootCommit }
        assert.isNull(yield* findRepoName(repository))
        assert.deepStrictEqual(yield* repoNames, [])
        for (let round = 0; round < 3; round++) assert.strictEqual(yield* claimRepoName(repository), "app")
        assert.strictEqual(yield* findRepoName(repository), "app")
        assert.deepStrictEqual(yield* repoNames, [RepoName.make("app")])
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives two repositories of one folder name two names", () =>
      Effect.gen(function* () {
        const { claimRepoName, findRepoName } = yield* ProdigyHome
        const second = { path: "/there/app", rootCommit }
        assert.strictEqual(yield* claimRepoName({ path: "/here/app", rootCommit }), "app")
        assert.isNull(yield* findRepoName(second))
        const named = yield* claimRepoName(second)
        assert.match(named, /^app-[0-9a-f]{8}$/)
        assert.strictEqual(yield* claimRepoName(second), named)
        assert.strictEqual(yield* claimRepoName({ path: "/here/app", rootCommit }), "app")
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives rivals a name each, exactly one the plain one", () =>
      Effect.gen(function* () {
        const { claimRepoName } = yield* ProdigyHome
        const paths = Array.from({ length: 12 }, (_, index) => `/work/${index % 6}/app`)
        const names = yield* Effect.forEach(paths, (path) => claimRepoName({ path, rootCommit }), {
          concurrency: "unbounded"
        })
        assert.strictEqual(new Set(names).size, 6)
        assert.strictEqual(new Set(names.filter((found) => found === RepoName.make("app"))).size, 1)
        for (let index = 0; index < 6; index++) assert.strictEqual(names[index], names[index + 6])
      }).pipe(Effect.provide(layer))
    )

    it.effect("lets a repository that moved take its name along, proved by its first commit", () =>
      Effect.gen(function* () {
        const { claimRepoName, findRepoName } = yield* ProdigyHome
        yield* claimRepoName({ path: "/gone/app", rootCommit })
        assert.match(yield* claimRepoName({ path: "/other/app", rootCommit: otherCommit }), /^app-/)
        assert.match(yield* claimRepoName({ path: "/empty/app", rootCommit: "" }), /^app-/)
        const moved = { path: "/here/app", rootCommit }
        assert.strictEqual(yield* findRepoName(moved), "app")
        assert.strictEqual(yield* claimRepoName(moved), "app")
        assert.strictEqual(yield* claimRepoName(moved), "app")
        assert.isNull(yield* findRepoName({ path: "/gone/app", rootCommit }))
      }).pipe(Effect.provide(layer))
    )

    it.effect("takes along a name with a digest, too", () =>
      Effect.gen(function* () {
        const { claimRepoName } = yield* ProdigyHome
        yield* claimRepoName({ path: "/here/app", rootCommit: otherCommit })
        const named = yield* claimRepoName({ path: "/gone/app", rootCommit })
        assert.match(named, /^app-/)
        assert.strictEqual(yield* claimRepoName({ path: "/there/app", rootCommit }), named)
      }).pipe(Effect.provide(layer))
    )

    it.effect("leaves a name alone whose repository is still there", () =>
      Effect.gen(function* () {
        const { claimRepoName } = yield* ProdigyHome
        yield* claimRepoName({ path: "/here/app", rootCommit })
        assert.notStrictEqual(yield* claimRepoName({ path: "/copy/app", rootCommit }), "app")
      }).pipe(Effect.provide(layer))
    )

    it.effect("gives a moved repository's name to one of its copies", () =>
      Effect.gen(function* () {
        const { claimRepoName } = yield* ProdigyHome
        yield* claimRepoName({ path: "/gone/app", rootCommit })
        const paths = Array.from({ length: 8 }, (_, index) => `/copy/${index}/app`)
        const names = yield* Effect.forEach(paths, (path) => claimRepoName({ path, rootCommit }), {
          concurrency: "unbounded"
        })
        assert.strictEqual(new Set(names).size, paths.length)
        assert.include(names, RepoName.make("app"))
        const again = yield* Effect.forEach(paths, (path) => claimRepoName({ path, rootCommit }))
        assert.deepStrictEqual(again, names)
      }).pipe(Effect.provide(layer))
    )

    it.effect("finishes a takeover that a crash cut short", () =>
      Effect.gen(function* () {
        const { claimRepoName, repo } = yield* ProdigyHome
        const files = yield* AtomicFile
        yield* claimRepoName({ path: "/gone/app", rootCommit })
        const paths = repo(RepoName.make("app"))
        const old = yield* files.read(paths.claim)
        assert.strictEqual(yield* claimRepoName({ path: "/here/app", rootCommit }), "app")
        const next = yield* files.read(paths.claim)
        // As it is between creating the takeover and replacing the claim.
        yield* files.replace(paths.claim, old!)
        yield* files.replace(paths.claimTakeover(sha256(old!).slice(0, 32)), next!)
        assert.match(yield* claimRepoName({ path: "/copy/app", rootCommit }), /^app-/)
        assert.strictEqual(yield* claimRepoName({ path: "/here/app", rootCommit }), "app")
      }).pipe(Effect.provide(layer))
    )

    it.effect("says which claim is damaged", () =>
      Effect.gen(function* () {
        const { claimRepoName, repo } = yield* ProdigyHome
        const files = yield* AtomicFile
        const { claim } = repo(RepoName.make("app"))
        for (const text of ["", "{}", "nonsense", `{"v":2,"name":"app"}`]) {
          yield* files.replace(claim, text)
          const error = yield* Effect.flip(claimRepoName({ path: "/here/app", rootCommit }))
          assert.strictEqual(error._tag === "DamagedFile" && error.path, claim)
        }
      }).pipe(Effect.provide(layer))
    )
  })
}
