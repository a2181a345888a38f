import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { lines, makeRepository, open, sandbox, sh, layer, work } from "./GitSandbox.ts"

describe("GitWorkspace at scale", () => {
  it.scopedLive(
    "merges each of 200 items once, on at most 8 worktrees, and leaves nothing behind",
    () =>
      Effect.gen(function* () {
        const { home, repo } = yield* sandbox({ files: 1000 })
        const before = yield* sh(
          repo,
          "git status --porcelain=v2 --branch; find . -path ./.git -prune -o -type f -print | sort | xargs sha1sum"
        )
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
          yield* Effect.forEach(
            Array.from({ length: 200 }, (_, index) => index),
            item,
            { concurrency: 16, discard: true }
          )
          assert.isAtMost(most, 8)
          yield* session.syncParent
          yield* session.sealReduce({ autoCommit: true })
          assert.strictEqual(
            yield* sh(
              repo,
              "git status --porcelain=v2 --branch; find . -path ./.git -prune -o -type f -print | sort | xargs sha1sum"
            ),
            before
          )
          assert.deepStrictEqual(yield* session.preview, { target: "main", commits: 400, files: 200 })
          const finish = yield* session.finish({ approved: "yes" })
          assert.strictEqual(finish.outcome, "merged")
          const cleaned = yield* session.clean({ keepParent: false })
          assert.deepStrictEqual([cleaned.kept, cleaned.orphans], [[], []])
        })
        yield* Effect.scoped(Effect.provide(program, layer(home)))

        assert.strictEqual(yield* sh(repo, "git rev-list --merges --count main"), "200")
        assert.strictEqual(
          yield* sh(
            repo,
            "git log --merges --format='%(trailers:key=Prodigy-Item,valueonly,separator=)' main | sort -u | wc -l"
          ),
          "200"
        )
        assert.strictEqual(yield* sh(repo, "ls d1/item*.txt | wc -l; git status --porcelain"), "200")
        assert.strictEqual(yield* sh(repo, "git fsck --strict 2>&1 | grep -v dangling || true"), "")
        assert.deepStrictEqual(yield* lines(repo, "git for-each-ref --format='%(refname)'"), ["refs/heads/main"])
        assert.strictEqual((yield* lines(repo, "git worktree list")).length, 1)
        assert.deepStrictEqual(yield* lines(home, "find worktrees -mindepth 2 -not -name .metadata"), [])
      }),
    120_000
  )
})
void makeRepository
