import { assert, describe, it } from "@effect/vitest"
import * as Duration from "effect/Duration"
import * as Effect from "effect/Effect"
import * as Equal from "effect/Equal"
import * as Fiber from "effect/Fiber"
import * as FiberId from "effect/FiberId"
import * as FiberStatus from "effect/FiberStatus"
import { existsSync, watch } from "node:fs"
import { dirname } from "node:path"
import { failingAt, inSession, jobId, layer, lines, open, sandbox, sh, work } from "./GitSandbox.ts"

/** Everything that can be seen of a worktree: files with modes and contents, directories, index, flags, state. */
const portrait = (path: string) =>
  sh(
    path,
    `find . -path ./.git -prune -o -printf '%y %m %p %l\\n' | sort
    find . -type f -not -path './.git*' -print0 | sort -z | xargs -0 sha1sum
    git ls-files -s; git ls-files -v | cut -c1 | sort -u; git status --porcelain=v2 --ignored
    ls "$(git rev-parse --git-dir)" | sort | grep -v ORIG_HEAD; git config --get core.sparseCheckout || true`
  )

/** Waits until a file is there. */
const appears = (path: string): Effect.Effect<void> =>
  Effect.async((resume) => {
    const watcher = watch(dirname(path), () => check())
    const check = () => {
      if (!existsSync(path)) return
      watcher.close()
      resume(Effect.void)
    }
    check()
  })

/** Waits until a fiber waits for another one, which no call of git's is. */
const waitsForAnother = (fiber: Fiber.RuntimeFiber<unknown, unknown>) =>
  Effect.repeat(Effect.zipRight(Effect.yieldNow(), Fiber.status(fiber)), {
    until: (status) => FiberStatus.isSuspended(status) && !Equal.equals(status.blockingOn, FiberId.none)
  })

const messes: Readonly<Record<string, string>> = {
  "changed, deleted and new files": "echo x >> d1/f1.txt; rm d2/f2.txt; echo n > new.txt; mkdir -p e/e; echo n > e/e/n",
  "ignored files and directories": "echo l > x.log; mkdir build; echo o > build/out",
  "empty directories": "mkdir -p empty/er",
  "a nested repository with commits":
    "git init -q in; cd in; echo a > a; git add a; git -c user.name=x -c user.email=x commit -qm a",
  "files hidden by index flags":
    "echo x > d1/f1.txt; git update-index --assume-unchanged d1/f1.txt; echo x > d2/f2.txt; git update-index --skip-worktree d2/f2.txt",
  "a conflicting merge under way":
    "git checkout -qb a-$RANDOM; echo a > d1/f1.txt; git commit -qam a; A=$(git rev-parse HEAD); git checkout -q --detach HEAD~1; echo b > d1/f1.txt; git commit -qam b; git merge $A || true",
  "a rebase under way":
    "echo a > d1/f1.txt; git commit -qam a; A=$(git rev-parse HEAD); git checkout -q --detach HEAD~1; echo b > d1/f1.txt; git commit -qam b; git rebase $A || true",
  "a bisection under way": "git bisect start; git bisect bad",
  "a sparse checkout": "git sparse-checkout set d1",
  "settings of the worktree's own":
    "git config extensions.worktreeConfig true; git config --worktree core.autocrlf true",
  "a deleted index": 'rm "$(git rev-parse --git-dir)/index"',
  "a stale lock": 'touch "$(git rev-parse --git-dir)/index.lock" "$(git rev-parse --git-dir)/HEAD.lock"',
  "a directory in place of a file, and a file in place of a directory":
    "rm -r d1/f1.txt d2; mkdir d1/f1.txt; echo x > d1/f1.txt/x; echo x > d2",
  "a symlink in place of a directory": "rm -r d1; ln -s /tmp d1",
  "another mode": "chmod +x d2/f2.txt",
  "a removed link to the repository": "rm .git",
  "a repository in place of the link":
    "rm .git; git init -q .; git -c user.name=x -c user.email=x commit -q --allow-empty -m x",
  "an unborn branch": "git checkout -q --orphan other; git rm -rfq ."
}

