/**
 * Which session is gone on with, when files that tell of it are lost or damaged. On real git, all runs in one second of
 * the test's clock, so that ids are known and one is the beginning of the next.
 */
import { assert, describe, it } from "@effect/vitest"
import { JobId } from "@prodigy/core/domain/JobId"
import * as SessionId from "@prodigy/core/domain/SessionId"
import * as Resume from "@prodigy/core/engine/Resume"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import * as Effect from "effect/Effect"
import { writeFileSync } from "node:fs"
import { join } from "node:path"
import { inRepository, repo } from "./Bench.ts"

const first = JobId.make("mapreduce-19700101_000000")
const second = JobId.make("mapreduce-19700101_000000_2")
const standard = SessionId.fromTime(0, 1)

const options: Resume.Options = {
  force: false,
  approve: "yes",
  fromCheckpoint: null,
  waitsForQuota: true,
  retryFailed: false,
  maxRetries: null,
  useCurrent: false
}

const kinds = [
  ["a standard workflow", standard],
  ["a job", SessionId.fromJob(first)]
] as const

describe("Resume", () => {
  it.effect("goes on with the job whose id was typed, not with one whose id begins with it", () =>
    inRepository(({ project, run }) =>
      Effect.gen(function* () {
        const resume = yield* Resume.Resume
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        const sessions = yield* SessionStore
        for (const jobId of [first, second]) {
          const report = yield* run(failing)
          assert.deepInclude(report, { job_id: jobId, status: "failed" })
        }
        writeFileSync(join(project, "../fixed"), "")
        yield* files.remove(home.session(SessionId.fromJob(first)))
        yield* files.remove(home.repo(repo).mapping(first))
        yield* files.replace(home.repo(repo).mapping(SessionId.fromJob(first)), "{")

        const several = yield* Effect.flip(resume.find({ projectPath: project, id: null }))
        const named = several._tag === "SeveralToResume" ? several.sessions : []
        assert.deepStrictEqual([...named], [second, first].map(SessionId.fromJob))
        for (const id of [first, SessionId.fromJob(first)]) {
          const target = yield* resume.find({ projectPath: project, id })
          assert.deepInclude(target, { jobId: first, listed: null })
        }
        const target = yield* resume.find({ projectPath: project, id: first })
        const report = yield* resume.goOn(target, options)
        assert.deepInclude(report, { session_id: SessionId.fromJob(first), status: "completed" })
        assert.strictEqual((yield* sessions.get(SessionId.fromJob(second))).status, "Failed")
        // Its file and both halves of its mapping are there again.
        assert.strictEqual((yield* sessions.get(SessionId.fromJob(first))).status, "Completed")
        for (const half of [first, SessionId.fromJob(first)]) {
          assert.include(yield* files.read(home.repo(repo).mapping(half)), `"job_id": "${first}"`)
        }
        const only = yield* resume.find({ projectPath: project, id: null })
        assert.strictEqual(only.jobId, second)
      })
    )
  )

  it.effect("finds by nothing, by its id and by the beginning of it what has lost its session's file", () =>
    inRepository(({ git, project, runAny }) =>
      Effect.gen(function* () {
        const resume = yield* Resume.Resume
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        const failed = yield* runAny(steps)
        assert.deepInclude(failed, { session_id: standard, status: "failed" })
        yield* files.remove(home.session(standard))
        for (const id of [null, standard, "session-workflow-19", "latest"]) {
          const target = yield* resume.find({ projectPath: project, id })
          assert.deepInclude(target, { sessionId: standard, jobId: null, listed: null })
        }
        writeFileSync(join(project, "../fixed"), "")
        const report = yield* resume.goOn(yield* resume.find({ projectPath: project, id: null }), options)
        assert.deepInclude(report, { session_id: standard, status: "completed", warnings: [] })
        assert.strictEqual(git("show", "main:made"), "one\ntwo")
        // Over, it is no longer looked for, lost or not.
        yield* files.remove(home.session(standard))
        const nothing = yield* Effect.flip(resume.find({ projectPath: project, id: null }))
        assert.strictEqual(nothing._tag, "NothingToResume")
      })
    )
  )

  it.effect.each(kinds)("makes the damaged file of a session again, of %s, and keeps what it held", ([, sessionId]) =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        const resume = yield* Resume.Resume
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        yield* runAny(sessionId === standard ? steps : failing)
        const path = home.session(sessionId)
        yield* files.replace(path, "{")
        // It might be another session's: nobody is gone on with unasked.
        const unasked = yield* Effect.flip(resume.find({ projectPath: project, id: null }))
        assert.strictEqual(unasked._tag === "DamagedFile" && unasked.path, path)
        writeFileSync(join(project, "../fixed"), "")
        const report = yield* resume.goOn(yield* resume.find({ projectPath: project, id: sessionId }), options)
        assert.strictEqual(report.status, "completed")
        assert.include(report.warnings.join("\n"), `${path}.damaged`)
        assert.strictEqual(yield* files.read(`${path}.damaged`), "{")
        assert.strictEqual((yield* (yield* SessionStore).get(sessionId)).status, "Completed")
        // Damaged again when all is done, there is nothing left but to make it again.
        yield* files.replace(path, "{")
        const again = yield* resume.goOn(yield* resume.find({ projectPath: project, id: sessionId }), options)
        assert.strictEqual(again.status, "completed")
        assert.strictEqual((yield* (yield* SessionStore).get(sessionId)).status, "Completed")
      })
    )
  )
})

/** Fails in setup until a file is there. */
const failing = `
name: fails
setup:
  - shell: test -e "$PROJECT_ROOT/../fixed"
map:
  input: { items: [1] }
  agent_template:
    - shell: echo x > made`

const steps = `
name: steps
commands:
  - shell: echo one > made
  - shell: test -e "$PROJECT_ROOT/../fixed"
  - shell: echo two >> made`
