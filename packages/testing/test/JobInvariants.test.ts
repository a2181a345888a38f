/** What is recorded of a job agrees, also while it runs; and each thing that does not is told by its name. */
import type * as FileSystem from "@effect/platform/FileSystem"
import * as Path from "@effect/platform/Path"
import { assert, describe, it } from "@effect/vitest"
import * as JobEvidence from "@prodigy/core/engine/JobEvidence"
import * as JobInvariants from "@prodigy/core/engine/JobInvariants"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as SimulatedFileSystem from "@prodigy/testing/SimulatedFileSystem"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Fiber from "effect/Fiber"
import * as Layer from "effect/Layer"
import * as Option from "effect/Option"
import * as Random from "effect/Random"
import * as smallJob from "./smallJob.ts"

const witness = (): smallJob.Witness => ({ ran: [], again: [], isCompleted: false, isMended: false })

/** Runs a program on a machine of its own, with all of Prodigy. */
const simulated = <A, E>(program: Effect.Effect<A, E, TestProdigy.Services | FileSystem.FileSystem>, seed = 1) =>
  Effect.gen(function* () {
    const machine = yield* SimulatedMachine.make
    const environment = Layer.mergeAll(SimulatedFileSystem.layer, Path.layer).pipe(
      Layer.provideMerge(Layer.succeed(SimulatedMachine.SimulatedMachine, machine))
    )
    const exit = yield* SimulatedMachine.run(
      machine,
      MemoryWorkspace.init({ root: TestProdigy.places.project, files: { README: "hello\n" } }).pipe(
        Effect.zipRight(Effect.provide(program, TestProdigy.layerBoot(smallJob.programs(witness())))),
        Effect.provide(environment),
        Effect.withRandom(Random.make(seed))
      )
    )
    if (exit === null || Exit.isFailure(exit)) return assert.fail(String(exit))
    return exit.value
  })

const gathered = Effect.flatMap(smallJob.jobs, (jobs) =>
  Effect.forEach(jobs, (job) => JobEvidence.gather({ ...job, events: true }))
)

describe("JobInvariants", () => {
  it.effect("hold beside a run, however often it is looked", () =>
    Effect.gen(function* () {
      const looks = yield* simulated(
        Effect.gen(function* () {
          const running = yield* Effect.fork(Effect.zipRight(smallJob.start, smallJob.retry))
          let looks = 0
          while (Option.isNone(yield* Fiber.poll(running))) {
            for (const evidence of yield* gathered) {
              const found = JobInvariants.violations(evidence)
              assert.deepStrictEqual(
                found.filter(({ severity }) => severity !== "under_way"),
                []
              )
              assert.isTrue(evidence.isDriven || found.length === 0)
              looks += 1
            }
            // While nobody sleeps, no time passes here.
            yield* Effect.sleep("170 millis")
          }
          return looks
        })
      )
      assert.isAbove(looks, 20)
    })
  )

  it.effect("tell what does not agree, each by its name", () =>
    Effect.gen(function* () {
      const [sound] = yield* simulated(Effect.zipRight(smallJob.start, gathered))
      assert.isDefined(sound)
      const told = (change: Partial<JobEvidence.JobEvidence>) =>
        JobInvariants.violations({ ...sound!, ...change }).map(({ invariant, severity }) => `${severity} ${invariant}`)
      assert.deepStrictEqual(told({}), [])

      const { events, files, git, letters, mappings, session, summary } = sound!
      const [letter] = letters
      const { state } = files
      const merge = git!.merges[0]!
      const { progress } = session!
      if (progress.kind !== "mapreduce") return assert.fail("not a session of a job")
      const noneMerged = { ...progress, completed: 0 }
      const cases: ReadonlyArray<readonly [string, Partial<JobEvidence.JobEvidence>]> = [
        ["broken sessionTellsTheState", { session: { ...session!, status: "Paused" } }],
        ["left sessionTellsTheState", { session: { ...session!, status: "Running" } }],
        ["under_way sessionTellsTheState", { session: { ...session!, status: "Running" }, isDriven: true }],
        ["broken sessionTellsTheState", { session: { ...session!, cost: { ...session!.cost, usd: 1 } } }],
        ["broken sessionTellsTheState", { session: { ...session!, progress: noneMerged } }],
        // That one the engine writes, when the recorder cannot.
        [
          "left sessionTellsTheState",
          {
            session: { ...session!, status: "Failed", progress: noneMerged },
            files: { ...files, state: { ...state, status: "failed" } }
          }
        ],
        ["left sessionIsTheJobs", { session: null }],
        ["left sessionIsTheJobs", { mappings: { ...mappings, ofJob: null } }],
        ["left summaryTellsTheState", { summary: { ...summary!, seq: state.seq - 1 } }],
        ["broken summaryTellsTheState", { summary: { ...summary!, phase: "map" } }],
        ["broken lettersTellTheFailures", { letters: [], index: new Map() }],
        ["broken lettersTellTheFailures", { letters: [{ ...letter!, failure_count: 3 }], index: new Map() }],
        ["broken indexTellsTheLetters", { index: new Map([["item_9", sound!.index.values().next().value!]]) as never }],
        ["broken keptWorkIsThere", { git: { ...git!, refs: new Map() } }],
        ["broken mergesAreRecorded", { git: { ...git!, merges: [...git!.merges, merge] } }],
        ["broken mergesAreRecorded", { git: { ...git!, commits: new Set() } }],
        ["left agentsAreGone", { git: { ...git!, hasAgentWorktrees: true } }],
        ["left nothingIsLeft", { leftBehind: ["a.lock"] }],
        ["left ownerLives", { files: { ...files, state: { ...state, status: "running" } } }],
        ["broken eventsTellTheRecords", { events: { ...events!, told: [...events!.told, ...events!.told] } }],
        [
          "broken eventsTellTheRecords",
          { entries: sound!.entries.filter(({ record }) => record.type !== "item_merged") }
        ]
      ]
      for (const [what, change] of cases) assert.include(told(change), what, JSON.stringify(told(change)))
      // What was cancelled before it began has no record that names it.
      const unnamed = { files: { ...files, state: { ...state, job_id: null, session_id: null } } }
      const begun = { entries: sound!.entries.filter(({ record }) => record.type !== "job_started") }
      assert.include(told(unnamed), "broken sessionIsTheJobs")
      assert.notInclude(told({ ...unnamed, ...begun }), "broken sessionIsTheJobs")
    })
  )
})
