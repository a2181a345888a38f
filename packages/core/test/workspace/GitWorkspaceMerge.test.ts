import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import type { SessionWorkspace } from "@prodigy/core/workspace/Workspace"
import { inSession, lines, sh, work } from "./GitSandbox.ts"

/** One item from start to collected: what its script leaves is its work. */
const collected = (session: SessionWorkspace, index: number, script: string) =>
  Effect.gen(function* () {
    const checkout = yield* session.acquire(work(index))
    yield* sh(checkout.path, script)
    const { branch, tip } = yield* session.collect(checkout, work(index), { autoCommit: true })
    yield* session.release(checkout)
    return { tip: tip ?? "", branch }
  })

describe("GitWorkspace: merging into the parent", () => {
  it.scopedLive("leaves the parent as it was on a conflict, names the paths and keeps the branch", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const [one, two] = yield* Effect.all(
          [
            collected(session, 0, "echo a > d1/f1.txt; echo a > d2/f2.txt"),
            collected(session, 1, "echo b > d1/f1.txt; rm d2/f2.txt")
          ],
          { concurrency: 2 }
        )
        yield* session.integrate(work(0), one.tip, one.branch)
        const tip = yield* session.tip
        const error = yield* Effect.flip(session.integrate(work(1), two.tip, two.branch))
        assert.deepInclude(error, {
          _tag: "MergeConflict",
          branch: two.branch,
          tip: two.tip,
          paths: ["d1/f1.txt", "d2/f2.txt"]
        })
        assert.strictEqual(yield* session.tip, tip)
        assert.strictEqual(yield* sh(repo, `git rev-parse ${two.branch}`), two.tip)
      })
    )
  )

  it.scopedLive("merges a tip exactly once, however often it is asked to", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const [one, two] = yield* Effect.all(
          [collected(session, 0, "echo a > a"), collected(session, 1, "echo b > b; git add b; git commit -qm b")],
          { concurrency: 2 }
        )
        const first = yield* session.integrate(work(0), one.tip, one.branch)
        const second = yield* session.integrate(work(1), two.tip, two.branch)
        assert.deepStrictEqual(yield* session.integrate(work(0), one.tip, one.branch), first)
        assert.deepStrictEqual(yield* session.integrate(work(1), two.tip, null), second)
        assert.strictEqual(yield* sh(repo, `git rev-list --merges --count ${session.parent.branch}`), "2")
        assert.deepStrictEqual(yield* lines(repo, "git branch --list '*agent*'"), [])
      })
    )
  )

  it.scopedLive("merges anew when somebody else moves the parent meanwhile", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const parent = session.parent.branch
        const mover = sh(
          repo,
          `for i in 1 2 3 4 5 6; do p=$(git rev-parse ${parent}); git update-ref refs/heads/${parent} $(git commit-tree -p $p -m moved $p^{tree}) $p || true; done`
        )
        const items = yield* Effect.forEach(
          [0, 1, 2, 3],
          (index) => collected(session, index, `echo ${index} > n${index}`),
          { concurrency: 2 }
        )
        yield* Effect.all(
          [
            mover,
            Effect.forEach(items, ({ branch, tip }, index) => session.integrate(work(index), tip, branch), {
              discard: true
            })
          ],
          { concurrency: 2 }
        )
        assert.strictEqual(yield* sh(repo, `git rev-list --merges --count ${parent}`), "4")
        assert.strictEqual((yield* lines(repo, `git ls-tree --name-only ${parent} n0 n1 n2 n3`)).length, 4)
      })
    )
  )

  it.scopedLive("leaves a branch that has moved on since it was collected", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const { branch, tip } = yield* collected(session, 0, "echo a > a")
        yield* sh(repo, `git update-ref refs/heads/${branch} $(git commit-tree -p ${tip} -m more ${tip}^{tree})`)
        yield* session.integrate(work(0), tip, branch)
        assert.strictEqual((yield* lines(repo, `git branch --list ${branch}`)).length, 1)
        const cleaned = yield* session.clean({ keepParent: true })
        assert.deepStrictEqual(cleaned.kept, [branch ?? ""])
      })
    )
  )

  it.scopedLive("tells of a tip that is gone", () =>
    inSession(({ session }) =>
      Effect.gen(function* () {
        const error = yield* Effect.flip(session.integrate(work(0), "0123456789012345678901234567890123456789", null))
        assert.deepInclude(error, { _tag: "WorkspaceError", reason: "checkout_damaged" })
      })
    )
  )

  it.scopedLive("reads what changed between two commits", () =>
    inSession(({ session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(
          checkout.path,
          "echo 'a\nb' > 'new ü'; echo x >> d1/f1.txt; rm d2/f2.txt; git mv d3/f3.txt moved; printf '\\0\\1' > bin; git add -A; git commit -qm one"
        )
        const head = yield* session.head(checkout)
        const changes = yield* session.changes(checkout, checkout.base, head)
        assert.deepStrictEqual(changes, {
          filesAdded: ["bin", "moved", "new ü"],
          filesModified: ["d1/f1.txt"],
          filesDeleted: ["d2/f2.txt", "d3/f3.txt"],
          commits: [head],
          insertions: 4,
          deletions: 2
        })
      })
    )
  )
})

