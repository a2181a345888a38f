import { assert, describe, it } from "@effect/vitest"
import type { Finish } from "@prodigy/core/domain/JobRecord"
import type { SessionWorkspace } from "@prodigy/core/workspace/Workspace"
import * as Effect from "effect/Effect"
import { failingAt, inSession, jobId, lines, open, sandbox, sh, layer, work } from "./GitSandbox.ts"

const branch = `prodigy-session-${jobId}`

/** A session whose result adds `added`, changes `d1/f1.txt` and deletes `d2/f2.txt`. */
const worked = (session: SessionWorkspace) =>
  Effect.gen(function* () {
    const checkout = yield* session.acquire(work(0))
    yield* sh(checkout.path, "echo added > added; echo changed > d1/f1.txt; rm -f d2/f2.txt")
    const { branch, tip } = yield* session.collect(checkout, work(0), { autoCommit: true })
    yield* session.release(checkout)
    yield* session.integrate(work(0), tip ?? "", branch)
  })

/** What `finish` does after `script` was run in the user's checkout. */
const after = (
  script: string,
  check: (context: {
    readonly finish: Finish
    readonly repo: string
    readonly session: SessionWorkspace
  }) => Effect.Effect<void>
) =>
  inSession(({ repo, session }) =>
    Effect.gen(function* () {
      yield* worked(session)
      yield* sh(repo, script)
      const state =
        "git status --porcelain=v2 --ignored; git for-each-ref refs/heads; cat added d1/f1.txt x.log local 2>/dev/null || true"
      const before = yield* sh(repo, state)
      const finish = yield* Effect.orDie(session.finish({ approved: "yes" }))
      if (finish.outcome === "waiting") assert.strictEqual(yield* sh(repo, state), before)
      yield* check({ finish, repo, session })
    })
  )

const waits =
  (
    reason: Extract<Finish, { outcome: "waiting" }>["reason"],
    paths: ReadonlyArray<string>,
    command?: (repo: string) => string
  ) =>
  ({ finish, repo }: { readonly finish: Finish; readonly repo: string }) =>
    Effect.sync(() => {
      assert.deepInclude(finish, { outcome: "waiting", reason, paths: [...paths] })
      if (finish.outcome === "waiting") {
        assert.strictEqual(finish.command, command?.(repo) ?? `git -C ${repo} merge ${branch}`)
      }
    })

