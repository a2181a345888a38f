import * as Workflow from "@prodigy/core/workflow/Workflow"
import * as WorkflowFile from "@prodigy/core/workflow/WorkflowFile"
import { assert, describe, it } from "@effect/vitest"
import * as Either from "effect/Either"
import * as FastCheck from "effect/FastCheck"
import * as Schema from "effect/Schema"
import * as Yaml from "yaml"

describe("WorkflowFile.parse is total", () => {
  it("on arbitrary text", () => {
    FastCheck.assert(
      FastCheck.property(FastCheck.string({ unit: "binary", maxLength: 200 }), (text) => void check(text)),
      { numRuns: 200 }
    )
  })

  it("on text made of what YAML is made of", () => {
    const piece = FastCheck.constantFrom(
      ..."map,input,agent_template,shell,setup,x-a,: ,:,\n,\n  ,\n    ,- ,[,],{,},&a ,*a,!t ,!!set ,|,>,\",',#,\t,\r\n,~,---,%YAML 1.1,<<,? ,@,1,true,.nan,$.a[".split(
        ","
      ),
      ","
    )
    const text = FastCheck.array(piece, { maxLength: 60 }).map((pieces) => pieces.join(""))
    FastCheck.assert(
      FastCheck.property(text, (source) => void check(source)),
      { numRuns: 300 }
    )
  })

  it("on a valid workflow in which something was cut, put in or doubled", () => {
    const edit = FastCheck.record({
      at: FastCheck.nat(valid.length),
      cut: FastCheck.nat(20),
      put: FastCheck.oneof(
        FastCheck.constantFrom(
          "\n",
          "  ",
          ": ",
          "- ",
          "[",
          "}",
          "*a",
          "&a ",
          "!x ",
          "'",
          '"',
          "\t",
          "null",
          "-1",
          "\u0000",
          "𝒳"
        ),
        FastCheck.record({ from: FastCheck.nat(valid.length), length: FastCheck.nat(60) })
      )
    })
    const text = FastCheck.array(edit, { minLength: 1, maxLength: 4 }).map((edits) =>
      edits.reduce((current, { at, cut, put }) => {
        const piece = typeof put === "string" ? put : valid.slice(put.from, put.from + put.length)
        return current.slice(0, at) + piece + current.slice(at + cut)
      }, valid)
    )
    FastCheck.assert(
      FastCheck.property(text, (source) => void check(source)),
      { numRuns: 150 }
    )
  })

  it("on standard workflows, whole and spoilt", () => {
    let accepted = 0
    FastCheck.assert(
      FastCheck.property(FastCheck.oneof(standard, mostly(steps)), (value) => {
        if (check(Yaml.stringify(value))) accepted++
      }),
      { numRuns: 100 }
    )
    assert.isAbove(accepted, 10, "the generator hardly makes a workflow")
    assert.isBelow(accepted, 90, "the generator hardly makes a mistake")
  })

  it("on well-formed YAML with the keys of the language and values of any kind", () => {
    let accepted = 0
    FastCheck.assert(
      FastCheck.property(document, (value) => {
        if (check(Yaml.stringify(value))) accepted++
      }),
      { numRuns: 200 }
    )
    assert.isAbove(accepted, 20, "the generator hardly makes a workflow")
    assert.isBelow(accepted, 180, "the generator hardly makes a mistake")
  })
})

/** Parses; what comes out must hold together. Whether it was accepted. */
const check = (text: string): boolean => {
  const result = WorkflowFile.parse(text, "any.yml")
  const problems = Either.isLeft(result) ? result.left.problems : result.right.warnings
  const lines = text.replace(/^\uFEFF/, "").split("\n")
  for (const { column, frame, line, message } of problems) {
    assert.isTrue(line >= 1 && line <= lines.length, `line ${line} of ${lines.length}`)
    const width = Array.from(lines[line - 1] ?? "").length
    assert.isTrue(column >= 1 && column <= width + 1, `column ${column} of ${width}`)
    assert.match(frame, /^> .*\n +\| *\^+$/m)
    assert.notMatch(message, /[\r\n]/)
  }
  assert.isAtMost(problems.length, WorkflowFile.problemsMax)
  if (Either.isLeft(result)) {
    assert.isAtLeast(problems.length, 1)
    return false
  }
  if (result.right.kind === "standard") {
    assert.isAtLeast(again(Workflow.StandardWorkflow, result.right.workflow).steps.length, 1)
  } else assert.isAtLeast(again(Workflow.Workflow, result.right.workflow).map.agent_template.length, 1)
  return true
}

/** What is read back of a value that was stored, which is the value itself. */
const again = <A, I>(schema: Schema.Schema<A, I>, value: A): A => {
  const encoded = JSON.stringify(Schema.encodeSync(schema)(value))
  const decoded = Schema.decodeUnknownSync(schema)(JSON.parse(encoded))
  assert.strictEqual(JSON.stringify(Schema.encodeSync(schema)(decoded)), encoded)
  return decoded
}

