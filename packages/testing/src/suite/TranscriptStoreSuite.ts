/**
 * What every `TranscriptStore` does.
 *
 * @since 0.1.0
 */
import * as AgentId from "@prodigy/core/domain/AgentId"
import * as SessionId from "@prodigy/core/domain/SessionId"
import { AtomicFile } from "@prodigy/core/storage/AtomicFile"
import { ProdigyHome } from "@prodigy/core/storage/ProdigyHome"
import { TranscriptStore } from "@prodigy/core/storage/TranscriptStore"
import { assert, describe, it } from "@effect/vitest"
import * as Effect from "effect/Effect"
import * as FastCheck from "effect/FastCheck"
import type * as Layer from "effect/Layer"
import * as TestClock from "effect/TestClock"
import * as Samples from "../Samples.ts"

const anyName = FastCheck.oneof(
  FastCheck.string({ unit: "binary", maxLength: 300 }),
  FastCheck.constantFrom("", "..", "a/b", "a", "A", "-2", "claude: /fix ../../x", "~", "~2", "a-2")
)
const anyStep = FastCheck.record({
  actor: anyName,
  step: anyName,
  attempt: FastCheck.integer({ min: 1, max: 3 }),
  kind: FastCheck.constantFrom("agent" as const, "shell" as const)
})

/**
 * @since 0.1.0
 * @category suites
 */
export const suite = <E>(name: string, layer: Layer.Layer<TranscriptStore | AtomicFile | ProdigyHome, E>): void => {
  const { repo } = Samples
  const sessionId = SessionId.fromJob(Samples.jobId())

  describe(`TranscriptStore (${name})`, () => {
    it.effect("names a transcript after session, actor, step and attempt", () =>
      Effect.gen(function* () {
        yield* TestClock.setTime(Date.UTC(2026, 0, 2, 3, 4, 5))
        const home = yield* ProdigyHome
        const run = yield* (yield* TranscriptStore).open(repo, sessionId)
        assert.strictEqual(run.directory, `${home.repo(repo).logs}/20260102_030405`)
        const actor = AgentId.fromItem(Samples.jobId(), 7)
        const agent = yield* run.path({ actor, step: "/fix item", attempt: 1, kind: "agent" })
        assert.strictEqual(agent, `${run.directory}/${sessionId}-${actor}-fix-item.jsonl`)
        const shell = yield* run.path({ actor: "setup", step: "npm ci && npm test", attempt: 2, kind: "shell" })
        assert.strictEqual(shell, `${run.directory}/${sessionId}-setup-npm-ci-npm-test-2.log`)
      }).pipe(Effect.provide(layer))
    )

    it.effect.prop(
      "never gives a path twice and never one outside its directory",
      [FastCheck.array(anyStep, { maxLength: 60 })],
      ([steps]) =>
        Effect.gen(function* () {
          const run = yield* (yield* TranscriptStore).open(repo, SessionId.SessionId.make("s".repeat(128)))
          const paths = yield* Effect.forEach(steps, (step) => run.path(step))
          assert.strictEqual(new Set(paths.map((path) => path.toLowerCase())).size, steps.length)
          for (const path of paths) {
            assert.isTrue(path.startsWith(`${run.directory}/`))
            assert.match(path.slice(run.directory.length + 1), /^s[A-Za-z0-9._~-]{0,254}$/)
          }
        }).pipe(Effect.provide(layer)),
      { fastCheck: { numRuns: 25 } }
    )

    it.effect("gives every run a directory of its own, also in one second", () =>
      Effect.gen(function* () {
        const store = yield* TranscriptStore
        const runs = yield* Effect.all(
          Array.from({ length: 5 }, () => store.open(repo, sessionId)),
          { concurrency: "unbounded" }
        )
        assert.strictEqual(new Set(runs.map((run) => run.directory)).size, 5)
      }).pipe(Effect.provide(layer))
    )
  })
}
