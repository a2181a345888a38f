import { assert, describe, it } from "@effect/vitest"
import type { JobId } from "@prodigy/core/domain/JobId"
import { ItemId } from "@prodigy/core/domain/WorkItem"
import type { MapReduce, RetryError } from "@prodigy/core/engine/MapReduce"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { Journal } from "@prodigy/core/storage/Journal"
import { ResumeLock } from "@prodigy/core/storage/ResumeLock"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Stream from "effect/Stream"
import { execFileSync } from "node:child_process"
import { existsSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs"
import { basename, dirname, join } from "node:path"
import { type Bench, inRepository, repo } from "./Bench.ts"

describe("a retry of dead letters", () => {
  it.live("tries what the filter takes and nothing else, adds to the history, and resolves what succeeds", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const { git, planRetry, retry, run } = bench
        const report = yield* run(workflow())
        assert.deepInclude(report.counts, { merged: 2, dead_lettered: 4 })
        const { job_id: jobId, session_id: sessionId } = report
        assert.strictEqual((yield* letter(jobId, "item_2"))?.status, "failed")

        // Looking changes nothing, down to the bytes.
        const before = snapshot(bench)
        const filter = "item.n >= 3 and error_type == 'CommandFailed' and failure_count < 2"
        const plan = yield* planRetry(jobId, { filter, parallel: 1, timeoutMillis: 60_000 })
        assert.deepStrictEqual(snapshot(bench), before)
        assert.deepStrictEqual(
          plan.items.map(({ error_type, failure_count, item_id, retries }) => [
            item_id,
            failure_count,
            retries,
            error_type
          ]),
          ["item_3", "item_4", "item_5"].map((id) => [id, 1, 0, "CommandFailed"])
        )
        assert.deepInclude(plan.passed_over, { filter: 1, not_eligible: 0, too_often: 0 })
        assert.strictEqual(plan.worktree, "new")

        // The session is over: its work is in main, its branch and worktree are gone, and main has moved on since.
        assert.strictEqual(git("branch", "--list", "prodigy*"), "")
        git("commit", "--quiet", "--allow-empty", "--message=mine")
        forget(bench)
        mend(bench, 3, 4)
        const second = yield* retry(jobId, { filter, parallel: 1, timeoutMillis: 60_000 })
        assert.strictEqual(second.status, "completed")
        assert.deepStrictEqual(ran(bench), ["3", "4", "5"])
        assert.deepInclude(second.counts, { merged: 4, dead_lettered: 2 })
        assert.deepStrictEqual(second.retried, { tried: 3, done: 2 })
        assert.strictEqual(second.finish?.outcome, "merged")
        assert.strictEqual(git("show", "main:3.txt"), "3")
        assert.notInclude(git("ls-tree", "--name-only", "main"), "5.txt")
        assert.include(git("log", "--format=%s", "main"), "mine")
        assert.strictEqual(git("branch", "--list", "prodigy*"), "")
        assert.strictEqual(git("worktree", "list").split("\n").length, 1)
        // Reduce ran once, in the run.
        assert.strictEqual(git("show", "main:reduced.txt"), "2")

        const done = yield* letter(jobId, "item_3")
        assert.strictEqual(done?.status, "resolved")
        assert.deepStrictEqual(done?.resolved_by, { agent_id: `${jobId}_agent_3` as never, attempt_number: 2 })
        assert.isString(done?.resolved_at)
        assert.strictEqual(done?.failure_history.length, 1)
        assert.strictEqual(done?.retried_at?.length, 1)
        const still = yield* letter(jobId, "item_5")
        assert.strictEqual(still?.status, "failed")
        assert.strictEqual(still?.failure_count, 2)
        assert.deepStrictEqual(
          still?.failure_history.map(({ attempt_number }) => attempt_number),
          [1, 2]
        )
        assert.strictEqual((yield* letter(jobId, "item_2"))?.failure_count, 1)

        const session = yield* (yield* SessionStore).get(sessionId)
        assert.strictEqual(session.status, "Completed")
        assert.deepInclude(session.progress, { completed: 4, failed: 2 })
        assert.isNull(session.worktree)
        const entries = yield* Stream.runCollect((yield* Journal).read(repo, jobId, 0))
        const [requeued] = [...entries].flatMap(({ record }) => (record.type === "items_requeued" ? [record] : []))
        assert.deepStrictEqual(requeued?.indexes, [3, 4, 5])
        const terms = { filter, max_parallel: 1, agent_timeout_ms: 60_000, reduce: false }
        assert.deepStrictEqual(requeued?.retry, terms)

        // Too often is too often, unless forced; the reduce phase runs again where it is asked for.
        assert.deepInclude((yield* planRetry(jobId, { maxRetries: 1 })).passed_over, { too_often: 1 })
        const nothing = yield* Effect.flip(retry(jobId, { maxRetries: 0 }))
        assert.strictEqual(nothing._tag, "NothingToRetry")
        assert.include(nothing.message, "2 tried again 0 times already")
        mend(bench, 2, 5)
        const third = yield* retry(jobId, { maxRetries: 1, force: true, reduce: true })
        assert.deepInclude(third.counts, { merged: 6, dead_lettered: 0 })
        assert.strictEqual(git("show", "main:reduced.txt"), "2\n6")
        assert.strictEqual((yield* letter(jobId, "item_5"))?.failure_history.length, 2)
        assert.strictEqual((yield* Effect.flip(retry(jobId)))._tag, "NothingToRetry")
      })
    )
  )

  it.live("goes on in the session's own worktree where that is kept, and with the workflow that is stored", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const { git, planRetry, retry, run } = bench
        const report = yield* run(workflow(), { approve: "not_asked" })
        assert.strictEqual(report.finish?.outcome, "waiting")
        assert.strictEqual((yield* planRetry(report.job_id)).worktree, "session")
        mend(bench, 2, 3, 4, 5)
        // Nothing that was never merged is left out in silence.
        const tip = git("rev-parse", report.branch)
        git("worktree", "remove", "--force", report.worktree)
        git("branch", "--quiet", "-D", report.branch)
        const missed = yield* Effect.flip(retry(report.job_id))
        assert.include(missed.message, `put it back where it was (git branch ${report.branch}`)
        git("branch", report.branch, tip)
        const second = yield* retry(report.job_id)
        assert.deepInclude(second.counts, { merged: 6, dead_lettered: 0 })
        for (const n of [0, 1, 2, 3, 4, 5]) assert.strictEqual(git("show", `main:${n}.txt`), `${n}`)
        assert.strictEqual(git("branch", "--list", "prodigy*"), "")
      })
    )
  )

  it.live("takes its time limit for this retry only, and what is not eligible by force only", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const { planRetry, retry, run } = bench
        const report = yield* run(workflow({ more: "sleep 60", when: "item.n == 2" }))
        const jobId = report.job_id
        mend(bench, 2, 3, 4, 5)
        const filter = "item_id == 'item_2'"
        const second = yield* retry(jobId, { filter, timeoutMillis: 300 })
        assert.deepInclude(second.counts, { dead_lettered: 4 })
        const late = yield* letter(jobId, "item_2")
        assert.deepStrictEqual(late?.failure_history.at(-1)?.cause, {
          error_type: "Timeout",
          timeout_ms: 300,
          scope: "agent"
        })
        assert.isNull((yield* (yield* JobStore).load(repo, jobId)).workflow.map.agent_timeout_ms)

        const queue = yield* DeadLetterQueue
        yield* queue.put(repo, jobId, { ...late!, reprocess_eligible: false })
        assert.deepInclude((yield* planRetry(jobId, { filter })).passed_over, { not_eligible: 1, filter: 3 })
        const forced = yield* planRetry(jobId, { filter, force: true })
        assert.deepStrictEqual(
          forced.items.map(({ item_id }) => item_id as string),
          ["item_2"]
        )
      })
    )
  )

  it.live("that is interrupted goes on with what is left of it, by itself or by a resume", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const { planRetry, resume, retry, run } = bench
        // From the second attempt on an item stands still at the gate while that is not open.
        const more = 'touch "$SIDE.at-$ITEM"; [ -e "$SIDE.open" ] || cat "$SIDE.gate"'
        execFileSync("mkfifo", [`${side(bench)}.gate`])
        const report = yield* run(workflow({ more, when: "attempt > 1" }))
        const jobId = report.job_id
        mend(bench, 3, 4, 5)
        forget(bench)
        // Items 2 and 3 are tried; 2 fails before it comes to the gate.
        const first = yield* Effect.fork(retry(jobId, { filter: "item.n < 4", parallel: 1 }))
        yield* appears(`${side(bench)}.at-3`)
        const rival = yield* Effect.flip(retry(jobId))
        assert.strictEqual(rival._tag, "ResumeLockHeld")
        yield* Fiber.interrupt(first)
        assert.strictEqual((yield* (yield* SessionStore).get(report.session_id)).status, "Paused")
        assert.isNull(yield* (yield* ResumeLock).holder(jobId))
        assert.strictEqual((yield* letter(jobId, "item_3"))?.status, "retrying")

        const plan = yield* planRetry(jobId, { filter: "item.n < 4" })
        assert.deepStrictEqual(plan.items, [])
        assert.strictEqual(plan.going_on, 1)
        assert.deepInclude(plan.passed_over, { filter: 2, failed_again: 1 })
        writeFileSync(`${side(bench)}.open`, "")
        const second = yield* retry(jobId, { filter: "item.n < 4", parallel: 1 })
        assert.deepInclude(second.counts, { merged: 3, dead_lettered: 3 })
        assert.deepStrictEqual(ran(bench), ["2", "3", "3"])
        assert.strictEqual((yield* letter(jobId, "item_2"))?.failure_count, 2)
        const resolved = yield* letter(jobId, "item_3")
        assert.strictEqual(resolved?.resolved_by?.attempt_number, 3)

        // The next retry may take again what failed in that one; a resume goes on with it as well.
        rmSync(`${side(bench)}.open`)
        mend(bench, 2)
        const third = yield* Effect.fork(retry(jobId, { filter: "item.n == 2 or item.n == 5", parallel: 2 }))
        yield* appears(`${side(bench)}.at-2`)
        yield* appears(`${side(bench)}.at-5`)
        yield* Fiber.interrupt(third)
        writeFileSync(`${side(bench)}.open`, "")
        const resumed = yield* resume(jobId)
        assert.deepInclude(resumed.counts, { merged: 5, dead_lettered: 1 })
        assert.strictEqual((yield* letter(jobId, "item_4"))?.failure_count, 1)
      })
    )
  )

  it.live("pauses a job that has other items to do, which a resume goes on with", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const { resume, retry, run } = bench
        const report = yield* run(workflow({ policy: "max_failures: 2\n  max_parallel: 1" }))
        assert.strictEqual(report.status, "failed")
        assert.deepInclude(report.counts, { merged: 2, dead_lettered: 2, pending: 2 })
        const jobId = report.job_id
        mend(bench, 2)
        forget(bench)
        const second = yield* retry(jobId, { filter: "item.n == 2" })
        assert.strictEqual(second.status, "paused")
        assert.include(second.warnings.join(), "2 other items are still to be done")
        assert.deepStrictEqual(ran(bench), ["2"])
        assert.strictEqual((yield* letter(jobId, "item_2"))?.status, "resolved")
        mend(bench, 4, 5)
        const third = yield* resume(jobId)
        assert.deepInclude(third.counts, { merged: 5, dead_lettered: 1 })
      })
    )
  )

  it.live("chooses by the journal where letters were not written, and makes none again that somebody removed", () =>
    inRepository((bench) =>
      Effect.gen(function* () {
        const { planRetry, retry, run } = bench
        const { job_id: jobId } = yield* run(workflow())
        const queue = yield* DeadLetterQueue
        const ids = (filter: string | null) =>
          Effect.map(planRetry(jobId, { filter }), ({ items }) => items.map(({ item_id }) => item_id as string))
        yield* queue.remove(
          repo,
          jobId,
          ["item_2", "item_3"].map((id) => ItemId.make(id))
        )
        assert.deepStrictEqual(yield* ids(null), ["item_4", "item_5"])
        mend(bench, 2, 3, 4)
        yield* retry(jobId)
        assert.isNull(yield* letter(jobId, "item_2"))
        assert.strictEqual((yield* letter(jobId, "item_4"))?.status, "resolved")

        // As if the owner had been killed before it wrote what came of item 5.
        const store = yield* JobStore
        const summary = yield* store.loadSummary(repo, jobId)
        yield* store.saveSummary(repo, { ...summary!, seq: 3 })
        yield* queue.remove(repo, jobId, [ItemId.make("item_5")])
        assert.deepStrictEqual(yield* ids("failure_count == 2 and retries == 1"), ["item_5"])
        assert.isNull(yield* letter(jobId, "item_5"))
      })
    )
  )

  it.live("refuses a filter that cannot be read, and says where; knows a job without dead letters", () =>
    inRepository(({ planRetry, retry, run }) =>
      Effect.gen(function* () {
        const { job_id: jobId } = yield* run(`
name: fine
map:
  input: { items: [1] }
  agent_template: [shell: 'true']
`)
        for (const filter of ["item.n ==", "error_type = 'x'", "", "((", "item.n < 1 and", "\u0000"]) {
          for (const attempt of [planRetry, retry]) {
            const error = yield* Effect.flip(Effect.asVoid<unknown, RetryError, MapReduce>(attempt(jobId, { filter })))
            assert.strictEqual(error._tag, "InvalidOption", filter)
            assert.include(error.message, "^", filter)
          }
        }
        const nothing = yield* Effect.flip(retry(jobId))
        assert.strictEqual(nothing.message, `Job ${jobId} has no dead letters to try again.`)
      })
    )
  )
})