describe("GitWorkspace: agent worktrees", () => {
  for (const [name, mess] of Object.entries(messes)) {
    it.scopedLive(`hands out a reset slot like a fresh one after ${name}`, () =>
      inSession(({ home, session }) =>
        Effect.gen(function* () {
          const first = yield* session.acquire(work(0))
          const fresh = yield* portrait(first.path)
          yield* sh(first.path, mess)
          yield* session.rescue(first, work(0))
          yield* session.release(first)
          const second = yield* session.acquire(work(1))
          const reset = yield* portrait(second.path)
          assert.strictEqual(second.path, first.path)
          assert.strictEqual(reset, fresh)
          assert.strictEqual(yield* sh(second.path, "git branch --show-current"), second.branch)
          assert.isAtMost((yield* lines(home, "ls worktrees/project | grep agent")).length, 2)
        })
      )
    )
  }

  it.scopedLive(
    "hands a slot out at the session's tip, whether the merge was foreseen when it was made ready or not",
    () =>
      inSession(
        ({ session }) =>
          Effect.gen(function* () {
            const merge = Effect.fnUntraced(function* (index: number, beside: Effect.Effect<unknown, unknown>) {
              const checkout = yield* session.acquire(work(index))
              yield* sh(checkout.path, `echo ${index} > d1/f1.txt; echo ${index} > new${index}; echo l > x.log`)
              const { branch, tip } = yield* session.collect(checkout, work(index), { autoCommit: true })
              yield* Effect.orDie(beside)
              yield* Effect.all([session.release(checkout), session.integrate(work(index), tip ?? "", branch)], {
                concurrency: 2
              })
            })
            const look = Effect.fnUntraced(function* (index: number) {
              const checkout = yield* session.acquire(work(index))
              const seen = yield* lines(
                checkout.path,
                `git rev-parse HEAD ${session.parent.branch}; git branch --show-current; git status --porcelain --ignored;
              cat d1/f1.txt; ls | grep -c new`
              )
              yield* session.collect(checkout, work(index), { autoCommit: true })
              yield* session.release(checkout)
              return [seen[0] === seen[1], ...seen.slice(2)]
            })
            yield* merge(0, Effect.void)
            assert.deepStrictEqual(yield* look(1), [true, `prodigy-${jobId}_agent_1`, "0", "1"])
            // Another item is merged first: what this one left is not what the branch will have.
            const other = yield* session.acquire(work(2))
            yield* sh(other.path, "echo 2 > new2")
            const first = yield* session.collect(other, work(2), { autoCommit: true })
            yield* merge(3, session.integrate(work(2), first.tip ?? "", first.branch))
            assert.deepStrictEqual(yield* look(4), [true, `prodigy-${jobId}_agent_4`, "3", "3"])
            yield* session.release(other)
            // It was made ready for its own merge, and then another one comes as well.
            const late = yield* session.acquire(work(5))
            yield* sh(late.path, "echo 5 > new5")
            const last = yield* session.collect(late, work(5), { autoCommit: true })
            yield* merge(6, Effect.void)
            yield* session.integrate(work(5), last.tip ?? "", last.branch)
            assert.deepStrictEqual(yield* look(7), [true, `prodigy-${jobId}_agent_7`, "6", "5"])
            yield* session.release(late)
          }),
        { maxParallel: 2 }
      )
  )

  it.scopedLive("does not lose a slot whose record could not be written", () =>
    inSession(({ home, session }) =>
      Effect.gen(function* () {
        const inTheWay = `${home}/worktrees/project/.metadata/mapreduce-agent-${jobId}_0.json.tmp`
        yield* sh("/", `mkdir -p '${inTheWay}'`)
        assert.strictEqual((yield* Effect.either(session.acquire(work(0))))._tag, "Left")
        assert.strictEqual((yield* Effect.either(session.acquire(work(0))))._tag, "Left")
        yield* sh("/", `rmdir '${inTheWay}'`)
        const checkout = yield* session.acquire(work(0))
        assert.strictEqual((yield* lines(home, "ls worktrees/project | grep agent")).length, 1)
        assert.strictEqual(yield* sh(checkout.path, "git status --porcelain"), "")
        yield* session.release(checkout)
        assert.deepStrictEqual((yield* session.clean({ keepParent: true })).orphans, [])
      })
    )
  )

  it.scopedLive("removes what is there of a slot that could not be made", () =>
    Effect.gen(function* () {
      const { home, repo } = yield* sandbox()
      yield* Effect.gen(function* () {
        const session = yield* open({ repo, maxParallel: 2 })
        assert.strictEqual((yield* Effect.either(session.acquire(work(0))))._tag, "Left")
        const cleaned = yield* session.clean({ keepParent: true })
        assert.deepInclude(cleaned, { orphans: [] })
      }).pipe(Effect.scoped, Effect.provide(layer(home, failingAt("read-tree"))))
      assert.deepStrictEqual(yield* lines(home, "ls worktrees/project | grep agent || true"), [])
      assert.strictEqual((yield* lines(repo, "ls .git/worktrees")).length, 1)
    })
  )

  for (const how of ["made", "reset"] as const) {
    it.scopedLive(
      `gives up a slot that is being ${how} when it is interrupted, and gives a whole one to the next`,
      () =>
        Effect.gen(function* () {
          const { directory, home, repo } = yield* sandbox()
          yield* sh(
            repo,
            "echo 'slow.txt filter=slow' > .gitattributes; echo s > slow.txt; git add -A; git commit -qm slow"
          )
          yield* Effect.gen(function* () {
            const started = `${directory}/started`
            // Slow in agents' worktrees only; the first of them is made when the session is opened.
            const slow = sh(
              repo,
              `git config filter.slow.smudge "case \\$PWD in *agent*) touch '${started}'; sleep 300;; esac; cat"`
            )
            if (how === "made") yield* slow
            const session = yield* open({ repo, maxParallel: 1 })
            if (how === "reset") {
              const before = yield* session.acquire(work(0))
              yield* sh(before.path, "echo changed > slow.txt")
              yield* session.rescue(before, work(0))
              yield* slow
              yield* session.release(before)
            }
            const acquiring = yield* Effect.fork(session.acquire(work(1)))
            yield* appears(started)
            // The slot is being made by then, but whoever wants it may not have come to that yet.
            yield* waitsForAnother(acquiring)
            const [waited] = yield* Effect.timed(Fiber.interrupt(acquiring))
            assert.isBelow(Duration.toSeconds(waited), 60)
            assert.strictEqual(yield* sh(repo, `pgrep -f '${directory}/[s]tarted' || true`), "")
            yield* sh(repo, "git config filter.slow.smudge cat")
            const checkout = yield* session.acquire(work(2))
            assert.strictEqual(yield* sh(checkout.path, "git status --porcelain --ignored; cat slow.txt"), "s")
            assert.strictEqual((yield* lines(home, "ls worktrees/project | grep agent")).length, 1)
            yield* session.release(checkout)
            assert.deepInclude(yield* session.clean({ keepParent: true }), { orphans: [] })
          }).pipe(Effect.scoped, Effect.provide(layer(home)))
          assert.deepStrictEqual(yield* lines(home, "ls worktrees/project | grep agent || true"), [])
          assert.strictEqual((yield* lines(repo, "ls .git/worktrees")).length, 1)
          assert.deepStrictEqual(yield* lines(repo, "git branch --list '*agent*'"), [])
        })
    )
  }

  it.scopedLive("waits when all slots are taken, and goes on when one is given back", () =>
    inSession(({ home, session }) =>
      Effect.gen(function* () {
        const first = yield* session.acquire(work(0))
        const waiting = yield* Effect.fork(session.acquire(work(1)))
        yield* Effect.yieldNow()
        assert.strictEqual((yield* lines(home, "ls worktrees/project | grep agent")).length, 1)
        yield* session.release(first)
        const second = yield* Fiber.join(waiting)
        assert.strictEqual(second.path, first.path)
        assert.strictEqual(second.branch, `prodigy-${jobId}_agent_1`)
        yield* session.release(second)
        yield* session.release(second)
      })
    )
  )

  it.scopedLive("keeps what an agent committed on another branch or on a detached HEAD", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        for (const [index, how] of ["git checkout -qb mine", "git checkout -q --detach"].entries()) {
          const checkout = yield* session.acquire(work(index))
          yield* sh(
            checkout.path,
            `${how}; echo ${index} > own${index}; git add -A; git commit -qm own; echo rest > rest${index}`
          )
          const collected = yield* session.collect(checkout, work(index), { autoCommit: true })
          assert.deepStrictEqual([collected.commits, collected.branch], [2, checkout.branch])
          assert.strictEqual(yield* sh(repo, `git rev-parse ${checkout.branch}`), collected.tip)
          assert.deepStrictEqual(yield* lines(repo, `git ls-tree -r --name-only ${checkout.branch} | grep ${index}`), [
            ...(index === 0 ? [] : ["d1/f1.txt"]),
            `own${index}`,
            `rest${index}`
          ])
          yield* session.release(checkout)
        }
      })
    )
  )

  it.scopedLive("keeps the branch's own commits when the agent ended away from them", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(
          checkout.path,
          "echo a > a; git add a; git commit -qm a; git checkout -q --detach HEAD~1; echo b > b; git add b; git commit -qm b"
        )
        const left = yield* sh(repo, `git rev-parse ${checkout.branch}`)
        const collected = yield* session.collect(checkout, work(0), { autoCommit: true })
        assert.deepStrictEqual(yield* lines(repo, `git ls-tree --name-only ${collected.tip} a b`), ["b"])
        assert.deepStrictEqual(yield* lines(repo, "git for-each-ref --format='%(objectname)' refs/prodigy"), [left])
      })
    )
  )

  it.scopedLive("has no tip and no branch for an attempt that changed nothing, ignored files aside", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(checkout.path, "echo l > x.log")
        assert.deepStrictEqual(yield* session.collect(checkout, work(0), { autoCommit: true }), {
          tip: null,
          branch: null,
          commits: 0
        })
        assert.deepStrictEqual(yield* lines(repo, "git branch --list '*agent*'"), [])
        // An attempt may still fail after it was collected.
        assert.deepStrictEqual(yield* session.rescue(checkout, work(0)), {})
      })
    )
  )

  it.scopedLive("keeps leftovers on a rescue ref when they are not to be committed", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(checkout.path, "echo a > a")
        const collected = yield* session.collect(checkout, work(0), { autoCommit: false })
        assert.isNull(collected.tip)
        assert.strictEqual(yield* sh(repo, `git show refs/prodigy/rescue/${jobId}/item_0/1:a`), "a")
      })
    )
  )

  it.scopedLive("refuses to commit a merge that the agent has not resolved, and rescues it instead", () =>
    inSession(({ session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(checkout.path, messes["a conflicting merge under way"] ?? "")
        const error = yield* Effect.flip(session.collect(checkout, work(0), { autoCommit: true }))
        assert.deepStrictEqual(
          [error.reason, error.detail],
          ["checkout_damaged", "conflicts are not resolved in d1/f1.txt"]
        )
        const kept = yield* session.rescue(checkout, work(0))
        assert.match(yield* sh(checkout.path, `git show ${kept.uncommitted_changes}:d1/f1.txt`), /<<<<<<</)
      })
    )
  )

  it.scopedLive("commits a merge that the agent resolved with both its parents", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(checkout.path, `${messes["a conflicting merge under way"]}; echo both > d1/f1.txt; git add -A`)
        const collected = yield* session.collect(checkout, work(0), { autoCommit: true })
        assert.strictEqual((yield* sh(repo, `git rev-list --parents -1 ${collected.tip}`)).split(" ").length, 3)
      })
    )
  )

  it.scopedLive("takes the files of a repository inside the worktree, not a link to it", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(checkout.path, messes["a nested repository with commits"] ?? "")
        const { tip } = yield* session.collect(checkout, work(0), { autoCommit: true })
        assert.strictEqual(yield* sh(repo, `git show ${tip}:in/a`), "a")
      })
    )
  )

  it.scopedLive("rescues what was uncommitted without touching worktree or index", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0, { attempt: 2 }))
        yield* sh(
          checkout.path,
          "echo c > c; git add c; git commit -qm c; echo u > u; echo s > s; git add s; echo l > l.log; rm d2/f2.txt"
        )
        const status = yield* sh(checkout.path, "git status --porcelain")
        const kept = yield* session.rescue(checkout, work(0, { attempt: 2 }))
        assert.strictEqual(yield* sh(checkout.path, "git status --porcelain"), status)
        assert.deepStrictEqual(kept, {
          branch_name: `prodigy-${jobId}_agent_0-2`,
          tip: yield* sh(checkout.path, "git rev-parse HEAD"),
          uncommitted_changes: `refs/prodigy/rescue/${jobId}/item_0/2`
        })
        assert.deepStrictEqual(yield* lines(repo, `git diff --name-status ${kept.tip} ${kept.uncommitted_changes}`), [
          "D\td2/f2.txt",
          "A\ts",
          "A\tu"
        ])
        assert.deepStrictEqual(yield* session.rescue(checkout, work(0, { attempt: 2 })), kept)
      })
    )
  )

  it.scopedLive("rescues a change of the same length that was made in the very second of the checkout", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        // To git all of it happens in one second: it has to look into the file, and knows that by the time of the index.
        yield* sh(
          checkout.path,
          `git config core.trustctime false; at() { touch -d '2020-01-01 00:00:00' "$1"; }
          at d1/f1.txt; git update-index -q --refresh; at "$(git rev-parse --git-path index)"
          echo "FILE 1" > d1/f1.txt; at d1/f1.txt`
        )
        assert.strictEqual(yield* sh(checkout.path, "git --no-optional-locks status --porcelain"), " M d1/f1.txt")
        const kept = yield* session.rescue(checkout, work(0))
        assert.strictEqual(yield* sh(repo, `git show ${kept.uncommitted_changes}:d1/f1.txt`), "FILE 1")
      })
    )
  )

  for (const [name, end] of Object.entries({
    "removed its worktree": 'W=$PWD; cd /; rm -rf "$W"',
    "removed its worktree by git": 'W=$PWD; cd "$P"; git worktree remove --force "$W"'
  })) {
    it.scopedLive(`keeps the commits of an agent that ${name}`, () =>
      inSession(({ repo, session }) =>
        Effect.gen(function* () {
          const checkout = yield* session.acquire(work(0))
          yield* sh(checkout.path, `P='${repo}'; echo c > c; git add c; git commit -qm c; ${end}`)
          assert.strictEqual(
            (yield* Effect.either(session.collect(checkout, work(0), { autoCommit: true })))._tag,
            "Left"
          )
          assert.deepStrictEqual(yield* session.rescue(checkout, work(0)), {
            branch_name: checkout.branch,
            tip: yield* sh(repo, `git rev-parse ${checkout.branch}`)
          })
          assert.strictEqual(yield* sh(repo, `git show ${checkout.branch}:c`), "c")
          yield* session.release(checkout)
          const next = yield* session.acquire(work(1))
          assert.strictEqual(next.path, checkout.path)
          assert.strictEqual(yield* sh(next.path, "git status --porcelain"), "")
          yield* session.release(next)
          assert.deepStrictEqual((yield* session.clean({ keepParent: true })).orphans, [])
          assert.strictEqual((yield* lines(repo, "ls .git/worktrees")).length, 1)
        })
      )
    )
  }

  it.scopedLive("collects past the index lock of a git process that was killed with the attempt", () =>
    inSession(({ repo, session }) =>
      Effect.gen(function* () {
        const checkout = yield* session.acquire(work(0))
        yield* sh(checkout.path, 'echo a > a; touch "$(git rev-parse --git-dir)/index.lock"')
        const collected = yield* session.collect(checkout, work(0), { autoCommit: true })
        assert.strictEqual(yield* sh(repo, `git show ${collected.tip}:a`), "a")
      })
    )
  )

  it.scopedLive("treats item ids as data in commits, trailers and refs", () =>
    inSession(({ directory, repo, session }) =>
      Effect.gen(function* () {
        const ids = [
          "../../x",
          "a/b",
          "..",
          "x".repeat(300),
          "🦊 fox",
          "a\nProdigy-Job: forged\n\nb",
          "'; touch pwned; '",
          "$(touch pwned)",
          "-rf",
          "a.lock",
          "@{1}",
          "setup",
          "\u0000 \u001b[31m",
          '"quoted"',
          " "
        ]
        for (const [index, id] of ids.entries()) {
          const checkout = yield* session.acquire(work(index, { id }))
          yield* sh(checkout.path, `echo ${index} > file${index}`)
          yield* session.rescue(checkout, work(index, { id }))
          const collected = yield* session.collect(checkout, work(index, { id }), { autoCommit: true })
          yield* session.release(checkout)
          yield* session.integrate(work(index, { id }), collected.tip ?? "", collected.branch)
        }
        const subjects = yield* lines(repo, `git log --merges --format=%s ${session.parent.branch}`)
        assert.strictEqual(subjects.length, ids.length)
        assert.isTrue(subjects.every((subject) => /^Merge mapreduce-20260102_030405_agent_\d+ \(.*\)$/u.test(subject)))
        const items = yield* lines(
          repo,
          `git log --merges --reverse --format='%(trailers:key=Prodigy-Item,valueonly)' ${session.parent.branch}`
        )
        const read = items.map((item): unknown => (item.startsWith('"') ? JSON.parse(item) : item))
        // Git keeps no NUL and trims what a trailer's value begins or ends with; those ids are JSON.
        assert.deepStrictEqual(read, ids)
        const jobs = yield* lines(
          repo,
          `git log --format='%(trailers:key=Prodigy-Job,valueonly)' ${session.parent.branch}`
        )
        assert.deepStrictEqual([...new Set(jobs)], [jobId])
        assert.strictEqual((yield* lines(repo, "git for-each-ref refs/prodigy/rescue")).length, ids.length)
        assert.deepStrictEqual(yield* lines(directory, "find . -name 'pwned*'"), [])
        assert.strictEqual(
          yield* sh(repo, `git fsck --strict 2>&1 | grep -Ev 'dangling|^notice: .* unborn branch' || true`),
          ""
        )
      })
    )
  )

  it.scopedLive("runs no hook of the user and signs nothing", () =>
    inSession(
      ({ directory, session }) =>
        Effect.gen(function* () {
          const checkout = yield* session.acquire(work(0))
          yield* sh(checkout.path, "echo a > a")
          const { branch, tip } = yield* session.collect(checkout, work(0), { autoCommit: true })
          yield* session.integrate(work(0), tip ?? "", branch)
          yield* session.syncParent
          assert.strictEqual((yield* session.finish({ approved: "yes" })).outcome, "merged")
          assert.deepStrictEqual(yield* lines(directory, "find . -name hook-ran"), [])
        }),
      {
        before: `for h in post-checkout pre-commit commit-msg post-commit post-merge reference-transaction post-index-change prepare-commit-msg pre-merge-commit; do
          printf '#!/bin/sh\\ntouch ../hook-ran; touch "$0"-hook-ran; exit 1\\n' > .git/hooks/$h; chmod +x .git/hooks/$h; done
          git config commit.gpgsign true; git config gpg.program false`
      }
    )
  )

  it.scopedLive("uses a worktree again whatever the user has set about indexes", () =>
    inSession(
      ({ session }) =>
        Effect.gen(function* () {
          const first = yield* session.acquire(work(0))
          const inode = yield* sh(first.path, "stat -c %i .")
          yield* sh(first.path, "echo a > a; git add a")
          yield* session.collect(first, work(0), { autoCommit: true })
          yield* session.release(first)
          const second = yield* session.acquire(work(1))
          assert.strictEqual(yield* sh(second.path, "stat -c %i .; git status --porcelain"), inode)
        }),
      { before: "git config core.splitIndex true; git config core.untrackedCache true; git config index.version 4" }
    )
  )

  it.scopedLive("uses an identity of its own when the user has none", () =>
    inSession(
      ({ repo, session }) =>
        Effect.gen(function* () {
          const checkout = yield* session.acquire(work(0))
          yield* sh(checkout.path, "echo a > a")
          const { tip } = yield* session.collect(checkout, work(0), { autoCommit: true })
          assert.match(yield* sh(repo, `git log -1 --format='%an <%ae>' ${tip}`), /^Prodigy <prodigy@localhost>$/)
        }),
      { before: "git config --unset user.name; git config --unset user.email" }
    )
  )

  it.scopedLive("works where the repository has submodules, without setting them up", () =>
    inSession(
      ({ session }) =>
        Effect.gen(function* () {
          const first = yield* session.acquire(work(0))
          const fresh = yield* portrait(first.path)
          yield* sh(
            first.path,
            "git -c protocol.file.allow=always submodule -q update --init; echo x > sub/x; echo y > y"
          )
          const { branch, commits, tip } = yield* session.collect(first, work(0), { autoCommit: true })
          assert.strictEqual(commits, 1)
          yield* session.integrate(work(0), tip ?? "", branch)
          yield* session.release(first)
          const second = yield* session.acquire(work(1))
          assert.strictEqual(yield* sh(second.path, "ls -A sub; rm y"), "")
          assert.include(fresh, "sub")
        }),
      {
        before: `git init -q -b main ../lib; cd ../lib; git commit -q --allow-empty -m lib; cd ../project
          git -c protocol.file.allow=always submodule -q add ../lib sub; git commit -qm sub`
      }
    )
  )
})
