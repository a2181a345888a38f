import { assert, describe, it } from "@effect/vitest"
import { Clean, type Request, Part } from "@prodigy/core/engine/Clean"
import { DeadLetterQueue } from "@prodigy/core/storage/DeadLetterQueue"
import { JobStore } from "@prodigy/core/storage/JobStore"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import { TranscriptStore } from "@prodigy/core/storage/TranscriptStore"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Effect from "effect/Effect"
import { execFileSync } from "node:child_process"
import { existsSync } from "node:fs"
import { inRepository, repo } from "./Bench.ts"

const job = (name: string, shell: string, policy = "") => `
name: ${name}
map:
  input: { items: [a, b] }
  max_parallel: 1
  ${policy}
  agent_template:
    - shell: ${shell}
`
const good = job("good", 'echo "${item}" > "${item}.txt"')
const failing = job("failing", 'test "${item}" != b')
const stops = job("stops", "exit 1", "on_item_failure: stop")

const later = 4_102_444_800_000

describe("Clean", () => {
  it.live("removes what is over, part by part, and keeps what can be resumed, tried again or is young", () =>
    inRepository(({ git, project, run }) =>
      Effect.gen(function* () {
        const clean = yield* Clean
        const { root } = yield* ProdigyHome
        const jobs = yield* JobStore
        const letters = yield* DeadLetterQueue
        const transcripts = yield* TranscriptStore
        const over = (yield* run(good)).job_id
        const dead = (yield* run(failing)).job_id
        const stopped = (yield* run(stops)).job_id
        const request: Request = {
          projectPath: project,
          allRepos: false,
          parts: Part.literals,
          beforeMillis: later,
          force: false,
          dryRun: true
        }
        const tree = () => execFileSync("find", [root, "-type", "f"], { encoding: "utf8" })
        const before = tree()
        const planned = yield* clean.clean(request)
        assert.isAbove(planned.removed.length, 3)
        assert.strictEqual(tree(), before)
        const young = yield* clean.clean({ ...request, beforeMillis: 0, force: true, dryRun: false })
        assert.deepStrictEqual(young.removed, [])
        assert.strictEqual(tree(), before)

        const only = (parts: Request["parts"], more: Partial<Request> = {}) =>
          clean.clean({ ...request, parts, dryRun: false, ...more })
        const names = (list: ReadonlyArray<{ readonly name: string }>) => list.map(({ name }) => name)

        const logs = yield* only(["logs"])
        assert.deepStrictEqual([...(yield* transcripts.directories(repo)).keys()], [SessionId.fromJob(stopped)])
        assert.match(logs.kept[0]?.reason ?? "", /is failed: prodigy resume/)

        const events = yield* only(["events"], { force: true })
        assert.deepStrictEqual(names(events.kept), [stopped])
        assert.isFalse(
          existsSync(`${root}/events/project/${over}`) && tree().includes(`events/project/${over}/events-`)
        )
        assert.isTrue(tree().includes(`events/project/${stopped}/events-`))

        const state = yield* only(["state"])
        assert.deepStrictEqual(names(state.removed), [over])
        assert.match(state.kept.find(({ name }) => name === dead)?.reason ?? "", /1 dead letter could be tried again/)
        assert.match(state.kept.find(({ name }) => name === stopped)?.reason ?? "", /is failed/)
        assert.deepStrictEqual(yield* jobs.list(repo), [dead, stopped])

        const careful = yield* only(["dlq"])
        assert.deepStrictEqual(careful.removed, [])
        assert.match(careful.kept.find(({ name }) => name === dead)?.reason ?? "", /1 dead letter not resolved/)
        const forced = yield* only(["dlq"], { force: true })
        assert.deepStrictEqual(names(forced.removed), [dead])
        assert.strictEqual(yield* letters.count(repo, dead), 0)

        const branch = `prodigy-${SessionId.fromJob(stopped)}`
        const worktrees = yield* only(["worktrees"], { force: true })
        assert.deepStrictEqual(worktrees.removed, [])
        assert.strictEqual(git("branch", "--list", "--format=%(refname:short)", branch), branch)

        const rest = yield* only(["sessions"])
        assert.deepStrictEqual(
          names(rest.removed).toSorted(),
          [over, dead].map((id) => SessionId.fromJob(id)).toSorted()
        )
        const { sessions } = yield* (yield* SessionStore).list
        assert.deepStrictEqual(
          sessions.map(({ session }) => session.job_id),
          [stopped]
        )
        assert.deepStrictEqual((yield* only(Part.literals)).removed, [])
      })
    )
  )
})
