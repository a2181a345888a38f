/**
 * Steps whose programs sync nothing, as most do: what a step that is recorded has written is there after a power cut.
 */
import * as FileSystem from "@effect/platform/FileSystem"
import { assert, describe, it } from "@effect/vitest"
import { Inspect } from "@prodigy/core/engine/Inspect"
import { Resume } from "@prodigy/core/engine/Resume"
import * as CrashExplorer from "@prodigy/testing/CrashExplorer"
import * as MemoryWorkspace from "@prodigy/testing/MemoryWorkspace"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"
import * as Commands from "./scenarios/commands.ts"

const { project } = TestProdigy.places

/** `write NAME`: makes a file; `copy NAME TO`: fails when there is none. */
const workflows = {
  "a job's setup and reduce": `
name: phases
mode: mapreduce
setup:
  - shell: write prepared
map:
  input: { items: [0] }
  agent_template:
    - shell: write item
reduce:
  - shell: copy prepared once
  - shell: copy once twice
`,
  "a standard workflow": `
name: steps
commands:
  - shell: write prepared
  - shell: copy prepared once
  - shell: copy once twice
`
}

const programs: TestProdigy.Programs = {
  shell: ({ cwd, script }, files) =>
    Effect.gen(function* () {
      const [verb, name, to] = script.trim().split(" ")
      if (verb === "write") return yield* Effect.as(files.writeFileString(`${cwd}/${name}`, "made\n"), {})
      const text = yield* Effect.option(files.readFileString(`${cwd}/${name}`))
      if (text._tag === "None" || text.value !== "made\n") return { exitCode: 1, stderr: `${name} is not whole` }
      return yield* Effect.as(files.writeFileString(`${cwd}/${to}`, text.value), {})
    }).pipe(Effect.orDie)
}

const goOn = (workflowText: string) =>
  Effect.gen(function* () {
    const resume = yield* Resume
    const inspect = yield* Inspect
    const { lost, sessions } = yield* resume.list({ projectPath: project })
    const all = yield* inspect.sessions({ projectPath: project, allRepos: true, status: "Completed", limit: 1 })
    if (all.sessions.length > 0) return
    if (sessions.length + lost.length === 0) return yield* Commands.run(workflowText)
    yield* Commands.resume(yield* resume.find({ projectPath: project, id: null }))
  })

const scenario = (workflowText: string): CrashExplorer.Scenario<null, unknown> => {
  const services = TestProdigy.layerBoot(programs)
  return {
    witness: () => null,
    prepare: () => MemoryWorkspace.init({ root: project, files: { README: "hello\n" } }),
    run: () => Effect.provide(Commands.run(workflowText), services),
    recover: () => Effect.provide(goOn(workflowText), services),
    check: () =>
      Effect.gen(function* () {
        const files = yield* FileSystem.FileSystem
        assert.strictEqual(yield* files.readFileString(`${project}/twice`), "made\n")
      })
  }
}

describe("files of steps that sync nothing", () => {
  for (const [name, text] of Object.entries(workflows)) {
    it.effect(`are there after a power cut when the step is recorded: ${name}`, () =>
      Effect.gen(function* () {
        const options = { ...CrashExplorer.exhaustive, chances: 0, every: 23 }
        const { points, violations } = yield* CrashExplorer.explore(scenario(text), options)
        assert.deepStrictEqual(violations, [])
        assert.isAbove(points, 10)
      })
    )
  }
})