const valid = `name: migrate
env: {LEVEL: 3}
retry_defaults: {attempts: 4, backoff: {linear: {initial: 1s}}}
setup:
  - shell: npm ci
    timeout: 10m
    capture: {name: count, format: number}
map:
  input: {items: [{path: a}, {path: b}]}
  filter: path != 'skip'
  sort_by: path DESC
  max_parallel: 8
  agent_timeout_secs: 1h
  agent_template:
    - &fix
      claude: /migrate \${item.path}
      commit_required: true
    - id: test
      shell: |
        npm test
      on_failure: {commands: [*fix], max_attempts: 3}
reduce:
  commands: [shell: report]
`

const junk = FastCheck.oneof(
  FastCheck.constantFrom<unknown>("", null, true, -1, 0, 1e300, [], {}, ["a"], { a: 1 }),
  FastCheck.string({ maxLength: 10 })
)

/** Now and then something that does not belong. */
const mostly = (good: FastCheck.Arbitrary<unknown>): FastCheck.Arbitrary<unknown> =>
  FastCheck.oneof({ weight: 60, arbitrary: good }, { weight: 1, arbitrary: junk })

const among = (...values: ReadonlyArray<unknown>) => mostly(FastCheck.constantFrom(...values))

const some = (fields: Record<string, FastCheck.Arbitrary<unknown>>, requiredKeys: Array<string> = []) =>
  FastCheck.record(fields, { requiredKeys })

const bool = among(true, false)
const time = among(30, 0.5, "10m", "1h30m", { secs: 3, nanos: 5 })

const options = {
  name: among("a name", 7, "x".repeat(100)),
  when: among("item.a > 1", "true", true),
  timeout: time,
  capture: mostly(
    FastCheck.oneof(
      FastCheck.constant("out"),
      some({ name: among("out"), format: among("json", "lines"), default: junk, streams: some({ stderr: bool }) }, [
        "name"
      ])
    )
  ),
  env: mostly(FastCheck.dictionary(FastCheck.constantFrom("A", "B"), among("x", 3.1, true, ""))),
  allow_failure: bool,
  commit_required: bool,
  retry: mostly(
    FastCheck.oneof(
      among(3, false),
      some({
        attempts: among(1, 5),
        backoff: among("fixed", { custom: { delays: ["1s", 3] } }, { exponential: { multiplier: 1.5 } }),
        jitter: among(true, 0.5),
        retry_on: among(["network"], [{ pattern: "a" }, "timeout"]),
        on_exhausted: among("continue", { fallback: { shell: "x" } })
      })
    )
  )
}

const { step, steps } = FastCheck.letrec<{ step: unknown; steps: unknown; after: unknown }>((tie) => ({
  steps: FastCheck.array(tie("step"), { minLength: 1, maxLength: 2 }),
  after: FastCheck.oneof(
    { maxDepth: 3, depthIdentifier: "steps" },
    among("/fix", "make", true, false),
    mostly(tie("step")),
    mostly(tie("steps")),
    some({ commands: mostly(tie("steps")), max_attempts: among(1, 3), fail_workflow: bool }, ["commands"])
  ),
  step: FastCheck.oneof(
    { maxDepth: 3, depthIdentifier: "steps" },
    among("/fix", { shell: "npm test" }, { test: "npm test" }),
    some(
      {
        shell: among("npm test", false, "a\nb", { command: "x", interpreter: "y" }),
        ...options,
        on_failure: tie("after")
      },
      ["shell"]
    ),
    some({ claude: among("/fix", "do it"), ...options, on_success: mostly(tie("steps")) }, ["claude"]),
    some({ write_file: some({ path: among("a"), content: among("", 1), mode: among("0644") }, ["path", "content"]) }, [
      "write_file"
    ])
  )
}))

const policy = {
  on_item_failure: among("dlq", "skip", "stop"),
  max_failures: among(1, 20),
  continue_on_failure: bool
}

const map = some(
  {
    input: mostly(FastCheck.oneof(among("a.json", { command: "ls" }), FastCheck.array(FastCheck.jsonValue()))),
    agent_template: mostly(steps),
    max_parallel: among(1, 1000, "$N"),
    agent_timeout_secs: time,
    filter: among("item.a > 1", "a && !b"),
    sort_by: among("a", "a DESC, b"),
    offset: among(0, 3),
    error_policy: some({ failure_threshold: among(0, 0.5, 1) }),
    ...policy
  },
  ["input", "agent_template"]
)

const document = some(
  {
    name: among("x", 2024),
    mode: among("mapreduce"),
    env: options.env,
    setup: FastCheck.oneof(
      FastCheck.array(step, { maxLength: 2 }),
      some({ steps: mostly(steps), timeout: time }, ["steps"])
    ),
    map: mostly(map),
    reduce: FastCheck.oneof(FastCheck.array(step, { maxLength: 2 }), some({ commands: mostly(steps) }, ["commands"])),
    ...policy
  },
  ["map"]
)

const standard = some({ name: among("x", 2024), env: options.env, commands: mostly(steps), map: among({}) }, [
  "commands"
])
