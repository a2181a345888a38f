import { assert, describe, it } from "@effect/vitest"
import type { SessionWorkspace } from "@prodigy/core/workspace/Workspace"
import * as Effect from "effect/Effect"
import { inSession, jobId, lines, sh, work } from "./GitSandbox.ts"

const git = "git -c protocol.file.allow=always"

/** A project with the submodule `lib`, which the user has set up, or has not. */
const withLib = (setUp: boolean) =>
  `git init -q -b main ../lib; cd ../lib; git config user.name x; git config user.email x
  echo free > feature.txt; git add .; git commit -qm lib; cd ../project
  ${git} submodule -q add "$PWD/../lib" lib; git commit -qm sub
  ${setUp ? "" : "git submodule -q deinit -f lib; rm -rf .git/modules"}`

const setUp = `${git} submodule -q update --init; git -C lib config user.name x; git -C lib config user.email x`
const commits = `${setUp}; cd lib; echo n > new; git add .; git commit -qm new`
const edits = `${setUp}; echo paid > lib/feature.txt; echo more > lib/more`

const repository = (name: string, more = "") =>
  `git init -q ${name}; (cd ${name}; git config user.name x; git config user.email x; echo v > v; git add .; git commit -qm v; echo dirty > w; ${more})`

/** What a clone of the project has, with its submodules as the user's own repository of them has them. */
const checkout = (repo: string, commit: string, path: string) =>
  sh(
    repo,
    `rm -rf ../look; git worktree add -q --force --detach ../look ${commit}; cd ../look
    git config submodule.lib.url '${repo}/.git/modules/lib'
    ${git} submodule -q update --init >&2; cat ${path}`
  )

const collected = (session: SessionWorkspace, script: string, autoCommit = true) =>
  Effect.gen(function* () {
    const place = yield* session.acquire(work(0))
    yield* sh(place.path, script)
    const { branch, tip } = yield* session.collect(place, work(0), { autoCommit })
    yield* session.release(place)
    return { branch, tip: tip ?? "" }
  })

const rescuedAfter = (session: SessionWorkspace, script: string) =>
  Effect.gen(function* () {
    const place = yield* session.acquire(work(0))
    yield* sh(place.path, script)
    const kept = yield* session.rescue(place, work(0))
    yield* session.release(place)
    yield* session.clean({ keepParent: true })
    return kept
  })

