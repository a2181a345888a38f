import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { lines, makeRepository, open, sandbox, sh, layer, work } from "./GitSandbox.ts"

const indexes = (count: number) => Array.from({ length: count }, (_, index) => index)

/** All that the user can see of the repository's checkout. */
const view = (repo: string) =>
  sh(
    repo,
    "git status --porcelain=v2 --branch; find . -path ./.git -prune -o -type f -print | sort | xargs sha1sum; sha1sum .git/index .git/config"
  )

describe("GitWorkspace at scale", () => {
  it.scopedLive(
    "merges each of 200 items once, on at most 8 worktrees, and leaves nothing behind",
    () =>
      Effect.gen(function* () {
        const { home, repo } = yield* sandbox({ files: 1000 })
        const before = yield* view(repo)
        const program = Effect.gen(function* () {
          const session = yield* open({ repo, maxParallel: 8 })
          let most = 0
          const item = Effect.fnUntraced(function* (index: number) {
            const checkout = yield* session.acquire(work(index))
            most = Math.max(most, (yield* lines(home, "ls worktrees/project | grep mapreduce-agent")).length)
            yield* sh(checkout.path, `echo changed > d1/item${index}.txt; echo noise > noise.log`)
            const collected = yield* session.collect(checkout, work(index), { autoCommit: true })
            assert.strictEqual(collected.commits, 1)
            yield* session.release(checkout)
            yield* session.integrate(work(index), collected.tip ?? "", collected.branch)
          })
          yield* Effect.forEach(indexes(200), item, { concurrency: 16, discard: true })
          assert.isAtMost(most, 8)
          yield* session.syncParent
          yield* session.sealReduce({ autoCommit: true })
          assert.strictEqual(yield* view(repo), before)
          assert.deepStrictEqual(yield* session.preview, { target: "main", commits: 400, files: 200 })
          assert.strictEqual((yield* session.finish({ approved: "yes" })).outcome, "merged")
          const cleaned = yield* session.clean({ keepParent: false })
          assert.deepStrictEqual([cleaned.kept, cleaned.orphans], [[], []])
        })
        yield* Effect.scoped(Effect.provide(program, layer(home)))

        assert.strictEqual(yield* sh(repo, "git rev-list --merges --count main"), "200")
        const items = yield* lines(repo, "git log --merges --format='%(trailers:key=Prodigy-Item,valueonly)' main")
        assert.strictEqual(new Set(items).size, 200)
        assert.strictEqual(yield* sh(repo, "ls d1/item*.txt | wc -l; git status --porcelain"), "200")
        assert.strictEqual(yield* sh(repo, "git fsck --strict 2>&1 | grep -v dangling || true"), "")
        assert.deepStrictEqual(yield* lines(repo, "git for-each-ref --format='%(refname)'"), ["refs/heads/main"])
        assert.strictEqual((yield* lines(repo, "git worktree list")).length, 1)
        assert.deepStrictEqual(yield* lines(home, "find worktrees -mindepth 2 -not -name .metadata"), [])
      }),
    180_000
  )

  it.scopedLive(
    "has no trouble with locks when two repositories make 25 worktrees each at once, beside another process",
    () =>
      Effect.gen(function* () {
        const { directory, home } = yield* sandbox()
        const repos = [`${directory}/a/same`, `${directory}/b/same`]
        yield* Effect.forEach(repos, (repo) => makeRepository(repo, 10))
        const job = (repo: string, number: number) =>
          Effect.gen(function* () {
            const session = yield* open({ repo, maxParallel: 25, name: `same-${number}` })
            const item = Effect.fnUntraced(function* (index: number) {
              const checkout = yield* session.acquire(work(index))
              yield* sh(checkout.path, `echo ${index} > item${index}; git add -A; git commit -qm mine`)
              const { branch, tip } = yield* session.collect(checkout, work(index), { autoCommit: true })
              yield* session.integrate(work(index), tip ?? "", branch)
              return checkout
            })
            const checkouts = yield* Effect.forEach(indexes(25), item, { concurrency: 25 })
            assert.strictEqual(new Set(checkouts.map(({ path }) => path)).size, 25)
            yield* Effect.forEach(checkouts, session.release, { discard: true })
            assert.strictEqual(yield* sh(repo, `git rev-list --merges --count ${session.parent.branch}`), "25")
            assert.deepStrictEqual((yield* session.clean({ keepParent: false })).orphans, [])
          })
        // What a person, or another run, may do in the repository at the same time.
        const others = repos.map((repo) =>
          sh(
            repo,
            "for i in 1 2 3 4 5 6; do git worktree add -q -b o$i ../o$i || true; git pack-refs --all || true; git worktree remove -f ../o$i || true; done"
          )
        )
        yield* Effect.all([...repos.map((repo, number) => Effect.scoped(job(repo, number))), ...others], {
          concurrency: "unbounded",
          discard: true
        }).pipe(Effect.provide(layer(home)))
      }),
    180_000
  )
})
