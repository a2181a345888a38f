/** A session whose work came into the target before anything said so: it is over, and cannot be cancelled. */
import { assert, describe, it } from "@effect/vitest"
import { Cancel } from "@prodigy/core/engine/Cancel"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import { type Call, SimulatedMachine } from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as ScriptedShell from "@prodigy/testing/ScriptedShell"
import * as Effect from "effect/Effect"

const workflows = {
  job: "name: job\nmap:\n  input: { items: [a] }\n  agent_template:\n    - shell: work\n",
  "standard workflow": "name: steps\ncommands:\n  - shell: work\n"
}

const { project } = TestProdigy.places

const shell = ScriptedShell.succeeds({ writes: { made: "by it\n" } })

const cancel = Effect.gen(function* () {
  const cancels = yield* Cancel
  return yield* cancels.cancel(yield* cancels.find({ projectPath: project, id: "latest" }))
})

describe("cancelling a session", () => {
  for (const [kind, workflow] of Object.entries(workflows)) {
    /** The power fails right before the first call for which this holds; `isMerged`: of the target's branch. */
    const crashed = (isNow: (call: Call, isMerged: boolean) => boolean) =>
      Effect.gen(function* () {
        const job = yield* TestProdigy.make(workflow, { shell, files: { README: "hello\n" } })
        const { machine } = job
        const isMerged = MemoryWorkspace.repository.pipe(
          Effect.map((git) => MemoryWorkspace.history(git, "refs/heads/main")[0]?.tree["made"] !== undefined),
          Effect.provideService(SimulatedMachine, machine)
        )
        let isOver = false
        yield* machine.observe((call) => {
          if (isOver || !isNow(call, Effect.runSync(isMerged))) return
          isOver = true
          Effect.runSync(machine.crashAt({ at: 0, bytes: 0 }))
        })
        const { ended, status } = yield* job.run()
        yield* machine.observe(null)
        assert.deepStrictEqual([ended, status], ["crashed", "Interrupted"])
        return job
      })

    it.effect(`of a ${kind} says that it is completed when its work was merged before a crash`, () =>
      Effect.gen(function* () {
        const job = yield* crashed((_, isMerged) => isMerged)
        assert.property((yield* job.state).files, "made")
        const refusal = yield* Effect.flip(job.use(cancel))
        assert.strictEqual(refusal._tag, "NotCancellable")
        const { files, status, violations } = yield* job.state
        assert.deepStrictEqual([files["made"], status, violations], ["by it\n", "Completed", []])
      })
    )

    it.effect(`of a ${kind} merges nothing when it was about to be merged`, () =>
      Effect.gen(function* () {
        const job = yield* crashed(({ method, path }) => method === "git merge" && path === project)
        const { report } = yield* job.use(cancel)
        assert.strictEqual(report?.status, "cancelled")
        const { files, status, violations } = yield* job.state
        assert.deepStrictEqual([files["made"], status, violations], [undefined, "Cancelled", []])
      })
    )
  }
})
