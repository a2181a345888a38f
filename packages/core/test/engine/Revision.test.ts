import { assert, describe, it } from "@effect/vitest"
import * as JobState from "@prodigy/core/domain/JobState"
import * as Revision from "@prodigy/core/engine/Revision"
import type { JobFile } from "@prodigy/core/storage/JobStore"
import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import * as JobSamples from "@prodigy/testing/JobSamples"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"

const text = `name: migrate
env: { LEVEL: "1" }
setup:
  - shell: make items
map:
  input: { items: [1, 2] }
  filter: item > 0
  max_parallel: 3
  agent_template:
    - shell: one
reduce:
  - shell: first
    on_failure: { shell: repair }
  - shell: second
`
const parsed = Either.getOrThrow(WorkflowFile.parse(text, "migrate.yml"))
if (parsed.kind !== "mapreduce") throw new Error("it has `map`")
const job: JobFile = {
  ...JobSamples.jobFile(),
  workflow: parsed.workflow,
  options: { max_parallel: 2, approve: "yes", parameters: {} }
}

const at = (phase: JobState.JobState["phase"], reduceStepsDone = 0): JobState.JobState => ({
  ...JobState.empty,
  status: "paused",
  phase,
  total: phase === "setup" || phase === "select" ? null : 2,
  reduce_steps_done: reduceStepsDone
})
const revise = (state: JobState.JobState, from: string, to: string) =>
  Revision.revise(job, state, { path: "migrate.yml", file: "/x/migrate.yml", text: text.replace(from, to) })

/** What changes, from, to. */
const edits = {
  template: ["shell: one", "shell: other"],
  policy: ["  max_parallel: 3", "  max_parallel: 3\n  on_item_failure: skip"],
  environment: ['LEVEL: "1"', 'LEVEL: "2"'],
  setup: ["make items", "make more"],
  items: ["item > 0", "item > 1"],
  input: ["[1, 2]", "[1, 2, 3]"],
  first: ["shell: first", "shell: other"],
  repair: ["shell: repair", "shell: other"],
  second: ["shell: second", "shell: other"],
  shorter: ["  - shell: second\n", ""]
} as const
type Edit = keyof typeof edits

describe("Revision", () => {
  const cases: ReadonlyArray<readonly [JobState.JobState, refused: ReadonlyArray<Edit>]> = [
    [at("setup"), []],
    [at("select"), ["setup"]],
    [at("map"), ["setup", "items", "input"]],
    [at("reduce", 1), ["setup", "items", "input", "first", "repair"]],
    [at("reduce", 2), ["setup", "items", "input", "first", "repair", "second", "shorter"]],
    [at("finish", 2), ["setup", "items", "input", "first", "repair", "second", "shorter"]]
  ]
  for (const [state, refused] of cases) {
    const where = `phase ${state.phase}, ${state.reduce_steps_done} reduce steps done`
    it.effect(`takes what changes only what is to come, in ${where}`, () =>
      Effect.gen(function* () {
        for (const [name, [from, to]] of Object.entries(edits)) {
          const result = yield* Effect.either(revise(state, from, to))
          const isRefused = Either.isLeft(result) && result.left._tag === "RevisionRefused"
          assert.strictEqual(isRefused, refused.includes(name as Edit), name)
          assert.strictEqual(Either.isRight(result), !isRefused, name)
        }
      })
    )
  }

  it.effect("does not mind where things stand in the file, or that nothing changes", () =>
    Effect.gen(function* () {
      const revised = yield* revise(at("finish", 2), "name: migrate", "# a comment\n\nname: migrate")
      assert.deepStrictEqual(revised?.job.workflow_source.text, text.replace("name", "# a comment\n\nname"))
      const same = { ...job, workflow_source: revised?.job.workflow_source ?? job.workflow_source }
      const current = { path: "migrate.yml", file: null, text: same.workflow_source.text }
      assert.isNull(yield* Revision.revise(same, at("finish"), current))
    })
  )

  it.effect("keeps what --max-parallel said until the file says another number", () =>
    Effect.gen(function* () {
      const [from, to] = edits.template
      assert.strictEqual((yield* revise(at("map"), from, to))?.job.options.max_parallel, 2)
      const more = yield* revise(at("map"), "max_parallel: 3", "max_parallel: 7")
      assert.strictEqual(more?.job.options.max_parallel, 7)
      const none = yield* Effect.flip(revise(at("map"), "max_parallel: 3", "max_parallel: ${NONE}"))
      assert.strictEqual(none._tag, "InvalidOption")
    })
  )

  it.effect("refuses a file that is no workflow, with every problem", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(revise(at("map"), "agent_template", "agent_templat"))
      assert.strictEqual(error._tag, "WorkflowInvalid")
    })
  )
})