describe("GitWorkspace: the parent worktree", () => {
  it.scopedLive("brings its files to the tip, leaving what setup left uncommitted", () =>
    inSession(({ session }) =>
      Effect.gen(function* () {
        const { path } = session.parent
        yield* sh(path, "echo items > items.json; echo local >> d3/f3.txt")
        yield* session.sealSetup({ autoCommit: false })
        const { branch, tip } = yield* collected(session, 0, "echo a > a; echo b > d1/f1.txt; rm d2/f2.txt")
        yield* session.integrate(work(0), tip, branch)
        yield* session.syncParent
        yield* session.syncParent
        assert.strictEqual(
          yield* sh(path, "cat a d1/f1.txt items.json; ls d2 2>/dev/null || echo none; git status --porcelain"),
          "a\nb\nitems\nnone\n M d3/f3.txt\n?? items.json"
        )
      })
    )
  )

  it.scopedLive("keeps uncommitted files on a rescue ref where merged ones take their place", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const { path } = session.parent
        yield* sh(path, "echo mine > taken; echo mine > d1/f1.txt; echo mine > free; echo mine >> d3/f3.txt")
        yield* session.sealSetup({ autoCommit: false })
        yield* sh(path, "echo newer > free")
        const { branch, tip } = yield* collected(session, 0, "echo theirs > taken; echo theirs > d1/f1.txt")
        yield* session.integrate(work(0), tip, branch)
        yield* session.syncParent
        assert.strictEqual(
          yield* sh(path, "cat taken d1/f1.txt free; git status --porcelain"),
          "theirs\ntheirs\nnewer\n M d3/f3.txt\n?? free"
        )
        const rescued = yield* lines(repo, "git for-each-ref --format='%(refname)' | grep +parent")
        assert.strictEqual(
          yield* sh(repo, `git show ${rescued[0]}:taken ${rescued[0]}:d1/f1.txt ${rescued[0]}:free`),
          "mine\nmine\nnewer"
        )
      })
    )
  )

  it.scopedLive("commits what reduce left, without what setup left, unless that was changed since", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const { branch, path } = session.parent
        yield* sh(
          path,
          "echo items > items.json; echo list > list.txt; echo local >> d3/f3.txt; echo early >> d4/f4.txt; rm d5/f5.txt"
        )
        yield* session.sealSetup({ autoCommit: false })
        yield* sh(path, "echo report > report.md; echo more >> list.txt; echo late >> d4/f4.txt")
        yield* session.sealReduce({ autoCommit: true })
        assert.deepStrictEqual(yield* lines(repo, `git diff --name-only main ${branch}`), [
          "d4/f4.txt",
          "list.txt",
          "report.md"
        ])
        assert.deepStrictEqual(yield* lines(path, "git status --porcelain"), [
          " M d3/f3.txt",
          " D d5/f5.txt",
          "?? items.json"
        ])
        yield* session.finish({ approved: "yes" })
        const cleaned = yield* session.clean({ keepParent: false })
        assert.strictEqual(cleaned.kept.length, 1)
        assert.strictEqual(yield* sh(repo, `git show ${cleaned.kept[0]}:items.json`), "items")
      })
    )
  )

  it.scopedLive("commits what setup left when it is told to", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        yield* sh(session.parent.path, "echo items > items.json")
        yield* session.sealSetup({ autoCommit: true })
        const checkout = yield* session.acquire(work(0))
        assert.strictEqual(yield* sh(checkout.path, "cat items.json"), "items")
        assert.strictEqual(
          yield* sh(repo, `git status --porcelain; git log -1 --format=%s ${session.parent.branch}`),
          "Prodigy: setup"
        )
      })
    )
  )

  it.scopedLive("keeps what reduce left on a rescue ref when it is not to be committed", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        yield* sh(session.parent.path, "echo report > report.md")
        yield* session.sealReduce({ autoCommit: false })
        assert.strictEqual(yield* session.tip, session.parent.base)
        const refs = yield* lines(repo, "git for-each-ref --format='%(refname)' refs/prodigy")
        assert.strictEqual(yield* sh(repo, `git show ${refs[0]}:report.md`), "report")
      })
    )
  )
})
