import * as Path from "@effect/platform/Path"
import { assert, describe, it } from "@effect/vitest"
import * as AgentId from "@prodigy/core/domain/AgentId"
import type { Work } from "@prodigy/core/domain/JobDecision"
import * as JobState from "@prodigy/core/domain/JobState"
import { type ActiveRun, policyOf } from "@prodigy/core/engine/ActiveRun"
import * as Approval from "@prodigy/core/engine/Approval"
import * as CheckoutFiles from "@prodigy/core/engine/CheckoutFiles"
import * as ItemSelection from "@prodigy/core/engine/ItemSelection"
import * as JobWork from "@prodigy/core/engine/JobWork"
import * as Progress from "@prodigy/core/engine/Progress"
import * as StepRunner from "@prodigy/core/engine/StepRunner"
import * as DiskSpace from "@prodigy/core/storage/DiskSpace"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as JobStore from "@prodigy/core/storage/JobStore"
import * as Journal from "@prodigy/core/storage/Journal"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import { MergeConflict, type SessionWorkspace, WorkspaceError } from "@prodigy/core/workspace/Workspace"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as ScriptedAgent from "@prodigy/testing/ScriptedAgent"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import * as NodeContext from "@effect/platform-node/NodeContext"
import * as Effect from "effect/Effect"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"

const tip = "a".repeat(40)
const commit = "b".repeat(40)
const agentId = AgentId.fromItem(JobSamples.jobFile().job_id, 0)
const integration = { _tag: "Integrate", index: 0, tip, branch: "branch", agentId } as const

describe("JobWork", () => {
  for (const work of [{ _tag: "RunSetup" }, { _tag: "RunReduceStep", step: 0 }, { _tag: "Finish" }] as const) {
    it.effect(`ends the phase, not the program, when the workspace refuses during ${work._tag}`, () =>
      Effect.gen(function* () {
        const fiber = yield* Effect.fork(perform({ sealSetup: () => refused, syncParent: refused }, work))
        yield* TestClock.adjust("1 minute")
        const fact = yield* Fiber.join(fiber)
        assert.strictEqual(fact._tag, "PhaseFailed")
        if (fact._tag !== "PhaseFailed") return
        assert.strictEqual(fact.phase, { RunSetup: "setup", RunReduceStep: "reduce", Finish: "finish" }[work._tag])
        assert.strictEqual(fact.failure.cause.error_type, "WorktreeError")
        assert.include(fact.failure.message, "no luck")
      })
    )
  }

  it.effect("tries the final merge again when git failed for a reason that may pass", () =>
    Effect.gen(function* () {
      const done = { outcome: "nothing_to_merge", target: "main" } as const
      let tries = 0
      const members: Partial<SessionWorkspace> = {
        syncParent: Effect.void,
        sealReduce: () => Effect.void,
        preview: Effect.succeed({ target: "main", commits: 1, files: 1 }),
        finish: () => Effect.suspend(() => (++tries < 2 ? refused : Effect.succeed(done)))
      }
      const fiber = yield* Effect.fork(perform(members, { _tag: "Finish" }))
      yield* TestClock.adjust("1 minute")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { _tag: "Finished", finish: done })
    })
  )

  it.effect("tries a merge again that failed for a reason that may pass", () =>
    Effect.gen(function* () {
      let tries = 0
      const integrate = () => Effect.suspend(() => (++tries < 3 ? refused : Effect.succeed({ commit })))
      const fiber = yield* Effect.fork(perform({ integrate }, integration))
      yield* TestClock.adjust("2 seconds")
      assert.deepStrictEqual(yield* Fiber.join(fiber), { _tag: "Merged", index: 0, commit })
    })
  )

  it.effect("gives a merge up that keeps failing, and says where the work is", () =>
    Effect.gen(function* () {
      let tries = 0
      const integrate = () => Effect.suspend(() => (++tries, refused))
      const fiber = yield* Effect.fork(perform({ integrate }, integration))
      yield* TestClock.adjust("1 minute")
      const fact = yield* Fiber.join(fiber)
      assert.deepInclude(fact, {
        _tag: "MergeFailed",
        index: 0,
        kept: { tip, branch_name: "branch" },
        durationMillis: 600
      })
      assert.strictEqual(tries, 3)
    })
  )

  it.effect("waits for room with a merge that met a full disk, and then gives it up as what it is", () =>
    Effect.gen(function* () {
      let tries = 0
      const failing = { integrate: () => Effect.suspend(() => (++tries, refused)) }
      const fiber = yield* Effect.fork(perform(failing, integration, 1024))
      yield* TestClock.adjust("1 minute")
      const fact = yield* Fiber.join(fiber)
      if (fact._tag !== "MergeFailed") return assert.fail(fact._tag)
      assert.strictEqual(fact.failure.cause.error_type, "ResourceExhausted")
      assert.include(fact.failure.message, "The disk of /parent is full (1 KiB left): ")
      assert.strictEqual(tries, 15)
      const passing = { integrate: () => Effect.suspend(() => (++tries < 20 ? refused : Effect.succeed({ commit }))) }
      const second = yield* Effect.fork(perform(passing, integration, 1024))
      yield* TestClock.adjust("20 seconds")
      assert.deepStrictEqual(yield* Fiber.join(second), { _tag: "Merged", index: 0, commit })
    })
  )

  it.effect("ends a phase that met a full disk as what it is", () =>
    Effect.gen(function* () {
      const fiber = yield* Effect.fork(perform({ syncParent: refused }, { _tag: "Finish" }, 0))
      yield* TestClock.adjust("1 minute")
      const fact = yield* Fiber.join(fiber)
      assert.strictEqual(fact._tag === "PhaseFailed" && fact.failure.cause.error_type, "ResourceExhausted")
    })
  )

  it.effect("does not try a conflict again", () =>
    Effect.gen(function* () {
      let tries = 0
      const conflict = new MergeConflict({ branch: "branch", tip, paths: ["a.txt"] })
      const fact = yield* perform({ integrate: () => Effect.suspend(() => (++tries, conflict)) }, integration)
      assert.strictEqual(tries, 1)
      assert.strictEqual(fact._tag === "MergeFailed" && fact.failure.cause.error_type, "MergeConflict")
    })
  )
})