describe("GitWorkspace: submodules", () => {
  for (const [what, script, path, content] of [
    ["committed", commits, "lib/new", "n"],
    ["edited", edits, "lib/feature.txt", "paid"],
    ["committed and linked to", `${commits}; cd ..; git commit -qam bump`, "lib/new", "n"],
    ["edited where its settings hide it", `git config diff.ignoreSubmodules all; ${edits}`, "lib/more", "more"]
  ] as const) {
    it.scopedLive(`merges what an agent ${what} in one that the user has set up too`, () =>
      inSession(
        ({ repo, session }) =>
          Effect.gen(function* () {
            const { branch, tip } = yield* collected(session, script)
            const { commit } = yield* session.integrate(work(0), tip, branch)
            yield* session.clean({ keepParent: true })
            assert.strictEqual(yield* checkout(repo, commit, path), content)
          }),
        { before: withLib(true) }
      )
    )

    it.scopedLive(`does not merge what an agent ${what} in one that the user has not set up, and keeps it`, () =>
      inSession(
        ({ repo, session }) =>
          Effect.gen(function* () {
            const place = yield* session.acquire(work(0))
            yield* sh(place.path, script)
            const error = yield* Effect.flip(session.collect(place, work(0), { autoCommit: true }))
            assert.strictEqual(error.reason, "checkout_damaged")
            assert.include(error.detail, "the submodule lib has commits that no remote of it has")
            const [ref = ""] = /refs\/prodigy\/rescue\/\S+\/\+submodule\/[0-9a-f]+/.exec(error.message) ?? []
            yield* session.rescue(place, work(0))
            yield* session.release(place)
            yield* session.clean({ keepParent: true })
            assert.strictEqual(yield* sh(repo, `git show ${ref}:${path.slice("lib/".length)}`), content)
          }),
        { before: withLib(false) }
      )
    )
  }

  it.scopedLive("rescues what a failed attempt did in one, and says where", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const kept = yield* rescuedAfter(session, edits)
          assert.strictEqual(
            yield* checkout(repo, kept.uncommitted_changes ?? "", "lib/feature.txt lib/more"),
            "paid\nmore"
          )
        }),
      { before: withLib(true) }
    )
  )

  it.scopedLive("keeps the commits of one that is not checked out any more, and those of its branches", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const script = `${commits}; git checkout -qb side; echo s > s; git add .; git commit -qm s; git checkout -q -; cd ..; git submodule -q deinit -f lib`
          yield* rescuedAfter(session, script)
          const refs = yield* lines(`${repo}/.git/modules/lib`, "git for-each-ref --format='%(refname)' refs/prodigy")
          const found = yield* Effect.forEach(refs, (ref) =>
            sh(`${repo}/.git/modules/lib`, `git ls-tree --name-only ${ref}`)
          )
          assert.isTrue(
            found.some((names) => names.includes("new\ns")),
            found.join()
          )
        }),
      { before: withLib(true) }
    )
  )

  it.scopedLive("keeps the commits of one whose worktree the agent has removed", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          yield* rescuedAfter(session, `${commits}; W=$(dirname "$PWD"); cd /; rm -rf "$W"`)
          const [ref] = yield* lines(`${repo}/.git/modules/lib`, "git for-each-ref --format='%(refname)' refs/prodigy")
          assert.strictEqual(yield* sh(`${repo}/.git/modules/lib`, `git show ${ref}:new`), "n")
        }),
      { before: withLib(true) }
    )
  )

  it.scopedLive("leaves the worktree as it is when the commits of a shallow one have no place to go", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const place = yield* session.acquire(work(0))
          yield* sh(place.path, `${edits}; echo rest > rest`)
          const error = yield* Effect.flip(session.rescue(place, work(0)))
          assert.include(error.detail, "shallow")
          assert.strictEqual(yield* sh(repo, `git show refs/prodigy/rescue/${jobId}/item_0/1:rest`), "rest")
          yield* session.release(place)
          const { orphans } = yield* session.clean({ keepParent: true })
          assert.deepStrictEqual(
            orphans.map(({ path }) => path),
            [place.path]
          )
          assert.strictEqual(yield* sh(place.path, "cat lib/feature.txt"), "paid")
        }),
      {
        before: `${withLib(false)}; cd ../lib; git commit -q --allow-empty -m two; cd ../project
          git config -f .gitmodules submodule.lib.url "file://$PWD/../lib"; git config -f .gitmodules submodule.lib.shallow true
          git update-index --cacheinfo "160000,$(git -C ../lib rev-parse HEAD),lib"; git add .gitmodules; git commit -qm shallow`
      }
    )
  )

  for (const [what, then] of [
    ["left as it is", ""],
    ["worked in", "cd lib; echo m > mine; git add .; git commit -qm mine"]
  ] as const) {
    it.scopedLive(`does not undo what an item did in one that the next could not set up, and has ${what}`, () =>
      inSession(
        ({ session }) =>
          Effect.gen(function* () {
            const { branch, tip } = yield* collected(session, commits)
            yield* session.integrate(work(0), tip, branch)
            const place = yield* session.acquire(work(1))
            const tried = setUp.replace("--init;", "--init 2>/dev/null || true;")
            yield* sh(place.path, `${tried}; ${then}`)
            const error = yield* Effect.flip(session.collect(place, work(1), { autoCommit: true }))
            assert.include(error.detail, "that it was to be at; see whether git submodule update fails")
            yield* session.rescue(place, work(1))
          }),
        { before: withLib(true) }
      )
    )
  }

  it.scopedLive("does not merge one whose conflicts the agent has not resolved", () =>
    inSession(
      ({ session }) =>
        Effect.gen(function* () {
          const place = yield* session.acquire(work(0))
          const both =
            "git checkout -qb a; echo a > feature.txt; git commit -qam a; git checkout -q --detach HEAD~1; echo b > feature.txt; git commit -qam b"
          yield* sh(place.path, `${setUp}; cd lib; ${both}; git merge -q a || true`)
          const error = yield* Effect.flip(session.collect(place, work(0), { autoCommit: true }))
          assert.include(error.detail, "conflicts are not resolved in the submodule lib")
          const kept = yield* session.rescue(place, work(0))
          assert.isDefined(kept.uncommitted_changes)
        }),
      { before: withLib(true) }
    )
  )

  it.scopedLive("merges a link to what the submodule's remote has, set up by the user or not", () =>
    inSession(
      ({ directory, repo, session }) =>
        Effect.gen(function* () {
          yield* sh(`${directory}/lib`, "echo two > two; git add .; git commit -qm two")
          const { tip } = yield* collected(session, `${setUp}; ${git} submodule -q update --remote`)
          assert.strictEqual(
            yield* sh(repo, `git ls-tree --object-only ${tip} lib`),
            yield* sh(`${directory}/lib`, "git rev-parse HEAD")
          )
          assert.deepStrictEqual(yield* lines(repo, "git for-each-ref refs/prodigy"), [])
        }),
      { before: withLib(false) }
    )
  )

  it.scopedLive("merges nothing of an agent that put files where one is not set up, and keeps them", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const place = yield* session.acquire(work(0))
          yield* sh(place.path, "echo lost > lib/feature.txt")
          const error = yield* Effect.flip(session.collect(place, work(0), { autoCommit: true }))
          assert.include(error.detail, "the submodule lib is not set up, and has files")
          const kept = yield* session.rescue(place, work(0))
          assert.strictEqual(yield* sh(repo, `git show ${kept.uncommitted_changes}:lib/feature.txt`), "lost")
        }),
      { before: withLib(true) }
    )
  )

  it.scopedLive("keeps what is done in a submodule of a submodule", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const script = `${git} submodule -q update --init --recursive; echo deep > lib/inner/deep`
          const { tip } = yield* collected(session, script)
          const [, inner = ""] =
            (yield* sh(
              repo,
              `L=$(git ls-tree --object-only ${tip} lib); git -C .git/modules/lib ls-tree $L inner`
            )).match(/commit (\S+)/) ?? []
          assert.strictEqual(yield* sh(`${repo}/.git/modules/lib/modules/inner`, `git show ${inner}:deep`), "deep")
        }),
      {
        before: `git init -q -b main ../inner; cd ../inner; git -c user.name=x -c user.email=x commit -q --allow-empty -m i
          git init -q -b main ../lib; cd ../lib; git config user.name x; git config user.email x
          ${git} submodule -q add ../inner inner; git commit -qm lib; cd ../project
          ${git} submodule -q add ../lib lib; git commit -qm sub; ${git} submodule -q update --init --recursive`
      }
    )
  )

  it.scopedLive("commits what the steps of a session did in one, and merges no link that nobody can follow", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          yield* sh(session.parent.path, edits)
          assert.strictEqual(yield* session.fingerprint, yield* session.fingerprint)
          yield* session.sealSteps
          const finish = yield* session.finish({ approved: "yes" })
          assert.strictEqual(finish.outcome, "merged")
          yield* session.clean({ keepParent: false })
          assert.strictEqual(yield* checkout(repo, "main", "lib/feature.txt"), "paid")
        }),
      { before: withLib(true) }
    )
  )

  it.scopedLive("ends the steps of a session that worked in one as soon as the user has set it up", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          yield* sh(session.parent.path, edits)
          for (const end of [
            session.sealSteps,
            session.sealSetup({ autoCommit: true }),
            session.sealReduce({ autoCommit: true })
          ]) {
            assert.include((yield* Effect.flip(end)).detail, "the submodule lib has commits that no remote of it has")
          }
          yield* sh(repo, `${git} submodule -q update --init`)
          yield* session.sealSteps
          assert.strictEqual(yield* checkout(repo, session.parent.branch, "lib/feature.txt"), "paid")
        }),
      { before: withLib(false) }
    )
  )

  it.scopedLive("leaves what items did in one alone when reduce has it set up since before", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          yield* sh(session.parent.path, setUp)
          yield* session.sealSetup({ autoCommit: true })
          const { branch, tip } = yield* collected(session, commits)
          yield* session.integrate(work(0), tip, branch)
          yield* session.syncParent
          assert.strictEqual(yield* sh(session.parent.path, "cat lib/new; echo r > r"), "n")
          yield* session.sealReduce({ autoCommit: true })
          assert.strictEqual(yield* checkout(repo, session.parent.branch, "lib/new"), "n")
        }),
      { before: withLib(true) }
    )
  )
})

