/**
 * Every file that a resume trusts, damaged in many places: the job reads as before, with a warning where it did without
 * the file, or the error names the file.
 */
import * as NodeContext from "@effect/platform-node/NodeContext"
import { assert, describe, it } from "@effect/vitest"
import type { JobId } from "@prodigy/core/domain/JobId"
import * as Restore from "@prodigy/core/engine/Restore"
import { JobStore } from "@prodigy/core/storage/JobStore"
import * as AtomicFile from "@prodigy/core/storage/AtomicFile"
import * as ProdigyHome from "@prodigy/core/storage/ProdigyHome"
import * as Effect from "effect/Effect"
import * as Either from "effect/Either"
import * as Layer from "effect/Layer"
import * as Random from "effect/Random"
import { readdirSync, readFileSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository, repo } from "./Bench.ts"

const seed = 20_260_102

describe("a damaged file of a job", () => {
  it.live(`gives the same job or an error that names it (seed ${seed})`, () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        const { job_id: jobId } = yield* run(workflow)
        const root = join(project, "../home")
        const directory = join(root, "state", repo, "mapreduce/jobs", jobId)
        const names = readdirSync(directory).filter((name) => /\.jsonl?$/.test(name))
        const required = ["job.json", "job-state.json", "journal.jsonl", "setup-checkpoint.json", "work-items.jsonl"]
        assert.includeMembers(names, required)
        const reading = Effect.provide(read(jobId), storage(root))
        const before = yield* reading
        assert.deepStrictEqual(before.warnings, [])
        for (const name of names) {
          const path = join(directory, name)
          const whole = readFileSync(path)
          for (const [what, bytes] of yield* damages(whole)) {
            writeFileSync(path, bytes)
            const found = yield* Effect.either(reading)
            const label = `${name}: ${what}`
            if (Either.isLeft(found)) {
              assert.strictEqual(found.left._tag, "DamagedFile", label)
              assert.include(found.left.message, path, label)
              continue
            }
            const { warnings, ...job } = found.right
            assert.deepStrictEqual(job, { state: before.state, job: before.job, items: before.items }, label)
            for (const warning of warnings) assert.include(warning, path, label)
          }
          writeFileSync(path, whole)
        }
      }).pipe(Effect.withRandom(Random.make(seed)))
    )
  )
})

const workflow = `
name: damaged
setup:
  - shell: echo one > one.txt
map:
  input: { items: [a, b, c] }
  max_parallel: 1
  agent_template:
    - shell: '[ "\${item}" != b ] && echo x > "made-\${item}"'
reduce:
  - shell: exit 1
`

/** All that a resume reads of a job before it goes on. */
const read = Effect.fnUntraced(function* (jobId: JobId) {
  const store = yield* JobStore
  const job = yield* store.load(repo, jobId)
  const { state, warnings } = yield* Restore.state(repo, jobId)
  const items = yield* Restore.items(repo, jobId, state.total)
  return { job, items, state, warnings }
})

const storage = (root: string) =>
  ProdigyHome.layer({ root }).pipe(Layer.provide(AtomicFile.layer), Layer.provide(NodeContext.layer))

/** Ways to damage a content: emptied, overwritten, cut off at places, one bit turned over at places. */
const damages = Effect.fnUntraced(function* (whole: Buffer) {
  const ways: Array<readonly [what: string, bytes: Buffer]> = [
    ["empty", Buffer.alloc(0)],
    ["garbage", Buffer.alloc(whole.length, 0xff)],
    ["zeros", Buffer.alloc(whole.length)]
  ]
  for (let round = 0; round < 24; round += 1) {
    const at = yield* Random.nextIntBetween(0, whole.length)
    const bit = yield* Random.nextIntBetween(0, 8)
    const flipped = Buffer.from(whole)
    flipped[at] = (whole[at] ?? 0) ^ (1 << bit)
    ways.push([`cut off at byte ${at}`, whole.subarray(0, at)], [`bit ${bit} of byte ${at}`, flipped])
  }
  return ways
})
