import { writeFileSync } from "node:fs"
import { assert, describe, it } from "@effect/vitest"
import { RepoName } from "@prodigy/core/domain/RepoName"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Git from "@prodigy/core/workspace/Git"
import { Workspace } from "@prodigy/core/workspace/Workspace"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { inSession, isolated, jobId, layer, sandbox, sh, work } from "./GitSandbox.ts"

const userSettings = (pairs: Readonly<Record<string, string>>) =>
  Object.entries(pairs)
    .map(([name, value]) => `git config ${name} '${value}'`)
    .join("; ")

/** Changes `file` to a text of the same length, under the same time, as another file. */
const changed = (file: string, text: string) =>
  `touch -d '2020-01-01' '${file}'; git update-index -q --refresh || true; echo '${text}' > x; touch -r '${file}' x; mv x '${file}'`

/** What a repository may say that lets git overlook changes, or fail at them, and what an agent then does. */
const settings: Readonly<Record<string, { readonly before: string; readonly edit: string }>> = {
  "core.ignoreStat": { before: userSettings({ "core.ignoreStat": "true" }), edit: "echo 'FILE 1' > d1/f1.txt" },
  "core.ignoreStat, after a commit of the agent's own": {
    before: userSettings({ "core.ignoreStat": "true" }),
    edit: "echo 'other' > d1/f1.txt; git add d1/f1.txt; git commit -qm other; echo 'FILE 1' > d1/f1.txt"
  },
  "core.checkStat and core.trustctime": {
    before: userSettings({ "core.checkStat": "minimal", "core.trustctime": "false" }),
    edit: changed("d1/f1.txt", "FILE 1")
  },
  "core.safecrlf": {
    before: userSettings({ "core.safecrlf": "true", "core.autocrlf": "true" }),
    edit: "echo 'FILE 1' > d1/f1.txt"
  },
  "a sparse checkout": {
    before: "git sparse-checkout set d2",
    edit: "mkdir d1; echo 'FILE 1' > d1/f1.txt"
  },
  "a sparse checkout with files outside of it": {
    before: `git sparse-checkout set d2; ${userSettings({ "sparse.expectFilesOutsideOfPatterns": "true" })}`,
    edit: "mkdir d1; echo 'FILE 1' > d1/f1.txt; echo new > d1/new"
  }
}

