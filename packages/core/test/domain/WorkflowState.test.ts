import * as Failure from "@prodigy/core/domain/Failure"
import * as Usage from "@prodigy/core/domain/Usage"
import * as WorkflowState from "@prodigy/core/domain/WorkflowState"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"

type State = WorkflowState.WorkflowState
type Extent = WorkflowState.Extent
type Fact = WorkflowState.Fact

const usage: Usage.Usage = { ...Usage.none, usd: 1 }
const failure = Failure.make({ error_type: "CommandFailed", exit_code: 1 }, "It failed.")

const time = "2026-01-01T01:00:00.000Z"

const after = (state: State, extent: Extent, ...facts: ReadonlyArray<Fact>): State =>
  facts.reduce((now, fact) => Either.getOrThrowWith(WorkflowState.apply(now, extent, fact), Error), state)

const begin = (extent: Extent): State => after(WorkflowState.empty, extent, { _tag: "Started" })

const done = (step: number, more: Partial<Extract<Fact, { _tag: "StepCompleted" }>> = {}): Fact => ({
  _tag: "StepCompleted",
  step,
  name: `step ${step}`,
  outcome: "done",
  variables: { last: step },
  usage,
  ...more
})

const one: Extent = { steps: 3, iterations: 1, values: 1 }

describe("WorkflowState", () => {
  it("runs its steps in order, then finishes", () => {
    const seen: Array<WorkflowState.Work | null> = []
    let state = begin(one)
    for (let step = 0; step < 3; step++) {
      seen.push(WorkflowState.work(state, one))
      state = after(state, one, done(step))
    }
    seen.push(WorkflowState.work(state, one))
    const steps = [0, 1, 2].map((step): WorkflowState.Work => ({ _tag: "RunStep", step }))
    assert.deepStrictEqual(seen, [...steps, { _tag: "Finish" }])
    assert.deepStrictEqual(state.variables, { last: 2 })
    const over = after(state, one, { _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } })
    assert.strictEqual(over.status, "completed")
    assert.isNull(WorkflowState.work(over, one))
    assert.strictEqual(over.usage.usd, 3)
    assert.strictEqual(over.iterations_completed, 1)
  })

  it("waits for the agent's quota before it runs the step again, over a pause too", () => {
    const until = "2026-01-01T01:00:00.000Z"
    const reached: Fact = { _tag: "QuotaReached", step: 1, until, failure, usage }
    const waiting = after(begin(one), one, done(0), reached)
    assert.deepInclude(waiting, { status: "running", next_step: 1, quota_hits: 1, failure: null })
    assert.deepStrictEqual(WorkflowState.work(waiting, one), { _tag: "Wait", until })
    assert.isTrue(Either.isLeft(WorkflowState.apply(waiting, one, done(1))))
    const resumed = after(waiting, one, { _tag: "Paused", usage }, { _tag: "Resumed" })
    assert.deepStrictEqual(WorkflowState.work(resumed, one), { _tag: "Wait", until })
    const over = after(resumed, one, { _tag: "QuotaOver" })
    assert.deepStrictEqual(WorkflowState.work(over, one), { _tag: "RunStep", step: 1 })
    assert.isTrue(Either.isLeft(WorkflowState.apply(over, one, { _tag: "QuotaOver" })))
    assert.strictEqual(after(over, one, reached).quota_hits, 2)
    assert.strictEqual(after(over, one, done(1)).quota_hits, 0)
    assert.isNull(after(waiting, one, { _tag: "Cancelled" }).quota)
  })

  it("is cancelled once, from anything but completed, and never goes on then", () => {
    const cancel: Fact = { _tag: "Cancelled" }
    const running = begin(one)
    const failed = after(running, one, { _tag: "StepFailed", step: 0, failure, usage })
    const paused = after(running, one, { _tag: "Paused", usage })
    for (const state of [WorkflowState.empty, running, failed, paused]) {
      const over = after(state, one, cancel)
      assert.deepInclude(over, { status: "cancelled", failure: null, next_step: state.next_step })
      assert.isNull(WorkflowState.work(over, one))
      for (const fact of [
        cancel,
        done(0),
        { _tag: "Started" },
        { _tag: "Resumed" },
        { _tag: "Paused", usage }
      ] as const)
        assert.isTrue(Either.isLeft(WorkflowState.apply(over, one, fact)), fact._tag)
    }
    const finished = after(running, one, done(0), done(1), done(2), {
      _tag: "Finished",
      finish: { outcome: "nothing_to_merge", target: "main" }
    })
    assert.isTrue(Either.isLeft(WorkflowState.apply(finished, one, cancel)))
  })

  it("starts again at the step that failed, with the variables that the steps before it left", () => {
    const failed = after(begin(one), one, done(0, { variables: { release: "v7" } }), {
      _tag: "StepFailed",
      step: 1,
      failure,
      usage
    })
    assert.strictEqual(failed.status, "failed")
    assert.strictEqual(failed.usage.usd, 2)
    assert.isNull(WorkflowState.work(failed, one))
    const resumed = after(failed, one, { _tag: "Resumed" })
    assert.isNull(resumed.failure)
    assert.deepStrictEqual(WorkflowState.work(resumed, one), { _tag: "RunStep", step: 1 })
    assert.deepStrictEqual(resumed.variables, { release: "v7" })
  })

  it("finishes again when the finish failed", () => {
    const steps = after(begin(one), one, done(0), done(1), done(2))
    const failed = after(steps, one, { _tag: "FinishFailed", failure })
    assert.strictEqual(failed.status, "failed")
    assert.deepStrictEqual(WorkflowState.work(after(failed, one, { _tag: "Resumed" }), one), { _tag: "Finish" })
  })

  it("counts what an interrupted step used", () => {
    assert.strictEqual(after(begin(one), one, { _tag: "Paused", usage }).usage.usd, 1)
  })

  it("runs up to N iterations, each without the variables of the one before", () => {
    const extent = { steps: 1, iterations: 3, values: 1 }
    let state = after(begin(extent), extent, { _tag: "Looked", mark: "0" })
    for (const iteration of [1, 2, 3]) {
      assert.strictEqual(state.iteration, iteration)
      assert.deepStrictEqual(state.variables, {})
      state = after(state, extent, done(0))
      if (iteration < 3) state = after(state, extent, { _tag: "Looked", mark: String(iteration) })
    }
    assert.strictEqual(state.phase, "finish")
    assert.strictEqual(state.iterations_completed, 3)
  })

  it("stops early when an iteration changed nothing", () => {
    const extent = { steps: 1, iterations: 5, values: 1 }
    const looked = (mark: string): Fact => ({ _tag: "Looked", mark })
    const state = after(begin(extent), extent, looked("0"), done(0), looked("1"), done(0), looked("1"))
    assert.strictEqual(state.phase, "finish")
    assert.strictEqual(state.iterations_completed, 2)
  })

  it("compares an iteration with its own beginning, whatever came between", () => {
    const extent = { steps: 2, iterations: 2, values: 1 }
    const state = after(
      begin(extent),
      extent,
      { _tag: "Looked", mark: "0" },
      done(0),
      { _tag: "Paused", usage },
      { _tag: "Resumed" },
      done(1),
      { _tag: "Looked", mark: "1" }
    )
    assert.strictEqual(state.iteration, 2)
    assert.strictEqual(state.mark, "1")
  })

  it("runs once per value, and goes on to the next one when an iteration changed nothing", () => {
    const extent = { steps: 1, iterations: 2, values: 2 }
    const looked = (mark: string): Fact => ({ _tag: "Looked", mark })
    const second = after(begin(extent), extent, looked("0"), done(0), looked("0"))
    assert.deepStrictEqual([second.value, second.iteration, second.mark], [1, 1, "0"])
    const last = after(second, extent, done(0), looked("1"), done(0))
    assert.deepStrictEqual([last.phase, last.iterations_completed], ["finish", 3])
  })

  it("never looks at the worktree when one iteration is all", () => {
    const extent = { steps: 1, iterations: 1, values: 3 }
    let state = begin(extent)
    for (let value = 0; value < 3; value++) {
      assert.deepStrictEqual(WorkflowState.work(state, extent), { _tag: "RunStep", step: 0 })
      assert.strictEqual(state.value, value)
      state = after(state, extent, done(0))
    }
    assert.strictEqual(state.phase, "finish")
  })

  it("answers any fact in any state with a state that its schema takes, or a reason", () => {
    FastCheck.assert(
      FastCheck.property(extents, FastCheck.array(facts, { maxLength: 60 }), (extent, history) => {
        let state = WorkflowState.empty
        for (const fact of history) {
          const next = WorkflowState.apply(state, extent, fact)
          if (Either.isLeft(next)) {
            assert.include(next.left, fact._tag)
            continue
          }
          state = next.right
          assert.isTrue(Schema.is(WorkflowState.WorkflowState)(state))
          assert.strictEqual(state.completed.length, state.next_step)
          assert.isTrue(state.value < extent.values && state.iteration <= extent.iterations)
          assert.isAtMost(state.next_step, extent.steps)
        }
      }),
      { numRuns: 300 }
    )
  })

  it("comes to its end from wherever it was left, and never runs a step that is done again in its iteration", () => {
    FastCheck.assert(
      FastCheck.property(extents, FastCheck.infiniteStream(fates), (extent, luck) => {
        const ran = new Map<string, number>()
        let saved = begin(extent)
        let worktree = 0
        let rounds = 0
        for (const fate of luck) {
          const due = WorkflowState.work(saved, extent)
          if (saved.status === "completed" || ++rounds > 2000) break
          if (due === null) {
            saved = after(saved, extent, { _tag: "Resumed" })
            continue
          }
          const key = `${saved.value}/${saved.iteration}/${saved.next_step}`
          switch (due._tag) {
            case "Look":
              // A crash before the answer is saved: the same is asked again.
              if (fate !== "dies") saved = after(saved, extent, { _tag: "Looked", mark: String(worktree) })
              break
            case "RunStep":
              assert.isFalse(ran.has(key), `${key} ran again after it was done`)
              if (fate === "dies") saved = after(saved, extent, { _tag: "Resumed" })
              else if (fate === "paused") saved = after(saved, extent, { _tag: "Paused", usage })
              else if (fate === "quota")
                saved = after(saved, extent, { _tag: "QuotaReached", step: due.step, until: time, failure, usage })
              else if (fate === "fails")
                saved = after(saved, extent, { _tag: "StepFailed", step: due.step, failure, usage })
              else {
                if (fate === "changes") worktree += 1
                ran.set(key, 1)
                saved = after(saved, extent, done(due.step))
              }
              break
            case "Wait":
              if (fate === "dies") saved = after(saved, extent, { _tag: "Resumed" })
              else if (fate === "paused") saved = after(saved, extent, { _tag: "Paused", usage })
              else saved = after(saved, extent, { _tag: "QuotaOver" })
              break
            case "Finish":
              saved =
                fate === "fails"
                  ? after(saved, extent, { _tag: "FinishFailed", failure })
                  : after(saved, extent, { _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } })
          }
        }
        assert.strictEqual(saved.status, "completed")
        assert.strictEqual(saved.steps_completed, ran.size)
        assert.strictEqual(saved.steps_completed, saved.iterations_completed * extent.steps)
        assert.isAtLeast(saved.iterations_completed, extent.values)
        assert.isAtMost(saved.iterations_completed, extent.values * extent.iterations)
      }),
      { numRuns: 300 }
    )
  })

  it("gives the same state when its facts are replayed", () => {
    FastCheck.assert(
      FastCheck.property(extents, FastCheck.array(facts, { maxLength: 40 }), (extent, history) => {
        const run = () =>
          history.reduce<State>(
            (now, fact) => Either.getOrElse(WorkflowState.apply(now, extent, fact), () => now),
            WorkflowState.empty
          )
        assert.deepStrictEqual(run(), run())
      }),
      { numRuns: 100 }
    )
  })
})