// -----------------------------------------------------------------------------
// fixtures
// -----------------------------------------------------------------------------

/** Items 0 to 5, of which 2 to 5 fail until they are mended. Which ones ran stands beside the repository. */
const workflow = (options: { readonly more?: string; readonly when?: string; readonly policy?: string } = {}) => `
name: letters
env: { SIDE: $PROJECT_ROOT/../side }
map:
  input: { items: [{n: 0}, {n: 1}, {n: 2}, {n: 3}, {n: 4}, {n: 5}] }
  ${options.policy ?? ""}
  agent_template:
    - shell: |
        SIDE="$PROJECT_ROOT/../side"
        echo "\${item.n}" >> "$SIDE"
        [ "\${item.n}" -lt 2 ] || [ -e "$SIDE.mended-\${item.n}" ] || exit 3
        echo "\${item.n}" > "\${item.n}.txt"
    - shell: |
        SIDE="$PROJECT_ROOT/../side"
        ITEM="\${item.n}"
        ${options.more ?? "true"}
      when: ${options.when ?? "true"}
reduce:
  - shell: echo "\${map.successful}" >> reduced.txt
`

const side = ({ project }: Pick<Bench, "project">) => join(dirname(project), "side")

const mend = (bench: Bench, ...items: ReadonlyArray<number>) => {
  for (const item of items) writeFileSync(`${side(bench)}.mended-${item}`, "")
}

const forget = (bench: Bench) => rmSync(side(bench), { force: true })

/** The items that ran since, sorted. */
const ran = (bench: Bench) => readFileSync(side(bench), "utf8").trim().split("\n").sort()

const letter = (jobId: JobId, itemId: string) =>
  Effect.flatMap(DeadLetterQueue, (queue) => queue.get(repo, jobId, ItemId.make(itemId)))

/** Every file of the storage directory with its content. */
const snapshot = ({ home }: Bench) =>
  readdirSync(home, { recursive: true, withFileTypes: true }).map((entry) => {
    const path = join(entry.parentPath, entry.name)
    return [path, entry.isFile() ? readFileSync(path, "utf8") : ""]
  })

/** Waits for a file. */
const appears = (path: string) =>
  Effect.async<void>((resume) => {
    const watcher = watch(dirname(path), (_, name) => {
      if (name === basename(path)) check()
    })
    const check = () => {
      if (!existsSync(path)) return
      watcher.close()
      resume(Effect.void)
    }
    check()
  })