const nested: ReadonlyArray<readonly [name: string, script: string, files: ReadonlyArray<string>]> = [
  ["in another one", repository("n2", repository("deep")), ["n2/v", "n2/w", "n2/deep/v", "n2/deep/w"]],
  ["in place of a file", `rm d1/f1.txt; ${repository("d1/f1.txt")}`, ["d1/f1.txt/v", "d1/f1.txt/w"]],
  ["where settings hide submodules", `git config diff.ignoreSubmodules all; ${repository("n")}`, ["n/v", "n/w"]],
  ["that the agent committed as a link", `${repository("n")}; git add -A; git commit -qm n`, ["n/v", "n/w"]],
  ["that the agent staged as a link", `${repository("n")}; git add -A`, ["n/v", "n/w"]],
  [
    "without a commit",
    "git init -q n0; echo h > n0/h; git init -q n1; git init -q n1/n2; echo i > n1/n2/i; echo x > x",
    ["n0/h", "n1/n2/i", "x"]
  ],
  ["without anything", "git init -q n0; echo x > x", ["x"]]
]

describe("GitWorkspace: repositories in a worktree", () => {
  for (const [what, script, files] of nested) {
    it.scopedLive(`collects and rescues the files of one ${what}`, () =>
      inSession(({ repo, session }) =>
        Effect.gen(function* () {
          const place = yield* session.acquire(work(0))
          yield* sh(place.path, script)
          const kept = yield* session.rescue(place, work(0))
          const { tip } = yield* session.collect(place, work(0), { autoCommit: true })
          for (const commit of [kept.uncommitted_changes, tip]) {
            const there = yield* lines(repo, `git ls-tree -r --format='%(objectmode) %(path)' ${commit}`)
            for (const file of files) assert.include(there, `100644 ${file}`)
            assert.isFalse(
              there.some((line) => line.startsWith("160000")),
              there.join("\n")
            )
          }
        })
      )
    )
  }

  it.scopedLive("rescues all but what git refuses to take, and does not clean the worktree then", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const place = yield* session.acquire(work(0))
        yield* sh(place.path, "echo odd > git~1; git init -q n0; echo h > n0/h; echo rest > rest")
        assert.include((yield* Effect.flip(session.collect(place, work(0), { autoCommit: true }))).detail, "git~1")
        assert.include((yield* Effect.flip(session.rescue(place, work(0)))).detail, "git~1")
        assert.deepStrictEqual(
          yield* lines(repo, `git diff --name-only ${place.base} refs/prodigy/rescue/${jobId}/item_0/1`),
          ["n0/h", "rest"]
        )
        yield* session.release(place)
        const { orphans } = yield* session.clean({ keepParent: true })
        assert.deepStrictEqual(
          orphans.map(({ path }) => path),
          [place.path]
        )
        assert.strictEqual(yield* sh(place.path, "cat git~1"), "odd")
      })
    )
  )

  it.scopedLive("merges no link to one that the agent committed, when nothing is to be committed for it", () =>
    inSession(({ session }) =>
      Effect.gen(function* () {
        const place = yield* session.acquire(work(0))
        yield* sh(place.path, `${repository("n")}; git add -A; git commit -qm n`)
        const error = yield* Effect.flip(session.collect(place, work(0), { autoCommit: false }))
        assert.include(error.detail, "n is a repository of its own, and was committed as a link to it")
      })
    )
  )

  it.scopedLive("merges no link to one that is gone", () =>
    inSession(({ session }) =>
      Effect.gen(function* () {
        const place = yield* session.acquire(work(0))
        yield* sh(place.path, `${repository("n")}; git add -A; git commit -qm n; rm -rf n; mkdir n`)
        const error = yield* Effect.flip(session.collect(place, work(0), { autoCommit: true }))
        assert.include(error.detail, "n links to a commit of a repository that is gone")
      })
    )
  )
})

describe("GitWorkspace: sparse checkouts", () => {
  it.scopedLive("collects and rescues files outside of what is checked out", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const place = yield* session.acquire(work(0))
          yield* sh(place.path, "test ! -e d2; mkdir d9; echo w > d9/new; echo in > d1/new; " + repository("d9/n"))
          const kept = yield* session.rescue(place, work(0))
          const { tip } = yield* session.collect(place, work(0), { autoCommit: true })
          for (const commit of [kept.uncommitted_changes, tip]) {
            assert.deepStrictEqual(yield* lines(repo, `git diff --name-status ${place.base} ${commit}`), [
              "A\td1/new",
              "A\td9/n/v",
              "A\td9/n/w",
              "A\td9/new"
            ])
          }
        }),
      { before: "git sparse-checkout set d1" }
    )
  )
})
