/**
 * A job of three items on a simulated machine, small enough to be hunted through for each of many defects: one item succeeds,
 * one at its second attempt, one fails for good and leaves uncommitted work. In a second part its dead letter is tried again.
 *
 * Recovery and checks read with sound services, whatever the program ran with.
 */
import type { RepoName } from "@prodigy/core/domain/RepoName"
import type { JobId } from "@prodigy/core/domain/JobId"
import * as JobState from "@prodigy/core/domain/JobState"
import * as JobEvidence from "@prodigy/core/engine/JobEvidence"
import { MapReduce } from "@prodigy/core/engine/MapReduce"
import { Resume } from "@prodigy/core/engine/Resume"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import type * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as assert from "node:assert/strict"
import * as Invariants from "./invariants.ts"
import * as Commands from "./scenarios/commands.ts"
import { write } from "./scenarios/write.ts"

const { project } = TestProdigy.places

const workflow = `
name: small
mode: mapreduce
map:
  input: { items: [0, 1, 2] }
  max_parallel: 2
  retry: { attempts: 2, initial_delay: 1s }
  agent_template:
    - shell: work
      env: { ITEM: "\${item}", ATTEMPT: "\${attempt}" }
reduce:
  - shell: report
`

/** What the world sees of it. */
export interface Witness {
  /** What ran, in order: "item:attempt", "report". */
  readonly ran: Array<string>
  /** What ran after a crash although its item was recorded done before. */
  readonly again: Array<string>
  /** Whether somebody was told that it completed. */
  isCompleted: boolean
  /** Whether the third item succeeds by now. */
  isMended: boolean
}

export const programs = (witness: Witness): TestProdigy.Programs => ({
  shell: ({ cwd, env, script }, files) =>
    Effect.gen(function* () {
      if (script.includes("report")) {
        witness.ran.push("report")
        // Long enough for the session's file to be written meanwhile.
        yield* Effect.sleep("3 seconds")
        yield* write(files, `${cwd}/REPORT`, "done\n")
        return {}
      }
      const [item, attempt] = [env["ITEM"], Number(env["ATTEMPT"])]
      witness.ran.push(`${item}:${attempt}`)
      yield* write(files, `${cwd}/${item}`, `by ${item}\n`)
      const fails = (item === "1" && attempt === 1) || (item === "2" && !witness.isMended)
      return fails ? { exitCode: 1, stderr: "no" } : {}
    })
})

export const start = Commands.run(workflow)

/** The jobs that were begun. */
export const jobs = Effect.gen(function* () {
  const home = yield* ProdigyHome
  const store = yield* JobStore
  const found: Array<{ readonly repo: RepoName; readonly jobId: JobId }> = []
  for (const repo of yield* home.repoNames) {
    for (const jobId of yield* store.list(repo)) found.push({ repo, jobId })
  }
  return found
})

export const retry = Effect.gen(function* () {
  const engine = yield* MapReduce
  for (const job of yield* jobs) {
    yield* engine
      .retry(
        {
          ...job,
          filter: null,
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
      .pipe(Effect.catchTag("NothingToRetry", () => Effect.void))
  }
})

const resume = Effect.gen(function* () {
  const engine = yield* Resume
  for (const { jobId } of yield* jobs) {
    const target = yield* engine.find({ projectPath: project, id: jobId })
    yield* Commands.resume(target).pipe(Effect.catchTag("AlreadyCompleted", () => Effect.void))
  }
})

/** Items whose work is recorded: none of them is run again. */
const recorded = Effect.gen(function* () {
  const found = new Set<string>()
  for (const job of yield* jobs) {
    const { files } = yield* JobEvidence.gather({ ...job, events: false })
    for (const index of [0, 1, 2]) {
      const is = JobState.itemAt(files.state, index)?.is
      if (is === "completed" || is === "merging" || is === "merged") found.add(String(index))
    }
  }
  return found
})

const check = (witness: Witness, isOver: boolean) =>
  Effect.gen(function* () {
    assert.deepStrictEqual(yield* Invariants.violations, [])
    assert.deepStrictEqual(witness.again, [])
    const begun = yield* jobs
    if (begun.length === 0) return assert.ok(!witness.isCompleted, "a completed job is gone")
    const git = yield* MemoryWorkspace.repository
    const { tree } = MemoryWorkspace.history(git, "refs/heads/main")[0] ?? {}
    const due = {
      "0": "by 0\n",
      "1": "by 1\n",
      REPORT: "done\n",
      ...(witness.isMended && isOver ? { "2": "by 2\n" } : {})
    }
    assert.deepStrictEqual({ ...tree }, { README: "hello\n", ...due })
  })

/** What is run: the job, the retry of its dead letter, or the job with somebody beside it who would resume it. */
export type Part = "run" | "retry" | "rivals"

/** A part of it with services replaced; `recovers`: and gone on with by them after a crash. */
export const scenario = (
  part: Part,
  replaced: TestProdigy.Replaced,
  recovers: boolean
): CrashExplorer.Scenario<Witness, unknown> => {
  const sound = (witness: Witness) => TestProdigy.layerBoot(programs(witness))
  const defective = (witness: Witness) => TestProdigy.layerBoot(programs(witness), replaced)
  const recover = (witness: Witness) =>
    Effect.gen(function* () {
      const before = yield* Effect.provide(
        Effect.gen(function* () {
          // A crash may leave things behind, and nothing wrong.
          assert.deepStrictEqual(yield* Invariants.broken, [])
          return yield* recorded
        }),
        sound(witness)
      )
      const count = witness.ran.length
      yield* Effect.provide(resume, defective(witness))
      if (part === "retry") yield* Effect.provide(retry, defective(witness))
      for (const name of witness.ran.slice(count)) {
        if (before.has(name.split(":")[0] ?? "")) witness.again.push(name)
      }
    })
  return {
    witness: () => ({ ran: [], again: [], isCompleted: false, isMended: false }),
    prepare: (witness) =>
      Effect.zipRight(
        MemoryWorkspace.init({ root: project, files: { README: "hello\n" } }),
        part !== "retry"
          ? Effect.void
          : Effect.zipRight(
              Effect.provide(start, sound(witness)),
              Effect.sync(() => void (witness.isMended = true))
            )
      ),
    run: (witness) =>
      Effect.gen(function* () {
        if (part === "run") yield* Effect.provide(start, defective(witness))
        if (part === "retry") yield* Effect.provide(retry, defective(witness))
        if (part === "rivals") {
          const running = yield* Effect.fork(Effect.provide(start, defective(witness)))
          while ((yield* Effect.provide(jobs, sound(witness))).length === 0) yield* Effect.sleep("50 millis")
          const rival = yield* Effect.either(Effect.provide(resume, defective(witness)))
          assert.strictEqual(rival._tag === "Left" ? rival.left._tag : "it went on", "ResumeLockHeld")
          yield* Fiber.join(running)
        }
        witness.isCompleted = true
      }),
    ...(recovers ? { recover } : {}),
    check: (witness) => Effect.provide(check(witness, recovers || witness.isCompleted), sound(witness))
  }
}
