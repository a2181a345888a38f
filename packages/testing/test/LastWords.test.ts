/** What ends with the last record on the disk and the session's file refused: a resume brings it to its end. */
import { assert, describe, it } from "@effect/vitest"
import { Resume } from "@prodigy/core/engine/Resume"
import { StorageError } from "@prodigy/core/storage/AtomicFile"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as SimulatedDisk from "@prodigy/testing/SimulatedDisk"
import * as SimulatedMachine from "@prodigy/testing/SimulatedMachine"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Exit from "effect/Exit"
import * as Layer from "effect/Layer"
import * as Invariants from "./invariants.ts"
import * as Commands from "./scenarios/commands.ts"

const { project } = TestProdigy.places

const workflows = {
  job: "name: job\nmap:\n  input: { items: [a] }\n  agent_template:\n    - shell: work\n",
  "standard workflow": "name: steps\ncommands:\n  - shell: work\n"
}

/** A session's file of which the disk has no room for the end. */
const noRoomAtTheEnd: TestProdigy.Replaced = {
  stores: Layer.effect(
    SessionStore,
    Effect.map(SessionStore, (sound) => ({
      ...sound,
      update: (id, change) =>
        Effect.flatMap(sound.get(id), (session) =>
          change(session).status === "Completed"
            ? new StorageError({ operation: "write", path: id, reason: "no_space", detail: "no space is left" })
            : sound.update(id, change)
        )
    }))
  )
}

const programs: TestProdigy.Programs = {
  shell: ({ cwd }, files) => Effect.as(Effect.orDie(files.writeFileString(`${cwd}/made`, "by it\n")), {})
}

describe("a session whose end could not be written", () => {
  for (const [kind, workflowText] of Object.entries(workflows))
    it.effect(`of a ${kind} is brought to its end by a resume`, () =>
      Effect.gen(function* () {
        const machine = yield* SimulatedMachine.make
        const boot = <A, E>(
          program: Effect.Effect<A, E, TestProdigy.Services | TestProdigy.Environment>,
          replaced?: TestProdigy.Replaced
        ) =>
          SimulatedMachine.run(
            machine,
            program.pipe(
              Effect.provide(TestProdigy.layerBoot(programs, replaced)),
              Effect.provide(TestProdigy.layerEnvironment(machine))
            )
          ).pipe(Effect.zipLeft(machine.restart(SimulatedDisk.keepUnsynced)))
        const start = Commands.run(workflowText)
        const statuses = Effect.flatMap(SessionStore, ({ list }) =>
          Effect.map(list, ({ sessions }) => sessions.map(({ session }): string => session.status).join())
        )
        const resume = Effect.gen(function* () {
          const engine = yield* Resume
          return yield* Commands.resume(yield* engine.find({ projectPath: project, id: null }))
        })
        yield* MemoryWorkspace.init({ root: project, files: { README: "hello\n" } }).pipe(
          Effect.provideService(SimulatedMachine.SimulatedMachine, machine)
        )
        const failed = yield* boot(start, noRoomAtTheEnd)
        assert.isTrue(failed !== null && Exit.isFailure(failed))
        assert.deepStrictEqual(yield* boot(statuses), Exit.succeed("Failed"))
        const resumed = yield* boot(resume)
        assert.isTrue(resumed !== null && Exit.isSuccess(resumed), String(resumed))
        assert.deepStrictEqual(yield* boot(statuses), Exit.succeed("Completed"))
        assert.deepStrictEqual(yield* boot(Invariants.violations), Exit.succeed([]))
      })
    )
})
