/**
 * Every window between an effect on git and its record: what a killed process leaves is made on real git, and the next
 * process goes on from it, exactly once.
 */
import { assert, describe, it } from "@effect/vitest"
import { RepoName } from "@prodigy/core/domain/RepoName"
import { SessionId } from "@prodigy/core/domain/SessionId"
import { GitProcess } from "@prodigy/core/workspace/Git"
import { type SessionWorkspace, Workspace } from "@prodigy/core/workspace/Workspace"
import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Layer from "effect/Layer"
import { isolated, jobId, layer, lines, open, sandbox, sh, work } from "./GitSandbox.ts"

const branch = `prodigy-session-${jobId}`
const slotName = (number: number) => `mapreduce-agent-${jobId}_${number}`

/** Processes of one session after the other. Each ends without cleaning up, as when it is killed. */
const processes = Effect.gen(function* () {
  const { home, repo } = yield* sandbox({ files: 3 })
  return {
    repo,
    worktrees: `${home}/worktrees/project`,
    next: <A, E>(use: (session: SessionWorkspace) => Effect.Effect<A, E>) =>
      Effect.scoped(Effect.provide(Effect.flatMap(open({ repo, maxParallel: 2 }), use), layer(home)))
  }
})

/** Does an item, as far as its commit on the agent's branch. */
const done = (session: SessionWorkspace, index: number, attempt = 1) =>
  Effect.gen(function* () {
    const item = work(index, { attempt })
    const checkout = yield* session.acquire(item)
    yield* sh(checkout.path, `echo ${index} > made-${index}`)
    return { checkout, item, ...(yield* session.collect(checkout, item, { autoCommit: true })) }
  })

const merge = (session: SessionWorkspace, index: number, attempt = 1) =>
  Effect.gen(function* () {
    const { branch, checkout, item, tip } = yield* done(session, index, attempt)
    yield* session.release(checkout)
    return { item, tip: tip ?? "", branch, ...(yield* session.integrate(item, tip ?? "", branch)) }
  })

const nothingLeft = (repo: string, worktrees: string) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* lines(worktrees, "ls -A . .metadata | grep -v : | grep -v '^.metadata$' || true"), [])
    assert.deepStrictEqual(
      yield* lines(repo, "git worktree list | tail -n +2; ls .git/worktrees 2>/dev/null || true"),
      []
    )
    assert.deepStrictEqual(yield* lines(repo, "find .git -name '*.lock'; git fsck --full --no-dangling 2>&1"), [])
    assert.deepStrictEqual(yield* lines(repo, "git branch --list 'prodigy*'"), [])
  })

