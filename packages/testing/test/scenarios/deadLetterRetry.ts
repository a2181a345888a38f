/**
 * `dlq retry` on a simulated machine: of a completed job with four dead letters three are tried again; two of them are done
 * now, one fails again, the fourth is not asked for.
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import { Inspect } from "@prodigy/core/engine/Inspect"
import { MapReduce } from "@prodigy/core/engine/MapReduce"
import { Resume } from "@prodigy/core/engine/Resume"
import type * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import * as Invariants from "../invariants.ts"
import { recordedItems, type Recorded } from "./recorded.ts"
import { leftovers, mergedRefs } from "./leftovers.ts"
import { write } from "./write.ts"
import * as Commands from "./commands.ts"

const { project } = TestProdigy.places

const workflow = `
name: simulated
mode: mapreduce
map:
  input: { items: [0, 1, 2, 3, 4] }
  max_parallel: 2
  agent_template:
    - shell: work
      env: { ITEM: "\${item}" }
`

/** What the world sees of it. */
export interface Witness {
  /** Whether the job of before is over and its dead letters are tried. */
  retrying: boolean
  /** Items that ran, in order. */
  readonly ran: Array<number>
  /** Items that ran although the journal said that they were done, or had failed again. */
  readonly again: Array<number>
  resumed: boolean
}

/** At first only item 0 is done; later also 1 and 2. */
const programs = (witness: Witness): TestProdigy.Programs => ({
  shell: ({ cwd, env }, files) =>
    Effect.gen(function* () {
      const item = Number(env["ITEM"])
      if (witness.retrying) witness.ran.push(item)
      if (item > (witness.retrying ? 2 : 0)) return { exitCode: 1, stderr: "no" }
      yield* write(files, `${cwd}/${item}`, `by ${item}\n`)
      return {}
    })
})

const start = Commands.run(workflow)

/** Tries again what was not tried again before, but for item 4. */
const retry = Effect.gen(function* () {
  const engine = yield* MapReduce
  const inspect = yield* Inspect
  const { jobId, repo } = yield* inspect.job({ projectPath: project, id: "latest" })
  return yield* engine.retry(
    {
      repo,
      jobId,
      filter: "item < 4",
      maxRetries: 1,
      force: false,
      parallel: null,
      timeoutMillis: null,
      reduce: false,
      approve: "yes",
      waitsForQuota: true
    },
    () => Effect.void
  )
})

/** The same command again; there may be nothing to try any more. */
const again = Effect.catchTag(retry, "NothingToRetry", () => Effect.void)

/** What the printed command does: `prodigy resume`, of what can be resumed. */
const resumed = (witness: Witness, id: string | null) =>
  Effect.gen(function* () {
    const resume = yield* Resume
    const { damaged, lost, running, sessions } = yield* resume.list({ projectPath: project })
    assert.deepStrictEqual([damaged, lost, running], [[], [], []])
    if (id === null && sessions.length === 0) return
    const target = yield* resume.find({ projectPath: project, id })
    witness.resumed = true
    yield* Commands.resume(target).pipe(Effect.catchTag("AlreadyCompleted", () => Effect.void))
  })

/** Somebody goes on, and what was recorded before does not run. */
const goOn = (witness: Witness, how: "retry" | "resume") =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* Invariants.broken, [])
    const recorded = yield* recordedItems
    const before = witness.ran.length
    if (how === "resume") yield* resumed(witness, null)
    yield* again
    // Of a retry that is over its owner may not have come to the end of the tidying up.
    yield* resumed(witness, "latest")
    for (const item of witness.ran.slice(before)) if (isDone(recorded, item)) witness.again.push(item)
  })

/** Failed once before the retry, so that a second failure ends it. */
const isDone = (recorded: Recorded, item: number) =>
  recorded.completed.has(item) || (recorded.failed.get(item) ?? 0) >= 2

const check = (witness: Witness) =>
  Effect.gen(function* () {
    const git = yield* MemoryWorkspace.repository
    const main = MemoryWorkspace.history(git, "refs/heads/main")
    const merges = main.map(({ message }) => /^Merge \S+ \(item_(\d)\)/.exec(message)?.[1]).filter(Boolean)
    assert.deepStrictEqual(merges.toSorted(), ["0", "1", "2"])
    assert.deepStrictEqual(main[0]?.tree, { "0": "by 0\n", "1": "by 1\n", "2": "by 2\n", README: "hello\n" })
    const dlq = yield* DeadLetters
    const { letters } = yield* dlq.list({ projectPath: project, job: "latest", all: true, eligible: false, limit: 10 })
    assert.deepStrictEqual(
      letters.map(({ failure_history, item_index, status }) => [item_index, status, failure_history.length]),
      [
        [1, "resolved", 1],
        [2, "resolved", 1],
        [3, "failed", 2],
        [4, "failed", 1]
      ]
    )
    assert.ok(!witness.ran.includes(0) && !witness.ran.includes(4), String(witness.ran))
    assert.deepStrictEqual(witness.again, [])
    const inspect = yield* Inspect
    const { sessions } = yield* inspect.sessions({ projectPath: project, allRepos: true, status: null, limit: 10 })
    assert.deepStrictEqual(
      sessions.map(({ session }) => [session.status, session.worktree]),
      [["Completed", null]]
    )
    assert.deepStrictEqual(yield* Invariants.violations, [])
    assert.deepStrictEqual(git.agents, {})
    assert.deepStrictEqual(mergedRefs(git), [])
    assert.deepStrictEqual(yield* leftovers, [])
  })

/** The retry, what goes on with it, and all that must be true at the end. */
export const scenario = (how: "retry" | "resume"): CrashExplorer.Scenario<Witness, unknown> => {
  const on =
    <A, E>(program: (witness: Witness) => Effect.Effect<A, E, TestProdigy.Services | CrashExplorer.Environment>) =>
    (witness: Witness) =>
      Effect.provide(program(witness), TestProdigy.layerBoot(programs(witness)))
  return {
    witness: () => ({ retrying: false, ran: [], again: [], resumed: false }),
    prepare: (witness) =>
      Effect.zipRight(
        MemoryWorkspace.init({ root: project, files: { README: "hello\n" } }),
        Effect.tap(on(() => start)(witness), () => Effect.sync(() => void (witness.retrying = true)))
      ),
    run: on(() => retry),
    recover: on((witness) => goOn(witness, how)),
    check: on(check)
  }
}
