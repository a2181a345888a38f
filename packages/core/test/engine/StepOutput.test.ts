import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository } from "./Bench.ts"

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
