/**
 * Flags that the commands about events share.
 *
 * @since 0.1.0
 */
import type { Filter } from "@prodigy/core/engine/EventQuery"
import type { Scope } from "@prodigy/core/engine/EventScope"
import { latest } from "@prodigy/core/engine/Inspect"
import * as Clock from "effect/Clock"
import * as Effect from "effect/Effect"
import * as Flag from "../../Flag.ts"
import { UsageError } from "../../UsageError.ts"
import * as flags from "../flags.ts"

/**
 * @since 0.1.0
 * @category flags
 */
export const eventType = Flag.repeated("event-type", {
  value: "TYPE",
  description: "Only events of this type, such as agent_failed",
  read: Flag.text
})

/**
 * @since 0.1.0
 * @category flags
 */
export const agentId = Flag.value("agent-id", {
  value: "ID",
  description: "Only events of this agent or item",
  read: Flag.text,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category flags
 */
export const since = Flag.value("since", {
  value: "TIME",
  description: "Only events from then on: 30m, 2h, 3d ago, or a time",
  read: Flag.moment,
  otherwise: null
})

/**
 * @since 0.1.0
 * @category flags
 */
export const jobId = Flag.value("job-id", {
  value: "ID",
  description: "A job other than this repository's latest",
  read: Flag.text,
  otherwise: null
})

const all = Flag.on("all", { description: "All jobs of this repository" })

/**
 * @since 0.1.0
 * @category flags
 */
export const allRepos = Flag.on("all-repos", { description: "All jobs of all repositories; needs none here" })

/**
 * Whose events are asked for, and which.
 *
 * @since 0.1.0
 * @category flags
 */
export const query = { jobId, all, allRepos, eventType, agentId, since, path: flags.path }

/**
 * The filter that was typed.
 *
 * @since 0.1.0
 * @category readers
 */
export const filterOf = (given: {
  readonly eventType: ReadonlyArray<string>
  readonly agentId: string | null
  readonly since: Flag.Moment | null
}): Effect.Effect<Filter> =>
  Effect.map(Clock.currentTimeMillis, (now) => ({
    types: given.eventType,
    agent: given.agentId,
    sinceMillis: given.since === null ? null : Flag.millisOf(given.since, now)
  }))

/**
 * Whose events are meant: those of one job, of a repository, or of all.
 *
 * @since 0.1.0
 * @category readers
 */
export const scopeOf = (
  given: { readonly jobId: string | null; readonly all: boolean; readonly allRepos: boolean; readonly path: string },
  command: string
) =>
  Effect.gen(function* () {
    const asked = [
      ...(given.jobId === null ? [] : ["--job-id"]),
      ...(given.all ? ["--all"] : []),
      ...(given.allRepos ? ["--all-repos"] : [])
    ]
    if (asked.length > 1) {
      const what = `${asked.join(" and ")} cannot be given together.`
      return yield* new UsageError({ what, suggestions: [], command })
    }
    const projectPath = yield* flags.project(given.path)
    const scope: Scope = given.allRepos
      ? { _tag: "Everything" }
      : given.all
        ? { _tag: "Repository", projectPath }
        : { _tag: "Job", projectPath, id: given.jobId ?? latest }
    return scope
  })
