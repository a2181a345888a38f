/**
 * A job of six items on a simulated machine: one is tried again after a failure, one fails for good, two conflict and the
 * second of them is made again on top of the first.
 */
import { DeadLetters } from "@prodigy/core/engine/DeadLetters"
import { Inspect } from "@prodigy/core/engine/Inspect"
import { Resume } from "@prodigy/core/engine/Resume"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import * as Invariants from "./invariants.ts"
import { leftovers, mergedRefs } from "./scenarios/leftovers.ts"
import { recordedItems } from "./scenarios/recorded.ts"
import { write } from "./scenarios/write.ts"
import * as Commands from "./scenarios/commands.ts"

const { project } = TestProdigy.places

const workflow = `
name: simulated
mode: mapreduce
map:
  input: { items: [0, 1, 2, 3, 4, 5] }
  max_parallel: 3
  retry: { attempts: 2, initial_delay: 1s }
  agent_template:
    - shell: work
      env: { ITEM: "\${item}", ATTEMPT: "\${attempt}" }
reduce:
  - shell: report
    env: { DONE: "\${map.successful}" }
`

/** What the world sees of it. */
export interface Witness {
  /** What ran, in order: "item:attempt", "report". */
  readonly ran: Array<string>
  /** What ran after a crash although its item's work was recorded before. */
  readonly again: Array<string>
  /** Whether somebody went on with the job, and so cleaned up behind the dead. */
  resumed: boolean
}

/** What its steps do. */
export const programs = (witness: Witness): TestProdigy.Programs => ({
  shell: ({ cwd, env, script }, files) =>
    Effect.gen(function* () {
      if (script.includes("report")) {
        witness.ran.push("report")
        yield* write(files, `${cwd}/REPORT`, `${env["DONE"]}\n`)
        return {}
      }
      const item = Number(env["ITEM"])
      witness.ran.push(`${item}:${env["ATTEMPT"]}`)
      if (item === 3 || (item === 2 && env["ATTEMPT"] === "1")) return { exitCode: 1, stderr: "no" }
      yield* write(files, `${cwd}/${item < 4 ? item : "both"}`, `by ${item}\n`)
      return {}
    })
})

/** Runs it from its start. */
export const start = Commands.run(workflow)

/** What somebody does who finds the machine switched off: goes on with what there is, or starts again when there is nothing. */
const goOn = (witness: Witness) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* Invariants.broken, [])
    const { completed } = yield* recordedItems
    const before = witness.ran.length
    yield* proceed(witness)
    // Those that conflict may be made again.
    for (const name of witness.ran.slice(before))
      if (/^[0-2]:/.test(name) && completed.has(Number.parseInt(name))) witness.again.push(name)
  })

const proceed = (witness: Witness) =>
  Effect.gen(function* () {
    const resume = yield* Resume
    const inspect = yield* Inspect
    const { damaged, lost, running, sessions } = yield* resume.list({ projectPath: project })
    assert.deepStrictEqual(damaged, [])
    assert.deepStrictEqual(running, [])
    const all = yield* inspect.sessions({ projectPath: project, allRepos: true, status: null, limit: 10 })
    // A job that is over is over: nothing of it is left to do.
    if (all.sessions.some(({ session }) => session.status === "Completed")) return
    if (sessions.length + lost.length === 0) return yield* start
    const target = yield* resume.find({ projectPath: project, id: null })
    witness.resumed = true
    return yield* Commands.resume(target).pipe(Effect.catchTag("AlreadyCompleted", () => Effect.void))
  })

const check = (witness: Witness) =>
  Effect.gen(function* () {
    const git = yield* MemoryWorkspace.repository
    const main = MemoryWorkspace.history(git, "refs/heads/main")
    const merges = main.map(({ message }) => /^Merge \S+ \(item_(\d)\)/.exec(message)?.[1]).filter(Boolean)
    assert.deepStrictEqual(merges.toSorted(), ["0", "1", "2", "4", "5"])
    const { both, ...tree } = main[0]?.tree ?? {}
    assert.deepStrictEqual(tree, { "0": "by 0\n", "1": "by 1\n", "2": "by 2\n", README: "hello\n", REPORT: "5\n" })
    assert.ok(both === "by 4\n" || both === "by 5\n", both)
    assert.deepStrictEqual(git.agents, {})
    const inspect = yield* Inspect
    const { sessions } = yield* inspect.sessions({ projectPath: project, allRepos: true, status: null, limit: 10 })
    // One that had not come to its first record has nothing to go on from.
    assert.deepStrictEqual(
      sessions
        .filter(({ session }) => session.status !== "Initializing")
        .map(({ session }) => [session.status, session.worktree]),
      [["Completed", null]]
    )
    assert.deepStrictEqual(mergedRefs(git), [])
    const dlq = yield* DeadLetters
    const letters = yield* dlq.list({ projectPath: project, job: "latest", all: true, eligible: false, limit: 10 })
    assert.deepStrictEqual(
      letters.letters.map(({ failure_history, item_id }) => [item_id, failure_history.length]),
      [["item_3", 2]]
    )
    assert.ok(witness.ran.includes("report"))
    assert.deepStrictEqual(witness.again, [])
    const violations = yield* Invariants.violations
    assert.deepStrictEqual(witness.resumed ? violations : violations.filter((line) => line.startsWith("broken")), [])
    // What nobody goes on with, nobody has cleaned up behind.
    if (!witness.resumed) return
    assert.deepStrictEqual(yield* leftovers, [])
  })

/** The job, what goes on with it, and all that must be true at the end. */
export const scenario: CrashExplorer.Scenario<Witness, unknown> = {
  witness: () => ({ ran: [], again: [], resumed: false }),
  prepare: () => MemoryWorkspace.init({ root: project, files: { README: "hello\n" } }),
  run: (witness) => Effect.provide(start, TestProdigy.layerBoot(programs(witness))),
  recover: (witness) => Effect.provide(goOn(witness), TestProdigy.layerBoot(programs(witness))),
  check: (witness) => Effect.provide(check(witness), TestProdigy.layerBoot(programs(witness)))
}
