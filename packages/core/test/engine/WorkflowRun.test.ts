/**
 * Sessions of standard workflows at the engine: real git, processes and files, and a clock that only the test moves.
 */
import { assert, describe, it } from "@effect/vitest"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { Cancel } from "@prodigy/core/engine/Cancel"
import { WorkflowRun } from "@prodigy/core/engine/WorkflowRun"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { SessionStore } from "@prodigy/core/storage/SessionStore"
import { WorkflowStore } from "@prodigy/core/storage/WorkflowStore"
import * as Effect from "effect/Effect"
import { inRepository, repo } from "./Bench.ts"

/** All sessions are of the clock's first second. */
const sessionId = SessionId.fromTime(0, 1)

const resume = Effect.flatMap(WorkflowRun, (service) =>
  service.resume({ repo, sessionId, force: false, approve: "yes" })
)

const cancel = (projectPath: string) =>
  Effect.flatMap(Cancel, (service) => Effect.flatMap(service.find({ projectPath, id: sessionId }), service.cancel))

/** One step is done and committed; the next fails and leaves a file. */
const failing = `
name: steps
commands:
  - shell: echo one > made && git add made && git commit --quiet --message=one
  - shell: echo left > left && false`

describe("WorkflowRun", () => {
  it.effect("cancels a session for good, keeps all of its work and names where", () =>
    inRepository(({ git, project, runAny }) =>
      Effect.gen(function* () {
        const sessions = yield* SessionStore
        assert.strictEqual((yield* runAny(failing)).status, "failed")
        const cancelled = yield* cancel(project)
        assert.isNull(cancelled.stopped)
        assert.strictEqual(cancelled.report?.status, "cancelled")
        const kept = cancelled.report?.kept ?? []
        assert.include(kept, `prodigy-${sessionId}`)
        assert.strictEqual(git("show", `prodigy-${sessionId}:made`), "one")
        const rescue = kept.find((ref) => ref.startsWith("refs/prodigy/rescue/")) ?? ""
        assert.strictEqual(git("show", `${rescue}:left`), "left")
        assert.strictEqual(git("worktree", "list").split("\n").length, 1)
        const { completed_at, status, worktree } = yield* sessions.get(sessionId)
        assert.deepStrictEqual({ status, worktree }, { status: "Cancelled", worktree: null })
        assert.isNotNull(completed_at)
        const errors = [yield* Effect.flip(resume), yield* Effect.flip(cancel(project))]
        for (const error of errors) {
          assert.strictEqual(error._tag, "AlreadyCancelled")
          assert.strictEqual(error.message, `Session ${sessionId} is cancelled.`)
        }
      })
    )
  )

  it.effect("goes on with a cancellation that was cut short, and never with the session", () =>
    inRepository(({ git, project, runAny }) =>
      Effect.gen(function* () {
        const sessions = yield* SessionStore
        const store = yield* WorkflowStore
        yield* runAny(failing)
        // As a crash behind the checkpoint leaves it, session's file lost.
        const { checkpoint } = yield* store.loadCheckpoint(repo, sessionId)
        assert.isNotNull(checkpoint)
        const state = { ...checkpoint!.state, status: "cancelled" as const }
        yield* store.saveCheckpoint(repo, sessionId, { seq: checkpoint!.seq + 1, state })
        yield* (yield* AtomicFile).remove((yield* ProdigyHome).session(sessionId))
        const refused = yield* Effect.flip(resume)
        assert.strictEqual(refused._tag, "AlreadyCancelled")
        assert.strictEqual(git("worktree", "list").split("\n").length, 2)
        assert.strictEqual((yield* cancel(project)).report?.status, "cancelled")
        assert.strictEqual(git("worktree", "list").split("\n").length, 1)
        assert.deepInclude(yield* sessions.get(sessionId), { status: "Cancelled", worktree: null })
        assert.strictEqual((yield* Effect.flip(cancel(project)))._tag, "AlreadyCancelled")
      })
    )
  )

  it.effect("cancels what was claimed and never written, and refuses what is completed", () =>
    inRepository(({ project, runAny }) =>
      Effect.gen(function* () {
        const files = yield* AtomicFile
        const home = yield* ProdigyHome
        yield* runAny(failing)
        yield* files.remove(home.repo(repo).workflowSession(sessionId))
        assert.isNull((yield* cancel(project)).report)
        assert.strictEqual((yield* (yield* SessionStore).get(sessionId)).status, "Cancelled")
        assert.strictEqual((yield* Effect.flip(cancel(project)))._tag, "AlreadyCancelled")

        const done = yield* runAny("- shell: 'true'")
        assert.strictEqual(done.session_id, SessionId.fromTime(0, 2))
        const target = yield* Effect.flip((yield* Cancel).find({ projectPath: project, id: done.session_id }))
        assert.strictEqual(target._tag, "NotCancellable")
        // The checkpoint says so too, whatever became of the session's file.
        yield* files.remove(home.session(done.session_id))
        const { cancel: end, find } = yield* Cancel
        const lost = yield* find({ projectPath: project, id: done.session_id })
        assert.strictEqual((yield* Effect.flip(end(lost)))._tag, "NotCancellable")
      })
    )
  )
})