describe("GitWorkspace: settings of the user", () => {
  for (const [name, { before, edit }] of Object.entries(settings)) {
    it.scopedLive(`loses no change of an agent to ${name}`, () =>
      inSession(
        ({ repo, session }) =>
          Effect.gen(function* () {
            const first = yield* session.acquire(work(0))
            yield* sh(first.path, edit)
            const kept = yield* session.rescue(first, work(0))
            assert.strictEqual(yield* sh(repo, `git show ${kept.uncommitted_changes}:d1/f1.txt`), "FILE 1")
            const { branch, tip } = yield* session.collect(first, work(0), { autoCommit: true })
            yield* session.integrate(work(0), tip ?? "", branch)
            yield* session.release(first)
            const second = yield* session.acquire(work(1))
            assert.strictEqual(yield* sh(second.path, "git show HEAD:d1/f1.txt; git status --porcelain"), "FILE 1")
            assert.strictEqual((yield* session.finish({ approved: "yes" })).outcome, "merged")
            assert.strictEqual(yield* sh(repo, "git show main:d1/f1.txt"), "FILE 1")
          }),
        { before }
      )
    )

    it.scopedLive(`loses no change of a step to ${name}`, () =>
      inSession(
        ({ repo, session }) =>
          Effect.gen(function* () {
            const before = yield* session.fingerprint
            yield* sh(session.parent.path, edit)
            assert.notStrictEqual(yield* session.fingerprint, before)
            yield* session.sealSetup({ autoCommit: true })
            assert.strictEqual(yield* sh(repo, `git show ${session.parent.branch}:d1/f1.txt`), "FILE 1")
          }),
        { before }
      )
    )
  }

  for (const before of [userSettings({ "diff.ignoreSubmodules": "all" }), "git sparse-checkout set d2"]) {
    it.scopedLive(`keeps the files of a repository that an agent made after ${before}`, () =>
      inSession(
        ({ repo, session }) =>
          Effect.gen(function* () {
            const checkout = yield* session.acquire(work(0))
            yield* sh(checkout.path, "git init -q in; cd in; echo a > a; git add a; git commit -qm a")
            const { tip } = yield* session.collect(checkout, work(0), { autoCommit: true })
            assert.strictEqual(yield* sh(repo, `git ls-tree -r --name-only ${tip} in`), "in/a")
          }),
        { before }
      )
    )
  }

  for (const value of ["--strategy=ours", "--squash", "--nonsense"]) {
    it.scopedLive(`merges into a branch whose merges have options: ${value}`, () =>
      inSession(
        ({ repo, session }) =>
          Effect.gen(function* () {
            yield* sh(session.parent.path, "echo a > a")
            yield* session.sealSetup({ autoCommit: true })
            assert.deepInclude(yield* session.preview, { files: 1 })
            const finish = yield* session.finish({ approved: "yes" })
            assert.deepInclude(finish, { outcome: "merged", commit: yield* session.tip })
            assert.strictEqual(yield* sh(repo, "git show main:a; cat a; git status --porcelain"), "a\na")
          }),
        {
          before: userSettings({
            "branch.main.mergeOptions": value,
            "pull.twohead": "ours",
            "diff.orderFile": "/nonexistent"
          })
        }
      )
    )
  }

  for (const flag of ["assume-unchanged", "skip-worktree"]) {
    it.scopedLive(`overwrites no file that the user has hidden by ${flag}`, () =>
      inSession(
        ({ repo, session }) =>
          Effect.gen(function* () {
            yield* sh(session.parent.path, "test \"$(cat d1/f1.txt)\" = 'file 1'; echo theirs > d1/f1.txt")
            yield* session.sealSetup({ autoCommit: true })
            const refused = yield* Effect.flip(session.finish({ approved: "yes" }))
            assert.match(refused.message, /would be overwritten by merge:\s+d1\/f1.txt/)
            assert.strictEqual(yield* sh(repo, "cat d1/f1.txt"), "mine")
          }),
        { before: `git update-index --${flag} d1/f1.txt; echo mine > d1/f1.txt` }
      )
    )
  }

  it.scopedLive("finds what is merged however the user's log is to be shown", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const workspace = yield* Workspace
          const checkout = yield* session.acquire(work(0, { id: "é" }))
          yield* sh(checkout.path, "echo a > a")
          const { branch, tip } = yield* session.collect(checkout, work(0, { id: "é" }), { autoCommit: true })
          const { commit } = yield* session.integrate(work(0, { id: "é" }), tip ?? "", branch)
          const project = yield* workspace.find(repo)
          const sessionId = SessionId.fromJob(jobId)
          const held = yield* workspace.holdings(project, { base: project.head, jobId, sessionId, target: "main" })
          assert.deepStrictEqual(held.merges.map(String), [{ commit, itemId: "é" }].map(String))
          assert.deepStrictEqual([...held.commits].toSorted(), [commit, tip ?? ""].toSorted())
        }).pipe(Effect.provide(layer(`${repo}/../home`))),
      { before: userSettings({ "i18n.logOutputEncoding": "ISO-8859-1", "log.showSignature": "true" }) }
    )
  )

  it.scopedLive("works in worktrees of a bare repository where git is not to find one by itself", () =>
    Effect.gen(function* () {
      const { directory, home, repo } = yield* sandbox()
      yield* sh(repo, "git clone -q --bare . ../bare.git; git -C ../bare.git worktree add -q -b side ../side")
      writeFileSync(`${directory}/global`, "[safe]\n\tbareRepository = explicit\n")
      const explicit = Layer.map(isolated, (context) => {
        const processes = Context.get(context, Git.GitProcess)
        const environment = { ...processes.environment, GIT_CONFIG_GLOBAL: `${directory}/global` }
        return Context.make(Git.GitProcess, { ...processes, environment })
      })
      yield* Effect.gen(function* () {
        const workspace = yield* Workspace
        const project = yield* workspace.find(`${directory}/side`)
        const session = yield* workspace.open({
          project,
          repo: RepoName.make("project"),
          sessionId: SessionId.fromJob(jobId),
          jobId,
          base: project.head,
          target: project.branch,
          maxParallel: 1
        })
        assert.strictEqual((yield* session.finish({ approved: "yes" })).outcome, "nothing_to_merge")
      }).pipe(Effect.scoped, Effect.provide(layer(home, explicit)))
    })
  )
})
