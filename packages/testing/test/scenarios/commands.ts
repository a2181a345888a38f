/** What is asked for by who runs a workflow with `-y`, and by who goes on with its session. */
import { type Options, Resume, type Target } from "@prodigy/core/engine/Resume"
import { Runner } from "@prodigy/core/engine/Runner"
import * as TestProdigy from "@prodigy/testing/TestProdigy"
import * as Effect from "effect/Effect"

/** `prodigy run -y`, of a workflow of either kind. */
export const run = (workflowText: string) =>
  Effect.gen(function* () {
    const runner = yield* Runner
    const plan = yield* runner.plan({
      workflowPath: "simulated.yml",
      workflowText,
      projectPath: TestProdigy.places.project,
      maxParallel: null,
      base: null,
      approve: "yes",
      parameters: {},
      waitsForQuota: true,
      iterations: null,
      values: null
    })
    return yield* runner.run(plan)
  })

const plainly: Options = {
  force: false,
  approve: "yes",
  fromCheckpoint: null,
  waitsForQuota: true,
  retryFailed: false,
  maxRetries: null,
  useCurrent: false
}

/** `prodigy resume -y`. */
export const resume = (target: Target) => Effect.flatMap(Resume, (engine) => engine.goOn(target, plainly))
