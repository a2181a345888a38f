/**
 * A standard workflow of four steps on a simulated machine, each of which captures a value and is shown those of the steps
 * before it.
 */
import { Inspect } from "@prodigy/core/engine/Inspect"
import { Resume } from "@prodigy/core/engine/Resume"
import { WorkflowStore } from "@prodigy/core/storage/WorkflowStore"
import type * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as assert from "node:assert/strict"
import { leftovers, stored } from "./leftovers.ts"
import { write } from "./write.ts"
import * as Commands from "./commands.ts"

const { project } = TestProdigy.places

const steps = [1, 2, 3, 4] as const

/** Each step is shown what the ones before it gave. */
const step = (number: number) => `
  - shell: step
    capture_output: v${number}
    env: { STEP: "${number}"${steps
      .filter((before) => before < number)
      .map((before) => `, V${before}: "\${v${before}}"`)
      .join("")} }`

const workflow = `
name: steps
commands:${steps.map(step).join("")}
`

/** A step that ran: which, what it was shown, and what it gave. */
interface Ran {
  readonly step: number
  readonly shown: ReadonlyArray<string>
  readonly gave: string
}

/** What the world sees of it. */
export interface Witness {
  readonly ran: Array<Ran>
  /** What the recorded steps gave, at each start of somebody who goes on, and how many had run before. */
  readonly recorded: Array<{ readonly values: ReadonlyArray<string>; readonly after: number }>
  resumed: boolean
}

const programs = (witness: Witness): TestProdigy.Programs => ({
  shell: ({ cwd, env }, files) =>
    Effect.gen(function* () {
      const number = Number(env["STEP"])
      const shown = steps.filter((before) => before < number).map((before) => env[`V${before}`] ?? "nothing")
      // No two runs of a step give the same.
      const gave = `${number}#${witness.ran.length}`
      witness.ran.push({ step: number, shown, gave })
      yield* write(files, `${cwd}/${number}`, `by ${number}\n`)
      return { stdout: `${gave}\n` }
    })
})

const start = Commands.run(workflow)

/** What the checkpoint says the steps gave that are done. */
const recordedValues = Effect.gen(function* () {
  const store = yield* WorkflowStore
  const inspect = yield* Inspect
  const repo = yield* inspect.repository({ projectPath: project })
  const [sessionId] = repo === null ? [] : yield* store.list(repo)
  if (repo === null || sessionId === undefined) return []
  const { checkpoint, damaged } = yield* store.loadCheckpoint(repo, sessionId)
  assert.deepStrictEqual(damaged, [])
  const variables = checkpoint?.state.variables ?? {}
  const done = checkpoint?.state.next_step ?? 0
  return steps.filter((number) => number <= done).map((number) => String(variables[`v${number}`]))
})

const goOn = (witness: Witness) =>
  Effect.gen(function* () {
    witness.recorded.push({ values: yield* recordedValues, after: witness.ran.length })
    const resume = yield* Resume
    const { damaged, lost, running, sessions } = yield* resume.list({ projectPath: project })
    assert.deepStrictEqual([damaged, running], [[], []])
    // A session that is over is over: nothing of it is left to do.
    if (yield* isCompleted) return
    if (sessions.length + lost.length === 0) return yield* start
    const target = yield* resume.find({ projectPath: project, id: null })
    witness.resumed = true
    yield* Commands.resume(target).pipe(Effect.catchTag("AlreadyCompleted", () => Effect.void))
  })

const check = (witness: Witness) =>
  Effect.gen(function* () {
    const git = yield* MemoryWorkspace.repository
    const main = MemoryWorkspace.history(git, "refs/heads/main")
    const files = Object.fromEntries(steps.map((number) => [String(number), `by ${number}\n`]))
    assert.deepStrictEqual(main[0]?.tree, { README: "hello\n", ...files })
    // Merged once: its own commit is there once, whatever it took to get there.
    assert.equal(new Set(main.map(({ message }) => message)).size, main.length, "a commit came twice")
    const inspect = yield* Inspect
    const { sessions } = yield* inspect.sessions({ projectPath: project, allRepos: true, status: null, limit: 10 })
    assert.deepStrictEqual(
      sessions
        .filter(({ session }) => session.status !== "Initializing")
        .map(({ session }) => [session.status, session.worktree]),
      [["Completed", null]]
    )
    assert.equal((yield* recordedValues).length, steps.length)
    for (const { after, values } of witness.recorded) {
      const next = witness.ran[after]
      if (next === undefined) continue
      // The first that is not recorded, with the variables of those that are.
      assert.equal(next.step, values.length + 1)
      assert.deepStrictEqual(next.shown, values)
    }
    // In order: after each step the next one, or, after a crash, the same or the first that was not recorded.
    const order = witness.ran.map(({ step }) => step)
    assert.deepStrictEqual([...new Set(order)], [...steps])
    assert.ok(
      order.every((step, index) => index === 0 || step <= order[index - 1]! + 1),
      String(order)
    )
    // The last run of each step is the one whose value was kept.
    const last = steps.map((number) => witness.ran.findLast(({ step }) => step === number)?.gave)
    assert.deepStrictEqual(yield* recordedValues, last)
    assert.deepStrictEqual(
      Object.keys(git.refs).filter((ref) => ref !== "refs/heads/main"),
      []
    )
    assert.deepStrictEqual(
      (yield* stored).filter((path) => path.endsWith("/README")),
      [],
      "no worktree is left"
    )
    // What nobody goes on with, nobody has cleaned up behind.
    if (witness.resumed) assert.deepStrictEqual(yield* leftovers, [])
  })

const isCompleted = Effect.gen(function* () {
  const inspect = yield* Inspect
  const { sessions } = yield* inspect.sessions({ projectPath: project, allRepos: true, status: null, limit: 10 })
  return sessions.some(({ session }) => session.status === "Completed")
})

/** The workflow, what goes on with it, and all that must be true at the end. */
export const scenario: CrashExplorer.Scenario<Witness, unknown> = {
  witness: () => ({ ran: [], recorded: [], resumed: false }),
  prepare: () => MemoryWorkspace.init({ root: project, files: { README: "hello\n" } }),
  run: (witness) => Effect.provide(start, TestProdigy.layerBoot(programs(witness))),
  recover: (witness) => Effect.provide(goOn(witness), TestProdigy.layerBoot(programs(witness))),
  check: (witness) => Effect.provide(check(witness), TestProdigy.layerBoot(programs(witness)))
}