describe("GitWorkspace: finish", () => {
  it.scopedLive("fast-forwards a target that has not moved, files and ref", () =>
    after("echo mine > local", ({ finish, repo, session }) =>
      Effect.gen(function* () {
        assert.deepInclude(finish, { outcome: "merged", target: "main", commit: yield* sh(repo, "git rev-parse main") })
        assert.strictEqual(
          yield* sh(repo, "cat added d1/f1.txt local; git status --porcelain"),
          "added\nchanged\nmine\n?? local"
        )
        // Asked again after a crash, it says the same.
        assert.deepInclude(yield* Effect.orDie(session.finish({ approved: "yes" })), { outcome: "merged" })
        const cleaned = yield* Effect.orDie(session.clean({ keepParent: false }))
        assert.deepInclude(cleaned, { kept: [], orphans: [], removedBranches: [branch] })
      })
    )
  )
  it.scopedLive("makes a merge commit on a target that has moved", () =>
    after("echo other > other; git add other; git commit -qm other", ({ finish, repo }) =>
      Effect.gen(function* () {
        assert.strictEqual(finish.outcome, "merged")
        assert.strictEqual(
          yield* sh(repo, "cat added other; git status --porcelain; git log -1 --format=%s"),
          `added\nother\nMerge ${branch} into main`
        )
      })
    )
  )
  it.scopedLive("waits on a conflict with the target, changing nothing", () =>
    after("echo other > d1/f1.txt; git commit -qam other", waits("conflict", ["d1/f1.txt"]))
  )
  it.scopedLive("waits when a changed file would be overwritten", () =>
    after("echo mine > d1/f1.txt; echo mine > local", waits("dirty_target", ["d1/f1.txt"]))
  )
  it.scopedLive("waits when a staged file would be overwritten", () =>
    after("echo mine > d2/f2.txt; git add d2/f2.txt", waits("dirty_target", ["d2/f2.txt"]))
  )
  it.scopedLive("waits when an untracked file would be overwritten", () =>
    after("echo mine > added", waits("dirty_target", ["added"]))
  )
  it.scopedLive("waits when an ignored file would be overwritten", () =>
    after("echo added > .git/info/exclude; echo mine > added", waits("dirty_target", ["added"]))
  )
  it.scopedLive("waits when an untracked directory is in the way", () =>
    after("mkdir added; echo mine > added/x", waits("dirty_target", ["added"]))
  )
  it.scopedLive("merges past changed files that the merge does not touch", () =>
    after("echo mine >> d3/f3.txt", ({ finish, repo }) =>
      Effect.gen(function* () {
        assert.strictEqual(finish.outcome, "merged")
        assert.strictEqual(yield* sh(repo, "git status --porcelain"), " M d3/f3.txt")
      })
    )
  )
  it.scopedLive("waits for a git process that has the user's index for a moment", () =>
    after("touch .git/index.lock; (sleep 0.3; rm .git/index.lock) >/dev/null 2>&1 &", ({ finish, repo }) =>
      Effect.gen(function* () {
        assert.strictEqual(finish.outcome, "merged")
        assert.strictEqual(yield* sh(repo, "cat added; git status --porcelain"), "added")
      })
    )
  )
  it.scopedLive("moves the ref of a target that is checked out nowhere", () =>
    after("git checkout -q --detach", ({ finish, repo }) =>
      Effect.gen(function* () {
        assert.strictEqual(finish.outcome, "merged")
        assert.strictEqual(
          yield* sh(repo, "git show main:added; git status --porcelain; git reflog main | wc -l"),
          "added\n2"
        )
      })
    )
  )
  it.scopedLive("takes the same care of another worktree where the target is checked out", () =>
    after(
      "git checkout -q --detach; git worktree add -q '../it s' main; echo mine > '../it s/added'",
      ({ finish, repo, session }) =>
        Effect.gen(function* () {
          assert.deepInclude(finish, {
            outcome: "waiting",
            paths: ["added"],
            command: `git -C '${repo.replace("project", "it s")}' merge ${branch}`
          })
          yield* sh(repo, "rm '../it s/added'")
          assert.strictEqual((yield* Effect.orDie(session.finish({ approved: "yes" }))).outcome, "merged")
          assert.strictEqual(yield* sh(repo, "cat '../it s/added'; git -C '../it s' status --porcelain"), "added")
        })
    )
  )
  it.scopedLive("waits while the target is being rebased", () =>
    after(
      "git checkout -q --detach; echo c > d3/f3.txt; git commit -qam c; C=$(git rev-parse HEAD); git checkout -q main; echo d > d3/f3.txt; git commit -qam d; git rebase $C || true",
      ({ finish }) => Effect.sync(() => assert.deepInclude(finish, { outcome: "waiting", reason: "dirty_target" }))
    )
  )
  it.scopedLive("waits when the target is gone", () =>
    after(
      "git checkout -q -b other; git branch -qD main",
      waits("no_target_branch", [], (repo) => `git -C ${repo} switch main && git -C ${repo} merge ${branch}`)
    )
  )

  it.scopedLive("changes nothing without approval, and says what to type", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        yield* worked(session)
        for (const approved of ["declined", "not_asked"] as const) {
          const finish = yield* session.finish({ approved })
          assert.deepInclude(finish, {
            outcome: "waiting",
            reason: approved,
            command: `git -C ${repo} merge ${branch}`
          })
        }
        assert.strictEqual(yield* sh(repo, "git rev-parse main"), session.parent.base)
        const cleaned = yield* session.clean({ keepParent: false })
        assert.deepInclude(cleaned, { kept: [branch] })
        yield* sh(repo, `git merge -q ${branch}; cat added`)
      })
    )
  )

  it.scopedLive("has no target on a detached HEAD", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      yield* sh(repo, "git checkout -q --detach")
      const finish = yield* Effect.scoped(
        Effect.provide(
          Effect.flatMap(open({ repo }), (session) =>
            Effect.zipRight(worked(session), session.finish({ approved: "yes" }))
          ),
          layer(home)
        )
      )
      assert.deepInclude(finish, { outcome: "waiting", reason: "no_target_branch", target: null })
    })
  )

  it.scopedLive("says that there is nothing to merge", () =>
    inSession(({ session }) =>
      Effect.gen(function* () {
        assert.deepStrictEqual(yield* session.finish({ approved: "not_asked" }), {
          outcome: "nothing_to_merge",
          target: "main"
        })
      })
    )
  )
})