describe("GitWorkspace after a crash", () => {
  const halves: ReadonlyArray<readonly [name: string, script: string]> = [
    ["a directory only", "mkdir $W/$S"],
    ["a directory with its link only", "mkdir $W/$S; echo gitdir: $G/worktrees/$S > $W/$S/.git"],
    ["git's entry only", "git worktree add -q --detach $W/$S; rm -r $W/$S"],
    [
      "git's entry as it is while git makes it",
      "mkdir -p $W/$S $G/worktrees/$S; echo initializing > $G/worktrees/$S/locked; echo $W/$S/.git > $G/worktrees/$S/gitdir"
    ],
    ["git's entry before it says where", "mkdir -p $G/worktrees/$S; echo initializing > $G/worktrees/$S/locked"],
    [
      "git's entry in the middle of being removed",
      "git worktree add -q --detach $W/$S; rm -r $W/$S $G/worktrees/$S/commondir"
    ],
    [
      "a locked worktree without files",
      "git worktree add -q --no-checkout --detach $W/$S; echo initializing > $G/worktrees/$S/locked"
    ],
    ["our record only", "echo '{}' > $W/.metadata/$S.json"],
    ["half of our record", "echo '{' > $W/.metadata/$S.json.tmp; touch $W/.metadata/$S.index.lock"],
    [
      "a worktree whose git was killed in the middle of a checkout",
      "git worktree add -q --detach $W/$S; touch $G/worktrees/$S/index.lock $G/worktrees/$S/HEAD.lock"
    ]
  ]
  it.scopedLive.each(halves)("takes away what is there of a worktree: %s", ([, script]) =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      yield* next(() => Effect.void)
      yield* sh(repo, `W='${worktrees}'; G='${repo}/.git'; S=${slotName(1)}; ${script}`)
      yield* next((session) =>
        Effect.gen(function* () {
          assert.deepStrictEqual(yield* lines(worktrees, "ls -A . .metadata | grep mapreduce-agent || true"), [])
          yield* merge(session, 0)
          yield* merge(session, 1)
          yield* session.finish({ approved: "yes" })
          assert.deepStrictEqual((yield* session.clean({ keepParent: false })).orphans, [])
        })
      )
      assert.strictEqual(yield* sh(repo, "cat made-0 made-1; git rev-list --merges --count main"), "0\n1\n2")
      yield* nothingLeft(repo, worktrees)
    })
  )

  const lengths = [0, 40]
  it.scopedLive.each(lengths)("keeps the work of an attempt whose index a crash cut to %i bytes", (bytes) =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      yield* next((session) =>
        Effect.gen(function* () {
          const checkout = yield* session.acquire(work(0))
          yield* sh(checkout.path, "echo half > half-made")
        })
      )
      yield* sh(repo, `truncate -s ${bytes} .git/worktrees/${slotName(0)}/index`)
      yield* next((session) =>
        Effect.gen(function* () {
          assert.strictEqual(yield* sh(repo, `git show refs/prodigy/rescue/${jobId}/item_0/1:half-made`), "half")
          yield* merge(session, 0, 2)
          yield* session.finish({ approved: "yes" })
          assert.deepStrictEqual((yield* session.clean({ keepParent: false })).orphans, [])
        })
      )
      yield* nothingLeft(repo, worktrees)
    })
  )

  it.scopedLive("keeps nothing aside of a worktree that was removed and made again, as its branch has all of it", () =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      yield* next((session) => merge(session, 0))
      yield* sh("/", `rm -r '${worktrees}/session-${jobId}'`)
      const cleaned = yield* next((session) => session.clean({ keepParent: false }))
      assert.deepStrictEqual(cleaned.kept, [branch])
      assert.deepStrictEqual(yield* lines(repo, "git for-each-ref refs/prodigy"), [])
    })
  )

  it.scopedLive("ends its processes with the scope of a session, whatever scope the layer was built in", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      let running = 0
      const counted = Layer.map(isolated, (context) => {
        const processes = Context.get(context, GitProcess)
        const count = (by: number) => Effect.sync(() => void (running += by))
        return Context.make(GitProcess, {
          ...processes,
          dialogue: (request) =>
            Effect.zipRight(
              Effect.acquireRelease(count(1), () => count(-1)),
              processes.dialogue(request)
            )
        })
      })
      const context = yield* Layer.build(layer(home, counted))
      const opened = yield* Effect.scoped(
        Effect.provide(
          Effect.map(open({ repo }), () => running),
          context
        )
      )
      assert.deepStrictEqual([opened, running], [3, 0])
    })
  )

  const parents: ReadonlyArray<readonly [name: string, script: string]> = [
    ["git's entry as it is while git makes it", "mkdir -p $G/worktrees/$S; echo $W/$S/.git > $G/worktrees/$S/gitdir"],
    ["git's entry before it says where", "mkdir -p $G/worktrees/$S; echo initializing > $G/worktrees/$S/locked"],
    ["a worktree that is not on its branch yet", "git worktree add -q --no-checkout --detach $W/$S"],
    ["a branch without a worktree", `git branch ${branch}`],
    ["a worktree without its record", `git worktree add -q -b ${branch} $W/$S`]
  ]
  it.scopedLive.each(parents)("makes the session's worktree out of what is there of it: %s", ([, script]) =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      yield* sh(repo, `W='${worktrees}'; G='${repo}/.git'; S=session-${jobId}; mkdir -p $W; ${script}`)
      yield* next((session) =>
        Effect.gen(function* () {
          assert.strictEqual(
            yield* sh(session.parent.path, "git branch --show-current; git status --porcelain"),
            branch
          )
          yield* merge(session, 0)
          yield* session.finish({ approved: "yes" })
          assert.deepStrictEqual((yield* session.clean({ keepParent: false })).orphans, [])
        })
      )
      yield* nothingLeft(repo, worktrees)
    })
  )

  it.scopedLive("goes on after an attempt that was done and not recorded: as the next attempt, merged once", () =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      yield* next((session) => done(session, 0))
      yield* next((session) =>
        Effect.gen(function* () {
          yield* merge(session, 0, 2)
          yield* session.finish({ approved: "yes" })
          assert.deepStrictEqual((yield* session.clean({ keepParent: false })).orphans, [])
        })
      )
      assert.strictEqual(yield* sh(repo, "cat made-0; git rev-list --merges --count main"), "0\n1")
      // The first attempt's commit is nobody's to throw away.
      assert.strictEqual(yield* sh(repo, `git branch --list 'prodigy*' | tr -d ' *'`), `prodigy-${jobId}_agent_0`)
      assert.deepStrictEqual(yield* lines(worktrees, "ls"), [])
    })
  )

  it.scopedLive("merges what was recorded and not merged, and finds a merge that was not recorded", () =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      const recorded = yield* next((session) => done(session, 0))
      const first = yield* next((session) => session.integrate(recorded.item, recorded.tip ?? "", recorded.branch))
      yield* next((session) =>
        Effect.gen(function* () {
          const again = yield* session.integrate(recorded.item, recorded.tip ?? "", recorded.branch)
          assert.deepStrictEqual(again, first)
          yield* session.finish({ approved: "yes" })
          yield* session.clean({ keepParent: false })
        })
      )
      assert.strictEqual(yield* sh(repo, "cat made-0; git rev-list --merges --count main"), "0\n1")
      yield* nothingLeft(repo, worktrees)
    })
  )

  it.scopedLive("says merged, and where, when the final merge was made and not recorded", () =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      const finished = yield* next((session) => Effect.zipRight(merge(session, 0), session.finish({ approved: "yes" })))
      assert.strictEqual(finished.outcome, "merged")
      // Also when the user has gone on meanwhile, and without being asked again.
      yield* sh(repo, "echo more > more; git add more; git commit -qm more")
      yield* next((session) =>
        Effect.gen(function* () {
          yield* session.syncParent
          yield* session.sealReduce({ autoCommit: true })
          assert.deepStrictEqual(yield* session.finish({ approved: "not_asked" }), finished)
          yield* session.clean({ keepParent: false })
        })
      )
      assert.strictEqual(yield* sh(repo, "cat made-0 more; git rev-list --count main"), "0\nmore\n4")
      yield* nothingLeft(repo, worktrees)
    })
  )

  it.scopedLive("removes the locks that a killed git has left on its own refs and worktree, and no other", () =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      const recorded = yield* next((session) => done(session, 0))
      yield* sh(
        repo,
        `mkdir -p .git/refs/prodigy/rescue/${jobId}/item_1; cd .git
        touch refs/heads/${branch}.lock refs/heads/prodigy-${jobId}_agent_0.lock refs/prodigy/rescue/${jobId}/item_1/1.lock
        touch worktrees/session-${jobId}/index.lock worktrees/session-${jobId}/HEAD.lock
        touch index.lock refs/heads/main.lock refs/heads/prodigy-session-other.lock`
      )
      yield* next((session) =>
        Effect.gen(function* () {
          assert.deepStrictEqual((yield* lines(repo, "cd .git; find . -name '*.lock'")).toSorted(), [
            "./index.lock",
            "./refs/heads/main.lock",
            "./refs/heads/prodigy-session-other.lock"
          ])
          yield* sh(repo, "find .git -name '*.lock' -delete")
          yield* session.integrate(recorded.item, recorded.tip ?? "", recorded.branch)
          yield* session.syncParent
          assert.strictEqual(yield* sh(session.parent.path, "cat made-0; git status --porcelain"), "0")
          yield* session.finish({ approved: "yes" })
          yield* session.clean({ keepParent: false })
        })
      )
      yield* nothingLeft(repo, worktrees)
    })
  )

  it.scopedLive("brings the session's files up to date when that was cut short", () =>
    Effect.gen(function* () {
      const { next } = yield* processes
      const path = yield* next((session) => Effect.as(merge(session, 0), session.parent.path))
      // Some files are written, the index is not.
      yield* sh(path, "echo 0 > made-0")
      yield* next((session) =>
        Effect.gen(function* () {
          yield* session.syncParent
          assert.strictEqual(yield* sh(session.parent.path, "cat made-0; git status --porcelain"), "0")
        })
      )
    })
  )

  it.scopedLive("seals setup once when that was done and not recorded", () =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      const tips = [] as Array<string>
      for (let process = 0; process < 2; process++) {
        yield* next((session) =>
          Effect.gen(function* () {
            yield* sh(session.parent.path, "echo s > setup.txt")
            yield* session.sealSetup({ autoCommit: true })
            tips.push(yield* session.tip)
          })
        )
      }
      assert.strictEqual(tips[0], tips[1])
      yield* next((session) =>
        Effect.zipRight(session.finish({ approved: "yes" }), session.clean({ keepParent: false }))
      )
      assert.strictEqual(yield* sh(repo, "cat setup.txt; git rev-list --count main"), "s\n2")
      yield* nothingLeft(repo, worktrees)
    })
  )

  it.scopedLive("is not hurt by what a killed git has half written among the objects", () =>
    Effect.gen(function* () {
      const { next, repo, worktrees } = yield* processes
      yield* next((session) => merge(session, 0))
      yield* sh(
        repo,
        "mkdir -p .git/objects/pack .git/objects/aa; printf PACK > .git/objects/pack/tmp_pack_x1; printf x > .git/objects/aa/tmp_obj_x1"
      )
      yield* next((session) =>
        Effect.gen(function* () {
          yield* merge(session, 1)
          yield* session.finish({ approved: "yes" })
          yield* session.clean({ keepParent: false })
        })
      )
      assert.strictEqual(yield* sh(repo, "cat made-0 made-1"), "0\n1")
      yield* nothingLeft(repo, worktrees)
    })
  )

  it.scopedLive("makes up no branch for a session whose work is recorded, whatever branches the user has", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      yield* sh(repo, "git branch null")
      const opened = Effect.gen(function* () {
        const workspace = yield* Workspace
        const project = yield* workspace.find(repo)
        return yield* workspace.open({
          project,
          repo: RepoName.make("project"),
          sessionId: SessionId.make("session-workflow-20260102_030405"),
          jobId: null,
          base: project.head,
          target: null,
          recorded: { commit: null, whole: true },
          maxParallel: 1
        })
      })
      const outcome = yield* opened.pipe(
        Effect.match({ onFailure: ({ reason }) => reason, onSuccess: ({ parent }) => `opened ${parent.branch}` }),
        Effect.scoped,
        Effect.provide(layer(home))
      )
      assert.strictEqual(outcome, "checkout_damaged")
      assert.strictEqual(yield* sh(repo, "git branch --list 'prodigy*'"), "")
    })
  )
})