// -----------------------------------------------------------------------------
// generators
// -----------------------------------------------------------------------------

const extents: FastCheck.Arbitrary<Extent> = FastCheck.record({
  steps: FastCheck.integer({ min: 1, max: 4 }),
  iterations: FastCheck.integer({ min: 1, max: 4 }),
  values: FastCheck.integer({ min: 1, max: 3 })
})

const fates = FastCheck.constantFrom("works", "works", "changes", "changes", "fails", "paused", "quota", "dies")

const facts: FastCheck.Arbitrary<Fact> = FastCheck.oneof(
  FastCheck.constantFrom<Fact>(
    { _tag: "Started" },
    { _tag: "Resumed" },
    { _tag: "Paused", usage },
    { _tag: "Looked", mark: "0" },
    { _tag: "Looked", mark: "1" },
    { _tag: "FinishFailed", failure },
    { _tag: "QuotaOver" },
    { _tag: "Cancelled" },
    { _tag: "Finished", finish: { outcome: "nothing_to_merge", target: "main" } }
  ),
  FastCheck.integer({ min: 0, max: 4 }).map((step) => done(step)),
  FastCheck.integer({ min: 0, max: 4 }).map((step): Fact => ({ _tag: "StepFailed", step, failure, usage })),
  FastCheck.integer({ min: 0, max: 4 }).map((step): Fact => ({
    _tag: "QuotaReached",
    step,
    until: time,
    failure,
    usage
  }))
)
