import { assert, describe, it } from "@effect/vitest"
import * as Capture from "@prodigy/core/engine/Capture"
import { shell } from "@prodigy/testing/JobSamples"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository } from "./Bench.ts"

describe("what a step commits", () => {
  it.live("is in .commits, oldest first, also of steps with tries and of steps that fail", () =>
    inRepository(({ git, runAny }) =>
      Effect.gen(function* () {
        const report = yield* runAny(`
name: commits
commands:
  - id: two
    shell: |
      echo a > a; git add a; git commit --quiet --message=one
      echo b > b; git add b; git commit --quiet --message=two
  - id: tried
    shell: |
      git commit --quiet --allow-empty --message=try; test -e once || { touch once; exit 1; }
    retry: { attempts: 2, initial_delay: 10ms }
  - id: failed
    shell: git commit --quiet --allow-empty --message=failed; exit 1
    allow_failure: true
  - id: none
    shell: "true"
  - shell: echo "\${#steps.two.commits} \${#steps.tried.commits} \${#steps.failed.commits} \${#steps.none.commits}" > counts
  - shell: git log --format=%s --no-walk=unsorted \${steps.two.commits} > names
    when: steps.two.commits
`)
        assert.strictEqual(report.status, "completed")
        assert.strictEqual(git("show", "main:counts"), "2 2 1 0")
        assert.strictEqual(git("show", "main:names"), "one\ntwo")
      })
    )
  )

  it.live("is known in every phase of a job", () =>
    inRepository(({ git, runAny }) =>
      Effect.gen(function* () {
        const commit = "git commit --quiet --allow-empty --message=made"
        const report = yield* runAny(`
name: phases
setup:
  steps:
    - shell: ${commit}
  capture_outputs: { made: "\${last.commits}" }
map:
  input: { items: [a] }
  agent_template:
    - { id: item, shell: ${commit} }
    - shell: echo "\${#steps.item.commits}" > item.txt
reduce:
  - { id: end, shell: ${commit} }
  - shell: echo "\${steps.end.commits}" > end.txt
  - shell: echo "\${made}" > setup.txt
`)
        assert.strictEqual(report.status, "completed")
        assert.strictEqual(git("show", "main:item.txt"), "1")
        for (const file of ["end.txt", "setup.txt"])
          assert.strictEqual(git("log", "-1", "--format=%s", git("show", `main:${file}`)), "made")
      })
    )
  )

  it("is looked for only where something asks for it", () => {
    const asked = [
      "${last.commits}",
      'echo ${steps["a b"].commits:lines}',
      "${x:-${shell}}",
      "$last",
      "${steps.a:json}"
    ]
    for (const text of asked) assert.isTrue(Capture.asksForCommits([shell(text)]), text)
    for (const text of ["${last.output}", "${steps.a.exit_code}", "$HOME ${map.results} the last steps"])
      assert.isFalse(Capture.asksForCommits([shell(text)]), text)
    assert.isTrue(Capture.asksForCommits([{ ...shell("true"), when: "steps.a.commits" }]))
    assert.isTrue(Capture.asksForCommits([{ ...shell("true"), on_success: [shell("${last.commits}")] }]))
    assert.isTrue(Capture.asksForCommits([], ["${last.commits}"]))
  })
})

describe("what a step prints", () => {
  it.live("goes to output_file whole and byte by byte, however much it is", () =>
    inRepository(({ home, project, runAny }) =>
      Effect.gen(function* () {
        const report = yield* runAny(`
name: whole
commands:
  - shell: seq 1 400000; seq 1 400000 >&2
    output_file: large/out.txt
  - shell: printf '\\377\\376\\000bin'
    output_file: bin
  - claude: say it
    output_file: said.txt
`)
        assert.strictEqual(report.status, "completed")
        const numbers = Array.from({ length: 400_000 }, (_, index) => `${index + 1}\n`).join("")
        assert.isTrue(readFileSync(join(project, "large/out.txt"), "utf8") === numbers)
        assert.deepStrictEqual([...readFileSync(join(project, "bin"))], [0xff, 0xfe, 0, 0x62, 0x69, 0x6e])
        const logs = readdirSync(home, { recursive: true, encoding: "utf8" })
        assert.deepStrictEqual(
          logs.filter((name) => name.endsWith(".output")),
          []
        )
      })
    )
  )

  it.live("leaves the file alone when the step fails", () =>
    inRepository(({ git, project, runAny }) =>
      Effect.gen(function* () {
        const report = yield* runAny(`
name: failing
commands:
  - shell: echo before > out.txt
  - shell: seq 1 400000; exit 3
    output_file: out.txt
    allow_failure: true
  - shell: seq 1 400000; exit 3
    output_file: new.txt
    allow_failure: true
`)
        assert.strictEqual(report.status, "completed")
        assert.strictEqual(readFileSync(join(project, "out.txt"), "utf8"), "before\n")
        assert.strictEqual(git("ls-files"), "out.txt")
      })
    )
  )

  it.live("fails the step when it is more than a capture holds, in every format", () =>
    inRepository(({ runAny }) =>
      Effect.gen(function* () {
        for (const capture of ["all", "{ name: all, format: lines }", "{ name: all, pattern: '^7$', default: none }"]) {
          const report = yield* runAny(`
name: too-much
commands:
  - shell: seq 1 400000
    name: count
    capture: ${capture}
`)
          const { failure } = report
          assert.strictEqual(failure?.cause.error_type, "ValidationFailed")
          assert.include(failure?.message, "printed more than the 1 MiB that all can hold")
          assert.include(failure?.message, "output_file")
          assert.strictEqual(failure?.step, "count")
        }
      })
    )
  )

  it.live("is not too much for a capture when only the other stream is", () =>
    inRepository(({ git, runAny }) =>
      Effect.gen(function* () {
        const report = yield* runAny(`
name: streams
commands:
  - shell: seq 1 400000 >&2; echo small
    capture: few
  - shell: seq 1 400000
  - write_file: { path: few.txt, content: "\${few}" }
  - shell: seq 1 400000 >&2; echo small
    capture: { name: both, streams: { stderr: true } }
    allow_failure: true
  - shell: echo "\${last.success}" > both.txt
`)
        assert.strictEqual(report.status, "completed")
        assert.strictEqual(git("show", "main:few.txt"), "small")
      })
    )
  )
})

describe("what the environment of a step holds", () => {
  it.live("is not run where bash calculates, when it comes from an item", () =>
    inRepository(({ git, run }) =>
      Effect.gen(function* () {
        const report = yield* run(`
name: counts
map:
  input: { items: ["7", "a[$(touch pwned; git add pwned)]"] }
  agent_template:
    - shell: { command: "echo $((N + HALF)) > sum && git add -A && git commit --quiet --message=sum", interpreter: bash }
      env: { N: "\${item}", HALF: "1 + 1" }
`)
        assert.deepStrictEqual({ ...report.counts }, { ...report.counts, merged: 1, dead_lettered: 1 })
        assert.strictEqual(git("show", "main:sum"), "9")
        assert.strictEqual(git("ls-tree", "-r", "--name-only", "main"), "sum")
        assert.strictEqual(git("log", "--all", "--format=%H", "--", "pwned"), "")
      })
    )
  )
})