const refused = Effect.fail(
  new WorkspaceError({ operation: "work", reason: "command_failed", path: "/repo", detail: "no luck" })
)

/** Does a piece of work in a workspace of which only these members are there. */
const perform = (members: Partial<SessionWorkspace>, work: Work, free: number | null = null) => {
  const job = JobSamples.jobFile()
  const workspace = { parent: { path: "/parent", branch: "session", base: tip }, ...members }
  const run = {
    repo: job.repository.name,
    job,
    policy: policyOf(job, { maxRetries: null, waitsForQuota: true }),
    workspace,
    transcripts: { directory: "/logs", path: () => Effect.succeed("/logs/step.log") },
    items: { current: [] }
  } as unknown as ActiveRun
  const layer = JobWork.layer.pipe(
    Layer.provide(StepRunner.layer),
    Layer.provide(ScriptedAgent.layer(() => Effect.succeed({}))),
    Layer.provide(ItemSelection.layer),
    Layer.provide(ScriptedShell.layer(() => Effect.succeed({}))),
    Layer.provide(CheckoutFiles.layer),
    Layer.provide(DiskSpace.layerTest(free)),
    Layer.provide(JobStore.layerMemory),
    Layer.provide(Journal.layerMemory),
    Layer.provide(ProdigyHome.layerMemory),
    Layer.provide(AtomicFile.layerMemory),
    Layer.provide(Approval.layerNobody),
    Layer.provide(Progress.layer),
    Layer.provide(Path.layer),
    Layer.provide(NodeContext.layer)
  )
  return Effect.flatMap(JobWork.JobWork, (jobWork) => jobWork.perform(run, JobState.empty, work)).pipe(
    Effect.provide(layer)
  )
}