describe("GitWorkspace: clean and open again", () => {
  it.scopedLive("keeps and lists what is neither merged nor committed", () =>
    inSession(
      ({ home, repo, session }) =>
        Effect.gen(function* () {
          const failed = yield* session.acquire(work(0))
          yield* sh(failed.path, "echo c > c; git add c; git commit -qm c; echo u > u")
          const busy = yield* session.acquire(work(1))
          yield* sh(busy.path, "echo b > b")
          yield* session.rescue(failed, work(0))
          yield* session.release(failed)
          yield* sh(session.parent.path, "echo p > p")
          const cleaned = yield* session.clean({ keepParent: false })
          assert.strictEqual(cleaned.removedWorktrees.length, 3)
          assert.deepStrictEqual(cleaned.orphans, [])
          const contents = yield* Effect.forEach(cleaned.kept, (ref) =>
            sh(repo, `git ls-tree --name-only ${ref} c u b p | tr '\\n' ' '`)
          )
          assert.deepStrictEqual(contents.toSorted(), ["b ", "c ", "c u ", "p "])
          assert.deepStrictEqual(yield* lines(home, "find worktrees -mindepth 2 -not -name .metadata"), [])
          assert.strictEqual((yield* lines(repo, "git worktree list")).length, 1)
        }),
      { maxParallel: 2 }
    )
  )

  it.scopedLive("keeps what it cannot list, and does not fail for it", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      yield* Effect.gen(function* () {
        const session = yield* open({ repo })
        yield* worked(session)
        assert.strictEqual((yield* session.finish({ approved: "yes" })).outcome, "merged")
        const cleaned = yield* session.clean({ keepParent: false })
        assert.deepInclude(cleaned, { removedBranches: [], kept: [branch], orphans: [] })
        assert.strictEqual(cleaned.removedWorktrees.length, 2)
      }).pipe(Effect.scoped, Effect.provide(layer(home, failingAt("for-each-ref"))))
      assert.deepStrictEqual(yield* lines(repo, "git branch --format='%(refname:short)'"), ["main", branch])
    })
  )

  it.scopedLive("takes a session up again and rescues what a dead process left in its worktrees", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      const inProcess = <A, E>(use: (session: SessionWorkspace) => Effect.Effect<A, E>) =>
        Effect.scoped(Effect.provide(Effect.flatMap(open({ repo, maxParallel: 3 }), use), layer(home)))
      const done = yield* inProcess((session) =>
        Effect.gen(function* () {
          yield* sh(session.parent.path, "echo s > setup.json")
          yield* session.sealSetup({ autoCommit: false })
          const one = yield* session.acquire(work(0))
          yield* sh(one.path, "echo one > one")
          const collected = yield* session.collect(one, work(0), { autoCommit: true })
          const two = yield* session.acquire(work(1))
          yield* sh(two.path, "echo two > two; git add two; git commit -qm two; echo more > more")
          const three = yield* session.acquire(work(2))
          yield* sh(three.path, "echo three > three; rm .git")
          return collected
        })
      )
      yield* inProcess((session) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* lines(home, "ls worktrees/project | grep agent || true"), [])
          assert.strictEqual(yield* sh(session.parent.path, "cat setup.json"), "s")
          assert.strictEqual(yield* sh(repo, `git show refs/prodigy/rescue/${jobId}/item_1/1:more`), "more")
          assert.strictEqual(yield* sh(repo, `git show prodigy-${jobId}_agent_1:two`), "two")
          assert.strictEqual(yield* sh(repo, `git show refs/prodigy/rescue/${jobId}/item_2/1:three`), "three")
          yield* session.integrate(work(0), done.tip ?? "", done.branch)
          // The same attempt once more does not overwrite the branch of the first.
          const again = yield* session.acquire(work(1))
          assert.strictEqual(yield* sh(again.path, "ls two 2>/dev/null || echo none"), "none")
          assert.strictEqual(
            (yield* lines(repo, `git for-each-ref refs/prodigy/rescue | grep -- '-branch-'`)).length,
            1
          )
          yield* session.release(again)
          yield* session.syncParent
          yield* session.finish({ approved: "yes" })
          const cleaned = yield* session.clean({ keepParent: false })
          assert.deepStrictEqual(cleaned.orphans, [])
        })
      )
      assert.strictEqual(yield* sh(repo, "cat one; git rev-list --merges --count main"), "one\n1")
    })
  )

  it.scopedLive("finds nothing to rescue in a worktree that a dead process had not handed out yet", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox({ files: 20 })
      // What a process leaves that is killed while it fills a worktree.
      yield* open({ repo, maxParallel: 2 }).pipe(
        Effect.flatMap((session) => Effect.flip(session.acquire(work(0)))),
        Effect.scoped,
        Effect.provide(layer(home, failingAt("read-tree")))
      )
      yield* sh(home, "cd worktrees/project/*agent*; mkdir d1; echo half > d1/f1.txt")
      yield* open({ repo, maxParallel: 2 }).pipe(
        Effect.flatMap((session) =>
          Effect.gen(function* () {
            assert.deepStrictEqual(yield* lines(repo, "git for-each-ref refs/prodigy; git branch --list '*agent*'"), [])
            const checkout = yield* session.acquire(work(0))
            assert.strictEqual(yield* sh(checkout.path, "git status --porcelain --ignored"), "")
            yield* session.release(checkout)
            assert.deepStrictEqual((yield* session.clean({ keepParent: false })).orphans, [])
          })
        ),
        Effect.scoped,
        Effect.provide(layer(home))
      )
      assert.strictEqual(yield* sh(repo, "git worktree list | wc -l"), "1")
    })
  )

  it.scopedLive("leaves a dead process's worktree alone when the repository knows nothing of it any more", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      const inProcess = <A, E>(use: (session: SessionWorkspace) => Effect.Effect<A, E>) =>
        Effect.scoped(Effect.provide(Effect.flatMap(open({ repo, maxParallel: 2 }), use), layer(home)))
      const path = yield* inProcess((session) =>
        Effect.gen(function* () {
          const checkout = yield* session.acquire(work(0))
          yield* sh(checkout.path, `echo w > w; rm .git; git -C ${repo} worktree prune`)
          return checkout.path
        })
      )
      yield* inProcess((session) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* sh(path, "cat w"), "w")
          yield* session.release(yield* session.acquire(work(1)))
          const cleaned = yield* session.clean({ keepParent: true })
          assert.deepStrictEqual(
            cleaned.orphans.map((orphan) => orphan.path),
            [path]
          )
        })
      )
    })
  )

  it.scopedLive("makes the parent worktree anew when it was removed or is not whole", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      const inProcess = <A, E>(use: (session: SessionWorkspace) => Effect.Effect<A, E>) =>
        Effect.scoped(Effect.provide(Effect.flatMap(open({ repo }), use), layer(home)))
      for (const damage of ["rm -rf $P", "rm -rf $P; git worktree prune", "rm $P/.git", "rm -rf .git/worktrees"]) {
        const path = yield* inProcess((session) => Effect.as(Effect.either(worked(session)), session.parent.path))
        yield* sh(repo, `P='${path}'; ${damage}`)
        yield* inProcess((session) =>
          Effect.gen(function* () {
            assert.strictEqual(
              yield* sh(session.parent.path, "cat added; git branch --show-current; git status --porcelain"),
              `added\n${branch}`
            )
          })
        )
      }
    })
  )
})
